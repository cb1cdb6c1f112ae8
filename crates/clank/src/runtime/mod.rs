//! How connections are served: workers, their turns, and what they share.
//!
//! ```text
//! acceptor -> worker -> http (hyper) -> respond -> door -> conn -> session -> hub -> outbound of each receiver
//!                  \--> rawsocket ------------------/  |     |                          |
//!                                          notify (asks)   lane -> job (application)   flush -> socket
//! ```
//!
//! - [`worker`]: a thread, its turns, and the connections that it owns; [`acceptor`], [`flush`],
//!   [`slots`], [`mailbox`] and [`cx`] are its parts
//! - [`http`], [`respond`]: a socket until it is a WebSocket; [`rawsocket`]: one of RawSocket; [`door`]:
//!   who comes in; [`gate`] and [`admitted`]: how many may; [`opening`]: how the journal hears of them
//! - [`conn`], [`session`], [`sending`], [`deadlines`], [`closing`]: an open connection, what its
//!   client asks for, what it is owed, what time does to it, and its end
//! - [`lane`], [`job`], [`calls`], [`notify`], [`notices`], [`threads`]: application code, in order
//!   and contained
//! - [`engine`]: what all share; [`registry`]: the open connections; [`hub`], [`members`]: topics; [`peer`], [`outbound`], [`frames`], [`transport`],
//!   [`turn`]: what is sent, and who writes it
//! - [`sync`]: the locks, which the model tests replace

mod acceptor;
mod admitted;
mod adopt;
mod auth;
mod authorizing;
mod bundle;
mod calling;
mod calls;
mod closing;
mod conn;
mod cx;
mod deadlines;
mod dealer;
mod door;
mod engine;
mod entering;
mod entrant;
#[cfg(all(test, not(feature = "shuttle")))]
pub(crate) mod fixtures;
mod flush;
mod form;
mod frames;
mod gate;
mod hello;
mod http;
mod hub;
mod incoming;
mod job;
mod joining;
mod keeping;
mod lane;
mod mailbox;
mod members;
mod meta;
#[cfg(all(test, feature = "shuttle"))]
mod model;
mod notices;
mod notify;
mod offering;
mod opening;
mod outbound;
mod parts;
mod patterns;
mod peer;
mod program;
mod rare;
mod rawsocket;
mod realm;
mod registry;
mod reply;
mod respond;
mod room;
mod sending;
mod session;
mod slots;
mod socket;
mod streaming;
mod sync;
mod testament;
mod threads;
mod transport;
mod turn;
mod unix;
mod wamp2;
mod worker;
mod writing;

pub(crate) use acceptor::{Acceptor, Listener};
pub(crate) use adopt::{Adopted, Carrier};
pub(crate) use door::ABORTED;
pub(crate) use engine::{Engine, random};
pub(crate) use entrant::WAMP1;
pub(crate) use job::contain;
pub(crate) use mailbox::{Command, Mailbox};
pub(crate) use outbound::OnOverflow;
pub(crate) use parts::{Call as PartsCall, Output, Part, WAITING};
pub(crate) use peer::Peer;
pub(crate) use program::{call_client, payload_of};
pub(crate) use realm::Realm;
pub use respond::Body;
pub(crate) use respond::{decide, refuse, text};
pub(crate) use slots::Token;
pub(crate) use threads::Threads;
pub(crate) use turn::{Turn, frame_for};
pub(crate) use unix::UnixListener;
pub(crate) use worker::Worker;
