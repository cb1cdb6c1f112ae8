//! What a request is answered.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::problem::{PROBLEM_JSON, Problem, ProblemKind};

/// Says that an answer is that of an earlier request with the same key.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// What a request, or one command of a batch, is answered.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub status: StatusCode,
    pub body: Box<RawValue>,
    headers: Vec<(&'static str, String)>,
    media_type: &'static str,
}

impl Answer {
    pub(super) fn ok(body: Box<RawValue>) -> Self {
        Self { status: StatusCode::OK, body, headers: Vec::new(), media_type: "application/json" }
    }

    /// The response; `is_replayed` if it is given another time.
    pub(super) fn into_response(self, is_replayed: bool) -> Response<Full<Bytes>> {
        let text: Box<str> = self.body.into();
        let mut response = Response::new(Full::new(Bytes::from(text.into_string())));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if is_replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        Self {
            status: problem.status(),
            body: problem.to_json(),
            headers: problem.headers().to_vec(),
            media_type: PROBLEM_JSON,
        }
    }
}

impl From<Result<Box<RawValue>, Problem>> for Answer {
    fn from(result: Result<Box<RawValue>, Problem>) -> Self {
        result.map_or_else(Self::from, Self::ok)
    }
}

/// `value` as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<Box<RawValue>, Problem> {
    to_raw_value(value).map_err(|error| Problem::new(ProblemKind::InternalError, error.to_string()))
}

/// A document that is not the answer to a command or a query.
pub(super) fn document(media_type: &'static str, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let text: Bytes = text.into();
    let length = text.len().into();
    let mut response = Response::new(Full::new(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}
