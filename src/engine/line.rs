//! Bringing a folder up to date while somebody waits for it: here, or through the process that indexes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::reading::Told;
use super::runner::KEPT_CHANGES;
use super::{Engine, EngineError, access};
use crate::embed::OpenModel;
use crate::files::Files;
use crate::index::Index;
use crate::ingest::{self, Line, LineReport, PartSizes, Progress, ScanReport, Stage};
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
        Ok(IndexReport { scan, ..self.index_here(id, folder, progress)? })
    }

    /// Brings what is in the log into the index, and builds the one to its end that is wanted beside it.
    pub(super) fn index_here(
        &self,
        id: &WorkspaceId,
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<IndexReport, EngineError> {
        let alone = self.indexing.lock();
        let root = ingest::canonical_folder(folder)?;
        let files = self.files_at(&root);
        let row = self.store.workspace(id)?;
        if !row.intelligence {
            self.remove_index(id, &alone)?;
            while ingest::list_some(&self.store, id, row.epoch, &*files)? > 0 {}
            return Ok(IndexReport::default());
        }
        let mut report = LineReport::default();
        let told = Told { reading: &self.reading, workspace: id, progress };
        let index = loop {
            let epoch = self.store.workspace(id)?.epoch;
            let index = self.index(id, epoch)?;
            let model = self.serving_model(&*index)?;
            report +=
                ingest::index_pending(&self.line((id, epoch), &*files, &*index, index.model_id(), &model, &told))?;
            match self.finish_rebuild(id, &root, progress)? {
                None => break index,
                // Another one serves now, and the walk over the files may have found changes.
                Some(num_embedded) => report.num_embedded += num_embedded,
            }
        };
        while self.store.prune(id, KEPT_CHANGES)? > 0 {}
        self.remove_unwanted_documents(id)?;
        let words_alone = match &self.model()?.embedder {
            Ok(embedder) => {
                report.num_embedded += ingest::embed_missing(&*index, &**embedder, progress)?;
                None
            }
            Err(error) => Some(error.to_string()),
        };
        Ok(IndexReport { line: report, words_alone, ..IndexReport::default() })
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
        self.must_log()?;
        let root = ingest::canonical_folder(folder)?;
        self.ensure_workspace(id, Some(&root))?;
        let scan = ingest::scan(&self.store, id, &*self.files_at(&root), progress)?;
        self.bell.ring();
        Ok(scan)
    }

    /// The model to bring changes into an index with: its own, or, where that cannot be opened any more, the configured one, for
    /// what has to be counted.
    pub(super) fn serving_model(&self, index: &dyn Index) -> Result<Arc<OpenModel>, EngineError> {
        Ok(match self.model_of(index.model_id())? {
            Some(model) => model,
            None => Arc::clone(self.model()?),
        })
    }

    /// Which files are read in parts.
    pub(super) fn part_sizes(&self) -> PartSizes {
        let from_bytes = self.config.extraction.parts_from_mb.saturating_mul(1_000_000);
        PartSizes { from_bytes, ..PartSizes::default() }
    }

    pub(super) fn line<'a>(
        &'a self,
        (id, epoch): (&'a WorkspaceId, i64),
        files: &'a dyn Files,
        index: &'a dyn Index,
        model_id: &'a str,
        model: &'a OpenModel,
        progress: &'a dyn Progress,
    ) -> Line<'a> {
        Line {
            store: &self.store,
            workspace: id,
            epoch,
            files,
            index,
            extractor: self.extractor_of(id),
            tokens: &*model.tokens,
            model_id,
            embeds: &model.entry.languages,
            max_file_bytes: self.config.max_file_bytes,
            max_whole_bytes: self.config.extraction.whole_mb.saturating_mul(1_000_000),
            parts: self.part_sizes(),
            max_batch_text_bytes: self.config.limits.batch_text_mb.saturating_mul(1_000_000),
            progress,
        }
    }

    /// Waits until the process that indexes has brought in everything that is in the log now, and names it. `None` where
    /// this process has to do it.
    fn wait_for_other(&self, id: &WorkspaceId, progress: &dyn Progress) -> Result<Option<String>, EngineError> {
        let wanted = self.store.last_revision(id)?;
        let total = self.store.counts(id)?.pending;
        self.wait_for(Stage::Indexing, total, progress, || {
            let is_settled = self.store.settled_revision(id)? >= wanted;
            Ok((!is_settled).then_some(total.saturating_sub(self.store.counts(id)?.pending)))
        })
    }

    /// As above, until it has built the workspace's index of this generation.
    pub(super) fn wait_for_other_to_build(
        &self,
        id: &WorkspaceId,
        generation: i64,
        progress: &dyn Progress,
    ) -> Result<Option<String>, EngineError> {
        let total = self.store.counts(id)?.files;
        self.wait_for(Stage::Rebuilding, total, progress, || {
            let is_building = self.store.workspace(id)?.next_generation == Some(generation);
            Ok(if is_building { Some(self.store.num_built(id)?) } else { None })
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
        if self.take_over()? {
            return Ok(None);
        }
        let holder = access::holder(&self.data_folder);
        tracing::info!(%holder, total, "it is left to the process that indexes");
        progress.begin(stage, Some(total));
        let mut told = 0;
        loop {
            let done = done()?;
            let reached = done.unwrap_or(total);
            progress.advance(reached.saturating_sub(told));
            told = told.max(reached);
            let is_ours = done.is_some() && self.take_over()?;
            if done.is_none() || is_ours {
                progress.end();
                return Ok((!is_ours).then_some(holder));
            }
            std::thread::sleep(WAIT_STEP);
        }
    }
}
