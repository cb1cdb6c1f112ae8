//! A listener that misses nothing, not even what happened to its own program:
//! `cargo run --example durable`. Kill it with `kill -9` while a client is connected, and start it again.

use std::sync::Arc;
use std::time::Duration;

use clank::{Clank, NodeId, Record, Result};
use clank_journal::delivery::{AnySink, Delivery, Dispatcher, SinkConfig, SinkOptions, new_origin};
use clank_journal::log::{Log, Options};
use clank_journal::sinks::FnSink;

/// Called until it returns, with the same id each time: who must not act twice remembers ids.
async fn hear(event: Record, _: Delivery) {
    match &event.connection() {
        Some(connection) => println!("{} {}", connection.resource_id, event.kind()),
        None => println!("{}", event.kind()),
    }
}

#[tokio::main]
async fn main() -> Result {
    let argument = |name: &str| std::env::args().skip_while(|argument| argument != name).nth(1);
    let data = argument("--data").unwrap_or_else(|| "clank-data".to_owned());
    let port = argument("--port").unwrap_or_else(|| "8080".to_owned());

    let log = Arc::new(Log::open(data.as_ref(), Options::default())?);
    let origin = new_origin(NodeId::default())?;
    let listener = SinkConfig {
        // Under this name it is known where the listener is.
        name: "printer".parse()?,
        sink: AnySink::new(FnSink::new(hear)),
        options: SinkOptions::default(),
    };
    let source = Arc::clone(&log);
    let dispatcher = Dispatcher::start(source, data, origin.clone(), vec![listener]).await?;

    let builder = Clank::builder().journal(log).node(origin.node).run(origin.run);
    let server = builder.bind(format!("127.0.0.1:{port}")).start()?;
    for address in server.local_addrs() {
        println!("Listening on ws://{address}");
    }
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    dispatcher.stop(Duration::from_secs(1)).await;
    Ok(())
}
