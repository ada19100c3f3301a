//! A line about a file that nobody reads as prose: figures of data, errors of a log, rows of a table, definitions of code.
//!
//! # Invariants
//! - A line is composed, never a quote; it names the places that it was computed from, each within one chunk.
//! - Numbers of the file stand in the line as they stand in the file; counts of lines, rows and records are counted here.
//! - The same chunks give the same line.
//!
//! # Not here
//! Which file came before another (`digest::former`), and citations: the engine makes them of the places.

mod code;
mod json;
mod log;
mod settings;
mod table;
mod values;
mod whole;

use self::whole::Whole;
use super::KeySentence;
use crate::extract::Format;
use crate::index::ChunkRecord;
use crate::workspace::RelPath;

/// Places that one line names at the most.
const MAX_PLACES: usize = 8;

/// Which of two files a place is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The file that the line is about.
    File,
    /// The file of the same name of an earlier run.
    Former,
}

/// A line about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What the digest says of the file.
    pub text: String,
    /// What it was computed from, in the order of the text.
    pub places: Vec<(Of, KeySentence)>,
    /// Sentences inside the data that can be quoted: a summary that a record holds, a comment at the beginning of code.
    pub sentences: Vec<KeySentence>,
}

/// A file of an earlier run with the same name.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// Where it is.
    pub path: &'a RelPath,
    /// What the index holds of it.
    pub chunks: &'a [ChunkRecord],
}

/// Whether a line can be made of files of this format.
#[must_use]
pub const fn is_told(format: Format) -> bool {
    matches!(
        format,
        Format::Json
            | Format::Jsonl
            | Format::Csv
            | Format::Tsv
            | Format::Log
            | Format::Yaml
            | Format::Toml
            | Format::Code
            | Format::Spreadsheet
    )
}

/// Whether what a file of this format holds is compared with what the run before left.
#[must_use]
pub const fn is_compared(format: Format) -> bool {
    matches!(format, Format::Json | Format::Csv | Format::Tsv | Format::Yaml | Format::Toml | Format::Spreadsheet)
}

/// The line about the file whose chunks these are; `None` where its format has none, or nothing can be made of it.
#[must_use]
pub fn line(chunks: &[ChunkRecord], before: Option<Before<'_>>) -> Option<Line> {
    let format = chunks.first()?.file.format;
    if !is_told(format) {
        return None;
    }
    let whole = Whole::of(chunks);
    let former = before.map(|before| (before.path, Whole::of(before.chunks)));
    let former = former.as_ref().map(|(path, whole)| (*path, whole));
    let mut draft = Draft::default();
    match format {
        Format::Json => json::tell(&whole, former, &mut draft),
        Format::Jsonl => json::tell_records(&whole, &mut draft),
        Format::Csv | Format::Tsv | Format::Spreadsheet => table::tell(&whole, former, &mut draft),
        Format::Log => log::tell(&whole, &mut draft),
        Format::Yaml | Format::Toml => settings::tell(&whole, former, &mut draft),
        _ => code::tell(&whole, &mut draft),
    }
    (!draft.parts.is_empty()).then(|| {
        draft.places.truncate(MAX_PLACES);
        Line { text: draft.parts.join("; "), places: draft.places, sentences: draft.sentences }
    })
}

/// The file before, with its path.
type Former<'a> = Option<(&'a RelPath, &'a Whole<'a>)>;

/// A line that is being composed.
#[derive(Debug, Default)]
struct Draft {
    parts: Vec<String>,
    places: Vec<(Of, KeySentence)>,
    sentences: Vec<KeySentence>,
}

impl Draft {
    fn say(&mut self, part: impl Into<String>) {
        self.parts.push(part.into());
    }

    /// Names a place; one that does not lie in a chunk is left out.
    fn cite(&mut self, of: Of, place: Option<KeySentence>) {
        if let Some(place) = place.filter(|place| !self.places.contains(&(of, *place))) {
            self.places.push((of, place));
        }
    }
}

/// `1 line`, `1,204 lines`.
fn counted(number: usize, one: &str) -> String {
    format!("{} {one}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A number with a comma between thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A text on one line, cut behind `max_chars` characters.
fn short(text: &str, max_chars: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(max_chars) {
        None => line,
        Some((end, _)) => format!("{} …", line[..end].trim_end()),
    }
}

/// The first names of many, and how many more there are.
fn listed<'n>(names: impl Iterator<Item = &'n str>, most: usize) -> String {
    let all: Vec<&str> = names.collect();
    let shown = all.iter().take(most).map(|name| short(name, 40)).collect::<Vec<_>>().join(", ");
    let more = all.len().saturating_sub(most);
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

#[cfg(test)]
pub(super) mod tests;
