//! The `clank` program.
fn main() {}
