//! The thread of the courier, in the process that indexes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;

use super::connect::Doorman;
use super::courier::{Counts, Courier, Left};
use super::violations::{RecordError, ViolationRecorder};
use crate::audit::Journal;
use crate::data_folder::{DataFolder, EngineError};
use crate::error::Advice as _;
use crate::scheduler::Scheduler;

/// How often the courier looks for what other processes have logged.
const POLL: Duration = Duration::from_millis(50);
/// How often it looks while tries are under way, or another process indexes.
const LOOKS_AGAIN: Duration = Duration::from_secs(1);
/// How long it waits where the store fails.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The courier's thread while it runs. Dropping it ends the thread; tries that are under way are made again at the next start.
pub(crate) struct Running {
    scheduler: Arc<Scheduler>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Has messages sent from now on, as long as this process indexes.
///
/// # Errors
/// When the system has no thread left.
pub(crate) fn run(
    data: Arc<DataFolder>,
    scheduler: Arc<Scheduler>,
    doorman: &Doorman,
    counts: Arc<Counts>,
    (journal, violations): (Arc<Journal>, Arc<ViolationRecorder>),
) -> Result<Running, EngineError> {
    let bell = Arc::clone(&scheduler);
    let ring = Arc::new(move || bell.ring_news());
    let mut courier = Courier::new(doorman, data.config.limits.webhook_backlog, counts, ring);
    let stop: Arc<AtomicBool> = Arc::default();
    let (told_to_stop, news) = (Arc::clone(&stop), Arc::clone(&scheduler));
    let work = move || {
        while !told_to_stop.load(Ordering::Acquire) {
            let record = || violations.record(&data.store, &journal);
            let steps = || go(&data, &news, (&mut courier, &record), &told_to_stop);
            if catch_unwind(AssertUnwindSafe(steps)).is_err() {
                tracing::error!("the courier panicked and goes on");
                news.await_news(RETRY_AFTER);
            }
        }
        courier.stop();
    };
    let thread = std::thread::Builder::new().name("webhooks".to_owned()).spawn(work).map_err(EngineError::Thread)?;
    Ok(Running { scheduler, stop, thread: Some(thread) })
}

fn go(
    data: &DataFolder,
    news: &Scheduler,
    (courier, record): (&mut Courier, &dyn Fn() -> Result<(), RecordError>),
    stop: &AtomicBool,
) {
    let (mut seen_version, mut is_rung, mut left) = (None, true, Left::default());
    let mut looked_at = Timestamp::now();
    while !stop.load(Ordering::Acquire) {
        if !data.is_writer() {
            news.await_news(LOOKS_AGAIN);
            (seen_version, is_rung) = (None, true);
            continue;
        }
        let now = Timestamp::now();
        // Before the step: what changes meanwhile is another version.
        let version = data.store.version().ok();
        let is_due = left.next_ms.is_some_and(|next_ms| next_ms <= now.as_millisecond());
        let is_late = left.num_under_way > 0 && now.duration_since(looked_at).unsigned_abs() >= LOOKS_AGAIN;
        if is_rung || is_due || is_late || version.is_none() || version != seen_version {
            looked_at = now;
            let is_recorded = record().inspect_err(|error| {
                tracing::error!(%error, "violations of locks are not in the audit journal yet");
            });
            match courier.step(&data.store, now) {
                Ok(after) => {
                    left = after;
                    seen_version = version;
                    if is_recorded.is_err() {
                        let retry_ms = i64::try_from(RETRY_AFTER.as_millis()).unwrap_or(i64::MAX);
                        let retry_ms = now.as_millisecond().saturating_add(retry_ms);
                        left.next_ms = Some(left.next_ms.map_or(retry_ms, |next_ms| next_ms.min(retry_ms)));
                    }
                }
                Err(error) => {
                    tracing::error!(%error, hint = error.hint(), "webhooks are told nothing for now");
                    (left, seen_version) = (Left::default(), None);
                    news.await_news(RETRY_AFTER);
                }
            }
        }
        let until_due = left.next_ms.map_or(POLL, |next_ms| {
            Duration::from_millis((next_ms - Timestamp::now().as_millisecond()).max(0).unsigned_abs())
        });
        is_rung = news.await_news(POLL.min(until_due));
    }
}

impl Running {
    /// Has the thread end.
    pub(crate) fn tell_to_stop(&self) {
        self.stop.store(true, Ordering::Release);
        self.scheduler.ring_news();
    }

    /// Whether the thread has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Leaves the thread to itself: the process ends.
    pub(crate) fn leave(&mut self) {
        self.thread = None;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tell_to_stop();
        if let Some(thread) = self.thread.take() {
            // Its panics are caught and logged where they happen.
            let _ = thread.join();
        }
    }
}
