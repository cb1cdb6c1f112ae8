//! The names of connections, events, nodes and runs.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// A text that is not the name it was read as.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}: {want}")]
pub struct InvalidId {
    what: &'static str,
    want: &'static str,
    text: Box<str>,
}

impl InvalidId {
    fn new(what: &'static str, want: &'static str, text: &str) -> Self {
        Self { what, want, text: text.into() }
    }
}

/// A connection's integer name, as listeners print it.
///
/// Unique on its node. It lies between 1 and 2^53 - 1, so that every JSON
/// reader can hold it exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId(NonZeroU64);

impl ResourceId {
    /// The first one.
    pub const FIRST: Self = Self(NonZeroU64::MIN);
    /// The greatest one.
    pub const MAX: u64 = (1 << 53) - 1;

    /// The name `id`, if it lies in the range.
    ///
    /// ```
    /// use clank_core::id::ResourceId;
    /// assert_eq!(ResourceId::new(7).map(|id| id.to_string()).as_deref(), Some("7"));
    /// assert_eq!(ResourceId::new(0), None);
    /// assert_eq!(ResourceId::new(1 << 53), None);
    /// ```
    pub const fn new(id: u64) -> Option<Self> {
        match NonZeroU64::new(id) {
            Some(id) if id.get() <= Self::MAX => Some(Self(id)),
            _ => None,
        }
    }

    /// The integer.
    pub const fn value(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for ResourceId {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(self.value())
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let id = u64::deserialize(from)?;
        Self::new(id)
            .ok_or_else(|| serde::de::Error::custom(format_args!("{id} is no resource id: 1 to 2^53 - 1")))
    }
}

/// Serialises a type by its `Display` and reads it by its `FromStr`.
macro_rules! as_text {
    ($($name:ident)+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

as_text! { ConnectionId RunId NodeId EventId }

/// Declares a name that is a UUID of version 7 (RFC 9562, 5.7).
macro_rules! uuid_v7 {
    ($(#[$meta:meta])* $name:ident, $what:literal) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// A new name, from the Unix time in milliseconds and random bytes.
            ///
            /// Six of the bits are overwritten by the version and the variant.
            pub fn new(unix_millis: u64, random: &[u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(unix_millis, random).into_uuid())
            }

            /// The name in the 16 bytes of RFC 9562.
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0.into_bytes()
            }

            /// The name in these bytes, if it is one of version 7.
            pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
                let uuid = Uuid::from_bytes(bytes);
                (uuid.get_version_num() == 7).then_some(Self(uuid))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = || InvalidId::new($what, "a UUID of version 7, in lower case with hyphens", text);
                let uuid = Uuid::try_parse(text).map_err(|_| invalid())?;
                let mut canonical = Uuid::encode_buffer();
                let is_canonical = uuid.hyphenated().encode_lower(&mut canonical) == text;
                if is_canonical && uuid.get_version_num() == 7 { Ok(Self(uuid)) } else { Err(invalid()) }
            }
        }
    };
}

uuid_v7! {
    /// A connection's name in the whole world.
    ///
    /// Text and bytes sort by the millisecond in which the connection came.
    ///
    /// ```
    /// use clank_core::id::ConnectionId;
    /// let id = ConnectionId::new(1_700_000_000_000, &[0xab; 10]);
    /// assert_eq!(id.to_string(), "018bcfe5-6800-7bab-abab-abababababab");
    /// assert_eq!("018bcfe5-6800-7bab-abab-abababababab".parse(), Ok(id));
    /// ```
    ConnectionId, "connection id"
}

uuid_v7! {
    /// One life of a process on a node.
    RunId, "run id"
}

/// A node's name: 1 to 64 of the characters `A-Z a-z 0-9 . _ -`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(Arc<str>);

impl NodeId {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for NodeId {
    /// The name of a node that was given none: `clank`.
    fn default() -> Self {
        Self("clank".into())
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for NodeId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if (1..=Self::MAX_BYTES).contains(&text.len()) && text.bytes().all(is_allowed) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId::new("node name", "1 to 64 of the characters A-Z a-z 0-9 . _ -", text))
        }
    }
}

/// An event's name: a function of what it tells of.
///
/// A second claim to have opened or closed a connection has the name of the
/// first, and so is seen to be a repetition.
///
/// ```
/// use clank_core::id::{ConnectionId, EventId};
/// let connection = ConnectionId::new(1_700_000_000_000, &[0xab; 10]);
/// let id = EventId::Close(connection);
/// assert_eq!(id.to_string(), "018bcfe5-6800-7bab-abab-abababababab.close");
/// assert_eq!(id.to_string().parse(), Ok(id));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EventId {
    /// `<connection>.open`: the one `connected`.
    Open(ConnectionId),
    /// `<connection>.<sequence>`: something between the two.
    Within(ConnectionId, u64),
    /// `<connection>.close`: the one `disconnected`.
    Close(ConnectionId),
    /// `<connection>.rejected`: the one `rejected`, where there was no `connected`.
    Rejected(ConnectionId),
    /// `<connection>.online`: the user of the connection came with it.
    Online(ConnectionId),
    /// `<connection>.offline`: the user of the connection went with it.
    Offline(ConnectionId),
    /// `<run>.launched`
    Launched(RunId),
    /// `<run>.stopping`
    Stopping(RunId),
    /// `<run>.gap-<position>`: events from that position on are lost to a sink.
    Gap(RunId, u64),
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(connection) => write!(f, "{connection}.open"),
            Self::Within(connection, sequence) => write!(f, "{connection}.{sequence}"),
            Self::Close(connection) => write!(f, "{connection}.close"),
            Self::Rejected(connection) => write!(f, "{connection}.rejected"),
            Self::Online(connection) => write!(f, "{connection}.online"),
            Self::Offline(connection) => write!(f, "{connection}.offline"),
            Self::Gap(run, from) => write!(f, "{run}.gap-{from}"),
            Self::Launched(run) => write!(f, "{run}.launched"),
            Self::Stopping(run) => write!(f, "{run}.stopping"),
        }
    }
}

impl FromStr for EventId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = || InvalidId::new("event id", "<connection>.open and the like", text);
        let (subject, suffix) = text.split_once('.').ok_or_else(invalid)?;
        match suffix {
            "open" => Ok(Self::Open(subject.parse()?)),
            "close" => Ok(Self::Close(subject.parse()?)),
            "rejected" => Ok(Self::Rejected(subject.parse()?)),
            "online" => Ok(Self::Online(subject.parse()?)),
            "offline" => Ok(Self::Offline(subject.parse()?)),
            "launched" => Ok(Self::Launched(subject.parse()?)),
            "stopping" => Ok(Self::Stopping(subject.parse()?)),
            gap if gap.starts_with("gap-") => {
                let from = gap.trim_start_matches("gap-").parse().map_err(|_| invalid())?;
                let id = Self::Gap(subject.parse()?, from);
                if id.to_string() == text { Ok(id) } else { Err(invalid()) }
            }
            digits => {
                let sequence: u64 = digits.parse().map_err(|_| invalid())?;
                let id = Self::Within(subject.parse()?, sequence);
                // "+2" and "02" would be second names for the same event
                if id.to_string() == text { Ok(id) } else { Err(invalid()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn connection() -> ConnectionId {
        ConnectionId::new(1_700_000_000_000, &[0x5a; 10])
    }

    #[test]
    fn resource_ids_stay_within_what_json_readers_hold() {
        assert_eq!(ResourceId::new(ResourceId::MAX).unwrap().value(), 9_007_199_254_740_991);
        assert_eq!(serde_json::from_str::<ResourceId>("12").unwrap().value(), 12);
        for refused in ["0", "9007199254740992", "-1", "1.5", "\"1\""] {
            assert!(serde_json::from_str::<ResourceId>(refused).is_err(), "{refused}");
        }
        assert_eq!(size_of::<Option<ResourceId>>(), 8);
    }

    #[test]
    fn connection_ids_sort_as_text_by_time() {
        let earlier = ConnectionId::new(1_700_000_000_000, &[0xff; 10]);
        let later = ConnectionId::new(1_700_000_000_001, &[0; 10]);
        assert!(earlier < later);
        assert!(earlier.to_string() < later.to_string());
    }

    #[test]
    fn a_connection_id_has_one_spelling() {
        let id = connection().to_string();
        for refused in [
            id.to_uppercase(),
            id.replace('-', ""),
            format!("{{{id}}}"),
            format!("urn:uuid:{id}"),
            "6ba7b810-9dad-11d1-80b4-00c04fd430c8".to_owned(),
            String::new(),
        ] {
            assert!(refused.parse::<ConnectionId>().is_err(), "{refused}");
        }
        assert_eq!(ConnectionId::from_bytes([0; 16]), None);
    }

    #[test]
    fn node_names_are_safe_in_urls_and_subjects() {
        assert_eq!("eu-1.example".parse::<NodeId>().unwrap().as_str(), "eu-1.example");
        for refused in ["", "a b", "a/b", "é", &"x".repeat(65)] {
            assert!(refused.parse::<NodeId>().is_err(), "{refused}");
        }
    }

    #[test]
    fn event_ids_have_one_spelling() {
        let connection = connection();
        let run = RunId::new(1_700_000_000_000, &[1; 10]);
        for id in [
            EventId::Open(connection),
            EventId::Within(connection, 2),
            EventId::Close(connection),
            EventId::Rejected(connection),
            EventId::Launched(run),
            EventId::Stopping(run),
        ] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for suffix in ["", "opened", "+2", "02", "-1", "2.open"] {
            assert!(format!("{connection}.{suffix}").parse::<EventId>().is_err(), "{suffix}");
        }
    }

    proptest! {
        #[test]
        fn uuids_are_read_back(millis in 0u64..1 << 48, random: [u8; 10]) {
            let id = ConnectionId::new(millis, &random);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(ConnectionId::from_bytes(id.to_bytes()), Some(id));
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in ".*") {
            let _ = text.parse::<EventId>();
            let _ = text.parse::<NodeId>();
        }
    }
}
