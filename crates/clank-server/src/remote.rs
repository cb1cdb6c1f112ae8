//! `clank publish`, `call`, `connections` and `disconnect`: what can be asked of a running server,
//! by its API: where that is configured to be, else in the directory of the server's journal.

mod http;

use std::io::{Read, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use ::http::{Method, StatusCode};
use clap::Args;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

pub(crate) use self::http::{Answer, Target};
use crate::api::{connect, read_tokens};
use crate::cli::{File, complain};
use crate::config::{self, ApiListen, ApiSettings};

/// What the server did not do, or what it could not be asked.
pub(crate) const FAILED: u8 = 1;
/// The command line is wrong.
const USAGE: u8 = 2;
/// No server was reached.
const UNREACHED: u8 = 3;
/// How much longer than `api.timeout` the answer may take.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// Where the API is, and how its answers are printed.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    #[command(flatten)]
    file: File,
    /// The API's address, http://HOST:PORT [default: api.listen]. The token is api.tokens or
    /// api.token_file, of the file or the environment.
    #[arg(long, value_name = "URL")]
    api: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Publish {
    /// The topic's URI.
    topic: String,
    /// The event, as JSON; `-` reads it from standard input.
    #[arg(allow_hyphen_values = true)]
    event: String,
    /// A connection that does not get it: resource id or session id. May be given several times.
    #[arg(long, value_name = "ID")]
    exclude: Vec<String>,
    /// A connection that may get it, and no other that is not named so.
    #[arg(long, value_name = "ID")]
    eligible: Vec<String>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct Call {
    /// The procedure's URI.
    uri: String,
    /// Its parameters, as a JSON array or object; `-` reads them from standard input.
    #[arg(default_value = "[]")]
    params: String,
    /// How long to wait for the answer, in milliseconds.
    #[arg(long, value_name = "MS")]
    timeout: Option<u64>,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct Connections {
    /// Of this user only.
    #[arg(long, value_name = "USER")]
    identity: Option<String>,
    /// Of this path only.
    #[arg(long, value_name = "PATH")]
    path: Option<String>,
    /// Subscribed to this topic only.
    #[arg(long, value_name = "TOPIC")]
    topic: Option<String>,
    /// Say only how many they are.
    #[arg(long)]
    count: bool,
    #[command(flatten)]
    reach: Reach,
}

#[derive(Debug, Args)]
pub(crate) struct Disconnect {
    /// The connection's resource id.
    #[arg(required_unless_present = "user")]
    resource_id: Option<u64>,
    /// All connections of this user instead.
    #[arg(long, value_name = "ID", conflicts_with = "resource_id")]
    user: Option<String>,
    /// The close code: 1000, or of your own 4000 to 4999.
    #[arg(long, default_value_t = 1000)]
    code: u16,
    /// Words for the client, of at most 123 bytes.
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    reach: Reach,
}

/// Why a command has not done what it should, and its exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    pub code: u8,
    pub lines: Vec<String>,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl std::fmt::Display) -> Self {
        Self { code, lines: vec![format!("error: {message}")] }
    }

    /// The server can't be asked as things are configured.
    pub(crate) fn unusable(message: impl std::fmt::Display) -> Self {
        Self::new(FAILED, message)
    }

    pub(crate) fn unreached(message: impl std::fmt::Display) -> Self {
        Self::new(UNREACHED, message)
    }
}

impl Publish {
    pub(crate) fn run(self) -> ExitCode {
        let Self { topic, event, exclude, eligible, reach } = self;
        finish(async {
            let names = |names: &[String]| names.iter().map(|name| named(name)).collect();
            let body = PublishBody {
                topic: &topic,
                event: argument("EVENT", &event)?,
                exclude: names(&exclude),
                eligible: (!eligible.is_empty()).then(|| names(&eligible)),
            };
            let answer = reach.ask(Method::POST, "/v1/publish", Some(json(&body)?)).await?;
            reach.print(&answer, |answer| format!("{} received it", answer["receivers"]))
        })
    }
}

#[derive(Serialize)]
struct PublishBody<'a> {
    topic: &'a str,
    event: Box<RawValue>,
    exclude: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    eligible: Option<Value>,
}

impl Call {
    pub(crate) fn run(self) -> ExitCode {
        let Self { uri, params, timeout, reach } = self;
        finish(async {
            let body = CallBody { uri: &uri, params: argument("PARAMS", &params)?, timeout_ms: timeout };
            let answer = reach.ask(Method::POST, "/v1/call", Some(json(&body)?)).await?;
            let Returned { result } = serde_json::from_str(answer.get()).map_err(Failure::unusable)?;
            print(if reach.json { answer.get() } else { result.get() })
        })
    }
}

#[derive(Serialize)]
struct CallBody<'a> {
    uri: &'a str,
    params: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
}

#[derive(Deserialize)]
struct Returned {
    result: Box<RawValue>,
}

impl Connections {
    pub(crate) fn run(self) -> ExitCode {
        let Self { identity, path, topic, count, reach } = self;
        finish(async {
            let filters = [("identity", identity), ("path", path), ("topic", topic)];
            let given = filters.into_iter().filter_map(|(name, value)| Some((name, value?)));
            let query: String = given.map(|(name, value)| format!("&{name}={}", encode(&value))).collect();
            if count {
                let path = format!("/v1/connections/count?{query}");
                let answer = reach.ask(Method::GET, &path, None).await?;
                return reach.print(&answer, |answer| answer["count"].to_string());
            }
            let mut path = format!("/v1/connections?limit=1000{query}");
            loop {
                let page = reach.ask(Method::GET, &path, None).await?;
                let Page { connections, next } =
                    serde_json::from_str(page.get()).map_err(Failure::unusable)?;
                for connection in &connections {
                    reach.print(connection, line)?;
                }
                let Some(next) = next else { return Ok(()) };
                path = format!("/v1/connections?limit=1000{query}&cursor={}", encode(&next));
            }
        })
    }
}

#[derive(Deserialize)]
struct Page {
    connections: Vec<Box<RawValue>>,
    next: Option<String>,
}

impl Disconnect {
    pub(crate) fn run(self) -> ExitCode {
        let Self { resource_id, user, code, reason, reach } = self;
        finish(async {
            let whom = match (resource_id, &user) {
                (Some(id), _) => format!("/v1/connections/{id}"),
                (None, user) => {
                    format!("/v1/users/{}/connections", encode(user.as_deref().unwrap_or_default()))
                }
            };
            let path = format!("{whom}?code={code}&reason={}", encode(&reason));
            let answer = reach.ask(Method::DELETE, &path, None).await?;
            reach.print(&answer, |answer| format!("{} disconnected", answer["disconnected"]))
        })
    }
}

impl Reach {
    /// What the API answers, if it does what is asked. It is kept as it came: numbers and the order
    /// of members are the application's.
    async fn ask(&self, method: Method, path: &str, body: Option<String>) -> Result<Box<RawValue>, Failure> {
        self.target().await?.ask(method, path, body).await?.judge(self.json)
    }

    async fn target(&self) -> Result<Target, Failure> {
        let config = config::read(self.file.path(), Vec::new()).map_err(|problems| Failure {
            code: FAILED,
            lines: problems.iter().map(ToString::to_string).collect(),
        })?;
        let settings = config.settings;
        match &self.api {
            None if settings.has_journal && !settings.api.listen.is_known() => {
                let directory = settings.journal.path.path();
                if connect(directory).await.is_ok_and(|answers| answers.is_some()) {
                    return Ok(Target::control(directory, settings.api.timeout.duration() + GRACE));
                }
            }
            _ => {}
        }
        self.configured(&settings.api)
    }

    /// The API that the settings tell of.
    fn configured(&self, api: &ApiSettings) -> Result<Target, Failure> {
        let tokens = read_tokens(api).map_err(Failure::unusable)?;
        let Some(token) = tokens.iter().next() else {
            return Err(Failure::unusable(
                "there is no token: set api.tokens (CLANK_API_TOKENS) or api.token_file",
            ));
        };
        let url = match (&self.api, &api.listen) {
            (Some(url), _) => url.clone(),
            (None, ApiListen::At(_, 0)) => {
                return Err(Failure::unusable("api.listen leaves the port to the system: say --api URL"));
            }
            // From here, all addresses of this machine are its own one.
            (None, ApiListen::At(host, port)) => match host.as_str() {
                "0.0.0.0" => format!("http://127.0.0.1:{port}"),
                "::" => format!("http://[::1]:{port}"),
                _ => format!("http://{}:{port}", host.for_url()),
            },
            (None, ApiListen::Off) => {
                let message = "no API is configured: set api.listen (CLANK_API_LISTEN), or say --api URL";
                return Err(Failure::unusable(message));
            }
        };
        Target::parse(&url, token.clone(), api.timeout.duration() + GRACE)
    }

    /// Prints `answer` as it is, or the line that is made of it.
    fn print(&self, answer: &RawValue, line: impl Fn(&Value) -> String) -> Result<(), Failure> {
        if self.json {
            return print(answer.get());
        }
        let answer = serde_json::from_str(answer.get()).map_err(Failure::unusable)?;
        print(&line(&answer))
    }
}

impl Answer {
    /// The body, if what was asked for is done. A problem is printed too where JSON is wanted.
    pub(crate) fn judge(self, json: bool) -> Result<Box<RawValue>, Failure> {
        let Self { status, body } = self;
        match status {
            StatusCode::OK => Ok(body),
            StatusCode::UNAUTHORIZED => Err(Failure::unusable(
                "the API knows no such token: give one that the server has in api.tokens",
            )),
            _ => {
                if json {
                    print(body.get())?;
                }
                let problem: Value = serde_json::from_str(body.get()).map_err(Failure::unusable)?;
                let words =
                    |name: &str| problem[name].as_str().unwrap_or_default().escape_debug().to_string();
                Err(Failure::unusable(format!("{} {}", words("title"), words("detail"))))
            }
        }
    }
}

/// Writes a line to standard output. A reader that has gone away has read enough.
pub(crate) fn print(line: &str) -> Result<(), Failure> {
    is_read(line).map(drop)
}

/// Writes a line to standard output, and says whether anybody reads there.
pub(crate) fn is_read(line: &str) -> Result<bool, Failure> {
    match writeln!(std::io::stdout(), "{line}") {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::unusable(format!("standard output: {error}"))),
    }
}

/// A connection as a line; what clients have sent is escaped.
fn line(connection: &Value) -> String {
    let text = |value: &Value| match value.as_str() {
        Some(text) => text.escape_debug().to_string(),
        None => "-".to_owned(),
    };
    let words = [&connection["identity"]["id"], &connection["path"], &connection["remote_address"]].map(text);
    format!("{}\t{}", connection["resource_id"], words.join("\t"))
}

/// An argument that is JSON, or stands for standard input, which is.
fn argument(name: &str, text: &str) -> Result<Box<RawValue>, Failure> {
    let mut input = String::new();
    let text = match text {
        "-" => {
            let read = std::io::stdin().read_to_string(&mut input);
            read.map_err(|error| Failure::unusable(format!("standard input: {error}")))?;
            &input
        }
        text => text,
    };
    serde_json::from_str(text).map_err(|error| {
        let hint = "write strings in double quotes within single ones: '\"hello\"'";
        Failure::new(USAGE, format!("{name} is not JSON: {error}; {hint}"))
    })
}

fn json(body: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(body).map_err(Failure::unusable)
}

/// A resource id is an integer; the id of a session has letters, or more digits than that.
fn named(name: &str) -> Value {
    name.parse::<u64>().ok().filter(|_| name.len() != 14).map_or_else(|| name.into(), Value::from)
}

pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// Runs a command to its end, and says what went wrong.
pub(crate) fn finish(command: impl Future<Output = Result<(), Failure>>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(Failure::unusable).and_then(|runtime| runtime.block_on(command));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, lines }) => {
            complain(&lines);
            ExitCode::from(code)
        }
    }
}
