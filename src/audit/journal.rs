//! The journal of a data folder: written by any number of processes, one at a time.

use std::fs::TryLockError;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use fs_err as fs;
use jiff::Timestamp;
use parking_lot::Mutex;

use super::AuditError;
use super::entry::Entry;
use super::flood::Floods;
use super::head::{Head, HeadFile, Stored};
use super::segments::{self, open_private};
use super::tail::Tail;
use super::ticker::Ticker;
use crate::config::{Audit, OnFull};

/// How long another process may hold the journal.
const MAX_WAIT: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_micros(200);
/// A segment is not made larger.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// As many segments at least are kept.
const NUM_SEGMENTS: u64 = 4;

/// How a journal is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What is configured.
    pub audit: Audit,
    /// Bytes after which a segment is followed by another one.
    pub segment_bytes: u64,
    /// Whether this process may go on where it may not write the journal: it was started to read.
    pub may_only_read: bool,
}

impl Settings {
    /// The settings as they are configured.
    #[must_use]
    pub fn of(audit: &Audit, may_only_read: bool) -> Self {
        let segment_bytes = SEGMENT_BYTES.min(audit.keep_mb.saturating_mul(1_000_000) / NUM_SEGMENTS);
        Self { audit: audit.clone(), segment_bytes, may_only_read }
    }
}

/// The journal of a data folder.
pub struct Journal {
    ticker: Ticker,
    inner: Arc<Inner>,
}

/// The part that the thread behind it uses, too.
pub(super) struct Inner {
    pub folder: PathBuf,
    pub settings: Settings,
    state: Mutex<State>,
    floods: Floods,
    num_dropped: AtomicU64,
    has_warned: AtomicBool,
}

#[derive(Default)]
struct State {
    lock: Option<Arc<fs::File>>,
    tail: Option<Tail>,
}

/// The lock on the journal, until it is dropped.
pub(super) struct Held(Arc<fs::File>);

impl Drop for Held {
    fn drop(&mut self) {
        // The system lets it go with the process at the latest.
        let _ = self.0.file().unlock();
    }
}

impl Journal {
    /// The journal in the folder `audit` of a data folder. Nothing is opened or made before the first entry.
    #[must_use]
    pub fn new(data_folder: &Path, settings: Settings) -> Self {
        let inner = Arc::new(Inner {
            folder: data_folder.join("audit"),
            settings,
            state: Mutex::default(),
            floods: Floods::default(),
            num_dropped: AtomicU64::new(0),
            has_warned: AtomicBool::new(false),
        });
        Self { ticker: Ticker::new(&inner), inner }
    }

    /// Whether accesses are recorded.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.inner.settings.audit.enabled
    }

    /// Records an access; it returns when the entry is in the journal. Returns its number, and none where it goes without: the journal
    /// is off, or the configuration says so of a full disk, or this process was started to read and may not write.
    ///
    /// # Errors
    /// [`AuditError::Full`] and others, where an access is not to go on unrecorded.
    pub fn record(&self, entry: &Entry<'_>) -> Result<Option<u64>, AuditError> {
        if !self.is_on() {
            return Ok(None);
        }
        let recorded = self.inner.record(entry)?;
        self.ticker.poke();
        Ok(recorded)
    }

    /// Records a refusal at the door, unless the same address was just refused more often than is recorded; then it is counted, and one
    /// entry tells of all that were.
    ///
    /// # Errors
    /// As [`Journal::record`].
    pub fn record_refusal(&self, entry: &Entry<'_>) -> Result<Option<u64>, AuditError> {
        if !self.is_on() || !self.inner.floods.admits(entry, Instant::now()) {
            self.ticker.poke();
            return Ok(None);
        }
        self.record(entry)
    }

    /// The newest entry.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn head(&self) -> Result<Head, AuditError> {
        let _held = self.inner.hold_to_read()?;
        if let Stored::End(end) = HeadFile::look(&self.inner.folder)? {
            return Ok(end.head());
        }
        let last = segments::list(&self.inner.folder)?.iter().rev().find_map(|segment| segment.last().ok().flatten());
        Ok(last.map_or_else(
            || super::head::End::NONE.head(),
            |links| Head { seq: links.seq, hash: links.hash.to_string() },
        ))
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// Brings what is counted and what is written to the disk now.
    pub(super) fn tick(&self) {
        self.inner.tick(Instant::now() + Duration::from_hours(1));
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if self.inner.floods.are_pending() {
            self.tick();
        }
    }
}

impl Inner {
    fn record(&self, entry: &Entry<'_>) -> Result<Option<u64>, AuditError> {
        match self.append(entry) {
            Ok(seq) => Ok(Some(seq)),
            Err(error) => {
                let is_denied = matches!(error, AuditError::Denied(_));
                let may_go_on = self.settings.audit.on_full == OnFull::Drop || is_denied && self.settings.may_only_read;
                if !may_go_on {
                    return Err(error);
                }
                self.num_dropped.fetch_add(1, Ordering::Relaxed);
                if !self.has_warned.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%error, "accesses are not recorded in the audit journal");
                }
                Ok(None)
            }
        }
    }

    /// Writes an entry at the end of the journal, and returns the number of its first line.
    fn append(&self, entry: &Entry<'_>) -> Result<u64, AuditError> {
        let mut state = self.state.lock();
        let _held = hold(state.lock_file(&self.folder)?)?;
        // Where anything fails, the end is looked for anew.
        let mut known = state.tail.take();
        if let Some(tail) = &mut known
            && !tail.is_current()?
        {
            known = None;
        }
        let mut tail = known.map_or_else(|| Tail::recover(&self.folder), Ok)?;
        let now = Timestamp::now().as_millisecond();
        let Audit { query_text, keep_days, keep_mb, .. } = self.settings.audit;
        for finding in std::mem::take(&mut tail.findings) {
            tracing::error!(finding, "the audit journal was not whole");
            for line in Entry::of_journal("audit.repair", finding).lines(now, query_text) {
                tail.push(line)?;
            }
        }
        if tail.is_due(self.settings.segment_bytes, now) {
            tail.rotate()?;
            let keep_ms = i64::try_from(keep_days).unwrap_or(i64::MAX).saturating_mul(24 * 60 * 60 * 1000);
            tail.prune(keep_mb.saturating_mul(1_000_000), now.saturating_sub(keep_ms), now)?;
        }
        let num_dropped = self.num_dropped.swap(0, Ordering::Relaxed);
        if num_dropped > 0 {
            let message = format!("{num_dropped} accesses were not recorded, as the journal could not be written");
            let entry = Entry { count: num_dropped, ..Entry::of_journal("audit.gap", message) };
            for line in entry.lines(now, query_text) {
                tail.push(line).inspect_err(|_| {
                    self.num_dropped.fetch_add(num_dropped, Ordering::Relaxed);
                })?;
            }
        }
        let mut first = None;
        for line in entry.lines(now, query_text) {
            let seq = tail.push(line)?;
            first.get_or_insert(seq);
        }
        let first = first.unwrap_or(tail.end.seq);
        state.tail = Some(tail);
        self.has_warned.store(false, Ordering::Relaxed);
        Ok(first)
    }

    /// Keeps others from writing while the journal is looked at; `None` where there is none, or this process may not lock it.
    pub(super) fn hold_to_read(&self) -> Result<Option<Held>, AuditError> {
        match fs::File::open(self.folder.join("lock")) {
            Ok(lock) => Ok(Some(hold(Arc::new(lock))?)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Records refusals that were counted, and brings the segment to the disk.
    pub(super) fn tick(&self, now: Instant) {
        for flood in self.floods.over(now) {
            if let Err(error) = self.record(&flood.entry()) {
                tracing::warn!(%error, "refusals are not recorded in the audit journal");
            }
        }
        let segment = self.state.lock().tail.as_ref().map(Tail::segment);
        if let Some(Ok(segment)) = segment
            && let Err(error) = segment.sync_data()
        {
            tracing::warn!(%error, "the audit journal cannot be brought to the disk");
        }
    }

    pub(super) fn are_floods_pending(&self) -> bool {
        self.floods.are_pending()
    }
}

impl State {
    /// The open lock, made with its folder where it is not there.
    fn lock_file(&mut self, folder: &Path) -> Result<Arc<fs::File>, AuditError> {
        if let Some(lock) = &self.lock
            && lock.metadata().is_ok_and(|metadata| super::tail::is_linked(&metadata))
        {
            return Ok(Arc::clone(lock));
        }
        self.tail = None;
        make_folder(folder)?;
        Ok(Arc::clone(self.lock.insert(Arc::new(open_private(&folder.join("lock"))?))))
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    match make_private(folder) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)
}

/// Waits for the journal, as long as another process may hold it.
fn hold(lock: Arc<fs::File>) -> Result<Held, AuditError> {
    let started = Instant::now();
    loop {
        match lock.file().try_lock() {
            Ok(()) => return Ok(Held(lock)),
            Err(TryLockError::WouldBlock) if started.elapsed() < MAX_WAIT => std::thread::sleep(LOOK_AGAIN),
            Err(TryLockError::WouldBlock) => return Err(AuditError::Busy { waited_ms: started.elapsed().as_millis() }),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}
