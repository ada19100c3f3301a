//! The sentences that say most of what a document says.
//!
//! A sentence's weight is the mean weight of its words, a word weighing the logarithm of how often the document has it, so that
//! sentences about what the whole is about go first; it counts more in a part that draws conclusions, at the
//! beginning, with figures, and less in tables and code. Sentences are picked one by one, and words that were picked lose
//! their weight.
//!
//! Source: Nenkova and Vanderwende, "The Impact of Frequency on Summarization" (`SumBasic`), Microsoft Research 2005; the place of a
//! sentence: Edmundson, "New Methods in Automatic Extracting", JACM 1969.

use std::collections::{BTreeSet, HashMap, HashSet};

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
///
/// Sentences that are `common` to several documents, as those of a template are, are chosen only where there is nothing else.
#[must_use]
pub fn key_sentences(
    chunks: &[ChunkRecord],
    number: usize,
    common: &BTreeSet<String>,
    seen: &mut BTreeSet<String>,
) -> Vec<KeySentence> {
    let mut units = weigh(chunks, common);
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

/// The first sentences of a document, in its own order: running text alone, without what tables, badges and links say.
#[must_use]
pub fn first_sentences(chunks: &[ChunkRecord], number: usize, seen: &mut BTreeSet<String>) -> Vec<KeySentence> {
    let mut first = Vec::new();
    let mut is_comment_open = false;
    for (chunk, record) in chunks.iter().enumerate() {
        let hidden = hidden(&record.words, &mut is_comment_open);
        let is_hidden = |span: &Span| hidden.iter().any(|part| part.start <= span.start && span.start < part.end);
        for span in units(&record.words).into_iter().filter(|span| !is_hidden(span)) {
            let text = &record.words[span.range()];
            let num_words = text.split_whitespace().filter(|word| word.chars().any(char::is_alphabetic)).count();
            let is_said = num_words >= MIN_WORDS && is_prose(text) && !is_label(text);
            if is_said && first.len() < number && seen.insert(folded(text)) {
                first.push(KeySentence { chunk, span });
            }
        }
    }
    first
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The sentences that stand in several of these documents.
#[must_use]
pub fn common_sentences<'c>(documents: impl Iterator<Item = &'c [ChunkRecord]>) -> BTreeSet<String> {
    let (mut known, mut common) = (HashSet::new(), BTreeSet::new());
    for chunks in documents {
        let all =
            chunks.iter().flat_map(|chunk| units(&chunk.words).into_iter().map(|unit| &chunk.words[unit.range()]));
        let own: HashSet<String> = all.take(MAX_UNITS).map(folded).collect();
        for sentence in own {
            if known.contains(&sentence) {
                common.insert(sentence);
            } else {
                known.insert(sentence);
            }
        }
    }
    common
}

/// The parts of a text that no reader sees: comments of Markdown and HTML. `is_open` says whether one began before, and then whether one
/// goes on behind.
fn hidden(text: &str, is_open: &mut bool) -> Vec<Span> {
    let (mut hidden, mut at) = (Vec::new(), 0);
    loop {
        let start = if *is_open { Some(at) } else { text[at..].find("<!--").map(|offset| at + offset) };
        let Some(start) = start else { return hidden };
        let end = text[start..].find("-->").map(|offset| start + offset + "-->".len());
        hidden.push(Span::new(start, end.unwrap_or(text.len())));
        *is_open = end.is_none();
        match end {
            Some(end) => at = end,
            None => return hidden,
        }
    }
}

fn weigh(chunks: &[ChunkRecord], common: &BTreeSet<String>) -> Vec<Unit> {
    let mut is_comment_open = false;
    let mut all = Vec::new();
    let mut has_prose = false;
    let mut is_begun = false;
    for (index, chunk) in chunks.iter().enumerate() {
        let stemming = Stemming::of(chunk.file.language);
        let trail = chunk.place.trail.join(" ").to_lowercase();
        let is_markup = matches!(chunk.file.format, Format::Markdown | Format::Html);
        let hidden = if is_markup { hidden(&chunk.words, &mut is_comment_open) } else { Vec::new() };
        let is_hidden = |span: &Span| hidden.iter().any(|part| part.start <= span.start && span.start < part.end);
        for span in units(&chunk.words).into_iter().filter(|span| !is_hidden(span)) {
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
            let is_label = is_label(text) || common.contains(&folded(text));
            // A line without an end is as often a title as a sentence.
            let is_ended = text.ends_with(['.', '!', ':', '。', '！', '*', ')', '"', '”']);
            let is_first = is_prose && !is_label && is_ended && !is_begun;
            is_begun |= is_first;
            let place = if is_first { 1.8 } else { 1.0 + 0.3 / (1.0 + all.len() as f32 / 4.0) };
            let section = if concludes(&trail) || heading.is_some_and(|heading| concludes(&heading.to_lowercase())) {
                1.6
            } else {
                1.0
            };
            let figures = figures(text);
            let length = if words.len() < MIN_WORDS { 0.5 } else { 1.0 };
            let at = KeySentence { chunk: index, span };
            let kind = if is_label {
                Kind::Label
            } else if is_prose {
                Kind::Prose
            } else {
                Kind::Data
            };
            let ending = if is_ended { 1.0 } else { 0.85 };
            let factor = place * section * figures * length * ending * cue(text);
            all.push((Unit { at, words, factor }, kind));
            if all.len() == MAX_UNITS {
                break;
            }
        }
    }
    let weight = |kind: Kind| match kind {
        Kind::Label => 0.1,
        Kind::Data if has_prose => 0.1,
        Kind::Prose | Kind::Data => 1.0,
    };
    all.into_iter().map(|(unit, kind)| Unit { factor: unit.factor * weight(kind), ..unit }).collect()
}

/// What the words of a unit are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Prose,
    /// Says whose or when a document is, or only names what follows.
    Label,
    /// A row, a record or code.
    Data,
}

/// Figures with a unit or a fraction say more than dates and ordinals, and these more than none.
fn figures(text: &str) -> f32 {
    const UNITS: &str = " ms s us ns min minutes hours h % percent eur usd gbp dollars euros kb mb gb tb b kg m km mm w kw v a hz mhz points times \
                         x fold bytes requests seconds gb/s mb/s ";
    let is_figure = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_measured = words.iter().enumerate().any(|(at, word)| {
        let word = word.trim_matches(|c: char| !(c.is_alphanumeric() || matches!(c, '%' | '.' | ',')));
        let word = word.trim_end_matches(['.', ',']);
        let has_unit = words.get(at + 1).is_some_and(|next| {
            let unit = next.trim_matches(|c: char| !(c.is_alphanumeric() || matches!(c, '%' | '/'))).to_lowercase();
            UNITS.contains(&format!(" {unit} "))
        });
        let is_fraction = || {
            word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.') && word.matches('.').count() == 1
        };
        is_figure(word) && (has_unit || word.ends_with('%') || is_fraction()) || word.starts_with(['€', '$', '£'])
    });
    if is_measured {
        1.4
    } else if text.bytes().any(|byte| byte.is_ascii_digit()) {
        1.1
    } else {
        1.0
    }
}

/// Whether words only say what a document is, or of whom and when: `**For Ines, Friday 20 November**`, `Date: 2026-11-18`, a badge.
fn is_label(text: &str) -> bool {
    const POINTS: [&str; 14] = [
        "decision",
        "decided",
        "result",
        "conclusion",
        "recommendation",
        "summary",
        "root cause",
        "cause",
        "outcome",
        "finding",
        "open",
        "next",
        "risk",
        "action",
    ];
    const META: [&str; 22] = [
        "present",
        "attendees",
        "participants",
        "absent",
        "from",
        "to",
        "cc",
        "subject",
        "date",
        "author",
        "authors",
        "reviewers",
        "approvers",
        "owner",
        "tags",
        "keywords",
        "version",
        "status",
        "chair",
        "minutes",
        "location",
        "contact",
    ];
    let words = text.trim();
    // A task that is done is no news, and its mark no sentence.
    if words.starts_with("[x]") || words.starts_with("[X]") {
        return true;
    }
    let is_marked = |mark: &str| words.len() > 2 * mark.len() && words.starts_with(mark) && words.ends_with(mark);
    let inner = words.trim_matches(['*', '_']);
    // The end of a sentence may be cut off from the mark behind it.
    let is_opened = words.starts_with("**") && words.matches("**").count() == 1;
    let is_emphasised = (is_opened || is_marked("**") || is_marked("__")) && !inner.contains("**");
    let is_badge =
        words.starts_with("![") || words.starts_with("[![") || words.starts_with("<!--") || words.ends_with("-->");
    let key = words.split_once(": ").map(|(key, value)| (key.trim_matches(['*', '_', ' ']).to_lowercase(), value));
    let is_setting = key.is_some_and(|(key, value)| {
        let is_meta = META.contains(&key.as_str());
        let is_point = POINTS.iter().any(|point| key.contains(point));
        let num_words = value.split_whitespace().count();
        is_meta
            || !is_point && key.split_whitespace().count() <= 3 && num_words <= 6 && !value.trim_end().ends_with('.')
    });
    // A year in emphasised words is a date; emphasised words that are a sentence are its point.
    let is_dated = is_emphasised && inner.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() == 4);
    is_badge || is_setting || is_dated || is_emphasised && inner.split_whitespace().count() <= 4
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
    const CUES: [&str; 31] = [
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
        "approved",
        "agreed",
        "reached",
        "i propose",
        "goal of",
        "instead of",
        "this proposal",
        "this document",
        "this report",
        "this kep",
        "we propose",
        "purpose of this",
        "proposes to",
    ];
    let text = text.to_lowercase();
    if CUES.iter().any(|cue| text.contains(cue)) { 1.3 } else { 1.0 }
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

#[cfg(test)]
mod tests {
    use super::super::about::tests::chunks;
    use super::*;

    fn chosen(text: &str, number: usize, common: &BTreeSet<String>) -> Vec<String> {
        let chunks = chunks("report.md", Format::Markdown, text, 3);
        let keys = key_sentences(&chunks, number, common, &mut BTreeSet::new());
        keys.iter().map(|at| folded(&chunks[at.chunk].words[at.span.range()])).collect()
    }

    const WEEKLY: &str = "# Week 47\n\n**For Ines and Tomas, Friday 20 November 2026.**\n\nPresent: Ines, Tomas and Harald Bech.\n\n\
                          The acceptance run is green: 11.8 ms at the 99th percentile, with TLS.\nThe service boat is booked.\n\n\
                          | Figure | Value |\n|---|---|\n| p99, ms | 11.8 |\n";

    #[test]
    fn figures_and_conclusions_go_before_datelines_rows_and_names() {
        assert_eq!(
            chosen(WEEKLY, 1, &BTreeSet::new()),
            ["The acceptance run is green: 11.8 ms at the 99th percentile, with TLS."]
        );
        let decided = "# Mast\n\nThe mast is old.\n\n## Notes\n\nThe boat went out on Monday.\n\n## Decision\n\nWe decided that the mast is replaced before winter.\n";
        assert!(
            chosen(decided, 2, &BTreeSet::new())
                .contains(&"We decided that the mast is replaced before winter.".to_owned())
        );
    }

    #[test]
    fn sentences_of_a_template_and_hidden_comments_are_not_chosen() {
        let template = "All of these parts must be filled in before the release of the document.";
        let one = format!(
            "# A\n\n{template}\n\n<!--\nThe result must be 12 ms, says this comment\n\nthat goes on here.\n-->\n\nPods are resized in place.\n"
        );
        let other = format!("# B\n\n{template}\n\nJobs are suspended.\n");
        let documents = [chunks("a.md", Format::Markdown, &one, 3), chunks("b.md", Format::Markdown, &other, 3)];
        let common = common_sentences(documents.iter().map(|chunks| &chunks[..]));
        assert_eq!(common, BTreeSet::from([template.to_owned()]));
        assert_eq!(chosen(&one, 1, &common), ["Pods are resized in place."]);
        assert!(chosen(&one, 9, &common).iter().all(|sentence| !sentence.contains("comment")));
    }

    #[test]
    fn first_sentences_stand_in_their_order_without_badges_and_tables() {
        let text = "# Keel\n\n[![build](x)](y)\n\n| a | b |\n|---|---|\n\nKeel keeps the tides of a harbour.\nIt is written in Rust.\nIt has no users.\n";
        let chunks = chunks("README.md", Format::Markdown, text, 4);
        let first = first_sentences(&chunks, 2, &mut BTreeSet::new());
        let words: Vec<&str> = first.iter().map(|at| &chunks[at.chunk].words[at.span.range()]).collect();
        assert_eq!(words, ["Keel keeps the tides of a harbour.", "It is written in Rust."]);
    }
}
