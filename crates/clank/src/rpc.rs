//! Procedures: what clients can call.

mod erased;

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use clank_wire::json::Raw;
use clank_wire::payload::{Payload, PayloadBuf};
use clank_wire::serializer::Serializer;
use clank_wire::wamp2::reason;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

pub(crate) use self::erased::{AnyService, ErasedCallHandler, ErasedCalls, ErasedProcedure, address};
use crate::connection::Connection;
use crate::hooks::BoxFuture;
use crate::parts::{Parts, Slot};
use crate::runtime::{Output, Part};

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
pub struct Procedures<S>(BTreeMap<&'static str, Procedure<S>>);

struct Procedure<S> {
    call: Box<dyn Fn(Arc<S>, Call) -> BoxFuture<Reply> + Send + Sync>,
    inline: bool,
    takes_parts: bool,
}

/// What a procedure answers: the result as JSON, or an error.
pub(crate) type Reply = Result<PayloadBuf, RpcError>;

/// What a client answered the program: its result, or the URI of an error and what it says.
pub(crate) type Answered = Result<PayloadBuf, (String, PayloadBuf)>;

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

    /// Adds a procedure whose parameters may come in [`Parts`], and whose result too (specification:
    /// "Progressive Call Invocations" and "Progressive Call Results"). A call that comes as a whole is
    /// one part. Clients of WAMP v1, and those that don't ask for parts of the result, get the whole.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use clank::{Call, Parts, Procedures, RpcError, Service};
    ///
    /// struct Sums;
    ///
    /// impl Sums {
    ///     async fn sum(self: Arc<Self>, _: Call, mut parts: Parts) -> Result<i64, RpcError> {
    ///         let mut sum = 0;
    ///         while let Some(terms) = parts.next::<Vec<i64>>().await {
    ///             sum += terms?.iter().sum::<i64>();
    ///             parts.send(&sum)?;
    ///         }
    ///         Ok(sum)
    ///     }
    /// }
    ///
    /// impl Service for Sums {
    ///     fn procedures(procedures: &mut Procedures<Self>) {
    ///         procedures.add_in_parts("sum", Self::sum);
    ///     }
    /// }
    /// ```
    pub fn add_in_parts<R, F, Fut>(&mut self, name: &'static str, procedure: F) -> &mut Self
    where
        R: Serialize,
        F: Fn(Arc<S>, Call, Parts) -> Fut + Send + Sync + Clone + 'static,
        Fut: Future<Output = Result<R, RpcError>> + Send + 'static,
    {
        let call = move |service: Arc<S>, call: Call| -> BoxFuture<Reply> {
            let procedure = procedure.clone();
            Box::pin(async move {
                let parts = call.take_parts();
                let result = procedure(service, call, parts).await?;
                PayloadBuf::from_serialize(&result)
                    .map_err(|error| RpcError::new(format!("result is no JSON: {error}")))
            })
        };
        self.0.insert(name, Procedure { call: Box::new(call), inline: false, takes_parts: true });
        self
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
        self.0.insert(name, Procedure { call: Box::new(call), inline, takes_parts: false });
        self
    }
}

/// A call, as the procedure sees it.
#[derive(Clone, Debug)]
pub struct Call(Arc<Called>);

/// What is known of a call; whoever answers it looks at it too.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) caller: Option<Connection>,
    pub(crate) named: Named,
    /// The parts in which it comes, if its procedure takes parts.
    pub(crate) parts: Option<Slot>,
}

/// A URI and, behind it, an array or an object of JSON.
#[derive(Debug)]
pub(crate) struct Named {
    text: Vec<u8>,
    /// Bytes of the URI.
    uri: usize,
}

impl Named {
    /// `write` appends the parameters, of which `hint` is the likely length in bytes.
    pub(crate) fn new(uri: &str, hint: usize, write: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut text = Vec::with_capacity(uri.len() + hint);
        text.extend_from_slice(uri.as_bytes());
        write(&mut text);
        Self { text, uri: uri.len() }
    }

    fn uri(&self) -> &str {
        // It was written as text.
        self.text.get(..self.uri).and_then(|uri| std::str::from_utf8(uri).ok()).unwrap_or_default()
    }

    fn params(&self) -> &[u8] {
        self.text.get(self.uri..).unwrap_or_default()
    }
}

impl Call {
    pub(crate) fn new(called: Called) -> Self {
        Self(Arc::new(called))
    }

    /// A call by the program.
    pub(crate) fn by_program(uri: &str, params: &[u8], parts: Option<Slot>) -> Self {
        let named = Named::new(uri, params.len(), |out| out.extend_from_slice(params));
        Self::new(Called { caller: None, named, parts })
    }

    /// Who calls; `None` if it is the program itself.
    pub fn caller(&self) -> Option<&Connection> {
        self.0.caller.as_ref()
    }

    /// The URI that was called.
    pub fn uri(&self) -> &str {
        self.0.named.uri()
    }

    /// The parameters as JSON: an array or an object, as the caller wrote it.
    pub fn params_json(&self) -> &str {
        // They were read as text.
        std::str::from_utf8(self.params_bytes()).unwrap_or("[]")
    }

    /// Reads the parameters.
    ///
    /// # Errors
    /// When they don't fit the type; the error says where.
    pub fn params<P: DeserializeOwned>(&self) -> Result<P, RpcError> {
        read_params(self.params_bytes())
    }

    pub(crate) fn params_bytes(&self) -> &[u8] {
        self.0.named.params()
    }

    /// Its parts; of one that comes as a whole, one.
    fn take_parts(&self) -> Parts {
        self.0.parts.as_ref().and_then(Slot::take).unwrap_or_else(|| {
            let (input, received) = mpsc::channel(1);
            // There is room for it.
            _ = input.try_send(Part::new(Bytes::copy_from_slice(self.params_bytes())));
            Parts::new(received, Output::Nobody)
        })
    }
}

/// Reads the parameters of a call, or a part of them.
pub(crate) fn read_params<P: DeserializeOwned>(params: &[u8]) -> Result<P, RpcError> {
    let fit = serde_json::from_slice(params);
    // No parameters at all fit what needs none: `()`, an `Option`.
    let fit = fit.or_else(|error| match params {
        b"[]" => serde_json::from_slice(b"null").map_err(|_| error),
        _ => Err(error),
    });
    fit.map_err(|error| RpcError::new(format!("invalid parameters: {error}")).code(400))
}

/// What a client has answered the program.
pub(crate) fn answer_of<R: DeserializeOwned>(answered: Answered) -> Result<R, RpcError> {
    match answered {
        Ok(result) => result.as_payload().deserialize().map_err(|error| RpcError::new(error.to_string())),
        Err((error, _)) if error == reason::NO_SUCH_PROCEDURE => Err(RpcError::not_found()),
        Err((error, payload)) => {
            let (description, details) = payload.as_payload().split_description();
            let details = (!details.is_empty()).then(|| Answer(details.transcode(Serializer::Json)));
            Err(RpcError::verbatim(error, description.unwrap_or_default(), details))
        }
    }
}

/// Why a call failed, as the caller is told.
///
/// On the wire it is `[4, callID, uri, description, details]`, where `uri` is the URI that was
/// called and `details` an object with `code`, `rpc` (the URI), `params`, and what was
/// [added](RpcError::detail); or exactly what was said by [`verbatim`](RpcError::verbatim).
#[derive(Clone, Debug, PartialEq)]
pub struct RpcError {
    description: String,
    code: i64,
    details: Map<String, Value>,
    verbatim: Option<Box<Verbatim>>,
}

/// What the caller gets in place of what is made of the call.
#[derive(Clone, Debug, PartialEq)]
struct Verbatim {
    uri: String,
    details: Option<PayloadBuf>,
}

impl RpcError {
    /// An error with a description for people and code 500.
    pub fn new(description: impl Into<String>) -> Self {
        Self { description: description.into(), code: 500, details: Map::new(), verbatim: None }
    }

    /// An error exactly as the caller is to get it: its URI, its description, and its details, if
    /// there are any. Nothing is added to them.
    pub fn verbatim(uri: impl Into<String>, description: impl Into<String>, details: Option<Answer>) -> Self {
        let verbatim = Verbatim { uri: uri.into(), details: details.map(|details| details.0) };
        Self { verbatim: Some(Box::new(verbatim)), ..Self::new(description) }
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

    /// What kind of error it is: the [`code`](Self::code) that it was given, else 500.
    pub fn kind(&self) -> i64 {
        self.code
    }

    /// What was [added](Self::detail).
    pub fn details(&self) -> &Map<String, Value> {
        &self.details
    }

    /// What error it is, on the wire.
    pub(crate) fn uri<'a>(&'a self, call: &'a Call) -> &'a str {
        self.verbatim.as_ref().map_or(call.uri(), |verbatim| &verbatim.uri)
    }

    /// The details as the caller gets them.
    pub(crate) fn to_details(&self, call: &Call) -> Option<PayloadBuf> {
        if let Some(verbatim) = &self.verbatim {
            return verbatim.details.clone();
        }
        let mut details = Map::new();
        details.insert("code".into(), self.code.into());
        details.insert("rpc".into(), call.uri().into());
        details.insert("params".into(), serde_json::from_slice(call.params_bytes()).unwrap_or_default());
        details.extend(self.details.clone());
        let details = PayloadBuf::from_serialize(&details);
        Some(details.unwrap_or_else(|_| unreachable!("a map of values is JSON")))
    }
}

impl fmt::Display for RpcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

impl std::error::Error for RpcError {}

/// What a procedure answered, as JSON that was made elsewhere.
///
/// ```
/// use clank::{Answer, RpcError};
///
/// let result = Answer::from_json(r#"{"sum": 7}"#)?;
/// let error = RpcError::verbatim("sample/add", "overflow", Some(Answer::from_json("[1]")?));
/// # Ok::<(), clank::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Answer(pub(crate) PayloadBuf);

impl Answer {
    /// The answer of which `json` is the text: it is checked, and sent as it stands.
    ///
    /// # Errors
    /// When `json` is no JSON, or nests deeper than clients can be sent.
    pub fn from_json(json: &str) -> crate::Result<Self> {
        Ok(Self(Payload::from(Raw::parse(json)?).to_buf()))
    }
}

/// Takes the calls that are no service's: for programs that do not know beforehand what can be
/// called.
///
/// ```
/// use clank::{Answer, Call, CallHandler, Clank, RpcError};
///
/// struct Echo;
///
/// impl CallHandler for Echo {
///     async fn call(&self, call: Call) -> Result<Answer, RpcError> {
///         Answer::from_json(call.params_json()).map_err(|error| RpcError::new(error.to_string()))
///     }
/// }
///
/// let builder = Clank::builder().other_calls(Echo);
/// ```
pub trait CallHandler: Send + Sync + 'static {
    /// Whether calls of `uri` come here; if not, they are answered as calls of what does not exist.
    fn takes(&self, uri: &str) -> bool {
        _ = uri;
        true
    }

    /// A call. It is first polled on the thread that serves the caller's socket, so that calls of
    /// one client begin in their order; it must not block.
    fn call(&self, call: Call) -> impl Future<Output = Result<Answer, RpcError>> + Send;
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    fn call(params: &str) -> Call {
        Call::by_program("sample/add", params.as_bytes(), None)
    }

    /// What `P` makes of the parameters: its value, or the error's code and description.
    fn read<P: DeserializeOwned + fmt::Debug>(params: &str) -> String {
        match call(params).params::<P>() {
            Ok(value) => format!("{value:?}"),
            Err(error) => format!("{} {error}", error.code),
        }
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "they are read by `Debug`")]
    struct Point {
        x: i32,
        #[serde(default)]
        y: i32,
    }

    #[test]
    fn parameters_are_read_into_the_type_that_is_asked_for() {
        assert_eq!(read::<Vec<i64>>("[1,2]"), "[1, 2]");
        assert_eq!(read::<Vec<i64>>("[]"), "[]");
        assert_eq!(read::<(i64, String)>(r#"[1,"a"]"#), r#"(1, "a")"#);
        assert_eq!(read::<Point>(r#"{"x":1,"z":3}"#), "Point { x: 1, y: 0 }");
        assert_eq!(read::<Point>("[1,2]"), "Point { x: 1, y: 2 }");
        assert_eq!(read::<Value>("[[1]]"), "Array [Array [Number(1)]]");
    }

    #[test]
    fn no_parameters_fit_what_needs_none() {
        assert_eq!(read::<()>("[]"), "()");
        assert_eq!(read::<Option<Point>>("[]"), "None");
        assert_eq!(read::<Option<Point>>(r#"{"x":1}"#), "Some(Point { x: 1, y: 0 })");
        assert_eq!(read::<Option<Vec<i64>>>("[]"), "Some([])", "a list that is there is no list left out");
        assert_eq!(read::<[i64; 0]>("[]"), "[]");
    }

    #[test]
    fn parameters_that_do_not_fit_are_the_callers_error() {
        let cases = [
            (
                read::<Vec<i64>>(r#"[1,"a"]"#),
                r#"400 invalid parameters: invalid type: string "a", expected i64"#,
            ),
            (read::<(i64, i64)>("[1]"), "400 invalid parameters: invalid length 1"),
            (read::<Point>("{}"), "400 invalid parameters: missing field `x`"),
            (read::<Point>("[]"), "400 invalid parameters: invalid length 0"),
            (read::<()>("[1]"), "400 invalid parameters: invalid type"),
        ];
        for (error, begins) in cases {
            assert!(error.starts_with(begins), "{error}");
        }
    }

    #[test]
    fn details_hold_code_uri_parameters_and_what_was_added() {
        let error = RpcError::new("no").code(418).detail("why", "tea").detail("rpc", "mine");
        assert_eq!((error.kind(), error.details().len()), (418, 2));
        let details = error.to_details(&call("[1]")).unwrap().as_payload().to_value().unwrap();
        assert_eq!(details, json!({"code": 418, "rpc": "mine", "params": [1], "why": "tea"}));
        let details = RpcError::new("no").to_details(&call("{}")).unwrap().as_payload().to_value().unwrap();
        assert_eq!(details, json!({"code": 500, "rpc": "sample/add", "params": {}}));
    }
}
