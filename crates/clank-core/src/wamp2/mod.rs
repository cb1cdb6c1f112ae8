//! WAMP v2 as the router speaks it, without I/O.
//!
//! - [`auth`]: how a client proves who it is
//! - [`policy`]: which of several callees a call goes to

pub mod auth;
pub mod policy;
