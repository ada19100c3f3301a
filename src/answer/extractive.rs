//! The extractive answer: sentences of the best passages, chosen for relevance and little repetition.
//!
//! Sentences are picked one by one, each losing what it repeats of those before (maximal marginal relevance: Carbonell and
//! Goldstein, SIGIR 1998), and put in the order of their files and places. `candidates` says how relevant each is.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use super::candidates::{Asked, Candidate, Looked, look, rest_of_item, section_of};
use super::cite::cite;
use super::confidence::{self, Signals};
use super::exact;
use super::expected::Expected;
use super::nearest;
use super::place::{above, is_part, place_of};
use super::plan::{self, Words};
use super::sentences::units;
use super::tables::within;
use super::unspaced;
use super::wanted::{Wanted, wanted};
use super::{Abstention, AskReply, AskRequest, Sentence};
use crate::budget::Budget;
use crate::embed::{Embedder, dot};
use crate::search::{Hit, SearchError, check_query};
use crate::workspace::{RelPath, Span};

/// The most sentences of an answer.
const MAX_SENTENCES: usize = 20;
/// The most files that an answer quotes.
const MAX_FILES: usize = 200;
/// How much repetition costs against relevance.
const REPETITION: f32 = 0.5;
/// A sentence has to be this relevant in proportion to the best one.
const RELATIVE_RELEVANCE: f32 = 0.72;
/// Where a question asks for a number, a day or a person, a sentence that has one has to hold so much of the question's words.
const MIN_COVERAGE_OF_EXPECTED: f32 = 0.46;
/// Sentences of an answer where the request does not say how many.
const SENTENCES_BY_DEFAULT: usize = 5;
/// Sentences of a section that the question names, then.
const SENTENCES_OF_SECTION: usize = 8;
/// Beside a whole section, this relevant in proportion to the best of the others.
const RELATIVE_BESIDE_SECTION: f32 = 0.9;

/// What an answer is made from.
pub struct Evidence<'a> {
    /// The best passages, with their signals.
    pub hits: &'a [Hit],
    /// Compares sentences with the question by meaning; without one, by words alone.
    pub embedder: Option<&'a dyn Embedder>,
    /// The file and the heading of the section that the question names.
    pub section: Option<(&'a RelPath, &'a str)>,
    /// Files that a newer one has replaced, with that one.
    pub superseded: &'a HashMap<RelPath, RelPath>,
    /// How new files are, 0 to 1, where the question asks for the newest.
    pub newness: &'a HashMap<RelPath, f32>,
    /// The time of the request: where it is over, sentences are compared by their words alone.
    pub budget: &'a Budget,
}

/// Checks what can be checked of a question before anything is opened.
///
/// # Errors
/// [`SearchError::Invalid`] for an empty or over-long question or a number of sentences out of range.
pub fn check_request(request: &AskRequest) -> Result<(), SearchError> {
    check_query(&request.question)?;
    if request.max_sentences == 0 || request.max_sentences > MAX_SENTENCES {
        let message = format!("`max_sentences` is {}", request.max_sentences);
        return Err(SearchError::invalid(message, format!("ask for 1 to {MAX_SENTENCES} sentences")));
    }
    if request.max_files == 0 || request.max_files > MAX_FILES {
        let message = format!("`max_files` is {}", request.max_files);
        return Err(SearchError::invalid(message, format!("ask for 1 to {MAX_FILES} files")));
    }
    Ok(())
}

/// Answers from `evidence` in `reply`, which has no answer yet, or abstains.
///
/// # Errors
/// What the embedding model reports.
pub fn answer(request: &AskRequest, evidence: &Evidence<'_>, mut reply: AskReply) -> Result<AskReply, SearchError> {
    let words = Words::of(&request.question);
    let defined = plan::defined(&words);
    let asked =
        Asked { question: &request.question, is_yes_or_no: plan::is_yes_or_no(&words), defined: defined.as_deref() };
    let mut looked = look(asked, evidence)?;
    let signals = Signals::of(&request.question, evidence, &looked);
    (reply.signals, reply.confidence) = (Some(signals), Some(signals.confidence()));
    tracing::debug!(
        ?signals,
        confidence = signals.confidence(),
        is_section = !section_named(evidence).is_empty(),
        expected = ?looked.expected,
        of_expected = of_expected(&looked),
        "evidence"
    );
    if let Some(why) = weakness(&request.question, evidence, &looked, signals.confidence()) {
        (reply.abstention, reply.reason) = (Some(why.kind()), Some(why.to_string()));
        nearest::tell(&request.question, evidence, &looked, &mut reply);
        return Ok(reply);
    }
    reply.abstained = false;
    for (hit, span) in chosen(&mut looked, request.max_sentences, evidence) {
        let hit = &evidence.hits[hit];
        let citation = cite(hit, span);
        let sentence = Sentence::supported(citation.quote.clone(), vec![reply.citations.len()]);
        let superseded_by = evidence.superseded.get(&hit.citation.path).cloned();
        let fields = within(hit, span).fields;
        reply.sentences.push(Sentence { place: place_of(hit, span), fields, superseded_by, ..sentence });
        reply.citations.push(citation);
    }
    Ok(reply)
}

/// The largest share of the question's words in a sentence that has what it asks for.
fn of_expected(looked: &Looked) -> f32 {
    let having = looked.candidates.iter().filter(|candidate| candidate.has_expected);
    having.map(|candidate| candidate.coverage).fold(-1.0, f32::max)
}

/// The passage of the best sentence, with what stands above it.
fn best_passage(looked: &Looked, evidence: &Evidence<'_>) -> Option<String> {
    let best = looked.candidates.iter().max_by(|a, b| a.relevance.total_cmp(&b.relevance))?;
    let hit = &evidence.hits[best.hit];
    Some(format!("{} {}", hit.text, above(hit)))
}

/// Why there is no answer in the evidence, or `None` where there may be.
fn weakness(question: &str, evidence: &Evidence<'_>, looked: &Looked, confidence: f32) -> Option<Weakness> {
    if let Some(missing) = &looked.missing {
        return Some(Weakness::Missing(missing.clone()));
    }
    if !section_named(evidence).is_empty() {
        return None;
    }
    let candidates = &looked.candidates;
    if evidence.hits.is_empty() || candidates.is_empty() {
        return Some(Weakness::Nothing);
    }
    if looked.expected != Expected::Anything && of_expected(looked) < MIN_COVERAGE_OF_EXPECTED {
        return Some(Weakness::Unexpected);
    }
    if let Some(name) = best_passage(looked, evidence).and_then(|text| unspaced::missing_name(question, &text)) {
        return Some(Weakness::Missing(name));
    }
    let by_words = candidates.iter().filter(|candidate| candidate.cosine.is_none());
    let coverage_by_words = by_words.map(|candidate| candidate.coverage).fold(0.0_f32, f32::max);

    let is_enough =
        coverage_by_words >= MIN_COVERAGE_WORDS_ALONE || evidence.embedder.is_some() && confidence >= confidence::LEAST;
    (!is_enough).then_some(Weakness::TooWeak)
}

/// Why the evidence holds no answer.
enum Weakness {
    Nothing,
    /// An identifier, number or date that the question names.
    Missing(String),
    /// No sentence has what the question asks for.
    Unexpected,
    TooWeak,
}

impl Weakness {
    const fn kind(&self) -> Abstention {
        match self {
            Self::Nothing => Abstention::NothingFound,
            Self::Missing(_) => Abstention::UnknownIdentifier,
            Self::Unexpected | Self::TooWeak => Abstention::TooWeak,
        }
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing was found"),
            Self::Missing(identifier) => write!(f, "`{identifier}` is in none of the passages that were found"),
            Self::Unexpected => f.write_str("no sentence that was found has what the question asks for"),
            Self::TooWeak => f.write_str("what was found is too weak to answer from"),
        }
    }
}

/// Without a model that knows the language, an answer needs so much of the question's words in one sentence and its headings.
const MIN_COVERAGE_WORDS_ALONE: f32 = 0.5;
/// An identifier, number or date of the question that no passage holds, nor its path or headings: what is said of others is no answer.
pub(super) fn missing_identifier(question: &str, hits: &[Hit]) -> Option<String> {
    let is_there = |wanted: &Wanted| hits.iter().any(|hit| exact::is_held(wanted, hit));
    wanted(question).into_iter().find(|wanted| !is_there(wanted)).map(|wanted| wanted.written)
}

/// The sentences of the answer in the order to read them: those of the section that answers, where one does, else the most relevant ones.
fn chosen(looked: &mut Looked, max_sentences: usize, evidence: &Evidence<'_>) -> Vec<(usize, Span)> {
    let hits = evidence.hits;
    let by_relevance = |a: &&Candidate, b: &&Candidate| a.relevance.total_cmp(&b.relevance);
    let mut chosen = section_named(evidence);
    if chosen.is_empty() && looked.expected == Expected::Anything {
        let section = looked.candidates.iter().max_by(by_relevance).map(|best| section_of(best, looked, hits));
        chosen = section.filter(|section| (2..=max_sentences).contains(&section.len())).unwrap_or_default();
    }
    chosen.truncate(max_sentences.max(if max_sentences >= SENTENCES_BY_DEFAULT { SENTENCES_OF_SECTION } else { 0 }));
    if chosen.len() < max_sentences {
        let room = max_sentences - chosen.len();
        let place = |(hit, span): (usize, Span)| (&hits[hit].citation.path, hits[hit].citation.span.start + span.start);
        let taken: BTreeSet<_> = chosen.iter().copied().map(place).collect();
        looked.candidates.retain(|candidate| !taken.contains(&place((candidate.hit, candidate.span))));
        let least = if chosen.is_empty() { RELATIVE_RELEVANCE } else { RELATIVE_BESIDE_SECTION };
        let is_alone = chosen.is_empty();
        let more = choose(&mut looked.candidates, room, least);
        chosen.extend(more.iter().map(|candidate| (candidate.hit, candidate.span)));
        if is_alone {
            with_what_belongs_to_it(&mut chosen, &more, max_sentences, hits);
        }
    }
    in_reading_order(chosen, evidence)
}

/// Adds what the sentences cannot be understood without, as far as there is room: the one before a pronoun, and the rest of a list item.
fn with_what_belongs_to_it(chosen: &mut Vec<(usize, Span)>, from: &[Candidate], max_sentences: usize, hits: &[Hit]) {
    let before = from.iter().filter_map(|candidate| Some((candidate.hit, candidate.before?)));
    let behind =
        from.iter().flat_map(|candidate| rest_of_item(candidate, hits).into_iter().map(|span| (candidate.hit, span)));
    let belonging: Vec<(usize, Span)> = before.chain(behind).collect();
    for sentence in belonging {
        if chosen.len() < max_sentences && !chosen.contains(&sentence) {
            chosen.push(sentence);
        }
    }
}

/// The sentences of the section that the question names.
fn section_named(evidence: &Evidence<'_>) -> Vec<(usize, Span)> {
    let Some((path, heading)) = evidence.section else { return Vec::new() };
    let (mut sentences, mut seen) = (Vec::new(), BTreeSet::new());
    for (at, hit) in evidence.hits.iter().enumerate().filter(|(_, hit)| hit.citation.path == *path) {
        let is_here = |span: &Span| place_of(hit, *span).is_some_and(|place| is_part(&place, heading));
        for span in units(&hit.text).into_iter().filter(is_here) {
            // A passage may hold what another one does.
            if seen.insert(hit.citation.span.start + span.start) {
                sentences.push((at, span));
            }
        }
    }
    sentences
}

/// Picks sentences one by one: the most relevant first, each next one losing what it repeats.
fn choose(candidates: &mut Vec<Candidate>, max_sentences: usize, least: f32) -> Vec<Candidate> {
    let best = candidates.iter().map(|candidate| candidate.relevance).fold(0.0_f32, f32::max);
    candidates.retain(|candidate| candidate.relevance >= best * least);
    let mut chosen: Vec<Candidate> = Vec::new();
    while chosen.len() < max_sentences {
        let worth = |candidate: &Candidate| {
            let repeated = chosen.iter().map(|other| similarity(candidate, other)).fold(0.0_f32, f32::max);
            candidate.relevance - REPETITION * repeated * candidate.relevance - if repeated > 0.9 { 1.0 } else { 0.0 }
        };
        let next = (0..candidates.len())
            .map(|index| (worth(&candidates[index]), index))
            .filter(|(worth, _)| *worth > 0.0)
            .max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
        let Some((_, index)) = next else { break };
        chosen.push(candidates.remove(index));
    }
    chosen
}

/// How much two sentences say the same, 0 to 1: the cosine of their vectors, or the overlap of their words.
fn similarity(a: &Candidate, b: &Candidate) -> f32 {
    let shared = a.terms.intersection(&b.terms).count() as f32;
    let all = a.terms.union(&b.terms).count().max(1) as f32;
    let words = shared / all;
    if a.vector.is_empty() { words } else { dot(&a.vector, &b.vector).max(words) }
}

/// Files in the order of their best passage, those that a newer one has replaced last, and within a file the order of its text.
fn in_reading_order(mut chosen: Vec<(usize, Span)>, evidence: &Evidence<'_>) -> Vec<(usize, Span)> {
    let place = |(hit, span): &(usize, Span)| {
        let citation = &evidence.hits[*hit].citation;
        let is_replaced = evidence.superseded.contains_key(&citation.path);
        (is_replaced, chosen_rank(evidence.hits, citation.path.as_str()), citation.span.start + span.start)
    };
    chosen.sort_by_key(place);
    chosen
}

fn chosen_rank(hits: &[Hit], path: &str) -> usize {
    hits.iter().position(|hit| hit.citation.path.as_str() == path).unwrap_or(usize::MAX)
}
