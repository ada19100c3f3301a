//! Requests that wait for a revision: they hold no thread and ask nobody.
//!
//! One thread asks the store for all of them, when the line has brought something in or another process has written. It runs while
//! somebody waits. For every distinct revision of a workspace it asks once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use super::Scheduler;
use crate::data_folder::EngineError;
use crate::search;
use crate::workspace::{Revision, WorkspaceId};

/// How often the thread looks for what other processes have written, and for waiters that have hung up.
const LOOKS_EVERY: Duration = Duration::from_millis(10);

type Waiting = BTreeMap<(WorkspaceId, Revision), Vec<oneshot::Sender<()>>>;

/// All requests that wait for a revision.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    state: Mutex<State>,
    changed: Condvar,
    num: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    waiting: Waiting,
    /// Whether the thread runs.
    is_watched: bool,
    /// Whether there may be something new.
    is_rung: bool,
}

/// One that waits, until it is dropped.
struct Counted<'a>(&'a AtomicU64);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Waiters {
    /// Says that the index has more than before.
    pub(super) fn ring(&self) {
        if self.num.load(Ordering::Relaxed) > 0 {
            self.state.lock().is_rung = true;
            self.changed.notify_all();
        }
    }
}

impl Scheduler {
    /// How many requests wait for a revision.
    pub(crate) fn num_waiting(&self) -> u64 {
        self.waiters.num.load(Ordering::Relaxed)
    }

    /// Waits until a workspace is as new as `revision`, at most `wait_ms`; no thread is held meanwhile. Whether it is as new then,
    /// the query says.
    ///
    /// # Errors
    /// [`EngineError::Search`] for a wait that is too long, [`EngineError::TooManyWaits`] at once where `limits.waits` others wait.
    pub(crate) async fn await_revision(
        self: Arc<Self>,
        id: WorkspaceId,
        revision: Revision,
        wait_ms: u64,
    ) -> Result<(), EngineError> {
        search::check_wait(wait_ms)?;
        let max = self.data.config.limits.waits;
        let counted = Counted(&self.waiters.num);
        if self.waiters.num.fetch_add(1, Ordering::Relaxed) >= max {
            return Err(EngineError::TooManyWaits { max });
        }
        let (sender, reached) = oneshot::channel();
        {
            let mut state = self.waiters.state.lock();
            state.waiting.entry((id, revision)).or_default().push(sender);
            state.is_rung = true;
            if !state.is_watched {
                let scheduler = Arc::clone(&self);
                let thread =
                    std::thread::Builder::new().name("waits".to_owned()).spawn(move || scheduler.watch_waits());
                thread.map_err(EngineError::Thread)?;
                state.is_watched = true;
            }
        }
        self.waiters.changed.notify_all();
        // The sender is dropped where nothing is to be waited for.
        let _ = tokio::time::timeout(Duration::from_millis(wait_ms), reached).await;
        drop(counted);
        Ok(())
    }

    /// Ends the waits of those whose revision is there, until nobody waits.
    fn watch_waits(&self) {
        let mut seen_version = None;
        loop {
            let keys: Vec<(WorkspaceId, Revision)> = {
                let mut state = self.waiters.state.lock();
                state.waiting.retain(|_, waiting| {
                    waiting.retain(|sender| !sender.is_closed());
                    !waiting.is_empty()
                });
                if state.waiting.is_empty() {
                    state.is_watched = false;
                    return;
                }
                if std::mem::take(&mut state.is_rung) {
                    seen_version = None;
                }
                state.waiting.keys().cloned().collect()
            };
            // Before the revisions: what changes while they are asked for is another version.
            let version = self.data.store.version().ok();
            if version.is_none() || seen_version != version {
                seen_version = version;
                for key in keys {
                    // Where the workspace is gone or the store fails, the query says so.
                    if self.data.store.has_reached(&key.0, key.1).unwrap_or(true)
                        && let Some(waiting) = self.waiters.state.lock().waiting.remove(&key)
                    {
                        for sender in waiting {
                            // It may have hung up.
                            let _ = sender.send(());
                        }
                    }
                }
            }
            let mut state = self.waiters.state.lock();
            if !state.is_rung && !state.waiting.is_empty() {
                self.waiters.changed.wait_for(&mut state, LOOKS_EVERY);
            }
        }
    }
}
