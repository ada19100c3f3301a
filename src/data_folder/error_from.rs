//! Errors of the rooms below as those of the engine, each under the case that says what to do about it.

use super::EngineError;
use crate::answer::AnswerError;
use crate::files::FilesError;
use crate::ingest::IngestError;
use crate::search::SearchError;

impl From<IngestError> for EngineError {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Folder(error) => Self::Read(error),
            IngestError::Store(error) => Self::Store(error),
            IngestError::Index(error) => Self::Index(error),
            IngestError::Extract(error) => Self::Extract(error),
            IngestError::Embed(error) => Self::Embed(error),
            IngestError::Lock(error) => Self::Io(error),
            IngestError::Written { id, waited } => {
                Self::Stuck { what: "a write into the files".to_owned(), id, silent_s: waited.as_secs() }
            }
        }
    }
}

impl From<AnswerError> for EngineError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Language(error) => Self::Language(error),
            AnswerError::Search(error) => Self::from(error),
        }
    }
}

impl From<SearchError> for EngineError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Index(error) => Self::Index(error),
            SearchError::Embed(error) => Self::Embed(error),
            other => Self::Search(other),
        }
    }
}

impl From<FilesError> for EngineError {
    fn from(error: FilesError) -> Self {
        Self::Read(error.into())
    }
}
