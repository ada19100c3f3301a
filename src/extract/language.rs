//! Which language a document is written in, by its running text.
//!
//! # Invariants
//! - It is a function of the document's text and blocks alone, and takes the same time for any length.
//! - Code, tables, logs, numbers and names with digits in them say nothing.

use super::document::{BlockKind, Document};
use super::escapes::{Breaks, unescaped};
use crate::workspace::Language;

/// Bytes of running text that are looked at.
const MAX_SAMPLE_BYTES: usize = 6_000;
/// Places of the document that they are from.
const NUM_PIECES: usize = 12;
/// With fewer letters nothing is said, of scripts that many languages share.
const MIN_LETTERS: usize = 60;
/// The least number of signs of a script in which one sign is as much as a word.
const MIN_SIGNS: usize = 12;
/// How sure it has to be, 0 to 1.
const MIN_CONFIDENCE: f64 = 0.5;

/// ISO 639-1 for what is found, by ISO 639-3. What is not here has no code of two letters.
const CODES: [(&str, &str); 69] = [
    ("epo", "eo"),
    ("eng", "en"),
    ("rus", "ru"),
    ("cmn", "zh"),
    ("spa", "es"),
    ("por", "pt"),
    ("ita", "it"),
    ("ben", "bn"),
    ("fra", "fr"),
    ("deu", "de"),
    ("ukr", "uk"),
    ("kat", "ka"),
    ("ara", "ar"),
    ("hin", "hi"),
    ("jpn", "ja"),
    ("heb", "he"),
    ("yid", "yi"),
    ("pol", "pl"),
    ("amh", "am"),
    ("jav", "jv"),
    ("kor", "ko"),
    ("nob", "no"),
    ("dan", "da"),
    ("swe", "sv"),
    ("fin", "fi"),
    ("tur", "tr"),
    ("nld", "nl"),
    ("hun", "hu"),
    ("ces", "cs"),
    ("ell", "el"),
    ("bul", "bg"),
    ("bel", "be"),
    ("mar", "mr"),
    ("kan", "kn"),
    ("ron", "ro"),
    ("slv", "sl"),
    ("hrv", "hr"),
    ("srp", "sr"),
    ("mkd", "mk"),
    ("lit", "lt"),
    ("lav", "lv"),
    ("est", "et"),
    ("tam", "ta"),
    ("vie", "vi"),
    ("urd", "ur"),
    ("tha", "th"),
    ("guj", "gu"),
    ("uzb", "uz"),
    ("pan", "pa"),
    ("aze", "az"),
    ("ind", "id"),
    ("tel", "te"),
    ("pes", "fa"),
    ("mal", "ml"),
    ("ori", "or"),
    ("mya", "my"),
    ("nep", "ne"),
    ("sin", "si"),
    ("khm", "km"),
    ("tuk", "tk"),
    ("aka", "ak"),
    ("zul", "zu"),
    ("sna", "sn"),
    ("afr", "af"),
    ("lat", "la"),
    ("slk", "sk"),
    ("cat", "ca"),
    ("tgl", "tl"),
    ("hye", "hy"),
];

/// The language of a document's running text; `None` where there is too little of it, or it could be of several.
#[must_use]
pub fn language_of(document: &Document) -> Option<Language> {
    language_of_text(&sample(document))
}

/// The language of running text.
fn language_of_text(text: &str) -> Option<Language> {
    let found = whatlang::detect(text)?;
    let num_letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let needed = if is_of_signs(found.script()) { MIN_SIGNS } else { MIN_LETTERS };
    if num_letters < needed || found.confidence() < MIN_CONFIDENCE {
        return None;
    }
    let code = CODES.iter().find(|(three, _)| *three == found.lang().code());
    code.and_then(|(_, two)| Language::of_code(two))
}

/// Whether a letter of the script says as much as several of an alphabet.
const fn is_of_signs(script: whatlang::Script) -> bool {
    use whatlang::Script::{Hangul, Hiragana, Katakana, Mandarin};
    matches!(script, Mandarin | Hiragana | Katakana | Hangul)
}

/// Words of the running text, from places all over it.
fn sample(document: &Document) -> String {
    let prose: Vec<&str> = document
        .blocks
        .iter()
        .filter(|block| block.kind == BlockKind::Prose)
        .filter_map(|block| block.span.of(&document.text))
        .collect();
    let num_bytes: usize = prose.iter().map(|text| text.len()).sum();
    let piece_bytes = MAX_SAMPLE_BYTES / NUM_PIECES;
    let mut words = String::new();
    let mut begins_at = 0;
    let mut next = 0;
    for text in prose {
        let ends_at = begins_at + text.len();
        // Where all fits, all is taken.
        while next < NUM_PIECES {
            let from = if num_bytes <= MAX_SAMPLE_BYTES { begins_at } else { num_bytes / NUM_PIECES * next };
            if from >= ends_at {
                break;
            }
            let most = if num_bytes <= MAX_SAMPLE_BYTES { text.len() } else { piece_bytes };
            add_words(&mut words, text, from.saturating_sub(begins_at), most);
            if num_bytes <= MAX_SAMPLE_BYTES {
                break;
            }
            next += 1;
        }
        begins_at = ends_at;
    }
    words
}

/// Adds what are words of `text[from..]`, about `most` bytes of it.
fn add_words(words: &mut String, text: &str, from: usize, most: usize) {
    let rest = &text[text.ceil_char_boundary(from)..];
    let rest = &rest[..rest.floor_char_boundary(most)];
    let rest = unescaped(rest, Breaks::Part);
    for word in rest.split_whitespace() {
        let word = word.trim_matches(|c: char| !c.is_alphanumeric());
        let is_word = !word.is_empty()
            && !word
                .chars()
                .any(|c| c.is_numeric() || matches!(c, '_' | '/' | '\\' | '@' | '=' | '<' | '>' | '{' | '}'))
            && !word.contains("::")
            && !word.contains('.');
        if is_word {
            words.push_str(word);
            words.push(' ');
        }
    }
}

#[cfg(test)]
mod tests;
