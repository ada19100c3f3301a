//! Who indexes, and in which order: a process that holds the writer lock brings changes into the indexes, the most urgent ones first.
//!
//! A change goes from `sources` (scans and watches) into the store's log. `turns` chooses the next piece of work over all workspaces,
//! and `queue` does it for one of them: a batch of changes, a slice of vectors, or a step of an index that is being built.
//!
//! # Invariants
//! - Interactive changes of every workspace go first, then their vectors, then what scans found, then all other vectors.
//! - One batch at a time is in work in a process, in the background thread or in a caller that waits (`foreground`).
//! - A workspace that fails, or whose file system hangs, delays no other one.
//! - Every thread that is started here ends with its [`Runner`], except one that hangs in the file system.
//!
//! # Not here
//! What a batch does with its files: that is `ingest`. Indexes, models and the writer lock: those are in `data_folder`.

mod bell;
mod foreground;
mod missing_vectors;
mod queue;
mod reading_progress;
mod rebuild;
mod removal;
mod replay;
mod runner;
mod scan_threads;
mod sources;
mod turns;
mod waiters;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use self::bell::Bell;
pub use self::foreground::IndexReport;
use self::reading_progress::ReadingProgress;
pub use self::reading_progress::ReadingStatus;
use self::replay::Replay;
pub use self::runner::Runner;
use self::scan_threads::Scans;
use self::waiters::Waiters;
use crate::data_folder::DataFolder;
use crate::embed::OpenModel;
use crate::files::Files;
use crate::index::Index;
use crate::ingest::{KeepOut, Line, Progress};
use crate::priority::Share;
use crate::workspace::WorkspaceId;

/// How long after a query the background work leaves half of the cores to the next one.
const STILL_THERE: Duration = Duration::from_secs(2);

/// The indexing of an open data folder.
pub(crate) struct Scheduler {
    data: Arc<DataFolder>,
    /// One batch at a time.
    indexing: Mutex<()>,
    /// The large file that is being read here.
    reading: ReadingProgress,
    /// The scans of folders that are under way here.
    scans: Arc<Scans>,
    /// Rung when something was logged here.
    bell: Bell,
    /// Rung when something was logged or brought in here: webhooks may be told of it.
    news: Bell,
    /// Requests that wait for a revision.
    waiters: Waiters,
    /// What was in each workspace's log when the line was started.
    replays: Mutex<HashMap<WorkspaceId, Replay>>,
    /// When the last query came.
    asked_at: Mutex<Option<Instant>>,
}

impl Scheduler {
    /// A scheduler that has nothing in work and no thread.
    pub(crate) fn new(data: Arc<DataFolder>) -> Self {
        Self {
            data,
            indexing: Mutex::default(),
            reading: ReadingProgress::default(),
            scans: Arc::default(),
            bell: Bell::default(),
            news: Bell::default(),
            waiters: Waiters::default(),
            replays: Mutex::default(),
            asked_at: Mutex::default(),
        }
    }

    /// Notes that something was logged here, so that it is brought in at once.
    pub(crate) fn wake(&self) {
        self.bell.ring();
        self.news.ring();
    }

    /// Says that there may be something to tell.
    pub(crate) fn ring_news(&self) {
        self.news.ring();
    }

    /// Waits until there may be something to tell, but no longer than `most`. One waits at a time.
    pub(crate) fn await_news(&self, most: Duration) -> bool {
        self.news.wait(most)
    }

    /// Notes that a query came.
    pub(crate) fn note_query(&self, now: Instant) {
        *self.asked_at.lock() = Some(now);
    }

    /// How much of the machine may be used now for work that nobody waits for.
    fn share_for_background(&self) -> Share {
        let asks = self.asked_at.lock().is_some_and(|asked_at| asked_at.elapsed() < STILL_THERE);
        if asks { Share::Half } else { Share::Whole }
    }

    /// The large file of a workspace that is being read here.
    pub(crate) fn reading_now(&self, id: &WorkspaceId) -> Option<ReadingStatus> {
        self.reading.now(id)
    }

    /// For how long a scan of a workspace's folder has hung in the file system, where one does.
    pub(crate) fn stuck_for(&self, id: &WorkspaceId) -> Option<Duration> {
        self.scans.stuck(id)
    }

    /// The workspaces whose folders are not scanned, or of which files are not read, for now, because a call of the file system hangs.
    pub(crate) fn all_stuck(&self) -> Vec<WorkspaceId> {
        let mut stuck = self.scans.all_stuck();
        stuck.extend(self.data.errands.all_hanging());
        stuck.sort();
        stuck.dedup();
        stuck
    }

    /// What a batch of one workspace works with.
    fn line<'a>(
        &'a self,
        (id, epoch): (&'a WorkspaceId, i64),
        files: &'a dyn Files,
        index: &'a dyn Index,
        model: &'a OpenModel,
        keep_out: KeepOut<'a>,
        progress: &'a dyn Progress,
    ) -> Line<'a> {
        let config = &self.data.config;
        Line {
            store: &self.data.store,
            workspace: id,
            epoch,
            files,
            index,
            extractor: self.data.extractor_of(id),
            tokens: &*model.tokens,
            model_id: index.model_id(),
            embeds: &model.entry.languages,
            max_file_bytes: config.max_file_bytes,
            max_whole_bytes: config.extraction.whole_mb.saturating_mul(1_000_000),
            parts: self.data.part_sizes(),
            max_batch_text_bytes: config.limits.batch_text_mb.saturating_mul(1_000_000),
            keep_out,
            progress,
        }
    }
}
