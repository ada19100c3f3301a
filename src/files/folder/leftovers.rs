//! Temporary files in a folder that is held open: a file on its way to its place, and the sweep of those that a crash has left.

use std::ffi::OsString;
use std::time::SystemTime;

use fs_err::File;

use super::beneath::{BeneathError, Folder, Kind, Meta};
use crate::leftovers::{self, MIN_AGE};

/// A temporary file in a folder that is held open. Unless it was put somewhere, it is removed when it is dropped, or what it has replaced.
#[derive(Debug)]
pub(super) struct TemporaryFile {
    folder: Folder,
    name: String,
    file: File,
    is_put: bool,
}

impl TemporaryFile {
    /// Makes a file whose name begins with `prefix`.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn make_in(folder: Folder, prefix: &str) -> Result<Self, BeneathError> {
        const MAX_TRIES: usize = 100;
        for _ in 0..MAX_TRIES {
            let name = leftovers::new_name(prefix);
            match folder.create(&name, 0o666) {
                Ok(file) => {
                    leftovers::lock(file.file());
                    return Ok(Self { folder, name, file, is_put: false });
                }
                Err(BeneathError::Exists) => {}
                Err(error) => return Err(error),
            }
        }
        Err(BeneathError::Exists)
    }

    /// The open file.
    pub(super) const fn file_mut(&mut self) -> &mut File {
        &mut self.file
    }

    /// Puts it into its place. With `only_new` nothing is replaced.
    ///
    /// # Errors
    /// It stays where it is then.
    pub(super) fn put(&mut self, folder: &Folder, name: &str, only_new: bool) -> Result<(), BeneathError> {
        self.folder.rename(&self.name, folder, name, only_new)?;
        self.is_put = true;
        Ok(())
    }

    /// Puts it into the place of a file that is still `before`, and returns whether it was. What had come there instead is there again
    /// then, unless the file system cannot let files change places: there it is replaced.
    ///
    /// # Errors
    /// It stays where it is then.
    pub(super) fn replace(&mut self, folder: &Folder, name: &str, before: &Meta) -> Result<bool, BeneathError> {
        if !self.folder.exchange(&self.name, folder, name)? {
            return self.put(folder, name, false).map(|()| true);
        }
        // The exchange itself changes the change time.
        let is_before = |now: &Meta| {
            (now.kind, now.size, now.modified_ns, now.inode)
                == (before.kind, before.size, before.modified_ns, before.inode)
        };
        if self.folder.look(&self.name).is_ok_and(|now| is_before(&now)) {
            return Ok(true);
        }
        self.folder.exchange(&self.name, folder, name).map(|_| false)
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        if !self.is_put {
            let _ = self.folder.remove(&self.name);
        }
    }
}

/// Removes files that crashes have left in a folder, of these names in it, where they begin with `prefix`.
pub(super) fn sweep(folder: &Folder, names: &[(OsString, Option<Kind>)], prefix: &str) {
    let ours = names.iter().filter_map(|(name, _)| name.to_str()).filter(|name| leftovers::is_ours(name, prefix));
    for name in ours {
        let path = folder.path().join(name);
        match remove_unused(folder, name) {
            Ok(true) => tracing::info!(path = %path.display(), "removed what a crash has left"),
            Ok(false) => {}
            Err(error) => tracing::debug!(path = %path.display(), %error, "what a crash has left stays"),
        }
    }
}

fn remove_unused(folder: &Folder, name: &str) -> Result<bool, BeneathError> {
    let Ok(now) = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) else { return Ok(false) };
    let age_ns = i128::try_from(now.as_nanos()).unwrap_or(i128::MAX) - i128::from(folder.look(name)?.modified_ns);
    if age_ns < i128::try_from(MIN_AGE.as_nanos()).unwrap_or(i128::MAX) {
        return Ok(false);
    }
    // Held until it is gone, so that of several that sweep one removes it.
    let file = folder.file_to_lock(name)?;
    if file.file().try_lock().is_err() {
        return Ok(false);
    }
    folder.remove(name).map(|()| true)
}
