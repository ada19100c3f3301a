//! The line as it runs: a thread that brings changes in as they are logged, by this process or another, for as long as this
//! one indexes; and that takes the indexing over when nobody does it any more.
//!
//! # Invariants
//! - Interactive changes of every workspace go first and their vectors next, then what scans found, then the other vectors; after
//!   each small piece of work the line looks again.
//! - What nobody waits for runs in threads of lower priority.
//! - A workspace in which nothing happens costs a turn nothing but its entry in the map of lanes: it holds no index, and it is not asked for.
//! - An error of one workspace (a full disk, a folder that is away) is tried again later and holds up no other.
//! - Its threads end when the [`Runner`] is dropped, and never live longer.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::lane::{Lane, REST, URGENT_SLICE};
use super::sources::Sources;
use super::{Engine, EngineError, Workspace};
use crate::error::Advice as _;
use crate::priority::in_background;
use crate::store::WorkspaceRow;
use crate::workspace::{Priority, Revision, WorkspaceId};

/// How often the line looks for changes that other processes have logged.
const POLL: Duration = Duration::from_millis(50);
/// How often a process that does not index tries to take over.
const TAKE_OVER: Duration = Duration::from_secs(1);
/// Changes that the log keeps of each workspace, besides those that are pending.
pub(super) const KEPT_CHANGES: usize = 100_000;
/// Indexes whose writers stay open. Each has three threads and some megabytes of its own; to open one takes milliseconds.
const MAX_WRITERS: usize = 8;
/// How often older ones are looked for.
const PRUNES_EVERY: Duration = Duration::from_mins(10);

/// What has to be done of a workspace before it counts as brought up to date since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replay {
    /// Its folder has to be compared first.
    AwaitsScan,
    /// All changes up to this one.
    Through(Revision),
}

/// Wakes the line.
#[derive(Debug, Default)]
pub(super) struct Bell {
    is_rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    pub(super) fn ring(&self) {
        *self.is_rung.lock() = true;
        self.changed.notify_all();
    }

    /// Waits until the bell is rung, but no longer than `most`. One waits at a time.
    fn wait(&self, most: Duration) -> bool {
        let mut guard = self.is_rung.lock();
        self.changed.wait_while_for(&mut guard, |rung| !*rung, most);
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
        let most_watched = usize::try_from(self.config.limits.watched_folders).unwrap_or(usize::MAX);
        runner.spawn("sources", move |engine, stop| Sources::new(most_watched).run(engine, stop))?;
        Ok(runner)
    }

    fn remember_replays(&self) -> Result<(), EngineError> {
        let mut replays = self.replays.lock();
        for WorkspaceRow { id, root, .. } in self.store.workspaces()? {
            let last = self.store.last_revision(&id)?;
            if root.is_some() && self.is_writer() {
                replays.insert(id, Replay::AwaitsScan);
            } else if self.store.settled_revision(&id)? < last {
                replays.insert(id, Replay::Through(last));
            }
        }
        Ok(())
    }

    /// Takes note that a folder was scanned, or is away: what is logged by now is all that a start has to bring in.
    pub(super) fn note_first_scan(&self, id: &WorkspaceId) -> Result<(), EngineError> {
        if self.replays.lock().get(id) == Some(&Replay::AwaitsScan) {
            let last = self.store.last_revision(id)?;
            self.replays.lock().insert(id.clone(), Replay::Through(last));
        }
        Ok(())
    }
}

impl Workspace<'_> {
    /// Whether what was in a workspace's log when the line was started has been brought in, and what its first scan found.
    ///
    /// # Errors
    /// [`EngineError::Replaying`] when it has not, others when the log cannot be read.
    pub fn check_replayed(&self) -> Result<(), EngineError> {
        let id = &self.id;
        let Some(&replay) = self.engine.replays.lock().get(id) else { return Ok(()) };
        self.engine.store.workspace(id)?;
        match replay {
            Replay::Through(through) if self.engine.store.settled_revision(id)? >= through => {}
            Replay::Through(_) | Replay::AwaitsScan => return Err(EngineError::Replaying),
        }
        self.engine.replays.lock().remove(id);
        Ok(())
    }
}

impl Runner {
    fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce(&Arc<Engine>, &AtomicBool) + Send + 'static,
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
                // The caller ends the process, and the threads with it.
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

/// Whose turn it is, and what is left to do.
#[derive(Default)]
struct Turns {
    lanes: BTreeMap<WorkspaceId, Lane>,
    /// The workspaces whose indexes have a writer, the last that was used at the back.
    written: VecDeque<WorkspaceId>,
    /// Workspaces that had an error before they had a lane.
    absent: BTreeMap<WorkspaceId, Instant>,
    /// The workspace whose backfill or vectors were served last: the next one is served next.
    last_served: Option<WorkspaceId>,
    seen_version: Option<i64>,
    /// When what is left of deleted workspaces is removed again, after that has failed.
    removes_at: Option<Instant>,
    /// When the log is pruned again.
    prunes_at: Option<Instant>,
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
            let work = || -> Result<bool, EngineError> { Ok(self.turn(engine)? || self.prune(engine)?) };
            let worked = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
                tracing::error!("the line panicked and goes on");
                self.lanes.clear();
                Ok(false)
            });
            match worked {
                Ok(true) => engine.waiters.ring(),
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
        self.let_rest(engine);
        // Held from here on: a workspace is deleted or switched between two turns, and what is known here is of this one.
        let alone = engine.indexing.lock();
        let version = engine.store.version()?;
        if self.seen_version != Some(version) || self.wakes(Instant::now()) {
            self.open_lanes(engine, &alone)?;
        } else if !self.lanes.values().any(Lane::has_work_left) {
            return Ok(false);
        }
        let most_writers = MAX_WRITERS.min(engine.max_open_indexes());
        let mut worked = false;
        let written = engine.store.workspaces_with_pending(Priority::Interactive)?;
        for id in self.those(|id, lane| written.contains(id) || lane.has_urgent()) {
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            let did_write = lane.attempt(engine, &id, |lane| lane.index(engine, &id, Priority::Interactive));
            worked |= did_write;
            // The vectors of what was just written come before the rest of a backfill.
            if lane.has_urgent() {
                worked |= lane.attempt(engine, &id, |lane| lane.embed(engine, URGENT_SLICE));
            }
            if did_write {
                self.has_written(&id, most_writers);
            }
        }
        if worked {
            return Ok(true);
        }
        let share = engine.share_for_background();
        let found = engine.store.workspaces_with_pending(Priority::Backfill)?;
        for id in self.in_turn(self.those(|id, _| found.contains(id))) {
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            if lane.attempt(engine, &id, |lane| in_background(share, || lane.index(engine, &id, Priority::Backfill))) {
                self.has_written(&id, most_writers);
                self.last_served = Some(id);
                return Ok(true);
            }
        }
        // Nothing was pending in this state of the log.
        self.seen_version = Some(version);
        for id in self.in_turn(self.those(|_, lane| lane.may_go_on())) {
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            // After the first look at an index there may be something more urgent.
            let was_awake = lane.is_awake();
            if lane.attempt(engine, &id, |lane| in_background(share, || lane.embed_backlog(engine))) {
                self.last_served = Some(id);
                return Ok(true);
            }
            if !was_awake {
                return Ok(true);
            }
        }
        for id in self.in_turn(self.those(|_, lane| lane.may_go_on())) {
            let Some(lane) = self.lanes.get_mut(&id) else { continue };
            if lane.attempt(engine, &id, |lane| in_background(share, || lane.rebuild(engine, &id))) {
                self.last_served = Some(id);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Has lanes let go of their indexes that have nothing to do, unless they were the last that were written to.
    fn let_rest(&mut self, engine: &Engine) {
        let idle = self.those(|id, lane| lane.is_awake() && !lane.may_go_on() && !self.written.contains(id));
        for id in &idle {
            if let Some(lane) = self.lanes.get_mut(id) {
                lane.rest(id);
            }
        }
        if !idle.is_empty() {
            engine.indexes.lock().let_go();
        }
    }

    /// The workspaces whose lanes are so, by name.
    fn those(&self, are_so: impl Fn(&WorkspaceId, &Lane) -> bool) -> Vec<WorkspaceId> {
        self.lanes.iter().filter(|(id, lane)| are_so(id, lane)).map(|(id, _)| id.clone()).collect()
    }

    /// Notes that an index was written to. Those that were written to longest ago let go of their writers, beyond as many as may be open.
    fn has_written(&mut self, id: &WorkspaceId, most: usize) {
        self.written.retain(|other| other != id);
        self.written.push_back(id.clone());
        while self.written.len() > most {
            let Some(idle) = self.written.pop_front() else { return };
            if let Some(lane) = self.lanes.get_mut(&idle) {
                lane.rest(&idle);
            }
        }
    }

    /// Removes some old changes from the log when nothing else is to be done; `false` where none is too old.
    fn prune(&mut self, engine: &Engine) -> Result<bool, EngineError> {
        let now = Instant::now();
        if self.prunes_at.is_some_and(|at| at > now) {
            return Ok(false);
        }
        for id in self.lanes.keys() {
            if engine.store.prune(id, KEPT_CHANGES)? > 0 {
                return Ok(true);
            }
            engine.remove_unwanted_documents(id)?;
        }
        self.prunes_at = Some(now + PRUNES_EVERY);
        Ok(false)
    }

    /// Whether something that has failed is due to be tried again.
    fn wakes(&self, now: Instant) -> bool {
        let is_due = |at: &Instant| *at <= now;
        self.absent.values().any(is_due)
            || self.lanes.values().any(|lane| lane.rests_until.as_ref().is_some_and(is_due))
            || self.removes_at.as_ref().is_some_and(is_due)
    }

    /// Workspaces, by name, in the order of their turns: they begin after the one that was served last.
    fn in_turn(&self, mut ids: Vec<WorkspaceId>) -> Vec<WorkspaceId> {
        if let Some(last) = &self.last_served {
            let next = ids.partition_point(|id| id <= last);
            ids.rotate_left(next);
        }
        ids
    }

    fn open_lanes(&mut self, engine: &Engine, alone: &MutexGuard<'_, ()>) -> Result<(), EngineError> {
        let now = Instant::now();
        let rows = engine.store.workspaces()?;
        let epochs: HashMap<&WorkspaceId, i64> = rows.iter().map(|row| (&row.id, row.epoch)).collect();
        self.lanes.retain(|id, lane| epochs.get(id) == Some(&lane.epoch));
        let has_failed = self.removes_at.take().is_some();
        if let Err(error) = engine.remove_deleted(alone) {
            if !has_failed {
                tracing::error!(%error, hint = error.hint(), "what is left of a deleted workspace cannot be removed for now");
            }
            self.removes_at = Some(now + REST);
        }
        for row in rows {
            let id = row.id.clone();
            let Some(root) = &row.root else { continue };
            if self.absent.get(&id).is_some_and(|until| *until > now) {
                continue;
            }
            let opened = match self.lanes.get_mut(&id).filter(|lane| lane.root == *root) {
                Some(lane) => lane.open_next(engine, &row),
                None => Lane::open(engine, &row, root, alone).map(|lane| drop(self.lanes.insert(id.clone(), lane))),
            };
            match opened {
                Ok(()) => drop(self.absent.remove(&id)),
                Err(error) => {
                    tracing::error!(workspace = %id, %error, hint = error.hint(), "the index cannot be opened");
                    self.absent.insert(id, now + REST);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Access, OpenOptions};

    #[test]
    fn what_is_left_of_a_deleted_workspace_is_tried_again_although_nothing_else_happens() {
        let data = tempfile::tempdir().unwrap();
        let engine = Engine::open(OpenOptions::new(data.path(), Access::Write, "a test")).unwrap();
        let id: WorkspaceId = "gone".parse().unwrap();
        engine.ensure_workspace(&id, None).unwrap();
        let kept = data.path().join("workspaces/gone");
        fs_err::create_dir_all(&kept).unwrap();
        // What it is put aside as cannot be removed: it is no folder.
        let aside = data.path().join("workspaces/.deleted-gone");
        fs_err::write(&aside, "in the way").unwrap();
        engine.store.delete_workspace(&id).unwrap();
        let mut turns = Turns::default();
        let alone = engine.indexing.lock();
        turns.open_lanes(&engine, &alone).unwrap();
        assert!(kept.exists());
        assert!(turns.wakes(Instant::now() + REST));
        fs_err::remove_file(aside).unwrap();
        turns.open_lanes(&engine, &alone).unwrap();
        assert!(!kept.exists() && engine.store.deleted_workspaces().unwrap().is_empty());
        assert!(!turns.wakes(Instant::now() + REST));
    }
    #[test]
    fn of_many_workspaces_those_written_to_last_keep_a_writer() {
        let data = tempfile::tempdir().unwrap();
        let engine = Engine::open(OpenOptions::new(data.path(), Access::Write, "a test")).unwrap();
        let mut turns = Turns::default();
        let ids: Vec<WorkspaceId> = (0..40).map(|number| format!("w{number}").parse().unwrap()).collect();
        turns.open_lanes(&engine, &engine.indexing.lock()).unwrap();
        for id in ids.iter().chain(&ids[36..]) {
            turns.has_written(id, MAX_WRITERS);
        }
        assert_eq!(turns.written.len(), MAX_WRITERS);
        assert_eq!(turns.written.back(), ids.last());
        assert!(ids[32..].iter().all(|id| turns.written.contains(id)));
    }
}
