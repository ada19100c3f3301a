//! How much of a long text is shown at once.

use crate::extract::Document;
use crate::workspace::Span;

/// Bytes that are shown before a mark, and in all.
const BEFORE_BYTES: usize = 12 * 1024;
const SHOWN_BYTES: usize = 64 * 1024;
/// And blocks, of which a table may have many in few bytes, and lines, which may be empty.
const MAX_BLOCKS: usize = 1_200;
const MAX_LINES: usize = 2_400;
/// A block that begins no further before the place where a window would begin is shown from its beginning.
const MAX_BLOCK_BEFORE: usize = 24 * 1024;
/// A line that begins no further before a window is shown from its beginning.
const MAX_LINE_BEFORE: usize = 4 * 1024;
/// A block that is longer is cut.
const MAX_BLOCK_BYTES: usize = 96 * 1024;

/// A range of bytes of a stretch of text, on characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve::page) struct Window {
    pub start: usize,
    pub end: usize,
}

impl Window {
    /// About so many bytes are shown at once.
    pub(in crate::serve::page) const SHOWN_BYTES: usize = SHOWN_BYTES;

    /// The window that begins at a byte.
    pub(in crate::serve::page) fn from(document: &Document, at: usize) -> Self {
        Self::of(document, at, at)
    }

    /// The window around a mark, which is a span of the same text; from its beginning where there is none.
    pub(in crate::serve::page) fn around(document: &Document, mark: Option<Span>) -> Self {
        let Some(mark) = mark else { return Self::of(document, 0, 0) };
        let wanted = mark.start.saturating_sub(BEFORE_BYTES);
        let first = document.blocks.partition_point(|block| block.span.end <= wanted);
        // From the beginning of a block, but for one that is very long.
        let block = document.blocks.get(first).map_or(wanted, |block| block.span.start.min(wanted));
        let start = if wanted - block > MAX_BLOCK_BEFORE { wanted } else { block };
        Self::of(document, start, mark.end.min(mark.start + MAX_BLOCK_BYTES))
    }

    /// From `start` to at least `least`, and as far as there is room: to the end of a block, but for one that is very long.
    fn of(document: &Document, start: usize, least: usize) -> Self {
        let (text, blocks) = (&document.text, &document.blocks);
        let start = text.floor_char_boundary(start.min(text.len()));
        let first = blocks.partition_point(|block| block.span.end <= start);
        let most = start.saturating_add(SHOWN_BYTES).max(least);
        let most = blocks.get(first + MAX_BLOCKS).map_or(most, |block| most.min(block.span.start.max(least)));
        let line = text[start..].match_indices('\n').nth(MAX_LINES - 1).map(|(at, _)| start + at + 1);
        let end = match blocks[first..].iter().find(|block| block.span.end >= most) {
            Some(block) if block.span.start < most && block.span.len() <= MAX_BLOCK_BYTES => block.span.end,
            _ => most,
        };
        let end = line.map_or(end, |line| end.min(line.max(least)));
        Self { start, end: text.ceil_char_boundary(end.clamp(start, text.len())) }
    }

    pub(in crate::serve::page) const fn holds(self, at: usize) -> bool {
        self.start <= at && at < self.end
    }

    /// Where the line of the window's first byte begins; the window itself where that is far before.
    pub(super) fn line_start(self, text: &str) -> usize {
        let least = text.ceil_char_boundary(self.start.saturating_sub(MAX_LINE_BEFORE));
        match text[least..self.start].rfind('\n') {
            Some(at) => least + at + 1,
            None if least == 0 => 0,
            None => self.start,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::extract::{Block, BlockKind, Format};

    fn document(lengths: &[usize]) -> Document {
        let mut text = String::new();
        let mut blocks = Vec::new();
        for &length in lengths {
            let start = text.len();
            text.push_str(&"é".repeat(length / 2 + 1));
            blocks.push(Block {
                span: Span::new(start, text.len()),
                kind: BlockKind::Prose,
                trail: [].into(),
                header: None,
                cell: None,
            });
            text.push('\n');
        }
        Document { blocks, ..Document::of(Format::Text, text) }
    }

    #[test]
    fn a_window_in_a_very_long_line_begins_in_the_line() {
        let text = "é".repeat(500_000);
        assert_eq!(Window { start: 400_000, end: 400_100 }.line_start(&text), 400_000);
        assert_eq!(Window { start: 40, end: 100 }.line_start(&text), 0);
        assert_eq!(Window { start: 6, end: 8 }.line_start("ab\nc d"), 3);
    }

    proptest! {
        #[test]
        fn a_window_is_bounded_lies_on_characters_and_holds_its_mark(
            lengths in prop::collection::vec(prop_oneof![0_usize..200, 0_usize..300_000], 0..40), at in 0.0..1.0,
        ) {
            let document = document(&lengths);
            let text = &document.text;
            let at = text.floor_char_boundary((text.len() as f64 * at) as usize);
            let mark = Span::new(at, text.ceil_char_boundary((at + 10).min(text.len())));
            let window = Window::around(&document, Some(mark));
            prop_assert!(text.get(window.start..window.end).is_some());
            prop_assert!(window.end - window.start <= SHOWN_BYTES + 3 * MAX_BLOCK_BYTES + BEFORE_BYTES);
            prop_assert!(window.start <= mark.start && mark.end <= window.end, "{window:?} {mark:?}");
        }

        #[test]
        fn a_window_has_few_lines_however_short_they_are(at in 0_usize..400_000, line in "a{0,2}") {
            let text = format!("{line}\n").repeat(150_000);
            let document = Document::of(Format::Text, text);
            let at = at.min(document.text.len());
            let lines = |window: Window| document.text[window.start..window.end].matches('\n').count();
            prop_assert!(lines(Window::from(&document, at)) <= MAX_LINES);
            let window = Window::around(&document, Some(Span::new(at, at)));
            prop_assert!(lines(window) <= MAX_LINES.max(BEFORE_BYTES + MAX_BLOCK_BEFORE) && window.end >= at);
        }

        #[test]
        fn windows_one_behind_the_other_show_all_of_a_text(lengths in prop::collection::vec(0_usize..100_000, 1..20)) {
            let document = document(&lengths);
            let mut window = Window::around(&document, None);
            prop_assert_eq!(window.start, 0);
            while window.end < document.text.len() {
                let next = Window::from(&document, window.end);
                prop_assert!(next.start == window.end && next.end > window.end);
                window = next;
            }
        }
    }
}
