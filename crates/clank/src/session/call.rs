//! Calls, and their results.

use std::future::IntoFuture;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use clank_wire::payload::PayloadBuf;
use clank_wire::wamp2::{self, CallOptions, Cancel, CancelMode, ClientMessage, Id};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, oneshot};

use super::arguments::{Arguments, parse};
use super::state::{Caller, State};
use super::{Fault, Sending, SessionError};
use crate::client::EVENTS;

/// A call that is about to be made: it is awaited. A call that is dropped while it waits is cancelled.
///
/// ```
/// # use clank::Clank;
/// # use clank::session::Fault;
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> clank::Result {
/// # let server = Clank::builder().start()?;
/// # let session = server.handle().session("realm1").await?;
/// let never = |()| std::future::pending::<Result<(), Fault>>();
/// session.register("com.example.never", never).await?;
/// let call = session.call::<()>("com.example.never", &()).timeout(Duration::from_millis(20));
/// assert_eq!(call.await.unwrap_err().fault().map(Fault::uri), Some("wamp.error.timeout"));
/// # server.shutdown().await;
/// # Ok(()) }
/// ```
#[must_use = "nothing is called before it is awaited"]
pub struct Call<'s, R> {
    state: &'s Arc<State>,
    procedure: String,
    arguments: Arguments,
    options: CallOptions<'static>,
    result: PhantomData<fn() -> R>,
}

/// A call that is under way, whose result may come bit by bit. If it is dropped, it is cancelled.
pub struct Calling<R> {
    state: Arc<State>,
    request: Id,
    parts: mpsc::Receiver<PayloadBuf>,
    answered: oneshot::Receiver<Result<PayloadBuf, Fault>>,
    result: PhantomData<fn() -> R>,
}

impl<'s, R: DeserializeOwned> Call<'s, R> {
    pub(super) fn new(state: &'s Arc<State>, procedure: &str, arguments: Arguments) -> Self {
        let options = CallOptions::default();
        Self { state, procedure: procedure.into(), arguments, options, result: PhantomData }
    }

    /// Adds keyword arguments: a map or a struct.
    pub fn keywords<T: Serialize + ?Sized>(mut self, keywords: &T) -> Self {
        self.arguments.keywords(keywords);
        self
    }

    /// Time after which it is answered `wamp.error.timeout`, to the millisecond.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).max(1);
        self
    }

    /// Tells the callee who calls.
    pub fn disclose_me(mut self) -> Self {
        self.options.disclose_me = true;
        self
    }

    /// Calls, and takes the result bit by bit if the callee gives it so.
    ///
    /// # Errors
    /// The end of the connection, or arguments that can't be JSON.
    pub async fn progressive(mut self) -> Result<Calling<R>, SessionError> {
        self.options.receive_progress = true;
        self.begin().await
    }

    async fn begin(self) -> Result<Calling<R>, SessionError> {
        let payload = self.arguments.payload().map_err(SessionError::Json)?;
        let (result, answered) = oneshot::channel();
        let (sender, parts) = mpsc::channel(if self.options.receive_progress { EVENTS } else { 1 });
        let request = self.state.next();
        let parts_to = self.options.receive_progress.then_some(sender);
        self.state.wait_for_result(request, Caller { parts: parts_to, result });
        let state = Arc::clone(self.state);
        let calling = Calling { state, request, parts, answered, result: PhantomData };
        let (procedure, options) = (self.procedure.as_str().into(), self.options);
        let call = wamp2::Call { request, options, procedure, payload };
        calling.state.send(&ClientMessage::Call(call)).await?;
        Ok(calling)
    }
}

impl<'s, R: DeserializeOwned + 's> IntoFuture for Call<'s, R> {
    type Output = Result<R, SessionError>;
    type IntoFuture = Sending<'s, R>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.begin().await?.result().await })
    }
}

impl<R: DeserializeOwned> Calling<R> {
    /// The next part of the result, until the whole is there: `None`. Those that wait while nobody asks
    /// are 1,024 at most; more are lost.
    ///
    /// # Errors
    /// When it is not what the type says.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Option<Result<T, SessionError>> {
        let part = self.parts.recv().await?;
        Some(parse(&part).map_err(Into::into))
    }

    /// The result, past all parts that are not taken.
    ///
    /// # Errors
    /// What is answered, the end of the connection, or a result that is not what the type says.
    pub async fn result(mut self) -> Result<R, SessionError> {
        let answered = (&mut self.answered).await.map_err(|_| self.state.over())?;
        Ok(parse(&answered?)?)
    }

    /// Cancels the call. It still has a result: by the mode, what the callee answers, or
    /// `wamp.error.canceled`.
    ///
    /// # Errors
    /// The end of the connection.
    pub async fn cancel(&self, mode: CancelMode) -> Result<(), SessionError> {
        let cancel = Cancel { request: self.request, mode: Some(mode) };
        self.state.send(&ClientMessage::Cancel(cancel)).await
    }
}

impl<R> Drop for Calling<R> {
    fn drop(&mut self) {
        self.state.give_up(self.request);
    }
}

impl<R> std::fmt::Debug for Call<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("procedure", &self.procedure).finish_non_exhaustive()
    }
}

impl<R> std::fmt::Debug for Calling<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Calling").field("request", &self.request).finish_non_exhaustive()
    }
}
