//! The SQLite store: workspaces, the durable change log, the file table, reviewers' verdicts, keys and sessions, and what webhooks are to be told.
//!
//! # Invariants
//! - [`Store::log`] returns only after its changes are on disk with their revisions.
//! - A change stays pending until [`Store::acknowledge`], which is called after the index has committed it. A crash in
//!   between repeats the work; it never loses it.
//! - Revisions are given by one sequence for the whole data folder and are never used again.
//! - Any number of processes log changes; only the one that indexes acknowledges them.
//! - Reading waits for no write: reads have a connection of their own.
//! - Nothing is kept of a workspace that does not exist, and what is deleted is overwritten on disk.

mod acknowledge;
mod changes;
mod deliveries;
mod echoes;
mod error;
mod events;
mod files;
mod keys;
mod live;
mod locks;
mod log;
mod members;
mod outbox;
mod paths;
mod provenance;
mod prune;
mod reading;
mod rebuild;
mod replies;
mod schema;
mod sessions;
mod sources;
#[cfg(test)]
mod tests;
mod transfers;
mod verdicts;
mod view;
mod violations;
mod webhooks;
mod workspaces;
mod written;

use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use rusqlite::{Connection, Row, Transaction, TransactionBehavior};

pub use self::changes::ChangeScope;
pub use self::deliveries::{DeliveryScope, WaitingDeliveries};
pub(crate) use self::deliveries::{Due, Next, Tried, Waiting};
pub use self::error::StoreError;
pub use self::events::LoggedEvent;
pub use self::keys::{KeyChanges, KeyRow};
pub use self::live::Content;
pub use self::locks::{Covered, LockRequest, LockRow, LockTime, Taken, WaitRow};
pub(crate) use self::outbox::{NewDelivery, Told};
pub use self::provenance::KnownWriter;
pub(crate) use self::reading::open_to_read;
pub use self::replies::{Besides, KeptReply};
pub use self::sessions::SessionRow;
pub use self::sources::SourceState;
pub use self::transfers::{Ownership, TransferRow};
pub use self::verdicts::VerdictScope;
pub use self::view::StoredView;
pub use self::violations::{Covering, Violation};
pub(crate) use self::webhooks::{Receiver, SecretKey};
pub use self::written::{OfDay, Totals, Written};
use crate::workspace::{ChangeKind, ContentHash, FileEntry, Provenance, RelPath, WorkspaceId};

/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Rows that are read between two looks at whether to go on: about a millisecond.
const ROWS_BETWEEN_LOOKS: usize = 256;

/// A workspace as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkspaceRow {
    /// Its name.
    pub id: WorkspaceId,
    /// The folder its files are in, absolute.
    pub root: Option<PathBuf>,
    /// Whether its files are indexed; otherwise they are only listed.
    pub intelligence: bool,
    /// Another number whenever what is kept of the workspace begins anew: of one that was deleted and made again, and of one
    /// whose intelligence was switched, or whose index was built again.
    pub epoch: i64,
    /// Which of its indexes serves.
    pub generation: i64,
    /// Which is being built beside it, if one is.
    pub next_generation: Option<i64>,
    /// Who owns it, where it was handed over.
    pub ownership: Option<Ownership>,
    /// Whether a write has to say what it expects.
    pub demands_condition: bool,
}

/// What was found of a file that may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// The file.
    pub path: RelPath,
    /// What happened to it.
    pub kind: ChangeKind,
    /// What it looks like now; zeros when deleted.
    pub fingerprint: Fingerprint,
    /// Whether its content is known to be new. Otherwise the change hides nothing that was read under this fingerprint.
    pub is_new_content: bool,
    /// Who made the change, as far as somebody said; of a file that is there, also who wrote its content.
    pub provenance: Provenance,
    /// The hash of that content, where it is known already.
    pub content_hash: Option<ContentHash>,
    /// Set where the file was renamed: a pair of observations, one of each path.
    pub moved: Option<Moved>,
    /// Whether it was seen under the lock on the workspace's files, in a state that somebody has made past us: such a change of a locked file
    /// violates the lock, unless the content is the known one.
    pub is_past_us: bool,
}

/// The other path of a file that was renamed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// The file was at this path before: its history and its writer go with it.
    From(RelPath),
    /// The file is at another path now, whose change tells of both.
    Away,
}

impl Observation {
    /// What was found of a file by nobody's word but our own.
    #[must_use]
    pub fn new(path: RelPath, kind: ChangeKind, fingerprint: Fingerprint, is_new_content: bool) -> Self {
        let (provenance, content_hash, moved) = (Provenance::default(), None, None);
        Self { path, kind, fingerprint, is_new_content, provenance, content_hash, moved, is_past_us: false }
    }
}

/// What the system says of a file, for a scan to compare with what it said when the file was read.
///
/// Size and modification time tell most changes. Programs that set the modification time (`tar -x`, `cp -p`, `touch -r`, a
/// rename over the file) cannot set the change time as well, and a file that took the place of another has its own inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint {
    /// Size in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Change time in nanoseconds since 1970; 0 where the system has none.
    pub changed_ns: i64,
    /// Inode number; 0 where the system has none.
    pub inode: u64,
}

impl Fingerprint {
    /// The fingerprint of no file, as of a deleted one.
    pub const NONE: Self = Self { size: 0, modified_ns: 0, changed_ns: 0, inode: 0 };
    /// No file has this fingerprint, so the next scan takes up a file that is known by it.
    pub const NEVER: Self = Self { modified_ns: i64::MIN, ..Self::NONE };

    /// Whether two files have the same size and modification time.
    #[must_use]
    pub const fn has_size_and_time_of(&self, other: &Self) -> bool {
        self.size == other.size && self.modified_ns == other.modified_ns
    }
}

/// The state of a file in which its content was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The file's fingerprint before and after it was read.
    pub fingerprint: Fingerprint,
    /// The hash of the bytes that were read, where they were.
    pub content_hash: Option<ContentHash>,
    /// Set where the file was read in the same tick of the clock in which it was written, so that another write of that tick leaves
    /// the same fingerprint: a scan compares the bytes, until one has done so at or after this time, in nanoseconds since 1970.
    pub racy_until_ns: Option<i64>,
}

impl From<Fingerprint> for Known {
    fn from(fingerprint: Fingerprint) -> Self {
        Self { fingerprint, content_hash: None, racy_until_ns: None }
    }
}

/// What became of a change: the row that the file has from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are files")]
pub enum Outcome {
    /// The file is as this entry says, and was read as this.
    File(FileEntry, Known, Members),
    /// The file is gone.
    Gone(RelPath),
}

/// What a file holds from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Members {
    /// What it held.
    Same,
    /// These files; none where it is no archive or message.
    Are(Vec<FileEntry>),
}

/// The store of one data folder.
#[derive(Debug)]
pub struct Store {
    /// Sees what is committed, also by `writer`, as soon as the commit has returned. Closed first: the connection that is
    /// closed last writes SQLite's log back into the file, and this one may not.
    reader: Mutex<Connection>,
    /// `None` where the store is only read.
    writer: Option<Mutex<Connection>>,
}

impl Store {
    /// Opens the store in `folder`, or makes it where it may be written.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where there is none to read, [`StoreError::Damaged`] and [`StoreError::Version`] where
    /// it cannot be used, [`StoreError::Io`] where the disk refuses.
    pub fn open(folder: &Path, writable: bool) -> Result<Self, StoreError> {
        let path = folder.join("pincite.db");
        let writer = if writable {
            let mut connection = Connection::open(&path)?;
            connection.busy_timeout(BUSY_TIMEOUT)?;
            schema::prepare(&mut connection)?;
            Some(Mutex::new(connection))
        } else if path.exists() {
            None
        } else {
            return Err(StoreError::Missing { folder: folder.to_owned() });
        };
        let reader = open_to_read(&path, BUSY_TIMEOUT)?;
        match schema::version_of(&reader)? {
            schema::VERSION => Ok(Self { writer, reader: Mutex::new(reader) }),
            0 => Err(StoreError::Missing { folder: folder.to_owned() }),
            found => Err(StoreError::Version { found, expected: schema::VERSION }),
        }
    }

    /// Reads the whole file and compares every table with its indexes: a fifth of a second for 100,000 files.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where one byte of what the file holds makes a query tell another thing than was written.
    pub fn check(&self) -> Result<(), StoreError> {
        let found: String = self.reader().query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if found == "ok" { Ok(()) } else { Err(StoreError::Damaged { reason: found }) }
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock()
    }

    fn writer(&self) -> Result<MutexGuard<'_, Connection>, StoreError> {
        let writer = self.writer.as_ref().ok_or(StoreError::ReadOnly)?;
        // A panic inside a transaction rolls it back, so the connection is sound.
        Ok(writer.lock())
    }

    /// A number that is another one whenever the store has changed, by this process or any other.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn version(&self) -> Result<i64, StoreError> {
        Ok(self.reader().prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?)
    }
}

/// A transaction that waits for its turn now: one that began by reading could not wait later.
fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Reads rows as long as `goes_on` says to.
fn while_asked<T>(
    rows: impl Iterator<Item = rusqlite::Result<T>>,
    goes_on: &dyn Fn() -> bool,
) -> Result<Vec<T>, StoreError> {
    let mut read = Vec::new();
    for row in rows {
        if read.len().is_multiple_of(ROWS_BETWEEN_LOOKS) && !goes_on() {
            break;
        }
        read.push(row?);
    }
    Ok(read)
}

fn parsed<T: std::str::FromStr>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    row.get::<_, String>(column)?.parse().map_err(|_| rusqlite::Error::InvalidQuery)
}

/// SQLite keeps signed numbers; sizes and revisions stay far below their end.
fn as_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
