//! What a folder remembers between two runs, in `.pincite-sync/state.db`: with what it is in step, what both sides agreed on last for each
//! path, and the hashes of files that need not be read again.
//!
//! It is an SQLite database, because that survives a kill at any moment and this program has it anyway. Each row is written when its step was
//! acknowledged, and never before. A row that a power failure takes (`synchronous = NORMAL`) is found again: two sides with the same content
//! agree. At the end of a run everything is on disk.
//!
//! # Invariants
//! - One process at a time uses a folder: it holds the lock on `.pincite-sync/lock`, which the system lets go when the process ends.
//! - The folder's name begins as those of pincite's temporary files do, which no rule makes part of a workspace (`files/folder/rules.rs`).

use std::collections::{BTreeMap, HashMap};
use std::fs::TryLockError;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::error::SyncError;
use crate::store::Fingerprint;
use crate::workspace::{ContentHash, RelPath, Revision};

/// The folder of the state, in the folder that is kept in step.
const FOLDER: &str = ".pincite-sync";
const LAYOUT: &str = "
    CREATE TABLE place (workspace TEXT NOT NULL, log TEXT NOT NULL, server TEXT NOT NULL);
    CREATE TABLE bases (name TEXT PRIMARY KEY, hash BLOB NOT NULL, revision INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE seen (path TEXT PRIMARY KEY, size INTEGER NOT NULL, modified_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
        inode INTEGER NOT NULL, hash BLOB NOT NULL) WITHOUT ROWID;
    PRAGMA user_version = 1;";

/// What a folder is in step with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub workspace: String,
    /// The id of the server's log.
    pub log: String,
    /// The server's address, for a person: a server may move.
    pub server: String,
}

/// What both sides agreed on last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Base {
    pub hash: ContentHash,
    /// The change that brought it there, or a later one.
    pub revision: Revision,
}

/// The state of a folder; it is this process's until it is dropped.
pub(super) struct State {
    folder: PathBuf,
    inner: Mutex<Inner>,
    _lock: fs_err::File,
}

struct Inner {
    connection: Connection,
    /// By the common spelling of the paths.
    bases: BTreeMap<String, Base>,
    seen: HashMap<RelPath, (Fingerprint, ContentHash)>,
}

impl State {
    /// Opens the state of the folder `root`, which is canonical.
    ///
    /// # Errors
    /// [`SyncError::Busy`] where another process has it, [`SyncError::State`] where it cannot be read.
    pub(super) fn open(root: &Path) -> Result<Self, SyncError> {
        let folder = folder_of(root);
        let refused = |reason: String| SyncError::State { folder: folder.clone(), reason };
        make(&folder).map_err(|error| refused(error.to_string()))?;
        let lock = take_lock(&folder)
            .map_err(|error| refused(error.to_string()))?
            .map_err(|holder| SyncError::Busy { folder: root.to_owned(), holder })?;
        super::asking::sweep(&folder);
        let inner = read(&folder).map_err(|error| refused(error.to_string()))?;
        Ok(Self { inner: Mutex::new(inner), _lock: lock, folder })
    }

    /// The folder of the state.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock()
    }

    fn refused(&self, error: &rusqlite::Error) -> SyncError {
        SyncError::State { folder: self.folder.clone(), reason: error.to_string() }
    }

    /// What the folder is in step with; `None` where it never was with anything.
    ///
    /// # Errors
    /// [`SyncError::State`].
    pub(super) fn place(&self) -> Result<Option<Place>, SyncError> {
        let read =
            |row: &rusqlite::Row<'_>| Ok(Place { workspace: row.get(0)?, log: row.get(1)?, server: row.get(2)? });
        let found = self.inner().connection.query_row("SELECT workspace, log, server FROM place", [], read).optional();
        found.map_err(|error| self.refused(&error))
    }

    /// Notes what the folder is in step with.
    ///
    /// # Errors
    /// [`SyncError::State`].
    pub(super) fn note_place(&self, place: &Place) -> Result<(), SyncError> {
        let Place { workspace, log, server } = place;
        let inner = self.inner();
        let noted = inner.connection.execute_batch("DELETE FROM place").and_then(|()| {
            inner.connection.execute("INSERT INTO place VALUES (?1, ?2, ?3)", params![workspace, log, server])
        });
        noted.map(drop).map_err(|error| self.refused(&error))
    }

    /// What was agreed on for all paths, by their common spelling.
    pub(super) fn bases(&self) -> BTreeMap<String, Base> {
        self.inner().bases.clone()
    }

    /// What was agreed on for a path.
    pub(super) fn base(&self, name: &str) -> Option<Base> {
        self.inner().bases.get(name).copied()
    }

    /// Notes what both sides have of a path; called when both are acknowledged.
    ///
    /// # Errors
    /// [`SyncError::State`].
    pub(super) fn agree(&self, name: &str, base: Base) -> Result<(), SyncError> {
        let mut inner = self.inner();
        let noted = inner
            .connection
            .prepare_cached("INSERT OR REPLACE INTO bases VALUES (?1, ?2, ?3)")
            .and_then(|mut note| note.execute(params![name, base.hash.0, base.revision.0.cast_signed()]));
        noted.map_err(|error| self.refused(&error))?;
        inner.bases.insert(name.to_owned(), base);
        Ok(())
    }

    /// Notes that neither side has a path any more.
    ///
    /// # Errors
    /// [`SyncError::State`].
    pub(super) fn forget(&self, name: &str) -> Result<(), SyncError> {
        let mut inner = self.inner();
        let noted = inner.connection.execute("DELETE FROM bases WHERE name = ?1", [name]);
        noted.map_err(|error| self.refused(&error))?;
        inner.bases.remove(name);
        Ok(())
    }

    /// The hash of a file that is as it was when it was read.
    pub(super) fn hash_of(&self, path: &RelPath, fingerprint: &Fingerprint) -> Option<ContentHash> {
        self.inner().seen.get(path).filter(|(seen, _)| seen == fingerprint).map(|(_, hash)| *hash)
    }

    /// Notes the hash of a file that no write can have changed under the same fingerprint.
    ///
    /// # Errors
    /// [`SyncError::State`].
    pub(super) fn note_hash(
        &self,
        path: &RelPath,
        fingerprint: Fingerprint,
        hash: ContentHash,
    ) -> Result<(), SyncError> {
        let Fingerprint { size, modified_ns, changed_ns, inode } = fingerprint;
        let mut inner = self.inner();
        let noted = inner
            .connection
            .prepare_cached("INSERT OR REPLACE INTO seen VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
            .and_then(|mut note| {
                let (size, inode) = (size.cast_signed(), inode.cast_signed());
                note.execute(params![path.as_str(), size, modified_ns, changed_ns, inode, hash.0])
            });
        noted.map_err(|error| self.refused(&error))?;
        inner.seen.insert(path.clone(), (fingerprint, hash));
        Ok(())
    }

    /// Forgets hashes of files that are not there any more, and puts everything on disk.
    ///
    /// # Errors
    /// [`SyncError::State`].
    pub(super) fn settle(&self, is_there: impl Fn(&RelPath) -> bool) -> Result<(), SyncError> {
        let mut inner = self.inner();
        let gone: Vec<RelPath> = inner.seen.keys().filter(|path| !is_there(path)).cloned().collect();
        for path in gone {
            let removed = inner.connection.execute("DELETE FROM seen WHERE path = ?1", [path.as_str()]);
            removed.map_err(|error| self.refused(&error))?;
            inner.seen.remove(&path);
        }
        let checkpoint = inner.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        checkpoint.map_err(|error| self.refused(&error))
    }
}

/// Where the state of a folder is.
pub(super) fn folder_of(root: &Path) -> PathBuf {
    root.join(FOLDER)
}

fn make(folder: &Path) -> std::io::Result<()> {
    match fs_err::create_dir(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // What a link leads to is none of ours.
    if !fs_err::symlink_metadata(folder)?.is_dir() {
        return Err(std::io::Error::other("it is no folder"));
    }
    Ok(())
}

/// Takes the lock, or tells who holds it.
fn take_lock(folder: &Path) -> std::io::Result<Result<fs_err::File, String>> {
    let path = folder.join("lock");
    let mut options = fs_err::OpenOptions::new();
    let mut file = options.create(true).truncate(false).read(true).write(true).open(path)?;
    match file.file().try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder)?;
            let holder = if holder.is_empty() { "another process".to_owned() } else { holder };
            return Ok(Err(holder));
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    file.set_len(0)?;
    file.rewind()?;
    write!(file, "process {}", std::process::id())?;
    Ok(Ok(file))
}

fn read(folder: &Path) -> anyhow::Result<Inner> {
    let connection = Connection::open(folder.join("state.db"))?;
    // Exclusive, so that no shared memory is needed, which some file systems of sandboxes do not have.
    connection
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version == 0 {
        connection.execute_batch(&format!("BEGIN IMMEDIATE; {LAYOUT} COMMIT;"))?;
    } else if version != 1 {
        anyhow::bail!("another version of pincite has written it");
    }
    let mut bases = BTreeMap::new();
    let mut statement = connection.prepare("SELECT name, hash, revision FROM bases")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let revision = Revision(row.get::<_, i64>(2)?.cast_unsigned());
        bases.insert(row.get(0)?, Base { hash: ContentHash(row.get(1)?), revision });
    }
    drop(rows);
    drop(statement);
    let mut seen = HashMap::new();
    let mut statement = connection.prepare("SELECT path, size, modified_ns, changed_ns, inode, hash FROM seen")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        // What is no path of a workspace is not looked for.
        let Ok(path) = row.get::<_, String>(0)?.parse::<RelPath>() else { continue };
        let fingerprint = Fingerprint {
            size: row.get::<_, i64>(1)?.cast_unsigned(),
            modified_ns: row.get(2)?,
            changed_ns: row.get(3)?,
            inode: row.get::<_, i64>(4)?.cast_unsigned(),
        };
        seen.insert(path, (fingerprint, ContentHash(row.get(5)?)));
    }
    drop(rows);
    drop(statement);
    Ok(Inner { connection, bases, seen })
}
