//! Putting a configuration together from where it comes from.

pub(super) mod realms;
mod sinks;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use clank_core::limits::{HOUR, Period};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::api::ApiListen;
use super::problem::{Place, Problem, Severity, nearest};
use super::settings::{ConsoleFormat, Settings};
use super::symfony::SymfonySettings;
use super::table::{SECTIONS, SETTINGS, Setting};
use super::value::{Invalid, Raw};

/// The file that is read if none is named, where it exists.
const DEFAULT_FILE: &str = "clank.toml";
/// The section that has a section for each sink.
const SINKS: &str = "sinks";
/// The section that has a section for each realm that something is said of.
const REALMS: &str = "realms";
/// The section that puts a journal there, whatever it says.
const JOURNAL: &str = "journal";
/// The variables that are ours but no settings.
const OTHER_VARIABLES: [&str; 1] = ["CLANK_CONFIG"];

/// Where a configuration comes from; what stands later wins.
#[derive(Clone, Debug, Default)]
pub struct Input {
    /// Name and content of the file.
    pub file: Option<(String, String)>,
    /// Names and values of the environment variables that begin with `CLANK_`.
    pub environment: Vec<(String, String)>,
    /// Flags of the command line.
    pub flags: Vec<Flag>,
}

/// A flag of the command line that gives a setting.
#[derive(Clone, Debug)]
pub struct Flag {
    /// The setting's key.
    pub key: &'static str,
    /// The flag as the user writes it: `--port`.
    pub flag: &'static str,
    /// The value given.
    pub value: String,
}

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Config {
    /// The settings.
    pub settings: Settings,
    /// What can be used, but hardly says what was meant.
    pub warnings: Vec<Problem>,
    /// Name of the file, if one was read.
    pub file: Option<String>,
    /// Of each row of [`SETTINGS`].
    sources: Vec<Source>,
    /// Of each setting of a sink that is given, by the sink's name and the key.
    sink_sources: BTreeMap<(String, &'static str), Source>,
}

/// Where the value of a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is the default.
    Default,
    /// It was given there.
    Given(Place),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Given(place) => place.fmt(f),
        }
    }
}

impl Config {
    /// Every setting, with where its value comes from.
    pub fn sources(&self) -> impl Iterator<Item = (&'static Setting, &Source)> {
        SETTINGS.iter().zip(&self.sources)
    }

    /// Where the value of a sink's setting comes from.
    pub fn sink_source(&self, sink: &str, key: &'static str) -> &Source {
        self.sink_sources.get(&(sink.to_owned(), key)).unwrap_or(&Source::Default)
    }
}

/// Reads the file named, or `clank.toml` if there is one, and the environment.
///
/// # Errors
/// All that is wrong with them, not the first alone.
pub fn read(file: Option<&Path>, flags: Vec<Flag>) -> Result<Config, Vec<Problem>> {
    let file = read_file(file).map_err(|problem| vec![problem])?;
    let environment = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok().filter(|name| name.starts_with("CLANK_"))?;
        // what is not Unicode is replaced by a character that no setting takes
        Some((name, value.to_string_lossy().into_owned()))
    });
    let mut environment: Vec<_> = environment.collect();
    environment.sort_unstable();
    load(&Input { file, environment, flags })
}

fn read_file(file: Option<&Path>) -> Result<Option<(String, String)>, Problem> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE));
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((name, text))),
        Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => {
            let message = format!("can't read {name}: {error}");
            Err(Problem { severity: Severity::Error, place: None, key: None, message, nearest: None })
        }
    }
}

/// Puts a configuration together.
///
/// # Errors
/// All that is wrong with it, not the first alone.
pub fn load(input: &Input) -> Result<Config, Vec<Problem>> {
    let mut loader = Loader {
        settings: Settings::default(),
        sources: vec![Source::Default; SETTINGS.len()],
        sink_sources: BTreeMap::new(),
        sink_places: BTreeMap::new(),
        problems: Vec::new(),
    };
    if let Some((name, text)) = &input.file {
        loader.file(&File { name, text });
    }
    for (name, value) in &input.environment {
        loader.variable(name, value);
    }
    for flag in &input.flags {
        if let Some(index) = index_of(flag.key) {
            loader.set(index, Raw::Text(&flag.value), |_| Place::Flag(flag.flag));
        }
    }
    loader.check_together();
    loader.finish(input.file.as_ref().map(|(name, _)| name.clone()))
}

fn index_of(key: &str) -> Option<usize> {
    SETTINGS.iter().position(|setting| setting.key == key)
}

struct File<'a> {
    name: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn place(&self, span: &Range<usize>) -> Place {
        Place::in_file(self.name, self.text, span)
    }
}

struct Loader {
    settings: Settings,
    sources: Vec<Source>,
    sink_sources: BTreeMap<(String, &'static str), Source>,
    /// Where a sink is first spoken of.
    sink_places: BTreeMap<String, Place>,
    problems: Vec<Problem>,
}

impl Loader {
    fn file(&mut self, file: &File<'_>) {
        let (document, errors) = DeTable::parse_recoverable(file.text);
        for error in errors {
            let place = file.place(&error.span().unwrap_or_default());
            self.error(place, None, error.message(), None);
        }
        let syntax: Vec<_> = std::mem::take(&mut self.problems);
        for (key, value) in document.get_ref() {
            self.section(file, key, value);
        }
        // what the parser made of a broken line is no news
        let line = |problem: &Problem| problem.place.as_ref().and_then(Place::line);
        self.problems.retain(|problem| syntax.iter().all(|error| line(error) != line(problem)));
        self.problems.extend(syntax);
        self.problems.sort_by_key(|problem| problem.place.as_ref().and_then(Place::position));
    }

    fn section(&mut self, file: &File<'_>, key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        let (name, place) = (key.get_ref(), file.place(&key.span()));
        let is_known = SECTIONS.iter().any(|section| section.name == name);
        match value.get_ref() {
            DeValue::Table(table) if name == SINKS => self.sinks(file, table),
            DeValue::Table(table) if name == REALMS => self.realms(file, table),
            DeValue::Table(table) if is_known => {
                self.settings.has_journal |= name == JOURNAL;
                for (key, value) in table {
                    self.entry(file, &format!("{name}.{}", key.get_ref()), &key.span(), value);
                }
            }
            DeValue::Table(_) => {
                let near = nearest(name, SECTIONS.iter().map(|section| section.name).chain([SINKS, REALMS]));
                let message = format!("there is no section `{}`", name.escape_debug());
                self.error(place, None, &message, near.map(|near| format!("`{near}`")));
            }
            _ if is_known => self.error(place, None, &format!("`{name}` is a section: write [{name}]"), None),
            _ => self.entry(file, name, &key.span(), value),
        }
    }

    fn entry(&mut self, file: &File<'_>, key: &str, key_span: &Range<usize>, value: &Spanned<DeValue<'_>>) {
        match index_of(key) {
            Some(index) => {
                let value_span = value.span();
                let place =
                    |part: Option<Range<usize>>| file.place(&part.unwrap_or_else(|| value_span.clone()));
                self.set(index, Raw::Toml(value.get_ref()), place);
            }
            None => {
                let message = format!("there is no setting `{}`", key.escape_debug());
                self.error(
                    file.place(key_span),
                    None,
                    &message,
                    nearest_key(key).map(|near| format!("`{near}`")),
                );
            }
        }
    }

    fn variable(&mut self, name: &str, value: &str) {
        let place = Place::Environment(name.to_owned());
        if let Some(index) = SETTINGS.iter().position(|setting| setting.environment() == name) {
            self.set(index, Raw::Text(value), |_| place.clone());
        } else if !OTHER_VARIABLES.contains(&name)
            && !self.sink_variable(name, value)
            && !self.is_secret_variable(name)
        {
            // Not an error: a cluster that runs a service named `clank` sets such variables by itself.
            let variables: Vec<_> = SETTINGS.iter().map(Setting::environment).collect();
            let near = nearest(name, variables.iter().map(String::as_str));
            self.problems.push(Problem {
                severity: Severity::Warning,
                place: Some(place),
                key: None,
                message: "there is no such setting".to_owned(),
                nearest: near.map(str::to_owned),
            });
        }
    }

    /// Reads one value; `place` says where it stands, or where the part of it does that is wrong.
    fn set(&mut self, index: usize, raw: Raw<'_>, place: impl Fn(Option<Range<usize>>) -> Place) {
        let setting = &SETTINGS[index];
        match (setting.set)(&mut self.settings, raw) {
            Ok(()) => self.sources[index] = Source::Given(place(None)),
            Err(Invalid { message, nearest, span }) => {
                self.error(place(span), Some(setting.key), &message, nearest.map(|near| format!("{near:?}")));
            }
        }
    }

    /// Refuses what is right by itself but not together.
    fn check_together(&mut self) {
        let limits = self.settings.limits;
        if limits.outbound.bytes() < limits.message.bytes() {
            self.conflict("limits.outbound", "less than", "limits.message");
        }
        if limits.buffered.bytes() < limits.outbound.bytes() {
            self.conflict("limits.buffered", "less than", "limits.outbound");
        }
        if limits.shutdown.duration() <= limits.drain.duration() {
            self.conflict("shutdown.deadline", "not more than", "shutdown.drain");
        }
        if limits.listener.duration() <= self.settings.connecting.timeout.duration() {
            self.conflict("limits.listener", "not more than", "connecting.timeout");
        }
        self.check_symfony();
        self.check_api();
        self.check_sinks();
        self.check_realms();
        let is_given = |(setting, source): (&Setting, &Source)| {
            setting.section() == JOURNAL && matches!(source, Source::Given(_))
        };
        self.settings.has_journal |=
            !self.settings.sinks.is_empty() || SETTINGS.iter().zip(&self.sources).any(is_given);
    }

    /// An application of PHP: what it takes its time for, and how many workers it has.
    fn check_symfony(&mut self) {
        let SymfonySettings { app, workers, stateless, timeout, boot_timeout, wait, .. } =
            self.settings.symfony.clone();
        if app.path().is_none() {
            return;
        }
        if workers.count() > 1 && !stateless {
            let message = "an application that keeps nothing in memory can have several workers: say so by symfony.stateless = true";
            self.about("symfony.workers", Severity::Error, message);
        }
        if self.is_given("limits.listener") {
            if self.settings.limits.listener.duration() <= timeout.duration() {
                self.conflict("limits.listener", "not more than", "symfony.timeout");
            }
        } else {
            // What waits for PHP waits for what others have asked of it too.
            let listener = timeout.duration() + boot_timeout.duration() + wait.duration();
            self.settings.limits.listener = Period::of((listener.as_millis() as u64).min(HOUR));
        }
        if !self.is_given("events.console") {
            self.settings.events.console = ConsoleFormat::Off;
        }
        self.settings.server.is_host_given = self.is_given("server.host");
        self.settings.server.is_port_given = self.is_given("server.port");
    }

    fn is_given(&self, key: &str) -> bool {
        let source = index_of(key).and_then(|index| self.sources.get(index));
        matches!(source, Some(Source::Given(_)))
    }

    /// An API that anybody may use, or listen in to.
    fn check_api(&mut self) {
        let api = &self.settings.api;
        if api.listen == ApiListen::Off {
            return;
        }
        let (has_token, is_loopback) =
            (!api.tokens.is_empty() || api.token_file.path().is_some(), api.listen.is_loopback());
        if !has_token {
            let message = "the API needs a token: give api.tokens or api.token_file, for instance CLANK_API_TOKENS=$(openssl rand -hex 32)";
            self.about("api.listen", Severity::Error, message);
        }
        if !is_loopback {
            let message = "the API has no TLS, and this address is not loopback: who can listen in on the network can read the tokens";
            self.about("api.listen", Severity::Warning, message);
        }
    }

    fn about(&mut self, key: &str, severity: Severity, message: &str) {
        let place = index_of(key).and_then(|index| match self.sources.get(index) {
            Some(Source::Given(place)) => Some(place.clone()),
            _ => None,
        });
        let (key, message) = (Some(key.to_owned()), message.to_owned());
        self.problems.push(Problem { severity, place, key, message, nearest: None });
    }

    fn conflict(&mut self, key: &'static str, relation: &str, other: &'static str) {
        let find = |key: &str| SETTINGS.iter().zip(&self.sources).find(|(setting, _)| setting.key == key);
        let (Some((setting, source)), Some((other, other_source))) = (find(key), find(other)) else { return };
        let place = [source, other_source].into_iter().find_map(|source| match source {
            Source::Given(place) => Some(place.clone()),
            Source::Default => None,
        });
        let (value, other_value) = (setting.show(&self.settings), other.show(&self.settings));
        let message =
            format!("{value} ({source}) is {relation} {} = {other_value} ({other_source})", other.key);
        let key = Some(key.to_owned());
        self.problems.push(Problem { severity: Severity::Error, place, key, message, nearest: None });
    }

    fn error(&mut self, place: Place, key: Option<&str>, message: &str, nearest: Option<String>) {
        self.problems.push(Problem {
            severity: Severity::Error,
            place: Some(place),
            key: key.map(str::to_owned),
            message: message.to_owned(),
            nearest,
        });
    }

    fn finish(self, file: Option<String>) -> Result<Config, Vec<Problem>> {
        if self.problems.iter().any(|problem| problem.severity == Severity::Error) {
            Err(self.problems)
        } else {
            let Self { settings, sources, sink_sources, problems: warnings, .. } = self;
            Ok(Config { settings, warnings, file, sources, sink_sources })
        }
    }
}

/// The key that was probably meant: one of the same section, one of the same
/// name in another, or one spelled almost alike.
fn nearest_key(key: &str) -> Option<&'static str> {
    let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
    let named = |name: &str, section: &str| {
        let found = SETTINGS.iter().find(|setting| setting.name() == name && setting.section() == section);
        found.or_else(|| SETTINGS.iter().find(|setting| setting.name() == name)).map(|setting| setting.key)
    };
    let within = SETTINGS.iter().filter(|setting| setting.section() == section).map(Setting::name);
    nearest(name, within)
        .and_then(|name| named(name, section))
        .or_else(|| named(name, section))
        .or_else(|| nearest(key, SETTINGS.iter().map(|setting| setting.key)))
        .or_else(|| nearest(name, SETTINGS.iter().map(Setting::name)).and_then(|name| named(name, section)))
}

#[cfg(test)]
mod tests;
