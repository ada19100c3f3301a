//! Tables of rows and fields: CSV and its kin, spreadsheets, and rows with `|` or under rules in documents.

use super::table::{Cell, Column, Row, Shape, Table, are_names, plain};
use crate::workspace::Span;

/// Lines that the delimiter is chosen by.
const NUM_SNIFFED: usize = 40;
/// The header of a sheet is looked for among so many rows.
const NUM_HEADER_ROWS: usize = 12;
/// Longest paragraph that is a caption, in bytes.
const MAX_CAPTION_BYTES: usize = 400;

/// The lines of a text as spans, without their ends.
pub(super) fn lines(text: &str) -> Vec<Span> {
    let mut at = 0;
    let spans = text.split_inclusive('\n').map(|line| {
        let span = Span::new(at, at + line.trim_end_matches(['\n', '\r']).len());
        at += line.len();
        span
    });
    spans.collect()
}

/// The table of a delimited text, whose delimiter is found.
pub(super) fn delimited(text: &str, prefers_tab: bool, is_cut: bool) -> Vec<Table> {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let candidates = if prefers_tab { ['\t', ',', ';', '|'] } else { [',', ';', '\t', '|'] };
    let score = |delimiter: char| {
        let records = records(text, start, delimiter, NUM_SNIFFED);
        let widths: Vec<usize> = records.iter().map(Vec::len).collect();
        let width = widths.iter().copied().max_by_key(|width| widths.iter().filter(|other| *other == width).count());
        let width = width.unwrap_or(0);
        let num_alike = widths.iter().filter(|other| **other == width).count();
        if width < 2 { 0 } else { 1000 * num_alike / widths.len().max(1) + width.min(200) }
    };
    let mut best = (candidates[0], 0);
    for delimiter in candidates {
        let score = score(delimiter);
        if score > best.1 {
            best = (delimiter, score);
        }
    }
    if best.1 == 0 {
        return Vec::new();
    }
    let mut records = records(text, start, best.0, super::table::MAX_ROWS + 1);
    // Notes may stand above the header.
    let width = records.iter().map(Vec::len).max().unwrap_or(0);
    let first = records.iter().position(|fields| fields.len() * 2 > width).unwrap_or(0);
    records.drain(..first);
    let mut table = table_of(text, &records, Vec::new(), field);
    table.is_cut |= is_cut;
    vec![table]
}

/// The words of a delimited field.
fn field(words: &str) -> String {
    let words = words.trim();
    match words.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"').unwrap_or(quoted).replace("\"\"", "\""),
        None => words.to_owned(),
    }
}

/// The fields of each record, as spans; quotes hold delimiters and line ends together.
fn records(text: &str, start: usize, delimiter: char, max_records: usize) -> Vec<Vec<Span>> {
    let mut records: Vec<Vec<Span>> = Vec::new();
    let mut fields: Vec<Span> = Vec::new();
    let mut field_start = start;
    let mut is_quoted = false;
    let mut quote_start = 0;
    let bytes = text.as_bytes();
    let delimiter = u8::try_from(delimiter).unwrap_or(b',');
    let mut at = start;
    while at <= bytes.len() && records.len() < max_records {
        let byte = bytes.get(at).copied();
        match byte {
            Some(b'"') if is_quoted => is_quoted = false,
            Some(b'"') if text[field_start..at].trim().is_empty() || text[field_start..at].ends_with('"') => {
                (is_quoted, quote_start) = (true, at);
            }
            // A quote that is never closed does not swallow the file.
            None if is_quoted => {
                is_quoted = false;
                at = text[quote_start..].find('\n').map_or(text.len(), |line| quote_start + line);
                continue;
            }
            Some(_) if is_quoted => {}
            Some(byte) if byte == delimiter => {
                fields.push(Span::new(field_start, at));
                field_start = at + 1;
            }
            Some(b'\n') | None => {
                let end = if at > field_start && bytes[at - 1] == b'\r' { at - 1 } else { at };
                fields.push(Span::new(field_start, end));
                let fields = std::mem::take(&mut fields);
                if fields.iter().any(|field| !text[field.range()].trim().is_empty()) {
                    records.push(fields);
                }
                field_start = at + 1;
            }
            Some(_) => {}
        }
        at += 1;
    }
    records
}

/// A table of records of fields, the first of which are the header where they are names.
fn table_of(text: &str, records: &[Vec<Span>], trail: Vec<String>, words: fn(&str) -> String) -> Table {
    let mut table = Table::new(Shape::Rows, trail);
    let width = records.iter().map(Vec::len).max().unwrap_or(0).min(super::table::MAX_COLUMNS);
    let of = |span: &Span| words(&text[span.range()]);
    let has_header = records.len() > 1
        && records.first().is_some_and(|fields| {
            let names: Vec<String> = fields.iter().map(of).collect();
            are_names(&names.iter().map(String::as_str).collect::<Vec<_>>())
        });
    for column in 0..width {
        let header = records.first().filter(|_| has_header).and_then(|fields| fields.get(column));
        let name = header.map(of).unwrap_or_default();
        let span = header.map(|span| span.trimmed(text)).filter(|span| !span.is_empty());
        table.columns.push(Column { name, span });
    }
    for fields in records.iter().skip(usize::from(has_header)) {
        table.push(row_of(text, fields, 0, words));
    }
    table
}

fn row_of(text: &str, fields: &[Span], first_column: usize, words: fn(&str) -> String) -> Row {
    let mut row = Row::default();
    if let (Some(first), Some(last)) = (fields.first(), fields.last()) {
        row.span = Span::new(first.start, last.end).trimmed(text);
    }
    for (column, span) in fields.iter().enumerate().take(super::table::MAX_COLUMNS) {
        let text_of = words(&text[span.range()]);
        if !text_of.is_empty() {
            row.cells.push(Cell { column: first_column + column, text: text_of, span: span.trimmed(text) });
        }
    }
    row
}

/// The tables of a workbook's text: each sheet under its name, after a blank line; `first_column` says where the row at a byte begins.
pub(super) fn sheets(text: &str, is_cut: bool, first_column: &dyn Fn(usize) -> usize) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut name: Option<String> = None;
    let mut rows: Vec<Row> = Vec::new();
    let mut finish = |name: &mut Option<String>, rows: &mut Vec<Row>| {
        if let Some(name) = name.take() {
            tables.extend(sheet(name, std::mem::take(rows)));
        }
    };
    for line in lines(text) {
        let words = &text[line.range()];
        if words.trim().is_empty() {
            finish(&mut name, &mut rows);
        } else if name.is_none() {
            name = Some(words.trim().to_owned());
        } else {
            let mut at = line.start;
            let fields: Vec<Span> = words
                .split('\t')
                .map(|field| {
                    let span = Span::new(at, at + field.len());
                    at = span.end + 1;
                    span
                })
                .collect();
            rows.push(row_of(text, &fields, first_column(line.start), field_of_sheet));
        }
    }
    finish(&mut name, &mut rows);
    for table in &mut tables {
        table.is_cut |= is_cut;
    }
    tables
}

fn field_of_sheet(words: &str) -> String {
    words.trim().to_owned()
}

fn sheet(name: String, rows: Vec<Row>) -> Option<Table> {
    let head = &rows[..rows.len().min(NUM_HEADER_ROWS)];
    let width = head.iter().map(|row| row.cells.len()).max()?;
    let is_header = |row: &Row| {
        let names: Vec<&str> = row.cells.iter().map(|cell| cell.text.as_str()).collect();
        names.len() >= 2 && names.len() * 2 >= width && are_names(&names)
    };
    let header = head.iter().position(is_header).filter(|at| at + 1 < rows.len());
    let mut table = Table::new(Shape::Rows, vec![name]);
    let num_columns = rows.iter().flat_map(|row| &row.cells).map(|cell| cell.column + 1).max()?;
    table.columns = vec![Column::default(); num_columns.min(super::table::MAX_COLUMNS)];
    for cell in header.iter().flat_map(|at| &rows[*at].cells) {
        if let Some(column) = table.columns.get_mut(cell.column) {
            *column = Column { name: cell.text.clone(), span: Some(cell.span) };
        }
    }
    if let Some(at) = header {
        let above = rows[..at].iter().flat_map(|row| &row.cells).map(|cell| cell.text.as_str());
        table.caption = above.collect::<Vec<_>>().join(" ");
    }
    for mut row in rows.into_iter().skip(header.map_or(0, |at| at + 1)) {
        row.cells.retain(|cell| cell.column < table.columns.len());
        table.push(row);
    }
    Some(table)
}

/// How the tables of a document look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marks {
    /// Headings with `#`, rows with `|`.
    Markdown,
    /// Headings with a rule below, tables with rules of `=` or a grid.
    Rst,
    /// Rows with ` | `, as extraction writes those of HTML and office files.
    Extracted,
}

/// The tables of a document's text. `trail_at` gives the headings above a byte, where the marks of headings are not in the text.
pub(super) fn document(text: &str, marks: Marks, trail_at: &dyn Fn(usize) -> Vec<String>) -> Vec<Table> {
    let lines = lines(text);
    let mut headings: Vec<(usize, String)> = Vec::new();
    let mut tables: Vec<Table> = Vec::new();
    let mut fence: Option<&str> = None;
    let mut at = 0;
    while at < lines.len() && tables.len() < super::table::MAX_TABLES {
        let words = text[lines[at].range()].trim();
        if marks == Marks::Markdown {
            let is_fence = words.starts_with("```") || words.starts_with("~~~");
            if is_fence && fence.is_none_or(|open| words.starts_with(open)) {
                fence = if fence.is_some() { None } else { words.get(..3) };
            }
        }
        if fence.is_none() {
            if let Some((level, label)) = heading(text, &lines, at, marks) {
                headings.retain(|(other, _)| *other < level);
                headings.push((level, label));
            }
            if let Some((records, num_lines)) = block(text, &lines, at, marks) {
                let trail = if marks == Marks::Extracted {
                    trail_at(lines[at].start)
                } else {
                    headings.iter().map(|(_, label)| label.clone()).collect()
                };
                let mut table = table_of(text, &records, trail, plain);
                table.caption = caption(text, &lines[..at]);
                if marks != Marks::Extracted && text[lines[at].range()].trim_start().starts_with(['|', '+']) {
                    // The bars around a row are part of it.
                    table.rows.iter_mut().for_each(|row| row.span = line_around(text, row.span));
                }
                if table.columns.len() > 1 && !table.rows.is_empty() {
                    tables.push(table);
                }
                at += num_lines;
                continue;
            }
        }
        at += 1;
    }
    tables
}

fn line_around(text: &str, span: Span) -> Span {
    let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[span.end..].find('\n').map_or(text.len(), |at| span.end + at);
    Span::new(start, end).trimmed(text)
}

/// The paragraph that ends above, if it is short.
fn caption(text: &str, above: &[Span]) -> String {
    let words = |line: &Span| text[line.range()].trim();
    let mut lines: Vec<&str> =
        above.iter().rev().map(words).skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty()).collect();
    lines.reverse();
    let caption = lines.join(" ");
    if caption.len() <= MAX_CAPTION_BYTES && !caption.starts_with(['#', '|']) { caption } else { String::new() }
}

fn heading(text: &str, lines: &[Span], at: usize, marks: Marks) -> Option<(usize, String)> {
    let words = text[lines[at].range()].trim_end();
    match marks {
        Marks::Markdown => {
            let level = words.bytes().take_while(|byte| *byte == b'#').count();
            let label = words.get(level..)?.strip_prefix(' ')?;
            (1..=6).contains(&level).then(|| (level, plain(label.trim_end_matches('#'))))
        }
        Marks::Rst => {
            let rule = text[lines.get(at + 1)?.range()].trim_end();
            let mark = rule.chars().next().filter(char::is_ascii_punctuation)?;
            let is_rule =
                rule.chars().all(|c| c == mark) && rule.len() >= 3 && rule.chars().count() >= words.chars().count();
            let is_words = words.chars().any(char::is_alphanumeric) && !words.starts_with(char::is_whitespace);
            // The title has a rule above too.
            let is_title = at > 0 && text[lines[at - 1].range()].trim_end() == rule;
            let level = if is_title { 0 } else { "=-~^\"'`*+#<>._:".find(mark).unwrap_or(20) + 1 };
            (is_rule && is_words).then(|| (level, words.to_owned()))
        }
        Marks::Extracted => None,
    }
}

/// A table that begins at a line: the fields of its rows, the header first, and how many lines it takes.
fn block(text: &str, lines: &[Span], at: usize, marks: Marks) -> Option<(Vec<Vec<Span>>, usize)> {
    match marks {
        Marks::Markdown => piped(text, lines, at),
        Marks::Rst => super::rules::ruled(text, lines, at).or_else(|| super::rules::grid(text, lines, at)),
        Marks::Extracted => extracted(text, lines, at),
    }
}

/// The fields between bars that no backslash and no code span protects.
fn bars(text: &str, line: Span) -> Vec<Span> {
    let line = line.trimmed(text);
    let words = &text[line.range()];
    let mut fields = Vec::new();
    let (mut start, mut is_code, mut is_escaped) = (0, false, false);
    for (at, c) in words.char_indices() {
        match c {
            '`' if !is_escaped => is_code = !is_code,
            '|' if !(is_escaped || is_code && words[at..].contains('`')) => {
                if at > 0 {
                    fields.push(Span::new(line.start + start, line.start + at));
                }
                start = at + 1;
            }
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    if !words[start..].trim().is_empty() {
        fields.push(Span::new(line.start + start, line.end));
    }
    fields
}

/// A table of Markdown: a header, a line of dashes, rows.
fn piped(text: &str, lines: &[Span], at: usize) -> Option<(Vec<Vec<Span>>, usize)> {
    let words = |line: &Span| text[line.range()].trim();
    let rule = words(lines.get(at + 1)?);
    let is_rule =
        rule.contains('-') && rule.contains('|') && rule.chars().all(|c| matches!(c, '|' | '-' | ':' | ' ' | '\t'));
    if !is_rule || !words(&lines[at]).contains('|') {
        return None;
    }
    let mut records = vec![bars(text, lines[at])];
    let rows: Vec<&Span> = lines[at + 2..].iter().take_while(|line| words(line).contains('|')).collect();
    records.extend(rows.iter().map(|line| bars(text, **line)));
    Some((records, rows.len() + 2))
}

/// Rows that extraction wrote: lines with the same number of fields between ` | `, two at least.
fn extracted(text: &str, lines: &[Span], at: usize) -> Option<(Vec<Vec<Span>>, usize)> {
    let fields = |line: &Span| -> Vec<Span> {
        let mut start = line.start;
        let words = &text[line.range()];
        let mut fields: Vec<Span> = Vec::new();
        for part in words.split('|') {
            fields.push(Span::new(start, start + part.len()));
            start += part.len() + 1;
        }
        fields
    };
    let is_row = |line: &Span| text[line.range()].contains(" | ");
    let num_lines = lines[at..].iter().take_while(|line| is_row(line)).count();
    (num_lines >= 2).then(|| (lines[at..at + num_lines].iter().map(fields).collect(), num_lines))
}
