//! Building an index again beside the one that serves, and letting it take over.
//!
//! The old index goes on to serve, and changes go on to be brought into it. The new one is built from the files behind it, takes
//! over what vectors the old one has, and embeds the rest, so that it is no worse in anything when it takes over.

use std::path::Path;
use std::sync::Arc;

use super::Scheduler;
use super::missing_vectors::MissingVectors;
use crate::data_folder::EngineError;
use crate::embed::OpenModel;
use crate::index::{Batch, Index};
use crate::ingest::{self, BatchLimits, Progress, Rebuild, Stage};
use crate::workspace::WorkspaceId;

/// With so few files left the walk goes on at once, so that it ends also where somebody writes all the time.
const FEW: usize = 16;

/// An index that is being built.
pub(super) struct Next {
    pub index: Arc<dyn Index>,
    walk: Rebuild,
    missing: MissingVectors,
    num_embedded: usize,
}

impl Next {
    pub(super) fn open(scheduler: &Scheduler, id: &WorkspaceId, generation: i64) -> Result<Self, EngineError> {
        let index = scheduler.data.next_index(id, generation)?;
        tracing::info!(workspace = %id, generation, "an index is built beside the one that serves");
        Ok(Self { index, walk: Rebuild::default(), missing: MissingVectors::new(true), num_embedded: 0 })
    }

    /// Brings some files in, or embeds up to `most_embedded` of the chunks that have no vector. Returns `false` where nothing is
    /// left to do, and the index is to take over.
    pub(super) fn step(
        &mut self,
        at: &Site<'_>,
        limits: BatchLimits,
        most_embedded: usize,
    ) -> Result<bool, EngineError> {
        let told = at.scheduler.noting(at.id);
        let files = at.scheduler.data.files_of(at.id, at.root);
        let keep_out = || at.scheduler.data.lock_files_soon(at.id);
        let line = at.scheduler.line((at.id, at.epoch), &*files, &*self.index, at.model, &keep_out, &told);
        loop {
            let num_files = self.walk.some(&line, limits)?;
            if num_files > 0 {
                self.missing.note_change();
            }
            if num_files > FEW {
                return Ok(true);
            }
            if num_files == 0 {
                break;
            }
        }
        if self.missing.is_to_load() {
            self.index.adopt_vectors(at.live)?;
        }
        let Ok(embedder) = &at.model.embedder else {
            self.missing.leave();
            return Ok(false);
        };
        let both = (&*self.index, &**embedder);
        let num_of_slice = self.missing.embed_slice(&at.scheduler.data, both, most_embedded, ingest::EMBED_BATCH)?;
        self.num_embedded += num_of_slice;
        Ok(num_of_slice > 0)
    }
}

/// Where an index is built.
pub(super) struct Site<'a> {
    pub scheduler: &'a Scheduler,
    pub id: &'a WorkspaceId,
    pub epoch: i64,
    pub root: &'a Path,
    /// The index that serves.
    pub live: &'a dyn Index,
    /// The model that the new index is for.
    pub model: &'a OpenModel,
}

impl Scheduler {
    /// Lets a new index take over, when it holds all that is known. Otherwise it is let go, and `false` is returned. The caller holds
    /// the lock that keeps batches from being in work.
    pub(super) fn take_index_over(&self, at: &Site<'_>, next: Next) -> Result<bool, EngineError> {
        // It holds what the old one does, and says so.
        next.index.apply(&Batch { revision: at.live.snapshot()?.revision(), ..Batch::default() })?;
        self.data.let_serve((at.id, at.epoch), at.live, next.index)
    }

    /// Builds the new index of a workspace to its end, where one is wanted, and returns how many chunks were embedded. The caller
    /// holds the lock that keeps other batches from being in work.
    pub(super) fn finish_rebuild(
        &self,
        id: &WorkspaceId,
        root: &Path,
        progress: &dyn Progress,
    ) -> Result<Option<usize>, EngineError> {
        let row = self.data.store.workspace(id)?;
        let Some(generation) = row.next_generation else { return Ok(None) };
        let (live, model) = (self.data.index(id, row.epoch)?, self.data.model()?);
        let at = Site { scheduler: self, id, epoch: row.epoch, root, live: &*live, model };
        let mut next = Next::open(self, id, generation)?;
        progress.begin(Stage::Rebuilding, Some(self.data.store.counts(id)?.files));
        let mut told = 0;
        while next.step(&at, BatchLimits::WHOLE, ingest::EMBED_BATCH)? {
            let done = self.data.store.num_built(id)?;
            progress.advance(done.saturating_sub(told));
            told = told.max(done);
        }
        progress.end();
        let num_embedded = next.num_embedded;
        self.take_index_over(&at, next)?;
        Ok(Some(num_embedded))
    }
}
