//! Whether a sentence of the model is supported by what it cites.
//!
//! It is, where each passage that it cites was given, each quote stands in its passage, its numbers, dates, identifiers and names are
//! in the sentences that are quoted (or the headings, the path or the question), it denies what they deny, and enough of its words are
//! theirs or its meaning is close to theirs. This is a check of words, not of logic: it finds what a model invents, and not
//! every wrong conclusion from right words.

use std::collections::BTreeSet;

use super::super::cite::cite;
use super::super::facts::{self, Known};
use super::super::sentences::units;
use super::draft::{Cite, Draft};
use super::prompt::Given;
use super::verbatim::Folded;
use crate::embed::{EmbedError, Embedder};
use crate::index::analyzer::{Analysis, Stemming, positioned_terms};
use crate::workspace::{Citation, Span};

/// So much of a sentence's words are to be in its evidence, the headings above it or the question.
const MIN_COVERAGE: f32 = 0.6;
/// And so much in the evidence alone.
const MIN_OWN_COVERAGE: f32 = 0.3;
/// Or its meaning is so close to the evidence's, as a cosine.
const MIN_COSINE: f32 = 0.75;
/// Words before a quote that may turn it around.
const WORDS_BEFORE: usize = 3;
/// A shorter quote of a sentence's own is a word that somebody used, in characters.
const MIN_OWN_QUOTE: usize = 4;

/// A sentence that was checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checked {
    pub text: String,
    /// What it cites and stands there; also where something else is wrong with it.
    pub citations: Vec<Citation>,
    /// Why it is not supported.
    pub problem: Option<String>,
}

/// Checks sentences against the passages that the model was given.
pub(super) struct Checker<'a> {
    passages: Vec<Passage<'a>>,
    question: &'a str,
    question_facts: Known,
    embedder: Option<&'a dyn Embedder>,
}

struct Passage<'a> {
    given: Given<'a>,
    folded: Folded<'a>,
    /// Sentences, rows and items.
    units: Vec<Span>,
    /// Title, headings and columns.
    above: String,
}

/// The words that a sentence cites: a place in a passage.
#[derive(Debug, Clone, Copy)]
struct Evidence {
    passage: usize,
    span: Span,
}

impl<'a> Checker<'a> {
    pub(super) fn new(question: &'a str, given: &[Given<'a>], embedder: Option<&'a dyn Embedder>) -> Self {
        let passage = |given: &Given<'a>| {
            let hit = given.hit;
            let (title, header) = (hit.title.as_deref().unwrap_or_default(), hit.header.as_deref().unwrap_or_default());
            let above = format!("{title}\n{header}\n{}", hit.citation.trail.join("\n"));
            Passage { given: *given, folded: Folded::of(given.text), units: units(given.text), above }
        };
        let passages = given.iter().map(passage).collect();
        Self { passages, question, question_facts: Known::of([question]), embedder }
    }

    /// Whether words stand in a passage, by its number from 1.
    pub(super) fn is_quote(&self, number: usize, quote: &str) -> bool {
        self.passage(number).is_some_and(|passage| passage.folded.find(quote).is_some())
    }

    fn passage(&self, number: usize) -> Option<&Passage<'a>> {
        self.passages.get(number.checked_sub(1)?)
    }

    /// Checks one sentence.
    ///
    /// # Errors
    /// What the embedding model reports.
    pub(super) fn check(&self, draft: Draft) -> Result<Checked, EmbedError> {
        let Draft { text, cites } = draft;
        let mut evidence: Vec<Evidence> = Vec::new();
        let mut problem = cites.is_empty().then(|| "it cites nothing".to_owned());
        for cite in &cites {
            match self.evidence(&text, cite)? {
                Ok(found) => evidence.push(found),
                Err(wrong) => problem = problem.or(Some(wrong)),
            }
        }
        // The numbers without a quote beside one with a quote may say the same place twice.
        evidence.dedup_by_key(|evidence| (evidence.passage, evidence.span));
        if problem.is_none() {
            problem = self.problem(&text, &evidence)?;
        }
        let cited = |evidence: &Evidence| cite(self.passages[evidence.passage].given.hit, evidence.span);
        let citations = evidence.iter().map(cited).collect();
        Ok(Checked { text, citations, problem })
    }

    /// The words that are cited, or what is wrong.
    fn evidence(&self, text: &str, cite: &Cite) -> Result<Result<Evidence, String>, EmbedError> {
        let number = cite.passage;
        let Some(passage) = self.passage(number) else {
            return Ok(Err(format!("it cites passage {number}, and there is none")));
        };
        let place = number - 1;
        if let Some(quote) = &cite.quote {
            let found = passage.folded.find(quote).map(|span| Evidence { passage: place, span });
            return Ok(found.ok_or_else(|| format!("its quote is not in `{}`", passage.given.hit.citation.path)));
        }
        // Without a quote: the sentence of the passage that says it.
        let stemming = Stemming::of(passage.given.hit.language);
        let wanted = terms(text, stemming);
        let shared = |unit: &Span| terms(&passage.given.text[unit.range()], stemming).intersection(&wanted).count();
        let mut likely: Vec<(usize, Span)> = passage.units.iter().map(|unit| (shared(unit), *unit)).collect();
        likely.sort_by_key(|(shared, unit)| (std::cmp::Reverse(*shared), unit.start));
        for (_, span) in likely.into_iter().take(3) {
            let evidence = Evidence { passage: place, span };
            if self.problem(text, &[evidence])?.is_none() {
                return Ok(Ok(evidence));
            }
        }
        Ok(Err(format!("it quotes nothing, and no sentence of `{}` says it", passage.given.hit.citation.path)))
    }

    /// What is wrong with a sentence whose evidence stands where it says.
    fn problem(&self, text: &str, evidence: &[Evidence]) -> Result<Option<String>, EmbedError> {
        // The whole sentences around the quotes.
        let around: Vec<&str> = evidence.iter().flat_map(|evidence| self.around(*evidence)).collect();
        let said = around.join("\n");
        if Folded::of(&said).find(text).is_some() {
            return Ok(None);
        }
        let places: BTreeSet<usize> = evidence.iter().map(|evidence| evidence.passage).collect();
        let cited = || places.iter().map(|place| &self.passages[*place]);
        for quote in own_quotes(text) {
            let stands = cited().any(|passage| passage.folded.find(quote).is_some());
            if !stands && !self.question.contains(quote) {
                return Ok(Some(format!("the words \"{quote}\" in it are in no passage that it cites")));
            }
        }
        let above: Vec<&str> = cited().map(|passage| passage.above.as_str()).collect();
        let mut known = Known::of(around.iter().chain(&above).copied());
        cited().for_each(|passage| known.add_path(passage.given.hit.citation.path.as_str()));
        let language = evidence.first().and_then(|evidence| self.passages[evidence.passage].given.hit.language);
        let has_names = language.is_none_or(|language| language.code() != "de");
        if let Some(unknown) = facts::unknown(text, &known, &self.question_facts, has_names) {
            return Ok(Some(format!("`{unknown}` is not in the words that it cites")));
        }
        let quoted: Vec<&str> = evidence.iter().map(|evidence| self.with_words_before(*evidence)).collect();
        if facts::is_turned_around(text, &quoted) {
            return Ok(Some("it denies what the words that it cites do not deny, or the other way round".to_owned()));
        }
        let stemming = Stemming::of(language);
        let wanted = terms(text, stemming);
        let own = terms(&said, stemming);
        let mut all = own.clone();
        let paths = cited().map(|passage| passage.given.hit.citation.path.as_str());
        all.extend(above.iter().copied().chain([self.question]).chain(paths).flat_map(|text| terms(text, stemming)));
        let share = |of: &BTreeSet<String>| wanted.intersection(of).count() as f32 / wanted.len().max(1) as f32;
        if share(&all) >= MIN_COVERAGE && share(&own) >= MIN_OWN_COVERAGE {
            return Ok(None);
        }
        if let Some(embedder) = self.embedder {
            let vectors = embedder.embed_passages(&[text, &said])?;
            let cosine: f32 = vectors[0].iter().zip(&vectors[1]).map(|(a, b)| a * b).sum();
            tracing::debug!(coverage = share(&all), own = share(&own), cosine, "a sentence in other words");
            if cosine >= MIN_COSINE {
                return Ok(None);
            }
        }
        Ok(Some("it says more than the words that it cites".to_owned()))
    }

    /// The sentences or items that a quote touches, and the quote. Of a table it is the quoted rows: those beside them say other
    /// things.
    fn around(&self, evidence: Evidence) -> Vec<&'a str> {
        let Passage { given, units, .. } = &self.passages[evidence.passage];
        let (text, Span { start, end }) = (given.text, evidence.span);
        let first = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let behind = text[end..].find('\n').map_or(text.len(), |at| end + at);
        let lines = &text[first..behind];
        if lines.lines().all(facts::is_row) {
            return vec![lines];
        }
        let touched = units.iter().filter(|unit| unit.start < end && start < unit.end);
        let mut around: Vec<&str> = touched.map(|unit| &text[unit.range()]).collect();
        around.push(&text[start..end]);
        around
    }

    /// A quote and the few words of its sentence that stand before it.
    fn with_words_before(&self, evidence: Evidence) -> &'a str {
        let Passage { given, units, .. } = &self.passages[evidence.passage];
        let unit = units.iter().find(|unit| unit.start <= evidence.span.start && evidence.span.start < unit.end);
        let first = unit.map_or(evidence.span.start, |unit| unit.start);
        let before = given.text[first..evidence.span.start].trim_end();
        let start =
            before.rmatch_indices(char::is_whitespace).nth(WORDS_BEFORE - 1).map_or(first, |(at, _)| first + at);
        &given.text[start..evidence.span.end]
    }
}

fn terms(text: &str, stemming: Stemming) -> BTreeSet<String> {
    positioned_terms(text, Analysis::Stemmed, stemming).into_iter().map(|(_, term)| term).collect()
}

/// What a sentence itself puts in quotes.
fn own_quotes(text: &str) -> Vec<&str> {
    let mut quotes = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find(['"', '“', '„', '«']) {
        let mark = rest[open..].chars().next().map_or(1, char::len_utf8);
        let inside = &rest[open + mark..];
        let Some(close) = inside.find(['"', '”', '“', '»']) else { break };
        let quote = inside[..close].trim();
        if quote.chars().count() >= MIN_OWN_QUOTE {
            quotes.push(quote);
        }
        let after = close + inside[close..].chars().next().map_or(1, char::len_utf8);
        rest = &inside[after..];
    }
    quotes
}
