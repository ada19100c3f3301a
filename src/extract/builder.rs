//! Collects the blocks of one text and makes the invariants of [`Document::blocks`] true whatever a reader says.
//!
//! # Invariants
//! - Blocks come out in order, disjoint, on character boundaries, not empty, without white space at their ends.
//! - What a reader leaves out between two blocks becomes paragraphs of its own: no word is ever lost.
//!
//! # Not here
//! Pages: a reader with pages pushes each page's blocks within that page.
//!
//! [`Document::blocks`]: super::Document::blocks

use std::sync::Arc;

use super::text;
use super::{Block, BlockKind};
use crate::workspace::{Cell, Span};

/// The trail of a block: headings or enclosing definitions, outermost first.
pub(super) type Trail = Arc<[String]>;

/// Longest trail entry or title, in characters; more is an accident of the markup.
const MAX_LABEL_CHARS: usize = 160;

/// The blocks of one text, in the making.
pub(super) struct Blocks<'t> {
    text: &'t str,
    done: Vec<Block>,
    /// Everything before this byte lies in a block or is white space.
    covered: usize,
    trail: Trail,
    cell: Option<Cell>,
}

impl<'t> Blocks<'t> {
    /// No blocks yet, over `text`.
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, done: Vec::new(), covered: 0, trail: no_trail(), cell: None }
    }

    /// The trail of the blocks that follow.
    pub(super) fn set_trail(&mut self, trail: Trail) {
        self.trail = trail;
    }

    /// The cell of the blocks that follow.
    pub(super) fn set_cell(&mut self, cell: Option<Cell>) {
        self.cell = cell;
    }

    /// The trail of the blocks that follow.
    pub(super) fn trail(&self) -> Trail {
        Arc::clone(&self.trail)
    }

    /// The end of the last block.
    pub(super) const fn covered(&self) -> usize {
        self.covered
    }

    /// Appends the block `span` under the current trail; what precedes it uncovered becomes paragraphs.
    pub(super) fn push(&mut self, kind: BlockKind, span: Span) {
        self.push_row(kind, span, None);
    }

    /// As [`Blocks::push`], with the header of the block's table.
    pub(super) fn push_row(&mut self, kind: BlockKind, span: Span, header: Option<&Arc<str>>) {
        let start = floor_char_boundary(self.text, span.start).max(self.covered);
        let end = floor_char_boundary(self.text, span.end);
        if end <= start {
            return;
        }
        self.fill_gap(start);
        self.append(kind, Span::new(start, end), header);
    }

    /// Appends blank-line separated blocks of `kind` that cover `span`.
    pub(super) fn push_paragraphs(&mut self, kind: BlockKind, span: Span) {
        let start = floor_char_boundary(self.text, span.start).max(self.covered);
        let end = floor_char_boundary(self.text, span.end);
        if end <= start {
            return;
        }
        self.fill_gap(start);
        for paragraph in text::paragraphs(self.text, Span::new(start, end)) {
            self.append(kind, paragraph, None);
        }
        self.covered = end;
    }

    /// Moves the end of the last block to `end`; whether there is a last block.
    pub(super) fn extend_last(&mut self, end: usize) -> bool {
        let end = floor_char_boundary(self.text, end).max(self.covered);
        let Some(last) = self.done.last_mut() else { return false };
        last.span = Span::new(last.span.start, end).trimmed(self.text);
        self.covered = end;
        true
    }

    /// All blocks; what is uncovered up to the end becomes paragraphs.
    pub(super) fn finish(mut self) -> Vec<Block> {
        self.fill_gap(self.text.len());
        self.done
    }

    fn fill_gap(&mut self, end: usize) {
        let gap = Span::new(self.covered, end);
        if !gap.trimmed(self.text).is_empty() {
            for paragraph in text::paragraphs(self.text, gap) {
                self.append(BlockKind::Prose, paragraph, None);
            }
        }
        self.covered = self.covered.max(end);
    }

    fn append(&mut self, kind: BlockKind, span: Span, header: Option<&Arc<str>>) {
        let trimmed = span.trimmed(self.text);
        if !trimmed.is_empty() {
            let (trail, header) = (Arc::clone(&self.trail), header.map(Arc::clone));
            self.done.push(Block { span: trimmed, kind, trail, header, cell: self.cell.clone() });
        }
        self.covered = self.covered.max(span.end);
    }
}

/// The trail of a block under no heading.
pub(super) fn no_trail() -> Trail {
    Arc::from(Vec::new())
}

/// The headings that are open at a place, and the trail they make.
#[derive(Default)]
pub(super) struct Headings {
    open: Vec<(usize, String)>,
}

impl Headings {
    /// Closes the headings of `level` and deeper; returns the trail of a new heading of that level.
    pub(super) fn close(&mut self, level: usize) -> Trail {
        while self.open.last().is_some_and(|(open, _)| *open >= level) {
            self.open.pop();
        }
        self.trail()
    }

    /// Opens the heading `label`; returns the trail of what stands under it.
    pub(super) fn open(&mut self, level: usize, label: String) -> Trail {
        if !label.is_empty() {
            self.open.push((level, label));
        }
        self.trail()
    }

    /// The trail of what stands under the open headings.
    pub(super) fn trail(&self) -> Trail {
        self.open.iter().map(|(_, label)| label.clone()).collect()
    }
}

/// `words` on one line, with single spaces, cut at 160 characters: for titles, trail entries and headers.
pub(super) fn label(words: &str) -> String {
    let mut label = String::new();
    let mut num_chars = 0;
    for word in words.split(|c: char| c.is_whitespace() || c == '\u{feff}').filter(|word| !word.is_empty()) {
        if num_chars > 0 {
            label.push(' ');
            num_chars += 1;
        }
        for c in word.chars() {
            if num_chars >= MAX_LABEL_CHARS {
                return label;
            }
            label.push(c);
            num_chars += 1;
        }
    }
    label
}

/// The last character boundary at or before `at`.
pub(super) fn floor_char_boundary(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words<'t>(text: &'t str, blocks: &[Block]) -> Vec<&'t str> {
        blocks.iter().map(|block| block.span.of(text).expect("a block lies in its text")).collect()
    }

    #[test]
    fn what_a_reader_leaves_out_becomes_paragraphs() {
        let text = "lost\n\nalso lost\nkept\ntail";
        let mut blocks = Blocks::new(text);
        blocks.push(BlockKind::Code, Span::new(16, 20));
        assert_eq!(words(text, &blocks.finish()), ["lost", "also lost", "kept", "tail"]);
    }

    #[test]
    fn overlapping_out_of_range_and_cut_spans_are_mended() {
        let text = "añb cd";
        let mut blocks = Blocks::new(text);
        blocks.push(BlockKind::Prose, Span::new(0, 2));
        blocks.push(BlockKind::Prose, Span::new(0, 5));
        blocks.push(BlockKind::Prose, Span::new(4, 99));
        assert_eq!(words(text, &blocks.finish()), ["a", "ñb", "cd"]);
    }

    #[test]
    fn a_label_is_one_line_of_bounded_length() {
        assert_eq!(label("  a \n b\t"), "a b");
        assert!(label(&"long ".repeat(1000)).chars().count() <= MAX_LABEL_CHARS);
    }
}
