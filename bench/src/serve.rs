//! Clank as a library, with the procedure that the load calls: the program has none of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use clank::{Builder, Call, Clank, Procedures, RpcError, Server, Service};

use crate::Result;

struct Sample;

impl Sample {
    async fn add(self: Arc<Self>, _: Call, terms: Vec<u64>) -> std::result::Result<u64, RpcError> {
        Ok(terms.iter().fold(0, |sum, term| sum.wrapping_add(*term)))
    }
}

impl Service for Sample {
    fn procedures(procedures: &mut Procedures<Self>) {
        procedures.add_inline("add", Self::add);
    }
}

/// Serves until it is dropped, and returns where.
pub(crate) fn start(port: u16, deflate: bool, workers: Option<usize>) -> Result<(Server, SocketAddr)> {
    let builder = Clank::builder().rpc("sample", Sample).bind(format!("127.0.0.1:{port}"));
    let builder = workers.into_iter().fold(builder, Builder::workers);
    let server = builder.deflate(deflate).start()?;
    let address = server.local_addrs().first().copied().ok_or("the server has no address")?;
    Ok((server, address))
}
