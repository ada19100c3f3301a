//! Workspaces: made, switched off and on, and deleted without a trace.
//!
//! # Invariants
//! - From the moment in which a deletion is in the store, no query finds the workspace, and nothing is kept of it any more. Its
//!   folder in the data folder is removed by the process that indexes; until that is done no other workspace of its name is made.
//! - A workspace's own folder, which somebody else keeps, is never touched.
//! - An index is let go before its files are removed, and no batch is in work then.

use std::path::Path;
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Engine, EngineError, Workspace};
use crate::ingest;
use crate::store::{StoreError, WorkspaceRow};
use crate::workspace::{InvalidName, WorkspaceId, is_device_name};

/// How long to wait for the process that indexes to remove what is left of a deleted workspace.
const REMOVAL_WAIT: Duration = Duration::from_secs(30);
/// How often to look whether it has.
const WAIT_STEP: Duration = Duration::from_millis(10);

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
}

impl From<WorkspaceRow> for WorkspaceSummary {
    fn from(row: WorkspaceRow) -> Self {
        let root = row.root.map(|root| root.display().to_string());
        Self { name: row.id, root, intelligence: row.intelligence }
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
    /// All workspaces by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list_workspaces(&self) -> Result<WorkspaceList, EngineError> {
        Ok(WorkspaceList { workspaces: self.workspaces()?.into_iter().map(WorkspaceSummary::from).collect() })
    }

    /// All workspaces by name, as they are stored.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn workspaces(&self) -> Result<Vec<WorkspaceRow>, EngineError> {
        Ok(self.store.workspaces()?)
    }

    /// Makes a workspace, or gives one that has none its folder.
    ///
    /// # Errors
    /// When this process only reads, the folder does not exist or is one of pincite's own, or the workspace already has another
    /// one.
    pub fn ensure_workspace(&self, id: &WorkspaceId, root: Option<&Path>) -> Result<WorkspaceRow, EngineError> {
        self.make(id, root, |root| self.store.ensure_workspace(id, root))
    }

    /// Makes a workspace that does not exist, with or without a folder.
    ///
    /// # Errors
    /// As [`Engine::ensure_workspace`], and [`StoreError::WorkspaceExists`].
    pub fn create_workspace(&self, id: &WorkspaceId, root: Option<&Path>) -> Result<WorkspaceRow, EngineError> {
        self.make(id, root, |root| self.store.create_workspace(id, root))
    }

    fn make(
        &self,
        id: &WorkspaceId,
        root: Option<&Path>,
        make: impl Fn(Option<&Path>) -> Result<WorkspaceRow, StoreError>,
    ) -> Result<WorkspaceRow, EngineError> {
        self.must_log()?;
        // One that has such a name goes on to be served.
        if is_device_name(id.as_str()) && self.store.workspace(id).is_err() {
            return Err(InvalidName::Device { name: id.to_string() }.into());
        }
        let root = root.map(ingest::canonical_folder).transpose()?;
        if let Some(root) = &root {
            self.check_root(id, root)?;
        }
        let row = match make(root.as_deref()) {
            Err(StoreError::BeingDeleted { .. }) => {
                self.await_removal(id)?;
                make(root.as_deref())?
            }
            other => other?,
        };
        self.bell.ring();
        Ok(row)
    }

    /// Returns when nothing of a deleted workspace is left: removed here, where this process indexes or nobody does.
    fn await_removal(&self, id: &WorkspaceId) -> Result<(), EngineError> {
        self.bell.ring();
        let end = Instant::now() + REMOVAL_WAIT;
        loop {
            if self.take_over()? {
                return self.remove_deleted(&self.indexing.lock());
            }
            if !self.store.deleted_workspaces()?.contains(id) {
                return Ok(());
            }
            if Instant::now() >= end {
                return Err(StoreError::BeingDeleted { id: id.clone() }.into());
            }
            std::thread::sleep(WAIT_STEP);
        }
    }

    /// Removes what is left of deleted workspaces. `_alone` is the lock that keeps batches from being in work.
    pub(super) fn remove_deleted(&self, _alone: &MutexGuard<'_, ()>) -> Result<(), EngineError> {
        for id in self.store.deleted_workspaces()? {
            let turn = self.indexes.lock().turn(&id);
            let turn = turn.lock();
            let removed = self.indexes.lock().remove(&id);
            if let Some(index) = removed {
                index.close();
            }
            let folder = self.folder_of(&id);
            // Under a name that no workspace has, so that a process that still holds a path of it makes nothing new there.
            let aside = folder.with_file_name(format!(".deleted-{id}"));
            for folder in [&aside, &folder] {
                if folder.exists() {
                    if *folder != aside {
                        fs_err::rename(folder, &aside).map_err(EngineError::Io)?;
                    }
                    fs_err::remove_dir_all(&aside).map_err(EngineError::Io)?;
                }
            }
            self.views.lock().forget(&id);
            drop(turn);
            self.store.forget_deleted(&id)?;
            tracing::info!(workspace = %id, "deleted");
        }
        Ok(())
    }

    /// Removes the index of a workspace whose intelligence is off; its vectors stay, they are true of any index. `_alone` as in
    /// [`Engine::remove_deleted`].
    pub(super) fn remove_index(&self, id: &WorkspaceId, _alone: &MutexGuard<'_, ()>) -> Result<(), EngineError> {
        let turn = self.indexes.lock().turn(id);
        let _turn = turn.lock();
        // Asked in turn: as soon as it is on again, somebody may open the index.
        let row = self.store.workspace(id)?;
        if row.intelligence {
            return Ok(());
        }
        let removed = self.indexes.lock().remove(id);
        if let Some(index) = removed {
            index.close();
        }
        match fs_err::remove_dir_all(self.folder_of(id).join("documents")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(EngineError::Io(error)),
            _ => {}
        }
        self.discard_indexes(&row)
    }
}

impl Workspace<'_> {
    /// Switches the intelligence of a workspace. Without it files are listed and nothing of them is indexed or found, at once;
    /// what was indexed goes. With it they are indexed, again where they were, and no text is embedded twice.
    ///
    /// # Errors
    /// When this process only reads or there is no such workspace.
    pub fn set_intelligence(&self, intelligence: bool) -> Result<WorkspaceRow, EngineError> {
        let id = &self.id;
        self.engine.must_log()?;
        let row = self.engine.store.set_intelligence(id, intelligence)?;
        self.engine.bell.ring();
        Ok(row)
    }

    /// Deletes a workspace and all that is kept of it. The files in a folder of its own stay; those in the data folder go.
    ///
    /// # Errors
    /// When this process only reads or there is no such workspace; [`StoreError::BeingDeleted`] when the workspace is deleted
    /// and the process that indexes has not yet removed its folder in the data folder.
    pub fn delete(&self) -> Result<(), EngineError> {
        let id = &self.id;
        self.engine.must_log()?;
        {
            // Who writes a file now has it logged before, and goes with the rest; who comes later finds no workspace.
            let _alone = self.engine.lock_files(id)?;
            self.engine.store.delete_workspace(id)?;
        }
        self.engine.replays.lock().remove(id);
        self.engine.await_removal(id)
    }
}
