//! The files of a workspace, as they are listed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recording::Told;
use super::{EngineError, Workspace};
use crate::access::Action;
use crate::search;
use crate::workspace::{FileEntry, Revision};

/// Which files to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesRequest {
    /// Only paths that match this glob. Without `/` it matches the file name.
    pub glob: Option<String>,
    /// How many files to return at most.
    pub limit: usize,
    /// How many files to skip, in the order of their paths.
    pub offset: usize,
}

/// Files in the order of their paths.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct FileList {
    /// The newest revision up to which nothing is pending.
    pub revision: Revision,
    /// Files with a change that is not searchable yet.
    pub pending: u64,
    /// How many files match.
    pub total: usize,
    /// Where to go on; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_offset: Option<usize>,
    /// The files of this page.
    pub files: Vec<FileEntry>,
}

impl Workspace<'_> {
    /// A page of the files of a workspace.
    ///
    /// # Errors
    /// As [`Workspace::files`].
    pub fn list_files(&self, request: &FilesRequest) -> Result<FileList, EngineError> {
        let FilesRequest { glob, limit, offset } = request;
        let (revision, pending) = self.freshness()?;
        let files = self.files(glob.as_deref())?;
        let total = files.len();
        let next = offset.saturating_add(*limit);
        let files = files.into_iter().skip(*offset).take(*limit).collect();
        Ok(FileList { revision, pending, total, next_offset: (next < total).then_some(next), files })
    }

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
