//! Procedures that a session offers.

use std::future::{Future, IntoFuture};
use std::sync::Arc;

use clank_wire::payload::{Payload, PayloadBuf};
use clank_wire::wamp2::{
    self, ClientMessage, Id, Invoke, Match, MessageType, Passthru, RegisterOptions, Yield, reason,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::arguments::{Arguments, parse, parse_keywords, parse_list};
use super::state::{Pending, State};
use super::{Fault, Sending, SessionError};
use crate::hooks::BoxFuture;
use crate::runtime::contain;

/// The error that a procedure which panicked is answered with.
const FAILED: &str = "clank.error.handler_failed";

/// A procedure that is about to be offered: it is awaited.
///
/// ```
/// # use clank::Clank;
/// use clank::session::{Fault, Invocation, Invoke, Matching};
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> clank::Result {
/// # let server = Clank::builder().start()?;
/// # let session = server.handle().session("realm1").await?;
/// let count = |invocation: Invocation| async move {
///     let to: u32 = invocation.parse().map_err(|error| Fault::new("a.b").message(&error.to_string()))?;
///     for number in 1..to {
///         invocation.progress(&number).await.ok();
///     }
///     Ok(to)
/// };
/// session.register_with("com.example.count", count).invoke(Invoke::RoundRobin).await?;
/// let mut counting = session.call::<u32>("com.example.count", &(3,)).progressive().await?;
/// let mut heard = Vec::new();
/// while let Some(part) = counting.next::<u32>().await {
///     heard.push(part?);
/// }
/// heard.push(counting.result().await?);
/// assert_eq!(heard, [1, 2, 3]);
/// # _ = Matching::Exact;
/// # server.shutdown().await;
/// # Ok(()) }
/// ```
#[must_use = "nothing is offered before it is awaited"]
pub struct Register<'s> {
    state: &'s State,
    uri: String,
    procedure: Arc<Procedure>,
    options: RegisterOptions,
}

/// A procedure that is offered.
#[derive(Debug)]
pub struct Registration {
    pub(super) id: Id,
}

/// A call that is to be answered.
pub struct Invocation {
    state: Arc<State>,
    request: Id,
    caller: Option<u64>,
    procedure: Option<String>,
    receive_progress: bool,
    payload: PayloadBuf,
}

/// What answers calls.
pub(super) struct Procedure(Box<Answer>);

type Answer = dyn Fn(Invocation) -> BoxFuture<Result<Arguments, Fault>> + Send + Sync;

impl Procedure {
    pub(super) fn new<R, F, Fut>(run: F) -> Arc<Self>
    where
        R: Serialize,
        F: Fn(Invocation) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Fault>> + Send + 'static,
    {
        let answer = move |invocation| -> BoxFuture<Result<Arguments, Fault>> {
            let running = run(invocation);
            Box::pin(async move { running.await.map(|result| Arguments::only(&result)) })
        };
        Arc::new(Self(Box::new(answer)))
    }

    /// One that is told the arguments alone.
    pub(super) fn typed<P, R, F, Fut>(run: F) -> Arc<Self>
    where
        P: DeserializeOwned + Send + 'static,
        R: Serialize,
        F: Fn(P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Fault>> + Send + 'static,
    {
        let answer = move |invocation: Invocation| -> BoxFuture<Result<Arguments, Fault>> {
            match parse(&invocation.payload) {
                Ok(arguments) => {
                    let running = run(arguments);
                    Box::pin(async move { running.await.map(|result| Arguments::only(&result)) })
                }
                Err(error) => {
                    let fault = Fault::new(reason::INVALID_ARGUMENT).message(&error.to_string());
                    Box::pin(std::future::ready(Err(fault)))
                }
            }
        };
        Arc::new(Self(Box::new(answer)))
    }

    /// Answers one call, whatever becomes of the code that it runs.
    pub(super) async fn answer(self: Arc<Self>, invocation: Invocation) {
        let (state, request) = (Arc::clone(&invocation.state), invocation.request);
        let outcome = contain(move || (self.0)(invocation)).await;
        let outcome = outcome.unwrap_or_else(|panic| Err(Fault::new(FAILED).message(&panic)));
        if !state.answered(request) {
            return;
        }
        let payload = outcome
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|result| result.payload().map_err(|error| Fault::new(FAILED).message(&error)));
        // It fails if the connection has ended.
        _ = match payload {
            Ok(payload) => state.send(&returned(request, payload, false)).await,
            Err(fault) => state.send(&failed(request, &fault)).await,
        };
    }
}

/// A result, or a part of it.
fn returned(request: Id, payload: Payload<'_>, progress: bool) -> ClientMessage<'_> {
    ClientMessage::Yield(Yield { request, progress, passthru: Passthru::default(), payload })
}

/// The answer of a call that fails.
pub(super) fn failed(request: Id, fault: &Fault) -> ClientMessage<'_> {
    let (uri, payload) = (fault.uri().into(), fault.payload());
    let (request_type, passthru) = (MessageType::Invocation, Passthru::default());
    ClientMessage::Error(wamp2::Error { request_type, request, passthru, uri, payload })
}

impl<'s> Register<'s> {
    pub(super) fn new(state: &'s State, uri: &str, procedure: Arc<Procedure>) -> Self {
        Self { state, uri: uri.into(), procedure, options: RegisterOptions::default() }
    }

    /// Offers all procedures that fit a pattern, by prefix or by wildcards.
    pub fn matching(mut self, matching: Match) -> Self {
        self.options.matching = matching;
        self
    }

    /// Lets others offer it too, and says who of them is called.
    pub fn invoke(mut self, invoke: Invoke) -> Self {
        self.options.invoke = invoke;
        self
    }

    /// Asks to be told who calls.
    pub fn disclose_caller(mut self) -> Self {
        self.options.disclose_caller = true;
        self
    }

    async fn send(self) -> Result<Registration, SessionError> {
        let Self { state, uri, procedure, options } = self;
        let message = |request| {
            ClientMessage::Register(wamp2::Register { request, options, procedure: uri.as_str().into() })
        };
        let id = state.ask(|answer| Pending::Register(procedure, answer), message).await?;
        Ok(Registration { id })
    }
}

impl<'s> IntoFuture for Register<'s> {
    type Output = Result<Registration, SessionError>;
    type IntoFuture = Sending<'s, Registration>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl std::fmt::Debug for Register<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Register").field("uri", &self.uri).finish_non_exhaustive()
    }
}

impl Invocation {
    pub(super) fn received(state: &Arc<State>, invocation: &wamp2::Invocation<'_>) -> Self {
        let details = &invocation.details;
        Self {
            state: Arc::clone(state),
            request: invocation.request,
            caller: details.caller.map(Id::get),
            procedure: details.procedure.as_deref().map(Into::into),
            receive_progress: details.receive_progress,
            payload: invocation.payload.to_buf(),
        }
    }

    /// The session that calls, where that is disclosed.
    pub fn caller(&self) -> Option<u64> {
        self.caller
    }

    /// What was called, where a pattern is offered.
    pub fn procedure(&self) -> Option<&str> {
        self.procedure.as_deref()
    }

    /// Whether the caller takes the result bit by bit.
    pub fn wants_progress(&self) -> bool {
        self.receive_progress
    }

    /// What it is called with.
    ///
    /// # Errors
    /// When it is not what the type says.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, SessionError> {
        Ok(parse(&self.payload)?)
    }

    /// Its arguments as a list, be there one or several.
    ///
    /// # Errors
    /// When they are not what the type says.
    pub fn arguments<T: DeserializeOwned>(&self) -> Result<T, SessionError> {
        Ok(parse_list(&self.payload)?)
    }

    /// Its keyword arguments.
    ///
    /// # Errors
    /// When they are not what the type says.
    pub fn keywords<T: DeserializeOwned>(&self) -> Result<T, SessionError> {
        Ok(parse_keywords(&self.payload)?)
    }

    /// Sends a part of the result, if the caller takes parts.
    ///
    /// # Errors
    /// The end of the connection, or a part that can't be JSON.
    pub async fn progress<T: Serialize + ?Sized>(&self, part: &T) -> Result<(), SessionError> {
        if !self.receive_progress {
            return Ok(());
        }
        let part = Arguments::only(part);
        let payload = part.payload().map_err(SessionError::Json)?;
        self.state.send(&returned(self.request, payload, true)).await
    }
}

impl std::fmt::Debug for Invocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Invocation").field("request", &self.request).finish_non_exhaustive()
    }
}
