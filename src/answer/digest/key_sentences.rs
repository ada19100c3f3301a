//! The sentences that say most of what a document says.
//!
//! A sentence's weight is the mean weight of its words, a word weighing the logarithm of how often the document has it, so that
//! sentences about what the whole is about go first; it counts more in a part that draws conclusions, at the
//! beginning, with figures, and less in tables and code. Sentences are picked one by one, and words that were picked lose
//! their weight.
//!
//! Source: Nenkova and Vanderwende, "The Impact of Frequency on Summarization" (`SumBasic`), Microsoft Research 2005; the place of a
//! sentence: Edmundson, "New Methods in Automatic Extracting", JACM 1969.

use std::collections::{BTreeSet, HashMap};

use crate::answer::sentences::units;
use crate::extract::Format;
use crate::index::ChunkRecord;
use crate::index::analyzer::{Analysis, Stemming, positioned_terms};
use crate::workspace::Span;

/// Sentences of a document that are weighed.
const MAX_UNITS: usize = 400;
/// A sentence with fewer words says too little by itself.
const MIN_WORDS: usize = 4;
/// Words of a sentence beyond so many add nothing to it.
const MAX_WORDS: usize = 40;

/// A sentence, by the chunk that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySentence {
    /// Position among the chunks that were given.
    pub chunk: usize,
    /// Where it stands in the chunk's words.
    pub span: Span,
}

struct Unit {
    at: KeySentence,
    words: BTreeSet<String>,
    factor: f32,
}

/// Up to `number` sentences of the chunks of one document, in the order of its text; those that `seen` holds are passed over, and
/// what is chosen is put there.
#[must_use]
pub fn key_sentences(chunks: &[ChunkRecord], number: usize, seen: &mut BTreeSet<String>) -> Vec<KeySentence> {
    let mut units = weigh(chunks);
    let mut frequency: HashMap<&str, f32> = HashMap::new();
    for unit in &units {
        for word in &unit.words {
            *frequency.entry(word).or_default() += 1.0;
        }
    }
    let mut weights: HashMap<String, f32> =
        frequency.into_iter().map(|(word, times)| (word.to_owned(), (1.0 + times).ln())).collect();
    let mut chosen = Vec::new();
    while chosen.len() < number {
        let worth = |unit: &Unit| {
            let sum: f32 = unit.words.iter().map(|word| weights.get(word).copied().unwrap_or_default()).sum();
            // Short sentences do not win by one frequent word, long ones not by their length.
            unit.factor * sum / (unit.words.len() as f32 + 4.0)
        };
        let best = (0..units.len()).map(|index| (worth(&units[index]), index)).filter(|(worth, _)| *worth > 0.0);
        let Some((_, index)) = best.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1))) else { break };
        let unit = units.remove(index);
        let text = folded(&chunks[unit.at.chunk].words[unit.at.span.range()]);
        if !seen.insert(text) {
            continue;
        }
        for word in &unit.words {
            if let Some(weight) = weights.get_mut(word) {
                *weight *= 0.4;
            }
        }
        chosen.push(unit.at);
    }
    chosen.sort_by_key(|at| (at.chunk, at.span.start));
    chosen
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn weigh(chunks: &[ChunkRecord]) -> Vec<Unit> {
    let mut all = Vec::new();
    let mut has_prose = false;
    for (index, chunk) in chunks.iter().enumerate() {
        let stemming = Stemming::of(chunk.file.language);
        let trail = chunk.place.trail.join(" ").to_lowercase();
        for span in units(&chunk.words) {
            let text = &chunk.words[span.range()];
            let words: Vec<String> = positioned_terms(text, Analysis::Stemmed, stemming)
                .into_iter()
                .map(|(_, term)| term)
                .take(MAX_WORDS)
                .collect();
            let words: BTreeSet<String> =
                words.into_iter().filter(|word| word.chars().any(char::is_alphabetic)).collect();
            if words.len() < MIN_WORDS.min(2) {
                continue;
            }
            let is_prose = is_prose(text) && (chunk.file.format != Format::Code || is_comment(text));
            has_prose |= is_prose;
            // A heading inside the chunk is nearer than those above it.
            let heading = heading_before(&chunk.words[..span.start]);
            let place = if all.is_empty() { 1.5 } else { 1.0 + 0.3 / (1.0 + all.len() as f32 / 4.0) };
            let section = if concludes(&trail) || heading.is_some_and(|heading| concludes(&heading.to_lowercase())) {
                1.6
            } else {
                1.0
            };
            let figures = if text.bytes().any(|byte| byte.is_ascii_digit()) { 1.15 } else { 1.0 };
            let length = if words.len() < MIN_WORDS { 0.5 } else { 1.0 };
            let at = KeySentence { chunk: index, span };
            all.push((Unit { at, words, factor: place * section * figures * length * cue(text) }, is_prose));
            if all.len() == MAX_UNITS {
                break;
            }
        }
    }
    let weaker = |is_prose: bool| if has_prose && !is_prose { 0.25 } else { 1.0 };
    all.into_iter().map(|(unit, is_prose)| Unit { factor: unit.factor * weaker(is_prose), ..unit }).collect()
}

/// Whether words are a sentence rather than a row, a record or code.
fn is_prose(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let text = text.trim_start_matches(['/', '*', '#', '!', '-', ' ', '"']);
    let others = text
        .chars()
        .filter(|c| !c.is_alphanumeric() && !c.is_whitespace() && !matches!(c, '.' | ',' | '\'' | '-' | '*' | '`'))
        .count();
    letters >= 12 && others * 8 <= letters && !text.starts_with(['|', '{', '[', '<'])
}

/// Whether a line of code is one for people.
fn is_comment(line: &str) -> bool {
    ["//", "/*", "*", "#", "--", "\"\"\""].iter().any(|mark| line.trim_start().starts_with(mark))
}

/// What a log says when something went wrong, and what writers say when they come to their point.
fn cue(text: &str) -> f32 {
    const CUES: [&str; 18] = [
        "error",
        "failed",
        "failure",
        "fatal",
        "panic",
        "we recommend",
        "recommendation",
        "decided",
        "decision",
        "in summary",
        "conclusion",
        "we found",
        "result",
        "root cause",
        "caused by",
        "now ",
        "therefore",
        "must",
    ];
    let text = text.to_lowercase();
    if CUES.iter().any(|cue| text.contains(cue)) { 1.2 } else { 1.0 }
}

fn concludes(heading: &str) -> bool {
    const WORDS: [&str; 15] = [
        "summary",
        "conclusion",
        "result",
        "finding",
        "decision",
        "recommend",
        "outcome",
        "abstract",
        "tl;dr",
        "overview",
        "highlights",
        "key ",
        "what changed",
        "in short",
        "takeaway",
    ];
    WORDS.iter().any(|word| heading.contains(word))
}

/// The last Markdown heading in some text.
fn heading_before(text: &str) -> Option<&str> {
    text.lines().rev().find(|line| line.starts_with('#'))
}
