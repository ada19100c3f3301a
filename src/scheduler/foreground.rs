//! Indexing in the foreground, while a caller waits for it: here, or in the process that indexes.

use std::path::Path;
use std::time::Duration;

use super::Scheduler;
use super::reading_progress::Noted;
use super::turns::KEPT_CHANGES;
use crate::data_folder::EngineError;
use crate::files;
use crate::ingest::{self, LineReport, Progress, ScanReport, Stage};
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

impl Scheduler {
    /// Brings what is in the log into the index, and builds the one to its end that is wanted beside it.
    pub(crate) fn index_here(
        &self,
        id: &WorkspaceId,
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<IndexReport, EngineError> {
        let alone = self.indexing.lock();
        let root = files::canonical_folder(folder)?;
        let files = self.data.files_of(id, &root);
        let keep_out = || self.data.lock_files_soon(id);
        let row = self.data.store.workspace(id)?;
        if !row.intelligence {
            self.remove_index(id, &alone)?;
            while ingest::list_some(&self.data.store, (id, row.epoch), &*files, &keep_out)? > 0 {}
            return Ok(IndexReport::default());
        }
        let mut report = LineReport::default();
        let told = Noted { reading: &self.reading, workspace: id, progress };
        let index = loop {
            let epoch = self.data.store.workspace(id)?.epoch;
            let index = self.data.index(id, epoch)?;
            let model = self.data.serving_model(&*index)?;
            let line = self.line((id, epoch), &*files, &*index, &model, &keep_out, &told);
            report += ingest::index_pending(&line)?;
            drop(line);
            match self.finish_rebuild(id, &root, progress)? {
                None => break index,
                // Another one serves now, and the walk over the files may have found changes.
                Some(num_embedded) => report.num_embedded += num_embedded,
            }
        };
        while self.data.store.prune(id, KEPT_CHANGES)? > 0 {}
        self.data.remove_unwanted_documents(id)?;
        let words_alone = match &self.data.model()?.embedder {
            Ok(embedder) => {
                report.num_embedded += self.embed_missing(&*index, &**embedder, progress)?;
                None
            }
            Err(error) => Some(error.to_string()),
        };
        Ok(IndexReport { line: report, words_alone, ..IndexReport::default() })
    }

    /// Waits until the process that indexes has brought in everything that is in the log now, and names it. `None` where
    /// this process has to do it.
    pub(crate) fn wait_for_other(
        &self,
        id: &WorkspaceId,
        progress: &dyn Progress,
    ) -> Result<Option<String>, EngineError> {
        let wanted = self.data.store.last_revision(id)?;
        let total = self.data.store.counts(id)?.pending;
        self.wait_for(Stage::Indexing, total, progress, || {
            let is_settled = self.data.store.settled_revision(id)? >= wanted;
            Ok((!is_settled).then_some(total.saturating_sub(self.data.store.counts(id)?.pending)))
        })
    }

    /// Waits until the process that indexes has built the workspace's index of this generation, and names it. `None` where this
    /// process has to do it.
    pub(crate) fn wait_for_other_to_build(
        &self,
        id: &WorkspaceId,
        generation: i64,
        progress: &dyn Progress,
    ) -> Result<Option<String>, EngineError> {
        let total = self.data.store.counts(id)?.files;
        self.wait_for(Stage::Rebuilding, total, progress, || {
            let is_building = self.data.store.workspace(id)?.next_generation == Some(generation);
            Ok(if is_building { Some(self.data.store.num_built(id)?) } else { None })
        })
    }

    /// Waits until `done` says nothing any more of how much is done.
    fn wait_for(
        &self,
        stage: Stage,
        total: u64,
        progress: &dyn Progress,
        done: impl Fn() -> Result<Option<u64>, EngineError>,
    ) -> Result<Option<String>, EngineError> {
        if self.data.take_over()? {
            return Ok(None);
        }
        let holder = self.data.writer();
        tracing::info!(%holder, total, "it is left to the process that indexes");
        progress.begin(stage, Some(total));
        let mut told = 0;
        loop {
            let done = done()?;
            let reached = done.unwrap_or(total);
            progress.advance(reached.saturating_sub(told));
            told = told.max(reached);
            let is_ours = done.is_some() && self.data.take_over()?;
            if done.is_none() || is_ours {
                progress.end();
                return Ok((!is_ours).then_some(holder));
            }
            std::thread::sleep(WAIT_STEP);
        }
    }
}
