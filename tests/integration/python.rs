//! A Python environment with the pinned packages of `tests/python/requirements.txt`, for tests that compare with, or are driven by,
//! programs other people wrote.
//!
//! # Invariants
//! - The environment is made once for each content of `requirements.txt`, under the target folder, and is complete whenever
//!   [`interpreter`] returns; tests in several threads or processes wait for the one that makes it.
//! - Nothing is skipped: where there is no Python or no package can be fetched, the test fails and says what to do.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use pincite::workspace::ContentHash;

/// The folder of the Python scripts and of `requirements.txt`.
pub fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join("python")
}

/// The interpreter of the environment, which is made on the first call.
pub fn interpreter() -> &'static Path {
    static INTERPRETER: OnceLock<PathBuf> = OnceLock::new();
    INTERPRETER.get_or_init(|| {
        let requirements = scripts().join("requirements.txt");
        let hash = ContentHash::of(&fs_err::read(&requirements).unwrap()).to_string();
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{}", &hash[..16]));
        fs_err::create_dir_all(&folder).unwrap();
        let lock = fs_err::File::create(folder.join("lock")).unwrap();
        // Held until the file is closed, also when the process dies: other test processes wait here.
        lock.file().lock().unwrap();
        let environment = folder.join("venv");
        let python = environment.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
        let is_complete = folder.join("complete");
        if !is_complete.exists() {
            make(&environment, &python, &requirements);
            fs_err::write(is_complete, "").unwrap();
        }
        python
    })
}

/// Runs a script of `tests/python` in the environment and returns its standard output; fails with its standard error.
pub fn run(script: &str, arguments: &[&Path]) -> String {
    let mut command = Command::new(interpreter());
    command.arg(scripts().join(script)).args(arguments);
    let output = finished(&mut command, "start the environment's interpreter");
    String::from_utf8(output.stdout).unwrap()
}

fn make(environment: &Path, python: &Path, requirements: &Path) {
    if environment.exists() {
        fs_err::remove_dir_all(environment).unwrap();
    }
    // Without pip inside: some systems ship Python and pip but not the wheel that `venv` would install it from.
    let mut venv = Command::new("python3");
    venv.args(["-m", "venv", "--without-pip"]).arg(environment);
    finished(&mut venv, "install Python 3.11 or newer as `python3`; the tests compare with Python programs");
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--python"]).arg(python);
    pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(requirements);
    finished(&mut pip, "install pip 22.3 or newer for `python3`, and see that it reaches a package index");
}

fn finished(command: &mut Command, remedy: &str) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}\nhint: {remedy}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{complaint}\nhint: {remedy}", output.status);
    output
}

#[test]
fn two_callers_at_once_get_the_same_complete_environment() {
    let calls: Vec<_> = (0..2).map(|_| std::thread::spawn(interpreter)).collect();
    let found: Vec<_> = calls.into_iter().map(|call| call.join().unwrap()).collect();
    assert_eq!(found[0], found[1]);
    assert!(found[0].exists());
}
