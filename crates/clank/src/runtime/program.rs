//! The program itself calls what a client offers.

use std::sync::Arc;

use clank_wire::json::{Raw, SyntaxError};
use clank_wire::payload::{Payload, PayloadBuf};
use clank_wire::wamp2::{CancelMode, Id, Passthru, reason};
use tokio::sync::oneshot;

use super::dealer::Caller;
use super::engine::Engine;
use super::meta::{Procedure, Refused};
use super::peer::Peer;
use super::reply::{Words, interrupt, invoke};
use super::turn::Turn;
use crate::rpc::Answered;

/// Calls what a client offers; `params` is JSON, of which an array is the list of arguments. A call
/// that is no longer waited for is cancelled.
pub(crate) async fn call_client(engine: &Engine, uri: &str, params: &[u8]) -> Answered {
    let refused = |uri: &str, why: &str| (uri.to_owned(), PayloadBuf::from_error(why, None));
    let payload =
        payload_of(params).map_err(|error| refused(reason::INVALID_ARGUMENT, &error.to_string()))?;
    if let Some(procedure) = Procedure::find(uri) {
        let answered = procedure.answer(engine, engine.realms.home(), None, payload);
        return answered.map_err(|Refused { uri, why }| refused(uri, &why));
    }
    let (answers, answered) = oneshot::channel();
    let caller = Caller::Program { answers, parts: None };
    let mut turn = Turn::default();
    let invoked = engine.realms.home().dealer.call(uri, caller, usize::MAX);
    let invoked = invoked.map_err(|(why, _)| refused(reason::NO_SUCH_PROCEDURE, &why.to_string()))?;
    let none = Passthru::default();
    let words =
        Words { procedure: uri, caller: None, receive_progress: false, progress: false, passthru: &none };
    invoke(&invoked, &words, payload, &mut turn);
    engine.hand_over(turn);
    let _waits = Waits { engine, callee: invoked.callee, invocation: invoked.request };
    answered.await.unwrap_or_else(|_| Err(refused(reason::CANCELED, "the server has ended")))
}

/// Parameters in JSON as arguments: an array is their list, an object is keyword arguments.
pub(crate) fn payload_of(params: &[u8]) -> Result<Payload<'_>, SyntaxError> {
    let value = Raw::parse(std::str::from_utf8(params).unwrap_or_default())?;
    Ok(match value.to_list() {
        Some(arguments) => arguments.into(),
        None => Payload::EMPTY.with_keywords(value).unwrap_or_else(|| value.into()),
    })
}

/// Takes the call back when nobody waits for it any longer.
struct Waits<'a> {
    engine: &'a Engine,
    callee: Arc<Peer>,
    invocation: Id,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if self.engine.realms.home().dealer.answer(&self.callee, self.invocation).is_some() {
            let mut turn = Turn::default();
            let mode = CancelMode::KillNoWait;
            interrupt(&self.callee, self.invocation, mode, reason::CANCELED, &mut turn);
            self.engine.hand_over(turn);
        }
    }
}
