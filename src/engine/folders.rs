//! Folders: the files below one, and a new one.

use std::sync::Arc;

use super::recording::Told;
use super::{EngineError, Workspace};
use crate::access::Action;
use crate::budget::Budget;
use crate::files::{Files, FilesError};
use crate::ingest::ReadError;
use crate::search::{Compiled, Filters};
use crate::workspace::{FileEntry, RelPath};

/// Globs on paths from a folder on: `*.md` is about files directly in it, `**/*.md` about all below.
#[derive(Debug, Clone)]
pub struct PatternsBelow(Option<Compiled>);

impl PatternsBelow {
    /// Whether one of them matches.
    #[must_use]
    pub fn admits(&self, relative: &str) -> bool {
        self.0.as_ref().is_some_and(|globs| globs.admits_path(&anchored(relative)))
    }
}

/// A pattern or path below a folder, so that one without a slash is not about names anywhere.
fn anchored(relative: &str) -> String {
    format!("below/{}", relative.trim_start_matches('/'))
}

/// What is below a folder, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Below {
    /// The files that are on disk by themselves, and not inside another file.
    pub files: Vec<FileEntry>,
    /// Folders on disk, also those without files.
    pub folders: Vec<RelPath>,
}

/// Which folders are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Those directly in a folder.
    One,
    /// All below it.
    All,
}

impl Workspace<'_> {
    /// The files below a folder by path, `None` for all of the workspace: those that are on disk by themselves, and not inside another file.
    ///
    /// # Errors
    /// [`ReadError::Unknown`] where neither a file is below the folder nor an empty folder is there, as far as the caller sees.
    pub fn files_below(&self, folder: Option<&RelPath>) -> Result<Vec<FileEntry>, EngineError> {
        self.recorded(Action::List, Told::of(folder), |_| self.files_below_unrecorded(folder))
    }

    fn files_below_unrecorded(&self, folder: Option<&RelPath>) -> Result<Vec<FileEntry>, EngineError> {
        let prefix = folder.map(|folder| format!("{folder}/")).unwrap_or_default();
        let files = self.all_files_while(&|| true)?;
        let is_below = |file: &&FileEntry| file.container.is_none() && file.path.as_str().starts_with(&prefix);
        let below: Vec<FileEntry> = files.iter().filter(is_below).cloned().collect();
        match folder {
            Some(folder) if below.is_empty() && !self.is_folder(folder)? => {
                Err(ReadError::Unknown { path: folder.clone() }.into())
            }
            _ => Ok(below),
        }
    }

    /// The files below a folder, and the folders of this depth, as far as they are found within `budget`.
    ///
    /// # Errors
    /// As [`Workspace::files_below`], and where the workspace's folder cannot be listed.
    pub fn below(&self, folder: Option<&RelPath>, depth: Depth, budget: &Budget) -> Result<Below, EngineError> {
        self.recorded(Action::List, Told::of(folder), |_| {
            let files = self.files_below_unrecorded(folder)?;
            Ok(Below { files, folders: self.folders_below(folder, depth, budget)? })
        })
    }

    /// Whether a folder is on disk in which the caller could see files.
    pub(super) fn is_folder(&self, folder: &RelPath) -> Result<bool, EngineError> {
        let Some(files) = self.files_on_disk()?.filter(|_| self.sees_into(folder)) else { return Ok(false) };
        Ok(matches!(files.stat(folder), Err(FilesError::Folder { .. })))
    }

    /// The folders on disk below one in which the caller could see files.
    pub(super) fn folders_below(
        &self,
        folder: Option<&RelPath>,
        depth: Depth,
        budget: &Budget,
    ) -> Result<Vec<RelPath>, EngineError> {
        let Some(files) = self.files_on_disk()? else { return Ok(Vec::new()) };
        let mut found = files.folders(folder)?;
        let mut num_opened = 0;
        while let Some(next) = found.get(num_opened).filter(|_| depth == Depth::All && !budget.is_over()) {
            let deeper = files.folders(Some(next))?;
            found.extend(deeper);
            num_opened += 1;
        }
        found.retain(|folder| self.sees_into(folder));
        found.sort();
        Ok(found)
    }

    fn files_on_disk(&self) -> Result<Option<Arc<dyn Files>>, EngineError> {
        let root = self.engine.data.store.workspace(&self.id)?.root;
        Ok(root.map(|root| self.engine.data.files_of(&self.id, &root)))
    }

    /// Whether the caller would see a file in a folder. A key's globs are about files.
    fn sees_into(&self, folder: &RelPath) -> bool {
        self.sees_text(&format!("{folder}/file"))
    }

    /// Globs on paths from a folder on. None match where there are none.
    ///
    /// # Errors
    /// When there are too many, or one is too large or cannot be read.
    pub fn patterns_below(&self, patterns: &[String]) -> Result<PatternsBelow, EngineError> {
        let path: Vec<String> = patterns.iter().map(|pattern| anchored(pattern)).collect();
        let filters = Filters { path, ..Filters::default() };
        let compiled = filters.compile(self.engine.data.patterns())?;
        Ok(PatternsBelow((!patterns.is_empty()).then_some(compiled)))
    }

    /// Makes a folder and those on the way to it; one that is there stays as it is.
    ///
    /// # Errors
    /// As [`Workspace::write_file`], for a file in the folder.
    pub fn make_folder(&self, folder: &RelPath) -> Result<(), EngineError> {
        self.recorded(Action::MakeFolder, Told::of([folder]), |_| {
            let inside: RelPath = format!("{folder}/file").parse()?;
            let root = self.root_to_write([&self.spelled_to_write(&inside)?])?;
            super::write::refuse_device_names(folder)?;
            Ok(self.engine.data.files_of(&self.id, &root).make_folder(folder)?)
        })
    }
}
