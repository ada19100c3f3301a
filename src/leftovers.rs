//! Temporary files and folders, made so that those that a crash has left are told from those in use.
//!
//! # Invariants
//! - Nothing is removed that somebody may still use, in any process: whoever makes one holds a lock on it, which the system lets
//!   go when the process ends, however it ends.
//! - Nothing is removed that only looks alike: a name ends with twelve random characters and [`SUFFIX`].

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use fs_err as fs;
use tempfile::{NamedTempFile, TempDir};

/// The end of every name.
const SUFFIX: &str = ".part";
/// Random characters in a name.
const NUM_RANDOM: usize = 12;
/// Is in a folder, and locked, while that is used.
const IN_USE: &str = "in-use";
/// What is younger may not be locked yet.
pub const MIN_AGE: Duration = Duration::from_mins(1);

/// Makes a temporary file whose name begins with `prefix`, as any program's new file: the process's mask decides who may read it.
///
/// # Errors
/// When the system refuses.
pub fn file_in(folder: &Path, prefix: &str) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    let file = builder.prefix(prefix).rand_bytes(NUM_RANDOM).suffix(SUFFIX).tempfile_in(folder)?;
    lock(file.as_file());
    Ok(file)
}

/// A name that begins with `prefix`, for a temporary file that is made by other means.
#[must_use]
pub fn new_name(prefix: &str) -> String {
    format!("{prefix}{}{SUFFIX}", random_characters())
}

fn random_characters() -> String {
    const CHARACTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    // Each state has keys of its own.
    let mut random = (u128::from(RandomState::new().hash_one(0)) << 64) | u128::from(RandomState::new().hash_one(1));
    let mut next = || {
        let character = CHARACTERS[usize::try_from(random % 36).unwrap_or(0)];
        random /= 36;
        char::from(character)
    };
    (0..NUM_RANDOM).map(|_| next()).collect()
}

/// A temporary folder, removed when it is dropped.
#[derive(Debug)]
pub struct Folder {
    folder: TempDir,
    _in_use: fs::File,
}

impl Folder {
    /// Makes a temporary folder whose name begins with `prefix`.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn make_in(folder: &Path, prefix: &str) -> io::Result<Self> {
        let folder =
            tempfile::Builder::new().prefix(prefix).rand_bytes(NUM_RANDOM).suffix(SUFFIX).tempdir_in(folder)?;
        let in_use = fs::File::create(folder.path().join(IN_USE))?;
        lock(in_use.file());
        Ok(Self { folder, _in_use: in_use })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes what crashes have left in `folder` under names that begin with `prefix`. What cannot be removed stays.
pub fn sweep(folder: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if !entry.file_name().to_str().is_some_and(|name| is_ours(name, prefix)) {
            continue;
        }
        match remove_unused(&path) {
            Ok(true) => tracing::info!(path = %path.display(), "removed what a crash has left"),
            Ok(false) => {}
            Err(error) => tracing::debug!(path = %path.display(), %error, "what a crash has left stays"),
        }
    }
}

/// Whether a name is that of a temporary file or folder of ours.
#[must_use]
pub fn is_ours(name: &str, prefix: &str) -> bool {
    let random = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix(SUFFIX));
    random.is_some_and(|random| random.len() == NUM_RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Removes a temporary file or folder unless it is in use, and returns whether it was removed.
fn remove_unused(path: &Path) -> io::Result<bool> {
    let metadata = fs::symlink_metadata(path)?;
    let age = SystemTime::now().duration_since(metadata.modified()?).unwrap_or_default();
    if age < MIN_AGE || metadata.is_symlink() {
        return Ok(false);
    }
    let locked = if metadata.is_dir() { path.join(IN_USE) } else { path.to_owned() };
    // Held until it is gone, so that of several that sweep one removes it.
    let _held = match fs::OpenOptions::new().write(true).open(locked) {
        Ok(file) if file.file().try_lock().is_ok() => Some(file),
        // In use, or where locks do not work.
        Ok(_) => return Ok(false),
        Err(error) if metadata.is_dir() && error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    if metadata.is_dir() {
        fs::remove_dir_all(path)?;
    } else {
        fs::remove_file(path)?;
    }
    Ok(true)
}

/// Locks a temporary file for as long as it is open. Where locks do not work nothing is swept either.
pub fn lock(file: &std::fs::File) {
    if let Err(error) = file.lock() {
        tracing::debug!(%error, "a temporary file cannot be locked");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As if it had been there for an hour.
    fn age(path: &Path) {
        let then = SystemTime::now() - Duration::from_hours(1);
        fs::File::open(path).unwrap().file().set_modified(then).unwrap();
    }

    #[test]
    fn what_a_crash_has_left_goes_and_what_is_in_use_new_or_only_looks_alike_stays() {
        let place = tempfile::tempdir().unwrap();
        let used = file_in(place.path(), ".ours-").unwrap();
        let folder = Folder::make_in(place.path(), ".ours-").unwrap();
        let at = |name: &str| place.path().join(name);
        let left = [".ours-abcdef123456.part", ".ours-Abcdef123456.part", ".ours-000000000000.part"].map(at);
        fs::write(&left[0], "half").unwrap();
        fs::create_dir_all(left[1].join("staged")).unwrap();
        fs::write(left[1].join(IN_USE), "").unwrap();
        fs::create_dir(&left[2]).unwrap();
        let alike =
            [".ours-backup", ".ours-abcdef12345.part", ".ours-abcdef-23456.part", "ours-abcdef123456.part"].map(at);
        let new = at(".ours-abcdef999999.part");
        for path in &alike {
            fs::write(path, "somebody's").unwrap();
        }
        for path in left.iter().chain(&alike).map(AsRef::as_ref).chain([used.path(), folder.path()]) {
            age(path);
        }
        fs::write(&new, "half").unwrap();
        sweep(place.path(), ".ours-");
        assert!(left.iter().all(|path| !path.exists()));
        let stays = alike.iter().chain([&new]).map(AsRef::as_ref).chain([used.path(), folder.path()]);
        assert!(stays.into_iter().all(Path::exists));
    }
}
