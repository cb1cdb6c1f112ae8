//! Numbers for who watches the server, as Prometheus reads them.

use std::fmt::{Display, Write as _};

use clank::Handle;
use clank_core::event::EventKind;
use clank_journal::delivery::{BreakerState, SinkStatus};
use clank_journal::log::Metrics;
use clank_journal::source::Source as _;

use crate::events::Access;

/// The format: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All numbers at this moment.
pub(super) async fn page(clank: &Handle, journal: Option<&Access>) -> String {
    let mut page = Page::default();
    let tables = clank.tables();
    page.gauge("clank_connections", "Open connections.", tables.open);
    page.gauge("clank_handshakes", "Sockets whose handshake is unfinished.", tables.handshakes);
    page.gauge("clank_topics", "Topics that have subscribers.", tables.topics);
    page.gauge("clank_unsent_bytes", "Bytes that wait for clients that read too slowly.", tables.waiting);
    if let Some(Access { log, dispatcher }) = journal {
        let (end, dropped) = (log.end().borrow().value(), log.dropped().value());
        page.gauge("clank_journal_end", "The position of the last record.", end);
        page.gauge("clank_journal_dropped", "The last position that has been dropped.", dropped);
        written(&mut page, &log.metrics());
        held(&mut page, &log.metrics());
        sinks(&mut page, &dispatcher.status().await);
    }
    page.0
}

fn written(page: &mut Page, metrics: &Metrics) {
    let name = "clank_journal_commit_seconds";
    page.head(name, "summary", "How long batches took to be written and synced.");
    page.line(&format!("{name}_sum"), "", metrics.commit_time.as_secs_f64());
    page.line(&format!("{name}_count"), "", metrics.commits);
    let longest = metrics.commit_longest.as_secs_f64();
    page.gauge("clank_journal_commit_longest_seconds", "How long the slowest of them took.", longest);
    page.counter("clank_journal_written_bytes_total", "Bytes that were written.", metrics.bytes);
    page.head("clank_journal_records_total", "counter", "Records that were kept.");
    for (kind, count) in EventKind::ALL.into_iter().zip(metrics.records) {
        page.line("clank_journal_records_total", &label("type", kind.name()), count);
    }
    let shed = "Records of minor kinds that were not kept: there were too many of them.";
    page.counter("clank_journal_shed_total", shed, metrics.shed);
    page.counter(
        "clank_journal_refused_total",
        "Records that were refused for want of room.",
        metrics.refused,
    );
    page.counter("clank_journal_conflicts_total", "Records that contradicted the ledger.", metrics.conflicts);
    let failures = "Writes and syncs that the disk failed, other than for want of room.";
    page.counter("clank_journal_failures_total", failures, metrics.failures);
    let evicted = "Segments that were dropped although somebody needed them.";
    page.counter("clank_journal_evicted_segments_total", evicted, metrics.evicted);
}

fn held(page: &mut Page, metrics: &Metrics) {
    let waiting = "Ends of connections that wait until they can be written.";
    page.gauge("clank_journal_waiting_ends", waiting, metrics.waiting);
    page.gauge("clank_journal_open_connections", "Connections that are open by the record.", metrics.open);
    page.gauge("clank_journal_used_bytes", "Bytes on the disk.", metrics.used);
    let reserved = "Bytes that are kept free for the ends of the open connections.";
    page.gauge("clank_journal_reserved_bytes", reserved, metrics.reserved);
    page.gauge("clank_journal_free_bytes", "Bytes beside both until journal.max_bytes.", metrics.free);
}

fn sinks(page: &mut Page, all: &[SinkStatus]) {
    type Number = fn(&SinkStatus) -> f64;
    #[expect(clippy::cast_precision_loss, reason = "the format has no other numbers")]
    const FAMILIES: [(&str, &str, &str, Number); 14] = [
        ("configured", "gauge", "1: it is served; 0: it is not, and pins the journal.", |sink| {
            f64::from(u8::from(sink.configured))
        }),
        ("up", "gauge", "0: it is down, and events wait for it.", |sink| {
            f64::from(u8::from(sink.breaker == BreakerState::Closed))
        }),
        ("cursor", "gauge", "All events up to this position are settled.", |sink| sink.cursor.value() as f64),
        ("lag_events", "gauge", "Records that are not settled.", |sink| sink.lag_events as f64),
        ("lag_seconds", "gauge", "How long ago the oldest of them in memory happened.", |sink| {
            sink.lag.as_secs_f64()
        }),
        ("in_flight", "gauge", "Events that are under way.", |sink| sink.in_flight as f64),
        ("retrying", "gauge", "Events that wait for another try.", |sink| sink.retrying as f64),
        ("tries", "gauge", "The most tries that an event in memory has used up.", |sink| sink.tries.into()),
        ("dead_letters", "gauge", "Dead letters.", |sink| sink.dead_letters as f64),
        ("dead_letter_bytes", "gauge", "About how many bytes they have.", |sink| {
            sink.dead_letter_bytes as f64
        }),
        ("acked_total", "counter", "Events that were taken.", |sink| sink.acked as f64),
        ("redelivered_total", "counter", "Of these, events that had been offered before.", |sink| {
            sink.redelivered as f64
        }),
        ("evicted_total", "counter", "Events that were lost behind a gap.", |sink| sink.evicted as f64),
        ("poisoned_total", "counter", "Events that became dead letters.", |sink| sink.poisoned as f64),
    ];
    for (name, kind, help, number) in FAMILIES {
        let name = format!("clank_sink_{name}");
        page.head(&name, kind, help);
        for sink in all {
            page.line(&name, &label("sink", sink.sink.as_str()), number(sink));
        }
    }
}

/// Names of sinks and events have no character that would have to be escaped.
fn label(name: &str, value: &str) -> String {
    format!("{{{name}=\"{value}\"}}")
}

/// The text so far.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // writing to a string can't fail
        _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, label: &str, value: impl Display) {
        _ = writeln!(self.0, "{name}{label} {value}");
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "gauge", help);
        self.line(name, "", value);
    }

    fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, "counter", help);
        self.line(name, "", value);
    }
}
