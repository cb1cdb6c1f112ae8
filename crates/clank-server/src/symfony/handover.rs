//! What a worker that begins is told of those who are connected already.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::OwnedWriteHalf;
use tokio::task::JoinHandle;

use super::bridge::{Bridge, Slot};
use super::frame::Frame;
use super::request::Kind;
use crate::config::OnRestart;

/// Connections that are put into one write.
const AT_ONCE: usize = 256;
/// The code of the close for clients of an application that begins anew.
const RESTART: u16 = 1012;

/// What an earlier worker hands over, by connection.
pub(super) type Properties = HashMap<u64, Box<RawValue>>;

/// Tells a worker of the connections that an earlier one had, and lets requests flow.
///
/// Subscriptions are those of this moment: a request that waits may say the same again, and finds
/// what it asks for done.
pub(super) async fn hand_over(
    bridge: &Bridge,
    slot: &Slot,
    generation: u64,
    writer: &mut OwnedWriteHalf,
    properties: &Properties,
) -> io::Result<()> {
    let open = bridge.connections.begun(|id| bridge.is_at(slot, id));
    let mut again = Vec::new();
    if bridge.settings.on_restart == OnRestart::DisconnectClients {
        disconnect(bridge, &open);
    } else {
        let replays = bridge.settings.on_restart == OnRestart::ReplayConnected;
        for some in open.chunks(AT_ONCE) {
            let mut frames = Vec::new();
            for id in some {
                // Who has gone meanwhile is told of as gone.
                let Some(frame) = bridge.restored(*id, properties) else { continue };
                frames.extend_from_slice(&frame);
                bridge.connections.begin(*id, generation);
                if replays && bridge.connections.is_replayed(*id) {
                    again.push(*id);
                }
            }
            writer.write_all(&frames).await?;
        }
    }
    let Some(launched) = bridge.launched().await else { return Ok(()) };
    let say = |frame: Frame| {
        let frame = frame.value("generation", &generation).text("address", &launched.address);
        frame.value("previous", &launched.previous)
    };
    let begin = bridge.request(Kind::Begin, (None, ""), say).map_err(io::Error::other)?;
    slot.queue().begin(generation, begin, again);
    slot.wake.notify_one();
    Ok(())
}

fn disconnect(bridge: &Bridge, open: &[u64]) {
    let Some(handle) = bridge.handle() else { return };
    for connection in open.iter().filter_map(|id| handle.connection(*id)) {
        connection.close(RESTART, "the application begins anew");
    }
}

/// Gives a worker what there is for it, until this is dropped.
pub(super) struct Writing(JoinHandle<()>);

impl Writing {
    pub(super) fn start(bridge: &Arc<Bridge>, number: usize, writer: OwnedWriteHalf) -> Self {
        Self(tokio::spawn(write(Arc::clone(bridge), number, writer)))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn write(bridge: Arc<Bridge>, number: usize, mut writer: OwnedWriteHalf) {
    let Some(slot) = bridge.slots.get(number) else { return };
    loop {
        let bytes = bridge.give(slot);
        if bytes.is_empty() {
            slot.wake.notified().await;
        } else if writer.write_all(&bytes).await.is_err() {
            // Whoever reads finds out why.
            return;
        }
    }
}
