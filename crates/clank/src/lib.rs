#![doc = include_str!("../README.md")]
//!
//! # The crate
//!
//! - [`Clank::builder`] puts a [`Server`] together; a [`Handle`] reaches it from anywhere
//! - [`ClientEventListener`] hears who connects, disconnects and fails
//! - [`TopicHandler`] and [`Topic`]: what happens on topics
//! - [`Service`], [`Procedures`] and [`Call`]: what clients can call
//! - [`Client`] and [`session`]: clients within the program, of WAMP v1 and v2
//! - [`wamp2`]: realms, who may join them, and who may do what there
//! - `runtime`, private: how all of it is served

mod admission;
mod builder;
mod client;
mod config;
mod connection;
mod error;
mod event;
mod handle;
mod hooks;
mod listener;
mod listening;
mod mount;
mod parts;
mod periodic;
mod raw;
mod rpc;
mod runtime;
mod server;
pub mod session;
mod topic;
pub mod wamp2;

pub use admission::{Admission, ConnectRequest};
pub use builder::{Builder, Clank};
pub use clank_core::cause::{Cause, ErrorKind};
pub use clank_core::event::{
    Disconnected, Event as Record, EventKind, Identity, Rejection, Timestamp, Transport,
};
pub use clank_core::id::{ConnectionId, NodeId, RunId};
pub use clank_core::journal::{self, Journal};
pub use clank_core::limits::{self, Limits, SlowConsumer};
pub use clank_core::wamp1;
pub use client::{CallError, Client, ClientDisconnected, ClientSubscription, Received};
pub use config::{OnListenerTimeout, Origins, Paths};
pub use connection::Connection;
pub use error::{Error, Result, StartError};
pub use event::{
    ClientError, ClientErrorEvent, ClientEvent, ClientRejectedEvent, LifecycleEvent, ServerEvent,
};
pub use handle::{Handle, Tables};
pub use listener::{ClientEventListener, ListenerOptions};
pub use mount::Mounted;
pub use parts::{Calling, Parts};
pub use raw::{Message, MessageHandler};
pub use rpc::{Answer, Call, CallHandler, Procedures, RpcError, Service};
pub use runtime::Body;
pub use server::Server;
pub use topic::{Audience, Event, Forward, Permit, Publication, Topic, TopicHandler};

/// The code in the guides compiles, and does what it says.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/library.md")]
mod guide {}
