//! The seam of an index: what the engine asks of the place where indexes are kept, and of one index to write it.
//!
//! # Invariants
//! - Nothing above this room names a backend but where one is chosen, when a data folder is opened.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Batch, IndexError, Snapshot, VectorKey};
use crate::workspace::{Revision, WorkspaceId};

/// What an index is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To be written by this process, and by no other meanwhile.
    Write,
    /// Opened for reading, beside a process that writes.
    Read,
}

/// What is known of an index's files before it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Nothing: every file is compared with its checksum.
    Unknown,
    /// This process opened them before, when they were sound.
    Checked,
}

/// One of a workspace's indexes: one serves, and another may be built beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// The workspace.
    pub workspace: &'a WorkspaceId,
    /// Which of its indexes, counted from 0.
    pub generation: i64,
}

/// What an index is opened as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The log whose revisions it holds.
    pub log_id: &'a str,
    /// The model that its vectors are to be of.
    pub model_id: &'a str,
    /// Their length.
    pub num_dimensions: usize,
    /// To be read or written.
    pub access: Access,
    /// Whether its files are known to be sound.
    pub condition: Condition,
}

/// Where the indexes of all workspaces are kept.
pub trait Backend: Send + Sync {
    /// Opens an index. With [`Access::Write`] a missing one is made. One that is there and of another model, or of an older format
    /// version, is [outdated](Index::outdated) and can be used as it is.
    ///
    /// # Errors
    /// [`IndexError::Missing`] where there is none to read, [`IndexError::Unusable`] where it is damaged, or of another
    /// log or a format version that this program cannot read, [`IndexError::Io`] where the backend refuses.
    fn open(&self, place: Place<'_>, wanted: &Wanted<'_>) -> Result<Arc<dyn Index>, IndexError>;

    /// Removes an index but for its vectors, which are true of any index.
    ///
    /// # Errors
    /// When the backend refuses.
    fn discard(&self, place: Place<'_>) -> Result<(), IndexError>;

    /// Removes the vectors of an index: they are all made again.
    ///
    /// # Errors
    /// When the backend refuses.
    fn discard_vectors(&self, place: Place<'_>) -> Result<(), IndexError>;

    /// Removes an index with its vectors.
    ///
    /// # Errors
    /// When the backend refuses.
    fn remove(&self, place: Place<'_>) -> Result<(), IndexError>;

    /// Removes all of a workspace's indexes but the one that serves and the one that is being built. Of the first index that a
    /// workspace has had, the vectors go as well.
    ///
    /// # Errors
    /// When the backend refuses.
    fn remove_others(&self, serving: Place<'_>, next: Option<i64>) -> Result<(), IndexError>;

    /// The log that each index was last committed from, and the revision of that commit; an index that says nothing of it is left out.
    ///
    /// # Errors
    /// When the backend refuses.
    fn committed(&self) -> Result<Vec<(String, Revision)>, IndexError>;
}

/// The searchable state of one workspace.
pub trait Index: Send + Sync {
    /// Makes a batch visible and durable, as a whole. Does nothing twice: an equal batch leaves the same state.
    ///
    /// # Errors
    /// Nothing of the batch is visible then, now or after a restart.
    fn apply(&self, batch: &Batch) -> Result<(), IndexError>;

    /// Keeps vectors; chunks that name one of these keys are found by it from now on. Known keys are left alone.
    ///
    /// # Errors
    /// When the table cannot be written or a vector has not the model's dimensions; none is kept then.
    fn add_vectors(&self, vectors: &[(VectorKey, Vec<f32>)]) -> Result<(), IndexError>;

    /// The newest visible state. It does not change while it is held.
    ///
    /// # Errors
    /// When the files on disk cannot be opened or are damaged.
    fn snapshot(&self) -> Result<Box<dyn Snapshot>, IndexError>;

    /// Names the model that the vectors of this index are of.
    fn model_id(&self) -> &str;

    /// Why another index is to be built beside this one, which serves until then: it is of another model than was wanted, or of
    /// an older format version.
    fn outdated(&self) -> Option<&str> {
        None
    }

    /// Lets go of the memory and the threads of the writer, which the next batch begins anew. Merges that go on are waited for.
    ///
    /// # Errors
    /// When a merge has failed; what was committed stays.
    fn rest(&self) -> Result<(), IndexError> {
        Ok(())
    }

    /// Whether it has no writer, so that nothing is lost when it is dropped.
    fn is_resting(&self) -> bool {
        true
    }

    /// Copies what vectors `from` has of chunks that have none here, and returns how many. None of an index of another backend: their
    /// chunks are embedded again.
    ///
    /// # Errors
    /// When the table cannot be written; the vectors before stay.
    fn adopt_vectors(&self, from: &dyn Index) -> Result<usize, IndexError> {
        let _ = from;
        Ok(0)
    }

    /// The index itself, for another one of its kind that adopts its vectors.
    fn as_any(&self) -> Option<&dyn Any> {
        None
    }

    /// Lets go of all files, so that they can be removed while somebody still holds this index. Nothing can be written with it
    /// from now on.
    fn close(&self) {}

    /// The files that chunks are of, as they are named.
    ///
    /// # Errors
    /// When the files on disk are damaged.
    fn paths(&self) -> Result<BTreeSet<String>, IndexError>;
}
