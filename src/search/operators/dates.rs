//! Dates as queries name them.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The first moment of a day (`2026-10-31`), month (`2026-10`) or year (`2026`) in UTC, or the moment that a time names (RFC 3339).
pub(super) fn first_moment(text: &str) -> Option<Timestamp> {
    let is_number = |part: &str, digits: usize| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<&str> = text.split('-').collect();
    let date = match parts[..] {
        [year] if is_number(year, 4) => format!("{year}-01-01"),
        [year, month] if is_number(year, 4) && is_number(month, 2) => format!("{text}-01"),
        [year, month, day] if is_number(year, 4) && is_number(month, 2) && is_number(day, 2) => text.to_owned(),
        _ => return text.parse().ok(),
    };
    let date: Date = date.parse().ok()?;
    date.to_zoned_datetime(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_first_moment_and_anything_else_is_none() {
        let cases = [
            ("2026", Some("2026-01-01T00:00:00Z")),
            ("2026-10", Some("2026-10-01T00:00:00Z")),
            ("2026-10-31", Some("2026-10-31T00:00:00Z")),
            ("2026-10-31T12:30:00Z", Some("2026-10-31T12:30:00Z")),
            ("2026-10-31T12:30:00+02:00", Some("2026-10-31T10:30:00Z")),
            ("2026-13", None),
            ("2026-02-30", None),
            ("yesterdayish", None),
            ("10/31/2026", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(first_moment(text), expected.map(|time| time.parse().unwrap()), "{text}");
        }
    }
}
