//! Webhooks: HTTP requests that tell the application, or ask it.
//!
//! - [`client`]: one HTTP client, which goes where the configuration says and nowhere else
//! - [`signature`]: Standard Webhooks, by which a receiver knows who is speaking
//! - [`connecting`]: who may connect, asked over HTTP
//! - [`cloudevent`]: CloudEvents 1.0, by which it knows what is said

pub(crate) mod client;
pub(crate) mod cloudevent;
pub(crate) mod connecting;
pub(crate) mod signature;
