//! The text and blocks of Rich Text, in the making.

use std::sync::Arc;

use crate::extract::builder::{Headings, Trail, label, no_trail};
use crate::extract::{Block, BlockKind, data::delimited};
use crate::workspace::Span;

/// Words beside the paragraph that they stand in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aside {
    /// A footnote, comment, text box or running head: it follows the paragraph.
    Note,
    /// The number or bullet of a list's item: it begins the paragraph.
    Label,
}

pub(super) struct Page {
    text: String,
    blocks: Vec<Block>,
    headings: Headings,
    trail: Trail,
    first_heading: Option<String>,
    /// The words of the open paragraph or cell.
    words: String,
    /// The words that wait while something beside them is read.
    outer: Vec<String>,
    notes: Vec<String>,
    /// The cells of the open row.
    cells: Vec<String>,
    header: Option<Arc<str>>,
    in_table: bool,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            text: String::new(),
            blocks: Vec::new(),
            headings: Headings::default(),
            trail: no_trail(),
            first_heading: None,
            words: String::new(),
            outer: Vec::new(),
            notes: Vec::new(),
            cells: Vec::new(),
            header: None,
            in_table: false,
        }
    }
}

impl Page {
    pub(super) fn words(&mut self, words: &str) {
        self.words.push_str(words);
    }

    /// The words that follow stand beside the paragraph.
    pub(super) fn begin_aside(&mut self) {
        self.outer.push(std::mem::take(&mut self.words));
    }

    pub(super) fn end_aside(&mut self, aside: Aside) {
        let words = std::mem::take(&mut self.words);
        self.words = self.outer.pop().unwrap_or_default();
        match aside {
            Aside::Note => self.notes.push(words),
            Aside::Label if words.chars().any(char::is_alphanumeric) => {
                self.words.push_str(words.trim());
                self.words.push(' ');
            }
            Aside::Label => self.words.push_str("- "),
        }
    }

    pub(super) fn end_cell(&mut self) {
        if self.outer.is_empty() {
            let cell = std::mem::take(&mut self.words);
            let words: Vec<&str> = cell.split_whitespace().collect();
            self.cells.push(words.join(" "));
        } else {
            self.words.push_str(" | ");
        }
    }

    pub(super) fn end_row(&mut self) {
        if !self.outer.is_empty() {
            self.words.push('\n');
            return;
        }
        if !self.words.trim().is_empty() {
            self.end_cell();
        }
        self.words.clear();
        let cells = std::mem::take(&mut self.cells);
        if cells.iter().any(|cell| !cell.is_empty()) {
            let header = if self.in_table { self.header.clone() } else { None };
            self.emit(BlockKind::Row, &cells.join(" | "), header);
            if !self.in_table {
                self.header = if cells.len() > 1 { delimited::header(&cells) } else { None };
            }
            self.in_table = true;
        }
        self.flush_notes();
    }

    pub(super) fn end_paragraph(&mut self, level: Option<u8>) {
        if !self.outer.is_empty() {
            self.words.push('\n');
            return;
        }
        if !self.cells.is_empty() {
            self.end_row();
        }
        let words = std::mem::take(&mut self.words);
        let words = words.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
        if !words.is_empty() {
            (self.in_table, self.header) = (false, None);
            match level.map(usize::from) {
                Some(level) => {
                    let heading = label(words);
                    self.trail = self.headings.close(level);
                    self.emit(BlockKind::Heading, words, None);
                    self.first_heading.get_or_insert_with(|| heading.clone());
                    self.trail = self.headings.open(level, heading);
                }
                None => self.emit(BlockKind::Prose, words, None),
            }
        }
        self.flush_notes();
    }

    fn flush_notes(&mut self) {
        for note in std::mem::take(&mut self.notes) {
            for paragraph in note.split('\n').map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
                self.emit(BlockKind::Prose, paragraph, None);
            }
        }
    }

    fn emit(&mut self, kind: BlockKind, words: &str, header: Option<Arc<str>>) {
        if !self.text.is_empty() {
            let follows_row = kind == BlockKind::Row && self.blocks.last().is_some_and(|last| last.kind == kind);
            self.text.push_str(if follows_row { "\n" } else { "\n\n" });
        }
        let start = self.text.len();
        self.text.push_str(words);
        let span = Span::new(start, self.text.len()).trimmed(&self.text);
        if !span.is_empty() {
            self.blocks.push(Block { span, kind, trail: Arc::clone(&self.trail), header, cell: None });
        }
    }

    /// The text, its blocks, and the first heading.
    pub(super) fn finish(mut self) -> (String, Vec<Block>, Option<String>) {
        self.end_paragraph(None);
        (self.text, self.blocks, self.first_heading)
    }
}
