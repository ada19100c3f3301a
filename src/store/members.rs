//! The files inside files: each listed as a file of its own, under the one on disk that holds it, with which it comes and goes.
//!
//! What is pending, hidden or read anew is always the file on disk; its members have no changes of their own.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::files::{code_of, file_row};
use super::{Store, StoreError, as_i64, parsed};
use crate::workspace::{FileEntry, RelPath, WorkspaceId};

/// As `SELECT_FILE`, of members; they are as old as the file that holds them, and of its writer.
const SELECT_MEMBER: &str =
    "SELECT members.path, members.state, members.reason, members.format, members.title, members.size, files.modified_ns,
         members.content_hash, files.revision, members.num_chunks, members.language,
         (SELECT told FROM provenance AS said WHERE said.workspace = files.workspace AND said.path = files.path
             AND said.standing = 0),
         members.container
     FROM members JOIN files ON files.workspace = members.workspace AND files.path = members.container";

impl Store {
    /// The file on disk that holds the member of this path; `None` where there is no such member.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn container(&self, workspace: &WorkspaceId, path: &RelPath) -> Result<Option<RelPath>, StoreError> {
        let connection = self.reader();
        let mut statement =
            connection.prepare_cached("SELECT container FROM members WHERE workspace = ?1 AND path = ?2")?;
        Ok(statement.query_row(params![workspace.as_str(), path.as_str()], |row| parsed(row, 0)).optional()?)
    }
}

/// All members of a workspace by path.
pub(super) fn all(
    connection: &Connection,
    workspace: &WorkspaceId,
    goes_on: &dyn Fn() -> bool,
) -> Result<Vec<FileEntry>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("{SELECT_MEMBER} WHERE members.workspace = ?1 ORDER BY members.path"))?;
    let rows = statement.query_map([workspace.as_str()], member_row)?;
    super::while_asked(rows, goes_on)
}

/// One member.
pub(super) fn one(
    connection: &Connection,
    workspace: &WorkspaceId,
    path: &RelPath,
) -> Result<Option<FileEntry>, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("{SELECT_MEMBER} WHERE members.workspace = ?1 AND members.path = ?2"))?;
    Ok(statement.query_row(params![workspace.as_str(), path.as_str()], member_row).optional()?)
}

/// Has `container` hold these members and no others.
pub(super) fn replace(
    transaction: &Transaction<'_>,
    workspace: &WorkspaceId,
    container: &RelPath,
    members: &[FileEntry],
) -> Result<(), StoreError> {
    transaction
        .prepare_cached("DELETE FROM members WHERE workspace = ?1 AND container = ?2")?
        .execute(params![workspace.as_str(), container.as_str()])?;
    let mut insert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO members
             (workspace, path, container, state, reason, format, title, size, content_hash, num_chunks, language)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for member in members {
        insert.execute(params![
            workspace.as_str(),
            member.path.as_str(),
            container.as_str(),
            member.state.name(),
            member.reason,
            member.format,
            member.title,
            as_i64(member.size),
            member.content_hash.map(|hash| hash.0),
            member.num_chunks,
            code_of(member),
        ])?;
    }
    Ok(())
}

fn member_row(row: &Row<'_>) -> rusqlite::Result<FileEntry> {
    Ok(FileEntry { container: Some(parsed(row, 12)?), ..file_row(row)? })
}
