//! The line as it runs: a thread that brings changes in as they are logged, by this process or another, for as long as this
//! one indexes; and that takes the indexing over when nobody does it any more.
//!
//! # Invariants
//! - Interactive changes of every workspace go first and their vectors next, then what scans found, then the other vectors; after
//!   each small piece of work the line looks again.
//! - What nobody waits for runs in threads of lower priority.
//! - An error of one workspace (a full disk, a folder that is away) is tried again later and holds up no other.
//! - Its threads end when the [`Runner`] is dropped, and never live longer.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::sources::Sources;
use super::{Engine, EngineError, lock};
use crate::embed::OpenModel;
use crate::error::Advice as _;
use crate::index::embedded::EmbeddedIndex;
use crate::index::{Index as _, VectorKey};
use crate::ingest::{self, BatchLimits, LineReport};
use crate::priority::in_background;
use crate::workspace::{Priority, WorkspaceId, WorkspaceRow};

/// How often the line looks for changes that other processes have logged.
const POLL: Duration = Duration::from_millis(50);
/// How often a process that does not index tries to take over.
const TAKE_OVER: Duration = Duration::from_secs(1);
/// How long a workspace rests after an error.
const REST: Duration = Duration::from_secs(1);
/// Chunks that are embedded before the line looks for newer changes: about a tenth of a second.
const EMBED_SLICE: usize = 8;
/// The same of interactive changes: as many as a file of 10 KB has.
const URGENT_SLICE: usize = 16;
/// Chunks of interactive changes that are embedded before a backfill goes on: a second or two.
const MAX_URGENT: usize = 128;

/// Wakes the line.
#[derive(Debug, Default)]
pub(super) struct Bell {
    is_rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *lock(&self.is_rung) = true;
        self.changed.notify_all();
    }

    /// Waits until the bell is rung, but no longer than `most`. One waits at a time.
    fn wait(&self, most: Duration) -> bool {
        let guard = lock(&self.is_rung);
        let (mut guard, _) =
            self.changed.wait_timeout_while(guard, most, |rung| !*rung).unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *guard)
    }
}

/// The line while it runs. Dropping it ends the line after the piece of work it is at.
pub struct Runner {
    engine: Arc<Engine>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Runs the line: from now on the folders of all workspaces are watched, and changes are brought in as they are logged,
    /// here or, as long as another process indexes, there.
    ///
    /// # Errors
    /// When this process only reads, the log cannot be read, or the system has no thread left.
    pub fn run(self: &Arc<Self>) -> Result<Runner, EngineError> {
        self.must_log()?;
        self.remember_replays()?;
        let mut runner = Runner { engine: Arc::clone(self), stop: Arc::default(), threads: Vec::new() };
        runner.spawn("line", |engine, stop| Turns::default().run(engine, stop))?;
        runner.spawn("sources", |engine, stop| Sources::new().run(engine, stop))?;
        Ok(runner)
    }

    /// Whether what was in a workspace's log when the line was started has been brought in.
    ///
    /// # Errors
    /// [`EngineError::Replaying`] when it has not, others when the log cannot be read.
    pub fn check_replayed(&self, id: &WorkspaceId) -> Result<(), EngineError> {
        let Some(&through) = lock(&self.replays).get(id) else { return Ok(()) };
        self.store.workspace(id)?;
        if self.store.settled_revision(id)? < through {
            return Err(EngineError::Replaying);
        }
        lock(&self.replays).remove(id);
        Ok(())
    }

    fn remember_replays(&self) -> Result<(), EngineError> {
        let mut replays = lock(&self.replays);
        for WorkspaceRow { id, .. } in self.store.workspaces()? {
            let last = self.store.last_revision(&id)?;
            if self.store.settled_revision(&id)? < last {
                replays.insert(id, last);
            }
        }
        Ok(())
    }
}

impl Runner {
    fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce(&Engine, &AtomicBool) + Send + 'static,
    ) -> Result<(), EngineError> {
        let (engine, stop) = (Arc::clone(&self.engine), Arc::clone(&self.stop));
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&engine, &stop));
        self.threads.push(thread.map_err(EngineError::Thread)?);
        Ok(())
    }

    fn tell_to_stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.engine.bell.ring();
    }

    /// Ends the line, and returns whether it has ended within `deadline`. What it was at is done again at the next start.
    #[must_use]
    pub fn stop_within(mut self, deadline: Duration) -> bool {
        self.tell_to_stop();
        let end = Instant::now() + deadline;
        while self.threads.iter().any(|thread| !thread.is_finished()) {
            if Instant::now() >= end {
                // Whoever asked ends the process, and the threads with it.
                self.threads.clear();
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.tell_to_stop();
        for thread in self.threads.drain(..) {
            // Its panics are caught and logged where they happen.
            let _ = thread.join();
        }
    }
}

/// What the line knows of one workspace.
struct Lane {
    root: PathBuf,
    epoch: i64,
    /// None where files are only listed.
    index: Option<Arc<EmbeddedIndex>>,
    /// Chunks to embed next, newest files first, from the back.
    waiting: Vec<(VectorKey, String)>,
    /// How many chunks, at the most, interactive changes have brought that are not embedded yet.
    num_urgent: usize,
    /// Whether the index may hold chunks without a vector that are not in `waiting`.
    may_miss_vectors: bool,
    /// Whether the file table is known to say what the index holds.
    is_trusted: bool,
    /// When it is tried again after an error.
    rests_until: Option<Instant>,
}

/// Whose turn it is, and what is left to do.
#[derive(Default)]
struct Turns {
    lanes: BTreeMap<WorkspaceId, Lane>,
    /// Workspaces that had an error before they had a lane.
    absent: BTreeMap<WorkspaceId, Instant>,
    /// The workspace whose backfill or vectors were served last: the next one is served next.
    last_served: Option<WorkspaceId>,
    seen_version: Option<i64>,
}

impl Turns {
    fn run(&mut self, engine: &Engine, stop: &AtomicBool) {
        let mut asked_at: Option<Instant> = None;
        while !stop.load(Ordering::Acquire) {
            if !engine.is_writer() {
                if asked_at.is_none_or(|asked_at| asked_at.elapsed() >= TAKE_OVER) {
                    asked_at = Some(Instant::now());
                    if let Err(error) = engine.take_over() {
                        tracing::warn!(%error, "whether anybody indexes cannot be told");
                    }
                }
                if !engine.is_writer() {
                    engine.bell.wait(POLL);
                    continue;
                }
            }
            let worked = catch_unwind(AssertUnwindSafe(|| self.turn(engine))).unwrap_or_else(|_| {
                tracing::error!("the line panicked and goes on");
                self.lanes.clear();
                Ok(false)
            });
            match worked {
                Ok(true) => {}
                Ok(false) => {
                    engine.bell.wait(POLL);
                }
                Err(error) => {
                    tracing::error!(%error, hint = error.hint(), "the line cannot go on for now");
                    engine.bell.wait(REST);
                }
            }
        }
    }

    /// One piece of work, the most urgent one; `false` where there is none.
    fn turn(&mut self, engine: &Engine) -> Result<bool, EngineError> {
        // Held from here on: a workspace is deleted or switched between two turns, and what is known here is of this one.
        let alone = lock(&engine.indexing);
        let version = engine.store.version()?;
        let now = Instant::now();
        let is_rested = |until: &Instant| *until <= now;
        let wakes = self.absent.values().any(is_rested)
            || self.lanes.values().any(|lane| lane.rests_until.as_ref().is_some_and(is_rested));
        if self.seen_version != Some(version) || wakes {
            self.open_lanes(engine, &alone)?;
        } else if !self.lanes.values().any(|lane| lane.may_miss_vectors && lane.rests_until.is_none()) {
            return Ok(false);
        }
        let model = engine.model()?;
        let mut worked = false;
        for (id, lane) in &mut self.lanes {
            worked |=
                lane.attempt(engine, id, model, true, |lane| lane.index(engine, id, model, Priority::Interactive));
            // The vectors of what was just written come before the rest of a backfill.
            if lane.num_urgent > 0 {
                worked |= lane.attempt(engine, id, model, false, |lane| lane.embed(model, URGENT_SLICE));
            }
        }
        if worked {
            return Ok(true);
        }
        for id in self.in_turn() {
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            let backfill = |lane: &mut Lane| in_background(|| lane.index(engine, &id, model, Priority::Backfill));
            if lane.attempt(engine, &id, model, true, backfill) {
                self.last_served = Some(id);
                return Ok(true);
            }
        }
        // Nothing was pending in this state of the log.
        self.seen_version = Some(version);
        for id in self.in_turn() {
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            let vectors = |lane: &mut Lane| in_background(|| lane.embed(model, EMBED_SLICE));
            if lane.attempt(engine, &id, model, false, vectors) {
                self.last_served = Some(id);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The workspaces, beginning after the one that was served last.
    fn in_turn(&self) -> Vec<WorkspaceId> {
        let mut ids: Vec<WorkspaceId> = self.lanes.keys().cloned().collect();
        if let Some(last) = &self.last_served {
            let next = ids.partition_point(|id| id <= last);
            ids.rotate_left(next);
        }
        ids
    }

    fn open_lanes(&mut self, engine: &Engine, alone: &MutexGuard<'_, ()>) -> Result<(), EngineError> {
        let now = Instant::now();
        let rows = engine.store.workspaces()?;
        self.lanes.retain(|id, lane| rows.iter().any(|row| row.id == *id && row.epoch == lane.epoch));
        if let Err(error) = engine.remove_deleted(alone) {
            tracing::error!(%error, hint = error.hint(), "what is left of a deleted workspace cannot be removed for now");
        }
        for WorkspaceRow { id, root, intelligence, epoch } in rows {
            let Some(root) = root else { continue };
            if self.absent.get(&id).is_some_and(|until| *until > now) {
                continue;
            }
            if self.lanes.get(&id).is_some_and(|lane| lane.root == root) {
                continue;
            }
            let opened = if intelligence {
                engine.index(&id, epoch).map(Some)
            } else {
                engine.remove_index(&id, alone).map(|()| None)
            };
            match opened {
                Ok(index) => {
                    self.absent.remove(&id);
                    self.lanes.insert(id, Lane::new(root, epoch, index));
                }
                Err(error) => {
                    tracing::error!(workspace = %id, %error, hint = error.hint(), "the index cannot be opened");
                    self.absent.insert(id, now + REST);
                }
            }
        }
        Ok(())
    }
}

impl Lane {
    const fn new(root: PathBuf, epoch: i64, index: Option<Arc<EmbeddedIndex>>) -> Self {
        Self {
            root,
            epoch,
            index,
            waiting: Vec::new(),
            num_urgent: 0,
            may_miss_vectors: true,
            is_trusted: false,
            rests_until: None,
        }
    }

    /// Does `work` unless the workspace rests; an error lets it rest.
    fn attempt(
        &mut self,
        engine: &Engine,
        id: &WorkspaceId,
        model: &OpenModel,
        needs_files: bool,
        work: impl FnOnce(&mut Self) -> Result<bool, EngineError>,
    ) -> bool {
        if self.rests_until.is_some_and(|until| until > Instant::now()) {
            return false;
        }
        let was_resting = self.rests_until.take().is_some();
        let attempted = if needs_files { self.prepare(engine, id, model) } else { Ok(()) }.and_then(|()| work(self));
        match attempted {
            Ok(worked) => worked,
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

    fn prepare(&mut self, engine: &Engine, id: &WorkspaceId, model: &OpenModel) -> Result<(), EngineError> {
        if let Some(index) = self.index.as_ref().filter(|_| !self.is_trusted) {
            ingest::distrust_unacknowledged(&engine.line(id, &self.root, &**index, model))?;
            self.is_trusted = true;
        }
        Ok(())
    }

    fn index(
        &mut self,
        engine: &Engine,
        id: &WorkspaceId,
        model: &OpenModel,
        priority: Priority,
    ) -> Result<bool, EngineError> {
        if engine.store.first_pending(id, priority)?.is_none() {
            return Ok(false);
        }
        // A folder that is away, as on a disk that is not mounted, has not lost its files.
        ingest::canonical_folder(&self.root)?;
        let Some(index) = &self.index else { return Ok(ingest::list_some(&engine.store, id, &self.root)? > 0) };
        let mut report = LineReport::default();
        let line = engine.line(id, &self.root, &**index, model);
        let num_done = match priority {
            Priority::Interactive => ingest::index_interactive(&line, &mut report)?,
            Priority::Backfill => ingest::index_backfill(&line, BatchLimits::BESIDE_OTHERS, &mut report)?,
        };
        if priority == Priority::Interactive {
            self.num_urgent = (self.num_urgent + report.num_chunks).min(MAX_URGENT);
        }
        self.waiting.clear();
        self.may_miss_vectors = true;
        Ok(num_done > 0)
    }

    /// Embeds a slice of what has no vector yet.
    fn embed(&mut self, model: &OpenModel, most: usize) -> Result<bool, EngineError> {
        if self.waiting.is_empty() && self.may_miss_vectors {
            self.waiting = self.without_vectors(model)?;
        }
        if self.waiting.is_empty() {
            (self.may_miss_vectors, self.num_urgent) = (false, 0);
            return Ok(false);
        }
        let (Ok(embedder), Some(index)) = (&model.embedder, &self.index) else { return Ok(false) };
        let slice: Vec<_> = self.waiting.split_off(self.waiting.len().saturating_sub(most));
        ingest::embed(&**index, &**embedder, &slice)?;
        self.num_urgent = self.num_urgent.saturating_sub(slice.len());
        Ok(true)
    }

    /// Chunks to embed next, the newest at the end; none where nothing can be embedded.
    fn without_vectors(&self, model: &OpenModel) -> Result<Vec<(VectorKey, String)>, EngineError> {
        let (Ok(_), Some(index)) = (&model.embedder, &self.index) else { return Ok(Vec::new()) };
        // What somebody waits for is not held up by the loading of what comes after it.
        let most = if self.num_urgent > 0 { self.num_urgent } else { ingest::EMBED_BATCH };
        let mut newest_first = index.snapshot()?.unembedded(most)?;
        newest_first.reverse();
        Ok(newest_first)
    }
}
