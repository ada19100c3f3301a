//! Times as people say them, told from a `now` in its zone. A week begins on Monday.

use jiff::civil::{Date, Weekday};
use jiff::{Span, Timestamp, ToSpan as _, ZonedDateTime};

use super::words::Words;
use crate::answer::MONTHS;

/// A time: from `since` on, and before `until`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// The first moment of it.
    pub since: Option<Timestamp>,
    /// The first moment after it.
    pub until: Option<Timestamp>,
}

/// A time that a question names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub at: usize,
    pub num_words: usize,
    /// `None` for `recent`, which says no more.
    pub window: Option<Window>,
    pub is_relative: bool,
    pub is_vague: bool,
}

const VAGUE: [&str; 3] =
    ["recent|recently|latest|newest|lately|new", "most recent|recently|new", "just now|changed|written|added"];

/// The first time that the question names; one that is exact goes before `recent`.
pub(super) fn find(words: &Words, now: &ZonedDateTime) -> Option<Found> {
    let exact = (0..words.len()).find_map(|at| exact_at(words, at, now));
    let vague = || words.find(&VAGUE).map(|(at, num_words)| vague(at, num_words));
    exact.or_else(vague)
}

/// Whether the question names a time from this word on.
pub(super) fn begins(words: &Words, at: usize, now: &ZonedDateTime) -> bool {
    exact_at(words, at, now).is_some() || VAGUE.iter().any(|pattern| words.are(at, pattern))
}

/// Where the question asks for the very newest: `most recently`, `last` where no length of time and no run follows, `the newest file`.
pub(super) fn newest(words: &Words) -> Option<(usize, usize)> {
    const ONE: &str = "change|file|update|document|output|edit|modification|artifact";
    let one = [format!("last|latest|newest {ONE}"), format!("most recent {ONE}")];
    let one: Vec<&str> = one.iter().map(String::as_str).collect();
    let last = |at: &usize| {
        let is_followed = words.get(*at + 1).is_some_and(|next| unit(next, 1).is_some() || weekday(next).is_some());
        words.are(*at, "last")
            && !is_followed
            && words.get(*at + 1).is_none_or(|_| words.are(*at + 1, "in|about|on|by"))
    };
    words
        .find(&["most recently"])
        .or_else(|| (1..words.len()).find(last).map(|at| (at, 1)))
        .or_else(|| words.find(&one))
}

const fn vague(at: usize, num_words: usize) -> Found {
    Found { at, num_words, window: None, is_relative: true, is_vague: true }
}

fn exact_at(words: &Words, at: usize, now: &ZonedDateTime) -> Option<Found> {
    let found = |num_words: usize, window: Window, is_relative: bool| {
        Some(Found { at, num_words, window: Some(window), is_relative, is_vague: false })
    };
    let until = |end: Period| Window { since: None, until: end.until };
    if words.are(at, "since|after") {
        let (period, len) = period(words, at + 1, now)?;
        // `Since Monday` takes Monday in, `after Monday` does not.
        let since = if words.are(at, "since") { Some(period.since) } else { period.until };
        return found(1 + len, Window { since, until: None }, true);
    }
    if words.are(at, "before|until|till") {
        let (period, len) = period(words, at + 1, now)?;
        let until =
            if words.are(at, "before") { Window { since: None, until: Some(period.since) } } else { until(period) };
        return found(1 + len, until, false);
    }
    if words.are(at, "between|from") {
        let (first, first_len) = period(words, at + 1, now)?;
        let joint = at + 1 + first_len;
        if words.are(joint, "and|to|until|till") {
            let (last, last_len) = period(words, joint + 1, now)?;
            let window = Window { since: Some(first.since), until: last.until };
            return found(2 + first_len + last_len, window, first.is_relative || last.is_relative);
        }
    }
    let preposition = usize::from(words.are(at, "on|in|during|of|from|within|over"));
    let article = usize::from(words.are(at + preposition, "the"));
    let (period, len) = period(words, at + preposition + article, now)?;
    let window = Window { since: Some(period.since), until: period.until };
    found(preposition + article + len, window, period.is_relative)
}

/// A day, week, month or the like.
struct Period {
    since: Timestamp,
    /// `None` where it goes on.
    until: Option<Timestamp>,
    is_relative: bool,
}

fn period(words: &Words, at: usize, now: &ZonedDateTime) -> Option<(Period, usize)> {
    let today = now.date();
    let day = |date: Date| between(now, date, date.checked_add(1.day()).ok()?);
    let relative = |period: Option<(Timestamp, Option<Timestamp>)>, len: usize| {
        let (since, until) = period?;
        Some((Period { since, until, is_relative: true }, len))
    };
    if words.are(at, "today|tonight") || words.are(at, "this morning|afternoon|evening") {
        return relative(day(today), if words.are(at, "this") { 2 } else { 1 });
    }
    if words.are(at, "yesterday") {
        return relative(day(today.yesterday().ok()?), 1);
    }
    if words.are(at, "this|current week|month|quarter|year") {
        let (first, next) = calendar(words.get(at + 1)?, today)?;
        return relative(between(now, first, next), 2);
    }
    // `Last week` is the calendar's, `the past week` is seven days.
    if words.are(at, "last|previous week|month|quarter|year") {
        let (first, _) = calendar(words.get(at + 1)?, today)?;
        let (before, first) = calendar(words.get(at + 1)?, first.yesterday().ok()?)?;
        return relative(between(now, before, first), 2);
    }
    if words.are(at, "last|past|previous") {
        if let Some(span) = unit(words.get(at + 1)?, 1) {
            return relative(back(now, span), 2);
        }
        if let Some(span) = number(words.get(at + 1)?).and_then(|number| unit(words.get(at + 2)?, number)) {
            return relative(back(now, span), 3);
        }
        if let Some(weekday) = weekday(words.get(at + 1)?) {
            return relative(day(last(weekday, today)?), 2);
        }
    }
    if let (Some(number), Some("ago")) = (words.get(at).and_then(number), words.get(at + 2)) {
        let (since, _) = back(now, unit(words.get(at + 1)?, number)?)?;
        return relative(day(since.to_zoned_datetime(now.time_zone().clone()).date()), 3);
    }
    if let Some(weekday) = words.get(at).and_then(weekday) {
        let date = if today.weekday() == weekday { today } else { last(weekday, today)? };
        let (since, until) = day(date)?;
        return Some((Period { since, until, is_relative: false }, 1));
    }
    let (first, next, len) = date(words, at, today)?;
    let (since, until) = between(now, first, next)?;
    Some((Period { since, until, is_relative: false }, len))
}

fn between(now: &ZonedDateTime, first: Date, next: Date) -> Option<(Timestamp, Option<Timestamp>)> {
    let start = |date: Date| date.to_zoned_datetime(now.time_zone().clone()).ok().map(|zoned| zoned.timestamp());
    Some((start(first)?, Some(start(next)?)))
}

fn back(now: &ZonedDateTime, span: Span) -> Option<(Timestamp, Option<Timestamp>)> {
    now.checked_sub(span).ok().map(|since| (since.timestamp(), None))
}

/// The week, month, quarter or year that a day is in, and the first day after it.
fn calendar(unit: &str, day: Date) -> Option<(Date, Date)> {
    let (first, length) = match unit {
        "week" => {
            let since_monday = i64::from(day.weekday().since(Weekday::Monday));
            (day.checked_sub(since_monday.days()).ok()?, 1.week())
        }
        "month" => (day.first_of_month(), 1.month()),
        "quarter" => (Date::new(day.year(), (day.month() - 1) / 3 * 3 + 1, 1).ok()?, 3.months()),
        "year" => (day.first_of_year(), 1.year()),
        _ => return None,
    };
    Some((first, first.checked_add(length).ok()?))
}

/// The newest such weekday before `today`.
fn last(weekday: Weekday, today: Date) -> Option<Date> {
    let days = i64::from(today.weekday().since(weekday));
    today.checked_sub(if days == 0 { 7.days() } else { days.days() }).ok()
}

fn unit(word: &str, number: i64) -> Option<Span> {
    let span = Span::new();
    match word.strip_suffix('s').unwrap_or(word) {
        "minute" | "min" => span.try_minutes(number).ok(),
        "hour" => span.try_hours(number).ok(),
        "day" => span.try_days(number).ok(),
        "week" => span.try_weeks(number).ok(),
        "month" => span.try_months(number).ok(),
        "year" => span.try_years(number).ok(),
        _ => None,
    }
}

/// A number as figures or as a word, to twelve.
pub(super) fn number(word: &str) -> Option<i64> {
    const NAMES: [&str; 13] =
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
    let named = || NAMES.iter().position(|name| *name == word).and_then(|number| i64::try_from(number).ok());
    let number = if word == "couple" { Some(2) } else { word.parse().ok().or_else(named) };
    number.filter(|number| (1..=10_000).contains(number))
}

fn weekday(word: &str) -> Option<Weekday> {
    Some(match word {
        "monday" | "mon" => Weekday::Monday,
        "tuesday" | "tue" => Weekday::Tuesday,
        "wednesday" | "wed" => Weekday::Wednesday,
        "thursday" | "thu" => Weekday::Thursday,
        "friday" | "fri" => Weekday::Friday,
        "saturday" => Weekday::Saturday,
        "sunday" => Weekday::Sunday,
        _ => return None,
    })
}

fn month(word: &str) -> Option<i8> {
    let place = MONTHS.iter().position(|month| *month == word || word.len() == 3 && month.starts_with(word))?;
    i8::try_from(place + 1).ok()
}

/// A date or a month: the first day, the first day after it, and how many words it has. Without a year it is the newest that is
/// not in the future.
fn date(words: &Words, at: usize, today: Date) -> Option<(Date, Date, usize)> {
    let word = words.get(at)?;
    if let Some(date) = word.parse::<Date>().ok().filter(|_| word.len() == 10) {
        return Some((date, date.tomorrow().ok()?, 1));
    }
    let day_of = |word: &str| {
        let digits = word.strip_suffix("st").or_else(|| word.strip_suffix("nd")).or_else(|| word.strip_suffix("rd"));
        let digits = digits.or_else(|| word.strip_suffix("th")).unwrap_or(word);
        digits.parse::<i8>().ok().filter(|day| (1..=31).contains(day))
    };
    let year_of = |word: Option<&str>| word?.parse::<i16>().ok().filter(|year| (1900..=2200).contains(year));
    let year = |at: usize, first_of: &dyn Fn(i16) -> Option<Date>| {
        if let Some(year) = year_of(words.get(at)) {
            return Some((first_of(year)?, 1));
        }
        let this = first_of(today.year()).filter(|date| *date <= today);
        Some((this.or_else(|| first_of(today.year() - 1))?, 0))
    };
    let (month, day, len) = match (month(word), day_of(word)) {
        (Some(month), _) => match words.get(at + 1).and_then(day_of) {
            Some(day) => (month, Some(day), 2),
            None => (month, None, 1),
        },
        (None, Some(day)) => {
            let of = usize::from(words.are(at + 1, "of"));
            (self::month(words.get(at + 1 + of)?)?, Some(day), 2 + of)
        }
        (None, None) => return None,
    };
    let (first, year_len) = year(at + len, &|year| Date::new(year, month, day.unwrap_or(1)).ok())?;
    let next = if day.is_some() { first.tomorrow() } else { first.checked_add(1.month()) };
    // `May` alone is a verb; so is `march`.
    if day.is_none()
        && year_len == 0
        && matches!(word, "may" | "march")
        && !words.are(at.checked_sub(1)?, "in|since|of|during")
    {
        return None;
    }
    Some((first, next.ok()?, len + year_len))
}
