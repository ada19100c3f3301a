//! ONNX Runtime out of the package registry: pip downloads the pinned wheel, and one library is taken out of it.
//!
//! # Invariants
//! - The library appears under its name complete and checked, or not at all: it is written beside and renamed, so
//!   processes that fetch at the same time do not disturb each other.
//! - pip runs in an empty folder. `python -m` looks in the current one first, and that may be a workspace of strangers.
//!
//! # Not here
//! Which index is asked, through which proxy, with which credentials: that is pip's own configuration.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fs_err as fs;
use sha2::{Digest as _, Sha256};

use crate::leftovers;
use crate::workspace::ContentHash;

use super::manifest::{PlatformPin, RuntimePins};
use super::pins::{check_file, same_hash};
use super::{EmbedError, Progress};

/// The programs that may be Python, best first.
const PYTHONS: [&str; 3] = ["python3", "python", "py"];

/// What a fetch leaves only when it is cut off.
pub(super) const FETCH_PREFIX: &str = ".fetch-";
/// The same of a library that was being unpacked.
pub(super) const LIBRARY_PREFIX: &str = ".library-";

/// pip has time-outs of its own; this ends one that hangs nevertheless.
const MAX_FETCH: Duration = Duration::from_mins(15);

const POLL: Duration = Duration::from_millis(100);

/// Downloads the wheel, checks it, and puts its library into `dir/<version>/`. Returns the library's path.
pub(super) fn fetch_library(
    pins: &RuntimePins,
    pin: &PlatformPin,
    dir: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf, EmbedError> {
    let dir = std::path::absolute(dir)?;
    let folder = dir.join(&pins.version);
    fs::create_dir_all(&folder)?;
    let work = leftovers::Folder::make_in(&dir, FETCH_PREFIX)?;

    progress.begin(&format!("{} {}", pins.package, pins.version), Some(pin.wheel_bytes));
    let wheel = download(pins, pin, work.path(), progress);
    progress.end();
    let wheel = wheel?;

    check_file(&wheel, pin.wheel_sha256)?;
    let library = folder.join(pin.library_name());
    unpack(&wheel, pin, &library)?;
    Ok(library)
}

fn download(
    pins: &RuntimePins,
    pin: &PlatformPin,
    work: &Path,
    progress: &dyn Progress,
) -> Result<PathBuf, EmbedError> {
    let python = find_python(work)?;
    let [temporary, target] = ["tmp", "wheel"].map(|name| work.join(name));
    fs::create_dir(&temporary)?;
    fs::create_dir(&target)?;
    let messages = work.join("messages");

    let mut pip = pip_command(python, work);
    pip.args(["download", "--quiet", "--no-input", "--no-deps", "--only-binary=:all:"])
        .args(["--python-version", &pin.python, "--implementation", &pin.implementation])
        .args(["--abi", &pin.abi, "--platform", &pin.tag])
        .arg(format!("{}=={}", pins.package, pins.version))
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
            return Err(EmbedError::FetchFailed { reason: format!("pip took more than {} s", MAX_FETCH.as_secs()) });
        }
        num_bytes = num_bytes.max(size_below(&temporary, 4) + size_below(&target, 1)).min(pin.wheel_bytes);
        progress.advance_to(num_bytes);
        std::thread::sleep(POLL);
    };
    if !succeeded {
        let text = String::from_utf8_lossy(&fs::read(&messages)?).into_owned();
        return Err(explain(&text, python, pin));
    }
    progress.advance_to(pin.wheel_bytes);

    let wheels = fs::read_dir(&target)?.flatten().map(|entry| entry.path());
    wheels
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| EmbedError::NoWheel { wheel: pin.wheel.clone() })
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
fn find_python(work: &Path) -> Result<&'static str, EmbedError> {
    let mut without_pip = None;
    for python in PYTHONS {
        let status = pip_command(python, work).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        match status {
            Ok(status) if status.success() => return Ok(python),
            Ok(_) => without_pip = without_pip.or(Some(python)),
            Err(_) => {}
        }
    }
    Err(without_pip.map_or(EmbedError::NoPython, |python| EmbedError::NoPip { python: python.to_owned() }))
}

/// What a failed pip meant.
fn explain(messages: &str, python: &str, pin: &PlatformPin) -> EmbedError {
    // Without a network pip finds no version at all and says that last, as if the package did not exist.
    let unreachable = messages.contains("(from versions: none)") || messages.contains("Retrying (");
    if messages.contains("No module named pip") {
        EmbedError::NoPip { python: python.to_owned() }
    } else if messages.contains("No matching distribution") && !unreachable {
        EmbedError::NoWheel { wheel: pin.wheel.clone() }
    } else if unreachable {
        EmbedError::FetchFailed { reason: "pip did not reach its package index".to_owned() }
    } else {
        let reason = messages.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("pip failed and did not say why");
        EmbedError::FetchFailed { reason: without_addresses(reason) }
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

/// Takes the library out of the wheel; it appears at `library` only when it has its pinned size and hash.
fn unpack(wheel: &Path, pin: &PlatformPin, library: &Path) -> Result<(), EmbedError> {
    let broken = |reason: String| EmbedError::Unreadable { file: pin.wheel.clone(), reason };
    let mut archive =
        zip::ZipArchive::new(fs::File::open(wheel)?.into_file()).map_err(|error| broken(error.to_string()))?;
    let entry = archive.by_name(&pin.library).map_err(|error| broken(error.to_string()))?;
    // The pinned size bounds what a wheel can unpack to.
    let mut entry = entry.take(pin.library_bytes + 1);

    let folder = library.parent().unwrap_or(Path::new("."));
    let mut file = leftovers::file_in(folder, LIBRARY_PREFIX)?;
    // Users of one machine may share a runtime folder.
    #[cfg(unix)]
    file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 18];
    loop {
        let length = entry.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        hasher.update(&buffer[..length]);
        file.write_all(&buffer[..length])?;
    }
    same_hash(library, pin.library_sha256, ContentHash(hasher.finalize().into()))?;
    file.as_file().sync_all()?;
    match file.persist(library) {
        Ok(_) => {}
        // Another process was first, and where a loaded library cannot be replaced its copy stays.
        Err(_) if library.exists() => return check_file(library, pin.library_sha256),
        Err(error) => return Err(error.error.into()),
    }
    // Windows cannot open a folder, and needs no such thing.
    if cfg!(unix) {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::embed::manifest::Manifest;

    fn pin(library: &[u8]) -> PlatformPin {
        let mut pin = Manifest::embedded().unwrap().runtime.platforms[0].clone();
        pin.library_bytes = library.len() as u64;
        pin.library_sha256 = ContentHash::of(library);
        pin
    }

    fn wheel(folder: &Path, pin: &PlatformPin, library: &[u8]) -> PathBuf {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file(pin.library.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(library).unwrap();
        let path = folder.join("test.whl");
        fs::write(&path, writer.finish().unwrap().into_inner()).unwrap();
        path
    }

    #[test]
    fn a_library_is_unpacked_only_with_its_pinned_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("library");
        let pin = pin(b"good");

        for bad in [&b"evil"[..], b"good and more", b"goo"] {
            let error = unpack(&wheel(folder.path(), &pin, bad), &pin, &target).unwrap_err();
            assert!(matches!(error, EmbedError::WrongHash { .. }), "{error}");
            assert!(!target.exists());
        }
        unpack(&wheel(folder.path(), &pin, b"good"), &pin, &target).unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"good");
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left.len(), 2, "nothing but the wheel and the library stays: {left:?}");
    }

    #[test]
    fn processes_that_unpack_at_the_same_time_all_end_with_the_library() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("library");
        let pin = pin(b"good");
        let wheel = wheel(folder.path(), &pin, b"good");
        std::thread::scope(|scope| {
            let racing: Vec<_> = (0..4).map(|_| scope.spawn(|| unpack(&wheel, &pin, &target))).collect();
            for thread in racing {
                thread.join().unwrap().unwrap();
            }
        });
        assert_eq!(fs::read(&target).unwrap(), b"good");
    }

    #[test]
    fn a_wheel_that_is_no_archive_or_lacks_the_library_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("library");
        let mut pin = pin(b"good");
        let good = wheel(folder.path(), &pin, b"good");
        pin.library = "elsewhere/libonnxruntime.so".to_owned();
        assert!(matches!(unpack(&good, &pin, &target), Err(EmbedError::Unreadable { .. })));
        fs::write(&good, "no archive").unwrap();
        assert!(matches!(unpack(&good, &pin, &target), Err(EmbedError::Unreadable { .. })));
    }

    #[test]
    fn what_pip_says_becomes_the_error_that_fits() {
        let pin = pin(b"");
        let of = |messages: &str| explain(messages, "python3", &pin);
        let other_versions = "ERROR: Could not find a version (from versions: 1.28.0)\nERROR: No matching distribution";
        assert!(matches!(of(other_versions), EmbedError::NoWheel { .. }));
        let no_network = "ERROR: Could not find a version (from versions: none)\nERROR: No matching distribution found";
        assert!(matches!(of(no_network), EmbedError::FetchFailed { .. }));
        assert!(matches!(of("/usr/bin/python3: No module named pip"), EmbedError::NoPip { .. }));
        let secret = of("ERROR: 403 for https://user:secret@index/simple now\n");
        assert_eq!(secret.to_string(), "ONNX Runtime cannot be fetched: ERROR: 403 for <address> now");
    }
}
