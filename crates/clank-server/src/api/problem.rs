//! What is wrong with a request, as RFC 9457 has it.

use std::fmt;

use http::StatusCode;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

/// The media type of a problem.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Declares the kinds of problems: name in the type's URI, status, title.
macro_rules! kinds {
    ($($name:ident $label:literal $status:ident $title:literal)+) => {
        /// A kind of problem, which programs know by its type.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ProblemKind {
            $(#[doc = $title] $name,)+
        }

        impl ProblemKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its URI, relative to the API; the same for ever.
            pub const fn uri(self) -> &'static str {
                match self { $(Self::$name => concat!("/problems/", $label),)+ }
            }

            /// The same in words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)+ }
            }

            /// The status of the response, unless the problem brings its own.
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$name => StatusCode::$status,)+ }
            }
        }
    };
}

kinds! {
    BadRequest "bad-request" BAD_REQUEST "The request line or a header can't be understood."
    MalformedJson "malformed-json" BAD_REQUEST "The body is not JSON."
    Unauthorized "unauthorized" UNAUTHORIZED "A valid token is needed."
    NotFound "not-found" NOT_FOUND "There is nothing at this path."
    ConnectionNotFound "connection-not-found" NOT_FOUND "There is no such open connection."
    NoJournal "no-journal" NOT_FOUND "The server keeps no journal."
    SinkNotFound "sink-not-found" NOT_FOUND "There is no such sink."
    DeadLetterNotFound "dead-letter-not-found" NOT_FOUND "The sink has no such dead letter."
    EventNotFound "event-not-found" NOT_FOUND "The journal has no such event."
    MethodNotAllowed "method-not-allowed" METHOD_NOT_ALLOWED "This path does not know the method."
    RequestTimeout "request-timeout" REQUEST_TIMEOUT "The body took too long to come."
    KeyInUse "key-in-use" CONFLICT "The first request with this idempotency key is still under way."
    SinkConfigured "sink-configured" CONFLICT "The sink is configured."
    SinkNotConfigured "sink-not-configured" CONFLICT "The sink is not configured."
    ReplayUnderWay "replay-under-way" CONFLICT "A replay to this sink is under way."
    BodyTooLarge "body-too-large" PAYLOAD_TOO_LARGE "The body is longer than the API takes."
    UnsupportedMediaType "unsupported-media-type" UNSUPPORTED_MEDIA_TYPE "The body has to be JSON, and to say so."
    InvalidRequest "invalid-request" UNPROCESSABLE_ENTITY "The body is JSON, but not what is expected here."
    KeyReused "key-reused" UNPROCESSABLE_ENTITY "The idempotency key came with another request before."
    TooManyRequests "too-many-requests" TOO_MANY_REQUESTS "Too many requests are under way."
    ProcedureFailed "procedure-failed" INTERNAL_SERVER_ERROR "The procedure answered with an error."
    InternalError "internal-error" INTERNAL_SERVER_ERROR "The server has made a mistake."
    JournalFailed "journal-failed" INTERNAL_SERVER_ERROR "The journal, or the state of its sinks, can't be read or written."
    TooManyConnections "too-many-connections" SERVICE_UNAVAILABLE "The API has as many connections as it may."
    CallTimeout "call-timeout" GATEWAY_TIMEOUT "The procedure did not answer in time."
    OutOfTime "out-of-time" GATEWAY_TIMEOUT "The time for the batch was over before this command's turn."
}

/// What is wrong with one request.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    kind: ProblemKind,
    status: StatusCode,
    detail: String,
    members: Map<String, Value>,
    headers: Vec<(&'static str, String)>,
}

impl Problem {
    /// A problem; `detail` says in words what is wrong with this request, and what to do.
    pub(super) fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        let (members, headers) = (Map::new(), Vec::new());
        Self { kind, status: kind.status(), detail: detail.into(), members, headers }
    }

    /// A body that is JSON, but not what is expected.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::InvalidRequest, detail)
    }

    #[must_use]
    pub(super) fn status_of(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Adds a member for programs.
    #[must_use]
    pub(super) fn member(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a header to the response.
    #[must_use]
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    /// Its JSON.
    pub(super) fn to_json(&self) -> Box<RawValue> {
        #[derive(Serialize)]
        struct Json<'a> {
            r#type: &'static str,
            title: &'static str,
            status: u16,
            detail: &'a str,
            #[serde(flatten)]
            members: &'a Map<String, Value>,
        }
        let Self { kind, status, detail, members, .. } = self;
        let (r#type, title, status) = (kind.uri(), kind.title(), status.as_u16());
        to_raw_value(&Json { r#type, title, status, detail, members })
            .unwrap_or_else(|_| unreachable!("texts and values are JSON"))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}
