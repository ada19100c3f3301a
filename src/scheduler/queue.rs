//! The queue of one workspace: its pending changes, the chunks of it that wait for a vector, and the index that is being built beside
//! the one that serves.
//!
//! A queue holds its index from when it has something to do until it is idle: most workspaces of a server are idle most of the time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use super::Scheduler;
use super::missing_vectors::MissingVectors;
use super::rebuild::{Next, Site};
use crate::data_folder::EngineError;
use crate::embed::{Embedder, OpenModel};
use crate::error::Advice as _;
use crate::index::Index;
use crate::ingest::{self, BatchLimits, LineReport, Silent};
use crate::store::{StoreError, WorkspaceRow};
use crate::workspace::{Priority, WorkspaceId};

/// How long a workspace is left alone after an error.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Chunks that are embedded before the line looks for newer changes: about a tenth of a second.
const EMBED_SLICE: usize = 8;
/// Chunks of interactive changes that are embedded before the line looks for newer changes: as many as a file of 10 KB has.
pub(super) const URGENT_SLICE: usize = 16;
/// Chunks of interactive changes that are embedded before a backfill goes on: a second or two.
const MAX_URGENT: usize = 128;

/// One workspace as the line knows it.
pub(super) struct Queue {
    pub root: PathBuf,
    pub epoch: i64,
    /// Whether files are indexed; otherwise they are only listed.
    intelligence: bool,
    /// The index that serves, while the queue works.
    serving: Option<Serving>,
    /// The index that is being built.
    next: Option<Next>,
    /// Chunks of the index that serves.
    missing: MissingVectors,
    /// How many chunks, at the most, interactive changes have brought that are not embedded yet.
    num_urgent: usize,
    /// Whether the file table is known to say what the index holds.
    is_trusted: bool,
    /// When it is tried again after an error.
    pub retry_at: Option<Instant>,
}

/// The index that serves.
struct Serving {
    index: Arc<dyn Index>,
    /// The model it is of; another one where that cannot be opened any more, and then nothing is embedded.
    model: Arc<OpenModel>,
}

impl Serving {
    fn of(scheduler: &Scheduler, index: Arc<dyn Index>) -> Result<Self, EngineError> {
        let model = scheduler.data.serving_model(&*index)?;
        Ok(Self { index, model })
    }

    /// The index with what embeds its chunks; `None` where nothing can.
    fn embedder(&self) -> Option<(&dyn Index, &dyn Embedder)> {
        let embedder = self.model.embedder.as_deref().ok();
        let embedder = embedder.filter(|_| self.model.model_id == self.index.model_id())?;
        Some((&*self.index, embedder))
    }
}

impl Queue {
    /// The queue of a workspace. `alone` is the lock that keeps batches from being in work.
    pub(super) fn open(
        scheduler: &Scheduler,
        row: &WorkspaceRow,
        root: &Path,
        alone: &MutexGuard<'_, ()>,
    ) -> Result<Self, EngineError> {
        if !row.intelligence {
            scheduler.remove_index(&row.id, alone)?;
        }
        let mut queue = Self {
            root: root.to_owned(),
            epoch: row.epoch,
            intelligence: row.intelligence,
            serving: None,
            next: None,
            missing: MissingVectors::new(row.intelligence),
            num_urgent: 0,
            is_trusted: false,
            retry_at: None,
        };
        queue.open_next(scheduler, row)?;
        Ok(queue)
    }

    /// Opens the index that is to be built beside the one that serves, where one is wanted.
    pub(super) fn open_next(&mut self, scheduler: &Scheduler, row: &WorkspaceRow) -> Result<(), EngineError> {
        if let (Some(generation), None, true) = (row.next_generation, &self.next, self.intelligence) {
            self.next = Some(Next::open(scheduler, &row.id, generation)?);
        }
        Ok(())
    }

    /// Lets go of what writing needs, and of the index, until there is something to do.
    pub(super) fn rest(&mut self, id: &WorkspaceId) {
        if let Some(Err(error)) = self.serving.take().map(|serving| serving.index.rest()) {
            tracing::warn!(workspace = %id, %error, "a merge of the index has failed");
        }
    }

    /// Whether there is something to do that no change in the store tells of.
    pub(super) fn has_work_left(&self) -> bool {
        self.retry_at.is_none() && self.may_go_on()
    }

    /// Whether chunks may be without a vector, or an index is being built.
    pub(super) const fn may_go_on(&self) -> bool {
        self.missing.may_be_some() || self.next.is_some()
    }

    /// Whether the index is held.
    pub(super) const fn is_awake(&self) -> bool {
        self.serving.is_some()
    }

    /// Does `work` unless the workspace rests; an error lets it rest.
    pub(super) fn attempt(
        &mut self,
        scheduler: &Scheduler,
        id: &WorkspaceId,
        work: impl FnOnce(&mut Self) -> Result<bool, EngineError>,
    ) -> bool {
        if self.retry_at.is_some_and(|until| until > Instant::now()) {
            return false;
        }
        let was_resting = self.retry_at.take().is_some();
        match self.prepare(scheduler, id).and_then(|()| work(self)) {
            Ok(worked) => worked,
            // It is done again, in another queue.
            Err(EngineError::Store(StoreError::OtherEpoch { .. })) => true,
            Err(error) => {
                if !was_resting {
                    tracing::error!(workspace = %id, %error, hint = error.hint(), "changes cannot be brought in for now");
                }
                self.is_trusted = false;
                self.retry_at = Some(Instant::now() + RETRY_AFTER);
                false
            }
        }
    }

    /// Opens the index, where it is not open, and has it agree with the file table before anything is brought in.
    fn prepare(&mut self, scheduler: &Scheduler, id: &WorkspaceId) -> Result<(), EngineError> {
        if self.intelligence && self.serving.is_none() {
            let opened = scheduler.data.index(id, self.epoch);
            if scheduler.data.store.workspace(id)?.epoch != self.epoch {
                return Err(StoreError::OtherEpoch { id: id.clone() }.into());
            }
            self.serving = Some(Serving::of(scheduler, opened?)?);
        }
        if let Some(Serving { index, model }) = self.serving.as_ref().filter(|_| !self.is_trusted) {
            let files = scheduler.data.files_of(id, &self.root);
            let keep_out = || scheduler.data.lock_files_soon(id);
            let line = scheduler.line((id, self.epoch), &*files, &**index, model, &keep_out, &Silent);
            ingest::distrust_unacknowledged(&line)?;
            self.is_trusted = true;
        }
        Ok(())
    }

    /// Brings in one small batch of changes of this priority.
    pub(super) fn index(
        &mut self,
        scheduler: &Scheduler,
        id: &WorkspaceId,
        priority: Priority,
    ) -> Result<bool, EngineError> {
        if scheduler.data.store.first_pending(id, priority)?.is_none() {
            return Ok(false);
        }
        let limits = match priority {
            Priority::Interactive => BatchLimits::INTERACTIVE,
            Priority::Backfill => BatchLimits::BESIDE_OTHERS,
        };
        // A folder that is away, as on a disk that is not mounted, has not lost its files.
        scheduler.data.errands.canonical_folder(id, &self.root)?;
        let files = scheduler.data.files_of(id, &self.root);
        let keep_out = || scheduler.data.lock_files_soon(id);
        let Some(Serving { index, model }) = &self.serving else {
            return Ok(ingest::list_some(&scheduler.data.store, (id, self.epoch), &*files, &keep_out)? > 0);
        };
        let mut report = LineReport::default();
        let told = scheduler.noting(id);
        let line = scheduler.line((id, self.epoch), &*files, &**index, model, &keep_out, &told);
        let num_done = match priority {
            Priority::Interactive => ingest::index_interactive(&line, &mut report)?,
            Priority::Backfill => ingest::index_backfill(&line, limits, &mut report)?,
        };
        if priority == Priority::Interactive {
            self.num_urgent = (self.num_urgent + report.num_chunks).min(MAX_URGENT);
        }
        self.missing.note_change();
        Ok(num_done > 0)
    }

    /// Whether somebody may wait for vectors.
    pub(super) const fn has_urgent(&self) -> bool {
        self.num_urgent > 0
    }

    /// Embeds a slice of what has no vector yet.
    pub(super) fn embed(&mut self, scheduler: &Scheduler, most: usize) -> Result<bool, EngineError> {
        let Some((index, embedder)) = self.serving.as_ref().and_then(Serving::embedder) else {
            self.missing.leave();
            self.num_urgent = 0;
            return Ok(false);
        };
        // What somebody waits for is not held up by the loading of what comes after it.
        let most_loaded = if self.num_urgent > 0 { self.num_urgent } else { ingest::EMBED_BATCH };
        let num_of_slice = self.missing.embed_slice(&scheduler.data, (index, embedder), most, most_loaded)?;
        self.num_urgent = if num_of_slice == 0 { 0 } else { self.num_urgent.saturating_sub(num_of_slice) };
        Ok(num_of_slice > 0)
    }

    /// Embeds a slice of what nobody waits for, unless another model's index is about to take over.
    pub(super) fn embed_backlog(&mut self, scheduler: &Scheduler) -> Result<bool, EngineError> {
        let is_outdated = self.serving.as_ref().is_some_and(|serving| serving.index.outdated().is_some());
        if self.next.is_some() && is_outdated {
            self.missing.leave();
            return Ok(false);
        }
        self.embed(scheduler, EMBED_SLICE)
    }

    /// Goes on with the index that is being built, and lets it take over when it is done.
    pub(super) fn rebuild(&mut self, scheduler: &Scheduler, id: &WorkspaceId) -> Result<bool, EngineError> {
        let (Some(Serving { index, .. }), Some(next)) = (&self.serving, &mut self.next) else { return Ok(false) };
        scheduler.data.errands.canonical_folder(id, &self.root)?;
        let model = scheduler.data.model()?;
        let at = Site { scheduler, id, epoch: self.epoch, root: &self.root, live: &**index, model };
        if next.step(&at, BatchLimits::BESIDE_OTHERS, EMBED_SLICE)? {
            return Ok(true);
        }
        if let Some(next) = self.next.take() {
            // The queue is opened again then: the workspace is in another epoch.
            scheduler.take_index_over(&at, next)?;
        }
        Ok(true)
    }
}
