//! The server is killed, and what was open is told to have ended all the same.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod serve_support;

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use serve_support::journal::{connect, directory, start, until_told};
use serve_support::receiver::{OK, Receiver};
use serve_support::until;

/// Clients that come and go without a pause, wherever the server is at the moment.
struct Churn {
    address: Arc<Mutex<SocketAddr>>,
    welcomed: Arc<Mutex<BTreeSet<String>>>,
    ends: Arc<AtomicBool>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

impl Churn {
    fn start(address: SocketAddr, threads: u64) -> Self {
        let address = Arc::new(Mutex::new(address));
        let (welcomed, ends) = (Arc::new(Mutex::new(BTreeSet::new())), Arc::new(AtomicBool::new(false)));
        let number = Arc::new(AtomicU64::new(0));
        let thread = |_| {
            let (address, welcomed) = (Arc::clone(&address), Arc::clone(&welcomed));
            let (ends, number) = (Arc::clone(&ends), Arc::clone(&number));
            std::thread::spawn(move || {
                let mut open = Vec::new();
                while !ends.load(Ordering::Relaxed) {
                    let name = number.fetch_add(1, Ordering::Relaxed).to_string();
                    let to = *address.lock().unwrap();
                    match connect(to, &name) {
                        Some(stream) => {
                            welcomed.lock().unwrap().insert(name);
                            open.push(stream);
                        }
                        // The server is gone: the test is about to start it again.
                        None => std::thread::park_timeout(Duration::from_millis(1)),
                    }
                    if open.len() > 20 {
                        open.clear();
                    }
                }
            })
        };
        let threads = (0..threads).map(thread).collect();
        Self { address, welcomed, ends, threads }
    }

    fn move_to(&self, address: SocketAddr) {
        *self.address.lock().unwrap() = address;
    }

    fn welcomed(&self) -> usize {
        self.welcomed.lock().unwrap().len()
    }

    /// Those who were welcomed.
    fn end(self) -> BTreeSet<String> {
        self.ends.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        std::mem::take(&mut *self.welcomed.lock().unwrap())
    }
}

#[test]
fn the_clients_of_a_killed_server_are_told_to_have_gone() {
    let clients: u32 = std::env::var("CLANK_TEST_CLIENTS").map_or(900, |clients| clients.parse().unwrap());
    let (directory, receiver) = (directory("kill"), Receiver::new(|_| OK));
    let mut program = start(&directory, &receiver);
    let sockets: Vec<TcpStream> =
        (0..clients).map(|number| connect(program.address, &number.to_string()).unwrap()).collect();
    program.signal("KILL");
    program.wait();
    drop(sockets);
    let begun = Instant::now();
    let mut program = start(&directory, &receiver);
    let welcomed = (0..clients).map(|number| number.to_string()).collect();
    let history = until_told(&receiver, &welcomed);
    let took = begun.elapsed();
    history.check(&welcomed).assert_none();
    let ends: Vec<&Value> =
        history.deliveries.iter().filter(|record| record["type"] == "clank.client.disconnected").collect();
    assert!(ends.iter().all(|end| end["cause"] == "node_lost" && end["initiator"] == "node"));
    assert!(ends.iter().all(|end| end["alive_until"].is_string() && end["duration_ms"].is_u64()));
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    println!("{clients} ends were told within {took:?}");
    program.signal("TERM");
    assert!(program.wait().success());
}

#[test]
fn whenever_the_server_is_killed_nobodys_end_is_lost() {
    let kills: u32 = std::env::var("CLANK_TEST_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let (directory, receiver) = (directory("churn"), Receiver::new(|_| OK));
    let mut program = start(&directory, &receiver);
    let churn = Churn::start(program.address, 4);
    let mut before = 0;
    for kill in 0..kills {
        // A moment that depends on how far the clients have come, and on nothing else.
        let more = 20 + (kill as usize * 37) % 200;
        until("some have come", || churn.welcomed() >= before + more);
        program.signal("KILL");
        program.wait();
        before = churn.welcomed();
        program = start(&directory, &receiver);
        churn.move_to(program.address);
    }
    until("some have come", || churn.welcomed() >= before + 50);
    let welcomed = churn.end();
    let history = until_told(&receiver, &welcomed);
    history.check(&welcomed).assert_none();
    println!(
        "{kills} kills, {} clients, {} connections, {} deliveries, {} of them repeated",
        welcomed.len(),
        history.ids("clank.client.connected").len(),
        history.deliveries.len(),
        history.repeated()
    );
    program.signal("TERM");
    assert!(program.wait().success());
}
