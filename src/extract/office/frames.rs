//! Paragraphs, tables, rows and cells that are open, in one another, while a document is read.
//!
//! # Invariants
//! - Each opening has one closing, in order; readers get that from well-formed XML.
//! - What stands in a paragraph but is no part of its line (a text box, a note, a chart) follows it.
//! - At most [`MAX_OPEN`] frames are open: deeper ones are read as parts of the innermost, so nothing here recurses far.

use super::page::{Page, Piece, Style};
use super::table::{Cell, Row, Table};

/// Most frames that are open at once.
const MAX_OPEN: usize = 48;

/// Something that is open.
enum Frame {
    Paragraph {
        words: String,
        after: Vec<Piece>,
    },
    Table(Table),
    Row(Row),
    Cell(Cell),
    /// Something out of place, whose content is read as that of its surroundings.
    Plain,
}

/// What is open, and the text that is made.
pub(super) struct Frames {
    pub(super) page: Page,
    open: Vec<Frame>,
    /// How many frames were opened that there is no room for.
    num_beyond: usize,
    /// What waits for the end of the outermost paragraph or table.
    held: Vec<Piece>,
}

impl Frames {
    /// Nothing open, and no text.
    pub(super) fn new() -> Self {
        Self { page: Page::new(), open: Vec::new(), num_beyond: 0, held: Vec::new() }
    }

    /// Appends words to the paragraph that is open; without one they are a paragraph.
    pub(super) fn words(&mut self, words: &str) {
        if let Some(line) = self.line() {
            line.push_str(words);
        } else if !words.trim().is_empty() {
            self.put(Piece::Words(Style::Prose, words.to_owned()));
        }
    }

    /// The words of the innermost paragraph, unless a cell is open in it.
    pub(super) fn line(&mut self) -> Option<&mut String> {
        for frame in self.open.iter_mut().rev() {
            match frame {
                Frame::Paragraph { words, .. } => return Some(words),
                Frame::Plain => {}
                _ => return None,
            }
        }
        None
    }

    /// Opens a paragraph.
    pub(super) fn open_paragraph(&mut self) {
        if self.open.len() >= MAX_OPEN {
            self.words("\n");
        }
        self.open(Frame::Paragraph { words: String::new(), after: Vec::new() });
    }

    /// Opens a table; `has_header_look` where its first row is formatted as a header.
    pub(super) fn open_table(&mut self, has_header_look: bool) {
        self.open(Frame::Table(Table { has_header_look, ..Table::default() }));
    }

    /// Opens a row of the table that is open.
    pub(super) fn open_row(&mut self, is_header: bool) {
        let is_in_table = matches!(self.open.last(), Some(Frame::Table(_)));
        self.open(if is_in_table { Frame::Row(Row { is_header, ..Row::default() }) } else { Frame::Plain });
    }

    /// Opens a cell of the row that is open.
    pub(super) fn open_cell(&mut self, num_columns: usize) {
        let is_in_row = matches!(self.open.last(), Some(Frame::Row(_)));
        self.open(if is_in_row { Frame::Cell(Cell { num_columns, ..Cell::default() }) } else { Frame::Plain });
    }

    /// The innermost table that is open, while no row of it is.
    pub(super) fn table(&mut self) -> Option<&mut Table> {
        if let Some(Frame::Table(table)) = self.open.last_mut() { Some(table) } else { None }
    }

    /// The innermost row that is open, while no cell of it is.
    pub(super) fn row(&mut self) -> Option<&mut Row> {
        if let Some(Frame::Row(row)) = self.open.last_mut() { Some(row) } else { None }
    }

    /// The innermost cell that is open, while nothing in it is.
    pub(super) fn cell(&mut self) -> Option<&mut Cell> {
        if let Some(Frame::Cell(cell)) = self.open.last_mut() { Some(cell) } else { None }
    }

    fn open(&mut self, frame: Frame) {
        if self.open.len() >= MAX_OPEN {
            self.num_beyond += 1;
        } else {
            self.open.push(frame);
        }
    }

    /// Closes the paragraph that was opened last.
    pub(super) fn close_paragraph(&mut self, style: Style) {
        self.close_as(Some(style));
    }

    /// Closes the row that was opened last; it stands `times` times where it has words.
    pub(super) fn close_row(&mut self, times: usize) {
        let is_blank = self.row().is_none_or(|row| row.cells.iter().all(|cell| cell.pieces.is_empty()));
        let copies = if is_blank { 0 } else { times.saturating_sub(1) };
        let row = self.row().map(|row| row.copy()).filter(|_| copies > 0);
        self.close();
        if let (Some(row), Some(table)) = (row, self.table()) {
            table.rows.extend((0..copies).map(|_| row.copy()));
        }
    }

    /// Closes the cell that was opened last; it stands `times` times.
    pub(super) fn close_cell(&mut self, times: usize) {
        let copy = self.cell().map(|cell| cell.copy()).filter(|_| times > 1);
        self.close();
        if let (Some(cell), Some(row)) = (copy, self.row()) {
            row.cells.extend((1..times).map(|_| cell.copy()));
        }
    }

    /// Closes the table, row or cell that was opened last.
    pub(super) fn close(&mut self) {
        self.close_as(None);
    }

    fn close_as(&mut self, style: Option<Style>) {
        if self.num_beyond > 0 {
            self.num_beyond -= 1;
            return;
        }
        match self.open.pop() {
            Some(Frame::Paragraph { words, after }) => {
                if !words.trim().is_empty() {
                    self.put(Piece::Words(style.unwrap_or(Style::Prose), words));
                }
                for piece in after {
                    self.put(piece);
                }
            }
            Some(Frame::Table(table)) => self.put(Piece::Table(table)),
            Some(Frame::Row(row)) => {
                if let Some(table) = self.table() {
                    table.rows.push(row);
                }
            }
            Some(Frame::Cell(cell)) => {
                if let Some(row) = self.row() {
                    row.cells.push(cell);
                }
            }
            Some(Frame::Plain) | None => {}
        }
        if self.open.is_empty() {
            for piece in std::mem::take(&mut self.held) {
                self.page.push(piece);
            }
        }
    }

    /// Puts a whole piece where it stands: into the cell that is open, after the paragraph that is, or into the text.
    pub(super) fn put(&mut self, piece: Piece) {
        for frame in self.open.iter_mut().rev() {
            match frame {
                Frame::Paragraph { after, .. } => return after.push(piece),
                Frame::Cell(cell) => return cell.pieces.push(piece),
                Frame::Table(_) | Frame::Row(_) | Frame::Plain => {}
            }
        }
        self.page.push(piece);
    }

    /// Puts a paragraph after the outermost paragraph or table that is open: a note is no part of a cell.
    pub(super) fn hold(&mut self, words: String) {
        let piece = Piece::Words(Style::Prose, words);
        if self.open.is_empty() {
            self.page.push(piece);
        } else {
            self.held.push(piece);
        }
    }
}
