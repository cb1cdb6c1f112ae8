//! The parts of the documentation that are written from the source.

use std::fmt::Write as _;

use clank_core::cause::{Cause, ErrorKind};

use super::load::realms::realm_key;
use super::load::{Config, Source};
use super::realms::{Given, REALM_SETTINGS, RULE_SETTINGS, USER_SETTINGS};
use super::settings::Settings;
use super::sinks::{SINK_SETTINGS, SinkSettings};
use super::table::{SECTIONS, SETTINGS, Section, Setting};

const INTRODUCTION: &str = "\
# Configuration

<!-- Written from the source by `clank reference docs`. Change crates/clank-server/src/config/table.rs. -->

`clank server` needs no configuration. It reads the file named by `--config` or by the variable `CLANK_CONFIG`, else `clank.toml` in the working directory if there is one. A flag wins over an environment variable, that over the file, and that over the default.

- `clank check` says what is wrong with a configuration: file, line, column, key, and what was probably meant. It tells everything at once, and exits with 1 if there was an error.
- `clank config` prints the configuration in effect as a file, with where each value comes from.

Sizes are an integer and a unit (`B`, `KiB`, `MiB`, `GiB`; `KB`, `MB`, `GB` are powers of ten), durations too (`ms`, `s`, `m`, `h`). In an environment variable a list has commas between its items, and a string no quotes.

In Kubernetes a service named `clank-server` makes the cluster set `CLANK_SERVER_PORT` to something that is no port. Name the service otherwise, or set `enableServiceLinks: false`.
";

/// `docs/configuration.md`.
pub fn configuration() -> String {
    let mut page = INTRODUCTION.to_owned();
    for section in SECTIONS {
        page.push_str(&section_table(section));
    }
    page.push_str(&sinks_table());
    page.push_str(&realms_tables());
    page
}

const SINKS: &str = "
## [sinks.NAME]

Who is told of lifecycle events from the journal; see [Lifecycle events](lifecycle-events.md). There may be any number of sinks, each with a name of its own: 1 to 32 of the characters `a-z 0-9 -`. Under that name it keeps its place in the journal. In the names of variables it stands in capitals, with `_` for `-`.

";

fn sinks_table() -> String {
    let mut text = SINKS.to_owned();
    text.push_str("| setting | value | default | what it does |\n|---|---|---|---|\n");
    let defaults = SinkSettings::default();
    for setting in SINK_SETTINGS {
        let (name, variable) = (setting.key, setting.key.to_uppercase());
        let default = match name {
            "type" => "–".to_owned(),
            _ => format!("`{}`", setting.show(&defaults)),
        };
        let (syntax, sentence) = (setting.syntax(), setting.sentence);
        _ = writeln!(
            text,
            "| `{name}`<br>`CLANK_SINKS_NAME_{variable}` | {syntax} | {default} | {sentence} |"
        );
    }
    text
}

const REALMS: &str = "
## [realms.NAME]

Who may join one of the realms that `[wamp2]` names, and do what there; see [WAMP v2](wamp2.md#who-may-do-what). A name with dots stands in quotes: `[realms.\"com.example.app\"]`. Here, variables give secrets alone.

";

const USERS: &str = "
## [[realms.NAME.users]]

A user, of any number.

";

const RULES: &str = "
## [[realms.NAME.rules]]

What some clients may do, or may not. There may be any number of rules; their order means nothing.

";

fn realms_tables() -> String {
    let (realm, user) = (rows(REALM_SETTINGS, &[]), rows(USER_SETTINGS, &["authid"]));
    let rule = rows(RULE_SETTINGS, &["uri", "effect"]);
    [REALMS, &realm, USERS, &user, RULES, &rule].concat()
}

/// The table of settings that no variables give. Of those `needed` the default is none.
fn rows<S: Default>(settings: &[Setting<S>], needed: &[&str]) -> String {
    let mut text = "| setting | value | default | what it does |\n|---|---|---|---|\n".to_owned();
    let defaults = S::default();
    for setting in settings {
        let default = match needed.contains(&setting.key) {
            true => "–".to_owned(),
            false => format!("`{}`", setting.show(&defaults)),
        };
        let (key, syntax, sentence) = (setting.key, setting.syntax(), setting.sentence);
        _ = writeln!(text, "| `{key}` | {syntax} | {default} | {sentence} |");
    }
    text
}

fn section_table(section: &Section) -> String {
    let mut text = format!("\n## [{}]\n\n{}\n\n", section.name, section.sentence);
    text.push_str("| setting | value | default | what it does |\n|---|---|---|---|\n");
    let defaults = Settings::default();
    for setting in SETTINGS.iter().filter(|setting| setting.section() == section.name) {
        let (name, variable) = (setting.name(), setting.environment());
        let (syntax, default) = (setting.syntax(), setting.show(&defaults));
        let row = format!("| `{name}`<br>`{variable}` | {syntax} | `{default}` | {} |\n", setting.sentence);
        text.push_str(&row);
    }
    text
}

/// The table of causes in `docs/lifecycle-events.md`.
pub fn causes() -> String {
    let mut text =
        "| cause | close code | HTTP status | initiator | error event | log level | meaning |\n".to_owned();
    text.push_str("|---|---|---|---|---|---|---|\n");
    for cause in Cause::ALL {
        let number = |number: Option<u16>| number.map_or("–".to_owned(), |number| number.to_string());
        let (code, status) = (number(cause.close_code()), number(cause.http_status()));
        let error = cause.error_kind().map_or("–".to_owned(), |kind| format!("`{kind}`"));
        let (initiator, level, sentence) = (cause.initiator(), cause.level().label(), cause.sentence());
        let row =
            format!("| `{cause}` | {code} | {status} | {initiator} | {error} | {level} | {sentence} |\n");
        text.push_str(&row);
    }
    text
}

/// The table of kinds of error in `docs/lifecycle-events.md`.
pub fn error_kinds() -> String {
    let mut text = "| kind | meaning |\n|---|---|\n".to_owned();
    for kind in ErrorKind::ALL {
        text.push_str(&format!("| `{kind}` | {} |\n", kind.sentence()));
    }
    text
}

/// The page `docs/lifecycle-events.md` with its generated tables renewed.
///
/// A table stands between the lines `<!-- begin NAME -->` and `<!-- end NAME -->`.
///
/// # Errors
/// The name of a table whose lines are missing.
pub fn lifecycle_events(page: &str) -> Result<String, &'static str> {
    let mut page = page.to_owned();
    for (name, table) in [("causes", causes()), ("kinds of error", error_kinds())] {
        let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
        let (before, rest) = page.split_once(&begin).ok_or(name)?;
        let (_, after) = rest.split_once(&end).ok_or(name)?;
        page = format!("{before}{begin}{table}{end}{after}");
    }
    Ok(page)
}

/// The configuration in effect, as a file that says where each value comes from.
pub fn effective(config: &Config) -> String {
    let mut text = String::new();
    // A section that says anything of the journal would put one there.
    let is_there = |section: &&Section| section.name != "journal" || config.settings.has_journal;
    for section in SECTIONS.iter().filter(is_there) {
        let rows = config.sources().filter(|(setting, _)| setting.section() == section.name);
        let lines: Vec<_> = rows
            .map(|(setting, source)| (assignment(setting, &config.settings), source.to_string()))
            .collect();
        let width = lines.iter().map(|(assignment, _)| assignment.chars().count()).max().unwrap_or(0);
        let separator = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{separator}[{}]", section.name);
        for (assignment, source) in lines {
            let _ = writeln!(text, "{assignment:width$}  # {}", source.escape_debug());
        }
    }
    for (name, sink) in &config.settings.sinks {
        _ = writeln!(text, "\n[sinks.{name}]");
        for setting in SINK_SETTINGS {
            let source = config.sink_source(name, setting.key);
            if matches!(source, Source::Given(_)) {
                let source = source.to_string();
                let _ =
                    writeln!(text, "{} = {}  # {}", setting.key, setting.show(sink), source.escape_debug());
            }
        }
    }
    for (name, realm) in &config.settings.realms {
        let key = realm_key(name);
        _ = write!(text, "\n[{key}]\n{}", given(realm, REALM_SETTINGS));
        for user in &realm.settings.users {
            _ = write!(text, "\n[[{key}.users]]\n{}", given(user, USER_SETTINGS));
        }
        for rule in &realm.settings.rules {
            _ = write!(text, "\n[[{key}.rules]]\n{}", given(rule, RULE_SETTINGS));
        }
    }
    text
}

/// What was given of a section, and where.
fn given<S: Default>(given: &Given<S>, settings: &[Setting<S>]) -> String {
    let mut text = String::new();
    for setting in settings {
        if let Some(place) = given.place_of(setting.key) {
            let place = place.to_string();
            _ = writeln!(
                text,
                "{} = {}  # {}",
                setting.key,
                setting.show(&given.settings),
                place.escape_debug()
            );
        }
    }
    text
}

fn assignment(setting: &Setting, settings: &Settings) -> String {
    format!("{} = {}", setting.name(), setting.show(settings))
}
