//! The extractive answer: sentences of the best passages, chosen for relevance and little repetition.
//!
//! A sentence's relevance mixes its cosine to the question, the share of the question's words that it or its headings
//! hold (rare words counting more), and the place of its passage. Sentences are picked one by one, each losing what it
//! repeats of those before (maximal marginal relevance: Carbonell and Goldstein, SIGIR 1998), and put in the order of
//! their files and places.

use std::collections::BTreeSet;
use std::fmt;

use super::cite::cite;
use super::confidence::{self, Signals};
use super::sentences::units;
use super::{Abstention, AskReply, AskRequest, Sentence};
use crate::embed::{Embedder, dot};
use crate::index::analyzer::{Analysis, QueryWord, Stemming, analyse_query, identifiers, positioned_terms};
use crate::search::{Hit, SearchError, check_query};
use crate::workspace::Span;

/// Sentences that are looked at closely.
const MAX_CANDIDATES: usize = 32;
/// The most sentences of an answer.
const MAX_SENTENCES: usize = 20;
/// The most files that an answer quotes.
const MAX_FILES: usize = 200;
/// How much repetition costs against relevance.
const REPETITION: f32 = 0.5;
/// A sentence has to be this relevant in proportion to the best one.
const RELATIVE_RELEVANCE: f32 = 0.72;

/// What a sentence gains by naming the very thing that the question names.
const IDENTIFIER_BONUS: f32 = 0.3;

/// What an answer is made from.
pub struct Evidence<'a> {
    /// The best passages, with their signals.
    pub hits: &'a [Hit],
    /// Compares sentences with the question by meaning; without one, by words alone.
    pub embedder: Option<&'a dyn Embedder>,
}

/// A sentence of the evidence.
pub(super) struct Candidate {
    /// Position of its passage.
    pub hit: usize,
    /// Where it stands there.
    pub span: Span,
    terms: BTreeSet<String>,
    /// The share of the question's words that it or its headings hold.
    pub coverage: f32,
    /// How near it is to the question; `None` where the model does not know its language.
    pub cosine: Option<f32>,
    vector: Vec<f32>,
    /// How well it answers.
    pub relevance: f32,
}

/// The evidence as it was looked at.
pub(super) struct Looked {
    /// Its most promising sentences.
    pub candidates: Vec<Candidate>,
    /// The question's words.
    pub words: Vec<QueryWord>,
    /// How much each of them counts.
    pub weights: Vec<f32>,
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
/// As [`check_request`], and what the model reports.
pub fn answer(request: &AskRequest, evidence: &Evidence<'_>, mut reply: AskReply) -> Result<AskReply, SearchError> {
    check_request(request)?;
    let mut looked = look(&request.question, evidence)?;
    let signals = Signals::of(&request.question, evidence, &looked);
    (reply.signals, reply.confidence) = (Some(signals), Some(signals.confidence()));
    if let Some(why) = weakness(&request.question, evidence, &looked.candidates, signals.confidence()) {
        (reply.abstention, reply.reason) = (Some(why.kind()), Some(why.to_string()));
        return Ok(reply);
    }
    let chosen = choose(&mut looked.candidates, request.max_sentences);
    reply.abstained = false;
    for candidate in in_reading_order(chosen, evidence.hits) {
        let hit = &evidence.hits[candidate.hit];
        let citation = cite(hit, candidate.span);
        reply.sentences.push(Sentence::supported(citation.quote.clone(), vec![reply.citations.len()]));
        reply.citations.push(citation);
    }
    Ok(reply)
}

fn look(question: &str, evidence: &Evidence<'_>) -> Result<Looked, SearchError> {
    let question_words = words_of(question, evidence.hits);
    let mut candidates = Vec::new();
    let mut seen = BTreeSet::new();
    for (index, hit) in evidence.hits.iter().enumerate() {
        for span in units(&hit.text) {
            let words = &hit.text[span.range()];
            let stemming = Stemming::of(hit.language);
            let terms = terms_of(words, stemming);
            let only_repeats_title = hit.title.as_deref().is_some_and(|title| {
                let title = terms_of(title, stemming);
                terms.iter().all(|term| term == "titl" || title.contains(term))
            });
            if !only_repeats_title && seen.insert(words) {
                candidates.push(Candidate {
                    hit: index,
                    span,
                    terms,
                    coverage: 0.0,
                    cosine: None,
                    vector: Vec::new(),
                    relevance: 0.0,
                });
            }
        }
    }
    let weights = word_weights(&question_words, &candidates);
    let total: f32 = weights.iter().sum();
    for candidate in &mut candidates {
        let hit = &evidence.hits[candidate.hit];
        let above = terms_of(&confidence::above(hit), Stemming::of(hit.language));
        let share = |word: &QueryWord| match (is_in(word, &candidate.terms), is_in(word, &above)) {
            (true, _) => 1.0,
            (false, true) => 0.6,
            (false, false) => 0.0,
        };
        let found: f32 = weights.iter().zip(&question_words).map(|(weight, word)| weight * share(word)).sum();
        candidate.coverage = if total > 0.0 { found / total } else { 0.0 };
    }
    // Meaning is looked at where words and place leave something to hope for.
    let promise = |candidate: &Candidate| 0.7 * candidate.coverage + 0.3 / (1.0 + candidate.hit as f32);
    candidates.sort_by(|a, b| promise(b).total_cmp(&promise(a)));
    candidates.truncate(MAX_CANDIDATES);
    if let Some(embedder) = evidence.embedder {
        let question = embedder.embed_query(question)?;
        // What the model says of a language that it does not know is noise.
        let known = |c: &&mut Candidate| !evidence.hits[c.hit].by_words;
        let mut known: Vec<&mut Candidate> = candidates.iter_mut().filter(known).collect();
        let texts: Vec<&str> = known.iter().map(|c| &evidence.hits[c.hit].text[c.span.range()]).collect();
        for (candidate, vector) in known.iter_mut().zip(embedder.embed_passages(&texts)?) {
            candidate.cosine = Some(dot(&question, &vector));
            candidate.vector = vector;
        }
    }
    let wanted = identifiers(question);
    for candidate in &mut candidates {
        let place = 1.0 / (1.0 + candidate.hit as f32);
        let words = evidence.hits[candidate.hit].text[candidate.span.range()].to_ascii_lowercase();
        let names_it = wanted.iter().any(|identifier| words.contains(identifier.as_str()));
        candidate.relevance = if names_it { IDENTIFIER_BONUS } else { 0.0 }
            + match candidate.cosine {
                Some(cosine) => 0.5 * cosine.max(0.0) + 0.35 * candidate.coverage + 0.15 * place,
                None => 0.8 * candidate.coverage + 0.2 * place,
            };
    }
    Ok(Looked { candidates, words: question_words, weights })
}

pub(super) fn terms_of(text: &str, stemming: Stemming) -> BTreeSet<String> {
    positioned_terms(text, Analysis::Stemmed, stemming).into_iter().map(|(_, term)| term).collect()
}

/// Words that make a question of what it is about. The analyser's stop words are left out anyway.
const ASKING: &str = "what which who whom whose when where why how many much do does did have has had can could should would \
                      may might shall we our us i my me you your its were been than from about please tell there any";

/// The words of a question, as the languages of the passages have them; without those that only ask, where there are others.
fn words_of(question: &str, hits: &[Hit]) -> Vec<QueryWord> {
    let stemmings: BTreeSet<Stemming> = hits.iter().map(|hit| Stemming::of(hit.language)).collect();
    let stemmings: Vec<Stemming> = stemmings.into_iter().collect();
    let words = analyse_query(question, &stemmings, usize::MAX).words;
    let asking = analyse_query(ASKING, &[Stemming::ENGLISH], usize::MAX).words;
    let asking: BTreeSet<&str> = asking.iter().flat_map(|word| &word.variants).map(|stem| stem.text.as_str()).collect();
    let only_asks = |word: &&QueryWord| word.variants.iter().any(|variant| asking.contains(variant.text.as_str()));
    let about: Vec<QueryWord> = words.iter().filter(|word| !only_asks(word)).cloned().collect();
    if about.is_empty() { words } else { about }
}

pub(super) fn is_in(word: &QueryWord, terms: &BTreeSet<String>) -> bool {
    word.variants.iter().any(|variant| terms.contains(&variant.text))
}

/// How much each word of the question counts: words that few candidates hold count more.
fn word_weights(words: &[QueryWord], candidates: &[Candidate]) -> Vec<f32> {
    let num = candidates.len() as f32;
    words
        .iter()
        .map(|word| {
            let holding = candidates.iter().filter(|candidate| is_in(word, &candidate.terms)).count() as f32;
            (1.0 + (num - holding + 0.5) / (holding + 0.5)).ln().max(0.1)
        })
        .collect()
}

/// Why there is no answer in the evidence, or `None` where there may be.
fn weakness(question: &str, evidence: &Evidence<'_>, candidates: &[Candidate], confidence: f32) -> Option<Weakness> {
    if evidence.hits.is_empty() || candidates.is_empty() {
        return Some(Weakness::Nothing);
    }
    if let Some(identifier) = missing_identifier(question, evidence.hits) {
        return Some(Weakness::Missing(identifier));
    }
    let by_words = candidates.iter().filter(|candidate| candidate.cosine.is_none());
    let coverage_by_words = by_words.map(|candidate| candidate.coverage).fold(0.0_f32, f32::max);
    tracing::debug!(confidence, coverage_by_words, "evidence");
    let is_enough =
        coverage_by_words >= MIN_COVERAGE_WORDS_ALONE || evidence.embedder.is_some() && confidence >= confidence::LEAST;
    (!is_enough).then_some(Weakness::TooWeak)
}

/// Why the evidence holds no answer.
enum Weakness {
    Nothing,
    /// An identifier that the question names.
    Missing(String),
    TooWeak,
}

impl Weakness {
    const fn kind(&self) -> Abstention {
        match self {
            Self::Nothing => Abstention::NothingFound,
            Self::Missing(_) => Abstention::UnknownIdentifier,
            Self::TooWeak => Abstention::TooWeak,
        }
    }
}

impl fmt::Display for Weakness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing was found"),
            Self::Missing(identifier) => write!(f, "`{identifier}` is in none of the passages that were found"),
            Self::TooWeak => f.write_str("what was found is too weak to answer from"),
        }
    }
}

/// Without a model that knows the language, an answer needs so much of the question's words in one sentence and its headings.
const MIN_COVERAGE_WORDS_ALONE: f32 = 0.5;
/// An identifier of the question that no passage holds, nor its path or headings: what is said of other identifiers is
/// no answer.
pub(super) fn missing_identifier(question: &str, hits: &[Hit]) -> Option<String> {
    let wanted = identifiers(question);
    let holds = |text: &str, term: &str| text.to_ascii_lowercase().contains(term);
    let is_there = |term: &str| {
        hits.iter().any(|hit| {
            holds(&hit.text, term)
                || holds(hit.citation.path.as_str(), term)
                || hit.title.iter().chain(&hit.citation.trail).any(|above| holds(above, term))
        })
    };
    wanted.into_iter().find(|term| !is_there(term))
}

/// Picks sentences one by one: the most relevant first, each next one losing what it repeats.
fn choose(candidates: &mut Vec<Candidate>, max_sentences: usize) -> Vec<Candidate> {
    let best = candidates.iter().map(|candidate| candidate.relevance).fold(0.0_f32, f32::max);
    candidates.retain(|candidate| candidate.relevance >= best * RELATIVE_RELEVANCE);
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

/// Files in the order of their best passage, and within a file the order of its text.
fn in_reading_order(mut chosen: Vec<Candidate>, hits: &[Hit]) -> Vec<Candidate> {
    let first_of_file = |hit: usize| {
        let path = &hits[hit].citation.path;
        chosen_rank(hits, path.as_str())
    };
    chosen.sort_by_key(|candidate| {
        (first_of_file(candidate.hit), hits[candidate.hit].citation.span.start + candidate.span.start)
    });
    chosen
}

fn chosen_rank(hits: &[Hit], path: &str) -> usize {
    hits.iter().position(|hit| hit.citation.path.as_str() == path).unwrap_or(usize::MAX)
}
