//! How many may come in, when many come at once.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use clank_core::limits::{Count, Limits};
use shuttle::thread;

use super::explore;
use crate::runtime::gate::Gate;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// Four come for two places, of which one address may have one.
fn admit_close() {
    let limits =
        Limits { connections: Count::of(2), connections_per_address: Count::of(1), ..Limits::DEFAULT };
    let gate = Arc::new(Gate::default());
    // In all, and of the address that comes twice.
    let inside = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let clients = [Some(HERE), Some(HERE), Some(THERE), None].map(|address| {
        let (gate, inside) = (Arc::clone(&gate), Arc::clone(&inside));
        thread::spawn(move || {
            let of_here = usize::from(address == Some(HERE));
            if gate.admit(address, &limits).is_ok() {
                assert!(inside[0].fetch_add(1, Ordering::Relaxed) < 2, "no more than there are places");
                assert!(inside[1].fetch_add(of_here, Ordering::Relaxed) + of_here <= 1, "one of an address");
                thread::yield_now();
                inside[0].fetch_sub(1, Ordering::Relaxed);
                inside[1].fetch_sub(of_here, Ordering::Relaxed);
                gate.close(address);
            }
        })
    });
    clients.into_iter().for_each(|client| client.join().unwrap());
    assert_eq!((gate.connections(), gate.addresses()), (0, 0));
}

#[test]
fn no_place_is_given_twice_or_lost() {
    explore(admit_close);
}
