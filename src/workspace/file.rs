//! What is known of each file, and what has happened to it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ContentHash, Language, Provenance, RelPath, Revision};

/// The state of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FileState {
    /// Its text is searchable.
    Ready,
    /// What could be read of it is searchable, and the reason why that is not all is beside it.
    Partial,
    /// A change of it is in the log and not yet in the index.
    Pending,
    /// It was read and holds no text.
    Empty,
    /// No reader for its type.
    Unsupported,
    /// It could not be read; the reason is beside it.
    Failed,
    /// Its workspace's intelligence is off: nothing of it was read.
    Listed,
}

impl FileState {
    /// The state's name as stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Partial => "partial",
            Self::Pending => "pending",
            Self::Empty => "empty",
            Self::Unsupported => "unsupported",
            Self::Failed => "failed",
            Self::Listed => "listed",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Ready, Self::Partial, Self::Pending, Self::Empty, Self::Unsupported, Self::Failed, Self::Listed]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// A row of the file table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct FileEntry {
    /// Where the file is.
    pub path: RelPath,
    /// The state of the file.
    pub state: FileState,
    /// The reason why the file is not `ready`, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The file's type (`markdown`, `pdf`, …), as `filters.type` takes it; absent where the file was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// The document's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The language that it is written in (ISO 639-1), where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>)]
    pub language: Option<Language>,
    /// Size in bytes.
    pub size: u64,
    /// When the file was last modified, as the file system says.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub modified: Timestamp,
    /// The SHA-256 of the bytes that were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<ContentHash>,
    /// The change that brought this content.
    pub revision: Revision,
    /// Chunks in the index.
    pub num_chunks: u32,
    /// The file on disk that holds it, where it is inside one: an attachment of a message, a file of an archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<RelPath>,
    /// The writer of the content, as far as somebody stated it; for a file inside another, the writer of the outer file.
    #[serde(default, skip_serializing_if = "Provenance::is_empty")]
    pub provenance: Provenance,
}

impl FileEntry {
    /// The file on disk that it is or that holds it.
    #[must_use]
    pub fn on_disk(&self) -> &RelPath {
        self.container.as_ref().unwrap_or(&self.path)
    }
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is there and was not before.
    Created,
    /// Its bytes may be others.
    Modified,
    /// It is gone.
    Deleted,
    /// It has the content of a file that was at another path before: `from`.
    Renamed,
}

impl ChangeKind {
    /// The kind's name as stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Modified => "modified",
            Self::Deleted => "deleted",
            Self::Renamed => "renamed",
        }
    }

    /// The kind of this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Created, Self::Modified, Self::Deleted, Self::Renamed].into_iter().find(|kind| kind.name() == name)
    }
}

/// How soon a change is brought in: all interactive ones go before any of a backfill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Priority {
    /// Found by a scan.
    Backfill,
    /// Written through us, reported by someone, or seen as it happened.
    Interactive,
}

impl Priority {
    pub(crate) const fn number(self) -> i64 {
        match self {
            Self::Backfill => 0,
            Self::Interactive => 1,
        }
    }
}

/// An entry of the change log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Change {
    /// The position of the change in the log.
    pub revision: Revision,
    /// The file.
    pub path: RelPath,
    /// What happened.
    pub kind: ChangeKind,
    /// Where a renamed file was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<RelPath>,
    /// When the change entered the log.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The writer of the change, as far as somebody stated it.
    #[serde(default, skip_serializing_if = "Provenance::is_empty")]
    pub provenance: Provenance,
}

/// How many files are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct FileCounts {
    /// All files of the workspace.
    pub files: u64,
    /// Files that are searchable as a whole.
    pub ready: u64,
    /// Files that are searchable in part, each with the reason.
    #[serde(default)]
    pub partial: u64,
    /// Files with a change that is not yet in the index.
    pub pending: u64,
    /// Files that could not be read, each with a reason.
    pub failed: u64,
    /// Files that hold no text.
    pub empty: u64,
    /// Files of a type that has no reader.
    pub unsupported: u64,
    /// Files that are only listed, because the workspace's intelligence is off.
    #[serde(default)]
    pub listed: u64,
}
