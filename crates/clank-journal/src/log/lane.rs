//! What is delivered in order.

use clank_core::event::{Event, Identity};
use clank_core::id::ConnectionId;

/// The lane of a record: one for each identity, else one for each connection; 0 for all others.
///
/// Lanes are kept with the records, so the function must not change. Two that fall together wait for
/// each other, and nothing else comes of it.
pub(crate) fn of(record: &Event) -> u64 {
    match (record.identity(), record.connection()) {
        (Some(identity), _) => of_identity(identity),
        (None, Some(connection)) => of_connection(connection.connection_id),
        (None, None) => 0,
    }
}

fn of_identity(identity: &Identity) -> u64 {
    hash(identity.id.as_bytes())
}

fn of_connection(id: ConnectionId) -> u64 {
    hash(&id.to_bytes())
}

/// FNV-1a (Fowler, Noll, Vo), and never 0.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_stay_what_they_were() {
        assert_eq!(of_identity(&Identity::new("a")), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(of_identity(&Identity::new("")), 0xcbf2_9ce4_8422_2325);
        let ids = [1, 2].map(|byte| ConnectionId::new(1, &[byte; 10]));
        assert_ne!(of_connection(ids[0]), of_connection(ids[1]));
    }
}
