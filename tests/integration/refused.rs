//! Folders and files that the system refuses to open.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;

use serde_json::Value;

use crate::cli::Pincite;

/// Whom the system refuses what it refuses: root is refused nothing.
const NOBODY: u32 = 65_534;

fn set_mode(path: &Path, mode: u32) {
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs the program as a user whom the system may refuse something.
fn run(pincite: &Pincite, arguments: &[&str]) -> (i32, Value) {
    let mut command = pincite.command(arguments);
    if is_root() {
        command.uid(NOBODY);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    (output.status.code().unwrap(), json)
}

/// The files that the word of all files finds.
fn found(pincite: &Pincite) -> Vec<String> {
    let reply = run(pincite, &["search", "ledger", "--json"]).1;
    let path = |hit: &Value| hit["citation"]["path"].as_str().unwrap().to_owned();
    let mut paths: Vec<String> = reply["hits"].as_array().unwrap().iter().map(path).collect();
    paths.sort();
    paths
}

fn is_root() -> bool {
    let status = fs_err::read_to_string("/proc/self/status").unwrap();
    status.lines().any(|line| line.starts_with("Uid:") && line.split_whitespace().nth(2) == Some("0"))
}

#[test]
#[cfg(target_os = "linux")]
fn what_may_not_be_opened_is_failed_and_hidden_until_it_may() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    let closed = folder.path().join("closed");
    let locked = folder.path().join("locked.txt");
    fs_err::create_dir(&closed).unwrap();
    fs_err::write(closed.join("inside.txt"), "the lighthouse keeper's ledger").unwrap();
    fs_err::write(folder.path().join("open.txt"), "the harbour master's ledger").unwrap();
    fs_err::write(&locked, "the pilot's ledger").unwrap();
    for shared in [folder.path(), pincite.data.path()] {
        set_mode(shared, 0o777);
    }
    let arguments = ["index", folder.path().to_str().unwrap(), "--json"];
    assert_eq!(run(&pincite, &arguments).0, 0);

    set_mode(&closed, 0o000);
    set_mode(&locked, 0o000);
    fs_err::write(folder.path().join("open.txt"), "the harbour master's new ledger").unwrap();
    fs_err::write(folder.path().join("locked-too.txt"), "another ledger").unwrap();
    set_mode(&folder.path().join("locked-too.txt"), 0o000);
    let (code, report) = run(&pincite, &arguments);
    assert_eq!(code, 0, "{report:#}");
    let passed_over = report["passed_over"].to_string();
    assert!(passed_over.contains("closed") && passed_over.contains("denied"), "{report:#}");
    let (_, status) = run(&pincite, &["status", "--json"]);
    assert_eq!(status["coverage"]["failed"], 3, "a file that cannot be looked at is not a deleted one: {status:#}");
    assert!(status.to_string().contains("not readable: permission denied"), "{status:#}");
    assert!(status["passed_over"].to_string().contains("closed"), "{status:#}");
    assert_eq!(found(&pincite), ["open.txt"]);
    let (_, report) = run(&pincite, &arguments);
    assert_eq!(report["modified"], 0, "it is not logged again: {report:#}");

    set_mode(folder.path(), 0o000);
    let mut command = pincite.command(&arguments);
    if is_root() {
        command.uid(NOBODY);
    }
    let refused = command.output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() != Some(0) && said.contains("denied") && said.contains("hint"), "{said}");
    assert_eq!(run(&pincite, &["search", "ledger", "--json"]).0, 0, "the index is as it was");
    set_mode(folder.path(), 0o777);
    set_mode(&closed, 0o777);
    set_mode(&locked, 0o666);
    assert_eq!(run(&pincite, &arguments).0, 0);
    assert_eq!(found(&pincite), ["closed/inside.txt", "locked.txt", "open.txt"]);
}
