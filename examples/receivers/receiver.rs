//! Receives Clank's webhooks: `cargo run --example receiver -- PORT`, with the secret in
//! `WEBHOOK_SECRET`. Each event that counts is printed as a line, once.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde::Deserialize;
use standardwebhooks::Webhook;

struct Receiver {
    webhook: Webhook,
    state: Mutex<Applied>,
}

/// What has been applied: a database in earnest.
#[derive(Default)]
struct Applied {
    ids: HashSet<String>,
    /// The last version, by identity.
    versions: HashMap<String, u64>,
}

/// What is read of a CloudEvent, and of the record in it.
#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Record,
}

#[derive(Deserialize)]
struct Record {
    identity: Option<Identity>,
}

#[derive(Deserialize)]
struct Identity {
    id: String,
    version: Option<u64>,
}

/// One event, or a batch of them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    One(Event),
    Batch(Vec<Event>),
}

async fn receive(State(receiver): State<Arc<Receiver>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    // Signed with this secret, as it was sent, and at most five minutes ago.
    if let Err(error) = receiver.webhook.verify(&body, &headers) {
        eprintln!("refused: {error}");
        return StatusCode::UNAUTHORIZED;
    }
    let events = match serde_json::from_slice(&body) {
        Ok(Body::One(event)) => vec![event],
        Ok(Body::Batch(events)) => events,
        Err(error) => {
            eprintln!("refused: {error}");
            return StatusCode::BAD_REQUEST;
        }
    };
    let mut applied = receiver.state.lock().unwrap_or_else(PoisonError::into_inner);
    for event in events {
        applied.apply(event);
    }
    StatusCode::NO_CONTENT
}

impl Applied {
    /// Applies an event once. At least once is promised, so that one may come again.
    fn apply(&mut self, event: Event) {
        if !self.ids.insert(event.id.clone()) {
            return;
        }
        if let Some(Identity { id, version: Some(version) }) = event.data.identity {
            let last = self.versions.entry(id).or_default();
            // The event of an older connection, which came late: the user has connected again.
            if version <= *last {
                return;
            }
            *last = version;
        }
        println!("{} {}", event.kind, event.id);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "0".to_owned());
    let webhook = Webhook::new(&std::env::var("WEBHOOK_SECRET")?)?;
    let receiver = Arc::new(Receiver { webhook, state: Mutex::default() });
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    println!("Listening on http://{}", listener.local_addr()?);
    axum::serve(listener, Router::new().route("/hook", post(receive)).with_state(receiver)).await?;
    Ok(())
}
