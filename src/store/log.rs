//! The change log: what happened, in the order of its revisions, and what of it is still to be done.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Transaction, params};

use super::changes::change_row;
use super::echoes::{Echoes, Telling};
use super::outbox::Outbox;
use super::provenance::{Notes, as_json, carry};
use super::violations::Violations;
use super::workspaces::must_exist;
use super::{Besides, Fingerprint, Moved, Observation, Store, StoreError, Written, as_i64, begin};
use crate::failpoint;
use crate::workspace::{Change, ChangeKind, Priority, RelPath, Revision, WorkspaceId};

impl Store {
    /// Writes changes to the log, durably and in order, and returns the revision of the last one.
    ///
    /// A file that is in the table is never logged as created: the index may hold something of it.
    ///
    /// # Errors
    /// None of them is in the log then.
    pub fn log(
        &self,
        workspace: &WorkspaceId,
        observations: &[Observation],
        priority: Priority,
    ) -> Result<Revision, StoreError> {
        self.log_besides(workspace, observations, priority, Besides::default())
    }

    /// As [`Store::log`], and stores what comes with it, in one transaction.
    ///
    /// # Errors
    /// None of them is in the log then, and nothing else is stored.
    pub fn log_besides(
        &self,
        workspace: &WorkspaceId,
        observations: &[Observation],
        priority: Priority,
        besides: Besides<'_>,
    ) -> Result<Revision, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        failpoint::reach("log: begun");
        let last = insert(&transaction, workspace, observations, priority, besides.written)?;
        besides.store(&transaction, workspace, last)?;
        failpoint::reach("log: written");
        transaction.commit()?;
        failpoint::reach("log: durable");
        Ok(last)
    }

    /// The newest pending change of each path that has one of this priority, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn pending(
        &self,
        workspace: &WorkspaceId,
        priority: Priority,
        limit: usize,
    ) -> Result<Vec<Change>, StoreError> {
        let connection = self.reader();
        // One statement, and so one state of the log: what is logged later is newer than all of these.
        let mut statement = connection.prepare_cached(
            "WITH first AS (
                 SELECT path FROM changes WHERE workspace = ?1 AND pending = 1 AND priority = ?2 ORDER BY revision LIMIT ?3),
             newest AS (
                 SELECT DISTINCT (SELECT max(revision) FROM changes WHERE workspace = ?1 AND path = first.path AND pending = 1)
                     AS revision FROM first)
             SELECT revision, path, kind, at_ms, provenance, moved_from FROM changes JOIN newest USING (revision) ORDER BY revision",
        )?;
        let rows =
            statement.query_map(params![workspace.as_str(), priority.number(), as_i64(limit as u64)], change_row)?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// How many changes of this priority are pending, counted up to `most`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn num_pending(&self, workspace: &WorkspaceId, priority: Priority, most: usize) -> Result<usize, StoreError> {
        let connection = self.reader();
        let number: i64 = connection
            .prepare_cached(
                "SELECT count(*) FROM
                     (SELECT 1 FROM changes WHERE workspace = ?1 AND pending = 1 AND priority = ?2 LIMIT ?3)",
            )?
            .query_row(params![workspace.as_str(), priority.number(), as_i64(most as u64)], |row| row.get(0))?;
        Ok(usize::try_from(number).unwrap_or(0))
    }

    /// The oldest pending change of this priority.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn first_pending(&self, workspace: &WorkspaceId, priority: Priority) -> Result<Option<Revision>, StoreError> {
        let connection = self.reader();
        let first: Option<i64> = connection
            .prepare_cached("SELECT min(revision) FROM changes WHERE workspace = ?1 AND pending = 1 AND priority = ?2")?
            .query_row(params![workspace.as_str(), priority.number()], |row| row.get(0))?;
        Ok(first.map(|first| Revision(first.cast_unsigned())))
    }

    /// The newest change of a workspace, 0 where there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn last_revision(&self, workspace: &WorkspaceId) -> Result<Revision, StoreError> {
        let connection = self.reader();
        let last: Option<i64> = connection
            .prepare_cached("SELECT max(revision) FROM changes WHERE workspace = ?1")?
            .query_row([workspace.as_str()], |row| row.get(0))?;
        Ok(Revision(last.unwrap_or(0).cast_unsigned()))
    }

    /// What tells this log from every other there is or was: one that was made anew or brought from elsewhere has another id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn log_id(&self) -> Result<String, StoreError> {
        let connection = self.reader();
        let id: Option<String> = connection.query_row("SELECT id FROM log", [], |row| row.get(0)).optional()?;
        id.ok_or_else(|| StoreError::Damaged { reason: "the log has no id".to_owned() })
    }

    /// Makes the log another one to every index that was made from it: they are built again.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn renew_log_id(&self) -> Result<(), StoreError> {
        self.writer()?.execute("UPDATE log SET id = lower(hex(randomblob(16)))", [])?;
        Ok(())
    }

    /// The newest revision that was ever given, in any workspace.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn newest_revision(&self) -> Result<Revision, StoreError> {
        let connection = self.reader();
        let newest: Option<i64> = connection
            .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'changes'", [], |row| row.get(0))
            .optional()?;
        Ok(Revision(newest.unwrap_or(0).cast_unsigned()))
    }

    /// Whether everything that was written or reported up to `revision` is in the index, and `revision` itself, too. Of
    /// what a scan has found before it, some may still be pending.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn has_reached(&self, workspace: &WorkspaceId, revision: Revision) -> Result<bool, StoreError> {
        if self.last_revision(workspace)? < revision {
            return Ok(false);
        }
        if self.first_pending(workspace, Priority::Interactive)?.is_some_and(|first| first <= revision) {
            return Ok(false);
        }
        let connection = self.reader();
        let mut itself = connection.prepare_cached("SELECT 1 FROM changes WHERE revision = ?1 AND pending = 1")?;
        Ok(!itself.exists([as_i64(revision.0)])?)
    }

    /// The newest change that was acknowledged. The index has committed at least this much, unless it lost commits.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn acknowledged_revision(&self, workspace: &WorkspaceId) -> Result<Revision, StoreError> {
        let connection = self.reader();
        // From the newest on, so the walk ends at the first that is done.
        let newest: Option<i64> = connection
            .prepare_cached(
                "SELECT revision FROM changes WHERE workspace = ?1 AND pending = 0 ORDER BY revision DESC LIMIT 1",
            )?
            .query_row([workspace.as_str()], |row| row.get(0))
            .optional()?;
        Ok(Revision(newest.unwrap_or(0).cast_unsigned()))
    }

    /// Forgets the content of files with a pending change that the index has already committed: after a crash between
    /// the two, the file table does not say what the index holds, so such a file is read anew.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn distrust_unacknowledged(&self, workspace: &WorkspaceId, committed: Revision) -> Result<(), StoreError> {
        self.writer()?.execute(
            "UPDATE files SET content_hash = NULL WHERE workspace = ?1 AND path IN
                 (SELECT path FROM changes WHERE workspace = ?1 AND pending = 1 AND revision <= ?2)",
            params![workspace.as_str(), as_i64(committed.0)],
        )?;
        Ok(())
    }

    /// Forgets the content of one file, as before the index takes in another in steps: whatever becomes of them, the file is not
    /// known by what it was.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn distrust(&self, workspace: &WorkspaceId, path: &RelPath) -> Result<(), StoreError> {
        self.writer()?.execute(
            "UPDATE files SET content_hash = NULL WHERE workspace = ?1 AND path = ?2",
            params![workspace.as_str(), path.as_str()],
        )?;
        Ok(())
    }

    /// The newest change of a path that the log holds, pending or done.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn newest_change(&self, workspace: &WorkspaceId, path: &RelPath) -> Result<Option<Revision>, StoreError> {
        let connection = self.reader();
        let newest: Option<i64> = connection
            .prepare_cached("SELECT max(revision) FROM changes WHERE workspace = ?1 AND path = ?2")?
            .query_row([workspace.as_str(), path.as_str()], |row| row.get(0))?;
        Ok(newest.map(|newest| Revision(newest.cast_unsigned())))
    }

    /// The newest change of a path, as a client is told of it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn last_change(&self, workspace: &WorkspaceId, path: &RelPath) -> Result<Option<Change>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT revision, path, kind, at_ms, provenance, moved_from FROM changes
             WHERE workspace = ?1 AND path = ?2 AND is_echo = 0 ORDER BY revision DESC LIMIT 1",
        )?;
        Ok(statement.query_row([workspace.as_str(), path.as_str()], change_row).optional()?)
    }

    /// Forgets what was read of every file of a workspace and logs each as modified, so that all are read again.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn forget_contents(&self, workspace: &WorkspaceId) -> Result<(), StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        forget(&transaction, workspace, false)?;
        failpoint::reach("forget: written");
        transaction.commit()?;
        failpoint::reach("forget: durable");
        Ok(())
    }

    /// As [`Store::forget_contents`], of these files.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn forget_contents_of(&self, workspace: &WorkspaceId, paths: &[RelPath]) -> Result<(), StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        let none = Fingerprint::NONE;
        let modified = |path: &RelPath| Observation::new(path.clone(), ChangeKind::Modified, none, true);
        let (observations, silent): (Vec<_>, _) = (paths.iter().map(modified).collect(), Outbox::silent(workspace));
        insert_telling(&transaction, workspace, &observations, Priority::Backfill, None, silent)?;
        {
            let mut forget =
                transaction.prepare_cached(&format!("{FORGET_FILES} WHERE workspace = ?1 AND path = ?2"))?;
            for path in paths {
                forget.execute([workspace.as_str(), path.as_str()])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

/// Nothing is known of what these files hold.
const FORGET_FILES: &str = "UPDATE files SET state = 'pending', known_size = -1, known_modified_ns = -1,
     content_hash = NULL, title = NULL, format = NULL, language = NULL, num_chunks = 0";

/// As [`Store::forget_contents`]. Files of which nothing is known and a change is pending are to be read anyway; they are logged
/// only where `logs_all`, as when that change may be in work at this moment, in another way than from now on.
pub(super) fn forget(transaction: &Transaction<'_>, workspace: &WorkspaceId, logs_all: bool) -> Result<(), StoreError> {
    let now = Timestamp::now().as_millisecond();
    transaction.execute(
        "INSERT INTO changes (workspace, path, kind, at_ms, pending)
         SELECT workspace, path, 'modified', ?2, 1 FROM files
         WHERE workspace = ?1 AND (?3 OR state <> 'pending' OR content_hash IS NOT NULL) ORDER BY path",
        params![workspace.as_str(), now, logs_all],
    )?;
    transaction.execute(&format!("{FORGET_FILES} WHERE workspace = ?1"), [workspace.as_str()])?;
    transaction.execute("DELETE FROM members WHERE workspace = ?1", [workspace.as_str()])?;
    Ok(())
}

/// Inserts changes into the log, and returns the revision of the last one, 0 where there is none. Those that a key wrote are counted for it.
pub(super) fn insert(
    transaction: &Transaction<'_>,
    workspace: &WorkspaceId,
    observations: &[Observation],
    priority: Priority,
    written: Option<&Written>,
) -> Result<Revision, StoreError> {
    insert_telling(transaction, workspace, observations, priority, written, Outbox::of(transaction, workspace)?)
}

/// As [`insert`], telling the changes in this outbox.
fn insert_telling(
    transaction: &Transaction<'_>,
    workspace: &WorkspaceId,
    observations: &[Observation],
    priority: Priority,
    written: Option<&Written>,
    mut outbox: Outbox<'_>,
) -> Result<Revision, StoreError> {
    must_exist(transaction, workspace)?;
    let now = Timestamp::now().as_millisecond();
    let mut known = transaction.prepare_cached("SELECT 1 FROM files WHERE workspace = ?1 AND path = ?2")?;
    let mut insert = transaction.prepare_cached(
        "INSERT INTO changes (workspace, path, kind, at_ms, pending, priority, seen_size, seen_modified_ns, provenance, size,
             modified_ns, is_echo, seen_changed_ns, seen_inode, moved_from, key, content_hash)
         VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?;
    let mut echoes = Echoes::of(transaction, workspace)?;
    // Until it has been read, a new file is listed as pending under what was seen of it.
    let mut file = transaction.prepare_cached(
        "INSERT INTO files (workspace, path, state, size, modified_ns, known_size, known_modified_ns, revision, num_chunks)
         VALUES (?1, ?2, 'pending', ?3, ?4, -1, -1, 0, 0)
         ON CONFLICT (workspace, path) DO UPDATE SET state = 'pending'",
    )?;
    // A deleted file that comes back as it was must not pass for one that was never away.
    let mut unknown = transaction.prepare_cached(
        "UPDATE files SET known_size = -1, known_modified_ns = -1 WHERE workspace = ?1 AND path = ?2",
    )?;
    let mut notes = Notes::of(transaction, workspace)?;
    let mut violations = Violations::in_log(transaction, workspace, observations)?;
    let mut last = Revision(0);
    for observation in observations {
        let path = observation.path.as_str();
        let kind = match observation.kind {
            ChangeKind::Created if known.exists(params![workspace.as_str(), path])? => ChangeKind::Modified,
            kind => kind,
        };
        let Fingerprint { size, modified_ns, changed_ns, inode } = observation.fingerprint;
        let is_seen = !observation.is_new_content;
        let name = workspace.as_str();
        let told = as_json(&observation.provenance)?;
        let violated = violations.of(observation)?;
        let Telling { kind, is_echo, is_stale, moved_from, replaces } = echoes.tell(observation, kind)?;
        insert.execute(params![
            name,
            path,
            kind.name(),
            now,
            priority.number(),
            is_seen.then_some(as_i64(size)),
            is_seen.then_some(modified_ns),
            told,
            as_i64(size),
            modified_ns,
            is_echo,
            is_seen.then_some(changed_ns),
            is_seen.then_some(inode.cast_signed()),
            moved_from,
            written.map(|written| &written.key),
            observation.content_hash.map(|hash| hash.0),
        ])?;
        let revision = Revision(transaction.last_insert_rowid().cast_unsigned());
        if !is_echo {
            outbox.tell_change(observation, revision, (kind, moved_from.as_deref()), replaces, now)?;
        }
        let told_as = if moved_from.is_some() { ChangeKind::Renamed } else { kind };
        for violation in violations.note(observation, (revision, told_as), &violated)? {
            outbox.tell_violation(&violation, observation.content_hash)?;
        }
        last = revision;
        if !is_stale {
            notes.note(observation, revision)?;
        }
        if let Some(Moved::From(from)) = observation.moved.as_ref().filter(|_| told.is_none()) {
            carry(transaction, workspace, from, observation)?;
        }
        file.execute(params![workspace.as_str(), path, as_i64(size), modified_ns])?;
        if kind == ChangeKind::Deleted {
            unknown.execute(params![workspace.as_str(), path])?;
        }
    }
    Ok(last)
}
