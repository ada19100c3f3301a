//! Places in a document's text.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A byte range `start..end` in a document's text, on character boundaries. For a UTF-8 text file these are the
/// file's own bytes.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema,
)]
pub struct Span {
    /// First byte, counted from 0.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The span `start..end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Length in bytes.
    #[must_use]
    pub const fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// Whether the span holds no byte.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// The span as a standard range.
    #[must_use]
    pub const fn range(self) -> Range<usize> {
        self.start..self.end
    }

    /// The same span in a text that begins `num_bytes` earlier.
    #[must_use]
    pub const fn after(self, num_bytes: usize) -> Self {
        Self::new(self.start + num_bytes, self.end + num_bytes)
    }

    /// The words of `text` that the span covers, or `None` where it is out of range or cuts a character.
    #[must_use]
    pub fn of(self, text: &str) -> Option<&str> {
        text.get(self.range())
    }

    /// The same span without the white space (and byte order marks) at its two ends.
    ///
    /// Returns an empty span at `start` when nothing else is left or the span does not fit `text`.
    #[must_use]
    pub fn trimmed(self, text: &str) -> Self {
        let is_blank = |c: char| c.is_whitespace() || c == '\u{feff}';
        let Some(words) = self.of(text) else { return Self::new(self.start, self.start) };
        let kept = words.trim_start_matches(is_blank);
        let start = self.start + (words.len() - kept.len());
        let kept = kept.trim_end_matches(is_blank);
        if kept.is_empty() { Self::new(self.start, self.start) } else { Self::new(start, start + kept.len()) }
    }
}

/// Lines `start..=end`, counted from 1, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct LineRange {
    /// First line, counted from 1.
    pub start: u32,
    /// Last line, included.
    pub end: u32,
}

impl LineRange {
    /// The same lines in a file with so many more before them.
    #[must_use]
    pub const fn after(self, num_lines: u32) -> Self {
        Self { start: self.start.saturating_add(num_lines), end: self.end.saturating_add(num_lines) }
    }
}

/// Finds the line of a byte offset: the starts of all lines of one text.
#[derive(Debug, Clone)]
pub struct LineStarts(Vec<usize>);

impl LineStarts {
    /// Reads the line starts of `text`. A line ends after `\n`.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let after_breaks = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(after_breaks).collect())
    }

    /// The lines that `span` touches; an empty span lies on the line of its start.
    #[must_use]
    pub fn lines(&self, span: Span) -> LineRange {
        let line_of =
            |offset: usize| u32::try_from(self.0.partition_point(|&start| start <= offset)).unwrap_or(u32::MAX);
        let last = span.end.saturating_sub(1).max(span.start);
        LineRange { start: line_of(span.start), end: line_of(last) }
    }
}
