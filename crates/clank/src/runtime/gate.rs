//! How many may come in: in all, and from one address.

use std::collections::HashMap;
use std::net::IpAddr;

use clank_core::cause::Cause;
use clank_core::limits::Limits;

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
    pub(crate) fn enter(&self, address: IpAddr, limits: &Limits) -> Result<(), Cause> {
        if self.handshakes.load(Ordering::Relaxed) >= limits.handshakes.count() {
            return Err(Cause::ServerFull);
        }
        let mut addresses = lock(&self.addresses);
        let counts = addresses.entry(address.to_canonical()).or_default();
        if counts.handshakes as usize >= limits.handshakes_per_address.count() {
            return Err(Cause::AddressLimit);
        }
        counts.handshakes += 1;
        self.handshakes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// The handshake has come to nothing, or was no WebSocket's.
    pub(crate) fn leave(&self, address: IpAddr) {
        self.handshakes.fetch_sub(1, Ordering::Relaxed);
        self.change(address, |counts| counts.handshakes -= 1);
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
            }
        }
    }
}
