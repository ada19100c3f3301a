//! The words of a query, as the documents of each language have them.
//!
//! A query does not say which language it is in, and its documents may be in several. Each of its words is stemmed as each
//! language would have it; a document has one language, so a word counts once. Where all documents are English this is
//! the analysis of English and nothing else.

use std::collections::HashMap;

use super::compounds::may_be_part;
use super::cut::{Cut, Kind};
use super::fold::folded;
use super::{Analysis, Stemming, pieces, write_term};
use crate::config::FieldWeights;

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
    pub variants: Vec<String>,
    /// How often it is in the query.
    pub times: u32,
}

/// A term that a query asks for in the exact field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExactTerm {
    /// As it is indexed.
    pub text: String,
    /// How often it is in the query.
    pub times: u32,
    /// What it is.
    pub kind: ExactKind,
}

/// What a term of the exact field is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExactKind {
    /// A word as written.
    Word,
    /// Several words that are joined, with or without what joins them.
    Identifier,
    /// A word that may be a part of a compound.
    Part,
}

impl ExactKind {
    /// Its weight among those of the fields.
    #[must_use]
    pub const fn weight(self, weights: FieldWeights) -> f32 {
        match self {
            Self::Word => weights.exact,
            Self::Identifier => weights.identifier,
            Self::Part => weights.part,
        }
    }
}

/// The distinct words of a query, at most `max_terms` of each kind, for documents of these languages.
///
/// Stop words are left out where the query has anything else.
#[must_use]
pub fn analyse_query(text: &str, stemmings: &[Stemming], max_terms: usize) -> QueryTerms {
    let text = &*folded(text);
    let stopping = stopping(text, stemmings);
    let words = words(text, stemmings, stopping, max_terms);
    let only_stop_words = words.is_empty();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut exact: Vec<ExactTerm> = Vec::new();
    let mut add = |term: ExactTerm| match places.get(&term.text) {
        Some(&place) => exact[place].times += 1,
        None if exact.len() < max_terms => {
            places.insert(term.text.clone(), exact.len());
            exact.push(term);
        }
        None => {}
    };
    for piece in pieces(text, Cut::For(Analysis::Exact), true) {
        let word = &text[piece.start..piece.end];
        let is_identifier = piece.kind != Kind::Word;
        let is_asked_for = || {
            if is_identifier {
                !self::words(word, stemmings, stopping, 1).is_empty()
            } else {
                !is_left_out(word, stemmings, stopping)
            }
        };
        let mut term = String::new();
        if !write_term(word, Analysis::Exact, Stemming::ENGLISH, piece.kind, &mut term)
            || !(only_stop_words || is_asked_for())
        {
            continue;
        }
        let kind = if is_identifier { ExactKind::Identifier } else { ExactKind::Word };
        add(ExactTerm { text: term, times: 1, kind });
        // Parts of English words would be found in those of other languages.
        let in_compounds =
            stemmings.iter().filter(|of| of.compounds().is_some() && stopping != Some(Stemming::ENGLISH));
        for &stemming in in_compounds.filter(|_| !is_identifier && may_be_part(word)) {
            let mut part = String::new();
            if write_term(word, Analysis::Exact, stemming, Kind::Part, &mut part) {
                add(ExactTerm { text: part, times: 1, kind: ExactKind::Part });
            }
        }
    }
    QueryTerms { words, exact }
}

fn words(text: &str, stemmings: &[Stemming], stopping: Option<Stemming>, max_terms: usize) -> Vec<QueryWord> {
    let mut places: HashMap<Vec<String>, usize> = HashMap::new();
    let mut words: Vec<QueryWord> = Vec::new();
    for piece in pieces(text, Cut::For(Analysis::Stemmed), true) {
        let word = &text[piece.start..piece.end];
        if piece.kind == Kind::Word && stopping.is_some_and(|stopping| is_stop_word(word, stopping)) {
            continue;
        }
        let variants = stems(word, piece.kind, stemmings);
        if variants.is_empty() {
            continue;
        }
        match places.get(&variants) {
            Some(&place) => words[place].times += 1,
            None if words.len() < max_terms => {
                places.insert(variants.clone(), words.len());
                words.push(QueryWord { variants, times: 1 });
            }
            None => {}
        }
    }
    words
}

/// The stems of a word, one in each language where they differ.
pub(super) fn stems(word: &str, kind: Kind, stemmings: &[Stemming]) -> Vec<String> {
    let mut variants: Vec<String> = Vec::new();
    for &stemming in stemmings {
        let mut stem = String::new();
        if write_term(word, Analysis::Stemmed, stemming, kind, &mut stem) && !variants.contains(&stem) {
            variants.push(stem);
        }
    }
    variants
}

/// Whether a word is a stop word of the query's language, or of all.
pub(super) fn is_left_out(word: &str, stemmings: &[Stemming], stopping: Option<Stemming>) -> bool {
    stopping.is_some_and(|stopping| is_stop_word(word, stopping)) || stemmings.iter().all(|&of| is_stop_word(word, of))
}

/// The language whose stop words are left out of a query whatever they mean in others: the one that most of its stop words are
/// of. Otherwise `the` would be a rare word of German documents, and `die` one of English ones.
///
/// Its language is most likely that of the query.
#[must_use]
pub fn stopping(text: &str, stemmings: &[Stemming]) -> Option<Stemming> {
    let text = &*folded(text);
    let mut pieces = pieces(text, Cut::For(Analysis::Stemmed), true);
    pieces.retain(|piece| piece.kind == Kind::Word);
    let mut best = None;
    let mut most = 0;
    for &stemming in stemmings {
        let is_stop = |piece: &&super::cut::Piece| is_stop_word(&text[piece.start..piece.end], stemming);
        let num = pieces.iter().filter(is_stop).count();
        let needed = if stemming == Stemming::ENGLISH { 1 } else { MIN_STOP_WORDS };
        if num >= needed && num > most {
            (best, most) = (Some(stemming), num);
        }
    }
    best
}

fn is_stop_word(word: &str, stemming: Stemming) -> bool {
    !write_term(word, Analysis::Stemmed, stemming, Kind::Word, &mut String::new())
}
