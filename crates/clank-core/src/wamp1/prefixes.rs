//! The prefixes that a client has defined, and the CURIEs that use them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{Fault, Options};

/// A session's prefixes. Bounded in number and bytes.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    uris: BTreeMap<Box<str>, Box<str>>,
    bytes: usize,
}

impl Prefixes {
    /// Defines a prefix, or defines it anew.
    pub(super) fn define(&mut self, prefix: &str, uri: &str, options: &Options) -> Result<(), Fault> {
        let before = self.uris.get(prefix).map(|uri| prefix.len() + uri.len());
        if before.is_none() && self.uris.len() >= options.max_prefixes {
            return Err(Fault::TooManyPrefixes { max: options.max_prefixes });
        }
        let bytes = self.bytes - before.unwrap_or(0) + prefix.len() + uri.len();
        if bytes > options.max_prefix_bytes {
            return Err(Fault::PrefixesTooLong { bytes, max_bytes: options.max_prefix_bytes });
        }
        self.uris.insert(prefix.into(), uri.into());
        self.bytes = bytes;
        Ok(())
    }

    /// The full URI. A CURIE `p:x` becomes what `p` stands for, with `x` appended.
    ///
    /// Left as they are: a text without a colon (also one that equals a prefix), one whose prefix
    /// is not defined, such as `urn:x`, and one whose colon is followed by `//`, such as
    /// `http://example.com/`, even if somebody defines the prefix `http`.
    pub(super) fn resolve<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        let resolved = text
            .split_once(':')
            .filter(|(_, rest)| !rest.starts_with("//"))
            .and_then(|(prefix, rest)| self.uris.get(prefix).map(|uri| format!("{uri}{rest}")));
        resolved.map_or(text, Cow::Owned)
    }

    pub(super) fn count(&self) -> usize {
        self.uris.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
