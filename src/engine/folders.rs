//! Folders: the files below one, and a new one.

use super::recording::Told;
use super::{EngineError, Workspace};
use crate::access::Action;
use crate::files::FilesError;
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

impl Workspace<'_> {
    /// The files below a folder by path, `None` for all of the workspace: those that are on disk by themselves, and not inside another file.
    ///
    /// # Errors
    /// [`ReadError::Unknown`] where neither a file is below the folder nor an empty folder is there, as far as the caller sees.
    pub fn files_below(&self, folder: Option<&RelPath>) -> Result<Vec<FileEntry>, EngineError> {
        self.recorded(Action::List, Told::of(folder), |_| self.below_unrecorded(folder))
    }

    fn below_unrecorded(&self, folder: Option<&RelPath>) -> Result<Vec<FileEntry>, EngineError> {
        let prefix = folder.map(|folder| format!("{folder}/")).unwrap_or_default();
        let files = self.all_files_while(&|| true)?;
        let is_below = |file: &&FileEntry| file.container.is_none() && file.path.as_str().starts_with(&prefix);
        let below: Vec<FileEntry> = files.iter().filter(is_below).cloned().collect();
        match folder {
            Some(folder) if below.is_empty() && !self.is_empty_folder(folder)? => {
                Err(ReadError::Unknown { path: folder.clone() }.into())
            }
            _ => Ok(below),
        }
    }

    /// Whether there is a folder without files. A caller that sees some files only is not told.
    fn is_empty_folder(&self, folder: &RelPath) -> Result<bool, EngineError> {
        let Some(root) = self.engine.data.store.workspace(&self.id)?.root.filter(|_| !self.is_narrowed()) else {
            return Ok(false);
        };
        let stat = self.engine.data.files_of(&self.id, &root).stat(folder);
        Ok(matches!(stat, Err(FilesError::Folder { .. })))
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
            // A key's globs are about files.
            let inside: RelPath = format!("{folder}/file").parse()?;
            let root = self.root_to_write([&self.spelled_to_write(&inside)?])?;
            super::write::refuse_device_names(folder)?;
            Ok(self.engine.data.files_of(&self.id, &root).make_folder(folder)?)
        })
    }
}
