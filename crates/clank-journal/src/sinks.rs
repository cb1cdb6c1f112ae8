//! Sinks that need nothing but this machine.
//!
//! What their acknowledgement means:
//!
//! | sink | an event counts as delivered when |
//! |---|---|
//! | [`FnSink`] | the closure has returned without an error |
//! | [`FileSink`] | its line is in the file; with `sync`, which is the default, on the disk |
//! | [`CommandSink`] | the command has answered with its id |
//! | [`CommandSink`], fire-and-forget | its line is in the pipe. This is outside of the promise that no event is lost |

mod command;
mod file;
mod function;

pub use command::{Answers, CommandOptions, CommandSink};
pub use file::{FileOptions, FileSink};
pub use function::FnSink;
