//! `--watch`: a round whenever something changes on either side, until the run is to end; then what is left is uploaded.
//!
//! The folder's watch tells places within a tenth of a second (`files/folder/watch.rs`). A file that was written just now is waited for, so
//! that one which is written bit by bit is uploaded when it is whole, and one that is written all the time now and then. The server's log is
//! followed by a thread of its own. Both only say where to look.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::error::SyncError;
use super::here::{name_of, now_ns};
use super::outcome::Kind;
use super::round::{Desk, Direction, Scope};
use super::server::PAGE_CHANGES;
use crate::cli::remote::Backoff;
use crate::config::Limits;
use crate::files::{Sighting, Watch, Watcher};
use crate::workspace::{Change, RelPath, Revision};

/// A file that was modified within this time is still being written.
const QUIET: Duration = Duration::from_millis(250);
/// So long a file is waited for that is written all the time.
const LONGEST_WRITE: Duration = Duration::from_secs(5);
/// How often both sides are looked at as a whole, because a change was told by nobody.
const WHOLE_EVERY: Duration = Duration::from_mins(5);
/// The same where the folder cannot be watched.
const UNWATCHED_EVERY: Duration = Duration::from_secs(5);
/// How often is looked for others that ask for a flush.
const ASKED_EVERY: Duration = Duration::from_millis(100);
/// The pause between two questions to the server for what is new.
const ASKS_EVERY: Duration = Duration::from_millis(200);
/// What is left is tried again after so long at first, and then less and less often.
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LONGEST_RETRY: Duration = Duration::from_mins(1);

/// What wakes the run.
pub(super) enum Event {
    Here(Sighting),
    There(Vec<Change>),
    Stop,
}

/// What is to be looked at.
#[derive(Default)]
struct Due {
    all: bool,
    /// Since when each place here is.
    places: BTreeMap<RelPath, Instant>,
    there: BTreeMap<String, RelPath>,
}

/// Keeps both sides in step until the run is to end.
///
/// # Errors
/// [`SyncError`] where no file can be kept in step any more.
pub(super) fn run(desk: &Arc<Desk>, events: Sender<Event>, told: &Receiver<Event>) -> Result<(), SyncError> {
    let watcher = Watcher::new(usize::try_from(Limits::default().watched_folders).unwrap_or(usize::MAX));
    let ring = events.clone();
    let watch = desk.here.watch(&watcher, Box::new(move |sighting| drop(ring.send(Event::Here(sighting)))));
    let mut follow = Follow::new(watch);
    // Before the first round, so that nothing is missed between the two.
    let newest = desk.server.newest();
    if !desk.stop.is_asked() {
        let newest = newest?;
        desk.settle(Direction::Both, &|folder| follow.enter(folder))?;
        follow.tell();
        let follower = Arc::clone(desk);
        let thread = std::thread::Builder::new().name("follow".to_owned());
        let spawned = thread.spawn(move || follower.follow(newest, &events));
        spawned.map_err(|error| SyncError::Folder(crate::files::FilesError::Io(error)))?;
    }
    keep(desk, told, &mut follow)?;
    desk.flush_rest()
}

/// Does rounds until the run is to end.
fn keep(desk: &Desk, told: &Receiver<Event>, follow: &mut Follow) -> Result<(), SyncError> {
    let mut due = Due::default();
    let mut whole_at = Instant::now();
    let (mut retry, mut retry_at) = (FIRST_RETRY, Instant::now() + FIRST_RETRY);
    while !desk.stop.is_asked() {
        let every = if follow.is_complete() { WHOLE_EVERY } else { UNWATCHED_EVERY };
        let mut wait = (whole_at + every).saturating_duration_since(Instant::now());
        let is_left = !desk.tally.files_left().is_empty();
        if is_left {
            wait = wait.min(retry_at.saturating_duration_since(Instant::now()));
        }
        if !due.places.is_empty() {
            wait = wait.min(QUIET / 2);
        }
        // Others ask by a file for a flush.
        wait = wait.min(ASKED_EVERY);
        match told.recv_timeout(wait) {
            Ok(event) => {
                for event in std::iter::once(event).chain(told.try_iter()) {
                    due.take(desk, event)?;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if desk.stop.is_asked() {
            break;
        }
        desk.answer()?;
        let now = Instant::now();
        if is_left && retry_at <= now {
            due.there.extend(desk.tally.files_left());
            retry = (retry * 2).min(LONGEST_RETRY);
            retry_at = now + retry;
        } else if !is_left {
            (retry, retry_at) = (FIRST_RETRY, now + FIRST_RETRY);
        }
        if whole_at + every <= now {
            due.all = true;
        }
        if due.all {
            whole_at = now;
        }
        match due.work(desk, follow) {
            Err(error @ SyncError::Emptied { .. }) => {
                desk.tally.of_listing(Kind::Left, "all files", error.to_string());
            }
            Err(SyncError::Server(error)) if desk.stop.is_asked() => tracing::debug!(%error, "a round was not ended"),
            // Something else may answer for a while, such as a proxy.
            Err(SyncError::Server(error)) if !error.is_wrong_use() => {
                tracing::warn!(%error, "both sides are looked at again");
                due.all = true;
                desk.stop.pause(FIRST_RETRY);
            }
            other => other?,
        }
        follow.tell();
    }
    Ok(())
}

impl Due {
    /// Takes note of what was told.
    fn take(&mut self, desk: &Desk, event: Event) -> Result<(), SyncError> {
        match event {
            Event::Here(Sighting::Places(places)) => {
                for place in places {
                    self.places.entry(place).or_insert_with(Instant::now);
                }
            }
            Event::Here(Sighting::Anything) => self.all = true,
            Event::Here(Sighting::Root) => {
                let path = desk.here.root().to_owned();
                return Err(SyncError::Folder(crate::files::FilesError::NoFolder { path }));
            }
            Event::There(changes) => {
                // Beyond a page nobody knows what is missing.
                self.all |= changes.len() >= PAGE_CHANGES;
                for Change { revision, path, from, .. } in changes {
                    // What was written from here comes back as a change.
                    if desk.state.base(&name_of(&path)).is_none_or(|base| base.revision != revision) {
                        self.there.extend(from.into_iter().chain([path]).map(|path| (name_of(&path), path)));
                    }
                }
            }
            Event::Stop => {}
        }
        Ok(())
    }

    /// Does what is due.
    fn work(&mut self, desk: &Desk, follow: &mut Follow) -> Result<(), SyncError> {
        let entering = |folder: &str| follow.enter(folder);
        if std::mem::take(&mut self.all) {
            self.there.clear();
            self.places.clear();
            return desk.settle(Direction::Both, &entering);
        }
        let is_quiet = |(place, since): (&RelPath, &Instant)| {
            let is_written = desk.here.modified_ns(place).is_some_and(|modified_ns| {
                (0..i64::try_from(QUIET.as_nanos()).unwrap_or(i64::MAX)).contains(&(now_ns() - modified_ns))
            });
            (!is_written || since.elapsed() >= LONGEST_WRITE).then(|| place.clone())
        };
        let places: BTreeSet<RelPath> = self.places.iter().filter_map(is_quiet).collect();
        self.places.retain(|place, _| !places.contains(place));
        if !places.is_empty() {
            let again = desk.round(&Scope::Here(Some(&places)), Direction::Both, &entering)?;
            self.there.extend(again);
        }
        let there = std::mem::take(&mut self.there);
        if there.is_empty() { Ok(()) } else { desk.settle_these(there, Direction::Both, &entering) }
    }
}

impl Desk {
    /// Tells what is new in the server's log, which waits for it, until the run is to end.
    fn follow(&self, mut seen: Revision, events: &Sender<Event>) {
        let mut backoff = Backoff::new();
        while !self.stop.is_asked() {
            match self.server.changes_after(seen) {
                Ok(changes) => {
                    backoff = Backoff::new();
                    if let Some(newest) = changes.first() {
                        seen = newest.revision;
                        if events.send(Event::There(changes)).is_err() {
                            return;
                        }
                    }
                    self.stop.pause(ASKS_EVERY);
                }
                Err(error) => {
                    tracing::warn!(%error, "the server's changes are not known");
                    self.stop.pause(ASKS_EVERY + backoff.pause());
                }
            }
        }
    }

    /// Uploads what is left when the run is to end.
    fn flush_rest(&self) -> Result<(), SyncError> {
        let sent = self
            .round(&Scope::Here(None), Direction::ToServer, &|_| {})
            .and_then(|again| self.settle_these(again, Direction::ToServer, &|_| {}));
        if sent.is_err() {
            self.note_unsent()?;
        }
        sent
    }
}

/// Watches each folder that is listed.
struct Follow {
    watch: Option<Box<dyn Watch>>,
    /// Why not all of the folder is watched.
    failure: std::cell::RefCell<Option<String>>,
    is_told: bool,
}

impl Follow {
    fn new(watch: Result<Box<dyn Watch>, crate::files::WatchError>) -> Self {
        let (watch, failure) = match watch {
            Ok(watch) => (Some(watch), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Self { watch, failure: failure.into(), is_told: false }
    }

    fn enter(&self, folder: &str) {
        if let Some(Err(error)) = self.watch.as_ref().map(|watch| watch.follow(folder)) {
            *self.failure.borrow_mut() = Some(error.to_string());
        }
    }

    fn is_complete(&self) -> bool {
        self.failure.borrow().is_none()
    }

    /// Says once that the folder is looked through instead.
    fn tell(&mut self) {
        if let Some(reason) = self.failure.borrow().as_ref().filter(|_| !self.is_told) {
            let every = UNWATCHED_EVERY.as_secs();
            tracing::warn!(%reason, "the folder is not watched, and looked through every {every} seconds");
            self.is_told = true;
        }
    }
}
