//! Which changes are one: what is written through us, or reported, is seen by the watch, too, before or after the log knows of it.
//!
//! Both are read, since somebody else may have written as much in the same tick of the clock. To those who ask what has changed
//! only one is told, that which says more.

use rusqlite::{CachedStatement, OptionalExtension as _, Row, Transaction, params};

use super::{ChangeKind, Fingerprint, Observation, StoreError, as_i64};
use crate::workspace::WorkspaceId;

/// Compares changes with those that were logged before them.
pub(super) struct Echoes<'a> {
    workspace: &'a str,
    find: CachedStatement<'a>,
    mark: CachedStatement<'a>,
}

impl<'a> Echoes<'a> {
    pub(super) fn of(transaction: &'a Transaction<'a>, workspace: &'a WorkspaceId) -> Result<Self, StoreError> {
        Ok(Self {
            workspace: workspace.as_str(),
            find: transaction.prepare_cached(
                "SELECT revision, kind, provenance IS NULL AND seen_size IS NOT NULL FROM changes
                 WHERE workspace = ?1 AND path = ?2 AND pending = 1 AND size = ?3 AND modified_ns = ?4
                     AND (kind = 'deleted') = ?5
                     AND revision = (SELECT max(revision) FROM changes WHERE workspace = ?1 AND path = ?2 AND pending = 1)",
            )?,
            mark: transaction.prepare_cached("UPDATE changes SET is_echo = 1 WHERE revision = ?1")?,
        })
    }

    /// The kind of a change, `kind` but for what was seen of it before, and whether it is itself what was logged before.
    pub(super) fn tell(&mut self, seen: &Observation, kind: ChangeKind) -> Result<(ChangeKind, bool), StoreError> {
        let Fingerprint { size, modified_ns } = seen.fingerprint;
        let is_deleted = kind == ChangeKind::Deleted;
        let key = params![self.workspace, seen.path.as_str(), as_i64(size), modified_ns, is_deleted];
        let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?));
        let Some((revision, of_before, says_nothing)) = self.find.query_row(key, row).optional()? else {
            return Ok((kind, false));
        };
        if seen.provenance.is_empty() && !seen.is_new_content {
            return Ok((kind, true));
        }
        if says_nothing {
            self.mark.execute([revision])?;
            let of_before = ChangeKind::from_name(&of_before).ok_or(rusqlite::Error::InvalidQuery)?;
            return Ok((of_before, false));
        }
        Ok((kind, false))
    }
}
