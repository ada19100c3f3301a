//! Why a folder is not kept in step at all. What concerns one file is told of that file, and stops no other.

use std::path::PathBuf;

use crate::cli::remote::RemoteError;
use crate::error::Advice;
use crate::files::FilesError;

/// Why nothing was done, or not all.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum SyncError {
    /// The folder cannot be used.
    #[error("the folder cannot be used")]
    Folder(#[source] FilesError),
    /// The folder's state cannot be used.
    #[error("the state in `{}` cannot be used: {reason}", folder.display())]
    State {
        /// The folder of the state.
        folder: PathBuf,
        /// Why.
        reason: String,
    },
    /// Another process keeps the folder in step.
    #[error("{holder} keeps `{}` in step already", folder.display())]
    Busy {
        /// The folder.
        folder: PathBuf,
        /// Who does.
        holder: String,
    },
    /// The folder was in step with something else.
    #[error("`{}` was in step with {before} before, and not with {now}", folder.display())]
    OtherPlace {
        /// The folder.
        folder: PathBuf,
        /// What it was in step with.
        before: String,
        /// What it is to be in step with.
        now: String,
    },
    /// All files are gone on one side.
    #[error("all {num_files} files that were in step are gone {side}: nothing was deleted {other_side}")]
    Emptied {
        /// How many.
        num_files: usize,
        /// Where they are gone.
        side: &'static str,
        /// Where they are not.
        other_side: &'static str,
    },
    /// The server cannot be asked.
    #[error(transparent)]
    Server(#[from] RemoteError),
}

impl SyncError {
    /// Whether another command is needed, as opposed to another time.
    pub(in crate::cli) fn is_wrong_use(&self) -> bool {
        match self {
            Self::Folder(_) | Self::State { .. } | Self::OtherPlace { .. } | Self::Emptied { .. } => true,
            Self::Busy { .. } => false,
            Self::Server(error) => error.is_wrong_use(),
        }
    }
}

impl Advice for SyncError {
    fn code(&self) -> &'static str {
        match self {
            Self::Folder(error) => error.code(),
            Self::State { .. } => "sync_state",
            Self::Busy { .. } => "sync_busy",
            Self::OtherPlace { .. } => "other_workspace",
            Self::Emptied { .. } => "emptied",
            Self::Server(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Folder(error) => return error.hint(),
            Self::Server(error) => return error.hint(),
            Self::State { .. } | Self::OtherPlace { .. } => {
                "to begin anew, remove the folder `.pincite-sync`: then nothing is deleted, and where the two sides differ both texts are kept"
            }
            Self::Busy { .. } => "end it by SIGTERM, upon which it uploads what is left, or wait for it",
            Self::Emptied { .. } => {
                "to delete them, give `--delete-all`; to have them back, remove the folder `.pincite-sync` and run it again"
            }
        };
        Some(hint.to_owned())
    }
}
