//! What a connection is and what becomes of it, without I/O.
//!
//! Everything here takes values and returns values: no socket, clock,
//! randomness, environment or runtime. The time and random bytes that a
//! function needs are arguments.
//!
//! - [`cause`]: why a connection was refused or ended, and what follows from it
//! - [`event`]: the record of a lifecycle event, and its JSON
//! - [`id`]: the names of connections, events, nodes and runs
//! - [`journal`]: the port to where events are kept
//! - [`limits`]: what a peer may use; unlimited can't be written
//! - [`pattern`]: patterns of URIs, and which of them a URI matches
//! - [`subscription`]: a topic's subscribers, and who of them hears what
//! - [`topic`]: the URIs of topics and procedures
//! - [`wamp1`]: the state of a WAMP v1 session, and what its messages ask for
//! - [`wamp2`]: the same of WAMP v2, who its clients are, and what they may do
//! - [`wheel`]: one timer wheel for the deadlines of every connection

pub mod cause;
pub mod event;
pub mod id;
pub mod journal;
pub mod limits;
pub mod pattern;
pub mod subscription;
pub mod topic;
pub mod wamp1;
pub mod wamp2;
pub mod wheel;
