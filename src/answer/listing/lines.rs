//! Lines that make their file a member of a list: they mention words, say something of it, or are items to be done.

use std::collections::BTreeSet;

use super::subject::{Subject, normal};
use crate::answer::candidates::terms_of;
use crate::answer::sentences::units;
use crate::index::analyzer::{Phrase, Stemming};
use crate::index::{ChunkPlace, ChunkRecord};
use crate::workspace::Span;

/// The line in which a text has these words side by side, in small or capital letters; the whole word where it is one.
#[must_use]
pub fn find_words(text: &str, words: &str) -> Option<Span> {
    let phrase = Phrase::of(words);
    let is_edge = |c: Option<char>| c.is_none_or(|c| !(c.is_alphanumeric() || c == '_'));
    let has = |line: &str| {
        if let Some(phrase) = &phrase {
            return phrase.is_in(line);
        }
        let (line, word) = (line.to_lowercase(), words.to_lowercase());
        line.match_indices(&word).any(|(at, found)| {
            is_edge(line[..at].chars().next_back()) && is_edge(line[at + found.len()..].chars().next())
        })
    };
    let line = lines(text).find(|span| has(&text[span.range()]));
    // A phrase may go over the end of a line.
    line.or_else(|| phrase.as_ref().filter(|phrase| phrase.is_in(text)).map(|_| first_line(text)))
}

/// The sentence or line of a chunk that has all of these words, in any order and form.
#[must_use]
pub fn line_with_all(chunk: &ChunkRecord, words: &str) -> Option<Span> {
    let stemming = Stemming::of(chunk.file.language);
    let wanted = terms_of(words, stemming);
    let has_all = |span: &Span| wanted.is_subset(&terms_of(&chunk.words[span.range()], stemming));
    units(&chunk.words).into_iter().find(|span| !wanted.is_empty() && has_all(span))
}

/// The lines of a chunk that say this of their file, and whether they do as a setting whose value it is: `status: rejected`.
#[must_use]
pub fn lines_that_say(chunk: &ChunkRecord, condition: &[String]) -> Vec<(Span, bool)> {
    let stemming = Stemming::of(chunk.file.language);
    // `No tests` is the opposite of `tests`, and `no` is a stop word.
    let denies = |text: &str| {
        text.split(|c: char| !c.is_alphanumeric()).any(|word| matches!(&*word.to_lowercase(), "no" | "not" | "never"))
    };
    let words = condition.join(" ");
    let wanted = terms_of(&words, stemming);
    if wanted.is_empty() {
        return Vec::new();
    }
    let mut found = Vec::new();
    for span in lines(&chunk.words) {
        let line = &chunk.words[span.range()];
        let said: BTreeSet<String> = terms_of(line, stemming);
        if !wanted.is_subset(&said) || denies(line) != denies(&words) {
            continue;
        }
        let value = line.split_once([':', '=']).map(|(key, value)| (key, terms_of(value, stemming)));
        let is_setting = value.is_some_and(|(key, value)| key.split_whitespace().count() <= 3 && value == wanted);
        found.push((span, is_setting));
    }
    found
}

/// The items of a text that are to be done, or are done where the question asks for these, with their words.
#[must_use]
pub fn todos_in(text: &str, subject: &Subject) -> Vec<(Span, String)> {
    const DONE: [&str; 6] = ["done", "closed", "finished", "completed", "ticked", "checked"];
    let all_words = || subject.noun.iter().chain(&subject.condition);
    let wants_done = all_words().any(|word| DONE.contains(&word.as_str()));
    let wants_open = all_words()
        .any(|word| matches!(word.as_str(), "open" | "unfinished" | "remaining" | "pending" | "outstanding" | "left"));
    let mut items = Vec::new();
    for span in lines(text) {
        let line = text[span.range()].trim_start();
        let item = line.strip_prefix(['-', '*', '+']).unwrap_or(line).trim_start();
        let (is_done, words) = if let Some(rest) = item.strip_prefix("[ ]") {
            (false, rest)
        } else if let Some(rest) = item.strip_prefix("[x]").or_else(|| item.strip_prefix("[X]")) {
            (true, rest)
        } else if let Some(rest) = item.strip_prefix("TODO").filter(|rest| rest.starts_with([':', ' ', '('])) {
            (false, rest)
        } else {
            continue;
        };
        if wants_done && !is_done || wants_open && is_done {
            continue;
        }
        let words = words.trim_start_matches([':', ' ']).trim();
        let label = if wants_done || wants_open || !is_done { words.to_owned() } else { format!("{words} (done)") };
        items.push((span.trimmed(text), label));
    }
    items
}

/// Whether a question asks for what is to be done.
#[must_use]
pub fn is_todo(subject: &Subject) -> bool {
    const STATES: [&str; 9] =
        ["open", "closed", "unfinished", "remaining", "pending", "outstanding", "left", "done", "finished"];
    let has_state = || subject.noun.iter().chain(&subject.condition).any(|word| STATES.contains(&word.as_str()));
    subject.noun.last().is_some_and(|noun| match noun.as_str() {
        "todo" | "task" | "checkbox" => true,
        "item" | "point" => has_state() || subject.noun.iter().any(|word| word == "action"),
        "action" => has_state(),
        _ => false,
    })
}

/// The heading that makes the section of a chunk a member: one that begins with the noun and a number, or the one right below a heading
/// that is the noun.
#[must_use]
pub fn heading_of(chunk: &ChunkRecord, subject: &Subject) -> Option<String> {
    let trail = &chunk.place.trail;
    let last = subject.noun.last()?;
    let words = |heading: &str| {
        heading
            .split(|c: char| !c.is_alphanumeric() && c != '-')
            .filter(|word| !word.is_empty())
            .map(normal)
            .collect::<Vec<_>>()
    };
    let is_numbered = |heading: &String| {
        let words = words(heading);
        let at = words.iter().position(|word| word == last)?;
        let number = words.get(at + 1)?;
        (at <= 1 && number.starts_with(|c: char| c.is_ascii_digit())).then(|| heading.clone())
    };
    if let Some(heading) = trail.iter().rev().find_map(is_numbered) {
        return Some(heading);
    }
    let at = trail.iter().position(|heading| words(heading) == subject.noun)?;
    trail.get(at + 1).cloned()
}

/// The headings of Markdown within a chunk that begin with the noun and a number, where they stand.
#[must_use]
pub fn headings_in(chunk: &ChunkRecord, subject: &Subject) -> Vec<(Span, String)> {
    let heading = |span: Span| {
        let line = &chunk.words[span.range()];
        let words = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?.trim();
        let record = ChunkRecord {
            place: ChunkPlace { trail: vec![words.to_owned()], ..ChunkPlace::default() },
            ..chunk.clone()
        };
        heading_of(&record, subject).map(|heading| (span, heading))
    };
    lines(&chunk.words).filter_map(heading).collect()
}

/// The first line of a text.
#[must_use]
pub fn first_line(text: &str) -> Span {
    lines(text).next().unwrap_or_else(|| Span::new(0, text.len()))
}

/// The lines of a text that are not blank, without the white space around them.
fn lines(text: &str) -> impl Iterator<Item = Span> + '_ {
    let mut at = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let span = Span::new(at, at + line.len()).trimmed(text);
        at += line.len();
        (!span.is_empty()).then_some(span)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_mentioned_as_a_whole() {
        let line = |text: &str, words: &str| find_words(text, words).map(|span| text[span.range()].to_owned());
        assert_eq!(line("# A\nwe use KEDA here\nmore", "keda").as_deref(), Some("we use KEDA here"));
        assert_eq!(line("KedaScaler", "keda"), None);
        assert_eq!(line("the Lighthouse\nkeeper", "lighthouse keeper").as_deref(), Some("the Lighthouse"));
        assert_eq!(line("RVH-031,a", "rvh-031").as_deref(), Some("RVH-031,a"));
        assert_eq!(line("RVH-0311,a", "rvh-031"), None);
    }

    #[test]
    fn open_items_are_those_without_a_tick() {
        let text = "[x] ask\n- [ ] order modems\n* [X] sent\nTODO: write tests\ntext [ ] no item";
        let labels = |question: &str| {
            todos_in(text, &Subject::of(question)).into_iter().map(|(_, label)| label).collect::<Vec<_>>()
        };
        assert_eq!(labels("List the open to-dos"), ["order modems", "write tests"]);
        assert_eq!(labels("Which tasks are done?"), ["ask", "sent"]);
        assert_eq!(labels("List all to-dos"), ["ask (done)", "order modems", "sent (done)", "write tests"]);
    }
}
