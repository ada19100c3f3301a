//! The files of a workspace, as they are listed.

use super::recording::Told;
use super::{EngineError, Workspace};
use crate::access::Action;
use crate::search;
use crate::workspace::FileEntry;

impl Workspace<'_> {
    /// The files of a workspace by path, all or those that match a glob. A file whose deletion is logged is none of them.
    ///
    /// # Errors
    /// When the workspace is unknown or the glob cannot be read.
    pub fn files(&self, glob: Option<&str>) -> Result<Vec<FileEntry>, EngineError> {
        self.recorded(Action::List, Told::default(), |_| self.files_unrecorded(glob))
    }

    fn files_unrecorded(&self, glob: Option<&str>) -> Result<Vec<FileEntry>, EngineError> {
        let filters = search::Filters { path: glob.map(str::to_owned).into_iter().collect(), ..Default::default() };
        let filter = self.compile(&filters)?;
        let files = self.all_files_while(&|| true)?;
        Ok(files.iter().filter(|file| filter.admits_path(file.path.as_str())).cloned().collect())
    }
}
