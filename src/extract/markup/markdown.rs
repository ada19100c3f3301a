//! Markdown: headings, paragraphs, list items, tables with their header, and code blocks, at their places in the file.
//!
//! # Not here
//! Rendering: a block's words are the file's own, markup included, so that a quote is verbatim.

use std::ops::Range;
use std::sync::Arc;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::extract::builder::{Blocks, Headings, Trail, label};
use crate::extract::{Block, BlockKind};
use crate::workspace::{Cell, Span};

/// The blocks of a Markdown text, and its title: the front matter's, else the first heading of the highest level.
pub(in crate::extract) fn read(text: &str) -> (Vec<Block>, Option<String>) {
    // The parser takes a byte order mark for a letter.
    let body_start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut reader = Reader::new(text);
    reader.read(Span::new(body_start, text.len()));
    reader.finish()
}

/// Reads Markdown; also that which stands in parts of a larger text, under headings that go on from part to part.
pub(in crate::extract) struct Reader<'t> {
    text: &'t str,
    blocks: Blocks<'t>,
    headings: Headings,
    /// What the trails end with below the headings.
    place: Option<String>,
    front_matter_title: Option<String>,
    first_heading: Option<(usize, String)>,
    /// The words of the heading or table header that is open.
    words: Option<String>,
    /// Text of a tight list item that is not yet in a block.
    pending: Option<Span>,
    header: Option<Arc<str>>,
    /// Start of a table's head row that is not yet in a block.
    head_start: Option<usize>,
}

impl<'t> Reader<'t> {
    /// Nothing read yet, of `text`.
    pub(in crate::extract) fn new(text: &'t str) -> Self {
        Self {
            text,
            blocks: Blocks::new(text),
            headings: Headings::default(),
            place: None,
            front_matter_title: None,
            first_heading: None,
            words: None,
            pending: None,
            header: None,
            head_start: None,
        }
    }

    /// What follows is of the notebook cell `number`: the last entry of its trails, below the headings that are open.
    pub(in crate::extract) fn set_notebook_cell(&mut self, number: u32) {
        self.place = Some(format!("cell {number}"));
        self.blocks.set_cell(Some(Cell::Notebook { number }));
        self.set_trail(self.headings.trail());
    }

    /// Reads the Markdown in `span`, which lies after all that was read.
    pub(in crate::extract) fn read(&mut self, span: Span) {
        let options = Options::ENABLE_TABLES
            | Options::ENABLE_FOOTNOTES
            | Options::ENABLE_TASKLISTS
            | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS
            | Options::ENABLE_PLUSES_DELIMITED_METADATA_BLOCKS;
        for (event, range) in Parser::new_ext(&self.text[span.range()], options).into_offset_iter() {
            self.take(&event, &(range.start + span.start..range.end + span.start));
        }
        self.flush();
        self.blocks.push_paragraphs(BlockKind::Prose, Span::new(self.blocks.covered(), span.end));
    }

    /// Takes over `span`, which is no Markdown and lies after all that was read, as paragraphs of `kind`.
    pub(in crate::extract) fn take_paragraphs(&mut self, kind: BlockKind, span: Span) {
        self.blocks.push_paragraphs(kind, span);
    }

    /// Takes over `span`, which is no Markdown and lies after all that was read, as one block of `kind`.
    pub(in crate::extract) fn take_block(&mut self, kind: BlockKind, span: Span) {
        self.blocks.push(kind, span);
    }

    /// All blocks, and the title.
    pub(in crate::extract) fn finish(self) -> (Vec<Block>, Option<String>) {
        let title = self.front_matter_title.or(self.first_heading.map(|(_, heading)| heading));
        (self.blocks.finish(), title)
    }

    fn set_trail(&mut self, headings: Trail) {
        self.blocks.set_trail(match &self.place {
            Some(place) => headings.iter().chain([place]).cloned().collect(),
            None => headings,
        });
    }

    fn take(&mut self, event: &Event<'_>, range: &Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(end) => self.end(*end, range),
            Event::Text(words) | Event::Code(words) => {
                if let Some(open) = &mut self.words {
                    open.push_str(words);
                }
                self.extend_pending(range);
            }
            Event::SoftBreak | Event::HardBreak => {
                if let Some(open) = &mut self.words {
                    open.push(' ');
                }
            }
            Event::Rule => {
                self.flush();
                self.push(BlockKind::Prose, range);
            }
            _ => self.extend_pending(range),
        }
    }

    fn start(&mut self, tag: &Tag<'_>, range: &Range<usize>) {
        match tag {
            Tag::Heading { level, .. } => {
                self.flush();
                let trail = self.headings.close(*level as usize);
                // What was left out above belongs to the section above.
                let start = self.line_start(range.start);
                self.blocks.push_paragraphs(BlockKind::Prose, Span::new(self.blocks.covered(), start));
                self.set_trail(trail);
                self.push(BlockKind::Heading, range);
                self.words = Some(String::new());
            }
            Tag::CodeBlock(_) => {
                self.flush();
                self.push(BlockKind::Code, range);
            }
            Tag::Paragraph | Tag::HtmlBlock => {
                self.flush();
                self.push(BlockKind::Prose, range);
            }
            Tag::MetadataBlock(_) => {
                self.flush();
                let title = front_matter_title(&self.text[range.clone()]);
                self.front_matter_title = self.front_matter_title.take().or(title);
                self.push(BlockKind::Code, range);
            }
            Tag::Table(_) => self.flush(),
            Tag::TableHead => {
                self.head_start = Some(range.start);
                self.words = Some(String::new());
            }
            Tag::TableCell => {
                if let Some(words) = self.words.as_mut().filter(|words| !words.is_empty()) {
                    words.push_str(" | ");
                }
            }
            Tag::TableRow => {
                self.flush_head(range.start);
                let span = Span::new(self.line_start(range.start), range.end);
                self.blocks.push_row(BlockKind::Row, span, self.header.as_ref());
            }
            Tag::List(_) | Tag::Item | Tag::BlockQuote(_) | Tag::FootnoteDefinition(_) => {
                self.flush();
                if matches!(tag, Tag::Item) {
                    self.pending = Some(Span::new(self.line_start(range.start), range.start));
                }
            }
            _ => self.extend_pending(range),
        }
    }

    fn end(&mut self, end: TagEnd, range: &Range<usize>) {
        match end {
            TagEnd::Heading(level) => {
                let heading = label(&self.words.take().unwrap_or_default());
                let level = level as usize;
                let is_higher = self.first_heading.as_ref().is_none_or(|(first, _)| *first > 1 && level == 1);
                if is_higher && !heading.is_empty() {
                    self.first_heading = Some((level, heading.clone()));
                }
                let trail = self.headings.open(level, heading);
                self.set_trail(trail);
            }
            TagEnd::TableHead => {
                let header = label_of_row(&self.words.take().unwrap_or_default());
                self.header = (!header.is_empty()).then(|| header.into());
            }
            TagEnd::Table => {
                self.flush_head(range.end);
                self.header = None;
            }
            TagEnd::Item => self.flush(),
            _ => {}
        }
    }

    /// A leaf's block begins with its line, so that list markers and quote marks stay with it.
    fn push(&mut self, kind: BlockKind, range: &Range<usize>) {
        self.blocks.push(kind, Span::new(self.line_start(range.start), range.end));
    }

    fn line_start(&self, at: usize) -> usize {
        let floor = self.blocks.covered().min(at);
        let before = &self.text.as_bytes()[floor..at];
        before.iter().rposition(|&byte| byte == b'\n').map_or(floor, |offset| floor + offset + 1)
    }

    fn extend_pending(&mut self, range: &Range<usize>) {
        if let Some(pending) = &mut self.pending {
            pending.end = pending.end.max(range.end);
        }
    }

    fn flush(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.blocks.push(BlockKind::Prose, pending);
        }
    }

    fn flush_head(&mut self, end: usize) {
        if let Some(start) = self.head_start.take() {
            self.blocks.push(BlockKind::Row, Span::new(self.line_start(start), end));
        }
    }
}

/// A table header on one line; longer than a label, for wide tables.
fn label_of_row(cells: &str) -> String {
    cells.split(" | ").map(label).collect::<Vec<_>>().join(" | ")
}

/// The `title` of YAML or TOML front matter.
fn front_matter_title(front_matter: &str) -> Option<String> {
    front_matter.lines().find_map(|line| {
        let value = line.strip_prefix("title")?.trim_start().strip_prefix([':', '='])?;
        let title = label(value.trim().trim_matches(['"', '\'']));
        (!title.is_empty()).then_some(title)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(text: &str) -> Vec<String> {
        let (blocks, _) = read(text);
        blocks
            .iter()
            .map(|block| {
                let header = block.header.as_deref().map(|header| format!(" [{header}]")).unwrap_or_default();
                let words = block.span.of(text).expect("in range");
                format!("{:?} {}{header}: {words}", block.kind, block.trail.join(" > "))
            })
            .collect()
    }

    #[test]
    fn headings_trail_over_what_stands_under_them() {
        let text = "\u{feff}# Report\r\n\r\nIntro.\r\n\r\n## Run *3*\r\n\r\nFast.\r\n\r\nNotes\n===\nEnd.";
        assert_eq!(
            described(text),
            [
                "Heading : # Report",
                "Prose Report: Intro.",
                "Heading Report: ## Run *3*",
                "Prose Report > Run 3: Fast.",
                "Heading : Notes\n===",
                "Prose Notes: End."
            ]
        );
    }

    #[test]
    fn table_rows_carry_their_header() {
        let text = "| run | ms |\n|---|---|\n| a | 1 |\n| b | 2 |\n\nAfter.";
        assert_eq!(
            described(text),
            [
                "Row : | run | ms |\n|---|---|",
                "Row  [run | ms]: | a | 1 |",
                "Row  [run | ms]: | b | 2 |",
                "Prose : After."
            ]
        );
    }

    #[test]
    fn list_items_keep_their_markers_and_code_its_fence() {
        let text = "- one `x`\n- two\n  - deep **b**\n\n1. loose\n\n   more\n\n> quoted\n\n```sh\nls\n```\n\n[ref]: http://x\n";
        assert_eq!(
            described(text),
            [
                "Prose : - one `x`",
                "Prose : - two",
                "Prose : - deep **b**",
                "Prose : 1. loose",
                "Prose : more",
                "Prose : > quoted",
                "Code : ```sh\nls\n```",
                "Prose : [ref]: http://x"
            ]
        );
    }

    #[test]
    fn the_title_is_the_front_matters_or_the_first_main_heading() {
        assert_eq!(read("---\ntitle: \"A: b\"\n---\n# H\n").1.as_deref(), Some("A: b"));
        assert_eq!(read("## Small\n# Main\n# Other\n").1.as_deref(), Some("Main"));
        assert_eq!(read("### Only\n").1.as_deref(), Some("Only"));
        assert_eq!(read("words").1, None);
    }
}
