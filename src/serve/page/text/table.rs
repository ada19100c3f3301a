//! Rows as a table: the header stays in sight, and the cells of a quote are marked.

use std::ops::Range;

use maud::{Markup, html};

use super::marked::{Marks, marked};
use crate::engine::Source;
use crate::extract::{Block, BlockKind, Format, PageUnit};
use crate::workspace::{Cell, LineStarts};

/// Columns that are shown; of the others their number.
const MAX_COLUMNS: usize = 60;

/// How the cells of a row are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    /// As in CSV, with quotes.
    Sign(char),
    /// As rows are written whose cells the reader told apart: with ` | `.
    Bars,
}

/// How many blocks from the first on are rows of one table on one page.
pub(super) fn num_rows(blocks: &[Block], _: PageUnit, page: impl Fn(&Block) -> Option<u32>) -> usize {
    let Some(first) = blocks.first().filter(|block| block.kind == BlockKind::Row) else { return 0 };
    let sheet = |block: &Block| match &block.cell {
        Some(Cell::Row { sheet, .. }) => Some(sheet.clone()),
        _ => None,
    };
    let on = page(first);
    let is_of_it = |block: &&Block| block.kind == BlockKind::Row && sheet(block) == sheet(first) && page(block) == on;
    blocks.iter().take_while(is_of_it).count()
}

/// Shows rows.
pub(super) fn shown(source: &Source, rows: &[Block], marks: &Marks) -> Markup {
    let text = &source.document.text;
    let between = match source.document.format {
        Format::Spreadsheet => Between::Sign('\t'),
        Format::Csv | Format::Tsv => Between::Sign(delimiter(source.document.format, rows, text)),
        _ => Between::Bars,
    };
    // The header of a table that began before the window stands with every row.
    let header: Vec<&str> = rows
        .first()
        .and_then(|row| row.header.as_deref())
        .map_or_else(Vec::new, |header| header.split(if header.contains(" | ") { " | " } else { ", " }).collect());
    let mut all: Vec<(String, usize, Vec<Range<usize>>)> = Vec::with_capacity(rows.len());
    // Once for all rows, of which each would be looked for from the beginning of the text.
    let starts = source.document.has_file_lines.then(|| LineStarts::of(text));
    for row in rows {
        let (number, before) = if let Some(Cell::Row { row, columns, .. }) = &row.cell {
            (row.to_string(), columns.0 as usize)
        } else {
            let lines = starts.as_ref().map(|starts| starts.lines(row.span).after(source.num_lines_before));
            (lines.map(|lines| lines.start.to_string()).unwrap_or_default(), 0)
        };
        all.push((number, before, cells(text, row.span.range(), between)));
    }
    // The row that is the header itself carries none.
    let is_header = |at: usize| at == 0 && header.is_empty() && rows.get(1).is_some_and(|next| next.header.is_some());
    let width = all.iter().map(|(_, before, cells)| before + cells.len()).max().unwrap_or(0).max(header.len());
    let left_out = width.saturating_sub(MAX_COLUMNS);
    let marked_column = all
        .iter()
        .find_map(|(_, before, cells)| cells.iter().position(|cell| marks.touches(cell)).map(|at| before + at));
    let columns = columns_around(marked_column.unwrap_or(0), width);
    html! {
        div.table tabindex="0" role="group" aria-label="Table" {
            table {
                @if !header.is_empty() {
                    thead { tr { td.number {} @for name in header.iter().skip(columns.start).take(columns.len()) { th scope="col" dir="auto" { (name) } } } }
                }
                @for (at, (number, before, cells)) in all.iter().enumerate() {
                    @let row = html! {
                        td.number data-number=(number) {}
                        @for _ in columns.start..(*before).min(columns.end) { td {} }
                        @for cell in cells.iter().take(columns.end.saturating_sub(*before)).skip(columns.start.saturating_sub(*before)) {
                            @let words = marked(text, inside_quotes(text, cell.clone()), marks);
                            @if is_header(at) { th scope="col" dir="auto" { (words) } } @else { td.at[marks.touches(cell)] dir="auto" { (words) } }
                        }
                    };
                    @if is_header(at) { thead { tr { (row) } } } @else { tr { (row) } }
                }
            }
        }
        @if left_out > 0 {
            p.note {
                @if columns.start > 0 { "From column " (columns.start + 1) " on; " }
                (left_out) " more columns are not shown; the download has them"
            }
        }
    }
}

/// The columns that are shown: the first ones, or those around a mark.
fn columns_around(marked: usize, width: usize) -> Range<usize> {
    let start = if marked < MAX_COLUMNS { 0 } else { marked - MAX_COLUMNS / 2 };
    let start = start.min(width.saturating_sub(MAX_COLUMNS));
    start..width.min(start + MAX_COLUMNS)
}

/// The sign between the fields of a delimited file: the one that its first row, or header, has most of.
fn delimiter(format: Format, rows: &[Block], text: &str) -> char {
    if format == Format::Tsv {
        return '\t';
    }
    let first = rows.first();
    let line = first
        .and_then(|row| row.header.as_deref())
        .or_else(|| first.map(|row| &text[row.span.range()]))
        .unwrap_or_default();
    let num = |sign: char| line.chars().filter(|&c| c == sign).count();
    [',', ';', '\t', '|'].into_iter().rev().max_by_key(|&sign| num(sign)).unwrap_or(',')
}

/// The cells of a row, each with the quotes that it is written in.
fn cells(text: &str, row: Range<usize>, between: Between) -> Vec<Range<usize>> {
    let mut cells = Vec::new();
    let (mut start, mut is_quoted) = (row.start, false);
    let bytes = &text[row.clone()];
    match between {
        Between::Sign(sign) => {
            for (at, c) in bytes.char_indices().map(|(at, c)| (row.start + at, c)) {
                if c == '"' {
                    is_quoted = !is_quoted;
                } else if c == sign && !is_quoted {
                    cells.push(start..at);
                    start = at + c.len_utf8();
                }
            }
        }
        Between::Bars => {
            for (at, bar) in bytes.match_indices(" | ").map(|(at, bar)| (row.start + at, bar)) {
                cells.push(start..at);
                start = at + bar.len();
            }
        }
    }
    cells.push(start..row.end);
    cells
}

/// What stands in the quotes around a cell, where there are any.
fn inside_quotes(text: &str, cell: Range<usize>) -> Range<usize> {
    let words = text[cell.clone()].trim();
    let start = cell.start + (text[cell.clone()].len() - text[cell].trim_start().len());
    match words.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inside) => start + 1..start + 1 + inside.len(),
        None => start..start + words.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_that_are_shown_hold_the_marked_one() {
        for (marked, width) in [(0, 3), (2, 3), (0, 500), (59, 500), (60, 500), (300, 500), (499, 500), (0, 0)] {
            let columns = columns_around(marked, width);
            assert!(width == 0 || columns.contains(&marked), "{marked} of {width}: {columns:?}");
            assert!(
                columns.len() == MAX_COLUMNS.min(width) && columns.end <= width,
                "{marked} of {width}: {columns:?}"
            );
        }
    }

    #[test]
    fn cells_are_told_apart_as_they_are_written() {
        let of = |text: &str, between| -> Vec<String> {
            cells(text, 0..text.len(), between)
                .into_iter()
                .map(|cell| text[inside_quotes(text, cell)].to_owned())
                .collect()
        };
        assert_eq!(of("a,\"b,c\", d ,", Between::Sign(',')), ["a", "b,c", "d", ""]);
        assert_eq!(of("a\tb\t\tc", Between::Sign('\t')), ["a", "b", "", "c"]);
        assert_eq!(of("a | b|c | d", Between::Bars), ["a", "b|c", "d"]);
        assert_eq!(of("\"", Between::Sign(',')), ["\""]);
    }
}
