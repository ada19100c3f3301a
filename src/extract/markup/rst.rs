//! reStructuredText: sections by their underlines, paragraphs and literal blocks.
//!
//! # Not here
//! Directives and roles are not interpreted; their words are kept as they stand.

use crate::extract::builder::{Blocks, Headings, label};
use crate::extract::{Block, BlockKind, text};
use crate::workspace::Span;

/// The blocks of a reStructuredText, and its title: the first section's.
pub(in crate::extract) fn read(text: &str) -> (Vec<Block>, Option<String>) {
    let mut reader = Reader {
        text,
        blocks: Blocks::new(text),
        headings: Headings::default(),
        styles: Vec::new(),
        title: None,
        previous_opens_literal: false,
    };
    for paragraph in text::paragraphs(text, Span::new(0, text.len())) {
        reader.take(paragraph);
    }
    (reader.blocks.finish(), reader.title)
}

struct Reader<'t> {
    text: &'t str,
    blocks: Blocks<'t>,
    headings: Headings,
    /// Underline styles in order of appearance: the place is the level.
    styles: Vec<(u8, bool)>,
    title: Option<String>,
    previous_opens_literal: bool,
}

/// A section title with its lines.
struct Section {
    span: Span,
    title: Span,
    style: (u8, bool),
}

impl Reader<'_> {
    fn take(&mut self, paragraph: Span) {
        let mut rest = paragraph.start;
        let lines: Vec<Span> = text::lines(self.text, paragraph).collect();
        let mut at = 0;
        while at < lines.len() {
            if let Some((section, num_lines)) = section_at(self.text, &lines[at..]) {
                self.body(Span::new(rest, section.span.start));
                self.open(&section);
                rest = section.span.end;
                at += num_lines;
            } else {
                at += 1;
            }
        }
        self.body(Span::new(rest, paragraph.end));
    }

    fn open(&mut self, section: &Section) {
        let level = self.styles.iter().position(|style| *style == section.style).unwrap_or_else(|| {
            self.styles.push(section.style);
            self.styles.len() - 1
        });
        let heading = label(&self.text[section.title.range()]);
        let trail = self.headings.close(level);
        self.blocks.set_trail(trail);
        self.blocks.push(BlockKind::Heading, section.span);
        self.title.get_or_insert_with(|| heading.clone());
        let trail = self.headings.open(level, heading);
        self.blocks.set_trail(trail);
        self.previous_opens_literal = false;
    }

    fn body(&mut self, span: Span) {
        let words = self.text[span.range()].trim_start_matches(['\r', '\n', '\u{feff}']);
        if words.trim().is_empty() {
            return;
        }
        let is_literal = words.starts_with([' ', '\t']) && self.previous_opens_literal;
        self.blocks.push(if is_literal { BlockKind::Code } else { BlockKind::Prose }, span);
        let opens = words.trim_end().ends_with("::")
            || words.starts_with(".. code")
            || words.starts_with(".. sourcecode")
            || words.starts_with(".. literal");
        // A literal block goes on over blank lines while it is indented.
        self.previous_opens_literal = opens || is_literal;
    }
}

/// The section title that begins at the first of `lines`, and how many lines it takes.
fn section_at(text: &str, lines: &[Span]) -> Option<(Section, usize)> {
    let words = |line: &Span| text[line.range()].trim_end().trim_start_matches('\u{feff}');
    let title_and_underline = |title: &Span, underline: &Span| {
        let mark = adornment(words(underline))?;
        let title_chars = words(title).trim().chars().count();
        // Short underlines are an error in the format, and common.
        let is_long_enough = words(underline).len() + 2 >= title_chars.min(words(title).len());
        (title_chars > 0 && adornment(words(title)).is_none() && is_long_enough).then_some(mark)
    };
    if let [over, title, under, ..] = lines
        && let Some(mark) = adornment(words(over))
        && title_and_underline(title, under) == Some(mark)
    {
        let span = Span::new(over.start, under.end);
        return Some((Section { span, title: *title, style: (mark, true) }, 3));
    }
    if let [title, under, ..] = lines
        && !words(title).starts_with([' ', '\t'])
        && let Some(mark) = title_and_underline(title, under)
    {
        let span = Span::new(title.start, under.end);
        return Some((Section { span, title: *title, style: (mark, false) }, 2));
    }
    None
}

/// The character that a line of at least three equal punctuation characters is made of.
fn adornment(line: &str) -> Option<u8> {
    let mark = *line.as_bytes().first()?;
    let is_adornment = line.len() >= 3 && mark.is_ascii_punctuation() && line.bytes().all(|byte| byte == mark);
    is_adornment.then_some(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_found_by_their_underlines() {
        let text =
            "=====\nTitle\n=====\n\nIntro::\n\n   code\n\nPart\n----\nWords.\n\nDeep\n~~~~\n\nEnd.\n\nNext\n----\n";
        let (blocks, title) = read(text);
        let described: Vec<String> = blocks
            .iter()
            .map(|block| {
                let words = block.span.of(text).expect("in range");
                format!("{:?} {}: {words}", block.kind, block.trail.join(" > "))
            })
            .collect();
        assert_eq!(
            described,
            [
                "Heading : =====\nTitle\n=====",
                "Prose Title: Intro::",
                "Code Title: code",
                "Heading Title: Part\n----",
                "Prose Title > Part: Words.",
                "Heading Title > Part: Deep\n~~~~",
                "Prose Title > Part > Deep: End.",
                "Heading Title: Next\n----"
            ]
        );
        assert_eq!(title.as_deref(), Some("Title"));
    }

    #[test]
    fn table_borders_and_transitions_are_no_sections() {
        let (blocks, title) = read("==== ====\na    b\n==== ====\n1    2\n==== ====\n\n----\n\nwords\n");
        assert!(blocks.iter().all(|block| block.kind != BlockKind::Heading));
        assert_eq!(title, None);
    }
}
