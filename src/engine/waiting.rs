//! Waiting until a workspace is as new as a revision, without a thread.

use super::{Engine, EngineError, Workspace};
use crate::workspace::{Revision, WorkspaceId};

impl Engine {
    /// How many requests wait for a revision.
    #[must_use]
    pub fn num_waiting(&self) -> u64 {
        self.scheduler.num_waiting()
    }

    /// Waits until a workspace is as new as `revision`, at most `wait_ms`; no thread is held meanwhile. Whether it is as new then,
    /// the query says.
    ///
    /// # Errors
    /// [`EngineError::Search`] for a wait that is too long, [`EngineError::TooManyWaits`] at once where `limits.waits` others wait.
    pub async fn await_revision(&self, id: &WorkspaceId, revision: Revision, wait_ms: u64) -> Result<(), EngineError> {
        self.scheduler.await_revision(id, revision, wait_ms).await
    }
}

impl Workspace<'_> {
    /// Whether what was in a workspace's log when the line was started has been brought in, and what its first scan found.
    ///
    /// # Errors
    /// [`EngineError::Replaying`] when it has not, others when the log cannot be read.
    pub fn check_replayed(&self) -> Result<(), EngineError> {
        self.engine.scheduler.check_replayed(&self.id)
    }
}
