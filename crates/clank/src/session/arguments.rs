//! Arguments and keyword arguments, as they are written and read.

use clank_wire::payload::{Payload, PayloadBuf};
use clank_wire::serializer::{Serializer, Span};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Arguments and keyword arguments to be sent, or why they can't be.
#[derive(Debug, Clone)]
pub(super) struct Arguments(Result<Json, String>);

/// The same as JSON: a list, and an object.
#[derive(Debug, Clone)]
struct Json {
    arguments: String,
    keywords: Option<String>,
}

impl Arguments {
    /// A list is the arguments, `()` is none, anything else is the only one.
    pub(super) fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        let json = serde_json::to_string(value).map_err(|error| error.to_string());
        Self(json.map(|json| {
            let arguments = match json.as_str() {
                "null" => "[]".to_owned(),
                list if list.starts_with('[') => json,
                only => format!("[{only}]"),
            };
            Json { arguments, keywords: None }
        }))
    }

    /// `()` is none, anything else is the only one, be it a list.
    pub(super) fn only<T: Serialize + ?Sized>(value: &T) -> Self {
        let json = serde_json::to_string(value).map_err(|error| error.to_string());
        Self(json.map(|json| {
            let arguments = if json == "null" { "[]".to_owned() } else { format!("[{json}]") };
            Json { arguments, keywords: None }
        }))
    }

    pub(super) fn keywords<T: Serialize + ?Sized>(&mut self, value: &T) {
        let keywords = serde_json::to_string(value).map_err(|error| error.to_string());
        let keywords = keywords.and_then(|json| match json.starts_with('{') {
            true => Ok(json),
            false => Err("keyword arguments are a map or a struct".to_owned()),
        });
        match (keywords, &mut self.0) {
            (Ok(keywords), Ok(json)) => json.keywords = Some(keywords),
            (Err(error), known @ Ok(_)) => *known = Err(error),
            (_, Err(_)) => {}
        }
    }

    pub(super) fn payload(&self) -> Result<Payload<'_>, String> {
        let Json { arguments, keywords } = self.0.as_ref().map_err(Clone::clone)?;
        let parsed = span(arguments).and_then(|arguments| {
            Payload::from_spans(Serializer::Json, Some(arguments), keywords.as_deref().and_then(span))
        });
        parsed.ok_or_else(|| "the arguments are no JSON that WAMP has".to_owned())
    }
}

fn span(json: &str) -> Option<Span<'_>> {
    Span::parse(Serializer::Json, json.as_bytes()).ok()
}

/// Reads what has come: an only argument as its own type, else all of them as a list; where there are
/// keyword arguments, all of it.
pub(super) fn parse<T: DeserializeOwned>(payload: &PayloadBuf) -> Result<T, serde_json::Error> {
    let payload = payload.as_payload();
    if payload.keywords().is_some() {
        return payload.deserialize();
    }
    match payload.count() {
        0 => payload.deserialize().or_else(|_| list(payload)),
        1 => payload.deserialize().or_else(|error| list(payload).map_err(|_| error)),
        _ => list(payload).or_else(|error| payload.deserialize().map_err(|_| error)),
    }
}

/// The arguments alone, as a list.
pub(super) fn parse_list<T: DeserializeOwned>(payload: &PayloadBuf) -> Result<T, serde_json::Error> {
    list(payload.as_payload())
}

fn list<T: DeserializeOwned>(payload: Payload<'_>) -> Result<T, serde_json::Error> {
    let json = payload.transcode(Serializer::Json);
    serde_json::from_slice(&[b"[", json.as_payload().arguments(), b"]"].concat())
}

/// The keyword arguments alone.
pub(super) fn parse_keywords<T: DeserializeOwned>(payload: &PayloadBuf) -> Result<T, serde_json::Error> {
    let json = payload.transcode(Serializer::Json);
    serde_json::from_slice(json.as_payload().keywords().unwrap_or(b"{}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    fn sent(arguments: &Arguments) -> PayloadBuf {
        arguments.payload().unwrap().to_buf()
    }

    #[test]
    fn lists_are_the_arguments_and_all_else_is_one() {
        for (arguments, count) in [
            (Arguments::of(&()), 0),
            (Arguments::of("text"), 1),
            (Arguments::of(&(1, "two")), 2),
            (Arguments::of(&[1, 2, 3]), 3),
            (Arguments::of(&([1, 2],)), 1),
            (Arguments::of(&json!({"a": 1})), 1),
        ] {
            assert_eq!(sent(&arguments).as_payload().count(), count, "{arguments:?}");
        }
        let unfit = BTreeMap::from([(vec![1], 1)]);
        assert!(Arguments::of(&unfit).payload().is_err());
        let mut keywords = Arguments::of(&());
        keywords.keywords(&[1]);
        assert_eq!(keywords.payload().unwrap_err(), "keyword arguments are a map or a struct");
    }

    #[test]
    fn what_comes_fits_its_own_type_or_a_list() {
        let one = sent(&Arguments::of(&(7,)));
        assert_eq!(parse::<i64>(&one).unwrap(), 7);
        assert_eq!(parse::<(i64,)>(&one).unwrap(), (7,));
        assert_eq!(parse::<Vec<i64>>(&one).unwrap(), [7]);
        let list = sent(&Arguments::of(&([1, 2],)));
        assert_eq!(parse::<Vec<i64>>(&list).unwrap(), [1, 2]);
        let two = sent(&Arguments::of(&(1, "two")));
        assert_eq!(parse::<(i64, String)>(&two).unwrap(), (1, "two".to_owned()));
        assert_eq!(parse::<Value>(&two).unwrap(), json!([1, "two"]));
        let none = sent(&Arguments::of(&()));
        parse::<()>(&none).unwrap();
        assert_eq!(parse::<Vec<i64>>(&none).unwrap(), [0; 0]);
        let mut both = Arguments::of(&(1,));
        both.keywords(&json!({"k": true}));
        let both = sent(&both);
        assert_eq!(parse::<Value>(&both).unwrap(), json!({"args": [1], "kwargs": {"k": true}}));
        assert_eq!(parse_keywords::<Value>(&both).unwrap(), json!({"k": true}));
        assert!(parse::<bool>(&two).is_err());
    }
}
