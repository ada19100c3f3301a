//! Pushed events: what may stand in one, how they are taken, and what they are answered with.
//!
//! # Invariants
//! - The file on disk is the truth. An event without content only names a file to look at, so one that comes twice, late or in
//!   another order does no harm.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::allowances::Charge;
use super::recording::Told;
use super::write::{GONE, refuse_device_names};
use super::{EngineError, Workspace};
use crate::access::Action;
use crate::files::{Condition, Files};
use crate::ingest;
use crate::store::{LoggedEvent, Moved, Observation};
use crate::workspace::{ChangeKind, ContentHash, Provenance, RelPath, Revision};

/// Longer ids are refused, in characters.
pub const MAX_EVENT_ID_CHARS: usize = 256;

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// It is new.
    Created,
    /// It has other content.
    Modified,
    /// It was at another path before: `from`.
    Renamed,
    /// It is gone.
    Deleted,
}

/// A report that a file changed. Without content, pincite looks at the file on disk. An event has `content` or `content_base64`, not both, and
/// neither where the file was deleted; only the event of a renamed file has `from`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The id of the event, 1 to 256 characters. Events are idempotent: a second one with the same id changes nothing.
    pub id: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The file.
    pub path: RelPath,
    /// The former path of a renamed file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<RelPath>,
    /// When it happened (RFC 3339). With it, content that comes late does not replace newer content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub occurred_at: Option<Timestamp>,
    /// The file's content, as text; it is written into the workspace's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The file's content, as base64; it is written into the workspace's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_base64: Option<String>,
    /// The agent or person that made the change. Like the fields after it, 1 to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The run or session of the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The sandbox or machine of the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// Words to find the file by, at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl Event {
    /// Who did it, as the event says.
    pub(super) fn provenance(&self) -> Provenance {
        let Self { agent, run, sandbox, tags, .. } = self;
        let tags = tags.iter().cloned().collect();
        Provenance { agent: agent.clone(), run: run.clone(), sandbox: sandbox.clone(), tags, proven: false }
    }

    /// The content that the event brings, when all that it says can be.
    pub(super) fn check(&self) -> Result<Option<Vec<u8>>, EngineError> {
        let invalid = |reason: &str| Err(EngineError::InvalidEvent { id: self.id.clone(), reason: reason.to_owned() });
        if self.id.trim().is_empty() || self.id.chars().count() > MAX_EVENT_ID_CHARS {
            return invalid("its id has 1 to 256 characters, not all of them white space");
        }
        if let Err(error) = self.provenance().check() {
            return invalid(&error.to_string());
        }
        match (self.kind, &self.from) {
            (EventKind::Renamed, None) => return invalid("a renamed file has a path `from` which it came"),
            (EventKind::Renamed, Some(_)) | (_, None) => {}
            (_, Some(_)) => return invalid("only a renamed file has a path `from`"),
        }
        match (&self.content, &self.content_base64) {
            (Some(_), Some(_)) => invalid("it has `content` or `content_base64`, not both"),
            (None, None) => Ok(None),
            _ if self.kind == EventKind::Deleted => invalid("a deleted file has no content"),
            (Some(text), None) => Ok(Some(text.clone().into_bytes())),
            (None, Some(encoded)) => match STANDARD.decode(encoded) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(_) => invalid("`content_base64` is not base64"),
            },
        }
    }
}

/// An event that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct TakenEvent {
    /// The event.
    pub id: String,
    /// A query with this `min_revision` sees the change.
    pub revision: Revision,
    /// Whether the id was taken before, so that the event changed nothing now.
    pub repeated: bool,
    /// Whether a newer event about the file was taken before, so that this one wrote nothing.
    pub superseded: bool,
}

/// The results of the events, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct EventsReply {
    /// A query with this `min_revision` sees all of the changes.
    pub revision: Revision,
    /// The result of each event.
    pub events: Vec<TakenEvent>,
}

impl Workspace<'_> {
    /// Takes events, all or none, each once under its id.
    ///
    /// # Errors
    /// As [`Workspace::write_file`], and when an event says what cannot be.
    pub fn take_events(&self, events: &[Event]) -> Result<EventsReply, EngineError> {
        self.recorded(
            Action::Events,
            Told::of(events.iter().flat_map(|event| event.from.iter().chain([&event.path]))),
            |told| {
                let reply = self.events_unrecorded(events)?;
                told.revision = Some(reply.revision);
                Ok(reply)
            },
        )
    }

    fn events_unrecorded(&self, events: &[Event]) -> Result<EventsReply, EngineError> {
        let id = &self.id;
        let events = &self.spelled_events(events)?;
        for event in events {
            event.from.iter().chain([&event.path]).try_for_each(|path| self.check_writable(path))?;
            self.caller.attribute(event.provenance())?;
        }
        let checked: Vec<Option<Vec<u8>>> = events.iter().map(Event::check).collect::<Result<_, _>>()?;
        let written = events.iter().zip(&checked).filter(|(_, content)| content.is_some());
        let root = self.root_to_write(written.map(|(event, _)| &event.path))?;
        let is_managed = root == self.managed_folder()?;
        let files = &*self.engine.data.files_of(&self.id, &root);
        for (event, content) in events.iter().zip(&checked) {
            if content.is_some() || is_managed && event.kind == EventKind::Renamed {
                refuse_device_names(&event.path)?;
            }
        }
        let _alone = self.engine.lock_files(id)?;
        self.check_room()?;
        let charge = self.charge_events(events, &checked)?;

        let (mut taken, mut num_bytes): (Vec<TakenEvent>, u64) = (Vec::with_capacity(events.len()), 0);
        let mut logged: Vec<LoggedEvent> = Vec::new();
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for (event, content) in events.iter().zip(checked) {
            let before = self.engine.data.store.event_revision(id, &event.id)?;
            let repeated = before.is_some() || !seen.insert(&event.id);
            let mut superseded = false;
            if !repeated {
                // Of those that came with it, one without a time is older by its place alone.
                let of_path = logged.iter().filter(|logged| logged.path == event.path);
                let newest = of_path.filter_map(|logged| logged.occurred_at).max();
                let newest = newest.max(self.engine.data.store.newest_event_at(id, &event.path)?);
                // Only what would be written here can be older than what is there: otherwise the disk has the newest.
                superseded = event.occurred_at.is_some_and(|at| newest.is_some_and(|newest| to_ms(newest) > to_ms(at)));
                if !superseded {
                    let changed: Vec<&RelPath> = event.from.iter().chain([&event.path]).collect();
                    if is_done_here(event, content.is_some(), is_managed) {
                        self.check_locks(&changed)?;
                    }
                    apply(files, event, content.as_deref(), is_managed)?;
                    num_bytes += content.as_ref().map_or(0, Vec::len) as u64;
                }
                let mut observations = Vec::new();
                let is_past_us = superseded || !is_done_here(event, content.is_some(), is_managed);
                for path in event.from.iter().chain([&event.path]) {
                    let mut seen = self.observe(files, path, is_managed || content.is_some())?;
                    if is_past_us && let Some(seen) = &mut seen {
                        self.witness_past_us(files, seen)?;
                    }
                    // What is there is not of an event that came too late.
                    let content = content.as_deref().filter(|_| !superseded);
                    observations
                        .extend(seen.map(|seen| if superseded { seen } else { self.attributed(seen, event, content) }));
                }
                if event.kind == EventKind::Renamed && content.is_none() && !superseded {
                    pair(&mut observations, event);
                }
                let is_told = !self.writer_of_event(event).is_empty();
                let moved_from = event.from.clone().filter(|_| !is_told && content.is_none());
                let (id, path) = (event.id.clone(), event.path.clone());
                logged.push(LoggedEvent { id, path, occurred_at: event.occurred_at, observations, moved_from });
            }
            taken.push(TakenEvent { id: event.id.clone(), revision: before.unwrap_or_default(), repeated, superseded });
        }
        let revisions =
            charge.settle(num_bytes, |charged| Ok(self.engine.data.store.log_events(id, &logged, charged)?))?;
        self.engine.scheduler.wake();
        for (event, revision) in logged.iter().zip(revisions) {
            taken.iter_mut().filter(|taken| taken.id == event.id).for_each(|taken| taken.revision = revision);
        }
        let revision = taken.iter().map(|event| event.revision).max().unwrap_or_default();
        Ok(EventsReply { revision, events: taken })
    }

    /// Marks what was seen of a file that others have locked, and that was not changed here. Who gives the lock's token may report it.
    fn witness_past_us(&self, files: &dyn Files, seen: &mut Observation) -> Result<(), EngineError> {
        match self.check_locks(&[&seen.path]) {
            Err(EngineError::Locked(_) | EngineError::Fenced { .. }) => Ok(ingest::witness_past_us(files, seen)?),
            checked => checked,
        }
    }

    /// Takes the contents of events from the day of the caller's key, where the workspace has room for them. Those that were taken before
    /// write nothing.
    fn charge_events(&self, events: &[Event], contents: &[Option<Vec<u8>>]) -> Result<Charge, EngineError> {
        let mut written = Vec::new();
        for (event, content) in events.iter().zip(contents) {
            if let Some(content) = content
                && self.engine.data.store.event_revision(&self.id, &event.id)?.is_none()
            {
                written.push((&event.path, content.len() as u64));
            }
        }
        let num_bytes = written.iter().map(|(_, size)| *size).sum();
        self.check_room_for(written.into_iter())?;
        self.charge(num_bytes)
    }

    /// What was seen of a file, as done by whom the event says, where it is what the event tells of.
    fn attributed(&self, seen: Observation, event: &Event, content: Option<&[u8]>) -> Observation {
        let is_of_event = if seen.path == event.path {
            (seen.kind == ChangeKind::Deleted) == (event.kind == EventKind::Deleted)
        } else {
            seen.kind == ChangeKind::Deleted
        };
        if !is_of_event {
            return seen;
        }
        let content_hash = content.filter(|_| seen.path == event.path).map(ContentHash::of).or(seen.content_hash);
        Observation { provenance: self.writer_of_event(event), content_hash, ..seen }
    }

    /// Who did what an event tells: the caller's key says it, where it names an agent. A claim of another agent was refused before.
    fn writer_of_event(&self, event: &Event) -> Provenance {
        self.caller.attribute(event.provenance()).unwrap_or_default()
    }

    /// Events with their paths as the workspace's folder spells them. Those in ASCII are taken as they are: whoever reports a file has
    /// its name from the disk.
    fn spelled_events(&self, events: &[Event]) -> Result<Vec<Event>, EngineError> {
        let mut events = events.to_vec();
        for event in &mut events {
            for path in event.from.iter_mut().chain([&mut event.path]).filter(|path| !path.as_str().is_ascii()) {
                *path = self.spelled_to_write(path)?;
            }
        }
        Ok(events)
    }

    /// What the disk says of a file, where the file table says something else or may.
    fn observe(
        &self,
        files: &dyn Files,
        path: &RelPath,
        is_new_content: bool,
    ) -> Result<Option<Observation>, EngineError> {
        let id = &self.id;
        let there = if files.admits(path) { ingest::seen(files, path)? } else { None };
        let known = self.engine.data.store.file(id, path)?;
        let (kind, fingerprint) = match (there, known) {
            (Some(fingerprint), Some(_)) => (ChangeKind::Modified, fingerprint),
            (Some(fingerprint), None) => (ChangeKind::Created, fingerprint),
            (None, Some(_)) => (ChangeKind::Deleted, GONE),
            (None, None) => return Ok(None),
        };
        Ok(Some(Observation::new(path.clone(), kind, fingerprint, is_new_content)))
    }
}

/// Does to the folder what an event says was done, where the folder is ours or the event brings the content.
fn apply(files: &dyn Files, event: &Event, content: Option<&[u8]>, is_managed: bool) -> Result<(), EngineError> {
    let may = |path: &RelPath| is_managed && files.admits(path);
    match (event.kind, &event.from) {
        (EventKind::Renamed, Some(from)) if may(from) && may(&event.path) => {
            ingest::rename_file(files, from, &event.path)?;
        }
        (EventKind::Deleted, _) if may(&event.path) => {
            ingest::delete_file(files, &event.path)?;
        }
        _ => {}
    }
    if let Some(bytes) = content {
        ingest::write_file(files, &event.path, bytes, &Condition::Any)?;
    }
    Ok(())
}

/// Whether an event is more than a report of what was done on disk: it brings the content, or the folder is ours.
fn is_done_here(event: &Event, has_content: bool, is_managed: bool) -> bool {
    has_content || is_managed && event.kind != EventKind::Modified
}

/// Makes one renaming of what was seen of both paths of a renamed file: one is gone, and one is there.
fn pair(observations: &mut [Observation], event: &Event) {
    let Some(from) = &event.from else { return };
    let is_deleted = |seen: &Observation| seen.kind == ChangeKind::Deleted;
    let [old, new] = observations else { return };
    if old.path == *from && is_deleted(old) && new.path == event.path && !is_deleted(new) {
        (old.moved, new.moved) = (Some(Moved::Away), Some(Moved::From(from.clone())));
    }
}

fn to_ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}
