//! Places in files that number their parts: rows of a sheet, cells of a notebook.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Span;

/// Where a part of a document stands in a file that has cells.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// A row of a sheet, or as much of it as holds words.
    Row {
        /// The sheet's name.
        sheet: Arc<str>,
        /// The row, counted from 1 as spreadsheets do.
        row: u32,
        /// First and last column, counted from 0.
        columns: (u32, u32),
    },
    /// A cell of a notebook.
    Notebook {
        /// Its place among the cells, counted from 1.
        number: u32,
    },
}

impl Cell {
    /// Whether both may be named together: rows of one sheet, or cells of a notebook.
    #[must_use]
    pub fn is_beside(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Row { sheet, .. }, Self::Row { sheet: other, .. }) => sheet == other,
            (Self::Notebook { .. }, Self::Notebook { .. }) => true,
            _ => false,
        }
    }
}

/// The cells that a piece of text goes through: each with the byte of the piece at which its words begin.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cells(Vec<(u32, Cell)>);

impl Cells {
    /// The cells that `span` touches, of parts in the order of the text.
    #[must_use]
    pub fn of<'c>(parts: impl IntoIterator<Item = (Span, &'c Cell)>, span: Span) -> Self {
        let touched = parts.into_iter().filter(|(part, _)| part.start < span.end && span.start < part.end);
        let mut cells: Vec<(u32, Cell)> = Vec::new();
        for (part, cell) in touched {
            if cells.last().is_none_or(|(_, last)| last != cell) {
                let at = u32::try_from(part.start.saturating_sub(span.start)).unwrap_or(u32::MAX);
                cells.push((at, cell.clone()));
            }
        }
        Self(cells)
    }

    /// Whether both may be named together; also where one has no cells.
    #[must_use]
    pub fn is_beside(&self, next: &Self) -> bool {
        self.0.last().zip(next.0.first()).is_none_or(|((_, last), (_, first))| last.is_beside(first))
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These, and those of a piece that begins at byte `at` of this one.
    #[must_use]
    pub fn followed_by(mut self, other: &Self, at: usize) -> Self {
        let by = u32::try_from(at).unwrap_or(u32::MAX);
        for (start, cell) in &other.0 {
            if self.0.last().is_none_or(|(_, last)| last != cell) {
                self.0.push((start.saturating_add(by), cell.clone()));
            }
        }
        self
    }

    /// The first column, counted from 0, of the row of a sheet that the beginning of `part` of the piece lies in.
    #[must_use]
    pub fn first_column(&self, part: Span) -> Option<u32> {
        let after = self.0.partition_point(|(start, _)| *start as usize <= part.start);
        match &self.0.get(after.checked_sub(1)?)?.1 {
            Cell::Row { columns, .. } => Some(columns.0),
            Cell::Notebook { .. } => None,
        }
    }

    /// What the cells are called that `part` of the piece touches: `Latency!B3:E9`, `cell 3`, `cells 3-5`; `None` where it
    /// has none. Where they are of several sheets, those of the first.
    #[must_use]
    pub fn name(&self, part: Span) -> Option<String> {
        let ends = self.0.iter().skip(1).map(|(start, _)| *start as usize).chain([usize::MAX]);
        let touched = self
            .0
            .iter()
            .zip(ends)
            .filter(|((start, _), end)| (*start as usize) < part.end.max(part.start + 1) && part.start < *end);
        let mut touched = touched.map(|((_, cell), _)| cell);
        let first = touched.next()?;
        let rest = touched.take_while(|cell| cell.is_beside(first));
        Some(match first {
            Cell::Row { sheet, row, columns } => {
                let (mut left, mut right, mut bottom) = (columns.0, columns.1, *row);
                for cell in rest {
                    if let Cell::Row { row, columns, .. } = cell {
                        (left, right, bottom) = (left.min(columns.0), right.max(columns.1), bottom.max(*row));
                    }
                }
                let (start, end) = (reference(left, *row), reference(right, bottom));
                let sheet = sheet_name(sheet);
                if start == end { format!("{sheet}!{start}") } else { format!("{sheet}!{start}:{end}") }
            }
            Cell::Notebook { number } => match rest.last() {
                Some(Cell::Notebook { number: last }) if last > number => format!("cells {number}-{last}"),
                _ => format!("cell {number}"),
            },
        })
    }
}

/// `A1` for column 0 of row 1, `AA7` for column 26 of row 7.
fn reference(column: u32, row: u32) -> String {
    let mut letters = Vec::new();
    let mut rest = u64::from(column) + 1;
    while rest > 0 {
        rest -= 1;
        letters.push(char::from(b'A' + u8::try_from(rest % 26).unwrap_or(0)));
        rest /= 26;
    }
    letters.iter().rev().collect::<String>() + &row.to_string()
}

/// A sheet's name as formulas write it: in quotes where it has anything but letters, digits, points and underscores.
fn sheet_name(sheet: &str) -> String {
    let is_plain = !sheet.is_empty() && sheet.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
    if is_plain { sheet.to_owned() } else { format!("'{}'", sheet.replace('\'', "''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sheet: &str, row: u32, columns: (u32, u32)) -> Cell {
        Cell::Row { sheet: sheet.into(), row, columns }
    }

    #[test]
    fn rows_are_named_as_a_range_of_their_sheet() {
        let rows = [
            (Span::new(0, 9), row("Run 3", 2, (1, 4))),
            (Span::new(10, 19), row("Run 3", 5, (0, 27))),
            (Span::new(20, 29), row("B", 1, (0, 0))),
        ];
        let cells = Cells::of(rows.iter().map(|(span, cell)| (*span, cell)), Span::new(5, 25));
        assert_eq!(cells.name(Span::new(0, 20)).unwrap(), "'Run 3'!A2:AB5");
        assert_eq!(cells.name(Span::new(0, 4)).unwrap(), "'Run 3'!B2:E2");
        assert_eq!(cells.name(Span::new(6, 8)).unwrap(), "'Run 3'!A5:AB5");
        assert_eq!(cells.name(Span::new(16, 18)).unwrap(), "B!A1");
        assert_eq!(Cells::default().name(Span::new(0, 3)), None);
    }

    #[test]
    fn notebook_cells_are_numbered_and_pieces_go_on() {
        let notebook = |number| Cell::Notebook { number };
        let first = Cells(vec![(0, notebook(1)), (5, notebook(2))]);
        let joined = first.followed_by(&Cells(vec![(0, notebook(2)), (4, notebook(4))]), 10);
        assert_eq!(joined, Cells(vec![(0, notebook(1)), (5, notebook(2)), (14, notebook(4))]));
        assert_eq!(joined.name(Span::new(0, 2)).unwrap(), "cell 1");
        assert_eq!(joined.name(Span::new(11, 20)).unwrap(), "cells 2-4");
    }

    #[test]
    fn columns_count_as_spreadsheets_do() {
        for (column, letters) in [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA"), (16_383, "XFD")] {
            assert_eq!(reference(column, 1), format!("{letters}1"));
        }
    }
}
