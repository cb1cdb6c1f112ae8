//! `wamp.registration.*`: who offers what (specification: "Registration Meta API"). What the server
//! itself offers is no registration.

use clank_wire::wamp2::{Pattern, Rules, reason};

use super::by_match;
use super::procedure::{Answered, Ask, ENTRIES, Refused, one};

pub(super) fn list(ask: &Ask<'_>) -> Answered {
    let all = ask.realm.dealer.registrations(ENTRIES);
    one(by_match(&all.ok_or_else(|| Refused::too_many("registrations"))?))
}

pub(super) fn lookup(ask: &Ask<'_>) -> Answered {
    let procedure = ask.arguments.text(0, "the URI of a procedure")?;
    let pattern = Pattern::parse(&*procedure, ask.arguments.matching(1)?, Rules::Loose);
    one(pattern.ok().and_then(|pattern| ask.realm.dealer.lookup(&pattern)))
}

pub(super) fn matching(ask: &Ask<'_>) -> Answered {
    one(ask.realm.dealer.best(&ask.arguments.text(0, "the URI of a procedure")?))
}

pub(super) fn get(ask: &Ask<'_>) -> Answered {
    one(ask.realm.dealer.describe(id(ask)?).ok_or_else(none)?)
}

pub(super) fn list_callees(ask: &Ask<'_>) -> Answered {
    let callees = ask.realm.dealer.callees(id(ask)?, ENTRIES + 1).ok_or_else(none)?;
    if callees.len() > ENTRIES {
        return Err(Refused::too_many("callees"));
    }
    one(callees)
}

pub(super) fn count_callees(ask: &Ask<'_>) -> Answered {
    one(ask.realm.dealer.count_callees(id(ask)?).ok_or_else(none)?)
}

fn id(ask: &Ask<'_>) -> Result<u64, Refused> {
    ask.arguments.id(0, "registration")
}

fn none() -> Refused {
    Refused::new(reason::NO_SUCH_REGISTRATION, "there is no such registration in the realm")
}
