//! Logs on standard error.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::util::TryInitError;

use crate::config::{LogFormat, LogLevel, LogSettings};
use crate::output::Output;

/// Sends what the program logs to `output`, which writes to standard error.
///
/// # Errors
/// If logs are sent somewhere already.
pub fn init(settings: LogSettings, output: &Output) -> Result<(), TryInitError> {
    use tracing_subscriber::util::SubscriberInitExt as _;

    let level = match settings.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // Internal errors would be printed in a way that panics when standard error is closed.
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_ansi(std::io::stderr().is_terminal())
        .log_internal_errors(false)
        .with_writer(output.clone());
    match settings.format {
        LogFormat::Text => subscriber.finish().try_init(),
        LogFormat::Json => subscriber.json().flatten_event(true).finish().try_init(),
    }
}
