//! Which changes a workspace has to bring in after a start before it counts as up to date.

use super::Scheduler;
use crate::data_folder::EngineError;
use crate::store::WorkspaceRow;
use crate::workspace::{Revision, WorkspaceId};

/// What has to be done of a workspace before it counts as brought up to date since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replay {
    /// Its folder has to be compared first.
    AwaitsScan,
    /// All changes up to this one.
    Through(Revision),
}

impl Scheduler {
    /// Whether what was in a workspace's log when the line was started has been brought in, and what its first scan found.
    ///
    /// # Errors
    /// [`EngineError::Replaying`] when it has not, others when the log cannot be read.
    pub(crate) fn check_replayed(&self, id: &WorkspaceId) -> Result<(), EngineError> {
        let Some(&replay) = self.replays.lock().get(id) else { return Ok(()) };
        self.data.store.workspace(id)?;
        match replay {
            Replay::Through(through) if self.data.store.settled_revision(id)? >= through => {}
            Replay::Through(_) | Replay::AwaitsScan => return Err(EngineError::Replaying),
        }
        self.replays.lock().remove(id);
        Ok(())
    }

    /// Forgets a workspace that is deleted.
    pub(crate) fn forget_replay(&self, id: &WorkspaceId) {
        self.replays.lock().remove(id);
    }

    pub(super) fn remember_replays(&self) -> Result<(), EngineError> {
        let mut replays = self.replays.lock();
        for WorkspaceRow { id, root, .. } in self.data.store.workspaces()? {
            let last = self.data.store.last_revision(&id)?;
            if root.is_some() && self.data.is_writer() {
                replays.insert(id, Replay::AwaitsScan);
            } else if self.data.store.settled_revision(&id)? < last {
                replays.insert(id, Replay::Through(last));
            }
        }
        Ok(())
    }

    /// Takes note that a folder was scanned, or is away: what is logged by now is all that a start has to bring in.
    pub(super) fn note_first_scan(&self, id: &WorkspaceId) -> Result<(), EngineError> {
        if self.replays.lock().get(id) == Some(&Replay::AwaitsScan) {
            let last = self.data.store.last_revision(id)?;
            self.replays.lock().insert(id.clone(), Replay::Through(last));
        }
        Ok(())
    }
}
