//! An open WebSocket, from its handshake to the last word about its end.
//!
//! A connection is a state machine that its worker drives: no task, no timer and no buffer of its
//! own while nothing happens. What it does when it is driven has a fixed order ([`Conn::pump`]):
//! first the application code that waits, then what can be read.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use clank_core::cause::{Cause, ErrorKind};
use clank_core::event::{Body, Change, Event as Record, EventKind, Failure, Traffic};
use clank_core::wamp1;
use clank_core::wamp2;
use clank_wire::ws;
use clank_wire::ws::deflate::Agreement;
use clank_wire::ws::{Event, OpCode};

use super::admitted::Admitted;
use super::calls::Calls;
use super::closing::{Closing, Ending};
use super::cx::Cx;
use super::deadlines::NEVER;
use super::door::tell_rejection;
use super::entrant::{Accepted, Candidate, Speaks};
use super::form::Form;
use super::incoming::{Incoming, Pongs};
use super::job::{Done, Failed, Ticket, Who};
use super::lane::{Job, Lane, Running, Work};
use super::outbound::{OnOverflow, Push};
use super::peer::{Parts, Peer};
use super::rare::Rare;
use super::sending::Blocked;
use super::slots::Token;
use super::transport::Transport;
use crate::connection::Connection;
use crate::event::Told;

/// Reads of one buffer each before others have their turn.
const READS: usize = 4;
/// Queued frames that one connection may cause in a turn; what it asks for beyond waits until they
/// are written.
const DELIVERIES: usize = 32 * 1024;
/// Bytes of answers to one connection in a turn, likewise.
const ANSWERS: usize = 256 * 1024;
/// Bytes of messages that wait for application code before reading stops.
const INBOX_BYTES: usize = 256 * 1024;
/// The server as WELCOME names it.
pub(super) const IDENT: &str = concat!("Clank/", env!("CARGO_PKG_VERSION"));

/// What the connection speaks above WebSocket.
pub(super) enum Protocol {
    Wamp1(wamp1::Session),
    Wamp2(wamp2::Session),
    /// No subprotocol: messages go to the raw handler.
    Raw,
}

/// An open WebSocket.
pub(crate) struct Conn {
    pub(super) peer: Arc<Peer>,
    pub(crate) transport: Transport,
    incoming: Incoming,
    pub(super) protocol: Protocol,
    pub(super) lane: Lane,
    pub(super) calls: Calls,
    /// It has called what another client offers.
    pub(super) deals: bool,
    /// What few others have.
    pub(super) rare: Rare,
    pub(super) received: Traffic,
    deflate: Option<Agreement>,
    /// Its place; `None` once another session has taken it over.
    place: Option<Admitted>,
    pub(super) opened: u64,
    /// When the client was last heard.
    pub(super) heard: u64,
    /// When it was sent the ping that it has not answered by anything yet; else `NEVER`.
    pub(super) pinged: u64,
    /// Its socket takes nothing.
    pub(super) blocked: Option<Box<Blocked>>,
    /// When a draining server closes it, or `NEVER`.
    pub(super) drain_at: u64,
    /// The next entry in the wheel that counts.
    pub(super) check_at: u64,
    sequence: u64,
    /// The journal has its `connected`, or is being given it, and is to have what follows.
    recorded: bool,
    /// The journal has refused its `connected`: nobody hears of it.
    unheard: bool,
    tickets: u32,
    /// Bytes of the client's messages that are counted in [`Bounds`](super::outbound::Bounds).
    holds: usize,
    /// There may be something to read.
    pub(crate) readable: bool,
    /// The client has ended its direction: what there is to read is read to the end.
    pub(crate) ended: bool,
    /// How many of its publications are still being flushed: it is not read until all are written.
    pub(super) paused: u32,
    /// Bytes of answers queued since it was last driven.
    pub(super) answered: usize,
    /// It is in the worker's queue of those that have something left to do.
    queued: bool,
    pub(super) closing: Option<Box<Closing>>,
}

impl Conn {
    /// Opens the connection: WELCOME is queued behind `response`, and listeners are told.
    pub(crate) fn open(
        accepted: Accepted,
        token: Token,
        transport: Transport,
        response: Option<Bytes>,
        cx: &mut Cx,
    ) -> Self {
        let connected = accepted.connected(&cx.engine);
        let Accepted { session_id, facts, time: _, recorded, speaks, realm, features, deflate, place } =
            accepted;
        let window = deflate.map(|agreement| agreement.server_window_bits());
        let socket = transport.socket().cloned();
        let form = speaks.form();
        let parts =
            Parts { facts, session_id, worker: cx.worker, token, window, form, realm, features, socket };
        let peer = Peer::new(&cx.engine, parts);
        let incoming = Incoming::new(form, cx.engine.limits().message.bytes(), deflate.is_some());
        let settings = &cx.engine.settings;
        let protocol = match speaks {
            Speaks::Wamp1 => Protocol::Wamp1(wamp1::Session::new(session_id, Arc::clone(&settings.wamp1))),
            Speaks::Wamp2(framed) => {
                Protocol::Wamp2(wamp2::Session::new(framed.codec(), settings.wamp2.options))
            }
            Speaks::Raw => Protocol::Raw,
        };
        let mut conn = Self {
            peer,
            transport,
            incoming,
            protocol,
            deflate,
            lane: Lane::default(),
            calls: Calls::default(),
            deals: false,
            rare: Rare::default(),
            received: Traffic::default(),
            place: Some(place),
            opened: cx.now,
            heard: cx.now,
            pinged: NEVER,
            blocked: None,
            drain_at: NEVER,
            check_at: NEVER,
            sequence: 1,
            recorded,
            unheard: false,
            tickets: 0,
            holds: 0,
            readable: true,
            ended: false,
            paused: 0,
            answered: 0,
            queued: false,
            closing: None,
        };
        conn.greet(response, connected, cx);
        conn
    }

    fn greet(&mut self, response: Option<Bytes>, connected: Record, cx: &mut Cx) {
        if let Some(response) = response {
            self.push_control(response, cx);
        }
        let welcome = match &self.protocol {
            Protocol::Wamp1(session) => {
                let welcome = ws::build_frame(OpCode::Text, 64, |out| session.welcome(IDENT, out));
                let message = ws::payload(&welcome).len();
                Some((welcome, message))
            }
            Protocol::Wamp2(_) => Some(self.welcome()),
            Protocol::Raw => None,
        };
        let is_welcomed = welcome.is_none_or(|(welcome, message)| {
            let push = self.peer.push(welcome, message, OnOverflow::Disconnect);
            cx.turn.note(&self.peer, push);
            push != Push::TooLong
        });
        cx.engine.register(&self.peer, &mut cx.turn);
        self.schedule(cx.now + cx.keepalive_interval(), cx);
        let told = Told::new(connected, Some(self.connection()));
        if !self.recorded && cx.engine.journal.is_some() {
            self.recorded = true;
            self.lane.record(told);
        } else if cx.engine.is_heard(EventKind::Connected) {
            self.lane.tell(told);
        }
        if !is_welcomed {
            self.cannot_welcome(cx);
        }
        if cx.engine.is_draining() {
            // It was let in before, and the order to close all has passed it by.
            self.drain_at(cx.now, cx);
        }
    }

    pub(crate) fn connection(&self) -> Connection {
        Connection(Arc::clone(&self.peer))
    }

    /// Does all that can be done now, within the budget of one turn.
    pub(crate) fn pump(&mut self, cx: &mut Cx) {
        self.answered = 0;
        self.run_lane(cx);
        for _ in 0..READS {
            if !self.may_read(cx) {
                break;
            }
            self.read(cx);
            self.run_lane(cx);
        }
        self.settle(cx);
    }

    /// Goes on with the application code that waits. It reads nothing: however often it is called
    /// in a turn, the client's share of the turn stays what it is.
    pub(super) fn go_on(&mut self, cx: &mut Cx) {
        self.run_lane(cx);
        self.settle(cx);
    }

    /// Counts what is held, and queues for another turn if there is something left to do.
    fn settle(&mut self, cx: &mut Cx) {
        self.weigh(cx);
        if self.wants_read(cx) || (self.paused == 0 && self.lane.has_message_next()) {
            self.queue(cx);
        }
    }

    /// Takes its turn in the queue of those that have something left to do.
    pub(crate) fn take_turn(&mut self, cx: &mut Cx) {
        self.queued = false;
        self.pump(cx);
    }

    /// Queues it for another turn.
    pub(super) fn queue(&mut self, cx: &mut Cx) {
        if !std::mem::replace(&mut self.queued, true) {
            cx.ready.push_back(self.peer.token);
        }
    }

    /// Whether its messages have to wait: what they caused in this turn has to be written first.
    pub(super) fn is_held_up(&self, cx: &Cx) -> bool {
        self.paused > 0 || cx.turn.deliveries() >= DELIVERIES || self.answered >= ANSWERS
    }

    /// There is something to read; if `ended`, to the end.
    pub(crate) fn on_readable(&mut self, ended: bool) {
        self.readable = true;
        self.ended |= ended;
    }

    /// Counts what is held of the client's messages against what the server may hold for all.
    fn weigh(&mut self, cx: &mut Cx) {
        let holds = self.incoming.buffered() + self.lane.bytes() + self.rare.bytes();
        if holds == self.holds {
            return;
        }
        let grows = holds > self.holds;
        let fits = cx.engine.bounds.exchange(std::mem::replace(&mut self.holds, holds), holds);
        if grows && !fits {
            self.close(Ending::new(Cause::Overloaded, "the server holds too many unfinished messages"), cx);
        }
    }

    /// Takes what waits in the socket or transport.
    fn read(&mut self, cx: &mut Cx) {
        let mut buffer = std::mem::take(&mut cx.buffer);
        match self.transport.read(&mut buffer) {
            Ok(0) => {
                self.readable = false;
                self.on_end(cx);
            }
            Ok(read) => {
                self.heard = cx.now;
                self.pinged = NEVER;
                // The system tells again of what comes to a socket that was emptied, but not of
                // its end.
                let emptied = read < buffer.len() && self.transport.socket().is_some();
                self.readable = self.ended || !emptied;
                // A transport never says it read more than the buffer holds.
                self.take(buffer.get_mut(..read).unwrap_or_default(), cx);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.readable = false,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                self.readable = false;
                self.lost(&error.to_string(), cx);
            }
        }
        cx.buffer = buffer;
    }

    /// Takes bytes that the client sent.
    pub(crate) fn take(&mut self, bytes: &mut [u8], cx: &mut Cx) {
        let mut scratch = std::mem::take(&mut cx.scratch);
        let mut pongs = Pongs::default();
        let (mut at, length) = (0, bytes.len());
        while at < bytes.len() {
            if self.keeps_rest(bytes.get(at..).unwrap_or_default()) {
                break;
            }
            match self.incoming.decode(bytes.get_mut(at..).unwrap_or_default(), &mut scratch) {
                Ok((used, event)) => {
                    at += used;
                    match event {
                        Some(Event::Ping(payload)) => pongs.answer(self.peer.form, payload),
                        Some(event) => {
                            // Pings before a message are answered before it is.
                            self.send_pongs(&mut pongs, cx);
                            cx.more = at < length;
                            self.on_event(event, cx);
                        }
                        None => {}
                    }
                }
                Err(error) => {
                    self.send_pongs(&mut pongs, cx);
                    self.close(Ending::new(error.into(), &error.to_string()), cx);
                    break;
                }
            }
        }
        cx.more = false;
        self.release(cx);
        self.send_pongs(&mut pongs, cx);
        cx.scratch = scratch;
    }

    fn send_pongs(&mut self, pongs: &mut Pongs, cx: &mut Cx) {
        if let Some(pongs) = pongs.take() {
            self.push_control(pongs, cx);
        }
    }

    fn on_event(&mut self, event: Event<'_>, cx: &mut Cx) {
        if self.closing.is_some() {
            if let Event::Close(_) = event {
                self.on_close_answered();
            }
            return;
        }
        match event {
            Event::Text(text) => {
                self.count(text.len());
                if self.lane.is_busy() || self.is_held_up(cx) {
                    self.lane.push(Work::Text(text.into()));
                } else {
                    self.on_text(text, cx);
                }
            }
            Event::Binary(bytes) => {
                self.count(bytes.len());
                if self.lane.is_busy() || self.is_held_up(cx) {
                    self.lane.push(Work::Binary(bytes.into()));
                } else {
                    self.on_binary(bytes, cx);
                }
            }
            Event::Close(frame) => {
                let frame = frame.map(|(code, reason)| (code, reason.into()));
                self.lane.push(Work::Hangup(frame));
            }
            Event::Ping(_) | Event::Pong(_) => {}
        }
    }

    fn count(&mut self, bytes: usize) {
        self.received.messages += 1;
        self.received.bytes += bytes as u64;
    }

    /// Whether it may be read in this turn.
    fn may_read(&self, cx: &Cx) -> bool {
        self.wants_read(cx) && !self.is_held_up(cx)
    }

    /// Whether there may be something to read, and room for it.
    pub(super) fn wants_read(&self, cx: &Cx) -> bool {
        self.readable
            && self.paused == 0
            && !self.is_shut()
            && !self.joins_again()
            && !self.lane.is_full(cx.engine.limits().inbox.count())
            && self.lane.bytes() < INBOX_BYTES
            && !self.peer.is_blocked()
    }

    /// Tells listeners of a change, in its order.
    pub(super) fn tell(&mut self, change: Change, cx: &mut Cx) {
        self.sequence += 1;
        let kept = self.recorded && cx.engine.keeps(change.kind());
        if self.unheard || (!kept && !cx.engine.is_heard(change.kind())) {
            return;
        }
        let connection = Arc::clone(&self.peer.facts);
        let body = Body::Client { connection, sequence: self.sequence, change };
        let told = cx.engine.told(body, Some(self.connection()));
        match kept {
            true => self.lane.record(told),
            false => self.lane.tell(told),
        }
    }

    /// Hands a record to the journal; listeners hear of it when it is kept, or will not be.
    pub(super) fn record(&mut self, told: Arc<Told>, cx: &mut Cx) {
        let Some(journal) = &cx.engine.journal else { return };
        let number = self.ticket();
        let ticket = Ticket::new(&cx.mailbox, self.peer.token, number);
        let record = told.record.clone();
        self.lane.run(Running { ticket: number, deadline: u64::MAX, abort: None, job: Job::Record(told) });
        journal.append(record, Box::new(move |kept| ticket.tell(Done::Recorded(kept))));
    }

    /// The journal does not take a connection that has been welcomed already.
    pub(super) fn cannot_record(&mut self, cx: &mut Cx) {
        let why = (Cause::JournalUnavailable, "the connection can't be recorded");
        (self.recorded, self.unheard) = (false, true);
        let facts = &self.peer.facts;
        tell_rejection(&cx.engine, Some(facts.connection_id), why, None, || facts.request.clone());
        self.close(Ending::new(why.0, why.1), cx);
    }

    /// Tells listeners of an error that the connection survives. Once its end has been told it is
    /// logged: nothing comes after `disconnected`.
    pub(super) fn fail(&mut self, kind: ErrorKind, message: &str, cx: &mut Cx) {
        if self.has_said_farewell() {
            let resource_id = self.connection().resource_id();
            return tracing::error!(resource_id, %kind, message, "an error after the end of a connection");
        }
        let survived = self.closing.is_none();
        tracing::debug!(resource_id = self.connection().resource_id(), %kind, message, "client error");
        self.tell(Change::Error(Box::new(Failure { kind, message: message.into(), survived })), cx);
    }

    /// The application says that something went wrong.
    pub(crate) fn on_report(&mut self, message: &str, cx: &mut Cx) {
        self.fail(ErrorKind::HandlerFailed, message, cx);
        self.go_on(cx);
    }

    /// Tells listeners of application code that failed.
    pub(super) fn fail_for(&mut self, failed: Failed, who: Who, cx: &mut Cx) {
        if let Some((kind, message)) = failed.describe(who) {
            self.fail(kind, &message, cx);
        }
    }

    /// What goes on with the socket once its session is over and told of: the candidate for the next
    /// session, and what came behind the last one's GOODBYE.
    pub(crate) fn leave(mut self) -> Option<(Candidate, Transport, Vec<u8>)> {
        let Form::Wamp2(framed) = self.peer.form else { return None };
        let place = self.place.take()?;
        let candidate = Candidate::again(framed, &self.peer.facts, self.deflate, place);
        let early = self.closing.as_mut().map(|closing| closing.take_rest()).unwrap_or_default();
        self.peer.release();
        Some((candidate, std::mem::replace(&mut self.transport, Transport::Gone), early))
    }

    /// The number of the next job.
    pub(super) fn ticket(&mut self) -> u32 {
        self.tickets = self.tickets.wrapping_add(1);
        self.tickets
    }

    pub(crate) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }
}

impl Drop for Conn {
    /// Leaves nothing behind, also where the server ends without closing its connections.
    fn drop(&mut self) {
        self.peer.realm.hub.leave(&self.peer);
        self.peer.realm.dealer.leave(&self.peer);
        self.peer.engine.deregister(&self.peer);
        self.peer.shut();
        self.peer.engine.bounds.exchange(self.holds, 0);
    }
}
