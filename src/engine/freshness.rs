//! A workspace's folder as the source of changes: when it was scanned, and whether it is watched.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Engine, EngineError, Workspace};
use crate::workspace::WorkspaceId;

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
