//! How probable it is that sentences of the files answer a question, and below what there is no answer.
//!
//! A logistic regression over what can be seen of the evidence. Its weights were fitted on questions whose answers are known, some of
//! which nothing answers; `docs/answers.md` says on which, and how often it is wrong.

use serde::Serialize;

use super::candidates::{Candidate, Looked, is_in, terms_of};
use super::extractive::Evidence;
use super::place::above;
use crate::index::analyzer::Stemming;
use crate::search::Hit;

/// Passages whose words are looked at together.
const NUM_TOGETHER: usize = 3;

/// What can be seen of the evidence for an answer, every figure in `0..=1`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Signals {
    /// The largest share of the question's words, rare ones counting more, that one sentence and its headings hold.
    pub words: f32,
    /// The mean of this share and the cosine of the question and the sentence, for the sentence where it is largest.
    pub joint: f32,
    /// The share of the words that the best passages hold together.
    pub together: f32,
    /// The share of the question's names and numbers that the passage of the best sentence holds, or its path or headings; 1
    /// without any.
    pub names: f32,
    /// Whether the best sentence has what the question asks for, a number or somebody's name, that the question has not: 1 or 0; 1 where
    /// it asks for neither.
    pub kind: f32,
}

impl Signals {
    pub(super) fn of(question: &str, evidence: &Evidence<'_>, looked: &Looked) -> Self {
        let known = || looked.candidates.iter().filter(|candidate| candidate.cosine.is_some());
        let best = |of: fn(&Candidate) -> f32| known().map(of).fold(0.0_f32, f32::max);
        let first = looked.candidates.iter().max_by(|a, b| a.relevance.total_cmp(&b.relevance));
        let (names, kind) = first.map_or((0.0, 0.0), |first| {
            let hit = &evidence.hits[first.hit];
            (names_held(question, hit), kind_held(question, &hit.text[first.span.range()]))
        });
        Self {
            words: best(|candidate| candidate.coverage),
            joint: best(|candidate| 0.5 * (candidate.coverage + candidate.cosine.unwrap_or_default().max(0.0))),
            together: words_held(&evidence.hits[..evidence.hits.len().min(NUM_TOGETHER)], looked),
            names,
            kind,
        }
    }
}

/// With less confidence there is no answer.
pub(super) const LEAST: f32 = 0.4;

impl Signals {
    /// How probable it is that the evidence answers, in `0..=1`.
    #[must_use]
    pub fn confidence(&self) -> f32 {
        let Self { words, joint, together, names, kind } = *self;
        let log_odds = 0.94 * words + 0.70 * joint + 2.41 * together + 1.34 * names + 0.42 * kind - 4.21;
        1.0 / (1.0 + (-log_odds).exp())
    }
}

/// The share of the question's words that passages hold, or their titles, headings and paths.
fn words_held(hits: &[Hit], looked: &Looked) -> f32 {
    let mut terms = std::collections::BTreeSet::new();
    for hit in hits {
        let stemming = Stemming::of(hit.language);
        terms.extend(terms_of(&hit.text, stemming));
        terms.extend(terms_of(&above(hit), stemming));
    }
    let total: f32 = looked.weights.iter().sum();
    let held = looked.words.iter().zip(&looked.weights).filter(|(word, _)| is_in(word, &terms));
    let held: f32 = held.map(|(_, weight)| weight).sum();
    if total > 0.0 { held / total } else { 0.0 }
}

/// The share of the names and numbers of a question that a passage holds.
fn names_held(question: &str, hit: &Hit) -> f32 {
    let names = names(question);
    if names.is_empty() {
        return 1.0;
    }
    let held = format!("{} {}", hit.text, above(hit)).to_lowercase();
    names.iter().filter(|name| held.contains(name.as_str())).count() as f32 / names.len() as f32
}

/// Words that are written as names within a sentence, and such with digits, in small letters.
fn names(question: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut begins = true;
    for word in question.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let bare = bare.strip_suffix("'s").or_else(|| bare.strip_suffix("’s")).unwrap_or(bare);
        let is_name = !begins && bare.chars().next().is_some_and(char::is_uppercase) && bare.chars().count() > 1;
        if is_name || bare.chars().any(|c| c.is_ascii_digit()) {
            names.push(bare.to_lowercase());
        }
        begins = word.ends_with(['.', '?', '!', ':']);
    }
    names
}

/// Whether a sentence has a number or a name that the question has not, where that asks for one.
fn kind_held(question: &str, sentence: &str) -> f32 {
    const ASKS: [&str; 18] = [
        "how many",
        "how much",
        "how long",
        "how often",
        "how far",
        "how high",
        "how old",
        "how large",
        "how big",
        "how fast",
        "percent",
        "number of",
        "what year",
        "which year",
        "when ",
        "what date",
        "what time",
        "how deep",
    ];
    let named = names(sentence);
    let question = question.to_lowercase();
    let is_new = |word: &String| !question.contains(word.as_str());
    if question.starts_with("who ") || question.starts_with("whose ") {
        let first = sentence.split_whitespace().next().unwrap_or_default().to_lowercase();
        return f32::from(u8::from(named.iter().any(is_new) || is_new(&first)));
    }
    if !ASKS.iter().any(|asks| question.contains(asks)) {
        return 1.0;
    }
    let numbers =
        sentence.split(|c: char| !c.is_alphanumeric()).filter(|word| word.bytes().any(|b| b.is_ascii_digit()));
    f32::from(u8::from(numbers.into_iter().any(|number| !question.contains(&number.to_lowercase()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_evidence_is_more_confidence() {
        let none = Signals::default();
        let all = Signals { words: 1.0, joint: 1.0, together: 1.0, names: 1.0, kind: 1.0 };
        assert!(none.confidence() < 0.1 && all.confidence() > 0.8);
        for more in [
            Signals { words: 1.0, ..none },
            Signals { joint: 1.0, ..none },
            Signals { together: 1.0, ..none },
            Signals { names: 1.0, ..none },
            Signals { kind: 1.0, ..none },
        ] {
            assert!(more.confidence() > none.confidence(), "{more:?}");
        }
    }

    #[test]
    fn names_are_told_by_their_capitals_within_a_sentence_and_numbers_by_their_digits() {
        assert_eq!(
            names("Who is Harald Bech's brother? Does RVH-022 count in 2025?"),
            ["harald", "bech", "rvh-022", "2025"]
        );
        assert!(names("What holds up a loaded ship?").is_empty());
    }

    #[test]
    fn a_question_for_a_number_wants_one_that_it_does_not_name_itself() {
        for (question, sentence, expected) in [
            ("How many stations are there?", "There are 72 stations.", 1.0),
            ("How many of the 72 stations are old?", "The 72 stations are old.", 0.0),
            ("How many stations are there?", "There are many.", 0.0),
            ("Who leads it?", "it is led by Ines.", 1.0),
            ("What is it?", "A harbour.", 1.0),
        ] {
            assert!((kind_held(question, sentence) - expected).abs() < f32::EPSILON, "{question} {sentence}");
        }
    }
}
