//! Where changes come from by themselves: the folders of all workspaces, watched and scanned by the process that indexes.
//!
//! # Invariants
//! - A folder is watched before it is scanned, so that no change falls between the two.
//! - A folder that is away or cannot be watched is tried again; until then its files are neither touched nor taken for deleted.
//! - Only the process that indexes watches, so that a change is not logged once for every process.
//! - A look at one folder that hangs in the file system holds up no other (`lookers`).

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use super::lookers::{Beat, Lookers, STUCK_AFTER};
use super::{Engine, EngineError};
use crate::error::Advice as _;
use crate::ingest::{self, IngestError, Sighting, Watch};
use crate::workspace::{RelPath, WorkspaceId, WorkspaceRow};

/// How often new workspaces, and the signal to stop, are looked for.
const POLL: Duration = Duration::from_millis(100);
/// How long a folder rests after an error.
const REST: Duration = Duration::from_secs(2);

/// A workspace's folder as it is watched.
struct Source {
    root: PathBuf,
    epoch: i64,
    watch: Option<Watch>,
    /// Places where something may have changed.
    seen: BTreeSet<RelPath>,
    /// When the whole folder is to be scanned next.
    scans_at: Instant,
    /// Whether the last attempt failed, so that the log says it once.
    is_away: bool,
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
    lookers: Lookers,
}

impl Sources {
    pub(super) fn new() -> Self {
        let (sender, messages) = channel();
        let lookers = Lookers::new(STUCK_AFTER);
        Self { by_workspace: BTreeMap::new(), seen_version: None, sender, messages, lookers }
    }

    pub(super) fn run(mut self, engine: &Arc<Engine>, stop: &AtomicBool) {
        while !stop.load(Ordering::Acquire) {
            if engine.is_writer()
                && let Err(error) = self.find_workspaces(engine)
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
            for (id, place) in &mut self.by_workspace {
                if let Some(source) = place.source.take_if(|source| source.has_to_look()) {
                    let look = look(Arc::clone(engine), id.clone(), source, self.sender.clone());
                    self.lookers.give(&engine.looks, id.clone(), look);
                }
            }
            self.lookers.relieve();
        }
        self.lookers.end();
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

    fn find_workspaces(&mut self, engine: &Engine) -> Result<(), EngineError> {
        let version = engine.store.version()?;
        if self.seen_version == Some(version) {
            return Ok(());
        }
        let rows = engine.store.workspaces()?;
        self.by_workspace.retain(|id, _| rows.iter().any(|row| row.id == *id));
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
    engine: Arc<Engine>,
    id: WorkspaceId,
    mut source: Box<Source>,
    sender: Sender<Message>,
) -> impl FnOnce(&Beat) + Send + 'static {
    move |beat| {
        let looked = catch_unwind(AssertUnwindSafe(|| source.look(&engine, &id, &sender, beat)));
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
        Self { root, epoch, watch: None, seen: BTreeSet::new(), scans_at: Instant::now(), is_away: false }
    }

    fn take(&mut self, sighting: Sighting) {
        match sighting {
            Sighting::Places(places) => self.seen.extend(places),
            Sighting::Anything => self.scans_at = Instant::now(),
        }
    }

    fn has_to_look(&self) -> bool {
        !self.seen.is_empty() || self.scans_at <= Instant::now()
    }

    /// Logs what has changed, where anything may have.
    fn look(&mut self, engine: &Engine, id: &WorkspaceId, sender: &Sender<Message>, beat: &Beat) {
        let is_due = self.scans_at <= Instant::now();
        let looked = if is_due { self.scan(engine, id, sender, beat) } else { self.scan_seen(engine, id, beat) };
        match looked {
            Ok(()) => self.is_away = false,
            Err(error) => {
                if !std::mem::replace(&mut self.is_away, true) {
                    tracing::error!(workspace = %id, %error, hint = error.hint(), "the folder cannot be looked at for now");
                }
                self.rest();
            }
        }
    }

    fn rest(&mut self) {
        // A folder that comes back is another one to the system.
        self.watch = None;
        self.scans_at = Instant::now() + REST;
        self.seen.clear();
    }

    fn scan(
        &mut self,
        engine: &Engine,
        id: &WorkspaceId,
        sender: &Sender<Message>,
        beat: &Beat,
    ) -> Result<(), IngestError> {
        let root = ingest::canonical_folder(&self.root)?;
        if self.watch.is_none() {
            let (id, sender) = (id.clone(), sender.clone());
            // Nobody listens any more when the line has ended.
            let tell = move |sighting| drop(sender.send(Message::Seen(id.clone(), sighting)));
            self.watch = Watch::start(&root, tell)
                .inspect_err(|error| {
                    let reason = std::error::Error::source(error).map(ToString::to_string);
                    tracing::warn!(%error, reason, "changes are found by the next scan; a higher `fs.inotify.max_user_watches` may help");
                })
                .ok();
        }
        self.seen.clear();
        self.scans_at = Instant::now() + engine.config.scan_interval();
        let report = ingest::scan(&engine.store, id, &root, &engine.rule_limits(), beat)?;
        engine.note_problems(id, &report.problems);
        if report.revision.0 > 0 {
            engine.bell.ring();
        }
        tracing::debug!(workspace = %id, num_files = report.num_files, "scanned");
        Ok(())
    }

    fn scan_seen(&mut self, engine: &Engine, id: &WorkspaceId, beat: &Beat) -> Result<(), IngestError> {
        let report = ingest::scan_places(&engine.store, id, &self.root, &self.seen, &engine.rule_limits(), beat)?;
        self.seen.clear();
        if report.revision.0 > 0 {
            engine.bell.ring();
        }
        Ok(())
    }
}
