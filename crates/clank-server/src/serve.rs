//! `clank server`: the server, put together from its settings.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use clank::{Builder, Clank, EventKind, Handle, ListenerOptions, Origins, Paths, Record};
use clank_core::event::Body;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::api::{Control, Door};
use crate::cli::{Options, complain};
use crate::config::{
    ConsoleFormat, Host, OnConnectTimeout, Raw, RawSocketSettings, ServerSettings, Settings, Value as _,
    Workers,
};
use crate::console;
use crate::events::Events;
use crate::logging;
use crate::output::Output;
use crate::realms;
use crate::symfony::{self, Symfony};
use crate::webhook::connecting::Connecting;

/// The page that is served on `/`, its script, and the client.
const CHAT: &str = include_str!("../assets/index.html");
const CHAT_SCRIPT: &str = include_str!("../assets/chat.js");
const CLIENT: &str = include_str!("../../../js/clank/dist/clank.js");

/// Runs the server until it is told to stop.
pub(crate) fn run(options: Options) -> ExitCode {
    let config = match options.read() {
        Ok(config) => config,
        Err(problems) => {
            complain(&problems);
            return ExitCode::FAILURE;
        }
    };
    complain(&config.warnings);
    match serve(&config.settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&[format!("error: {error}")]);
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn serve(settings: &Settings) -> clank::Result {
    let stderr = Output::spawn("standard error", io::stderr())?;
    logging::init(settings.log, &stderr)?;
    raise_descriptor_limit();
    let stdout = Arc::new(Output::spawn("standard output", io::stdout())?);
    stdout.line(console::STARTING);
    // Whoever reads that it is launched may tell it to stop.
    let symfony = Symfony::start(&settings.symfony, &stdout).await?;
    let signals = Signals::listen(symfony.as_ref())?;
    let served = serve_with(settings, signals, &stdout, symfony.as_ref()).await;
    if let Some(symfony) = symfony {
        symfony.stop().await;
    }
    let limit = settings.limits.shutdown.duration();
    stdout.finish(limit);
    stderr.finish(limit);
    served
}

/// Serves until the server has been shut down.
async fn serve_with(
    settings: &Settings,
    signals: Signals,
    stdout: &Arc<Output>,
    symfony: Option<&Symfony>,
) -> clank::Result {
    let door = Door::open(&settings.api).await?;
    let events = Events::open(settings, symfony).await?;
    let control = events.as_ref().and_then(|_| control(settings));
    let builder = build(settings, stdout, events.as_ref())?;
    let server = match symfony {
        Some(symfony) => symfony.add_to(builder),
        None => builder,
    };
    let server = rawsocket(server, &settings.rawsocket).bind(address(settings, symfony)?).start()?;
    if let Some(symfony) = symfony {
        symfony.serve(server.handle());
    }
    let access = events.as_ref().map(Events::access);
    let control = control.zip(access.clone());
    let control = control.map(|(control, access)| control.serve(server.handle(), access, &settings.api));
    let _api = door.map(|door| door.serve_with(server.handle(), access));
    tokio::spawn(signals.obey(server.handle()));
    server.wait().await;
    drop(control);
    if let Some(events) = events {
        if symfony.is_some() {
            events.settle(symfony::SINK).await;
        }
        events.close().await;
    }
    Ok(())
}

/// Where the server listens: as it was told, else where its application would have it.
fn address(settings: &Settings, symfony: Option<&Symfony>) -> clank::Result<String> {
    let ServerSettings { host, port, is_host_given, is_port_given, .. } = &settings.server;
    let (asked_host, asked_port) = symfony.map(Symfony::listen).unwrap_or_default();
    let host = match asked_host.filter(|_| !is_host_given) {
        Some(asked) => Host::parse(Raw::Text(&asked)).map_err(|invalid| {
            clank::Error::new(format!("clank: web_socket_server: host: {}", invalid.message))
        })?,
        None => host.clone(),
    };
    let port = asked_port.filter(|_| !is_port_given).unwrap_or(*port);
    Ok(format!("{}:{port}", host.for_url()))
}

/// Where RawSocket is spoken.
fn rawsocket(builder: Builder, settings: &RawSocketSettings) -> Builder {
    let RawSocketSettings { listen, unix } = settings;
    let builder = match listen.address() {
        Some(address) => builder.bind_rawsocket(address),
        None => builder,
    };
    match unix.path() {
        Some(path) => builder.bind_rawsocket_unix(path),
        None => builder,
    }
}

/// The API's socket in the journal's directory. The server runs without it where the system refuses it.
fn control(settings: &Settings) -> Option<Control> {
    let refused = |error| tracing::warn!(%error, "commands can't reach the server by its journal");
    Control::open(settings.journal.path.path()).map_err(refused).ok()
}

/// Takes as many descriptors as the system lets it: each client needs one, and the limit that a
/// process begins with, often 1,024, is there for programs that use `select`.
fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum {
        match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
            Ok(()) => tracing::info!(from = ?current, to = ?maximum, "raised the limit on descriptors"),
            Err(error) => tracing::warn!(%error, ?current, "can't raise the limit on descriptors"),
        }
    }
}

/// The server that the settings describe.
fn build(settings: &Settings, stdout: &Arc<Output>, events: Option<&Events>) -> clank::Result<Builder> {
    let Settings { server, limits, deflate, .. } = settings;
    let console = settings.events;
    let builder = realms::add_to(Clank::builder(), settings)?
        .limits(*limits)
        .wamp1(settings.wamp1_options())
        .deflate(deflate.enabled)
        .node(server.node.clone())
        .origins(origins(server))
        .paths(Paths::Only(server.path.as_str().into()))
        .keep_headers(server.headers.iter().map(|name| name.as_str()))
        .on_listener_timeout(match console.on_connect_timeout {
            OnConnectTimeout::Close => clank::OnListenerTimeout::Close,
            OnConnectTimeout::Serve => clank::OnListenerTimeout::Serve,
        })
        .page("/", "text/html; charset=utf-8", chat(server.path.as_str()))
        .page("/chat.js", "text/javascript; charset=utf-8", CHAT_SCRIPT)
        .page("/clank.js", "text/javascript; charset=utf-8", CLIENT);
    let builder = match server.workers {
        Workers::Auto => builder,
        Workers::Fixed(workers) => builder.workers(workers.count()),
    };
    let builder = match events {
        Some(Events { log, run, .. }) => {
            let before = settings.journal.before_accept;
            builder.journal(log.clone()).run(*run).journal_before_accept(before)
        }
        None => builder,
    };
    let builder = match Connecting::new(&settings.connecting, &server.node)? {
        Some(connecting) => builder.on_connecting(move |client| Arc::clone(&connecting).ask(client)),
        None => builder,
    };
    let listen = |builder, kind| listen(builder, kind, console.console, stdout);
    Ok(EventKind::ALL.into_iter().fold(builder, listen))
}

/// The chat page of a server whose WebSocket is at `path`.
fn chat(path: &str) -> String {
    let path = path.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    CHAT.replacen(r#"data-socket="/""#, &format!(r#"data-socket="{path}""#), 1)
}

/// Adds the console's listener for one kind of event. It never waits for who reads the output.
fn listen(builder: Builder, kind: EventKind, format: ConsoleFormat, stdout: &Arc<Output>) -> Builder {
    let stdout = Arc::clone(stdout);
    let hears = kind == EventKind::Launched || is_printed(kind, format);
    if !hears {
        return builder;
    }
    builder.on_with(ListenerOptions::new().priority(i32::MAX).inline(), kind, move |event| {
        print(&stdout, event.record(), format);
        std::future::ready(Ok(()))
    })
}

/// Whether the console has something to say of such events; nobody makes records of others.
fn is_printed(kind: EventKind, format: ConsoleFormat) -> bool {
    match format {
        ConsoleFormat::Off => false,
        ConsoleFormat::Text => {
            matches!(kind, EventKind::Connected | EventKind::Disconnected | EventKind::Error)
        }
        ConsoleFormat::Json => true,
    }
}

fn print(stdout: &Output, record: &Record, format: ConsoleFormat) {
    if let Body::Launched(launched) = &record.body {
        stdout.line(&console::launching(&launched.address));
        launched.rawsocket.iter().for_each(|url| stdout.line(&console::launching_rawsocket(url)));
    }
    if let Some(line) = console::line(record, format) {
        stdout.line(&line);
    }
}

fn origins(server: &ServerSettings) -> Origins {
    let listed: Vec<String> = server.origins.iter().map(|origin| origin.as_str().to_owned()).collect();
    match listed.iter().any(|origin| origin == "*") {
        true => Origins::Any,
        false if listed.is_empty() => Origins::SameHost,
        false => Origins::Listed(listed),
    }
}

/// SIGTERM and SIGINT, which no longer end the process by themselves; and SIGHUP, where there is an
/// application that it begins anew.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    reload: Option<Reload>,
}

/// A signal, and what it does to the application.
type Reload = (Signal, Box<dyn Fn() + Send>);

impl Signals {
    fn listen(symfony: Option<&Symfony>) -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        let reload = match symfony {
            Some(symfony) => Some((signal(SignalKind::hangup())?, Box::new(symfony.reloader()) as _)),
            None => None,
        };
        Ok(Self { terminate, interrupt, reload })
    }

    /// Shuts the server down at the first signal; each further one hastens.
    async fn obey(mut self, handle: Handle) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
                () = reload(&mut self.reload) => continue,
            }
            handle.shutdown();
        }
    }
}

/// Has the application begin anew at a signal.
async fn reload(reload: &mut Option<Reload>) {
    match reload {
        Some((signal, reload)) => {
            _ = signal.recv().await;
            reload();
        }
        None => std::future::pending().await,
    }
}
