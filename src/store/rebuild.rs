//! The index that is built beside the one that serves: which files it holds already, and the moment in which it takes over.
//!
//! # Invariants
//! - Nothing here touches the file table before [`Store::swap`]: until then it says what the index that serves holds.
//! - A file counts as built only while it is built from the content that the file table knows. What changes meanwhile is built
//!   again; what is pending waits, and is hidden until it has been brought into the index that serves then.
//! - The new index commits a file before it is noted here, so a crash repeats work and loses nothing.

use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::files::{SELECT_FILE, code_of, file_row};
use super::{Members, Outcome, Store, StoreError, as_i64, begin, parsed};
use crate::failpoint;
use crate::workspace::{FileEntry, RelPath, Revision, WorkspaceId};

/// Which rows of `files` are to be built: known, not pending, and not built from what is known. Takes the workspace as `?1`.
const UNBUILT: &str = "workspace = ?1 AND state <> 'pending' AND NOT EXISTS (
    SELECT 1 FROM rebuilt AS built WHERE built.workspace = ?1 AND built.path = files.path
        AND built.revision = files.revision AND built.content_hash IS files.content_hash)";

/// Which rows of `rebuilt` are of files that are not known any more. Takes the workspace as `?1`.
const OBSOLETE: &str = "workspace = ?1 AND NOT EXISTS (
    SELECT 1 FROM files WHERE files.workspace = ?1 AND files.path = rebuilt.path)";

impl Store {
    /// Has the index of a workspace built again beside the one that serves, and returns the number of the new one. While one is
    /// being built, that one is meant. `None` where the workspace's intelligence is off.
    ///
    /// # Errors
    /// [`StoreError::UnknownWorkspace`] where there is none.
    pub fn begin_rebuild(&self, id: &WorkspaceId) -> Result<Option<i64>, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        super::workspaces::must_exist(&transaction, id)?;
        let next = transaction
            .query_row(
                "UPDATE workspaces SET next_generation = coalesce(next_generation, generation + 1)
                 WHERE name = ?1 AND intelligence = 1 RETURNING next_generation",
                [id.as_str()],
                |row| row.get(0),
            )
            .optional()?;
        transaction.commit()?;
        Ok(next)
    }

    /// Forgets what was built, because the new index does not hold it any more.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn restart_rebuild(&self, id: &WorkspaceId) -> Result<(), StoreError> {
        self.writer()?.execute("DELETE FROM rebuilt WHERE workspace = ?1", [id.as_str()])?;
        Ok(())
    }

    /// The newest change that a file of the new index is of; the index has committed at least this much.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn built_revision(&self, id: &WorkspaceId) -> Result<Revision, StoreError> {
        let connection = self.reader();
        let newest: Option<i64> = connection
            .prepare_cached("SELECT max(revision) FROM rebuilt WHERE workspace = ?1")?
            .query_row([id.as_str()], |row| row.get(0))?;
        Ok(Revision(newest.unwrap_or(0).cast_unsigned()))
    }

    /// How many files the new index holds, or knows to have no text.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn num_built(&self, id: &WorkspaceId) -> Result<u64, StoreError> {
        let connection = self.reader();
        let number: i64 = connection
            .prepare_cached("SELECT count(*) FROM rebuilt WHERE workspace = ?1")?
            .query_row([id.as_str()], |row| row.get(0))?;
        Ok(number.cast_unsigned())
    }

    /// Files that are to be built, by path, after this one, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn unbuilt(
        &self,
        id: &WorkspaceId,
        after: Option<&RelPath>,
        limit: usize,
    ) -> Result<Vec<FileEntry>, StoreError> {
        let connection = self.reader();
        let mut statement = connection
            .prepare_cached(&format!("{SELECT_FILE} WHERE {UNBUILT} AND path > ?2 ORDER BY path LIMIT ?3"))?;
        let after = after.map_or("", RelPath::as_str);
        let rows = statement.query_map(params![id.as_str(), after, as_i64(limit as u64)], file_row)?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// Files that were built and do not exist any more, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn obsolete(&self, id: &WorkspaceId, limit: usize) -> Result<Vec<RelPath>, StoreError> {
        let connection = self.reader();
        let mut statement =
            connection.prepare_cached(&format!("SELECT path FROM rebuilt WHERE {OBSOLETE} ORDER BY path LIMIT ?2"))?;
        let rows = statement.query_map(params![id.as_str(), as_i64(limit as u64)], |row| parsed(row, 0))?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// Notes what became of files in the new index, which has committed them. Returns `false`, and notes nothing, where the
    /// workspace of this epoch has none that is being built any more.
    ///
    /// # Errors
    /// Nothing is noted then.
    pub fn note_built(&self, id: &WorkspaceId, epoch: i64, outcomes: &[Outcome]) -> Result<bool, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        if !is_building(&transaction, id, epoch)? {
            return Ok(false);
        }
        {
            let mut built = transaction.prepare_cached(
                "INSERT OR REPLACE INTO rebuilt (workspace, path, state, reason, format, title, content_hash, revision,
                     num_chunks, members, language)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?;
            let mut gone = transaction.prepare_cached("DELETE FROM rebuilt WHERE workspace = ?1 AND path = ?2")?;
            for outcome in outcomes {
                match outcome {
                    Outcome::File(entry, _, members) => built.execute(params![
                        id.as_str(),
                        entry.path.as_str(),
                        entry.state.name(),
                        entry.reason,
                        entry.format,
                        entry.title,
                        entry.content_hash.map(|hash| hash.0),
                        as_i64(entry.revision.0),
                        entry.num_chunks,
                        as_list(members)?,
                        code_of(entry),
                    ])?,
                    Outcome::Gone(path) => gone.execute(params![id.as_str(), path.as_str()])?,
                };
            }
        }
        transaction.commit()?;
        failpoint::reach("rebuild: noted");
        Ok(true)
    }

    /// Lets the new index be the one that serves, and returns whether it is: it is not, as long as a file is to be built.
    ///
    /// The workspace has another epoch from then on. Files with a pending change that the new index does not hold as they are
    /// known are read anew, whatever they hold by then.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn swap(&self, id: &WorkspaceId, epoch: i64) -> Result<bool, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        let is_any = |rows: String| transaction.prepare_cached(&format!("SELECT 1 FROM {rows}"))?.exists([id.as_str()]);
        if !is_building(&transaction, id, epoch)?
            || is_any(format!("files WHERE {UNBUILT}"))?
            || is_any(format!("rebuilt WHERE {OBSOLETE}"))?
        {
            return Ok(false);
        }
        transaction.execute(
            "UPDATE files SET content_hash = NULL, num_chunks = 0, known_size = -1, known_modified_ns = -1
             WHERE workspace = ?1 AND state = 'pending' AND NOT EXISTS (
                 SELECT 1 FROM rebuilt WHERE workspace = ?1 AND path = files.path
                     AND revision = files.revision AND content_hash IS files.content_hash)",
            [id.as_str()],
        )?;
        transaction.execute(
            "UPDATE files SET state = iif(files.state = 'pending', 'pending', built.state), reason = built.reason,
                 format = built.format, title = built.title, language = built.language, num_chunks = built.num_chunks
             FROM (SELECT * FROM rebuilt WHERE workspace = ?1) AS built
             WHERE files.workspace = ?1 AND files.path = built.path AND files.content_hash IS built.content_hash",
            [id.as_str()],
        )?;
        swap_members(&transaction, id)?;
        transaction.execute("DELETE FROM rebuilt WHERE workspace = ?1", [id.as_str()])?;
        transaction.execute(
            "UPDATE workspaces SET generation = next_generation, next_generation = NULL, epoch = random() WHERE name = ?1",
            [id.as_str()],
        )?;
        failpoint::reach("rebuild: about to swap");
        transaction.commit()?;
        failpoint::reach("rebuild: swapped");
        Ok(true)
    }
}

/// Members as they are kept until they are listed; `None` where there are none.
fn as_list(members: &Members) -> Result<Option<String>, StoreError> {
    match members {
        Members::Are(members) if !members.is_empty() => {
            serde_json::to_string(members).map(Some).map_err(|error| not_a_list(&error))
        }
        Members::Are(_) | Members::Same => Ok(None),
    }
}

fn not_a_list(error: &serde_json::Error) -> StoreError {
    StoreError::Damaged { reason: format!("what was built of an archive cannot be kept or read: {error}") }
}

/// Lists the members that the new index holds, and no others.
fn swap_members(transaction: &Transaction<'_>, id: &WorkspaceId) -> Result<(), StoreError> {
    transaction.execute("DELETE FROM members WHERE workspace = ?1", [id.as_str()])?;
    let mut built =
        transaction.prepare_cached("SELECT path, members FROM rebuilt WHERE workspace = ?1 AND members IS NOT NULL")?;
    let mut rows = built.query([id.as_str()])?;
    while let Some(row) = rows.next()? {
        let list: String = row.get(1)?;
        let members: Vec<FileEntry> = serde_json::from_str(&list).map_err(|error| not_a_list(&error))?;
        super::members::replace(transaction, id, &parsed(row, 0)?, &members)?;
    }
    Ok(())
}

fn is_building(connection: &Connection, id: &WorkspaceId, epoch: i64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM workspaces WHERE name = ?1 AND epoch = ?2 AND next_generation IS NOT NULL")?
        .exists(params![id.as_str(), epoch])
}
