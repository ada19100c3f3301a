//! Files that come in parts, in any order and over many requests, and are put into their place as one.

use super::recording::Told;
use super::{Engine, EngineError, Precondition, Workspace, WriteReply};
use crate::access::Action;
use crate::data_folder::{MultipartError, NewPart, PartInfo, UnfinishedUpload};
use crate::ingest::ReadError;
use crate::workspace::{ContentHash, RelPath, Scope};

impl Engine {
    /// Removes uploads in parts that were given up, and counts the others.
    ///
    /// # Errors
    /// When the data folder cannot be read.
    pub fn sweep_multipart(&self) -> Result<(), EngineError> {
        Ok(self.data.multipart.sweep()?)
    }
}

impl Workspace<'_> {
    /// Begins an upload in parts, and returns its id.
    ///
    /// # Errors
    /// As [`Workspace::begin_upload`]; `MultipartError::TooMany`.
    pub fn begin_multipart(&self, path: &RelPath) -> Result<String, EngineError> {
        self.recorded(Action::Write, Told::of([path]), |_| {
            // Whatever would refuse the file at the end refuses it now.
            drop(self.begin_upload(path)?);
            // Its folder must not come into the place of a workspace that is being deleted.
            let _alone = self.engine.lock_files(&self.id)?;
            Ok(self.engine.data.multipart.begin(&self.id, path, &self.holder())?)
        })
    }

    /// Refuses an upload that is none of this file, or whose file the caller may not write.
    fn check_multipart(&self, path: &RelPath, upload: &str) -> Result<(), EngineError> {
        self.engine.data.must_log()?;
        self.check_writable(path)?;
        self.engine.data.store.workspace(&self.id)?;
        self.engine.data.multipart.about(&self.id, path, upload)?;
        Ok(())
    }

    /// Begins a part of an upload, whose number is 1 to 10,000. The journal has the beginning and the end of the upload, not its parts.
    ///
    /// # Errors
    /// `MultipartError::Unknown`, `MultipartError::Number`, and when the caller may not write.
    pub fn begin_part(&self, path: &RelPath, upload: &str, number: u32) -> Result<NewPart, EngineError> {
        let _admitted = self.begin(Action::Write)?;
        self.check_multipart(path, upload)?;
        let max_bytes = self.engine.data.config.max_file_bytes;
        Ok(self.engine.data.multipart.begin_part(&self.id, upload, number, max_bytes)?)
    }

    /// Puts the file into its place that these parts make, each named by its number and its hash.
    ///
    /// # Errors
    /// `MultipartError::Order`, `MultipartError::Part`, and as [`Workspace::write_file`]. The parts are still there then.
    pub fn complete_multipart(
        &self,
        path: &RelPath,
        upload: &str,
        named: &[(u32, ContentHash)],
        precondition: &Precondition,
    ) -> Result<WriteReply, EngineError> {
        self.recorded(Action::Write, Told::of([path]), |told| {
            let reply = self.complete_unrecorded(path, upload, named, precondition)?;
            told.revision = Some(reply.revision);
            Ok(reply)
        })
    }

    fn complete_unrecorded(
        &self,
        path: &RelPath,
        upload: &str,
        named: &[(u32, ContentHash)],
        precondition: &Precondition,
    ) -> Result<WriteReply, EngineError> {
        self.check_multipart(path, upload)?;
        let uploads = &self.engine.data.multipart;
        if named.is_empty() || !named.is_sorted_by(|one, next| one.0 < next.0) {
            return Err(MultipartError::Order.into());
        }
        let kept = uploads.parts(&self.id, upload)?;
        let mut parts = Vec::with_capacity(named.len());
        for (number, content_hash) in named {
            let part = kept.iter().find(|part| part.number == *number && part.content_hash == *content_hash);
            parts.push(part.ok_or(MultipartError::Part { number: *number })?);
        }
        let mut whole = self.begin_upload(path)?;
        whole.check_size(parts.iter().map(|part| part.size).sum())?;
        for part in parts {
            whole.write_from(uploads.open(&self.id, upload, part)?, MultipartError::Io)?;
        }
        let reply = self.finish_upload(whole, precondition)?;
        if let Err(error) = uploads.remove(&self.id, upload) {
            tracing::warn!(%error, "the parts of a file that is in its place stay for a day");
        }
        Ok(reply)
    }

    /// Gives an upload up: its parts go.
    ///
    /// # Errors
    /// `MultipartError::Unknown`.
    pub fn abort_multipart(&self, path: &RelPath, upload: &str) -> Result<(), EngineError> {
        self.recorded(Action::Write, Told::of([path]), |_| {
            self.check_multipart(path, upload)?;
            Ok(self.engine.data.multipart.remove(&self.id, upload)?)
        })
    }

    /// The parts of an upload that have come, by number.
    ///
    /// # Errors
    /// `MultipartError::Unknown`.
    pub fn parts(&self, path: &RelPath, upload: &str) -> Result<Vec<PartInfo>, EngineError> {
        self.recorded(Action::List, Told::of([path]), |_| {
            self.check_multipart(path, upload)?;
            Ok(self.engine.data.multipart.parts(&self.id, upload)?)
        })
    }

    /// An upload that is not complete, with the bytes that have come of it.
    ///
    /// # Errors
    /// `MultipartError::Unknown`, also of a file that the caller does not see.
    pub fn upload_in_work(&self, id: &str) -> Result<(UnfinishedUpload, u64), EngineError> {
        let found = self.uploads_in_work()?.into_iter().find(|(upload, _)| upload.id == id);
        found.ok_or_else(|| MultipartError::Unknown.into())
    }

    /// Gives an upload of somebody up: its parts go.
    ///
    /// # Errors
    /// `MultipartError::Unknown`; when the caller has not the right `admin`.
    pub fn abort_upload(&self, id: &str) -> Result<(), EngineError> {
        self.caller.check_all(&[Scope::Admin])?;
        let (upload, _) = self.upload_in_work(id)?;
        self.abort_multipart(&upload.path, id)
    }

    /// The uploads that are not complete with the bytes that have come of each, as [`Workspace::multipart_uploads`] tells them.
    ///
    /// # Errors
    /// As [`Workspace::multipart_uploads`].
    pub fn uploads_in_work(&self) -> Result<Vec<(UnfinishedUpload, u64)>, EngineError> {
        let with_size = |upload: UnfinishedUpload| {
            // One that was completed meanwhile has no parts any more.
            let parts = self.engine.data.multipart.parts(&self.id, &upload.id).unwrap_or_default();
            let num_bytes = parts.iter().map(|part| part.size).sum();
            (upload, num_bytes)
        };
        Ok(self.multipart_uploads()?.into_iter().map(with_size).collect())
    }

    /// The uploads that are not complete, of files that the caller sees, by path.
    ///
    /// # Errors
    /// When the caller may not list files, or the parts cannot be read.
    pub fn multipart_uploads(&self) -> Result<Vec<UnfinishedUpload>, EngineError> {
        self.recorded(Action::List, Told::default(), |_| {
            let mut uploads = self.engine.data.multipart.uploads(&self.id)?;
            uploads.retain(|upload| self.sees(&upload.path));
            Ok(uploads)
        })
    }
}

/// Takes what comes next in a part.
///
/// # Errors
/// [`ReadError::TooLarge`] where the part alone is larger than a file may be; `MultipartError::Full`.
pub fn write_part(part: &mut NewPart, bytes: &[u8]) -> Result<(), EngineError> {
    let (size, max_bytes) = (part.size() + bytes.len() as u64, part.max_file_bytes());
    if size > max_bytes {
        return Err(ReadError::TooLarge { size, max_bytes }.into());
    }
    Ok(part.write(bytes)?)
}
