//! Procedures and services behind pointers, and how a URI names them.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use clank_wire::payload::PayloadBuf;
use serde_json::Value;

use super::{Call, CallHandler, Procedure, Procedures, Reply, RpcError, Service};
use crate::hooks::BoxFuture;

/// A procedure, whatever its type.
pub(crate) trait ErasedProcedure: Send + Sync {
    /// Whether it is first polled on the thread that serves the caller's socket.
    fn is_inline(&self) -> bool;

    /// Whether its calls may come in parts.
    fn takes_parts(&self) -> bool {
        false
    }

    /// The call, of which nothing has run before it is polled.
    fn call(&self, call: Call) -> BoxFuture<Reply>;
}

/// A [`CallHandler`] behind a pointer.
pub(crate) trait ErasedCallHandler: ErasedProcedure {
    fn takes(&self, uri: &str) -> bool;
}

pub(crate) struct ErasedCalls<H>(Arc<H>);

impl<H: CallHandler> ErasedCalls<H> {
    pub(crate) fn new(handler: H) -> Self {
        Self(Arc::new(handler))
    }
}

impl<H: CallHandler> ErasedProcedure for ErasedCalls<H> {
    fn is_inline(&self) -> bool {
        true
    }

    fn call(&self, call: Call) -> BoxFuture<Reply> {
        let handler = Arc::clone(&self.0);
        Box::pin(async move { Ok(handler.call(call).await?.0) })
    }
}

impl<H: CallHandler> ErasedCallHandler for ErasedCalls<H> {
    fn takes(&self, uri: &str) -> bool {
        self.0.takes(uri)
    }
}

/// A service, whatever its type.
pub(crate) enum AnyService {
    Methods(BTreeMap<&'static str, Box<dyn ErasedProcedure>>),
    /// It takes every method.
    Closure(Box<dyn ErasedProcedure>),
}

impl AnyService {
    pub(crate) fn new<S: Service>(service: S) -> Self {
        let mut procedures = Procedures(BTreeMap::new());
        S::procedures(&mut procedures);
        let service = Arc::new(service);
        let methods = procedures.0.into_iter().map(|(name, procedure)| {
            let method = Method { service: Arc::clone(&service), procedure };
            (name, Box::new(method) as Box<dyn ErasedProcedure>)
        });
        Self::Methods(methods.collect())
    }

    /// A single closure: it gets the method's name with every call.
    pub(crate) fn closure<F, Fut>(closure: F) -> Self
    where
        F: Fn(String, Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, RpcError>> + Send + 'static,
    {
        Self::Closure(Box::new(Closure(Arc::new(closure))))
    }

    pub(crate) fn find(&self, method: &str) -> Option<&dyn ErasedProcedure> {
        match self {
            Self::Methods(methods) => methods.get(method).map(|method| &**method),
            Self::Closure(closure) => Some(&**closure),
        }
    }
}

/// A procedure with its service.
struct Method<S> {
    service: Arc<S>,
    procedure: Procedure<S>,
}

impl<S: Service> ErasedProcedure for Method<S> {
    fn is_inline(&self) -> bool {
        self.procedure.inline
    }

    fn takes_parts(&self) -> bool {
        self.procedure.takes_parts
    }

    fn call(&self, call: Call) -> BoxFuture<Reply> {
        (self.procedure.call)(Arc::clone(&self.service), call)
    }
}

struct Closure<F>(Arc<F>);

impl<F, Fut> ErasedProcedure for Closure<F>
where
    F: Fn(String, Call) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, RpcError>> + Send + 'static,
{
    fn is_inline(&self) -> bool {
        false
    }

    fn call(&self, call: Call) -> BoxFuture<Reply> {
        let closure = Arc::clone(&self.0);
        Box::pin(async move {
            let method = address(call.uri()).1.to_owned();
            let result = closure(method, call).await?;
            PayloadBuf::from_serialize(&result).map_err(|error| RpcError::new(error.to_string()))
        })
    }
}

/// The service and the method that a URI names: what stands before the first slash, and from there to
/// the second.
pub(crate) fn address(uri: &str) -> (&str, &str) {
    let split = |text: &str| text.bytes().position(|byte| byte == b'/');
    let Some((service, method)) = split(uri).and_then(|at| Some((uri.get(..at)?, uri.get(at + 1..)?))) else {
        return (uri, "");
    };
    (service, split(method).and_then(|at| method.get(..at)).unwrap_or(method))
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use serde_json::json;

    use super::*;

    struct Sample;

    impl Sample {
        async fn add(self: Arc<Self>, _: Call, terms: Vec<i64>) -> Result<i64, RpcError> {
            Ok(terms.iter().sum())
        }

        async fn fail(self: Arc<Self>, call: Call, (): ()) -> Result<(), RpcError> {
            Err(RpcError::new(call.uri()).code(1))
        }

        async fn no_json(self: Arc<Self>, _: Call, (): ()) -> Result<BTreeMap<Vec<u8>, u8>, RpcError> {
            Ok(BTreeMap::from([(vec![1], 1)]))
        }
    }

    impl Service for Sample {
        fn procedures(procedures: &mut Procedures<Self>) {
            procedures.add("add", Self::add).add_inline("fail", Self::fail).add("no_json", Self::no_json);
        }
    }

    async fn answer(service: &AnyService, method: &str, params: &str) -> Result<Value, RpcError> {
        let procedure = service.find(method).unwrap();
        Ok(procedure
            .call(Call::by_program("sample/add", params.as_bytes(), None))
            .await?
            .as_payload()
            .to_value()
            .unwrap())
    }

    #[tokio::test]
    async fn a_service_answers_by_the_names_it_gave() {
        let service = AnyService::new(Sample);
        let inline = ["add", "fail", "new"].map(|method| service.find(method).map(|it| it.is_inline()));
        assert_eq!(inline, [Some(false), Some(true), None]);
        assert_eq!(answer(&service, "add", "[1,2]").await, Ok(json!(3)));
        let failed = answer(&service, "fail", "[]").await;
        assert_eq!(failed, Err(RpcError::new("sample/add").code(1)));
        let unfit = answer(&service, "add", "[null]").await.unwrap_err();
        assert_eq!(unfit.code, 400);
        let no_json = answer(&service, "no_json", "[]").await.unwrap_err();
        assert!(no_json.description().starts_with("result is no JSON: "), "{no_json}");
        assert_eq!(no_json.code, 500);
    }

    #[tokio::test]
    async fn a_closure_is_given_every_method() {
        let closure = AnyService::closure(|method: String, call: Call| async move {
            let params: Value = call.params()?;
            Ok(json!([method, params]))
        });
        assert!(!closure.find("any").unwrap().is_inline());
        assert_eq!(answer(&closure, "any", "[1]").await, Ok(json!(["add", [1]])), "as the URI has it");
    }

    #[test]
    fn a_uri_names_a_service_and_a_method() {
        for (uri, expected) in [
            ("", ("", "")),
            ("sample", ("sample", "")),
            ("sample/", ("sample", "")),
            ("sample/add", ("sample", "add")),
            ("sample/add/more/", ("sample", "add")),
            ("/add", ("", "add")),
            ("ä/ö/ü", ("ä", "ö")),
        ] {
            assert_eq!(address(uri), expected, "{uri}");
        }
    }
}
