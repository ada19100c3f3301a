//! What a query is answered from: one state of the log, then one of the index.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::versions::{self, NUM_FOR_CURRENT};
use super::{Engine, EngineError, Workspace};
use crate::budget::Budget;
use crate::data_folder::View;
use crate::embed::OpenModel;
use crate::index::{Counts, Filter, IndexError, Languages, Snapshot};
use crate::search::{self, Coverage, Filters, Found, MAX_K, Mode, Models, SKIPPED, SearchReply, SearchRequest, UNREAD};
use crate::workspace::{FileCounts, Provenance, ProvenanceFilter, Revision};

/// What coverage says of a reply that is partial.
pub(super) const CUT: &str =
    "the time was over (`timeout_ms`) before everything was searched: there may be more, and better";
/// Hits that are found besides those that are asked for where writers are.
const NUM_SPARE: usize = 10;
/// How often a waiting query looks again.
const WAIT_STEP: Duration = Duration::from_millis(10);

pub(super) struct QueryState {
    pub view: Arc<View>,
    pub snapshot: Option<Box<dyn Snapshot>>,
    pub filter: Filter,
    /// What `filter` has decided of the writers of files.
    pub provenance: Writers,
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

    pub(super) fn coverage_of(&self, state: &QueryState, wants_vectors: bool) -> Result<Coverage, EngineError> {
        let (counts, languages) = match &state.snapshot {
            Some(snapshot) => (snapshot.counts()?, snapshot.languages()?),
            None => (Counts::default(), Languages::new()),
        };
        let Counts { num_chunks, num_embedded, num_by_words } = counts;
        let num_wanted = num_chunks - num_by_words;
        let embedded_fraction = if num_wanted == 0 { 1.0 } else { num_embedded as f64 / num_wanted as f64 };
        let mut notes = Vec::new();
        let model = if wants_vectors { Some(self.model_for(state)?) } else { None };
        match model.as_ref().map(|model| model.as_ref().map(|model| &model.embedder)) {
            Some(None) => notes.push(
                "searched by words alone: the index was made with another model than the configured one, and that model cannot be opened any \
                 more; the process that indexes builds a new index"
                    .to_owned(),
            ),
            Some(Some(Err(error))) => notes.push(format!("searched by words alone: {error}")),
            Some(Some(Ok(_))) => {
                if counts.num_missing() > 0 {
                    notes.push(format!(
                        "{} of {num_wanted} chunks are not embedded yet and were searched by words alone",
                        counts.num_missing()
                    ));
                }
                notes.extend(foreign_note(num_chunks, &languages));
            }
            None => {}
        }
        if !state.view.intelligence {
            notes.push("the workspace's intelligence is off: files are listed, and nothing is found".to_owned());
        }
        notes.extend(self.source_notes(&state.view.source));
        for note in notes.iter_mut().filter(|note| note.contains('/')) {
            *note = self.data.without_folders(std::mem::take(note));
        }
        let FileCounts { pending, failed, partial, unsupported, .. } = state.view.counts;
        let mut note = |num_files: u64, one: &str, more: &str| match num_files {
            0 => {}
            1 => notes.push(format!("1 file {one}")),
            _ => notes.push(format!("{num_files} files {more}")),
        };
        note(pending, "has a change that is not searchable yet", "have changes that are not searchable yet");
        for (num_files, (one, more)) in [failed, partial, unsupported].into_iter().zip(UNREAD) {
            note(num_files, one, more);
        }
        match state.view.source.passed_over.len() {
            0 => {}
            1 => notes.push(format!("1 file, folder or ignore rule was {SKIPPED}")),
            num => notes.push(format!("{num} files, folders or ignore rules were {SKIPPED}")),
        }
        Ok(Coverage { files: state.view.counts, embedded_fraction, notes })
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
        let mut coverage = self.engine.coverage_of(state, request.mode != Mode::Lexical)?;
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

    /// What a query of the workspace would see now.
    ///
    /// # Errors
    /// When the workspace is unknown or its index cannot be read.
    pub fn coverage(&self) -> Result<Coverage, EngineError> {
        let state = self.state(&Filters::default(), None, 0)?;
        self.engine.coverage_of(&state, true)
    }

    /// The newest revision up to which nothing is pending, and how many files have a change that is.
    ///
    /// # Errors
    /// When the workspace is unknown.
    pub fn freshness(&self) -> Result<(Revision, u64), EngineError> {
        let view = self.engine.data.view(&self.id)?;
        Ok((view.settled, view.counts.pending))
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
        let (mut filter, provenance) = (filters.compile(self.engine.data.patterns())?, Writers::of(filters)?);
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
            filter.only = None;
            for writers in &provenance.0 {
                let files = self.written_by(&view, writers)?;
                filter = filter.and(Filter { only: files, ..Filter::default() });
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
            return Ok(QueryState { view, snapshot, filter, provenance, model_id, budget: Budget::default() });
        }
    }
}

/// What is to be said of chunks in languages that the model does not know.
fn foreign_note(num_chunks: usize, languages: &Languages) -> Option<String> {
    let foreign = languages.iter().filter(|(_, counts)| counts.num_by_words > 0);
    let named: Vec<String> = foreign
        .clone()
        .map(|(language, counts)| {
            let code = language.map_or_else(|| "unknown".to_owned(), String::from);
            format!("{code} {}", counts.num_by_words)
        })
        .collect();
    let num: usize = foreign.map(|(_, counts)| counts.num_by_words).sum();
    (num > 0).then(|| {
        format!(
            "{num} of {num_chunks} chunks are in languages that the model does not know ({}) and were searched by words alone; \
             `pincite models list` names models that know them",
            named.join(", ")
        )
    })
}
