//! The answer by files: what is in scope, from the log and the file table, and what is quoted of it, from the index.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::ask::Asking;
use super::query::QueryState;
use super::{EngineError, Workspace};
use crate::answer::digest::about::{self, Before, Of};
use crate::answer::digest::{self, Composed, Formers, Grouped, History, KeySentence, Shown, Touched};
use crate::answer::{
    self, Abstention, Answerer, AskReply, AskRequest, Digest, Evidence, Plan, PlanKind, Sentence, cite,
};
use crate::extract::Format;
use crate::index::{ChunkRecord, Filter};
use crate::search::{self, Hit};
use crate::workspace::{Citation, Facets, RelPath, WorkspaceId};

/// Chunks of a file that its key sentences are chosen from.
const MAX_CHUNKS: usize = 48;
/// Chunks of a file of data, a log or code that the line about it is computed from.
const MAX_CHUNKS_OF_DATA: usize = 1_024;
/// Chunks beyond those for key sentences that one digest reads.
const MAX_CHUNKS_IN_ALL: usize = 4_096;
/// Sentences at the beginning of the file that tells of all others.
const SENTENCES_OF_README: usize = 3;
/// Sentences of each file, where a digest quotes more than one file and more than a few.
const SENTENCES_OF_MANY: usize = 2;
/// The same where it quotes a few.
const SENTENCES_OF_FEW: usize = 3;
/// Files that are a few.
const FEW: usize = 5;

impl Workspace<'_> {
    /// The plan as it is, where the workspace knows whom the question names; else the one of a question that names nobody.
    pub(super) fn settled(&self, state: &QueryState, mut plan: Plan) -> Result<Plan, EngineError> {
        let (Some(subject), Some(otherwise)) = (&plan.subject, plan.otherwise.take()) else { return Ok(plan) };
        let is_known = digest::is_known(&self.touched(state)?, subject);
        Ok(if is_known { plan } else { *otherwise })
    }

    /// Answers by going through the files that `plan` is about.
    pub(super) fn answer_by_files(&self, asking: Asking<'_>) -> Result<AskReply, EngineError> {
        let Asking { request, state, mut plan, tell } = asking;
        let touched = self.touched(&state)?;
        state.check_wanted()?;
        let budget = state.budget.clone();
        let newest = touched.iter().max_by_key(|file| (file.at, std::cmp::Reverse(&file.path)));
        let newest = newest.map(|file| (file.path.clone(), file.at));
        let formers = Formers::of(&touched);
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
            let files = Grouped::of(scope, &plan);
            return self.digest_of(Asking { request, state, plan, tell }, files, &formers);
        }
        let files: HashSet<RelPath> = scope.iter().map(|file| file.path.clone()).collect();
        let is_of_topic = plan.kind == PlanKind::Overview && plan.names.is_empty();
        let mut reply = self.answer_on_topic(Asking { request, state, plan: plan.clone(), tell: &mut *tell }, files)?;
        if reply.abstained {
            // Where a time or a name says which files are meant, they are shown, whatever they say on the topic.
            if !is_of_topic {
                let state = self.state(&request.filters, request.min_revision, request.wait_ms)?;
                let state = state.within(&budget);
                let shown = AskRequest { answerer: Answerer::Extractive, ..request.clone() };
                let grouped = Grouped::of(scope, &plan);
                let files = self.digest_of(Asking { request: &shown, state, plan, tell }, grouped, &formers)?;
                (reply.sentences, reply.citations) = (files.sentences, files.citations);
                (reply.digest, reply.facets) = (files.digest, files.facets);
            }
            return Ok(reply);
        }
        let mut quoted: BTreeMap<RelPath, Shown> = BTreeMap::new();
        for (position, sentence) in reply.sentences.iter().enumerate() {
            for &citation in &sentence.citations {
                quoted.entry(reply.citations[citation].path.clone()).or_default().sentences.push(position);
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
        let (num_of_summary, files) = (reply.sentences.len(), Grouped::of(scope, &reply.plan));
        reply.facets = request.facets.then(|| files.facets());
        reply.digest = Some(Digest { num_of_summary, ..files.into_digest(&quoted, &reply.plan) });
        Ok(reply)
    }

    /// The key sentences of the files of a digest and the lines about those of data, behind a summary where a language model is to
    /// write one.
    fn digest_of(&self, asking: Asking<'_>, files: Grouped, formers: &Formers) -> Result<AskReply, EngineError> {
        let (id, data) = (&self.id, &self.engine.data);
        let Asking { request, state, plan, tell } = asking;
        let mut reply = self.empty_reply(&state, plan)?;
        let to_be_quoted = files.to_be_quoted(request.max_files);
        let num_sentences = match to_be_quoted.len() {
            0 | 1 => request.max_sentences,
            num if num <= FEW => request.max_sentences.min(SENTENCES_OF_FEW),
            _ if reply.plan.kind == PlanKind::Overview => request.max_sentences.min(1),
            _ => request.max_sentences.min(SENTENCES_OF_MANY),
        };
        let readme = files.readme().map(|file| file.path.clone());
        let mut reader = Reader { workspace: id, state: &state, room: MAX_CHUNKS_IN_ALL };
        let (mut told, mut passages) = (Vec::new(), Vec::new());
        let mut seen = BTreeSet::new();
        let in_time = to_be_quoted.into_iter().take_while(|_| !state.budget.is_over());
        let read = in_time.map(|file| Ok((file, reader.read(file, formers)?)));
        let read = read.collect::<Result<Vec<(&Touched, Read)>, EngineError>>()?;
        let prose =
            read.iter().filter(|(_, read)| read.chunks.first().is_some_and(|chunk| !about::is_told(chunk.file.format)));
        let common = digest::common_sentences(prose.map(|(_, read)| &read.chunks[..]));
        for (file, Read { chunks, former }) in read {
            let before = former.as_ref().map(|(path, chunks)| Before { path, chunks });
            let line = about::line(&chunks, before);
            let keys = match &line {
                Some(line) => line.sentences.iter().copied().take(num_sentences).collect(),
                None if readme.as_ref() == Some(&file.path) => {
                    digest::first_sentences(&chunks, request.max_sentences.min(SENTENCES_OF_README), &mut seen)
                }
                None => digest::key_sentences(&chunks, num_sentences, &common, &mut seen),
            };
            let mut passage_of = None;
            for at in keys.iter().chain(line.iter().filter_map(|line| line.places.first()).map(|(_, at)| at)) {
                if passage_of.replace(at.chunk) != Some(at.chunk) && at.chunk < chunks.len() {
                    passages.push(reader.hit(file, &chunks[at.chunk]));
                }
            }
            let sentences: Vec<Citation> = keys.iter().map(|at| reader.cite(file, &chunks, *at)).collect();
            let line = line.map(|line| {
                let places = line.places.iter().filter_map(|(of, at)| match (of, &former) {
                    (Of::File, _) => Some(reader.cite(file, &chunks, *at)),
                    (Of::Former, Some((_, chunks))) => Some(cite(&search::hit_of(id, &chunks[at.chunk]), at.span)),
                    (Of::Former, None) => None,
                });
                (line.text, places.collect::<Vec<Citation>>())
            });
            if line.is_some() || !sentences.is_empty() {
                told.push((file.path.clone(), sentences, line));
            }
        }
        if answer::is_model_asked(request, &data.config.answer) && !passages.is_empty() {
            let (model, budget) = (self.engine.model_for(&state)?, state.budget.clone());
            // The snapshot is not held while a language model writes.
            drop(state);
            let embedder = model.as_ref().and_then(|model| model.embedder.as_deref().ok());
            let (superseded, newness) = (&HashMap::new(), &HashMap::new());
            let evidence = Evidence { hits: &passages, embedder, section: None, superseded, newness, budget: &budget };
            answer::summarize(request, &evidence, &mut reply, &data.config.answer, tell)?;
        }
        let num_of_summary = reply.sentences.len();
        let mut shown: BTreeMap<RelPath, Shown> = BTreeMap::new();
        // They were chosen in turn from all groups, and are read group by group.
        let places = files.places();
        told.sort_by_key(|(path, ..)| places.get(path).copied());
        for (path, sentences, line) in told {
            let of_file = shown.entry(path).or_default();
            for citation in sentences {
                of_file.sentences.push(reply.sentences.len());
                reply.sentences.push(Sentence::supported(citation.quote.clone(), vec![reply.citations.len()]));
                reply.citations.push(citation);
            }
            of_file.about = line.map(|(text, places)| {
                let citations = (reply.citations.len()..reply.citations.len() + places.len()).collect();
                reply.citations.extend(places);
                Composed { text, citations }
            });
        }
        reply.abstained = false;
        reply.facets = request.facets.then(|| files.facets());
        reply.digest = Some(Digest { num_of_summary, ..files.into_digest(&shown, &reply.plan) });
        Ok(reply)
    }

    fn empty_reply(&self, state: &QueryState, plan: Plan) -> Result<AskReply, EngineError> {
        Ok(AskReply::abstaining(state.view.settled, self.coverage_of(state, false)?, plan))
    }

    /// All files that the state's filter admits, each with what happened to it last; those that were deleted, too, as long as the log
    /// knows of it. Where the time is over, those that were read until then, and none that was deleted.
    fn touched(&self, state: &QueryState) -> Result<Vec<Touched>, EngineError> {
        let id = &self.id;
        let mut histories: HashMap<RelPath, History> = HashMap::new();
        let is_in_time = || !state.budget.is_over();
        for (change, priority) in self.engine.data.store.changes(id, &is_in_time)? {
            histories.entry(change.path.clone()).or_default().add(&change, priority);
        }
        // What is replaced in the log is hidden in the index, and in scope all the same: it is listed as pending.
        let filter = Filter { hidden: BTreeSet::new(), ..state.filter.clone() };
        let mut touched = Vec::new();
        let mut there = HashSet::new();
        for file in self.all_files_while(&is_in_time)?.iter() {
            there.insert(file.on_disk().clone());
            let history = histories.get(file.on_disk()).cloned().unwrap_or_default();
            if admits(&filter, &file.path, file.format.as_deref(), file.modified) {
                touched.push(history.of_file(file.clone()));
            }
        }
        if state.budget.is_over() {
            // A file that is not read any more would pass for one that was deleted.
            return Ok(touched);
        }
        // What is deleted is written by nobody: who deleted it counts. It is none of the workspace's files any more, either.
        let filter = Filter { only: None, matching: None, ..filter };
        for (path, history) in histories {
            let is_admitted = self.sees(&path)
                && history.deletion().is_some_and(|(at, provenance)| {
                    admits(&filter, &path, None, at)
                        && state.globs.admits(path.as_str())
                        && state.provenance.admits(provenance)
                });
            if is_admitted && !there.contains(&path) {
                touched.extend(history.of_deleted(path));
            }
        }
        Ok(touched)
    }
}

/// Reads what the index holds of the files of one digest.
struct Reader<'a> {
    workspace: &'a WorkspaceId,
    state: &'a QueryState,
    /// Chunks that may still be read beyond those for key sentences.
    room: usize,
}

/// What the index holds of a file, and of the one that the run before left under its name.
struct Read {
    chunks: Vec<ChunkRecord>,
    former: Option<(RelPath, Vec<ChunkRecord>)>,
}

impl Reader<'_> {
    fn read(&mut self, file: &Touched, formers: &Formers) -> Result<Read, EngineError> {
        let chunks = self.chunks(&file.path)?;
        let is_compared = chunks.first().is_some_and(|chunk| about::is_compared(chunk.file.format));
        let former = match formers.before(file).filter(|_| is_compared) {
            None => None,
            Some(path) => Some((path.clone(), self.chunks(path)?)).filter(|(_, chunks)| !chunks.is_empty()),
        };
        Ok(Read { chunks, former })
    }

    /// The chunks of a file: of prose those at its beginning and its end, of data all as long as there is room.
    fn chunks(&mut self, path: &RelPath) -> Result<Vec<ChunkRecord>, EngineError> {
        let snapshot = match &self.state.snapshot {
            Some(snapshot) if self.state.filter.admits_path(path.as_str()) => snapshot,
            _ => return Ok(Vec::new()),
        };
        let chunks = snapshot.extract_of(path, MAX_CHUNKS)?;
        let wants_all =
            chunks.len() == MAX_CHUNKS && chunks.first().is_some_and(|chunk| about::is_told(chunk.file.format));
        if !wants_all || self.room <= MAX_CHUNKS {
            return Ok(chunks);
        }
        let chunks = snapshot.extract_of(path, MAX_CHUNKS_OF_DATA.min(self.room))?;
        self.room -= chunks.len();
        Ok(chunks)
    }

    /// A chunk as a passage, with its writer where it is still of the content that the file has.
    fn hit(&self, file: &Touched, chunk: &ChunkRecord) -> Hit {
        let mut hit = search::hit_of(self.workspace, chunk);
        if file.content_hash == Some(hit.citation.content_hash) {
            hit.citation.provenance = file.provenance.clone();
        }
        hit
    }

    fn cite(&self, file: &Touched, chunks: &[ChunkRecord], at: KeySentence) -> Citation {
        cite(&self.hit(file, &chunks[at.chunk]), at.span)
    }
}

/// Whether a file passes; of one whose type is not known, a condition on types is not met.
pub(super) fn admits(filter: &Filter, path: &RelPath, format: Option<&str>, modified: Timestamp) -> bool {
    let is_of_type = || format.and_then(Format::from_name).is_some_and(|format| filter.admits_format(format));
    filter.admits_path(path.as_str())
        && filter.admits_modified(modified.as_millisecond())
        && (filter.formats.is_none() || is_of_type())
}
