//! Who wrote the content of each file, as far as somebody said.
//!
//! What is told comes with a change into the log, before the file is read. It is of the content that was seen then: by its hash
//! where that is known, else by size and time. When the file has been read it stays, where that is what was read, and goes where
//! somebody else has written over it without a word.
//!
//! # Invariants
//! - What may not be of the present content is not shown and finds nothing, from the change on that makes it so.
//! - `labels` holds exactly the values of what is shown.
//! - A file that is touched, looked at or read again keeps its writer; one that is deleted and comes back has none.

use std::collections::{BTreeSet, HashMap, HashSet};

use rusqlite::{CachedStatement, OptionalExtension as _, Row, Transaction, params};

use super::{ChangeKind, Fingerprint, Observation, Store, StoreError, as_i64, parsed};
use crate::workspace::provenance::Label;
use crate::workspace::{ContentHash, Facets, FileEntry, Provenance, ProvenanceFilter, RelPath, Revision, WorkspaceId};

/// The standing of what is told where the file may have other content: it is decided when the file has been read. The others are
/// 0, of the content as far as anybody knows; and 2, the file is gone, kept for a renaming that is told after the deletion was
/// seen.
const DOUBTED: i64 = 1;

/// What is known of the writer of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownWriter {
    /// What was told.
    pub provenance: Provenance,
    /// The content that it was told of, where its hash is known; of a file inside another always `None`.
    pub content_hash: Option<ContentHash>,
}

impl Store {
    /// The files on disk whose writer passes `filter`; one that passes everything gives those of which anything is known.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn written_by(
        &self,
        workspace: &WorkspaceId,
        filter: &ProvenanceFilter,
    ) -> Result<HashSet<RelPath>, StoreError> {
        let connection = self.reader();
        let mut found: Option<HashSet<RelPath>> = None;
        let mut statement = connection.prepare_cached(
            "SELECT DISTINCT path FROM labels
             WHERE workspace = ?1 AND label = ?2 AND value IN (SELECT value FROM json_each(?3))",
        )?;
        for (label, values) in filter.conditions() {
            let values = serde_json::Value::from(values).to_string();
            let rows = statement.query_map(params![workspace.as_str(), label.name(), values], |row| parsed(row, 0))?;
            let meets = rows.collect::<rusqlite::Result<HashSet<RelPath>>>()?;
            found = Some(match found {
                None => meets,
                Some(mut found) => {
                    found.retain(|path| meets.contains(path));
                    found
                }
            });
        }
        if let Some(found) = found {
            return Ok(found);
        }
        let mut all = connection.prepare_cached("SELECT path FROM provenance WHERE workspace = ?1 AND standing = 0")?;
        let rows = all.query_map([workspace.as_str()], |row| parsed(row, 0))?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// Who wrote these files, of those of which that is known. A file inside another is of the writer of that.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn writers(
        &self,
        workspace: &WorkspaceId,
        paths: &BTreeSet<RelPath>,
    ) -> Result<HashMap<RelPath, KnownWriter>, StoreError> {
        // No folder is in the table, so whatever above a path is there holds it.
        let above = |path: &RelPath| path.as_str().match_indices('/').map(|(end, _)| end).collect::<Vec<_>>();
        let mut asked: BTreeSet<&str> = BTreeSet::new();
        for path in paths {
            asked.insert(path.as_str());
            asked.extend(above(path).into_iter().map(|end| &path.as_str()[..end]));
        }
        let asked = serde_json::Value::from_iter(asked).to_string();
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT path, told, content_hash FROM provenance
             WHERE workspace = ?1 AND standing = 0 AND path IN (SELECT value FROM json_each(?2))",
        )?;
        let mut known: HashMap<String, KnownWriter> = HashMap::new();
        for row in statement.query_map(params![workspace.as_str(), asked], |row| {
            let content_hash = row.get::<_, Option<[u8; 32]>>(2)?.map(ContentHash);
            Ok((row.get(0)?, KnownWriter { provenance: told(row, 1)?, content_hash }))
        })? {
            let (path, told) = row?;
            known.insert(path, told);
        }
        let of = |path: &RelPath| match known.get(path.as_str()) {
            Some(told) => Some(told.clone()),
            None => above(path).into_iter().rev().find_map(|end| {
                let holder = known.get(&path.as_str()[..end])?;
                Some(KnownWriter { content_hash: None, ..holder.clone() })
            }),
        };
        Ok(paths.iter().filter_map(|path| Some((path.clone(), of(path)?))).collect())
    }

    /// How many files of a workspace have which writers and tags, those inside others among them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn facets(&self, workspace: &WorkspaceId) -> Result<Facets, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT label, value, count(*) FROM (
                 SELECT label, value FROM labels WHERE workspace = ?1
                 UNION ALL
                 SELECT label, value FROM members
                 JOIN labels ON labels.workspace = members.workspace AND labels.path = members.container
                 WHERE members.workspace = ?1)
             GROUP BY label, value",
        )?;
        let rows = statement.query_map([workspace.as_str()], |row| {
            let label = Label::from_name(&row.get::<_, String>(0)?).ok_or(rusqlite::Error::InvalidQuery)?;
            Ok((label, row.get(1)?, row.get::<_, i64>(2)?.cast_unsigned()))
        })?;
        Ok(Facets::from_counts(rows.collect::<rusqlite::Result<Vec<_>>>()?))
    }
}

/// Provenance as it is kept; `None` where nothing is said.
pub(super) fn as_json(provenance: &Provenance) -> Result<Option<String>, StoreError> {
    if provenance.is_empty() {
        return Ok(None);
    }
    let json = serde_json::to_string(provenance);
    json.map(Some).map_err(|error| StoreError::Damaged { reason: format!("provenance cannot be kept: {error}") })
}

/// Reads what [`as_json`] gave.
pub(super) fn told(row: &Row<'_>, column: usize) -> rusqlite::Result<Provenance> {
    match row.get::<_, Option<String>>(column)? {
        None => Ok(Provenance::default()),
        Some(json) => serde_json::from_str(&json).map_err(|_| rusqlite::Error::InvalidQuery),
    }
}

/// Writes down what is told of the files of one workspace, and what becomes of it.
pub(super) struct Notes<'a> {
    transaction: &'a Transaction<'a>,
    workspace: &'a str,
    gone: CachedStatement<'a>,
    doubt: CachedStatement<'a>,
    find: CachedStatement<'a>,
}

impl<'a> Notes<'a> {
    pub(super) fn of(transaction: &'a Transaction<'a>, workspace: &'a WorkspaceId) -> Result<Self, StoreError> {
        Ok(Self {
            transaction,
            workspace: workspace.as_str(),
            gone: transaction.prepare_cached(
                "UPDATE provenance SET standing = 2, revision = ?3 WHERE workspace = ?1 AND path = ?2 AND standing <> 2",
            )?,
            doubt: transaction.prepare_cached(
                "UPDATE provenance SET standing = 1 WHERE workspace = ?1 AND path = ?2 AND standing = 0
                 AND CASE WHEN ?6 IS NULL THEN ?3 OR size <> ?4 OR modified_ns <> ?5 ELSE content_hash IS NOT ?6 END",
            )?,
            find: transaction.prepare_cached(
                "SELECT told, size, modified_ns, content_hash, standing FROM provenance
                 WHERE workspace = ?1 AND path = ?2 AND standing <> 2",
            )?,
        })
    }

    /// What a change says of its file, in the moment in which the log takes it.
    pub(super) fn note(&mut self, change: &Observation, revision: Revision) -> Result<(), StoreError> {
        if change.kind == ChangeKind::Deleted {
            return self.gone(&change.path, revision);
        }
        if let Some(told) = as_json(&change.provenance)? {
            let Observation { path, fingerprint, content_hash, .. } = change;
            write(self.transaction, self.workspace, path, &told, *fingerprint, *content_hash, revision)?;
            return set_labels(self.transaction, self.workspace, path, &change.provenance);
        }
        let Fingerprint { size, modified_ns, .. } = change.fingerprint;
        let content_hash = change.content_hash.map(|hash| hash.0);
        let path = change.path.as_str();
        let is_new = change.is_new_content;
        let doubted =
            self.doubt.execute(params![self.workspace, path, is_new, as_i64(size), modified_ns, content_hash])?;
        if doubted > 0 {
            set_labels(self.transaction, self.workspace, &change.path, &Provenance::default())?;
        }
        Ok(())
    }

    /// Nothing is said of a file that is gone.
    pub(super) fn gone(&mut self, path: &RelPath, revision: Revision) -> Result<(), StoreError> {
        if self.gone.execute(params![self.workspace, path.as_str(), as_i64(revision.0)])? > 0 {
            set_labels(self.transaction, self.workspace, path, &Provenance::default())?;
        }
        Ok(())
    }

    /// Decides what is to be said of a file, now that it was read, or only looked at, and no newer change waits.
    pub(super) fn settle(&mut self, file: &FileEntry) -> Result<(), StoreError> {
        let key = params![self.workspace, file.path.as_str()];
        let found = self.find.query_row(key, |row| {
            let seen = (row.get::<_, i64>(1)?.cast_unsigned(), row.get::<_, i64>(2)?);
            Ok((told(row, 0)?, seen, row.get::<_, Option<[u8; 32]>>(3)?.map(ContentHash), row.get::<_, i64>(4)?))
        });
        let Some((provenance, seen, content_hash, standing)) = found.optional()? else { return Ok(()) };
        let modified_ns = i64::try_from(file.modified.as_nanosecond()).unwrap_or(i64::MAX);
        let now = (file.size, modified_ns);
        let is_same = match (content_hash, file.content_hash) {
            (Some(told), Some(read)) => told == read,
            _ => seen == now,
        };
        if !is_same {
            let mut clear =
                self.transaction.prepare_cached("DELETE FROM provenance WHERE workspace = ?1 AND path = ?2")?;
            clear.execute(key)?;
            return set_labels(self.transaction, self.workspace, &file.path, &Provenance::default());
        }
        let mut keep = self.transaction.prepare_cached(
            "UPDATE provenance SET standing = 0, size = ?3, modified_ns = ?4, content_hash = coalesce(?5, content_hash)
             WHERE workspace = ?1 AND path = ?2",
        )?;
        let read = file.content_hash.map(|hash| hash.0);
        keep.execute(params![self.workspace, file.path.as_str(), as_i64(now.0), now.1, read])?;
        if standing == DOUBTED {
            set_labels(self.transaction, self.workspace, &file.path, &provenance)?;
        }
        Ok(())
    }
}

/// Takes what is known of a file's writer to the path that it was renamed to, where the file there looks as that did.
pub(super) fn carry(
    transaction: &Transaction<'_>,
    workspace: &WorkspaceId,
    from: &RelPath,
    seen: &Observation,
) -> Result<(), StoreError> {
    if seen.kind == ChangeKind::Deleted {
        return Ok(());
    }
    let Fingerprint { size, modified_ns, .. } = seen.fingerprint;
    let carried: Option<String> = transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO provenance (workspace, path, told, size, modified_ns, content_hash, standing, revision)
             SELECT workspace, ?3, told, size, modified_ns, content_hash, 0, revision FROM provenance
             WHERE workspace = ?1 AND path = ?2 AND size = ?4 AND modified_ns = ?5
             RETURNING told",
        )?
        .query_row(params![workspace.as_str(), from.as_str(), seen.path.as_str(), as_i64(size), modified_ns], |row| {
            row.get(0)
        })
        .optional()?;
    let Some(told) = carried else { return Ok(()) };
    let provenance: Provenance = serde_json::from_str(&told)
        .map_err(|error| StoreError::Damaged { reason: format!("provenance cannot be read: {error}") })?;
    set_labels(transaction, workspace.as_str(), &seen.path, &provenance)
}

fn write(
    transaction: &Transaction<'_>,
    workspace: &str,
    path: &RelPath,
    told: &str,
    Fingerprint { size, modified_ns, .. }: Fingerprint,
    content_hash: Option<ContentHash>,
    revision: Revision,
) -> Result<(), StoreError> {
    let mut write = transaction.prepare_cached(
        "INSERT OR REPLACE INTO provenance (workspace, path, told, size, modified_ns, content_hash, standing, revision)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7)",
    )?;
    let content_hash = content_hash.map(|hash| hash.0);
    let revision = as_i64(revision.0);
    write.execute(params![workspace, path.as_str(), told, as_i64(size), modified_ns, content_hash, revision])?;
    Ok(())
}

/// Has a file be found by these values and no others.
fn set_labels(
    transaction: &Transaction<'_>,
    workspace: &str,
    path: &RelPath,
    provenance: &Provenance,
) -> Result<(), StoreError> {
    let path = path.as_str();
    transaction
        .prepare_cached("DELETE FROM labels WHERE workspace = ?1 AND path = ?2")?
        .execute(params![workspace, path])?;
    let mut insert =
        transaction.prepare_cached("INSERT INTO labels (workspace, label, value, path) VALUES (?1, ?2, ?3, ?4)")?;
    for (label, value) in provenance.labels() {
        insert.execute(params![workspace, label.name(), value, path])?;
    }
    Ok(())
}
