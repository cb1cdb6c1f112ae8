//! How many may come in: in all, and from one address.

use std::collections::HashMap;
use std::net::IpAddr;

use clank_core::cause::Cause;
use clank_core::limits::Limits;

use super::room::shrink_map;
use super::sync::atomic::{AtomicUsize, Ordering};
use super::sync::{Mutex, lock};

/// Counts unfinished handshakes and open connections against their limits.
#[derive(Default)]
pub(crate) struct Gate {
    handshakes: AtomicUsize,
    connections: AtomicUsize,
    addresses: Mutex<HashMap<IpAddr, Counts>>,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    handshakes: u32,
    connections: u32,
}

impl Gate {
    /// A socket was accepted: may it make its handshake? If so, [`leave`](Self::leave) or
    /// [`admit`](Self::admit) must follow.
    pub(crate) fn enter(&self, address: Option<IpAddr>, limits: &Limits) -> Result<(), Cause> {
        if self.handshakes.load(Ordering::Relaxed) >= limits.handshakes.count() {
            return Err(Cause::ServerFull);
        }
        if let Some(address) = address {
            let mut addresses = lock(&self.addresses);
            let counts = addresses.entry(address.to_canonical()).or_default();
            if counts.handshakes as usize >= limits.handshakes_per_address.count() {
                return Err(Cause::AddressLimit);
            }
            counts.handshakes += 1;
        }
        self.handshakes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// The handshake is over, whatever came of it.
    pub(crate) fn leave(&self, address: Option<IpAddr>) {
        self.handshakes.fetch_sub(1, Ordering::Relaxed);
        if let Some(address) = address {
            self.change(address, |counts| counts.handshakes -= 1);
        }
    }

    /// The handshake is in order: is there room for the connection? If so,
    /// [`close`](Self::close) must follow; the handshake still has to be left.
    pub(crate) fn admit(&self, address: Option<IpAddr>, limits: &Limits) -> Result<(), Cause> {
        if let Some(address) = address {
            let mut addresses = lock(&self.addresses);
            let counts = addresses.entry(address.to_canonical()).or_default();
            if counts.connections as usize >= limits.connections_per_address.count() {
                return Err(Cause::AddressLimit);
            }
            counts.connections += 1;
        }
        let room = |open| (open < limits.connections.count()).then_some(open + 1);
        if self.connections.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_err() {
            if let Some(address) = address {
                self.change(address, |counts| counts.connections -= 1);
            }
            return Err(Cause::ServerFull);
        }
        Ok(())
    }

    /// An admitted connection is gone. Returns how many are left.
    pub(crate) fn close(&self, address: Option<IpAddr>) -> usize {
        if let Some(address) = address {
            self.change(address, |counts| counts.connections -= 1);
        }
        self.connections.fetch_sub(1, Ordering::AcqRel) - 1
    }

    /// Connections that are open, or whose listeners have not all heard of the end.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Acquire)
    }

    /// Unfinished handshakes.
    pub(crate) fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::Acquire)
    }

    /// Addresses that are counted.
    pub(crate) fn addresses(&self) -> usize {
        lock(&self.addresses).len()
    }

    fn change(&self, address: IpAddr, change: impl FnOnce(&mut Counts)) {
        let address = address.to_canonical();
        let mut addresses = lock(&self.addresses);
        if let Some(counts) = addresses.get_mut(&address) {
            change(counts);
            if counts.handshakes == 0 && counts.connections == 0 {
                addresses.remove(&address);
                shrink_map(&mut addresses);
            }
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::net::Ipv4Addr;

    use clank_core::limits::Count;
    use proptest::prelude::*;

    use super::*;

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(10, 0, 0, last).into()
    }

    fn limits() -> Limits {
        Limits {
            handshakes: Count::of(5),
            handshakes_per_address: Count::of(3),
            connections: Count::of(6),
            connections_per_address: Count::of(4),
            ..Limits::DEFAULT
        }
    }

    #[test]
    fn one_machine_has_one_address() {
        let gate = Gate::default();
        let (v4, mapped) = (Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST.to_ipv6_mapped());
        gate.enter(Some(v4.into()), &limits()).unwrap();
        gate.enter(Some(mapped.into()), &limits()).unwrap();
        assert_eq!(gate.addresses(), 1);
        gate.leave(Some(mapped.into()));
        gate.leave(Some(v4.into()));
        assert_eq!((gate.addresses(), gate.handshakes()), (0, 0));
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Enter(u8),
        /// The handshake at this place comes to nothing.
        Leave(usize),
        /// The handshake at this place becomes a connection.
        Admit(usize),
        /// A connection that came by no socket.
        Adopt,
        Close(usize),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (1..4_u8).prop_map(Step::Enter),
            1 => (0..5_usize).prop_map(Step::Leave),
            3 => (0..5_usize).prop_map(Step::Admit),
            1 => Just(Step::Adopt),
            2 => (0..6_usize).prop_map(Step::Close),
        ];
        prop::collection::vec(step, 0..200)
    }

    /// What comes in, by the rules as they read.
    #[derive(Default)]
    struct Inside {
        handshakes: Vec<IpAddr>,
        connections: Vec<Option<IpAddr>>,
    }

    impl Inside {
        fn may_enter(&self, address: IpAddr) -> Result<(), Cause> {
            let of_address = self.handshakes.iter().filter(|other| **other == address).count();
            match (self.handshakes.len(), of_address) {
                (5.., _) => Err(Cause::ServerFull),
                (_, 3..) => Err(Cause::AddressLimit),
                _ => Ok(()),
            }
        }

        fn may_open(&self, address: Option<IpAddr>) -> Result<(), Cause> {
            let of_address = self.connections.iter().filter(|other| **other == address).count();
            match (self.connections.len(), of_address) {
                (_, 4..) if address.is_some() => Err(Cause::AddressLimit),
                (6.., _) => Err(Cause::ServerFull),
                _ => Ok(()),
            }
        }

        fn addresses(&self) -> usize {
            let all = self.handshakes.iter().chain(self.connections.iter().flatten());
            all.collect::<std::collections::HashSet<_>>().len()
        }
    }

    proptest! {
        #[test]
        fn counts_follow_who_is_inside(steps in steps()) {
            let (gate, limits) = (Gate::default(), limits());
            let mut inside = Inside::default();
            for step in steps {
                match step {
                    Step::Enter(last) => {
                        let entered = gate.enter(Some(address(last)), &limits);
                        prop_assert_eq!(entered, inside.may_enter(address(last)));
                        inside.handshakes.extend(entered.is_ok().then_some(address(last)));
                    }
                    Step::Leave(at) if at < inside.handshakes.len() => gate.leave(Some(inside.handshakes.remove(at))),
                    Step::Admit(at) if at < inside.handshakes.len() => {
                        let address = inside.handshakes.remove(at);
                        let admitted = gate.admit(Some(address), &limits);
                        prop_assert_eq!(admitted, inside.may_open(Some(address)));
                        inside.connections.extend(admitted.is_ok().then_some(Some(address)));
                        gate.leave(Some(address));
                    }
                    Step::Adopt => {
                        let admitted = gate.admit(None, &limits);
                        prop_assert_eq!(admitted, inside.may_open(None));
                        inside.connections.extend(admitted.is_ok().then_some(None));
                    }
                    Step::Close(at) if at < inside.connections.len() => {
                        let left = gate.close(inside.connections.remove(at));
                        prop_assert_eq!(left, inside.connections.len());
                    }
                    _ => {}
                }
                prop_assert_eq!(gate.handshakes(), inside.handshakes.len());
                prop_assert_eq!(gate.connections(), inside.connections.len());
                prop_assert_eq!(gate.addresses(), inside.addresses());
            }
            inside.handshakes.drain(..).for_each(|address| gate.leave(Some(address)));
            inside.connections.drain(..).for_each(|address| _ = gate.close(address));
            prop_assert_eq!((gate.handshakes(), gate.connections(), gate.addresses()), (0, 0, 0));
        }
    }
}
