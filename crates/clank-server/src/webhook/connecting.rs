//! Asking the application over HTTP whether a client may connect.

use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use clank::{Admission, ConnectRequest, Identity, NodeId, Timestamp, Transport};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::client::{Answer, BadUrl, Client};
use super::cloudevent::{Marks, Outgoing, request};
use super::signature::Signer;
use crate::config::{ConnectingSettings, OnUnavailable, WebhookMode};

/// Asks the application whether a client may connect.
pub(crate) struct Connecting {
    client: Client,
    signer: Signer,
    headers: Vec<String>,
    on_unavailable: OnUnavailable,
    node: NodeId,
}

/// What it is told: a record in all but name, for a question is not kept.
#[derive(Serialize)]
struct Question<'a> {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    time: Timestamp,
    node: &'a NodeId,
    connection_id: String,
    resource_id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transport: Option<Transport>,
    protocol: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    headers: Map<String, Value>,
}

/// What it may answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    #[serde(default)]
    identity: Option<Identity>,
    #[serde(default)]
    attributes: Map<String, Value>,
    #[serde(default)]
    reject: Option<Rejection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rejection {
    #[serde(default = "forbidden")]
    status: u16,
    #[serde(default)]
    reason: String,
}

const fn forbidden() -> u16 {
    403
}

impl Connecting {
    /// The one that the settings describe; `None` if they name no URL.
    pub(crate) fn new(settings: &ConnectingSettings, node: &NodeId) -> Result<Option<Arc<Self>>, BadUrl> {
        if settings.url.as_str().is_empty() {
            return Ok(None);
        }
        let client = Client::new(settings.url.as_str(), settings.allow_private, settings.timeout.duration())?;
        Ok(Some(Arc::new(Self {
            client,
            signer: Signer::new(&settings.secrets),
            headers: settings.headers.iter().map(|name| name.as_str().to_owned()).collect(),
            on_unavailable: settings.on_unavailable,
            node: node.clone(),
        })))
    }

    /// Asks. What can't be decided is decided by the settings.
    pub(crate) async fn ask(self: Arc<Self>, client: ConnectRequest) -> clank::Result<Admission> {
        let decided = match self.post(&client).await {
            Ok(answer) => decide(&answer),
            Err(why) => Err(why),
        };
        decided.or_else(|why| {
            tracing::error!(resource_id = client.resource_id(), why, "the application did not decide");
            match self.on_unavailable {
                OnUnavailable::Accept => Ok(Admission::accept()),
                OnUnavailable::Reject => {
                    Ok(Admission::reject(StatusCode::SERVICE_UNAVAILABLE, "the application can't be asked"))
                }
            }
        })
    }

    async fn post(&self, client: &ConnectRequest) -> Result<Answer, String> {
        let now = Timestamp::from(SystemTime::now());
        let question = Question {
            id: format!("{}.connecting", client.connection_id()),
            kind: clank_core::event::CONNECTING,
            time: now,
            node: &self.node,
            connection_id: client.connection_id().to_string(),
            resource_id: client.resource_id(),
            remote_address: client.remote_addr().map(|address| address.to_string()),
            transport: Some(client.transport()).filter(|known| *known != Transport::default()),
            protocol: client.protocol(),
            path: client.path(),
            query: client.query(),
            headers: self.chosen(client.headers()),
        };
        let json = serde_json::to_string(&question).map_err(|error| error.to_string())?;
        let outgoing = Outgoing { json: &json, marks: Marks::default() };
        let (mut headers, body): (_, Bytes) =
            request(WebhookMode::Structured, &[outgoing]).map_err(|error| error.to_string())?;
        self.signer.sign(&question.id, now, &body, &mut headers);
        self.client.post(headers, body).await.map_err(|error| error.to_string())
    }

    fn chosen(&self, headers: &HeaderMap) -> Map<String, Value> {
        let chosen = self.headers.iter().filter_map(|name| {
            let values: Vec<_> =
                headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
            // Cookies that came apart belong together with another sign (RFC 9113, 8.2.3).
            let between = if name == "cookie" { "; " } else { ", " };
            (!values.is_empty()).then(|| (name.clone(), values.join(between).into()))
        });
        chosen.collect()
    }
}

/// What an answer means. A client that may not connect is answered in either of two ways: by the
/// body, or by the status 401 or 403.
fn decide(answer: &Answer) -> Result<Admission, String> {
    let status = answer.status;
    if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
        return Ok(Admission::reject(status, reason(&answer.body)));
    }
    if !status.is_success() {
        return Err(format!("it answered {status}"));
    }
    if answer.body.trim_ascii().is_empty() {
        return Ok(Admission::accept());
    }
    let decision: Decision =
        serde_json::from_slice(&answer.body).map_err(|error| format!("it answered no decision: {error}"))?;
    if let Some(rejection) = decision.reject {
        let status = StatusCode::from_u16(rejection.status).ok().filter(|status| status.as_u16() >= 400);
        let status = status.ok_or_else(|| format!("it rejects with {}: 400 to 599", rejection.status))?;
        return Ok(Admission::reject(status, rejection.reason));
    }
    let mut admission = Admission::accept();
    if let Some(identity) = decision.identity {
        admission = admission.identified(identity);
    }
    for (name, value) in decision.attributes {
        admission = admission.attribute(name, &value).map_err(|error| error.to_string())?;
    }
    Ok(admission)
}

/// The reason that a refusal's body gives, if it is short and text.
fn reason(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Reason {
        reason: String,
    }
    match serde_json::from_slice(body) {
        Ok(Reason { reason }) => reason,
        Err(_) => "the application refused".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn answer(status: u16, body: &'static str) -> Answer {
        let status = StatusCode::from_u16(status).unwrap();
        Answer { status, headers: HeaderMap::new(), body: Bytes::from_static(body.as_bytes()) }
    }

    #[test]
    fn answers_are_decisions() {
        let cases = [
            (200, "", r#"Admission { identity: None, attributes: {}, refusal: None }"#),
            (204, "", r#"Admission { identity: None, attributes: {}, refusal: None }"#),
            (200, "{}", r#"Admission { identity: None, attributes: {}, refusal: None }"#),
            (
                200,
                r#"{"identity":{"id":"anna","attributes":{"role":"admin"}},"attributes":{"plan":"gold"}}"#,
                r#"Admission { identity: Some(Identity { id: "anna", attributes: {"role": String("admin")} }), attributes: {"plan": String("gold")}, refusal: None }"#,
            ),
            (
                200,
                r#"{"reject":{"status":402,"reason":"pay first"}}"#,
                r#"Admission { identity: None, attributes: {}, refusal: Some(Refusal { status: 402, reason: "pay first" }) }"#,
            ),
            (
                200,
                r#"{"reject":{}}"#,
                r#"Admission { identity: None, attributes: {}, refusal: Some(Refusal { status: 403, reason: "" }) }"#,
            ),
            (
                401,
                r#"{"reason":"log in first"}"#,
                r#"Admission { identity: None, attributes: {}, refusal: Some(Refusal { status: 401, reason: "log in first" }) }"#,
            ),
            (
                403,
                "<html>",
                r#"Admission { identity: None, attributes: {}, refusal: Some(Refusal { status: 403, reason: "the application refused" }) }"#,
            ),
        ];
        for (status, body, expected) in cases {
            assert_eq!(format!("{:?}", decide(&answer(status, body)).unwrap()), expected, "{status} {body}");
        }
    }

    #[test]
    fn what_is_no_decision_decides_nothing() {
        for (status, body) in [
            (500, ""),
            (302, ""),
            (404, "{}"),
            (200, "no"),
            (200, r#"{"acept":true}"#),
            (200, r#"{"reject":{"status":200}}"#),
            (200, r#"{"reject":{"status":1000}}"#),
            (200, r#"{"identity":"anna"}"#),
        ] {
            assert!(decide(&answer(status, body)).is_err(), "{status} {body}");
        }
    }
}
