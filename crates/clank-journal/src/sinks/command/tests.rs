//! A real command, which behaves as badly as a test needs.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::delivery::testing::{Folder, Memory, delivery, origin, pairs};
use crate::delivery::{AnySink, Dispatcher, SinkConfig, SinkOptions};

/// `$id` of the `$line` that was read.
const ID: &str = r#"id=${line#*\"id\":\"}; id=${id%%\"*}"#;

/// A shell script in the folder; `$1` is the folder, `$life` counts its lives.
fn command(folder: &Folder, script: &str) -> CommandOptions {
    let path = folder.0.join("sink.sh");
    let begin = "cd \"$1\"; echo x >> lives; life=$(wc -l < lives)";
    let script = script.replace("ID", ID);
    fs::write(&path, format!("{begin}\n{script}\n")).unwrap();
    CommandOptions {
        arguments: vec![path.into(), folder.0.clone().into()],
        grace: Duration::from_millis(50),
        backoff: Backoff { min: Duration::from_millis(1), max: Duration::from_millis(20) },
        ..CommandOptions::new("sh")
    }
}

fn lives(folder: &Folder) -> usize {
    fs::read_to_string(folder.0.join("lives")).unwrap_or_default().lines().count()
}

/// Delivers 20 events by a dispatcher, until all were taken.
async fn deliver_all(folder: &Folder, options: CommandOptions, rules: SinkOptions) {
    let source = Memory::new(Vec::new());
    let config = SinkConfig {
        name: "command".parse().unwrap(),
        sink: AnySink::new(CommandSink::new(options)),
        options: rules,
    };
    let dispatcher =
        Dispatcher::start(Arc::clone(&source) as _, folder.0.join("state"), origin(), vec![config])
            .await
            .unwrap();
    for entry in pairs(10) {
        source.append(entry);
    }
    loop {
        let status = dispatcher.status().await.remove(0);
        assert_eq!(status.dead_letters, 0);
        if status.acked == 20 {
            break;
        }
        tokio::task::yield_now().await;
    }
    dispatcher.stop(Duration::from_secs(1)).await;
}

fn rules(timeout: u64) -> SinkOptions {
    SinkOptions {
        timeout: Duration::from_millis(timeout),
        backoff: Backoff { min: Duration::from_millis(1), max: Duration::from_millis(20) },
        ..SinkOptions::default()
    }
}

async fn until_exists(path: &Path) {
    while !path.exists() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_command_that_answers_is_given_all_and_ends_with_its_pipe() {
    let folder = Folder::new();
    let script = "while read -r line; do ID; echo \"$id\"; echo seen >&2; done; echo over > ended";
    deliver_all(&folder, command(&folder, script), rules(10_000)).await;
    assert_eq!(lives(&folder), 1);
    assert!(folder.0.join("ended").exists());
}

#[tokio::test]
async fn a_batch_is_answered_in_any_order() {
    let folder = Folder::new();
    let script = "read -r line; ID; first=$id; read -r line; ID; echo \"$id\"; echo \"$first\"; cat > rest";
    let sink = CommandSink::new(command(&folder, script));
    let outcome = sink.deliver(&[delivery(1), delivery(2)]).await;
    assert_eq!(outcome, Outcome::Each(vec![Verdict::Acked; 2]));
    sink.close().await;
}

#[tokio::test]
async fn a_command_that_lies_is_not_believed() {
    let folder = Folder::new();
    let script = "other=018bcfe5-6800-7bab-abab-abababababab.open
        while read -r line; do ID; echo nonsense; echo $other; echo \"$id.\"; head -c 100000 /dev/zero; echo
        echo asked >> asked; [ -e honest ] && echo \"$id\"; done";
    let sink = Arc::new(CommandSink::new(command(&folder, script)));
    let delivering = {
        let sink = Arc::clone(&sink);
        tokio::spawn(async move { sink.deliver(&[delivery(1)]).await })
    };
    until_exists(&folder.0.join("asked")).await;
    assert!(!delivering.is_finished());
    delivering.abort();
    fs::write(folder.0.join("honest"), "").unwrap();
    assert_eq!(sink.deliver(&[delivery(1)]).await, Outcome::Each(vec![Verdict::Acked]));
    sink.close().await;
}

#[tokio::test]
async fn a_command_that_dies_is_started_again_and_nothing_is_lost() {
    let folder = Folder::new();
    let script = "n=0; while read -r line; do ID; n=$((n+1)); [ $n -gt 3 ] && exit 1; echo \"$id\"; echo \"$id\" >> taken; done";
    deliver_all(&folder, command(&folder, script), rules(10_000)).await;
    assert!(lives(&folder) >= 6, "{}", lives(&folder));
    let taken = fs::read_to_string(folder.0.join("taken")).unwrap();
    let taken: std::collections::BTreeSet<_> = taken.lines().collect();
    assert_eq!(taken.len(), 20);
}

#[tokio::test]
async fn a_command_that_hangs_is_ended_by_force_and_started_again() {
    let folder = Folder::new();
    let script = "if [ $life -eq 1 ]; then trap '' TERM; while :; do read -r line; done; fi
        while read -r line; do ID; echo \"$id\"; done";
    let mut rules = rules(100);
    rules.concurrency = NonZeroUsize::new(2).unwrap();
    deliver_all(&folder, command(&folder, script), rules).await;
    assert!(lives(&folder) >= 2);
}

#[tokio::test]
async fn the_late_answer_of_a_dead_life_counts_for_nothing() {
    let folder = Folder::new();
    // the first life dies and leaves a child of its own behind, which has its output
    let script = "if [ $life -eq 1 ]; then
            read -r line; ID
            (trap '' PIPE; while [ -e lives ] && [ ! -e now ]; do :; done; echo \"$id\"; echo x > said) 2>/dev/null &
            exit 1
        fi
        while read -r line; do ID; echo x > waits; while [ -e lives ] && [ ! -e go ]; do :; done; echo \"$id\"; done";
    let sink = Arc::new(CommandSink::new(command(&folder, script)));
    let why = |outcome: Outcome| match outcome {
        Outcome::Each(verdicts) => matches!(verdicts.first(), Some(Verdict::Failing { .. })),
        Outcome::All(verdict) => matches!(verdict, Verdict::Failing { .. }),
    };
    assert!(why(sink.deliver(&[delivery(1)]).await));
    let delivering = {
        let sink = Arc::clone(&sink);
        tokio::spawn(async move {
            loop {
                let outcome = sink.deliver(&[delivery(1)]).await;
                if outcome == Outcome::Each(vec![Verdict::Acked]) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        })
    };
    until_exists(&folder.0.join("waits")).await;
    fs::write(folder.0.join("now"), "").unwrap();
    until_exists(&folder.0.join("said")).await;
    assert!(!delivering.is_finished());
    fs::write(folder.0.join("go"), "").unwrap();
    delivering.await.unwrap();
    sink.close().await;
}

#[tokio::test]
async fn a_command_that_does_not_answer_is_given_lines_and_no_promise() {
    let folder = Folder::new();
    let options = CommandOptions { answers: Answers::Nothing, ..command(&folder, "cat > got") };
    deliver_all(&folder, options, rules(10_000)).await;
    let got = fs::read_to_string(folder.0.join("got")).unwrap();
    assert_eq!(got.lines().count(), 20);
}

#[tokio::test]
async fn a_command_that_is_not_there_makes_a_failing_sink() {
    let sink = CommandSink::new(CommandOptions::new("/no/such/program"));
    let Outcome::All(Verdict::Failing { why, .. }) = sink.deliver(&[delivery(1)]).await else {
        panic!("it should fail");
    };
    assert!(why.contains("cannot be started"), "{why}");
    let Outcome::All(Verdict::Failing { retry_after, .. }) = sink.deliver(&[delivery(1)]).await else {
        panic!("it should fail");
    };
    assert!(retry_after.is_some(), "it is not started in a loop");
}
