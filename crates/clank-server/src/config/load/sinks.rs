//! The sinks of a configuration: sections that have a name of the user's choice.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::super::problem::{Place, Problem, Severity, nearest};
use super::super::sinks::{SINK_SETTINGS, SinkKind, SinkSettings, is_sink_name};
use super::super::value::{Invalid, Raw, Value};
use super::{File, Loader, Source};

/// What the variables of sinks begin with.
const PREFIX: &str = "CLANK_SINKS_";

/// Settings that some kinds have alone, and which kinds those are.
const OWN: &[(&str, &[SinkKind])] = {
    use SinkKind::{Amqp, Command, File, Nats, Redis, Webhook};
    &[
        ("url", &[Webhook, Nats, Redis, Amqp]),
        ("secrets", &[Webhook]),
        ("mode", &[Webhook]),
        ("allow_private", &[Webhook]),
        ("command", &[Command]),
        ("acknowledge", &[Command]),
        ("path", &[File]),
        ("rotate", &[File]),
        ("keep", &[File]),
        ("subject", &[Nats, Redis, Amqp]),
        ("max_length", &[Redis]),
    ]
};

/// Settings without which a sink is none.
const NEEDED: [&str; 5] = ["url", "secrets", "command", "path", "subject"];

impl Loader {
    /// `[sinks]`, which holds a table for each of them.
    pub(super) fn sinks(&mut self, file: &File<'_>, table: &DeTable<'_>) {
        for (key, value) in table {
            let (name, place) = (key.get_ref(), file.place(&key.span()));
            match value.get_ref() {
                DeValue::Table(settings) if is_sink_name(name) => {
                    self.sink_places.entry(name.to_string()).or_insert(place);
                    for (key, value) in settings {
                        self.sink_entry(file, name, key.get_ref(), &key.span(), value);
                    }
                }
                DeValue::Table(_) => {
                    let message = format!(
                        "`{}` is no name of a sink: 1 to 32 of the characters a-z 0-9 -",
                        name.escape_debug()
                    );
                    self.error(place, None, &message, None);
                }
                _ => {
                    let message = format!("`sinks.{0}` is a section: write [sinks.{0}]", name.escape_debug());
                    self.error(place, None, &message, None);
                }
            }
        }
    }

    fn sink_entry(
        &mut self,
        file: &File<'_>,
        sink: &str,
        key: &str,
        key_span: &Range<usize>,
        value: &Spanned<DeValue<'_>>,
    ) {
        let Some(index) = SINK_SETTINGS.iter().position(|setting| setting.key == key) else {
            let near = nearest(key, SINK_SETTINGS.iter().map(|setting| setting.key));
            let message = format!("a sink has no setting `{}`", key.escape_debug());
            return self.error(file.place(key_span), None, &message, near.map(|near| format!("`{near}`")));
        };
        let value_span = value.span();
        let place = |part: Option<Range<usize>>| file.place(&part.unwrap_or_else(|| value_span.clone()));
        self.set_of_sink(sink, index, Raw::Toml(value.get_ref()), place);
    }

    /// A variable that gives a setting of a sink, which may be in no file. `false`: it gives none.
    pub(super) fn sink_variable(&mut self, name: &str, value: &str) -> bool {
        let Some(rest) = name.strip_prefix(PREFIX) else { return false };
        let found = SINK_SETTINGS.iter().enumerate().filter_map(|(index, setting)| {
            let sink = rest.strip_suffix(&format!("_{}", setting.key.to_uppercase()))?;
            Some((index, setting.key.len(), sink.to_lowercase().replace('_', "-")))
        });
        // `CRM_DEAD_LETTERS` is no `LETTERS` of a sink `crm-dead`.
        let Some((index, _, sink)) = found.max_by_key(|(_, length, _)| *length) else { return false };
        if !is_sink_name(&sink) {
            return false;
        }
        let place = Place::Environment(name.to_owned());
        self.sink_places.entry(sink.clone()).or_insert(place.clone());
        self.set_of_sink(&sink, index, Raw::Text(value), |_| place.clone());
        true
    }

    fn set_of_sink(
        &mut self,
        sink: &str,
        index: usize,
        raw: Raw<'_>,
        place: impl Fn(Option<Range<usize>>) -> Place,
    ) {
        let settings = self.settings.sinks.entry(sink.to_owned()).or_default();
        let Some(setting) = SINK_SETTINGS.get(index) else { return };
        match (setting.set)(settings, raw) {
            Ok(()) => {
                _ = self.sink_sources.insert((sink.to_owned(), setting.key), Source::Given(place(None)));
            }
            Err(Invalid { message, nearest, span }) => {
                // It is there, if wrong: nobody has to be told that it is missing.
                self.sink_places.remove(sink);
                let key = format!("sinks.{sink}.{}", setting.key);
                self.error(place(span), Some(&key), &message, nearest.map(|near| format!("{near:?}")));
            }
        }
    }

    /// Refuses sinks that lack something, or have what is not theirs.
    pub(super) fn check_sinks(&mut self) {
        let places: Vec<_> =
            self.sink_places.iter().map(|(name, place)| (name.clone(), place.clone())).collect();
        for (name, place) in places {
            let kind = self.settings.sinks.entry(name.clone()).or_default().kind;
            if !self.sink_sources.contains_key(&(name.clone(), "type")) {
                self.about_sink(
                    &name,
                    "type",
                    &place,
                    &format!("say what it is: {}", SinkKind::syntax().replace('`', "")),
                );
                continue;
            }
            for (key, kinds) in OWN {
                let given = self.sink_sources.get(&(name.clone(), *key)).cloned();
                match given {
                    Some(Source::Given(place)) if !kinds.contains(&kind) => {
                        let message = format!("a sink of type {} has none", kind.to_toml());
                        self.about_sink(&name, key, &place, &message);
                    }
                    None if kinds.contains(&kind) && NEEDED.contains(key) => {
                        let message = format!("a sink of type {} needs it", kind.to_toml());
                        self.about_sink(&name, key, &place, &message);
                    }
                    _ => {}
                }
            }
            let settings = self.settings.sinks.get(&name).cloned().unwrap_or_default();
            if let Some((key, message)) = wrong(&settings) {
                self.about_sink(&name, key, &place, message);
            }
        }
    }

    fn about_sink(&mut self, sink: &str, key: &str, place: &Place, message: &str) {
        self.problems.push(Problem {
            severity: Severity::Error,
            place: Some(place.clone()),
            key: Some(format!("sinks.{sink}.{key}")),
            message: message.to_owned(),
            nearest: None,
        });
    }
}

/// What is right by itself but does not go together.
fn wrong(sink: &SinkSettings) -> Option<(&'static str, &'static str)> {
    let has_scheme = |schemes: &[&str]| schemes.iter().any(|scheme| sink.url.as_str().starts_with(scheme));
    match sink.kind {
        SinkKind::Webhook if !sink.url.as_str().is_empty() && !has_scheme(&["http://", "https://"]) => {
            Some(("url", "it does not begin with http:// or https://"))
        }
        SinkKind::Redis
            if !sink.url.as_str().is_empty() && !has_scheme(&["redis://", "rediss://", "unix://"]) =>
        {
            Some(("url", "it does not begin with redis://, rediss:// or unix://"))
        }
        SinkKind::Amqp if !sink.url.as_str().is_empty() && !has_scheme(&["amqp://"]) => {
            Some(("url", "it does not begin with amqp:// (there is no TLS to AMQP)"))
        }
        SinkKind::Amqp if !sink.subject.as_str().is_empty() && !sink.subject.as_str().contains('/') => {
            Some(("subject", "it is not an exchange and a routing key with a / between them"))
        }
        _ => None,
    }
}
