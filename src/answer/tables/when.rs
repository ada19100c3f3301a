//! Days and months as [`dates`] finds them, with the time of day behind them.

use crate::answer::dates::{Date, dates};
use crate::workspace::Span;

/// A date, a time of day, or both, as far as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct When {
    pub(super) date: Option<Date>,
    /// Hour and minute.
    pub(super) time: Option<(u8, u8)>,
}

impl When {
    /// Whether `self`, as asked for, names the time `other`, as written: each part that is asked for is there and equal. A year that
    /// is not written beside the day may be one of `years`, which stand above it.
    pub(super) fn names(&self, other: &Self, years: &[i16]) -> bool {
        let is_date = match (self.date, other.date) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(asked), Some(written)) => {
                let is_year = match (asked.year, written.year) {
                    (Some(year), None) => years.contains(&year),
                    _ => true,
                };
                is_year && asked.is_met_by(written)
            }
        };
        is_date && self.time.is_none_or(|time| other.time == Some(time))
    }

    /// A number that grows with time, for dates that have a year.
    pub(super) fn order(&self) -> Option<f64> {
        let date = self.date?;
        let days = (f64::from(date.year?) * 13.0 + f64::from(date.month)) * 32.0 + f64::from(date.day.unwrap_or(0));
        let minutes = self.time.map_or(0.0, |(hour, minute)| f64::from(hour) * 60.0 + f64::from(minute));
        Some(days * 1440.0 + minutes)
    }
}

/// The dates and times of day in a text, with their places. A date that may be read in two ways (`10/09/2026`) is there twice.
pub(super) fn whens(text: &str) -> Vec<(Span, When)> {
    // Most cells are words or short numbers.
    if !text.bytes().any(|byte| byte.is_ascii_digit()) && text.len() > 40 {
        return Vec::new();
    }
    let mut found: Vec<(Span, When)> = Vec::new();
    for written in dates(text) {
        let time = written.date.day.and_then(|_| time_behind(text, written.span.end));
        let end = time.map_or(written.span.end, |(_, end)| end);
        let when = When { date: Some(written.date), time: time.map(|(time, _)| time) };
        found.push((Span::new(written.span.start, end), when));
    }
    for (at, _) in text.match_indices(':') {
        let start = text[..at].bytes().rev().take(2).take_while(u8::is_ascii_digit).count();
        let is_taken = found.iter().any(|(span, _)| span.start < at && at < span.end);
        let begins_here = !text[..at - start].ends_with(|c: char| c.is_alphanumeric() || matches!(c, ':' | '.'));
        if start > 0
            && !is_taken
            && begins_here
            && let Some((time, end)) = time_at(text, at - start)
        {
            found.push((Span::new(at - start, end), When { date: None, time: Some(time) }));
        }
    }
    found.sort_by_key(|(span, _)| *span);
    found
}

/// The time of day that stands right behind a date, and where it ends.
fn time_behind(text: &str, at: usize) -> Option<((u8, u8), usize)> {
    let rest = &text[at..];
    let marks = ["T", "t", "_", " at ", ", ", " ", "-"];
    let mark = marks
        .iter()
        .find(|mark| rest.starts_with(**mark) && rest[mark.len()..].starts_with(|c: char| c.is_ascii_digit()))?;
    time_at(text, at + mark.len())
}

/// `08:13`, `08:13:33` or `081333` at a place, and where it ends.
fn time_at(text: &str, at: usize) -> Option<((u8, u8), usize)> {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let part = |from: usize, len: usize| text.get(from..from + len)?.parse::<u8>().ok();
    let (hour, minute, mut end) = match digits(at) {
        num @ (4 | 6) => (part(at, 2)?, part(at + 2, 2)?, at + num),
        num @ (1 | 2) if text[at + num..].starts_with(':') && digits(at + num + 1) == 2 => {
            (part(at, num)?, part(at + num + 1, 2)?, at + num + 3)
        }
        _ => return None,
    };
    if text[end..].starts_with(':') && digits(end + 1) == 2 {
        end += 3;
    }
    (hour < 24 && minute < 60).then_some(((hour, minute), end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> When {
        let found = whens(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        found[0].1
    }

    #[test]
    fn a_time_of_day_belongs_to_its_date() {
        for text in [
            "20230824T081333",
            "20230824T081333_full_run",
            "20230824_081333",
            "2023-08-24T08:13:33+00:00",
            "24 August 2023 at 08:13",
            "2023-08-24 08:13",
        ] {
            assert_eq!(whens(text)[0].1.time, Some((8, 13)), "{text}");
            assert!(one("24 August 2023 at 08:13").names(&whens(text)[0].1, &[]), "{text}");
        }
        assert_eq!(one("00:48"), When { date: None, time: Some((0, 48)) });
    }

    #[test]
    fn what_is_asked_for_has_to_be_written() {
        let october = one("October 2026");
        assert!(october.names(&one("2026-10"), &[]) && october.names(&one("2026-10-14"), &[]));
        assert!(!october.names(&one("2026-11"), &[]) && !october.names(&one("2025-10"), &[]));
        assert!(!one("9 October").names(&one("2026-10"), &[]));
        assert!(one("1 December 2026").names(&one("Tue 1 Dec"), &[2026]));
        assert!(!one("1 December 2026").names(&one("Tue 1 Dec"), &[]));
        assert!(!one("24 August 2023 at 08:13").names(&one("20230824T032419"), &[]));
    }

    proptest::proptest! {
        #[test]
        fn times_lie_in_their_text(text in "[0-9a-zT:./ é-]{0,40}") {
            for (span, _) in whens(&text) {
                proptest::prop_assert!(span.of(&text).is_some_and(|words| !words.is_empty()), "{:?}", span);
            }
        }
    }
}
