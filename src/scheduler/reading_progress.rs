//! The large file that is being read, with its progress.

use parking_lot::Mutex;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Scheduler;
use crate::ingest::{Progress, Silent, Stage};
use crate::workspace::{RelPath, WorkspaceId};

/// How far the reading of a large file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct ReadingStatus {
    /// The file.
    pub path: RelPath,
    /// Bytes that are read.
    pub num_bytes: u64,
    /// Bytes that it has.
    pub size: u64,
}

/// What is being read in this process: one large file at a time.
#[derive(Debug, Default)]
pub(super) struct ReadingProgress(Mutex<Option<(WorkspaceId, ReadingStatus)>>);

impl ReadingProgress {
    pub(super) fn now(&self, id: &WorkspaceId) -> Option<ReadingStatus> {
        self.0.lock().as_ref().filter(|(workspace, _)| workspace == id).map(|(_, now)| now.clone())
    }
}

/// Notes what is being read, and tells somebody else all that there is to tell.
pub(super) struct Noted<'a> {
    pub reading: &'a ReadingProgress,
    pub workspace: &'a WorkspaceId,
    pub progress: &'a dyn Progress,
}

impl Scheduler {
    /// Notes what is being read of a workspace, and tells nobody.
    pub(super) const fn noting<'a>(&'a self, workspace: &'a WorkspaceId) -> Noted<'a> {
        Noted { reading: &self.reading, workspace, progress: &Silent }
    }
}

impl Progress for Noted<'_> {
    fn begin(&self, stage: Stage, total: Option<u64>) {
        self.progress.begin(stage, total);
    }

    fn advance(&self, done: u64) {
        self.progress.advance(done);
    }

    fn reading(&self, path: &RelPath, num_bytes: u64, size: u64) {
        let status = ReadingStatus { path: path.clone(), num_bytes, size };
        *self.reading.0.lock() = (num_bytes < size).then(|| (self.workspace.clone(), status));
        self.progress.reading(path, num_bytes, size);
    }

    fn end(&self) {
        self.progress.end();
    }
}
