//! A question to a workspace: the plan, and the answer from the nearest passages. Answers by files are in `digest`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::query::QueryState;
use super::{Engine, EngineError};
use crate::answer::plan::{self, Asked};
use crate::answer::{self, AskReply, AskRequest, Evidence, Plan, PlanKind};
use crate::search::{self, SearchRequest};
use crate::workspace::{RelPath, WorkspaceId};

/// Passages that an answer is chosen from.
const NUM_EVIDENCE: usize = 12;
/// The same of an answer about the files in scope, some of which are to be quoted each.
const NUM_EVIDENCE_OF_FILES: usize = 48;

impl Engine {
    /// Answers a question from a workspace, by sentences that are verbatim in its files.
    ///
    /// # Errors
    /// As [`Engine::search`], and when the time zone is not known.
    pub fn ask(&self, id: &WorkspaceId, request: &AskRequest) -> Result<AskReply, EngineError> {
        answer::check_request(request)?;
        let asked = Asked::at(request.now, request.time_zone.as_deref())?;
        let plan = plan::plan(&request.question, request.plan, &asked);
        let filter = request.filters.compile()?;
        let state = self.state(id, filter, request.min_revision, request.wait_ms)?;
        match plan.kind {
            PlanKind::Retrieval => self.answer_from(id, request, &state, plan, NUM_EVIDENCE),
            PlanKind::Recent | PlanKind::Overview => self.answer_by_files(id, request, state, plan),
        }
    }

    /// The answer from the passages that fit the question best, of all that the state's filter admits.
    pub(super) fn answer_from(
        &self,
        id: &WorkspaceId,
        request: &AskRequest,
        state: &QueryState,
        plan: Plan,
        num_evidence: usize,
    ) -> Result<AskReply, EngineError> {
        let mut search = SearchRequest::new(request.question.clone());
        (search.k, search.explain) = (num_evidence, true);
        search::check_request(&search)?;
        let (found, model) = self.search_in(id, &search, state)?;
        let embedder = model.as_ref().and_then(|model| model.embedder.as_deref().ok());
        let evidence = Evidence { hits: &found.hits, embedder };
        Ok(answer::answer(request, &evidence, plan, found.revision, found.coverage)?)
    }

    /// As [`Engine::answer_from`], about the plan's topic and from these files alone.
    pub(super) fn answer_on_topic(
        &self,
        id: &WorkspaceId,
        request: &AskRequest,
        state: &mut QueryState,
        plan: Plan,
        files: BTreeSet<RelPath>,
    ) -> Result<AskReply, EngineError> {
        let request = AskRequest { question: plan.topic.clone(), ..request.clone() };
        state.filter.only = Some(Arc::new(files));
        self.answer_from(id, &request, state, plan, NUM_EVIDENCE_OF_FILES)
    }
}
