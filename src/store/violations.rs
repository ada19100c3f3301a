//! Changes of locked files that somebody has made past us, on disk.
//!
//! # Invariants
//! - Whether a change violates a lock is decided in the transaction that logs it, by the lock as it is then: one that is over is not violated.
//! - A content that is known already violates nothing, and neither does one that was written before the lock was taken.
//! - A violation is kept until the journal has it, however old it is.

use jiff::Timestamp;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, Transaction, params};

use super::locks::live;
use super::{Fingerprint, LockRow, LockTime, Observation, Store, StoreError, as_i64, begin, parsed};
use crate::workspace::{
    ChangeKind, ContentHash, LockMode, LockViolation, RelPath, Revision, ViolatedLock, WorkspaceId,
};

/// Violations of a workspace that are kept, besides those that the journal does not have yet.
const KEPT_VIOLATIONS: i64 = 1_000;
/// By so much the time of a file may be behind the clock: systems stamp files with the time of the last tick.
const TICK_NS: i64 = 20_000_000;
/// The modification time of a file that the next scan takes up again.
const NEVER_NS: i64 = Fingerprint::NEVER.modified_ns;

/// The locks of a workspace, to ask which of them cover a path.
pub struct Covering(Vec<(LockRow, Option<globset::GlobMatcher>)>);

impl Covering {
    fn of(locks: Vec<LockRow>) -> Self {
        Self(locks.into_iter().map(|lock| (lock.covered.matcher(), lock)).map(|(glob, lock)| (lock, glob)).collect())
    }

    /// The locks that cover a path, in the order of their fences.
    pub fn locks_of(&self, path: &RelPath) -> impl Iterator<Item = &LockRow> {
        let covers = |(lock, glob): &&(LockRow, Option<globset::GlobMatcher>)| match glob {
            Some(glob) => glob.is_match(path.as_str()),
            None => lock.covered.covers(path),
        };
        self.0.iter().filter(covers).map(|(lock, _)| lock)
    }

    /// Whether there is no lock.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A violation, with its number and its workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Later ones have larger numbers.
    pub id: u64,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// What happened.
    pub told: LockViolation,
}

/// Looks for violations among changes that the log takes.
pub(super) struct Violations<'a> {
    workspace: &'a str,
    /// `None` where nothing of it was made past us, or nothing is locked.
    found: Option<Found<'a>>,
}

struct Found<'a> {
    locks: Covering,
    pending: CachedStatement<'a>,
    known: CachedStatement<'a>,
    insert: CachedStatement<'a>,
    now: Timestamp,
}

/// What is known of a file's content before a change.
enum Before {
    Absent,
    Content(ContentHash),
    /// Size and modification time alone.
    SizeAndTime(u64, i64),
    Unknown,
}

impl<'a> Violations<'a> {
    pub(super) fn in_log(
        transaction: &'a Transaction<'a>,
        workspace: &'a WorkspaceId,
        observations: &[Observation],
    ) -> Result<Self, StoreError> {
        let workspace_name = workspace.as_str();
        let none = Self { workspace: workspace_name, found: None };
        if !observations.iter().any(|seen| seen.is_past_us) {
            return Ok(none);
        }
        let now = LockTime::now();
        let locks = Covering::of(live(transaction, workspace, &now)?);
        if locks.is_empty() {
            return Ok(none);
        }
        let found = Found {
            locks,
            pending: transaction.prepare_cached(
                "SELECT kind = 'deleted', content_hash, size, modified_ns FROM changes
                 WHERE workspace = ?1 AND path = ?2 AND pending = 1 AND (is_echo = 0 OR kind = 'deleted')
                 ORDER BY revision DESC LIMIT 1",
            )?,
            known: transaction.prepare_cached(
                "SELECT 0, content_hash, known_size, known_modified_ns FROM files
                     WHERE workspace = ?1 AND path = ?2 AND known_modified_ns <> ?3
                 UNION ALL SELECT 0, told.content_hash, told.size, told.modified_ns
                     FROM files LEFT JOIN changes AS told USING (revision)
                     WHERE files.workspace = ?1 AND files.path = ?2 AND known_modified_ns = ?3",
            )?,
            insert: transaction.prepare_cached(
                "INSERT INTO violations (workspace, path, revision, kind, at_ms, lock, mode, holder, reason, fence)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?,
            now: Timestamp::from_millisecond(now.wall_ms).unwrap_or(Timestamp::UNIX_EPOCH),
        };
        Ok(Self { found: Some(found), ..none })
    }

    /// The locks that a change violates. To be asked before the log has it.
    pub(super) fn of(&mut self, seen: &Observation) -> Result<Vec<LockRow>, StoreError> {
        let Some(found) = self.found.as_mut().filter(|_| seen.is_past_us) else { return Ok(Vec::new()) };
        let is_gone = seen.kind == ChangeKind::Deleted;
        let Fingerprint { size, modified_ns, changed_ns, .. } = seen.fingerprint;
        let is_other = match found.before(self.workspace, &seen.path)? {
            Before::Absent => !is_gone,
            _ if is_gone => true,
            // Without a hash it was being written.
            Before::Content(hash) => seen.content_hash != Some(hash),
            Before::SizeAndTime(known_size, known_ns) => (known_size, known_ns) != (size, modified_ns),
            Before::Unknown => false,
        };
        if !is_other {
            return Ok(Vec::new());
        }
        let was_before = |lock: &LockRow| {
            let taken_ns = i64::try_from(lock.taken.as_nanosecond()).unwrap_or(i64::MAX);
            !is_gone && changed_ns != 0 && changed_ns.saturating_add(TICK_NS) < taken_ns
        };
        Ok(found.locks.locks_of(&seen.path).filter(|lock| !was_before(lock)).cloned().collect())
    }

    /// Writes down that a change, which the log has now, has violated these locks.
    pub(super) fn note(
        &mut self,
        seen: &Observation,
        (revision, kind): (Revision, ChangeKind),
        locks: &[LockRow],
    ) -> Result<Vec<LockViolation>, StoreError> {
        let Some(found) = &mut self.found else { return Ok(Vec::new()) };
        let mut violations = Vec::new();
        for lock in locks {
            let LockRow { id, mode, holder, reason, fence, .. } = lock.clone();
            found.insert.execute(params![
                self.workspace,
                seen.path.as_str(),
                as_i64(revision.0),
                kind.name(),
                found.now.as_millisecond(),
                id,
                mode == LockMode::Exclusive,
                holder,
                reason,
                as_i64(fence),
            ])?;
            let lock = ViolatedLock { lock_id: id, mode, holder, reason, fence };
            violations.push(LockViolation { path: seen.path.clone(), revision, kind, at: found.now, lock });
        }
        Ok(violations)
    }
}

impl Found<'_> {
    fn before(&mut self, workspace: &str, path: &RelPath) -> Result<Before, StoreError> {
        let row = |row: &Row<'_>| {
            let hash = row.get::<_, Option<[u8; 32]>>(1)?.map(ContentHash);
            let (size, modified_ns): (Option<i64>, Option<i64>) = (row.get(2)?, row.get(3)?);
            Ok(match (row.get::<_, bool>(0)?, hash, size, modified_ns) {
                (true, ..) => Before::Absent,
                (_, Some(hash), ..) => Before::Content(hash),
                // A file that is to be read again has no time, and one of which nothing is known has no size.
                (_, None, Some(size), Some(modified_ns)) if ![0, NEVER_NS].contains(&modified_ns) => {
                    match u64::try_from(size) {
                        Ok(size) => Before::SizeAndTime(size, modified_ns),
                        Err(_) => Before::Unknown,
                    }
                }
                _ => Before::Unknown,
            })
        };
        if let Some(before) = self.pending.query_row(params![workspace, path.as_str()], row).optional()? {
            return Ok(before);
        }
        // What was read and is not what its change tells, or was not read at all, is no known content: the change is asked.
        let key = params![workspace, path.as_str(), NEVER_NS];
        Ok(self.known.query_row(key, row).optional()?.unwrap_or(Before::Absent))
    }
}

const SELECT: &str =
    "SELECT id, workspace, path, revision, kind, at_ms, lock, mode, holder, reason, fence FROM violations";

fn violation_row(row: &Row<'_>) -> rusqlite::Result<Violation> {
    let kind = ChangeKind::from_name(&row.get::<_, String>(4)?).ok_or(rusqlite::Error::InvalidQuery)?;
    Ok(Violation {
        id: row.get::<_, i64>(0)?.cast_unsigned(),
        workspace: parsed(row, 1)?,
        told: LockViolation {
            path: parsed(row, 2)?,
            revision: Revision(row.get::<_, i64>(3)?.cast_unsigned()),
            kind,
            at: Timestamp::from_millisecond(row.get(5)?).map_err(|_| rusqlite::Error::InvalidQuery)?,
            lock: ViolatedLock {
                lock_id: row.get(6)?,
                mode: if row.get(7)? { LockMode::Exclusive } else { LockMode::Shared },
                holder: row.get(8)?,
                reason: row.get(9)?,
                fence: row.get::<_, i64>(10)?.cast_unsigned(),
            },
        },
    })
}

fn rows_of(
    connection: &Connection,
    condition: &str,
    parameters: impl rusqlite::Params,
) -> Result<Vec<Violation>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} {condition}"))?;
    let rows = statement.query_map(parameters, violation_row)?;
    rows.map(|row| row.map_err(StoreError::from)).collect()
}

impl Store {
    /// The locks of a workspace that are held, to ask which cover a path.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn covering(&self, workspace: &WorkspaceId) -> Result<Covering, StoreError> {
        Ok(Covering::of(self.locks(workspace, &LockTime::now())?))
    }

    /// Violations of a workspace's locks at `since` or later, newest first, at most 1,000.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn violations(&self, workspace: &WorkspaceId, since: Timestamp) -> Result<Vec<LockViolation>, StoreError> {
        let found = rows_of(
            &self.reader(),
            "WHERE workspace = ?1 AND at_ms >= ?2 ORDER BY id DESC LIMIT ?3",
            params![workspace.as_str(), since.as_millisecond(), KEPT_VIOLATIONS],
        )?;
        Ok(found.into_iter().map(|violation| violation.told).collect())
    }

    /// Violations that the journal is still to have, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn violations_to_record(&self, limit: usize) -> Result<Vec<Violation>, StoreError> {
        rows_of(&self.reader(), "WHERE is_recorded = 0 ORDER BY id LIMIT ?1", [as_i64(limit as u64)])
    }

    /// Notes that the journal has a violation. Of those of its workspace that the journal has, the oldest go.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn note_recorded(&self, violation: &Violation) -> Result<(), StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        transaction.execute("UPDATE violations SET is_recorded = 1 WHERE id = ?1", [as_i64(violation.id)])?;
        transaction.execute(
            "DELETE FROM violations WHERE workspace = ?1 AND is_recorded = 1 AND id <=
                 (SELECT id FROM violations WHERE workspace = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
            params![violation.workspace.as_str(), KEPT_VIOLATIONS],
        )?;
        transaction.commit()?;
        Ok(())
    }
}
