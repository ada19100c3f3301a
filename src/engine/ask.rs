//! A question to a workspace: the passages that it is answered from, and who answers.

use super::{Engine, EngineError};
use crate::answer::{self, AskReply, AskRequest, Evidence};
use crate::search::{self, SearchRequest};
use crate::workspace::WorkspaceId;

/// Passages that an answer is chosen from.
const NUM_EVIDENCE: usize = 12;

impl Engine {
    /// Answers a question from a workspace, by sentences that are verbatim in its files.
    ///
    /// # Errors
    /// As [`Engine::search`].
    pub fn ask(&self, id: &WorkspaceId, request: &AskRequest) -> Result<AskReply, EngineError> {
        answer::check_request(request)?;
        let mut search = SearchRequest::new(request.question.clone());
        search.filters = request.filters.clone();
        search.k = NUM_EVIDENCE;
        search.explain = true;
        search.min_revision = request.min_revision;
        search.wait_ms = request.wait_ms;
        search::check_request(&search)?;
        let state = self.state(id, &search.filters, search.min_revision, search.wait_ms)?;
        let (found, model) = self.search_in(id, &search, &state)?;
        let embedder = model.as_ref().and_then(|model| model.embedder.as_deref().ok());
        let evidence = Evidence { hits: &found.hits, embedder };
        Ok(answer::answer(request, &evidence, found.revision, found.coverage)?)
    }
}
