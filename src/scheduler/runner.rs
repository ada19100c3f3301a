//! The background threads: one that indexes, and one that scans and watches folders.
//!
//! # Invariants
//! - The threads end when the [`Runner`] is dropped, and never live longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Scheduler;
use super::sources::Sources;
use super::turns::Turns;
use crate::data_folder::EngineError;

/// The line while it runs. Dropping it ends the line after the piece of work it is at.
pub struct Runner {
    scheduler: Arc<Scheduler>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Scheduler {
    /// Runs the line: from now on the folders of all workspaces are watched, and changes are brought in as they are logged,
    /// here or, as long as another process indexes, there.
    ///
    /// # Errors
    /// When this process only reads, the log cannot be read, or the system has no thread left.
    pub(crate) fn run(self: &Arc<Self>) -> Result<Runner, EngineError> {
        self.data.must_log()?;
        self.remember_replays()?;
        let mut runner = Runner { scheduler: Arc::clone(self), stop: Arc::default(), threads: Vec::new() };
        runner.spawn("line", |scheduler, stop| Turns::default().run(scheduler, stop))?;
        let most_watched = usize::try_from(self.data.config.limits.watched_folders).unwrap_or(usize::MAX);
        runner.spawn("sources", move |scheduler, stop| Sources::new(most_watched).run(scheduler, stop))?;
        Ok(runner)
    }
}

impl Runner {
    fn spawn(
        &mut self,
        name: &str,
        work: impl FnOnce(&Arc<Scheduler>, &AtomicBool) + Send + 'static,
    ) -> Result<(), EngineError> {
        let (scheduler, stop) = (Arc::clone(&self.scheduler), Arc::clone(&self.stop));
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&scheduler, &stop));
        self.threads.push(thread.map_err(EngineError::Thread)?);
        Ok(())
    }

    fn tell_to_stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.scheduler.bell.ring();
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
