//! What can be configured of WAMP v1.

use crate::topic::Uri;

/// What can be configured of WAMP v1: where implementations differ, and limits.
///
/// The defaults are Ratchet's where Ratchet has an opinion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whether a publisher that has subscribed to the topic receives its own event when PUBLISH
    /// says nothing about it. Default: true (autobahn-python: false).
    pub publisher_receives: bool,
    /// Whom an empty list of eligible sessions means. Default: everyone (autobahn-python: nobody).
    pub empty_eligible: EmptyEligible,
    /// What happens to a client that breaks the rules. Default: its connection is closed.
    pub on_malformed: OnMalformed,
    /// How long the URI of a topic or procedure may be, prefix resolved, in bytes. Default: 1,024.
    pub max_uri_bytes: usize,
    /// How long the id of a call may be, in bytes. Default: 256.
    pub max_call_id_bytes: usize,
    /// How many prefixes a session may define. Default: 100.
    pub max_prefixes: usize,
    /// How long all prefixes of a session and what they stand for may be, in bytes. Default:
    /// 16,384.
    pub max_prefix_bytes: usize,
    /// How many sessions a PUBLISH may exclude, and how many it may name as eligible. Default:
    /// 1,000 each.
    pub max_listed_sessions: usize,
}

/// Whom an empty list of eligible sessions means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyEligible {
    /// All subscribers, as if there were no list.
    Everyone,
    /// No subscriber.
    Nobody,
}

/// What happens to a client that breaks the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnMalformed {
    /// Its connection is closed, as Ratchet does since 0.3.2.
    Close,
    /// The application is told of the error; the message is ignored and the connection stays
    /// open, as with Ratchet 0.2.
    Report,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            publisher_receives: true,
            empty_eligible: EmptyEligible::Everyone,
            on_malformed: OnMalformed::Close,
            max_uri_bytes: Uri::DEFAULT_MAX_BYTES,
            max_call_id_bytes: 256,
            max_prefixes: 100,
            max_prefix_bytes: 16 * 1024,
            max_listed_sessions: 1000,
        }
    }
}
