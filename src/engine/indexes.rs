//! The models and indexes that are open, and the folders that indexes are in.
//!
//! # Invariants
//! - Of a workspace's indexes the store says which one serves, and each is in a folder of its own; so a crash never leaves half of
//!   a change from one to another.
//! - What cannot be used is begun anew by the process that indexes. What is only outdated serves until another is built.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Engine, EngineError};
use crate::embed::{self, EmbedError, OnnxReranker, OpenModel, Reranker};
use crate::index::{Access, Backend, Condition, Index, IndexError, Place, Wanted};
use crate::store::{Store, WorkspaceRow};
use crate::workspace::WorkspaceId;

impl Engine {
    /// The configured model, opened at first need. A missing runtime is not an error: it is in [`OpenModel::embedder`].
    pub(super) fn model(&self) -> Result<&Arc<OpenModel>, EngineError> {
        if let Some(model) = self.model.get() {
            return Ok(model);
        }
        let options = self.model_options();
        if self.is_writer() {
            embed::remove_leftovers(&self.settings_folder, &options.runtime.dir);
        }
        let model = embed::open(&self.settings_folder, self.config.model.as_deref(), &options)?;
        Ok(self.model.get_or_init(|| Arc::new(model)))
    }

    /// The model that an index is of, by its id: the configured one, or the one that was configured before. `None` where that
    /// cannot be opened any more.
    pub(super) fn model_of(&self, model_id: &str) -> Result<Option<Arc<OpenModel>>, EngineError> {
        let model = self.model()?;
        if model.model_id == model_id {
            return Ok(Some(Arc::clone(model)));
        }
        let mut former = self.former_models.lock();
        if let Some(known) = former.get(model_id) {
            return Ok(known.clone());
        }
        let open = |name: String| embed::open(&self.settings_folder, Some(&name), &self.model_options());
        let opened = embed::name_of(&self.settings_folder, model_id)?.map(open).transpose();
        let opened = opened.unwrap_or_else(|error| {
            tracing::warn!(%error, model_id, "the model that an index is of cannot be opened");
            None
        });
        let opened = opened.map(Arc::new);
        former.insert(model_id.to_owned(), opened.clone());
        Ok(opened)
    }

    /// The configured reranker, opened at first need, or why it cannot be; `None` where none is configured.
    pub(super) fn reranker(&self) -> Option<Result<&dyn Reranker, &EmbedError>> {
        let folder = self.config.ranking.reranker.as_ref()?;
        let opened = self.reranker.get_or_init(|| {
            let opened = OnnxReranker::open(&self.settings_folder.join(folder), &self.model_options());
            opened.map(|reranker| Box::new(reranker) as Box<dyn Reranker>)
        });
        Some(opened.as_deref())
    }

    /// Says once in the log that passages are not reranked; every reply says it of itself.
    pub(super) fn warn_of_reranker(&self, reason: &str) {
        if !self.warned_of_reranker.swap(true, Ordering::Relaxed) {
            tracing::warn!(reason, "passages are not reranked");
        }
    }

    fn model_options(&self) -> embed::OpenOptions {
        let mut options = embed::OpenOptions::from_env(&self.settings_folder);
        options.progress = Arc::clone(&self.fetch_progress);
        if let Some(folder) = &self.runtime_folder {
            options.runtime.dir.clone_from(folder);
        }
        options
    }

    pub(super) fn folder_of(&self, id: &WorkspaceId) -> PathBuf {
        self.data_folder.join("workspaces").join(id.as_str())
    }

    fn open_index(
        &self,
        place: Place<'_>,
        access: Access,
        condition: Condition,
    ) -> Result<Arc<dyn Index>, EngineError> {
        let identity = embed::identify(&self.settings_folder, self.config.model.as_deref())?;
        let (log_id, model_id, num_dimensions) = (self.store.log_id()?, &identity.model_id, identity.num_dimensions);
        let wanted = Wanted { log_id: &log_id, model_id, num_dimensions, access, condition };
        Ok(self.backend.open(place, &wanted)?)
    }

    /// The index of a workspace in this epoch or a later one. A writer that finds an unusable one begins a new one and has every
    /// file read again; for an outdated one it has another built beside it.
    pub(super) fn index(&self, id: &WorkspaceId, epoch: i64) -> Result<Arc<dyn Index>, EngineError> {
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
    pub(super) fn next_index(&self, id: &WorkspaceId, generation: i64) -> Result<Arc<dyn Index>, EngineError> {
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

    /// Removes what is left of indexes that neither serve nor are being built.
    pub(super) fn remove_other_indexes(&self, row: &WorkspaceRow) -> Result<(), EngineError> {
        Ok(self.backend.remove_others(serving(row), row.next_generation)?)
    }

    /// Removes all postings of a workspace, and leaves the vectors of the index that served: they are true of any index.
    pub(super) fn discard_indexes(&self, row: &WorkspaceRow) -> Result<(), EngineError> {
        self.backend.discard(serving(row))?;
        self.remove_other_indexes(row)
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
