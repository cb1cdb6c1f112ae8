//! The handshake: a request's head either passes with what it must have, or gets a status and words.
//!
//! Input: lines of text; the first is `METHOD TARGET VERSION`, the others are headers.

use std::collections::HashSet;

use clank_wire::ws::handshake::{accept_key, check, is_upgrade};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version};

pub(crate) fn run(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n').map(|line| line.trim_ascii_end());
    let Some((method, uri, version)) = lines.next().and_then(request_line) else { return };
    let mut headers = HeaderMap::new();
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }

    match check(&method, &uri, version, &headers) {
        Ok(upgrade) => {
            assert!(is_upgrade(&headers));
            assert_eq!((&method, version), (&Method::GET, Version::HTTP_11));
            let key = headers["sec-websocket-key"].to_str().expect("checked");
            assert_eq!(upgrade.accept, accept_key(key));
            assert_eq!(headers["sec-websocket-version"], "13");
            assert!(!headers.contains_key("transfer-encoding"));
            let unique: HashSet<_> = upgrade.protocols.iter().collect();
            assert_eq!(unique.len(), upgrade.protocols.len());
            for protocol in &upgrade.protocols {
                assert!(!protocol.is_empty() && protocol.bytes().all(|byte| byte.is_ascii_graphic()));
                HeaderValue::from_str(protocol).expect("can be answered");
            }
        }
        Err(error) => {
            assert!(error.status().is_client_error() || error.status().is_server_error());
            assert!(!error.to_string().is_empty());
            assert!(error.headers().count() <= 3);
        }
    }
}

fn request_line(line: &[u8]) -> Option<(Method, Uri, Version)> {
    let mut words = line.split(|byte| *byte == b' ');
    let method = Method::from_bytes(words.next()?).ok()?;
    let uri = Uri::try_from(words.next()?).ok()?;
    let version = match words.next()? {
        b"HTTP/1.1" => Version::HTTP_11,
        b"HTTP/1.0" => Version::HTTP_10,
        _ => Version::HTTP_2,
    };
    Some((method, uri, version))
}
