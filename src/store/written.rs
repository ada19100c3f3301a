//! What has been written: bytes and chunks by key and day, files and bytes by workspace.
//!
//! # Invariants
//! - Bytes of a key are counted in the transaction that logs the change, so no crash counts a write that is not in the log, or the reverse.
//! - Chunks are counted once for each content, in the transaction that acknowledges the change.
//! - Totals are what the file table and the pending changes say together: a file counts from the moment in which its change is logged.

use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, params};

use super::{Members, Store, StoreError, as_i64};
use crate::workspace::{FileEntry, RelPath, WorkspaceId};

/// Bytes that a key has written with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The id of the key.
    pub key: String,
    /// The day of the request: days since 1970 (UTC).
    pub day: i64,
    /// How many bytes.
    pub bytes: u64,
}

impl Written {
    /// Counts them. A key has one row, of the last day on which it wrote.
    pub(super) fn count(&self, connection: &Connection) -> Result<(), StoreError> {
        let mut count = connection.prepare_cached(
            "INSERT INTO written (key, day, bytes) VALUES (?1, ?2, ?3) ON CONFLICT (key) DO UPDATE SET
                 bytes = iif(excluded.day > day, excluded.bytes, bytes + excluded.bytes),
                 chunks = iif(excluded.day > day, 0, chunks), day = max(day, excluded.day)",
        )?;
        count.execute(params![self.key, self.day, as_i64(self.bytes)])?;
        Ok(())
    }
}

/// What a key has written on a day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OfDay {
    /// Bytes of its writes.
    pub bytes: u64,
    /// Chunks that the files were cut into, as far as they were read.
    pub chunks: u64,
}

/// How many files a workspace has, and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Files, less those whose deletion is logged.
    pub files: u64,
    /// Bytes of these files as they were last seen.
    pub bytes: u64,
}

/// Counts chunks for the keys that wrote the files.
pub(super) struct ChunkCount<'a>(CachedStatement<'a>);

impl<'a> ChunkCount<'a> {
    pub(super) fn of(connection: &'a Connection) -> Result<Self, StoreError> {
        Ok(Self(connection.prepare_cached(
            "UPDATE written SET chunks = chunks + ?1 WHERE EXISTS (SELECT 1 FROM changes WHERE revision = ?2 AND pending = 1)
                 AND key = (SELECT key FROM changes WHERE workspace = ?3 AND path = ?4 AND pending = 1 AND is_echo = 0
                            ORDER BY revision DESC LIMIT 1)",
        )?))
    }

    /// Counts what a content was cut into, before the change that brought it is acknowledged. A content that was there before has a revision
    /// that is acknowledged, and is not counted again. A scan may have seen the change by itself meanwhile.
    pub(super) fn add(
        &mut self,
        workspace: &WorkspaceId,
        entry: &FileEntry,
        members: &Members,
    ) -> Result<(), StoreError> {
        let inside = match members {
            Members::Are(members) => members.iter().map(|member| u64::from(member.num_chunks)).sum(),
            Members::Same => 0,
        };
        let num_chunks = inside + u64::from(entry.num_chunks);
        if num_chunks > 0 {
            self.0.execute(params![
                as_i64(num_chunks),
                as_i64(entry.revision.0),
                workspace.as_str(),
                entry.path.as_str()
            ])?;
        }
        Ok(())
    }
}

/// The newest pending change of a path: of a group, columns are those of the row that has the maximum. A created file is in the table as it was seen.
const NEWEST: &str = "SELECT path, kind, size, max(revision) FROM changes WHERE workspace = ?1 AND pending = 1";

impl Store {
    /// What a key has written on a day (days since 1970, UTC), in any process.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn written_on_day(&self, key: &str, day: i64) -> Result<OfDay, StoreError> {
        let connection = self.reader();
        // A clock that was set back does not give the day anew.
        let mut statement =
            connection.prepare_cached("SELECT bytes, chunks FROM written WHERE key = ?1 AND day >= ?2")?;
        let number = |number: i64| number.cast_unsigned();
        let of_day = |row: &Row<'_>| Ok(OfDay { bytes: number(row.get(0)?), chunks: number(row.get(1)?) });
        Ok(statement.query_row(params![key, day], of_day).optional()?.unwrap_or_default())
    }

    /// The files of a workspace and their bytes, with what is still pending.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn totals(&self, workspace: &WorkspaceId) -> Result<Totals, StoreError> {
        let connection = self.reader();
        let transaction = connection.unchecked_transaction()?;
        let number = |number: i64| u64::try_from(number).unwrap_or(0);
        let kept: Option<(i64, i64)> = transaction
            .prepare_cached("SELECT files, bytes FROM totals WHERE workspace = ?1")?
            .query_row([workspace.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (files, bytes) = kept.unwrap_or_default();
        let (gone, more): (i64, i64) = transaction
            .prepare_cached(&format!(
                "WITH newest AS ({NEWEST} AND path IN
                     (SELECT path FROM changes WHERE workspace = ?1 AND pending = 1 AND kind <> 'created') GROUP BY path)
                 SELECT coalesce(sum(kind = 'deleted'), 0),
                     coalesce(sum(iif(kind = 'deleted', 0, coalesce(newest.size, files.size)) - files.size), 0)
                 FROM newest JOIN files ON workspace = ?1 AND files.path = newest.path"
            ))?
            .query_row([workspace.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Totals { files: number(files - gone), bytes: number(bytes + more) })
    }

    /// The size of a file as [`Store::totals`] counts it; `None` where there is none, or its deletion is logged.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn counted_size(&self, workspace: &WorkspaceId, path: &RelPath) -> Result<Option<u64>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT files.size, kind, newest.size FROM files LEFT JOIN ({NEWEST} AND path = ?2 GROUP BY path) AS newest USING (path)
             WHERE workspace = ?1 AND files.path = ?2"
        ))?;
        let found: Option<(i64, Option<String>, Option<i64>)> = statement
            .query_row([workspace.as_str(), path.as_str()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        Ok(found.and_then(|(former, kind, size)| match kind.as_deref() {
            Some("deleted") => None,
            _ => u64::try_from(size.unwrap_or(former)).ok(),
        }))
    }
}
