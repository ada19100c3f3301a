//! The house stands as designed: dependencies point one way, and no file outgrows a reader.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Rooms by level; a room uses rooms of lower levels.
const LEVELS: [&[&str]; 16] = [
    &["error", "budget", "config", "failpoint", "gate", "leftovers", "network", "priority", "private", "strict"],
    &["workspace", "edit"],
    &["store", "audit"],
    &["files"],
    &["extract", "chunk", "embed"],
    &["vectors"],
    &["index"],
    &["ingest", "search"],
    &["answer"],
    &["access"],
    &["data_folder"],
    &["scheduler"],
    &["notify"],
    &["engine"],
    &["eval"],
    &["cli", "serve", "mcp"],
];

/// Rooms that use a room of their own level, and why.
const NEIGHBOURS: [(&str, &str); 7] = [
    // Every error speaks through `Advice`, and the configuration names networks.
    ("config", "error"),
    ("config", "network"),
    // A chunk is cut from a document, and a model's tokenizer counts for the chunker.
    ("chunk", "extract"),
    ("embed", "chunk"),
    // The command line starts the servers, and MCP over HTTP is a route of the REST server.
    ("cli", "serve"),
    ("cli", "mcp"),
    ("serve", "mcp"),
];

/// Rooms that reach everything through the façade, although other rooms lie below them.
const SURFACES: [&str; 3] = ["cli", "serve", "mcp"];

/// Rooms that no surface names: it takes from `engine` what it needs of them.
const BEHIND_THE_FACADE: [&str; 4] = ["index", "data_folder", "scheduler", "notify"];

const MAX_LINES: usize = 500;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file below `folder`, relative to it.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs_err::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn room_of(file: &Path) -> String {
    let first = file.components().next().unwrap().as_os_str().to_str().unwrap();
    first.strip_suffix(".rs").unwrap_or(first).to_owned()
}

fn level_of(room: &str) -> Option<usize> {
    LEVELS.iter().position(|rooms| rooms.contains(&room))
}

/// The rooms that a file names by `crate::…`, with `use crate::{a, b}` taken apart; comments do not count.
fn rooms_named(text: &str) -> BTreeSet<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut named = BTreeSet::new();
    for (at, path) in code.match_indices("crate::") {
        // `$crate::` and `some_crate::` are other things.
        if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &code[at + path.len()..];
        let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            for part in group.split_inclusive(['{', '}', ',']) {
                if depth == 0 {
                    named.insert(name(part.trim_start()));
                }
                depth += i32::from(part.ends_with('{')) - i32::from(part.ends_with('}'));
                if depth < 0 {
                    break;
                }
            }
        } else {
            named.insert(name(rest));
        }
    }
    named.retain(|room| level_of(room).is_some());
    named
}

/// What of a file is not test code.
fn without_tests(file: &Path, text: &str) -> String {
    let is_test_file = file.components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")));
    if is_test_file { String::new() } else { text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned() }
}

#[test]
fn dependencies_point_one_way() {
    let mut wrong = Vec::new();
    for file in rust_files(&source()) {
        let room = room_of(&file);
        let Some(level) = level_of(&room) else {
            assert!(matches!(room.as_str(), "lib" | "main"), "`{room}` is in no level of the house");
            continue;
        };
        let text = fs_err::read_to_string(source().join(&file)).unwrap();
        for used in rooms_named(&without_tests(&file, &text)) {
            let used_level = level_of(&used).unwrap();
            let is_allowed = used == room
                || used_level < level
                    && !(SURFACES.contains(&room.as_str()) && BEHIND_THE_FACADE.contains(&used.as_str()))
                || used_level == level && NEIGHBOURS.contains(&(room.as_str(), used.as_str()));
            if !is_allowed {
                wrong.push(format!("{} uses `{used}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Another backend stands behind the same traits, so only the place that chooses one may name it.
#[test]
fn a_backend_is_named_where_it_is_chosen_and_nowhere_else() {
    let names_one = |file: &PathBuf| {
        let text = fs_err::read_to_string(source().join(file)).unwrap();
        room_of(file) != "index" && without_tests(file, &text).contains("embedded::")
    };
    let named: Vec<PathBuf> = rust_files(&source()).into_iter().filter(names_one).collect();
    assert_eq!(named, [PathBuf::from("data_folder.rs")]);
}

/// Whoever only checks a right leaves no entry: an upload does so, and a part of one, whose end is recorded, and each further try of a wait for a
/// lock.
#[test]
fn every_verb_of_the_engine_is_recorded() {
    let only_checks = |file: &PathBuf| {
        let text = fs_err::read_to_string(source().join(file)).unwrap();
        room_of(file) == "engine" && without_tests(file, &text).contains(".begin(Action::")
    };
    let mut found: Vec<PathBuf> = rust_files(&source()).into_iter().filter(only_checks).collect();
    found.sort_unstable();
    assert_eq!(found, ["engine/locks.rs", "engine/multipart.rs", "engine/write.rs"].map(PathBuf::from));
}

#[test]
fn no_file_is_longer_than_a_reader_can_hold() {
    let long: Vec<String> = rust_files(&source())
        .into_iter()
        .map(|file| (fs_err::read_to_string(source().join(&file)).unwrap().lines().count(), file))
        .filter(|(num_lines, _)| *num_lines > MAX_LINES)
        .map(|(num_lines, file)| format!("{} has {num_lines} lines", file.display()))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn the_check_itself_sees_every_way_to_name_a_room() {
    let text = "use crate::index::{A, B};\nuse crate::{config::{Config, X}, error, answer as a};\n// crate::mcp\n\
                fn f() { crate::engine::g(); other_crate::eval::h(); }";
    let named: Vec<String> = rooms_named(text).into_iter().collect();
    assert_eq!(named, ["answer", "config", "engine", "error", "index"]);
}
