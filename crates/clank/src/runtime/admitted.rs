//! A connection's place, from the decision to let it in to the last word about its end.

use std::net::IpAddr;
use std::sync::Arc;

use clank_core::cause::Cause;

use super::engine::Engine;

/// A place among the connections that the limits allow; given back when it is dropped.
pub(crate) struct Admitted {
    engine: Arc<Engine>,
    address: Option<IpAddr>,
}

impl Admitted {
    /// Takes a place for a client at `address`.
    pub(crate) fn take(engine: &Arc<Engine>, address: Option<IpAddr>) -> Result<Self, Cause> {
        engine.gate.admit(address, engine.limits())?;
        Ok(Self { engine: Arc::clone(engine), address })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if self.engine.gate.close(self.address) == 0 {
            self.engine.on_empty();
        }
    }
}
