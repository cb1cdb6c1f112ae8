//! The `clank` program.
//!
//! The composition root: it reads the configuration and puts the server
//! together from it.
//!
//! - [`api`]: the HTTP API
//! - [`cli`]: the command line
//! - [`config`]: settings, where they come from, and their reference
//! - [`console`]: a lifecycle event as a line of standard output
//! - `operate`: the journal and its sinks, looked after
//! - [`output`]: lines written by a thread of their own, so that a blocked
//!   reader blocks nothing else
//! - `realms`: the realms of WAMP v2, from their settings
//! - `remote`: what can be asked of a running server
//! - `search`, `shown`: events looked for, and what is shown of the journal
//! - `secret`: what stands in a configuration in place of a secret
//! - `serve`: the server, put together from its settings
//! - [`logging`]: logs on standard error
//! - `symfony`: an application of PHP, run by the server

pub mod api;
pub mod cli;
pub mod config;
pub mod console;
mod events;
pub mod logging;
mod operate;
pub mod output;
mod realms;
mod remote;
mod search;
mod secret;
mod serve;
mod shown;
mod sinks;
mod symfony;
mod webhook;
