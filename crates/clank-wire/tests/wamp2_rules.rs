//! What is around the messages of WAMP v2: ids, URIs and patterns, subprotocols and batches.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use clank_wire::serializer::Serializer;
use clank_wire::wamp2::{
    BatchError, ClientMessage, Codec, Dict, Id, IdList, Match, Pattern, Roles, Rules, TextList, Unsubscribe,
    Uri, reason,
};
use proptest::prelude::*;

#[test]
fn an_id_is_from_1_to_2_to_the_53() {
    for (number, exists) in
        [(0, false), (1, true), (1 << 53, true), ((1 << 53) + 1, false), (u64::MAX, false)]
    {
        assert_eq!(Id::new(number).map(Id::get), exists.then_some(number), "{number}");
    }
    assert_eq!(Id::MIN.next().get(), 2);
    assert_eq!(Id::MAX.next(), Id::MIN);
    assert_eq!((Id::from_random(0), Id::from_random(u64::MAX)), (Id::MIN, Id::MAX));
    assert_eq!(Id::MAX.to_string(), "9007199254740992");
}

#[test]
fn a_uri_keeps_the_rules() {
    for (text, loose, strict) in [
        ("com.example.add2", "", ""),
        ("a", "", ""),
        ("a_1.2", "", ""),
        ("com.Example", "", "has 'E' at byte 4, which strict URIs do not allow"),
        ("acme/channel/7", "", "has '/' at byte 4, which strict URIs do not allow"),
        ("http://x.y/z?q=1", "", "has ':' at byte 4, which strict URIs do not allow"),
        ("é.ü", "", "has 'é' at byte 0, which strict URIs do not allow"),
        ("", "has an empty component at byte 0", "has an empty component at byte 0"),
        (".", "has an empty component at byte 0", "has an empty component at byte 0"),
        ("a.", "has an empty component at byte 2", "has an empty component at byte 2"),
        (".a", "has an empty component at byte 0", "has an empty component at byte 0"),
        ("a..b", "has an empty component at byte 2", "has an empty component at byte 2"),
        (
            "a b",
            "has ' ' at byte 1, which loose URIs do not allow",
            "has ' ' at byte 1, which strict URIs do not allow",
        ),
        (
            "a.é#",
            "has '#' at byte 4, which loose URIs do not allow",
            "has 'é' at byte 2, which strict URIs do not allow",
        ),
        (
            "a\u{2003}",
            "has '\\u{2003}' at byte 1, which loose URIs do not allow",
            "has '\\u{2003}' at byte 1, which strict URIs do not allow",
        ),
        (
            "\0AA==",
            "has '\\0' at byte 0, which loose URIs do not allow",
            "has '\\0' at byte 0, which strict URIs do not allow",
        ),
    ] {
        for (rules, words) in [(Rules::Loose, loose), (Rules::Strict, strict)] {
            let said = Uri::parse(text, rules).map_or_else(|error| error.to_string(), |_| String::new());
            assert_eq!(said, words, "{text:?}");
            let exact = Pattern::parse(text, Match::Exact, rules);
            assert_eq!(exact.map_or_else(|error| error.to_string(), |_| String::new()), words, "{text:?}");
        }
    }
    for (text, reserved) in
        [("wamp.error.canceled", true), ("wamp", true), ("wampum.x", false), ("com.wamp", false)]
    {
        assert_eq!(Uri::parse(text, Rules::Strict).unwrap().is_reserved(), reserved, "{text}");
        let pattern = Pattern::parse(text, Match::Prefix, Rules::Strict).unwrap();
        assert_eq!(pattern.is_reserved(), reserved);
    }
    assert!(Uri::parse(reason::OPTION_DISALLOWED_DISCLOSE_ME, Rules::Strict).unwrap().is_reserved());
}

#[test]
fn a_pattern_may_have_empty_components_where_they_mean_something() {
    for (text, prefix, wildcard) in [
        ("com.example", true, true),
        ("", true, true),
        ("com.", true, true),
        ("com..x", false, true),
        (".com", false, true),
        ("..", false, true),
        ("a b", false, false),
    ] {
        assert_eq!(Pattern::parse(text, Match::Prefix, Rules::Loose).is_ok(), prefix, "{text:?}");
        assert_eq!(Pattern::parse(text, Match::Wildcard, Rules::Loose).is_ok(), wildcard, "{text:?}");
    }
}

#[test]
fn a_pattern_matches() {
    for (pattern, matching, uri, matches) in [
        ("com.t", Match::Exact, "com.t", true),
        ("com.t", Match::Exact, "com.t.x", false),
        ("com.t", Match::Prefix, "com.t", true),
        ("com.t", Match::Prefix, "com.t.x", true),
        ("com.t", Match::Prefix, "com.topic", true),
        ("com.t.", Match::Prefix, "com.topic", false),
        ("com.t", Match::Prefix, "com", false),
        ("", Match::Prefix, "com", true),
        ("com..t", Match::Wildcard, "com.x.t", true),
        ("com..t", Match::Wildcard, "com.x.y.t", false),
        ("com..t", Match::Wildcard, "com.x.u", false),
        ("com..t", Match::Wildcard, "com.t", false),
        ("com.", Match::Wildcard, "com.x", true),
        ("com.", Match::Wildcard, "com", false),
        (".x", Match::Wildcard, "com.x", true),
        ("", Match::Wildcard, "com", true),
        ("", Match::Wildcard, "com.x", false),
        ("..", Match::Wildcard, "a.b.c", true),
    ] {
        let parsed = Pattern::parse(pattern, matching, Rules::Loose).unwrap();
        assert_eq!(parsed.matches(uri), matches, "{pattern:?} {matching:?} {uri}");
        assert_eq!((parsed.as_str(), parsed.matching()), (pattern, matching));
    }
}

#[test]
fn a_subprotocol_stands_for_a_codec() {
    for (name, serializer, batched, text) in [
        ("wamp.2.json", Serializer::Json, false, true),
        ("wamp.2.msgpack", Serializer::MessagePack, false, false),
        ("wamp.2.cbor", Serializer::Cbor, false, false),
        ("wamp.2.json.batched", Serializer::Json, true, true),
        ("wamp.2.msgpack.batched", Serializer::MessagePack, true, false),
        ("wamp.2.cbor.batched", Serializer::Cbor, true, false),
    ] {
        let codec = Codec::from_subprotocol(name).unwrap();
        assert_eq!((codec.serializer, codec.batched, codec.is_text()), (serializer, batched, text));
        assert_eq!(codec.subprotocol(), name);
    }
    for name in ["wamp", "wamp.2", "wamp.2.JSON", "wamp.2.ubjson", "wamp.2.json.batch", ""] {
        assert_eq!(Codec::from_subprotocol(name), None, "{name}");
    }
}

#[test]
fn what_is_no_batch_is_refused_in_words() {
    let batched = |serializer| Codec { serializer, batched: true };
    for (codec, data, good, words) in [
        (batched(Serializer::Json), &b""[..], 0, "a batch holds at least one message, got none"),
        (batched(Serializer::Cbor), b"", 0, "a batch holds at least one message, got none"),
        (
            batched(Serializer::Json),
            b"[1]",
            0,
            "each message of a batch ends with 0x1e, got none after byte 0",
        ),
        (
            batched(Serializer::Json),
            b"[1]\x1e[2]",
            1,
            "each message of a batch ends with 0x1e, got none after byte 4",
        ),
        (
            batched(Serializer::Cbor),
            b"\0\0\0",
            0,
            "the message at byte 0 of the batch goes on behind the end",
        ),
        (
            batched(Serializer::MessagePack),
            b"\0\0\0\x01\x90\0\0\0\x02\x90",
            1,
            "the message at byte 5 of the batch goes on behind the end",
        ),
        (
            batched(Serializer::MessagePack),
            b"\xff\xff\xff\xff\x90",
            0,
            "the message at byte 0 of the batch goes on behind the end",
        ),
    ] {
        let messages: Vec<_> = codec.messages(data).collect();
        assert_eq!(messages.iter().filter(|message| message.is_ok()).count(), good);
        assert_eq!(messages.last().unwrap().unwrap_err().to_string(), words);
    }
    let plain = Codec { serializer: Serializer::Json, batched: false };
    assert_eq!(plain.messages(b"").collect::<Vec<_>>(), [Ok(&b""[..])]);
    assert_eq!(plain.messages(b"a\x1eb\x1e").collect::<Vec<_>>(), [Ok(&b"a\x1eb\x1e"[..])]);
    assert_eq!(batched(Serializer::Json).messages(b"\x1e").collect::<Vec<_>>(), [Ok(&b""[..])]);
    assert!(matches!(batched(Serializer::Json).messages(b"").next(), Some(Err(BatchError::Empty))));
}

#[test]
fn lists_and_dictionaries_are_equal_by_what_is_on_them() {
    let ids: IdList<'_> = [Id::MIN, Id::MAX].into_iter().collect();
    let names: TextList<'_> = ["anne", "bért"].into_iter().collect();
    let written = {
        let mut out = Vec::new();
        let options = clank_wire::wamp2::PublishOptions {
            exclude: Some(ids.clone()),
            eligible_authid: Some(names.clone()),
            ..Default::default()
        };
        let (request, payload) = (Id::MIN, clank_wire::payload::Payload::EMPTY);
        clank_wire::wamp2::Publish { request, options, topic: "t".into(), payload }
            .encode(Serializer::Json, &mut out);
        out
    };
    let Ok(ClientMessage::Publish(publish)) = ClientMessage::decode(Serializer::Json, &written) else {
        panic!()
    };
    assert_eq!((publish.options.exclude, publish.options.eligible_authid), (Some(ids), Some(names)));
    assert_eq!(Dict::from_serialize(&[1]), None);
    assert_eq!(Dict::from_serialize(&serde_json::json!({})), Some(Dict::default()));
    assert!(Roles::default() == Roles::new(&[]) && !Roles::default().has("broker"));
}

proptest! {
    #[test]
    fn a_batch_is_read_as_it_was_written(numbers in prop::collection::vec(1_u64..1 << 53, 1..20)) {
        for codec in Codec::ALL.into_iter().filter(|codec| codec.batched) {
            let mut batch = Vec::new();
            for number in &numbers {
                let id = Id::new(*number).unwrap();
                let message = Unsubscribe { request: id, subscription: id };
                codec.append(&mut batch, |serializer, out| message.encode(serializer, out));
            }
            let read = codec.messages(&batch).map(|message| {
                match ClientMessage::decode(codec.serializer, message.unwrap()) {
                    Ok(ClientMessage::Unsubscribe(unsubscribe)) => unsubscribe.request.get(),
                    other => panic!("{other:?}"),
                }
            });
            prop_assert_eq!(&read.collect::<Vec<_>>(), &numbers);
            // Cut anywhere but between messages, the last item is an error.
            for end in 0..batch.len() {
                let whole = codec.messages(&batch[..end]).all(|message| message.is_ok());
                let ends = whole && end > 0;
                let boundary = numbers.iter().scan(0, |at, number| {
                    let id = Id::new(*number).unwrap();
                    let message = Unsubscribe { request: id, subscription: id };
                    let mut one = Vec::new();
                    codec.append(&mut one, |serializer, out| message.encode(serializer, out));
                    *at += one.len();
                    Some(*at)
                });
                prop_assert_eq!(ends, boundary.into_iter().any(|at| at == end));
            }
        }
    }

    /// As the specification's regular expressions have it, with control characters refused too.
    #[test]
    fn a_uri_is_components_with_dots_between_them(text in "[a-z0-9_.# \u{e9}A]{0,8}") {
        let components = |empty: bool| {
            text.split('.').all(|part| (empty || !part.is_empty()) && !part.contains(['#', ' ']))
        };
        prop_assert_eq!(Uri::parse(text.as_str(), Rules::Loose).is_ok(), components(false));
        prop_assert_eq!(Pattern::parse(text.as_str(), Match::Wildcard, Rules::Loose).is_ok(), components(true));
        let strict = text.split('.').all(|part| {
            !part.is_empty() && part.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        });
        prop_assert_eq!(Uri::parse(text.as_str(), Rules::Strict).is_ok(), strict);
    }
}
