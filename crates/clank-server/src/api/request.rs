//! What a request says: the parts of its path, its query, its body.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, EXPECT};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use percent_encoding::percent_decode_str;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::time::{Instant, timeout_at};

use super::problem::{Problem, ProblemKind};

/// Things in a page, unless the request says how many.
const PAGE: usize = 100;
/// Things in the longest page.
const LONGEST_PAGE: usize = 1_000;

/// The parts of a path that a route leaves open, decoded, in their order.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parts(Vec<String>);

impl Parts {
    /// The parts of `path` that `template` has in braces; `None` if it is another path.
    pub(super) fn of(path: &str, template: &str) -> Option<Result<Self, Problem>> {
        let (mut written, mut expected) = (path.split('/'), template.split('/'));
        let mut open = Vec::new();
        loop {
            match (written.next(), expected.next()) {
                (None, None) => break,
                (Some(part), Some(expected)) if expected.starts_with('{') && !part.is_empty() => {
                    open.push(part);
                }
                (Some(part), Some(expected)) if part == expected => {}
                _ => return None,
            }
        }
        let decoded: Result<_, _> = open.into_iter().map(decode).collect();
        Some(decoded.map(Self))
    }

    /// The only open part.
    pub(super) fn only(&self) -> &str {
        self.0.first().map_or("", String::as_str)
    }
}

fn decode(part: &str) -> Result<String, Problem> {
    let decoded = percent_decode_str(part).decode_utf8().map(Cow::into_owned);
    decoded.map_err(|_| Problem::new(ProblemKind::BadRequest, "the URL is not percent-encoded UTF-8"))
}

/// The parameters of a query.
#[derive(Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads `a=1&b=2`, of parameters that the route knows.
    pub(super) fn parse(query: &str, known: &[&str]) -> Result<Self, Problem> {
        let mut parameters: Vec<(String, String)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(&name.replace('+', " "))?, decode(&value.replace('+', " "))?);
            let wrong = |detail: String| Err(Problem::new(ProblemKind::BadRequest, detail));
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return wrong(format!("there is no parameter {name:?} here; known: {known}"));
            }
            if parameters.iter().any(|(other, _)| *other == name) {
                return wrong(format!("the parameter {name:?} is given twice"));
            }
            parameters.push((name, value));
        }
        Ok(Self(parameters))
    }

    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that is a number.
    pub(super) fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, Problem> {
        let Some(text) = self.find(name) else { return Ok(None) };
        let wrong =
            |_| Problem::new(ProblemKind::BadRequest, format!("{name}: {text:?} is no number that fits"));
        text.parse().map(Some).map_err(wrong)
    }

    /// How many things the page may have.
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        match self.number("limit")? {
            None => Ok(PAGE),
            Some(limit @ 1..=LONGEST_PAGE) => Ok(limit),
            Some(_) => Err(Problem::new(ProblemKind::BadRequest, format!("limit: 1 to {LONGEST_PAGE}"))),
        }
    }
}

/// Reads JSON that the application sent.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        // Of what is no JSON, and of JSON of another shape, the parser says the same.
        let is_json = serde_json::from_slice::<IgnoredAny>(body).is_ok();
        let kind = if is_json { ProblemKind::InvalidRequest } else { ProblemKind::MalformedJson };
        Problem::new(kind, error.to_string())
    })
}

/// Refuses a body that does not say that it is JSON.
pub(super) fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (essence, parameters) = media_type.split_once(';').unwrap_or((media_type, ""));
    let is_utf8 = |parameter: &str| {
        let charset =
            parameter.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
        charset.is_none_or(|(_, value)| value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"))
    };
    if essence.trim().eq_ignore_ascii_case("application/json") && parameters.split(';').all(is_utf8) {
        return Ok(());
    }
    let detail = "send the header `Content-Type: application/json`, and UTF-8";
    Err(Problem::new(ProblemKind::UnsupportedMediaType, detail).header("accept-post", "application/json"))
}

/// Reads a body, of at most `most` bytes, that is there by `deadline`.
pub(super) async fn read(body: &mut Incoming, most: usize, deadline: Instant) -> Result<Bytes, Problem> {
    let too_large =
        || Problem::new(ProblemKind::BodyTooLarge, format!("a body may have {most} bytes (api.body)"));
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let mut read = BytesMut::new();
    let all = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Problem::new(ProblemKind::BadRequest, error.to_string()))?;
            let Some(data) = frame.data_ref() else { continue };
            if read.len() + data.len() > most {
                return Err(too_large());
            }
            read.extend_from_slice(data);
        }
        Ok(())
    };
    let late = |_| Problem::new(ProblemKind::RequestTimeout, "the body did not come within api.timeout");
    timeout_at(deadline, all).await.map_err(late)??;
    Ok(read.freeze())
}

/// Passes over the rest of a body whose request is refused, within limits: a socket that is closed
/// with bytes unread may lose the response on its way.
pub(super) async fn discard(body: &mut Incoming, most: usize, deadline: Instant) {
    let mut passed = 0;
    let all = async {
        while let Some(Ok(frame)) = body.frame().await {
            passed += frame.data_ref().map_or(0, Bytes::len);
            if passed > most {
                return;
            }
        }
    };
    // Who is slower gets the response, or not.
    _ = timeout_at(deadline, all).await;
}

/// Whether the rest of a body is on its way, whatever becomes of its request. One that was announced
/// with `Expect: 100-continue` is not, until it is asked for.
pub(super) fn is_coming(headers: &HeaderMap, body: &Incoming) -> bool {
    !body.is_end_stream() && !headers.contains_key(EXPECT)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::HeaderValue;

    use super::*;

    #[test]
    fn open_parts_of_a_path_are_decoded() {
        let parts = |path, template| Parts::of(path, template).map(|parts| parts.map(|parts| parts.0));
        let of = |path, template| parts(path, template).unwrap().unwrap();
        assert_eq!(of("/v1/topics", "/v1/topics"), [""; 0]);
        assert_eq!(of("/v1/topics/acme%2Fa%20b/users", "/v1/topics/{topic}/users"), ["acme/a b"]);
        assert_eq!(of("/a/%C3%A9+", "/a/{b}"), ["é+"]);
        for other in ["/v1/topics/", "/v1/topics/a/b", "/v1", "/v1/topics//", "v1/topics/a", ""] {
            assert!(parts(other, "/v1/topics/{topic}").is_none(), "{other}");
        }
        assert!(parts("/a/%ff", "/a/{b}").unwrap().is_err());
    }

    #[test]
    fn a_query_has_known_parameters_once() {
        let query =
            Query::parse("limit=5&identity=a%26b+c&&cursor", &["limit", "identity", "cursor"]).unwrap();
        assert_eq!(
            (query.find("identity"), query.find("cursor"), query.find("path")),
            (Some("a&b c"), Some(""), None)
        );
        assert_eq!(query.limit().unwrap(), 5);
        assert_eq!(Query::default().limit().unwrap(), PAGE);
        for refused in ["limt=1", "limit=1&limit=1", "limit=%ff"] {
            assert!(Query::parse(refused, &["limit"]).is_err(), "{refused}");
        }
        for refused in ["limit=0", "limit=1001", "limit=-1", "limit=", "limit=1e2"] {
            assert!(Query::parse(refused, &["limit"]).unwrap().limit().is_err(), "{refused}");
        }
    }

    #[test]
    fn a_body_says_that_it_is_json() {
        let says = |media_type: &'static str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media_type))]);
            expect_json(&headers).is_ok()
        };
        for right in ["application/json", "Application/JSON; charset=\"UTF-8\"", "application/json;a=b"] {
            assert!(says(right), "{right}");
        }
        for wrong in ["", "text/plain", "application/jsonx", "application/json; charset=latin1"] {
            assert!(!says(wrong), "{wrong}");
        }
        assert!(expect_json(&HeaderMap::new()).is_err());
    }
}
