//! The indexes that are open, and the folders that they are in.
//!
//! # Invariants
//! - Of a workspace's indexes the store says which one serves, and each is in a folder of its own; so a crash never leaves half of
//!   a change from one to another.
//! - What cannot be used is begun anew by the process that indexes. What is only outdated serves until another is built.

use std::sync::Arc;

use super::{DataFolder, EngineError};
use crate::embed;
use crate::index::{Access, Backend, Condition, Index, IndexError, Place, Wanted};
use crate::store::{Store, WorkspaceRow};
use crate::workspace::WorkspaceId;

impl DataFolder {
    fn open_index(
        &self,
        place: Place<'_>,
        access: Access,
        condition: Condition,
    ) -> Result<Arc<dyn Index>, EngineError> {
        let identity = embed::identify(&self.models.settings_folder, self.config.model.as_deref())?;
        let (log_id, model_id, num_dimensions) = (self.store.log_id()?, &identity.model_id, identity.num_dimensions);
        let wanted = Wanted { log_id: &log_id, model_id, num_dimensions, access, condition };
        Ok(self.backend.open(place, &wanted)?)
    }

    /// The index of a workspace in this epoch or a later one. A writer that finds an unusable one begins a new one and has every
    /// file read again; for an outdated one it has another built beside it.
    pub(crate) fn index(&self, id: &WorkspaceId, epoch: i64) -> Result<Arc<dyn Index>, EngineError> {
        let turn = {
            let mut indexes = self.indexes.lock();
            if let Some(index) = indexes.get(id, epoch) {
                return Ok(index);
            }
            indexes.turn(id)
        };
        // Other workspaces do not wait until it is open.
        let _turn = turn.lock();
        loop {
            // Asked in turn: what is deleted or switched off gets no index any more.
            let row = self.store.workspace(id)?;
            if !row.intelligence {
                return Err(IndexError::Missing.into());
            }
            let was_checked = {
                let mut indexes = self.indexes.lock();
                if let Some(index) = indexes.get(id, row.epoch) {
                    return Ok(index);
                }
                indexes.was_checked(id, row.epoch)
            };
            let opens_to_write = self.is_writer();
            let reopened = if was_checked { self.reopened(&row, opens_to_write)? } else { None };
            let index = match reopened {
                Some(index) => index,
                None => self.opened_and_checked(&row, opens_to_write)?,
            };
            let mut indexes = self.indexes.lock();
            // This process may have taken the indexing over meanwhile.
            if self.is_writer() == opens_to_write {
                indexes.insert(id, row.epoch, Arc::clone(&index));
                return Ok(index);
            }
        }
    }

    /// Opens an index of which nothing is known, and compares it with the store.
    fn opened_and_checked(&self, row: &WorkspaceRow, opens_to_write: bool) -> Result<Arc<dyn Index>, EngineError> {
        let id = &row.id;
        let index = if opens_to_write {
            self.open_to_write(row)?
        } else {
            self.open_index(serving(row), Access::Read, Condition::Unknown)?
        };
        // The index first: what it holds was in the log before, if it is of this log.
        let committed = index.snapshot()?.revision();
        if committed > self.store.newest_revision()? {
            let reason = "it is newer than `pincite.db`".to_owned();
            return Err(IndexError::Unusable { reason }.into());
        }
        if opens_to_write {
            // An index that is behind what was acknowledged has lost commits: the files say it all again.
            if committed < self.store.acknowledged_revision(id)? {
                self.store.forget_contents(id)?;
            }
            self.reconcile(id, &*index)?;
            if let Some(reason) = index.outdated() {
                tracing::info!(workspace = %id, reason, "the index serves until another is built");
                self.store.begin_rebuild(id)?;
            }
        }
        Ok(index)
    }

    /// The index that was let go, as this process left it; `None` where it is not usable any more, and has to be checked.
    fn reopened(&self, row: &WorkspaceRow, opens_to_write: bool) -> Result<Option<Arc<dyn Index>>, EngineError> {
        let access = if opens_to_write { Access::Write } else { Access::Read };
        match self.open_index(serving(row), access, Condition::Checked) {
            Ok(index) if index.snapshot()?.revision() <= self.store.newest_revision()? => Ok(Some(index)),
            Ok(_) | Err(EngineError::Index(IndexError::Unusable { .. } | IndexError::Missing)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open_to_write(&self, row: &WorkspaceRow) -> Result<Arc<dyn Index>, EngineError> {
        self.remove_other_indexes(row)?;
        let (id, place) = (&row.id, serving(row));
        let open = || self.open_index(place, Access::Write, Condition::Unknown);
        match open() {
            Err(EngineError::Index(IndexError::Unusable { reason })) => {
                tracing::warn!(workspace = %id, %reason, "the index cannot be used and is built again from the files");
                self.backend.discard(place)?;
                let reopened = match open() {
                    Err(EngineError::Index(IndexError::Unusable { .. })) => {
                        self.backend.discard_vectors(place)?;
                        open()?
                    }
                    other => other?,
                };
                self.store.forget_contents(id)?;
                Ok(reopened)
            }
            other => other,
        }
    }

    /// The index that is being built beside the one that serves. One that cannot be gone on with is begun anew.
    pub(crate) fn next_index(&self, id: &WorkspaceId, generation: i64) -> Result<Arc<dyn Index>, EngineError> {
        let place = Place { workspace: id, generation };
        let open = || self.open_index(place, Access::Write, Condition::Unknown);
        match open() {
            // What is noted as built must be in it, and the configuration may have changed again.
            Ok(index)
                if index.outdated().is_none() && index.snapshot()?.revision() >= self.store.built_revision(id)? =>
            {
                return Ok(index);
            }
            Ok(_) | Err(EngineError::Index(IndexError::Unusable { .. })) => {}
            Err(error) => return Err(error),
        }
        self.store.restart_rebuild(id)?;
        self.backend.remove(place)?;
        open()
    }

    /// Lets the index that was built beside the serving one take over, when it holds all that is known, and removes the old one.
    /// Otherwise `next` is let go, and `false` is returned. No batch of the workspace may be in work.
    pub(crate) fn let_serve(
        &self,
        (id, epoch): (&WorkspaceId, i64),
        live: &dyn Index,
        next: Arc<dyn Index>,
    ) -> Result<bool, EngineError> {
        let turn = self.indexes.lock().turn(id);
        let turn = turn.lock();
        if !self.store.swap(id, epoch)? {
            return Ok(false);
        }
        let row = self.store.workspace(id)?;
        self.indexes.lock().insert(id, row.epoch, next);
        drop(turn);
        live.close();
        self.remove_other_indexes(&row)?;
        tracing::info!(workspace = %id, generation = row.generation, "the new index serves");
        Ok(true)
    }

    /// Removes everything that the data folder keeps of a workspace that is deleted in the store. No batch may be in work.
    pub(crate) fn remove_deleted(&self, id: &WorkspaceId) -> Result<(), EngineError> {
        let turn = self.indexes.lock().turn(id);
        let turn = turn.lock();
        self.close_index(id);
        let folder = self.folder_of(id);
        // Under a name that no workspace has, so that a process that still holds a path of it makes nothing new there.
        let aside = folder.with_file_name(format!(".deleted-{id}"));
        for folder in [&aside, &folder] {
            if folder.exists() {
                if *folder != aside {
                    fs_err::rename(folder, &aside).map_err(EngineError::Io)?;
                }
                fs_err::remove_dir_all(&aside).map_err(EngineError::Io)?;
            }
        }
        self.views.forget(id);
        drop(turn);
        self.store.forget_deleted(id)?;
        tracing::info!(workspace = %id, "deleted");
        Ok(())
    }

    /// Removes the index of a workspace whose intelligence is off; its vectors stay, they are true of any index. No batch may be in
    /// work.
    pub(crate) fn remove_index(&self, id: &WorkspaceId) -> Result<(), EngineError> {
        let turn = self.indexes.lock().turn(id);
        let _turn = turn.lock();
        // Asked in turn: as soon as it is on again, somebody may open the index.
        let row = self.store.workspace(id)?;
        if row.intelligence {
            return Ok(());
        }
        self.close_index(id);
        match fs_err::remove_dir_all(self.folder_of(id).join("documents")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(EngineError::Io(error)),
            _ => {}
        }
        self.backend.discard(serving(&row))?;
        self.remove_other_indexes(&row)
    }

    /// Closes the index of a workspace. The caller holds the workspace's turn.
    fn close_index(&self, id: &WorkspaceId) {
        let removed = self.indexes.lock().remove(id);
        if let Some(index) = removed {
            index.close();
        }
    }

    /// Lets go of idle indexes beyond as many as may be open.
    pub(crate) fn let_go_of_idle_indexes(&self) {
        self.indexes.lock().let_go();
    }

    /// How many indexes are open.
    pub(crate) fn num_open_indexes(&self) -> usize {
        self.indexes.lock().len()
    }

    /// Removes what is left of indexes that neither serve nor are being built.
    fn remove_other_indexes(&self, row: &WorkspaceRow) -> Result<(), EngineError> {
        Ok(self.backend.remove_others(serving(row), row.next_generation)?)
    }
}

/// The index of a workspace that serves.
const fn serving(row: &WorkspaceRow) -> Place<'_> {
    Place { workspace: &row.id, generation: row.generation }
}

/// A log that was put back from an older copy gives revisions again that an index has already seen with other content, so
/// before it gives any it becomes another log, and the indexes are built again.
pub(super) fn distrust_newer(backend: &dyn Backend, store: &Store) -> Result<(), EngineError> {
    let log_id = store.log_id()?;
    // The indexes first, as another process may log and commit meanwhile.
    for (of_log, committed) in backend.committed()? {
        if of_log == log_id && committed > store.newest_revision()? {
            tracing::warn!("an index is newer than the log: all indexes are built again");
            store.renew_log_id()?;
            return Ok(());
        }
    }
    Ok(())
}
