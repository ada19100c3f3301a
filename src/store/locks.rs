//! Locks on files: leases with a fence, and who waits for them.
//!
//! # Invariants
//! - Of two locks that overlap and are not over, both are shared.
//! - Fences of a workspace only rise, over its whole life.
//! - Whether a lease is over is decided in the transaction that asks, by the time since the machine was started; no clock that is set ends or
//!   prolongs one. After a restart of the machine a lease goes on for what was left of it, and no longer than it was taken for.
//! - Waiting is first come, first served: nobody gets a lock that somebody before them waits for.
//!
//! A lock is taken under the lock on the workspace's files (`engine::write`), as every write is made: so none is taken while a file that it
//! covers is being written.

use globset::GlobMatcher;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::{Store, StoreError, as_i64, begin, parsed};
use crate::workspace::{LockMode, RelPath, WorkspaceId, glob_of_paths};

/// A wait that did not ask again for so long is over, in milliseconds.
const WAIT_IS_OVER_MS: i64 = 5_000;

/// What a lock covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Covered {
    /// One file.
    Path(RelPath),
    /// All files whose paths match.
    Glob(String),
}

impl Covered {
    const fn is_glob(&self) -> bool {
        matches!(self, Self::Glob(_))
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Path(path) => path.as_str(),
            Self::Glob(glob) => glob,
        }
    }

    /// Whether a path is covered.
    #[must_use]
    pub fn covers(&self, path: &RelPath) -> bool {
        match self {
            Self::Path(own) => own == path,
            Self::Glob(_) => self.matcher().is_none_or(|matcher| matcher.is_match(path.as_str())),
        }
    }

    /// What matches the paths of a glob. `None` where it is a path, or a glob that cannot be read; it was read when the lock was taken.
    pub(super) fn matcher(&self) -> Option<GlobMatcher> {
        let Self::Glob(glob) = self else { return None };
        let glob = globset::GlobBuilder::new(&glob_of_paths(glob)).literal_separator(true).build();
        glob.ok().map(|glob| glob.compile_matcher())
    }

    /// Whether both cover a path, or may.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Path(one), other) => other.covers(one),
            (one, Self::Path(other)) => one.covers(other),
            // Whether two globs have a path in common is not worked out: those that begin differently have none.
            (Self::Glob(one), Self::Glob(other)) => {
                let (one, other) = (glob_of_paths(one), glob_of_paths(other));
                let (one, other) = (beginning(&one), beginning(&other));
                one.starts_with(other) || other.starts_with(one)
            }
        }
    }
}

/// What all paths begin with that a glob matches.
fn beginning(glob: &str) -> &str {
    &glob[..glob.find(['*', '?', '[', '{', '\\']).unwrap_or(glob.len())]
}

/// A lock that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockRow {
    /// Its id.
    pub id: String,
    /// What it covers.
    pub covered: Covered,
    /// Whether others may hold it, too.
    pub mode: LockMode,
    /// The SHA-256 of its token.
    pub token: [u8; 32],
    /// The key that took it; `None` for this machine's user.
    pub key: Option<String>,
    /// What its holder is called.
    pub holder: String,
    /// What it was taken for.
    pub reason: Option<String>,
    /// Larger than that of every lock of the workspace before it.
    pub fence: u64,
    /// How long it holds after it was taken or prolonged, in seconds.
    pub ttl_s: u32,
    /// When it was taken.
    pub taken: Timestamp,
    /// When it is over, by the clock on the wall.
    pub expires: Timestamp,
}

/// Somebody who waits for a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitRow {
    /// What it is to cover.
    pub covered: Covered,
    /// Whether others may hold it, too.
    pub mode: LockMode,
    /// What the one who waits is called.
    pub holder: String,
    /// The key that waits; `None` for this machine's user.
    pub key: Option<String>,
    /// Since when.
    pub since: Timestamp,
}

/// A lock to take.
#[derive(Debug, Clone)]
pub struct LockRequest {
    /// What it is to cover.
    pub covered: Covered,
    /// Whether others may hold it, too.
    pub mode: LockMode,
    /// Its id.
    pub id: String,
    /// The SHA-256 of its token.
    pub token: [u8; 32],
    /// The key of the caller.
    pub key: Option<String>,
    /// What the caller is called.
    pub holder: String,
    /// What it is taken for.
    pub reason: Option<String>,
    /// How long it is to hold, in seconds.
    pub ttl_s: u32,
    /// The wait that this is a try of.
    pub ticket: Option<u64>,
    /// Whether to wait where it is held.
    pub waits: bool,
}

/// Whether a lock was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is the caller's.
    Yes(LockRow),
    /// Others hold it, or wait for it.
    No {
        /// One who holds it; `None` where others only wait.
        by: Option<LockRow>,
        /// How many are to have it before the caller.
        place: u64,
        /// The wait, where the caller waits.
        ticket: Option<u64>,
    },
}

/// The time since the machine was started, which no clock sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockTime {
    /// Which start of the machine.
    pub boot: String,
    /// Milliseconds since then.
    pub since_boot_ms: i64,
    /// The clock on the wall, in milliseconds since 1970.
    pub wall_ms: i64,
}

impl LockTime {
    /// The time now.
    #[must_use]
    pub fn now() -> Self {
        let wall_ms = Timestamp::now().as_millisecond();
        #[cfg(target_os = "linux")]
        {
            use std::sync::OnceLock;
            static BOOT: OnceLock<Option<String>> = OnceLock::new();
            let read = || fs_err::read_to_string("/proc/sys/kernel/random/boot_id").ok();
            if let Some(boot) = BOOT.get_or_init(read) {
                let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                let since_boot_ms = time.tv_sec * 1_000 + time.tv_nsec / 1_000_000;
                return Self { boot: boot.trim().to_owned(), since_boot_ms, wall_ms };
            }
        }
        // Where nothing tells one start of the machine from another, there is the clock on the wall alone.
        Self { boot: String::new(), since_boot_ms: wall_ms, wall_ms }
    }
}

const SELECT: &str =
    "SELECT id, covered, is_glob, mode, token, key, holder, reason, fence, ttl_s, taken_ms, ends_ms FROM locks";

fn lock_row(row: &Row<'_>, now: &LockTime) -> rusqlite::Result<LockRow> {
    let time = |ms: i64| Timestamp::from_millisecond(ms).map_err(|_| rusqlite::Error::InvalidQuery);
    let is_glob: bool = row.get(2)?;
    Ok(LockRow {
        id: row.get(0)?,
        covered: if is_glob { Covered::Glob(row.get(1)?) } else { Covered::Path(parsed(row, 1)?) },
        mode: if row.get::<_, bool>(3)? { LockMode::Exclusive } else { LockMode::Shared },
        token: row.get(4)?,
        key: row.get(5)?,
        holder: row.get(6)?,
        reason: row.get(7)?,
        fence: row.get::<_, i64>(8)?.cast_unsigned(),
        ttl_s: row.get(9)?,
        taken: time(row.get(10)?)?,
        expires: time(now.wall_ms + (row.get::<_, i64>(11)? - now.since_boot_ms))?,
    })
}

/// Removes what is over, and carries what is not over a restart of the machine.
fn tidy(connection: &Connection, now: &LockTime) -> Result<(), StoreError> {
    let LockTime { boot, since_boot_ms, wall_ms } = now;
    connection.execute(
        "UPDATE locks SET boot = ?1, ends_ms = ?2 + max(0, min(ttl_s * 1000, ends_wall_ms - ?3)) WHERE boot <> ?1",
        params![boot, since_boot_ms, wall_ms],
    )?;
    connection.execute("DELETE FROM locks WHERE ends_ms <= ?1", [since_boot_ms])?;
    connection.execute(
        "DELETE FROM lock_waits WHERE boot <> ?1 OR seen_ms <= ?2",
        params![boot, since_boot_ms - WAIT_IS_OVER_MS],
    )?;
    Ok(())
}

fn held(connection: &Connection, workspace: &WorkspaceId, now: &LockTime) -> Result<Vec<LockRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE workspace = ?1 ORDER BY fence"))?;
    let rows = statement.query_map([workspace.as_str()], |row| lock_row(row, now))?;
    rows.map(|row| row.map_err(StoreError::from)).collect()
}

impl Store {
    /// Takes a lock, or says who holds it.
    ///
    /// # Errors
    /// [`StoreError::TooManyLocks`] where the workspace has as many as it may.
    pub fn take_lock(
        &self,
        workspace: &WorkspaceId,
        request: &LockRequest,
        now: &LockTime,
        max: u64,
    ) -> Result<Taken, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        super::workspaces::must_exist(&transaction, workspace)?;
        tidy(&transaction, now)?;
        let all = held(&transaction, workspace, now)?;
        let excludes = |mode: LockMode| mode == LockMode::Exclusive || request.mode == LockMode::Exclusive;
        let by = all.iter().find(|lock| excludes(lock.mode) && lock.covered.overlaps(&request.covered)).cloned();
        let before = waiting_before(&transaction, workspace, request)?;
        if by.is_some() || before > 0 {
            let ticket = if request.waits { Some(wait(&transaction, workspace, request, now)?) } else { None };
            transaction.commit()?;
            return Ok(Taken::No { by, place: before + 1, ticket });
        }
        if all.len() as u64 >= max {
            return Err(StoreError::TooManyLocks { max });
        }
        if let Some(ticket) = request.ticket {
            transaction.execute("DELETE FROM lock_waits WHERE ticket = ?1", [as_i64(ticket)])?;
        }
        let fence: i64 = transaction.query_row(
            "UPDATE workspaces SET fence = fence + 1 WHERE name = ?1 RETURNING fence",
            [workspace.as_str()],
            |row| row.get(0),
        )?;
        let ttl_ms = i64::from(request.ttl_s) * 1_000;
        transaction.execute(
            "INSERT INTO locks (id, workspace, covered, is_glob, mode, token, key, holder, reason, fence, ttl_s, taken_ms, boot, ends_ms,
                 ends_wall_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            params![
                request.id,
                workspace.as_str(),
                request.covered.as_str(),
                request.covered.is_glob(),
                request.mode == LockMode::Exclusive,
                request.token,
                request.key,
                request.holder,
                request.reason,
                fence,
                request.ttl_s,
                now.wall_ms,
                now.boot,
                now.since_boot_ms + ttl_ms,
                now.wall_ms + ttl_ms,
            ],
        )?;
        let row = find(&transaction, workspace, &request.id, now)?;
        transaction.commit()?;
        row.map(Taken::Yes)
            .ok_or_else(|| StoreError::Damaged { reason: "a lock is gone that was just taken".to_owned() })
    }

    /// Ends a wait.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn end_lock_wait(&self, ticket: u64) -> Result<(), StoreError> {
        self.writer()?.execute("DELETE FROM lock_waits WHERE ticket = ?1", [as_i64(ticket)])?;
        Ok(())
    }

    /// Prolongs a lock from now on; `None` where it is lost.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn extend_lock(
        &self,
        workspace: &WorkspaceId,
        id: &str,
        token: &[u8; 32],
        ttl_s: Option<u32>,
        now: &LockTime,
    ) -> Result<Option<LockRow>, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        tidy(&transaction, now)?;
        let ttl = "coalesce(?4, ttl_s)";
        transaction.execute(
            &format!(
                "UPDATE locks SET ttl_s = {ttl}, ends_ms = ?5 + {ttl} * 1000, ends_wall_ms = ?6 + {ttl} * 1000
                 WHERE workspace = ?1 AND id = ?2 AND token = ?3"
            ),
            params![workspace.as_str(), id, token, ttl_s, now.since_boot_ms, now.wall_ms],
        )?;
        let row = find(&transaction, workspace, id, now)?.filter(|row| row.token == *token);
        transaction.commit()?;
        Ok(row)
    }

    /// Ends a lock, by its token or by force; the lock, where it was held.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn release_lock(
        &self,
        workspace: &WorkspaceId,
        id: &str,
        token: Option<&[u8; 32]>,
        now: &LockTime,
    ) -> Result<Option<LockRow>, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        tidy(&transaction, now)?;
        let row = find(&transaction, workspace, id, now)?.filter(|row| token.is_none_or(|token| row.token == *token));
        if row.is_some() {
            transaction
                .execute("DELETE FROM locks WHERE workspace = ?1 AND id = ?2", params![workspace.as_str(), id])?;
        }
        transaction.commit()?;
        Ok(row)
    }

    /// The locks that are held, the oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn locks(&self, workspace: &WorkspaceId, now: &LockTime) -> Result<Vec<LockRow>, StoreError> {
        live(&self.reader(), workspace, now)
    }

    /// Who waits for a lock, in the order of coming.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn lock_waits(&self, workspace: &WorkspaceId, now: &LockTime) -> Result<Vec<WaitRow>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT covered, is_glob, mode, holder, key, begun_ms FROM lock_waits
             WHERE workspace = ?1 AND boot = ?2 AND seen_ms > ?3 ORDER BY ticket",
        )?;
        let since_ms = now.since_boot_ms - WAIT_IS_OVER_MS;
        let rows = statement.query_map(params![workspace.as_str(), now.boot, since_ms], |row| {
            Ok(WaitRow {
                covered: if row.get(1)? { Covered::Glob(row.get(0)?) } else { Covered::Path(parsed(row, 0)?) },
                mode: if row.get::<_, bool>(2)? { LockMode::Exclusive } else { LockMode::Shared },
                holder: row.get(3)?,
                key: row.get(4)?,
                since: Timestamp::from_millisecond(row.get(5)?).map_err(|_| rusqlite::Error::InvalidQuery)?,
            })
        })?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }
}

/// The locks that are held, the oldest first.
pub(super) fn live(
    connection: &Connection,
    workspace: &WorkspaceId,
    now: &LockTime,
) -> Result<Vec<LockRow>, StoreError> {
    let mut any = connection.prepare_cached("SELECT 1 FROM locks WHERE workspace = ?1 LIMIT 1")?;
    if !any.exists([workspace.as_str()])? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(&format!(
        "{SELECT} WHERE workspace = ?1 AND iif(boot = ?2, ends_ms > ?3, ends_wall_ms > ?4) ORDER BY fence"
    ))?;
    let LockTime { boot, since_boot_ms, wall_ms } = now;
    let rows =
        statement.query_map(params![workspace.as_str(), boot, since_boot_ms, wall_ms], |row| lock_row(row, now))?;
    rows.map(|row| row.map_err(StoreError::from)).collect()
}

fn find(
    connection: &Connection,
    workspace: &WorkspaceId,
    id: &str,
    now: &LockTime,
) -> Result<Option<LockRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE workspace = ?1 AND id = ?2"))?;
    Ok(statement.query_row(params![workspace.as_str(), id], |row| lock_row(row, now)).optional()?)
}

/// How many wait for what is asked for, or for a part of it, and came before.
fn waiting_before(
    transaction: &Transaction<'_>,
    workspace: &WorkspaceId,
    request: &LockRequest,
) -> Result<u64, StoreError> {
    let mut statement = transaction.prepare_cached(
        "SELECT covered, is_glob, mode FROM lock_waits WHERE workspace = ?1 AND (?2 IS NULL OR ticket < ?2)",
    )?;
    let rows = statement.query_map(params![workspace.as_str(), request.ticket.map(as_i64)], |row| {
        let covered = if row.get(1)? { Covered::Glob(row.get(0)?) } else { Covered::Path(parsed(row, 0)?) };
        Ok((covered, row.get::<_, bool>(2)?))
    })?;
    let mut num_before = 0;
    for row in rows {
        let (covered, is_exclusive) = row?;
        let excludes = is_exclusive || request.mode == LockMode::Exclusive;
        num_before += u64::from(excludes && covered.overlaps(&request.covered));
    }
    Ok(num_before)
}

/// Begins a wait, or tells that it goes on.
fn wait(
    transaction: &Transaction<'_>,
    workspace: &WorkspaceId,
    request: &LockRequest,
    now: &LockTime,
) -> Result<u64, StoreError> {
    if let Some(ticket) = request.ticket {
        let goes_on = transaction.execute(
            "UPDATE lock_waits SET seen_ms = ?2, boot = ?3 WHERE ticket = ?1",
            params![as_i64(ticket), now.since_boot_ms, now.boot],
        )?;
        if goes_on > 0 {
            return Ok(ticket);
        }
    }
    transaction.execute(
        "INSERT INTO lock_waits (workspace, covered, is_glob, mode, boot, seen_ms, holder, key, begun_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            workspace.as_str(),
            request.covered.as_str(),
            request.covered.is_glob(),
            request.mode == LockMode::Exclusive,
            now.boot,
            now.since_boot_ms,
            request.holder,
            request.key,
            now.wall_ms,
        ],
    )?;
    Ok(transaction.last_insert_rowid().cast_unsigned())
}
