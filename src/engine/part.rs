//! A file's text piece by piece, on character boundaries.

use std::ops::Range;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use utoipa::ToSchema;

use super::recording::Told;
use super::{EngineError, FileText, Workspace};
use crate::access::Action;
use crate::extract::PageUnit;
use crate::workspace::{ContentHash, RelPath, Revision, Span};

/// The most text that one piece holds, in bytes: it goes over the wire of MCP twice, and clients cap a message at 1 MiB.
pub const MAX_TEXT_BYTES: usize = 128 * 1024;

/// A part of a file's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema, ToSchema)]
pub struct FilePart {
    /// The file.
    pub path: RelPath,
    /// The document's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The file's type, as `filters.type` takes it.
    pub format: String,
    /// The SHA-256 of the file's bytes, for the `if_match` of a write. Another one than before means that the file has changed between two
    /// parts.
    pub etag: ContentHash,
    /// The newest change of the file in the log when it was read; absent where the log holds none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// When the file was last modified (RFC 3339).
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub modified: Timestamp,
    /// Length of the whole text; absent for a part of a file that is too large to be read for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<usize>,
    /// The part that this is.
    pub span: Span,
    /// The first line of the file that the part touches, counted from 1, where the text is the file's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_line: Option<u32>,
    /// The last line of the file that the part touches, where the text is the file's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_line: Option<u32>,
    /// How many lines the file has, where the text is the file's own; absent as `total_bytes` is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_lines: Option<u32>,
    /// The pages that the part touches, first and last, where the format has pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pages: Option<[usize; 2]>,
    /// The slides that the part touches, first and last, of a presentation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slides: Option<[usize; 2]>,
    /// The cells that the part touches, of a spreadsheet or notebook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell: Option<String>,
    /// Why the text is not all of the file's, and how far it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
    /// Whether the text goes on behind this part.
    pub truncated: bool,
    /// Where to go on; absent where the text ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_offset: Option<usize>,
    /// The span of each page or slide, where the whole text was asked for and the format has them.
    #[schemars(skip)]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub page_spans: Vec<Span>,
    /// The words, verbatim.
    pub content: String,
}

impl FilePart {
    /// All that there is of a file, with its pages.
    #[must_use]
    pub fn whole(file: FileText) -> Self {
        let range = 0..file.text.len();
        Self { page_spans: file.pages.clone(), ..Self::of(file, range) }
    }

    /// The piece of a file that is at `range` of its text.
    #[must_use]
    pub fn of(file: FileText, range: Range<usize>) -> Self {
        let span = Span::new(range.start, range.end).after(file.start);
        let is_slide = file.page_unit == PageUnit::Slide;
        let (lines, truncated) = (file.lines(span), file.goes_on || range.end < file.text.len());
        let (total_lines, total_bytes) = (file.num_lines(), (!file.goes_on).then_some(file.end()));
        let [pages, slides] = [!is_slide, is_slide].map(|is_wanted| pages_of(&file, span).filter(|_| is_wanted));
        let content = if range.len() == file.text.len() { file.text } else { file.text[range].to_owned() };
        Self {
            start_line: lines.map(|lines| lines.start),
            end_line: lines.map(|lines| lines.end),
            total_lines,
            pages,
            slides,
            cell: file.cells.name(span),
            truncated,
            next_offset: truncated.then_some(span.end),
            total_bytes,
            content,
            page_spans: Vec::new(),
            partial: file.partial,
            path: file.path,
            title: file.title,
            format: file.format,
            etag: file.content_hash,
            revision: file.revision,
            modified: file.modified,
            span,
        }
    }
}

impl Workspace<'_> {
    /// The text of a file around `start`, and where in it the at most `max_bytes` from there on are.
    ///
    /// # Errors
    /// As [`Workspace::read_around`]; [`EngineError::OutOfRange`] where the text ends before `start`.
    pub fn read_stretch(
        &self,
        path: &RelPath,
        start: usize,
        max_bytes: usize,
    ) -> Result<(FileText, Range<usize>), EngineError> {
        self.recorded(Action::Read, Told::of([path]), |told| {
            let file = self.read_around(path, Span::new(start, start.saturating_add(max_bytes)))?;
            let at = start.checked_sub(file.start).filter(|_| start <= file.end());
            let at =
                at.ok_or_else(|| EngineError::OutOfRange { path: path.to_string(), num_bytes: file.end(), start })?;
            let range = cut(&file.text, at, max_bytes);
            let shown = Span::new(range.start, range.end).after(file.start);
            told.shows_of(&file.path, Some(file.content_hash), Some(shown));
            Ok((file, range))
        })
    }
}

/// At most `max_bytes` of `text` from `start` on, on character boundaries; at least one character where there is one.
#[must_use]
pub fn cut(text: &str, start: usize, max_bytes: usize) -> Range<usize> {
    let start = text.floor_char_boundary(start);
    let end = text.floor_char_boundary(start.saturating_add(max_bytes));
    let end = if end == start { text.ceil_char_boundary((start + 1).min(text.len())) } else { end };
    start..end
}

/// The first and last page that `span` touches, counted from 1.
#[must_use]
pub fn pages_of(file: &FileText, span: Span) -> Option<[usize; 2]> {
    let touches = |page: &Span| page.start < span.end.max(span.start + 1) && span.start < page.end;
    let first = file.pages.iter().position(touches)?;
    let last = file.pages.iter().rposition(touches)?;
    Some([first + 1, last + 1])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn parts_follow_each_other_without_gaps_and_make_up_the_text(text in ".{0,60}", max_bytes in 1_usize..9) {
            let (mut start, mut joined) = (0, String::new());
            while start < text.len() {
                let range = cut(&text, start, max_bytes);
                prop_assert!(range.start == start && range.end > start);
                prop_assert!(range.len() <= max_bytes.max(4));
                joined.push_str(&text[range.clone()]);
                start = range.end;
            }
            prop_assert_eq!(joined, text);
        }
    }

    #[test]
    fn a_start_inside_a_character_goes_back_to_its_first_byte() {
        assert_eq!(cut("aéb", 2, 10), 1..4);
        assert_eq!(cut("aéb", 4, 10), 4..4);
    }
}
