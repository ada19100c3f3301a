//! The change log as it is read: newest first, within a scope.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use super::{Store, StoreError, as_i64, parsed, provenance, while_asked};
use crate::workspace::{Change, ChangeKind, Priority, ProvenanceFilter, RelPath, Revision, WorkspaceId};

/// Which changes are asked for: all conditions hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeScope {
    /// Made at this time or later, by the log's clock.
    pub since: Option<Timestamp>,
    /// Made before this time.
    pub until: Option<Timestamp>,
    /// Newer than this revision.
    pub after_revision: Option<Revision>,
    /// Made by these.
    pub provenance: ProvenanceFilter,
}

impl Store {
    /// The newest changes, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn recent_changes(&self, workspace: &WorkspaceId, limit: usize) -> Result<Vec<Change>, StoreError> {
        let mut changes = Vec::new();
        self.see_changes(workspace, &ChangeScope::default(), &mut |change| {
            if changes.len() < limit {
                changes.push(change);
            }
            changes.len() < limit
        })?;
        Ok(changes)
    }

    /// The paths that a file was renamed to one after the other, the last one first, and at most so many.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn renamed_to(&self, workspace: &WorkspaceId, path: &RelPath, most: usize) -> Result<Vec<RelPath>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT revision, path FROM changes WHERE workspace = ?1 AND moved_from = ?2 AND revision > ?3
             ORDER BY revision DESC LIMIT 1",
        )?;
        let (mut path, mut after, mut paths) = (path.clone(), 0, Vec::new());
        while paths.len() < most {
            let next = statement.query_row(params![workspace.as_str(), path.as_str(), after], |row| {
                Ok((row.get::<_, i64>(0)?, parsed::<RelPath>(row, 1)?))
            });
            let Some(next) = next.optional()? else { break };
            (after, path) = next;
            paths.push(path.clone());
        }
        paths.reverse();
        Ok(paths)
    }

    /// All changes that the log holds of a workspace, oldest first, each with its urgency; none twice that was only seen once more. As far as
    /// they are read until `goes_on` says no, which is asked now and then.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn changes(
        &self,
        workspace: &WorkspaceId,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Vec<(Change, Priority)>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT revision, path, kind, at_ms, provenance, moved_from, priority FROM changes
             WHERE workspace = ?1 AND is_echo = 0 ORDER BY revision",
        )?;
        let interactive = Priority::Interactive.number();
        let rows = statement.query_map([workspace.as_str()], |row| {
            let is_interactive = row.get::<_, i64>(6)? == interactive;
            Ok((change_row(row)?, if is_interactive { Priority::Interactive } else { Priority::Backfill }))
        })?;
        while_asked(rows, goes_on)
    }

    /// Shows changes of a workspace that are in `scope`, newest first, as long as `see` says to go on; none twice that was only seen
    /// once more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn see_changes(
        &self,
        workspace: &WorkspaceId,
        scope: &ChangeScope,
        see: &mut dyn FnMut(Change) -> bool,
    ) -> Result<(), StoreError> {
        // Those of which something is told have an index of their own.
        let told = if scope.provenance.is_open() { "" } else { "AND provenance IS NOT NULL" };
        let connection = self.reader();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT revision, path, kind, at_ms, provenance, moved_from FROM changes
             WHERE workspace = ?1 AND revision > ?2 AND at_ms >= ?3 AND at_ms < ?4 AND is_echo = 0 {told} ORDER BY revision DESC"
        ))?;
        let after = scope.after_revision.map_or(0, |after| as_i64(after.0));
        // What came at or after a time came at or after its millisecond.
        let since = scope.since.map_or(i64::MIN, Timestamp::as_millisecond);
        let until = scope.until.map_or(i64::MAX, Timestamp::as_millisecond);
        let mut rows = statement.query(params![workspace.as_str(), after, since, until])?;
        while let Some(row) = rows.next()? {
            let change = change_row(row)?;
            if scope.provenance.admits(&change.provenance) && !see(change) {
                break;
            }
        }
        Ok(())
    }
}

/// Reads revision, path, kind, time, provenance and the path before a renaming.
pub(super) fn change_row(row: &Row<'_>) -> rusqlite::Result<Change> {
    let kind: String = row.get(2)?;
    let from: Option<RelPath> = if row.get::<_, Option<String>>(5)?.is_some() { Some(parsed(row, 5)?) } else { None };
    let kind = ChangeKind::from_name(&kind).ok_or(rusqlite::Error::InvalidQuery)?;
    Ok(Change {
        revision: Revision(row.get::<_, i64>(0)?.cast_unsigned()),
        path: parsed(row, 1)?,
        kind: if from.is_some() { ChangeKind::Renamed } else { kind },
        from,
        at: Timestamp::from_millisecond(row.get(3)?).map_err(|_| rusqlite::Error::InvalidQuery)?,
        provenance: provenance::told(row, 4)?,
    })
}
