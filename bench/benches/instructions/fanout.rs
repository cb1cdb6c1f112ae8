//! An event on its way into the queues of its subscribers.

use std::hint::black_box;

use clank::{Audience, Clank, Client, Event, Limits, Result, Server, Topic};
use tokio::runtime::Builder;

use super::codec::{TOPIC, json};
use super::{Piece, count_instructions_of};

pub(crate) const PIECES: &[Piece] =
    &[("queue for 1 subscriber", || queue(1)), ("queue for 1,000 subscribers", || queue(1_000))];

/// The frame, and of each subscriber the lock and a place in the queue. Writing is the worker's and does
/// not count; as it may be at work at the same time, the figure differs by a few hundredths.
fn queue(subscribers: usize) {
    let runtime = Builder::new_current_thread().enable_all().build();
    let gathered = runtime.map(|runtime| (runtime.block_on(gather(subscribers)), runtime));
    let Ok((Ok((_server, _clients, topic)), _runtime)) = gathered else { panic!("no subscribers") };
    let Ok(event) = Event::from_json(&json(128)) else { panic!("no event") };
    let audience = Audience::everyone();
    let receivers = count_instructions_of(|| topic.publish(black_box(&event), &audience));
    assert_eq!(receivers, subscribers);
}

/// Clients within the program: what they are sent goes into queues as anybody's does.
async fn gather(subscribers: usize) -> Result<(Server, Vec<Client>, Topic)> {
    let limits = Limits::DEFAULT;
    let Ok(server) = Clank::builder().workers(1).limits(limits).start() else { panic!("no server") };
    let mut clients = Vec::new();
    for _ in 0..subscribers {
        let client = server.handle().client().await?;
        let Ok(_) = client.subscribe(TOPIC).await else { panic!("not subscribed") };
        clients.push(client);
    }
    let topic = server.handle().topic(TOPIC)?;
    while topic.count() < subscribers {
        std::thread::yield_now();
    }
    Ok((server, clients, topic))
}
