//! The examples, each from its first step to its last, against a stand-in for the providers of sandboxes (`tests/node/sandboxes.mjs`).
#![cfg(target_os = "linux")]

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::cli::{Pincite, Ran};
use crate::remote::Server;
use crate::{node, python};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// A server over a folder with one file, and a key for it.
struct Workspace {
    pincite: Pincite,
    folder: tempfile::TempDir,
    server: Server,
    key: String,
}

impl Workspace {
    fn new() -> Self {
        let (pincite, folder) = (Pincite::words_alone(), tempfile::tempdir().unwrap());
        fs_err::create_dir(folder.path().join("notes")).unwrap();
        fs_err::write(folder.path().join("notes/ferry.md"), "# Ferry\n\nThe ferry leaves at nine.\n").unwrap();
        let made = pincite.run(&["key", "create", "--name", "a", "--scope", "search,files:read,files:write"]);
        let key = made.out.lines().next().unwrap_or_else(|| panic!("{}", made.err)).to_owned();
        let server = Server::start(&pincite, &[folder.path().to_str().unwrap()]);
        Self { pincite, folder, server, key }
    }

    /// A command of an agent's host: it knows the server and its key, and finds the program.
    fn command(&self, mut command: Command) -> Command {
        let path = format!("{}:{}", programs().display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env("PINCITE_URL", &self.server.url).env("PINCITE_API_KEY", &self.key);
        command.env("PINCITE_DATA_DIR", self.pincite.data.path().join("of-the-host"));
        command
    }

    fn on_disk(&self, path: &str) -> String {
        fs_err::read_to_string(self.folder.path().join(path)).unwrap()
    }
}

fn programs() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_pincite")).parent().unwrap()
}

#[test]
fn the_python_example_loads_finds_and_cites_what_the_sandbox_lost() {
    let (workspace, disk) = (Workspace::new(), tempfile::tempdir().unwrap());
    let mut command = Command::new(python::interpreter());
    command.arg(examples().join("python/five_steps.py")).arg(disk.path().join("sandbox"));
    let ran = Ran::of(&mut workspace.command(command));
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert!(ran.out.starts_with("files: notes/ferry.md\nwritten: runs/8/report.md revision "), "{}", ran.out);
    assert!(
        ran.out.ends_with("loaded: runs/8/note.md runs/8/report.md\ncited: runs/8/note.md:1 valid\n"),
        "{}",
        ran.out
    );
    assert!(workspace.on_disk("runs/8/note.md").contains("on Monday"));
}

/// The stand-in for the providers; it is ended when it is dropped.
struct Providers {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
    url: String,
}

impl Providers {
    /// `code` has the scripts and their packages.
    fn start(code: &Path, boxes: &Path) -> Self {
        let mut command = node::node();
        command.arg(code.join("sandboxes.mjs")).arg(boxes).arg(programs());
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = lines.next().unwrap().unwrap().strip_prefix("listening on ").unwrap().to_owned();
        Self { process, lines, url }
    }

    /// What was done to the sandbox that came last, until it was deleted.
    fn done(&mut self) -> Vec<String> {
        let mut done = Vec::new();
        while done.last().is_none_or(|last: &String| !last.starts_with("deleted")) {
            done.push(self.lines.next().unwrap().unwrap());
        }
        done
    }
}

impl Drop for Providers {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder with the TypeScript examples, the stand-in, and the packages of the former.
fn code() -> tempfile::TempDir {
    let (from, code) = (examples().join("typescript"), tempfile::tempdir().unwrap());
    for folder in [&from, &node::scripts()] {
        for entry in fs_err::read_dir(folder).unwrap().map(Result::unwrap) {
            let kind = entry.path().extension().map(std::ffi::OsStr::to_owned);
            if entry.path().is_file() && kind.is_some_and(|kind| kind != "json" || entry.file_name() == "tsconfig.json")
            {
                fs_err::copy(entry.path(), code.path().join(entry.file_name())).unwrap();
            }
        }
    }
    fs_err::copy(from.join("package.json"), code.path().join("package.json")).unwrap();
    #[cfg(unix)]
    fs_err::os::unix::fs::symlink(node::packages(&from), code.path().join("node_modules")).unwrap();
    code
}

#[test]
fn on_each_provider_the_typescript_example_loads_finds_and_cites_what_was_lost() {
    if !node::is_here("nothing is known of the adapters for sandboxes") {
        return;
    }
    let (code, boxes) = (code(), tempfile::tempdir().unwrap());
    let checked = Ran::of(node::node().arg(code.path().join("node_modules/.bin/tsc")).arg("-p").arg(code.path()));
    assert_eq!((checked.code, checked.out.as_str()), (0, ""), "{}", checked.err);
    let mut providers = Providers::start(code.path(), boxes.path());
    for provider in ["e2b", "daytona", "codesandbox"] {
        let workspace = Workspace::new();
        let mut command = node::node();
        command.arg(code.path().join("five-steps.ts")).args([provider, "a-template"]);
        let at = |place: &str| format!("{}/{place}", providers.url);
        command
            .env("E2B_API_KEY", format!("e2b_{}", "0".repeat(40)))
            .env("E2B_API_URL", at("e2b"))
            .env("E2B_SANDBOX_URL", at("e2b"))
            .env("DAYTONA_API_KEY", "a-key")
            .env("DAYTONA_API_URL", at("daytona"))
            .env("DAYTONA_TARGET", "local")
            .env("CSB_API_KEY", "csb_v1_a-key")
            .env("CSB_BASE_URL", at("codesandbox"));
        let ran = Ran::of(&mut workspace.command(command));
        assert_eq!(ran.code, 0, "{provider}: {}\n{}", ran.out, ran.err);
        assert!(ran.out.starts_with("files: ./notes/ferry.md\ndurable up to revision "), "{provider}: {}", ran.out);
        assert!(ran.out.ends_with("3 mm too high.\ncited: runs/7/report.md:1 valid\n"), "{provider}: {}", ran.out);
        assert!(workspace.on_disk("runs/7/report.md").contains("3 mm too high"), "{provider}");
        let done = providers.done();
        let verbs: Vec<&str> = done.iter().map(|line| line.split(' ').next().unwrap()).collect();
        let slept = verbs.iter().position(|verb| *verb == "hibernated").unwrap();
        assert_eq!((verbs[0], &verbs[slept..]), ("created", &["hibernated", "resumed", "deleted"][..]), "{provider}");
    }
}
