//! The words of a query, as the documents of each language have them.
//!
//! A query does not say which language it is in, and its documents may be in several. Each of its words is stemmed as each
//! language would have it; a document has one language, so a word counts once. Where all documents are English this is
//! the analysis of English and nothing else.

use std::collections::HashMap;

use super::{Analysis, Stemming, lower_case, pieces, write_term};

/// A query has to have so many stop words of a language other than English to be taken for one in it: single ones are words
/// of other languages (`war`, `die`, `on`).
const MIN_STOP_WORDS: usize = 2;

/// What a query asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryTerms {
    /// Its words as they are in stemmed fields, in the order of first use.
    pub words: Vec<QueryWord>,
    /// Its words as they are in the exact field.
    pub exact: Vec<ExactTerm>,
}

/// A word of a query, as it is in stemmed fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryWord {
    /// Its stems, one in each language where they differ; the best counts. There is one at least.
    pub variants: Vec<Variant>,
    /// How often it is in the query.
    pub times: u32,
}

/// A stem of a query's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// As it is indexed.
    pub text: String,
    /// How many times the query has it as it is indexed, in small or capital letters.
    pub times_as_written: u32,
}

/// A word or identifier of a query, as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExactTerm {
    /// In small letters.
    pub text: String,
    /// How often it is in the query.
    pub times: u32,
}

/// The distinct words of a query, at most `max_terms` of each kind, for documents of these languages.
///
/// Stop words are left out where the query has anything else.
#[must_use]
pub fn analyse_query(text: &str, stemmings: &[Stemming], max_terms: usize) -> QueryTerms {
    let stopping = stopping(text, stemmings);
    let words = words(text, stemmings, stopping, max_terms);
    let only_stop_words = words.is_empty();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut exact: Vec<ExactTerm> = Vec::new();
    for piece in pieces(text, Analysis::Exact, true) {
        let word = &text[piece.start..piece.end];
        let is_asked_for = || {
            if piece.is_identifier {
                return !self::words(word, stemmings, stopping, 1).is_empty();
            }
            let is_kept = |&stemming: &Stemming| {
                term(word, Analysis::Stemmed, stemming).is_some() && term(word, Analysis::Exact, stemming).is_some()
            };
            !stopping.is_some_and(|stopping| is_stop_word(word, stopping)) && stemmings.iter().any(is_kept)
        };
        let is_indexed = |&stemming: &Stemming| term(word, Analysis::Exact, stemming).is_some();
        let is_wanted =
            if only_stop_words { piece.is_identifier || stemmings.iter().any(is_indexed) } else { is_asked_for() };
        if !is_wanted {
            continue;
        }
        let lower = lower_case(word);
        match places.get(&lower) {
            Some(&place) => exact[place].times += 1,
            None if exact.len() < max_terms => {
                places.insert(lower.clone(), exact.len());
                exact.push(ExactTerm { text: lower, times: 1 });
            }
            None => {}
        }
    }
    QueryTerms { words, exact }
}

fn words(text: &str, stemmings: &[Stemming], stopping: Option<Stemming>, max_terms: usize) -> Vec<QueryWord> {
    let mut places: HashMap<Vec<String>, usize> = HashMap::new();
    let mut words: Vec<QueryWord> = Vec::new();
    for piece in pieces(text, Analysis::Stemmed, true) {
        let word = &text[piece.start..piece.end];
        if stopping.is_some_and(|stopping| is_stop_word(word, stopping)) {
            continue;
        }
        let mut variants: Vec<String> = Vec::new();
        for &stemming in stemmings {
            if let Some(stem) = term(word, Analysis::Stemmed, stemming).filter(|stem| !variants.contains(stem)) {
                variants.push(stem);
            }
        }
        if variants.is_empty() {
            continue;
        }
        let place = match places.get(&variants) {
            Some(&place) => place,
            None if words.len() < max_terms => {
                places.insert(variants.clone(), words.len());
                let variants = variants.into_iter().map(|text| Variant { text, times_as_written: 0 }).collect();
                words.push(QueryWord { variants, times: 0 });
                words.len() - 1
            }
            None => continue,
        };
        let lower = lower_case(word);
        words[place].times += 1;
        for variant in &mut words[place].variants {
            variant.times_as_written += u32::from(variant.text == lower);
        }
    }
    words
}

/// The language whose stop words are left out of a query whatever they mean in others: the one that most of its stop words are
/// of. Otherwise `the` would be a rare word of German documents, and `die` one of English ones.
///
/// Its language is most likely that of the query.
#[must_use]
pub fn stopping(text: &str, stemmings: &[Stemming]) -> Option<Stemming> {
    let pieces = pieces(text, Analysis::Stemmed, true);
    let mut best = None;
    let mut most = 0;
    for &stemming in stemmings {
        let is_stop = |piece: &&super::Piece| is_stop_word(&text[piece.start..piece.end], stemming);
        let num = pieces.iter().filter(is_stop).count();
        let needed = if stemming == Stemming::ENGLISH { 1 } else { MIN_STOP_WORDS };
        if num >= needed && num > most {
            (best, most) = (Some(stemming), num);
        }
    }
    best
}

fn is_stop_word(word: &str, stemming: Stemming) -> bool {
    term(word, Analysis::Stemmed, stemming).is_none()
}

fn term(word: &str, analysis: Analysis, stemming: Stemming) -> Option<String> {
    let mut term = String::new();
    write_term(word, analysis, stemming, false, &mut term).then_some(term)
}
