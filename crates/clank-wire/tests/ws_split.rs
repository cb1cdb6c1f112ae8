//! Wherever a stream is split, the events are the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(unreachable_pub, dead_code, reason = "shared by several tests")]
mod ws_support;

use clank_wire::ws::{DecoderOptions, Role};
use proptest::collection::vec;
use proptest::prelude::*;
use ws_support::{Decoded, decode, sessions};

const OPTIONS: DecoderOptions = DecoderOptions { max_message: 1 << 20, deflate: true };

proptest! {
    #[test]
    fn a_server_reads_a_session_however_it_is_split(
        session in sessions(Role::Server, true),
        cuts in vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let decoded = decode(Role::Server, OPTIONS, &session.stream, &cuts);
        prop_assert_eq!(decoded, Decoded { events: session.events, error: None, idle: true });
    }

    #[test]
    fn a_client_reads_a_session_however_it_is_split(
        session in sessions(Role::Client, true),
        cuts in vec(any::<prop::sample::Index>(), 0..40),
    ) {
        let decoded = decode(Role::Client, OPTIONS, &session.stream, &cuts);
        prop_assert_eq!(decoded, Decoded { events: session.events, error: None, idle: true });
    }

    #[test]
    fn garbage_is_judged_alike_however_it_is_split(
        session in sessions(Role::Server, true),
        garbage in vec(any::<u8>(), 0..300),
        cuts in vec(any::<prop::sample::Index>(), 0..40),
        max_message in 0_usize..400,
        deflate in any::<bool>(),
    ) {
        let stream = [session.stream, garbage].concat();
        let options = DecoderOptions { max_message, deflate };
        let whole = decode(Role::Server, options, &stream, &[]);
        prop_assert_eq!(decode(Role::Server, options, &stream, &cuts), whole);
    }

    #[test]
    fn what_is_cut_short_is_known_to_be(
        session in sessions(Role::Server, true),
        cut in any::<prop::sample::Index>(),
    ) {
        let stream = &session.stream[..cut.index(session.stream.len() + 1)];
        let decoded = decode(Role::Server, OPTIONS, stream, &[]);
        prop_assert_eq!(decoded.error, None);
        prop_assert_eq!(&decoded.events[..], &session.events[..decoded.events.len()]);
        prop_assert_eq!(decoded.idle, session.rests.contains(&stream.len()));
    }
}
