//! Brokers as sinks: real ones, which are killed in between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![cfg(all(feature = "amqp", feature = "nats", feature = "redis"))]

mod serve_support;

use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use serve_support::history::History;
use serve_support::{Program, eventually, until};
use tokio::runtime::Runtime;

/// A broker of this test's own, with its data; killed when it is dropped.
struct Broker {
    command: Command,
    process: Option<Child>,
    directory: PathBuf,
    port: u16,
    /// Erlang's name server, which RabbitMQ would start by itself, and leave behind.
    epmd: Option<Child>,
}

/// A port that nobody has, and that the system gives to no other test that asks for any.
fn free_port() -> u16 {
    const PORTS: u32 = 10_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let from = std::process::id().wrapping_mul(7);
    let candidates = std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed)).take(PORTS as usize);
    let mut ports = candidates.map(|next| 20_000 + (from.wrapping_add(next) % PORTS) as u16);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

impl Broker {
    fn new(name: &str, program: &str) -> Self {
        let unique = format!("{name}-{}", std::process::id());
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique);
        _ = std::fs::remove_dir_all(&directory);
        std::fs::create_dir_all(&directory).unwrap();
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir(&directory);
        // RabbitMQ's program starts the broker as a child of its own: they are killed together.
        command.process_group(0);
        Self { command, process: None, directory, port: free_port(), epmd: None }
    }

    fn nats() -> Self {
        let mut broker = Self::new("nats", "nats-server");
        let port = broker.port.to_string();
        broker.command.args(["--addr", "127.0.0.1", "--port", &port, "--jetstream", "--store_dir", "data"]);
        broker.started()
    }

    fn redis() -> Self {
        let mut broker = Self::new("redis", "redis-server");
        let port = broker.port.to_string();
        broker.command.args(["--port", &port, "--bind", "127.0.0.1", "--save", ""]);
        broker.command.args(["--appendonly", "yes", "--appendfsync", "always"]);
        broker.started()
    }

    fn rabbitmq() -> Self {
        let mut broker = Self::new("rabbitmq", "/usr/lib/rabbitmq/bin/rabbitmq-server");
        let epmd = free_port();
        let mut names = Command::new("epmd");
        names.args(["-port", &epmd.to_string(), "-address", "127.0.0.1"]).stdout(Stdio::null());
        broker.epmd = Some(names.spawn().unwrap());
        until("names are served", || TcpStream::connect(("127.0.0.1", epmd)).is_ok());
        let at = |name: &str| broker.directory.join(name).display().to_string();
        broker.command.envs([
            ("HOME", at("")),
            ("RABBITMQ_NODENAME", format!("clank{}@localhost", broker.port)),
            ("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_NODE_PORT", broker.port.to_string()),
            ("RABBITMQ_DIST_PORT", free_port().to_string()),
            ("ERL_EPMD_PORT", epmd.to_string()),
            ("ERL_EPMD_ADDRESS", "127.0.0.1".to_owned()),
            ("RABBITMQ_MNESIA_BASE", at("mnesia")),
            ("RABBITMQ_LOG_BASE", at("log")),
            ("RABBITMQ_LOGS", "-".to_owned()),
            ("RABBITMQ_PID_FILE", at("pid")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", at("plugins")),
            ("RABBITMQ_CONF_ENV_FILE", at("none")),
            ("RABBITMQ_CONFIG_FILE", at("none")),
            ("RABBITMQ_ADVANCED_CONFIG_FILE", at("none")),
        ]);
        broker.started()
    }

    fn started(mut self) -> Self {
        self.start();
        self
    }

    fn start(&mut self) {
        let spawned = self.command.spawn().unwrap_or_else(|error| panic!("{:?}: {error}", self.command));
        self.process = Some(spawned);
        until("the broker listens", || TcpStream::connect(("127.0.0.1", self.port)).is_ok());
    }

    /// Ends it as the loss of its machine would, but for the disk.
    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let group = format!("-{}", process.id());
            assert!(Command::new("kill").args(["-KILL", "--", &group]).status().unwrap().success());
            process.wait().unwrap();
            until("nobody listens", || TcpStream::connect(("127.0.0.1", self.port)).is_err());
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
        if let Some(mut names) = self.epmd.take() {
            _ = names.kill();
            _ = names.wait();
        }
        _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn start(broker: &Broker, kind: &str, url: &str, subject: &str) -> Program {
    let journal = broker.directory.join("journal").display().to_string();
    Program::start(&[
        ("CLANK_JOURNAL_PATH", &journal),
        ("CLANK_SINKS_BROKER_TYPE", kind),
        ("CLANK_SINKS_BROKER_URL", url),
        ("CLANK_SINKS_BROKER_SUBJECT", subject),
        ("CLANK_SINKS_BROKER_BATCH", "10"),
        ("CLANK_SINKS_BROKER_BACKOFF", "500ms"),
        ("CLANK_SINKS_BROKER_TIMEOUT", "2s"),
    ])
}

fn come_and_go(program: &Program, clients: usize) {
    for _ in 0..clients {
        program.client().leave();
    }
}

/// Lets clients come and go, before, while and after the broker is dead, until `read` has found all
/// of it with the broker.
fn check(broker: &mut Broker, program: &Program, mut read: impl FnMut(&mut Vec<Value>)) {
    let mut deliveries = Vec::new();
    let mut until_there = |what: &str, events: usize| {
        eventually(what, || {
            read(&mut deliveries);
            let history = History { deliveries: deliveries.clone() };
            let told =
                history.ids("clank.client.connected").len() + history.ids("clank.client.disconnected").len();
            (told == events).then_some(history)
        })
    };
    come_and_go(program, 20);
    until_there("the first are told", 40);
    broker.kill();
    come_and_go(program, 20);
    broker.start();
    come_and_go(program, 20);
    let history = until_there("all are told", 120);
    history.check(&BTreeSet::new()).assert_none();
}

#[test]
fn nats() {
    let mut broker = Broker::nats();
    let url = format!("nats://127.0.0.1:{}", broker.port);
    let runtime = Runtime::new().unwrap();
    let stream = runtime.block_on(async {
        let context = async_nats::jetstream::new(async_nats::connect(&url).await.unwrap());
        let config = async_nats::jetstream::stream::Config {
            name: "clank".to_owned(),
            subjects: vec!["events.>".to_owned()],
            ..Default::default()
        };
        context.create_stream(config).await.unwrap()
    });
    let program = start(&broker, "nats", &url, "events.{type}");
    check(&mut broker, &program, |deliveries| {
        // The stream knows each message by its number; while the broker is down there is nothing to read.
        while let Ok(message) = runtime.block_on(stream.get_raw_message(deliveries.len() as u64 + 1)) {
            let record: Value = serde_json::from_slice(&message.payload).unwrap();
            assert_eq!(message.headers.get("Nats-Msg-Id").unwrap().as_str(), record["id"].as_str().unwrap());
            assert_eq!(message.subject.as_str(), format!("events.{}", record["type"].as_str().unwrap()));
            deliveries.push(record);
        }
    });
}

#[test]
fn redis_stream() {
    let mut broker = Broker::redis();
    let url = format!("redis://127.0.0.1:{}/", broker.port);
    let client = redis::Client::open(url.as_str()).unwrap();
    let program = start(&broker, "redis", &url, "clank:events");
    check(&mut broker, &program, |deliveries| {
        let Ok(mut connection) = client.get_connection() else { return };
        let entries: Vec<(String, Vec<String>)> = redis::cmd("XRANGE")
            .arg("clank:events")
            .arg("-")
            .arg("+")
            .query(&mut connection)
            .unwrap_or_default();
        *deliveries = entries
            .iter()
            .map(|(_, fields)| {
                let [id_name, id, type_name, kind, record_name, record] = &fields[..] else {
                    panic!("{fields:?}")
                };
                assert_eq!([id_name, type_name, record_name].map(String::as_str), ["id", "type", "record"]);
                let record: Value = serde_json::from_str(record).unwrap();
                assert_eq!(
                    (id.as_str(), kind.as_str()),
                    (record["id"].as_str().unwrap(), record["type"].as_str().unwrap())
                );
                record
            })
            .collect();
    });
}

#[test]
fn amqp() {
    use lapin::options::{BasicGetOptions, QueueDeclareOptions};
    use lapin::types::FieldTable;

    let mut broker = Broker::rabbitmq();
    let url = format!("amqp://127.0.0.1:{}/%2f", broker.port);
    let runtime = Runtime::new().unwrap();
    let connect = || async {
        let connection = lapin::Connection::connect(&url, lapin::ConnectionProperties::default()).await?;
        let channel = connection.create_channel().await?;
        Ok::<_, lapin::Error>((connection, channel))
    };
    runtime.block_on(async {
        let (_connection, channel) = connect().await.unwrap();
        channel
            .queue_declare("events".into(), QueueDeclareOptions::durable(), FieldTable::default())
            .await
            .unwrap();
    });
    let program = start(&broker, "amqp", &url, "/events");
    check(&mut broker, &program, |deliveries| {
        runtime.block_on(async {
            let Ok((_connection, channel)) = connect().await else { return };
            // Without an acknowledgement, so that all stay in the queue when the connection ends.
            let options = BasicGetOptions { no_ack: false };
            deliveries.clear();
            while let Ok(Some(message)) = channel.basic_get("events".into(), options).await {
                let record: Value = serde_json::from_slice(&message.data).unwrap();
                let id = message.properties.message_id().as_ref().unwrap().as_str();
                assert_eq!(
                    (id, *message.properties.delivery_mode()),
                    (record["id"].as_str().unwrap(), Some(2))
                );
                deliveries.push(record);
            }
        });
    });
}
