//! What in a sentence is right or wrong as it stands: numbers, dates, identifiers and names; and whether it denies something.
//!
//! Numbers are compared by value: `1,250` is `1250`, `07` is `7`, `thirty-seven` is `37`, and a month's name is its number. Parts of
//! dates and times are no other numbers: `11 minutes` is not in `2026-11-02`, nor `12` in `03:12`.

use std::collections::BTreeSet;

use super::MONTHS;
use crate::index::analyzer::identifiers;

/// A fact as it is compared, and as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    key: Key,
    pub written: String,
    /// The word behind a number: its unit, or what is counted.
    unit: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Number(String),
    /// A year or a day beside a month.
    Date(String),
    Month(usize),
    Identifier(String),
    /// A word with a capital letter inside of a sentence.
    Name(String),
}

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// A word or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub text: &'a str,
    pub is_number: bool,
}

/// Numbers with their points, commas and colons, dates like `2026-11-02`, and runs of letters.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for line in text.lines() {
        push_tokens(line, is_row(line), &mut tokens);
    }
    tokens
}

/// Whether the line is a row of fields: divided by tabs or bars, or by commas of which one has no space behind it and is in no
/// number.
pub(super) fn is_row(line: &str) -> bool {
    if line.contains('\t') || line.trim_start().starts_with('|') {
        return true;
    }
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    line.match_indices(',').any(|(at, _)| {
        let (before, after) = (line[..at].chars().next_back(), line[at + 1..].chars().next());
        after.is_some_and(|after| !after.is_whitespace()) && !(is_digit(before) && is_digit(after))
    })
}

fn push_tokens<'t>(text: &'t str, is_row: bool, tokens: &mut Vec<Token<'t>>) {
    let mut rest = text.char_indices().peekable();
    while let Some((start, c)) = rest.next() {
        let is_number = c.is_numeric();
        if !is_number && !c.is_alphabetic() {
            continue;
        }
        let mut end = start + c.len_utf8();
        while let Some(&(at, c)) = rest.peek() {
            let goes_on = if is_number {
                let is_mark =
                    matches!(c, '.' | ':') || c == ',' && !is_row || c == '-' && is_date_so_far(&text[start..at]);
                c.is_numeric() || is_mark && text[at + 1..].starts_with(|c: char| c.is_ascii_digit())
            } else {
                c.is_alphabetic() || matches!(c, '\'' | '’')
            };
            if !goes_on {
                break;
            }
            end = at + c.len_utf8();
            rest.next();
        }
        let token = Token { text: &text[start..end], is_number };
        let is_ending = !is_number
            && matches!(token.text, "st" | "nd" | "rd" | "th")
            && tokens.last().is_some_and(|before: &Token<'_>| before.is_number && text[..start].ends_with(before.text));
        if !is_ending {
            tokens.push(token);
        }
    }
}

/// Whether this is the beginning of a date as ISO 8601 has it: a year, or a year and a month.
fn is_date_so_far(text: &str) -> bool {
    let mut parts = text.split('-');
    let is_year = parts.next().is_some_and(|year| year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit()));
    let is_month = |part: &str| part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    is_year && parts.next().is_none_or(is_month) && parts.next().is_none()
}

/// Year, month and day of a date in digits: `2026-11-02`, `2026-11`, `2.11.2026`.
fn date(number: &str) -> Option<Vec<Key>> {
    let parts: Vec<&str> = number.split(['-', '.']).collect();
    let (year, month, day) = match parts[..] {
        [year, month, day] if number.contains('-') => (year, month, Some(day)),
        [year, month] if number.contains('-') => (year, month, None),
        [day, month, year] if year.len() == 4 => (year, month, Some(day)),
        _ => return None,
    };
    let month: usize = month.parse().ok().filter(|month| (1..=12).contains(month))?;
    let day = day.map(|day| Key::Date(value(day)));
    Some([Key::Date(value(year)), Key::Month(month)].into_iter().chain(day).collect())
}

/// A number by its value: without marks between thousands, leading zeros, and zeros that end a fraction.
pub(super) fn value(number: &str) -> String {
    if number.contains([':', '-']) {
        return number.split(':').map(|part| part.trim_start_matches('0')).collect::<Vec<_>>().join(":");
    }
    let mut groups = number.split('.').next().unwrap_or(number).split(',');
    let first = groups.next().unwrap_or_default();
    let mut groups = groups.peekable();
    let are_thousands = first.len() <= 3 && groups.peek().is_some() && groups.all(|group| group.len() == 3);
    let plain = if are_thousands { number.replace(',', "") } else { number.replace(',', ".") };
    let (whole, fraction) = plain.split_once('.').map_or((plain.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let trimmed = whole.trim_start_matches('0');
    let whole = if trimmed.is_empty() { "0" } else { trimmed };
    match fraction {
        // Three parts are a version.
        Some(fraction) if fraction.contains('.') => format!("{whole}.{fraction}"),
        Some(fraction) if !fraction.trim_end_matches('0').is_empty() => {
            format!("{whole}.{}", fraction.trim_end_matches('0'))
        }
        _ => whole.to_owned(),
    }
}

/// The value of a number in words, and how many words it takes.
fn in_words(tokens: &[Token<'_>]) -> Option<(usize, usize)> {
    let place = |names: &[&str], token: &Token<'_>| names.iter().position(|name| token.text.eq_ignore_ascii_case(name));
    let first = tokens.first()?;
    if let Some(small) = place(&SMALL, first) {
        return Some((small, 1));
    }
    let tens = (place(&TENS, first)? + 2) * 10;
    let unit = tokens.get(1).and_then(|next| place(&SMALL[..10], next)).filter(|unit| *unit > 0);
    Some(unit.map_or((tens, 1), |unit| (tens + unit, 2)))
}

fn month(token: &Token<'_>) -> Option<usize> {
    let lower = token.text.to_lowercase();
    let is_name = |name: &&str| lower == **name || lower.len() == 3 && name.starts_with(&lower);
    MONTHS.iter().position(|name| is_name(name) || lower == "sept" && *name == "september").map(|place| place + 1)
}

/// All facts of a text. `one` counts as a number only in what a sentence is compared with: it is a pronoun as often.
fn facts(text: &str) -> Vec<Fact> {
    let tokens = tokens(text);
    let mut facts = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let token = &tokens[at];
        let beside = [at.checked_sub(1), Some(at + 1)].map(|place| place.and_then(|place| tokens.get(place)));
        let is_beside = |what: fn(&Token<'_>) -> bool| beside.iter().flatten().any(|token| what(token));
        let (keys, num_tokens) = if token.is_number {
            match date(token.text) {
                Some(keys) => (keys, 1),
                None if is_beside(|token| month(token).is_some()) => (vec![Key::Date(value(token.text))], 1),
                None => (vec![Key::Number(value(token.text))], 1),
            }
        } else if let Some((number, num_tokens)) = in_words(&tokens[at..]) {
            (vec![Key::Number(number.to_string())], num_tokens)
        } else if let Some(month) = month(token).filter(|_| is_beside(|token| token.is_number)) {
            (vec![Key::Month(month)], 1)
        } else if at > 0 && is_name(token.text) {
            (vec![Key::Name(token.text.to_lowercase())], 1)
        } else {
            (Vec::new(), 1)
        };
        let unit = tokens.get(at + num_tokens).filter(|next| !next.is_number).map(|next| next.text.to_lowercase());
        let written = tokens[at..at + num_tokens].iter().map(|token| token.text).collect::<Vec<_>>().join("-");
        facts.extend(keys.into_iter().map(|key| Fact { key, written: written.clone(), unit: unit.clone() }));
        at += num_tokens;
    }
    for identifier in identifiers(text).into_iter().filter(|word| !is_quantity(word)) {
        facts.push(Fact { key: Key::Identifier(identifier.clone()), written: identifier, unit: None });
    }
    facts
}

/// Whether a word that does not begin its text is a name.
fn is_name(word: &str) -> bool {
    word.starts_with(char::is_uppercase) && word.chars().nth(1).is_some_and(char::is_alphabetic)
}

/// Whether a word is a number with its unit or ending: `41ms`, `3rd`, `90th`.
pub(super) fn is_quantity(word: &str) -> bool {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ','));
    unit.len() < word.len() && (1..=3).contains(&unit.len()) && unit.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// What a sentence may say: the facts of its evidence.
#[derive(Debug, Default)]
pub(super) struct Known {
    keys: BTreeSet<Key>,
    facts: Vec<Fact>,
    text: String,
}

impl Known {
    pub(super) fn of<'t>(texts: impl IntoIterator<Item = &'t str>) -> Self {
        let mut known = Self::default();
        for text in texts {
            known.facts.extend(facts(text));
            known.text.push_str(&text.to_lowercase());
            known.text.push('\n');
        }
        known.keys = known.facts.iter().map(|fact| fact.key.clone()).collect();
        known
    }

    /// Adds dates, identifiers and names of a path: its other numbers count nothing that anybody tells of.
    pub(super) fn add_path(&mut self, path: &str) {
        let is_plain = |fact: &Fact| matches!(fact.key, Key::Number(_));
        self.keys.extend(facts(path).into_iter().filter(|fact| !is_plain(fact)).map(|fact| fact.key));
        self.text.push_str(&path.to_lowercase());
        self.text.push('\n');
    }

    fn holds(&self, fact: &Fact) -> bool {
        let has = |key: Key| self.keys.contains(&key);
        has(fact.key.clone())
            || match &fact.key {
                Key::Month(month) => has(Key::Number(month.to_string())) || self.text.contains(MONTHS[month - 1]),
                Key::Identifier(identifier) => self.text.contains(identifier.as_str()),
                Key::Name(name) => {
                    let name = name.trim_end_matches("'s").trim_end_matches("’s");
                    self.text.contains(name) || self.text.contains(name.trim_end_matches('s'))
                }
                // Days and years of a table or a form stand by themselves.
                Key::Date(part) => has(Key::Number(part.clone())),
                // A year is one without its date, too; a time may be told without its seconds.
                Key::Number(number) => {
                    let is_year = number.len() == 4 && (number.starts_with("19") || number.starts_with("20"));
                    let has_seconds = |key: &Key| {
                        matches!(key, Key::Number(other)
                        if other.strip_prefix(number.as_str()).is_some_and(|rest| rest.starts_with(':')))
                    };
                    is_year && has(Key::Date(number.clone()))
                        || number.contains(':') && self.keys.iter().any(has_seconds)
                }
            }
    }

    /// Whether another number stands here before the same unit.
    fn has_other(&self, fact: &Fact) -> bool {
        fact.unit.is_some() && self.facts.iter().any(|other| other.unit == fact.unit && other.key != fact.key)
    }
}

/// Units before which `one` is a number.
const COUNTED: [&str; 10] =
    ["millisecond", "second", "minute", "hour", "day", "night", "week", "month", "quarter", "year"];

/// Whether a sentence has a number, in figures or words, that the question has not.
pub(super) fn has_other_number(sentence: &str, question: &str) -> bool {
    let asked = facts(question);
    let is_pronoun = |fact: &Fact| {
        let is_counted = fact.unit.as_deref().is_some_and(|unit| COUNTED.contains(&unit));
        fact.written.eq_ignore_ascii_case("one") && !is_counted
    };
    let is_number = |fact: &&Fact| matches!(fact.key, Key::Number(_)) && !is_pronoun(fact);
    facts(sentence).iter().filter(is_number).any(|fact| asked.iter().all(|other| other.key != fact.key))
}

/// A fact of `sentence` that neither its evidence nor the question holds, as it is written. What only the question holds
/// counts as well, unless the evidence has another number of the same unit: then the question guessed. Capital letters make
/// names where `has_names`: in German they make nouns.
pub(super) fn unknown(sentence: &str, evidence: &Known, question: &Known, has_names: bool) -> Option<String> {
    let is_pronoun = |fact: &Fact| fact.written.eq_ignore_ascii_case("one");
    let is_known = |fact: &Fact| evidence.holds(fact) || question.holds(fact) && !evidence.has_other(fact);
    let counts = |fact: &Fact| !is_pronoun(fact) && (has_names || !matches!(fact.key, Key::Name(_)));
    facts(sentence).into_iter().find(|fact| counts(fact) && !is_known(fact)).map(|fact| fact.written)
}

const DENIALS: [&str; 12] =
    ["not", "never", "no", "nor", "none", "cannot", "without", "neither", "nobody", "nothing", "nowhere", "nicht"];
/// Beginnings of words that say as much.
const LIKE_DENIALS: [&str; 18] = [
    "fail",
    "lack",
    "miss",
    "refus",
    "reject",
    "unable",
    "unavail",
    "unsuccess",
    "unreach",
    "unsupport",
    "unknown",
    "invalid",
    "impossib",
    "absen",
    "disab",
    "prevent",
    "stop",
    "kein",
];
/// Those that turn around the words beside them.
const TURNS: [&str; 5] = ["not", "no", "never", "cannot", "nicht"];

fn is_denial(word: &str, among: &[&str]) -> bool {
    among.iter().any(|denial| word.eq_ignore_ascii_case(denial))
        || word.to_lowercase().replace('’', "'").ends_with("n't")
}

/// Whether a sentence denies what its quotes do not, or leaves out a denial that one of them has.
///
/// `quoted` is each quote with the few words before it.
pub(super) fn is_turned_around(sentence: &str, quoted: &[&str]) -> bool {
    let denies = |text: &str| tokens(text).iter().any(|token| is_denial(token.text, &DENIALS));
    let is_like = |text: &str| {
        tokens(text).iter().any(|token| {
            let word = token.text.to_lowercase();
            LIKE_DENIALS.iter().any(|start| word.starts_with(start))
        })
    };
    let turns = |text: &str| tokens(text).iter().any(|token| is_denial(token.text, &TURNS));
    let invents = denies(sentence) && !quoted.iter().any(|quote| denies(quote) || is_like(quote));
    let hides = quoted.iter().any(|quote| turns(quote)) && !denies(sentence) && !is_like(sentence);
    invents || hides
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(sentence: &str, evidence: &str, question: &str) -> Option<String> {
        unknown(sentence, &Known::of([evidence]), &Known::of([question]), true)
    }

    #[test]
    fn the_same_number_may_be_written_otherwise() {
        for (sentence, evidence) in [
            ("It cost 1,250 euro.", "cost: 1250"),
            ("It took 1.50 s.", "1.5 s"),
            ("It took 41 ms.", "p99=41ms"),
            ("It took 41ms.", "p99: 41 ms"),
            ("Down for 37 minutes.", "thirty-seven minutes"),
            ("Down for thirty-seven minutes.", "37 minutes"),
            ("Down on 2 November 2026.", "2026-11-02,down"),
            ("Down on 2 Nov.", "November 2: down"),
            ("From 3:12 on.", "from 03:12 UTC"),
            ("It may be one of them.", "some of them"),
            ("Ticket SLU-4417 is closed.", "closed: slu-4417"),
            ("The 3rd run.", "run 3"),
            ("Today Aldal's Pumps failed.", "the pump of Signe Aldal failed"),
            ("On November 2nd, 2026 it failed.", "2.11.2026: failed"),
            ("It failed in 2026.", "2026-11-02: failed"),
            ("It failed at 3:12.", "03:12:01 failed"),
            ("It failed on 2026-11-02.", "2 November 2026: failed"),
        ] {
            assert_eq!(wrong(sentence, evidence, ""), None, "{sentence} / {evidence}");
        }
    }

    #[test]
    fn another_number_date_or_identifier_is_unknown() {
        for (sentence, evidence, unknown) in [
            ("Down for 38 minutes.", "37 minutes", "38"),
            ("Down for 3.7 minutes.", "37 minutes", "3.7"),
            ("Down for twelve minutes.", "37 minutes", "twelve"),
            ("Down on 2 December.", "2026-11-02", "December"),
            ("Down on 3 November.", "2 November", "3"),
            ("Version 1.2.4 is out.", "version 1.2.3", "1.2.4"),
            ("Ticket SLU-4418 is closed.", "closed: SLU-4417", "4418"),
            ("Set max_tokens first.", "set max_bytes first", "max_tokens"),
            ("It cost 1,250 euro.", "cost: 1.25", "1,250"),
            ("The pump of Signe Aldal failed.", "the pump of Tomas Okoro failed", "Signe"),
            ("It failed on Monday.", "it failed on Friday", "Monday"),
            ("Down for 12 minutes.", "down from 03:12 to 03:49", "12"),
            ("Down for 11 minutes.", "down since 2026-11-02", "11"),
            ("It failed at 03:13.", "failed at 03:12:01", "03:13"),
        ] {
            assert_eq!(wrong(sentence, evidence, "").as_deref(), Some(unknown), "{sentence} / {evidence}");
        }
    }

    #[test]
    fn what_the_question_names_may_be_repeated_and_what_it_guesses_not() {
        let (evidence, question) = ("It was down for 37 minutes.", "Was it down for 12 minutes on 2 November?");
        assert_eq!(wrong("On 2 November it was down for 37 minutes.", evidence, question), None);
        assert_eq!(wrong("It was down for 12 minutes.", evidence, question).as_deref(), Some("12"));
    }

    #[test]
    fn a_denial_is_neither_invented_nor_left_out() {
        let (was, was_not) = ("The fix was deployed on Friday.", "The fix was not deployed on Friday.");
        assert!(is_turned_around(was_not, &["was deployed"]));
        assert!(is_turned_around("It wasn’t deployed.", &["was deployed"]));
        assert!(is_turned_around(was, &[was_not]));
        assert!(is_turned_around("Readings were lost.", &["No reading was lost"]));
        assert!(!is_turned_around(was, &[was]));
        assert!(!is_turned_around(was_not, &["not deployed"]));
        assert!(!is_turned_around("It was not available.", &["unavailable"]));
        assert!(!is_turned_around("It was down.", &["accepted nothing"]));
    }

    proptest::proptest! {
        #[test]
        fn a_text_knows_its_own_facts(text in "[a-zA-Z0-9.,:_ -]{0,60}") {
            proptest::prop_assert_eq!(wrong(&text, &text, ""), None);
        }

        #[test]
        fn a_number_that_is_nowhere_is_unknown(known in 0_u32..5_000, other in 5_000_u32..10_000) {
            let evidence = format!("The run took {known} s.");
            let sentence = format!("The run took {other} s.");
            proptest::prop_assert_eq!(wrong(&sentence, &evidence, "How long?"), Some(other.to_string()));
        }
    }
}
