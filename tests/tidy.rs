//! What the project demands of its own text: sizes, and who may name whom.
#![allow(clippy::unwrap_used, clippy::panic, clippy::arithmetic_side_effects, reason = "a test may fail loudly")]

use std::fs;
use std::path::{Path, PathBuf};

const LINES_MAX: usize = 400;
/// What decides who may spend, and what reads what was said: neither names the other.
const SPEND: [&str; 14] = [
    "tenant",
    "ledger",
    "limits",
    "gauge",
    "window",
    "policy",
    "pattern",
    "price",
    "tariff",
    "price_list",
    "habit",
    "health",
    "rows",
    "idempotency",
];
const SAID: [&str; 2] = ["relay", "sse"];

/// The files with one of `endings` under `folders`, with their text.
fn files(folders: &[&str], endings: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = folders.iter().map(PathBuf::from).collect();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one)) {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    assert!(!found.is_empty());
    found
}

/// The core module that a file under `src` belongs to.
fn module(path: &Path) -> String {
    let inside = path.strip_prefix("src").unwrap();
    inside.components().next().unwrap().as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

#[test]
fn every_file_is_short() {
    for (path, text) in files(&["src", "tests", "bench", "scripts"], &["rs", "js", "mjs", "py", "sh"]) {
        let lines = text.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines; find a better cut", path.display());
    }
}

#[test]
fn only_the_shell_names_the_platform() {
    for (path, text) in files(&["src"], &["rs"]).into_iter().filter(|(path, _)| module(path) != "shell") {
        for name in ["worker::", "wasm_bindgen", "js_sys", "web_sys", "crate::shell", "SystemTime", "Instant::now"] {
            assert!(!text.contains(name), "{} names {name}", path.display());
        }
    }
}

#[test]
fn who_may_spend_and_what_was_said_meet_in_the_shell() {
    let names = |text: &str, modules: &[&str]| {
        let named = |one: &&&str| text.contains(&format!("crate::{one}::")) || text.contains(&format!("crate::{one};"));
        modules.iter().find(named).map(|one| (*one).to_owned())
    };
    for (path, text) in files(&["src"], &["rs"]) {
        let module = module(&path);
        let forbidden = match module.as_str() {
            one if SPEND.contains(&one) => [&SAID[..], &["refusal", "answer"]].concat(),
            one if SAID.contains(&one) || one == "dialect" => [&SPEND[..], &["wire", "catalog", "refusal"]].concat(),
            _ => continue,
        };
        assert_eq!(names(&text, &forbidden), None, "in {}", path.display());
    }
}

#[test]
fn no_test_is_left_out_and_none_sleeps() {
    let marks = [
        concat!("#[ig", "nore"),
        concat!("#[should_", "panic"),
        concat!("thread::", "sleep"),
        concat!("test.", "skip("),
    ];
    for (path, text) in files(&["src", "tests"], &["rs", "mjs"]) {
        for mark in marks {
            assert!(!text.contains(mark), "{} has {mark}", path.display());
        }
    }
}
