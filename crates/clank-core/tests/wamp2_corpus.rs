//! What the fuzzer found of WAMP v2, replayed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[expect(unreachable_pub, reason = "the fuzz target shares the file")]
#[path = "../../../fuzz/bodies/wamp2.rs"]
mod body;

use std::fs;
use std::path::Path;

#[test]
fn the_corpus_runs() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/wamp2");
    let mut files = 0;
    for entry in fs::read_dir(corpus).unwrap() {
        body::run(&fs::read(entry.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files > 10, "only {files} files in the corpus");
}
