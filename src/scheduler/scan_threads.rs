//! The threads that look at folders: one, and another one for each that hangs in the file system.
//!
//! # Invariants
//! - A look that shows no progress for [`STUCK_AFTER`] is stuck: `status` and `readyz` name its workspace, and the other workspaces
//!   are looked at by another thread.
//! - There are never more than [`MAX_THREADS`] of them.
//! - All but stuck ones have ended when [`ScanThreads::end`] returns. A stuck one ends with its call, or with the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::ingest::{Progress, Stage};
use crate::workspace::{RelPath, WorkspaceId};

/// A look that shows no progress for so long hangs in a call of the system, as where a network's file system does not answer.
pub(super) const STUCK_AFTER: Duration = Duration::from_mins(1);
/// More threads than this do not look at folders, however many release.
const MAX_THREADS: usize = 8;
/// How often it is looked whether a thread has ended.
const WAIT_STEP: Duration = Duration::from_millis(5);

/// When a look showed progress last.
#[derive(Debug)]
pub(super) struct Beat(Mutex<Instant>);

impl Beat {
    fn now() -> Arc<Self> {
        Arc::new(Self(Mutex::new(Instant::now())))
    }

    fn touch(&self) {
        *self.0.lock() = Instant::now();
    }

    fn silent_for(&self) -> Duration {
        self.0.lock().elapsed()
    }
}

impl Progress for Beat {
    fn begin(&self, _: Stage, _: Option<u64>) {
        self.touch();
    }

    fn advance(&self, _: u64) {
        self.touch();
    }

    fn entering(&self, _: &str) {
        self.touch();
    }

    fn reading(&self, _: &RelPath, _: u64, _: u64) {
        self.touch();
    }

    fn end(&self) {
        self.touch();
    }
}

/// The scans that are being taken in this process, by workspace.
#[derive(Debug, Default)]
pub(super) struct Scans(Mutex<BTreeMap<WorkspaceId, Arc<Beat>>>);

impl Scans {
    /// For how long the look at a workspace's folder has shown no progress, where it is stuck.
    pub(super) fn stuck(&self, id: &WorkspaceId) -> Option<Duration> {
        let silent_for = self.0.lock().get(id)?.silent_for();
        (silent_for >= STUCK_AFTER).then_some(silent_for)
    }

    /// The workspaces whose look is stuck.
    pub(super) fn all_stuck(&self) -> Vec<WorkspaceId> {
        let scans = self.0.lock();
        scans.iter().filter(|(_, beat)| beat.silent_for() >= STUCK_AFTER).map(|(id, _)| id.clone()).collect()
    }

    fn begin(&self, id: &WorkspaceId) -> Arc<Beat> {
        let beat = Beat::now();
        self.0.lock().insert(id.clone(), Arc::clone(&beat));
        beat
    }

    fn end(&self, id: &WorkspaceId) {
        self.0.lock().remove(id);
    }
}

type Job = Box<dyn FnOnce(&Slot) + Send>;

/// What a thread is at; `None` where it waits.
type Slot = Mutex<Option<Arc<Beat>>>;

struct ScanThread {
    thread: JoinHandle<()>,
    at: Arc<Slot>,
}

impl ScanThread {
    fn is_stuck(&self, stuck_after: Duration) -> bool {
        self.at.lock().as_ref().is_some_and(|beat| beat.silent_for() >= stuck_after)
    }
}

/// The threads.
pub(super) struct ScanThreads {
    stuck_after: Duration,
    jobs: Sender<Job>,
    queue: Arc<Mutex<Receiver<Job>>>,
    threads: Vec<ScanThread>,
}

impl ScanThreads {
    pub(super) fn new(stuck_after: Duration) -> Self {
        let (jobs, queue) = channel();
        Self { stuck_after, jobs, queue: Arc::new(Mutex::new(queue)), threads: Vec::new() }
    }

    /// Has a thread look at the folder of a workspace, after those that were given before.
    pub(super) fn give(&mut self, scans: &Arc<Scans>, id: WorkspaceId, look: impl FnOnce(&Beat) + Send + 'static) {
        let scans = Arc::clone(scans);
        let job = move |at: &Slot| {
            let beat = scans.begin(&id);
            *at.lock() = Some(Arc::clone(&beat));
            look(&beat);
            *at.lock() = None;
            scans.end(&id);
        };
        // There is a receiver as long as this is.
        let _ = self.jobs.send(Box::new(job));
        self.relieve();
    }

    /// Sees to it that one thread at least is not stuck.
    pub(super) fn relieve(&mut self) {
        self.threads.retain(|thread| !thread.thread.is_finished());
        let all_are_stuck = self.threads.iter().all(|thread| thread.is_stuck(self.stuck_after));
        if !all_are_stuck || self.threads.len() >= MAX_THREADS {
            return;
        }
        if !self.threads.is_empty() {
            tracing::error!(num_stuck = self.threads.len(), "a look at a folder hangs; others are looked at meanwhile");
        }
        let (queue, at) = (Arc::clone(&self.queue), Arc::new(Slot::default()));
        let slot = Arc::clone(&at);
        let work = move || {
            loop {
                let next = queue.lock().recv();
                match next {
                    Ok(job) => job(&slot),
                    Err(_) => return,
                }
            }
        };
        match std::thread::Builder::new().name("scan".to_owned()).spawn(work) {
            Ok(thread) => self.threads.push(ScanThread { thread, at }),
            Err(error) => tracing::error!(%error, "no thread is left to look at folders"),
        }
    }

    /// Ends the threads, after what they are at.
    pub(super) fn end(self) {
        let Self { stuck_after, jobs, queue, threads } = self;
        // What waits is not begun any more. The first thread that waits for more holds the queue.
        if let Some(queue) = queue.try_lock() {
            while queue.try_recv().is_ok() {}
        }
        drop(jobs);
        for thread in threads {
            while !thread.thread.is_finished() && !thread.is_stuck(stuck_after) {
                std::thread::sleep(WAIT_STEP);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_hangs_holds_up_no_other_and_is_named() {
        let scans = Arc::<Scans>::default();
        let (told, heard) = channel();
        let (release, hung) = channel::<()>();
        let mut threads = ScanThreads::new(Duration::ZERO);
        let id = |name: &str| -> WorkspaceId { name.parse().unwrap() };
        let begun = told.clone();
        threads.give(&scans, id("stuck"), move |_| {
            begun.send("stuck").unwrap();
            let _ = hung.recv();
        });
        assert_eq!(heard.recv().unwrap(), "stuck");
        for _ in 0..3 {
            let done = told.clone();
            threads.give(&scans, id("other"), move |_| done.send("other").unwrap());
            assert_eq!(heard.recv().unwrap(), "other");
        }
        assert!(threads.threads.len() <= MAX_THREADS);
        assert!(scans.0.lock().contains_key(&id("stuck")) && scans.stuck(&id("stuck")).is_none());
        let Some(then) = Instant::now().checked_sub(STUCK_AFTER) else { return };
        *scans.0.lock()[&id("stuck")].0.lock() = then;
        assert!(scans.stuck(&id("stuck")).is_some() && scans.stuck(&id("other")).is_none());
        assert_eq!(scans.all_stuck(), [id("stuck")]);
        // Ending does not wait for it.
        threads.end();
        drop(release);
    }
}
