//! What a request over HTTP is answered: a page, a refusal, or the upgrade to a WebSocket.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use clank_core::cause::Cause;
use clank_wire::wamp2::Codec;
use clank_wire::ws::deflate::{self, Agreement};
use clank_wire::ws::handshake::{self, HandshakeError, Upgrade};
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request};
use hyper::body::Incoming;

use super::door::{Knock, Refused, Why, admit};
use super::engine::Engine;
use super::entrant::{Entrant, Speaks, WAMP1};
use super::form::Framed;
use super::http::Wire;

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
                let (response, entrant) = answer(&engine, remote, &request, why).await;
                *accepted.borrow_mut() = entrant;
                wire.borrow_mut().on_response();
                Ok(response)
            });
        }
        self.wire.borrow_mut().on_response();
        Box::pin(std::future::ready(Ok(page(&self.engine, &request))))
    }
}

/// Answers a request for a WebSocket, and says who is let in. `why` is asked if this is dropped while listeners
/// decide.
pub(super) async fn answer(
    engine: &Arc<Engine>,
    remote: Option<SocketAddr>,
    request: &request::Parts,
    why: impl FnOnce() -> Why<'static> + Unpin,
) -> (Response<Body>, Option<Entrant>) {
    let decided = match engine.settings.paths.serve(request.uri.path()) {
        true => decide(engine, remote, request, why).await,
        false => Err(Refused::new(Cause::PathUnknown, "no WebSocket is served on this path")),
    };
    match decided {
        Ok((response, entrant)) => (response, Some(entrant)),
        Err(refused) => (refuse(refused, engine, remote, request), None),
    }
}

/// Decides on a handshake of WebSocket. Whether its path is one of the server's has been judged before.
/// `why` is asked if this is dropped while listeners decide.
pub(crate) async fn decide(
    engine: &Arc<Engine>,
    remote: Option<SocketAddr>,
    request: &request::Parts,
    why: impl FnOnce() -> Why<'static> + Unpin,
) -> Result<(Response<Body>, Entrant), Refused> {
    let upgrade = handshake::check(&request.method, &request.uri, request.version, &request.headers)
        .map_err(malformed)?;
    if !engine.settings.origins.allow(&request.headers) {
        return Err(Refused::new(Cause::OriginRefused, "pages of this origin may not connect"));
    }
    let speaks = choose_protocol(engine, &upgrade)?;
    let deflate = engine.settings.deflate.and_then(|options| deflate::agree(&options, &upgrade.extensions));
    let entrant = admit(engine, &Knock { remote, request, speaks, deflate }, why).await?;
    Ok((switching_protocols(&upgrade, speaks.name(), deflate.as_ref()), entrant))
}

fn malformed(error: HandshakeError) -> Refused {
    let refused = Refused::new(error.into(), error.to_string());
    Refused { status: error.status(), headers: error.headers().collect(), ..refused }
}

/// Tells the listeners of a handshake that is refused, and makes the response.
pub(crate) fn refuse(
    refused: Refused,
    engine: &Arc<Engine>,
    remote: Option<SocketAddr>,
    request: &request::Parts,
) -> Response<Body> {
    refused.tell(engine, || engine.request_facts(remote, request.uri.path(), &request.headers, None));
    let mut response = text(refused.status, refused.reason);
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response.headers_mut().extend(refused.headers);
    response
}

/// The first subprotocol on the client's list that the server speaks; none where there is a handler
/// for what is none.
fn choose_protocol(engine: &Engine, upgrade: &Upgrade) -> Result<Speaks, Refused> {
    let known = upgrade.protocols.iter().find_map(|offered| match &**offered {
        WAMP1 => Some(Speaks::Wamp1),
        offered => Codec::from_subprotocol(offered).map(|codec| Speaks::Wamp2(Framed::WebSocket(codec))),
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

impl Body {
    /// All of it.
    pub(super) fn into_bytes(self) -> Bytes {
        self.0.unwrap_or_default()
    }
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
