//! Why a place did not do what it was asked.

use std::io;
use std::path::PathBuf;

use crate::error::Advice;
use crate::workspace::RelPath;

/// Why a file was not listed, read, written or removed.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// There is no file of this path.
    #[error("there is no file `{path}`")]
    NotFound {
        /// What was given.
        path: RelPath,
    },
    /// A folder is at the path.
    #[error("`{path}` is a folder")]
    Folder {
        /// What was given.
        path: RelPath,
    },
    /// A named pipe, a socket or a device is at the path, or a file is on the way to it.
    #[error("no regular file is at `{path}`: something else is there, or on the way to it")]
    NotAFile {
        /// What was given.
        path: RelPath,
    },
    /// A symbolic link is at the path or on the way to it, and may lead out of the workspace.
    #[error("`{path}` leads through a symbolic link")]
    Link {
        /// What was given.
        path: RelPath,
    },
    /// There is a file where none was to be replaced.
    #[error("there is a file at `{path}` already")]
    Exists {
        /// What was given.
        path: RelPath,
    },
    /// The version that was asked for is no longer there.
    #[error("`{path}` is not there in the version that was asked for")]
    OtherVersion {
        /// What was given.
        path: RelPath,
    },
    /// The place takes no file of this name.
    #[error("the place takes no file of this name")]
    Name(#[source] io::Error),
    /// No room is left.
    #[error("the place is full")]
    Full(#[source] io::Error),
    /// The place is there, and denies this user the file.
    #[error("the file may not be read or written")]
    Denied(#[source] io::Error),
    /// There is no folder for a workspace.
    #[error("there is no folder `{}`", path.display())]
    NoFolder {
        /// What was given.
        path: PathBuf,
    },
    /// A file is where a workspace's folder is wanted.
    #[error("`{}` is not a folder", path.display())]
    NotAFolder {
        /// What was given.
        path: PathBuf,
    },
    /// The place cannot be reached. That says nothing of its files.
    #[error("the workspace's files cannot be reached")]
    Away(#[source] io::Error),
    /// A call at the file has not returned.
    #[error("the file system does not answer: a call at the file has shown no progress for {silent_s} seconds")]
    Hangs {
        /// For how long.
        silent_s: u64,
    },
    /// So much of the place hangs that nothing of it is read.
    #[error(
        "the file system does not answer: nothing of the folder is read, since calls have hung for {silent_s} seconds"
    )]
    PlaceHangs {
        /// For how long the first of them has.
        silent_s: u64,
    },
    /// The system refused for another reason.
    #[error("the system refused")]
    Io(#[source] io::Error),
}

impl FilesError {
    /// The error of one file, by its kind.
    #[must_use]
    pub fn of_file(error: io::Error) -> Self {
        use io::ErrorKind::{InvalidFilename, InvalidInput, PermissionDenied, QuotaExceeded, StorageFull};
        match error.kind() {
            InvalidFilename | InvalidInput => Self::Name(error),
            StorageFull | QuotaExceeded => Self::Full(error),
            PermissionDenied => Self::Denied(error),
            _ => Self::Io(error),
        }
    }

    /// Whether the place does not answer, which says nothing of a file.
    #[must_use]
    pub const fn is_hang(&self) -> bool {
        matches!(self, Self::Hangs { .. } | Self::PlaceHangs { .. })
    }

    /// The refusal of the system that is passed on, where it is one.
    #[must_use]
    pub const fn of_system(&self) -> Option<&io::Error> {
        match self {
            Self::Name(error) | Self::Full(error) | Self::Denied(error) | Self::Away(error) | Self::Io(error) => {
                Some(error)
            }
            _ => None,
        }
    }

    /// What hangs, where an open file could not be read for that.
    ///
    /// # Errors
    /// Gives back an error of another kind.
    pub fn hang_in(error: io::Error) -> Result<Self, io::Error> {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(Self::Hangs { silent_s }) => Ok(Self::Hangs { silent_s: *silent_s }),
            Some(Self::PlaceHangs { silent_s }) => Ok(Self::PlaceHangs { silent_s: *silent_s }),
            _ => Err(error),
        }
    }
}

impl Advice for FilesError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "file_not_found",
            Self::Folder { .. } => "is_a_folder",
            Self::NotAFile { .. } => "not_a_file",
            Self::Link { .. } => "outside_workspace",
            Self::Exists { .. } | Self::OtherVersion { .. } => "precondition_failed",
            Self::Name(_) => "invalid_path",
            Self::Full(_) => "disk_full",
            Self::NoFolder { .. } | Self::NotAFolder { .. } => "no_such_folder",
            Self::Hangs { .. } | Self::PlaceHangs { .. } => "source_stuck",
            Self::Denied(_) | Self::Away(_) | Self::Io(_) => "file_io",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::NotFound { .. } => "`pincite status` and `GET …/files` list the files",
                Self::Folder { .. } => "ask for a file in it; `GET …/files` lists them",
                Self::NotAFile { .. } => "take another path",
                Self::Link { .. } => "take the file itself, by a path without links",
                Self::Exists { .. } => "leave out `If-None-Match: *` to replace it",
                Self::OtherVersion { .. } => "read the file again, and then decide",
                Self::Name(_) => "take shorter names, of the characters that the file system knows",
                Self::Full(_) => "free space on the disk, and write again",
                Self::NoFolder { .. } => "check the path; it must be an existing folder",
                Self::NotAFolder { .. } => "give the folder that the file is in",
                Self::Away(_) => "check that the disk is mounted and the folder may be entered",
                Self::Hangs { .. } | Self::PlaceHangs { .. } => {
                    "check the disk or the network file system that holds the folder"
                }
                Self::Denied(_) | Self::Io(_) => "check the permissions of the workspace's folder",
            }
            .to_owned(),
        )
    }
}
