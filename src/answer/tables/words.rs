//! Words of cells, headers and paths, compared with those of a question.

use super::numbers;
use super::question::{Ask, Kind, Term};
use super::when::{When, whens};
use crate::index::analyzer::{Analysis, Stemming, positioned_terms};
use crate::workspace::Span;

/// How a text holds a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Held {
    /// Among others.
    Among,
    /// The text is nothing else.
    Whole,
}

const fn is_joiner(c: char) -> bool {
    matches!(c, '_' | '-' | '.' | ':' | '/' | '@' | '#' | '+' | '\'' | '’')
}

/// The words of a text: letters and digits, with single joining characters between them.
pub(super) fn runs(text: &str) -> Vec<Span> {
    let mut runs: Vec<Span> = Vec::new();
    let mut open: Option<Span> = None;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        if c.is_alphanumeric() {
            open = match open {
                Some(run)
                    if run.end == at
                        || text[run.end..at].chars().nth(1).is_none() && text[run.end..at].chars().all(is_joiner) =>
                {
                    Some(Span::new(run.start, end))
                }
                Some(run) => {
                    runs.push(run);
                    Some(Span::new(at, end))
                }
                None => Some(Span::new(at, end)),
            };
        }
    }
    runs.extend(open);
    runs
}

/// The parts of a text in small letters, divided at everything but points between digits, and where a small letter meets a capital one.
pub(super) fn parts(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut open = String::new();
    let mut before = '\0';
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let is_version = c == '.' && before.is_ascii_digit() && chars.peek().is_some_and(char::is_ascii_digit);
        if c.is_alphanumeric() || is_version {
            if before.is_lowercase() && c.is_uppercase() {
                parts.push(std::mem::take(&mut open));
            }
            open.extend(c.to_lowercase());
        } else if !open.is_empty() {
            parts.push(std::mem::take(&mut open));
        }
        before = c;
    }
    parts.push(open);
    parts.retain(|part| !part.is_empty());
    parts
}

/// The stems of a text's words, without stop words.
pub(super) fn stems(text: &str) -> Vec<String> {
    // Underscores join words for the analyzer.
    let text = text.replace('_', " ");
    positioned_terms(&text, Analysis::Stemmed, Stemming::ENGLISH).into_iter().map(|(_, term)| term).collect()
}

/// The words of a header, a path or a heading, ready to be compared.
#[derive(Debug, Clone, Default)]
pub(super) struct Words {
    pub(super) stems: Vec<String>,
    pub(super) parts: Vec<String>,
    pub(super) text: String,
}

impl Words {
    pub(super) fn of(text: &str) -> Self {
        let parts = parts(text);
        let mut stems = stems(text);
        stems.extend(parts.iter().flat_map(|part| self::stems(part)));
        stems.dedup();
        Self { stems, parts, text: text.to_owned() }
    }

    /// Whether they hold a term of the question.
    pub(super) fn hold(&self, term: &Term) -> bool {
        match &term.kind {
            Kind::Word | Kind::Name => {
                term.stems.iter().all(|stem| self.has_stem(stem))
                    || term.parts.first().is_some_and(|word| word == "email" && self.has_joined(word))
                    || term.joined.iter().any(|word| self.has_joined(word))
            }
            Kind::Number(wanted) => {
                numbers::holds(&self.text, wanted) || self.parts.iter().any(|part| is_number_of_path(part, wanted))
            }
            Kind::Date(asked) => {
                whens(&self.text).iter().any(|(_, written)| asked.iter().any(|asked| asked.names(written, &[])))
            }
            Kind::Identifier | Kind::Quoted => self.hold_in_a_row(&term.parts) || self.hold_apart(&term.parts),
        }
    }

    /// Whether they have the word as one, or with a hyphen (`e-mail`).
    fn has_joined(&self, word: &String) -> bool {
        self.parts.contains(word)
            || self.parts.windows(2).any(|pair| word.strip_prefix(pair[0].as_str()) == Some(pair[1].as_str()))
    }

    fn has_stem(&self, stem: &str) -> bool {
        self.stems.iter().any(|other| other == stem || is_unit_of(stem, other))
    }

    /// Whether the parts stand side by side.
    fn hold_in_a_row(&self, wanted: &[String]) -> bool {
        !wanted.is_empty() && self.parts.windows(wanted.len()).any(|parts| parts == wanted)
    }

    /// `KEP-2229` is held by `keps/2229-name/kep.yaml`: its number is long enough to be no other's.
    fn hold_apart(&self, wanted: &[String]) -> bool {
        let is_long = |part: &String| part.len() >= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
        wanted.len() == 2
            && is_long(&wanted[1])
            && wanted[0].chars().all(char::is_alphabetic)
            && wanted.iter().all(|part| self.parts.contains(part))
    }
}

/// Numbers of paths may begin with zeros: `decisions/0002-retention.md`.
fn is_number_of_path(part: &str, wanted: &[f64]) -> bool {
    part.len() <= 9
        && part
            .parse::<u32>()
            .is_ok_and(|number| wanted.iter().any(|wanted| (f64::from(number) - wanted).abs() < f64::EPSILON))
}

/// Whether a unit of the question is written so in a header: `euros` as `eur`.
fn is_unit_of(stem: &str, other: &str) -> bool {
    const UNITS: [(&str, &[&str]); 14] = [
        ("euro", &["eur"]),
        ("dollar", &["usd"]),
        ("pound", &["gbp"]),
        ("metr", &["m"]),
        ("meter", &["m"]),
        ("second", &["s", "sec"]),
        ("millisecond", &["ms"]),
        ("microsecond", &["us"]),
        ("minut", &["min", "mins"]),
        ("hour", &["h", "hr", "hrs"]),
        ("megabyt", &["mb"]),
        ("gigabyt", &["gb"]),
        ("kilobyt", &["kb"]),
        ("percent", &["pct"]),
    ];
    UNITS.iter().any(|(unit, short)| *unit == stem && short.contains(&other))
}

/// How a cell holds a term of the question.
pub(super) fn held(term: &Term, cell: &str, years: &[i16]) -> Option<Held> {
    let whole_or_among = |is_whole: bool| Some(if is_whole { Held::Whole } else { Held::Among });
    match &term.kind {
        Kind::Number(wanted) => numbers::holds(cell, wanted).then(|| {
            let is_whole = numbers::quantity(cell, false).is_some_and(|quantity| quantity.unit.is_empty());
            if is_whole { Held::Whole } else { Held::Among }
        }),
        Kind::Date(asked) => {
            if !asked.iter().any(|asked| may_be_in(asked, cell)) {
                return None;
            }
            let found = whens(cell);
            let named = found.iter().find(|(_, written)| asked.iter().any(|asked| asked.names(written, years)))?;
            whole_or_among(named.0.len() + 6 >= cell.trim().len())
        }
        Kind::Identifier | Kind::Quoted => {
            let first = term.parts.first()?;
            if !may_hold(cell, first) {
                return None;
            }
            let parts = parts(cell);
            if parts.len() < term.parts.len() {
                return None;
            }
            let is_there = parts.windows(term.parts.len()).any(|window| window == term.parts);
            if is_there { whole_or_among(parts.len() == term.parts.len()) } else { None }
        }
        Kind::Word | Kind::Name => {
            let first = term.stems.first()?;
            let prefix: String = first.chars().take(2).collect();
            if !may_hold(cell, &prefix) {
                return None;
            }
            let stems = cell_stems(cell);
            if !term.stems.iter().all(|stem| stems.contains(stem)) {
                return None;
            }
            whole_or_among(stems.iter().all(|stem| term.stems.contains(stem)))
        }
    }
}

/// A quick look: whether the day, or the hour, is in a cell at all.
fn may_be_in(asked: &When, cell: &str) -> bool {
    let number = asked.date.and_then(|date| date.day).map(i32::from).or(asked.time.map(|(hour, _)| i32::from(hour)));
    number.is_none_or(|number| cell.contains(&number.to_string()))
}

/// A quick look: whether the letters are there at all. Accents are folded in stems, so other letters are let through.
fn may_hold(cell: &str, start: &str) -> bool {
    if !cell.is_ascii() || !start.is_ascii() {
        return true;
    }
    let (cell, start) = (cell.as_bytes(), start.as_bytes());
    cell.windows(start.len()).any(|window| window.eq_ignore_ascii_case(start))
}

/// The stems of a cell's words, with those of the parts of joined words.
pub(super) fn cell_stems(cell: &str) -> Vec<String> {
    let mut stems = stems(cell);
    if cell.bytes().zip(cell.bytes().skip(1)).any(|(one, next)| one.is_ascii_lowercase() && next.is_ascii_uppercase()) {
        stems.extend(parts(cell).iter().flat_map(|part| self::stems(part)));
    }
    stems
}

/// Whether a column is called by one of the other words for what a question asks.
pub(super) fn is_called(column: &Words, ask: Ask) -> bool {
    const WHO: &[&str] =
        &["who", "owner", "responsible", "contact", "lead", "manager", "assignee", "person", "accountable", "whom"];
    let names: &[&str] = match ask {
        Ask::Who => WHO,
        Ask::Duty => {
            let is_called = |name: &&str| column.parts.iter().any(|part| part == name);
            return WHO.iter().chain(&["primary", "duty", "pager", "oncall", "call"]).any(is_called);
        }
        Ask::Author => &["author", "authors", "writer", "agent", "by"],
        Ask::Owner => &["owner", "owners", "who", "responsible", "accountable"],
        Ask::Where => &[
            "latitude",
            "longitude",
            "lat",
            "lon",
            "lng",
            "location",
            "place",
            "site",
            "city",
            "address",
            "room",
            "region",
            "country",
            "position",
            "where",
            "building",
            "town",
        ],
        Ask::When => &["date", "day", "when", "due", "deadline", "start", "month", "year", "time"],
        Ask::Money => &[
            "amount", "cost", "costs", "price", "eur", "usd", "gbp", "chf", "nok", "sek", "dkk", "jpy", "fee",
            "expense", "spend", "spent", "paid", "total",
        ],
        Ask::Duration => {
            &["duration", "time", "seconds", "elapsed", "runtime", "minutes", "hours", "days", "took", "length"]
        }
        Ask::Meaning => &["meaning", "description", "definition", "explanation", "means", "desc", "usage"],
        Ask::Reason => &["reason", "cause", "why", "because"],
    };
    let is_currency = ask == Ask::Money && column.text.contains(['€', '$', '£']);
    is_currency || column.parts.iter().any(|part| names.contains(&part.as_str()))
}
