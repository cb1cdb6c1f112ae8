//! Prints who connects, who disconnects and what fails: `cargo run --example listener`.

use clank::{Clank, ClientErrorEvent, ClientEvent, ClientEventListener, Result};

// Step 1: a listener.
struct AcmeClientEventListener;

impl ClientEventListener for AcmeClientEventListener {
    /// Called whenever a client connects.
    async fn on_client_connect(&self, event: &ClientEvent) -> Result {
        println!("{} connected", event.connection().resource_id());
        Ok(())
    }

    /// Called whenever a client disconnects.
    async fn on_client_disconnect(&self, event: &ClientEvent) -> Result {
        println!("{} disconnected", event.connection().resource_id());
        Ok(())
    }

    /// Called whenever something goes wrong on a connection.
    async fn on_client_error(&self, event: &ClientErrorEvent) -> Result {
        println!("connection error occurred: {}", event.error());
        Ok(())
    }
}

// Step 2: register it.
#[tokio::main]
async fn main() -> Result {
    let port = std::env::args().skip_while(|argument| argument != "--port").nth(1);
    let server = Clank::builder()
        .listener(AcmeClientEventListener)
        .bind(format!("127.0.0.1:{}", port.as_deref().unwrap_or("8080")))
        .start()?;
    for address in server.local_addrs() {
        println!("Listening on ws://{address}");
    }
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}
