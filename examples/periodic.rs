//! Tasks that run by themselves: `cargo run --example periodic`. Subscribers of `clock/second`
//! and `clock/even` hear of each run.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clank::{Clank, Result};

#[tokio::main]
async fn main() -> Result {
    let port = std::env::args().skip_while(|argument| argument != "--port").nth(1);
    let seconds = Arc::new(AtomicU64::new(0));
    let server = Clank::builder()
        // Every second from the start on.
        .periodic(Duration::from_secs(1), move |clank| {
            let run = seconds.fetch_add(1, Ordering::Relaxed) + 1;
            async move { clank.publish("clock/second", &run) }
        })
        // By the clock: a cron expression, here with seconds before its five fields.
        .cron("*/2 * * * * *", |clank| async move { clank.publish("clock/even", &clank.connections().len()) })
        .bind(format!("127.0.0.1:{}", port.as_deref().unwrap_or("8080")))
        .start()?;
    for address in server.local_addrs() {
        println!("Listening on ws://{address}");
    }
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}
