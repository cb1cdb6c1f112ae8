//! The heads of a request for a WebSocket, and of the response.

use std::mem::MaybeUninit;
use std::time::SystemTime;

use bytes::Bytes;
use clank_core::limits::Limits;
use clank_wire::ws::handshake;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header, request};
use http_body::Body as _;

use crate::runtime::respond::Body;

/// Headers of such a request: browsers send some fifteen.
const HEADERS: usize = 64;

/// The request for a WebSocket with which `said` begins, and its length. `None`: it begins with something
/// else, or with a part of one, or with one that the limits forbid.
pub(super) fn read(said: &Bytes, limits: &Limits) -> Option<(request::Parts, usize)> {
    let mut places = [MaybeUninit::uninit(); HEADERS];
    let mut head = httparse::Request::new(&mut []);
    let httparse::Status::Complete(length) = head.parse_with_uninit_headers(said, &mut places).ok()? else {
        return None;
    };
    let is_allowed = length <= limits.headers.bytes() && head.headers.len() <= limits.header_count.count();
    if !is_allowed || head.method != Some("GET") || head.version != Some(1) {
        return None;
    }
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    for field in head.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_maybe_shared(said.slice_ref(field.value)).ok()?);
    }
    let has_body =
        headers.contains_key(header::CONTENT_LENGTH) || headers.contains_key(header::TRANSFER_ENCODING);
    if has_body || !handshake::is_upgrade(&headers) {
        return None;
    }
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = Method::GET;
    parts.uri = Uri::from_maybe_shared(said.slice_ref(head.path?.as_bytes())).ok()?;
    parts.headers = headers;
    Some((parts, length))
}

/// The bytes of a response.
pub(super) fn write(response: Response<Body>) -> Vec<u8> {
    let (head, body) = response.into_parts();
    let mut out = Vec::with_capacity(256);
    let mut put = |parts: &[&[u8]]| parts.iter().for_each(|part| out.extend_from_slice(part));
    let reason = head.status.canonical_reason().unwrap_or_default();
    put(&[b"HTTP/1.1 ", head.status.as_str().as_bytes(), b" ", reason.as_bytes(), b"\r\n"]);
    for (name, value) in &head.headers {
        put(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"]);
    }
    if head.status != StatusCode::SWITCHING_PROTOCOLS {
        let length = body.size_hint().lower().to_string();
        put(&[b"content-length: ", length.as_bytes(), b"\r\n"]);
        let date = httpdate::fmt_http_date(SystemTime::now());
        put(&[b"date: ", date.as_bytes(), b"\r\n"]);
    }
    put(&[b"\r\n", &body.into_bytes()]);
    out
}
