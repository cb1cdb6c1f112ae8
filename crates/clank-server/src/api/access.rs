//! Who may use the API.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::ConstantTimeEq as _;

use super::problem::{Problem, ProblemKind};
use crate::config::{Token, Tokens};

/// Which of the tokens a request has shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Caller(usize);

/// Finds the token that a request shows, by RFC 6750, section 2.1.
pub(super) fn authorize(tokens: &Tokens, headers: &HeaderMap) -> Result<Caller, Problem> {
    let mut shown = headers.get_all(AUTHORIZATION).iter();
    let (Some(shown), None) = (shown.next(), shown.next()) else {
        return Err(refusal("send the header `Authorization: Bearer TOKEN`", "Bearer realm=\"clank\""));
    };
    bearer(shown.as_bytes()).and_then(|shown| find(tokens, shown)).ok_or_else(|| {
        let challenge = "Bearer realm=\"clank\", error=\"invalid_token\"";
        refusal("the token is none of those in api.tokens and api.token_file", challenge)
    })
}

fn refusal(detail: &str, challenge: &str) -> Problem {
    Problem::new(ProblemKind::Unauthorized, detail).header("www-authenticate", challenge)
}

/// The token of `Bearer TOKEN`.
fn bearer(credentials: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = credentials.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// Compares with every token, each in the time that its length takes: nobody learns from how long
/// it took how much of a token was right.
fn find(tokens: &Tokens, shown: &[u8]) -> Option<Caller> {
    let is = |token: &Token| bool::from(token.secret().as_bytes().ct_eq(shown));
    tokens
        .iter()
        .enumerate()
        .fold(None, |found, (number, token)| if is(token) { Some(Caller(number)) } else { found })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::HeaderValue;

    use super::*;

    fn judge(shown: &[&str]) -> Result<Caller, String> {
        let tokens = Tokens::of_lines("0123456789abcdef\nfedcba9876543210").unwrap();
        let mut headers = HeaderMap::new();
        for value in shown {
            headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
        }
        authorize(&tokens, &headers).map_err(|problem| problem.headers()[0].1.clone())
    }

    #[test]
    fn one_right_token_is_needed() {
        assert_eq!(judge(&["Bearer 0123456789abcdef"]), Ok(Caller(0)));
        assert_eq!(judge(&["bearer  fedcba9876543210 "]), Ok(Caller(1)));
        let challenge = Err("Bearer realm=\"clank\"".to_owned());
        assert_eq!(judge(&[]), challenge);
        assert_eq!(judge(&["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"]), challenge);
        let wrong = Err("Bearer realm=\"clank\", error=\"invalid_token\"".to_owned());
        for shown in
            ["", "Bearer", "Bearer ", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "Basic MDE6MDE="]
        {
            assert_eq!(judge(&[shown]), wrong, "{shown}");
        }
    }
}
