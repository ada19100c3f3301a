//! Words by their spelling: what holds them, and how far one is from another.

use super::ChunkRecord;
use super::analyzer::{Analysis, Phrase, Stemming, positioned_terms};

/// Which words to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WordPattern<'a> {
    /// Words that begin so, in small letters.
    BeginsWith(&'a str),
    /// Words that so many letters more, fewer, other or exchanged with their neighbour make of this one, in small letters.
    Near {
        /// The word.
        word: &'a str,
        /// The most edits, 1 or 2.
        max_distance: u8,
    },
}

/// A word that chunks hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundWord {
    /// As it is indexed: in small letters, or a stem where no chunk has it as written.
    pub word: String,
    /// Edits from the word that was asked for; 0 where it is not about edits.
    pub distance: u8,
    /// Chunks that hold it, in the field where most do.
    pub num_chunks: usize,
}

impl WordPattern<'_> {
    /// The distance of a term that is of this pattern.
    pub(super) fn distance(&self, term: &str) -> Option<u8> {
        match *self {
            Self::BeginsWith(beginning) => term.starts_with(beginning).then_some(0),
            Self::Near { word, max_distance } => edit_distance(word, term).filter(|&distance| distance <= max_distance),
        }
    }

    /// The first `limit` of some words, those of few edits, with the same beginning, and in many chunks first, then by the alphabet.
    pub(super) fn first(&self, mut found: Vec<FoundWord>, limit: usize) -> Vec<FoundWord> {
        let begins_otherwise = |found: &FoundWord| match *self {
            Self::Near { word, .. } => word.chars().next() != found.word.chars().next(),
            Self::BeginsWith(_) => false,
        };
        found.sort_by(|one, other| {
            let key =
                |found: &FoundWord| (found.distance, begins_otherwise(found), std::cmp::Reverse(found.num_chunks));
            key(one).cmp(&key(other)).then_with(|| one.word.cmp(&other.word))
        });
        found.truncate(limit);
        found
    }
}

/// The stems of a word, in each of these languages.
pub(super) fn stems(word: &str, stemmings: &[Stemming]) -> Vec<String> {
    let mut stems: Vec<String> = Vec::new();
    for &stemming in stemmings {
        for (_, stem) in positioned_terms(word, Analysis::Stemmed, stemming) {
            if !stems.contains(&stem) {
                stems.push(stem);
            }
        }
    }
    stems
}

/// Whether a chunk holds a phrase: in its words, and where it is not of stop words alone, in a heading above them, its document's
/// title or its path.
pub(super) fn holds_phrase(chunk: &ChunkRecord, phrase: &Phrase) -> bool {
    let around = || {
        phrase.is_in(chunk.file.path.as_str())
            || chunk.file.title.as_deref().is_some_and(|title| phrase.is_in(title))
            || chunk.place.trail.iter().any(|heading| phrase.is_in(heading))
    };
    let has_stems = || !phrase.terms(Analysis::Stemmed, Stemming::of(chunk.file.language)).is_empty();
    phrase.is_in(&chunk.searched_words()) || around() && has_stems()
}

/// Leaves out what is only the stem of words that were found as well, or of no word at all, as far as that can be told: from its being
/// its own stem, and from its standing in more chunks than those words. `as_written` says which were found as written.
pub(super) fn keep_as_written(found: &mut Vec<FoundWord>, as_written: &[bool], stemmings: &[Stemming]) {
    let is_written = found.iter().zip(as_written).filter(|(_, is)| **is);
    let written: Vec<(Vec<String>, usize)> =
        is_written.map(|(found, _)| (stems(&found.word, stemmings), found.num_chunks)).collect();
    let mut is_written = as_written.iter();
    found.retain(|FoundWord { word, num_chunks, .. }| {
        let of_words =
            || written.iter().filter(|(stems, _)| stems.contains(word)).map(|(_, num_chunks)| num_chunks).sum();
        is_written.next().copied().unwrap_or_default()
            || stems(word, stemmings).contains(word) && *num_chunks > of_words()
    });
}

/// Letters to be added, left out, replaced, or exchanged with their neighbour to make one word of another; `None` above 2.
///
/// Source: Damerau, "A technique for computer detection and correction of spelling errors", CACM 7(3), 1964, in its restricted form
/// (no letter is edited twice).
fn edit_distance(one: &str, other: &str) -> Option<u8> {
    const MAX: usize = 2;
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    if one.len().abs_diff(other.len()) > MAX {
        return None;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, a) in (1..).zip(&one) {
        let mut current = vec![row; other.len() + 1];
        for (column, b) in (1..).zip(&other) {
            let replaced = last[column - 1] + usize::from(a != b);
            let mut best = replaced.min(last[column] + 1).min(current[column - 1] + 1);
            let is_exchanged = row > 1 && column > 1 && one[row - 2] == *b && other[column - 2] == *a;
            if is_exchanged {
                best = best.min(before_last[column - 2] + 1);
            }
            current[column] = best;
        }
        before_last = std::mem::replace(&mut last, current);
    }
    u8::try_from(last[other.len()]).ok().filter(|&distance| usize::from(distance) <= MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted_and_an_exchange_of_neighbours_is_one() {
        let cases = [
            ("gatway", "gateway", Some(1)),
            ("gatewya", "gateway", Some(1)),
            ("gateway", "gateway", Some(0)),
            ("recieved", "received", Some(1)),
            ("harbuor", "harbour", Some(1)),
            ("größe", "grösse", Some(2)),
            ("abcd", "wxyz", None),
            ("", "ab", Some(2)),
            ("", "abc", None),
        ];
        for (one, other, distance) in cases {
            assert_eq!((edit_distance(one, other), edit_distance(other, one)), (distance, distance), "{one} {other}");
        }
    }
}
