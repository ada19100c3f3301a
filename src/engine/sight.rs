//! Which files of a workspace a caller sees. A key with globs sees no other file: not in lists, counts, facets or errors.
//!
//! Every list of files, every filter and every path of a request in `engine` goes through this file.

use std::sync::Arc;

use super::{EngineError, Workspace};
use crate::access::AccessError;
use crate::data_folder::View;
use crate::ingest::ReadError;
use crate::search::{Compiled, Filters};
use crate::workspace::{Change, ChangeKind, FileCounts, FileEntry, FileState, RelPath};

impl Workspace<'_> {
    /// The conditions of the caller's key on files; `None` where the caller sees all.
    fn sight(&self) -> Option<&Compiled> {
        self.caller.key().and_then(|key| key.sight())
    }

    /// Whether the caller sees some files only.
    pub(super) fn is_narrowed(&self) -> bool {
        self.sight().is_some()
    }

    /// Whether the caller sees a file of that path.
    pub(super) fn sees(&self, path: &RelPath) -> bool {
        self.sees_text(path.as_str())
    }

    /// Whether the caller sees a file of that path, as text.
    pub(super) fn sees_text(&self, path: &str) -> bool {
        self.sight().is_none_or(|sight| sight.admits_path(path))
    }

    /// Refuses to read what the caller does not see, in the words for a file that there never was.
    pub(super) fn check_seen(&self, path: &RelPath) -> Result<(), EngineError> {
        if self.sees(path) { Ok(()) } else { Err(ReadError::Unknown { path: path.clone() }.into()) }
    }

    /// Refuses what is about the whole workspace to a caller that sees some files only.
    pub(super) fn check_whole(&self) -> Result<(), EngineError> {
        if self.is_narrowed() { Err(AccessError::NotForWhole.into()) } else { Ok(()) }
    }

    /// Refuses to write what the caller does not see.
    pub(super) fn check_writable(&self, path: &RelPath) -> Result<(), EngineError> {
        if self.sees(path) { Ok(()) } else { Err(AccessError::PathNotAllowed { path: path.clone() }.into()) }
    }

    /// The conditions of a request, together with those of the caller's key.
    pub(super) fn compile(&self, filters: &Filters) -> Result<Compiled, EngineError> {
        let asked = filters.compile(self.engine.data.patterns())?;
        Ok(match self.sight() {
            None => asked,
            Some(sight) => asked.and(sight.clone()),
        })
    }

    /// The files that the caller sees, by path, as far as they are read until `goes_on` says no. A file whose deletion is logged is none
    /// of them.
    pub(super) fn all_files_while(&self, goes_on: &dyn Fn() -> bool) -> Result<Arc<[FileEntry]>, EngineError> {
        let files = self.engine.data.all_files_while(&self.id, goes_on)?;
        if !self.is_narrowed() {
            return Ok(files);
        }
        Ok(files.iter().filter(|file| self.sees(&file.path)).cloned().collect())
    }

    /// How many files that the caller sees are in each state.
    pub(super) fn counts(&self, view: &View) -> Result<FileCounts, EngineError> {
        if !self.is_narrowed() {
            return Ok(view.counts);
        }
        let mut counts = FileCounts::default();
        for file in self.all_files_while(&|| true)?.iter() {
            counts.files += 1;
            *match file.state {
                FileState::Ready => &mut counts.ready,
                FileState::Partial => &mut counts.partial,
                FileState::Pending => &mut counts.pending,
                FileState::Empty => &mut counts.empty,
                FileState::Unsupported => &mut counts.unsupported,
                FileState::Listed => &mut counts.listed,
                FileState::Failed => &mut counts.failed,
            } += 1;
        }
        Ok(counts)
    }

    /// A change as the caller may hear of it: a renaming out of what the caller sees is a deletion, and one into it a new file.
    pub(super) fn seen_change(&self, mut change: Change) -> Option<Change> {
        if !self.is_narrowed() {
            return Some(change);
        }
        let from = change.from.take();
        match (self.sees(&change.path), from) {
            (true, Some(from)) if self.sees(&from) => change.from = Some(from),
            (true, Some(_)) => change.kind = ChangeKind::Created,
            (false, Some(from)) if self.sees(&from) => {
                change.path = from;
                change.kind = ChangeKind::Deleted;
            }
            (true, None) => {}
            (false, _) => return None,
        }
        Some(change)
    }
}
