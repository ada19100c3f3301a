//! The record of every verb: who asked for what, how it ended, and what the reply showed.
//!
//! # Invariants
//! - A verb that a caller asks for is recorded once, also where it calls others.
//! - A reply leaves the engine after its entry is in the journal. Where the entry cannot be written, a caller gets an error and no reply.
//! - What has an effect, and an answer, whose sentences may be told before it ends, has an entry before it begins.

use std::cell::Cell;
use std::net::IpAddr;
use std::time::Instant;

use super::{Claimed, Engine, EngineError, Workspace};
use crate::access::{Action, Caller, Effect, Surface, Who};
use crate::audit::{Activity, Actor, Entry, Met, Outcome, Shown};
use crate::error::Advice as _;
use crate::workspace::{Citation, ContentHash, RelPath, Revision, Span, WorkspaceId};

/// Bytes of a query that the journal is told: longer ones than `limits.query_bytes` are refused anyway.
const MAX_QUERY_BYTES: usize = 32_768;
/// Paths that are recorded of what has not happened.
const MAX_REFUSED_PATHS: usize = 200;

thread_local! {
    /// Whether this thread is in a verb that is recorded.
    static IS_IN_VERB: Cell<bool> = const { Cell::new(false) };
}

/// The thread is in a verb until this is dropped.
struct InVerb;

impl InVerb {
    fn enter() -> Self {
        IS_IN_VERB.set(true);
        Self
    }
}

impl Drop for InVerb {
    fn drop(&mut self) {
        IS_IN_VERB.set(false);
    }
}

/// What the journal is told of a verb, besides who asked for it and how it ended.
#[derive(Debug, Clone, Default)]
pub(super) struct Told {
    pub paths: Vec<RelPath>,
    pub query: Option<String>,
    pub revision: Option<Revision>,
    pub shown: Vec<Shown>,
    /// The key that the verb is about.
    pub key: Option<String>,
    /// What it met of others' writes.
    pub met: Option<Met>,
}

impl Told {
    pub(super) fn of<'a>(paths: impl IntoIterator<Item = &'a RelPath>) -> Self {
        Self { paths: paths.into_iter().cloned().collect(), ..Self::default() }
    }

    pub(super) fn asked(query: &str) -> Self {
        Self { query: Some(query[..query.floor_char_boundary(MAX_QUERY_BYTES)].to_owned()), ..Self::default() }
    }

    pub(super) fn of_key(id: &str) -> Self {
        Self { key: Some(id.to_owned()), ..Self::default() }
    }

    /// Cited words were shown.
    pub(super) fn shows<'a>(&mut self, citations: impl IntoIterator<Item = &'a Citation>) {
        self.shown.extend(citations.into_iter().map(Shown::from));
    }

    /// A part of a file was shown; the whole file where there is no span.
    pub(super) fn shows_of(&mut self, path: &RelPath, content_hash: Option<ContentHash>, span: Option<Span>) {
        self.shown.push(Shown { path: path.clone(), content_hash, span });
    }
}

impl Engine {
    /// Refuses a caller that has no right to a verb, and records the refusal.
    pub(super) fn check_recorded(
        &self,
        caller: &Caller,
        workspace: Option<&WorkspaceId>,
        action: Action,
    ) -> Result<(), EngineError> {
        let Err(error) = caller.check(action) else { return Ok(()) };
        let error = EngineError::from(error);
        self.record_refusal(caller, workspace, action.name(), error.code());
        Err(error)
    }

    /// Does what a verb does, and records it.
    ///
    /// # Errors
    /// As `work`; when the caller has no right to it; and [`EngineError::Audit`] where it cannot be recorded, of a verb with an effect also
    /// when it is done.
    pub(super) fn recorded<T>(
        &self,
        caller: &Caller,
        workspace: Option<&WorkspaceId>,
        action: Action,
        mut told: Told,
        work: impl FnOnce(&mut Told) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        self.check_recorded(caller, workspace, action)?;
        if IS_IN_VERB.get() {
            return work(&mut told);
        }
        let started = Instant::now();
        let has_effect = action.effect() != Effect::Read;
        let begun = if has_effect || action == Action::Ask {
            // The entry of the end has all paths.
            let begins = Told { paths: told.paths.iter().take(MAX_REFUSED_PATHS).cloned().collect(), ..told.clone() };
            self.journal.record(&entry_of(caller, workspace, action, &begins))?
        } else {
            None
        };
        let done = {
            let _in_verb = InVerb::enter();
            work(&mut told)
        };
        let outcome = done.as_ref().map_or_else(|error| Outcome::Failure { code: error.code() }, |_| Outcome::Success);
        if let Err(EngineError::Conflict(conflict)) = &done {
            told.met = Some(Met { expected: conflict.expected, found: conflict.current_etag });
        }
        if done.is_err() {
            // No reply shows it.
            told.shown.retain(|_| action == Action::Ask);
            told.paths.truncate(MAX_REFUSED_PATHS);
        }
        let duration = Some(started.elapsed());
        let entry = Entry { outcome, duration, begun, ..entry_of(caller, workspace, action, &told) };
        match (self.journal.record(&entry), done) {
            (Ok(_), done) => done,
            (Err(error), Ok(_)) if has_effect => Err(error.after().into()),
            (Err(error), Ok(_)) => Err(error.into()),
            (Err(error), Err(failed)) => {
                tracing::warn!(%error, "a request that failed is not recorded");
                Err(failed)
            }
        }
    }

    /// Does what a claim does, and records it: whoever holds a token has not said who, and has a key then.
    ///
    /// # Errors
    /// As [`Engine::recorded`].
    pub(super) fn recorded_claim(
        &self,
        from: &Caller,
        workspace: &WorkspaceId,
        work: impl FnOnce() -> Result<Claimed, EngineError>,
    ) -> Result<Claimed, EngineError> {
        let started = Instant::now();
        let Caller { surface, address, request_id, .. } = from;
        let entry = Entry {
            outcome: Outcome::Begun,
            address: *address,
            request_id: request_id.as_deref(),
            workspace: Some(workspace),
            ..Entry::new(Activity::Update, "workspace.claim", Actor::Unknown, surface.name())
        };
        let begun = self.journal.record(&entry)?;
        let done = work();
        let duration = Some(started.elapsed());
        let entry = match &done {
            Ok(Claimed { key, .. }) => {
                let (id, name) = (key.key.id.as_str(), key.key.name.as_str());
                let actor = Actor::Key { id, name, agent: None };
                Entry { outcome: Outcome::Success, actor, about_key: Some(id), duration, begun, ..entry }
            }
            Err(error) => Entry { outcome: Outcome::Failure { code: error.code() }, duration, begun, ..entry },
        };
        match self.journal.record(&entry) {
            Err(error) if done.is_ok() => Err(error.after().into()),
            _ => done,
        }
    }

    /// Begins or ends a session, and records it. Every key has the right to it.
    ///
    /// # Errors
    /// As [`Engine::recorded`].
    pub(super) fn recorded_session<T>(
        &self,
        caller: &Caller,
        operation: &str,
        work: impl FnOnce() -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let started = Instant::now();
        let done = work();
        let outcome = done.as_ref().map_or_else(|error| Outcome::Failure { code: error.code() }, |_| Outcome::Success);
        let entry = Entry {
            outcome,
            address: caller.address,
            request_id: caller.request_id.as_deref(),
            duration: Some(started.elapsed()),
            ..Entry::new(Activity::Create, operation, actor_of(caller), caller.surface.name())
        };
        match self.journal.record(&entry) {
            Err(error) if done.is_ok() => Err(error.after().into()),
            _ => done,
        }
    }

    /// Records that a caller was turned away at the door, or had no right. An address that this happens to again and again is counted.
    pub fn record_refusal(&self, caller: &Caller, workspace: Option<&WorkspaceId>, operation: &str, code: &str) {
        let entry = Entry {
            outcome: Outcome::Failure { code },
            address: caller.address,
            request_id: caller.request_id.as_deref(),
            workspace,
            ..Entry::new(Activity::Read, operation, actor_of(caller), caller.surface.name())
        };
        self.note_refusal(&entry);
    }

    /// Records that somebody who has not said who was turned away at the door.
    pub fn record_unknown(
        &self,
        surface: Surface,
        address: Option<IpAddr>,
        request_id: Option<&str>,
        (operation, code): (&str, &str),
    ) {
        let outcome = Outcome::Failure { code };
        let entry = Entry::new(Activity::Read, operation, Actor::Unknown, surface.name());
        self.note_refusal(&Entry { outcome, address, request_id, ..entry });
    }

    fn note_refusal(&self, entry: &Entry<'_>) {
        // Who is refused gets nothing, also where nobody can be told of it.
        if let Err(error) = self.journal.record_refusal(entry) {
            tracing::warn!(%error, "a refusal is not recorded");
        }
    }
}

impl Workspace<'_> {
    /// Does what a verb on this workspace does, and records it.
    ///
    /// # Errors
    /// As [`Engine::recorded`].
    pub(super) fn recorded<T>(
        &self,
        action: Action,
        told: Told,
        work: impl FnOnce(&mut Told) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        self.engine.recorded(&self.caller, Some(&self.id), action, told, work)
    }
}

fn actor_of(caller: &Caller) -> Actor<'_> {
    match &caller.who {
        Who::LocalUser => Actor::LocalUser,
        Who::Key(key) => Actor::Key { id: &key.row.id, name: &key.row.name, agent: key.row.agent.as_deref() },
    }
}

/// The entry of a verb that has begun.
fn entry_of<'a>(caller: &'a Caller, workspace: Option<&'a WorkspaceId>, action: Action, told: &'a Told) -> Entry<'a> {
    let activity = match action.effect() {
        Effect::Create => Activity::Create,
        Effect::Read => Activity::Read,
        Effect::Update => Activity::Update,
        Effect::Delete => Activity::Delete,
    };
    let Told { paths, query, revision, shown, key, met } = told;
    Entry {
        outcome: Outcome::Begun,
        address: caller.address,
        request_id: caller.request_id.as_deref(),
        workspace,
        paths,
        query: query.as_deref(),
        revision: *revision,
        shown,
        about_key: key.as_deref(),
        met: *met,
        ..Entry::new(activity, action.name(), actor_of(caller), caller.surface.name())
    }
}
