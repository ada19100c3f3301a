//! The change line: a scan finds what changed, the log takes it, the worker brings it into the index.
//!
//! # Invariants
//! - The index commits a change before the store acknowledges it, so a crash repeats work and never loses it.
//! - A file that cannot be read or extracted is recorded with its reason, and the line goes on.
//! - Interactive changes go before those that a scan found, however many there are.
//! - Content that is already indexed under its path is not read again, and a text that has a vector is not embedded again.
//!
//! # Not here
//! Where files are, and how they are listed, read and written there (`files`). Which process may write (`engine`), and what a query
//! sees of changes that are still pending (`engine`).

mod differences;
mod large;
mod parts;
mod past_us;
mod prepare;
mod progress;
mod read;
mod rebuild;
mod room;
mod scan;
#[cfg(test)]
mod tests;
mod worker;
mod write;

pub use parts::{LargeFile, PartError, PartSizes, Parts, PlacedPart};
pub use past_us::witness_past_us;
pub use progress::{Progress, Silent, Stage};
pub use read::{FileContent, ReadError, read_file, seen, size_of};
pub use rebuild::Rebuild;
pub use scan::{KeepOut, ScanReport, scan, scan_places};
pub use worker::{
    BatchLimits, EMBED_BATCH, Line, LineReport, distrust_unacknowledged, embed, index_backfill, index_interactive,
    index_pending, list_some,
};
pub use write::{NewFile, WriteError, delete_file, rename_file, write_file};

use std::time::Duration;

use crate::embed::EmbedError;
use crate::error::Advice;
use crate::extract::ExtractError;
use crate::files::FilesError;
use crate::index::IndexError;
use crate::store::StoreError;
use crate::workspace::WorkspaceId;

/// Why the line stopped. What was acknowledged stays; what was not is done again next time.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The folder cannot be listed.
    #[error(transparent)]
    Folder(#[from] ReadError),
    /// The log or the file table refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index refused.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// No file can be read for now.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// Others cannot be kept from writing through us.
    #[error("the lock on the workspace's files cannot be taken")]
    Lock(#[source] std::io::Error),
    /// Somebody writes through us, and does not end.
    #[error("a write into `{id}` has not ended for {} seconds", waited.as_secs())]
    Written {
        /// The workspace.
        id: WorkspaceId,
        /// For how long others were waited for.
        waited: Duration,
    },
    /// The model failed; the files are searchable by words.
    #[error(transparent)]
    Embed(#[from] EmbedError),
}

impl From<FilesError> for IngestError {
    fn from(error: FilesError) -> Self {
        Self::Folder(error.into())
    }
}

impl Advice for IngestError {
    fn code(&self) -> &'static str {
        match self {
            Self::Folder(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Index(error) => error.code(),
            Self::Extract(error) => error.code(),
            Self::Lock(_) => "data_folder_io",
            Self::Written { .. } => "source_stuck",
            Self::Embed(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Folder(error) => error.hint(),
            Self::Store(error) => error.hint(),
            Self::Index(error) => error.hint(),
            Self::Extract(error) => error.hint(),
            Self::Lock(_) => Some("check the permissions of the data folder".to_owned()),
            Self::Written { .. } => Some("check the disk or the network file system that holds the folder".to_owned()),
            Self::Embed(error) => error.hint(),
        }
    }
}
