//! What a client asks for, and what becomes of it.

use std::sync::Arc;

use clank_core::cause::{Cause, ErrorKind};
use clank_core::event::{Change, Event as Record, EventKind};
use clank_core::journal::NotRecorded;
use clank_core::subscription::Audience;
use clank_core::topic::Uri;
use clank_core::wamp1::{Action, Request, Violation};
use clank_core::wamp2::authorize::Action as Authorized;
use clank_wire::payload::Payload;
use clank_wire::wamp2::{MessageType, reason};

use super::calls::Over;
use super::closing::Ending;
use super::conn::{Conn, Protocol};
use super::cx::Cx;
use super::engine::Engine;
use super::hub::{Member, NotSubscribed, OWN};
use super::job::{Done, Failed, Outcome, Started, Ticket, Who, outcome, panic_message};
use super::lane::{Job, Running, Work};
use super::turn::Encoded;
use super::wamp2::{Asked, Publishing, errors};
use crate::config::TopicEntry;
use crate::hooks::BoxFuture;
use crate::raw::Message;
use crate::topic::{Event, Forward, Permit, Publication, Topic};

impl Conn {
    /// A text message, when it is its turn.
    pub(super) fn on_text(&mut self, text: &str, cx: &mut Cx) {
        let request = match &mut self.protocol {
            Protocol::Wamp1(session) => session.receive(text),
            Protocol::Wamp2(_) => {
                let left = self.on_wamp2(text.as_bytes(), true, cx);
                // Batches are cut behind a separator.
                if let Some(rest) = text.get(text.len() - left..).filter(|rest| !rest.is_empty()) {
                    self.lane.put_back(Work::Text(rest.into()));
                }
                return;
            }
            Protocol::Raw => return self.on_raw(Message::Text(text), cx),
        };
        if !matches!(request, Ok(Request::Publish { .. })) {
            self.release(cx);
        }
        match request {
            Ok(Request::Prefix) => {}
            // WAMP v1 has no answer for who may not.
            Ok(Request::Subscribe { topic }) if !self.may(Authorized::Subscribe, &topic, cx) => {}
            // What is WAMP's own is said by the server alone.
            Ok(Request::Publish { topic, .. })
                if topic.as_str().starts_with(OWN) || !self.may(Authorized::Publish, &topic, cx) => {}
            Ok(Request::Subscribe { topic }) => self.subscribe(topic, None, cx),
            Ok(Request::Unsubscribe { topic }) => self.unsubscribe(&topic, cx),
            Ok(Request::Publish { topic, payload, recipients }) => {
                let engine = Arc::clone(&cx.engine);
                let audience = recipients.resolve(self.peer.id(), |session| engine.connection_of(session));
                let keep = self.peer.realm.keeping.wants(topic.as_str(), recipients.names_sessions());
                self.publish(topic, payload, (audience, Publishing { keep, ..Publishing::default() }), cx);
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
            Protocol::Wamp2(_) => {
                let left = self.on_wamp2(bytes, false, cx);
                if let Some(rest) = bytes.get(bytes.len() - left..).filter(|rest| !rest.is_empty()) {
                    self.lane.put_back(Work::Binary(rest.into()));
                }
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

    /// `asked` is what a client of WAMP v2 is answered.
    pub(super) fn subscribe(&mut self, topic: Uri<'_>, asked: Option<Asked>, cx: &mut Cx) {
        match handler(&topic, cx) {
            Some(entry) if entry.hooks.may_subscribe => {
                let topic = topic.into_owned();
                let (connection, view) = (self.connection(), self.view(&topic, cx));
                let ask = move || entry.handler.may_subscribe(connection, view);
                self.start(Job::Permit { topic, asked }, entry.inline, ask, Done::Permitted, cx);
            }
            _ => self.join(&topic, asked, cx),
        }
    }

    fn join(&mut self, topic: &Uri<'_>, asked: Option<Asked>, cx: &mut Cx) {
        match self.join_as(topic, asked, cx) {
            Ok(true) => {}
            Ok(false) | Err(NotSubscribed::Closing) => return,
            Err(error) => {
                if let Some(Asked { request, .. }) = asked {
                    let message = error.to_string();
                    self.send_error(MessageType::Subscribe, request, errors::LIMIT_EXCEEDED, &message, cx);
                }
                return self.fail(
                    ErrorKind::LimitExceeded,
                    &format!("not subscribed to {topic}: {error}"),
                    cx,
                );
            }
        }
        self.tell(Change::Subscribed(topic.as_str().into()), cx);
        if let Some(entry) = handler(topic, cx).filter(|entry| entry.hooks.subscribe) {
            let (connection, view) = (self.connection(), self.view(topic, cx));
            let hear = move || entry.handler.subscribe(connection, view);
            self.start(Job::Hear, entry.inline, hear, Done::Told, cx);
        }
    }

    fn unsubscribe(&mut self, topic: &Uri<'_>, cx: &mut Cx) {
        if self.peer.realm.unsubscribe(topic.as_str(), &self.peer, &mut cx.turn) {
            self.has_left_topic(topic, cx);
        }
    }

    /// The client has unsubscribed.
    pub(super) fn has_left_topic(&mut self, topic: &Uri<'_>, cx: &mut Cx) {
        self.tell(Change::Unsubscribed(topic.as_str().into()), cx);
        self.tell_left(topic, cx);
    }

    /// Tells the topic's handler now that the connection is no longer subscribed.
    fn tell_left(&mut self, topic: &Uri<'_>, cx: &mut Cx) {
        if let Some(entry) = handler(topic, cx).filter(|entry| entry.hooks.unsubscribe) {
            let (connection, view) = (self.connection(), self.view(topic, cx));
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

    pub(super) fn publish(
        &mut self,
        topic: Uri<'_>,
        payload: Payload<'_>,
        (audience, publishing): (Audience, Publishing),
        cx: &mut Cx,
    ) {
        match handler(&topic, cx) {
            Some(entry) if entry.sees(&topic) => {
                self.release(cx);
                let (topic, event) = (topic.into_owned(), Event(payload.to_buf()));
                let publication =
                    Publication { event: event.clone(), audience: crate::topic::Audience(audience.clone()) };
                let (connection, view) = (self.connection(), self.view(&topic, cx));
                let see = move || entry.handler.publish(connection, view, publication);
                let job = Job::Publish { topic, event, audience, publishing };
                self.start(job, entry.inline, see, Done::Published, cx);
            }
            _ => {
                self.publish_now(&topic, payload, (audience, publishing), cx);
            }
        }
    }

    /// Whether a handler sees what is published to the topic.
    pub(super) fn is_seen(&self, topic: &Uri<'_>, cx: &Cx) -> bool {
        handler(topic, cx).is_some_and(|entry| entry.sees(topic))
    }

    /// Publishes what no handler has to see any more.
    fn publish_now(
        &mut self,
        topic: &Uri<'_>,
        payload: Payload<'_>,
        (audience, publishing): (Audience, Publishing),
        cx: &mut Cx,
    ) {
        if publishing.is_plain() {
            return self.publish_plain(topic, payload, audience, cx);
        }
        self.release(cx);
        let Publishing { acknowledge, mut said, keep } = publishing;
        let publication = said.publication;
        if let Some(keep) = keep {
            self.peer.realm.keeping.keep(*keep, topic, payload, &mut said, cx.engine.limits());
        }
        self.hand_out(Encoded::new(topic, payload, said, cx.engine.on_overflow()), audience, cx);
        self.acknowledge(acknowledge, publication, cx);
    }

    /// A topic as its handler sees it.
    fn view(&self, topic: &Uri<'_>, cx: &Cx) -> Topic {
        Topic::new(topic.clone().into_owned(), Arc::clone(&cx.engine), Arc::clone(&self.peer.realm))
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
        let code = async move { done(outcome(code).await) };
        let dropped = done(Err(Failed::Dropped));
        match Engine::inline(&mut cx.turn, || {
            ticket.run(|| cx.engine.threads.handle(), inline, code, dropped)
        }) {
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
                Work::Testament(testament) => self.publish_testament(&testament, cx),
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
        } else {
            match self.calls.remove(ticket) {
                Over::Awaited if self.closing.is_none() => self.answer(done, cx),
                Over::Answered if self.closing.is_none() => self.answer_nobody(done, cx),
                _ => {}
            }
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
            (Job::Permit { topic, asked }, Done::Permitted(Ok(Permit::Granted))) => {
                self.join(&topic, asked, cx);
            }
            (Job::Permit { topic, asked: Some(Asked { request, .. }) }, Done::Permitted(Ok(_))) => {
                let why = format!("not allowed to subscribe to {topic}");
                self.send_error(MessageType::Subscribe, request, reason::NOT_AUTHORIZED, &why, cx);
            }
            (Job::Publish { topic, event, audience, publishing }, Done::Published(Ok(forward))) => {
                let event = match forward {
                    Forward::Unchanged => event,
                    Forward::Changed(changed) => changed,
                    Forward::Nothing => {
                        return self.acknowledge(publishing.acknowledge, publishing.said.publication, cx);
                    }
                };
                self.publish_now(&topic, event.0.as_payload(), (audience, publishing), cx);
            }
            (job, Done::Told(Err(failed)) | Done::Permitted(Err(failed)) | Done::Published(Err(failed))) => {
                self.on_job_failed(job, failed, cx);
            }
            _ => {}
        }
    }

    /// Application code failed; what it was for decides what follows.
    pub(super) fn on_job_failed(&mut self, job: Job, failed: Failed, cx: &mut Cx) {
        let request = match job {
            Job::Permit { asked, .. } => asked.map(|asked| (MessageType::Subscribe, asked.request)),
            Job::Publish { ref publishing, .. } => {
                publishing.acknowledge.map(|request| (MessageType::Publish, request))
            }
            _ => None,
        };
        if let Some((request_type, request)) = request.filter(|_| self.closing.is_none()) {
            let uri = errors::HANDLER_FAILED;
            self.send_error(request_type, request, uri, "the application failed to decide", cx);
        }
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
