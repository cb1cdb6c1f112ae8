//! Sends every message back as it came: `cargo run --release --example echo -- --port 9001`.
//!
//! No subprotocol is asked for, messages may have up to 64 MiB, and compression is on: an endpoint
//! for conformance suites.

use clank::{Clank, Connection, Limits, Message, Origins, Paths};

#[tokio::main]
async fn main() -> clank::Result {
    let mut arguments = std::env::args().skip(1);
    let port: u16 = match (arguments.next().as_deref(), arguments.next()) {
        (Some("--port"), Some(port)) => port.parse()?,
        (None, _) => 9001,
        _ => return Err(clank::Error::new("usage: echo [--port PORT]")),
    };
    let limits = Limits { message: "64MiB".parse()?, outbound: "256MiB".parse()?, ..Limits::DEFAULT };
    let server = Clank::builder()
        .limits(limits)
        .deflate(true)
        .origins(Origins::Any)
        .paths(Paths::Any)
        .raw(|connection: &Connection, message: Message<'_>| connection.send(message))
        .bind(format!("127.0.0.1:{port}"))
        .start()?;
    for address in server.local_addrs() {
        println!("ws://{address}");
    }
    server.wait().await;
    Ok(())
}
