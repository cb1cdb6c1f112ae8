//! Procedures: what clients can call.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use clank_wire::payload::PayloadBuf;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::connection::Connection;
use crate::hooks::BoxFuture;

/// A service: the procedures whose URI begins with one name, `sample` in `sample/add_func`.
///
/// ```
/// use std::sync::Arc;
/// use clank::{Call, Procedures, RpcError, Service};
///
/// struct SampleService;
///
/// impl SampleService {
///     async fn add_func(self: Arc<Self>, _: Call, terms: Vec<i64>) -> Result<i64, RpcError> {
///         terms.iter().try_fold(0_i64, |sum, term| sum.checked_add(*term)).ok_or_else(|| RpcError::new("overflow"))
///     }
/// }
///
/// impl Service for SampleService {
///     fn procedures(procedures: &mut Procedures<Self>) {
///         procedures.add("add_func", Self::add_func);
///     }
/// }
/// ```
pub trait Service: Send + Sync + Sized + 'static {
    /// Names the procedures that clients can call. What isn't named can't be called.
    fn procedures(procedures: &mut Procedures<Self>);
}

/// The procedures of a service.
pub struct Procedures<S>(HashMap<&'static str, Procedure<S>>);

struct Procedure<S> {
    call: Box<dyn Fn(Arc<S>, Call) -> BoxFuture<Reply> + Send + Sync>,
    inline: bool,
}

/// What a procedure answers: the result as JSON, or an error.
pub(crate) type Reply = Result<PayloadBuf, RpcError>;

impl<S: Service> Procedures<S> {
    /// Adds the procedure `name`. Its parameters are read into `P`: from the call's only argument
    /// if that is an array or an object, else from the list of all arguments. What it returns is
    /// the result, as JSON.
    ///
    /// It runs on the application's threads and may take its time; calls of one client run side
    /// by side, up to [`Limits::calls_in_flight`](crate::Limits).
    pub fn add<P, R, F, Fut>(&mut self, name: &'static str, procedure: F) -> &mut Self
    where
        P: DeserializeOwned + Send + 'static,
        R: Serialize,
        F: Fn(Arc<S>, Call, P) -> Fut + Send + Sync + Clone + 'static,
        Fut: Future<Output = Result<R, RpcError>> + Send + 'static,
    {
        self.insert(name, procedure, false)
    }

    /// Adds a procedure that runs on the thread that serves the caller's socket, which is quicker.
    ///
    /// Only for procedures that never block: one that does stops every client of its worker. At
    /// its first `.await` that isn't ready it moves to the application's threads.
    pub fn add_inline<P, R, F, Fut>(&mut self, name: &'static str, procedure: F) -> &mut Self
    where
        P: DeserializeOwned + Send + 'static,
        R: Serialize,
        F: Fn(Arc<S>, Call, P) -> Fut + Send + Sync + Clone + 'static,
        Fut: Future<Output = Result<R, RpcError>> + Send + 'static,
    {
        self.insert(name, procedure, true)
    }

    fn insert<P, R, F, Fut>(&mut self, name: &'static str, procedure: F, inline: bool) -> &mut Self
    where
        P: DeserializeOwned + Send + 'static,
        R: Serialize,
        F: Fn(Arc<S>, Call, P) -> Fut + Send + Sync + Clone + 'static,
        Fut: Future<Output = Result<R, RpcError>> + Send + 'static,
    {
        let call = move |service: Arc<S>, call: Call| -> BoxFuture<Reply> {
            let procedure = procedure.clone();
            Box::pin(async move {
                let params = call.params()?;
                let result = procedure(service, call, params).await?;
                PayloadBuf::from_serialize(&result)
                    .map_err(|error| RpcError::new(format!("result is no JSON: {error}")))
            })
        };
        self.0.insert(name, Procedure { call: Box::new(call), inline });
        self
    }
}

/// A call, as the procedure sees it.
#[derive(Clone, Debug)]
pub struct Call {
    pub(crate) caller: Option<Connection>,
    pub(crate) uri: Box<str>,
    /// An array or an object of JSON.
    pub(crate) params: Bytes,
}

impl Call {
    /// Who calls; `None` if it is the program itself.
    pub fn caller(&self) -> Option<&Connection> {
        self.caller.as_ref()
    }

    /// The URI that was called.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Reads the parameters.
    ///
    /// # Errors
    /// When they don't fit the type; the error says where.
    pub fn params<P: DeserializeOwned>(&self) -> Result<P, RpcError> {
        let fit = serde_json::from_slice(&self.params);
        // No parameters at all fit what needs none: `()`, an `Option`.
        let fit = fit.or_else(|error| match &self.params[..] {
            b"[]" => serde_json::from_slice(b"null").map_err(|_| error),
            _ => Err(error),
        });
        fit.map_err(|error| RpcError::new(format!("invalid parameters: {error}")).code(400))
    }
}

/// Why a call failed, as the caller is told.
///
/// On the wire it is `[4, callID, uri, description, details]`, where `uri` is the URI that was
/// called and `details` an object with `code`, `rpc` (the URI), `params`, and what was
/// [added](RpcError::detail).
#[derive(Clone, Debug, PartialEq)]
pub struct RpcError {
    description: String,
    code: i64,
    details: Map<String, Value>,
}

impl RpcError {
    /// An error with a description for people and code 500.
    pub fn new(description: impl Into<String>) -> Self {
        Self { description: description.into(), code: 500, details: Map::new() }
    }

    /// A procedure that does not exist: code 404.
    pub(crate) fn not_found() -> Self {
        Self::new("Unable to find that command").code(404)
    }

    /// Says what kind of error it is, for programs.
    #[must_use]
    pub fn code(mut self, code: i64) -> Self {
        self.code = code;
        self
    }

    /// Adds a detail.
    #[must_use]
    pub fn detail(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.details.insert(name.into(), value.into());
        self
    }

    /// The description.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The details as the caller gets them.
    pub(crate) fn to_details(&self, call: &Call) -> PayloadBuf {
        let mut details = Map::new();
        details.insert("code".into(), self.code.into());
        details.insert("rpc".into(), call.uri.as_ref().into());
        details.insert("params".into(), serde_json::from_slice(&call.params).unwrap_or_default());
        details.extend(self.details.clone());
        PayloadBuf::from_serialize(&details).unwrap_or_else(|_| unreachable!("a map of values is JSON"))
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

impl std::error::Error for RpcError {}

/// A [`Service`] behind a pointer.
pub(crate) trait ErasedService: Send + Sync {
    /// Whether `method` runs inline; `None` if there is no such method.
    fn inline(&self, method: &str) -> Option<bool>;
    /// Calls `method`, which must exist.
    fn call(self: Arc<Self>, method: &str, call: Call) -> BoxFuture<Reply>;
}

pub(crate) struct Erased<S> {
    service: Arc<S>,
    procedures: Procedures<S>,
}

impl<S: Service> Erased<S> {
    pub(crate) fn new(service: S) -> Self {
        let mut procedures = Procedures(HashMap::new());
        S::procedures(&mut procedures);
        Self { service: Arc::new(service), procedures }
    }
}

impl<S: Service> ErasedService for Erased<S> {
    fn inline(&self, method: &str) -> Option<bool> {
        self.procedures.0.get(method).map(|procedure| procedure.inline)
    }

    fn call(self: Arc<Self>, method: &str, call: Call) -> BoxFuture<Reply> {
        match self.procedures.0.get(method) {
            Some(procedure) => (procedure.call)(Arc::clone(&self.service), call),
            None => Box::pin(std::future::ready(Err(RpcError::not_found()))),
        }
    }
}

/// A single closure as a service: it gets the method's name with every call.
pub(crate) struct Closure<F>(pub F);

impl<F, Fut> ErasedService for Closure<F>
where
    F: Fn(String, Call) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, RpcError>> + Send + 'static,
{
    fn inline(&self, _: &str) -> Option<bool> {
        Some(false)
    }

    fn call(self: Arc<Self>, method: &str, call: Call) -> BoxFuture<Reply> {
        let method = method.to_owned();
        Box::pin(async move {
            let result = (self.0)(method, call).await?;
            PayloadBuf::from_serialize(&result).map_err(|error| RpcError::new(error.to_string()))
        })
    }
}
