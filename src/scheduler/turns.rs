//! The order of urgency: which workspace is served next, and with which piece of work. The thread of the line goes through the turns for as
//! long as this process indexes, and takes the indexing over when nobody does it any more.
//!
//! # Invariants
//! - Interactive changes of every workspace go first and their vectors next, then what scans found, then the other vectors; after
//!   each small piece of work the line looks again.
//! - What nobody waits for runs in threads of lower priority.
//! - A workspace in which nothing happens costs a turn nothing but its entry in the map of queues: it holds no index, and it is not asked for.
//! - An error of one workspace (a full disk, a folder that is away) is tried again later and holds up no other.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use super::Scheduler;
use super::queue::{Queue, RETRY_AFTER, URGENT_SLICE};
use crate::data_folder::EngineError;
use crate::error::Advice as _;
use crate::priority::in_background;
use crate::workspace::{Priority, WorkspaceId};

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

/// Whose turn it is, and what is left to do.
#[derive(Default)]
pub(super) struct Turns {
    queues: BTreeMap<WorkspaceId, Queue>,
    /// The workspaces whose indexes have a writer, the last that was used at the back.
    written: VecDeque<WorkspaceId>,
    /// Workspaces that had an error before they had a queue.
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
    /// Goes through the turns until `stop` is set.
    pub(super) fn run(&mut self, scheduler: &Scheduler, stop: &AtomicBool) {
        let mut asked_at: Option<Instant> = None;
        while !stop.load(Ordering::Acquire) {
            if !scheduler.data.is_writer() {
                if asked_at.is_none_or(|asked_at| asked_at.elapsed() >= TAKE_OVER) {
                    asked_at = Some(Instant::now());
                    if let Err(error) = scheduler.data.take_over() {
                        tracing::warn!(%error, "whether anybody indexes cannot be told");
                    }
                }
                if !scheduler.data.is_writer() {
                    scheduler.bell.wait(POLL);
                    continue;
                }
            }
            let work = || -> Result<bool, EngineError> { Ok(self.turn(scheduler)? || self.prune(scheduler)?) };
            let worked = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
                tracing::error!("the line panicked and goes on");
                self.queues.clear();
                Ok(false)
            });
            match worked {
                Ok(true) => {
                    scheduler.waiters.ring();
                    scheduler.news.ring();
                }
                Ok(false) => {
                    scheduler.bell.wait(POLL);
                }
                Err(error) => {
                    tracing::error!(%error, hint = error.hint(), "the line cannot go on for now");
                    scheduler.bell.wait(RETRY_AFTER);
                }
            }
        }
    }

    /// One piece of work, the most urgent one; `false` where there is none.
    fn turn(&mut self, scheduler: &Scheduler) -> Result<bool, EngineError> {
        self.let_rest(scheduler);
        // Held from here on: a workspace is deleted or switched between two turns, and what is known here is of this one.
        let alone = scheduler.indexing.lock();
        let version = scheduler.data.store.version()?;
        if self.seen_version != Some(version) || self.wakes(Instant::now()) {
            self.open_queues(scheduler, &alone)?;
        } else if !self.queues.values().any(Queue::has_work_left) {
            return Ok(false);
        }
        let most_writers = MAX_WRITERS.min(scheduler.data.max_open_indexes());
        let mut worked = false;
        let written = scheduler.data.store.workspaces_with_pending(Priority::Interactive)?;
        for id in self.those(|id, queue| written.contains(id) || queue.has_urgent()) {
            let Some(queue) = self.queues.get_mut(&id) else { continue };
            let did_write = queue.attempt(scheduler, &id, |queue| queue.index(scheduler, &id, Priority::Interactive));
            worked |= did_write;
            // The vectors of what was just written come before the rest of a backfill.
            if queue.has_urgent() {
                worked |= queue.attempt(scheduler, &id, |queue| queue.embed(scheduler, URGENT_SLICE));
            }
            if did_write {
                self.has_written(&id, most_writers);
            }
        }
        if worked {
            return Ok(true);
        }
        let share = scheduler.share_for_background();
        let found = scheduler.data.store.workspaces_with_pending(Priority::Backfill)?;
        for id in self.in_turn(self.those(|id, _| found.contains(id))) {
            let Some(queue) = self.queues.get_mut(&id) else { continue };
            if queue.attempt(scheduler, &id, |queue| {
                in_background(share, || queue.index(scheduler, &id, Priority::Backfill))
            }) {
                self.has_written(&id, most_writers);
                self.last_served = Some(id);
                return Ok(true);
            }
        }
        // Nothing was pending in this state of the log.
        self.seen_version = Some(version);
        for id in self.in_turn(self.those(|_, queue| queue.may_go_on())) {
            let Some(queue) = self.queues.get_mut(&id) else { continue };
            // After the first look at an index there may be something more urgent.
            let was_awake = queue.is_awake();
            if queue.attempt(scheduler, &id, |queue| in_background(share, || queue.embed_backlog(scheduler))) {
                self.last_served = Some(id);
                return Ok(true);
            }
            if !was_awake {
                return Ok(true);
            }
        }
        for id in self.in_turn(self.those(|_, queue| queue.may_go_on())) {
            let Some(queue) = self.queues.get_mut(&id) else { continue };
            if queue.attempt(scheduler, &id, |queue| in_background(share, || queue.rebuild(scheduler, &id))) {
                self.last_served = Some(id);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Has queues let go of their indexes that have nothing to do, unless they were the last that were written to.
    fn let_rest(&mut self, scheduler: &Scheduler) {
        let idle = self.those(|id, queue| queue.is_awake() && !queue.may_go_on() && !self.written.contains(id));
        for id in &idle {
            if let Some(queue) = self.queues.get_mut(id) {
                queue.rest(id);
            }
        }
        if !idle.is_empty() {
            scheduler.data.let_go_of_idle_indexes();
        }
    }

    /// The workspaces whose queues are so, by name.
    fn those(&self, are_so: impl Fn(&WorkspaceId, &Queue) -> bool) -> Vec<WorkspaceId> {
        self.queues.iter().filter(|(id, queue)| are_so(id, queue)).map(|(id, _)| id.clone()).collect()
    }

    /// Notes that an index was written to. Those that were written to longest ago let go of their writers, beyond as many as may be open.
    fn has_written(&mut self, id: &WorkspaceId, most: usize) {
        self.written.retain(|other| other != id);
        self.written.push_back(id.clone());
        while self.written.len() > most {
            let Some(idle) = self.written.pop_front() else { return };
            if let Some(queue) = self.queues.get_mut(&idle) {
                queue.rest(&idle);
            }
        }
    }

    /// Removes some old changes from the log when nothing else is to be done; `false` where none is too old.
    fn prune(&mut self, scheduler: &Scheduler) -> Result<bool, EngineError> {
        let now = Instant::now();
        if self.prunes_at.is_some_and(|at| at > now) {
            return Ok(false);
        }
        for id in self.queues.keys() {
            if scheduler.data.store.prune(id, KEPT_CHANGES)? > 0 {
                return Ok(true);
            }
            scheduler.data.remove_unwanted_documents(id)?;
        }
        self.prunes_at = Some(now + PRUNES_EVERY);
        Ok(false)
    }

    /// Whether something that has failed is due to be tried again.
    fn wakes(&self, now: Instant) -> bool {
        let is_due = |at: &Instant| *at <= now;
        self.absent.values().any(is_due)
            || self.queues.values().any(|queue| queue.retry_at.as_ref().is_some_and(is_due))
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

    fn open_queues(&mut self, scheduler: &Scheduler, alone: &MutexGuard<'_, ()>) -> Result<(), EngineError> {
        let now = Instant::now();
        let rows = scheduler.data.store.workspaces()?;
        let epochs: HashMap<&WorkspaceId, i64> = rows.iter().map(|row| (&row.id, row.epoch)).collect();
        self.queues.retain(|id, queue| epochs.get(id) == Some(&queue.epoch));
        let has_failed = self.removes_at.take().is_some();
        if let Err(error) = scheduler.remove_deleted(alone) {
            if !has_failed {
                tracing::error!(%error, hint = error.hint(), "what is left of a deleted workspace cannot be removed for now");
            }
            self.removes_at = Some(now + RETRY_AFTER);
        }
        for row in rows {
            let id = row.id.clone();
            let Some(root) = &row.root else { continue };
            if self.absent.get(&id).is_some_and(|until| *until > now) {
                continue;
            }
            let opened = match self.queues.get_mut(&id).filter(|queue| queue.root == *root) {
                Some(queue) => queue.open_next(scheduler, &row),
                None => {
                    Queue::open(scheduler, &row, root, alone).map(|queue| drop(self.queues.insert(id.clone(), queue)))
                }
            };
            match opened {
                Ok(()) => drop(self.absent.remove(&id)),
                Err(error) => {
                    tracing::error!(workspace = %id, %error, hint = error.hint(), "the index cannot be opened");
                    self.absent.insert(id, now + RETRY_AFTER);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::data_folder::{Access, DataFolder, OpenOptions};
    use crate::store::{Fingerprint, Observation};
    use crate::workspace::ChangeKind;

    fn scheduler_of(folder: &Path) -> Scheduler {
        let options = OpenOptions::new(folder, Access::Write, "a test");
        Scheduler::new(Arc::new(DataFolder::open(options).unwrap()))
    }

    #[test]
    fn what_is_left_of_a_deleted_workspace_is_tried_again_although_nothing_else_happens() {
        let data = tempfile::tempdir().unwrap();
        let scheduler = scheduler_of(data.path());
        let id: WorkspaceId = "gone".parse().unwrap();
        scheduler.data.store.ensure_workspace(&id, None).unwrap();
        let kept = data.path().join("workspaces/gone");
        fs_err::create_dir_all(&kept).unwrap();
        // What it is put aside as cannot be removed: it is no folder.
        let aside = data.path().join("workspaces/.deleted-gone");
        fs_err::write(&aside, "in the way").unwrap();
        scheduler.data.store.delete_workspace(&id).unwrap();
        let mut turns = Turns::default();
        let alone = scheduler.indexing.lock();
        turns.open_queues(&scheduler, &alone).unwrap();
        assert!(kept.exists());
        assert!(turns.wakes(Instant::now() + RETRY_AFTER));
        fs_err::remove_file(aside).unwrap();
        turns.open_queues(&scheduler, &alone).unwrap();
        assert!(!kept.exists() && scheduler.data.store.deleted_workspaces().unwrap().is_empty());
        assert!(!turns.wakes(Instant::now() + RETRY_AFTER));
    }

    #[test]
    fn a_write_that_does_not_end_holds_up_its_own_workspace_alone() {
        let data = tempfile::tempdir().unwrap();
        let scheduler = scheduler_of(data.path());
        let store = &scheduler.data.store;
        let folders =
            ["hangs", "works"].map(|name| (name.parse::<WorkspaceId>().unwrap(), tempfile::tempdir().unwrap()));
        for (id, folder) in &folders {
            store.ensure_workspace(id, Some(folder.path())).unwrap();
            store.set_intelligence(id, false).unwrap();
            // A file that is gone before it is looked at.
            let gone = Observation::new("a.md".parse().unwrap(), ChangeKind::Created, Fingerprint::NONE, true);
            store.log(id, &[gone], Priority::Interactive).unwrap();
        }
        let [hangs, works] = folders.each_ref().map(|(id, _)| id);
        let kinds = |id: &WorkspaceId| {
            let changes = store.recent_changes(id, 9).unwrap();
            changes.iter().map(|change| change.kind).collect::<Vec<_>>()
        };
        let write = scheduler.data.lock_files(hangs).unwrap();
        let mut turns = Turns::default();
        while turns.turn(&scheduler).unwrap() {}
        assert_eq!(kinds(works), [ChangeKind::Deleted, ChangeKind::Created]);
        assert_eq!((kinds(hangs).len(), store.num_pending(hangs, Priority::Interactive, 9).unwrap()), (1, 1));
        drop(write);
        turns.queues.get_mut(hangs).unwrap().retry_at = None;
        turns.seen_version = None;
        while turns.turn(&scheduler).unwrap() {}
        assert_eq!(kinds(hangs), [ChangeKind::Deleted, ChangeKind::Created]);
    }

    #[test]
    fn of_many_workspaces_those_written_to_last_keep_a_writer() {
        let data = tempfile::tempdir().unwrap();
        let scheduler = scheduler_of(data.path());
        let mut turns = Turns::default();
        let ids: Vec<WorkspaceId> = (0..40).map(|number| format!("w{number}").parse().unwrap()).collect();
        turns.open_queues(&scheduler, &scheduler.indexing.lock()).unwrap();
        for id in ids.iter().chain(&ids[36..]) {
            turns.has_written(id, MAX_WRITERS);
        }
        assert_eq!(turns.written.len(), MAX_WRITERS);
        assert_eq!(turns.written.back(), ids.last());
        assert!(ids[32..].iter().all(|id| turns.written.contains(id)));
    }
}
