//! What a query is answered from: one state of the log, then one of the index.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::coverage::CUT;
use super::recording::Told;
use super::versions::{self, NUM_FOR_CURRENT};
use super::{Engine, EngineError, Workspace};
use crate::access::{AccessError, Action};
use crate::budget::Budget;
use crate::data_folder::View;
use crate::embed::OpenModel;
use crate::index::{Filter, IndexError, Snapshot};
use crate::search::{
    self, Compiled, Coverage, Filters, Found, Hit, MAX_K, Mode, Models, PathGlobs, SearchReply, SearchRequest,
};
use crate::workspace::{Provenance, ProvenanceFilter, RelPath, Revision, Scope};

/// Hits that are found besides those that are asked for where writers are.
const NUM_SPARE: usize = 10;
/// How often a waiting query looks again.
const WAIT_STEP: Duration = Duration::from_millis(10);

/// The state of a workspace that a query is answered from.
pub(super) struct QueryState {
    pub view: Arc<View>,
    pub snapshot: Option<Box<dyn Snapshot>>,
    pub filter: Filter,
    /// What `filter` has decided of the writers of files.
    pub provenance: Writers,
    /// What `filter` has decided of the paths of files that the workspace has.
    pub globs: PathGlobs,
    /// The model that the index is of, where there is one.
    model_id: Option<String>,
    /// The time of the query.
    pub budget: Budget,
}

impl QueryState {
    /// The same state, whose reads end when the time is over.
    pub(super) fn within(mut self, budget: &Budget) -> Self {
        if let Some(snapshot) = &mut self.snapshot {
            snapshot.limit(budget);
        }
        self.budget = budget.clone();
        self
    }

    /// # Errors
    /// [`EngineError::Cancelled`] where nobody waits any more.
    pub(super) fn check_wanted(&self) -> Result<(), EngineError> {
        if self.budget.is_cancelled() { Err(EngineError::Cancelled) } else { Ok(()) }
    }
}

/// Conditions on the writers of files, all of them.
pub(super) struct Writers(Vec<ProvenanceFilter>);

impl Writers {
    fn of(filters: &Filters) -> Result<Self, EngineError> {
        let filters = filters.each().map(Filters::provenance).collect::<Result<Vec<_>, _>>()?;
        Ok(Self(filters.into_iter().filter(|filter| !filter.is_open()).collect()))
    }

    /// Whether every file passes, also one of which nothing is known.
    pub(super) const fn is_open(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a file of this provenance passes.
    pub(super) fn admits(&self, provenance: &Provenance) -> bool {
        self.0.iter().all(|filter| filter.admits(provenance))
    }
}

impl Engine {
    /// How long a request may take that asks for this time.
    pub(super) fn time_for(&self, timeout_ms: Option<u64>) -> Result<Duration, EngineError> {
        let most = self.data.config.limits.query_ms;
        match timeout_ms {
            Some(asked) if asked == 0 || asked > most => Err(EngineError::TimeoutTooLong { asked, most }),
            asked => Ok(Duration::from_millis(asked.unwrap_or(most))),
        }
    }

    /// The model to ask an index with: its own, or the configured one where there is no index. `None` where its own cannot be
    /// opened any more.
    pub(super) fn model_for(&self, state: &QueryState) -> Result<Option<Arc<OpenModel>>, EngineError> {
        match &state.model_id {
            Some(model_id) => self.data.model_of(model_id),
            None => Ok(Some(Arc::clone(self.data.model()?))),
        }
    }
}

impl Workspace<'_> {
    /// Searches a workspace. The query may have operators: `docs/query-language.md`.
    ///
    /// # Errors
    /// When the request cannot be, the workspace is unknown, the state is not as new as was asked for, or the index
    /// cannot be read.
    pub fn search(&self, request: &SearchRequest) -> Result<SearchReply, EngineError> {
        let timeout = request.timeout_ms.map(|timeout_ms| self.engine.time_for(Some(timeout_ms))).transpose()?;
        self.search_in_time(request, &Budget::default(), timeout)
    }

    /// Searches as [`Workspace::search`] does, for a client: within the configured time where the request says none, and as long as
    /// `budget` is not cancelled. What was found when the time is over is the reply.
    ///
    /// # Errors
    /// As [`Workspace::search`]; [`EngineError::Cancelled`].
    pub fn search_within(&self, request: &SearchRequest, budget: &Budget) -> Result<SearchReply, EngineError> {
        let timeout = self.engine.time_for(request.timeout_ms)?;
        self.search_in_time(request, budget, Some(timeout))
    }

    fn search_in_time(
        &self,
        request: &SearchRequest,
        budget: &Budget,
        timeout: Option<Duration>,
    ) -> Result<SearchReply, EngineError> {
        self.recorded(Action::Search, Told::asked(&request.query), |told| {
            let reply = self.search_unrecorded(request, budget, timeout)?;
            told.revision = Some(reply.revision);
            told.shows(reply.hits.iter().flat_map(Hit::places));
            Ok(reply)
        })
    }

    fn search_unrecorded(
        &self,
        request: &SearchRequest,
        budget: &Budget,
        timeout: Option<Duration>,
    ) -> Result<SearchReply, EngineError> {
        search::check_request(request)?;
        search::check_size(&request.query, &self.engine.data.config.limits)?;
        let mut asked = search::read_search(request, self.engine.data.patterns());
        let state = self.state(&asked.request.filters, asked.request.min_revision, asked.request.wait_ms)?;
        // What was waited for a revision does not count.
        let budget = timeout.map_or_else(|| budget.clone(), |timeout| budget.lasting(timeout));
        let mut state = state.within(&budget);
        state.check_wanted()?;
        if let Some(snapshot) = &state.snapshot {
            let model = if asked.request.mode == Mode::Lexical { None } else { self.engine.model_for(&state)? };
            let is_word = |word: &str| model.as_ref().is_some_and(|model| model.tokens.num_tokens(word) == 1);
            state.filter = search::fit(&mut asked, &**snapshot, state.filter, &is_word)?;
        }
        if asked.request.query.is_empty() {
            // Nothing is there to rank by, for a model either.
            asked.request.mode = Mode::Lexical;
        }
        let SearchRequest { offset, k, .. } = *request;
        let is_for_current = versions::asks_for_current(&asked.request.query);
        let num_wanted = if is_for_current { NUM_FOR_CURRENT.max(offset + k) } else { offset + k };
        // Hits of files that get another writer meanwhile are left out: others are to take their places.
        let num_wanted = if state.provenance.is_open() { num_wanted } else { num_wanted + NUM_SPARE };
        (asked.request.offset, asked.request.k) = (0, num_wanted);
        let (mut reply, _) = self.search_in(&asked.request, &state)?;
        self.mark_superseded(&asked.request.query, &state, &mut reply.hits)?;
        state.check_wanted()?;
        let may_go_on = reply.hits.len() >= offset + k && offset + k < MAX_K;
        reply.hits.truncate(offset + k);
        reply.next_offset = may_go_on.then_some(offset + k);
        reply.hits.drain(..offset.min(reply.hits.len()));
        Ok(SearchReply { notes: asked.notes, ..reply })
    }

    /// A search, and the model that it was made with.
    pub(super) fn search_in(
        &self,
        request: &SearchRequest,
        state: &QueryState,
    ) -> Result<(SearchReply, Option<Arc<OpenModel>>), EngineError> {
        let id = &self.id;
        let model = if request.mode == Mode::Lexical { None } else { self.engine.model_for(state)? };
        let embedder = model.as_ref().and_then(|model| model.embedder.as_deref().ok());
        let mut found = match &state.snapshot {
            None => Found { hits: Vec::new(), candidates: BTreeSet::new(), not_reranked: None },
            Some(snapshot) => {
                let reranker = if request.mode == Mode::Hybrid { self.engine.data.reranker() } else { None };
                let (reranker, unusable) = match reranker {
                    None => (None, None),
                    Some(Ok(reranker)) => (Some(reranker), None),
                    Some(Err(error)) => (None, Some(error.to_string())),
                };
                let (models, ranking) = (Models { embedder, reranker }, &self.engine.data.config.ranking);
                let found = search::search(id, &**snapshot, models, ranking, request, &state.filter)?;
                Found { not_reranked: unusable.or(found.not_reranked), ..found }
            }
        };
        let mut coverage = self.coverage_of(state, request.mode != Mode::Lexical)?;
        if let Some(reason) = found.not_reranked.take() {
            self.engine.data.models.warn_of_reranker(&reason);
            coverage.notes.push(self.engine.data.without_folders(format!("not reranked: {reason}")));
        }
        let (hits, facets) = self.attribute(found, state)?;
        let facets = request.facets.then_some(facets);
        let partial = state.budget.was_cut();
        if partial {
            coverage.notes.push(CUT.to_owned());
        }
        let (revision, notes, next_offset) = (state.view.settled, Vec::new(), None);
        Ok((SearchReply { revision, coverage, partial, notes, hits, next_offset, facets }, model))
    }

    /// The passages that a search finds in some files alone.
    pub(super) fn search_only_in(
        &self,
        files: HashSet<RelPath>,
        request: &SearchRequest,
        state: &mut QueryState,
    ) -> Result<Vec<Hit>, EngineError> {
        let filter = Filter { only: Some(Arc::new(files)), ..state.filter.clone() };
        let whole = std::mem::replace(&mut state.filter, filter);
        let found = self.search_in(request, state);
        state.filter = whole;
        Ok(found?.0.hits)
    }

    /// What a query of the workspace would see now.
    ///
    /// # Errors
    /// When the workspace is unknown or its index cannot be read.
    pub fn coverage(&self) -> Result<Coverage, EngineError> {
        if ![Scope::FilesRead, Scope::Search, Scope::Ask].into_iter().any(|scope| self.caller.may(scope)) {
            return Err(AccessError::InsufficientScope { missing: vec![Scope::FilesRead] }.into());
        }
        let state = self.state(&Filters::default(), None, 0)?;
        self.coverage_of(&state, true)
    }

    /// The newest revision up to which nothing is pending, and how many files have a change that is.
    ///
    /// # Errors
    /// When the workspace is unknown.
    pub fn freshness(&self) -> Result<(Revision, u64), EngineError> {
        let view = self.engine.data.view(&self.id)?;
        Ok((view.settled, self.counts(&view)?.pending))
    }

    /// What a query is answered from, when it is new enough: when it holds everything that was written or reported up to
    /// `min_revision`. Changes that a scan found do not hold it up; the coverage counts those that are pending.
    pub(super) fn state(
        &self,
        filters: &Filters,
        min_revision: Option<Revision>,
        wait_ms: u64,
    ) -> Result<QueryState, EngineError> {
        let id = &self.id;
        search::check_wait(wait_ms)?;
        let provenance = Writers::of(filters)?;
        let Compiled { mut filter, globs } = self.compile(filters)?;
        let now = Instant::now();
        self.engine.scheduler.note_query(now);
        let deadline = now + Duration::from_millis(wait_ms);
        if let Some(wanted) = min_revision {
            self.engine.data.store.workspace(id)?;
            while !self.engine.data.store.has_reached(id, wanted)? {
                if Instant::now() >= deadline {
                    return Err(EngineError::NotFresh { wanted, has: self.engine.data.view(&self.id)?.settled });
                }
                std::thread::sleep(WAIT_STEP);
            }
        }
        loop {
            // The store first: what it calls done is in every snapshot that is taken after.
            let view = self.engine.data.view(&self.id)?;
            filter.hidden.clone_from(&view.superseded);
            filter.matching = self.engine.data.matching(id, &view, &globs)?;
            filter.only = None;
            for writers in &provenance.0 {
                let files = self.written_by(&view, writers)?;
                filter = filter.and(Filter { only: files, ..Filter::default() });
            }
            for condition in filters.each().filter_map(|filters| filters.condition.as_ref()) {
                let matching = Some(self.files_that_meet(condition)?);
                filter = filter.and(Filter { matching, ..Filter::default() });
            }
            let opened = if view.intelligence {
                self.engine.data.index(id, view.epoch)
            } else {
                Err(IndexError::Missing.into())
            };
            let opened = opened.and_then(|index| Ok((index.snapshot()?, index.model_id().to_owned())));
            let (snapshot, model_id) = match opened {
                Ok((snapshot, model_id)) => (Some(snapshot), Some(model_id)),
                // Another index has taken over, and the files of the former one may be gone.
                Err(_) if self.engine.data.store.workspace(id)?.epoch != view.epoch => continue,
                // A workspace of which nothing was read yet, or nothing is to be found any more, is empty, not broken.
                Err(EngineError::Index(IndexError::Missing))
                    if view.counts.ready + view.counts.partial == 0 || !view.intelligence =>
                {
                    (None, None)
                }
                Err(error) => return Err(error),
            };
            return Ok(QueryState { view, snapshot, filter, provenance, globs, model_id, budget: Budget::default() });
        }
    }
}
