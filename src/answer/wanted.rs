//! Numbers, dates, versions and identifiers that a question names. An answer to it has to be about these and no others: what is said of
//! `HTTP 404` does not answer a question about `HTTP 500`.

use std::collections::HashSet;

use super::dates::{Date, dates};
use super::facts::{self, is_row};
use crate::index::analyzer::identifiers;
use crate::workspace::RelPath;

/// Something exact that a question names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// As the question has it.
    pub written: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Date(Date),
    /// A number with the word before it: `HTTP 500`, `build 312`, `KEP-2229`.
    Labelled {
        label: String,
        number: String,
    },
    Number(String),
    /// A word that names one thing, in small letters.
    Identifier(String),
}

/// Words before a number that do not say what it counts.
const NO_LABELS: &str = " a about above all an and any are as at be been before below between but by did do does during each every except for \
    from had has have he how if in into is it least less many more most much no not of on only or out over per she since so than that \
    the their there these they this those through to top under until up was we were what when where which who why will with within \
    without last first next past day days hour hours minute minutes year years ";

/// Everything exact that a question names, each once, in its order.
pub(super) fn wanted(question: &str) -> Vec<Wanted> {
    let mut all: Vec<Wanted> = Vec::new();
    let written = dates(question);
    for date in &written {
        let words = date.span.of(question).unwrap_or_default().to_owned();
        // `10/09/2026` is one of two days: the first reading is taken, and the other one is met as well.
        if !all.iter().any(|other| other.written == words) {
            all.push(Wanted { written: words, kind: Kind::Date(date.date) });
        }
    }
    let mut rest = question.to_owned();
    for date in written.iter().rev() {
        let blank = " ".repeat(date.span.len());
        rest.replace_range(date.span.range(), &blank);
    }
    for identifier in identifiers(&rest) {
        if let Some((label, number)) = labelled(&identifier) {
            // `p99` and `v2` are written as `99th percentile` and `version 2`, too.
            if label.len() > 1 {
                all.push(Wanted { written: identifier, kind: Kind::Labelled { label, number } });
            }
        } else if !facts::is_quantity(&identifier) {
            all.push(Wanted { written: identifier.clone(), kind: Kind::Identifier(identifier) });
        }
    }
    let tokens = facts::tokens(&rest);
    let is_in_identifier = |text: &str| identifiers(&rest).iter().any(|identifier| identifier.contains(text));
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.is_number) {
        if token.text.contains(':') || is_in_identifier(token.text) {
            continue;
        }
        let before = at.checked_sub(1).map(|before| tokens[before]).filter(|before| !before.is_number);
        let label = before.map(|before| before.text.to_lowercase());
        let label = label.filter(|label| label.len() > 1 && !NO_LABELS.contains(&format!(" {label} ")));
        let number = token.text.to_owned();
        let (written, kind) = match label {
            Some(label) => {
                (format!("{} {number}", before.map_or("", |before| before.text)), Kind::Labelled { label, number })
            }
            None => (number.clone(), Kind::Number(number)),
        };
        all.push(Wanted { written, kind });
    }
    all.dedup();
    all
}

/// Letters and a number behind them: `bench-08`, `KEP-2229`, `sluice_1`.
fn labelled(identifier: &str) -> Option<(String, String)> {
    let digits = identifier.find(|c: char| c.is_ascii_digit())?;
    let (label, number) = identifier.split_at(digits);
    let label = label.trim_end_matches(['-', '_', '.', '/', '#']);
    let is_plain = !label.is_empty() && label.chars().all(char::is_alphabetic);
    let is_number = number.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    (is_plain && is_number).then(|| (label.to_lowercase(), number.to_owned()))
}

/// Where a sentence stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// Title, headings and columns above it.
    pub above: &'a str,
    /// The path of its file.
    pub path: &'a str,
}

impl Wanted {
    /// Whether a sentence names it, or the headings or the path above it do.
    pub(super) fn is_at(&self, sentence: &str, place: Place<'_>) -> bool {
        self.is_in(sentence) || self.is_above(place) || self.is_cell(sentence, place.above)
    }

    /// Whether a text names it.
    pub(super) fn is_in(&self, text: &str) -> bool {
        match &self.kind {
            Kind::Date(date) => dates(text).into_iter().any(|written| date.is_met_by(written.date)),
            Kind::Labelled { label, number } => labels_of(text, label).any(|found| is_same(number, &found)),
            Kind::Number(number) => has_number(text, number),
            Kind::Identifier(identifier) => has_word(text, identifier),
        }
    }

    /// Whether a heading or the path names it: `decision 6` is `plans/decisions/0006-retention.md`.
    pub(super) fn is_above(&self, place: Place<'_>) -> bool {
        if self.is_in(place.above) || self.is_in(place.path) {
            return true;
        }
        let Kind::Labelled { label, number } = &self.kind else { return false };
        let is_label = |text: &str| facts::tokens(text).iter().any(|token| is_form_of(token.text, label));
        (is_label(place.path) || is_label(place.above))
            && (has_number(place.path, number) || has_number(place.above, number))
    }

    /// Whether a row has the number in a cell, and the header or a heading its label.
    fn is_cell(&self, row: &str, above: &str) -> bool {
        let Kind::Labelled { label, number } = &self.kind else { return false };
        is_row(row) && has_number(row, number) && facts::tokens(above).iter().any(|token| is_form_of(token.text, label))
    }

    /// Whether a sentence speaks of another one of the kind: of another day, or of another number behind the same word.
    pub(super) fn is_contradicted_by(&self, sentence: &str) -> bool {
        if self.is_in(sentence) {
            return false;
        }
        match &self.kind {
            Kind::Date(date) => {
                let is_as_exact = |other: &Date| date.day.is_none() || other.day.is_some();
                dates(sentence).into_iter().any(|written| is_as_exact(&written.date))
            }
            Kind::Labelled { label, .. } => labels_of(sentence, label).next().is_some(),
            Kind::Number(_) | Kind::Identifier(_) => false,
        }
    }

    /// Whether both are dates, or numbers behind the same word.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Date(_), Kind::Date(_)) => true,
            (Kind::Labelled { label, .. }, Kind::Labelled { label: other, .. }) => label == other,
            _ => false,
        }
    }

    /// Whether it is a date.
    pub(super) const fn is_date(&self) -> bool {
        matches!(self.kind, Kind::Date(_))
    }
}

/// Dates, numbers and identifiers of a question, as far as they may name a file.
pub struct NamedThings(Vec<Wanted>);

impl NamedThings {
    /// Those of a question. A month alone names too many files.
    #[must_use]
    pub fn of(question: &str) -> Self {
        let mut all = wanted(question);
        all.retain(|wanted| match &wanted.kind {
            Kind::Date(date) => date.day.is_some(),
            Kind::Labelled { .. } | Kind::Identifier(_) => true,
            Kind::Number(_) => false,
        });
        Self(all)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The files whose paths and titles have most of them; none where no file has any.
    #[must_use]
    pub fn best<'f>(&self, files: impl Iterator<Item = (&'f RelPath, Option<&'f str>)>) -> HashSet<RelPath> {
        let mut best = (0, HashSet::new());
        for (path, title) in files {
            let place = Place { above: title.unwrap_or_default(), path: path.as_str() };
            let held = self.0.iter().filter(|wanted| wanted.is_above(place)).count();
            if held > best.0 {
                best = (held, HashSet::new());
            }
            if held > 0 && held == best.0 {
                best.1.insert(path.clone());
            }
        }
        best.1
    }
}

/// The numbers that stand right behind a word, or behind `no.` or `number` after it.
fn labels_of<'t>(text: &'t str, label: &'t str) -> impl Iterator<Item = String> + 't {
    let tokens = facts::tokens(text);
    let numbers: Vec<String> = (0..tokens.len())
        .filter(|&at| !tokens[at].is_number && is_form_of(tokens[at].text, label))
        .filter_map(|at| {
            let next = tokens.get(at + 1)?;
            let is_number_word = matches!(next.text, "no" | "number" | "nr" | "No" | "Number" | "version" | "v");
            let number = if is_number_word { tokens.get(at + 2)? } else { next };
            number.is_number.then(|| number.text.to_owned())
        })
        .collect();
    numbers.into_iter()
}

/// Whether a word is `label`, or its plural or singular.
fn is_form_of(word: &str, label: &str) -> bool {
    let word = word.to_lowercase();
    let is_longer = |long: &str, short: &str| long.strip_prefix(short).is_some_and(|rest| matches!(rest, "s" | "es"));
    word == *label || is_longer(&word, label) || is_longer(label, &word)
}

/// Whether two numbers are the same, with or without leading zeros and marks between thousands. `1.40` is a version as often as
/// `1.4` is a figure, so both have to be written alike.
fn is_same(one: &str, other: &str) -> bool {
    let plain = |number: &str| number.trim_start_matches('0').to_owned();
    let has_fraction = |number: &str| number.contains('.');
    plain(one) == plain(other) || !has_fraction(one) && !has_fraction(other) && facts::value(one) == facts::value(other)
}

fn has_number(text: &str, number: &str) -> bool {
    facts::tokens(text).iter().any(|token| token.is_number && is_same(token.text, number))
}

/// Whether a text has the word by itself, in small or capital letters.
fn has_word(text: &str, word: &str) -> bool {
    let lower = text.to_lowercase();
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    lower.match_indices(word).any(|(at, found)| {
        is_edge(lower[..at].chars().next_back()) && is_edge(lower[at + found.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(question: &str) -> Vec<String> {
        wanted(question).into_iter().map(|wanted| wanted.written).collect()
    }

    fn is_at(question: &str, sentence: &str, above: &str, path: &str) -> bool {
        wanted(question).iter().all(|wanted| wanted.is_at(sentence, Place { above, path }))
    }

    #[test]
    fn a_question_names_dates_numbers_with_their_words_and_identifiers() {
        assert_eq!(written("What does HTTP 500 mean?"), ["HTTP 500"]);
        assert_eq!(written("What was decided on 4 March in PR 99999?"), ["4 March", "PR 99999"]);
        assert_eq!(written("What did the diver cost in October 2026?"), ["October 2026"]);
        assert_eq!(written("Who wrote KEP-2229 about max_tokens?"), ["kep-2229", "max_tokens"]);
        assert_eq!(written("Which of the 72 stations are old?"), ["72"]);
        assert_eq!(written("What is the current p99 of build 0.9.9?"), ["build 0.9.9"]);
        assert!(written("How long are raw readings kept?").is_empty());
    }

    #[test]
    fn another_number_behind_the_word_is_no_answer() {
        for (question, other) in [
            ("What does HTTP 500 mean?", "HTTP 404 means not found."),
            ("What happened on 4 March?", "The meeting of 3 March was cancelled."),
            ("What is new in version 2.5?", "Version 2.4 brings tables."),
            ("What is in build 312?", "Build 311 has the fix."),
            ("Where is room 13?", "Room 12 is upstairs, 13 steps from the door."),
            ("What is new in 1.40?", "1.4 is out"),
            ("What was decided in decision 5?", "Decision 6 took 5 days."),
            ("What is new in version 1.21.0?", "Version 1.21.3 is out."),
        ] {
            assert!(!is_at(question, other, "", ""), "{question} {other}");
        }
    }

    #[test]
    fn the_number_may_stand_in_the_heading_the_path_or_a_cell() {
        assert!(is_at(
            "What was decided in decision 6?",
            "Readings stay for 14 days.",
            "",
            "plans/decisions/0006-retention.md"
        ));
        assert!(is_at("What does exit code 209 mean?", "| 209 | Resource not found |", "Exit code | Meaning", "a.md"));
        assert!(is_at(
            "What failed on 9 October?",
            "The payment service was down.",
            "",
            "incidents/2026-10-09-incident.md"
        ));
        assert!(is_at(
            "How long was it down on 9 October 2026?",
            "Down for an hour.",
            "Incident of 2026-10-09",
            "a.md"
        ));
        assert!(is_at("Who approves KEP 4368?", "soltysh", "", "keps/4368-support/kep.yaml"));
        assert!(is_at("What is RVH-022?", "RVH-022;radar", "", "a.csv"));
        assert!(is_at("Who works for 1,250 euro?", "He works for 1250 euro.", "", "a.md"));
    }

    #[test]
    fn a_sentence_about_another_day_or_number_contradicts() {
        let first = |question: &str| wanted(question).remove(0);
        assert!(first("What happened on 4 March?").is_contradicted_by("3 March was cancelled."));
        assert!(!first("What happened on 4 March?").is_contradicted_by("The meeting was cancelled."));
        assert!(first("What does HTTP 500 mean?").is_contradicted_by("HTTP 404 means not found."));
        assert!(!first("What does HTTP 500 mean?").is_contradicted_by("HTTP 404 is not HTTP 500."));
    }
}
