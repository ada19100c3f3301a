//! Who else may read what this program keeps: nobody, whatever the process's mask says.
//!
//! # Invariants
//! - A data folder is made for its owner alone. Once [`begin`] was called, so is every file and folder that the process makes, but for
//!   those in the folders of other people's workspaces: these are made as by any program of whoever started it.

use std::io;
use std::path::Path;
#[cfg(unix)]
use std::sync::OnceLock;

use fs_err as fs;

/// All that others than the owner may do.
#[cfg(unix)]
const OTHERS: u32 = 0o077;

/// The mask that the process was started with.
#[cfg(unix)]
static MASK_BEFORE: OnceLock<u32> = OnceLock::new();

/// From now on the process makes files and folders for their owner alone.
pub fn begin() {
    #[cfg(unix)]
    MASK_BEFORE.get_or_init(|| {
        let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
        u32::try_from(i128::from(before.bits())).unwrap_or(OTHERS)
    });
}

/// What a new file or folder below a workspace's root may be used for, where the process's mask does not say it; `mode_of_root` tells
/// whether the root is for its owner alone, as one in a data folder is.
#[must_use]
pub fn mode_in_workspace(mode_of_root: u32, mode: u32) -> Option<u32> {
    #[cfg(unix)]
    {
        let before = *MASK_BEFORE.get()?;
        (mode_of_root & OTHERS != 0).then_some(mode & !before)
    }
    #[cfg(not(unix))]
    {
        let _ = (mode_of_root, mode);
        None
    }
}

/// Makes a data folder for its owner alone. One of ours that is there, or an empty folder, is made so with all that is in it; in any other
/// only what is new is private.
///
/// # Errors
/// When it cannot be made. What cannot be made private stays as it is, and a log says so.
pub fn make_data_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| {
            io::Error::new(error.kind(), format!("the folder `{}` cannot be made: {error}", folder.display()))
        })?;
        let mode = fs::metadata(folder)?.permissions().mode();
        let is_ours = folder.join("pincite.db").exists() || fs::read_dir(folder)?.next().is_none();
        if mode & OTHERS != 0
            && is_ours
            && let Err(error) = tighten(folder)
        {
            tracing::warn!(%error, "others than its owner may be able to read the data folder");
        }
        Ok(())
    }
    #[cfg(not(unix))]
    fs::create_dir_all(folder)
}

/// Takes away what others may do with a folder and all in it. What is inside goes first: a folder that was reached is done.
#[cfg(unix)]
fn tighten(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            tighten(&entry.path())?;
        } else if metadata.is_file() && metadata.permissions().mode() & OTHERS != 0 {
            let mode = metadata.permissions().mode() & !OTHERS;
            fs::set_permissions(entry.path(), std::fs::Permissions::from_mode(mode & 0o7777))?;
        }
    }
    let mode = fs::metadata(folder)?.permissions().mode() & !OTHERS & 0o7777;
    fs::set_permissions(folder, std::fs::Permissions::from_mode(mode))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    fn open_to_all(path: &Path, mode: u32) {
        fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_data_folder_is_made_private_with_what_is_in_it_and_other_folders_are_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let new = place.path().join("a/b");
        make_data_folder(&new).unwrap();
        assert_eq!((mode(&new), mode(&place.path().join("a"))), (0o700, 0o700));

        let former = place.path().join("former");
        let inner = former.join("workspaces/default");
        fs::create_dir_all(&inner).unwrap();
        for file in [former.join("pincite.db"), inner.join("vectors.db")] {
            fs::write(&file, "kept").unwrap();
            open_to_all(&file, 0o644);
        }
        open_to_all(&former, 0o755);
        open_to_all(&inner, 0o755);
        make_data_folder(&former).unwrap();
        assert_eq!((mode(&former), mode(&inner)), (0o700, 0o700));
        assert_eq!((mode(&former.join("pincite.db")), mode(&inner.join("vectors.db"))), (0o600, 0o600));

        let somebodys = place.path().join("somebodys");
        fs::create_dir(&somebodys).unwrap();
        fs::write(somebodys.join("notes.txt"), "theirs").unwrap();
        open_to_all(&somebodys, 0o755);
        make_data_folder(&somebodys).unwrap();
        assert_eq!(mode(&somebodys), 0o755);
    }
}
