//! Where lifecycle events are kept, and how they reach those who want to hear of them.
//!
//! - [`log`]: the durable log itself
//! - [`source`]: what delivery reads: the durable records, in order
//! - [`delivery`]: how they reach sinks, and what is kept of that
//! - [`sinks`]: a closure, a file, a command

pub mod delivery;
pub mod log;
pub mod sinks;
pub mod source;
