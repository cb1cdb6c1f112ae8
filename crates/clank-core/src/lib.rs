//! Sessions, topics, lifecycle.

pub mod subscription;
pub mod topic;
pub mod wamp1;
