//! The floors of the core stay apart: what a file may name is decided by the folder that it lies in.
//!
//! The rules are read off the sources as text, so `use` lines name one floor each and nothing is grouped at `crate`.

use std::fs;
use std::path::{Path, PathBuf};

/// Lowest first. A floor may name itself and the floors before it.
const FLOORS: [&str; 4] = ["codec", "engine", "hub", "server"];

/// What no file of a floor may contain, besides the names of the floors above it.
const FORBIDDEN: [(&str, &[&str]); 3] = [
    (
        "codec",
        &[
            "tokio",
            "std::time",
            "std::sync",
            "std::net",
            "std::io",
            "std::thread",
            "tracing",
            "crate::config",
        ],
    ),
    ("engine", &["napi"]),
    ("hub", &["napi", "TcpStream", "websocket"]),
];

/// A file that grows past it holds more than one idea.
const MAX_LINES: usize = 600;

#[test]
fn no_floor_names_a_higher_one() {
    for (index, floor) in FLOORS.iter().enumerate() {
        let higher: Vec<String> =
            FLOORS[index + 1..].iter().map(|floor| format!("crate::{floor}")).collect();
        check(&source().join(floor), &|text| {
            higher.iter().find(|path| text.contains(*path)).cloned()
        });
    }
}

#[test]
fn each_use_names_one_floor() {
    check(&source(), &|text| {
        ["crate::{", "crate::*"].into_iter().find(|path| text.contains(path)).map(str::to_owned)
    });
}

#[test]
fn no_floor_names_what_is_not_its_business() {
    for (floor, words) in FORBIDDEN {
        check(&source().join(floor), &|text| {
            words.iter().find(|word| names(text, word)).map(|word| (*word).to_owned())
        });
    }
}

#[test]
fn no_file_is_longer_than_a_file_should_be() {
    check(&source(), &|text| {
        let lines = text.lines().count();
        (lines > MAX_LINES).then(|| format!("{lines} lines"))
    });
}

#[test]
fn the_walk_sees_the_sources() {
    let files = rust_files(&source());
    assert!(files.iter().any(|file| file.ends_with("codec/websocket/message.rs")), "{files:?}");
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Fails with every file in `folder` in which `find` finds something.
fn check(folder: &Path, find: &dyn Fn(&str) -> Option<String>) {
    let mut faults = Vec::new();
    for file in rust_files(folder) {
        let text = fs::read_to_string(&file).expect("a readable source file");
        if let Some(found) = find(&text) {
            faults.push(format!("{}: {found}", file.display()));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Whether code names `word`. Comments may: they explain what is left to whom.
fn names(text: &str, word: &str) -> bool {
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .any(|code| code.contains(word))
}

/// Every source file below `folder`; none while a floor has not been built.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for path in entries.map(|entry| entry.expect("a readable folder").path()) {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
