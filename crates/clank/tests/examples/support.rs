//! An example as a process, and a client that talks to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{CloseFrame, WebSocket};
use tungstenite::{ClientRequestBuilder, Message};

/// How long a client waits for a message before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running example. It is killed when it is dropped.
pub(crate) struct Example {
    process: Child,
    stdout: BufReader<ChildStdout>,
    /// Where it listens, as it says itself.
    pub(crate) first_line: String,
    /// What it had said before.
    early: std::collections::VecDeque<String>,
    pub(crate) address: SocketAddr,
}

impl Example {
    /// Starts an example on a free port.
    pub(crate) fn start(name: &str) -> Self {
        Self::start_with(name, &[])
    }

    /// The same with more arguments.
    pub(crate) fn start_with(name: &str, arguments: &[&str]) -> Self {
        let program = examples().join(name);
        let spawned =
            Command::new(&program).args(["--port", "0"]).args(arguments).stdout(Stdio::piped()).spawn();
        let mut process = spawned.unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let mut early = std::collections::VecDeque::new();
        let mut first_line = read_line(&mut stdout);
        while !first_line.contains("://") {
            early.push_back(std::mem::replace(&mut first_line, read_line(&mut stdout)));
        }
        let (_, address) = first_line.rsplit_once("://").unwrap_or_else(|| panic!("{first_line}"));
        let address = address.parse().unwrap();
        Self { process, stdout, first_line, early, address }
    }

    /// The next line of its standard output.
    pub(crate) fn line(&mut self) -> String {
        self.early.pop_front().unwrap_or_else(|| read_line(&mut self.stdout))
    }

    /// Ends it as nothing can be done against.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Ends it as Ctrl-C does, and returns what it still had to say.
    pub(crate) fn interrupt(mut self) -> String {
        let killed = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        assert!(killed.unwrap().success());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert!(self.process.wait().unwrap().success());
        rest
    }

    /// The body of a page that it serves.
    pub(crate) fn page(&self, path: &str) -> String {
        let (status, body) = self.request("GET", path, "");
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Sends a request over HTTP. Returns status and body of the response.
    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut socket = connect(self.address);
        let (host, length) = (self.address, body.len());
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n");
        write!(socket, "{head}content-length: {length}\r\n\r\n{body}").unwrap();
        let mut response = String::new();
        socket.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // It fails if the example has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where the examples of the build are that this test belongs to. They are built first: Cargo makes
/// executables of them for some ways of running tests and not for others.
fn examples() -> &'static Path {
    static EXAMPLES: OnceLock<PathBuf> = OnceLock::new();
    EXAMPLES.get_or_init(|| {
        // All of the workspace, so that dependencies have the features that they have already.
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--locked", "--workspace", "--examples"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        assert!(build.status().unwrap().success(), "the examples do not build");
        let test = std::env::current_exe().unwrap();
        test.parent().unwrap().with_file_name("examples")
    })
}

fn read_line(stdout: &mut impl BufRead) -> String {
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.ends_with('\n'), "the example has ended");
    line.truncate(line.len() - 1);
    line
}

fn connect(address: SocketAddr) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A client of WAMP v1.
pub(crate) struct Client {
    socket: WebSocket<TcpStream>,
    /// Its session's id.
    pub(crate) session: String,
}

impl Client {
    pub(crate) fn connect(example: &Example) -> Self {
        Self::connect_to(example.address, "/")
    }

    pub(crate) fn connect_to(address: SocketAddr, path: &str) -> Self {
        let uri = format!("ws://{address}{path}").parse().unwrap();
        let request = ClientRequestBuilder::new(uri).with_sub_protocol("wamp");
        let (mut socket, _) = tungstenite::client(request, connect(address)).unwrap();
        let welcome = receive(&mut socket);
        assert_eq!((&welcome[0], &welcome[2]), (&json!(0), &json!(1)), "{welcome}");
        let session = welcome[1].as_str().unwrap().to_owned();
        Self { socket, session }
    }

    pub(crate) fn send(&mut self, message: &Value) {
        self.send_text(&message.to_string());
    }

    pub(crate) fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
    }

    /// The next message from the server.
    pub(crate) fn receive(&mut self) -> Value {
        receive(&mut self.socket)
    }

    /// Calls a procedure with one argument; returns its answer.
    pub(crate) fn call(&mut self, uri: &str, argument: &Value) -> Value {
        self.send(&json!([2, "call", uri, argument]));
        self.receive()
    }

    /// Waits for the server's close frame, and answers it.
    pub(crate) fn closed(&mut self) -> CloseFrame {
        loop {
            match self.socket.read().unwrap() {
                Message::Close(frame) => {
                    // The answer is sent by the next call; the server may be gone before it.
                    let _ = self.socket.flush();
                    return frame.unwrap();
                }
                Message::Text(text) => panic!("{text}"),
                _ => {}
            }
        }
    }

    /// Closes the connection.
    pub(crate) fn close(mut self) {
        self.socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })).unwrap();
        while self.socket.read().is_ok() {}
    }
}

fn receive(socket: &mut WebSocket<TcpStream>) -> Value {
    loop {
        match socket.read().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) | Message::Pong(_) => {}
            message => panic!("{message:?}"),
        }
    }
}
