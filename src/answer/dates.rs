//! Dates in a text, in the forms that people and programs write: `9 October 2026`, `October 9th`, `2026-10-09`, `09.10.2026`,
//! `10/09/2026`, `20261009T081333`, `October 2026`, `2026-10`.
//!
//! # Not here
//! Times told from now (`yesterday`): those are `plan::time`.

use super::MONTHS;
use crate::workspace::Span;

/// A month, with its day and year as far as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Date {
    pub year: Option<i16>,
    pub month: i8,
    pub day: Option<i8>,
}

/// A date where it is written. `10/09/2026` is two: the day and the month may stand first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    pub date: Date,
    pub span: Span,
}

impl Date {
    fn new(year: Option<i16>, month: i8, day: Option<i8>) -> Option<Self> {
        let is_year = year.is_none_or(|year| (1900..2200).contains(&year));
        let is_day = day.is_none_or(|day| (1..=31).contains(&day));
        (is_year && is_day && (1..=12).contains(&month)).then_some(Self { year, month, day })
    }

    /// Whether `other` is this date, as exactly as this one is written: `October 2026` is met by `2026-10-09`, and `9 October` too.
    pub(super) fn is_met_by(self, other: Self) -> bool {
        let is_same = |one: Option<i16>, other: Option<i16>| one.is_none() || other.is_none() || one == other;
        self.month == other.month && is_same(self.year, other.year) && (self.day.is_none() || self.day == other.day)
    }
}

/// A run of digits or of letters.
#[derive(Clone, Copy)]
struct Run<'t> {
    start: usize,
    text: &'t str,
    is_digits: bool,
}

impl Run<'_> {
    const fn end(&self) -> usize {
        self.start + self.text.len()
    }

    fn number<T: std::str::FromStr>(&self, lengths: std::ops::RangeInclusive<usize>) -> Option<T> {
        (self.is_digits && lengths.contains(&self.text.len())).then(|| self.text.parse().ok()).flatten()
    }

    fn month(&self) -> Option<i8> {
        let lower = self.text.to_lowercase();
        let is_name = |name: &&str| lower == **name || lower.len() == 3 && name.starts_with(&lower);
        // `may` and `march` are verbs, in small letters.
        let is_verb = matches!(self.text, "may" | "mar" | "march" | "jan" | "dec" | "sep");
        let place = MONTHS.iter().position(|name| is_name(name) || lower == "sept" && *name == "september")?;
        (!self.is_digits && !is_verb).then(|| i8::try_from(place + 1).ok()).flatten()
    }
}

fn runs(text: &str) -> Vec<Run<'_>> {
    let mut runs: Vec<Run<'_>> = Vec::new();
    for (at, c) in text.char_indices() {
        if !c.is_alphanumeric() {
            continue;
        }
        let is_digits = c.is_ascii_digit();
        match runs.last_mut().filter(|run| run.end() == at && run.is_digits == is_digits) {
            Some(run) => run.text = &text[run.start..at + c.len_utf8()],
            None => runs.push(Run { start: at, text: &text[at..at + c.len_utf8()], is_digits }),
        }
    }
    runs
}

/// All dates of a text, in its order.
pub(super) fn dates(text: &str) -> Vec<Written> {
    let runs = runs(text);
    let mut dates = Vec::new();
    let mut at = 0;
    while at < runs.len() {
        if let Some((date, num_runs, end)) = in_characters(text, &runs[at..]) {
            dates.push(Written { date, span: Span::new(runs[at].start, end) });
            at += num_runs;
            continue;
        }
        let found = in_digits(text, &runs[at..]).or_else(|| in_words(text, &runs[at..]));
        let Some((readings, num_runs)) = found else {
            at += 1;
            continue;
        };
        let span = Span::new(runs[at].start, runs[at + num_runs - 1].end());
        dates.extend(readings.into_iter().flatten().map(|date| Written { date, span }));
        at += num_runs;
    }
    dates
}

type Readings = [Option<Date>; 2];

/// `2027年9月12日`, `9月12日`, `2027年9月`: the date, how many runs it takes, and where it ends. Other characters may stand right behind it.
fn in_characters(text: &str, runs: &[Run<'_>]) -> Option<(Date, usize, usize)> {
    let before = |at: usize, unit: char| {
        let next = runs.get(at + 1).filter(|next| next.start == runs[at].end())?;
        next.text.starts_with(unit).then(|| next.start + unit.len_utf8())
    };
    let small = |at: usize| runs.get(at).and_then(|run: &Run<'_>| run.number::<i8>(1..=2));
    let year = runs.first()?.number::<i16>(4..=4).filter(|_| before(0, '年').is_some());
    let at = if year.is_some() { 2 } else { 0 };
    let (month, month_end) = (small(at)?, before(at, '月')?);
    let day = small(at + 2).filter(|_| text[..month_end].ends_with('月') && runs[at + 2].start == month_end);
    let day = day.and_then(|day| Some((day, before(at + 2, '日').or_else(|| before(at + 2, '号'))?)));
    match day {
        Some((day, end)) => Some((Date::new(year, month, Some(day))?, at + 4, end)),
        None => Some((Date::new(Some(year?), month, None)?, at + 2, month_end)),
    }
}

fn in_digits(text: &str, runs: &[Run<'_>]) -> Option<(Readings, usize)> {
    let between = |at: usize| runs.get(at + 1).map(|next| &text[runs[at].end()..next.start]);
    let first = runs.first()?;
    if let Some(digits) = first.number::<u32>(8..=8) {
        let part = |number: u32| i8::try_from(number).ok();
        let year = i16::try_from(digits / 10_000).ok();
        let date = Date::new(year, part(digits / 100 % 100)?, Some(part(digits % 100)?))?;
        return Some(([Some(date), None], 1));
    }
    let mark = between(0).filter(|mark| matches!(*mark, "-" | "." | "/" | "_"))?;
    let is_marked = |at: usize| between(at) == Some(mark);
    let small = |at: usize| runs.get(at).and_then(|run: &Run<'_>| run.number::<i8>(1..=2));
    if let Some(year) = first.number::<i16>(4..=4) {
        let month = small(1)?;
        if is_marked(1)
            && let Some(date) = small(2).and_then(|day| Date::new(Some(year), month, Some(day)))
        {
            return Some(([Some(date), None], 3));
        }
        let is_month = matches!(mark, "-" | "/") && runs[1].text.len() == 2 && !is_marked(1);
        return is_month.then(|| Date::new(Some(year), month, None)).flatten().map(|date| ([Some(date), None], 2));
    }
    let (one, two) = (small(0)?, small(1)?);
    let year = runs.get(2).filter(|_| is_marked(1)).and_then(|run| run.number::<i16>(4..=4))?;
    let day_first = Date::new(Some(year), two, Some(one));
    let month_first = Date::new(Some(year), one, Some(two)).filter(|_| mark != "." && one != two);
    (day_first.is_some() || month_first.is_some()).then_some(([day_first, month_first], 3))
}

fn in_words(text: &str, runs: &[Run<'_>]) -> Option<(Readings, usize)> {
    // Words of one date have spaces, commas and points between them, and `20th` has nothing.
    let is_near = |at: usize| {
        let (one, next) = (runs.get(at)?, runs.get(at + 1)?);
        let between = &text[one.end()..next.start];
        between.chars().all(|c| matches!(c, ' ' | ',' | '.' | '\n' | '-' | '_')).then_some(next)
    };
    let ending = |at: usize| {
        let is_ending = |run: &&Run<'_>| matches!(run.text, "st" | "nd" | "rd" | "th");
        usize::from(runs.get(at + 1).filter(is_ending).is_some_and(|run| run.start == runs[at].end()))
    };
    let year_behind = |at: usize| is_near(at).and_then(|run| run.number::<i16>(4..=4));
    if let Some(day) = runs[0].number::<i8>(1..=2) {
        let mut at = ending(0);
        if is_near(at).is_some_and(|run| run.text == "of") {
            at += 1;
        }
        let month = is_near(at)?.month()?;
        at += 1;
        let year = year_behind(at);
        let date = Date::new(year, month, Some(day))?;
        return Some(([Some(date), None], at + 1 + usize::from(year.is_some())));
    }
    let month = runs[0].month()?;
    if let Some(year) = year_behind(0) {
        return Some(([Date::new(Some(year), month, None), None], 2));
    }
    let day = is_near(0).and_then(|run| run.number::<i8>(1..=2));
    let Some(day) = day.filter(|day| (1..=31).contains(day)) else {
        let date = Date::new(None, month, None).filter(|_| runs[0].text.len() > 3);
        return date.map(|date| ([Some(date), None], 1));
    };
    let at = 1 + ending(1);
    let year = year_behind(at);
    Some(([Date::new(year, month, Some(day)), None], at + 1 + usize::from(year.is_some())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(Option<i16>, i8, Option<i8>)> {
        dates(text).into_iter().map(|written| (written.date.year, written.date.month, written.date.day)).collect()
    }

    #[test]
    fn a_date_is_found_in_every_form_that_people_and_programs_write() {
        for text in [
            "on 9 October 2026",
            "on October 9, 2026",
            "the 9th of October 2026",
            "October 9th 2026 it failed",
            "9 Oct 2026",
            "2026-10-09",
            "2026-10-09T08:13:33Z",
            "2026/10/09",
            "am 09.10.2026",
            "20261009T081333_full_run",
            "runs/2026-10-09-coder-03/notes.md",
        ] {
            assert_eq!(found(text), [(Some(2026), 10, Some(9))], "{text}");
        }
        assert_eq!(found("10/09/2026"), [(Some(2026), 9, Some(10)), (Some(2026), 10, Some(9))]);
        assert_eq!(found("October 2026, 2026-10"), [(Some(2026), 10, None), (Some(2026), 10, None)]);
        assert_eq!(found("in October it may rain; we march on"), [(None, 10, None)]);
        assert_eq!(found("9 October"), [(None, 10, Some(9))]);
        assert_eq!(found("会議は2026年10月9日に開く"), [(Some(2026), 10, Some(9))]);
        assert_eq!(found("10月9日の会議, 2026年10月"), [(None, 10, Some(9)), (Some(2026), 10, None)]);
        assert_eq!(found("3か月と13か月, 5年間"), []);
    }

    #[test]
    fn versions_times_and_figures_are_no_dates() {
        for text in
            ["1.21.0", "12:30", "99999999", "3.5 of 7", "2026", "10-20 files", "192.168.0.1", "room 13", "2026.5"]
        {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }

    #[test]
    fn a_date_is_met_as_exactly_as_it_is_written() {
        let date = |text: &str| dates(text)[0].date;
        assert!(date("October 2026").is_met_by(date("2026-10-09")));
        assert!(date("9 October").is_met_by(date("2026-10-09")));
        assert!(date("9 October 2026").is_met_by(date("9 October")));
        assert!(!date("9 October 2026").is_met_by(date("2026-10")));
        assert!(!date("9 October 2025").is_met_by(date("2026-10-09")));
        assert!(!date("4 March").is_met_by(date("3 March")));
    }

    proptest::proptest! {
        #[test]
        fn a_date_lies_in_the_text_and_is_one_of_the_calendar(text in "(?s)[0-9a-zA-Z ./,:-]{0,60}|.{0,60}") {
            for Written { date, span } in dates(&text) {
                proptest::prop_assert!(span.of(&text).is_some_and(|words| !words.is_empty()));
                proptest::prop_assert!((1..=12).contains(&date.month));
                proptest::prop_assert!(date.day.is_none_or(|day| (1..=31).contains(&day)));
            }
        }
    }
}
