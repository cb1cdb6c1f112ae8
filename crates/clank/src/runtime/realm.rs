//! Realms: spaces of topics and procedures that know nothing of each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use clank_core::wamp2::authorize::Authorizer;

use super::auth::Authentication;
use super::dealer::Dealer;
use super::hub::Hub;
use super::keeping::Keeping;
use super::peer::Peer;
use super::sync::Mutex;
use super::sync::atomic::AtomicUsize;
use crate::wamp2;

/// A space of topics and procedures.
pub(crate) struct Realm {
    pub name: Arc<str>,
    pub hub: Hub<Peer>,
    pub dealer: Dealer,
    /// How clients prove who they are.
    pub authentication: Authentication,
    /// What they may do; `None`: everything.
    pub authorizer: Option<Authorizer>,
    /// The events that it keeps for those who come later.
    pub keeping: Keeping,
    /// How many sessions it has.
    pub sessions: AtomicUsize,
    /// Keeps meta events in the order of what they tell of.
    pub meta: Mutex<()>,
}

/// All realms of a server.
pub(crate) struct Realms {
    /// Where clients of WAMP v1 are, and what the program publishes.
    home: Arc<Realm>,
    /// All, the first one too, by name.
    all: BTreeMap<Arc<str>, Arc<Realm>>,
}

impl Realm {
    fn new(settings: &wamp2::Realm) -> Arc<Self> {
        let hub = Hub::new();
        settings.histories.iter().for_each(|(topics, _)| hub.pin(topics));
        Arc::new(Self {
            name: (&*settings.name).into(),
            hub,
            dealer: Dealer::default(),
            authentication: Authentication::new(settings.auth.as_ref()),
            authorizer: settings.authorizer.clone(),
            keeping: Keeping::new(&settings.histories),
            sessions: AtomicUsize::new(0),
            meta: Mutex::default(),
        })
    }
}

impl Realms {
    /// These realms, and the one at home.
    pub(crate) fn new(home: &wamp2::Realm, others: &[wamp2::Realm]) -> Self {
        let home = Realm::new(home);
        let others = others.iter().map(Realm::new);
        let named = |realm: Arc<Realm>| (Arc::clone(&realm.name), realm);
        let all = others.chain([Arc::clone(&home)]).map(named).collect();
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
