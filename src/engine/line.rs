//! Bringing a folder up to date while somebody waits for it: here, or through the process that indexes.

use std::path::Path;
use std::time::Duration;

use super::runner::KEPT_CHANGES;
use super::{Engine, EngineError, access, lock};
use crate::embed::OpenModel;
use crate::index::Index;
use crate::ingest::{self, Line, LineReport, Progress, ScanReport, Stage};
use crate::workspace::WorkspaceId;

/// How often to look whether the process that indexes is done, or gone.
const WAIT_STEP: Duration = Duration::from_millis(20);

/// What bringing a folder up to date did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexReport {
    /// What was found.
    pub scan: ScanReport,
    /// What was done here.
    pub line: LineReport,
    /// Why nothing was embedded, where nothing could be.
    pub words_alone: Option<String>,
    /// The other process that brought the changes in, for a person; it may still be embedding.
    pub done_by: Option<String>,
}

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
        if let Some(holder) = self.wait_for_other(id, progress)? {
            return Ok(IndexReport { scan, done_by: Some(holder), ..IndexReport::default() });
        }
        let alone = lock(&self.indexing);
        let root = ingest::canonical_folder(folder)?;
        let row = self.store.workspace(id)?;
        if !row.intelligence {
            self.remove_index(id, &alone)?;
            while ingest::list_some(&self.store, id, &root)? > 0 {}
            return Ok(IndexReport { scan, ..IndexReport::default() });
        }
        let index = self.index(id, row.epoch)?;
        let model = self.model()?;
        let mut report = ingest::index_pending(&self.line(id, &root, &*index, model), progress)?;
        while self.store.prune(id, KEPT_CHANGES)? > 0 {}
        let words_alone = match &model.embedder {
            Ok(embedder) => {
                report.num_embedded = ingest::embed_missing(&*index, &**embedder, progress)?;
                None
            }
            Err(error) => Some(error.to_string()),
        };
        Ok(IndexReport { scan, line: report, words_alone, done_by: None })
    }

    /// Logs what has changed in a workspace's folder, for whoever indexes.
    ///
    /// # Errors
    /// When this process only reads, the folder cannot be listed, or the log refuses.
    pub fn scan_folder(
        &self,
        id: &WorkspaceId,
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<ScanReport, EngineError> {
        self.must_log()?;
        let root = ingest::canonical_folder(folder)?;
        self.ensure_workspace(id, Some(&root))?;
        let scan = ingest::scan(&self.store, id, &root, progress)?;
        self.bell.ring();
        Ok(scan)
    }

    pub(super) fn line<'a>(
        &'a self,
        id: &'a WorkspaceId,
        root: &'a Path,
        index: &'a dyn Index,
        model: &'a OpenModel,
    ) -> Line<'a> {
        Line {
            store: &self.store,
            workspace: id,
            root,
            index,
            tokens: &*model.tokens,
            model_id: &model.model_id,
            max_file_bytes: self.config.max_file_bytes,
        }
    }

    /// Waits until the process that indexes has brought in everything that is in the log now, and names it. `None` where
    /// this process has to do it.
    fn wait_for_other(&self, id: &WorkspaceId, progress: &dyn Progress) -> Result<Option<String>, EngineError> {
        if self.take_over()? {
            return Ok(None);
        }
        let holder = access::holder(&self.data_folder);
        let wanted = self.store.last_revision(id)?;
        let total = self.store.counts(id)?.pending;
        tracing::info!(%holder, total, "the changes are left to the process that indexes");
        progress.begin(Stage::Indexing, Some(total));
        let mut told = 0;
        loop {
            let is_settled = self.store.settled_revision(id)? >= wanted;
            let done = total.saturating_sub(if is_settled { 0 } else { self.store.counts(id)?.pending });
            progress.advance(done.saturating_sub(told));
            told = told.max(done);
            let is_ours = !is_settled && self.take_over()?;
            if is_settled || is_ours {
                progress.end();
                return Ok((!is_ours).then_some(holder));
            }
            std::thread::sleep(WAIT_STEP);
        }
    }
}
