//! `wamp.subscription.*`: who has subscribed to what (specification: "Subscriptions Meta API").

use std::sync::Arc;

use clank_wire::wamp2::reason;

use super::super::hub::Cell;
use super::super::peer::Peer;
use super::procedure::{Answered, Ask, ENTRIES, Refused, one};
use super::{by_match, describe_subscription};

pub(super) fn list(ask: &Ask<'_>) -> Answered {
    let all = ask.realm.hub.subscriptions(ENTRIES);
    one(by_match(&all.ok_or_else(|| Refused::too_many("subscriptions"))?))
}

pub(super) fn lookup(ask: &Ask<'_>) -> Answered {
    let topic = ask.arguments.text(0, "the URI of a topic")?;
    let matching = ask.arguments.matching(1)?;
    one(ask.realm.hub.lookup(&topic, matching).map(|cell| cell.id))
}

pub(super) fn matching(ask: &Ask<'_>) -> Answered {
    let topic = ask.arguments.text(0, "the URI of a topic")?;
    let ids: Vec<u64> = ask.realm.hub.matching(&topic).iter().map(|cell| cell.id).collect();
    one((!ids.is_empty()).then_some(ids))
}

pub(super) fn get(ask: &Ask<'_>) -> Answered {
    one(describe_subscription(&*find(ask)?))
}

pub(super) fn list_subscribers(ask: &Ask<'_>) -> Answered {
    let members = find(ask)?.members(ENTRIES).ok_or_else(|| Refused::too_many("subscribers"))?;
    let ids: Vec<u64> = members.iter().map(|peer| peer.session_id.value()).collect();
    one(ids)
}

pub(super) fn count_subscribers(ask: &Ask<'_>) -> Answered {
    one(find(ask)?.count())
}

pub(super) fn find(ask: &Ask<'_>) -> Result<Arc<Cell<Peer>>, Refused> {
    let id = ask.arguments.id(0, "subscription")?;
    let none = || Refused::new(reason::NO_SUCH_SUBSCRIPTION, "there is no such subscription in the realm");
    ask.realm.hub.subscription(id).ok_or_else(none)
}
