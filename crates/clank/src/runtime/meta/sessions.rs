//! `wamp.session.*`: who is there, and who has to go (specification: "Session Meta API").

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use clank_core::wamp1::SessionId;
use clank_wire::wamp2::{Rules, Uri, reason};

use super::super::peer::Peer;
use super::procedure::{Answered, Ask, ENTRIES, Refused, answer, one};
use super::{describe, who};

/// Sessions that are looked at with one look into the registry.
const PAGE: usize = 256;

/// With which words a session is ended.
struct Farewell<'a> {
    reason: std::borrow::Cow<'a, str>,
    message: Option<std::borrow::Cow<'a, str>>,
}

pub(super) fn count(ask: &Ask<'_>) -> Answered {
    let Some(roles) = ask.arguments.texts(0)? else {
        return one(ask.realm.sessions.load(Ordering::Relaxed));
    };
    one(sessions(ask).filter(|peer| roles.iter().any(|role| role == who(peer).authrole)).count())
}

pub(super) fn list(ask: &Ask<'_>) -> Answered {
    let roles = ask.arguments.texts(0)?;
    let listed = |peer: &Arc<Peer>| {
        roles.as_ref().is_none_or(|roles| roles.iter().any(|role| role == who(peer).authrole))
    };
    let ids: Vec<u64> =
        sessions(ask).filter(listed).map(|peer| peer.session_id.value()).take(ENTRIES + 1).collect();
    if ids.len() > ENTRIES {
        return Err(Refused::too_many("sessions"));
    }
    one(ids)
}

pub(super) fn get(ask: &Ask<'_>) -> Answered {
    one(describe(&*find(ask)?))
}

pub(super) fn kill(ask: &Ask<'_>) -> Answered {
    let (farewell, peer) = (farewell(ask)?, find(ask)?);
    if is_caller(ask, &peer) {
        return Err(no_such_session());
    }
    end(ask, &peer, &farewell);
    answer(&[(); 0])
}

pub(super) fn kill_by_authid(ask: &Ask<'_>) -> Answered {
    let authid = ask.arguments.text(0, "an authid")?;
    // That is nobody's name.
    let is_named = !authid.is_empty();
    one(kill_those(ask, |peer| is_named && who(peer).authid == authid)?)
}

pub(super) fn kill_by_authrole(ask: &Ask<'_>) -> Answered {
    let authrole = ask.arguments.text(0, "an authrole")?;
    one(kill_those(ask, |peer| who(peer).authrole == authrole)?.len())
}

pub(super) fn kill_all(ask: &Ask<'_>) -> Answered {
    one(kill_those(ask, |_| true)?.len())
}

/// Ends all sessions but the caller's own that fit, and returns them.
fn kill_those(ask: &Ask<'_>, fits: impl Fn(&Peer) -> bool) -> Result<Vec<u64>, Refused> {
    let farewell = farewell(ask)?;
    let fitting = sessions(ask).filter(|peer| fits(peer) && !is_caller(ask, peer));
    let end = |peer: Arc<Peer>| {
        end(ask, &peer, &farewell);
        peer.session_id.value()
    };
    Ok(fitting.map(end).collect())
}

fn end(ask: &Ask<'_>, peer: &Peer, farewell: &Farewell<'_>) {
    ask.engine.kill(peer, &farewell.reason, farewell.message.as_deref());
}

fn farewell<'a>(ask: &Ask<'a>) -> Result<Farewell<'a>, Refused> {
    let given = ask.arguments.keyword_text("reason")?;
    if given.as_deref().is_some_and(|uri| Uri::parse(uri, Rules::Loose).is_err()) {
        return Err(Refused::new(reason::INVALID_URI, "the reason is no URI"));
    }
    let message = ask.arguments.keyword_text("message")?;
    Ok(Farewell { reason: given.unwrap_or(reason::KILLED.into()), message })
}

fn find(ask: &Ask<'_>) -> Result<Arc<Peer>, Refused> {
    let id = ask.arguments.id(0, "session")?;
    let peer = SessionId::new(id)
        .and_then(|session| ask.engine.connection_of(session))
        .and_then(|connection| ask.engine.peer(connection));
    peer.filter(|peer| is_here(ask, peer)).ok_or_else(no_such_session)
}

/// All sessions of the realm, page by page.
fn sessions<'a>(ask: &'a Ask<'_>) -> impl Iterator<Item = Arc<Peer>> + 'a {
    let mut after = Some(0);
    let pages = std::iter::from_fn(move || {
        let page = ask.engine.peers_after(after?, PAGE);
        after = page.last().map(|peer| peer.facts.resource_id.value());
        Some(page)
    });
    pages.flatten().filter(|peer| is_here(ask, peer))
}

fn is_here(ask: &Ask<'_>, peer: &Peer) -> bool {
    ptr::eq(&*peer.realm, ask.realm) && peer.is_session()
}

fn is_caller(ask: &Ask<'_>, peer: &Peer) -> bool {
    ask.caller.is_some_and(|caller| ptr::eq(caller, peer))
}

fn no_such_session() -> Refused {
    Refused::new(reason::NO_SUCH_SESSION, "there is no such session in the realm beside your own")
}
