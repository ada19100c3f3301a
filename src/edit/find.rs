//! Where the words of an edit stand; and where they do not, what comes nearest.

use std::ops::Range;
use std::time::{Duration, Instant};

use similar::TextDiff;

use super::error::Miss;
use super::{Edit, EditError};

/// Places of words that are told of where they stand more than once.
const MAX_PLACES: usize = 10;
/// Places that one edit replaces at most.
pub(super) const MAX_REPLACED: usize = 1_000_000;
/// Bytes of the nearest text that are told.
const MAX_NEAREST_BYTES: usize = 2_000;
/// Bytes of words for which the nearest text is looked for.
const MAX_LOOKED_FOR: usize = 4_000;
/// How long it is looked for.
const LOOKS_FOR: Duration = Duration::from_millis(200);
/// A text that is less alike is not worth telling.
const ALIKE: f32 = 0.5;

/// The places of an edit's words, in order: one, or all that do not overlap.
pub(super) fn spots(text: &str, edit: &Edit, replace_all: bool) -> Result<Vec<Range<usize>>, Miss> {
    let words = &edit.old_text;
    if words.is_empty() {
        return Err(Miss::Empty);
    }
    if let Some(found) = of_words(text, words, replace_all)? {
        return Ok(found);
    }
    // What a model was shown may have other line ends than the file.
    let other = if words.contains("\r\n") { words.replace("\r\n", "\n") } else { words.replace('\n', "\r\n") };
    let found = if other == *words { None } else { of_words(text, &other, replace_all)? };
    found.ok_or_else(|| Miss::None { nearest: nearest(text, words) })
}

/// The places of words; `None` where they stand nowhere.
fn of_words(text: &str, words: &str, replace_all: bool) -> Result<Option<Vec<Range<usize>>>, Miss> {
    let Some(first) = text.find(words) else { return Ok(None) };
    let spot = |at: usize| at..at + words.len();
    // Words that fit in two ways which overlap are ambiguous as well.
    let next = first + words.chars().next().map_or(1, char::len_utf8);
    let Some(second) = text[next..].find(words).map(|at| next + at) else { return Ok(Some(vec![spot(first)])) };
    let apart = || text.match_indices(words).map(|(at, _)| at);
    if replace_all {
        let found: Vec<Range<usize>> = apart().take(MAX_REPLACED + 1).map(spot).collect();
        return if found.len() > MAX_REPLACED { Err(Miss::TooMany) } else { Ok(Some(found)) };
    }
    let mut starts: Vec<usize> = apart().take(MAX_PLACES).collect();
    if starts.len() < 2 {
        starts = vec![first, second];
    }
    let lines = starts.into_iter().map(|at| line_at(text, at)).collect();
    Err(Miss::Several { num_places: apart().count().max(2), lines })
}

/// The line, from 1, that a byte is in.
fn line_at(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

/// The lines that come nearest to words that do not stand in the text, with the number of the first.
fn nearest(text: &str, words: &str) -> Option<(usize, String)> {
    if words.len() > MAX_LOOKED_FOR {
        return None;
    }
    let until = Instant::now() + LOOKS_FOR;
    let num_lines = words.trim_end_matches('\n').split('\n').count();
    let lines: Vec<&str> = text.split('\n').collect();
    let first_words = words.lines().map(str::trim).find(|line| !line.is_empty())?;
    let mut best: Option<(f32, usize)> = None;
    for at in 0..lines.len() {
        if Instant::now() > until {
            break;
        }
        // Most lines have nothing of it: their lengths or letters say so at once.
        let is_near = quick_ratio(lines[at].trim(), first_words) >= ALIKE;
        if !is_near {
            continue;
        }
        let window = lines[at..(at + num_lines).min(lines.len())].join("\n");
        if window.len() > 2 * MAX_LOOKED_FOR {
            continue;
        }
        let ratio = TextDiff::configure().timeout(LOOKS_FOR / 10).diff_chars(window.as_str(), words).ratio();
        if ratio >= ALIKE && best.is_none_or(|(best, _)| ratio > best) {
            best = Some((ratio, at));
        }
    }
    let (_, at) = best?;
    let window = lines[at..(at + num_lines).min(lines.len())].join("\n");
    Some((at + 1, window[..window.floor_char_boundary(MAX_NEAREST_BYTES)].to_owned()))
}

/// An upper bound of how alike two lines are: by the letters that they have in common, in any order.
fn quick_ratio(one: &str, other: &str) -> f32 {
    let mut counts = [0_i32; 256];
    one.bytes().for_each(|byte| counts[usize::from(byte)] += 1);
    let mut shared = 0_u32;
    for byte in other.bytes() {
        let count = &mut counts[usize::from(byte)];
        if *count > 0 {
            *count -= 1;
            shared += 1;
        }
    }
    let total = one.len() + other.len();
    if total == 0 { 1.0 } else { 2.0 * shared as f32 / total as f32 }
}

impl Miss {
    /// The error of the edit of this number.
    pub(super) fn of_edit(self, number: usize, of: usize) -> EditError {
        EditError::Miss { number, of, miss: self }
    }
}
