//! Which changes are one: what is written through us, or reported, is seen by the watch, too, before or after the log knows of it.
//!
//! Both are read, since somebody else may have written as much in the same tick of the clock. To those who ask what has changed
//! only one is told, that which says more.

use rusqlite::{CachedStatement, OptionalExtension as _, Row, Transaction, params};

use super::{ChangeKind, Fingerprint, Moved, Observation, StoreError, as_i64};
use crate::workspace::WorkspaceId;

/// How a change is told to those who ask.
pub(super) struct Telling {
    /// The kind of the change, but for what was seen of it before.
    pub kind: ChangeKind,
    /// Whether the change is not told, because another one says the same.
    pub is_echo: bool,
    /// Where the file was before, if it was renamed.
    pub moved_from: Option<String>,
    /// The revision of the change that says the same and less, and is not told any more.
    pub replaces: Option<i64>,
}

/// Compares changes with those that were logged before them.
pub(super) struct Echoes<'a> {
    workspace: &'a str,
    find: CachedStatement<'a>,
    is_other: CachedStatement<'a>,
    is_known: CachedStatement<'a>,
    mark: CachedStatement<'a>,
}

impl<'a> Echoes<'a> {
    pub(super) fn of(transaction: &'a Transaction<'a>, workspace: &'a WorkspaceId) -> Result<Self, StoreError> {
        Ok(Self {
            workspace: workspace.as_str(),
            find: transaction.prepare_cached(
                "SELECT revision, kind, provenance IS NULL AND seen_size IS NOT NULL, moved_from FROM changes
                 WHERE workspace = ?1 AND path = ?2 AND pending = 1 AND size = ?3 AND modified_ns = ?4
                     AND (kind = 'deleted') = ?5
                     AND revision = (SELECT max(revision) FROM changes WHERE workspace = ?1 AND path = ?2 AND pending = 1)",
            )?,
            is_other: transaction.prepare_cached(
                "SELECT 1 FROM changes
                 WHERE workspace = ?1 AND path = ?2 AND pending = 1 AND is_echo = 0 AND content_hash <> ?3
                     AND revision = (SELECT max(revision) FROM changes
                                     WHERE workspace = ?1 AND path = ?2 AND pending = 1 AND is_echo = 0)",
            )?,
            is_known: transaction.prepare_cached(
                "SELECT 1 FROM files
                 WHERE workspace = ?1 AND path = ?2 AND known_size = ?3 AND known_modified_ns = ?4 AND known_changed_ns = ?5
                     AND known_inode = ?6 AND content_hash IS NOT NULL AND (?7 IS NULL OR content_hash = ?7)
                     AND NOT EXISTS (SELECT 1 FROM changes WHERE workspace = ?1 AND path = ?2 AND pending = 1)",
            )?,
            mark: transaction.prepare_cached("UPDATE changes SET is_echo = 1 WHERE revision = ?1")?,
        })
    }

    /// How a change of this kind is told, beside what was logged before it.
    pub(super) fn tell(&mut self, seen: &Observation, kind: ChangeKind) -> Result<Telling, StoreError> {
        let moved_from = match &seen.moved {
            Some(Moved::Away) => return Ok(Telling { kind, is_echo: true, moved_from: None, replaces: None }),
            Some(Moved::From(from)) => Some(from.to_string()),
            None => None,
        };
        let says_nothing_new = seen.provenance.is_empty() && !seen.is_new_content;
        let as_is = |moved_from| Telling { kind, is_echo: false, moved_from, replaces: None };
        let Fingerprint { size, modified_ns, .. } = seen.fingerprint;
        let is_deleted = kind == ChangeKind::Deleted;
        let key = params![self.workspace, seen.path.as_str(), as_i64(size), modified_ns, is_deleted];
        let row = |row: &Row<'_>| {
            let (revision, kind, says_nothing): (i64, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((revision, kind, says_nothing, row.get::<_, Option<String>>(3)?))
        };
        let Some((revision, of_before, says_nothing, from_before)) = self.find.query_row(key, row).optional()? else {
            // A scan that began before a write was read, and ends after it, has seen what is known by now.
            let is_echo = says_nothing_new && !is_deleted && moved_from.is_none() && self.is_known(seen)?;
            return Ok(Telling { is_echo, ..as_is(moved_from) });
        };
        if says_nothing_new {
            if self.is_other(seen)? {
                return Ok(as_is(moved_from));
            }
            return Ok(Telling { kind, is_echo: true, moved_from, replaces: None });
        }
        if says_nothing {
            self.mark.execute([revision])?;
            let of_before = ChangeKind::from_name(&of_before).ok_or(rusqlite::Error::InvalidQuery)?;
            let moved_from = moved_from.or(from_before);
            return Ok(Telling { kind: of_before, is_echo: false, moved_from, replaces: Some(revision) });
        }
        Ok(as_is(moved_from))
    }

    /// Whether what was seen has another content than is told, although size and time are the same.
    fn is_other(&mut self, seen: &Observation) -> Result<bool, StoreError> {
        let Some(hash) = seen.content_hash else { return Ok(false) };
        Ok(self.is_other.exists(params![self.workspace, seen.path.as_str(), hash.0])?)
    }

    /// Whether what was seen is what was read: both under the same fingerprint.
    fn is_known(&mut self, seen: &Observation) -> Result<bool, StoreError> {
        let Fingerprint { size, modified_ns, changed_ns, inode } = seen.fingerprint;
        Ok(self.is_known.exists(params![
            self.workspace,
            seen.path.as_str(),
            as_i64(size),
            modified_ns,
            changed_ns,
            inode.cast_signed(),
            seen.content_hash.map(|hash| hash.0),
        ])?)
    }
}
