//! Texts that are changed in place: edits by the words that stand there, texts added at a place, and merges.
//!
//! # Invariants
//! - An edit names what it replaces, and that stands in the text exactly once, unless all places are asked for. All edits are made or none.
//! - Bytes that no edit touches stay as they are: encoding, byte order mark, line ends, and whether the last line has one. New lines end as
//!   the others of the file do.
//! - The size of a result is known before it is made.
//!
//! # Not here
//! Reading and writing the file, and who may (`engine`). Everything here is a function of texts.

mod diff;
mod error;
mod find;
mod heading;
mod merge;
mod text;

#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::diff::unified;
pub use self::error::EditError;
pub use self::merge::{MAX_MERGED_BYTES, Merged, merge};
pub use self::text::TextFile;

/// A replacement: words that stand in the text, and those that come in their place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// What stands in the file, verbatim, with so many lines around it that it stands there once.
    #[serde(alias = "oldText")]
    pub old_text: String,
    /// What comes in its place; empty to take it out.
    #[serde(alias = "newText")]
    pub new_text: String,
}

/// A text that is put below a heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Insertion {
    /// The heading's words, with or without its `#` marks.
    pub heading: String,
    /// The lines that come right below it.
    pub text: String,
}

/// What is to be changed of a file: edits one after the other, then what is inserted, then what is added at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Changes {
    /// Replacements, at most 1,000. Each sees the text as those before it have left it.
    pub edits: Vec<Edit>,
    /// Replaces each `old_text` wherever it stands, where it stands at least once.
    pub replace_all: bool,
    /// Lines below a heading of a Markdown file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insert_after_heading: Option<Insertion>,
    /// Lines at the end of the file. They begin on a line of their own, and end with a line end where the file did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub append: Option<String>,
}

/// The most edits of one call.
pub const MAX_EDITS: usize = 1_000;

impl Changes {
    /// The text with all changes, and how many places were changed.
    ///
    /// # Errors
    /// Where one of them cannot be made, or the result would be longer than `max_bytes`.
    pub fn apply(&self, file: &TextFile, max_bytes: u64) -> Result<(String, usize), EditError> {
        let Self { edits, replace_all, insert_after_heading, append } = self;
        if edits.is_empty() && insert_after_heading.is_none() && append.is_none() {
            return Err(EditError::Nothing);
        }
        if edits.len() > MAX_EDITS {
            return Err(EditError::TooMany { num_edits: edits.len() });
        }
        let max_bytes = usize::try_from(max_bytes).unwrap_or(usize::MAX);
        let (mut text, mut num_places) = (file.text.clone(), 0);
        for (at, edit) in edits.iter().enumerate() {
            let spots = find::spots(&text, edit, *replace_all).map_err(|error| error.of_edit(at + 1, edits.len()))?;
            let new = file.with_its_line_ends(&edit.new_text);
            let taken_out: usize = spots.iter().map(std::ops::Range::len).sum();
            check_size(text.len() - taken_out, spots.len().saturating_mul(new.len()), max_bytes)?;
            text = put_in(&text, &spots, &new);
            num_places += spots.len();
        }
        if let Some(Insertion { heading, text: lines }) = insert_after_heading {
            let at = heading::end_of(&text, heading)?;
            let lines = file.with_its_line_ends(lines);
            check_size(text.len(), lines.len() + 4, max_bytes)?;
            text = put_below(&text, at, &lines, file.line_end());
            num_places += 1;
        }
        if let Some(lines) = append {
            let lines = file.with_its_line_ends(lines);
            let between = if text.is_empty() || text.ends_with('\n') { "" } else { file.line_end() };
            // A last line that had an end keeps one.
            let is_open = text.ends_with('\n') && !lines.is_empty() && !lines.ends_with('\n');
            let end = if is_open { file.line_end() } else { "" };
            check_size(text.len(), between.len() + lines.len() + end.len(), max_bytes)?;
            text.push_str(between);
            text.push_str(&lines);
            text.push_str(end);
            num_places += 1;
        }
        if text == file.text {
            return Err(EditError::Same);
        }
        Ok((text, num_places))
    }
}

fn check_size(kept: usize, added: usize, max_bytes: usize) -> Result<(), EditError> {
    let size = kept.saturating_add(added);
    if size > max_bytes { Err(EditError::TooLarge { size, max_bytes }) } else { Ok(()) }
}

/// The text with other words at some places, which are in order.
fn put_in(text: &str, spots: &[std::ops::Range<usize>], new: &str) -> String {
    let mut changed = String::with_capacity(text.len() + spots.len() * new.len());
    let mut from = 0;
    for spot in spots {
        changed.push_str(&text[from..spot.start]);
        changed.push_str(new);
        from = spot.end;
    }
    changed.push_str(&text[from..]);
    changed
}

/// The text with lines put in behind the line that ends at `at`.
fn put_below(text: &str, at: usize, lines: &str, line_end: &str) -> String {
    let (before, behind) = text.split_at(at);
    let between = if before.ends_with('\n') { "" } else { line_end };
    let end = if lines.ends_with('\n') || behind.is_empty() && !text.ends_with('\n') { "" } else { line_end };
    [before, between, lines, end, behind].concat()
}
