//! The files of a workspace, as they are listed.

use std::collections::HashSet;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recording::Told;
use super::{EngineError, Workspace};
use crate::access::Action;
use crate::search::{self, Condition};
use crate::workspace::{FileEntry, FileState, RelPath, Revision};

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

/// How many files there are, and how much room they take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Files.
    pub num_files: u64,
    /// Files with a change that is not searchable yet.
    pub num_pending: u64,
    /// Files that could not be read, or whose type has no reader.
    pub num_failed: u64,
    /// Their bytes, of files that are on disk by themselves.
    pub num_bytes: u64,
    /// When the one that was not modified for longest was modified, in seconds since 1970; 0 where there is no file.
    pub oldest_s: i64,
    /// When the last of them was modified, in seconds since 1970; 0 where there is no file.
    pub newest_s: i64,
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

    /// The number and the room of the files of a workspace.
    ///
    /// # Errors
    /// When the workspace is unknown.
    pub fn usage(&self) -> Result<Usage, EngineError> {
        self.recorded(Action::List, Told::default(), |_| self.usage_unrecorded())
    }

    fn usage_unrecorded(&self) -> Result<Usage, EngineError> {
        let files = self.all_files_while(&|| true)?;
        let mut usage = Usage::default();
        for file in files.iter() {
            usage.num_files += 1;
            match file.state {
                FileState::Pending => usage.num_pending += 1,
                FileState::Failed | FileState::Unsupported => usage.num_failed += 1,
                FileState::Ready | FileState::Partial | FileState::Empty | FileState::Listed => {}
            }
            if file.container.is_none() {
                usage.num_bytes += file.size;
            }
        }
        let times = || files.iter().map(|file| file.modified.as_second());
        (usage.oldest_s, usage.newest_s) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
        Ok(usage)
    }

    /// The files that meet a condition, of those that the caller sees.
    pub(super) fn files_that_meet(&self, condition: &Condition) -> Result<Arc<HashSet<RelPath>>, EngineError> {
        let files = self.all_files_while(&|| true)?;
        let met = files.iter().filter(|file| condition.admits(file)).map(|file| file.path.clone());
        Ok(Arc::new(met.collect()))
    }
}
