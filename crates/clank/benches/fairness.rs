//! Does one large audience hold up everybody else?
//!
//! While one topic fans out to 10,000 subscribers, without a pause, the round trip of another
//! topic's only subscriber is measured, once a millisecond, and compared with its round trip on the
//! quiet server. Both topics are served by the same worker. The 99th percentile is to stay under
//! three times its quiet figure, in the median of five rounds.
//!
//! The client shares two processors with the server and the crowd, which no client of a real server
//! does. A busy server keeps its processor for milliseconds, and a client that the system wakes on the
//! same one waits for that long, whatever the server does. So the client measures with real-time
//! priority, on the quiet server and on the busy one. The quiet round trip at ordinary priority is
//! printed beside it: client and server then take turns on one processor and wake none, which makes
//! it shorter.
//!
//! ```text
//! cargo bench -p clank --bench fairness [-- SUBSCRIBERS]
//! ```
//!
//! The server is a process of its own, so that either side needs a descriptor for each subscriber
//! and some: `ulimit -n 12000`. Real-time priority takes root, or `CAP_SYS_NICE`, and `chrt`, which
//! is in util-linux.

#![expect(clippy::disallowed_methods, reason = "load has a pace: it is no test that waits for something")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clank::{Clank, Limits};
use clank_wire::ws::{Decoder, DecoderOptions, Event, OpCode, Role, Scratch, frame, masked_frame};
use mio::{Events, Interest, Poll, Token};

/// Subscribers of the crowded topic.
const SUBSCRIBERS: usize = 10_000;
/// Bytes of the event that they get.
const PAYLOAD: usize = 128;
/// Round trips that are measured in each part of a round.
const ROUND_TRIPS: usize = 2_000;
/// The pause between two of them.
const PAUSE: Duration = Duration::from_millis(1);
/// Publications of the crowded topic that are under way at once, so that its subscribers can read
/// seldom, and several events at once: they share the processors with what is measured.
const WINDOW: u64 = 1;
/// How often they read.
const READING: Duration = Duration::from_millis(2);
/// No part of a round takes longer.
const LONGEST: Duration = Duration::from_secs(20);
const ROUNDS: usize = 5;
/// What the median of the ratios has to stay under.
const MAX_RATIO: f64 = 3.0;

/// What is printed of round trips.
const HEAD: &str = "    p50     p99   p99.9";

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some("serve") => serve().map(|()| true),
        // cargo adds `--bench`
        Some(count) if !count.starts_with('-') => count.parse().map_err(Into::into).and_then(measure),
        _ => measure(SUBSCRIBERS),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The server: one worker, so that it has nowhere to hide. It ends with its standard input.
fn serve() -> Result {
    let limits = Limits { connections_per_address: "100000".parse()?, ..Limits::DEFAULT };
    let server = Clank::builder().workers(1).limits(limits).bind("127.0.0.1:0").start()?;
    println!("{}", server.local_addrs().first().ok_or("no address")?);
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

/// Measures all rounds, and says whether the ratio is as it should be.
fn measure(subscribers: usize) -> Result<bool> {
    let server = Server::start()?;
    let crowd = Crowd::gather(server.address, subscribers)?;
    let mut probe = Client::connect(server.address)?;
    probe.send(r#"[5,"probe"]"#)?;
    probe.settle()?;

    println!("round trip in microseconds: of an ordinary client on the quiet server, of one with real-time");
    println!("priority there, and of the latter while another topic fans out to {subscribers}");
    println!("round {HEAD} | {HEAD} | {HEAD} | ratios of p99  deliveries/s");
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        set_priority(Priority::Ordinary)?;
        let ordinary = round_trips(&mut probe)?;
        set_priority(Priority::RealTime)?;
        let quiet = round_trips(&mut probe)?;
        let (begun, before) = (Instant::now(), crowd.received());
        crowd.set_busy(true);
        let loaded = round_trips(&mut probe)?;
        crowd.set_busy(false);
        let rate = (crowd.received() - before) as f64 / begun.elapsed().as_secs_f64();
        crowd.wait_until_served()?;
        let (ratio, beside) = (loaded.p99() / quiet.p99(), loaded.p99() / ordinary.p99());
        println!("{round:5} {ordinary} | {quiet} | {loaded} | {beside:5.2} {ratio:7.2}  {rate:12.0}");
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios.get(ROUNDS / 2).copied().unwrap_or(f64::INFINITY);
    println!("median ratio of p99, the same client on both: {median:.2}, to be under {MAX_RATIO}");
    Ok(median < MAX_RATIO)
}

/// How the system chooses when the client may run.
#[derive(Clone, Copy)]
enum Priority {
    Ordinary,
    RealTime,
}

/// Sets the priority of the thread that calls.
fn set_priority(priority: Priority) -> Result {
    let policy = match priority {
        Priority::Ordinary => ["--other", "--pid", "0"],
        Priority::RealTime => ["--fifo", "--pid", "50"],
    };
    let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
    let chrt = Command::new("chrt").args(policy).arg(thread).status()?;
    if !chrt.success() {
        return Err("can't set the client's priority: real-time priority takes root or CAP_SYS_NICE".into());
    }
    Ok(())
}

/// The server's process.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start() -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.arg("serve").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        Ok(Self { address: line.trim().parse()?, process })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        _ = self.process.wait();
    }
}

/// A client that blocks while it waits.
struct Client {
    socket: TcpStream,
    decoder: Decoder,
    scratch: Scratch,
}

impl Client {
    fn connect(address: SocketAddr) -> Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(LONGEST))?;
        let request = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: wamp\r\n\r\n";
        socket.write_all(request.as_bytes())?;
        let mut response = Vec::new();
        let mut byte = [0];
        while !response.ends_with(b"\r\n\r\n") {
            socket.read_exact(&mut byte)?;
            response.extend(byte);
        }
        if !response.starts_with(b"HTTP/1.1 101") {
            return Err(String::from_utf8_lossy(&response).into());
        }
        let options = DecoderOptions { max_message: 1 << 20, deflate: false };
        let mut client =
            Self { socket, decoder: Decoder::new(Role::Client, options), scratch: Scratch::new() };
        client.wait_for(|event| matches!(event, Event::Text(_)))?;
        Ok(client)
    }

    fn send(&mut self, text: &str) -> Result {
        Ok(self.socket.write_all(&masked_frame(OpCode::Text, text.as_bytes(), [1, 2, 3, 4]))?)
    }

    /// Waits until the server has done all that it was sent.
    fn settle(&mut self) -> Result {
        self.socket.write_all(&masked_frame(OpCode::Ping, b"", [1, 2, 3, 4]))?;
        self.wait_for(|event| matches!(event, Event::Pong(_)))
    }

    /// Reads on until an event is the one that is `wanted`; what follows it in the same read is
    /// taken, too, and forgotten.
    fn wait_for(&mut self, wanted: impl Fn(&Event<'_>) -> bool) -> Result {
        let mut buffer = [0; 4096];
        let mut found = false;
        while !found {
            let read = self.socket.read(&mut buffer)?;
            let mut bytes =
                buffer.get_mut(..read).filter(|bytes| !bytes.is_empty()).ok_or("the server left")?;
            while !bytes.is_empty() {
                let (used, event) = self.decoder.decode(bytes, &mut self.scratch)?;
                found |= event.is_some_and(|event| wanted(&event));
                bytes = bytes.get_mut(used..).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// Publishes on a topic that only this client is subscribed to, and waits for the event.
    fn round_trip(&mut self) -> Result<Duration> {
        let begun = Instant::now();
        self.send(r#"[7,"probe","ping",false]"#)?;
        self.wait_for(|event| matches!(event, Event::Text(_)))?;
        Ok(begun.elapsed())
    }
}

/// The subscribers of the crowded topic, whose sockets a thread reads and forgets, and their
/// publisher. What it knows is shared with that thread.
struct Crowd {
    subscribers: u64,
    /// Bytes that one delivery has.
    delivery: u64,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Bytes that have arrived.
    bytes: AtomicU64,
    /// Publications so far.
    published: AtomicU64,
    /// Publish as soon as there is room in the window.
    busy: AtomicBool,
    ended: AtomicBool,
}

impl Crowd {
    fn gather(address: SocketAddr, subscribers: usize) -> Result<Self> {
        let poll = Poll::new()?;
        let mut sockets = Vec::new();
        for number in 0..subscribers {
            let mut client = Client::connect(address)?;
            client.send(r#"[5,"crowd"]"#)?;
            client.settle()?;
            client.socket.set_nonblocking(true)?;
            let mut socket = mio::net::TcpStream::from_std(client.socket);
            poll.registry().register(&mut socket, Token(number), Interest::READABLE)?;
            sockets.push(socket);
        }
        let publisher = Client::connect(address)?;
        let text = "x".repeat(PAYLOAD - 2);
        let event = format!(r#"[8,"crowd","{text}"]"#);
        let delivery = frame(OpCode::Text, event.as_bytes()).len() as u64;
        let crowd = Self { subscribers: subscribers as u64, delivery, shared: Arc::default() };
        let thread = Self { subscribers: crowd.subscribers, delivery, shared: Arc::clone(&crowd.shared) };
        let publication = format!(r#"[7,"crowd","{text}"]"#);
        std::thread::spawn(move || {
            if let Err(error) = thread.read(poll, sockets, publisher, &publication) {
                eprintln!("error: {error}");
            }
        });
        Ok(crowd)
    }

    /// Reads what comes, and publishes anew. It gives way to the thread that measures: both share
    /// one machine with the server, and it is the server's doing that is to be seen.
    fn read(
        &self,
        mut poll: Poll,
        mut sockets: Vec<mio::net::TcpStream>,
        mut publisher: Client,
        publication: &str,
    ) -> Result {
        rustix::process::nice(19)?;
        let mut events = Events::with_capacity(sockets.len());
        let mut buffer = vec![0; 64 * 1024];
        while !self.shared.ended.load(Ordering::Relaxed) {
            poll.poll(&mut events, Some(READING))?;
            for event in &events {
                // Less than the buffer holds: the socket is empty, and is told of again.
                if let Some(Ok(read)) =
                    sockets.get_mut(event.token().0).map(|socket| socket.read(&mut buffer))
                {
                    self.shared.bytes.fetch_add(read as u64, Ordering::Relaxed);
                }
            }
            while self.shared.busy.load(Ordering::Relaxed) && self.under_way() < WINDOW {
                self.shared.published.fetch_add(1, Ordering::Relaxed);
                publisher.send(publication)?;
            }
            std::thread::sleep(READING);
        }
        Ok(())
    }

    fn set_busy(&self, busy: bool) {
        self.shared.busy.store(busy, Ordering::Relaxed);
    }

    /// Deliveries so far.
    fn received(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed) / self.delivery
    }

    /// Publications that have not reached everybody.
    fn under_way(&self) -> u64 {
        self.shared.published.load(Ordering::Relaxed) - self.received() / self.subscribers
    }

    fn wait_until_served(&self) -> Result {
        let begun = Instant::now();
        while self.under_way() > 0 {
            if begun.elapsed() > LONGEST {
                return Err("not everything that was published has arrived".into());
            }
            std::thread::yield_now();
        }
        Ok(())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
    }
}

/// Round trips, the shortest first.
struct RoundTrips(Vec<Duration>);

/// Measures round trips one after another.
fn round_trips(probe: &mut Client) -> Result<RoundTrips> {
    let begun = Instant::now();
    let mut measured = Vec::new();
    while measured.len() < ROUND_TRIPS && begun.elapsed() < LONGEST {
        std::thread::sleep(PAUSE);
        measured.push(probe.round_trip()?);
    }
    measured.sort();
    Ok(RoundTrips(measured))
}

impl RoundTrips {
    /// The time under which this share of the round trips stayed, in microseconds.
    fn quantile(&self, share: f64) -> f64 {
        let rank = (self.0.len() as f64 * share) as usize;
        self.0.get(rank.min(self.0.len().saturating_sub(1))).map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
    }

    fn p99(&self) -> f64 {
        self.quantile(0.99)
    }
}

impl std::fmt::Display for RoundTrips {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:7.0} {:7.0} {:7.0}", self.quantile(0.5), self.p99(), self.quantile(0.999))
    }
}
