//! What a client asks for, and what becomes of it.

use std::sync::Arc;

use clank_core::cause::{Cause, ErrorKind};
use clank_core::event::{Change, Event as Record, EventKind};
use clank_core::journal::NotRecorded;
use clank_core::subscription::Audience;
use clank_core::topic::Uri;
use clank_core::wamp1::{Action, Call as CallRequest, Request, Violation};
use clank_wire::payload::{Payload, PayloadBuf};
use clank_wire::wamp1::{CallError, CallResult};
use clank_wire::ws::OpCode;
use clank_wire::ws::deflate::WindowBits;

use super::closing::Ending;
use super::conn::{Conn, Protocol};
use super::cx::Cx;
use super::engine::Engine;
use super::hub::{Member, NotSubscribed};
use super::job::{Done, Failed, Outcome, Started, Ticket, Who, contain, outcome, panic_message};
use super::lane::{Job, Running, Work};
use super::turn::frame_for;
use crate::config::TopicEntry;
use crate::hooks::BoxFuture;
use crate::raw::Message;
use crate::rpc::{Call, Reply, RpcError};
use crate::topic::{Event, Forward, Permit, Publication, Topic};

impl Conn {
    /// A text message, when it is its turn.
    pub(super) fn on_text(&mut self, text: &str, cx: &mut Cx) {
        let request = match &mut self.protocol {
            Protocol::Wamp1(session) => session.receive(text),
            Protocol::Raw => return self.on_raw(Message::Text(text), cx),
        };
        match request {
            Ok(Request::Prefix) => {}
            Ok(Request::Subscribe { topic }) => self.subscribe(topic, cx),
            Ok(Request::Unsubscribe { topic }) => self.unsubscribe(&topic, cx),
            Ok(Request::Publish { topic, payload, recipients }) => {
                let engine = Arc::clone(&cx.engine);
                let audience = recipients.resolve(self.peer.id(), |session| engine.connection_of(session));
                self.publish(topic, payload, audience, cx);
            }
            Ok(Request::Call(call)) => self.call(&call, cx),
            Err(violation) => self.on_violation(&violation, cx),
        }
    }

    /// A binary message, when it is its turn.
    pub(super) fn on_binary(&mut self, bytes: &[u8], cx: &mut Cx) {
        match &self.protocol {
            Protocol::Wamp1(session) => {
                let violation = session.receive_binary();
                self.on_violation(&violation, cx);
            }
            Protocol::Raw => self.on_raw(Message::Binary(bytes), cx),
        }
    }

    fn on_raw(&mut self, message: Message<'_>, cx: &mut Cx) {
        let Some(handler) = cx.engine.application.raw.clone() else { return };
        let connection = self.connection();
        let call = std::panic::AssertUnwindSafe(|| handler.on_message(&connection, message));
        let outcome = Engine::inline(&mut cx.turn, || std::panic::catch_unwind(call));
        if let Err(panic) = outcome {
            self.fail_for(Failed::Panicked(panic_message(panic.as_ref())), Who::Handler, cx);
        }
    }

    fn on_violation(&mut self, violation: &Violation, cx: &mut Cx) {
        match violation.action {
            Action::Report => self.fail(ErrorKind::Malformed, &violation.to_string(), cx),
            Action::Close(code) => {
                let cause = match code {
                    1003 => Cause::UnsupportedData,
                    1008 => Cause::LimitExceeded,
                    _ => Cause::MalformedMessage,
                };
                self.close(Ending::new(cause, &violation.close_reason()).code(code), cx);
            }
        }
    }

    fn subscribe(&mut self, topic: Uri<'_>, cx: &mut Cx) {
        match handler(&topic, cx) {
            Some(entry) if entry.hooks.may_subscribe => {
                let topic = topic.into_owned();
                let (connection, view) = (self.connection(), view(&topic, cx));
                let ask = move || entry.handler.may_subscribe(connection, view);
                self.start(Job::Permit(topic), entry.inline, ask, Done::Permitted, cx);
            }
            _ => self.join(&topic, cx),
        }
    }

    fn join(&mut self, topic: &Uri<'_>, cx: &mut Cx) {
        match cx.engine.subscribe(topic, &self.peer) {
            Ok(true) => {}
            Ok(false) | Err(NotSubscribed::Closing) => return,
            Err(error @ NotSubscribed::TooMany(_)) => {
                return self.fail(
                    ErrorKind::LimitExceeded,
                    &format!("not subscribed to {topic}: {error}"),
                    cx,
                );
            }
        }
        self.tell(Change::Subscribed(topic.as_str().into()), cx);
        if let Some(entry) = handler(topic, cx).filter(|entry| entry.hooks.subscribe) {
            let (connection, view) = (self.connection(), view(topic, cx));
            let hear = move || entry.handler.subscribe(connection, view);
            self.start(Job::Hear, entry.inline, hear, Done::Told, cx);
        }
    }

    fn unsubscribe(&mut self, topic: &Uri<'_>, cx: &mut Cx) {
        if cx.engine.hub.unsubscribe(topic.as_str(), &self.peer) {
            self.tell(Change::Unsubscribed(topic.as_str().into()), cx);
            self.tell_left(topic, cx);
        }
    }

    /// Tells the topic's handler now that the connection is no longer subscribed.
    fn tell_left(&mut self, topic: &Uri<'_>, cx: &mut Cx) {
        if let Some(entry) = handler(topic, cx).filter(|entry| entry.hooks.unsubscribe) {
            let (connection, view) = (self.connection(), view(topic, cx));
            let hear = move || entry.handler.unsubscribe(connection, view);
            self.start(Job::Hear, entry.inline, hear, Done::Told, cx);
        }
    }

    /// The connection, which ends, is no longer subscribed: those who want to know hear of it in
    /// their turn.
    pub(super) fn left(&mut self, topic: Uri<'_>, cx: &mut Cx) {
        self.tell(Change::Unsubscribed(topic.as_str().into()), cx);
        if handler(&topic, cx).is_some_and(|entry| entry.hooks.unsubscribe) {
            self.lane.push(Work::Left(topic.into_owned()));
        }
    }

    fn publish(&mut self, topic: Uri<'_>, payload: Payload<'_>, audience: Audience, cx: &mut Cx) {
        match handler(&topic, cx) {
            Some(entry) if entry.hooks.publish && entry.handler.sees_publications(topic.as_str()) => {
                let (topic, event) = (topic.into_owned(), Event(payload.to_buf()));
                let publication =
                    Publication { event: event.clone(), audience: crate::topic::Audience(audience.clone()) };
                let (connection, view) = (self.connection(), view(&topic, cx));
                let see = move || entry.handler.publish(connection, view, publication);
                self.start(Job::Publish { topic, event, audience }, entry.inline, see, Done::Published, cx);
            }
            _ => {
                self.publish_now(&topic, payload, audience, cx);
            }
        }
    }

    /// Publishes what no handler has to see any more. Where the subscribers are very many the
    /// worker does it bit by bit, and the client's next message waits.
    fn publish_now(&mut self, topic: &Uri<'_>, payload: Payload<'_>, audience: Audience, cx: &mut Cx) {
        if let Some(publication) = cx.engine.begin_publication(topic, payload, audience, &mut cx.turn) {
            cx.publications.push_back((publication, self.peer.token));
            self.pause();
        }
    }

    fn call(&mut self, request: &CallRequest<'_>, cx: &mut Cx) {
        let mut params = Vec::new();
        request.params.write(&mut params);
        let call = Call {
            caller: Some(self.connection()),
            uri: request.procedure.uri().as_str().into(),
            params: params.into(),
        };
        let answer = Answer { id: request.id.as_ref().into(), window: self.peer.window, call: call.clone() };
        let Some((procedure, inline)) = cx.engine.application.procedure(call.uri()) else {
            let error = match request.procedure.address() {
                Some(_) => RpcError::not_found(),
                None => RpcError::new("Incorrectly formatted Topic name")
                    .code(400)
                    .detail("topic_name", call.uri()),
            };
            return self.answer(answer.done(Ok(Err(error))), cx);
        };
        if self.calls.count() >= cx.engine.limits().calls_in_flight.count() {
            let error = RpcError::new("too many calls in flight").code(429);
            return self.answer(answer.done(Ok(Err(error))), cx);
        }
        let number = self.ticket();
        let ticket = Ticket::new(&cx.mailbox, self.peer.token, number);
        let runtime = cx.engine.threads.handle();
        let job = async move {
            let reply = contain(move || procedure.call(call)).await;
            answer.done(reply.map_err(Failed::Panicked))
        };
        match Engine::inline(&mut cx.turn, || {
            ticket.run(&runtime, inline, job, Done::Told(Err(Failed::Dropped)))
        }) {
            Started::Finished(done) => self.answer(done, cx),
            Started::Running(abort) => {
                cx.look_after_threads();
                self.calls.insert(number, abort);
            }
        }
    }

    /// Sends what a procedure answered.
    fn answer(&mut self, done: Done, cx: &mut Cx) {
        if let Done::Replied(frame, message, failed) = done {
            self.reply(frame, message, cx);
            if let Some(failed) = failed {
                self.fail_for(failed, Who::Handler, cx);
            }
        }
    }

    /// Starts application code that everything behind it waits for.
    pub(super) fn start<T: Send + 'static>(
        &mut self,
        job: Job,
        inline: bool,
        code: impl FnOnce() -> BoxFuture<crate::Result<T>> + Send + 'static,
        done: fn(Outcome<T>) -> Done,
        cx: &mut Cx,
    ) {
        let number = self.ticket();
        let ticket = Ticket::new(&cx.mailbox, self.peer.token, number);
        let runtime = cx.engine.threads.handle();
        let code = async move { done(outcome(code).await) };
        let dropped = done(Err(Failed::Dropped));
        match Engine::inline(&mut cx.turn, || ticket.run(&runtime, inline, code, dropped)) {
            Started::Finished(done) => self.on_job_done(job, done, cx),
            Started::Running(abort) => {
                cx.look_after_threads();
                let deadline = cx.now + cx.listener_limit();
                self.lane.run(Running { ticket: number, deadline, abort: Some(abort), job });
                self.schedule(deadline, cx);
            }
        }
    }

    /// Does what waits for its turn, until application code is running or nothing waits.
    pub(super) fn run_lane(&mut self, cx: &mut Cx) {
        while !(self.lane.has_message_next() && self.is_held_up(cx)) {
            let Some(work) = self.lane.next(self.calls.count()) else { break };
            if self.gives_up(&work, cx) {
                continue;
            }
            match work {
                Work::Record(told) => self.record(told, cx),
                Work::Tell { told, listener } => self.tell_listener(told, listener, cx),
                Work::Left(topic) => self.tell_left(&topic, cx),
                Work::Text(text) => self.on_text(&text, cx),
                Work::Binary(bytes) => self.on_binary(&bytes, cx),
                Work::Hangup(frame) => self.on_hangup(frame, cx),
                Work::Farewell => self.say_farewell(cx),
                Work::Ended => {}
            }
        }
    }

    /// Tells the first listener from `at` on that hears of such events.
    fn tell_listener(&mut self, told: Arc<crate::event::Told>, at: usize, cx: &mut Cx) {
        if told.is_stopped() {
            return;
        }
        let Some((index, registration)) = cx.engine.application.listeners.next(told.record.kind(), at) else {
            return;
        };
        let registration = registration.clone();
        let job = Job::Tell { told: Arc::clone(&told), next: index + 1 };
        let inline = registration.options.inline;
        let hear = move || registration.listener.tell(told);
        self.start(job, inline, hear, Done::Told, cx);
    }

    /// Application code that was started for this connection has come to an end.
    pub(crate) fn on_done(&mut self, ticket: u32, done: Done, cx: &mut Cx) {
        if let Some(running) = self.lane.take(ticket) {
            self.on_job_done(running.job, done, cx);
        } else if self.calls.remove(ticket) && self.closing.is_none() {
            self.answer(done, cx);
        }
        self.go_on(cx);
    }

    fn on_job_done(&mut self, job: Job, done: Done, cx: &mut Cx) {
        match (job, done) {
            (Job::Tell { told, next }, Done::Told(Ok(()))) => self.lane.resume(told, next),
            (Job::Record(told), Done::Recorded(kept)) => {
                if let Err(why) = kept {
                    log_unrecorded(&told.record, why);
                }
                match kept {
                    Err(_) if told.record.kind() == EventKind::Connected => self.cannot_record(cx),
                    _ => self.lane.resume(told, 0),
                }
            }
            (Job::Permit(topic), Done::Permitted(Ok(Permit::Granted))) => self.join(&topic, cx),
            (Job::Publish { topic, event, audience }, Done::Published(Ok(forward))) => {
                let event = match forward {
                    Forward::Unchanged => event,
                    Forward::Changed(changed) => changed,
                    Forward::Nothing => return,
                };
                self.publish_now(&topic, event.0.as_payload(), audience, cx);
            }
            (job, Done::Told(Err(failed)) | Done::Permitted(Err(failed)) | Done::Published(Err(failed))) => {
                self.on_job_failed(job, failed, cx);
            }
            _ => {}
        }
    }

    /// Application code failed; what it was for decides what follows.
    pub(super) fn on_job_failed(&mut self, job: Job, failed: Failed, cx: &mut Cx) {
        let Job::Tell { told, next } = job else {
            return self.fail_for(failed, Who::Handler, cx);
        };
        let kind = told.record.kind();
        self.lane.resume(told, next);
        if kind == EventKind::Error {
            // An error event about this would go to the listener that has just failed on one.
            tracing::error!(resource_id = self.peer.id(), ?failed, "a listener failed on an error event");
            return;
        }
        let timed_out = matches!(failed, Failed::TimedOut);
        self.fail_for(failed, Who::Listener, cx);
        if timed_out && kind == EventKind::Connected && cx.closes_on_listener_timeout() {
            self.close(Ending::new(Cause::HandlerFailure, "a connect listener took longer than it may"), cx);
        }
    }
}

/// Says that listeners hear of what the journal does not have.
fn log_unrecorded(record: &Record, why: NotRecorded) {
    match why {
        NotRecorded::Shed => tracing::debug!(event = %record.kind(), "not recorded: {why}"),
        _ => tracing::error!(event = %record.kind(), id = %record.id(), "not recorded: {why}"),
    }
}

/// The handler of a topic.
fn handler(topic: &Uri<'_>, cx: &Cx) -> Option<TopicEntry> {
    cx.engine.application.topic(topic).cloned()
}

/// A topic as its handler sees it.
fn view(topic: &Uri<'_>, cx: &Cx) -> Topic {
    Topic::new(topic.clone().into_owned(), Arc::clone(&cx.engine))
}

/// What it takes to answer a call.
struct Answer {
    id: Box<str>,
    window: Option<WindowBits>,
    call: Call,
}

impl Answer {
    /// Encodes the one answer that the call gets.
    fn done(self, outcome: Outcome<Reply>) -> Done {
        let (reply, failed) = match outcome {
            Ok(reply) => (reply, None),
            Err(failed) => (Err(RpcError::new("the procedure failed").code(500)), Some(failed)),
        };
        let mut message = Vec::new();
        match &reply {
            Ok(result) => {
                CallResult { id: self.id.as_ref().into(), result: result.as_payload() }.encode(&mut message);
            }
            Err(error) => {
                let details = error.to_details(&self.call);
                let uri = error.uri(&self.call).into();
                let description = error.description().into();
                let details = details.as_ref().map(PayloadBuf::as_payload);
                CallError { id: self.id.as_ref().into(), uri, description, details }.encode(&mut message);
            }
        }
        Done::Replied(frame_for(self.window, OpCode::Text, &message), message.len(), failed)
    }
}
