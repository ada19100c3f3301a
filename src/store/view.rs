//! One state of a workspace, as a query needs it: read in one transaction, so that its parts belong together.

use std::collections::BTreeSet;

use rusqlite::Connection;

use super::sources::source_state;
use super::workspaces::find;
use super::{SourceState, Store, StoreError, WorkspaceRow, parsed};
use crate::workspace::{FileCounts, FileState, RelPath, Revision, WorkspaceId};

/// What the store says of a workspace at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredView {
    /// The workspace.
    pub row: WorkspaceRow,
    /// How many files are in each state.
    pub counts: FileCounts,
    /// The newest revision up to which no change is pending.
    pub settled: Revision,
    /// Paths of which the index may hold content that the log has already replaced or deleted.
    pub superseded: BTreeSet<RelPath>,
    /// Paths whose newest change deletes them and is still pending.
    pub deleting: BTreeSet<RelPath>,
    /// The folder as a source of changes.
    pub source: SourceState,
}

impl Store {
    /// The state of a workspace at one moment. A change that is acknowledged meanwhile is pending in all parts or in none: a
    /// revision is never claimed while the file that it changed is hidden.
    ///
    /// # Errors
    /// [`StoreError::UnknownWorkspace`] where there is no such workspace.
    pub fn view(&self, workspace: &WorkspaceId) -> Result<StoredView, StoreError> {
        self.view_while(workspace, || {})
    }

    /// The view, with something done between the reads of its parts.
    pub(super) fn view_while(
        &self,
        workspace: &WorkspaceId,
        meanwhile: impl FnOnce(),
    ) -> Result<StoredView, StoreError> {
        let connection = self.reader();
        let transaction = connection.unchecked_transaction()?;
        let unknown = || StoreError::UnknownWorkspace { id: workspace.clone() };
        let row = find(&transaction, workspace)?.ok_or_else(unknown)?;
        let superseded = superseded(&transaction, workspace)?;
        meanwhile();
        let deleting = if superseded.is_empty() { BTreeSet::new() } else { deleting(&transaction, workspace)? };
        Ok(StoredView {
            row,
            counts: counts(&transaction, workspace)?,
            settled: settled_revision(&transaction, workspace)?,
            superseded,
            deleting,
            source: source_state(&transaction, workspace)?.ok_or_else(unknown)?,
        })
    }

    /// The newest revision up to which no change of a workspace is pending.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn settled_revision(&self, workspace: &WorkspaceId) -> Result<Revision, StoreError> {
        settled_revision(&self.reader(), workspace)
    }

    /// How many files of a workspace are in each state.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn counts(&self, workspace: &WorkspaceId) -> Result<FileCounts, StoreError> {
        counts(&self.reader(), workspace)
    }
}

fn superseded(connection: &Connection, workspace: &WorkspaceId) -> Result<BTreeSet<RelPath>, StoreError> {
    // What was seen and is known under the same fingerprint is what the index holds: a watch tells of a write, too, when
    // that is done already, and must not hide it again.
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT changes.path FROM changes LEFT JOIN files USING (workspace, path)
         WHERE workspace = ?1 AND pending = 1 AND kind <> 'created' AND (
             kind = 'deleted' OR seen_size IS NULL
             OR seen_size IS NOT known_size OR seen_modified_ns IS NOT known_modified_ns
             OR seen_changed_ns IS NOT known_changed_ns OR seen_inode IS NOT known_inode)",
    )?;
    let rows = statement.query_map([workspace.as_str()], |row| parsed(row, 0))?;
    rows.map(|row| row.map_err(StoreError::from)).collect()
}

fn deleting(connection: &Connection, workspace: &WorkspaceId) -> Result<BTreeSet<RelPath>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT path FROM changes AS one
         WHERE workspace = ?1 AND pending = 1 AND kind <> 'created' AND kind = 'deleted' AND revision =
             (SELECT max(revision) FROM changes WHERE workspace = ?1 AND path = one.path AND pending = 1)",
    )?;
    let rows = statement.query_map([workspace.as_str()], |row| parsed(row, 0))?;
    rows.map(|row| row.map_err(StoreError::from)).collect()
}

fn settled_revision(connection: &Connection, workspace: &WorkspaceId) -> Result<Revision, StoreError> {
    let settled: Option<i64> = connection
        .prepare_cached(
            "SELECT coalesce(
                 (SELECT min(oldest) - 1 FROM (
                     SELECT min(revision) AS oldest FROM changes WHERE workspace = ?1 AND pending = 1 AND priority = 0
                     UNION ALL
                     SELECT min(revision) FROM changes WHERE workspace = ?1 AND pending = 1 AND priority = 1)),
                 (SELECT max(revision) FROM changes WHERE workspace = ?1))",
        )?
        .query_row([workspace.as_str()], |row| row.get(0))?;
    Ok(Revision(settled.unwrap_or(0).cast_unsigned()))
}

fn counts(connection: &Connection, workspace: &WorkspaceId) -> Result<FileCounts, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT state, count(*) FROM files WHERE workspace = ?1 GROUP BY state
         UNION ALL SELECT state, count(*) FROM members WHERE workspace = ?1 GROUP BY state",
    )?;
    let mut rows = statement.query([workspace.as_str()])?;
    let mut counts = FileCounts::default();
    while let Some(row) = rows.next()? {
        let state: String = row.get(0)?;
        let number = row.get::<_, i64>(1)?.cast_unsigned();
        counts.files += number;
        match FileState::from_name(&state) {
            Some(FileState::Ready) => counts.ready += number,
            Some(FileState::Partial) => counts.partial += number,
            Some(FileState::Pending) => counts.pending += number,
            Some(FileState::Empty) => counts.empty += number,
            Some(FileState::Unsupported) => counts.unsupported += number,
            Some(FileState::Listed) => counts.listed += number,
            Some(FileState::Failed) => counts.failed += number,
            None => return Err(StoreError::Damaged { reason: format!("a file has the state `{state}`") }),
        }
    }
    Ok(counts)
}
