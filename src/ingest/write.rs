//! Files written into a workspace, by whoever asks the engine to.

use sha2::{Digest as _, Sha256};

use crate::error::Advice;
use crate::files::{self, Condition, Files, FilesError, NotAdmitted};
use crate::store::Fingerprint;
use crate::workspace::{ContentHash, RelPath};

/// A file that is being written, with the hash of what was. Nobody sees it until it is put into its place, and if it is not, it goes.
#[derive(Debug)]
pub struct NewFile {
    file: Box<dyn files::NewFile>,
    hasher: Sha256,
    size: u64,
}

impl NewFile {
    /// Begins a file that is to be at `path`.
    ///
    /// # Errors
    /// When no file can be there, or the place refuses.
    pub fn begin(files: &dyn Files, path: &RelPath) -> Result<Self, WriteError> {
        Ok(Self { file: files.begin(path)?, hasher: Sha256::new(), size: 0 })
    }

    /// Writes what comes next in the file.
    ///
    /// # Errors
    /// When the place refuses.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.file.write(bytes)?;
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// The hash of what was written so far.
    #[must_use]
    pub fn content_hash(&self) -> ContentHash {
        ContentHash(self.hasher.clone().finalize().into())
    }

    /// How many bytes were written.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Does what takes long, so that [`NewFile::put`] does not.
    ///
    /// # Errors
    /// When no file can be there, or the place refuses.
    pub fn prepare(&mut self) -> Result<(), WriteError> {
        Ok(self.file.prepare()?)
    }

    /// Makes the file durable and puts it into its place in one step.
    ///
    /// # Errors
    /// When `condition` does not hold, or the place refuses. What is at its place is as it was then.
    pub fn put(self, condition: &Condition) -> Result<(Fingerprint, ContentHash), WriteError> {
        let stat = self.file.put(condition)?;
        Ok((stat.fingerprint, ContentHash(self.hasher.finalize().into())))
    }
}

/// Writes a file whole or not at all: a [`NewFile`] of these bytes, put into its place.
///
/// # Errors
/// The file is as it was then.
pub fn write_file(
    files: &dyn Files,
    path: &RelPath,
    bytes: &[u8],
    condition: &Condition,
) -> Result<Fingerprint, WriteError> {
    let mut file = NewFile::begin(files, path)?;
    file.write(bytes)?;
    Ok(file.put(condition)?.0)
}

/// Removes a file, durably, and returns whether there was one.
///
/// # Errors
/// The file is still there then.
pub fn delete_file(files: &dyn Files, path: &RelPath) -> Result<bool, WriteError> {
    match files.delete(path, None) {
        Ok(()) => Ok(true),
        Err(FilesError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Gives a file another path, durably, and returns whether there was one. What was at the new path is replaced.
///
/// # Errors
/// The file is at its old path then.
pub fn rename_file(files: &dyn Files, from: &RelPath, to: &RelPath) -> Result<bool, WriteError> {
    match files.rename(from, to) {
        Ok(()) => Ok(true),
        Err(FilesError::NotFound { path }) if path == *from => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Why a file was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A symbolic link is at the path or on the way to it.
    #[error("`{path}` leads through a symbolic link")]
    Link {
        /// The path that was given.
        path: RelPath,
    },
    /// A folder or device is at the path, or a file is on the way to it.
    #[error("no regular file can be at `{path}`: something else is there, or on the way to it")]
    NotAFile {
        /// The path that was given.
        path: RelPath,
    },
    /// The workspace's rules pass over the path.
    #[error("`{path}` does not belong to the workspace: hidden, temporary and ignored files are passed over")]
    PassedOver {
        /// The path that was given.
        path: RelPath,
    },
    /// The path has more parts than one may have.
    #[error("`{path}` has {num_parts} names, more than the {max} of `limits.path_parts`")]
    TooDeep {
        /// The path that was given.
        path: RelPath,
        /// How many.
        num_parts: u64,
        /// The limit.
        max: u64,
    },
    /// A name of the path is a device's to Windows.
    #[error("a name in `{path}` is reserved for a device on Windows")]
    DeviceName {
        /// The path that was given.
        path: RelPath,
    },
    /// A file is to be moved to where it is.
    #[error("the file is at `{path}` already")]
    SamePath {
        /// The path that was given.
        path: RelPath,
    },
    /// A name that the file system does not take.
    #[error("the file system does not allow this name")]
    Name,
    /// There is a file where none was expected.
    #[error("there is a file at `{path}` already")]
    Exists {
        /// The path that was given.
        path: RelPath,
    },
    /// The file has changed since it was looked at.
    #[error("`{path}` has changed meanwhile")]
    OtherVersion {
        /// The path that was given.
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
    /// The error of a path that a workspace does not admit.
    #[must_use]
    pub fn not_admitted(reason: NotAdmitted, path: &RelPath) -> Self {
        let path = path.clone();
        match reason {
            NotAdmitted::PassedOver => Self::PassedOver { path },
            NotAdmitted::Link => Self::Link { path },
            NotAdmitted::TooDeep { num_parts, max } => Self::TooDeep { path, num_parts, max },
        }
    }
}

impl From<FilesError> for WriteError {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::Link { path } => Self::Link { path },
            FilesError::Folder { path } | FilesError::NotAFile { path } => Self::NotAFile { path },
            FilesError::Exists { path } => Self::Exists { path },
            FilesError::OtherVersion { path } => Self::OtherVersion { path },
            FilesError::Name(_) => Self::Name,
            FilesError::Full(error) => Self::Full(error),
            FilesError::NotFound { .. } => Self::Io(std::io::ErrorKind::NotFound.into()),
            FilesError::Denied(error) | FilesError::Away(error) | FilesError::Io(error) => Self::Io(error),
            other @ (FilesError::NoFolder { .. }
            | FilesError::NotAFolder { .. }
            | FilesError::Hangs { .. }
            | FilesError::PlaceHangs { .. }) => Self::Io(std::io::Error::other(other)),
        }
    }
}

impl Advice for WriteError {
    fn code(&self) -> &'static str {
        match self {
            Self::Link { .. } => "outside_workspace",
            Self::NotAFile { .. } => "not_a_file",
            Self::PassedOver { .. } => "passed_over",
            Self::TooDeep { .. } => "path_too_deep",
            Self::Name | Self::DeviceName { .. } | Self::SamePath { .. } => "invalid_path",
            Self::Exists { .. } | Self::OtherVersion { .. } => "conflict",
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
                Self::TooDeep { .. } => {
                    "take a path of fewer folders, or raise `path_parts` in `[limits]` of `config.toml`"
                }
                Self::DeviceName { .. } => "take another name than CON, PRN, AUX, NUL, COM1 or LPT1, with any ending",
                Self::SamePath { .. } => "give another path as the target",
                Self::Name => "take shorter names, of the characters that the file system knows",
                Self::Exists { .. } => "leave out `If-None-Match: *` to replace it",
                Self::OtherVersion { .. } => "read the file again, and then decide",
                Self::Full(_) => "free space on the disk, and write again",
                Self::Io(_) => "check the permissions of the workspace's folder",
            }
            .to_owned(),
        )
    }
}
