//! The SQLite store: workspaces, the durable change log, and the file table.
//!
//! # Invariants
//! - [`Store::log`] returns only after its changes are on disk with their revisions.
//! - A change stays pending until [`Store::acknowledge`], which is called after the index has committed it. A crash in
//!   between repeats the work; it never loses it.
//! - Revisions are given by one sequence for the whole data folder and are never used again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, params};

use super::{Change, ChangeKind, ContentHash, FileCounts, FileEntry, FileState, RelPath, Revision, WorkspaceId};
use crate::error::Advice;

/// The layout of the tables. Another number was written by another program version.
const SCHEMA_VERSION: i64 = 1;

/// A workspace as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceRow {
    /// Its name.
    pub id: WorkspaceId,
    /// The folder its files are in, absolute.
    pub root: Option<PathBuf>,
}

/// What a scan found of a file that may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The file.
    pub path: RelPath,
    /// What happened to it.
    pub kind: ChangeKind,
    /// What it looks like now; zeros when deleted.
    pub fingerprint: Fingerprint,
}

/// Size and time under which a file's content is known, for a scan to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// Size in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub modified_ns: i64,
}

/// What became of a change: the row that the file has from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The file is as this entry says; the fingerprint is the one under which it was read.
    File(FileEntry, Fingerprint),
    /// The file is gone.
    Gone(RelPath),
}

/// The store of one data folder.
#[derive(Debug)]
pub struct Store {
    connection: Mutex<Connection>,
}

impl Store {
    /// Opens the store in `folder`, or makes it where it may be written.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there is none to read, [`StoreError::Damaged`] and [`StoreError::Version`] where
    /// it cannot be used, [`StoreError::Io`] where the disk refuses.
    pub fn open(folder: &Path, writable: bool) -> Result<Self, StoreError> {
        let path = folder.join("pincite.db");
        let connection = if writable {
            let connection = Connection::open(&path)?;
            connection.busy_timeout(Duration::from_secs(10))?;
            connection
                .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")?;
            connection
        } else {
            if !path.exists() {
                return Err(StoreError::Missing { folder: folder.to_owned() });
            }
            let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
            connection.busy_timeout(Duration::from_secs(10))?;
            connection
        };
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match version {
            SCHEMA_VERSION => {}
            0 if writable => connection.execute_batch(SCHEMA)?,
            0 => return Err(StoreError::Missing { folder: folder.to_owned() }),
            found => return Err(StoreError::Version { found, expected: SCHEMA_VERSION }),
        }
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic inside a transaction rolls it back, so the connection is sound.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All workspaces by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn workspaces(&self) -> Result<Vec<WorkspaceRow>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT name, root FROM workspaces ORDER BY name")?;
        let rows = statement.query_map([], workspace_row)?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// The workspace of that name.
    ///
    /// # Errors
    /// [`StoreError::UnknownWorkspace`] where there is none.
    pub fn workspace(&self, id: &WorkspaceId) -> Result<WorkspaceRow, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached("SELECT name, root FROM workspaces WHERE name = ?1")?;
        let row = statement.query_row([id.as_str()], workspace_row).optional()?;
        row.ok_or_else(|| StoreError::UnknownWorkspace { id: id.clone() })
    }

    /// Makes a workspace, or gives one that has none its folder.
    ///
    /// # Errors
    /// [`StoreError::OtherRoot`] where the workspace already has another folder.
    pub fn ensure_workspace(&self, id: &WorkspaceId, root: Option<&Path>) -> Result<WorkspaceRow, StoreError> {
        let root_text = root.map(|root| root.to_string_lossy().into_owned());
        {
            let connection = self.connection();
            connection.execute(
                "INSERT INTO workspaces (name, root) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET root = coalesce(root, excluded.root)",
                params![id.as_str(), root_text],
            )?;
        }
        let row = self.workspace(id)?;
        match (root, &row.root) {
            (Some(wanted), Some(has)) if wanted != has => {
                Err(StoreError::OtherRoot { id: id.clone(), root: has.clone() })
            }
            _ => Ok(row),
        }
    }

    /// Writes changes to the log, durably and in order, and returns the revision of the last one.
    ///
    /// # Errors
    /// None of them is in the log then.
    pub fn log(&self, workspace: &WorkspaceId, observations: &[Observation]) -> Result<Revision, StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let now = Timestamp::now().as_millisecond();
        {
            let mut insert = transaction.prepare_cached(
                "INSERT INTO changes (workspace, path, kind, at_ms, pending) VALUES (?1, ?2, ?3, ?4, 1)",
            )?;
            // Until it has been read, a new file is listed as pending under what the scan saw of it.
            let mut file = transaction.prepare_cached(
                "INSERT INTO files (workspace, path, state, size, modified_ns, known_size, known_modified_ns, revision, num_chunks)
                 VALUES (?1, ?2, 'pending', ?3, ?4, -1, -1, 0, 0)
                 ON CONFLICT (workspace, path) DO UPDATE SET state = 'pending'",
            )?;
            for observation in observations {
                let path = observation.path.as_str();
                insert.execute(params![workspace.as_str(), path, observation.kind.name(), now])?;
                let Fingerprint { size, modified_ns } = observation.fingerprint;
                file.execute(params![workspace.as_str(), path, as_i64(size), modified_ns])?;
            }
        }
        let last = transaction.last_insert_rowid();
        transaction.commit()?;
        Ok(Revision(if observations.is_empty() { 0 } else { last.cast_unsigned() }))
    }

    /// The newest pending change of each path, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn pending(&self, workspace: &WorkspaceId, limit: usize) -> Result<Vec<Change>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT max(revision) AS newest, path, kind, at_ms FROM changes
             WHERE workspace = ?1 AND pending = 1 GROUP BY path ORDER BY newest LIMIT ?2",
        )?;
        let rows = statement.query_map(params![workspace.as_str(), as_i64(limit as u64)], change_row)?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// Paths of which the index may hold content that the log has already replaced or deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn superseded(&self, workspace: &WorkspaceId) -> Result<BTreeSet<RelPath>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT DISTINCT path FROM changes WHERE workspace = ?1 AND pending = 1 AND kind <> 'created'",
        )?;
        let rows = statement.query_map([workspace.as_str()], |row| parsed(row, 0))?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// The newest revision up to which no change of a workspace is pending.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn settled_revision(&self, workspace: &WorkspaceId) -> Result<Revision, StoreError> {
        let connection = self.connection();
        let settled: Option<i64> = connection
            .prepare_cached(
                "SELECT coalesce((SELECT min(revision) - 1 FROM changes WHERE workspace = ?1 AND pending = 1),
                     (SELECT max(revision) FROM changes WHERE workspace = ?1))",
            )?
            .query_row([workspace.as_str()], |row| row.get(0))?;
        Ok(Revision(settled.unwrap_or(0).cast_unsigned()))
    }

    /// Forgets the content of files with a pending change that the index has already committed: after a crash between
    /// the two, the file table does not say what the index holds, so such a file is read anew.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn distrust_unacknowledged(&self, workspace: &WorkspaceId, committed: Revision) -> Result<(), StoreError> {
        self.connection().execute(
            "UPDATE files SET content_hash = NULL WHERE workspace = ?1 AND path IN
                 (SELECT path FROM changes WHERE workspace = ?1 AND pending = 1 AND revision <= ?2)",
            params![workspace.as_str(), as_i64(committed.0)],
        )?;
        Ok(())
    }

    /// The newest changes, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn recent_changes(&self, workspace: &WorkspaceId, limit: usize) -> Result<Vec<Change>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT revision, path, kind, at_ms FROM changes WHERE workspace = ?1 ORDER BY revision DESC LIMIT ?2",
        )?;
        let rows = statement.query_map(params![workspace.as_str(), as_i64(limit as u64)], change_row)?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// Marks all changes of these paths up to `through` as done, and writes what became of the files.
    ///
    /// Called after the index has committed them: never before.
    ///
    /// # Errors
    /// All of them stay pending then.
    pub fn acknowledge(
        &self,
        workspace: &WorkspaceId,
        through: Revision,
        outcomes: &[Outcome],
    ) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        {
            let mut done = transaction.prepare_cached(
                "UPDATE changes SET pending = 0 WHERE workspace = ?1 AND path = ?2 AND pending = 1 AND revision <= ?3",
            )?;
            let mut still_pending = transaction
                .prepare_cached("SELECT 1 FROM changes WHERE workspace = ?1 AND path = ?2 AND pending = 1 LIMIT 1")?;
            let mut gone = transaction.prepare_cached("DELETE FROM files WHERE workspace = ?1 AND path = ?2")?;
            let mut upsert = transaction.prepare_cached(
                "INSERT OR REPLACE INTO files (workspace, path, state, reason, format, title, size, modified_ns,
                     known_size, known_modified_ns, content_hash, revision, num_chunks)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            )?;
            for outcome in outcomes {
                let path = match outcome {
                    Outcome::File(entry, _) => &entry.path,
                    Outcome::Gone(path) => path,
                };
                done.execute(params![workspace.as_str(), path.as_str(), as_i64(through.0)])?;
                let waits = still_pending.exists(params![workspace.as_str(), path.as_str()])?;
                match outcome {
                    Outcome::File(entry, fingerprint) => {
                        let state = if waits { FileState::Pending } else { entry.state };
                        upsert.execute(params![
                            workspace.as_str(),
                            path.as_str(),
                            state.name(),
                            entry.reason,
                            entry.format,
                            entry.title,
                            as_i64(entry.size),
                            i64::try_from(entry.modified.as_nanosecond()).unwrap_or(i64::MAX),
                            as_i64(fingerprint.size),
                            fingerprint.modified_ns,
                            entry.content_hash.map(|hash| hash.0),
                            as_i64(entry.revision.0),
                            entry.num_chunks,
                        ])?;
                    }
                    Outcome::Gone(_) if waits => {}
                    Outcome::Gone(_) => {
                        gone.execute(params![workspace.as_str(), path.as_str()])?;
                    }
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Forgets what was read of every file of a workspace and logs each as modified, so that all are read again.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub fn forget_contents(&self, workspace: &WorkspaceId) -> Result<(), StoreError> {
        let mut connection = self.connection();
        let transaction = connection.transaction()?;
        let now = Timestamp::now().as_millisecond();
        transaction.execute(
            "INSERT INTO changes (workspace, path, kind, at_ms, pending)
             SELECT workspace, path, 'modified', ?2, 1 FROM files WHERE workspace = ?1 ORDER BY path",
            params![workspace.as_str(), now],
        )?;
        transaction.execute(
            "UPDATE files SET state = 'pending', known_size = -1, known_modified_ns = -1, content_hash = NULL
             WHERE workspace = ?1",
            [workspace.as_str()],
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// Under which size and time each file of a workspace is known. Files that were never read have no fingerprint.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn fingerprints(&self, workspace: &WorkspaceId) -> Result<Vec<(RelPath, Option<Fingerprint>)>, StoreError> {
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached("SELECT path, known_size, known_modified_ns FROM files WHERE workspace = ?1")?;
        let rows = statement.query_map([workspace.as_str()], |row| {
            let size: i64 = row.get(1)?;
            let known = Fingerprint { size: size.max(0).cast_unsigned(), modified_ns: row.get(2)? };
            Ok((parsed(row, 0)?, (size >= 0).then_some(known)))
        })?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// All files of a workspace by path.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn files(&self, workspace: &WorkspaceId) -> Result<Vec<FileEntry>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(&format!("{SELECT_FILE} WHERE workspace = ?1 ORDER BY path"))?;
        let rows = statement.query_map([workspace.as_str()], file_row)?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// One file, or `None` where the workspace has none of that path.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn file(&self, workspace: &WorkspaceId, path: &RelPath) -> Result<Option<FileEntry>, StoreError> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(&format!("{SELECT_FILE} WHERE workspace = ?1 AND path = ?2"))?;
        Ok(statement.query_row(params![workspace.as_str(), path.as_str()], file_row).optional()?)
    }

    /// How many files of a workspace are in each state.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn counts(&self, workspace: &WorkspaceId) -> Result<FileCounts, StoreError> {
        let connection = self.connection();
        let mut statement =
            connection.prepare_cached("SELECT state, count(*) FROM files WHERE workspace = ?1 GROUP BY state")?;
        let mut rows = statement.query([workspace.as_str()])?;
        let mut counts = FileCounts::default();
        while let Some(row) = rows.next()? {
            let state: String = row.get(0)?;
            let number = row.get::<_, i64>(1)?.cast_unsigned();
            counts.files += number;
            match FileState::from_name(&state) {
                Some(FileState::Ready) => counts.ready = number,
                Some(FileState::Pending) => counts.pending = number,
                Some(FileState::Empty) => counts.empty = number,
                Some(FileState::Unsupported) => counts.unsupported = number,
                Some(FileState::Failed) => counts.failed = number,
                None => return Err(StoreError::Damaged { reason: format!("a file has the state `{state}`") }),
            }
        }
        Ok(counts)
    }

    /// A number that is another one whenever the store has changed, by this process or any other.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn version(&self) -> Result<(i64, u64), StoreError> {
        let connection = self.connection();
        let others: i64 = connection.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        Ok((others, connection.total_changes()))
    }
}

const SCHEMA: &str = "
    BEGIN;
    CREATE TABLE workspaces (name TEXT PRIMARY KEY, root TEXT) WITHOUT ROWID;
    CREATE TABLE changes (
        revision INTEGER PRIMARY KEY AUTOINCREMENT,
        workspace TEXT NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL, at_ms INTEGER NOT NULL, pending INTEGER NOT NULL);
    CREATE INDEX pending_changes ON changes (workspace, path, revision) WHERE pending = 1;
    CREATE INDEX changes_of_workspace ON changes (workspace, revision);
    CREATE TABLE files (
        workspace TEXT NOT NULL, path TEXT NOT NULL, state TEXT NOT NULL, reason TEXT, format TEXT, title TEXT,
        size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, known_size INTEGER NOT NULL,
        known_modified_ns INTEGER NOT NULL, content_hash BLOB, revision INTEGER NOT NULL, num_chunks INTEGER NOT NULL,
        PRIMARY KEY (workspace, path)) WITHOUT ROWID;
    CREATE INDEX files_by_state ON files (workspace, state);
    PRAGMA user_version = 1;
    COMMIT;";

const SELECT_FILE: &str =
    "SELECT path, state, reason, format, title, size, modified_ns, content_hash, revision, num_chunks
     FROM files";

fn workspace_row(row: &Row<'_>) -> rusqlite::Result<WorkspaceRow> {
    Ok(WorkspaceRow { id: parsed(row, 0)?, root: row.get::<_, Option<String>>(1)?.map(PathBuf::from) })
}

fn change_row(row: &Row<'_>) -> rusqlite::Result<Change> {
    let kind: String = row.get(2)?;
    Ok(Change {
        revision: Revision(row.get::<_, i64>(0)?.cast_unsigned()),
        path: parsed(row, 1)?,
        kind: ChangeKind::from_name(&kind).ok_or(rusqlite::Error::InvalidQuery)?,
        at: Timestamp::from_millisecond(row.get(3)?).map_err(|_| rusqlite::Error::InvalidQuery)?,
    })
}

fn file_row(row: &Row<'_>) -> rusqlite::Result<FileEntry> {
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
    })
}

fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    row.get::<_, String>(column)?.parse().map_err(|_| rusqlite::Error::InvalidQuery)
}

/// SQLite keeps signed numbers; sizes and revisions stay far below their end.
fn as_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Why the store cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was ever written to the data folder.
    #[error("the data folder `{}` holds nothing yet", folder.display())]
    Missing {
        /// The data folder.
        folder: PathBuf,
    },
    /// No workspace of that name.
    #[error("there is no workspace `{id}`")]
    UnknownWorkspace {
        /// What was asked for.
        id: WorkspaceId,
    },
    /// The workspace belongs to another folder.
    #[error("the workspace `{id}` belongs to the folder `{}`", root.display())]
    OtherRoot {
        /// The workspace.
        id: WorkspaceId,
        /// Its folder.
        root: PathBuf,
    },
    /// Written by another version of the program.
    #[error("the data folder has layout {found}, this program knows {expected}")]
    Version {
        /// What the folder says.
        found: i64,
        /// What this program writes.
        expected: i64,
    },
    /// The tables hold what cannot be.
    #[error("the file `pincite.db` is damaged: {reason}")]
    Damaged {
        /// What is wrong.
        reason: String,
    },
    /// The disk or the lock refused. Try again when that has changed.
    #[error("the file `pincite.db` cannot be written or read")]
    Io(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        match error {
            rusqlite::Error::InvalidQuery | rusqlite::Error::InvalidColumnType(..) => {
                Self::Damaged { reason: "a row holds what cannot be".to_owned() }
            }
            error if matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase)) => {
                Self::Damaged { reason: error.to_string() }
            }
            error => Self::Io(error),
        }
    }
}

impl Advice for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "nothing_indexed",
            Self::UnknownWorkspace { .. } => "unknown_workspace",
            Self::OtherRoot { .. } => "other_root",
            Self::Version { .. } => "other_version",
            Self::Damaged { .. } => "store_damaged",
            Self::Io(_) => "store_io",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { .. } | Self::UnknownWorkspace { .. } => {
                "index a folder first: `pincite index PATH`, or add `--path PATH` to the question".to_owned()
            }
            Self::OtherRoot { id, .. } => {
                format!("give this folder a workspace of its own: `--workspace NAME` with another name than `{id}`")
            }
            Self::Version { .. } => "use the program version that wrote it, or another `--data-dir`".to_owned(),
            Self::Damaged { .. } => {
                "move the data folder away and index the files again: nothing but the index is lost".to_owned()
            }
            Self::Io(_) => "check free space and permissions of the data folder".to_owned(),
        })
    }
}
