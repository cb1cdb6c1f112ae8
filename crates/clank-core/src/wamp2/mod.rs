//! WAMP v2 as the server speaks it: what a session's messages ask for, and which it refuses.
//!
//! [`Session::receive`] turns a message into a [`Request`] with checked URIs in it, into a
//! [`Refusal`], which is one request's ERROR, or into a [`Fault`], which ends the session
//! (specification: "Protocol Violations"). It knows nothing of other sessions.
//!
//! What a router decides beside that:
//!
//! - [`auth`]: how a client proves who it is
//! - [`authorize`]: who may do what to which URIs
//! - [`history`]: events that are kept for those who come later
//! - [`policy`]: which of several callees a call goes to

pub mod auth;
pub mod authorize;
mod fault;
pub mod history;
pub mod policy;
mod request;
mod session;

pub use fault::{Fault, Refusal};
pub use request::{Call, Publish, Register, Request, Subscribe};
pub use session::{Options, Received, Session};
