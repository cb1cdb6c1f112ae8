//! What the rest of the program can do with a running server.

use std::sync::Arc;

use clank_core::topic::Uri;
use clank_core::wamp1::SessionId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::rpc::{Call, RpcError, answer_of};
use crate::runtime::{Engine, call_client, contain};
use crate::server::Control;
use crate::topic::Topic;

/// What the rest of the program can do with a running server. Cloning is cheap.
#[derive(Clone)]
pub struct Handle {
    pub(crate) engine: Arc<Engine>,
    pub(crate) control: Arc<Control>,
}

/// What a server holds at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tables {
    /// Connections that are open.
    pub open: usize,
    /// Connections that are open, or of whose end not every listener has heard.
    pub connections: usize,
    /// Sockets whose handshake is unfinished.
    pub handshakes: usize,
    /// Topics that have subscribers.
    pub topics: usize,
    /// Procedures that clients offer, and clients that call or are called.
    pub procedures: usize,
    /// Addresses that are counted against their limits.
    pub addresses: usize,
    /// Bytes that wait for clients that read too slowly.
    pub waiting: usize,
}

impl Handle {
    /// The topic with this URI, whether it has subscribers or not.
    ///
    /// # Errors
    /// When `uri` is empty, too long, or has control characters.
    pub fn topic(&self, uri: &str) -> Result<Topic> {
        let uri = Uri::parse(uri, self.engine.limits().uri.bytes())?;
        Ok(Topic::new(uri.into_owned(), Arc::clone(&self.engine), Arc::clone(self.engine.realms.home())))
    }

    /// Publishes `event` to all subscribers of a topic. The topic's handler is not asked.
    ///
    /// # Errors
    /// When `topic` is no URI, or `event` can't be JSON.
    pub fn publish<T: Serialize + ?Sized>(&self, topic: &str, event: &T) -> Result {
        self.topic(topic)?.broadcast(event)
    }

    /// Calls a procedure of this server, as a client would, or one that a client offers in the realm
    /// of WAMP v1: `params` is an array or an object. A call that is no longer waited for is dropped.
    ///
    /// # Errors
    /// What the procedure answers; or that there is none, that it panicked, or that its result
    /// does not fit `R`.
    pub async fn call<P: Serialize + ?Sized, R: DeserializeOwned>(
        &self,
        uri: &str,
        params: &P,
    ) -> Result<R, RpcError> {
        let params = serde_json::to_vec(params).map_err(|error| RpcError::new(error.to_string()))?;
        let Some(procedure) = self.engine.application.procedure(uri) else {
            return self.call_client(uri, &params).await;
        };
        let running = procedure.call(Call::by_program(uri, &params, None));
        // It may block its thread, as application code may, and the caller's may have other duties.
        let called = self.engine.threads.spawn(contain(move || running));
        let mut called = EndWhenDropped(called);
        let reply = (&mut called.0).await;
        let reply = reply.map_err(|_| RpcError::new("the server has ended"))?;
        let result = reply.map_err(|panic| RpcError::new(format!("the procedure panicked: {panic}")))??;
        result.as_payload().deserialize().map_err(|error| RpcError::new(error.to_string()))
    }

    async fn call_client<R: DeserializeOwned>(&self, uri: &str, params: &[u8]) -> Result<R, RpcError> {
        answer_of(call_client(&self.engine, uri, params).await)
    }

    /// All open connections.
    pub fn connections(&self) -> Vec<Connection> {
        self.engine.peers().into_iter().map(Connection).collect()
    }

    /// The open connection with this resource id.
    pub fn connection(&self, resource_id: u64) -> Option<Connection> {
        self.engine.peer(resource_id).map(Connection)
    }

    /// At most `count` open connections whose resource ids are greater than `after`, in rising
    /// order. Programs that look at very many of them do so page by page: each look keeps clients
    /// from coming and going for as long as it takes.
    ///
    /// ```
    /// fn count(clank: &clank::Handle, path: &str) -> usize {
    ///     let (mut count, mut after) = (0, 0);
    ///     loop {
    ///         let page = clank.connections_after(after, 256);
    ///         let Some(last) = page.last() else { return count };
    ///         after = last.resource_id();
    ///         count += page.iter().filter(|one| one.facts().request.path.as_deref() == Some(path)).count();
    ///     }
    /// }
    /// ```
    pub fn connections_after(&self, after: u64, count: usize) -> Vec<Connection> {
        self.engine.peers_after(after, count).into_iter().map(Connection).collect()
    }

    /// The open connections of the user with this [identity](clank_core::event::Identity), in the
    /// order of their resource ids. It takes as long as they are many, however many others there
    /// are.
    pub fn connections_of(&self, identity: &str) -> Vec<Connection> {
        self.engine.peers_of(identity).into_iter().map(Connection).collect()
    }

    /// The open connection of a WAMP session.
    pub fn connection_of_session(&self, session: SessionId) -> Option<Connection> {
        self.engine.connection_of(session).and_then(|resource_id| self.connection(resource_id))
    }

    /// The first `count` topics, by their URIs, that have subscribers, begin with `prefix` and come
    /// after the URI `after`. It looks at all topics that there are.
    pub fn topics_after(&self, prefix: &str, after: &str, count: usize) -> Vec<Topic> {
        let uris = self.engine.realms.home().hub.topics_after(prefix, after, count).into_iter();
        uris.filter_map(|uri| self.topic(&uri).ok()).collect()
    }

    /// Sends `event` to one connection, as an event of `topic`, whether it has subscribed or not.
    ///
    /// # Errors
    /// When there is no such connection, `topic` is no URI, or `event` can't be JSON.
    pub fn send<T: Serialize + ?Sized>(&self, resource_id: u64, topic: &str, event: &T) -> Result {
        let connection = self.connection(resource_id);
        let connection = connection.ok_or_else(|| Error::new(format!("no connection {resource_id}")))?;
        self.topic(topic)?.send(&connection, event)
    }

    /// What the server holds at this moment. After the last client has left, all of it is zero.
    pub fn tables(&self) -> Tables {
        Tables {
            open: self.engine.open(),
            connections: self.engine.gate.connections(),
            handshakes: self.engine.gate.handshakes(),
            procedures: self.engine.realms.iter().map(|realm| realm.dealer.entries()).sum(),
            topics: self.engine.realms.iter().map(|realm| realm.hub.topics()).sum(),
            addresses: self.engine.gate.addresses(),
            waiting: self.engine.bounds.held(),
        }
    }

    /// How many events all realms keep, and of how many bytes: histories, and what topics retain.
    /// They stay when their publishers leave.
    pub fn events_kept(&self) -> (usize, usize) {
        let held = self.engine.realms.iter().map(|realm| realm.keeping.held());
        held.fold((0, 0), |(events, bytes), (more, size)| (events + more, bytes + size))
    }

    /// Begins to shut the server down; `serve` and [`Server::wait`](crate::Server::wait) return
    /// when it is done. A second call hastens: what still waits is given up.
    ///
    /// In this order: no new connections, `/healthz` says 503; `on_server_stopping`; close frames
    /// with code 1001, spread over [`Limits::drain`](crate::Limits); every `on_client_disconnect`;
    /// at [`Limits::shutdown`](crate::Limits) at the latest, the end.
    pub fn shutdown(&self) {
        self.control.shutdown();
    }
}

/// A task that nobody waits for any more is ended.
struct EndWhenDropped<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for EndWhenDropped<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handle").field("tables", &self.tables()).finish()
    }
}
