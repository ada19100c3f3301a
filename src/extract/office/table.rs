//! A table of an office document: rows of cells, put into the text row by row.
//!
//! # Invariants
//! - A cell that spans others stands in each of their places if it is short, so that every row can be read alone.
//! - A row that arranges the page (tables or headings in its cells, or one long cell) is no row: what is in it stands by itself.

use std::sync::Arc;

use super::page::{Page, Piece, Style};

/// A spanning cell with more bytes is not repeated.
const MAX_REPEATED_BYTES: usize = 120;

/// A cell with more bytes is not repeated beside itself.
const MAX_REPEATED_BESIDE_BYTES: usize = 40;

/// A cell over more columns is not repeated.
const MAX_REPEATED_COLUMNS: usize = 8;

/// Most columns that one cell spans; more is an accident.
pub(super) const MAX_SPAN: usize = 64;

/// A cell with more bytes holds running text.
const MAX_CELL_BYTES: usize = 4000;

/// Most bytes of a header: it goes with each row.
const MAX_HEADER_BYTES: usize = 1000;

/// A table while it is read, and after.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) rows: Vec<Row>,
    /// Whether the first row is formatted as a header.
    pub(super) has_header_look: bool,
}

/// A row of cells.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) cells: Vec<Cell>,
    pub(super) is_header: bool,
    /// Whether the row was deleted, with its changes tracked.
    pub(super) is_deleted: bool,
}

/// A cell.
#[derive(Debug, Default)]
pub(super) struct Cell {
    pub(super) pieces: Vec<Piece>,
    /// How many columns it takes.
    pub(super) num_columns: usize,
    /// Whether it goes on with the cell above.
    pub(super) is_below: bool,
    /// Whether it goes on with the cell to the left.
    pub(super) is_beside: bool,
    /// Whether a cell to the left or above covers it; which one, the span of the left one says.
    pub(super) is_covered: bool,
    /// How many columns it covers with itself, where the format has cells for the covered places.
    pub(super) num_covered: usize,
}

impl Row {
    /// The same row, without the tables in it.
    pub(super) fn copy(&self) -> Self {
        let cells = self.cells.iter().map(Cell::copy).collect();
        Self { cells, is_header: self.is_header, is_deleted: self.is_deleted }
    }
}

impl Cell {
    /// The same cell, without the tables in it.
    pub(super) fn copy(&self) -> Self {
        let words = |piece: &Piece| match piece {
            Piece::Words(style, words) => Some(Piece::Words(style.clone(), words.clone())),
            Piece::Table(_) => None,
        };
        Self { pieces: self.pieces.iter().filter_map(words).collect(), ..*self }
    }

    /// The words on one line.
    fn line(&self) -> String {
        let mut line = String::new();
        for piece in &self.pieces {
            let Piece::Words(style, words) = piece else { continue };
            let marker = if let Style::Item(marker) = style { marker.as_str() } else { "" };
            for word in marker.split_whitespace().chain(words.split_whitespace()) {
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
        }
        line
    }

    fn is_section(&self, is_alone: bool) -> bool {
        let is_structure = |piece: &Piece| matches!(piece, Piece::Table(_) | Piece::Words(Style::Heading(_), _));
        let num_bytes = |piece: &Piece| if let Piece::Words(_, words) = piece { words.len() } else { 0 };
        self.pieces.iter().any(is_structure)
            || self.pieces.iter().map(num_bytes).sum::<usize>() > MAX_CELL_BYTES
            || (is_alone && self.pieces.len() > 1)
    }
}

impl Table {
    /// Appends the table to a page.
    pub(super) fn put(self, page: &mut Page) {
        let num_columns = self.rows.iter().map(|row| row.cells.len()).max().unwrap_or(0);
        let num_marked = self.rows.iter().take_while(|row| row.is_header).count();
        let is_header_guessed = num_marked == 0 && self.has_header_look && self.rows.len() > 1;
        let num_header_rows = if is_header_guessed { 1 } else { num_marked.min(3) };
        let mut header: Option<Arc<str>> = None;
        let mut header_lines: Vec<String> = Vec::new();
        let mut above: Vec<Option<String>> = Vec::new();
        for (index, row) in self.rows.into_iter().enumerate().filter(|(_, row)| !row.is_deleted) {
            if row.cells.iter().any(|cell| cell.is_section(num_columns == 1)) {
                above.clear();
                for piece in row.cells.into_iter().flat_map(|cell| cell.pieces) {
                    page.push(piece);
                }
                continue;
            }
            let columns = filled(&row, &above);
            let cells: Vec<&str> = columns.iter().flatten().map(String::as_str).collect();
            let line = cells.join(" | ");
            let line = line.trim_end_matches([' ', '|']);
            if !line.trim_matches([' ', '|']).is_empty() {
                page.push_row(line, header.as_ref());
                if index < num_header_rows && (num_marked > 0 || looks_like_header(&cells)) {
                    header_lines.push(line.to_owned());
                }
                if index + 1 >= num_header_rows && header.is_none() && !header_lines.is_empty() {
                    let joined = std::mem::take(&mut header_lines).join(" / ");
                    header = (joined.len() <= MAX_HEADER_BYTES).then(|| joined.into());
                }
            }
            above = columns;
        }
    }
}

/// The words of each column of `row`, under the row `above`; `None` where a long cell to the left goes on.
fn filled(row: &Row, above: &[Option<String>]) -> Vec<Option<String>> {
    let below = |words: &String| (words.len() <= MAX_REPEATED_BYTES).then(|| words.clone());
    let beside = |words: &String| (words.len() <= MAX_REPEATED_BESIDE_BYTES).then(|| words.clone());
    let mut cells: Vec<Option<String>> = Vec::new();
    let mut covered_end = 0;
    for cell in &row.cells {
        let own = cell.line();
        let is_covered_from_left = cell.is_covered && cells.len() < covered_end;
        if !cell.is_covered {
            covered_end = cells.len() + cell.num_covered;
        }
        let words = match () {
            () if (cell.is_below || (cell.is_covered && !is_covered_from_left)) && own.is_empty() => {
                Some(above.get(cells.len()).and_then(|words| words.as_ref().and_then(below)).unwrap_or_default())
            }
            () if (cell.is_beside || is_covered_from_left) && own.is_empty() => {
                cells.last().and_then(|words| words.as_ref().and_then(beside))
            }
            () => Some(own),
        };
        // One cell over the whole row is a caption, and forms have cells over many narrow columns.
        let is_repeated = row.cells.len() > 1 && cell.num_columns <= MAX_REPEATED_COLUMNS;
        let again = words.as_ref().and_then(beside).filter(|_| is_repeated);
        cells.push(words);
        cells.extend(std::iter::repeat_n(again, cell.num_columns.clamp(1, MAX_SPAN) - 1));
    }
    cells
}

/// A header has a name for each column but perhaps the first, short and not a number.
fn looks_like_header(cells: &[&str]) -> bool {
    let is_name = |cell: &&str| {
        cell.len() <= MAX_REPEATED_BYTES && cell.chars().any(char::is_alphanumeric) && cell.parse::<f64>().is_err()
    };
    cells.len() > 1 && cells.iter().skip(1).all(is_name)
}
