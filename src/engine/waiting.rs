//! Waiting until a workspace is as new as a revision, without a thread.

use std::sync::Arc;

use super::{Engine, EngineError, Workspace};
use crate::workspace::Revision;

impl Engine {
    /// How many requests wait for a revision.
    #[must_use]
    pub fn num_waiting(&self) -> u64 {
        self.scheduler.num_waiting()
    }
}

impl Workspace<'_> {
    /// A wait until the workspace is as new as `revision`, at most `wait_ms`; it holds no thread, and not the handle. Whether the
    /// workspace is as new then, the query says.
    ///
    /// # Errors
    /// Of the wait: [`EngineError::Search`] for one that is too long, [`EngineError::TooManyWaits`] at once where `limits.waits` others
    /// wait, and [`AccessError::TooManyWaits`](crate::access::AccessError::TooManyWaits) where `limits.caller_waits` of the caller do.
    pub fn await_revision(
        &self,
        revision: Revision,
        wait_ms: u64,
    ) -> impl Future<Output = Result<(), EngineError>> + Send + use<> {
        let slot = self.engine.begin_wait(&self.caller);
        let wait = Arc::clone(&self.engine.scheduler).await_revision(self.id.clone(), revision, wait_ms);
        async move {
            let _slot = slot?;
            wait.await
        }
    }

    /// Counts a wait of the caller for changes, until it is dropped.
    ///
    /// # Errors
    /// [`AccessError::TooManyWaits`](crate::access::AccessError::TooManyWaits).
    pub fn begin_wait(&self) -> Result<impl Send + use<>, EngineError> {
        self.engine.begin_wait(&self.caller)
    }

    /// Whether the log has changes that are newer than `revision`, searchable or not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn has_changes_after(&self, revision: Revision) -> Result<bool, EngineError> {
        Ok(self.engine.data.store.last_revision(&self.id)? > revision)
    }

    /// Whether searches find all that was written or reported up to `revision`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn is_searchable(&self, revision: Revision) -> Result<bool, EngineError> {
        Ok(self.engine.data.store.has_reached(&self.id, revision)?)
    }

    /// Whether what was in a workspace's log when the line was started has been brought in, and what its first scan found.
    ///
    /// # Errors
    /// [`EngineError::Replaying`] when it has not, others when the log cannot be read.
    pub fn check_replayed(&self) -> Result<(), EngineError> {
        self.engine.scheduler.check_replayed(&self.id)
    }
}
