//! The lock on a workspace's files, and what its holder is about to write.
//!
//! # Invariants
//! - Whoever changes files of a workspace through us holds its lock, in whichever process.
//! - A request with an idempotency key is done once, wherever a process ends. It is noted in the lock's own file before it is done; the next
//!   holder compares the note with the files, ends a move of several that has begun, and logs what is done, with the reply.

use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::moving::{move_folders, moved};
use super::{Engine, EngineError};
use crate::files::{self, Files};
use crate::ingest;
use crate::store::{Besides, Fingerprint, KeptReply, Observation};
use crate::workspace::{ChangeKind, ContentHash, Priority, Provenance, RelPath, WorkspaceId};

/// The lock on a workspace's files, held until it is dropped.
#[derive(Debug)]
pub(super) struct Alone {
    file: fs_err::File,
}

/// What is about to be done to files.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Begun {
    /// A file gets this content.
    Write { path: RelPath, kind: ChangeKind, content_hash: ContentHash },
    /// A file is deleted that is there.
    Delete { path: RelPath },
    /// Files get other paths, and after them the folders of a folder.
    Move { paths: Vec<(RelPath, RelPath)>, folders: Vec<(RelPath, RelPath)> },
}

/// A request with an idempotency key that was begun.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    begun: Begun,
    provenance: Provenance,
    caller: String,
    key: String,
    asked: [u8; 32],
    reply: String,
}

impl Alone {
    /// Notes durably what is about to be done, and which reply will be kept.
    pub(super) fn begin(&mut self, begun: Begun, provenance: &Provenance, kept: &KeptReply) -> Result<(), EngineError> {
        let KeptReply { caller, key, asked, reply } = kept.clone();
        let note = Note { begun, provenance: provenance.clone(), caller, key, asked, reply };
        let note = serde_json::to_vec(&note).unwrap_or_default();
        // What is left of a longer note, which was not written whole, would spoil this one.
        self.file.set_len(0).map_err(EngineError::Io)?;
        self.file.rewind().map_err(EngineError::Io)?;
        self.file.write_all(&note).map_err(EngineError::Io)?;
        self.file.sync_data().map_err(EngineError::Io)
    }

    /// Takes the note away. One that comes back after a failure of the machine does no harm: its reply is kept by then, or the file was never
    /// written.
    pub(super) fn end(&mut self) -> Result<(), EngineError> {
        self.file.set_len(0).map_err(EngineError::Io)
    }

    /// What a holder has begun who did not end it; nothing where the note is not whole.
    fn note(&mut self) -> Result<Option<Note>, EngineError> {
        let mut note = Vec::new();
        self.file.read_to_end(&mut note).map_err(EngineError::Io)?;
        Ok(serde_json::from_slice(&note).ok())
    }
}

impl Engine {
    /// Keeps all others from writing into the workspace through us, in any process, until it is dropped: a precondition must
    /// still hold when the file is put into its place. Ends first what a holder has begun whose process ended.
    pub(super) fn lock_files(&self, id: &WorkspaceId) -> Result<Alone, EngineError> {
        let mut alone = Alone { file: self.data.lock_files(id)? };
        if let Some(note) = alone.note()? {
            if let Some(root) = self.data.store.workspace(id)?.root {
                self.end_begun(id, &files::canonical_folder(&root)?, note)?;
            }
            alone.end()?;
        }
        Ok(alone)
    }

    /// Logs what was begun and is done, with its reply where all of it is.
    fn end_begun(&self, id: &WorkspaceId, root: &Path, note: Note) -> Result<(), EngineError> {
        let Note { begun, provenance, caller, key, asked, reply } = note;
        if self.data.store.kept_reply(id, &caller, &key)?.is_some() {
            return Ok(());
        }
        let (done, is_all) = self.done_of(&*self.data.files_of(id, root), begun, provenance)?;
        if done.is_empty() {
            return Ok(());
        }
        let kept = KeptReply { caller, key, asked, reply };
        let besides = Besides { written: None, reply: Some(&kept).filter(|_| is_all) };
        self.data.store.log_besides(id, &done, Priority::Interactive, besides)?;
        self.scheduler.wake();
        Ok(())
    }

    /// What is done of that which was begun, and whether that is all.
    fn done_of(
        &self,
        files: &dyn Files,
        begun: Begun,
        provenance: Provenance,
    ) -> Result<(Vec<Observation>, bool), EngineError> {
        Ok(match begun {
            Begun::Write { path, kind, content_hash } => {
                let found = ingest::read_file(files, &path, self.config().max_file_bytes);
                let found = found.ok().filter(|found| found.content_hash == content_hash);
                let written = found.map(|found| Observation {
                    provenance,
                    content_hash: Some(content_hash),
                    ..Observation::new(path, kind, found.fingerprint, true)
                });
                (Vec::from_iter(written), true)
            }
            Begun::Delete { path } => {
                let is_gone = ingest::seen(files, &path)?.is_none();
                let gone = Observation::new(path, ChangeKind::Deleted, Fingerprint::NONE, true);
                (Vec::from_iter(is_gone.then_some(Observation { provenance, ..gone })), true)
            }
            Begun::Move { paths, folders } => {
                let has_moved = |(from, to): &(RelPath, RelPath)| -> Result<bool, EngineError> {
                    Ok(ingest::seen(files, from)?.is_none() && ingest::seen(files, to)?.is_some())
                };
                let (mut done, mut has_begun, mut is_all) = (Vec::new(), false, true);
                for pair in &paths {
                    has_begun |= has_moved(pair)?;
                }
                // One that has moved nothing is left to the request that comes again. Nobody has written or locked a file through us since.
                for (from, to) in paths.into_iter().filter(|_| has_begun) {
                    if ingest::seen(files, &to)?.is_none()
                        && let Err(error) = ingest::rename_file(files, &from, &to)
                    {
                        tracing::warn!(path = %from, %error, "a file of a folder stays where it is");
                    }
                    if has_moved(&(from.clone(), to.clone()))? {
                        done.extend(moved(files, from, to, false, &provenance)?);
                    } else {
                        is_all = false;
                    }
                }
                if has_begun && let Err(error) = move_folders(files, &folders) {
                    tracing::warn!(%error, "not all folders of a folder have moved with its files");
                }
                (done, is_all)
            }
        })
    }
}
