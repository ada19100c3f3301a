//! What is to be said of a workspace's folder to somebody who relies on what was found in it.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Engine, EngineError, Workspace};
use crate::store::SourceState;
use crate::workspace::WorkspaceId;

/// Of the interval of scans so many may pass until a scan counts as long ago.
const LATE_INTERVALS: i64 = 2;
/// And so much more, for a scan that takes its time.
const LATE_BY: SignedDuration = SignedDuration::from_mins(5);

/// A workspace's folder as the place where changes come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct SourceStatus {
    /// When the whole folder was compared last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub scanned: Option<Timestamp>,
    /// Why changes of the folder may not be known yet: it is away, not watched, or was scanned long ago.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Engine {
    /// Why changes of a folder may not be known yet.
    pub(super) fn source_notes(&self, state: &SourceState) -> Vec<String> {
        let mut notes: Vec<String> = state.unwatched.clone().into_iter().collect();
        let interval =
            i64::try_from(self.data.config.scan_interval_s).unwrap_or(i64::MAX).saturating_mul(LATE_INTERVALS);
        let late = SignedDuration::from_secs(interval).saturating_add(LATE_BY);
        if let Some(scanned) = state.scanned.filter(|scanned| Timestamp::now().duration_since(*scanned) > late) {
            notes.push(format!("the folder was last compared as a whole at {scanned:.0}, and may have changed since"));
        }
        notes
    }

    /// The workspaces whose folder is away or not watched, by name, this one left out.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn unwatched_besides(&self, id: &WorkspaceId) -> Result<Vec<WorkspaceId>, EngineError> {
        let mut unwatched = self.data.store.unwatched()?;
        unwatched.retain(|other| other != id);
        Ok(unwatched)
    }
}

impl Workspace<'_> {
    /// A workspace's folder as the place where changes come from.
    ///
    /// # Errors
    /// When the workspace is unknown.
    pub fn source_status(&self) -> Result<SourceStatus, EngineError> {
        let id = &self.id;
        let row = self.engine.data.store.workspace(id)?;
        let state = self.engine.data.with_look(self.engine.data.store.source_state(id)?, &row);
        Ok(SourceStatus { scanned: state.scanned, notes: self.engine.source_notes(&state) })
    }
}
