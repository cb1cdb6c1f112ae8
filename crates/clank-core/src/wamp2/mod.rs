//! WAMP v2 as the router speaks it, without I/O.
//!
//! - [`auth`]: how a client proves who it is
//! - [`authorize`]: who may do what to which URIs
//! - [`history`]: events that are kept for those who come later
//! - [`policy`]: which of several callees a call goes to

pub mod auth;
pub mod authorize;
pub mod history;
pub mod policy;
