//! An application that receives webhooks: what it answers is what the test says.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A request that was received.
#[derive(Clone, Debug)]
pub struct Request {
    /// In lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
    /// Which of the receiver's connections brought it.
    pub connection: usize,
    /// When it was here.
    pub at: Instant,
}

impl Request {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What a request is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// A status, a further header (empty: none), a body.
    Status(u16, &'static str, &'static str),
    /// Nothing, while the connection stays open.
    Hang,
    /// The end of the connection.
    Reset,
    /// What is no HTTP.
    Garbage,
    /// A body that breaks off.
    Torn,
}

/// A plain success.
pub const OK: Reply = Reply::Status(204, "", "");

type Script = Box<dyn FnMut(&Request) -> Reply + Send>;

/// A receiver on a free port.
pub struct Receiver {
    pub address: SocketAddr,
    script: Arc<Mutex<Script>>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    pub fn new(script: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap(), script)
    }

    pub fn on(listener: TcpListener, script: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let requests = Arc::default();
        let receiver = Self { address, script: Arc::clone(&script), requests: Arc::clone(&requests) };
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let (script, requests) = (Arc::clone(&script), Arc::clone(&requests));
                std::thread::spawn(move || serve(&stream, number, &script, &requests));
            }
        });
        receiver
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// From now on it answers otherwise.
    pub fn script(&self, script: impl FnMut(&Request) -> Reply + Send + 'static) {
        *self.script.lock().unwrap() = Box::new(script);
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    stream: &TcpStream,
    number: usize,
    script: &Mutex<Script>,
    requests: &Mutex<Vec<Request>>,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut writer = stream;
    loop {
        let request = read(&mut reader, number)?;
        let reply = {
            let mut script = script.lock().unwrap();
            requests.lock().unwrap().push(request.clone());
            script(&request)
        };
        match reply {
            Reply::Status(status, header, body) => {
                let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
                let length = body.len();
                let answer =
                    format!("HTTP/1.1 {status} Answered\r\n{header}content-length: {length}\r\n\r\n{body}");
                writer.write_all(answer.as_bytes()).ok()?;
            }
            Reply::Hang => std::thread::park_timeout(Duration::from_secs(600)),
            Reply::Reset => {
                // What is unread makes it a reset, not an orderly end.
                return None;
            }
            Reply::Garbage => writer.write_all(b"\x16\x03\x01 this is no HTTP\r\n\r\n").ok()?,
            Reply::Torn => {
                writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id").ok()?;
                return None;
            }
        }
    }
}

fn read(reader: &mut impl BufRead, connection: usize) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) => _ = headers.insert(name.to_ascii_lowercase(), value.to_owned()),
            None => break,
        }
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { headers, body: String::from_utf8(body).unwrap(), connection, at: Instant::now() })
}
