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
    /// Whether it says what was so before the newest change, so that nothing of the file follows from it.
    pub is_stale: bool,
    /// Where the file was before, if it was renamed.
    pub moved_from: Option<String>,
    /// The revision of the change that says the same and less, and is not told any more.
    pub replaces: Option<i64>,
}

impl Telling {
    const fn of(kind: ChangeKind, moved_from: Option<String>) -> Self {
        Self { kind, is_echo: false, is_stale: false, moved_from, replaces: None }
    }
}

/// Compares changes with those that were logged before them.
pub(super) struct Echoes<'a> {
    workspace: &'a str,
    find: CachedStatement<'a>,
    is_other: CachedStatement<'a>,
    is_known: CachedStatement<'a>,
    is_stale: CachedStatement<'a>,
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
            is_stale: transaction.prepare_cached(
                "SELECT 1 FROM changes AS newest
                 WHERE workspace = ?1 AND path = ?2 AND pending = 1 AND seen_size IS NULL
                     AND revision = (SELECT max(revision) FROM changes WHERE workspace = ?1 AND path = ?2 AND pending = 1)
                     AND (EXISTS (SELECT 1 FROM changes
                                  WHERE workspace = ?1 AND path = ?2 AND pending = 1 AND revision < newest.revision
                                      AND size = ?3 AND modified_ns = ?4 AND kind <> 'deleted')
                          OR EXISTS (SELECT 1 FROM files
                                     WHERE workspace = ?1 AND path = ?2 AND known_size = ?3 AND known_modified_ns = ?4
                                         AND known_changed_ns = ?5 AND known_inode = ?6))",
            )?,
            mark: transaction.prepare_cached("UPDATE changes SET is_echo = 1 WHERE revision = ?1")?,
        })
    }

    /// How a change of this kind is told, beside what was logged before it.
    pub(super) fn tell(&mut self, seen: &Observation, kind: ChangeKind) -> Result<Telling, StoreError> {
        let moved_from = match &seen.moved {
            Some(Moved::Away) => return Ok(Telling { is_echo: true, ..Telling::of(kind, None) }),
            Some(Moved::From(from)) => Some(from.to_string()),
            None => None,
        };
        let says_nothing_new = seen.provenance.is_empty() && !seen.is_new_content;
        let Fingerprint { size, modified_ns, .. } = seen.fingerprint;
        let is_deleted = kind == ChangeKind::Deleted;
        let key = params![self.workspace, seen.path.as_str(), as_i64(size), modified_ns, is_deleted];
        let row = |row: &Row<'_>| {
            let (revision, kind, says_nothing): (i64, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((revision, kind, says_nothing, row.get::<_, Option<String>>(3)?))
        };
        let Some((revision, of_before, says_nothing, from_before)) = self.find.query_row(key, row).optional()? else {
            // A scan that began before a write was read, and ends after it, has seen what is known by now, or what was so before. That a file is
            // gone is told: nothing of it is read by which the next scan could find that it was not an echo.
            let may_be_late = says_nothing_new && !is_deleted && moved_from.is_none();
            let is_stale = may_be_late && self.is_stale(seen)?;
            let is_echo = is_stale || may_be_late && self.is_known(seen)?;
            return Ok(Telling { is_echo, is_stale, ..Telling::of(kind, moved_from) });
        };
        if says_nothing_new {
            if self.is_other(seen)? {
                return Ok(Telling::of(kind, moved_from));
            }
            return Ok(Telling { is_echo: true, ..Telling::of(kind, moved_from) });
        }
        if says_nothing {
            self.mark.execute([revision])?;
            let of_before = ChangeKind::from_name(&of_before).ok_or(rusqlite::Error::InvalidQuery)?;
            let moved_from = moved_from.or(from_before);
            return Ok(Telling { replaces: Some(revision), ..Telling::of(of_before, moved_from) });
        }
        Ok(Telling::of(kind, moved_from))
    }

    /// Whether what was seen has another content than is told, although size and time are the same.
    fn is_other(&mut self, seen: &Observation) -> Result<bool, StoreError> {
        let Some(hash) = seen.content_hash else { return Ok(false) };
        Ok(self.is_other.exists(params![self.workspace, seen.path.as_str(), hash.0])?)
    }

    /// Whether the file looked so before the newest write through us: a scan saw it then, and logs it after that write. Where the file looks so
    /// again because somebody put it back on disk, what is read is not what was told, and the next scan logs it.
    fn is_stale(&mut self, seen: &Observation) -> Result<bool, StoreError> {
        let Fingerprint { size, modified_ns, changed_ns, inode } = seen.fingerprint;
        let (size, inode) = (as_i64(size), inode.cast_signed());
        let seen = params![self.workspace, seen.path.as_str(), size, modified_ns, changed_ns, inode];
        Ok(self.is_stale.exists(seen)?)
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
