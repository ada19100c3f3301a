//! The file table: what is known of each file, and under which size and time.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use super::while_asked;
use super::{Fingerprint, Known, Store, StoreError, as_i64, begin, parsed, provenance};
use crate::workspace::{ContentHash, FileEntry, FileState, Language, RelPath, Revision, WorkspaceId, common_spelling};

pub(super) const SELECT_FILE: &str =
    "SELECT path, state, reason, format, title, size, modified_ns, content_hash, revision, num_chunks,
         language, (SELECT told FROM provenance AS said WHERE said.workspace = files.workspace AND said.path = files.path
             AND said.standing = 0)
     FROM files";
const SELECT_KNOWN: &str = "SELECT path, known_size, known_modified_ns, racy_until_ns, content_hash, known_changed_ns,
         known_inode FROM files";

/// The language of a file as it is kept.
pub(super) fn code_of(entry: &FileEntry) -> Option<String> {
    entry.language.map(String::from)
}

impl Store {
    /// Under which size and time each file of a workspace is known. Files that were never read have no fingerprint.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn fingerprints(&self, workspace: &WorkspaceId) -> Result<Vec<(RelPath, Option<Known>)>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(&format!("{SELECT_KNOWN} WHERE workspace = ?1"))?;
        let rows = statement.query_map([workspace.as_str()], known_row)?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// As [`Store::fingerprints`], of these files and of all files in these folders.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn fingerprints_below(
        &self,
        workspace: &WorkspaceId,
        places: &BTreeSet<RelPath>,
    ) -> Result<Vec<(RelPath, Option<Known>)>, StoreError> {
        let connection = self.reader();
        // `0` comes right after `/`.
        let mut statement = connection.prepare_cached(&format!(
            "{SELECT_KNOWN} WHERE workspace = ?1 AND (path = ?2 OR path > ?2 || '/' AND path < ?2 || '0')"
        ))?;
        let mut found = Vec::new();
        for place in places {
            for row in statement.query_map([workspace.as_str(), place.as_str()], known_row)? {
                found.push(row?);
            }
        }
        Ok(found)
    }

    /// The files that had one of these inodes when they were read: names of one file, and files that were at another path before.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn paths_of_inodes(
        &self,
        workspace: &WorkspaceId,
        inodes: &BTreeSet<u64>,
    ) -> Result<BTreeSet<RelPath>, StoreError> {
        let connection = self.reader();
        let mut statement =
            connection.prepare_cached("SELECT path FROM files WHERE workspace = ?1 AND known_inode = ?2")?;
        let mut found = BTreeSet::new();
        for inode in inodes {
            for row in statement.query_map(params![workspace.as_str(), inode.cast_signed()], |row| parsed(row, 0))? {
                found.insert(row?);
            }
        }
        Ok(found)
    }

    /// Notes new fingerprints of files whose bytes were compared and found to be what is known.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn note_looked_at(&self, workspace: &WorkspaceId, files: &[(RelPath, Known)]) -> Result<(), StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        {
            // One that was read meanwhile is known as that.
            let mut note = transaction.prepare_cached(
                "UPDATE files SET racy_until_ns = ?3, known_changed_ns = ?7, known_inode = ?8
                 WHERE workspace = ?1 AND path = ?2 AND known_size = ?4 AND known_modified_ns = ?5 AND content_hash IS ?6",
            )?;
            for (path, Known { fingerprint, content_hash, racy_until_ns }) in files {
                let Fingerprint { size, modified_ns, changed_ns, inode } = *fingerprint;
                note.execute(params![
                    workspace.as_str(),
                    path.as_str(),
                    racy_until_ns,
                    as_i64(size),
                    modified_ns,
                    content_hash.map(|hash| hash.0),
                    changed_ns,
                    inode.cast_signed()
                ])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// All files of a workspace by path, those inside others among them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn files(&self, workspace: &WorkspaceId) -> Result<Vec<FileEntry>, StoreError> {
        self.files_while(workspace, &|| true)
    }

    /// As [`Store::files`], as far as they are read until `goes_on` says no, which is asked now and then.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn files_while(
        &self,
        workspace: &WorkspaceId,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Vec<FileEntry>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(&format!("{SELECT_FILE} WHERE workspace = ?1 ORDER BY path"))?;
        let rows = statement.query_map([workspace.as_str()], file_row)?;
        let mut files = while_asked(rows, goes_on)?;
        let members = super::members::all(&connection, workspace, goes_on)?;
        if !members.is_empty() {
            files.extend(members);
            files.sort_by(|one, other| one.path.cmp(&other.path));
        }
        Ok(files)
    }

    /// The searchable files that stand in a folder themselves, by path; the root's name is empty. None where they, with those in folders
    /// below it, are more than `most`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn files_in(&self, workspace: &WorkspaceId, folder: &str, most: usize) -> Result<Vec<RelPath>, StoreError> {
        // `0` comes right after `/`.
        let (first, last) = match folder {
            "" => (String::new(), None),
            _ => (format!("{folder}/"), Some(format!("{folder}0"))),
        };
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT path FROM files
             WHERE workspace = ?1 AND path >= ?2 AND (?3 IS NULL OR path < ?3) AND num_chunks > 0 ORDER BY path LIMIT ?4",
        )?;
        let mut rows = statement.query(params![workspace.as_str(), first, last, as_i64(most as u64 + 1)])?;
        let (mut files, mut num_rows) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            num_rows += 1;
            let path: RelPath = parsed(row, 0)?;
            if !path.as_str()[first.len()..].contains('/') {
                files.push(path);
            }
        }
        Ok(if num_rows > most { Vec::new() } else { files })
    }

    /// One file, also one inside another, or `None` where the workspace has none of that path.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn file(&self, workspace: &WorkspaceId, path: &RelPath) -> Result<Option<FileEntry>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(&format!("{SELECT_FILE} WHERE workspace = ?1 AND path = ?2"))?;
        match statement.query_row(params![workspace.as_str(), path.as_str()], file_row).optional()? {
            Some(file) => Ok(Some(file)),
            None => super::members::one(&connection, workspace, path),
        }
    }

    /// The path of a file, also of one inside another, that is another spelling of this one; the first where there are several.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn path_spelled_like(&self, workspace: &WorkspaceId, path: &RelPath) -> Result<Option<RelPath>, StoreError> {
        let wanted = common_spelling(path.as_str());
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT path FROM files WHERE workspace = ?1 UNION ALL SELECT path FROM members WHERE workspace = ?1
             ORDER BY path",
        )?;
        let mut rows = statement.query([workspace.as_str()])?;
        while let Some(row) = rows.next()? {
            let other = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            if common_spelling(other) == wanted {
                return Ok(Some(parsed(row, 0)?));
            }
        }
        Ok(None)
    }

    /// How many chunks each file of a workspace has in the index, and the file on disk that it is or is held by; `None` of files
    /// with a change that is pending, as then the index may be ahead.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn chunk_counts(&self, workspace: &WorkspaceId) -> Result<Vec<(RelPath, Option<u32>, RelPath)>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT path, CASE state WHEN 'pending' THEN NULL ELSE num_chunks END, path FROM files WHERE workspace = ?1
             UNION ALL
             SELECT members.path, CASE files.state WHEN 'pending' THEN NULL ELSE members.num_chunks END, container
             FROM members JOIN files ON files.workspace = members.workspace AND files.path = container
             WHERE members.workspace = ?1",
        )?;
        let rows =
            statement.query_map([workspace.as_str()], |row| Ok((parsed(row, 0)?, row.get(1)?, parsed(row, 2)?)))?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// The contents that files of a workspace have, as far as they were read.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn content_hashes(&self, workspace: &WorkspaceId) -> Result<HashSet<ContentHash>, StoreError> {
        let connection = self.reader();
        let mut statement = connection
            .prepare_cached("SELECT content_hash FROM files WHERE workspace = ?1 AND content_hash IS NOT NULL")?;
        let rows = statement.query_map([workspace.as_str()], |row| row.get(0).map(ContentHash))?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// The files, also inside others, that had this content when they were read, by path.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn paths_of_content(&self, workspace: &WorkspaceId, hash: ContentHash) -> Result<Vec<RelPath>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT path FROM files WHERE workspace = ?1 AND content_hash = ?2
             UNION SELECT path FROM members WHERE workspace = ?1 AND content_hash = ?2 ORDER BY path LIMIT 32",
        )?;
        let rows = statement.query_map(params![workspace.as_str(), hash.0], |row| parsed(row, 0))?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }
}

fn known_row(row: &Row<'_>) -> rusqlite::Result<(RelPath, Option<Known>)> {
    let (path, size): (RelPath, i64) = (parsed(row, 0)?, row.get(1)?);
    if size < 0 {
        return Ok((path, None));
    }
    let fingerprint = Fingerprint {
        size: size.cast_unsigned(),
        modified_ns: row.get(2)?,
        // No file has this change time: one that a store of an older layout knows is compared by its bytes once.
        changed_ns: row.get::<_, Option<i64>>(5)?.unwrap_or(i64::MIN),
        inode: row.get::<_, Option<i64>>(6)?.unwrap_or(0).cast_unsigned(),
    };
    let racy_until_ns: Option<i64> = row.get(3)?;
    let content_hash = row.get::<_, Option<[u8; 32]>>(4)?.map(ContentHash);
    // Where what was read was forgotten, a racy fingerprint does not say that the file is as it was.
    let is_known = racy_until_ns.is_none() || content_hash.is_some();
    Ok((path, is_known.then_some(Known { fingerprint, content_hash, racy_until_ns })))
}

pub(super) fn file_row(row: &Row<'_>) -> rusqlite::Result<FileEntry> {
    let state: String = row.get(1)?;
    let modified_ns: i64 = row.get(6)?;
    Ok(FileEntry {
        path: parsed(row, 0)?,
        state: FileState::from_name(&state).ok_or(rusqlite::Error::InvalidQuery)?,
        reason: row.get(2)?,
        format: row.get(3)?,
        title: row.get(4)?,
        size: row.get::<_, i64>(5)?.cast_unsigned(),
        modified: Timestamp::from_nanosecond(i128::from(modified_ns)).map_err(|_| rusqlite::Error::InvalidQuery)?,
        content_hash: row.get::<_, Option<[u8; 32]>>(7)?.map(ContentHash),
        revision: Revision(row.get::<_, i64>(8)?.cast_unsigned()),
        num_chunks: row.get(9)?,
        language: row.get::<_, Option<String>>(10)?.and_then(|code| Language::of_code(&code)),
        container: None,
        provenance: provenance::told(row, 11)?,
    })
}
