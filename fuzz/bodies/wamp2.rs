//! What must hold of WAMP v2 whatever a peer sends, in each serializer. Run by the fuzzer, and by a test
//! over the corpus that the fuzzer found.

use clank_core::wamp2::{Options, Session};
use clank_wire::serializer::{Serializer, Span};
use clank_wire::wamp2::{ClientMessage, Codec, RouterMessage};

/// Takes the first byte for the codec, and the rest for what a message of the transport holds.
pub fn run(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let codec = Codec::ALL[usize::from(*first) % Codec::ALL.len()];
    let options = Options { max_uri_bytes: 32, max_listed_sessions: 2, ..Options::default() };
    let session = Session::new(codec, options);
    let mut messages = codec.messages(data);
    let mut left = data.len();
    while let Some(message) = messages.next() {
        assert!(messages.rest().len() < left || left == 0, "a message takes bytes");
        left = messages.rest().len();
        let Ok(message) = message else { return };
        value_survives_every_serializer(codec.serializer, message);
        client_message_survives_encoding(codec.serializer, message);
        router_message_survives_encoding(codec.serializer, message);
        // It may refuse, and must not panic.
        let _ = session.receive(message);
    }
}

fn value_survives_every_serializer(serializer: Serializer, data: &[u8]) {
    let Ok(span) = Span::parse(serializer, data) else { return };
    for other in Serializer::ALL {
        let mut written = Vec::new();
        span.write(other, &mut written);
        let read =
            Span::parse(other, &written).unwrap_or_else(|error| panic!("{other:?}: {error}: {written:?}"));
        assert_eq!(read.count(), span.count(), "{other:?}: {written:?}");
        let mut again = Vec::new();
        read.write(other, &mut again);
        assert_eq!(again, written, "{other:?}");
    }
    serde_json::from_str::<serde::de::IgnoredAny>(&span.to_string()).expect("what is shown of it is JSON");
}

fn client_message_survives_encoding(serializer: Serializer, data: &[u8]) {
    let Ok(message) = ClientMessage::decode(serializer, data) else { return };
    let mut encoded = Vec::new();
    message.encode(serializer, &mut encoded);
    assert_eq!(ClientMessage::decode(serializer, &encoded).as_ref(), Ok(&message));
    for other in Serializer::ALL {
        let mut encoded = Vec::new();
        message.encode(other, &mut encoded);
        // It need not be the same message: JSON has text in place of other keys, and so more to judge.
        assert!(Span::parse(other, &encoded).is_ok(), "{other:?}: {encoded:?}");
    }
}

fn router_message_survives_encoding(serializer: Serializer, data: &[u8]) {
    let Ok(message) = RouterMessage::decode(serializer, data) else { return };
    let mut encoded = Vec::new();
    message.encode(serializer, &mut encoded);
    assert_eq!(RouterMessage::decode(serializer, &encoded).as_ref(), Ok(&message));
}
