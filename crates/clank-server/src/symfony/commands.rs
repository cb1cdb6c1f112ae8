//! What a worker has the server do.

use clank::{Answer, Audience, Event, Handle, Message, RpcError};

use super::bridge::{Bridge, Slot};
use super::queue::Reply;
use super::said::{Answered, Broadcast, CloseClient, Membership, NotAnswered, Said, Sent, SentText};

/// The code of a close that names none.
const NORMAL: u16 = 1000;

/// What is not for the server but for who looks after the worker.
pub(super) enum Aside {
    Died(super::said::Died),
    Watch(Vec<std::path::PathBuf>),
}

impl Bridge {
    /// Does what the worker of `slot` says.
    ///
    /// # Errors
    /// When that can't be from a worker that is in order.
    pub(super) fn obey(&self, slot: &Slot, json: &[u8]) -> Result<Option<Aside>, String> {
        let said = Said::read(json).map_err(|error| error.to_string())?;
        match said {
            Said::Done(done) => self.done(slot, done).map_err(|error| error.to_string())?,
            Said::Result(answered) => reply(slot, answered.call, || result(&answered)),
            Said::CallError(answered) => reply(slot, answered.call, || error(&answered)),
            Said::Died(died) => return Ok(Some(Aside::Died(died))),
            Said::Watch(watch) => return Ok(Some(Aside::Watch(watch.files))),
            Said::Hello(_) | Said::Refused(_) => return Err("it introduced itself twice".to_owned()),
            Said::Broadcast(_)
            | Said::Event(_)
            | Said::Send(_)
            | Said::Add(_)
            | Said::Remove(_)
            | Said::CloseClient(_) => {
                // Before the server is launched nobody is there whom it could concern.
                if let Some(handle) = self.handle()
                    && let Err(error) = act(handle, &said)
                {
                    tracing::warn!(%error, "the application's command can't be carried out");
                }
            }
        }
        Ok(None)
    }
}

fn act(handle: &Handle, said: &Said<'_>) -> clank::Result {
    match said {
        Said::Broadcast(Broadcast { topic, event, exclude, eligible }) => {
            let audience = Audience::everyone().exclude_ids(exclude.iter().copied());
            let audience = match eligible {
                Some(eligible) => audience.eligible_ids(eligible.iter().copied()),
                None => audience,
            };
            handle.topic(topic)?.publish(&Event::from_json(event.get())?, &audience);
        }
        Said::Event(Sent { id, topic, event }) => {
            if let Some(connection) = handle.connection(*id) {
                handle.topic(topic)?.send_event(&connection, &Event::from_json(event.get())?);
            }
        }
        Said::Send(SentText { id, text }) => {
            if let Some(connection) = handle.connection(*id) {
                connection.send(Message::Text(text));
            }
        }
        Said::Add(Membership { topic, id }) => {
            if let Some(connection) = handle.connection(*id) {
                handle.topic(topic)?.add(&connection);
            }
        }
        Said::Remove(Membership { topic, id }) => {
            if let Some(connection) = handle.connection(*id) {
                handle.topic(topic)?.remove(&connection);
            }
        }
        Said::CloseClient(CloseClient { id, code }) => {
            if let Some(connection) = handle.connection(*id) {
                connection.close(close_code(*code), "");
            }
        }
        _ => {}
    }
    Ok(())
}

/// A code that a close frame may carry (RFC 6455, 7.4).
fn close_code(code: Option<u16>) -> u16 {
    match code {
        Some(code @ (1000..=1003 | 1007..=1014 | 3000..=4999)) => code,
        _ => NORMAL,
    }
}

fn reply(slot: &Slot, call: u64, answer: impl FnOnce() -> Reply) {
    let waiting = slot.queue().answer(call);
    if let Some(waiting) = waiting {
        // It fails if the caller has gone.
        _ = waiting.send(answer());
    }
}

fn result(answered: &Answered<'_>) -> Reply {
    Answer::from_json(answered.value.get()).map_err(|error| RpcError::new(format!("result: {error}")))
}

fn error(answered: &NotAnswered<'_>) -> Reply {
    let details = answered.details.map(|details| Answer::from_json(details.get())).transpose();
    let details = details.map_err(|error| RpcError::new(format!("details: {error}")))?;
    Err(RpcError::verbatim(&*answered.uri, &*answered.description, details))
}
