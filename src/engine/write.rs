//! Writing files into a workspace. Events that tell of files are in `event`.
//!
//! # Invariants
//! - A write is answered after its change is in the log with its revision, on disk.
//! - Nothing is written outside the workspace's folder, through a link, or where the workspace's rules pass over it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::alone::Begun;
use super::given::Once;
use super::recording::Told;
use super::upload::Upload;
use super::{EngineError, Workspace};
use crate::access::Action;
use crate::files::{self, Condition};
use crate::ingest::{self, NewFile, WriteError};
use crate::store::{Besides, Fingerprint, KeptReply, Observation, StoreError, Written};
use crate::workspace::{ChangeKind, ContentHash, Priority, Provenance, RelPath, Revision, is_device_name};

/// No size and no time: what a deleted file looks like.
pub(super) const GONE: Fingerprint = Fingerprint::NONE;

/// What must be true of a file before it is written or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Precondition {
    /// Nothing.
    #[default]
    None,
    /// There is a file.
    Exists,
    /// There is none.
    Absent,
    /// There is a file, and its content has one of these hashes.
    Matches(Vec<ContentHash>),
    /// There is a file, and there is none: both were asked for.
    Never,
}

/// A file that was written or deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct WriteReply {
    /// The change in the log: a query with this `min_revision` sees it.
    pub revision: Revision,
    /// The file.
    pub path: RelPath,
    /// What happened to it.
    pub kind: ChangeKind,
    /// The SHA-256 of what was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<ContentHash>,
}

/// What became of a write.
#[derive(Debug)]
pub(super) enum Put<R> {
    /// It was done.
    Done(WriteReply),
    /// It had been done when the request came before, and this was the reply.
    Before(R, Revision),
}

impl Workspace<'_> {
    /// Puts a file into its place whose content is complete.
    ///
    /// # Errors
    /// As [`Workspace::write_file`].
    pub fn finish_upload(&self, upload: Upload, precondition: &Precondition) -> Result<WriteReply, EngineError> {
        self.recorded(Action::Write, Told::of([&upload.path]), |told| {
            let once = self.once("write", &[upload.path.as_str().as_bytes(), &upload.file.content_hash().0]);
            if let Some((reply, revision)) = self.answered::<WriteReply>(once.as_ref())? {
                told.revision = Some(revision);
                return Ok(WriteReply { revision, ..reply });
            }
            let reply = match self.put_in_place(upload, precondition, once.as_ref(), WriteReply::clone)? {
                Put::Done(reply) => reply,
                Put::Before(reply, revision) => WriteReply { revision, ..reply },
            };
            told.revision = Some(reply.revision);
            Ok(reply)
        })
    }

    /// Puts a complete file into its place, unless the request with its idempotency key did so before. Keeps the reply that `reply_of` makes
    /// of it, where the request has such a key.
    pub(super) fn put_in_place<R: Serialize + DeserializeOwned>(
        &self,
        upload: Upload,
        precondition: &Precondition,
        once: Option<&Once>,
        reply_of: impl FnOnce(&WriteReply) -> R,
    ) -> Result<Put<R>, EngineError> {
        let id = &self.id;
        let Upload { path, root, mut file, provenance, content, .. } = upload;
        // The content may have come for long.
        self.engine.still_holds(&self.caller)?;
        self.check_writable(&path)?;
        // Before the lock: others who write do not wait for the disk.
        file.prepare()?;
        let mut alone = self.engine.lock_files(id)?;
        // The same request may have been in work.
        if let Some((reply, revision)) = self.answered(once)? {
            return Ok(Put::Before(reply, revision));
        }
        // Asked again, because content may have come for long.
        if self.root_to_write([&path])? != root {
            return Err(StoreError::UnknownWorkspace { id: id.clone() }.into());
        }
        let existed = self.check_precondition(&*self.engine.data.files_of(&self.id, &root), &path, precondition)?;
        self.check_locks(&[&path])?;
        let condition = if *precondition == Precondition::Absent { Condition::Absent } else { Condition::Any };
        let size = file.size();
        // Others may have written since the file was begun.
        self.room(&path)?.check(size)?;
        let charge = self.charge(size)?;
        let kind = if existed { ChangeKind::Modified } else { ChangeKind::Created };
        let (content_hash, revision) = (Some(file.content_hash()), Revision::default());
        let reply = WriteReply { revision, path: path.clone(), kind, content_hash };
        let kept = once.map(|once| once.with_reply(&reply_of(&reply)));
        if let Some(kept) = &kept {
            let begun = Begun::Write { path: path.clone(), kind, content_hash: file.content_hash() };
            alone.begin(begun, &provenance, kept)?;
        }
        let (fingerprint, content_hash) = file.put(&condition)?;
        let written = Observation {
            provenance,
            content_hash: Some(content_hash),
            ..Observation::new(path.clone(), kind, fingerprint, true)
        };
        if let Some(content) = content {
            self.engine.bases.keep(id, &path, content_hash, &content);
        }
        let revision = charge.settle(size, |charged| self.log_all(&[written], charged, kept.as_ref()))?;
        if kept.is_some() {
            alone.end()?;
        }
        Ok(Put::Done(WriteReply { revision, ..reply }))
    }

    /// The folder of a workspace, for files that it admits.
    pub(super) fn root_to_write<'a>(
        &self,
        paths: impl IntoIterator<Item = &'a RelPath>,
    ) -> Result<PathBuf, EngineError> {
        let id = &self.id;
        self.engine.data.must_log()?;
        let row = self.engine.data.store.workspace(id)?;
        self.check_room()?;
        let root = if let Some(root) = row.root {
            files::canonical_folder(&root)?
        } else {
            let root = self.managed_folder()?;
            self.engine.data.store.give_root(id, &root)?;
            root
        };
        let files = self.engine.data.files_of(&self.id, &root);
        for path in paths {
            files.check(path).map_err(|reason| WriteError::not_admitted(reason, path))?;
        }
        Ok(root)
    }

    /// Writes a file, whole or not at all. A workspace without a folder gets one in the data folder.
    ///
    /// # Errors
    /// When this process only reads, there is no such workspace, the path cannot be written, `precondition` does not hold, or
    /// too many changes are pending; the file is as it was then.
    pub fn write_file(
        &self,
        path: &RelPath,
        bytes: &[u8],
        precondition: &Precondition,
    ) -> Result<WriteReply, EngineError> {
        let mut upload = self.begin_upload(path)?;
        upload.write(bytes)?;
        self.finish_upload(upload, precondition)
    }

    /// Begins a file whose content comes bit by bit. Until it is finished nobody sees anything of it.
    ///
    /// # Errors
    /// As [`Workspace::write_file`], of what can be told before the content is there.
    pub fn begin_upload(&self, path: &RelPath) -> Result<Upload, EngineError> {
        let _admitted = self.begin(Action::Write)?;
        let path = &self.spelled_to_write(path)?;
        self.check_writable(path)?;
        let root = self.root_to_write([path])?;
        refuse_device_names(path)?;
        let (day, space) = (self.day()?, self.room(path)?);
        // Before the content comes.
        space.check(0)?;
        let file = NewFile::begin(&*self.engine.data.files_of(&self.id, &root), path)?;
        let provenance = self.caller.attribute(Provenance::default())?;
        let max_bytes = self.engine.data.config.max_file_bytes;
        let caller = self.caller.clone();
        let content = Some(Vec::new());
        Ok(Upload { path: path.clone(), root, file, max_bytes, day, room: space, provenance, caller, content })
    }

    /// Deletes a file. When the call returns, no query shows anything of it. The log says who did it.
    ///
    /// # Errors
    /// As [`Workspace::write_file`], when there is no such file, and when `provenance` cannot be.
    pub fn delete_file(
        &self,
        path: &RelPath,
        precondition: &Precondition,
        provenance: Provenance,
    ) -> Result<WriteReply, EngineError> {
        self.recorded(Action::Delete, Told::of([path]), |told| {
            let reply = self.delete_unrecorded_file(path, precondition, provenance)?;
            told.revision = Some(reply.revision);
            Ok(reply)
        })
    }

    fn delete_unrecorded_file(
        &self,
        path: &RelPath,
        precondition: &Precondition,
        provenance: Provenance,
    ) -> Result<WriteReply, EngineError> {
        let id = &self.id;
        provenance.check()?;
        let provenance = self.caller.attribute(provenance)?;
        let path = &self.spelled_to_write(path)?;
        self.check_writable(path)?;
        let root = self.root_to_write([path])?;
        let once = self.once("delete", &[path.as_str().as_bytes()]);
        let mut alone = self.engine.lock_files(id)?;
        if let Some((reply, revision)) = self.answered::<WriteReply>(once.as_ref())? {
            return Ok(WriteReply { revision, ..reply });
        }
        self.check_room()?;
        let files = self.engine.data.files_of(&self.id, &root);
        self.check_precondition(&*files, path, precondition)?;
        self.check_locks(&[path])?;
        let (kind, revision) = (ChangeKind::Deleted, Revision::default());
        let reply = WriteReply { revision, path: path.clone(), kind, content_hash: None };
        let kept = once.map(|once| once.with_reply(&reply));
        if let Some(kept) = kept.as_ref().filter(|_| matches!(ingest::seen(&*files, path), Ok(Some(_)))) {
            alone.begin(Begun::Delete { path: path.clone() }, &provenance, kept)?;
        }
        let deleted = ingest::delete_file(&*files, path);
        if deleted.is_err() {
            alone.end()?;
        }
        let was_there = deleted?;
        if !was_there
            && (self.engine.data.store.file(id, path)?.is_none()
                || self.engine.data.view(&self.id)?.deleting.contains(path))
        {
            return Err(self.why_no_file(path)?);
        }
        let deleted = Observation { provenance, ..Observation::new(path.clone(), kind, GONE, true) };
        self.engine.bases.forget(id, Some(path));
        let revision = self.log_all(&[deleted], None, kept.as_ref())?;
        if kept.is_some() {
            alone.end()?;
        }
        Ok(WriteReply { revision, ..reply })
    }

    pub(super) fn log_all(
        &self,
        observations: &[Observation],
        written: Option<&Written>,
        reply: Option<&KeptReply>,
    ) -> Result<Revision, EngineError> {
        let besides = Besides { written, reply };
        let revision = self.engine.data.store.log_besides(&self.id, observations, Priority::Interactive, besides)?;
        self.engine.scheduler.wake();
        Ok(revision)
    }

    /// Refuses while the log is full. Asked before anything else is done, and again under the lock on the files before one is
    /// changed: those who held it meanwhile may have filled the log.
    pub(super) fn check_room(&self) -> Result<(), EngineError> {
        let id = &self.id;
        let max = self.engine.data.config.max_pending;
        if self.engine.data.store.num_pending(id, Priority::Interactive, max)? >= max {
            return Err(EngineError::Backlog { max });
        }
        Ok(())
    }

    /// A path as the workspace's folder spells it, in any spelling that is given.
    pub(super) fn spelled_to_write(&self, path: &RelPath) -> Result<RelPath, EngineError> {
        let id = &self.id;
        // In the words of the request, so that no error tells how a file is spelled that the caller does not see.
        self.check_writable(path)?;
        let root = match self.engine.data.store.workspace(id)?.root {
            Some(root) => root,
            // Not there yet, before the first write.
            None => files::canonical_folder(&self.engine.data.folder_of(id).join("files")).unwrap_or_default(),
        };
        Ok(self.engine.data.files_of(&self.id, &root).spelled(path))
    }

    /// Where the files of a workspace are that has no folder of its own.
    pub(super) fn managed_folder(&self) -> Result<PathBuf, EngineError> {
        let id = &self.id;
        let folder = self.engine.data.folder_of(id).join("files");
        fs_err::create_dir_all(&folder).map_err(EngineError::Io)?;
        Ok(files::canonical_folder(&folder)?)
    }
}

/// Refuses a path that is no file's on Windows, so that whatever is written through us can be copied there.
pub(super) fn refuse_device_names(path: &RelPath) -> Result<(), WriteError> {
    if path.as_str().split('/').any(is_device_name) {
        return Err(WriteError::DeviceName { path: path.clone() });
    }
    Ok(())
}
