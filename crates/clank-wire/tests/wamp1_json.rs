//! The JSON scanner accepts exactly what `serde_json` accepts, to the depth that it allows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use clank_wire::json::{Kind, Raw, SyntaxError};
use proptest::prelude::*;
use serde::de::IgnoredAny;

#[track_caller]
fn agrees_with_serde(text: &str) {
    let ours = Raw::parse(text);
    let theirs = serde_json::from_str::<IgnoredAny>(text);
    assert_eq!(ours.is_ok(), theirs.is_ok(), "{text:?}: {ours:?}, {theirs:?}");
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn the_corners_of_the_grammar() {
    for valid in [
        "0",
        "-0",
        "10",
        "-1.5",
        "1e5",
        "1E+05",
        "1e-0",
        "0.0",
        "0e1",
        "1e99999",
        "true",
        "false",
        "null",
        "\"\"",
        "\"\u{7f}\u{80}\u{10ffff}\"",
        r#""\"\\\/\b\f\n\r\t\u0000\uD800""#,
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[[],{}]",
        r#"{"":0}"#,
        r#"{"a":1,"a":2}"#,
        " \t\r\n1 \t\r\n",
        "[1 , 2]",
        r#"{ "a" : [ ] , "b" : { } }"#,
        "\"12345678901234567890\\n\"",
    ] {
        assert!(Raw::parse(valid).is_ok(), "{valid}");
        agrees_with_serde(valid);
    }
    for invalid in [
        "",
        " ",
        "-",
        "+1",
        "01",
        "00",
        "-01",
        "1.",
        ".5",
        "1.e5",
        "1e",
        "1e+",
        "0x1",
        "1 2",
        "NaN",
        "Infinity",
        "tru",
        "truE",
        "True",
        "nul",
        "nulll",
        "'a'",
        "\"",
        "\"a",
        "\"\\\"",
        "\"\\a\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\n\"",
        "\"\u{1f}\"",
        "\"\0\"",
        "[",
        "]",
        "[,]",
        "[1,]",
        "[1 2]",
        "[1}",
        "{",
        "}",
        "{1:2}",
        "{a:1}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{,}",
        "{\"a\":1]",
        "[1]]",
        "//",
        "/**/1",
        "\u{feff}1",
        "\u{a0}1",
        "1\u{2028}",
        "\u{b}1",
        "\u{c}1",
        "\"a\"\"b\"",
        "undefined",
        "é",
    ] {
        assert!(Raw::parse(invalid).is_err(), "{invalid}");
        agrees_with_serde(invalid);
    }
}

/// Each special byte at each place of a word, alone and after others.
#[test]
fn a_special_byte_is_found_wherever_it_stands() {
    for length in 0..40 {
        for at in 0..length {
            for byte in 0..=0x7f_u8 {
                let mut inner = "é".repeat(length / 2) + &"x".repeat(length);
                inner.insert(if inner.is_char_boundary(at) { at } else { at + 1 }, char::from(byte));
                agrees_with_serde(&format!("\"{inner}\""));
                agrees_with_serde(&format!("\"{inner}"));
            }
        }
    }
}

#[test]
fn an_error_says_where_and_what() {
    for (text, words) in [
        ("[1,2", "expected ',' or ']' at byte 4, got the end"),
        ("{\"a\":1;", "expected ',' or '}' at byte 6, got ';'"),
        ("{1", "expected a key or '}' at byte 1, got '1'"),
        ("{\"a\":1,2", "expected a key at byte 7, got '2'"),
        ("-x", "expected a digit at byte 1, got 'x'"),
        ("1.é", "expected a digit at byte 2, got 'é'"),
        ("nil", "expected 'null' at byte 0, got 'n'"),
        ("\"\\é\"", "expected one of \"\\/bfnrtu at byte 2, got 'é'"),
        ("\"\\u00é0\"", "expected a hexadecimal digit at byte 5, got 'é'"),
        ("\"abc", "expected '\"' at byte 4, got the end"),
        ("1\"", "expected the end at byte 1, got '\"'"),
    ] {
        assert_eq!(Raw::parse(text).unwrap_err().to_string(), words, "{text}");
    }
}

#[test]
fn nesting_deeper_than_64_levels_is_refused_whatever_nests() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
        let per_round = open.matches(['[', '{']).count();
        let nested = |rounds: usize| format!("{}1{}", open.repeat(rounds), close.repeat(rounds));
        assert!(Raw::parse(&nested(64 / per_round)).is_ok());
        let too_deep = nested(64 / per_round + 1);
        assert!(matches!(Raw::parse(&too_deep), Err(SyntaxError::TooDeep { .. })), "{too_deep}");
    }
    // Beside one another, containers may be as many as they like.
    assert!(Raw::parse(&format!("[{}[]]", "[[]],".repeat(10_000))).is_ok());
}

#[test]
fn a_value_tells_its_kind_its_text_and_its_elements() {
    let kinds = [
        ("null", Kind::Null),
        ("true", Kind::Bool),
        ("-1", Kind::Number),
        ("\"\"", Kind::String),
        (" []", Kind::Array),
        ("{} ", Kind::Object),
    ];
    for (text, kind) in kinds {
        assert_eq!(Raw::parse(text).unwrap().kind(), kind);
    }
    assert_eq!(Raw::parse(r#""a\nb""#).unwrap().to_text().as_deref(), Some("a\nb"));
    assert_eq!(Raw::parse(r#""\ud800""#).unwrap().to_text(), None);
    assert_eq!(Raw::parse("1").unwrap().to_text(), None);
    assert_eq!(Raw::parse("{}").unwrap().to_list(), None);
    let list = Raw::parse("[ 1 , [2, 3] , \"]\" ]").unwrap().to_list().unwrap();
    let elements: Vec<_> = list.iter().map(Raw::as_str).collect();
    assert_eq!((list.count(), elements), (3, vec!["1", "[2, 3]", "\"]\""]));
    assert_eq!(Raw::parse("[ ]").unwrap().to_list().unwrap().count(), 0);
    assert_eq!(Raw::parse("{\"a\":[1]}").unwrap().deserialize::<serde_json::Value>().unwrap()["a"][0], 1);
}

/// Text that is JSON, nearly JSON or rubbish made of JSON's characters.
fn jsonish() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "[", "]", "{", "}", ",", ":", "\"", "\"a\"", "\\", "\\u00e9", "\\ud83d", "0", "12", "-", ".", "e",
        "E+", "true", "false", "null", " ", "\n", "\u{1}", "é", "😀", "\"k\":", "1.5e3",
    ]);
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,9})?([eE][+-]?[0-9]{1,4})?",
        any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    let space = prop::sample::select(vec!["", " ", "\n\t", "\r"]);
    leaf.prop_recursive(6, 60, 5, move |inner| {
        let array = (prop::collection::vec(inner.clone(), 0..5), space.clone())
            .prop_map(|(elements, space)| format!("[{space}{}]", elements.join(&format!("{space},"))));
        let pair = (any::<String>(), inner)
            .prop_map(|(key, value)| format!("{}:{value}", serde_json::to_string(&key).unwrap()));
        let object = (prop::collection::vec(pair, 0..5), space.clone())
            .prop_map(|(pairs, space)| format!("{{{}{space}}}", pairs.join(&format!("{space},{space}"))));
        prop_oneof![array, object]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn json_is_accepted(text in json_text()) {
        prop_assert_eq!(Raw::parse(&text).map(Raw::as_str), Ok(text.as_str()));
    }

    #[test]
    fn text_made_of_tokens_is_judged_as_serde_judges_it(text in jsonish()) {
        agrees_with_serde(&text);
    }

    #[test]
    fn any_text_is_judged_as_serde_judges_it(text in any::<String>()) {
        agrees_with_serde(&text);
    }

    /// One character removed, doubled or replaced.
    #[test]
    fn json_with_a_fault_is_judged_as_serde_judges_it(
        text in json_text(),
        at in any::<prop::sample::Index>(),
        replacement in prop_oneof![Just(String::new()), jsonish(), any::<char>().prop_map(String::from)],
    ) {
        let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let at = boundaries[at.index(boundaries.len())];
        let (before, after) = text.split_at(at);
        let mut rest = after.chars();
        rest.next();
        agrees_with_serde(&format!("{before}{replacement}{}", rest.as_str()));
        agrees_with_serde(&format!("{before}{replacement}{after}"));
        agrees_with_serde(before);
    }
}
