//! Values of cells as a person sees them.

use calamine::{Data, DataRef, ExcelDateTime};

/// A value in words; `format` is the number format of its cell, of which only the percent is applied.
pub(super) fn words(value: &DataRef<'_>, format: Option<&str>) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => match format.and_then(percent_decimals) {
            Some(num_decimals) => format!("{:.num_decimals$}%", number * 100.0),
            None => number_words(*number),
        },
        DataRef::String(words) | DataRef::DateTimeIso(words) | DataRef::DurationIso(words) => words.clone(),
        DataRef::SharedString(words) => (*words).to_owned(),
        DataRef::Bool(truth) => if *truth { "TRUE" } else { "FALSE" }.to_owned(),
        DataRef::DateTime(time) => time_words(time),
        DataRef::Error(error) => error.to_string(),
    }
}

/// As [`words`], of a value that stands by itself.
pub(super) fn owned_words(value: &Data) -> String {
    let value = match value {
        Data::Int(number) => DataRef::Int(*number),
        Data::Float(number) => DataRef::Float(*number),
        Data::String(words) => DataRef::SharedString(words),
        Data::Bool(truth) => DataRef::Bool(*truth),
        Data::DateTime(time) => DataRef::DateTime(*time),
        Data::DateTimeIso(time) | Data::DurationIso(time) => DataRef::SharedString(time),
        Data::Error(error) => DataRef::Error(error.clone()),
        Data::Empty => DataRef::Empty,
    };
    words(&value, None)
}

/// Digits after the point of a format that shows percent: 1 for `0.0%`.
fn percent_decimals(format: &str) -> Option<usize> {
    let (digits, _) = format.split(';').next()?.split_once('%')?;
    let decimals = digits.rsplit_once('.').map_or("", |(_, decimals)| decimals);
    Some(decimals.bytes().filter(|byte| matches!(byte, b'0' | b'#')).count().min(9))
}

/// Ten digits, as a spreadsheet shows in a cell without a format, and all before the point and two after it.
pub(super) fn number_words(number: f64) -> String {
    let size = number.abs();
    if number.fract() == 0.0 && size < 1e15 {
        return format!("{}", number + 0.0);
    }
    if !(1e-5..1e15).contains(&size) {
        let words = format!("{number:.9E}");
        let Some((digits, exponent)) = words.split_once('E') else { return words };
        return format!("{}E{exponent}", digits.trim_end_matches('0').trim_end_matches('.'));
    }
    // Between -5 and 14: the position of the first digit.
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked above")]
    let first_digit = size.log10().floor() as i32;
    let num_decimals = usize::try_from(9 - first_digit).unwrap_or(0).max(2);
    let words = format!("{number:.num_decimals$}");
    words.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// ISO 8601: a date, a date with a time, or a time of day; a duration in hours, minutes and seconds.
fn time_words(time: &ExcelDateTime) -> String {
    let days = time.as_f64();
    if time.is_duration() {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is too large is the largest")]
        let seconds = (days.abs() * 86_400.0).round() as u64;
        let sign = if days < 0.0 { "-" } else { "" };
        return format!("{sign}{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    }
    // No spreadsheet has a date before 1900 or after 9999; the number was not meant as one.
    if !(0.0..2_958_466.0).contains(&days) {
        return number_words(days);
    }
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let clock = match milli {
        0 => format!("{hour:02}:{minute:02}:{second:02}"),
        _ => format!("{hour:02}:{minute:02}:{second:02}.{milli:03}"),
    };
    let date = format!("{year:04}-{month:02}-{day:02}");
    match () {
        () if (0.0..1.0).contains(&days) => clock,
        () if clock == "00:00:00" => date,
        () => format!("{date} {clock}"),
    }
}
