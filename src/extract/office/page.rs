//! The text of an office document in the making, and its blocks: what stands where once paragraphs and tables are whole.
//!
//! # Invariants
//! - Every block is pushed with its own words, so blocks are in order, apart, and cover the text.
//! - Pages are divided as in PDF, and no block crosses one.
//!
//! # Not here
//! Which element is what: that is the reader of each format.

use std::sync::Arc;

use super::table::Table;
use crate::extract::builder::{Headings, Trail, label, no_trail};
use crate::extract::{Block, BlockKind};
use crate::workspace::Span;

/// What a paragraph is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Style {
    /// Running text.
    Prose,
    /// An item of a list, with its marker.
    Item(String),
    /// A heading of that level; 0 is the title of the whole.
    Heading(usize),
}

/// A whole part of a document.
#[derive(Debug)]
pub(super) enum Piece {
    /// A paragraph.
    Words(Style, String),
    /// A table.
    Table(Table),
}

/// The text in the making.
pub(super) struct Page {
    pub(super) text: String,
    pub(super) blocks: Vec<Block>,
    pub(super) pages: Vec<Span>,
    pub(super) first_heading: Option<String>,
    headings: Headings,
    trail: Trail,
    opened_at: Option<usize>,
    follows_item: bool,
}

impl Page {
    /// An empty text.
    pub(super) fn new() -> Self {
        Self {
            text: String::new(),
            blocks: Vec::new(),
            pages: Vec::new(),
            first_heading: None,
            headings: Headings::default(),
            trail: no_trail(),
            opened_at: None,
            follows_item: false,
        }
    }

    /// Begins a page; headings of the page before do not reach into it.
    pub(super) fn open_page(&mut self) {
        if !self.pages.is_empty() {
            self.text.push_str("\n\u{c}");
        }
        self.end_section();
        self.opened_at = Some(self.text.len());
    }

    /// Ends the page.
    pub(super) fn close_page(&mut self) {
        let start = self.opened_at.take().unwrap_or(self.text.len());
        self.pages.push(Span::new(start, self.text.len()));
    }

    /// Closes all headings.
    pub(super) fn end_section(&mut self) {
        self.headings = Headings::default();
        self.trail = no_trail();
    }

    /// Puts what follows under `heading`, which is not in the text.
    pub(super) fn set_section(&mut self, heading: &str) {
        self.trail = self.headings.close(usize::MAX);
        let mut trail: Vec<String> = self.trail.to_vec();
        trail.push(heading.to_owned());
        self.trail = trail.into();
    }

    /// Appends a piece.
    pub(super) fn push(&mut self, piece: Piece) {
        match piece {
            Piece::Words(style, words) => self.push_words(&style, &words),
            Piece::Table(table) => table.put(self),
        }
    }

    fn push_words(&mut self, style: &Style, words: &str) {
        let words = words.trim();
        if words.is_empty() {
            return;
        }
        match style {
            Style::Prose => self.emit(BlockKind::Prose, words, None, false),
            Style::Item(marker) => self.emit(BlockKind::Prose, &format!("{marker} {words}"), None, true),
            Style::Heading(level) => {
                let heading = label(words);
                self.trail = self.headings.close(*level);
                self.emit(BlockKind::Heading, words, None, false);
                self.first_heading.get_or_insert_with(|| heading.clone());
                self.trail = self.headings.open(*level, heading);
            }
        }
    }

    /// Appends a row of a table.
    pub(super) fn push_row(&mut self, row: &str, header: Option<&Arc<str>>) {
        self.emit(BlockKind::Row, row, header, false);
    }

    fn emit(&mut self, kind: BlockKind, words: &str, header: Option<&Arc<str>>, is_item: bool) {
        let is_first = self.text.len() == self.opened_at.unwrap_or(0);
        if !is_first {
            let follows_alike = self.blocks.last().is_some_and(|last| last.kind == kind)
                && (kind == BlockKind::Row || (is_item && self.follows_item));
            self.text.push_str(if follows_alike { "\n" } else { "\n\n" });
        }
        self.follows_item = is_item;
        let start = self.text.len();
        // Only line ends and tabs have a meaning among the controls; a form feed would end a page.
        self.text.extend(words.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { ' ' } else { c }));
        let span = Span::new(start, self.text.len()).trimmed(&self.text);
        if span.is_empty() {
            self.text.truncate(start);
            return;
        }
        let (trail, header) = (Arc::clone(&self.trail), header.map(Arc::clone));
        self.blocks.push(Block { span, kind, trail, header, cell: None });
    }
}
