//! The one place where rights are checked. A verb that a caller asks for begins in `recording`; what stands beside begins here.

use super::{Engine, EngineError, Workspace};
use crate::access::{Action, Caller};

/// A verb that was admitted and is not over yet.
#[must_use = "it lasts as long as the verb does"]
#[derive(Debug)]
pub struct Admitted(());

impl Engine {
    /// Admits a caller to a verb that is about no workspace.
    ///
    /// # Errors
    /// [`AccessError::InsufficientScope`](crate::access::AccessError::InsufficientScope).
    pub fn admit(&self, caller: &Caller, action: Action) -> Result<Admitted, EngineError> {
        self.check_recorded(caller, None, action)?;
        Ok(Admitted(()))
    }
}

impl Workspace<'_> {
    /// Admits the caller to a verb on this workspace.
    ///
    /// # Errors
    /// [`AccessError::InsufficientScope`](crate::access::AccessError::InsufficientScope).
    pub(super) fn begin(&self, action: Action) -> Result<Admitted, EngineError> {
        self.engine.check_recorded(&self.caller, Some(&self.id), action)?;
        Ok(Admitted(()))
    }
}
