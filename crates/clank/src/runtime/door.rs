//! The one door: who may come in, whatever the transport.
//!
//! A transport says what a client asks for ([`Knock`]). Here a place is taken for it in the gate, the
//! connecting listeners are asked, and of whom is refused the listeners are told.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use clank_core::cause::Cause;
use clank_core::event::{Body as RecordBody, ConnectionFacts, EventKind, Rejection, RequestFacts, Transport};
use clank_core::id::ConnectionId;
use clank_wire::ws::deflate::Agreement;
use http::{HeaderValue, StatusCode, header, request};

use super::admitted::Admitted;
use super::engine::{Engine, Names};
use super::entrant::{Accepted, Candidate, Entrant, Speaks};
use super::form;
use super::job::Failed;
use super::opening::{Opening, open_and_lose};
use super::peer::Features;
use crate::admission::{Admission, ConnectRequest, Parts, Refusal};
use crate::hooks::BoxFuture;

/// A client that wants to come in.
pub(crate) struct Knock<'a> {
    /// None on a Unix socket, and within the program.
    pub remote: Option<SocketAddr>,
    /// What it has sent. RawSocket has no request: then it is one for the server's own path, without
    /// headers.
    pub request: &'a request::Parts,
    pub speaks: Speaks,
    pub deflate: Option<Agreement>,
}

impl Knock<'_> {
    fn facts(&self, engine: &Engine, protocol: Option<&Arc<str>>) -> RequestFacts {
        let Self { remote, request, speaks, .. } = self;
        RequestFacts {
            transport: speaks.transport(),
            ..engine.request_facts(*remote, request.uri.path(), &request.headers, protocol)
        }
    }
}

/// A handshake that is refused.
pub(crate) struct Refused {
    pub cause: Cause,
    /// What a request over HTTP is answered.
    pub status: StatusCode,
    pub reason: String,
    /// What that answer says beside.
    pub headers: Vec<(header::HeaderName, HeaderValue)>,
    /// What listeners know the client by, if they do.
    pub id: Option<ConnectionId>,
}

impl Refused {
    pub(crate) fn new(cause: Cause, reason: impl Into<String>) -> Self {
        let status = cause.http_status().and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { cause, status, reason: reason.into(), headers: Vec::new(), id: None }
    }

    fn by_listener(refusal: Refusal) -> Self {
        let cause =
            if refusal.status == StatusCode::UNAUTHORIZED { Cause::Unauthorised } else { Cause::Rejected };
        Self { status: refusal.status, ..Self::new(cause, refusal.reason) }
    }

    fn stopping() -> Self {
        Self::new(Cause::ServerShutdown, "the server is stopping")
    }

    fn unrecorded() -> Self {
        Self::new(Cause::JournalUnavailable, "the connection can't be recorded")
    }

    fn by_failure(failed: &Failed) -> Self {
        tracing::error!(?failed, "a connecting listener failed");
        Self::new(Cause::HandlerFailure, "the application failed to decide")
    }

    fn named(self, id: ConnectionId) -> Self {
        Self { id: Some(id), ..self }
    }

    /// Tells the listeners.
    pub(crate) fn tell(&self, engine: &Arc<Engine>, facts: impl FnOnce() -> RequestFacts) {
        let status = Some(self.status.as_u16());
        tell_rejection(engine, self.id, (self.cause, &self.reason), status, facts);
    }
}

/// Why a handshake comes to nothing: the cause, and the same in words.
pub(crate) type Why<'a> = (Cause, &'a str);

/// The client went away, or its connection was lost.
pub(crate) const ABORTED: Why<'static> =
    (Cause::Aborted, "the client went away before its handshake was answered");

/// Tells the listeners of a client that was refused before its request could be read.
pub(crate) fn reject(
    engine: &Arc<Engine>,
    (remote, transport): (Option<SocketAddr>, Transport),
    (cause, reason): Why<'_>,
) {
    let remote_address = remote.map(Into::into);
    let facts = || RequestFacts { remote_address, transport, ..RequestFacts::default() };
    tell_rejection(engine, None, (cause, reason), cause.http_status(), facts);
}

/// Tells the listeners of a client that was let in, but has no connection to be let in with. One
/// that is recorded has been connected all the same.
pub(crate) fn reject_accepted(engine: &Arc<Engine>, accepted: Accepted, (cause, reason): Why<'_>) {
    if accepted.recorded {
        return open_and_lose(engine, accepted);
    }
    let id = accepted.facts.connection_id;
    let facts = || accepted.facts.request.clone();
    tell_rejection(engine, Some(id), (cause, reason), cause.http_status(), facts);
}

/// `id` is what listeners know the client by, if they do.
pub(super) fn tell_rejection(
    engine: &Arc<Engine>,
    id: Option<ConnectionId>,
    (cause, reason): Why<'_>,
    http_status: Option<u16>,
    facts: impl FnOnce() -> RequestFacts,
) {
    tracing::debug!(%cause, reason, "client rejected");
    if !engine.is_heard(EventKind::Rejected) && !engine.keeps(EventKind::Rejected) {
        return;
    }
    let id = id.unwrap_or_else(|| engine.connection_id());
    let facts = facts();
    let http_status = http_status.filter(|_| facts.transport == Transport::WebSocket);
    let rejection = Rejection { http_status, ..Rejection::new(id, facts, cause, reason) };
    engine.record_and_tell(engine.told(RecordBody::Rejected(Box::new(rejection)), None));
}

/// Decides on a client. This is the one door: every transport comes through it.
///
/// What the transport itself can judge has been judged before. `why` is asked if this is dropped
/// while listeners decide.
pub(crate) async fn admit(
    engine: &Arc<Engine>,
    knock: &Knock<'_>,
    why: impl FnOnce() -> Why<'static> + Unpin,
) -> Result<Entrant, Refused> {
    let Knock { remote, speaks, deflate, .. } = *knock;
    if engine.is_draining() {
        return Err(Refused::stopping());
    }
    let place = Admitted::take(engine, remote.map(|remote| remote.ip()))
        .map_err(|cause| Refused::new(cause, "there are too many connections"))?;
    let names = engine.name().ok_or_else(Refused::unrecorded)?;
    let id = names.connection_id;
    let mut undecided = Undecided { engine, knock, id, why: Some(why) };
    let admission = ask(engine, knock, &names).await;
    let why = undecided.why.take();
    let admission = match admission {
        Ok(admission) => admission,
        Err(failed) => return Err(Refused::by_failure(&failed).named(id)),
    };
    if let Some(refusal) = admission.refusal {
        return Err(Refused::by_listener(refusal).named(id));
    }
    if engine.is_draining() {
        // It began while the listeners decided, and has told all connections that there were.
        return Err(Refused::stopping().named(id));
    }
    let Admission { identity, attributes, .. } = admission;
    let name = match speaks {
        Speaks::Wamp1 => Some(&engine.settings.wamp1_name),
        Speaks::Wamp2(framed) => engine.codecs.get(form::index(framed.codec())),
        Speaks::Raw => None,
    };
    let request = knock.facts(engine, name);
    let identity = identity.map(Box::new);
    let attributes = (!attributes.is_empty()).then(|| Box::new(attributes));
    if let Speaks::Wamp2(framed) = speaks {
        let names = Some(names);
        let candidate = Candidate { names, framed, request, identity, attributes, deflate, place };
        return Ok(Entrant::Candidate(candidate.into()));
    }
    let facts = ConnectionFacts {
        connection_id: id,
        resource_id: names.resource_id,
        request,
        identity,
        session: None,
        attributes,
    };
    let accepted = Accepted {
        session_id: names.session_id,
        facts: facts.into(),
        time: SystemTime::now().into(),
        recorded: false,
        speaks,
        realm: Arc::clone(engine.realms.home()),
        features: Features::default(),
        deflate,
        place,
    };
    let accepted = record(engine, accepted, why).await.map_err(|refused| refused.named(id))?;
    Ok(Entrant::Accepted(accepted))
}

/// A handshake on which listeners are asked. If it is dropped before they have decided, they hear
/// that it came to nothing: of every client that they have seen they are told what became of it.
struct Undecided<'a, W: FnOnce() -> Why<'static>> {
    engine: &'a Arc<Engine>,
    knock: &'a Knock<'a>,
    /// The name that listeners see.
    id: ConnectionId,
    /// Who knows why it is dropped; `None` once it is decided.
    why: Option<W>,
}

impl<W: FnOnce() -> Why<'static>> Drop for Undecided<'_, W> {
    fn drop(&mut self) {
        let Self { engine, knock, id, ref mut why } = *self;
        let Some(why) = why.take() else { return };
        let (cause, reason) = why();
        tell_rejection(engine, Some(id), (cause, reason), cause.http_status(), || knock.facts(engine, None));
    }
}

/// Waits until the journal, if there is one, has the record of the connection: it is there before
/// anybody hears of the connection, its client too, unless that one is not to wait.
async fn record(
    engine: &Arc<Engine>,
    accepted: Accepted,
    why: Option<impl FnOnce() -> Why<'static> + Unpin>,
) -> Result<Accepted, Refused> {
    let journal = engine.journal.as_ref().filter(|_| engine.settings.before_accept);
    let (Some(journal), Some(why)) = (journal, why) else { return Ok(accepted) };
    match Opening::record(engine, journal.as_ref(), accepted, why).await {
        Ok(accepted) => Ok(Accepted { recorded: true, ..accepted }),
        Err(error) => {
            tracing::error!(%error, "a connection can't be recorded, and is refused");
            Err(Refused::unrecorded())
        }
    }
}

async fn ask(engine: &Arc<Engine>, knock: &Knock<'_>, names: &Names) -> Result<Admission, Failed> {
    let mut deciders = engine.application.listeners.deciders();
    let Some(first) = deciders.next() else { return Ok(Admission::accept()) };
    let inline = first.options.inline && deciders.all(|decider| decider.options.inline);
    let request = ConnectRequest(Arc::new(Parts {
        resource_id: names.resource_id,
        connection_id: names.connection_id,
        session_id: names.session_id,
        remote: knock.remote,
        uri: knock.request.uri.clone(),
        headers: knock.request.headers.clone(),
        transport: knock.speaks.transport(),
        protocol: knock.speaks.name().unwrap_or_default(),
    }));
    let mut answer: BoxFuture<_> = Box::pin(Arc::clone(engine).ask(request));
    if inline && let Poll::Ready(answer) = poll_here(engine, &mut answer) {
        return answer;
    }
    // Dropped together with the handshake, when the client goes away.
    let task = AbortOnDrop(engine.threads.spawn(answer));
    task.await
}

/// Polls application code once on this thread; if that is not all, it goes on elsewhere.
fn poll_here<T>(engine: &Engine, code: &mut BoxFuture<T>) -> Poll<T> {
    let runtime = engine.threads.handle();
    let _runtime = runtime.enter();
    code.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Future for AbortOnDrop<Result<T, Failed>> {
    type Output = Result<T, Failed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|joined| joined.unwrap_or(Err(Failed::Dropped)))
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
