//! Serving WebSockets beside an application's own HTTP server, such as axum's.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use clank_wire::ws::handshake;
use http::{Request, Response, StatusCode, request};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;

use crate::handle::Handle;
use crate::runtime::{ABORTED, Adopted, Body, Carrier, Engine, decide, refuse, text};

/// A service that makes WebSockets of the requests routed to it.
///
/// It works with every server that is built on hyper. Which path leads to it is for the router to
/// say; origins, limits and listeners are those of the [`Server`](crate::Server).
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use clank::Clank;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> clank::Result {
/// let server = Clank::builder().start()?;
/// let router: Router = Router::new()
///     .route("/", get(|| async { "hello" }))
///     .route_service("/ws", server.handle().mount());
/// # Ok(()) }
/// ```
///
/// Small frames should leave at once: the sockets need `TCP_NODELAY`. Clank sets it on those that
/// it is given as they are, by hyper's own server. Those of axum come wrapped, so that axum has to
/// set it:
///
/// ```
/// use axum::serve::ListenerExt;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> clank::Result {
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let listener = listener.tap_io(|socket| _ = socket.set_nodelay(true));
/// # let router: axum::Router = axum::Router::new();
/// let served = axum::serve(listener, router);
/// # drop(served);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Mounted {
    engine: Arc<Engine>,
    remote: Arc<FindRemote>,
}

type FindRemote = dyn Fn(&request::Parts) -> Option<SocketAddr> + Send + Sync;

impl Handle {
    /// A service to be mounted on a router of the application's own. [`Mounted`] says what its
    /// sockets need.
    pub fn mount(&self) -> Mounted {
        Mounted { engine: Arc::clone(&self.engine), remote: Arc::new(|_| None) }
    }
}

impl Mounted {
    /// Says how to find the client's address in a request; without it records have none, and no
    /// limit per address applies. With axum:
    /// `|request| request.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0)`.
    #[must_use]
    pub fn remote_addr(
        mut self,
        find: impl Fn(&request::Parts) -> Option<SocketAddr> + Send + Sync + 'static,
    ) -> Self {
        self.remote = Arc::new(find);
        self
    }
}

impl<B: Send + 'static> tower_service::Service<Request<B>> for Mounted {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let engine = Arc::clone(&self.engine);
        let upgrade = hyper::upgrade::on(&mut request);
        let (request, _) = request.into_parts();
        let remote = (self.remote)(&request);
        Box::pin(async move { Ok(answer(engine, remote, &request, upgrade).await) })
    }
}

async fn answer(
    engine: Arc<Engine>,
    remote: Option<SocketAddr>,
    request: &request::Parts,
    upgrade: hyper::upgrade::OnUpgrade,
) -> Response<Body> {
    if !handshake::is_upgrade(&request.headers) {
        return text(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket: connect with ws://\n".into());
    }
    let (response, entrant) = match decide(&engine, remote, request, || ABORTED).await {
        Ok(decided) => decided,
        Err(refused) => return refuse(refused, &engine, remote, request),
    };
    let threads = engine.threads.handle();
    threads.spawn(async move {
        match upgrade.await {
            Ok(upgraded) => {
                let (carrier, early) = take_over(upgraded);
                engine.adopt(Adopted { entrant, carrier, early });
            }
            Err(_) => entrant.reject(&engine, ABORTED),
        }
    });
    response
}

/// The socket itself and what was read from it already, where the other server used it as it is;
/// else the stream that it made of it.
fn take_over(upgraded: Upgraded) -> (Carrier, Bytes) {
    match upgraded.downcast::<TokioIo<tokio::net::TcpStream>>() {
        Ok(parts) => {
            let socket = parts.io.into_inner();
            // Without it small frames wait for acknowledgements of earlier ones.
            _ = socket.set_nodelay(true);
            match socket.into_std() {
                Ok(socket) => (Carrier::Socket(mio::net::TcpStream::from_std(socket).into()), parts.read_buf),
                // The socket is gone with its registration: a stream that has ended stands for it.
                Err(_) => (
                    Carrier::Stream(Box::new(tokio::io::join(tokio::io::empty(), tokio::io::sink()))),
                    Bytes::new(),
                ),
            }
        }
        Err(upgraded) => (Carrier::Stream(Box::new(TokioIo::new(upgraded))), Bytes::new()),
    }
}

impl std::fmt::Debug for Mounted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mounted").finish_non_exhaustive()
    }
}
