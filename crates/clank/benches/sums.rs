//! A server with one cheap procedure, `sample/add`, for a load generator to call:
//! `cargo bench -p clank --bench sums -- --port 9002`. It serves until it is killed.

use std::sync::Arc;

use clank::{Call, Clank, Procedures, RpcError, Service};

struct Sample;

impl Sample {
    async fn add(self: Arc<Self>, _: Call, terms: Vec<i64>) -> Result<i64, RpcError> {
        Ok(terms.iter().fold(0, |sum, term| sum.wrapping_add(*term)))
    }
}

impl Service for Sample {
    fn procedures(procedures: &mut Procedures<Self>) {
        procedures.add_inline("add", Self::add);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> clank::Result {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--port");
    let Some(port) = arguments.nth(1) else {
        println!("usage: sums --port PORT");
        return Ok(());
    };
    let server = Clank::builder().rpc("sample", Sample).bind(format!("127.0.0.1:{port}")).start()?;
    for address in server.local_addrs() {
        println!("ws://{address}");
    }
    server.wait().await;
    Ok(())
}
