//! Building an index again beside the one that serves, and letting it take over.
//!
//! The old index goes on to serve, and changes go on to be brought into it. The new one is built from the files behind it, takes
//! over what vectors the old one has, and embeds the rest, so that it is no worse in anything when it takes over.

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Engine, EngineError, Workspace};
use crate::embed::OpenModel;
use crate::index::{Batch, Index, VectorKey};
use crate::ingest::{self, BatchLimits, Progress, Rebuild, Stage};
use crate::workspace::WorkspaceId;

/// With so few files left the walk goes on at once, so that it ends also where somebody writes all the time.
const FEW: usize = 16;

/// How far an index is that is being built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct RebuildStatus {
    /// Files that are done.
    pub files_done: u64,
    /// Files of the workspace.
    pub files: u64,
}

/// What building an index again did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReindexReport {
    /// Which of the workspace's indexes serves now, counted from 0.
    pub generation: i64,
    /// Chunks that were embedded here.
    pub num_embedded: usize,
    /// The other process that built it, for a person.
    pub done_by: Option<String>,
}

/// An index that is being built.
pub(super) struct Next {
    pub index: Arc<dyn Index>,
    walk: Rebuild,
    /// Chunks to embed next.
    waiting: Vec<(VectorKey, String)>,
    /// Whether the walk has found something since all chunks had their vector.
    may_miss_vectors: bool,
    num_embedded: usize,
}

impl Next {
    pub(super) fn open(engine: &Engine, id: &WorkspaceId, generation: i64) -> Result<Self, EngineError> {
        let index = engine.next_index(id, generation)?;
        tracing::info!(workspace = %id, generation, "an index is built beside the one that serves");
        Ok(Self { index, walk: Rebuild::default(), waiting: Vec::new(), may_miss_vectors: true, num_embedded: 0 })
    }

    /// Brings some files in, or embeds up to `most_embedded` of the chunks that have no vector. Returns `false` where nothing is
    /// left to do, and the index is to take over.
    pub(super) fn step(
        &mut self,
        at: &Site<'_>,
        limits: BatchLimits,
        most_embedded: usize,
    ) -> Result<bool, EngineError> {
        let told = at.engine.told(at.id);
        let files = at.engine.files_at(at.root);
        let line = at.engine.line((at.id, at.epoch), &*files, &*self.index, &at.model.model_id, at.model, &told);
        loop {
            let num_files = self.walk.some(&line, limits)?;
            if num_files > 0 {
                self.may_miss_vectors = true;
                self.waiting.clear();
            }
            if num_files > FEW {
                return Ok(true);
            }
            if num_files == 0 {
                break;
            }
        }
        if self.may_miss_vectors && self.waiting.is_empty() {
            self.index.adopt_vectors(at.live)?;
            if at.model.embedder.is_ok() {
                self.waiting = self.index.snapshot()?.unembedded(ingest::EMBED_BATCH)?;
                self.waiting.reverse();
            }
            self.may_miss_vectors = !self.waiting.is_empty();
        }
        if let (Ok(embedder), false) = (&at.model.embedder, self.waiting.is_empty()) {
            let slice: Vec<_> = self.waiting.split_off(self.waiting.len().saturating_sub(most_embedded));
            at.engine.embed_chunks(&*self.index, &**embedder, &slice)?;
            self.num_embedded += slice.len();
            return Ok(true);
        }
        Ok(false)
    }
}

/// Where an index is built.
pub(super) struct Site<'a> {
    pub engine: &'a Engine,
    pub id: &'a WorkspaceId,
    pub epoch: i64,
    pub root: &'a Path,
    /// The index that serves.
    pub live: &'a dyn Index,
    /// The model that the new index is for.
    pub model: &'a OpenModel,
}

impl Engine {
    /// Lets a new index take over, when it holds all that is known. Otherwise it is let go, and `false` is returned. The caller holds
    /// the lock that keeps batches from being in work.
    pub(super) fn take_index_over(&self, at: &Site<'_>, next: Next) -> Result<bool, EngineError> {
        // It holds what the old one does, and says so.
        next.index.apply(&Batch { revision: at.live.snapshot()?.revision(), ..Batch::default() })?;
        let turn = self.indexes.lock().turn(at.id);
        let turn = turn.lock();
        if !self.store.swap(at.id, at.epoch)? {
            return Ok(false);
        }
        let row = self.store.workspace(at.id)?;
        self.indexes.lock().insert(at.id, row.epoch, next.index);
        drop(turn);
        at.live.close();
        self.remove_other_indexes(&row)?;
        tracing::info!(workspace = %at.id, generation = row.generation, "the new index serves");
        Ok(true)
    }

    /// Builds the new index of a workspace to its end, where one is wanted, and returns how many chunks were embedded. The caller
    /// holds the lock that keeps other batches from being in work.
    pub(super) fn finish_rebuild(
        &self,
        id: &WorkspaceId,
        root: &Path,
        progress: &dyn Progress,
    ) -> Result<Option<usize>, EngineError> {
        let row = self.store.workspace(id)?;
        let Some(generation) = row.next_generation else { return Ok(None) };
        let (live, model) = (self.index(id, row.epoch)?, self.model()?);
        let at = Site { engine: self, id, epoch: row.epoch, root, live: &*live, model };
        let mut next = Next::open(self, id, generation)?;
        progress.begin(Stage::Rebuilding, Some(self.store.counts(id)?.files));
        let mut told = 0;
        while next.step(&at, BatchLimits::WHOLE, ingest::EMBED_BATCH)? {
            let done = self.store.num_built(id)?;
            progress.advance(done.saturating_sub(told));
            told = told.max(done);
        }
        progress.end();
        let num_embedded = next.num_embedded;
        self.take_index_over(&at, next)?;
        Ok(Some(num_embedded))
    }
}

impl Workspace<'_> {
    /// Builds the index of a workspace again from its files, beside the one that serves, and lets it take over.
    ///
    /// Where another process indexes, it is done there, and the call returns when it is. Should that process end first, this one
    /// goes on with it.
    ///
    /// # Errors
    /// When this process only reads, the workspace has no folder or its intelligence is off, or the disk refuses. What was built
    /// stays, and is gone on with by whoever indexes next.
    pub fn reindex(&self, progress: &dyn Progress) -> Result<ReindexReport, EngineError> {
        let id = &self.id;
        self.engine.must_log()?;
        let root = self.engine.store.workspace(id)?.root.ok_or_else(|| EngineError::NoRoot { id: id.clone() })?;
        // What has changed without a word in the log is found first, so that it is not read twice.
        self.engine.scan_folder(id, &root, progress)?;
        let off = || EngineError::IntelligenceOff { id: id.clone() };
        let generation = self.engine.store.begin_rebuild(id)?.ok_or_else(off)?;
        self.engine.bell.ring();
        if let Some(holder) = self.engine.wait_for_other_to_build(id, generation, progress)? {
            return Ok(ReindexReport { generation, num_embedded: 0, done_by: Some(holder) });
        }
        let report = self.engine.index_here(id, &root, progress)?;
        Ok(ReindexReport { generation, num_embedded: report.line.num_embedded, done_by: None })
    }

    /// How far the index is that is being built beside the one that serves, where one is.
    pub(super) fn rebuild_status(&self) -> Result<Option<RebuildStatus>, EngineError> {
        let id = &self.id;
        if self.engine.store.workspace(id)?.next_generation.is_none() {
            return Ok(None);
        }
        Ok(Some(RebuildStatus {
            files_done: self.engine.store.num_built(id)?,
            files: self.engine.store.counts(id)?.files,
        }))
    }
}
