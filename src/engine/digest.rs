//! The answer by files: what is in scope, from the log and the file table, and what is quoted of it, from the index.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::query::QueryState;
use super::{Engine, EngineError};
use crate::answer::digest::{self, Grouped, Touched};
use crate::answer::{
    self, Abstention, Answerer, AskReply, AskRequest, Digest, Evidence, Plan, PlanKind, Sentence, Tell, cite,
};
use crate::extract::Format;
use crate::index::Filter;
use crate::search;
use crate::workspace::{Change, ChangeKind, Facets, FileEntry, Priority, Provenance, RelPath, WorkspaceId};

/// Chunks of a file that its key sentences are chosen from.
const MAX_CHUNKS: usize = 48;
/// Sentences of each file, where a digest quotes more than one file and more than a few.
const SENTENCES_OF_MANY: usize = 2;
/// The same where it quotes a few.
const SENTENCES_OF_FEW: usize = 3;
/// Files that are a few.
const FEW: usize = 5;

impl Engine {
    /// Answers by going through the files that `plan` is about.
    pub(super) fn answer_by_files(
        &self,
        id: &WorkspaceId,
        request: &AskRequest,
        state: QueryState,
        mut plan: Plan,
        tell: Tell<'_>,
    ) -> Result<AskReply, EngineError> {
        let touched = self.touched(id, &state)?;
        let newest = touched.iter().max_by_key(|file| (file.at, std::cmp::Reverse(&file.path)));
        let newest = newest.map(|file| (file.path.clone(), file.at));
        let mut scope = digest::in_scope(touched, &mut plan);
        if scope.is_empty() {
            let newest = newest.as_ref().map(|(path, at)| (path, *at));
            let reason = digest::nothing_in_scope(&plan, newest);
            let reply = AskReply {
                abstention: Some(Abstention::NothingInScope),
                reason: Some(reason),
                ..self.empty_reply(&state, plan)?
            };
            return Ok(AskReply { facets: request.facets.then(Facets::default), ..reply });
        }
        if plan.topic.is_empty() {
            return self.digest_of(id, request, state, plan, Grouped::of(scope), tell);
        }
        let files: HashSet<RelPath> = scope.iter().map(|file| file.path.clone()).collect();
        let is_of_topic = plan.kind == PlanKind::Overview && plan.names.is_empty();
        let mut reply = self.answer_on_topic(id, request, state, plan.clone(), files, tell)?;
        if reply.abstained {
            // Where a time or a name says which files are meant, they are shown, whatever they say on the topic.
            if !is_of_topic {
                let state = self.state(id, &request.filters, request.min_revision, request.wait_ms)?;
                let shown = AskRequest { answerer: Answerer::Extractive, ..request.clone() };
                let files = self.digest_of(id, &shown, state, plan, Grouped::of(scope), tell)?;
                (reply.sentences, reply.citations) = (files.sentences, files.citations);
                (reply.digest, reply.facets) = (files.digest, files.facets);
            }
            return Ok(reply);
        }
        let mut quoted: BTreeMap<RelPath, Vec<usize>> = BTreeMap::new();
        for (position, sentence) in reply.sentences.iter().enumerate() {
            for &citation in &sentence.citations {
                quoted.entry(reply.citations[citation].path.clone()).or_default().push(position);
            }
        }
        if is_of_topic {
            // Without a time or a name, the topic alone says which files the question is about.
            scope.retain(|file| quoted.contains_key(&file.path));
            let num_files = scope.len();
            reply
                .plan
                .notes
                .push(format!("the files in scope are the {num_files} that say most on `{}`", reply.plan.topic));
        }
        let (num_of_summary, files) = (reply.sentences.len(), Grouped::of(scope));
        reply.facets = request.facets.then(|| files.facets());
        reply.digest = Some(Digest { num_of_summary, ..files.into_digest(&quoted, &reply.plan) });
        Ok(reply)
    }

    /// The key sentences of the files of a digest, behind a summary where a language model is to write one.
    fn digest_of(
        &self,
        id: &WorkspaceId,
        request: &AskRequest,
        state: QueryState,
        plan: Plan,
        files: Grouped,
        tell: Tell<'_>,
    ) -> Result<AskReply, EngineError> {
        let mut reply = self.empty_reply(&state, plan)?;
        let to_be_quoted = files.to_be_quoted(request.max_files);
        let num_sentences = match to_be_quoted.len() {
            0 | 1 => request.max_sentences,
            num if num <= FEW => request.max_sentences.min(SENTENCES_OF_FEW),
            _ => request.max_sentences.min(SENTENCES_OF_MANY),
        };
        let (mut key_quotes, mut passages) = (Vec::new(), Vec::new());
        let mut seen = BTreeSet::new();
        for file in to_be_quoted {
            let chunks = match &state.snapshot {
                Some(snapshot) if state.filter.admits_path(file.path.as_str()) => {
                    snapshot.extract_of(&file.path, MAX_CHUNKS)?
                }
                _ => Vec::new(),
            };
            let mut last = None;
            for key in digest::key_sentences(&chunks, num_sentences, &mut seen) {
                let mut hit = search::hit_of(id, &chunks[key.chunk]);
                if file.content_hash == Some(hit.citation.content_hash) {
                    hit.citation.provenance = file.provenance.clone();
                }
                key_quotes.push((file.path.clone(), cite(&hit, key.span)));
                if last.replace(key.chunk) != Some(key.chunk) {
                    passages.push(hit);
                }
            }
        }
        if answer::is_model_asked(request, &self.config.answer) && !passages.is_empty() {
            let model = self.model_for(&state)?;
            // The snapshot is not held while a language model writes.
            drop(state);
            let embedder = model.as_ref().and_then(|model| model.embedder.as_deref().ok());
            let (superseded, newness) = (&HashMap::new(), &HashMap::new());
            let evidence = Evidence { hits: &passages, embedder, section: None, superseded, newness };
            answer::summarize(request, &evidence, &mut reply, &self.config.answer, tell)?;
        }
        let num_of_summary = reply.sentences.len();
        let mut quoted: BTreeMap<RelPath, Vec<usize>> = BTreeMap::new();
        // They were chosen in turn from all groups, and are read group by group.
        let places = files.places();
        key_quotes.sort_by_key(|(path, _)| places.get(path).copied());
        for (path, citation) in key_quotes {
            quoted.entry(path).or_default().push(reply.sentences.len());
            reply.sentences.push(Sentence::supported(citation.quote.clone(), vec![reply.citations.len()]));
            reply.citations.push(citation);
        }
        reply.abstained = false;
        reply.facets = request.facets.then(|| files.facets());
        reply.digest = Some(Digest { num_of_summary, ..files.into_digest(&quoted, &reply.plan) });
        Ok(reply)
    }

    fn empty_reply(&self, state: &QueryState, plan: Plan) -> Result<AskReply, EngineError> {
        Ok(AskReply::abstaining(state.view.settled, self.coverage_of(state, false)?, plan))
    }

    /// All files that the state's filter admits, each with what happened to it last; those that were deleted, too, as long as the log
    /// knows of it.
    fn touched(&self, id: &WorkspaceId, state: &QueryState) -> Result<Vec<Touched>, EngineError> {
        let mut histories: HashMap<RelPath, History> = HashMap::new();
        for (change, priority) in self.store.changes(id)? {
            histories.entry(change.path.clone()).or_default().add(&change, priority);
        }
        // What is replaced in the log is hidden in the index, and in scope all the same: it is listed as pending.
        let filter = Filter { hidden: BTreeSet::new(), ..state.filter.clone() };
        let mut touched = Vec::new();
        let mut there = HashSet::new();
        for file in self.files(id, None)? {
            there.insert(file.on_disk().clone());
            let history = histories.get(file.on_disk()).cloned().unwrap_or_default();
            if admits(&filter, &file.path, file.format.as_deref(), file.modified) {
                touched.push(history.of_file(file));
            }
        }
        // What is deleted is written by nobody: who deleted it counts.
        let filter = Filter { only: None, ..filter };
        for (path, history) in histories {
            let is_admitted = |at| admits(&filter, &path, None, at) && state.provenance.admits(&history.provenance);
            let at = history.deleted.filter(|&at| !there.contains(&path) && is_admitted(at));
            touched.extend(at.map(|at| gone(path, at, history.provenance)));
        }
        Ok(touched)
    }
}

/// What the log says of a file.
#[derive(Debug, Clone, Default)]
struct History {
    newest: Option<ChangeKind>,
    /// When somebody wrote or reported it, or it was seen to change, last.
    seen: Option<Timestamp>,
    /// Whether that is the newest change; otherwise a scan found that it had changed meanwhile.
    is_seen: bool,
    created: Option<Timestamp>,
    /// When it was deleted, if that was the last that happened to it.
    deleted: Option<Timestamp>,
    /// Who made the newest change, as far as that was told.
    provenance: Provenance,
}

impl History {
    /// Adds a change that is newer than those before.
    fn add(&mut self, change: &Change, priority: Priority) {
        self.newest = Some(change.kind);
        // A deletion that a scan finds once more, after it was done, is of who made it.
        let is_echo = self.deleted.is_some() && change.kind == ChangeKind::Deleted && change.provenance.is_empty();
        if !is_echo {
            self.provenance.clone_from(&change.provenance);
        }
        self.is_seen = priority == Priority::Interactive;
        if self.is_seen {
            self.seen = Some(change.at);
        }
        match change.kind {
            ChangeKind::Created => self.created = Some(change.at).filter(|_| self.is_seen),
            ChangeKind::Modified => {}
            ChangeKind::Deleted => self.created = None,
        }
        self.deleted = (change.kind == ChangeKind::Deleted).then_some(change.at);
    }

    fn of_file(self, file: FileEntry) -> Touched {
        // What a scan found has the file's own time: the log's is only when the scan came by.
        let at = match self.seen {
            Some(seen) if self.is_seen => seen,
            seen => seen.map_or(file.modified, |seen| seen.max(file.modified)),
        };
        Touched {
            change: self.newest.unwrap_or(ChangeKind::Created),
            at,
            created: self.created,
            state: Some(file.state),
            reason: file.reason,
            title: file.title,
            content_hash: file.content_hash,
            provenance: file.provenance,
            path: file.path,
        }
    }
}

fn gone(path: RelPath, at: Timestamp, provenance: Provenance) -> Touched {
    let (created, state, reason, title, content_hash) = (None, None, None, None, None);
    Touched { path, change: ChangeKind::Deleted, at, created, state, reason, title, content_hash, provenance }
}

/// Whether a file passes; of one whose type is not known, a condition on types is not met.
pub(super) fn admits(filter: &Filter, path: &RelPath, format: Option<&str>, modified: Timestamp) -> bool {
    let is_of_type = || format.and_then(Format::from_name).is_some_and(|format| filter.admits_format(format));
    filter.admits_path(path.as_str())
        && filter.admits_modified(modified.as_millisecond())
        && (filter.formats.is_none() || is_of_type())
}
