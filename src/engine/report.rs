//! Errors as clients see them.

use super::{Engine, EngineError, Workspace};
use crate::error::ErrorReport;

impl Engine {
    /// What a client is told of an error: its message names files by their paths in the workspace or in the data folder.
    #[must_use]
    pub fn report(&self, error: &EngineError) -> ErrorReport {
        let ErrorReport { code, message, hint, details } = ErrorReport::of(error);
        // What quotes a request is left as it is: otherwise it would tell which folders there are.
        let quotes = matches!(
            error,
            EngineError::Search(_)
                | EngineError::Name(_)
                | EngineError::Provenance(_)
                | EngineError::StaleCitation { .. }
                | EngineError::Edit { .. }
        );
        if quotes {
            return ErrorReport { code, message, hint, details };
        }
        let hint = hint.map(|hint| self.data.without_folders(hint));
        ErrorReport { code, message: self.data.without_folders(message), hint, details }
    }
}

impl Workspace<'_> {
    /// As [`Engine::report`].
    #[must_use]
    pub fn report(&self, error: &EngineError) -> ErrorReport {
        self.engine.report(error)
    }
}
