//! Records as CloudEvents 1.0, in the three forms that its HTTP binding has.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::config::WebhookMode;

/// One record to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing<'a> {
    /// The record, as the journal has it.
    pub json: &'a str,
    pub marks: Marks,
}

/// What is said of the delivery, beside the record: extension attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Marks {
    /// It may have been delivered before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub redelivered: bool,
    /// It is sent once more at the operator's request, under this name.
    #[serde(rename = "replayid", skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
    /// An event before it on the same connection has been given up.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gap: bool,
    /// It tells of a connection that was open before the sink was.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub snapshot: bool,
}

/// What a CloudEvent says of a record, beside the record.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: &'a str,
    source: String,
    #[serde(rename = "type")]
    kind: &'a str,
    time: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    datacontenttype: &'static str,
    #[serde(flatten)]
    marks: Marks,
    data: &'a RawValue,
}

/// What is read of a record.
#[derive(Deserialize)]
struct Head<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    time: &'a str,
    node: &'a str,
    connection_id: Option<&'a str>,
}

impl<'a> Outgoing<'a> {
    fn event(&self) -> serde_json::Result<CloudEvent<'a>> {
        let head: Head<'a> = serde_json::from_str(self.json)?;
        Ok(CloudEvent {
            specversion: "1.0",
            id: head.id,
            source: format!("/clank/{}", head.node),
            kind: head.kind,
            time: head.time,
            subject: head.connection_id,
            datacontenttype: "application/json",
            marks: self.marks.clone(),
            data: serde_json::from_str(self.json)?,
        })
    }
}

/// Headers and body of the request that carries `events`: one, or in the batch mode any number.
///
/// # Errors
/// When a record is none.
pub(crate) fn request(mode: WebhookMode, events: &[Outgoing<'_>]) -> serde_json::Result<(HeaderMap, Bytes)> {
    let mut headers = HeaderMap::new();
    let content_type = |text| HeaderValue::from_static(text);
    let body = match (mode, events) {
        (WebhookMode::Structured, [event]) => {
            headers.insert(header::CONTENT_TYPE, content_type("application/cloudevents+json; charset=utf-8"));
            serde_json::to_vec(&event.event()?)?.into()
        }
        (WebhookMode::Binary, [event]) => {
            headers.insert(header::CONTENT_TYPE, content_type("application/json"));
            attributes(&event.event()?, &mut headers);
            Bytes::copy_from_slice(event.json.as_bytes())
        }
        _ => {
            headers.insert(
                header::CONTENT_TYPE,
                content_type("application/cloudevents-batch+json; charset=utf-8"),
            );
            let events = events.iter().map(Outgoing::event).collect::<serde_json::Result<Vec<_>>>()?;
            serde_json::to_vec(&events)?.into()
        }
    };
    Ok((headers, body))
}

/// The attributes as headers (HTTP protocol binding, 3.1.3): `ce-id` and the like.
fn attributes(event: &CloudEvent<'_>, headers: &mut HeaderMap) {
    let CloudEvent { specversion, id, source, kind, time, subject, marks, .. } = event;
    let is = |set: bool| set.then(|| "true".to_owned());
    for (name, value) in [
        ("ce-specversion", Some((*specversion).to_owned())),
        ("ce-id", Some((*id).to_owned())),
        ("ce-source", Some(source.clone())),
        ("ce-type", Some((*kind).to_owned())),
        ("ce-time", Some((*time).to_owned())),
        ("ce-subject", subject.map(str::to_owned)),
        ("ce-redelivered", is(marks.redelivered)),
        ("ce-replayid", marks.replay.clone()),
        ("ce-gap", is(marks.gap)),
        ("ce-snapshot", is(marks.snapshot)),
    ] {
        // Names of nodes, ids and times are ASCII.
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    const RECORD: &str = r#"{"id":"018b.close","type":"clank.client.disconnected","time":"2025-11-27T09:30:00.000000Z","node":"eu-1","run":"r","connection_id":"018b","reason":"\"bye\" é"}"#;

    fn one() -> Outgoing<'static> {
        Outgoing { json: RECORD, marks: Marks::default() }
    }

    #[test]
    fn a_structured_event_holds_the_record_to_the_letter() {
        let marked = Outgoing { marks: Marks { redelivered: true, ..Marks::default() }, ..one() };
        let (headers, body) = request(WebhookMode::Structured, &[marked]).unwrap();
        assert_eq!(headers[header::CONTENT_TYPE], "application/cloudevents+json; charset=utf-8");
        let text = std::str::from_utf8(&body).unwrap();
        assert!(text.ends_with(&format!(r#""redelivered":true,"data":{RECORD}}}"#)), "{text}");
        let event: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            (&event["specversion"], &event["id"], &event["source"], &event["type"], &event["subject"]),
            (
                &json!("1.0"),
                &json!("018b.close"),
                &json!("/clank/eu-1"),
                &json!("clank.client.disconnected"),
                &json!("018b")
            )
        );
    }

    #[test]
    fn a_binary_event_is_the_record_with_headers() {
        let marks = Marks { replay: Some("r1".into()), gap: true, ..Marks::default() };
        let (headers, body) = request(WebhookMode::Binary, &[Outgoing { marks, ..one() }]).unwrap();
        assert_eq!(body, RECORD);
        let found: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        assert_eq!(
            found,
            [
                "content-type: application/json",
                "ce-specversion: 1.0",
                "ce-id: 018b.close",
                "ce-source: /clank/eu-1",
                "ce-type: clank.client.disconnected",
                "ce-time: 2025-11-27T09:30:00.000000Z",
                "ce-subject: 018b",
                "ce-replayid: r1",
                "ce-gap: true",
            ]
        );
    }

    #[test]
    fn a_batch_is_a_list_also_of_one() {
        for count in [1, 3] {
            let (headers, body) = request(WebhookMode::Batch, &vec![one(); count]).unwrap();
            assert_eq!(headers[header::CONTENT_TYPE], "application/cloudevents-batch+json; charset=utf-8");
            assert_eq!(serde_json::from_slice::<Vec<Value>>(&body).unwrap().len(), count);
        }
        assert!(request(WebhookMode::Batch, &[Outgoing { json: "{}", marks: Marks::default() }]).is_err());
    }
}
