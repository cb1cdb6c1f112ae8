//! Tests of the whole log.
#![allow(clippy::unwrap_used, clippy::panic)]

mod crash;
mod faults;
mod model;
mod records;
mod repair;
mod retention;
pub(crate) mod rig;
mod settled;
