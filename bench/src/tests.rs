//! Small rounds of everything, against servers within this process.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clank::Tables;
use clank_wire::serializer::Serializer;

use crate::load::Target;
use crate::measure::{Figures, Kind, Measure};
use crate::process::Processes;
use crate::protocol::Protocol;
use crate::raw::{Mode, Raw};
use crate::scenario::{Calls, Job, Plan, Scenario};
use crate::{Result, serve};

const PLAN: Plan = Plan {
    connections: 20,
    subscribers: 200,
    crowd: 100,
    callers: 3,
    staying: 20,
    time: Duration::from_millis(100),
    pinned: false,
};

fn round(scenario: Scenario, address: SocketAddr, protocol: Protocol) -> Result<Vec<(Measure, Figures)>> {
    let deflate = scenario == Scenario::Deflate;
    let job = Job {
        target: Target { address, path: "/", protocol, deflate },
        server: Processes { root: std::process::id() },
        plan: PLAN,
        calls: Calls { served: true, routed: matches!(protocol, Protocol::Wamp2(_)) },
    };
    let mut found = Vec::new();
    scenario.run(&job, &mut found)?;
    Ok(found)
}

/// What is only counted has to be known to the byte, as it is of WAMP v1.
fn does(scenario: Scenario, protocol: Protocol) -> bool {
    scenario != Scenario::Cores || protocol == Protocol::Wamp1
}

fn is_sound(measure: Measure, figures: &Figures) -> bool {
    figures.seconds > 0.0
        && match measure.kind() {
            Kind::Rate | Kind::Workers => figures.units > 0,
            Kind::Latency => {
                figures.latency.is_some_and(|[p50, p99, p999]| 0.0 < p50 && p50 <= p99 && p99 <= p999)
                    && figures.memory.is_none_or(|[before, most]| 0 < before && before <= most)
                    && figures.memory.is_some() == (measure != Measure::Latency)
            }
            Kind::Memory => figures.bytes.is_some() && figures.units == 20,
        }
}

#[test]
fn clank_is_measured_in_every_scenario_and_protocol() {
    let (server, address) = serve::start(0, true, None).unwrap();
    let protocols =
        [Protocol::Wamp1, Protocol::Wamp2(Serializer::Json), Protocol::Wamp2(Serializer::MessagePack)];
    for protocol in protocols {
        let mut measured = Vec::new();
        for scenario in Scenario::ALL.into_iter().filter(|scenario| does(*scenario, protocol)) {
            let found = round(scenario, address, protocol);
            for (measure, figures) in
                found.unwrap_or_else(|error| panic!("{scenario:?}, {protocol:?}: {error}"))
            {
                assert!(is_sound(measure, &figures), "{measure:?}, {protocol:?}: {figures:?}");
                measured.push(measure);
            }
        }
        let expected = Measure::ALL.into_iter();
        let expected = expected.filter(|measure| match measure.kind() {
            Kind::Workers => protocol == Protocol::Wamp1,
            _ => *measure != Measure::Routed || protocol != Protocol::Wamp1,
        });
        assert_eq!(measured.len(), expected.count(), "{measured:?}");
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while server.handle().tables() != Tables::default() {
        assert!(Instant::now() < deadline, "the house is not empty: {:?}", server.handle().tables());
        std::thread::yield_now();
    }
}

#[test]
fn the_raw_loops_are_measured() {
    for mode in [Mode::Send, Mode::Batch] {
        let raw = Raw::bind(0, mode).unwrap();
        let address = raw.address().unwrap();
        std::thread::spawn(move || _ = raw.serve().map_err(|error| eprintln!("{error}")));
        for scenario in [Scenario::Fanout, Scenario::Topics, Scenario::Latency] {
            for (measure, figures) in round(scenario, address, Protocol::Bare).unwrap() {
                assert!(is_sound(measure, &figures), "{measure:?}: {figures:?}");
            }
        }
    }
}

#[test]
fn a_server_that_speaks_something_else_is_an_error() {
    let (_server, address) = serve::start(0, false, None).unwrap();
    for (scenario, protocol, why) in
        [(Scenario::Fanout, Protocol::Nats, "connection "), (Scenario::Deflate, Protocol::Wamp1, "compress")]
    {
        let error = round(scenario, address, protocol).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}
