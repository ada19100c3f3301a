//! One workspace's part of the line: its index, what of it is to be embedded, and the index that is being built beside it.
//!
//! A lane holds its index from when it has something to do until it rests: most workspaces of a server rest most of the time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use super::rebuild::{Next, Site};
use super::{Engine, EngineError};
use crate::embed::OpenModel;
use crate::error::Advice as _;
use crate::index::{Index, VectorKey};
use crate::ingest::{self, BatchLimits, LineReport, Silent};
use crate::store::{StoreError, WorkspaceRow};
use crate::workspace::{Priority, WorkspaceId};

/// How long a workspace rests after an error.
pub(super) const REST: Duration = Duration::from_secs(1);
/// Chunks that are embedded before the line looks for newer changes: about a tenth of a second.
const EMBED_SLICE: usize = 8;
/// Chunks of interactive changes that are embedded before the line looks for newer changes: as many as a file of 10 KB has.
pub(super) const URGENT_SLICE: usize = 16;
/// Chunks of interactive changes that are embedded before a backfill goes on: a second or two.
const MAX_URGENT: usize = 128;

/// What the line knows of one workspace.
pub(super) struct Lane {
    pub root: PathBuf,
    pub epoch: i64,
    /// Whether files are indexed; otherwise they are only listed.
    intelligence: bool,
    /// The index that serves, while the lane works.
    serving: Option<Serving>,
    /// The index that is being built.
    next: Option<Next>,
    /// Chunks to embed next, newest files first, from the back.
    waiting: Vec<(VectorKey, String)>,
    /// How many chunks, at the most, interactive changes have brought that are not embedded yet.
    num_urgent: usize,
    /// Whether the index may hold chunks without a vector that are not in `waiting`.
    may_miss_vectors: bool,
    /// Whether the file table is known to say what the index holds.
    is_trusted: bool,
    /// When it is tried again after an error.
    pub rests_until: Option<Instant>,
}

/// The index that serves.
struct Serving {
    index: Arc<dyn Index>,
    /// The model it is of; another one where that cannot be opened any more, and then nothing is embedded.
    model: Arc<OpenModel>,
}

impl Serving {
    fn of(engine: &Engine, index: Arc<dyn Index>) -> Result<Self, EngineError> {
        let model = engine.serving_model(&*index)?;
        Ok(Self { index, model })
    }

    fn embeds(&self) -> bool {
        self.model.embedder.is_ok() && self.model.model_id == self.index.model_id()
    }
}

impl Lane {
    /// The lane of a workspace. `alone` is the lock that keeps batches from being in work.
    pub(super) fn open(
        engine: &Engine,
        row: &WorkspaceRow,
        root: &Path,
        alone: &MutexGuard<'_, ()>,
    ) -> Result<Self, EngineError> {
        if !row.intelligence {
            engine.remove_index(&row.id, alone)?;
        }
        let mut lane = Self {
            root: root.to_owned(),
            epoch: row.epoch,
            intelligence: row.intelligence,
            serving: None,
            next: None,
            waiting: Vec::new(),
            num_urgent: 0,
            may_miss_vectors: row.intelligence,
            is_trusted: false,
            rests_until: None,
        };
        lane.open_next(engine, row)?;
        Ok(lane)
    }

    /// Opens the index that is to be built beside the one that serves, where one is wanted.
    pub(super) fn open_next(&mut self, engine: &Engine, row: &WorkspaceRow) -> Result<(), EngineError> {
        if let (Some(generation), None, true) = (row.next_generation, &self.next, self.intelligence) {
            self.next = Some(Next::open(engine, &row.id, generation)?);
        }
        Ok(())
    }

    /// Lets go of what writing needs, and of the index.
    pub(super) fn rest(&mut self, id: &WorkspaceId) {
        if let Some(Err(error)) = self.serving.take().map(|serving| serving.index.rest()) {
            tracing::warn!(workspace = %id, %error, "a merge of the index has failed");
        }
    }

    /// Whether there is something to do that no change in the store tells of.
    pub(super) fn has_work_left(&self) -> bool {
        self.rests_until.is_none() && self.may_go_on()
    }

    /// Whether chunks may be without a vector, or an index is being built.
    pub(super) const fn may_go_on(&self) -> bool {
        self.may_miss_vectors || self.next.is_some()
    }

    /// Whether the index is held.
    pub(super) const fn is_awake(&self) -> bool {
        self.serving.is_some()
    }

    /// Does `work` unless the workspace rests; an error lets it rest.
    pub(super) fn attempt(
        &mut self,
        engine: &Engine,
        id: &WorkspaceId,
        work: impl FnOnce(&mut Self) -> Result<bool, EngineError>,
    ) -> bool {
        if self.rests_until.is_some_and(|until| until > Instant::now()) {
            return false;
        }
        let was_resting = self.rests_until.take().is_some();
        match self.prepare(engine, id).and_then(|()| work(self)) {
            Ok(worked) => worked,
            // It is done again, in another lane.
            Err(EngineError::Store(StoreError::OtherEpoch { .. })) => true,
            Err(error) => {
                if !was_resting {
                    tracing::error!(workspace = %id, %error, hint = error.hint(), "changes cannot be brought in for now");
                }
                self.is_trusted = false;
                self.rests_until = Some(Instant::now() + REST);
                false
            }
        }
    }

    /// Opens the index, where it is not open, and has it agree with the file table before anything is brought in.
    fn prepare(&mut self, engine: &Engine, id: &WorkspaceId) -> Result<(), EngineError> {
        if self.intelligence && self.serving.is_none() {
            let opened = engine.index(id, self.epoch);
            if engine.store.workspace(id)?.epoch != self.epoch {
                return Err(StoreError::OtherEpoch { id: id.clone() }.into());
            }
            self.serving = Some(Serving::of(engine, opened?)?);
        }
        if let Some(Serving { index, model }) = self.serving.as_ref().filter(|_| !self.is_trusted) {
            let files = engine.files_at(&self.root);
            ingest::distrust_unacknowledged(&engine.line(
                (id, self.epoch),
                &*files,
                &**index,
                index.model_id(),
                model,
                &Silent,
            ))?;
            self.is_trusted = true;
        }
        Ok(())
    }

    /// Brings in one small batch of changes of this priority.
    pub(super) fn index(&mut self, engine: &Engine, id: &WorkspaceId, priority: Priority) -> Result<bool, EngineError> {
        if engine.store.first_pending(id, priority)?.is_none() {
            return Ok(false);
        }
        let limits = match priority {
            Priority::Interactive => BatchLimits::INTERACTIVE,
            Priority::Backfill => BatchLimits::BESIDE_OTHERS,
        };
        engine.probe(id, &self.root, priority, limits.max_files)?;
        // A folder that is away, as on a disk that is not mounted, has not lost its files.
        ingest::canonical_folder(&self.root)?;
        let files = engine.files_at(&self.root);
        let Some(Serving { index, model }) = &self.serving else {
            return Ok(ingest::list_some(&engine.store, id, self.epoch, &*files)? > 0);
        };
        let mut report = LineReport::default();
        let told = engine.told(id);
        let line = engine.line((id, self.epoch), &*files, &**index, index.model_id(), model, &told);
        let num_done = match priority {
            Priority::Interactive => ingest::index_interactive(&line, &mut report)?,
            Priority::Backfill => ingest::index_backfill(&line, limits, &mut report)?,
        };
        if priority == Priority::Interactive {
            self.num_urgent = (self.num_urgent + report.num_chunks).min(MAX_URGENT);
        }
        self.waiting.clear();
        self.may_miss_vectors = true;
        Ok(num_done > 0)
    }

    /// Whether somebody may wait for vectors.
    pub(super) const fn has_urgent(&self) -> bool {
        self.num_urgent > 0
    }

    /// Embeds a slice of what has no vector yet.
    pub(super) fn embed(&mut self, engine: &Engine, most: usize) -> Result<bool, EngineError> {
        if self.waiting.is_empty() && self.may_miss_vectors {
            self.waiting = self.without_vectors()?;
        }
        if self.waiting.is_empty() {
            (self.may_miss_vectors, self.num_urgent) = (false, 0);
            return Ok(false);
        }
        let Some(Serving { index, model }) = &self.serving else { return Ok(false) };
        let Ok(embedder) = &model.embedder else { return Ok(false) };
        let slice: Vec<_> = self.waiting.split_off(self.waiting.len().saturating_sub(most));
        engine.embed_chunks(&**index, &**embedder, &slice)?;
        self.num_urgent = self.num_urgent.saturating_sub(slice.len());
        Ok(true)
    }

    /// Chunks to embed next, the newest at the end; none where nothing can be embedded.
    fn without_vectors(&self) -> Result<Vec<(VectorKey, String)>, EngineError> {
        let Some(Serving { index, .. }) = self.serving.as_ref().filter(|serving| serving.embeds()) else {
            return Ok(Vec::new());
        };
        // What somebody waits for is not held up by the loading of what comes after it.
        let most = if self.num_urgent > 0 { self.num_urgent } else { ingest::EMBED_BATCH };
        let mut newest_first = index.snapshot()?.unembedded(most)?;
        newest_first.reverse();
        Ok(newest_first)
    }

    /// Embeds a slice of what nobody waits for, unless another model's index is about to take over.
    pub(super) fn embed_backlog(&mut self, engine: &Engine) -> Result<bool, EngineError> {
        let is_outdated = self.serving.as_ref().is_some_and(|serving| serving.index.outdated().is_some());
        if self.next.is_some() && is_outdated {
            self.may_miss_vectors = false;
            return Ok(false);
        }
        self.embed(engine, EMBED_SLICE)
    }

    /// Goes on with the index that is being built, and lets it take over when it is done.
    pub(super) fn rebuild(&mut self, engine: &Engine, id: &WorkspaceId) -> Result<bool, EngineError> {
        let (Some(Serving { index, .. }), Some(next)) = (&self.serving, &mut self.next) else { return Ok(false) };
        ingest::canonical_folder(&self.root)?;
        let model = engine.model()?;
        let at = Site { engine, id, epoch: self.epoch, root: &self.root, live: &**index, model };
        if next.step(&at, BatchLimits::BESIDE_OTHERS, EMBED_SLICE)? {
            return Ok(true);
        }
        if let Some(next) = self.next.take() {
            // The lane is opened again then: the workspace is in another epoch.
            engine.take_index_over(&at, next)?;
        }
        Ok(true)
    }
}
