//! Where lifecycle events are kept, and how they reach those who want to hear of them.
//!
//! - [`source`]: what delivery reads: the durable records, in order

pub mod delivery;
pub mod source;
