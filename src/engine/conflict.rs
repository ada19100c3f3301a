//! Conditions of a write: whether they hold, and what stands there where they do not.

use super::{EngineError, Precondition, Workspace};
use crate::edit::{self, TextFile};
use crate::files::Files;
use crate::ingest::{self, LargeFile};
use crate::workspace::{Conflict, ContentHash, RelPath, Scope};

impl Workspace<'_> {
    /// Whether there is a file, when `precondition` holds.
    ///
    /// # Errors
    /// [`EngineError::Conflict`] where it does not, [`EngineError::ConditionRequired`] where there is none and the workspace demands one.
    pub(super) fn check_precondition(
        &self,
        files: &dyn Files,
        path: &RelPath,
        precondition: &Precondition,
    ) -> Result<bool, EngineError> {
        if *precondition == Precondition::None && self.engine.data.store.workspace(&self.id)?.demands_condition {
            return Err(EngineError::ConditionRequired { path: path.clone() });
        }
        let exists = ingest::seen(files, path)?.is_some();
        let holds = match precondition {
            Precondition::None => true,
            Precondition::Exists => exists,
            Precondition::Absent => !exists,
            Precondition::Never => false,
            Precondition::Matches(hashes) => exists && hashes.contains(&self.hash_now(files, path)?),
        };
        if holds { Ok(exists) } else { Err(self.conflict(files, path, precondition)) }
    }

    fn hash_now(&self, files: &dyn Files, path: &RelPath) -> Result<ContentHash, EngineError> {
        Ok(LargeFile::open(files, path, self.engine.data.config.max_file_bytes)?.content_hash)
    }

    /// The conflict at a path, with as much of it as the caller may be told. What cannot be read is left out.
    fn conflict(&self, files: &dyn Files, path: &RelPath, precondition: &Precondition) -> EngineError {
        let mut conflict = Conflict::at(path.clone());
        conflict.expected = only_hash(precondition);
        if self.caller.may(Scope::FilesRead) {
            if let Ok(Some(change)) = self.engine.data.store.last_change(&self.id, path) {
                conflict.changed_by = change.provenance;
                conflict.changed_at = Some(change.at);
                conflict.revision = Some(change.revision);
            }
            conflict.current_etag = self.hash_now(files, path).ok();
            conflict.diff = self.diff_since(files, path, precondition);
        }
        EngineError::Conflict(conflict.into())
    }

    /// What was changed of a text since the only content that a condition names.
    fn diff_since(&self, files: &dyn Files, path: &RelPath, precondition: &Precondition) -> Option<String> {
        let base = self.engine.bases.find(&self.id, path, only_hash(precondition)?)?;
        let now = ingest::read_file(files, path, edit::MAX_MERGED_BYTES as u64).ok()?;
        // For those who look at the conflict later.
        self.engine.bases.keep(&self.id, path, now.content_hash, &now.bytes);
        difference(path, &base, &now.bytes)
    }

    /// What differs between two contents of a file, as long as both are kept here.
    pub(super) fn diff_of_kept(&self, path: &RelPath, from: ContentHash, to: ContentHash) -> Option<String> {
        let kept = |hash| self.engine.bases.find(&self.id, path, hash);
        difference(path, &kept(from)?, &kept(to)?)
    }
}

/// The only content that a condition names.
fn only_hash(precondition: &Precondition) -> Option<ContentHash> {
    match precondition {
        Precondition::Matches(hashes) => <[ContentHash; 1]>::try_from(hashes.as_slice()).ok().map(|[hash]| hash),
        _ => None,
    }
}

/// The unified difference of two texts; `None` where one is none.
fn difference(path: &RelPath, from: &[u8], to: &[u8]) -> Option<String> {
    let (from, to) = (TextFile::read(from).ok()?, TextFile::read(to).ok()?);
    Some(edit::unified(path.as_str(), &from.text, &to.text))
}
