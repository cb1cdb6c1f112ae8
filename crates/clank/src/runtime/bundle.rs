//! Events that one read brings for one topic, handed to its subscribers together.
//!
//! A client that publishes much sends several events in a segment. To queue each for each subscriber
//! would cost a lock and a place in a queue for every one of them; so what follows in the same read,
//! for the same topic and the same audience, is held, and is queued as one piece.
//!
//! Nothing is held longer than its read lasts, and whatever else the client asks for comes behind it:
//! [`Conn::release`] precedes all that is no such event.

use clank_core::subscription::Audience;
use clank_core::topic::Uri;
use clank_wire::payload::Payload;

use super::conn::Conn;
use super::cx::Cx;
use super::turn::{Encoded, Said};

/// Events that are held together at most.
const EVENTS: usize = 64;
/// Bytes of their payloads.
const BYTES: usize = 16 * 1024;

/// Events of one read for one topic and one audience.
pub(crate) struct Bundle {
    event: Encoded<'static>,
    audience: Audience,
    bytes: usize,
}

impl Bundle {
    /// Takes an event if it belongs with the others.
    fn take(&mut self, topic: &Uri<'_>, payload: Payload<'_>, audience: &Audience) -> bool {
        let bytes = self.bytes + payload.value_len();
        let fits = bytes <= BYTES && self.event.count() < EVENTS;
        let belongs = fits && self.event.topic().as_str() == topic.as_str() && self.audience == *audience;
        if belongs {
            self.event.add(payload);
            self.bytes = bytes;
        }
        belongs
    }
}

impl Conn {
    /// Publishes an event, now or together with those that follow it in the same read.
    pub(super) fn publish_plain(
        &mut self,
        topic: &Uri<'_>,
        payload: Payload<'_>,
        audience: Audience,
        cx: &mut Cx,
    ) {
        let is_held = cx.bundle.as_mut().is_some_and(|bundle| bundle.take(topic, payload, &audience));
        if !is_held {
            self.release(cx);
            let event = Encoded::new(topic, payload, Said::default(), cx.engine.on_overflow());
            // Where receivers are very many the client's next message has to wait for them.
            if !cx.more || self.peer.realm.hub.is_divided(topic.as_str()) {
                return self.hand_out(event, audience, cx);
            }
            let bytes = payload.value_len();
            cx.bundle = Some(Bundle { event: event.into_owned(), audience, bytes });
        } else if !cx.more {
            self.release(cx);
        }
    }

    /// Queues what is held for its receivers.
    pub(super) fn release(&mut self, cx: &mut Cx) {
        if let Some(Bundle { event, audience, .. }) = cx.bundle.take() {
            self.hand_out(event, audience, cx);
        }
    }

    /// Queues an event for its receivers. Where they are very many the worker does it bit by bit, and
    /// the client's next message waits.
    pub(super) fn hand_out(&mut self, event: Encoded<'_>, audience: Audience, cx: &mut Cx) {
        let begun = cx.engine.begin_publication(&self.peer.realm, event, audience, &mut cx.turn);
        if let Some(publication) = begun {
            cx.publications.push_back((publication, self.peer.token));
            self.pause();
        }
    }
}
