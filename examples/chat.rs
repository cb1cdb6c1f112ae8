//! A chat room that says who comes and goes: `cargo run --example chat`, then open
//! <http://127.0.0.1:8080/> in two tabs.
//!
//! The page is the one that `clank server` serves. What it publishes on `chat/lobby` passes
//! through [`Chat`], the handler of all topics whose first segment is `chat`.

use clank::{Clank, Connection, Forward, Permit, Publication, Result, Topic, TopicHandler};
use serde::{Deserialize, Serialize};

const PAGE: &str = include_str!("../crates/clank-server/assets/index.html");
const PAGE_SCRIPT: &str = include_str!("../crates/clank-server/assets/chat.js");
const CLIENT: &str = include_str!("../js/clank/dist/clank.js");

/// Characters that a message may have.
const LONGEST: usize = 280;

/// What the page sends and shows. Other fields that a client sends go no further.
#[derive(Serialize, Deserialize)]
struct Message {
    /// The sender's session id, by which the page knows its own messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    name: String,
    text: String,
}

struct Chat;

impl TopicHandler for Chat {
    async fn may_subscribe(&self, _: &Connection, topic: &Topic) -> Result<Permit> {
        Ok(if topic.uri() == "chat/lobby" { Permit::Granted } else { Permit::Refused })
    }

    async fn on_subscribe(&self, connection: &Connection, topic: &Topic) -> Result {
        let others = topic.count() - 1;
        topic.broadcast(&notice(format!("{} has joined; {others} more here", connection.resource_id())))
    }

    /// Also called when the client is gone.
    async fn on_unsubscribe(&self, connection: &Connection, topic: &Topic) -> Result {
        topic.broadcast(&notice(format!("{} has left", connection.resource_id())))
    }

    async fn on_publish(
        &self,
        connection: &Connection,
        topic: &Topic,
        said: &Publication,
    ) -> Result<Forward> {
        // What is no message is an error: nothing goes out, and listeners hear of it.
        let message: Message = said.event.parse()?;
        if message.text.chars().count() > LONGEST {
            topic.send(connection, &notice(format!("a message has at most {LONGEST} characters")))?;
            return Ok(Forward::Nothing);
        }
        // The id is the server's to say: nobody speaks as somebody else.
        Forward::changed(&Message { id: Some(connection.session_id().to_string()), ..message })
    }
}

fn notice(text: String) -> Message {
    Message { id: None, name: "Clank".to_owned(), text }
}

#[tokio::main]
async fn main() -> Result {
    let port = std::env::args().skip_while(|argument| argument != "--port").nth(1);
    let server = Clank::builder()
        .topic("chat", Chat)
        .page("/", "text/html; charset=utf-8", PAGE)
        .page("/chat.js", "text/javascript; charset=utf-8", PAGE_SCRIPT)
        .page("/clank.js", "text/javascript; charset=utf-8", CLIENT)
        .bind(format!("127.0.0.1:{}", port.as_deref().unwrap_or("8080")))
        .start()?;
    for address in server.local_addrs() {
        println!("Listening on ws://{address}");
    }
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}
