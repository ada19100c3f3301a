//! Where changes come from by themselves: the folders of all workspaces, watched and scanned by the process that indexes.
//!
//! # Invariants
//! - Each folder is watched before the scan lists it, so that no change falls between the two; one watcher watches all workspaces.
//! - A folder that is away or cannot be watched is tried again; until then its files are neither touched nor taken for deleted, and
//!   the store says so to those who ask.
//! - A folder in whose place another one was put is watched and scanned as that one.
//! - Only the process that indexes watches, so that a change is not logged once for every process.
//! - A look at one folder that hangs in the file system holds up no other (`scan_threads`).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::Scheduler;
use super::scan_threads::{Beat, STUCK_AFTER, ScanThreads};
use crate::data_folder::{AWAY, EngineError};
use crate::error::Advice as _;
use crate::files::{self, Identity, Sighting, Watch, WatchError, Watcher};
use crate::ingest::{self, IngestError, Progress, Stage};
use crate::store::WorkspaceRow;
use crate::workspace::{RelPath, WorkspaceId};

/// How often new workspaces, and the signal to stop, are looked for.
const POLL: Duration = Duration::from_millis(100);
/// How long a folder is left alone after an error.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// How often it is looked for whether another folder has taken the place of one.
const IDENTIFIES_EVERY: Duration = Duration::from_secs(1);
/// A folder that cannot be watched is scanned at least so often.
const UNWATCHED_INTERVAL: Duration = Duration::from_mins(1);

/// A workspace's folder as it is watched.
struct Source {
    root: PathBuf,
    epoch: i64,
    watch: Option<Box<dyn Watch>>,
    /// The folder that is watched, or was scanned last: another one may have its path by now.
    identity: Option<Identity>,
    /// When it is looked for next whether it has.
    identified_at: Instant,
    /// Places where something may have changed.
    seen: BTreeSet<RelPath>,
    /// When the whole folder is to be scanned next.
    scans_at: Instant,
    /// Whether the last attempt failed, so that the log says it once.
    is_away: bool,
    /// Whether the last attempt to watch it failed, so that the log says it once.
    is_unwatched: bool,
}

/// A workspace's folder, here or away with the thread that looks at it.
struct Place {
    root: PathBuf,
    epoch: i64,
    source: Option<Box<Source>>,
    /// What was seen while it was away.
    seen_meanwhile: Vec<Sighting>,
}

/// What the threads of watches and looks tell.
enum Message {
    Seen(WorkspaceId, Sighting),
    /// A look is over.
    Back(WorkspaceId, Box<Source>),
}

/// All folders.
pub(super) struct Sources {
    by_workspace: BTreeMap<WorkspaceId, Place>,
    seen_version: Option<i64>,
    sender: Sender<Message>,
    messages: Receiver<Message>,
    watcher: Watcher,
    threads: ScanThreads,
}

impl Sources {
    /// The sources, of which no more than so many folders are watched at once.
    pub(super) fn new(most_watched: usize) -> Self {
        let (sender, messages) = channel();
        let (watcher, threads) = (Watcher::new(most_watched), ScanThreads::new(STUCK_AFTER));
        Self { by_workspace: BTreeMap::new(), seen_version: None, sender, messages, watcher, threads }
    }

    pub(super) fn run(mut self, scheduler: &Arc<Scheduler>, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            if scheduler.data.is_writer()
                && let Err(error) = self.find_workspaces(scheduler)
            {
                tracing::error!(%error, hint = error.hint(), "the workspaces cannot be listed");
            }
            match self.messages.recv_timeout(POLL) {
                Ok(first) => {
                    self.take(first);
                    while let Ok(next) = self.messages.try_recv() {
                        self.take(next);
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            // What was not read because a call hung is looked at again when it has returned.
            for (id, path) in scheduler.data.errands.take_returned() {
                self.take(Message::Seen(id, Sighting::Places([path].into())));
            }
            for (id, place) in &mut self.by_workspace {
                if let Some(source) = place.source.take_if(|source| source.has_to_look()) {
                    let told = (self.watcher.clone(), self.sender.clone());
                    let look = look(Arc::clone(scheduler), id.clone(), source, told);
                    self.threads.give(&scheduler.scans, id.clone(), look);
                }
            }
            self.threads.relieve();
        }
        self.threads.end();
        self.watcher.end();
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Seen(id, sighting) => {
                let Some(place) = self.by_workspace.get_mut(&id) else { return };
                match &mut place.source {
                    Some(source) => source.take(sighting),
                    None => place.seen_meanwhile.push(sighting),
                }
            }
            Message::Back(id, mut source) => {
                // It may have been deleted meanwhile, or another folder be its own.
                let place = self.by_workspace.get_mut(&id);
                let place = place.filter(|place| place.root == source.root && place.epoch == source.epoch);
                if let Some(place) = place {
                    place.seen_meanwhile.drain(..).for_each(|sighting| source.take(sighting));
                    place.source = Some(source);
                }
            }
        }
    }

    fn find_workspaces(&mut self, scheduler: &Scheduler) -> Result<(), EngineError> {
        let version = scheduler.data.store.version()?;
        if self.seen_version == Some(version) {
            return Ok(());
        }
        let rows = scheduler.data.store.workspaces()?;
        let names: HashSet<&WorkspaceId> = rows.iter().map(|row| &row.id).collect();
        self.by_workspace.retain(|id, _| names.contains(id));
        for WorkspaceRow { id, root, epoch, .. } in rows {
            let Some(root) = root else { continue };
            if self.by_workspace.get(&id).is_none_or(|place| place.root != root || place.epoch != epoch) {
                let source = Some(Box::new(Source::new(root.clone(), epoch)));
                self.by_workspace.insert(id, Place { root, epoch, source, seen_meanwhile: Vec::new() });
            }
        }
        self.seen_version = Some(version);
        Ok(())
    }
}

/// One look at a folder, in a thread of its own.
fn look(
    scheduler: Arc<Scheduler>,
    id: WorkspaceId,
    mut source: Box<Source>,
    (watcher, sender): (Watcher, Sender<Message>),
) -> impl FnOnce(&Beat) + Send + 'static {
    move |beat| {
        let looked = catch_unwind(AssertUnwindSafe(|| source.look(&scheduler, &id, (&watcher, &sender), beat)));
        if looked.is_err() {
            tracing::error!(workspace = %id, "looking at the folder panicked; it is looked at again");
            source.rest();
        }
        // Nobody listens any more when the line has ended.
        let _ = sender.send(Message::Back(id, source));
    }
}

impl Source {
    fn new(root: PathBuf, epoch: i64) -> Self {
        let now = Instant::now();
        Self {
            root,
            epoch,
            watch: None,
            identity: None,
            identified_at: now,
            seen: BTreeSet::new(),
            scans_at: now,
            is_away: false,
            is_unwatched: false,
        }
    }

    fn take(&mut self, sighting: Sighting) {
        match sighting {
            Sighting::Places(places) => self.seen.extend(places),
            Sighting::Anything => self.scans_at = Instant::now(),
            Sighting::Root => self.begin_anew(),
        }
    }

    /// Has the folder watched and scanned again, as another one to the system.
    fn begin_anew(&mut self) {
        (self.watch, self.identity, self.scans_at) = (None, None, Instant::now());
    }

    /// Looks now and then whether the folder is still the one that is watched: where a parent was renamed, no event tells of it.
    fn identify(&mut self, scheduler: &Scheduler, id: &WorkspaceId) {
        let now = Instant::now();
        if self.identified_at <= now {
            self.identified_at = now + IDENTIFIES_EVERY;
            if self.identity.is_some() && self.identity != scheduler.data.files_of(id, &self.root).identity() {
                self.begin_anew();
            }
        }
    }

    fn has_to_look(&self) -> bool {
        let now = Instant::now();
        !self.seen.is_empty() || self.scans_at <= now || self.identity.is_some() && self.identified_at <= now
    }

    /// Logs what has changed, where anything may have.
    fn look(&mut self, scheduler: &Scheduler, id: &WorkspaceId, told: (&Watcher, &Sender<Message>), beat: &Beat) {
        self.identify(scheduler, id);
        if self.seen.is_empty() && self.scans_at > Instant::now() {
            return;
        }
        let is_due = self.scans_at <= Instant::now();
        let looked = if is_due { self.scan(scheduler, id, told, beat) } else { self.scan_seen(scheduler, id, beat) };
        match looked {
            Ok(()) => self.is_away = false,
            Err(error) => {
                if !std::mem::replace(&mut self.is_away, true) {
                    tracing::error!(workspace = %id, %error, hint = error.hint(), "the folder cannot be looked at for now");
                    note(scheduler, id, Some(AWAY));
                }
                self.rest();
            }
        }
        if is_due && let Err(error) = scheduler.note_first_scan(id) {
            tracing::error!(workspace = %id, %error, "the log cannot be read");
        }
    }

    fn rest(&mut self) {
        // A folder that comes back is another one to the system.
        (self.watch, self.identity) = (None, None);
        self.scans_at = Instant::now() + RETRY_AFTER;
        self.seen.clear();
    }

    fn scan(
        &mut self,
        scheduler: &Scheduler,
        id: &WorkspaceId,
        (watcher, sender): (&Watcher, &Sender<Message>),
        beat: &Beat,
    ) -> Result<(), IngestError> {
        let files = scheduler.data.files_of(id, &files::canonical_folder(&self.root)?);
        let begins = self.watch.is_none();
        let mut unwatched = None;
        if begins {
            // Before it is watched: if it is replaced in between, it is seen to be another one.
            self.identity = scheduler.data.files_of(id, &self.root).identity();
            let (workspace, sender) = (id.clone(), sender.clone());
            // Nobody listens any more when the line has ended.
            let tell = move |sighting| drop(sender.send(Message::Seen(workspace.clone(), sighting)));
            match files.watch(watcher, Box::new(tell)) {
                Ok(watch) => self.watch = Some(watch),
                Err(error) => unwatched = Some(error),
            }
        }
        self.seen.clear();
        self.scans_at = Instant::now() + scheduler.data.config.scan_interval();
        let following = Following::new(beat, self.watch.as_deref());
        let keep_out = || scheduler.data.lock_files(id);
        let report = ingest::scan(&scheduler.data.store, id, &*files, &keep_out, &following)?;
        match unwatched.or(following.refused()) {
            Some(error) => self.is_refused(scheduler, id, &error),
            None if begins => {
                self.is_unwatched = false;
                note(scheduler, id, None);
            }
            None => {}
        }
        if report.revision.0 > 0 {
            scheduler.bell.ring();
        }
        tracing::debug!(workspace = %id, num_files = report.num_files, "scanned");
        Ok(())
    }

    fn scan_seen(&mut self, scheduler: &Scheduler, id: &WorkspaceId, beat: &Beat) -> Result<(), IngestError> {
        let following = Following::new(beat, self.watch.as_deref());
        let files = scheduler.data.files_of(id, &files::canonical_folder(&self.root)?);
        let keep_out = || scheduler.data.lock_files(id);
        let report = ingest::scan_places(&scheduler.data.store, id, &*files, &self.seen, (&keep_out, &following))?;
        self.seen.clear();
        if let Some(error) = following.refused() {
            self.is_refused(scheduler, id, &error);
        }
        if report.revision.0 > 0 {
            scheduler.bell.ring();
        }
        Ok(())
    }

    /// Takes note that not all of the folder can be watched: then none of it is, which leaves the room to others, and it is scanned more
    /// often. Each of these scans tries to watch it again.
    fn is_refused(&mut self, scheduler: &Scheduler, id: &WorkspaceId, error: &WatchError) {
        self.watch = None;
        let interval = scheduler.data.config.scan_interval().min(UNWATCHED_INTERVAL);
        self.scans_at = self.scans_at.min(Instant::now() + interval);
        if !std::mem::replace(&mut self.is_unwatched, true) {
            tracing::warn!(workspace = %id, %error, "the folder is not watched: changes are found by scans");
        }
        let seconds = interval.as_secs();
        note(
            scheduler,
            id,
            Some(&format!("the folder is not watched, so a change is found within {seconds} s: {error}")),
        );
    }
}

/// Has each folder watched that a scan enters, and tells the thread that it goes on.
struct Following<'a> {
    beat: &'a Beat,
    watch: Option<&'a dyn Watch>,
    refused: Mutex<Option<WatchError>>,
}

impl<'a> Following<'a> {
    fn new(beat: &'a Beat, watch: Option<&'a dyn Watch>) -> Self {
        Self { beat, watch, refused: Mutex::default() }
    }

    /// Why not all folders are watched.
    fn refused(self) -> Option<WatchError> {
        self.refused.into_inner()
    }
}

impl Progress for Following<'_> {
    fn begin(&self, stage: Stage, total: Option<u64>) {
        self.beat.begin(stage, total);
    }

    fn advance(&self, done: u64) {
        self.beat.advance(done);
    }

    fn entering(&self, folder: &str) {
        self.beat.entering(folder);
        let mut refused = self.refused.lock();
        if let (Some(watch), None) = (self.watch, &*refused) {
            *refused = watch.follow(folder).err();
        }
    }

    fn reading(&self, path: &RelPath, num_done: u64, size: u64) {
        self.beat.reading(path, num_done, size);
    }

    fn end(&self) {
        self.beat.end();
    }
}

fn note(scheduler: &Scheduler, id: &WorkspaceId, unwatched: Option<&str>) {
    if let Err(error) = scheduler.data.store.note_watched(id, unwatched) {
        tracing::warn!(workspace = %id, %error, "whether the folder is watched cannot be noted");
    }
}
