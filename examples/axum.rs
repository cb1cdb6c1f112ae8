//! Clank beside an axum application, on one port: `cargo run --example axum`. Pages and other
//! requests are axum's, `/ws` is Clank's, and a request to axum publishes on a topic:
//!
//! ```sh
//! curl --json '"dinner is ready"' http://127.0.0.1:8080/announce
//! ```

use std::net::SocketAddr;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::response::Html;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use clank::{Clank, Handle, Result};
use http::StatusCode;

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Announcements</title>
<pre id="heard"></pre>
<script>
  const socket = new WebSocket(`ws://${location.host}/ws`, "wamp");
  socket.onopen = () => socket.send(JSON.stringify([5, "announcements"]));
  socket.onmessage = ({ data }) => {
    const [type, , event] = JSON.parse(data);
    if (type === 8) heard.append(event, "\n");
  };
</script>
"#;

/// Takes a string of JSON, and tells it to everybody who listens.
async fn announce(State(clank): State<Handle>, body: String) -> (StatusCode, String) {
    let publish = || -> Result { clank.publish("announcements", &serde_json::from_str::<String>(&body)?) };
    match publish() {
        Ok(()) => (StatusCode::ACCEPTED, String::new()),
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()),
    }
}

#[tokio::main]
async fn main() -> Result {
    let port = std::env::args().skip_while(|argument| argument != "--port").nth(1);
    // It listens nowhere itself: axum's server hands it the sockets.
    let server = Clank::builder().start()?;
    let socket = server
        .handle()
        .mount()
        .remote_addr(|request| request.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0));
    let router = Router::new()
        .route("/", get(Html(PAGE)))
        .route("/announce", post(announce))
        .route_service("/ws", socket)
        .with_state(server.handle());

    let listener =
        tokio::net::TcpListener::bind(format!("127.0.0.1:{}", port.as_deref().unwrap_or("8080"))).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    // Small frames shall not wait for the acknowledgement of earlier ones.
    let listener = listener.tap_io(|socket| _ = socket.set_nodelay(true));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    tokio::select! {
        served = async { axum::serve(listener, service).await } => served?,
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    // WebSockets are no longer axum's: Clank ends them, in order.
    server.shutdown().await;
    Ok(())
}
