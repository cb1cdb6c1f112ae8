//! WAMP v1 as the server speaks it: a session's state, and what its messages ask for.
//!
//! [`Session::receive`] turns the text of a frame into a [`Request`] with full URIs in it, or into
//! a [`Violation`] that says what to do with a client that broke the rules. It knows nothing of
//! other sessions: whom a PUBLISH excludes is resolved by [`Recipients::resolve`] with a look-up
//! that the caller brings.

mod options;
mod prefixes;
mod recipients;
mod request;
mod session;
mod session_id;
mod violation;

pub use options::{EmptyEligible, OnMalformed, Options};
pub use recipients::Recipients;
pub use request::{Call, Procedure, Request};
pub use session::Session;
pub use session_id::{InvalidSessionId, SessionId};
pub use violation::{Action, Fault, Violation};
