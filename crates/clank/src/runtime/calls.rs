//! One connection's calls whose answers are still to come.

use tokio::task::AbortHandle;

/// Calls in flight.
#[derive(Default)]
pub(crate) struct Calls(Vec<(u32, AbortHandle)>);

impl Calls {
    pub(crate) fn insert(&mut self, ticket: u32, abort: AbortHandle) {
        self.0.push((ticket, abort));
    }

    /// The call with this ticket is over. `false` if there is none.
    pub(crate) fn remove(&mut self, ticket: u32) -> bool {
        let found = self.0.iter().position(|(known, _)| *known == ticket);
        if let Some(at) = found {
            self.0.swap_remove(at);
        }
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        found.is_some()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Drops the calls. Each is still over only when its end has been told.
    pub(crate) fn drop_all(&self) {
        self.0.iter().for_each(|(_, abort)| abort.abort());
    }

    /// Waits for no call any longer.
    pub(crate) fn forget_all(&mut self) {
        self.0 = Vec::new();
    }
}
