//! Removal of what is left of deleted workspaces, and of indexes that are switched off.
//!
//! # Invariants
//! - No batch is in work while something is removed.
//!
//! # Not here
//! How an index is closed, and which files are removed: that is in `data_folder`.

use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use super::Scheduler;
use crate::data_folder::EngineError;
use crate::store::StoreError;
use crate::workspace::WorkspaceId;

/// How long to wait for the process that indexes to remove what is left of a deleted workspace.
const REMOVAL_WAIT: Duration = Duration::from_secs(30);
/// How often to look whether it has.
const WAIT_STEP: Duration = Duration::from_millis(10);

impl Scheduler {
    /// Returns when nothing of a deleted workspace is left: removed here, where this process indexes or nobody does.
    pub(crate) fn await_removal(&self, id: &WorkspaceId) -> Result<(), EngineError> {
        self.bell.ring();
        let end = Instant::now() + REMOVAL_WAIT;
        loop {
            if self.data.take_over()? {
                return self.remove_deleted(&self.indexing.lock());
            }
            if !self.data.store.deleted_workspaces()?.contains(id) {
                return Ok(());
            }
            if Instant::now() >= end {
                return Err(StoreError::BeingDeleted { id: id.clone() }.into());
            }
            std::thread::sleep(WAIT_STEP);
        }
    }

    /// Removes what is left of deleted workspaces. `_alone` is the lock that keeps batches from being in work.
    pub(super) fn remove_deleted(&self, _alone: &MutexGuard<'_, ()>) -> Result<(), EngineError> {
        self.data.store.deleted_workspaces()?.iter().try_for_each(|id| self.data.remove_deleted(id))
    }

    /// Removes the index of a workspace whose intelligence is off; its vectors stay, they are true of any index. `_alone` is the
    /// lock that keeps batches from being in work.
    pub(super) fn remove_index(&self, id: &WorkspaceId, _alone: &MutexGuard<'_, ()>) -> Result<(), EngineError> {
        self.data.remove_index(id)
    }
}
