//! What the documentation says of the source is what the source says.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashSet;
use std::path::PathBuf;

use clank_core::cause::Cause;
use clank_core::event::{Event, EventKind};
use clank_server::config::{ConsoleFormat, reference};
use clank_server::console;

fn page(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_reference_of_the_configuration_is_current() {
    assert!(page("configuration.md") == reference::configuration(), "run `clank reference docs`");
}

#[test]
fn the_tables_of_causes_are_current() {
    let page = page("lifecycle-events.md");
    assert!(reference::lifecycle_events(&page).as_ref() == Ok(&page), "run `clank reference docs`");
}

#[test]
fn a_page_without_the_lines_around_a_table_is_refused() {
    assert_eq!(reference::lifecycle_events("<!-- begin causes -->\n"), Err("causes"));
}

/// The blocks of JSON on the page of lifecycle events.
fn examples(page: &str) -> Vec<&str> {
    let blocks = page.split("```json\n").skip(1);
    blocks.map(|block| block.split("\n```").next().unwrap()).collect()
}

#[test]
fn every_kind_of_event_has_an_example_and_each_is_a_record() {
    let page = page("lifecycle-events.md");
    let mut kinds = Vec::new();
    for example in examples(&page) {
        let event: Event = serde_json::from_str(example).unwrap_or_else(|error| panic!("{error}: {example}"));
        assert_eq!(serde_json::to_string_pretty(&event).unwrap(), example);
        kinds.push(event.kind());
    }
    assert_eq!(kinds, EventKind::ALL);
}

#[test]
fn every_field_of_the_examples_is_explained() {
    let page = page("lifecycle-events.md");
    let (_, table) = page.split_once("| field | in | meaning |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    for example in examples(&page) {
        let record: serde_json::Map<String, serde_json::Value> = serde_json::from_str(example).unwrap();
        for field in record.keys() {
            assert!(table.contains(&format!("`{field}`")), "{field}");
        }
    }
}

#[test]
fn the_table_of_what_happens_names_every_cause_and_no_other() {
    let page = page("lifecycle-events.md");
    let (_, table) = page.split_once("| state of socket and protocol |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let last_columns = table.lines().skip(2).filter_map(|row| row.trim_end_matches('|').rsplit('|').next());
    let named: HashSet<_> = last_columns.flat_map(|column| column.split('`').skip(1).step_by(2)).collect();
    let known: HashSet<_> = Cause::ALL.iter().map(|cause| cause.label()).collect();
    assert_eq!(named, known);
}

#[test]
fn the_lines_of_standard_output_are_those_described() {
    let page = page("lifecycle-events.md");
    let (_, section) = page.split_once("## On standard output").unwrap();
    for example in examples(&page) {
        let event: Event = serde_json::from_str(example).unwrap();
        // connected and disconnected are told of by default, topics only to those who ask
        let is_described = !matches!(event.kind(), EventKind::Subscribed | EventKind::Unsubscribed);
        if let Some(line) = console::line(&event, ConsoleFormat::Text).filter(|_| is_described) {
            assert!(section.contains(&format!("| `{line}` |")), "{line}");
        }
    }
    assert!(section.contains(&format!(
        "{}\n{}\n",
        console::STARTING,
        console::launching("ws://127.0.0.1:8080")
    )));
}
