//! The handle of one workspace: every verb on its files hangs on it.

use super::{Engine, EngineError, Given};
use crate::access::Caller;
use crate::store::StoreError;
use crate::workspace::WorkspaceId;

/// A workspace that exists, as one caller sees it.
pub struct Workspace<'a> {
    pub(super) engine: &'a Engine,
    pub(super) id: WorkspaceId,
    pub(super) caller: Caller,
    pub(super) given: Given,
}

impl Engine {
    /// The workspace of that name, for `caller`.
    ///
    /// # Errors
    /// [`StoreError::UnknownWorkspace`] where there is none, or none that the caller has any right in: which of them is not told.
    pub fn workspace(&self, id: &WorkspaceId, caller: &Caller) -> Result<Workspace<'_>, EngineError> {
        let found = if caller.reaches(id) { self.within_ownership(caller, id) } else { Ok(None) };
        let error = match found {
            Ok(Some(caller)) => return Ok(Workspace { engine: self, id: id.clone(), caller, given: Given::default() }),
            Ok(None) => StoreError::UnknownWorkspace { id: id.clone() }.into(),
            Err(error) => error,
        };
        if caller.key().is_some() && matches!(error, EngineError::Store(StoreError::UnknownWorkspace { .. })) {
            self.record_refusal(caller, Some(id), "workspace.open", "unknown_workspace");
        }
        Err(error)
    }
}

impl Workspace<'_> {
    /// Its name.
    #[must_use]
    pub const fn id(&self) -> &WorkspaceId {
        &self.id
    }

    /// The same workspace for the same caller, without what a request gave.
    #[must_use]
    pub fn again(&self) -> Workspace<'_> {
        Workspace { engine: self.engine, id: self.id.clone(), caller: self.caller.clone(), given: Given::default() }
    }

    /// Who asks.
    #[must_use]
    pub const fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The engine that it is a workspace of.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        self.engine
    }
}
