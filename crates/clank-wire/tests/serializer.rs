//! Values in JSON, MessagePack and CBOR: judged, told apart, and written in each other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use clank_wire::serializer::{Kind, MAX_DEPTH, Serializer, Span};
use proptest::prelude::*;
use serde_json::Value;

use Serializer::{Cbor, Json, MessagePack};

fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits.bytes().filter(|byte| *byte != b' ').collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    assert!(rest.is_empty());
    pairs.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn show(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn written(span: Span<'_>, serializer: Serializer) -> Vec<u8> {
    let mut out = Vec::new();
    span.write(serializer, &mut out);
    out
}

/// By another library.
fn encoded(value: &Value, serializer: Serializer) -> Vec<u8> {
    match serializer {
        Json => serde_json::to_vec(value).unwrap(),
        MessagePack => rmp_serde::to_vec_named(value).unwrap(),
        Cbor => {
            let mut out = Vec::new();
            ciborium::into_writer(value, &mut out).unwrap();
            out
        }
    }
}

/// By another library.
fn decoded(bytes: &[u8], serializer: Serializer) -> Value {
    match serializer {
        Json => serde_json::from_slice(bytes).unwrap(),
        MessagePack => rmp_serde::from_slice(bytes).unwrap(),
        Cbor => ciborium::from_reader(bytes).unwrap(),
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn a_value_of_any_head_becomes_json() {
    for (serializer, bytes, kind, json) in [
        (MessagePack, "00", Kind::Integer, "0"),
        (MessagePack, "7f", Kind::Integer, "127"),
        (MessagePack, "ff", Kind::Integer, "-1"),
        (MessagePack, "e0", Kind::Integer, "-32"),
        (MessagePack, "cc80", Kind::Integer, "128"),
        (MessagePack, "cd0100", Kind::Integer, "256"),
        (MessagePack, "ce00010000", Kind::Integer, "65536"),
        (MessagePack, "cfffffffffffffffff", Kind::Integer, "18446744073709551615"),
        (MessagePack, "d080", Kind::Integer, "-128"),
        (MessagePack, "d18000", Kind::Integer, "-32768"),
        (MessagePack, "d280000000", Kind::Integer, "-2147483648"),
        (MessagePack, "d38000000000000000", Kind::Integer, "-9223372036854775808"),
        (MessagePack, "ca3fc00000", Kind::Float, "1.5"),
        (MessagePack, "cb3ff199999999999a", Kind::Float, "1.1"),
        (MessagePack, "cb7ff8000000000000", Kind::Float, "null"),
        (MessagePack, "cbfff0000000000000", Kind::Float, "null"),
        (MessagePack, "c0", Kind::Null, "null"),
        (MessagePack, "c2", Kind::Bool, "false"),
        (MessagePack, "c3", Kind::Bool, "true"),
        (MessagePack, "a0", Kind::Text, r#""""#),
        (MessagePack, "a3 61c3a9", Kind::Text, r#""aé""#),
        (MessagePack, "d901 22", Kind::Text, r#""\"""#),
        (MessagePack, "da0001 0a", Kind::Text, r#""\n""#),
        (MessagePack, "db00000001 61", Kind::Text, r#""a""#),
        (MessagePack, "c403 00ff10", Kind::Binary, r#""\u0000AP8Q""#),
        (MessagePack, "c50000", Kind::Binary, r#""\u0000""#),
        (MessagePack, "c600000001 01", Kind::Binary, r#""\u0000AQ==""#),
        (MessagePack, "90", Kind::List, "[]"),
        (MessagePack, "93 01 c0 91c3", Kind::List, "[1,null,[true]]"),
        (MessagePack, "dc0002 01 02", Kind::List, "[1,2]"),
        (MessagePack, "dd00000000", Kind::List, "[]"),
        (MessagePack, "82 a161 01 a162 80", Kind::Map, r#"{"a":1,"b":{}}"#),
        (MessagePack, "de0001 a161 01", Kind::Map, r#"{"a":1}"#),
        (MessagePack, "df00000001 a161 01", Kind::Map, r#"{"a":1}"#),
        (
            MessagePack,
            "85 01 02 c0 03 c3 04 c401ff 05 cb3ff8000000000000 06",
            Kind::Map,
            r#"{"1":2,"null":3,"true":4,"\u0000/w==":5,"1.5":6}"#,
        ),
        (Cbor, "00", Kind::Integer, "0"),
        (Cbor, "17", Kind::Integer, "23"),
        (Cbor, "1818", Kind::Integer, "24"),
        (Cbor, "1800", Kind::Integer, "0"),
        (Cbor, "1903e8", Kind::Integer, "1000"),
        (Cbor, "1a000f4240", Kind::Integer, "1000000"),
        (Cbor, "1bffffffffffffffff", Kind::Integer, "18446744073709551615"),
        (Cbor, "20", Kind::Integer, "-1"),
        (Cbor, "3903e7", Kind::Integer, "-1000"),
        (Cbor, "3bffffffffffffffff", Kind::Integer, "-18446744073709551616"),
        (Cbor, "f90000", Kind::Float, "0.0"),
        (Cbor, "f98000", Kind::Float, "-0.0"),
        (Cbor, "f93e00", Kind::Float, "1.5"),
        (Cbor, "f97bff", Kind::Float, "65504.0"),
        (Cbor, "f90001", Kind::Float, "5.960464477539063e-8"),
        (Cbor, "f90400", Kind::Float, "0.00006103515625"),
        (Cbor, "f97c00", Kind::Float, "null"),
        (Cbor, "f97e00", Kind::Float, "null"),
        (Cbor, "fa47c35000", Kind::Float, "100000.0"),
        (Cbor, "fbc010666666666666", Kind::Float, "-4.1"),
        (Cbor, "f4", Kind::Bool, "false"),
        (Cbor, "f5", Kind::Bool, "true"),
        (Cbor, "f6", Kind::Null, "null"),
        (Cbor, "f7", Kind::Null, "null"),
        (Cbor, "60", Kind::Text, r#""""#),
        (Cbor, "62c3a9", Kind::Text, r#""é""#),
        (Cbor, "7801 61", Kind::Text, r#""a""#),
        (Cbor, "7f 6161 60 6162 ff", Kind::Text, r#""ab""#),
        (Cbor, "7fff", Kind::Text, r#""""#),
        (Cbor, "43 00ff10", Kind::Binary, r#""\u0000AP8Q""#),
        (Cbor, "5f 4100 42ff10 ff", Kind::Binary, r#""\u0000AP8Q""#),
        (Cbor, "80", Kind::List, "[]"),
        (Cbor, "83 01 f6 81f5", Kind::List, "[1,null,[true]]"),
        (Cbor, "9f 01 9fff 02 ff", Kind::List, "[1,[],2]"),
        (Cbor, "9b0000000000000001 01", Kind::List, "[1]"),
        (Cbor, "a2 6161 01 6162 a0", Kind::Map, r#"{"a":1,"b":{}}"#),
        (Cbor, "bf 6161 01 01 02 ff", Kind::Map, r#"{"a":1,"1":2}"#),
        (Cbor, "c0 6161", Kind::Text, r#""a""#),
        (Cbor, "d9d9f7 c1 82 c2 01 d8ff 02", Kind::List, "[1,2]"),
        (Json, "3130", Kind::Integer, "10"),
    ] {
        let bytes = hex(bytes);
        let span = Span::parse(serializer, &bytes).unwrap_or_else(|error| panic!("{json}: {error}"));
        assert_eq!(span.kind(), kind, "{json}");
        assert_eq!(span.to_string(), json, "{serializer} {}", show(&bytes));
        assert_eq!(written(span, serializer), bytes, "as it stands");
        // What JSON says again reads as itself, less what JSON can't say.
        let json = span.to_string();
        let back = Span::parse(Json, json.as_bytes()).unwrap();
        assert_eq!(Span::parse(Cbor, &written(back, Cbor)).unwrap().to_string(), json);
    }
}

#[test]
fn json_becomes_the_shortest_of_the_others() {
    for (json, packed, cbor) in [
        ("0", "00", "00"),
        ("23", "17", "17"),
        ("24", "18", "1818"),
        ("127", "7f", "187f"),
        ("128", "cc80", "1880"),
        ("256", "cd0100", "190100"),
        ("65536", "ce00010000", "1a00010000"),
        ("4294967296", "cf0000000100000000", "1b0000000100000000"),
        ("9007199254740993", "cf0020000000000001", "1b0020000000000001"),
        ("18446744073709551615", "cfffffffffffffffff", "1bffffffffffffffff"),
        ("18446744073709551616", "cb43f0000000000000", "fb43f0000000000000"),
        ("-1", "ff", "20"),
        ("-32", "e0", "381f"),
        ("-33", "d0df", "3820"),
        ("-128", "d080", "387f"),
        ("-129", "d1ff7f", "3880"),
        ("-32769", "d2ffff7fff", "398000"),
        ("-2147483649", "d3ffffffff7fffffff", "3a80000000"),
        ("-9223372036854775808", "d38000000000000000", "3b7fffffffffffffff"),
        ("-9223372036854775809", "cbc3e0000000000000", "3b8000000000000000"),
        ("-0", "cb8000000000000000", "fb8000000000000000"),
        ("1.0", "cb3ff0000000000000", "fb3ff0000000000000"),
        ("1e2", "cb4059000000000000", "fb4059000000000000"),
        ("1e999", "cb7ff0000000000000", "fb7ff0000000000000"),
        ("null", "c0", "f6"),
        ("false", "c2", "f4"),
        ("true", "c3", "f5"),
        (r#""""#, "a0", "60"),
        (r#""\u00e9\/""#, "a3 c3a92f", "63 c3a92f"),
        (r#""\ud83d\ude00""#, "a4 f09f9880", "64 f09f9880"),
        (r#""a\ud800b\\\udc00""#, "a9 61efbfbd625cefbfbd", "69 61efbfbd625cefbfbd"),
        (r#""\ud800\ud83d\ude00\n""#, "a8 efbfbdf09f98800a", "68 efbfbdf09f98800a"),
        (r#""\u0000AP8Q""#, "c403 00ff10", "43 00ff10"),
        (r#""\u0000""#, "c400", "40"),
        // What isn't Base64 is a text.
        (r#""\u0000AP8""#, "a4 00415038", "64 00415038"),
        (r#""\u0000 ""#, "a2 0020", "62 0020"),
        ("[]", "90", "80"),
        (" [ 1 , [ 2 ] ] ", "92 01 91 02", "82 01 81 02"),
        (r#"{ "a" : 1 , "\u0062" : { } }"#, "82 a161 01 a162 80", "a2 6161 01 6162 a0"),
        // A key is a text, whatever it begins with.
        (r#"{"\u0000AP8Q":1}"#, "81 a5 0041503851 01", "a1 65 0041503851 01"),
    ] {
        let span = Span::parse(Json, json.as_bytes()).unwrap();
        assert_eq!(show(&written(span, MessagePack)), packed.replace(' ', ""), "{json}");
        assert_eq!(show(&written(span, Cbor)), cbor.replace(' ', ""), "{json}");
    }
}

#[test]
fn heads_grow_with_what_they_hold() {
    for count in [0, 15, 16, 23, 24, 255, 256, 65_535, 65_536] {
        let list = Value::Array(vec![Value::Null; count]);
        let map: serde_json::Map<_, _> = (0..count).map(|key| (key.to_string(), Value::from(key))).collect();
        let nested = serde_json::json!({"list": list, "map": map, "text": "x".repeat(count)});
        let text = nested.to_string();
        let span = Span::parse(Json, text.as_bytes()).unwrap();
        for serializer in [MessagePack, Cbor] {
            let bytes = written(span, serializer);
            assert_eq!(bytes.len(), encoded(&nested, serializer).len(), "{count} in {serializer}");
            assert_eq!(decoded(&bytes, serializer), nested, "{count} in {serializer}");
            assert_eq!(Span::parse(serializer, &bytes).unwrap().to_string(), text);
        }
        let binary = Span::parse(Cbor, b"\x5f\xff").unwrap();
        assert_eq!(written(binary, MessagePack), b"\xc4\0");
    }
}

#[test]
fn bytes_that_are_no_value_are_refused_in_words() {
    for (serializer, bytes, words) in [
        (MessagePack, "", "the value at byte 0 goes on behind the end"),
        (MessagePack, "c1", "expected a value at byte 0, got 0xc1"),
        (MessagePack, "92 01 c1", "expected a value at byte 2, got 0xc1"),
        (MessagePack, "d4 01 00", "an extension type at byte 0, which WAMP has no value for"),
        (MessagePack, "91 c70001", "an extension type at byte 1, which WAMP has no value for"),
        (MessagePack, "d6ff00000000", "an extension type at byte 0, which WAMP has no value for"),
        (MessagePack, "91", "the value at byte 0 goes on behind the end"),
        (MessagePack, "92 01", "the value at byte 0 goes on behind the end"),
        (MessagePack, "ddffffffff 00", "the value at byte 0 goes on behind the end"),
        (MessagePack, "dfffffffff 0000", "the value at byte 0 goes on behind the end"),
        (MessagePack, "dbffffffff 00", "the value at byte 0 goes on behind the end"),
        (MessagePack, "91 a2 61", "the value at byte 1 goes on behind the end"),
        (MessagePack, "cd00", "the value at byte 0 goes on behind the end"),
        (MessagePack, "a261ff", "expected UTF-8 at byte 2"),
        (MessagePack, "81 90 01", "expected a scalar as the key at byte 1"),
        (MessagePack, "00 00", "expected the end at byte 1"),
        (Cbor, "", "the value at byte 0 goes on behind the end"),
        (Cbor, "1c", "expected a value at byte 0, got 0x1c"),
        (Cbor, "1f", "expected a value at byte 0, got 0x1f"),
        (Cbor, "3f", "expected a value at byte 0, got 0x3f"),
        (Cbor, "df", "expected a value at byte 0, got 0xdf"),
        (Cbor, "e0", "expected a value at byte 0, got 0xe0"),
        (Cbor, "f820", "expected a value at byte 0, got 0xf8"),
        (Cbor, "ff", "expected a value at byte 0, got 0xff"),
        (Cbor, "81 ff", "expected a value at byte 1, got 0xff"),
        (Cbor, "bf 6161 ff", "expected a value at byte 3, got 0xff"),
        (Cbor, "7f 4161 ff", "expected a value at byte 1, got 0x41"),
        (Cbor, "7f 7fff ff", "expected a value at byte 1, got 0x7f"),
        (Cbor, "7f 61c3 61a9 ff", "expected UTF-8 at byte 2"),
        (Cbor, "62c328", "expected UTF-8 at byte 1"),
        (Cbor, "9f 01", "the value at byte 1 goes on behind the end"),
        (Cbor, "7f 6161", "the value at byte 3 goes on behind the end"),
        (Cbor, "9bffffffffffffffff 00", "the value at byte 0 goes on behind the end"),
        (Cbor, "bbffffffffffffffff 0000", "the value at byte 0 goes on behind the end"),
        (Cbor, "5bffffffffffffffff 00", "the value at byte 0 goes on behind the end"),
        (Cbor, "c1", "the value at byte 1 goes on behind the end"),
        (Cbor, "a1 a0 01", "expected a scalar as the key at byte 1"),
        (Cbor, "00 00", "expected the end at byte 1"),
        (Json, "31 32 20 33", "expected the end at byte 3, got '3'"),
        (Json, "22ff22", "expected UTF-8 at byte 1"),
    ] {
        let bytes = hex(bytes);
        let error = Span::parse(serializer, &bytes).expect_err(words);
        assert_eq!(error.to_string(), words, "{serializer} {}", show(&bytes));
    }
}

#[test]
fn nesting_deeper_than_64_levels_is_refused_in_each() {
    let levels = MAX_DEPTH as usize;
    let nested = |open: &[u8], inner: &[u8], close: &[u8], levels: usize| {
        [open.repeat(levels), inner.to_vec(), close.repeat(levels)].concat()
    };
    for (serializer, open, inner, close) in [
        (Json, &b"["[..], &b"1"[..], &b"]"[..]),
        (Json, b"{\"a\":", b"1", b"}"),
        (MessagePack, b"\x91", b"\x01", b""),
        (MessagePack, b"\x81\x01", b"\x01", b""),
        (Cbor, b"\x81", b"\x01", b""),
        (Cbor, b"\x9f", b"", b"\xff"),
        (Cbor, b"\xc1\xbf\x01", b"\x01", b"\xff"),
    ] {
        assert!(Span::parse(serializer, &nested(open, inner, close, levels)).is_ok());
        let error = Span::parse(serializer, &nested(open, inner, close, levels + 1)).unwrap_err();
        let words = format!("nested deeper than 64 levels at byte {}", levels * open.len());
        assert_eq!(error.to_string(), words, "{serializer}");
        assert!(Span::parse(serializer, &nested(open, b"", b"", 1 << 20)).is_err());
    }
    // Tags are no levels, and cost no stack.
    let tagged = [vec![0xc1; 1 << 20], vec![0x01]].concat();
    assert_eq!(Span::parse(Cbor, &tagged).unwrap().to_u64(), Some(1));
}

#[test]
fn a_span_is_read_without_being_parsed_whole() {
    let value = serde_json::json!({"flag": true, "count": 3, "name": "x", "list": [1, [2], "y"]});
    for serializer in Serializer::ALL {
        let bytes = encoded(&value, serializer);
        let span = Span::parse(serializer, &bytes).unwrap();
        assert_eq!((span.kind(), span.count()), (Kind::Map, 4));
        let find = |key: &str| span.entries().find(|(name, _)| name == key).unwrap().1;
        assert_eq!(find("flag").to_bool(), Some(true));
        assert_eq!(find("count").to_u64(), Some(3));
        assert_eq!(find("name").to_text().as_deref(), Some("x"));
        let items: Vec<_> = find("list").items().map(|item| item.to_string()).collect();
        assert_eq!(items, ["1", "[2]", "\"y\""]);
        assert_eq!((find("flag").to_u64(), find("count").to_bool()), (None, None));
        assert_eq!((span.items().count(), find("list").entries().count()), (0, 0));
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-70_000_i64..70_000).prop_map(Value::from),
        // serde_json reads numbers of few digits exactly, and others nearly.
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 16.0)),
        // What begins with this character may be binary data.
        any::<String>().prop_filter("binary", |text| !text.starts_with('\0')).prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 20, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..20)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

#[test]
fn nothing_grows_as_much_as_empty_binary_data() {
    assert_eq!(written(Span::parse(Cbor, &[0x40]).unwrap(), Json), br#""\u0000""#);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Through any two serializers, as other libraries write and read them.
    #[test]
    fn a_value_is_the_same_in_each_serializer(value in value()) {
        for from in Serializer::ALL {
            let bytes = encoded(&value, from);
            let span = Span::parse(from, &bytes).unwrap();
            for to in Serializer::ALL {
                let there = written(span, to);
                prop_assert_eq!(&decoded(&there, to), &value, "{} to {}", from, to);
                let back = written(Span::parse(to, &there).unwrap(), from);
                prop_assert_eq!(&decoded(&back, from), &value, "{} to {} and back", from, to);
            }
        }
    }

    #[test]
    fn a_number_is_the_same_bit_for_bit_behind_json(number in any::<f64>()) {
        let packed = [&[0xcb][..], &number.to_be_bytes()].concat();
        let json = written(Span::parse(MessagePack, &packed).unwrap(), Json);
        let there = written(Span::parse(Json, &json).unwrap(), MessagePack);
        prop_assert_eq!(there, if number.is_finite() { packed } else { vec![0xc0] });
    }

    #[test]
    fn binary_data_survives_json(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut packed = Vec::new();
        ciborium::into_writer(&ciborium::Value::Bytes(bytes), &mut packed).unwrap();
        let json = written(Span::parse(Cbor, &packed).unwrap(), Json);
        let json = Span::parse(Json, &json).unwrap();
        prop_assert_eq!(written(json, Cbor), packed);
        let again = written(json, MessagePack);
        prop_assert_eq!(Span::parse(MessagePack, &again).unwrap().to_string(), json.to_string());
    }

    #[test]
    fn what_is_cut_short_or_goes_on_is_refused(value in value(), more in any::<u8>()) {
        for serializer in [MessagePack, Cbor] {
            let mut bytes = encoded(&value, serializer);
            for end in 0..bytes.len() {
                prop_assert!(Span::parse(serializer, &bytes[..end]).is_err());
            }
            bytes.push(more);
            prop_assert!(Span::parse(serializer, &bytes).is_err());
        }
    }

    /// Random bytes end in an error or in a value that can be written in each serializer, and takes
    /// no more room there than is said.
    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        for serializer in Serializer::ALL {
            let Ok(span) = Span::parse(serializer, &bytes) else { continue };
            for to in Serializer::ALL {
                let there = written(span, to);
                prop_assert!(there.len() <= 8 * bytes.len(), "{} to {}: {:?}", serializer, to, bytes);
                let there = Span::parse(to, &there);
                prop_assert_eq!(there.unwrap().to_string(), span.to_string());
            }
        }
    }

    /// What another library reads as CBOR is read here, but for what is refused with intent.
    #[test]
    fn cbor_is_what_another_library_takes_for_cbor(bytes in prop::collection::vec(any::<u8>(), 1..12)) {
        let mut rest = &bytes[..];
        let theirs = ciborium::from_reader::<ciborium::Value, _>(&mut rest);
        if theirs.is_ok() && rest.is_empty() {
            let ours = Span::parse(Cbor, &bytes).map_err(|error| error.to_string());
            let intended = |error: &str| error.contains("scalar as the key");
            prop_assert!(ours.is_ok() || ours.as_ref().is_err_and(|error| intended(error)), "{:?}", ours);
        }
    }
}
