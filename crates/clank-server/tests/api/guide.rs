//! The guide: its examples are run, and answered as it says.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use clank_server::api::ProblemKind;
use serde_json::Value;

use crate::support::{TOKEN, Test, serve};

fn guide() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/http-api.md");
    std::fs::read_to_string(path).unwrap()
}

/// Language and text of each block of code.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let blocks = page.split("\n```").skip(1).step_by(2);
    blocks.map(|block| block.split_once('\n').unwrap()).collect()
}

/// What a script of the guide prints.
fn run(test: &Test, script: &str) -> String {
    let address = test.api.address().to_string();
    let programs = Path::new(env!("CARGO_BIN_EXE_clank")).parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-ec", &script.replace("127.0.0.1:8081", &address)]).current_dir(env!("CARGO_TARGET_TMPDIR"));
    shell.env_clear().env("PATH", format!("{programs}:{path}")).env("TOKEN", TOKEN);
    shell.env("CLANK_API_LISTEN", &address).env("CLANK_API_TOKENS", TOKEN);
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
    String::from_utf8(output.stdout).unwrap().replace('\r', "")
}

/// Names that are other ones each time.
const VOLATILE: [&str; 3] = ["connection_id", "session_id", "remote_address"];

/// Makes all values of names that are other ones each time alike.
fn settle(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if VOLATILE.contains(&name.as_str()) && member.is_string() {
                    *member = "...".into();
                }
                settle(member);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(settle),
        _ => {}
    }
}

#[test]
fn the_examples_are_answered_as_the_guide_says() {
    let test = serve();
    let mut anna = test.client_of("anna", "/");
    let mut other = test.client();
    [&mut anna, &mut other].into_iter().for_each(|client| test.subscribe(client, "acme/channel"));
    let page = guide();
    let mut examples = 0;
    for pair in blocks(&page).windows(2) {
        let (("sh", script), (language, expected)) = (pair[0], pair[1]) else { continue };
        let printed = run(&test, script);
        match language {
            "json" => {
                let [mut printed, mut expected] =
                    [&printed, expected].map(|text| serde_json::from_str::<Value>(text).unwrap());
                settle(&mut printed);
                settle(&mut expected);
                assert_eq!(printed, expected, "{script}");
            }
            "text" => assert_eq!(printed.trim_end(), expected.trim_end(), "{script}"),
            other => panic!("{other} after {script}"),
        }
        examples += 1;
    }
    assert_eq!(examples, blocks(&page).iter().filter(|(language, _)| *language == "sh").count());
    assert_eq!(anna.closed(), (4003, "moderated".to_owned()));
    assert_eq!(other.closed(), (4003, "moderated".to_owned()));
}

#[test]
fn the_table_of_problems_is_current() {
    let page = guide();
    let row =
        |kind: &ProblemKind| format!("| `{}` | {} | {} |", kind.uri(), kind.status().as_u16(), kind.title());
    let rows: BTreeSet<String> = ProblemKind::ALL.iter().map(row).collect();
    let written = page.lines().filter(|line| line.starts_with("| `/problems/")).map(str::to_owned).collect();
    assert_eq!(rows, written);
}
