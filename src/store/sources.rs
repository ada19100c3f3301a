//! How fresh what is known of a workspace's folder is: when it was last compared as a whole, what of it was passed over, and whether
//! changes are told as they happen.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Store, StoreError, parsed};
use crate::workspace::WorkspaceId;

/// So many of the things that a scan passed over are kept.
const MAX_PASSED_OVER: usize = 200;

/// The state of a workspace's folder as a source of changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceState {
    /// When the last comparison of the whole folder began; `None` before the first.
    pub scanned: Option<Timestamp>,
    /// What of the folder is not indexed, each with the reason.
    pub passed_over: Vec<String>,
    /// Why changes are found by scans alone, where the process that indexes cannot watch the folder.
    pub unwatched: Option<String>,
}

impl Store {
    /// The state of a workspace's folder as a source of changes.
    ///
    /// # Errors
    /// [`StoreError::UnknownWorkspace`] where there is no such workspace.
    pub fn source_state(&self, workspace: &WorkspaceId) -> Result<SourceState, StoreError> {
        source_state(&self.reader(), workspace)?.ok_or_else(|| StoreError::UnknownWorkspace { id: workspace.clone() })
    }

    /// The workspaces whose folder is away or not watched, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn unwatched(&self) -> Result<Vec<WorkspaceId>, StoreError> {
        let connection = self.reader();
        let mut statement =
            connection.prepare_cached("SELECT name FROM workspaces WHERE unwatched IS NOT NULL ORDER BY name")?;
        let rows = statement.query_map([], |row| parsed(row, 0))?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// Notes that a comparison of the whole folder that began at this time is done, and what it passed over.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn note_scanned(
        &self,
        workspace: &WorkspaceId,
        at: Timestamp,
        passed_over: &[String],
    ) -> Result<(), StoreError> {
        let mut kept = passed_over[..passed_over.len().min(MAX_PASSED_OVER)].to_vec();
        if passed_over.len() > kept.len() {
            kept.push(format!("and {} more", passed_over.len() - kept.len()));
        }
        let kept = (!kept.is_empty()).then(|| serde_json::Value::from(kept).to_string());
        self.writer()?.execute(
            "UPDATE workspaces SET scanned_ms = ?2, passed_over = ?3 WHERE name = ?1",
            params![workspace.as_str(), at.as_millisecond(), kept],
        )?;
        Ok(())
    }

    /// Notes why a folder is not watched, or that it is.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn note_watched(&self, workspace: &WorkspaceId, unwatched: Option<&str>) -> Result<(), StoreError> {
        self.writer()?.execute(
            "UPDATE workspaces SET unwatched = ?2 WHERE name = ?1 AND unwatched IS NOT ?2",
            params![workspace.as_str(), unwatched],
        )?;
        Ok(())
    }
}

pub(super) fn source_state(
    connection: &Connection,
    workspace: &WorkspaceId,
) -> Result<Option<SourceState>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT scanned_ms, passed_over, unwatched FROM workspaces WHERE name = ?1")?;
    let row = statement.query_row([workspace.as_str()], |row| {
        let scanned: Option<i64> = row.get(0)?;
        let passed_over: Option<String> = row.get(1)?;
        Ok(SourceState {
            scanned: scanned.and_then(|ms| Timestamp::from_millisecond(ms).ok()),
            passed_over: passed_over.and_then(|list| serde_json::from_str(&list).ok()).unwrap_or_default(),
            unwatched: row.get(2)?,
        })
    });
    Ok(row.optional()?)
}
