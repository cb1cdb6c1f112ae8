//! Tests of the whole log.
#![allow(clippy::unwrap_used, clippy::panic)]

mod crash;
mod faults;
mod records;
pub(crate) mod rig;
