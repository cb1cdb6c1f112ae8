//! Lifecycle events as listeners see them.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clank_core::cause::{Cause, ErrorKind};
use clank_core::event::{Body, Change, Disconnected, Event as Record, EventKind, Failure, Rejection};

use crate::connection::Connection;

/// A record on its way from listener to listener.
#[derive(Debug)]
pub(crate) struct Told {
    pub record: Record,
    pub connection: Option<Connection>,
    stopped: AtomicBool,
}

impl Told {
    pub(crate) fn new(record: Record, connection: Option<Connection>) -> Arc<Self> {
        Arc::new(Self { record, connection, stopped: AtomicBool::new(false) })
    }

    pub(crate) fn is_error(&self) -> bool {
        self.record.kind() == EventKind::Error
    }

    /// Whether the connection goes on after the error that this tells of.
    pub(crate) fn is_survived(&self) -> bool {
        matches!(&self.record.body, Body::Client { change: Change::Error(failure), .. } if failure.survived)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// Any lifecycle event, as a closure that listens to it by name hears it.
#[derive(Clone, Debug)]
pub struct LifecycleEvent(pub(crate) Arc<Told>);

impl LifecycleEvent {
    /// The record: what happened, when, to whom.
    pub fn record(&self) -> &Record {
        &self.0.record
    }

    /// The connection; `None` for a client that was never connected and for events of the server.
    pub fn connection(&self) -> Option<&Connection> {
        self.0.connection.as_ref()
    }

    /// Keeps the event from the listeners that come after this one.
    pub fn stop_propagation(&self) {
        self.0.stopped.store(true, Ordering::Relaxed);
    }
}

macro_rules! view {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        pub struct $name(LifecycleEvent);

        impl $name {
            pub(crate) fn new(told: Arc<Told>) -> Self {
                Self(LifecycleEvent(told))
            }
        }

        impl Deref for $name {
            type Target = LifecycleEvent;

            fn deref(&self) -> &LifecycleEvent {
                &self.0
            }
        }
    };
}

view! {
    /// `clank.client.connected` or `clank.client.disconnected`.
    ClientEvent
}

view! {
    /// `clank.client.error`.
    ClientErrorEvent
}

view! {
    /// `clank.client.rejected`: the connection never came to be.
    ClientRejectedEvent
}

view! {
    /// `clank.server.launched` or `clank.server.stopping`.
    ServerEvent
}

impl ClientEvent {
    /// The connection, also when it is gone.
    pub fn connection(&self) -> &Connection {
        connection(&self.0)
    }

    /// How and why the connection ended; `None` while it is open.
    pub fn disconnected(&self) -> Option<&Disconnected> {
        match change(self) {
            Change::Disconnected(disconnected) => Some(disconnected),
            _ => None,
        }
    }

    /// Why the connection ended; `None` while it is open.
    pub fn cause(&self) -> Option<Cause> {
        self.disconnected().map(|disconnected| disconnected.cause)
    }
}

impl ClientErrorEvent {
    /// The connection on which it happened.
    pub fn connection(&self) -> &Connection {
        connection(&self.0)
    }

    /// What happened. Its text is the error's message.
    pub fn error(&self) -> ClientError<'_> {
        match change(self) {
            Change::Error(failure) => ClientError(failure),
            _ => unreachable!("made of error records alone"),
        }
    }
}

impl ClientRejectedEvent {
    /// Why the client was refused.
    pub fn rejection(&self) -> &Rejection {
        match &self.record().body {
            Body::Rejected(rejection) => rejection,
            _ => unreachable!("made of rejections alone"),
        }
    }
}

fn connection(event: &LifecycleEvent) -> &Connection {
    match event.connection() {
        Some(connection) => connection,
        None => unreachable!("made of records of connections alone"),
    }
}

fn change(event: &LifecycleEvent) -> &Change {
    match &event.record().body {
        Body::Client { change, .. } => change,
        _ => unreachable!("made of records of connections alone"),
    }
}

/// What went wrong on a connection.
#[derive(Clone, Copy)]
pub struct ClientError<'a>(&'a Failure);

impl ClientError<'_> {
    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Whether the connection goes on.
    pub fn survived(&self) -> bool {
        self.0.survived
    }
}

impl fmt::Display for ClientError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for ClientError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
