//! Tests of the whole log.
#![allow(clippy::unwrap_used, clippy::panic)]

mod crash;
mod faults;
mod records;
mod repair;
pub(crate) mod rig;
