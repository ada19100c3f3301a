//! The lock on a workspace's files, and what its holder is about to write.
//!
//! # Invariants
//! - Whoever changes files of a workspace through us holds its lock, in whichever process.
//! - A write with an idempotency key is done once, wherever a process ends. It is noted in the lock's own file before it is done; the next holder
//!   compares the note with the file, and logs the write with its reply where it was done.

use std::io::{Read as _, Seek as _, Write as _};

use serde::{Deserialize, Serialize};

use super::{Engine, EngineError};
use crate::files;
use crate::ingest;
use crate::store::{Besides, KeptReply, Observation};
use crate::workspace::{ChangeKind, ContentHash, Priority, Provenance, RelPath, WorkspaceId};

/// The lock on a workspace's files, held until it is dropped.
#[derive(Debug)]
pub(super) struct Alone {
    file: fs_err::File,
}

/// A write with an idempotency key that was begun.
#[derive(Debug, Serialize, Deserialize)]
struct Begun {
    path: RelPath,
    kind: ChangeKind,
    content_hash: ContentHash,
    provenance: Provenance,
    caller: String,
    key: String,
    asked: [u8; 32],
    reply: String,
}

impl Alone {
    /// Notes durably what is about to be written, and which reply will be kept.
    pub(super) fn begin(
        &mut self,
        path: &RelPath,
        (kind, content_hash): (ChangeKind, ContentHash),
        provenance: &Provenance,
        kept: &KeptReply,
    ) -> Result<(), EngineError> {
        let KeptReply { caller, key, asked, reply } = kept.clone();
        let (path, provenance) = (path.clone(), provenance.clone());
        let begun = Begun { path, kind, content_hash, provenance, caller, key, asked, reply };
        let note = serde_json::to_vec(&begun).unwrap_or_default();
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
    fn begun(&mut self) -> Result<Option<Begun>, EngineError> {
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
        if let Some(begun) = alone.begun()? {
            if let Some(root) = self.data.store.workspace(id)?.root {
                self.end_begun(id, &files::canonical_folder(&root)?, begun)?;
            }
            alone.end()?;
        }
        Ok(alone)
    }

    /// Logs what was begun and is done, with its reply.
    fn end_begun(&self, id: &WorkspaceId, root: &std::path::Path, begun: Begun) -> Result<(), EngineError> {
        let Begun { path, kind, content_hash, provenance, caller, key, asked, reply } = begun;
        if self.data.store.kept_reply(id, &caller, &key)?.is_some() {
            return Ok(());
        }
        let files = self.data.files_of(id, root);
        let Ok(found) = ingest::read_file(&*files, &path, self.config().max_file_bytes) else { return Ok(()) };
        if found.content_hash != content_hash {
            return Ok(());
        }
        let written = Observation {
            provenance,
            content_hash: Some(content_hash),
            ..Observation::new(path, kind, found.fingerprint, true)
        };
        let kept = KeptReply { caller, key, asked, reply };
        let besides = Besides { written: None, reply: Some(&kept) };
        self.data.store.log_besides(id, &[written], Priority::Interactive, besides)?;
        self.scheduler.wake();
        Ok(())
    }
}
