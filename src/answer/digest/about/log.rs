//! Logs: how long they are, what went wrong in them, and how they end.

use super::whole::Whole;
use super::{Draft, Of, counted, short};

/// Words at the beginning of a line among which its level stands.
const LEVEL_WORDS: usize = 6;
/// Characters of a message that a line repeats.
const MAX_MESSAGE_CHARS: usize = 140;
/// Errors that a line names the places of.
const MAX_ERRORS: usize = 3;

/// How bad what a line says is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Error,
    Warning,
    Other,
}

/// Tells of a log.
pub(super) fn tell(whole: &Whole<'_>, draft: &mut Draft) {
    let (mut num_errors, mut num_warnings, mut num_seen) = (0_usize, 0_usize, 0_usize);
    let (mut first_error, mut first_warning, mut last) = (None, None, None);
    let mut errors = Vec::new();
    let mut times: Option<(&str, &str)> = None;
    for (start, line) in whole.lines() {
        num_seen += 1;
        let range = start..start + line.len();
        if let Some(time) = time(line) {
            times = Some((times.map_or(time, |(first, _)| first), time));
        }
        match level(line) {
            Level::Error => {
                num_errors += 1;
                first_error = first_error.or(Some(line));
                if errors.len() < MAX_ERRORS {
                    errors.push(range.clone());
                }
            }
            Level::Warning => {
                num_warnings += 1;
                first_warning = first_warning.or_else(|| Some((line, range.clone())));
            }
            Level::Other => {}
        }
        last = Some((line, range));
    }
    let Some((last_line, last_range)) = last else { return };
    let num_lines = whole.num_lines();
    let span = times.filter(|(first, last)| first != last);
    let span = span.map(|(first, last)| format!(" from {first} until {last}")).unwrap_or_default();
    if whole.is_complete {
        draft.say(format!("{}{span}", counted(num_lines, "line")));
    } else {
        draft.say(format!(
            "{}{span}, of which the first and last were looked at, {num_seen} in all",
            counted(num_lines, "line")
        ));
    }
    draft.say(format!("{}, {}", none_or(num_errors, "error"), none_or(num_warnings, "warning")));
    for range in errors {
        draft.cite(Of::File, whole.place(range));
    }
    match (first_error, first_warning) {
        (Some(line), _) => {
            draft.say(format!("{}: {}", if num_errors == 1 { "the error" } else { "first error" }, message(line)));
        }
        (None, Some((line, range))) => {
            draft.cite(Of::File, whole.place(range));
            draft.say(format!(
                "{}: {}",
                if num_warnings == 1 { "the warning" } else { "first warning" },
                message(line)
            ));
        }
        (None, None) => {}
    }
    draft.cite(Of::File, whole.place(last_range));
    if first_error != Some(last_line) {
        draft.say(format!("it ends: {}", message(last_line)));
    }
}

fn none_or(number: usize, one: &str) -> String {
    if number == 0 { format!("no {one}") } else { counted(number, one) }
}

/// How bad a line says that it is: by a level at its beginning, or by what programs write when they fail.
pub(super) fn level(line: &str) -> Level {
    for word in line.split_whitespace().take(LEVEL_WORDS) {
        let value = word.rsplit_once('=').filter(|(key, _)| key.ends_with("level") || key.ends_with("lvl"));
        let is_named = value.is_some();
        let plain = value.map_or(word, |(_, value)| value).trim_matches(|c: char| !c.is_alphanumeric());
        let is_capital = plain.len() >= 3 && plain.chars().all(|c| c.is_ascii_uppercase());
        let is_marked =
            word.ends_with(':') || word.starts_with('[') && word.ends_with(']') || word.starts_with("error[");
        let plain = if word.starts_with("error[") { "error" } else { plain };
        if is_named || is_capital || is_marked {
            match plain.to_lowercase().as_str() {
                "error" | "err" | "fatal" | "panic" | "critical" | "crit" | "severe" | "alert" | "emerg" | "failed"
                | "failure" => {
                    return Level::Error;
                }
                "warn" | "warning" => return Level::Warning,
                "info" | "debug" | "trace" | "notice" => return Level::Other,
                _ => {}
            }
        }
    }
    let is_failure =
        ["panicked at", "Traceback (most recent call last)", "Segmentation fault", "... FAILED", "npm ERR!"];
    if is_failure.iter().any(|failure| line.contains(failure)) { Level::Error } else { Level::Other }
}

/// The time that a line begins with.
fn time(line: &str) -> Option<&str> {
    let line = line.trim_start_matches(['[', '(']);
    let is_digit = |at: usize| line.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    if !(0..4).all(is_digit) || !matches!(line.as_bytes().get(4), Some(b'-' | b'/')) {
        return None;
    }
    let mut ends = line.match_indices([' ', ']', ')', '\t']).map(|(at, _)| at);
    let first = ends.next()?;
    let is_day_alone = first == 10 && is_digit(11);
    let end = if is_day_alone { ends.next().unwrap_or(line.len()) } else { first };
    Some(line[..end].trim_end_matches(','))
}

/// A line without its time, as far as it is shown.
fn message(line: &str) -> String {
    let rest = time(line).map_or(line, |time| {
        let end = line.find(time).map_or(0, |at| at + time.len());
        line[end..].trim_start_matches([']', ')', ',', ' ', '\t'])
    });
    short(rest, MAX_MESSAGE_CHARS)
}
