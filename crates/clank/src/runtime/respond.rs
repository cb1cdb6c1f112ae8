//! What a request over HTTP is answered: a page, a refusal, or the upgrade to a WebSocket.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::SystemTime;

use bytes::Bytes;
use clank_core::cause::Cause;
use clank_core::event::{Body as RecordBody, ConnectionFacts, EventKind, Rejection, RequestFacts};
use clank_core::id::ConnectionId;
use clank_wire::wamp2::Codec;
use clank_wire::ws::deflate::{self, Agreement};
use clank_wire::ws::handshake::{self, HandshakeError, Upgrade};
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request};
use hyper::body::Incoming;

use super::admitted::Admitted;
use super::engine::{Engine, Names};
use super::entrant::{Accepted, Candidate, Entrant, Speaks};
use super::form;
use super::http::Wire;
use super::job::Failed;
use super::opening::{Opening, open_and_lose};
use super::peer::Features;
use crate::admission::{Admission, ConnectRequest, Parts, Refusal};
use crate::hooks::BoxFuture;

/// Answers the requests of one socket.
pub(crate) struct Responder {
    engine: Arc<Engine>,
    remote: Option<SocketAddr>,
    accepted: Rc<RefCell<Option<Entrant>>>,
    wire: Rc<RefCell<Wire>>,
}

/// The body of a response, whole.
#[derive(Debug)]
pub struct Body(Option<Bytes>);

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>>>>;

impl Responder {
    pub(crate) fn new(
        engine: &Arc<Engine>,
        remote: Option<SocketAddr>,
        accepted: &Rc<RefCell<Option<Entrant>>>,
        wire: &Rc<RefCell<Wire>>,
    ) -> Self {
        Self { engine: Arc::clone(engine), remote, accepted: Rc::clone(accepted), wire: Rc::clone(wire) }
    }
}

impl hyper::service::Service<Request<Incoming>> for Responder {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        let (request, _) = request.into_parts();
        if handshake::is_upgrade(&request.headers) {
            let (engine, remote) = (Arc::clone(&self.engine), self.remote);
            let (accepted, wire) = (Rc::clone(&self.accepted), Rc::clone(&self.wire));
            wire.borrow_mut().on_handshake();
            return Box::pin(async move {
                let why = || wire.borrow_mut().on_abandoned();
                let decided = match engine.settings.paths.serve(request.uri.path()) {
                    true => decide(&engine, remote, &request, why).await,
                    false => Err(Refused::new(Cause::PathUnknown, "no WebSocket is served on this path")),
                };
                let response = match decided {
                    Ok((response, upgrade)) => {
                        *accepted.borrow_mut() = Some(upgrade);
                        response
                    }
                    Err(refused) => refused.tell(&engine, remote, &request),
                };
                wire.borrow_mut().on_response();
                Ok(response)
            });
        }
        self.wire.borrow_mut().on_response();
        Box::pin(std::future::ready(Ok(page(&self.engine, &request))))
    }
}

/// A handshake that is refused.
pub(crate) struct Refused {
    cause: Cause,
    status: StatusCode,
    reason: String,
    headers: Vec<(header::HeaderName, HeaderValue)>,
    /// What listeners know the client by, if they do.
    id: Option<ConnectionId>,
}

impl Refused {
    fn new(cause: Cause, reason: impl Into<String>) -> Self {
        let status = cause.http_status().and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { cause, status, reason: reason.into(), headers: Vec::new(), id: None }
    }

    fn handshake(error: HandshakeError) -> Self {
        let cause = match error {
            HandshakeError::WebSocketVersion => Cause::VersionUnsupported,
            _ => Cause::HandshakeMalformed,
        };
        Self {
            status: error.status(),
            headers: error.headers().collect(),
            ..Self::new(cause, error.to_string())
        }
    }

    fn by_listener(refusal: Refusal) -> Self {
        let cause =
            if refusal.status == StatusCode::UNAUTHORIZED { Cause::Unauthorised } else { Cause::Rejected };
        Self { status: refusal.status, ..Self::new(cause, refusal.reason) }
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

    /// Tells the listeners, and makes the response.
    pub(crate) fn tell(
        self,
        engine: &Arc<Engine>,
        remote: Option<SocketAddr>,
        request: &request::Parts,
    ) -> Response<Body> {
        let facts = || engine.request_facts(remote, request.uri.path(), &request.headers, None);
        let status = Some(self.status.as_u16());
        tell_rejection(engine, self.id, (self.cause, &self.reason), status, facts);
        let mut response = text(self.status, self.reason);
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        response.headers_mut().extend(self.headers);
        response
    }
}

/// Why a handshake comes to nothing: the cause, and the same in words.
pub(crate) type Why<'a> = (Cause, &'a str);

/// The client went away, or its connection was lost.
pub(crate) const ABORTED: Why<'static> =
    (Cause::Aborted, "the client went away before its handshake was answered");

/// Tells the listeners of a client that was refused before its request could be read.
pub(crate) fn reject(engine: &Arc<Engine>, remote: Option<SocketAddr>, (cause, reason): Why<'_>) {
    let facts = || RequestFacts { remote_address: remote.map(Into::into), ..RequestFacts::default() };
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
    let rejection = Rejection { http_status, ..Rejection::new(id, facts(), cause, reason) };
    engine.record_and_tell(engine.told(RecordBody::Rejected(Box::new(rejection)), None));
}

/// A handshake on which listeners are asked. If it is dropped before they have decided, they hear
/// that it came to nothing: of every client that they have seen they are told what became of it.
struct Undecided<'a, W: FnOnce() -> Why<'static>> {
    engine: &'a Arc<Engine>,
    remote: Option<SocketAddr>,
    request: &'a request::Parts,
    /// The name that listeners see.
    id: ConnectionId,
    /// Who knows why it is dropped; `None` once it is decided.
    why: Option<W>,
}

impl<W: FnOnce() -> Why<'static>> Drop for Undecided<'_, W> {
    fn drop(&mut self) {
        let Self { engine, remote, request, id, ref mut why } = *self;
        let Some(why) = why.take() else { return };
        let (cause, reason) = why();
        let facts = || engine.request_facts(remote, request.uri.path(), &request.headers, None);
        tell_rejection(engine, Some(id), (cause, reason), cause.http_status(), facts);
    }
}

/// Decides on a handshake. This is the one door: every transport comes through it.
///
/// Whether its path is one of the server's has been judged before. `why` is asked if this is
/// dropped while listeners decide.
pub(crate) async fn decide(
    engine: &Arc<Engine>,
    remote: Option<SocketAddr>,
    request: &request::Parts,
    why: impl FnOnce() -> Why<'static> + Unpin,
) -> Result<(Response<Body>, Entrant), Refused> {
    let upgrade = check(engine, request)?;
    let protocol = choose_protocol(engine, &upgrade)?;
    let agreement = engine.settings.deflate.and_then(|options| deflate::agree(&options, &upgrade.extensions));
    let place = Admitted::take(engine, remote.map(|remote| remote.ip()))
        .map_err(|cause| Refused::new(cause, "there are too many connections"))?;
    let names = engine.name().ok_or_else(Refused::unrecorded)?;
    let id = names.connection_id;
    let mut undecided = Undecided { engine, remote, request, id, why: Some(why) };
    let admission = ask(engine, remote, request, &names, name_of(protocol)).await;
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
        return Err(Refused::new(Cause::ServerShutdown, "the server is stopping").named(id));
    }
    let response = switching_protocols(&upgrade, name_of(protocol), agreement.as_ref());
    let Admission { identity, attributes, .. } = admission;
    let name = match protocol {
        Speaks::Wamp1 => Some(&engine.settings.wamp1_name),
        Speaks::Wamp2(codec) => engine.codecs.get(form::index(codec)),
        Speaks::Raw => None,
    };
    let request = engine.request_facts(remote, request.uri.path(), &request.headers, name);
    let identity = identity.map(Box::new);
    let attributes = (!attributes.is_empty()).then(|| Box::new(attributes));
    if let Speaks::Wamp2(codec) = protocol {
        let names = Some(names);
        let candidate = Candidate { names, codec, request, identity, attributes, deflate: agreement, place };
        return Ok((response, Entrant::Candidate(candidate.into())));
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
        speaks: protocol,
        realm: Arc::clone(engine.realms.home()),
        features: Features::default(),
        deflate: agreement,
        place,
    };
    let accepted = record(engine, accepted, why).await.map_err(|refused| refused.named(id))?;
    Ok((response, Entrant::Accepted(accepted)))
}

/// What can be said of a handshake without anybody being asked.
fn check(engine: &Engine, request: &request::Parts) -> Result<Upgrade, Refused> {
    if engine.is_draining() {
        return Err(Refused::new(Cause::ServerShutdown, "the server is stopping"));
    }
    let upgrade = handshake::check(&request.method, &request.uri, request.version, &request.headers)
        .map_err(Refused::handshake)?;
    if !engine.settings.origins.allow(&request.headers) {
        return Err(Refused::new(Cause::OriginRefused, "pages of this origin may not connect"));
    }
    Ok(upgrade)
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

/// The first subprotocol on the client's list that the server speaks; none where there is a handler
/// for what is none.
fn choose_protocol(engine: &Engine, upgrade: &Upgrade) -> Result<Speaks, Refused> {
    let known = upgrade.protocols.iter().find_map(|offered| match &**offered {
        WAMP1 => Some(Speaks::Wamp1),
        offered => Codec::from_subprotocol(offered).map(Speaks::Wamp2),
    });
    if let Some(known) = known {
        return Ok(known);
    }
    if engine.application.raw.is_some() {
        return Ok(Speaks::Raw);
    }
    let why = "offer the subprotocol wamp, or one of WAMP v2: Sec-WebSocket-Protocol: wamp, wamp.2.json";
    Err(Refused::new(Cause::SubprotocolRefused, why))
}

fn name_of(protocol: Speaks) -> Option<&'static str> {
    match protocol {
        Speaks::Wamp1 => Some(WAMP1),
        Speaks::Wamp2(codec) => Some(codec.subprotocol()),
        Speaks::Raw => None,
    }
}

/// The subprotocol of WAMP v1.
pub(crate) const WAMP1: &str = "wamp";

async fn ask(
    engine: &Arc<Engine>,
    remote: Option<SocketAddr>,
    request: &request::Parts,
    names: &Names,
    protocol: Option<&'static str>,
) -> Result<Admission, Failed> {
    let mut deciders = engine.application.listeners.deciders();
    let Some(first) = deciders.next() else { return Ok(Admission::accept()) };
    let inline = first.options.inline && deciders.all(|decider| decider.options.inline);
    let request = ConnectRequest(Arc::new(Parts {
        resource_id: names.resource_id,
        connection_id: names.connection_id,
        session_id: names.session_id,
        remote,
        uri: request.uri.clone(),
        headers: request.headers.clone(),
        protocol: protocol.unwrap_or_default(),
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

fn switching_protocols(
    upgrade: &Upgrade,
    protocol: Option<&'static str>,
    agreement: Option<&Agreement>,
) -> Response<Body> {
    let mut response = Response::new(Body(None));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    // Base64 and our own extension parameters are always valid header values.
    if let Ok(accept) = HeaderValue::try_from(&upgrade.accept) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(protocol) = protocol {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
    }
    if let Some(value) = agreement.and_then(|agreement| HeaderValue::try_from(agreement.header_value()).ok())
    {
        headers.insert(header::SEC_WEBSOCKET_EXTENSIONS, value);
    }
    response
}

/// Answers a request that is no handshake.
fn page(engine: &Engine, request: &request::Parts) -> Response<Body> {
    let headers = &request.headers;
    if headers.contains_key(header::CONTENT_LENGTH) && headers.contains_key(header::TRANSFER_ENCODING) {
        // Two readers could disagree on where this request ends (RFC 9112, 6.3).
        let mut response =
            text(StatusCode::BAD_REQUEST, "Content-Length together with Transfer-Encoding".into());
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        return response;
    }
    if headers.get_all(header::HOST).iter().count() != 1 && request.version == http::Version::HTTP_11 {
        return text(StatusCode::BAD_REQUEST, "exactly one Host is needed".into());
    }
    if request.method != Method::GET && request.method != Method::HEAD {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are served here".into());
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri.path() {
        "/healthz" if engine.is_draining() => text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n".into()),
        "/healthz" => text(StatusCode::OK, "ok\n".into()),
        path => match engine.application.pages.get(path) {
            Some(page) => with_type(StatusCode::OK, page.body.clone(), page.content_type),
            None if engine.settings.paths.serve(path) => {
                let mut response =
                    text(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket: connect with ws://\n".into());
                response.headers_mut().insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                response
            }
            None => text(StatusCode::NOT_FOUND, "not found\n".into()),
        },
    }
}

/// A response in words.
pub(crate) fn text(status: StatusCode, body: String) -> Response<Body> {
    with_type(status, body.into(), "text/plain; charset=utf-8")
}

fn with_type(status: StatusCode, body: Bytes, content_type: &'static str) -> Response<Body> {
    let mut response = Response::new(Body(Some(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = "default-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self' ws: wss:";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(http_body::Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        http_body::SizeHint::with_exact(self.0.as_ref().map_or(0, Bytes::len) as u64)
    }
}
