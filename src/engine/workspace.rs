//! The handle of one workspace: every verb on its files hangs on it.

use super::{Engine, EngineError};
use crate::workspace::WorkspaceId;

/// Who asks. Permission and audit attach here: a verb is reached only through a handle, and a handle only with a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Caller {
    /// The user of this machine, who may do everything that the program may.
    LocalUser,
}

/// A workspace that exists, as one caller sees it.
pub struct Workspace<'a> {
    pub(super) engine: &'a Engine,
    pub(super) id: WorkspaceId,
    caller: Caller,
}

impl Engine {
    /// The workspace of that name, for `caller`.
    ///
    /// # Errors
    /// [`StoreError::UnknownWorkspace`](crate::store::StoreError::UnknownWorkspace) where there is none.
    pub fn workspace(&self, id: &WorkspaceId, caller: Caller) -> Result<Workspace<'_>, EngineError> {
        self.data.store.workspace(id)?;
        Ok(Workspace { engine: self, id: id.clone(), caller })
    }
}

impl Workspace<'_> {
    /// Its name.
    #[must_use]
    pub const fn id(&self) -> &WorkspaceId {
        &self.id
    }

    /// Who asks.
    #[must_use]
    pub const fn caller(&self) -> Caller {
        self.caller
    }

    /// The engine that it is a workspace of.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        self.engine
    }
}
