//! Changes in the text of a file, by the words that stand there; and merges with what others have written meanwhile.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recording::Told;
use super::write::Put;
use super::{EngineError, Precondition, Workspace, WriteReply};
use crate::access::Action;
use crate::audit::Met;
use crate::edit::{self, Changes, EditError, Merged, TextFile};
use crate::ingest;
use crate::workspace::{ContentHash, Provenance, RelPath, Revision};

/// How often a file is read again whose content another one changed meanwhile.
const MAX_TRIES: usize = 16;

/// A file whose text was changed, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct EditReply {
    /// What was written; absent for a trial.
    #[serde(default, skip_serializing_if = "Option::is_none", flatten)]
    pub written: Option<WriteReply>,
    /// How many places were changed.
    pub num_places: usize,
    /// What was changed, as a unified difference of at most 16 KiB.
    pub diff: String,
}

impl EditReply {
    /// The reply as it was given when the edit was made.
    fn at(self, revision: Revision) -> Self {
        Self { written: self.written.map(|written| WriteReply { revision, ..written }), ..self }
    }
}

/// What to do where a file has another content than its writer has read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnConflict {
    /// The write is refused.
    #[default]
    Refuse,
    /// The changes of both are brought together, where they are in different places.
    Merge,
}

/// A file that was written with what others wrote meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeReply {
    /// What was written.
    pub written: WriteReply,
    /// Whether changes of others are in it.
    pub merged: bool,
}

/// A file's bytes at one moment.
struct Before {
    bytes: Vec<u8>,
    content_hash: ContentHash,
}

impl Workspace<'_> {
    /// Changes the text of a file: all changes or none, in its encoding and with its line ends. Where another one writes the file meanwhile, the
    /// changes are made in what that has written, unless `precondition` names a content.
    ///
    /// # Errors
    /// As [`Workspace::write_file`]; [`EngineError::Edit`] where a change cannot be made. A caller without the right to read is refused, because
    /// a reply shows what stands there.
    pub fn edit_file(
        &self,
        path: &RelPath,
        changes: &Changes,
        precondition: &Precondition,
        provenance: &Provenance,
        is_trial: bool,
    ) -> Result<EditReply, EngineError> {
        self.caller.check(Action::Read)?;
        if is_trial {
            return self.recorded(Action::Read, Told::of([path]), |_| {
                self.caller.check(Action::Write)?;
                Ok(self.changed(path, changes, precondition)?.1)
            });
        }
        self.recorded(Action::Write, Told::of([path]), |told| {
            let reply = self.edit_unrecorded(path, changes, precondition, provenance)?;
            told.revision = reply.written.as_ref().map(|written| written.revision);
            Ok(reply)
        })
    }

    fn edit_unrecorded(
        &self,
        path: &RelPath,
        changes: &Changes,
        precondition: &Precondition,
        provenance: &Provenance,
    ) -> Result<EditReply, EngineError> {
        // What comes again finds the words changed that it names.
        let asked = serde_json::to_vec(changes).unwrap_or_default();
        let once = self.once("edit", &[path.as_str().as_bytes(), &asked]);
        if let Some((reply, revision)) = self.answered::<EditReply>(once.as_ref())? {
            return Ok(reply.at(revision));
        }
        let mut num_tries = 0;
        loop {
            num_tries += 1;
            let (text, reply, before) = match self.changed_from(path, changes, precondition) {
                Ok(made) => made,
                // The same request may have been in work, and have changed the words that it names.
                Err(error) if once.is_some() => {
                    let _alone = self.engine.lock_files(&self.id)?;
                    let before = self.answered::<EditReply>(once.as_ref())?;
                    return before.map(|(reply, revision)| reply.at(revision)).ok_or(error);
                }
                Err(error) => return Err(error),
            };
            let mut upload = self.begin_upload(path)?.by(provenance.clone())?;
            upload.write(&text)?;
            let still = Precondition::Matches(vec![before]);
            let wrap = |written: &WriteReply| EditReply { written: Some(written.clone()), ..reply.clone() };
            match self.put_in_place(upload, &still, once.as_ref(), wrap) {
                Err(EngineError::Conflict(_))
                    if num_tries < MAX_TRIES && !matches!(precondition, Precondition::Matches(_)) => {}
                Err(error) => return Err(error),
                Ok(Put::Done(written)) => return Ok(EditReply { written: Some(written), ..reply }),
                Ok(Put::Before(reply, revision)) => return Ok(reply.at(revision)),
            }
        }
    }

    fn changed(
        &self,
        path: &RelPath,
        changes: &Changes,
        precondition: &Precondition,
    ) -> Result<(Vec<u8>, EditReply), EngineError> {
        self.changed_from(path, changes, precondition).map(|(bytes, reply, _)| (bytes, reply))
    }

    /// The bytes of a file with changes, the difference, and the hash of what they were made in.
    fn changed_from(
        &self,
        path: &RelPath,
        changes: &Changes,
        precondition: &Precondition,
    ) -> Result<(Vec<u8>, EditReply, ContentHash), EngineError> {
        let failed = |error: EditError| EngineError::Edit { path: path.clone(), error };
        let Before { bytes, content_hash } = self.before(path, precondition)?;
        let file = TextFile::read(&bytes).map_err(failed)?;
        let (text, num_places) = changes.apply(&file, self.max_edited_bytes()).map_err(failed)?;
        let diff = edit::unified(path.as_str(), &file.text, &text);
        Ok((file.bytes_of(&text), EditReply { written: None, num_places, diff }, content_hash))
    }

    /// The longest text that is changed in place.
    fn max_edited_bytes(&self) -> u64 {
        let config = self.engine.config();
        config.max_file_bytes.min(config.limits.edit_mb.saturating_mul(1_000_000))
    }

    /// The content of a file as it is now, where `precondition` holds.
    fn before(&self, path: &RelPath, precondition: &Precondition) -> Result<Before, EngineError> {
        let path = &self.spelled_to_write(path)?;
        let root = self.root_to_write([path])?;
        let files = self.engine.data.files_of(&self.id, &root);
        if *precondition == Precondition::None {
            // What is changed is what was read: an edit says by its words what it expects.
            self.check_precondition(&*files, path, &Precondition::Exists)
        } else {
            self.check_precondition(&*files, path, precondition)
        }
        .or_else(|error| match error {
            EngineError::Conflict(conflict) if conflict.current_etag.is_none() => Err(self.why_no_file(path)?),
            error => Err(error),
        })?;
        let read = ingest::read_file(&*files, path, self.max_edited_bytes())?;
        self.engine.bases.keep(&self.id, path, read.content_hash, &read.bytes);
        Ok(Before { bytes: read.bytes, content_hash: read.content_hash })
    }

    /// Writes a file whose writer has read the content that `base` names; where another one has written since, brings both together.
    ///
    /// # Errors
    /// As [`Workspace::write_file`]. [`EngineError::Conflict`] where both changed the same place, with the marked text, and where the content that
    /// the writer has read is not known any more.
    pub fn merge_file(
        &self,
        path: &RelPath,
        bytes: &[u8],
        base: ContentHash,
        provenance: &Provenance,
    ) -> Result<MergeReply, EngineError> {
        self.caller.check(Action::Read)?;
        self.recorded(Action::Write, Told::of([path]), |told| {
            let (reply, found) = self.merge_unrecorded(path, bytes, base, provenance)?;
            told.revision = Some(reply.written.revision);
            told.met = found.map(|found| Met { expected: Some(base), found: Some(found) });
            Ok(reply)
        })
    }

    /// The reply, and the content of others that was merged with, where there was one.
    fn merge_unrecorded(
        &self,
        path: &RelPath,
        bytes: &[u8],
        base: ContentHash,
        provenance: &Provenance,
    ) -> Result<(MergeReply, Option<ContentHash>), EngineError> {
        let failed = |error: EditError| EngineError::Edit { path: path.clone(), error };
        let path = &self.spelled_to_write(path)?;
        let (mut expected, mut content): (ContentHash, Arc<[u8]>) = (base, bytes.into());
        let once = self.once("merge", &[path.as_str().as_bytes(), bytes, &base.0]);
        let answered = |(written, revision): (WriteReply, Revision)| {
            let merged = written.content_hash != Some(ContentHash::of(bytes));
            (MergeReply { written: WriteReply { revision, ..written }, merged }, None)
        };
        if let Some(before) = self.answered::<WriteReply>(once.as_ref())? {
            return Ok(answered(before));
        }
        let mut num_tries = 0;
        loop {
            num_tries += 1;
            let mut upload = self.begin_upload(path)?.by(provenance.clone())?;
            upload.write(&content)?;
            let expects = Precondition::Matches(vec![expected]);
            let conflict = match self.put_in_place(upload, &expects, once.as_ref(), WriteReply::clone) {
                Ok(Put::Done(written)) => {
                    let merged = expected != base;
                    return Ok((MergeReply { written, merged }, merged.then_some(expected)));
                }
                Ok(Put::Before(written, revision)) => return Ok(answered((written, revision))),
                Err(EngineError::Conflict(conflict)) => conflict,
                Err(error) => return Err(error),
            };
            let known = self.engine.bases.find(&self.id, path, base);
            let (Some(known), Some(_), true) = (known, conflict.current_etag, num_tries < MAX_TRIES) else {
                return Err(EngineError::Conflict(conflict));
            };
            let now = self.before(path, &Precondition::Exists)?;
            let (base_text, ours) = (TextFile::read(&known).map_err(failed)?, TextFile::read(bytes).map_err(failed)?);
            let theirs = TextFile::read(&now.bytes).map_err(failed)?;
            match edit::merge(&base_text.text, &theirs.text, &ours.text).map_err(failed)? {
                Merged::Clean(text) => {
                    (expected, content) = (now.content_hash, theirs.bytes_of(&text).into());
                }
                Merged::Conflicts(text) => {
                    let conflicts = Some(text).filter(|text| text.len() <= edit::MAX_MERGED_BYTES);
                    return Err(EngineError::Conflict(Box::new(crate::workspace::Conflict { conflicts, ..*conflict })));
                }
            }
        }
    }
}
