//! Times, sizes and numbers, as a person reads them.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

/// A time, in UTC to the minute, and to the second where one points at it.
pub(super) fn time(at: Timestamp) -> Markup {
    let at = at.to_zoned_datetime(TimeZone::UTC);
    html! { time datetime=(at.timestamp()) title=(at.strftime("%Y-%m-%d %H:%M:%S UTC")) { (at.strftime("%Y-%m-%d %H:%M")) } }
}

/// The day of a time in UTC.
pub(super) fn day(at: Timestamp) -> String {
    at.to_zoned_datetime(TimeZone::UTC).strftime("%A, %-d %B %Y").to_string()
}

/// A size in bytes: `512 B`, `3.4 KB`, `12 MB`.
pub(super) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["KB", "MB", "GB"] {
        if value < 999.5 {
            break;
        }
        value /= 1_000.0;
        unit = next;
    }
    if unit == "B" || value >= 9.95 { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") }
}

/// A number with its groups of three digits apart.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// `1 file`, `2,000 files`.
pub(super) fn many(num: u64, one: &str, more: &str) -> String {
    format!("{} {}", number(num), if num == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_numbers_read_well() {
        let sizes = [0, 999, 1_000, 3_449, 9_960, 999_499, 999_500, 12_345_678, 5_000_000_000].map(size);
        assert_eq!(sizes, ["0 B", "999 B", "1.0 KB", "3.4 KB", "10 KB", "999 KB", "1.0 MB", "12 MB", "5.0 GB"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
    }
}
