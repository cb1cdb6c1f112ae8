//! WAMP v2 as the router speaks it, without I/O.
//!
//! - [`auth`]: how a client proves who it is

pub mod auth;
