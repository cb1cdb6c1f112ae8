use super::*;
use crate::scenario::Scenario;

fn found(name: &str, measure: Measure, round: u32, figures: Figures) -> Record {
    Record::Found { name: name.to_owned(), measure, round, figures }
}

/// A round of a second.
fn second(units: u64, server: f64, load: f64) -> Figures {
    Figures { units, seconds: 1.0, server, load, ..Figures::default() }
}

fn run(pinned: bool) -> Vec<Record> {
    let (clank, bun) = ("clank", "bun");
    let latency = Figures { latency: Some([1000.0, 2000.0, 30_000.0]), ..second(100, 0.1, 1.0) };
    let memory = Figures { bytes: Some(917.0), ..second(10_000, 0.1, 0.1) };
    let beside = |p99, left_out| Figures {
        latency: Some([50.0, p99, 900.0]),
        left_out: Some(left_out),
        memory: Some([26_000_000, 26_500_000]),
        ..second(100, 1.0, 1.0)
    };
    vec![
        Record::Run { machine: "2 processors".into(), command: "clank-bench run".into(), pinned },
        Record::Peer { name: clank.into(), version: "0.1.0".into() },
        Record::Peer { name: "clank-json".into(), version: "0.1.0".into() },
        Record::Missing { name: "nats".into() },
        found(clank, Measure::Burst, 1, second(1_000_000, 0.9, 0.5)),
        found(clank, Measure::Burst, 2, second(500_000, 0.5, 0.4)),
        found(clank, Measure::Burst, 3, second(1_200_000, 0.96, 0.5)),
        found(bun, Measure::Burst, 1, second(800_000, 0.7, 0.99)),
        found(clank, Measure::Latency, 1, latency),
        found(clank, Measure::Quiet, 1, beside(80.0, 0.01)),
        found(clank, Measure::Crowd, 1, beside(120.0, 0.02)),
        found(clank, Measure::Idle, 1, memory),
        found("clank-1", Measure::CoreCalls, 1, second(1_000_000, 1.0, 0.5)),
        found("clank-2", Measure::CoreCalls, 1, second(1_200_000, 1.25, 0.7)),
        Record::Failed { name: bun.into(), scenario: Scenario::Rpc, round: 1, error: "no".into() },
        Record::Failed { name: bun.into(), scenario: Scenario::Rpc, round: 2, error: "no".into() },
    ]
}

#[test]
fn rounds_in_which_the_server_waited_don_t_count() {
    let records = run(true);
    let text = Report::new(&records).markdown(None);
    for line in [
        "2 processors. The server has one processor, the load another. Clank 0.1.0.",
        "    clank-bench run",
        "| Thousands a second | fan-out, bursts of 16 |",
        "| Clank, WAMP v1 | 1,100 (1,000 to 1,200) |",
        "| Bun | 800*† |",
        "| Clank, WAMP v1 | 0.900 (0.800 to 1.00) |",
        "| Clank, WAMP v1 | 0.90, 0.50 |",
        "| Bun | 0.70, 0.99 |",
        "| Clank, WAMP v1 | 1.00 / 2.00 / 30.0 | 0.050 / 0.080 / 0.900 | 0.050 / 0.120 / 0.900 |",
        "| Clank, WAMP v1 | 1.50 | 1.00 | 1.00, 2.00 | 26.0, 26.5 |",
        "| Clank, WAMP v1 | 917 |",
        "| twice the processor time of one for each, over that of two | 1.92 |",
        "| rate of two over that of one, by the clock | 1.20 |",
        "| processor time of the server for each, µs | 1.00, 1.04 |",
        "| processors that the load took | 0.500, 0.700 |",
        "Not installed there: NATS.",
        "- Bun, Rpc: no",
    ] {
        assert_eq!(text.lines().filter(|found| *found == line).count(), 1, "{line} in {text}");
    }
    assert!(!text.contains("!["));
}

#[test]
fn without_a_processor_of_its_own_every_round_counts() {
    let records = run(false);
    let text = Report::new(&records).markdown(Some("plot.svg"));
    assert!(text.contains("| Clank, WAMP v1 | 1,000 (500 to 1,200) |"), "{text}");
    assert!(text.contains("| Bun | 800 |") && text.contains("(plot.svg)"), "{text}");
}

#[test]
fn the_plot_has_a_panel_for_each_rate() {
    let records = run(true);
    let svg = Report::new(&records).svg();
    assert_eq!(svg.matches("font-weight").count(), 1);
    assert!(svg.contains(">1,100</text>") && svg.contains(">800</text>"), "{svg}");
}
