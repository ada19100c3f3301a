//! What became of changes: they are done, and the file table says what was read.
//!
//! # Invariants
//! - Nothing is acknowledged before the index has committed it.
//! - Every content that is read is logged. Where it is not the content that the newest change tells, the file table gets a fingerprint that no file
//!   has, so the next scan logs the file again.

use jiff::Timestamp;
use rusqlite::{CachedStatement, OptionalExtension as _, Row, Transaction, params};

use super::files::code_of;
use super::outbox::Outbox;
use super::provenance::Notes;
use super::workspaces::must_exist;
use super::written::ChunkCount;
use super::{Fingerprint, Known, Members, Outcome, Store, StoreError, as_i64, begin, members};
use crate::failpoint;
use crate::workspace::{ContentHash, FileEntry, FileState, RelPath, Revision, WorkspaceId};

impl Store {
    /// Marks all changes of these paths up to `through` as done, and writes what became of the files.
    ///
    /// Called after the index has committed them: never before. What was done in an epoch counts in that epoch alone: since
    /// intelligence was switched, say, the same changes are to be done in another way.
    ///
    /// # Errors
    /// All of them stay pending then; [`StoreError::OtherEpoch`] where the workspace has begun anew meanwhile.
    pub fn acknowledge(
        &self,
        workspace: &WorkspaceId,
        epoch: i64,
        through: Revision,
        outcomes: &[Outcome],
    ) -> Result<(), StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        failpoint::reach("acknowledge: begun");
        must_exist(&transaction, workspace)?;
        let mut of_epoch = transaction.prepare_cached("SELECT 1 FROM workspaces WHERE name = ?1 AND epoch = ?2")?;
        if !of_epoch.exists(params![workspace.as_str(), epoch])? {
            return Err(StoreError::OtherEpoch { id: workspace.clone() });
        }
        drop(of_epoch);
        {
            let mut done = transaction.prepare_cached(
                "UPDATE changes SET pending = 0 WHERE workspace = ?1 AND path = ?2 AND pending = 1 AND revision <= ?3",
            )?;
            let mut newest_told = NewestTold::of(&transaction, workspace)?;
            let mut still_pending = transaction
                .prepare_cached("SELECT 1 FROM changes WHERE workspace = ?1 AND path = ?2 AND pending = 1 LIMIT 1")?;
            let mut rows = Rows::of(&transaction, workspace)?;
            let mut notes = Notes::of(&transaction, workspace)?;
            let mut outbox = Outbox::of(&transaction, workspace)?;
            let mut chunks = ChunkCount::of(&transaction)?;
            let now_ms = Timestamp::now().as_millisecond();
            for outcome in outcomes {
                let path = match outcome {
                    Outcome::File(entry, ..) => &entry.path,
                    Outcome::Gone(path) => path,
                };
                if let Outcome::File(entry, _, members) = outcome {
                    chunks.add(workspace, entry, members)?;
                }
                let told = newest_told.up_to(path, through)?;
                done.execute(params![workspace.as_str(), path.as_str(), as_i64(through.0)])?;
                let waits = still_pending.exists(params![workspace.as_str(), path.as_str()])?;
                match outcome {
                    Outcome::File(entry, known, members) => {
                        // What was read and not logged is logged by the next scan.
                        let (fingerprint, revision) =
                            match told.filter(|told| !told.is_deleted && !told.is_of(entry, known)) {
                                Some(told) => (Fingerprint::NEVER, told.revision),
                                None => (known.fingerprint, entry.revision),
                            };
                        if let Members::Are(members) = members {
                            members::replace(&transaction, workspace, path, members)?;
                        }
                        // What was told of a later change is decided by that.
                        if !waits {
                            notes.settle(entry)?;
                        }
                        let state = if waits { FileState::Pending } else { entry.state };
                        rows.put(entry, state, &Known { fingerprint, ..*known }, revision)?;
                        if !waits {
                            outbox.tell_read(entry, now_ms)?;
                        }
                    }
                    Outcome::Gone(_) if waits => {
                        members::replace(&transaction, workspace, path, &[])?;
                        rows.empty(path)?;
                    }
                    Outcome::Gone(_) => {
                        members::replace(&transaction, workspace, path, &[])?;
                        rows.remove(path)?;
                        notes.gone(path, through)?;
                    }
                }
            }
        }
        failpoint::reach("acknowledge: written");
        transaction.commit()?;
        failpoint::reach("acknowledge: durable");
        Ok(())
    }
}

/// The rows of the file table.
struct Rows<'a> {
    workspace: &'a str,
    put: CachedStatement<'a>,
    empty: CachedStatement<'a>,
    remove: CachedStatement<'a>,
}

impl<'a> Rows<'a> {
    fn of(transaction: &'a Transaction<'a>, workspace: &'a WorkspaceId) -> Result<Self, StoreError> {
        Ok(Self {
            workspace: workspace.as_str(),
            put: transaction.prepare_cached(
                "INSERT OR REPLACE INTO files (workspace, path, state, reason, format, title, size, modified_ns,
                     known_size, known_modified_ns, content_hash, revision, num_chunks, racy_until_ns, language,
                     known_changed_ns, known_inode)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
            )?,
            empty: transaction.prepare_cached(
                "UPDATE files SET content_hash = NULL, num_chunks = 0, known_size = -1, known_modified_ns = -1
                 WHERE workspace = ?1 AND path = ?2",
            )?,
            remove: transaction.prepare_cached("DELETE FROM files WHERE workspace = ?1 AND path = ?2")?,
        })
    }

    fn put(
        &mut self,
        entry: &FileEntry,
        state: FileState,
        &Known { fingerprint, racy_until_ns, .. }: &Known,
        revision: Revision,
    ) -> Result<(), StoreError> {
        self.put.execute(params![
            self.workspace,
            entry.path.as_str(),
            state.name(),
            entry.reason,
            entry.format,
            entry.title,
            as_i64(entry.size),
            i64::try_from(entry.modified.as_nanosecond()).unwrap_or(i64::MAX),
            as_i64(fingerprint.size),
            fingerprint.modified_ns,
            entry.content_hash.map(|hash| hash.0),
            as_i64(revision.0),
            entry.num_chunks,
            racy_until_ns,
            code_of(entry),
            fingerprint.changed_ns,
            fingerprint.inode.cast_signed(),
        ])?;
        Ok(())
    }

    /// The index holds nothing of such a file, so what comes next must not be compared with what it was.
    fn empty(&mut self, path: &RelPath) -> Result<(), StoreError> {
        self.empty.execute(params![self.workspace, path.as_str()])?;
        Ok(())
    }

    fn remove(&mut self, path: &RelPath) -> Result<(), StoreError> {
        self.remove.execute(params![self.workspace, path.as_str()])?;
        Ok(())
    }
}

/// What the newest change of a file tells of it: a client may know as much, and nothing newer.
struct Told {
    revision: Revision,
    is_deleted: bool,
    content_hash: Option<ContentHash>,
    size_and_time: Option<(u64, i64)>,
}

impl Told {
    /// Whether it is what was read, as far as that can be told.
    fn is_of(&self, read: &FileEntry, as_known: &Known) -> bool {
        let Fingerprint { size, modified_ns, .. } = as_known.fingerprint;
        match (self.content_hash, read.content_hash) {
            (Some(told), Some(read)) => told == read,
            _ => self.size_and_time.is_none_or(|told| told == (size, modified_ns)),
        }
    }
}

/// The newest told of the pending changes of each file; where all of them are echoes, what is known of it.
struct NewestTold<'a> {
    workspace: &'a str,
    find: CachedStatement<'a>,
}

impl<'a> NewestTold<'a> {
    fn of(transaction: &'a Transaction<'a>, workspace: &'a WorkspaceId) -> Result<Self, StoreError> {
        let find = transaction.prepare_cached(
            "SELECT revision, kind = 'deleted', content_hash, size, modified_ns, 1 AS is_told FROM changes
                 WHERE workspace = ?1 AND path = ?2 AND pending = 1 AND revision <= ?3 AND is_echo = 0
             UNION ALL SELECT revision, 0, content_hash, NULL, NULL, 0 FROM files
                 WHERE workspace = ?1 AND path = ?2 AND content_hash IS NOT NULL AND known_modified_ns <> ?4
             ORDER BY is_told DESC, revision DESC LIMIT 1",
        )?;
        Ok(Self { workspace: workspace.as_str(), find })
    }

    /// `None` where nothing tells what the file holds.
    fn up_to(&mut self, path: &RelPath, through: Revision) -> Result<Option<Told>, StoreError> {
        let row = |row: &Row<'_>| {
            let (size, modified_ns): (Option<i64>, Option<i64>) = (row.get(3)?, row.get(4)?);
            // A change of a file that was not looked at has no time, and so has one of a file that could not be read.
            let modified_ns = modified_ns.filter(|ns| ![0, Fingerprint::NEVER.modified_ns].contains(ns));
            Ok(Told {
                revision: Revision(row.get::<_, i64>(0)?.cast_unsigned()),
                is_deleted: row.get(1)?,
                content_hash: row.get::<_, Option<[u8; 32]>>(2)?.map(ContentHash),
                size_and_time: size.map(i64::cast_unsigned).zip(modified_ns),
            })
        };
        let key = params![self.workspace, path.as_str(), as_i64(through.0), Fingerprint::NEVER.modified_ns];
        Ok(self.find.query_row(key, row).optional()?)
    }
}
