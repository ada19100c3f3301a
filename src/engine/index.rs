//! Bringing a workspace up to date with its folder.

use std::path::Path;

use super::{Engine, EngineError, IndexReport};
use crate::ingest::{self, Progress, ScanReport};
use crate::workspace::WorkspaceId;

impl Engine {
    /// Brings a workspace up to date with its folder: scan, index by words, then embed.
    ///
    /// Where another process indexes, the changes are logged for it, and the call returns when they are searchable by
    /// words. Should that process end first, this one takes over.
    ///
    /// # Errors
    /// When this process only reads, the folder cannot be listed, or the disk refuses. What was done stays.
    pub fn index_folder(
        &self,
        id: &WorkspaceId,
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<IndexReport, EngineError> {
        let scan = self.scan_folder(id, folder, progress)?;
        if let Some(holder) = self.scheduler.wait_for_other(id, progress)? {
            return Ok(IndexReport { scan, done_by: Some(holder), ..IndexReport::default() });
        }
        Ok(IndexReport { scan, ..self.scheduler.index_here(id, folder, progress)? })
    }

    /// Logs the changes of a workspace's folder, for the process that indexes.
    ///
    /// # Errors
    /// When this process only reads, the folder cannot be listed, or the log refuses.
    pub fn scan_folder(
        &self,
        id: &WorkspaceId,
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<ScanReport, EngineError> {
        self.data.must_log()?;
        let root = ingest::canonical_folder(folder)?;
        self.ensure_workspace(id, Some(&root))?;
        let scan = ingest::scan(&self.data.store, id, &*self.data.files_of(id, &root), progress)?;
        self.scheduler.wake();
        Ok(scan)
    }
}
