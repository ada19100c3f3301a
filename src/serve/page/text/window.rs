//! How much of a long text is shown at once.

use crate::extract::Document;
use crate::workspace::Span;

/// Bytes that are shown before a mark.
const BEFORE_BYTES: usize = 12 * 1024;
/// And blocks, of which a table may have many in few bytes.
const MAX_BLOCKS: usize = 1_200;
/// A block that is longer is cut.
const MAX_BLOCK_BYTES: usize = 96 * 1024;

/// A range of bytes of a stretch of text, on characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve::page) struct Window {
    pub start: usize,
    pub end: usize,
}

impl Window {
    /// Bytes that are shown at once, and as many more as a block or a mark needs.
    pub(in crate::serve::page) const SHOWN_BYTES: usize = 64 * 1024;

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
        let start = if wanted - block > MAX_BLOCK_BYTES { wanted } else { block };
        Self::of(document, start, mark.end.min(mark.start + MAX_BLOCK_BYTES))
    }

    /// From `start` to at least `least`, and as far as there is room: to the end of a block, but for one that is very long.
    fn of(document: &Document, start: usize, least: usize) -> Self {
        let (text, blocks) = (&document.text, &document.blocks);
        let start = text.floor_char_boundary(start.min(text.len()));
        let first = blocks.partition_point(|block| block.span.end <= start);
        let most = start.saturating_add(Self::SHOWN_BYTES).max(least);
        let most = blocks.get(first + MAX_BLOCKS).map_or(most, |block| most.min(block.span.start.max(least)));
        let end = match blocks[first..].iter().find(|block| block.span.end >= most) {
            Some(block) if block.span.start < most && block.span.len() <= MAX_BLOCK_BYTES => block.span.end,
            Some(_) => most,
            None => text.len(),
        };
        Self { start, end: text.ceil_char_boundary(end.clamp(start, text.len())) }
    }

    pub(in crate::serve::page) const fn holds(self, at: usize) -> bool {
        self.start <= at && at < self.end
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

    proptest! {
        #[test]
        fn a_window_is_bounded_lies_on_characters_and_holds_its_mark(
            lengths in prop::collection::vec(prop_oneof![0_usize..200, 0_usize..300_000], 0..40), at in 0_usize..1_000,
        ) {
            let document = document(&lengths);
            let text = &document.text;
            let at = text.floor_char_boundary(text.len() * at / 1_000);
            let mark = Span::new(at, text.ceil_char_boundary((at + 10).min(text.len())));
            let window = Window::around(&document, Some(mark));
            prop_assert!(text.get(window.start..window.end).is_some());
            prop_assert!(window.end - window.start <= Window::SHOWN_BYTES + 3 * MAX_BLOCK_BYTES + BEFORE_BYTES);
            prop_assert!(window.start <= mark.start && mark.end <= window.end, "{window:?} {mark:?}");
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
