//! Locks on files: taken, extended, released, and asked for by every write.
//!
//! # Invariants
//! - A write to a file that an exclusive lock covers needs its token; a write to one that a shared lock covers waits until that is over.
//! - A write that gives the token of a lock that is lost is refused, whoever holds the file now.
//! - A lock is given under the lock on the workspace's files, as writes are made: nobody gets one while a file is being written.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::recording::Told;
use super::{EngineError, Workspace};
use crate::access::{self, Action, Who};
use crate::search::Filters;
use crate::store::{Covered, LockRequest, LockRow, LockTime, Taken};
use crate::workspace::{
    DEFAULT_LOCK_TTL_S, Held, LOCK_TTL_S, Lock, LockMode, LockViolation, MAX_LOCK_REASON_CHARS, MAX_LOCK_WAIT_MS,
    RelPath, Scope,
};

/// Signs of a lock's id and of its token.
const ID_CHARS: usize = 10;
const TOKEN_CHARS: usize = 32;
/// A holder should extend a lock three times in its life.
const HEARTBEATS: u32 = 3;
/// How often one who waits asks for the lock.
const TRY_EVERY: Duration = Duration::from_millis(100);
/// Violations of locks that the status tells, and how old they may be.
const MAX_VIOLATIONS: usize = 20;
const VIOLATIONS_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Seconds within which those who were refused are asked to come again.
const MAX_RETRY_S: u64 = 5;

/// A lock to take, of a file or of all that match a glob.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewLock {
    /// The file to lock, whether or not it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub path: Option<RelPath>,
    /// Locks all files whose paths match, instead of `path`. Two globs that begin alike are taken to overlap.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub glob: Option<String>,
    /// `exclusive`: nobody else holds it, and only the holder writes. `shared`: others may hold it as shared, and nobody writes.
    pub mode: LockMode,
    /// For how many seconds it holds unless it is extended, 10 to 3,600; 60 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 10, maximum = 3_600)]
    pub ttl_s: Option<u32>,
    /// How long to wait for it, at most 30,000 milliseconds. Those who wait get it in the order in which they came.
    #[schema(maximum = 30_000)]
    pub wait_ms: u64,
    /// What it is for; others who ask for it are told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 500)]
    pub reason: Option<String>,
    /// The wait that this is a try of.
    #[serde(skip)]
    #[schema(ignore)]
    pub ticket: Option<u64>,
}

/// The locks of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct LockList {
    /// Those that are held, the oldest first.
    pub locks: Vec<Lock>,
}

/// A lock as the page shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldLock {
    /// The lock.
    pub lock: Lock,
    /// The key that took it; `None` for this machine's user.
    pub key: Option<String>,
    /// Whether the caller's own key took it.
    pub is_own: bool,
    /// Who waits for it, in the order of coming.
    pub waiting: Vec<Waiting>,
}

/// Somebody who waits for a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// What the one who waits is called.
    pub holder: String,
    /// Since when.
    pub since: Timestamp,
}

/// Whether a lock was released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Released {
    /// The id of the lock.
    pub lock_id: String,
    /// Whether it was held until now. One that was over or released before is released as well.
    pub was_held: bool,
}

impl Workspace<'_> {
    /// Takes a lock, or refuses at once. Who waits asks again with the ticket of the refusal, at least every five seconds.
    ///
    /// # Errors
    /// [`EngineError::Locked`] where others hold it or wait for it; [`EngineError::InvalidLock`].
    pub fn take_lock(&self, new: &NewLock) -> Result<Lock, EngineError> {
        let told = Told::of(&new.path);
        if new.ticket.is_none() {
            return self.recorded(Action::Lock, told, |_| self.take_unrecorded(new));
        }
        // Of a wait the first try is recorded, and how it ends.
        let _admitted = self.begin(Action::Lock)?;
        match self.take_unrecorded(new) {
            Err(EngineError::Locked(held)) => Err(EngineError::Locked(held)),
            done => self.recorded(Action::Lock, told, |_| done),
        }
    }

    /// Counts a wait of the caller for a lock, until it is dropped.
    ///
    /// # Errors
    /// [`AccessError::TooManyWaits`](crate::access::AccessError::TooManyWaits).
    pub fn begin_lock_wait(&self) -> Result<impl Send + use<>, EngineError> {
        self.engine.begin_wait(&self.caller)
    }

    fn take_unrecorded(&self, new: &NewLock) -> Result<Lock, EngineError> {
        self.engine.data.must_log()?;
        let covered = self.covered(new)?;
        let ttl_s = checked_ttl(new.ttl_s)?.unwrap_or(DEFAULT_LOCK_TTL_S);
        let is_long = |reason: &String| reason.chars().count() > MAX_LOCK_REASON_CHARS;
        if new.reason.as_ref().is_some_and(is_long) {
            return Err(invalid(format!("`reason` has more than {MAX_LOCK_REASON_CHARS} characters")));
        }
        if new.wait_ms > MAX_LOCK_WAIT_MS {
            return Err(invalid(format!("`wait_ms` is {}, and may be at most {MAX_LOCK_WAIT_MS}", new.wait_ms)));
        }
        let (id, token) = (access::random_signs(ID_CHARS)?, access::random_signs(TOKEN_CHARS)?);
        let token = format!("lck_{id}_{token}");
        let request = LockRequest {
            covered,
            mode: new.mode,
            id,
            token: hash_of(&token),
            key: self.caller.key().map(|key| key.row.id.clone()),
            holder: self.holder(),
            reason: new.reason.clone(),
            ttl_s,
            ticket: new.ticket,
            waits: new.wait_ms > 0,
        };
        let _alone = self.engine.lock_files(&self.id)?;
        let max = self.engine.config().limits.locks;
        match self.engine.data.store.take_lock(&self.id, &request, &LockTime::now(), max)? {
            Taken::Yes(row) => Ok(Lock { token: Some(token), ..told_of(row) }),
            Taken::No { by, place, ticket } => {
                let path = request.covered.as_str().to_owned();
                Err(EngineError::Locked(Box::new(held(path, by, place, ticket))))
            }
        }
    }

    /// Ends a wait for a lock that was not had.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn end_lock_wait(&self, ticket: u64) -> Result<(), EngineError> {
        Ok(self.engine.data.store.end_lock_wait(ticket)?)
    }

    /// Prolongs a lock from now on, by the time that it was taken for or by `ttl_s` seconds.
    ///
    /// # Errors
    /// [`EngineError::LockLost`] where it is over, was released, or the token is another one's.
    pub fn extend_lock(&self, id: &str, token: &str, ttl_s: Option<u32>) -> Result<Lock, EngineError> {
        self.recorded(Action::Lock, Told::default(), |_| {
            self.engine.data.must_log()?;
            let ttl_s = checked_ttl(ttl_s)?;
            let row = self.engine.data.store.extend_lock(&self.id, id, &hash_of(token), ttl_s, &LockTime::now())?;
            row.map(told_of).ok_or_else(|| EngineError::LockLost { id: id.to_owned() })
        })
    }

    /// Releases a lock. To release one that is not held any more does nothing.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn release_lock(&self, id: &str, token: &str) -> Result<Released, EngineError> {
        self.recorded(Action::Unlock, Told::default(), |_| {
            self.engine.data.must_log()?;
            let row = self.engine.data.store.release_lock(&self.id, id, Some(&hash_of(token)), &LockTime::now())?;
            Ok(Released { lock_id: id.to_owned(), was_held: row.is_some() })
        })
    }

    /// Takes a lock from whoever holds it.
    ///
    /// # Errors
    /// When the caller has not the right `admin`, or the store cannot be written.
    pub fn break_lock(&self, id: &str) -> Result<Released, EngineError> {
        self.recorded(Action::BreakLock, Told::default(), |_| {
            self.engine.data.must_log()?;
            self.check_whole()?;
            let row = self.engine.data.store.release_lock(&self.id, id, None, &LockTime::now())?;
            Ok(Released { lock_id: id.to_owned(), was_held: row.is_some() })
        })
    }

    /// The locks that are held, as far as the caller sees the files; of those with a glob, one that sees some files alone is told its own.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn locks(&self) -> Result<LockList, EngineError> {
        self.recorded(Action::ListLocks, Told::default(), |_| {
            let is_seen = |row: &LockRow| self.is_told(&row.covered, row.key.as_deref());
            let rows = self.engine.data.store.locks(&self.id, &LockTime::now())?;
            Ok(LockList { locks: rows.into_iter().filter(is_seen).map(told_of).collect() })
        })
    }

    /// Releases a lock that the caller's own key has taken, without its token.
    ///
    /// # Errors
    /// [`EngineError::LockLost`] where it is not held, or another one's.
    pub fn release_own_lock(&self, id: &str) -> Result<Released, EngineError> {
        self.recorded(Action::Unlock, Told::default(), |_| {
            self.engine.data.must_log()?;
            let now = LockTime::now();
            let locks = self.engine.data.store.locks(&self.id, &now)?;
            let own = locks.into_iter().find(|row| row.id == id && self.is_own(row.key.as_deref()));
            let row = own.ok_or_else(|| EngineError::LockLost { id: id.to_owned() })?;
            let row = self.engine.data.store.release_lock(&self.id, id, Some(&row.token), &now)?;
            Ok(Released { lock_id: id.to_owned(), was_held: row.is_some() })
        })
    }

    /// The locks that are held, with those who wait for them, as [`Workspace::locks`] tells them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn held_locks(&self) -> Result<Vec<HeldLock>, EngineError> {
        self.recorded(Action::ListLocks, Told::default(), |_| {
            let now = LockTime::now();
            let waits = self.engine.data.store.lock_waits(&self.id, &now)?;
            let waits_for = |row: &LockRow| {
                let of_row = waits.iter().filter(|wait| {
                    let excludes = wait.mode == LockMode::Exclusive || row.mode == LockMode::Exclusive;
                    excludes && wait.covered.overlaps(&row.covered) && self.is_told(&wait.covered, wait.key.as_deref())
                });
                of_row.map(|wait| Waiting { holder: wait.holder.clone(), since: wait.since }).collect()
            };
            let mut rows = self.engine.data.store.locks(&self.id, &now)?;
            rows.retain(|row| self.is_told(&row.covered, row.key.as_deref()));
            let held = |row: LockRow| HeldLock {
                is_own: self.is_own(row.key.as_deref()),
                waiting: waits_for(&row),
                key: row.key.clone(),
                lock: told_of(row),
            };
            Ok(rows.into_iter().map(held).collect())
        })
    }

    /// The locks that cover a file, where the caller may know of locks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn locks_of(&self, path: &RelPath) -> Result<Vec<Lock>, EngineError> {
        if !self.may_lock() {
            return Ok(Vec::new());
        }
        let covering = self.engine.data.store.covering(&self.id)?;
        let told = covering.locks_of(path).filter(|row| self.is_told(&row.covered, row.key.as_deref()));
        Ok(told.cloned().map(told_of).collect())
    }

    /// Whether the caller is told of a lock, or of a wait for one: one that sees some files alone is told of a glob that is its own.
    fn is_told(&self, covered: &Covered, key: Option<&str>) -> bool {
        match covered {
            Covered::Path(path) => self.sees(path),
            Covered::Glob(_) => !self.is_narrowed() || self.is_own(key),
        }
    }

    /// Whether the caller's own key, or this machine's user as the caller, has taken what `key` has.
    fn is_own(&self, key: Option<&str>) -> bool {
        self.caller.key().map(|key| key.row.id.as_str()) == key
    }

    /// The newest changes of locked files past us that the caller may know of.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn lock_violations(&self) -> Result<Vec<LockViolation>, EngineError> {
        if !self.may_lock() {
            return Ok(Vec::new());
        }
        let since = Timestamp::now().checked_sub(VIOLATIONS_FOR).unwrap_or(Timestamp::MIN);
        let mut found = self.engine.data.store.violations(&self.id, since)?;
        found.retain(|violation| self.sees(&violation.path));
        found.truncate(MAX_VIOLATIONS);
        Ok(found)
    }

    /// Refuses a write to files that others have locked, and one with a token that is lost. To be asked under the lock on the files.
    pub(super) fn check_locks(&self, paths: &[&RelPath]) -> Result<(), EngineError> {
        let tokens: Vec<[u8; 32]> = self.given.lock_tokens.iter().map(|token| hash_of(token)).collect();
        let locks = self.engine.data.store.locks(&self.id, &LockTime::now())?;
        let is_known = |token: &[u8; 32]| locks.iter().any(|lock| lock.token == *token);
        if !tokens.iter().all(is_known) {
            let path = paths.first().map(ToString::to_string).unwrap_or_default();
            return Err(EngineError::Fenced { path });
        }
        for path in paths {
            let mut covering = locks.iter().filter(|lock| lock.covered.covers(path));
            let by_another =
                covering.find(|lock| lock.mode == LockMode::Shared || !tokens.contains(&lock.token)).cloned();
            if let Some(lock) = by_another {
                return Err(EngineError::Locked(Box::new(held(path.to_string(), Some(lock), 1, None))));
            }
        }
        Ok(())
    }

    /// What a lock is to cover, which the caller may write.
    fn covered(&self, new: &NewLock) -> Result<Covered, EngineError> {
        match (&new.path, &new.glob) {
            (Some(path), None) => Ok(Covered::Path(self.spelled_to_write(path)?)),
            (None, Some(glob)) => {
                self.check_whole()?;
                Filters { path: vec![glob.clone()], ..Filters::default() }.compile(self.engine.data.patterns())?;
                Ok(Covered::Glob(glob.clone()))
            }
            _ => Err(invalid("give `path` or `glob`".to_owned())),
        }
    }

    /// What others are told of the caller.
    pub(super) fn holder(&self) -> String {
        match &self.caller.who {
            Who::Key(key) => key.row.agent.clone().unwrap_or_else(|| key.row.name.clone()),
            Who::LocalUser => "this machine's user".to_owned(),
        }
    }

    /// Whether the caller may take locks.
    #[must_use]
    pub fn may_lock(&self) -> bool {
        self.caller.may(Scope::Locks)
    }
}

/// Tries to take a lock until it is had or `wait_ms` are over, in the order in which callers came. Between two tries it holds no thread.
/// `try_once` takes the lock or says who holds it, and `leave` ends the wait of a ticket.
///
/// # Errors
/// Those of `try_once`.
pub async fn lock_within<E, Try, Leave>(
    mut new: NewLock,
    try_once: impl Fn(NewLock) -> Try + Send,
    leave: impl FnOnce(u64) -> Leave + Send,
) -> Result<Result<Lock, Box<Held>>, E>
where
    Try: Future<Output = Result<Result<Lock, Box<Held>>, E>> + Send,
    Leave: Future<Output = ()> + Send,
{
    let until = tokio::time::Instant::now() + Duration::from_millis(new.wait_ms);
    loop {
        let held = match try_once(new.clone()).await? {
            Ok(lock) => return Ok(Ok(lock)),
            Err(held) => held,
        };
        if tokio::time::Instant::now() + TRY_EVERY > until {
            if let Some(ticket) = held.ticket {
                leave(ticket).await;
            }
            return Ok(Err(held));
        }
        new.ticket = held.ticket;
        tokio::time::sleep(TRY_EVERY).await;
    }
}

fn checked_ttl(ttl_s: Option<u32>) -> Result<Option<u32>, EngineError> {
    match ttl_s {
        Some(ttl_s) if !LOCK_TTL_S.contains(&ttl_s) => {
            Err(invalid(format!("`ttl_s` is {ttl_s}, and must be {} to {}", LOCK_TTL_S.start(), LOCK_TTL_S.end())))
        }
        ttl_s => Ok(ttl_s),
    }
}

fn invalid(what: String) -> EngineError {
    EngineError::InvalidLock { what }
}

fn hash_of(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

fn told_of(row: LockRow) -> Lock {
    let (path, glob) = match row.covered {
        Covered::Path(path) => (Some(path.to_string()), None),
        Covered::Glob(glob) => (None, Some(glob)),
    };
    Lock {
        lock_id: row.id,
        path,
        glob,
        mode: row.mode,
        token: None,
        fence: row.fence,
        holder: row.holder,
        reason: row.reason,
        taken_at: row.taken,
        expires_at: row.expires,
        heartbeat_every_s: (row.ttl_s / HEARTBEATS).max(1),
    }
}

fn held(path: String, by: Option<LockRow>, place: u64, ticket: Option<u64>) -> Held {
    let left_s = by.as_ref().map_or(1, |lock| lock.expires.as_second() - Timestamp::now().as_second()).max(1);
    let most = left_s.unsigned_abs().min(MAX_RETRY_S);
    // Full jitter; where there is no randomness, the middle.
    let mut random = [0_u8; 8];
    let retry_after_s = match getrandom::fill(&mut random) {
        Ok(()) => 1 + u64::from_le_bytes(random) % most,
        Err(_) => most.div_ceil(2),
    };
    Held {
        path,
        holder: by.as_ref().map(|lock| lock.holder.clone()),
        expires_at: by.as_ref().map(|lock| lock.expires),
        reason: by.and_then(|lock| lock.reason),
        place,
        retry_after_s,
        ticket,
    }
}
