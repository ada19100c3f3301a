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
                Self::Denied(_) | Self::Io(_) => "check the permissions of the workspace's folder",
            }
            .to_owned(),
        )
    }
}
