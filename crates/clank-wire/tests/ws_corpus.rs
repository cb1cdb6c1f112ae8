//! What the fuzzer found of WebSocket, replayed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

#[path = "../../../fuzz/bodies/deflate.rs"]
mod deflate;
#[path = "../../../fuzz/bodies/frames.rs"]
mod frames;
#[path = "../../../fuzz/bodies/handshake.rs"]
mod handshake;

fn replay(target: &str, run: fn(&[u8])) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        run(&fs::read(entry.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files > 10, "only {files} files in the corpus of {target}");
}

#[test]
fn the_corpus_of_frames_runs() {
    replay("frames", frames::run);
}

#[test]
fn the_corpus_of_deflate_runs() {
    replay("deflate", deflate::run);
}

#[test]
fn the_corpus_of_handshakes_runs() {
    replay("handshake", handshake::run);
}
