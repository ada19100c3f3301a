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
use crate::index::embedded::{Access, Condition, EmbeddedIndex};
use crate::index::{Index as _, IndexError};
use crate::store::{Store, WorkspaceRow};
use crate::workspace::WorkspaceId;

/// What the folders of later indexes are called, before the number.
const LATER: &str = "index-";

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

    /// The folder of one of a workspace's indexes: the first is beside the files, each later one in a folder of its number.
    fn folder_of_index(&self, id: &WorkspaceId, generation: i64) -> PathBuf {
        let folder = self.folder_of(id);
        if generation == 0 { folder } else { folder.join(format!("{LATER}{generation}")) }
    }

    fn open_index(&self, id: &WorkspaceId, generation: i64, access: Access) -> Result<EmbeddedIndex, EngineError> {
        self.open_index_as(id, generation, access, Condition::Unknown)
    }

    fn open_index_as(
        &self,
        id: &WorkspaceId,
        generation: i64,
        access: Access,
        condition: Condition,
    ) -> Result<EmbeddedIndex, EngineError> {
        let identity = embed::identify(&self.settings_folder, self.config.model.as_deref())?;
        let (folder, log_id) = (self.folder_of_index(id, generation), self.store.log_id()?);
        let (model_id, num_dimensions) = (&identity.model_id, identity.num_dimensions);
        Ok(EmbeddedIndex::open_as(&folder, &log_id, (model_id, num_dimensions), access, condition)?)
    }

    /// The index of a workspace in this epoch or a later one. A writer that finds an unusable one begins a new one and has every
    /// file read again; for an outdated one it has another built beside it.
    pub(super) fn index(&self, id: &WorkspaceId, epoch: i64) -> Result<Arc<EmbeddedIndex>, EngineError> {
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
                let index = Arc::new(index);
                indexes.insert(id, row.epoch, Arc::clone(&index));
                return Ok(index);
            }
        }
    }

    /// Opens an index of which nothing is known, and compares it with the store.
    fn opened_and_checked(&self, row: &WorkspaceRow, opens_to_write: bool) -> Result<EmbeddedIndex, EngineError> {
        let id = &row.id;
        let index =
            if opens_to_write { self.open_to_write(row)? } else { self.open_index(id, row.generation, Access::Read)? };
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
            self.reconcile(id, &index)?;
            if let Some(reason) = index.outdated() {
                tracing::info!(workspace = %id, reason, "the index serves until another is built");
                self.store.begin_rebuild(id)?;
            }
        }
        Ok(index)
    }

    /// The index that was let go, as this process left it; `None` where it is not usable any more, and has to be checked.
    fn reopened(&self, row: &WorkspaceRow, opens_to_write: bool) -> Result<Option<EmbeddedIndex>, EngineError> {
        let access = if opens_to_write { Access::Write } else { Access::Read };
        match self.open_index_as(&row.id, row.generation, access, Condition::Checked) {
            Ok(index) if index.snapshot()?.revision() <= self.store.newest_revision()? => Ok(Some(index)),
            Ok(_) | Err(EngineError::Index(IndexError::Unusable { .. } | IndexError::Missing)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open_to_write(&self, row: &WorkspaceRow) -> Result<EmbeddedIndex, EngineError> {
        self.remove_other_indexes(row)?;
        let (id, folder) = (&row.id, self.folder_of_index(&row.id, row.generation));
        let open = || self.open_index(id, row.generation, Access::Write);
        match open() {
            Err(EngineError::Index(IndexError::Unusable { reason })) => {
                tracing::warn!(workspace = %id, %reason, "the index cannot be used and is built again from the files");
                EmbeddedIndex::discard(&folder)?;
                let reopened = match open() {
                    Err(EngineError::Index(IndexError::Unusable { .. })) => {
                        EmbeddedIndex::discard_vectors(&folder)?;
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
    pub(super) fn next_index(&self, id: &WorkspaceId, generation: i64) -> Result<EmbeddedIndex, EngineError> {
        let open = || self.open_index(id, generation, Access::Write);
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
        fs_err::remove_dir_all(self.folder_of_index(id, generation)).map_err(EngineError::Io)?;
        open()
    }

    /// Removes what is left of indexes that neither serve nor are being built.
    pub(super) fn remove_other_indexes(&self, row: &WorkspaceRow) -> Result<(), EngineError> {
        let folder = self.folder_of(&row.id);
        if row.generation > 0 {
            EmbeddedIndex::discard(&folder)?;
            EmbeddedIndex::discard_vectors(&folder)?;
        }
        if !folder.exists() {
            return Ok(());
        }
        for entry in fs_err::read_dir(&folder).map_err(EngineError::Io)? {
            let entry = entry.map_err(EngineError::Io)?;
            let name = entry.file_name();
            let Some(number) = name.to_str().and_then(|name| name.strip_prefix(LATER)) else { continue };
            let number = number.parse::<i64>().ok();
            if number.is_none_or(|number| number != row.generation && Some(number) != row.next_generation) {
                fs_err::remove_dir_all(entry.path()).map_err(EngineError::Io)?;
            }
        }
        Ok(())
    }

    /// Removes all postings of a workspace, and leaves the vectors of the index that served: they are true of any index.
    pub(super) fn discard_indexes(&self, row: &WorkspaceRow) -> Result<(), EngineError> {
        EmbeddedIndex::discard(&self.folder_of_index(&row.id, row.generation))?;
        self.remove_other_indexes(row)
    }
}

/// A log that was put back from an older copy gives revisions again that an index has already seen with other content, so
/// before it gives any it becomes another log, and the indexes are built again.
pub(super) fn distrust_newer(data_folder: &std::path::Path, store: &Store) -> Result<(), EngineError> {
    let log_id = store.log_id()?;
    let Ok(workspaces) = fs_err::read_dir(data_folder.join("workspaces")) else { return Ok(()) };
    for folder in workspaces {
        let folder = folder.map_err(EngineError::Io)?.path();
        let within = fs_err::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        for folder in within.chain([folder.clone()]) {
            // The index first, as another process may log and commit meanwhile.
            let Some((of_log, committed)) = EmbeddedIndex::committed_from(&folder) else { continue };
            if of_log == log_id && committed > store.newest_revision()? {
                tracing::warn!(folder = %folder.display(), "the index is newer than the log: all indexes are built again");
                store.renew_log_id()?;
                return Ok(());
            }
        }
    }
    Ok(())
}
