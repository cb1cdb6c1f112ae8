//! The application as the server sees it: a listener, a handler of topics, and what takes calls.

use std::sync::Arc;

use clank::{
    Admission, Answer, Call, CallHandler, ClientErrorEvent, ClientEvent, ClientEventListener,
    ClientRejectedEvent, ConnectRequest, Connection, Forward, Publication, Result, RpcError, ServerEvent,
    Topic, TopicHandler,
};
use clank_core::event::{Body, Disconnected};
use http::StatusCode;

use super::bridge::{Bridge, Slot};
use super::connections::{Head, seconds};
use super::frame::Frame;
use super::request::{Ended, Kind};

/// What the server calls. Its methods put a request into its place and wait for its end; whoever
/// polls them is not held up.
#[derive(Clone)]
pub(super) struct Application(pub Arc<Bridge>);

const UNAVAILABLE: &str = "the application can't be asked";

impl ClientEventListener for Application {
    async fn on_client_connecting(&self, request: &ConnectRequest) -> Result<Admission> {
        let bridge = &self.0;
        let head = Head::of_request(request);
        bridge.connections.ask(request.connection_id(), head.clone());
        let slot = bridge.slot(request.resource_id());
        if !slot.is(|hello| hello.connecting) {
            return Ok(Admission::accept());
        }
        let json = head.json(None, seconds(std::time::SystemTime::now().into()), None);
        let say = |frame: Frame| frame.raw("connection", &json);
        let asked = bridge.ask(slot, bridge.request(Kind::Connecting, (None, ""), say));
        let wait = bridge.settings.wait.duration();
        Ok(match tokio::time::timeout(wait, asked.ended()).await {
            Ok(Ended::Done(done)) => match done.identity {
                Some(user) => Admission::accept().identity(user),
                None => Admission::accept(),
            },
            Ok(Ended::Died(_) | Ended::Refused(_)) | Err(_) => {
                Admission::reject(StatusCode::SERVICE_UNAVAILABLE, UNAVAILABLE)
            }
        })
    }

    async fn on_client_connect(&self, event: &ClientEvent) -> Result {
        let id = event.connection().resource_id();
        let json = self.0.connections.open(event);
        let say = |frame: Frame| frame.raw("connection", &json).value("rehydrated", &false);
        self.tell(Kind::Open, id, "", say).await
    }

    async fn on_client_disconnect(&self, event: &ClientEvent) -> Result {
        let (bridge, id) = (&self.0, event.connection().resource_id());
        let (Some(disconnected), Some(json)) = (event.disconnected(), bridge.connections.json(id, None))
        else {
            return Ok(());
        };
        let say = |frame: Frame| end(frame.value("id", &id), disconnected);
        let mut close = bridge.request(Kind::Close, (Some(id), ""), say);
        if let Ok(close) = &mut close {
            let frame =
                Frame::new("gone").value("seq", &close.seq).raw("connection", &json).text("event", "close");
            close.detached = end(frame, disconnected).finish().ok();
        }
        settle(&bridge.ask(bridge.slot(id), close).ended().await)
    }

    async fn on_client_error(&self, event: &ClientErrorEvent) -> Result {
        let (bridge, id) = (&self.0, event.connection().resource_id());
        let error = event.error();
        let message = error.message();
        let of = bridge.connections.failure(id, message);
        let is_heard = bridge.slot(id).is(|hello| hello.listeners.contains("clank.client.error"));
        if !is_heard || !bridge.connections.has(id) {
            return Ok(());
        }
        let kind = error.kind();
        self.tell(Kind::Error, id, "", |frame| {
            frame.value("id", &id).value("of", &of).value("kind", &kind).text("message", message)
        })
        .await
    }

    async fn on_client_rejected(&self, event: &ClientRejectedEvent) -> Result {
        self.0.connections.reject(event.rejection().connection_id);
        Ok(())
    }

    async fn on_server_launched(&self, event: &ServerEvent) -> Result {
        if let Body::Launched(launched) = &event.record().body {
            self.0.set_launched(launched.clone());
        }
        Ok(())
    }
}

impl TopicHandler for Application {
    async fn on_subscribe(&self, connection: &Connection, topic: &Topic) -> Result {
        let id = connection.resource_id();
        let say = |frame: Frame| frame.value("id", &id).text("topic", topic.uri());
        self.tell(Kind::Subscribe, id, topic.uri(), say).await
    }

    async fn on_unsubscribe(&self, connection: &Connection, topic: &Topic) -> Result {
        let id = connection.resource_id();
        let is_closing = !connection.is_open();
        if is_closing && !self.slot(id).is(|hello| hello.handles(topic.uri())) {
            // The worker forgets it with the connection, and nobody asks before.
            return Ok(());
        }
        let say =
            |frame: Frame| frame.value("id", &id).text("topic", topic.uri()).value("closing", &is_closing);
        self.tell(Kind::Unsubscribe, id, topic.uri(), say).await
    }

    fn sees_publications(&self, topic: &str) -> bool {
        // All workers run the same application.
        self.0.slot(0).is(|hello| hello.handles(topic))
    }

    async fn on_publish(
        &self,
        connection: &Connection,
        topic: &Topic,
        publication: &Publication,
    ) -> Result<Forward> {
        let id = connection.resource_id();
        let Publication { event, audience } = publication;
        let exclude: Vec<u64> = audience.excluded().collect();
        let eligible: Option<Vec<u64>> = audience.allowed().map(Iterator::collect);
        let request = self.0.request(Kind::Publish, (Some(id), topic.uri()), |frame| {
            let frame = frame.value("id", &id).text("topic", topic.uri()).raw("event", &event.json());
            frame.value("exclude", &exclude).value("eligible", &eligible)
        });
        let slot = self.slot(id);
        let is_behind = slot.queue().is_behind();
        match request {
            // The worker keeps the order, so that the client's next message need not wait for the end
            // of this one: what came in a burst goes out in one.
            Ok(request) if !is_behind => self.0.post(slot, request),
            // A worker that is behind holds up its clients.
            request => settle(&self.0.ask(slot, request).ended().await)?,
        }
        // What goes out is what the handler broadcasts.
        Ok(Forward::Nothing)
    }
}

impl CallHandler for Application {
    fn takes(&self, uri: &str) -> bool {
        self.0.slot(0).is(|hello| hello.answers(uri))
    }

    async fn call(&self, call: Call) -> Result<Answer, RpcError> {
        let bridge = &self.0;
        let Some(caller) = call.caller() else {
            return Err(RpcError::new("procedures of the application are there for its clients").code(501));
        };
        let id = caller.resource_id();
        let slot = bridge.slot(id);
        let request = bridge.request(Kind::Call, (Some(id), call.uri()), |frame| {
            frame.value("id", &id).text("procedure", call.uri()).raw("params", call.params_json())
        });
        let (seq, mut answer) = bridge.call(slot, request)?;
        let waiting = Waiting { slot, seq };
        // Now it has its place. The thread that serves the caller's socket is not the one that waits.
        tokio::task::yield_now().await;
        let wait = bridge.settings.wait.duration();
        let answered = match tokio::time::timeout(wait, &mut answer).await {
            Ok(answered) => answered,
            Err(_) if slot.queue().withdraw(seq, false) => {
                return Err(RpcError::new("the application did not come to it in time").code(503));
            }
            Err(_) => answer.await,
        };
        drop(waiting);
        answered.unwrap_or_else(|_| Err(RpcError::new("the application has ended").code(503)))
    }
}

impl Application {
    fn slot(&self, id: u64) -> &Slot {
        self.0.slot(id)
    }

    async fn tell(&self, kind: Kind, id: u64, subject: &str, say: impl FnOnce(Frame) -> Frame) -> Result {
        let request = self.0.request(kind, (Some(id), subject), say);
        settle(&self.0.ask(self.slot(id), request).ended().await)
    }
}

/// How a connection ended.
fn end(frame: Frame, disconnected: &Disconnected) -> Frame {
    let Disconnected { cause, code, reason, .. } = disconnected;
    frame.value("cause", cause).value("code", code).text("reason", reason)
}

/// What becomes of the connection's own code: the first error is told as an event.
fn settle(ended: &Ended) -> Result {
    match ended.errors().into_iter().next() {
        Some(error) => Err(clank::Error::new(error)),
        None => Ok(()),
    }
}

/// A call that is waited for.
struct Waiting<'a> {
    slot: &'a Slot,
    seq: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.slot.queue().withdraw(self.seq, true);
    }
}
