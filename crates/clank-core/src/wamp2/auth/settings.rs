//! What can be configured of a realm's authentication.

use super::{Decoy, Method};
use crate::limits::{MINUTE, Period, SECOND};

/// How the clients of a realm prove who they are.
#[derive(Debug, Clone)]
pub struct Settings {
    methods: Vec<Method>,
    /// The role of clients who prove nothing. Default: `anonymous`.
    pub anonymous_role: Box<str>,
    /// Time from CHALLENGE to AUTHENTICATE. Default: 10 seconds.
    pub timeout: Period<100, { 5 * MINUTE }>,
    /// What is made up for users who don't exist.
    pub decoy: Decoy,
}

impl Settings {
    /// A realm that takes these methods.
    pub fn new(methods: impl IntoIterator<Item = Method>, decoy: Decoy) -> Self {
        Settings {
            methods: methods.into_iter().collect(),
            anonymous_role: "anonymous".into(),
            timeout: Period::of(10 * SECOND),
            decoy,
        }
    }

    /// Whether the realm takes the method.
    pub fn takes(&self, method: Method) -> bool {
        self.methods.contains(&method)
    }
}
