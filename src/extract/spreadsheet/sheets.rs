//! The text and blocks of sheets, from their cells one by one.
//!
//! # Invariants
//! - One line a row that has words, tabs between its cells; each sheet under a line with its name.
//! - Text and time grow with the cells that hold words, and end at [`MAX_TEXT_BYTES`] and [`MAX_ROWS`].

use std::sync::Arc;

use crate::extract::builder::{Blocks, label};
use crate::extract::{BlockKind, Document, Format, data::delimited};
use crate::workspace::{Cell, Span};

/// More text is not read: it is a bomb, or a database.
pub(super) const MAX_TEXT_BYTES: usize = 64 * 1024 * 1024;
/// Two sheets of the greatest height.
pub(super) const MAX_ROWS: usize = 2 * 1024 * 1024;
/// Tabs that stand for empty cells before a cell: cells far apart need not be aligned.
const MAX_GAP: u32 = 32;
/// The header is looked for among so many rows: titles and notes may stand above it.
const NUM_HEADER_ROWS: usize = 12;

/// That no more is taken.
pub(super) struct Full;

/// A row of the text, or the name of a sheet (row 0).
struct Line {
    span: Span,
    row: u32,
    columns: (u32, u32),
}

/// A sheet of the text: the lines from `first_line` on.
struct Sheet {
    name: Arc<str>,
    first_line: usize,
    /// The line of the header, and its words.
    header: Option<(usize, Arc<str>)>,
}

/// A cell with words, none empty and on one line.
type Filled = (u32, String);

/// The sheets of a workbook, in the making.
#[derive(Default)]
pub(super) struct Sheets {
    text: String,
    lines: Vec<Line>,
    done: Vec<Sheet>,
    /// The sheet that is read, until it has words.
    name: Option<Arc<str>>,
    /// The row that is put together, counted from 0.
    row: u32,
    cells: Vec<Filled>,
    /// The first rows of the sheet, by the number of their line.
    head: Vec<(usize, Vec<Filled>)>,
}

impl Sheets {
    /// The cells that follow are of the sheet `name`.
    pub(super) fn begin(&mut self, name: &str) -> Result<(), Full> {
        self.end()?;
        self.name = Some(label(name).into());
        Ok(())
    }

    /// Takes a cell, counted from 0; one without words is none.
    pub(super) fn push(&mut self, (row, column): (u32, u32), words: &str) -> Result<(), Full> {
        let words = label_free(words);
        if words.is_empty() {
            return Ok(());
        }
        if row != self.row {
            self.end_row()?;
            self.row = row;
        }
        self.cells.push((column, words));
        Ok(())
    }

    /// Ends the sheet.
    pub(super) fn end(&mut self) -> Result<(), Full> {
        let done = self.end_row();
        if let Some(sheet) = self.done.last_mut()
            && !self.head.is_empty()
        {
            sheet.header = header(&self.head);
        }
        self.head.clear();
        self.name = None;
        self.row = 0;
        done
    }

    /// The sheet that is read and the last row of it that was written, counted from 1.
    pub(super) fn place(&self) -> String {
        match (self.done.last(), self.lines.last()) {
            (Some(sheet), Some(line)) => format!("row {} of the sheet `{}`", line.row, sheet.name),
            _ => "its beginning".to_owned(),
        }
    }

    /// Writes the row that was put together, after the name of the sheet where it is the first.
    fn end_row(&mut self) -> Result<(), Full> {
        if self.cells.is_empty() {
            return Ok(());
        }
        if self.text.len() > MAX_TEXT_BYTES || self.lines.len() > MAX_ROWS {
            self.cells.clear();
            return Err(Full);
        }
        if let Some(name) = self.name.take() {
            if !self.text.is_empty() {
                self.text.push('\n');
            }
            self.done.push(Sheet { name: Arc::clone(&name), first_line: self.lines.len(), header: None });
            self.write_line(0, (0, 0), &name);
        }
        let cells = std::mem::take(&mut self.cells);
        let columns = cells.iter().map(|(column, _)| *column);
        let (first, last) = (columns.clone().min().unwrap_or(0), columns.max().unwrap_or(0));
        let mut line = String::new();
        let mut next = first;
        for (index, (column, words)) in cells.iter().enumerate() {
            let gap = column.saturating_sub(next).min(MAX_GAP) + u32::from(index > 0);
            (0..gap).for_each(|_| line.push('\t'));
            line.push_str(words);
            next = column.saturating_add(1);
        }
        if self.head.len() < NUM_HEADER_ROWS {
            self.head.push((self.lines.len(), cells));
        }
        self.write_line(self.row.saturating_add(1), (first, last), &line);
        Ok(())
    }

    fn write_line(&mut self, row: u32, columns: (u32, u32), words: &str) {
        let start = self.text.len();
        self.text.push_str(words);
        self.lines.push(Line { span: Span::new(start, self.text.len()), row, columns });
        self.text.push('\n');
    }

    /// The document of all sheets.
    pub(super) fn finish(mut self, partial: Option<String>) -> Document {
        // What does not fit any more was said by the one who pushed it.
        let _ = self.end();
        let mut blocks = Blocks::new(&self.text);
        for (index, sheet) in self.done.iter().enumerate() {
            let end = self.done.get(index + 1).map_or(self.lines.len(), |next| next.first_line);
            let trail: Arc<[String]> = Arc::from(vec![sheet.name.to_string()]);
            for (number, line) in self.lines.iter().enumerate().take(end).skip(sheet.first_line) {
                if number == sheet.first_line {
                    blocks.set_cell(None);
                    blocks.set_trail(Arc::default());
                    blocks.push(BlockKind::Heading, line.span);
                    blocks.set_trail(Arc::clone(&trail));
                    continue;
                }
                blocks.set_cell(Some(Cell::Row {
                    sheet: Arc::clone(&sheet.name),
                    row: line.row,
                    columns: line.columns,
                }));
                // The header goes with the rows below it.
                let header = sheet.header.as_ref().filter(|(at, _)| number > *at).map(|(_, words)| words);
                blocks.push_row(BlockKind::Row, line.span, header);
            }
        }
        let blocks = blocks.finish();
        Document { partial, blocks, ..Document::of(Format::Spreadsheet, self.text) }
    }
}

/// `words` on one line, without tabs and the blanks around.
fn label_free(words: &str) -> String {
    let is_break = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let words = words.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    words.replace("\r\n", " ").replace(is_break, " ")
}

/// The row of the first ones that names the columns: the first with several names, and at least half as many as the
/// widest of these rows has cells. Years and dates are names where they stand above other values.
fn header(head: &[(usize, Vec<Filled>)]) -> Option<(usize, Arc<str>)> {
    let width = head.iter().map(|(_, cells)| cells.len()).max()?;
    for (index, (line, cells)) in head.iter().enumerate() {
        if cells.len() < 2 || cells.len() * 2 < width {
            continue;
        }
        let below = &head[index + 1..];
        let is_year_above = |column: u32, words: &str| {
            let mut values = below.iter().flat_map(|(_, cells)| cells).filter(|(other, _)| *other == column);
            is_year(words) && values.next().is_some_and(|(_, value)| !is_year(value))
        };
        // A year stands as a word, so that the rule for names is the same.
        let fields: Vec<String> = cells
            .iter()
            .map(|(column, words)| if is_year_above(*column, words) { format!("year {words}") } else { label(words) })
            .collect();
        let has_word = cells.iter().any(|(_, words)| !is_year(words));
        if !below.is_empty() && has_word && delimited::header(&fields).is_some() {
            let fields: Vec<String> = cells.iter().map(|(_, words)| label(words)).collect();
            return Some((*line, delimited::joined(&fields)));
        }
        // Values do not stand above the names of their columns.
        if cells.iter().filter(|(_, words)| words.parse::<f64>().is_ok_and(|_| !is_year(words))).count() * 2
            > cells.len()
        {
            return None;
        }
    }
    None
}

/// Whether `words` are a year or begin with a date.
fn is_year(words: &str) -> bool {
    let year = words.get(..4).filter(|year| year.bytes().all(|byte| byte.is_ascii_digit()));
    let is_alone = words.len() == 4 || words.as_bytes().get(4) == Some(&b'-');
    is_alone && year.is_some_and(|year| ("1900".."2100").contains(&year))
}
