//! A question to a workspace: the plan, the answer from the nearest passages, and who answers. Answers by files are in `digest`.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::coverage::CUT;
use super::query::QueryState;
use super::recording::Told;
use super::{EngineError, Workspace, digest, sections};
use crate::access::Action;
use crate::answer::plan::{self, Moment};
use crate::answer::{
    self, AnswerKind, Answerer, AskEvent, AskReply, AskRequest, Evidence, LanguageError, Plan, PlanKind, Tell,
};
use crate::audit::Shown;
use crate::budget::Budget;
use crate::index::Filter;
use crate::search::{self, Hit, SearchRequest};
use crate::workspace::{Citation, FileState, RelPath};

/// Passages that an answer is chosen from.
const NUM_EVIDENCE: usize = 12;
/// Files that a question may name by a date or number in their paths.
const MAX_NAMED: usize = 60;
/// Passages of evidence for an answer about the files in scope, which quotes some sentences of each.
const NUM_EVIDENCE_OF_FILES: usize = 48;

/// A question on its way to its answer.
pub(super) struct Asking<'a> {
    /// What was asked, checked and without its operators.
    pub request: &'a AskRequest,
    /// What it is answered from.
    pub state: QueryState,
    /// How it is answered.
    pub plan: Plan,
    /// Who hears what happens on the way.
    pub tell: Tell<'a>,
}

impl Workspace<'_> {
    /// Answers a question from a workspace, by sentences that cite its files.
    ///
    /// # Errors
    /// As [`Workspace::search`]; when the time zone is not known; and where a language model is to answer and none is configured.
    pub fn ask(&self, request: &AskRequest) -> Result<AskReply, EngineError> {
        self.ask_streamed(request, &mut |_| true)
    }

    /// Answers a question, and tells on the way what happens. `tell` says whether anybody still waits for the answer; where
    /// nobody does, the language model is not waited for either.
    ///
    /// # Errors
    /// As [`Workspace::ask`]; and where nobody waits any more.
    pub fn ask_streamed(
        &self,
        request: &AskRequest,
        tell: &mut dyn FnMut(AskEvent<'_>) -> bool,
    ) -> Result<AskReply, EngineError> {
        let timeout = request.timeout_ms.map(|timeout_ms| self.engine.time_for(Some(timeout_ms))).transpose()?;
        self.ask_in_time(request, (&Budget::default(), timeout), tell)
    }

    /// Answers as [`Workspace::ask_streamed`] does, for a client: within the configured time where the request says none, and as long
    /// as `budget` is not cancelled.
    ///
    /// # Errors
    /// As [`Workspace::ask_streamed`]; [`EngineError::Cancelled`].
    pub fn ask_within(
        &self,
        request: &AskRequest,
        budget: &Budget,
        tell: &mut dyn FnMut(AskEvent<'_>) -> bool,
    ) -> Result<AskReply, EngineError> {
        let timeout = self.engine.time_for(request.timeout_ms)?;
        self.ask_in_time(request, (budget, Some(timeout)), &mut |event| tell(event) && !budget.is_cancelled())
    }

    /// Answers as [`Workspace::ask_within`] does, for a client that is shown the passages, too, that the answer is made from.
    ///
    /// # Errors
    /// As [`Workspace::ask_within`].
    pub fn ask_showing(
        &self,
        request: &AskRequest,
        budget: &Budget,
        tell: &mut dyn FnMut(AskEvent<'_>) -> bool,
    ) -> Result<AskReply, EngineError> {
        self.recorded(Action::Ask, Told::asked(&request.question), |told| {
            let mut passages = Vec::new();
            let asked = self.ask_within(request, budget, &mut |event| {
                match &event {
                    AskEvent::Passages(cited) => passages.extend(cited.iter().map(|&citation| Shown::from(citation))),
                    AskEvent::Sentence { sentence, citations } => {
                        let cited = sentence.citations.iter().filter_map(|&at| citations.get(at));
                        passages.extend(cited.map(Shown::from));
                    }
                    AskEvent::Waiting | AskEvent::Delta(_) | AskEvent::Fallback(_) => {}
                }
                tell(event)
            });
            // The client has seen them also where no answer came of them.
            told.shown.append(&mut passages);
            let reply = asked?;
            is_shown(&reply, told);
            Ok(reply)
        })
    }

    fn ask_in_time(
        &self,
        request: &AskRequest,
        budget: (&Budget, Option<Duration>),
        tell: Tell<'_>,
    ) -> Result<AskReply, EngineError> {
        self.recorded(Action::Ask, Told::asked(&request.question), |told| {
            let reply = self.ask_unrecorded(request, budget, tell)?;
            is_shown(&reply, told);
            Ok(reply)
        })
    }

    fn ask_unrecorded(
        &self,
        request: &AskRequest,
        (budget, timeout): (&Budget, Option<Duration>),
        tell: Tell<'_>,
    ) -> Result<AskReply, EngineError> {
        answer::check_request(request)?;
        search::check_size(&request.question, &self.engine.data.config.limits)?;
        answer::check_answerer(request, &self.engine.data.config.answer)?;
        let (question, filters, notes) =
            search::read_question(&request.question, &request.filters, self.engine.data.patterns());
        let request = &AskRequest { question, filters, ..request.clone() };
        let moment = Moment::at(request.now, request.time_zone.as_deref())?;
        let plan = plan::plan(&request.question, request.plan, &moment);
        let state = self.state(&request.filters, request.min_revision, request.wait_ms)?;
        let budget = timeout.map_or_else(|| budget.clone(), |timeout| budget.lasting(timeout));
        let state = state.within(&budget);
        state.check_wanted()?;
        let plan = self.settled(&state, plan)?;
        let filter = state.filter.clone();
        let asking = Asking { request, state, plan, tell: &mut *tell };
        let mut reply = match asking.plan.kind {
            PlanKind::Recent | PlanKind::Overview => self.answer_by_files(asking)?,
            PlanKind::List | PlanKind::Count => match self.answer_by_listing(&asking)? {
                // Some of what was to be counted was not read.
                Some(reply) if !budget.was_cut() => reply,
                _ => self.answer_from(asking, NUM_EVIDENCE)?,
            },
            _ => self.answer_from(asking, NUM_EVIDENCE)?,
        };
        if budget.is_cancelled() {
            return Err(EngineError::Cancelled);
        }
        reply.plan.notes.splice(0..0, notes);
        reply.partial = budget.was_cut();
        if reply.partial && !reply.coverage.notes.iter().any(|note| note == CUT) {
            reply.coverage.notes.push(CUT.to_owned());
        }
        if reply.abstained {
            self.tell_what_was_searched(&filter, &mut reply)?;
        }
        if reply.answered_by.kind == AnswerKind::Model && !self.still_stand(&reply.citations)? {
            return self.ask_again(request, reply, tell);
        }
        Ok(reply)
    }

    /// Adds to the reason why there is no answer how many of the files in scope were searched: it may be in the others.
    fn tell_what_was_searched(&self, filter: &Filter, reply: &mut AskReply) -> Result<(), EngineError> {
        // What waits to be read again is hidden, and in scope all the same.
        let filter = Filter { hidden: BTreeSet::new(), ..filter.clone() };
        let (mut num_files, mut num_searched) = (0_usize, 0_usize);
        for file in self.all_files_while(&|| true)?.iter() {
            if !digest::admits(&filter, &file.path, file.format.as_deref(), file.modified) {
                continue;
            }
            num_files += 1;
            num_searched += usize::from(matches!(file.state, FileState::Ready | FileState::Partial));
            let is_unread = matches!(
                file.state,
                FileState::Pending | FileState::Failed | FileState::Partial | FileState::Unsupported
            );
            reply.num_unread += usize::from(is_unread);
        }
        let unread = match reply.num_unread {
            0 => String::new(),
            unread => format!(", and {unread} could not be, or not all of them: the answer may be in them"),
        };
        let reason = reply.reason.take().unwrap_or_default();
        reply.reason = Some(format!("{reason}; {num_searched} of {num_files} files in scope were searched{unread}"));
        Ok(())
    }

    /// The answer from the passages that fit the question best, of all that the state's filter admits.
    pub(super) fn answer_from(&self, mut asking: Asking<'_>, num_evidence: usize) -> Result<AskReply, EngineError> {
        let (id, request) = (&self.id, asking.request);
        let mut search = SearchRequest::new(request.question.clone());
        (search.k, search.explain, search.facets) = (num_evidence, true, request.facets);
        search.every_passage = true;
        search::check_request(&search)?;
        let (mut found, model) = self.search_in(&search, &asking.state)?;
        let named = self.files_named_in(request, &asking.state)?;
        if !named.is_empty() {
            let of_named = self.search_only_in(named, &search, &mut asking.state)?;
            found.hits = with_named(of_named, found.hits, num_evidence);
        }
        asking.state.check_wanted()?;
        let of_tables = self.answer_from_tables(&asking, &found.hits)?;
        if let Some(reply) = of_tables.filter(|_| !asking.state.budget.was_cut()) {
            return Ok(AskReply { facets: found.facets, ..reply });
        }
        let Asking { mut state, plan, tell, .. } = asking;
        let versions = self.versions_of(&search, &mut state, &plan, &mut found.hits)?;
        let section = sections::section_named_in(id, &request.question, &state)?;
        let section = section.map(|(heading, hits)| {
            found.hits = with_named(hits, std::mem::take(&mut found.hits), num_evidence);
            (found.hits[0].citation.path.clone(), heading)
        });
        let budget = state.budget.clone();
        // The snapshot is not held while a language model writes.
        drop(state);
        let embedder = model.as_ref().and_then(|model| model.embedder.as_deref().ok());
        let (superseded, newness) = (&versions.superseded, &versions.newness);
        let section = section.as_ref().map(|(path, heading)| (path, heading.as_str()));
        let evidence = Evidence { hits: &found.hits, embedder, section, superseded, newness, budget: &budget };
        let reply = AskReply { facets: found.facets, ..AskReply::abstaining(found.revision, found.coverage, plan) };
        Ok(answer::respond(request, &evidence, reply, &self.engine.data.config.answer, tell)?)
    }

    /// Files whose path or title has a date, number or identifier of the question: `What failed on 9 October?` asks of
    /// `2026-10-09-incident.md`.
    fn files_named_in(&self, request: &AskRequest, state: &QueryState) -> Result<HashSet<RelPath>, EngineError> {
        let named = answer::NamedThings::of(&request.question);
        if named.is_empty() {
            return Ok(HashSet::new());
        }
        let files = self.all_files_while(&|| !state.budget.is_over())?;
        let files = files.iter().filter(|file| file.num_chunks > 0 && state.filter.admits_path(file.path.as_str()));
        let best = named.best(files.map(|file| (&file.path, file.title.as_deref())));
        Ok(if best.len() > MAX_NAMED { HashSet::new() } else { best })
    }

    /// As [`Workspace::answer_from`], about the plan's topic and from these files alone.
    pub(super) fn answer_on_topic(&self, asking: Asking<'_>, files: HashSet<RelPath>) -> Result<AskReply, EngineError> {
        let Asking { request, mut state, plan, tell } = asking;
        let request = AskRequest { question: plan.topic.clone(), ..request.clone() };
        // What is in scope has passed the filter on writers.
        state.filter.only = Some(Arc::new(files));
        self.answer_from(Asking { request: &request, state, plan, tell: &mut *tell }, NUM_EVIDENCE_OF_FILES)
    }

    /// Whether cited files are as they were when they were found. A model writes for seconds, and what was deleted or
    /// overwritten meanwhile is not to be shown.
    fn still_stand(&self, citations: &[Citation]) -> Result<bool, EngineError> {
        let id = &self.id;
        let shown = Filter { hidden: self.engine.data.view(id)?.superseded.clone(), ..Filter::default() };
        let contents = citations.iter().map(|citation| (citation.path.clone(), citation.content_hash)).collect();
        Ok(citations.iter().all(|citation| shown.admits_path(citation.path.as_str()))
            && self.engine.data.store.not_live(id, contents)?.is_empty())
    }

    /// The extractive answer from the files as they are now, in place of one of the model that they have left behind.
    fn ask_again(
        &self,
        request: &AskRequest,
        outdated: AskReply,
        tell: &mut dyn FnMut(AskEvent<'_>) -> bool,
    ) -> Result<AskReply, EngineError> {
        let reason = "a file that its answer cites was changed meanwhile".to_owned();
        if !tell(AskEvent::Fallback(&reason)) {
            return Err(LanguageError::Stopped.into());
        }
        let extractive = AskRequest { answerer: Answerer::Extractive, ..request.clone() };
        let mut reply = self.ask_streamed(&extractive, tell)?;
        (reply.answered_by.model, reply.answered_by.fallback) = (outdated.answered_by.model, Some(reason));
        Ok(reply)
    }
}

/// What an answer shows of files.
fn is_shown(reply: &AskReply, told: &mut Told) {
    told.revision = Some(reply.revision);
    told.shows(reply.citations.iter().chain(reply.nearest.iter().map(|nearest| &nearest.citation)));
}

/// Passages of files that the question names and the best ones of all files: half of them the former, which come first.
fn with_named(named: Vec<Hit>, all: Vec<Hit>, limit: usize) -> Vec<Hit> {
    let is_same = |one: &Hit, other: &Hit| {
        one.citation.path == other.citation.path && one.citation.span.start == other.citation.span.start
    };
    let mut named = named.into_iter();
    let mut hits: Vec<Hit> = named.by_ref().take(limit / 2).collect();
    for hit in all.into_iter().chain(named) {
        if hits.len() < limit && !hits.iter().any(|other| is_same(other, &hit)) {
            hits.push(hit);
        }
    }
    hits
}
