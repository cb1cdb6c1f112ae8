//! Sessions, topics, lifecycle.
