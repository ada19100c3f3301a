//! Conditions on words, and the words that there are, chunk by chunk.

use std::collections::{BTreeMap, BTreeSet};

use crate::index::analyzer::{Analysis, Stemming, positioned_terms};
use crate::index::words::{holds_phrase, keep_as_written, stems};
use crate::index::{ChunkRecord, FoundWord, Holding, WordConditions, WordPattern};

/// Where a chunk has a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Body,
    Title,
    Trail,
    Path,
    Exact,
}

/// The terms of a chunk, each with its place.
fn terms(chunk: &ChunkRecord) -> BTreeSet<(Place, String)> {
    let stemming = Stemming::of(chunk.file.language);
    let texts = [
        (Place::Body, Analysis::Stemmed, chunk.searched_words().into_owned()),
        (Place::Title, Analysis::Stemmed, chunk.file.title.clone().unwrap_or_default()),
        (Place::Trail, Analysis::Stemmed, chunk.place.trail.join("\n")),
        (Place::Path, Analysis::Stemmed, chunk.file.path.to_string()),
        (Place::Exact, Analysis::Exact, chunk.searched_words().into_owned()),
    ];
    let of_text = |(place, analysis, text): (Place, Analysis, String)| {
        positioned_terms(&text, analysis, stemming).into_iter().map(move |(_, term)| (place, term))
    };
    texts.into_iter().flat_map(of_text).collect()
}

/// Whether a term is a form of a word: the word as written where terms are that, else one of its stems.
fn is_form((place, term): &(Place, String), word: &str, stems: &[String]) -> bool {
    match place {
        Place::Exact => word.chars().flat_map(char::to_lowercase).eq(term.chars()),
        _ => stems.contains(term),
    }
}

pub(super) fn meets(chunk: &ChunkRecord, words: &WordConditions, stemmings: &[Stemming]) -> bool {
    if words.is_empty() {
        return true;
    }
    let terms = terms(chunk);
    let holds = |holding: &Holding| match holding {
        Holding::Word(word) => {
            let stems = stems(word, stemmings);
            terms.iter().any(|term| is_form(term, word, &stems))
        }
        Holding::Prefix(beginning) => terms.iter().any(|(_, term)| term.starts_with(beginning)),
        Holding::Phrase(phrase) => holds_phrase(chunk, phrase),
    };
    words.required.iter().all(holds) && !words.excluded.iter().any(holds)
}

pub(super) fn vocabulary(
    chunks: &[&ChunkRecord],
    pattern: &WordPattern<'_>,
    stemmings: &[Stemming],
    limit: usize,
) -> Vec<FoundWord> {
    let mut counts: BTreeMap<String, BTreeMap<Place, usize>> = BTreeMap::new();
    for term in chunks.iter().flat_map(|chunk| terms(chunk)) {
        if pattern.distance(&term.1).is_some() {
            *counts.entry(term.1).or_default().entry(term.0).or_default() += 1;
        }
    }
    let as_written: Vec<bool> = counts.values().map(|places| places.contains_key(&Place::Exact)).collect();
    let found = counts.into_iter().map(|(word, places)| FoundWord {
        distance: pattern.distance(&word).unwrap_or(0),
        num_chunks: places.into_values().max().unwrap_or(0),
        word,
    });
    let mut found: Vec<FoundWord> = found.collect();
    keep_as_written(&mut found, &as_written, stemmings);
    pattern.first(found, limit)
}
