//! The tables of one file, out of its chunks.

use std::sync::Arc;

use super::table::Table;
use super::{node, records, rows, toml, yaml};
use crate::extract::Format;
use crate::index::{ChunkRecord, FileFacts};
use crate::workspace::Span;

/// Text of one file that tables are looked for in, in bytes.
pub const MAX_BYTES: usize = 2 * 1024 * 1024;

/// A file with its tables.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// The file.
    pub file: Arc<FileFacts>,
    /// Its text, as far as its chunks were given.
    pub text: String,
    /// Its tables, in the order of the text.
    pub tables: Vec<Table>,
    /// Whether parts of the file are missing.
    pub is_cut: bool,
}

/// Whether files of a format are records or rows as a whole.
#[must_use]
pub const fn is_structured(format: Format) -> bool {
    matches!(
        format,
        Format::Csv | Format::Tsv | Format::Spreadsheet | Format::Json | Format::Jsonl | Format::Yaml | Format::Toml
    )
}

/// The formats whose files are records or rows as a whole.
pub fn structured_formats() -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().filter(|format| is_structured(*format))
}

/// Whether a file is called like one of records or rows.
#[must_use]
pub fn is_structured_name(path: &str) -> bool {
    const ENDINGS: [&str; 17] = [
        "csv", "tsv", "tab", "psv", "json", "jsonl", "ndjson", "geojson", "yaml", "yml", "toml", "xlsx", "xlsm",
        "xlsb", "xls", "ods", "json5",
    ];
    path.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending.to_ascii_lowercase().as_str()))
}

/// Whether documents of a format may have tables among their paragraphs.
#[must_use]
pub const fn may_have_tables(format: Format) -> bool {
    is_structured(format)
        || matches!(
            format,
            Format::Markdown
                | Format::Rst
                | Format::Html
                | Format::Docx
                | Format::Odt
                | Format::Pptx
                | Format::Odp
                | Format::Epub
                | Format::Email
                | Format::Rtf
        )
}

/// Reads the tables of one file from its chunks, which are in the order of its text; `None` where there is no chunk.
///
/// Chunks that are missing, and what is beyond `MAX_BYTES`, make [`Sheet::is_cut`] true; then a count or a greatest value over its rows
/// is not to be told.
#[must_use]
pub fn read(chunks: &[ChunkRecord], is_whole: bool) -> Option<Sheet> {
    let file = Arc::clone(&chunks.first()?.file);
    let mut text = String::new();
    let mut is_cut = !is_whole;
    for (ordinal, chunk) in (0_u32..).zip(chunks) {
        let start = chunk.place.span.start;
        if start < text.len() || chunk.place.span.end > MAX_BYTES.saturating_mul(64) || text.len() > MAX_BYTES {
            is_cut = true;
            break;
        }
        is_cut |= chunk.place.ordinal != ordinal;
        let gap = start - text.len();
        if gap == chunk.gap.len() {
            text.push_str(&chunk.gap);
        } else if gap > MAX_BYTES {
            is_cut = true;
            break;
        } else {
            // Where words are missing, lines end, and the places of what follows stay.
            text.extend(std::iter::repeat_n('\n', gap));
        }
        text.push_str(&chunk.words);
    }
    let chunk_at = |at: usize| {
        let after = chunks.partition_point(|chunk| chunk.place.span.start <= at);
        chunks.get(after.checked_sub(1)?)
    };
    let trail_at = |at: usize| chunk_at(at).map(|chunk| chunk.place.trail.clone()).unwrap_or_default();
    let first_column = |at: usize| {
        let chunk = chunk_at(at)?;
        let part = Span::new(at - chunk.place.span.start, at - chunk.place.span.start + 1);
        chunk.place.cells.first_column(part).map(|column| column as usize)
    };
    let mut tables = match file.format {
        Format::Csv => rows::delimited(&text, false, is_cut),
        Format::Tsv => rows::delimited(&text, true, is_cut),
        Format::Spreadsheet => rows::sheets(&text, is_cut, &|at| first_column(at).unwrap_or(0)),
        Format::Json => records::tables(&node::json(&text), false),
        Format::Jsonl => records::tables(&node::json(&text), true),
        Format::Yaml => records::tables(&yaml::read(&text), false),
        Format::Toml => records::tables(toml::read(&text).as_slice(), false),
        Format::Markdown => {
            let mut tables = front_matter(&text);
            tables.extend(rows::document(&text, rows::Marks::Markdown, &trail_at));
            tables
        }
        Format::Rst => rows::document(&text, rows::Marks::Rst, &trail_at),
        format if may_have_tables(format) => rows::document(&text, rows::Marks::Extracted, &trail_at),
        _ => Vec::new(),
    };
    for table in &mut tables {
        table.is_cut |= is_cut;
    }
    Some(Sheet { file, text, tables, is_cut })
}

/// The settings at the beginning of a Markdown file, between two lines of `---`.
fn front_matter(text: &str) -> Vec<Table> {
    let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else { return Vec::new() };
    let start = text.len() - rest.len();
    let Some(end) = rest.find("\n---") else { return Vec::new() };
    // The places stay, with the first line blanked out.
    let settings = format!("{}{}", "\n".repeat(start), &rest[..end]);
    records::tables(&yaml::read(&settings), false)
}
