//! Records for tests.

use clank_core::event::EventKind;
use clank_core::id::{ConnectionId, EventId, RunId};
use clank_core::journal::Position;

use crate::source::Entry;

pub(crate) fn connection(number: u64) -> ConnectionId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    ConnectionId::new(1_700_000_000_000, &random)
}

/// An event at a position, of a connection on the path `/<lane>`.
pub(crate) fn entry(position: u64, kind: EventKind, number: u64, lane: u64) -> Entry {
    let connection = connection(number);
    let id = match kind {
        EventKind::Connected => EventId::Open(connection),
        EventKind::Disconnected => EventId::Close(connection),
        EventKind::Rejected => EventId::Rejected(connection),
        EventKind::Launched => EventId::Launched(RunId::new(1, &[1; 10])),
        _ => EventId::Within(connection, position + 2),
    };
    let time = format!("2025-01-01T00:00:00.{:06}Z", position % 1_000_000);
    let json = format!(
        r#"{{"id":"{id}","type":"{kind}","time":"{time}","node":"n","run":"{connection}","connection_id":"{connection}","path":"/{lane}"}}"#
    );
    let of_connection = !matches!(kind, EventKind::Rejected | EventKind::Launched);
    Entry {
        position: Position::new(position),
        kind,
        connection: of_connection.then_some(connection),
        lane: if of_connection { lane } else { 0 },
        json: json.into(),
    }
}
