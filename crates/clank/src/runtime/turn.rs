//! What one stretch of work leaves behind to be flushed.

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use clank_core::subscription::Deliver;
use clank_core::topic::Uri;
use clank_wire::payload::{Payload, PayloadBuf};
use clank_wire::wamp2::{Id, Passthru};
use clank_wire::ws::deflate::{Deflater, WindowBits};
use clank_wire::ws::{self, OpCode};
use clank_wire::{wamp1, wamp2};
use thin_vec::ThinVec;

use super::engine::random;
use super::form::{FORMS, Form, Framed};
use super::hub::Outlet;
use super::outbound::{Messages, OnOverflow, Push};
use super::peer::Peer;

/// The flushes that were claimed, and the connections that ran full.
///
/// Whoever pushes to a queue ends by giving its turn to a worker: nothing is written otherwise. It is
/// moved with every call that runs inline, and so what is rarely in it takes a word.
#[derive(Default)]
pub(crate) struct Turn {
    pub dirty: Vec<Arc<Peer>>,
    pub overflowed: ThinVec<Arc<Peer>>,
    /// Connections whose clients take no message of the length that was to be sent.
    pub too_long: ThinVec<Arc<Peer>>,
    /// How much was queued behind flushes that were owed already.
    pub behind: usize,
}

impl Turn {
    /// Notes what came of a push to `peer`.
    pub(crate) fn note(&mut self, peer: &Arc<Peer>, push: Push) {
        match push {
            Push::Claimed => self.dirty.push(Arc::clone(peer)),
            Push::Queued => self.behind += 1,
            Push::Overflow => self.overflowed.push(Arc::clone(peer)),
            Push::TooLong => self.too_long.push(Arc::clone(peer)),
            Push::Dropped | Push::Closed => {}
        }
    }

    /// How many frames were queued.
    pub(crate) fn deliveries(&self) -> usize {
        self.dirty.len() + self.behind
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.dirty.is_empty() && self.overflowed.is_empty() && self.too_long.is_empty()
    }

    /// Takes what `other` holds on top.
    pub(crate) fn append(&mut self, other: &mut Self) {
        self.behind += other.behind;
        if other.is_empty() {
            return;
        }
        self.dirty.append(&mut other.dirty);
        self.overflowed.append(&mut other.overflowed);
        self.too_long.append(&mut other.too_long);
    }
}

/// One event on its way to a topic's subscribers, or several that go together: for each form in which
/// there is a receiver each is encoded once, and compressed at most once for each size of window,
/// whatever their number.
pub(crate) struct Encoded<'a> {
    topic: Uri<'a>,
    payload: Source<'a>,
    said: Said,
    /// The events behind the first, of which nothing more is said; each with its number, if it has one
    /// already.
    more: Vec<(PayloadBuf, Option<Id>)>,
    /// The subscription whose members are being served.
    subscription: u64,
    /// It is one to a pattern: its members are told the topic.
    to_pattern: bool,
    wamp1: Option<Frames>,
    wamp2: [Option<Box<Frames>>; FORMS],
    on_overflow: OnOverflow,
}

/// What WAMP v2 says of an event beside topic and payload.
#[derive(Clone, Default)]
pub(crate) struct Said {
    /// The event's number, if it has one already.
    pub publication: Option<Id>,
    /// Who published it, if that is disclosed.
    pub publisher: Option<Arc<Peer>>,
    /// How the payload is packed.
    pub passthru: Option<Box<Passthru<'static>>>,
}

impl Said {
    /// Whether it is nothing.
    pub(super) fn is_plain(&self) -> bool {
        self.publication.is_none() && self.publisher.is_none() && self.passthru.is_none()
    }
}

enum Source<'a> {
    Borrowed(Payload<'a>),
    Owned(PayloadBuf),
}

/// Events in one form.
struct Frames {
    first: Frame,
    more: Vec<Frame>,
    /// All of them in one piece, if they are several.
    joined: Option<Messages>,
}

/// An event in one form.
struct Frame {
    plain: Bytes,
    /// Bytes of the message that the frame carries.
    message: usize,
    opcode: OpCode,
    compressed: [Option<Bytes>; WINDOWS],
}

/// An event being handed to receivers, and what that leaves to be flushed.
pub(crate) struct Fanout<'a, 'e> {
    pub event: &'a mut Encoded<'e>,
    pub turn: &'a mut Turn,
}

/// Window sizes of permessage-deflate: 9 to 15 bits.
const WINDOWS: usize = 7;

impl<'a> Encoded<'a> {
    pub(crate) fn new(topic: &'a Uri<'_>, payload: Payload<'a>, said: Said, on_overflow: OnOverflow) -> Self {
        Self {
            topic: topic.as_borrowed(),
            payload: Source::Borrowed(payload),
            said,
            more: Vec::new(),
            subscription: 0,
            to_pattern: false,
            wamp1: None,
            wamp2: Default::default(),
            on_overflow,
        }
    }

    /// The same, to be held after its message has gone.
    pub(crate) fn into_owned(self) -> Encoded<'static> {
        let payload = match self.payload {
            Source::Borrowed(payload) => payload.to_buf(),
            Source::Owned(payload) => payload,
        };
        Encoded { topic: self.topic.into_owned(), payload: Source::Owned(payload), ..self }
    }

    /// Has another event go with it, of which nothing more is said.
    pub(super) fn add(&mut self, payload: Payload<'_>) {
        self.more.push((payload.to_buf(), None));
    }

    /// How many events go together.
    pub(super) fn count(&self) -> usize {
        1 + self.more.len()
    }

    pub(super) fn topic(&self) -> &Uri<'a> {
        &self.topic
    }

    /// The events in the form that a member gets.
    fn frames(&mut self, form: Form) -> &mut Frames {
        let payload = match &self.payload {
            Source::Borrowed(payload) => *payload,
            Source::Owned(payload) => payload.as_payload(),
        };
        let (said, more, topic) = (&mut self.said, &mut self.more, self.topic.as_str());
        match form {
            Form::Wamp1 => self.wamp1.get_or_insert_with(|| {
                let more = more.iter().map(|(payload, _)| wamp1(topic, payload.as_payload())).collect();
                Frames::new(wamp1(topic, payload), more)
            }),
            Form::Wamp2(framed) => {
                let to = (self.subscription, self.to_pattern.then_some(topic));
                // Every form has its place.
                self.wamp2[framed.place()].get_or_insert_with(|| {
                    let first = wamp2(framed, to, said, payload);
                    let another = |(payload, publication): &mut (PayloadBuf, Option<Id>)| {
                        let mut said = Said { publication: *publication, ..Said::default() };
                        let frame = wamp2(framed, to, &mut said, payload.as_payload());
                        *publication = said.publication;
                        frame
                    };
                    Frames::new(first, more.iter_mut().map(another).collect()).into()
                })
            }
        }
    }
}

fn wamp1(topic: &str, payload: Payload<'_>) -> Frame {
    let hint = topic.len() + payload.value_len() + 8;
    let event = wamp1::Event { topic: topic.into(), payload };
    let plain = ws::build_frame(OpCode::Text, hint, |out| event.encode(out));
    let message = ws::payload(&plain).len();
    Frame::new(OpCode::Text, (plain, message))
}

fn wamp2(
    framed: Framed,
    (subscription, topic): (u64, Option<&str>),
    said: &mut Said,
    payload: Payload<'_>,
) -> Frame {
    let details = wamp2::EventDetails { topic: topic.map(Into::into), ..said.details() };
    let subscription = Id::new(subscription).unwrap_or(Id::MIN);
    let publication = said.publication.unwrap_or_else(new_publication);
    let event = wamp2::Event { subscription, publication, details, payload };
    let hint = payload.value_len() + 64;
    let built = framed.build(hint, |serializer, out| event.encode(serializer, out));
    said.publication = Some(publication);
    Frame::new(framed.opcode(), built)
}

/// The number of an event, which is drawn at random.
pub(crate) fn new_publication() -> Id {
    Id::from_random(u64::from_le_bytes(random()))
}

impl Said {
    fn details(&self) -> wamp2::EventDetails<'_> {
        let publisher = self.publisher.as_deref();
        let session = publisher.and_then(|peer| peer.facts.session.as_deref());
        wamp2::EventDetails {
            publisher: publisher.and_then(|peer| Id::new(peer.session_id.value())),
            publisher_authid: session.map(|session| (&*session.authid).into()),
            publisher_authrole: session.map(|session| (&*session.authrole).into()),
            passthru: self.passthru.as_deref().cloned().unwrap_or_default(),
            ..wamp2::EventDetails::default()
        }
    }
}

impl Frames {
    fn new(first: Frame, more: Vec<Frame>) -> Self {
        let all = || std::iter::once(&first).chain(&more);
        let joined = (!more.is_empty()).then(|| Messages {
            count: all().count() as u64,
            bytes: all().map(|frame| frame.message).sum(),
            longest: all().map(|frame| frame.message).max().unwrap_or_default(),
            frames: all().map(|frame| &*frame.plain).collect::<Vec<_>>().concat().into(),
        });
        Self { first, more, joined }
    }
}

impl Frame {
    fn new(opcode: OpCode, (plain, message): (Bytes, usize)) -> Self {
        Self { plain, message, opcode, compressed: Default::default() }
    }

    fn frame(&mut self, window: Option<WindowBits>) -> Bytes {
        let Some(window) = window else { return self.plain.clone() };
        let index = usize::from(window.as_u8()).saturating_sub(9).min(WINDOWS - 1);
        let (plain, opcode) = (&self.plain, self.opcode);
        // `index` is below `WINDOWS`.
        self.compressed[index].get_or_insert_with(|| compress(opcode, window, ws::payload(plain))).clone()
    }
}

impl Deliver<Arc<Peer>> for Fanout<'_, '_> {
    fn deliver(&mut self, _: u64, member: &Arc<Peer>) {
        let on_overflow = self.event.on_overflow;
        let frames = self.event.frames(member.form);
        if let (Some(joined), None) = (&frames.joined, member.window)
            && let Some(push) = member.push_all(joined)
        {
            return self.turn.note(member, push);
        }
        for frame in std::iter::once(&mut frames.first).chain(&mut frames.more) {
            let push = member.push(frame.frame(member.window), frame.message, on_overflow);
            self.turn.note(member, push);
        }
    }
}

impl Outlet<Peer> for Fanout<'_, '_> {
    fn begin(&mut self, subscription: u64, to_pattern: bool) {
        let event = &mut *self.event;
        if event.subscription != subscription {
            // Each subscription has frames of its own.
            event.wamp2 = Default::default();
            (event.subscription, event.to_pattern) = (subscription, to_pattern);
        }
    }
}

/// A frame as `window` has it.
pub(crate) fn compress(opcode: OpCode, window: WindowBits, payload: &[u8]) -> Bytes {
    thread_local! {
        // A compressor is large: one for each thread, not for each connection.
        static DEFLATER: RefCell<Deflater> = RefCell::new(Deflater::default());
    }
    DEFLATER.with_borrow_mut(|deflater| deflater.frame(opcode, window, payload))
}

/// A message as one connection gets it.
pub(crate) fn frame_for(window: Option<WindowBits>, opcode: OpCode, payload: &[u8]) -> Bytes {
    match window {
        Some(window) => compress(opcode, window, payload),
        None => ws::frame(opcode, payload),
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use clank_core::limits::{Limits, Size, SlowConsumer};
    use clank_wire::payload::PayloadBuf;
    use clank_wire::rawsocket::{MaxLength, Request as Agreed};
    use clank_wire::serializer::Serializer;
    use clank_wire::wamp2::Codec;
    use clank_wire::ws::deflate::Inflater;

    use super::*;
    use crate::runtime::fixtures::{self, Frame, only_frame};

    /// Long enough to be worth compressing.
    fn value() -> String {
        "what everybody hears ".repeat(20)
    }

    fn event() -> String {
        format!(r#"[8,"acme/a","{}"]"#, value())
    }

    fn topic() -> Uri<'static> {
        Uri::parse("acme/a".to_owned(), 100).unwrap()
    }

    /// Sends one event to peers with these windows; returns the frame that each has got.
    fn fan_out(windows: &[Option<u8>]) -> Vec<Frame> {
        let engine = fixtures::engine(Limits::DEFAULT);
        let window = |bits: &Option<u8>| bits.and_then(WindowBits::new);
        let peers: Vec<_> =
            (1..).zip(windows).map(|(id, bits)| fixtures::peer(&engine, id, window(bits))).collect();
        let mut turn = Turn::default();
        let payload = PayloadBuf::from_serialize(&value()).unwrap();
        let topic = topic();
        let mut encoded = Encoded::new(&topic, payload.as_payload(), Said::default(), OnOverflow::Disconnect);
        let mut fanout = Fanout { event: &mut encoded, turn: &mut turn };
        peers.iter().for_each(|peer| fanout.deliver(peer.facts.resource_id.value(), peer));
        assert_eq!(turn.dirty.len(), peers.len());
        for peer in &peers {
            let counted = peer.sent();
            assert_eq!((counted.messages, counted.bytes), (1, event().len() as u64), "before compression");
        }
        peers.iter().map(|peer| only_frame(peer)).collect()
    }

    #[tokio::test]
    async fn all_share_one_plain_frame() {
        let frames = fan_out(&[None, None, None]);
        assert_eq!(ws::payload(&frames[0].bytes), event().as_bytes());
        assert!(frames.iter().all(|frame| *frame == frames[0]), "the same bytes at the same place");
    }

    #[tokio::test]
    async fn all_of_one_serializer_and_framing_share_one_frame() {
        let engine = fixtures::engine(Limits::DEFAULT);
        let raw = |serializer, bytes| {
            Framed::RawSocket(Agreed { serializer, max_length: MaxLength::at_most(bytes) })
        };
        let (json, cbor) = (Serializer::Json, Serializer::Cbor);
        let websocket = Framed::WebSocket(Codec { serializer: json, batched: false });
        let forms = [raw(json, 1024), raw(json, 1 << 24), websocket, raw(cbor, 1024), raw(json, 512)];
        let peers: Vec<_> =
            (1..).zip(forms).map(|(id, form)| fixtures::peer_in(&engine, id, Form::Wamp2(form))).collect();
        let payload = PayloadBuf::from_serialize(&"x".repeat(600)).unwrap();
        let (topic, mut turn) = (topic(), Turn::default());
        let mut encoded = Encoded::new(&topic, payload.as_payload(), Said::default(), OnOverflow::Disconnect);
        let mut fanout = Fanout { event: &mut encoded, turn: &mut turn };
        fanout.begin(1, false);
        peers.iter().for_each(|peer| fanout.deliver(peer.facts.resource_id.value(), peer));
        // It is told once that the last one takes no message of that length.
        fanout.deliver(5, &peers[4]);
        assert_eq!((turn.dirty.len(), turn.too_long.len(), peers[4].take_too_long()), (4, 1, 2));
        let frames: Vec<Frame> = peers[..4].iter().map(|peer| only_frame(peer)).collect();
        assert_eq!(frames[0], frames[1], "the same bytes at the same place");
        assert_eq!(frames[0].bytes[4..], *ws::payload(&frames[2].bytes), "framed otherwise");
        assert_ne!(frames[0].bytes[4..], frames[3].bytes[4..]);
    }

    #[tokio::test]
    async fn an_event_is_compressed_once_for_each_window() {
        let windows: Vec<Option<u8>> = (9..=15).map(Some).collect();
        let twice: Vec<Option<u8>> = [&windows[..], &[None], &windows[..]].concat();
        let frames = fan_out(&twice);
        let places: std::collections::HashSet<usize> = frames.iter().map(|frame| frame.at).collect();
        assert_eq!(places.len(), windows.len() + 1, "a frame for each window, and the plain one");
        let (first, second) = frames.split_at(windows.len() + 1);
        assert_eq!(first[..windows.len()], *second);
        for first in second {
            let payload = ws::payload(&first.bytes);
            assert_eq!(first.bytes[0], 0xc1, "text, compressed");
            assert_eq!(Inflater::new().inflate(payload, 1_000).unwrap(), event().as_bytes());
        }
    }

    #[tokio::test]
    async fn a_turn_notes_what_is_owed() {
        let engine = fixtures::engine(Limits::DEFAULT);
        let peer = fixtures::peer(&engine, 1, None);
        let (mut turn, mut other) = (Turn::default(), Turn::default());
        for push in [Push::Queued, Push::Dropped, Push::Closed] {
            turn.note(&peer, push);
        }
        assert!(turn.is_empty(), "nobody has to do anything");
        assert_eq!(turn.behind, 1);
        for push in [Push::Claimed, Push::Overflow, Push::Queued] {
            other.note(&peer, push);
        }
        turn.append(&mut other);
        assert_eq!((turn.dirty.len(), turn.overflowed.len(), turn.behind), (1, 1, 2));
        assert!(!turn.is_empty() && other.is_empty());
    }

    #[tokio::test]
    async fn the_policy_decides_on_events_without_room() {
        for (slow_consumer, overflows) in [(SlowConsumer::Disconnect, 1), (SlowConsumer::DropEvents, 0)] {
            let limits = Limits { slow_consumer, outbound: Size::of(4096), ..Limits::DEFAULT };
            let engine = fixtures::engine(limits);
            let peer = fixtures::peer(&engine, 1, None);
            let mut turn = Turn::default();
            let large = PayloadBuf::from_serialize(&"x".repeat(40_000)).unwrap();
            for _ in 0..3 {
                engine.send_event(&peer, &topic(), large.as_payload(), &mut turn);
            }
            assert_eq!((turn.dirty.len(), turn.overflowed.len()), (1, overflows));
            assert_eq!(peer.take_dropped() > 0, slow_consumer == SlowConsumer::DropEvents);
        }
    }
}
