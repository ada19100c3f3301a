//! The protocol's own conformance suite, run against this server: every scenario of both revisions that a server can be asked, but for those of
//! capabilities that this server does not declare.

use std::process::Command;

use crate::cli::Pincite;
use crate::node;
use crate::remote::Server;

/// Scenarios of what this server does not declare, so that no client asks for it: log messages to clients, completion, and requests of the
/// server to its client (sampling, elicitation), and several streams of one session, which need a connection that stays. Resources are subscribed to in a request of its own since
/// 2026-07-28, and before over standard input and output alone.
const NOT_DECLARED: &[&str] = &[
    "logging-set-level",
    "completion-complete",
    "tools-call-with-logging",
    "tools-call-sampling",
    "tools-call-elicitation",
    "elicitation-sep1034-defaults",
    "elicitation-sep1330-enums",
    "resources-subscribe",
    "resources-unsubscribe",
    "server-sse-multiple-streams",
];

/// Scenarios beside the suite of a revision that a server without sessions can be asked.
const BESIDE: &[&str] = &["caching", "http-header-validation", "sep-2164-resource-not-found"];

struct Suite {
    url: String,
    script: std::path::PathBuf,
    out: tempfile::TempDir,
}

impl Suite {
    fn run(&self, arguments: &[&str]) -> String {
        let mut command: Command = node::node();
        command.arg(&self.script).args(["server", "--url", &self.url, "-o"]).arg(self.out.path()).args(arguments);
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }
}

#[test]
fn every_scenario_of_what_the_server_declares_passes_in_both_revisions() {
    if !node::is_here("whether the server conforms to the protocol's suite") {
        return;
    }
    let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
    fs_err::write(folder.path().join("a.md"), "# A\n").unwrap();
    let server = Server::start(&pincite, &[folder.path().to_str().unwrap(), "--tools", "conformance"]);
    let script = node::packages(&node::scripts()).join("@modelcontextprotocol/conformance/dist/index.js");
    let suite = Suite { url: format!("{}/mcp", server.url), script, out: tempfile::tempdir().unwrap() };
    let baseline = |known: &[&str]| {
        let file = suite.out.path().join("not-declared.yml");
        let lines = known.join("\n  - ");
        fs_err::write(&file, format!("server:\n  - {lines}\n")).unwrap();
        file.to_str().unwrap().to_owned()
    };
    // The run fails where another scenario fails, and where one of these passes.
    let older = suite.run(&["--spec-version", "2025-11-25", "--expected-failures", &baseline(NOT_DECLARED)]);
    assert!(older.contains("tools-call-with-progress") && older.contains("prompts-get-with-image"), "{older}");
    let newer =
        suite.run(&["--spec-version", "2026-07-28", "--expected-failures", &baseline(&["completion-complete"])]);
    assert!(newer.contains("resources-read-binary"), "{newer}");
    for scenario in BESIDE {
        suite.run(&["--scenario", scenario]);
    }
}
