//! Plain text: paragraphs between blank lines.
//!
//! # Invariants
//! - One pass, whatever the text: a 200 MB file and a 10 MB line take linear time.
//! - A paragraph is at most [`MAX_PARAGRAPH_BYTES`] long unless it is a single longer line.

pub(super) mod code;
pub(super) mod cyrillic;
pub(super) mod decode;
pub(super) mod log;
pub(super) mod subtitles;

use crate::extract::BlockKind;
use crate::extract::builder::Blocks;
use crate::workspace::Span;

/// Longer paragraphs are divided at line breaks, so that no block holds a whole file.
pub(in crate::extract) const MAX_PARAGRAPH_BYTES: usize = 8 * 1024;

/// The paragraphs of plain text, as blocks of `kind`.
pub(in crate::extract) fn read(text: &str, kind: BlockKind) -> Vec<crate::extract::Block> {
    let mut blocks = Blocks::new(text);
    blocks.push_paragraphs(kind, Span::new(0, text.len()));
    blocks.finish()
}

/// The paragraphs of `span`, in order, without the blank lines between them.
///
/// A blank line holds white space only; a form feed ends a paragraph too.
pub(in crate::extract) fn paragraphs(text: &str, span: Span) -> Paragraphs<'_> {
    Paragraphs { text, at: span.start, end: span.end }
}

/// Iterates over paragraphs; see [`paragraphs`].
pub(in crate::extract) struct Paragraphs<'t> {
    text: &'t str,
    at: usize,
    end: usize,
}

impl Iterator for Paragraphs<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        let mut start = None;
        while self.at < self.end {
            let line = Span::new(self.at, line_end(self.text, self.at, self.end));
            let is_blank = line.trimmed(self.text).is_empty();
            let begins_page = self.text.as_bytes()[self.at] == 0x0c;
            match start {
                Some(start) if is_blank || begins_page || line.end - start > MAX_PARAGRAPH_BYTES => {
                    return Some(Span::new(start, self.at));
                }
                None if !is_blank => start = Some(self.at),
                _ => {}
            }
            self.at = line.end;
        }
        start.map(|start| Span::new(start, self.end))
    }
}

/// The end of the line that begins at `start`, its `\n` included, at most `end`.
pub(in crate::extract) fn line_end(text: &str, start: usize, end: usize) -> usize {
    text.as_bytes()[start..end].iter().position(|&byte| byte == b'\n').map_or(end, |at| start + at + 1)
}

/// The lines of `span`, each with its `\n`.
pub(in crate::extract) fn lines(text: &str, span: Span) -> impl Iterator<Item = Span> {
    let mut at = span.start;
    std::iter::from_fn(move || {
        (at < span.end).then(|| {
            let line = Span::new(at, line_end(text, at, span.end));
            at = line.end;
            line
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paragraph_texts(text: &str) -> Vec<&str> {
        read(text, BlockKind::Prose).iter().map(|block| block.span.of(text).expect("in range")).collect()
    }

    #[test]
    fn paragraphs_stand_between_blank_lines_and_form_feeds() {
        let text = "\u{feff}one\r\nstill one\r\n \t\r\ntwo\n\u{c}three\n\n\n";
        assert_eq!(paragraph_texts(text), ["one\r\nstill one", "two", "three"]);
    }

    #[test]
    fn blank_text_has_no_paragraphs() {
        assert!(paragraph_texts(" \n\u{feff}\n\u{c}").is_empty());
        assert!(paragraph_texts("").is_empty());
    }

    #[test]
    fn a_giant_paragraph_is_divided_at_line_breaks() {
        let text = "words of a line\n".repeat(10_000);
        let blocks = read(&text, BlockKind::Prose);
        assert!(blocks.len() > 10);
        assert!(blocks.iter().all(|block| block.span.len() <= MAX_PARAGRAPH_BYTES));
        assert!(blocks.iter().all(|block| block.span.of(&text).is_some_and(|words| words.ends_with("line"))));
    }

    #[test]
    fn one_giant_line_stays_one_block() {
        assert_eq!(read(&"x ".repeat(1_000_000), BlockKind::Prose).len(), 1);
    }
}
