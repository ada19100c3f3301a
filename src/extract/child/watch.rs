//! The thread that looks at the children: each keeps to its time and memory, and all of them, idle ones too, to what all may have.
//!
//! # Invariants
//! - Where all take too much, idle children go first, then the largest of those at work; one that works alone has what one may have.
//! - No more children are kept than may work at a time, and those that are idle hold no more than all may have.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::memory::resident_bytes_of;
use super::pool::Worker;
use super::{Limits, ReaderCounts};

/// How often a child at work is looked at.
const TICK: Duration = Duration::from_millis(20);

/// Why a child was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Overdue(Duration),
    Memory,
    /// All children together took too much, and this one most.
    MemoryOfAll,
}

/// A child at work.
struct Job {
    number: u64,
    process: Arc<Mutex<std::process::Child>>,
    began: Instant,
    timeout: Duration,
    ended_for: Option<Cause>,
}

impl Job {
    fn end(&mut self, cause: Cause) {
        self.ended_for = Some(cause);
        // It may have ended by itself.
        let _ = self.process.lock().kill();
    }
}

#[derive(Default)]
struct State {
    jobs: Vec<Job>,
    /// Children that wait for a file, with the memory that each had after the last one.
    idle: Vec<(Worker, u64)>,
    is_over: bool,
}

impl State {
    fn idle_bytes(&self) -> u64 {
        self.idle.iter().map(|(_, resident)| resident).sum()
    }

    /// Takes out idle children, the largest first, until those that are left hold at most so many bytes.
    fn shed(&mut self, most: u64) -> Vec<(Worker, u64)> {
        let mut shed = Vec::new();
        while self.idle_bytes() > most
            && let Some(largest) = (0..self.idle.len()).max_by_key(|&at| self.idle[at].1)
        {
            shed.push(self.idle.swap_remove(largest));
        }
        shed
    }
}

/// The children, for the thread that looks at them.
#[derive(Default)]
pub(super) struct Watch {
    state: Mutex<State>,
    changed: Condvar,
    next_number: AtomicU64,
    num_started: AtomicU64,
    num_retries: AtomicU64,
    num_overdue: AtomicU64,
    num_too_large: AtomicU64,
    num_killed: AtomicU64,
    num_crashed: AtomicU64,
}

impl Watch {
    /// A child that waits for a file.
    pub(super) fn take_idle(&self) -> Option<Worker> {
        self.state.lock().idle.pop().map(|(worker, _)| worker)
    }

    /// Keeps a child for the next file, unless there are as many as may be or they hold as much as all may have.
    pub(super) fn keep(&self, worker: Worker, resident: u64, limits: &Limits) {
        let mut state = self.state.lock();
        let has_room = state.jobs.len() + state.idle.len() < limits.max_children
            && state.idle_bytes().saturating_add(resident) <= limits.memory_of_all_bytes;
        if has_room {
            state.idle.push((worker, resident));
            return;
        }
        // Whoever ends a child waits for it, and nobody else is to wait meanwhile.
        drop(state);
        drop(worker);
    }

    /// Ends an idle child where another one would be more than may be.
    pub(super) fn make_room(&self, max_children: usize) {
        let mut state = self.state.lock();
        let is_full = state.jobs.len() + state.idle.len() >= max_children;
        let idle = if is_full { state.idle.pop() } else { None };
        drop(state);
        drop(idle);
    }

    pub(super) fn begin(&self, process: &Arc<Mutex<std::process::Child>>, timeout: Duration) -> u64 {
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let process = Arc::clone(process);
        self.state.lock().jobs.push(Job { number, process, began: Instant::now(), timeout, ended_for: None });
        self.changed.notify_all();
        number
    }

    /// Looks at a child no more, and returns why it was ended, if it was.
    pub(super) fn end(&self, number: u64) -> Option<Cause> {
        let mut state = self.state.lock();
        let at = state.jobs.iter().position(|job| job.number == number)?;
        state.jobs.swap_remove(at).ended_for
    }

    /// Ends the thread that looks.
    pub(super) fn stop(&self) {
        self.state.lock().is_over = true;
        self.changed.notify_all();
    }

    pub(super) fn count_start(&self) {
        self.num_started.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_retry(&self) {
        self.num_retries.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a child that went wrong: ended here for this cause, by somebody outside, or by itself.
    pub(super) fn count_end(&self, ended_for: Option<Cause>, is_from_outside: bool) {
        let counter = match ended_for {
            Some(Cause::Overdue(_)) => &self.num_overdue,
            Some(Cause::Memory | Cause::MemoryOfAll) => &self.num_too_large,
            None if is_from_outside => &self.num_killed,
            None => &self.num_crashed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// The children as they stand; nothing is known here of who waits for one.
    pub(super) fn counts(&self) -> ReaderCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let state = self.state.lock();
        ReaderCounts {
            busy: state.jobs.len(),
            idle: state.idle.len(),
            waiting: 0,
            started: read(&self.num_started),
            retries: read(&self.num_retries),
            ended: [
                ("time", read(&self.num_overdue)),
                ("memory", read(&self.num_too_large)),
                ("outside", read(&self.num_killed)),
                ("crash", read(&self.num_crashed)),
            ],
        }
    }

    pub(super) fn run(&self, limits: &Limits) {
        let mut state = self.state.lock();
        while !state.is_over {
            if state.jobs.is_empty() {
                self.changed.wait(&mut state);
                continue;
            }
            let mut residents: Vec<(u64, &mut Job)> = Vec::new();
            for job in state.jobs.iter_mut().filter(|job| job.ended_for.is_none()) {
                let resident = resident_bytes_of(job.process.lock().id()).unwrap_or(0);
                if job.began.elapsed() > job.timeout {
                    job.end(Cause::Overdue(job.timeout));
                } else if resident > limits.memory_bytes {
                    job.end(Cause::Memory);
                } else {
                    residents.push((resident, job));
                }
            }
            // One that works alone has all that one may have.
            let at_work: u64 = residents.iter().map(|(resident, _)| resident).sum();
            if at_work > limits.memory_of_all_bytes
                && residents.len() > 1
                && let Some((_, job)) = residents.iter_mut().max_by_key(|(resident, _)| *resident)
            {
                job.end(Cause::MemoryOfAll);
            }
            let shed = state.shed(limits.memory_of_all_bytes.saturating_sub(at_work));
            if !shed.is_empty() {
                drop(state);
                drop(shed);
                state = self.state.lock();
            }
            self.changed.wait_for(&mut state, TICK);
        }
    }
}
