//! Workspaces: made, switched off and on, and deleted without a trace.
//!
//! # Invariants
//! - From the moment in which a deletion is in the store, no query finds the workspace, and nothing is kept of it any more. Its
//!   folder in the data folder is removed by the process that indexes; until that is done no other workspace of its name is made.
//! - A workspace's own folder, which somebody else keeps, is never touched.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recording::Told;
use super::{Engine, EngineError, Workspace};
use crate::access::{Action, Caller, Surface};
use crate::files;
use crate::store::{StoreError, WorkspaceRow};
use crate::workspace::{InvalidName, WorkspaceId, is_device_name};

/// A workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct WorkspaceSummary {
    /// Its name.
    #[schema(example = "default")]
    pub name: WorkspaceId,
    /// Its folder; the command line alone is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Whether its files are indexed; otherwise they are only listed.
    pub intelligence: bool,
    /// Whether a write has to say what it expects.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub require_if_match: bool,
}

impl From<WorkspaceRow> for WorkspaceSummary {
    fn from(row: WorkspaceRow) -> Self {
        let root = row.root.map(|root| root.display().to_string());
        Self { name: row.id, root, intelligence: row.intelligence, require_if_match: row.demands_condition }
    }
}

impl WorkspaceSummary {
    /// The same for a client: where folders are on the server does not concern it.
    #[must_use]
    pub fn for_client(self) -> Self {
        Self { root: None, ..self }
    }
}

/// All workspaces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct WorkspaceList {
    /// By name.
    pub workspaces: Vec<WorkspaceSummary>,
}

impl Engine {
    /// The workspaces that a caller has any right in, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list_workspaces(&self, caller: &Caller) -> Result<WorkspaceList, EngineError> {
        let mut workspaces = Vec::new();
        for row in self.workspaces()?.into_iter().filter(|row| caller.reaches(&row.id)) {
            // Only where it was handed over more is to be asked.
            if row.ownership.is_none() || self.within_ownership(caller, &row.id)?.is_some() {
                workspaces.push(row.into());
            }
        }
        Ok(WorkspaceList { workspaces })
    }

    /// All workspaces by name, as they are stored.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn workspaces(&self) -> Result<Vec<WorkspaceRow>, EngineError> {
        Ok(self.data.store.workspaces()?)
    }

    /// Makes a workspace, or gives one that has none its folder.
    ///
    /// # Errors
    /// When this process only reads, the folder does not exist or is one of pincite's own, or the workspace already has another
    /// one.
    pub fn ensure_workspace(&self, id: &WorkspaceId, root: Option<&Path>) -> Result<WorkspaceRow, EngineError> {
        self.make(id, root, |root| self.data.store.ensure_workspace(id, root))
    }

    /// Makes a workspace that does not exist, with or without a folder.
    ///
    /// # Errors
    /// As [`Engine::ensure_workspace`], and [`StoreError::WorkspaceExists`].
    pub fn create_workspace(&self, id: &WorkspaceId, root: Option<&Path>) -> Result<WorkspaceRow, EngineError> {
        self.make(id, root, |root| self.data.store.create_workspace(id, root))
    }

    fn make(
        &self,
        id: &WorkspaceId,
        root: Option<&Path>,
        make: impl Fn(Option<&Path>) -> Result<WorkspaceRow, StoreError>,
    ) -> Result<WorkspaceRow, EngineError> {
        if self.data.store.workspace(id).is_ok() || self.data.only_reads() {
            return self.make_unrecorded(id, root, make);
        }
        let caller = Caller::local(Surface::CommandLine);
        let work = |_: &mut Told| self.make_unrecorded(id, root, make);
        self.recorded(&caller, Some(id), Action::CreateWorkspace, Told::default(), work)
    }

    fn make_unrecorded(
        &self,
        id: &WorkspaceId,
        root: Option<&Path>,
        make: impl Fn(Option<&Path>) -> Result<WorkspaceRow, StoreError>,
    ) -> Result<WorkspaceRow, EngineError> {
        self.data.must_log()?;
        // One that has such a name goes on to be served.
        if is_device_name(id.as_str()) && self.data.store.workspace(id).is_err() {
            return Err(InvalidName::Device { name: id.to_string() }.into());
        }
        let root = root.map(files::canonical_folder).transpose()?;
        if let Some(root) = &root {
            self.check_root(id, root)?;
        }
        let row = match make(root.as_deref()) {
            Err(StoreError::BeingDeleted { .. }) => {
                self.scheduler.await_removal(id)?;
                make(root.as_deref())?
            }
            other => other?,
        };
        self.scheduler.wake();
        Ok(row)
    }
}

impl Workspace<'_> {
    /// Switches the intelligence of a workspace. Without it files are listed and nothing of them is indexed or found, at once;
    /// what was indexed goes. With it they are indexed, again where they were, and no text is embedded twice.
    ///
    /// # Errors
    /// When this process only reads or there is no such workspace.
    pub fn set_intelligence(&self, intelligence: bool) -> Result<WorkspaceRow, EngineError> {
        self.recorded(Action::ChangeWorkspace, Told::default(), |_| self.set_intelligence_unrecorded(intelligence))
    }

    /// Changes what is given of a workspace: its intelligence, and whether a write has to say what it expects.
    ///
    /// # Errors
    /// As [`Workspace::set_intelligence`]; [`EngineError::InvalidRequest`] where nothing is given.
    pub fn change(
        &self,
        intelligence: Option<bool>,
        require_if_match: Option<bool>,
    ) -> Result<WorkspaceRow, EngineError> {
        self.recorded(Action::ChangeWorkspace, Told::default(), |_| {
            self.check_whole()?;
            self.engine.data.must_log()?;
            let demanded = match require_if_match {
                Some(demands) => Some(self.engine.data.store.set_demands_condition(&self.id, demands)?),
                None => None,
            };
            match (intelligence, demanded) {
                (Some(intelligence), _) => self.set_intelligence_unrecorded(intelligence),
                (None, Some(row)) => Ok(row),
                (None, None) => {
                    let what = "give `intelligence` or `require_if_match`".to_owned();
                    Err(EngineError::InvalidRequest { what })
                }
            }
        })
    }

    fn set_intelligence_unrecorded(&self, intelligence: bool) -> Result<WorkspaceRow, EngineError> {
        self.check_whole()?;
        let id = &self.id;
        self.engine.data.must_log()?;
        let row = self.engine.data.store.set_intelligence(id, intelligence)?;
        self.engine.scheduler.wake();
        Ok(row)
    }

    /// Deletes a workspace and all that is kept of it. The files in a folder of its own stay; those in the data folder go.
    ///
    /// # Errors
    /// When this process only reads or there is no such workspace; [`StoreError::BeingDeleted`] when the workspace is deleted
    /// and the process that indexes has not yet removed its folder in the data folder.
    pub fn delete(&self) -> Result<(), EngineError> {
        self.recorded(Action::DeleteWorkspace, Told::default(), |_| self.delete_unrecorded())
    }

    fn delete_unrecorded(&self) -> Result<(), EngineError> {
        self.check_whole()?;
        let id = &self.id;
        self.engine.data.must_log()?;
        {
            // Who writes a file now has it logged before, and goes with the rest; who comes later finds no workspace.
            let _alone = self.engine.data.lock_files(id)?;
            self.engine.data.store.delete_workspace(id)?;
        }
        self.engine.scheduler.forget_replay(id);
        self.engine.scheduler.await_removal(id)
    }
}
