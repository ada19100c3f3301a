//! Many workspaces in one process: what they share is bounded, and one beyond a bound says so and goes on.

use pincite::engine::{Caller, Surface};
use std::collections::BTreeSet;
use std::path::Path;

use pincite::search::{Mode, SearchRequest};
use serde_json::Value;

use crate::indexed::named;
use crate::line::{Desk, until};
use crate::writes::Server;

/// The paths in a workspace that these words are found in.
fn found(desk: &Desk, workspace: &str, words: &str) -> Vec<String> {
    let request = SearchRequest { mode: Mode::Lexical, ..SearchRequest::new(words) };
    let hits = desk
        .engine
        .workspace(&named(workspace), &Caller::local(Surface::CommandLine))
        .unwrap()
        .search(&request)
        .unwrap()
        .hits;
    hits.iter().map(|hit| hit.citation.path.to_string()).collect()
}

fn add(desk: &Desk, workspace: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("first.txt"), format!("The lighthouse of {workspace}.")).unwrap();
    desk.engine.ensure_workspace(&named(workspace), Some(folder.path())).unwrap();
    folder
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_beyond_the_limit_on_watches_says_so_and_is_scanned() {
    let mut desk = Desk::configured("scan_interval_s = 1\n[limits]\nwatched_folders = 1\n");
    // Workspaces are looked at in the order of their names at first.
    let (other, third) = (add(&desk, "other"), add(&desk, "third"));
    desk.run();
    let server = Server::over(desk);
    let desk = &server.desk;
    let notes = |workspace: &str| {
        desk.engine
            .workspace(&named(workspace), &Caller::local(Surface::CommandLine))
            .unwrap()
            .coverage()
            .unwrap()
            .notes
            .join("\n")
    };
    for workspace in ["other", "third"] {
        until("it says why", || notes(workspace).contains("not watched, so a change is found within 1 s: 1 folders"));
        assert!(notes(workspace).contains("`limits.watched_folders`"), "{}", notes(workspace));
        let (_, status) = server.health(&format!("/v1/workspaces/{workspace}/status")).await;
        assert!(status["source"]["notes"].to_string().contains("limits.watched_folders"), "{status:#}");
    }
    assert!(!notes("default").contains("watched"), "{}", notes("default"));
    until("it is ready", || {
        desk.engine.workspace(&named("default"), &Caller::local(Surface::CommandLine)).unwrap().check_replayed().is_ok()
    });
    let (_, ready): (_, Value) = server.health("/readyz").await;
    let told = "2 other folders are away or not watched: `other`, `third`";
    assert!(ready["notes"].to_string().contains(told), "{ready:#}");
    for (folder, workspace) in [(&other, "other"), (&third, "third")] {
        fs_err::write(folder.path().join("second.txt"), "A windmill.").unwrap();
        until("a scan finds the write", || found(desk, workspace, "windmill") == ["second.txt"]);
    }
    desk.write("a.txt", "An anchor.");
    until("the watched one goes on", || desk.found("anchor") == ["a.txt"]);
    // A folder that needs more watches than there are gives back what it has.
    fs_err::create_dir(desk.folder.path().join("sub")).unwrap();
    until("it says so", || notes("default").contains("limits.watched_folders"));
    until("another one takes the room", || {
        ["other", "third"].iter().any(|workspace| !notes(workspace).contains("watched"))
    });
    desk.write("sub/b.txt", "A buoy.");
    until("a scan finds it", || desk.found("buoy") == ["sub/b.txt"]);
}

/// How many tables of vectors of this data folder the process has open: one for each index.
#[cfg(target_os = "linux")]
fn num_open(data: &Path) -> usize {
    let open = fs_err::read_dir("/proc/self/fd").unwrap().flatten();
    let open = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    open.filter(|file| file.starts_with(data) && file.ends_with("vectors.db")).collect::<BTreeSet<_>>().len()
}

#[cfg(target_os = "linux")]
#[test]
fn indexes_beyond_the_limit_are_closed_and_opened_again() {
    let mut desk = Desk::configured("[limits]\nopen_indexes = 2\n");
    let names: Vec<String> = (0..6).map(|number| format!("w{number}")).collect();
    let folders: Vec<tempfile::TempDir> = names.iter().map(|name| add(&desk, name)).collect();
    desk.run();
    let each_is_found = || names.iter().all(|name| found(&desk, name, name) == ["first.txt"]);
    until("each is found", each_is_found);
    let data = desk.data.path().canonicalize().unwrap();
    until("two are open", || each_is_found() && num_open(&data) <= 2);
    // One that was closed takes writes, and shows them.
    for (name, folder) in names.iter().zip(&folders) {
        fs_err::write(folder.path().join("second.txt"), "A windmill.").unwrap();
        until("the write is found", || found(&desk, name, "windmill") == ["second.txt"]);
        fs_err::remove_file(folder.path().join("first.txt")).unwrap();
        until("the deletion is seen", || found(&desk, name, name).is_empty());
    }
    until("two are open again", || {
        names.iter().all(|name| found(&desk, name, "windmill") == ["second.txt"]) && num_open(&data) <= 2
    });
}
