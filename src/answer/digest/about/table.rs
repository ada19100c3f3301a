//! Tables: their rows and columns, and what the last row says.

use std::ops::Range;

use super::whole::Whole;
use super::{Draft, Former, Of, counted, listed, short};

/// Names of columns that a line tells.
const MAX_COLUMNS: usize = 8;
/// Cells of the last row that a line tells.
const MAX_CELLS: usize = 4;
/// Rows of a short table.
const MAX_SHORT: usize = 20;
/// Bytes of a text by which its delimiter is found.
const SNIFF_BYTES: usize = 4 * 1024;

/// The rows of a table.
struct Table {
    /// The names of the columns, where the first row has names.
    columns: Vec<String>,
    header: Option<Range<usize>>,
    num_rows: usize,
    first: Option<(Vec<String>, Range<usize>)>,
    last: Option<(Vec<String>, Range<usize>)>,
}

/// Tells of a table.
pub(super) fn tell(whole: &Whole<'_>, former: Former<'_>, draft: &mut Draft) {
    let table = read(whole);
    if table.num_rows == 0 {
        return;
    }
    let rows = if whole.is_complete {
        counted(table.num_rows, "row")
    } else {
        format!("about {}", counted(whole.num_lines(), "row"))
    };
    let width = table.columns.len().max(table.last.as_ref().map_or(0, |(cells, _)| cells.len()));
    let before = former
        .map(|(path, old)| (path, read(old).num_rows))
        .filter(|(_, num)| *num != table.num_rows && whole.is_complete);
    if table.columns.is_empty() {
        draft.say(format!("{rows} of {}", counted(width, "column")));
    } else {
        draft.say(format!("{rows} of {}", listed(table.columns.iter().map(String::as_str), MAX_COLUMNS)));
    }
    if let Some((path, num_rows)) = before {
        draft.say(format!("{} in `{path}`", counted(num_rows, "row")));
    }
    draft.cite(Of::File, table.header.and_then(|range| whole.place(range)));
    let sheets = whole.sheets();
    if sheets.len() > 1 {
        draft.say(format!("sheets {}", listed(sheets.iter().map(String::as_str), MAX_COLUMNS)));
        return;
    }
    // The last row of a table that is sorted by time is the newest, and a short table is told by its end as well as by another row.
    let mut is_last_told = table.num_rows <= MAX_SHORT;
    if let (Some((first, range)), Some((last, _))) = (&table.first, &table.last)
        && let (Some(from), Some(until)) = (first.first(), last.first())
        && from != until
        && is_time(from)
        && is_time(until)
    {
        is_last_told = true;
        draft.say(format!("from {from} until {until}"));
        draft.cite(Of::File, whole.place(range.clone()));
    }
    if let Some((cells, range)) = table.last.filter(|_| is_last_told) {
        let named = table.columns.iter().zip(&cells).filter(|(_, cell)| !cell.is_empty()).take(MAX_CELLS);
        let named: Vec<String> = named.map(|(column, cell)| format!("{column} {}", short(cell, 40))).collect();
        if !named.is_empty() {
            draft.say(format!("last: {}", named.join(", ")));
            draft.cite(Of::File, whole.place(range));
        }
    }
}

fn is_time(cell: &str) -> bool {
    let bytes = cell.as_bytes();
    bytes.len() >= 10 && bytes[..4].iter().all(u8::is_ascii_digit) && matches!(bytes[4], b'-' | b'/')
}

fn read(whole: &Whole<'_>) -> Table {
    let text = whole.text.trim_start_matches('\u{feff}');
    let offset = whole.text.len() - text.len();
    let delimiter = delimiter(text);
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .quoting(text.matches('"').count().is_multiple_of(2))
        .from_reader(text.as_bytes());
    let mut table = Table { columns: Vec::new(), header: None, num_rows: 0, first: None, last: None };
    let mut record = csv::ByteRecord::new();
    loop {
        let start = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        if !reader.read_byte_record(&mut record).unwrap_or(false) {
            break;
        }
        let end = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX).min(text.len());
        let cells: Vec<String> = record.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect();
        let range = offset + start.min(end)..offset + end;
        if table.header.is_none() && table.num_rows == 0 && are_names(&cells) {
            (table.columns, table.header) = (cells, Some(range));
            continue;
        }
        // A header that each part of a long table repeats is no row.
        if cells == table.columns {
            continue;
        }
        table.num_rows += 1;
        if table.first.is_none() {
            table.first = Some((cells.clone(), range.clone()));
        }
        table.last = Some((cells, range));
    }
    if table.columns.is_empty()
        && let Some(header) = whole.header()
    {
        table.columns = header.split(", ").map(str::to_owned).collect();
    }
    table
}

/// The delimiter that the first rows have most of.
fn delimiter(text: &str) -> u8 {
    let sample = &text[..text.floor_char_boundary(SNIFF_BYTES)];
    let first = sample.lines().next().unwrap_or_default();
    let number = |delimiter: u8| first.bytes().filter(|byte| *byte == delimiter).count();
    // Ties keep the earlier one: `max_by_key` gives the last of equals.
    [b'|', b';', b',', b'\t'].into_iter().max_by_key(|delimiter| number(*delimiter)).unwrap_or(b',')
}

/// Whether cells name columns: none is a number, none stands twice.
fn are_names(cells: &[String]) -> bool {
    let is_number = |cell: &str| cell.chars().any(|c| c.is_ascii_digit()) && !cell.chars().any(char::is_alphabetic);
    let are_different = || (1..cells.len()).all(|at| !cells[..at].contains(&cells[at]));
    cells.len() > 1
        && cells.iter().all(|cell| !cell.is_empty() && cell.len() <= 80 && !is_number(cell))
        && are_different()
}
