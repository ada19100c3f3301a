//! Building the index of a workspace again, and how far that is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recording::Told;
use super::{EngineError, Workspace};
use crate::access::Action;
use crate::ingest::Progress;

/// How far an index is that is being built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct RebuildStatus {
    /// Files that are done.
    pub files_done: u64,
    /// Files of the workspace.
    pub files: u64,
}

/// What building an index again did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReindexReport {
    /// Which of the workspace's indexes serves now, counted from 0.
    pub generation: i64,
    /// Chunks that were embedded here.
    pub num_embedded: usize,
    /// The other process that built it, for a person.
    pub done_by: Option<String>,
}

impl Workspace<'_> {
    /// Builds the index of a workspace again from its files, beside the one that serves, and lets it take over.
    ///
    /// Where another process indexes, it is done there, and the call returns when it is. Should that process end first, this one
    /// goes on with it.
    ///
    /// # Errors
    /// When this process only reads, the workspace has no folder or its intelligence is off, or the disk refuses. What was built
    /// stays, and is gone on with by whoever indexes next.
    pub fn reindex(&self, progress: &dyn Progress) -> Result<ReindexReport, EngineError> {
        self.recorded(Action::Index, Told::default(), |_| self.reindex_unrecorded(progress))
    }

    fn reindex_unrecorded(&self, progress: &dyn Progress) -> Result<ReindexReport, EngineError> {
        self.check_whole()?;
        let id = &self.id;
        self.engine.data.must_log()?;
        let root = self.root()?;
        // What has changed without a word in the log is found first, so that it is not read twice.
        self.scan(progress)?;
        let off = || EngineError::IntelligenceOff { id: id.clone() };
        let generation = self.engine.data.store.begin_rebuild(id)?.ok_or_else(off)?;
        self.engine.scheduler.wake();
        if let Some(holder) = self.engine.scheduler.wait_for_other_to_build(id, generation, progress)? {
            return Ok(ReindexReport { generation, num_embedded: 0, done_by: Some(holder) });
        }
        let report = self.engine.scheduler.index_here(id, &root, progress)?;
        Ok(ReindexReport { generation, num_embedded: report.line.num_embedded, done_by: None })
    }

    /// How far the index is that is being built beside the one that serves, where one is.
    pub(super) fn rebuild_status(&self) -> Result<Option<RebuildStatus>, EngineError> {
        let id = &self.id;
        if self.engine.data.store.workspace(id)?.next_generation.is_none() {
            return Ok(None);
        }
        Ok(Some(RebuildStatus {
            files_done: self.engine.data.store.num_built(id)?,
            files: self.engine.data.store.counts(id)?.files,
        }))
    }
}
