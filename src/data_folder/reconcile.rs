//! An index and the file table, compared when the index is opened to be written.
//!
//! What the table does not know is never asked for again, so an index that holds it would show it for good; and what only the
//! table knows would never be found. Neither can be unless something was damaged or lost.

use super::{DataFolder, EngineError};
use crate::index::{Batch, Index, IndexError};
use crate::workspace::{RelPath, WorkspaceId};

impl DataFolder {
    /// Removes files from the index that the file table does not know as having chunks, and has those read again that only the
    /// table knows. Files with a pending change are left to it: of these the index may be ahead.
    pub(super) fn reconcile(&self, id: &WorkspaceId, index: &dyn Index) -> Result<(), EngineError> {
        let mut unknown = index.paths()?;
        let mut missing: Vec<RelPath> = Vec::new();
        for (path, num_chunks, on_disk) in self.store.chunk_counts(id)? {
            match (num_chunks, unknown.contains(path.as_str())) {
                (Some(0), true) => {}
                (Some(1..), false) => missing.push(on_disk),
                (_, true) => drop(unknown.remove(path.as_str())),
                (_, false) => {}
            }
        }
        if !unknown.is_empty() {
            tracing::warn!(workspace = %id, num_files = unknown.len(), "the index holds files that `pincite.db` does not know");
            let removed = unknown.iter().map(|path| path.parse()).collect::<Result<_, _>>();
            let nameless = |_| IndexError::Unusable { reason: "it holds a file that can have no such path".to_owned() };
            index.apply(&Batch { removed: removed.map_err(nameless)?, ..Batch::default() })?;
        }
        missing.dedup();
        if !missing.is_empty() {
            tracing::warn!(workspace = %id, num_files = missing.len(), "the index lacks files, which are read again");
            self.store.forget_contents_of(id, &missing)?;
        }
        Ok(())
    }
}
