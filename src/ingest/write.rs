//! Files written into a workspace's folder: whole or not at all, and never through a link.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::read::fingerprint;
use crate::error::Advice;
use crate::workspace::{ContentHash, Fingerprint, RelPath, common_spelling, composed};
use crate::{failpoint, leftovers};

/// Hidden, so that no scan takes a half-written file for one of the workspace.
pub(super) const TEMPORARY_PREFIX: &str = ".pincite-";

/// A file that is being written beside its place. Nobody sees it until it is put there, and if it is not, it goes.
#[derive(Debug)]
pub struct NewFile {
    path: RelPath,
    file: NamedTempFile,
    hasher: Sha256,
    size: u64,
    /// Whether what was written is on disk.
    is_durable: bool,
}

impl NewFile {
    /// Begins a file that is to be at `path`. Folders on the way there are not made yet.
    ///
    /// # Errors
    /// When no file can be there, or the system refuses.
    pub fn begin(root: &Path, path: &RelPath) -> Result<Self, WriteError> {
        // As near to its place as there is a folder: on the same disk, so that it can be put there in one step.
        let folder = open_parent(root, path, Missing::StopsBefore)?;
        look(&path.under(root), path)?;
        let file = leftovers::file_in(&folder, TEMPORARY_PREFIX).map_err(WriteError::from_io)?;
        Ok(Self { path: path.clone(), file, hasher: Sha256::new(), size: 0, is_durable: false })
    }

    /// Writes what comes next in the file.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.file.write_all(bytes).map_err(WriteError::from_io)?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.is_durable = false;
        Ok(())
    }

    /// How many bytes were written.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Makes what was written durable, so that [`NewFile::put`] takes no long time.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn sync(&mut self) -> Result<(), WriteError> {
        if !self.is_durable {
            self.file.as_file().sync_all().map_err(WriteError::from_io)?;
            self.is_durable = true;
        }
        Ok(())
    }

    /// Makes the file durable and puts it into its place in one step. Folders are made as needed.
    ///
    /// With `only_new` a file that is there already is left alone, whoever made it.
    ///
    /// # Errors
    /// What is at its place is as it was then.
    pub fn put(mut self, root: &Path, only_new: bool) -> Result<(Fingerprint, ContentHash), WriteError> {
        let parent = open_parent(root, &self.path, Missing::IsMade)?;
        let place = self.path.under(root);
        let before = look(&place, &self.path)?.map(|before| before.permissions());
        let now = self.file.as_file().metadata().map_err(WriteError::from_io)?.permissions();
        if let Some(before) = before.filter(|before| *before != now) {
            self.file.as_file().set_permissions(before).map_err(WriteError::from_io)?;
            self.is_durable = false;
        }
        self.sync()?;
        let Self { path, file, hasher, .. } = self;
        failpoint::reach("write: the new file is beside its place");
        let kept = if only_new { file.persist_noclobber(&place) } else { file.persist(&place) };
        let kept = kept.map_err(|error| match error.error.kind() {
            std::io::ErrorKind::AlreadyExists => WriteError::Exists { path },
            _ => WriteError::from_io(error.error),
        })?;
        failpoint::reach("write: the new file is in its place");
        sync_folder(&parent)?;
        let written = fingerprint(&kept.metadata().map_err(WriteError::from_io)?);
        Ok((written, ContentHash(hasher.finalize().into())))
    }
}

/// The path of a file as the disk spells it: part by part the name that is there, also in another spelling of the same
/// ([`common_spelling`]), else with composed accents. So one name never becomes those of two files.
#[must_use]
pub fn spelled_on_disk(root: &Path, path: &RelPath) -> RelPath {
    let mut at = root.to_owned();
    let mut parts: Vec<String> = Vec::new();
    for part in path.as_str().split('/') {
        let is_there = at.join(part).symlink_metadata().is_ok();
        let spelled = if is_there { Some(part.to_owned()) } else { name_spelled_like(&at, part) };
        let spelled = spelled.unwrap_or_else(|| composed(part).into_owned());
        at.push(&spelled);
        parts.push(spelled);
    }
    parts.join("/").parse().unwrap_or_else(|_| path.clone())
}

/// The name in a folder that is another spelling of this one; the first by the alphabet where there are several.
fn name_spelled_like(folder: &Path, name: &str) -> Option<String> {
    let wanted = common_spelling(name);
    let names = fs_err::read_dir(folder).ok()?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter(|other| (!other.is_ascii() || !name.is_ascii()) && common_spelling(other) == wanted).min()
}

/// Writes a file whole or not at all: a [`NewFile`] of these bytes, put into its place.
///
/// # Errors
/// The file is as it was then.
pub fn write_file(root: &Path, path: &RelPath, bytes: &[u8], only_new: bool) -> Result<Fingerprint, WriteError> {
    let mut file = NewFile::begin(root, path)?;
    file.write(bytes)?;
    Ok(file.put(root, only_new)?.0)
}

/// Removes a file, durably, and returns whether there was one.
///
/// # Errors
/// The file is still there then.
pub fn delete_file(root: &Path, path: &RelPath) -> Result<bool, WriteError> {
    let Some(parent) = existing_parent(root, path)? else { return Ok(false) };
    let place = path.under(root);
    if look(&place, path)?.is_none() {
        return Ok(false);
    }
    match fs_err::remove_file(&place) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(WriteError::from_io(error)),
    }
    failpoint::reach("write: the file is removed");
    sync_folder(&parent)?;
    Ok(true)
}

/// Gives a file another path, durably, and returns whether there was one. What was at the new path is replaced.
///
/// # Errors
/// The file is at its old path then.
pub fn rename_file(root: &Path, from: &RelPath, to: &RelPath) -> Result<bool, WriteError> {
    let Some(old_parent) = existing_parent(root, from)? else { return Ok(false) };
    if look(&from.under(root), from)?.is_none() {
        return Ok(false);
    }
    let parent = open_parent(root, to, Missing::IsMade)?;
    look(&to.under(root), to)?;
    fs_err::rename(from.under(root), to.under(root)).map_err(WriteError::from_io)?;
    sync_folder(&parent)?;
    sync_folder(&old_parent)?;
    Ok(true)
}

/// The size and time of a file, `None` where there is no regular file. Links are not followed.
#[must_use]
pub fn fingerprint_of(root: &Path, path: &RelPath) -> Option<Fingerprint> {
    existing_parent(root, path).ok()??;
    look(&path.under(root), path).ok()?.as_ref().map(fingerprint)
}

fn existing_parent(root: &Path, path: &RelPath) -> Result<Option<PathBuf>, WriteError> {
    match open_parent(root, path, Missing::Refused) {
        Err(WriteError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// What becomes of a folder on the way to a file that is not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    /// It is an error.
    Refused,
    /// It is made.
    IsMade,
    /// The one before it stands for the file's folder.
    StopsBefore,
}

/// The folder of a file, with no link on the way to it.
fn open_parent(root: &Path, path: &RelPath, missing: Missing) -> Result<PathBuf, WriteError> {
    let mut at = root.to_owned();
    let mut parts: Vec<&str> = path.as_str().split('/').collect();
    parts.pop();
    for part in parts {
        let above = at.clone();
        at.push(part);
        match fs_err::symlink_metadata(&at) {
            Ok(metadata) if metadata.is_symlink() => return Err(WriteError::Link { path: path.clone() }),
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(WriteError::NotAFile { path: path.clone() }),
            Err(error) if missing == Missing::StopsBefore && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(above);
            }
            Err(error) if missing == Missing::IsMade && error.kind() == std::io::ErrorKind::NotFound => {
                match fs_err::create_dir(&at) {
                    Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                        return Err(WriteError::from_io(error));
                    }
                    _ => sync_folder(&above)?,
                }
            }
            Err(error) => return Err(WriteError::from_io(error)),
        }
    }
    Ok(at)
}

/// What is at the place of a file: a regular file or nothing.
fn look(place: &Path, path: &RelPath) -> Result<Option<std::fs::Metadata>, WriteError> {
    match fs_err::symlink_metadata(place) {
        Ok(metadata) if metadata.is_file() => Ok(Some(metadata)),
        Ok(metadata) if metadata.is_symlink() => Err(WriteError::Link { path: path.clone() }),
        Ok(_) => Err(WriteError::NotAFile { path: path.clone() }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(WriteError::from_io(error)),
    }
}

/// Makes names in a folder durable, where the system has a way to.
fn sync_folder(folder: &Path) -> Result<(), WriteError> {
    #[cfg(unix)]
    fs_err::File::open(folder).and_then(|folder| folder.sync_all()).map_err(WriteError::from_io)?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A symbolic link is at the path or on the way to it.
    #[error("`{path}` leads through a symbolic link")]
    Link {
        /// What was given.
        path: RelPath,
    },
    /// A folder or device is at the path, or a file is on the way to it.
    #[error("no regular file can be at `{path}`: something else is there or on the way")]
    NotAFile {
        /// What was given.
        path: RelPath,
    },
    /// The workspace's rules pass over the path.
    #[error("`{path}` does not belong to the workspace: hidden, temporary and ignored files are passed over")]
    PassedOver {
        /// What was given.
        path: RelPath,
    },
    /// A name that the file system does not take.
    #[error("the file system takes no such name")]
    Name,
    /// There is a file where none was expected.
    #[error("there is a file at `{path}` already")]
    Exists {
        /// What was given.
        path: RelPath,
    },
    /// No room is left.
    #[error("the disk is full")]
    Full(#[source] std::io::Error),
    /// The system refused.
    #[error("the file cannot be written")]
    Io(#[source] std::io::Error),
}

impl WriteError {
    fn from_io(error: std::io::Error) -> Self {
        use std::io::ErrorKind::{InvalidFilename, InvalidInput, QuotaExceeded, StorageFull};
        match error.kind() {
            InvalidFilename | InvalidInput => Self::Name,
            StorageFull | QuotaExceeded => Self::Full(error),
            _ => Self::Io(error),
        }
    }
}

impl Advice for WriteError {
    fn code(&self) -> &'static str {
        match self {
            Self::Link { .. } => "outside_workspace",
            Self::NotAFile { .. } => "not_a_file",
            Self::PassedOver { .. } => "passed_over",
            Self::Name => "invalid_path",
            Self::Exists { .. } => "precondition_failed",
            Self::Full(_) => "disk_full",
            Self::Io(_) => "file_io",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Link { .. } => "write to the file itself, by a path without links",
                Self::NotAFile { .. } => "take another path",
                Self::PassedOver { .. } => {
                    "take another name, or change the workspace's `.pinciteignore` or `.gitignore`"
                }
                Self::Name => "take shorter names, of the characters that the file system knows",
                Self::Exists { .. } => "leave out `If-None-Match: *` to replace it",
                Self::Full(_) => "make room on the disk and write again",
                Self::Io(_) => "check the permissions of the workspace's folder",
            }
            .to_owned(),
        )
    }
}
