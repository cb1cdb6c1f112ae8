//! Realms: spaces of topics and procedures that know nothing of each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::dealer::Dealer;
use super::hub::Hub;
use super::peer::Peer;

/// A space of topics and procedures.
pub(crate) struct Realm {
    pub name: Arc<str>,
    pub hub: Hub<Peer>,
    pub dealer: Dealer,
}

/// All realms of a server.
pub(crate) struct Realms {
    /// Where clients of WAMP v1 are, and what the program publishes.
    home: Arc<Realm>,
    /// All, the first one too, by name.
    all: BTreeMap<Arc<str>, Arc<Realm>>,
}

impl Realm {
    fn new(name: &str) -> Arc<Self> {
        Arc::new(Self { name: name.into(), hub: Hub::new(), dealer: Dealer::default() })
    }
}

impl Realms {
    /// The realms of these names, and the one at home.
    pub(crate) fn new(home: &str, others: &[String]) -> Self {
        let home = Realm::new(home);
        let mut all = BTreeMap::from([(Arc::clone(&home.name), Arc::clone(&home))]);
        for name in others {
            all.entry(name.as_str().into()).or_insert_with(|| Realm::new(name));
        }
        Self { home, all }
    }

    pub(crate) fn home(&self) -> &Arc<Realm> {
        &self.home
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Arc<Realm>> {
        self.all.get(name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Realm>> {
        self.all.values()
    }
}
