//! A table as it was read: rows of cells with their places in the document's text.

use crate::workspace::Span;

/// Rows that are kept of one table.
pub(super) const MAX_ROWS: usize = 20_000;
/// Columns that are kept of one table.
pub(super) const MAX_COLUMNS: usize = 256;
/// Tables that are kept of one file.
pub(super) const MAX_TABLES: usize = 400;

/// What a table was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Rows under a header, as in a CSV file or a Markdown table.
    Rows,
    /// Several records with keys of the same names: an array of maps, lines of JSON, or maps below the names of things.
    Records,
    /// One map: its keys are the columns.
    Single,
}

/// A column of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    /// The words of the header cell; for records, the keys that lead to the value, with ` › ` between them.
    pub name: String,
    /// Where the header cell stands, where it stands once for all rows.
    pub span: Option<Span>,
}

/// A cell of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The column that it is of.
    pub column: usize,
    /// Its words, without markup and quotes.
    pub text: String,
    /// What to quote of it: the cell, and of a record the key with its value.
    pub span: Span,
}

/// A row of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// What to quote of it.
    pub span: Span,
    /// Its cells in the order of the text; those without words are left out.
    pub cells: Vec<Cell>,
}

impl Row {
    /// The cell of a column.
    #[must_use]
    pub fn cell(&self, column: usize) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.column == column)
    }
}

/// A table of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What it was made of.
    pub shape: Shape,
    /// Headings above it, the name of its sheet, or the keys that lead to it, outermost first.
    pub trail: Vec<String>,
    /// The paragraph right before it.
    pub caption: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows in the order of the text.
    pub rows: Vec<Row>,
    /// Whether rows were left out, because the table is too long or the file was not read as a whole.
    pub is_cut: bool,
}

impl Table {
    /// An empty table below `trail`.
    pub(super) const fn new(shape: Shape, trail: Vec<String>) -> Self {
        Self { shape, trail, caption: String::new(), columns: Vec::new(), rows: Vec::new(), is_cut: false }
    }

    /// Adds a row, as long as there is room.
    pub(super) fn push(&mut self, row: Row) {
        if self.rows.len() < MAX_ROWS {
            self.rows.push(row);
        } else {
            self.is_cut = true;
        }
    }

    /// The position of the column of that name, which is made where there is none.
    pub(super) fn column(&mut self, name: &str) -> Option<usize> {
        if let Some(at) = self.columns.iter().position(|column| column.name == name) {
            return Some(at);
        }
        if self.columns.len() >= MAX_COLUMNS {
            self.is_cut = true;
            return None;
        }
        self.columns.push(Column { name: name.to_owned(), span: None });
        Some(self.columns.len() - 1)
    }

    /// The column that tells the rows apart: the first whose cells are all there and all different; else the first.
    #[must_use]
    pub fn key_column(&self) -> usize {
        let is_key = |column: usize| {
            let mut seen = std::collections::HashSet::new();
            self.rows.iter().all(|row| row.cell(column).is_some_and(|cell| seen.insert(cell.text.as_str())))
        };
        // Values that stand far to the right tell rows apart by chance.
        (0..self.columns.len().min(3)).find(|&column| self.rows.len() > 1 && is_key(column)).unwrap_or(0)
    }
}

/// The words of a cell without the marks of Markdown and reStructuredText.
pub(super) fn plain(cell: &str) -> String {
    let cell = cell.trim();
    let mut plain = String::with_capacity(cell.len());
    let mut rest = cell;
    while let Some(at) = rest.find(['*', '`', '[', '\\']) {
        plain.push_str(&rest[..at]);
        let mark = rest.as_bytes()[at];
        rest = &rest[at + 1..];
        match mark {
            b'\\' => {
                if let Some(next) = rest.chars().next() {
                    plain.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
            b'[' => {
                // Of a link, its words.
                let link = rest.find("](").and_then(|end| Some((end, end + 2 + rest[end + 2..].find(')')?)));
                match link {
                    Some((end, after)) if !rest[..end].contains(['[', ']']) => {
                        plain.push_str(&rest[..end].replace(['*', '`'], ""));
                        rest = &rest[after + 1..];
                    }
                    _ => plain.push('['),
                }
            }
            _ => {}
        }
    }
    plain.push_str(rest);
    plain.trim().to_owned()
}

/// Whether the cells of a row are names of columns: short words, no values, none twice but where pairs of columns repeat.
pub(super) fn are_names(cells: &[&str]) -> bool {
    let filled = || cells.iter().filter(|cell| !cell.is_empty());
    let is_name = |cell: &&&str| {
        cell.chars().count() <= 80
            && cell.chars().any(char::is_alphabetic)
            && super::numbers::quantity(cell, false)
                .is_none_or(|quantity| quantity.unit.chars().any(char::is_alphabetic))
            && super::when::whens(cell).iter().all(|(span, _)| span.len() < cell.len())
    };
    let num = filled().count();
    num > 0 && num * 2 >= cells.len() && filled().all(|cell| is_name(&cell))
}
