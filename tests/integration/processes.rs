//! Several processes on one data folder: one indexes, the others read and log, and one of them takes over when it dies.

use std::process::{Child, Stdio};

use pincite::engine::{Caller, ChangesRequest, Surface};
use serde_json::Value;

use crate::cli::Pincite;
use crate::line::{share, until};

/// A process that goes on until it is killed.
struct Member(Child);

impl Member {
    fn start(pincite: &Pincite, arguments: &[&str]) -> Self {
        let mut command = pincite.command(arguments);
        // An MCP server ends with its input, which stays open as long as this does.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    /// SIGKILL: the process has no say in it.
    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    fn indexes(&self, pincite: &Pincite) -> bool {
        let holder = fs_err::read_to_string(pincite.data.path().join("writer.lock")).unwrap_or_default();
        holder.starts_with(&format!("process {} ", self.0.id()))
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn paths(reply: &Value) -> Vec<&str> {
    let hits = reply["hits"].as_array().unwrap();
    let mut paths: Vec<&str> = hits.iter().map(|hit| hit["citation"]["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    paths
}

#[test]
fn when_the_process_that_indexes_is_killed_another_takes_over_and_nothing_is_lost() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    let path = folder.path().to_str().unwrap();
    fs_err::write(folder.path().join("0.txt"), "A harbour of many masters.").unwrap();
    let mut members = vec![Member::start(&pincite, &["serve", path, "--listen", "127.0.0.1:0"])];
    until("the server indexes", || members[0].indexes(&pincite));
    members.extend((0..3).map(|_| Member::start(&pincite, &["mcp", path])));
    // Each death but the last leaves somebody to take over.
    for round in 1..=3 {
        let name = format!("{round}.txt");
        fs_err::write(folder.path().join(&name), format!("Another harbour, number {round}.")).unwrap();
        let indexed = pincite.index(folder.path());
        assert!(indexed["done_by"].is_string(), "a member indexes, not the shell: {indexed}");
        let found = pincite.run(&["search", "harbour", "--mode", "lexical", "--json"]).json();
        assert_eq!(paths(&found).len(), round + 1, "{found}");
        let holder = members.iter().position(|member| member.indexes(&pincite)).unwrap();
        members.remove(holder).kill();
        until("another takes over", || members.iter().any(|member| member.indexes(&pincite)));
    }
    drop(members);
    let last = pincite.index(folder.path());
    assert!(last["done_by"].is_null() && last["indexed"] == 0, "everything was indexed already: {last}");
}

#[test]
fn a_shell_waits_for_a_process_that_indexes_and_takes_over_when_it_ends() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    let path = folder.path().to_str().unwrap();
    fs_err::write(folder.path().join("a.txt"), "A tale of two writers.").unwrap();
    // It holds the lock, and its line does not run.
    let idle = share(pincite.data.path());
    let waiting = pincite.command(&["search", "writers", "--path", path, "--json"]);
    let waiting = { waiting }.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the change is logged", || {
        let changes = idle
            .workspace(&crate::indexed::named("default"), &Caller::local(Surface::CommandLine))
            .and_then(|workspace| workspace.recent_changes(&ChangesRequest::newest(9)));
        changes.is_ok_and(|reply| !reply.changes.is_empty())
    });
    assert_eq!(pincite.run(&["status"]).code, 0, "reading needs no writer");
    drop(idle);
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let reply: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(paths(&reply), ["a.txt"]);
}

#[cfg(unix)]
#[test]
fn a_server_that_is_told_to_stop_ends_in_order_and_its_changes_are_kept() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    for number in 0..500 {
        fs_err::write(folder.path().join(format!("{number}.txt")), format!("Harbour number {number}.")).unwrap();
    }
    let path = folder.path().to_str().unwrap();
    for signal in ["-TERM", "-INT"] {
        let mut server = Member::start(&pincite, &["serve", path, "--listen", "127.0.0.1:0"]);
        until("the server serves and indexes", || {
            server.indexes(&pincite) && pincite.run(&["search", "harbour", "--mode", "lexical"]).code == 0
        });
        let id = server.0.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
        let mut ended = None;
        until("the server ends", || {
            ended = server.0.try_wait().unwrap();
            ended.is_some()
        });
        assert!(ended.unwrap().success(), "{signal}: {ended:?}");
    }
    pincite.index(folder.path());
    let status = pincite.run(&["status", "--json"]).json();
    assert_eq!((&status["coverage"]["ready"], &status["coverage"]["pending"]), (&500.into(), &0.into()));
}

#[test]
fn a_shell_is_answered_from_the_revision_that_it_asks_for_while_a_server_indexes() {
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    let path = folder.path().to_str().unwrap();
    fs_err::write(folder.path().join("a.txt"), "A harbour.").unwrap();
    let _server = Member::start(&pincite, &["serve", path, "--listen", "127.0.0.1:0"]);
    until("the first file is found", || pincite.run(&["search", "harbour"]).code == 0);
    fs_err::write(folder.path().join("b.txt"), "Another harbour.").unwrap();
    // The watch logs it; nobody else has told anybody.
    let asked = ["search", "harbour", "--min-revision", "2", "--wait-ms", "60000", "--json"];
    let mut ran = pincite.run(&asked);
    until("the second revision comes", || {
        ran = pincite.run(&asked);
        ran.code == 0
    });
    assert_eq!(paths(&ran.json()), ["a.txt", "b.txt"]);
    let late = pincite.run(&["ask", "Which harbour?", "--min-revision", "999", "--wait-ms", "20"]);
    assert!(late.code == 2 && late.err.contains("hint:"), "{}", late.err);
}
