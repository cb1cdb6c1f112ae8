//! Calls whose arguments and results come in parts.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use clank_wire::payload::PayloadBuf;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

use crate::handle::Handle;
use crate::rpc::{Answered, Call, Reply, RpcError, answer_of, read_params};
use crate::runtime::{Output, Part, PartsCall, WAITING, contain, payload_of};

/// The arguments of a call, part by part, and the way back for parts of its result: for a procedure
/// that was added by [`Procedures::add_in_parts`](crate::Procedures::add_in_parts).
pub struct Parts {
    input: mpsc::Receiver<Part>,
    output: Output,
}

/// Where a call has its parts until its procedure takes them.
#[derive(Clone)]
pub(crate) struct Slot(Arc<Mutex<Option<Parts>>>);

impl Parts {
    pub(crate) fn new(input: mpsc::Receiver<Part>, output: Output) -> Self {
        Self { input, output }
    }

    /// The next part of the arguments, the first of them too; `None` behind the last. Each is read as
    /// the parameters of a whole call are.
    ///
    /// A caller may be gone, or give up: then the procedure is dropped, as that of a whole call is.
    ///
    /// # Errors
    /// When it does not fit the type.
    pub async fn next<P: DeserializeOwned>(&mut self) -> Option<Result<P, RpcError>> {
        let part = self.input.recv().await?;
        Some(read_params(&part.params))
    }

    /// Sends the caller a part of the result. `false` if it takes none, has read too few of those
    /// before, or has its answer: the result has to be whole without them.
    ///
    /// # Errors
    /// When the value can't be JSON.
    pub fn send<T: Serialize + ?Sized>(&self, part: &T) -> Result<bool, RpcError> {
        let part = PayloadBuf::from_serialize(part).map_err(|error| RpcError::new(error.to_string()))?;
        Ok(self.output.send(part))
    }
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

impl Slot {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(Mutex::new(Some(parts))))
    }

    pub(crate) fn take(&self) -> Option<Parts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Slot")
    }
}

/// A call by the program whose arguments and results come in parts; see
/// [`Handle::call_in_parts`]. Dropping it takes the call back.
pub struct Calling {
    to: To,
    parts: mpsc::Receiver<PayloadBuf>,
}

enum To {
    /// What a client offers.
    Client(PartsCall, oneshot::Receiver<Answered>),
    /// A procedure of the program's own.
    Own { input: Option<mpsc::Sender<Part>>, task: tokio::task::AbortHandle, reply: oneshot::Receiver<Reply> },
}

impl Handle {
    /// Calls a procedure in parts: one of the program's own that takes parts, or one that a client
    /// offers in the realm of WAMP v1. `first` is an array or an object, as each part that
    /// [follows](Calling::send).
    ///
    /// ```
    /// async fn sum(clank: &clank::Handle) -> Result<i64, clank::RpcError> {
    ///     let mut call = clank.call_in_parts("sample/sum", &[1, 2]).await?;
    ///     call.send(&[3]).await?;
    ///     call.finish(&[4]).await?;
    ///     while let Some(so_far) = call.next::<i64>().await {
    ///         println!("{}", so_far?);
    ///     }
    ///     call.result().await
    /// }
    /// ```
    ///
    /// # Errors
    /// When there is no such procedure, it takes no parts, or `first` can't be JSON.
    pub async fn call_in_parts<P: Serialize + ?Sized>(
        &self,
        uri: &str,
        first: &P,
    ) -> Result<Calling, RpcError> {
        let params = json(first)?;
        let Some(procedure) = self.engine.application.procedure(uri) else {
            let payload = payload_of(&params).map_err(|error| RpcError::new(error.to_string()))?;
            let begun = PartsCall::begin(&self.engine, uri, payload);
            let (call, results) = begun.map_err(|(uri, why)| RpcError::verbatim(uri, why, None))?;
            let (parts, answered) = (results.parts, results.answered);
            return Ok(Calling { to: To::Client(call, answered), parts });
        };
        if !procedure.takes_parts() {
            return Err(RpcError::new(format!("{uri} takes no parts")).code(400));
        }
        let (input, received) = mpsc::channel(WAITING);
        let (sent, parts) = mpsc::channel(WAITING);
        let (replies, reply) = oneshot::channel();
        let own = Parts::new(received, Output::Program(sent));
        let running = procedure.call(Call::by_program(uri, b"", Some(Slot::new(own))));
        let task = self.engine.threads.spawn(async move {
            let replied = contain(move || running).await;
            let panicked = |panic| Err(RpcError::new(format!("the procedure panicked: {panic}")));
            // Who has given up waiting needs no answer.
            _ = replies.send(replied.unwrap_or_else(panicked));
        });
        let to = To::Own { input: Some(input), task: task.abort_handle(), reply };
        let mut calling = Calling { to, parts };
        calling.pass_on(params, false).await?;
        Ok(calling)
    }
}

impl Calling {
    /// Sends another part. Once the call has been answered, it is dropped.
    ///
    /// # Errors
    /// When it can't be JSON, or a client that is called reads too slowly: then the call is over.
    pub async fn send<P: Serialize + ?Sized>(&mut self, part: &P) -> Result<(), RpcError> {
        self.pass_on(json(part)?, false).await
    }

    /// Sends the last part.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn finish<P: Serialize + ?Sized>(&mut self, last: &P) -> Result<(), RpcError> {
        self.pass_on(json(last)?, true).await
    }

    async fn pass_on(&mut self, params: Bytes, is_last: bool) -> Result<(), RpcError> {
        match &mut self.to {
            To::Client(call, _) => {
                let payload = payload_of(&params).map_err(|error| RpcError::new(error.to_string()))?;
                if !call.send(payload, is_last) {
                    return Err(RpcError::new("the callee reads more slowly than the call's parts come"));
                }
            }
            To::Own { input, .. } => {
                if let Some(sender) = input {
                    // The procedure may want no more.
                    _ = sender.send(Part::new(params)).await;
                }
                if is_last {
                    *input = None;
                }
            }
        }
        Ok(())
    }

    /// The next part of the result; `None` when the procedure has answered.
    ///
    /// # Errors
    /// When it does not fit `R`.
    pub async fn next<R: DeserializeOwned>(&mut self) -> Option<Result<R, RpcError>> {
        let part = self.parts.recv().await?;
        Some(part.as_payload().deserialize().map_err(|error| RpcError::new(error.to_string())))
    }

    /// The result. Parts of it that were not [taken](Self::next) are dropped.
    ///
    /// # Errors
    /// What the procedure answers, or that the result does not fit `R`.
    pub async fn result<R: DeserializeOwned>(mut self) -> Result<R, RpcError> {
        // Who sends parts must not wait for them to be taken.
        self.parts.close();
        let ended = |_| RpcError::new("the server has ended, or the call");
        match &mut self.to {
            To::Client(_, answered) => answer_of(answered.await.map_err(ended)?),
            To::Own { input, reply, .. } => {
                // What is sent no more is not to be waited for.
                *input = None;
                let result = reply.await.map_err(ended)??;
                result.as_payload().deserialize().map_err(|error| RpcError::new(error.to_string()))
            }
        }
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        if let To::Own { task, .. } = &self.to {
            task.abort();
        }
    }
}

impl fmt::Debug for Calling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Calling").finish_non_exhaustive()
    }
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<Bytes, RpcError> {
    serde_json::to_vec(value).map(Into::into).map_err(|error| RpcError::new(error.to_string()))
}
