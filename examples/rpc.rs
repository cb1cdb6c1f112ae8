//! Procedures with typed parameters, results and errors: `cargo run --example rpc`, then from a
//! page of the same host
//!
//! ```js
//! session.call("sample/add_func", { term1: 2, term2: 5 }).then(sum => console.log(sum.result))
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clank::{Call, Clank, Procedures, Result, RpcError, Service};
use serde::{Deserialize, Serialize};

#[derive(Default)]
struct Sample {
    calls: AtomicU64,
}

#[derive(Deserialize)]
struct Terms {
    term1: i64,
    term2: i64,
}

#[derive(Serialize)]
struct Sum {
    result: i64,
}

impl Sample {
    /// Adds two numbers.
    async fn add_func(self: Arc<Self>, _: Call, terms: Terms) -> Result<Sum, RpcError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let Terms { term1, term2 } = terms;
        let sum = term1.checked_add(term2);
        let sum = sum.ok_or_else(|| RpcError::new("the sum has more than 64 bits").code(422))?;
        Ok(Sum { result: sum })
    }

    /// Divides the first argument by the second.
    async fn divide(self: Arc<Self>, _: Call, (dividend, divisor): (f64, f64)) -> Result<f64, RpcError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if divisor == 0.0 {
            return Err(RpcError::new("division by zero").code(422).detail("dividend", dividend));
        }
        Ok(dividend / divisor)
    }

    /// How many calls there have been. It is quick, so that it may run on the socket's own thread.
    async fn calls(self: Arc<Self>, _: Call, _: ()) -> Result<u64, RpcError> {
        Ok(self.calls.load(Ordering::Relaxed))
    }
}

impl Service for Sample {
    fn procedures(procedures: &mut Procedures<Self>) {
        procedures
            .add("add_func", Self::add_func)
            .add("divide", Self::divide)
            .add_inline("calls", Self::calls);
    }
}

#[tokio::main]
async fn main() -> Result {
    let port = std::env::args().skip_while(|argument| argument != "--port").nth(1);
    let server = Clank::builder()
        .rpc("sample", Sample::default())
        .bind(format!("127.0.0.1:{}", port.as_deref().unwrap_or("8080")))
        .start()?;
    for address in server.local_addrs() {
        println!("Listening on ws://{address}");
    }
    tokio::signal::ctrl_c().await?;
    server.shutdown().await;
    Ok(())
}
