//! Exact words win: what holds the rare words of a query stands above what holds none of them.
//!
//! # Invariants
//! - A passage that holds all rare words of a query stands above every passage that holds none of them, however near that is
//!   in meaning.
//! - A word is rare where at most [`RARE_FILES`] files that pass the filter hold it, or one file for each [`CHUNKS_PER_FILE`] chunks of
//!   the snapshot where that is more. How a word is held says [`HeldWords`]. Stop words, words that only ask, and words that nothing
//!   holds are none of the query's words.
//! - A question has rare words only where they have [`RARE_PART`] of the weight of its words, each by its inverse document
//!   frequency: what a question is about often stands under other words than its rarest one.
//!   In a script without spaces (Chinese, Japanese, Thai) it has none: most of its words cannot be told, so nor can their weight.
//! - A file whose name has just the query's words holds all of them, and stands first.

use std::collections::{BTreeMap, BTreeSet};

use super::fusion::{Fused, by_score};
use crate::index::{ChunkId, HeldWord, HeldWords};

/// A word that so many files hold is rare in every workspace.
const RARE_FILES: usize = 2;
/// For so many chunks of a snapshot, one file more may hold a rare word.
const CHUNKS_PER_FILE: usize = 2_000;
/// Words by which a question asks for files that say something; they weigh nothing in a question.
const ASK_FOR_MENTIONS: [&str; 6] = ["contain", "contains", "mention", "mentioned", "mentions", "refer"];
/// The least part that a question's rare words have of the weight of all its words.
const RARE_PART: f32 = 0.6;

/// What chunks hold of the rare words of a query.
#[derive(Debug, Default)]
pub(super) struct Exact {
    /// Of each chunk that holds a rare word: the part that it holds of their weight.
    parts: BTreeMap<ChunkId, f32>,
    named: BTreeSet<ChunkId>,
}

impl Exact {
    pub(super) fn of(held: &HeldWords, num_chunks: usize) -> Self {
        let weight = |word: &&HeldWord| idf(word.num_chunks, num_chunks);
        let most_files = RARE_FILES.max(num_chunks / CHUNKS_PER_FILE);
        let is_rare = |word: &&HeldWord| word.chunks.is_some() && word.num_files <= most_files;
        let rare: Vec<&HeldWord> = held.words.iter().filter(is_rare).collect();
        let of_rare: f32 = rare.iter().map(weight).sum();
        let asks = |word: &&HeldWord| held.is_question && ASK_FOR_MENTIONS.contains(&word.text.as_str());
        let of_all: f32 = held.words.iter().filter(|word| !asks(word)).map(|word| weight(&word)).sum();
        let mut exact = Self::default();
        if !held.is_question || held.are_all_words && of_rare >= RARE_PART * of_all {
            for word in &rare {
                for &holder in word.chunks.iter().flatten() {
                    *exact.parts.entry(holder).or_default() += weight(word) / of_rare;
                }
            }
        }
        for &holder in &held.named {
            exact.parts.insert(holder, 1.0);
            exact.named.insert(holder);
        }
        exact
    }

    /// Raises the chunks that hold rare words, adds those that no leg has found, and puts all in order, best first, ties by id.
    /// Scores of `0..=1` stay there.
    pub(super) fn raise(&self, ranked: &mut Vec<Fused>) {
        if self.parts.is_empty() {
            return;
        }
        let found: BTreeSet<ChunkId> = ranked.iter().map(|chunk| chunk.id).collect();
        let missing = self.parts.keys().filter(|id| !found.contains(id));
        ranked.extend(missing.map(|&id| Fused { id, score: 0.0, lexical: None, dense: None }));
        // With words alone, scores are those of BM25.
        let top = ranked.iter().map(|chunk| chunk.score).fold(1.0, f32::max);
        for chunk in ranked.iter_mut() {
            let holds = self.parts.get(&chunk.id).map_or(0.0, |part| 1.0 + part);
            let named = if self.named.contains(&chunk.id) { 2.0 } else { 0.0 };
            chunk.score = (chunk.score + top * (holds + named)) / 5.0;
        }
        ranked.sort_unstable_by(by_score);
    }
}

/// As BM25 has it.
pub(super) fn idf(num_with_word: usize, num_chunks: usize) -> f32 {
    let (num_with_word, num_chunks) = (num_with_word as f32, (num_chunks.max(num_with_word)) as f32);
    (1.0 + (num_chunks - num_with_word + 0.5) / (num_with_word + 0.5)).ln()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    fn word(chunks: &BTreeSet<u64>, num_chunks: usize) -> HeldWord {
        let chunks: Vec<ChunkId> = chunks.iter().map(|&number| ChunkId(number)).collect();
        HeldWord { text: "word".to_owned(), num_chunks, num_files: chunks.len(), chunks: Some(chunks) }
    }

    fn ranked(scores: &BTreeMap<u64, f32>) -> Vec<Fused> {
        let fused =
            |(&address, &score): (&u64, &f32)| Fused { id: ChunkId(address), score, lexical: None, dense: None };
        let mut ranked: Vec<Fused> = scores.iter().map(fused).collect();
        ranked.sort_unstable_by(by_score);
        ranked
    }

    proptest! {
        #[test]
        fn all_rare_words_stand_above_none_of_them(
            scores in prop::collection::btree_map(0_u64..30, 0.0_f32..=1.0, 0..30),
            words in prop::collection::vec(prop::collection::btree_set(0_u64..30, 1..3), 1..4),
            common in prop::option::of(1_usize..90),
            named in prop::collection::btree_set(0_u64..30, 0..2),
            is_question in any::<bool>(),
        ) {
            let mut held: Vec<HeldWord> = words.iter().map(|chunks| word(chunks, chunks.len())).collect();
            held.extend(common.map(|num_chunks| HeldWord { num_files: 0, chunks: None, ..word(&BTreeSet::new(), num_chunks) }));
            let named: Vec<ChunkId> = named.into_iter().map(ChunkId).collect();
            let exact = Exact::of(&HeldWords { is_question, are_all_words: true, words: held, named: named.clone() }, 100);
            let mut after = ranked(&scores);
            exact.raise(&mut after);
            prop_assert!(after.iter().all(|chunk| (0.0..=1.0).contains(&chunk.score)), "{:?}", after);
            prop_assert!(after.windows(2).all(|pair| by_score(&pair[0], &pair[1]).is_lt()));
            prop_assert!(scores.keys().all(|&address| after.iter().any(|chunk| chunk.id.0 == address)));
            let is_named = |address: u64| named.contains(&ChunkId(address));
            let holds = |address: u64| words.iter().filter(|word| word.contains(&address)).count();
            let place = |address: u64| after.iter().position(|chunk| chunk.id.0 == address);
            let has_rare_words = !is_question || common.is_none();
            if has_rare_words {
                for all in (0..30).filter(|&address| holds(address) == words.len()) {
                    let all_at = place(all).expect("what holds a rare word is always found");
                    for none in (0..30).filter(|&address| holds(address) == 0 && !is_named(address)) {
                        prop_assert!(place(none).is_none_or(|none_at| all_at < none_at), "{} and {}: {:?}", all, none, after);
                    }
                }
            }
        }
    }

    #[test]
    fn a_rare_word_among_many_makes_no_question_exact() {
        let words = |is_question| {
            let mut words = vec![word(&[1].into(), 1)];
            words.extend([10, 12, 15].map(|num_chunks| HeldWord { num_files: 9, ..word(&[2].into(), num_chunks) }));
            Exact::of(&HeldWords { is_question, are_all_words: true, words, named: Vec::new() }, 100)
        };
        let order = |exact: &Exact| -> Vec<u64> {
            let mut after = ranked(&[(1, 0.1), (2, 0.9)].into());
            exact.raise(&mut after);
            after.iter().map(|chunk| chunk.id.0).collect()
        };
        assert_eq!((order(&words(true)), order(&words(false))), (vec![2, 1], vec![1, 2]));
    }

    #[test]
    fn the_word_that_asks_for_mentions_does_not_outweigh_what_is_mentioned() {
        let words = |verb: &str| {
            let common = word(&BTreeSet::new(), 5);
            let verb = HeldWord { text: verb.to_owned(), chunks: None, ..common };
            HeldWords {
                is_question: true,
                are_all_words: true,
                words: vec![verb, word(&[1].into(), 1)],
                named: Vec::new(),
            }
        };
        let first = |verb: &str| {
            let mut after = ranked(&[(1, 0.1), (2, 0.9)].into());
            Exact::of(&words(verb), 100).raise(&mut after);
            after[0].id.0
        };
        assert_eq!((first("mention"), first("pipeline")), (1, 2));
    }

    #[test]
    fn a_question_whose_words_cannot_all_be_told_has_no_rare_words() {
        let words = vec![word(&[1].into(), 1)];
        let held =
            |are_all_words| HeldWords { is_question: true, are_all_words, words: words.clone(), named: Vec::new() };
        let first = |held: &HeldWords| {
            let mut after = ranked(&[(1, 0.1), (2, 0.9)].into());
            Exact::of(held, 100).raise(&mut after);
            after[0].id.0
        };
        assert_eq!((first(&held(true)), first(&held(false))), (1, 2));
    }

    #[test]
    fn the_file_that_is_named_stands_first() {
        let words = vec![word(&[1].into(), 1)];
        let exact =
            Exact::of(&HeldWords { is_question: false, are_all_words: true, words, named: vec![ChunkId(3)] }, 100);
        let mut after = ranked(&[(1, 1.0), (2, 0.9)].into());
        exact.raise(&mut after);
        assert_eq!(after.iter().map(|chunk| chunk.id.0).collect::<Vec<_>>(), [3, 1, 2]);
    }
}
