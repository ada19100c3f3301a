//! Parts of compounds, found without a dictionary, in languages that write them as one word.
//!
//! A compound can be divided between two syllables only, and both sides are words then. Which of the runs of syllables are words is known to whoever
//! asks: a run that is none (`nungsnum`) is asked for by nobody. So all runs are parts, for a word of a query to be looked up among them.
//!
//! Source: the hyphenation decompounder of Lucene (`HyphenationCompoundWordTokenFilter`) without its dictionary; patterns of the
//! `hypher` crate.

pub(super) use hypher::Lang;
use hypher::hyphenate;

/// Shorter words are no compounds, in characters.
const MIN_COMPOUND: usize = 8;
/// Longer ones are no words, in bytes.
const MAX_COMPOUND_BYTES: usize = 60;
/// Shorter words are not looked up among parts, in characters: most runs of so few letters are syllables.
const MIN_PART: usize = 4;
/// What is left of a compound on either side of a part, if anything, is at least this long, in characters.
const MIN_REST: usize = 3;
/// A part has at most so many syllables.
const MAX_SYLLABLES: usize = 5;

/// Whether a word of a query may be a part.
pub(super) fn may_be_part(word: &str) -> bool {
    word.chars().count() >= MIN_PART && word.chars().all(char::is_alphabetic)
}

/// Languages that write compounds as one word, by their codes.
const LANGUAGES: [(&str, Lang); 3] = [("da", Lang::Danish), ("de", Lang::German), ("no", Lang::Norwegian)];

/// By what patterns a language (ISO 639-1) is divided into syllables, where it writes compounds as one word.
pub(super) fn language(code: &str) -> Option<Lang> {
    LANGUAGES.iter().find(|(other, _)| *other == code).map(|(_, language)| *language)
}

/// Where the parts of a word begin and end, in bytes; none of a word that is no compound.
pub(super) fn parts(word: &str, language: Lang) -> impl Iterator<Item = (usize, usize)> {
    let ends: Vec<usize> = if may_be_compound(word) { ends_of_syllables(word, language) } else { Vec::new() };
    let starts: Vec<usize> = std::iter::once(0).chain(ends.iter().copied()).collect();
    let length = |from: usize, to: usize| word[from..to].chars().count();
    let is_part = |&(from, to): &(usize, usize)| {
        let (before, after) = (length(0, from), length(to, word.len()));
        let is_rest = |length: usize| length == 0 || length >= MIN_REST;
        before + after > 0 && length(from, to) >= MIN_PART && is_rest(before) && is_rest(after)
    };
    let runs = starts
        .iter()
        .enumerate()
        .flat_map(|(first, &from)| ends.iter().skip(first).take(MAX_SYLLABLES).map(move |&to| (from, to)));
    runs.filter(is_part).collect::<Vec<_>>().into_iter()
}

fn may_be_compound(word: &str) -> bool {
    word.len() <= MAX_COMPOUND_BYTES && word.chars().all(char::is_alphabetic) && word.chars().count() >= MIN_COMPOUND
}

fn ends_of_syllables(word: &str, language: Lang) -> Vec<usize> {
    let lower = word.to_lowercase();
    // Positions in the one are those in the other, but for a few letters.
    if lower.len() != word.len() {
        return Vec::new();
    }
    let mut end = 0;
    let ends = hyphenate(&lower, language).map(|syllable| {
        end += syllable.len();
        end
    });
    ends.filter(|&end| word.is_char_boundary(end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_compound_are_among_its_parts() {
        for (language, compound, words) in [
            ("da", "Sygesikringskort", &["sikrings", "kort"][..]),
            ("no", "Arbeidsgiveravgift", &["Arbeids", "avgift"]),
            ("de", "Rechnungsnummer", &["Rechnungs", "nummer"]),
            ("de", "Wartungsplan", &["Wartungs", "plan"]),
            ("de", "Donaudampfschifffahrtsgesellschaft", &["Donau", "dampfschiff", "schiff", "gesellschaft"]),
            ("de", "Straßenbahnhaltestelle", &["Straßen", "bahn", "Straßenbahn", "haltestelle"]),
            ("de", "Krankenversicherung", &["Kranken", "versicherung"]),
        ] {
            let parts: Vec<&str> =
                parts(compound, super::language(language).unwrap()).map(|(from, to)| &compound[from..to]).collect();
            assert!(words.iter().all(|word| parts.contains(word)), "{parts:?}");
            assert!(!parts.contains(&compound) && parts.len() < 30, "{parts:?}");
        }
        assert!(parts("Haus", Lang::German).next().is_none() && parts("A12345678", Lang::German).next().is_none());
    }

    proptest::proptest! {
        #[test]
        fn parts_are_cut_between_characters(word in "\\PC{0,30}") {
            for (from, to) in parts(&word, Lang::German) {
                proptest::prop_assert!(word.get(from..to).is_some_and(may_be_part));
            }
        }
    }
}
