//! Bringing a workspace up to date with its folder.

use std::path::{Path, PathBuf};

use super::recording::Told;
use super::{Engine, EngineError, IndexReport, Workspace};
use crate::access::{Action, Caller};
use crate::files;
use crate::ingest::{self, Progress, ScanReport};
use crate::workspace::WorkspaceId;

impl Engine {
    /// The workspace of that name with its files in `folder`, for `caller`; made where there is none.
    ///
    /// # Errors
    /// When this process only reads, the folder is none, or the workspace has another one.
    pub fn workspace_at(&self, id: &WorkspaceId, folder: &Path, caller: &Caller) -> Result<Workspace<'_>, EngineError> {
        self.data.must_log()?;
        let root = files::canonical_folder(folder)?;
        self.ensure_workspace(id, Some(&root))?;
        self.workspace(id, caller)
    }

    /// Tells the journal of violated locks, where this process indexes and no thread does it. What fails is told by the next process that indexes.
    fn record_violations(&self) {
        if let Err(error) = self.violations.record(&self.data.store, &self.journal) {
            tracing::warn!(%error, "violations of locks are not in the audit journal yet");
        }
    }
}

impl Workspace<'_> {
    /// Brings a workspace up to date with its folder: scan, index by words, then embed.
    ///
    /// Where another process indexes, the changes are logged for it, and the call returns when they are searchable by
    /// words. Should that process end first, this one takes over.
    ///
    /// # Errors
    /// When this process only reads, the workspace has no folder, the folder cannot be listed, or the disk refuses. What was done
    /// stays.
    pub fn index(&self, progress: &dyn Progress) -> Result<IndexReport, EngineError> {
        let (id, scheduler) = (&self.id, &self.engine.scheduler);
        let root = self.root()?;
        let scan = self.scan(progress)?;
        if let Some(holder) = scheduler.wait_for_other(id, progress)? {
            return Ok(IndexReport { scan, done_by: Some(holder), ..IndexReport::default() });
        }
        self.engine.record_violations();
        Ok(IndexReport { scan, ..scheduler.index_here(id, &root, progress)? })
    }

    /// Logs the changes of a workspace's folder, for the process that indexes.
    ///
    /// # Errors
    /// When this process only reads, the workspace has no folder, the folder cannot be listed, or the log refuses.
    pub fn scan(&self, progress: &dyn Progress) -> Result<ScanReport, EngineError> {
        self.recorded(Action::Index, Told::default(), |_| self.scan_unrecorded(progress))
    }

    fn scan_unrecorded(&self, progress: &dyn Progress) -> Result<ScanReport, EngineError> {
        let (id, data) = (&self.id, &self.engine.data);
        data.must_log()?;
        let root = files::canonical_folder(&self.root()?)?;
        let keep_out = || data.lock_files(id);
        let scan = ingest::scan(&data.store, id, &*data.files_of(id, &root), &keep_out, progress)?;
        self.engine.scheduler.wake();
        Ok(scan)
    }

    /// The folder of its files.
    pub(super) fn root(&self) -> Result<PathBuf, EngineError> {
        let id = &self.id;
        self.engine.data.store.workspace(id)?.root.ok_or_else(|| EngineError::NoRoot { id: id.clone() })
    }
}
