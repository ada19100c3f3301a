//! CSV, TSV and their kin: one block a record, the header with every record.
//!
//! # Invariants
//! - The text is the file; a record's span is its own bytes, a quoted line break inside it.
//! - A quote that is never closed does not swallow the file: it is then read without quoting.

use std::sync::Arc;

use csv::{ByteRecord, ReaderBuilder};
use serde::{Deserialize, Serialize};

use crate::extract::builder::{Blocks, label};
use crate::extract::{Block, BlockKind, Format};
use crate::workspace::Span;

/// How much is read to find the delimiter and the header.
const SNIFF_BYTES: usize = 32 * 1024;
const NUM_SNIFFED_RECORDS: usize = 50;
/// A longer record is a quote that was not closed.
const MAX_RECORD_BYTES: usize = 256 * 1024;
/// Longest header that goes with every row, in bytes; the chunker cuts further, by tokens.
const MAX_HEADER_BYTES: usize = 2000;

/// How a text's rows are divided, and what stands above them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::extract) struct Dialect {
    delimiter: u8,
    /// Whether quotes hold a field together; no more once one was found that is never closed.
    quoting: bool,
    header: Option<Arc<str>>,
}

impl Dialect {
    /// The dialect of a text by its beginning.
    pub(in crate::extract) fn sniff(text: &str, format: Format) -> Self {
        let sample = &text[body_start(text)..];
        let sample = &sample[..crate::extract::builder::floor_char_boundary(sample, SNIFF_BYTES)];
        let delimiter = sniff_delimiter(sample, format);
        Self { delimiter, quoting: true, header: sniff_header(sample, delimiter) }
    }

    /// Where the last record begins, which may go on behind the text; `None` where each line is one.
    pub(in crate::extract) fn last_record(&self, text: &str) -> Option<usize> {
        let start = body_start(text);
        let mut reader = reader(&text.as_bytes()[start..], self.delimiter, self.quoting);
        let (mut record, mut last) = (ByteRecord::new(), None);
        if !self.quoting {
            return None;
        }
        loop {
            let at = start + usize::try_from(reader.position().byte()).ok()?;
            if !reader.read_byte_record(&mut record).ok()? {
                break;
            }
            last = Some(at);
        }
        // A quote that is not closed is no reason to put off so much.
        last.filter(|&at| text.len() - at <= MAX_RECORD_BYTES)
    }
}

/// The records of a delimited text.
pub(in crate::extract) fn read(text: &str, format: Format) -> Vec<Block> {
    read_with(text, &mut Dialect::sniff(text, format), true)
}

/// The records of a text or of a part of one; its first record is the header where the part is the first.
pub(in crate::extract) fn read_with(text: &str, dialect: &mut Dialect, is_first: bool) -> Vec<Block> {
    if let Some(blocks) = read_records(text, dialect, is_first) {
        return blocks;
    }
    dialect.quoting = false;
    read_records(text, dialect, is_first).unwrap_or_else(|| crate::extract::text::read(text, BlockKind::Row))
}

fn body_start(text: &str) -> usize {
    if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 }
}

/// One block a record, or `None` where a record is absurdly long or the reader fails.
fn read_records(text: &str, dialect: &Dialect, is_first: bool) -> Option<Vec<Block>> {
    let Dialect { delimiter, quoting, header } = dialect;
    let body_start = body_start(text);
    let mut reader = reader(&text.as_bytes()[body_start..], *delimiter, *quoting);
    let mut blocks = Blocks::new(text);
    let mut record = ByteRecord::new();
    let mut num_records = 0_u64;
    loop {
        let start = body_start + usize::try_from(reader.position().byte()).ok()?;
        if !reader.read_byte_record(&mut record).ok()? {
            break;
        }
        let end = body_start + usize::try_from(reader.position().byte()).ok()?;
        if *quoting && end.saturating_sub(start) > MAX_RECORD_BYTES && text[start..end].trim_end().contains('\n') {
            return None;
        }
        // The first record is the header itself, so it carries none.
        let header = header.as_ref().filter(|_| num_records > 0 || !is_first);
        blocks.push_row(BlockKind::Row, Span::new(start, end), header);
        num_records += 1;
    }
    Some(blocks.finish())
}

fn reader(bytes: &[u8], delimiter: u8, quoting: bool) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).quoting(quoting).from_reader(bytes)
}

/// The delimiter that divides most records into the same number of fields, more than one.
fn sniff_delimiter(sample: &str, format: Format) -> u8 {
    let candidates = if format == Format::Tsv { [b'\t', b',', b';', b'|'] } else { [b',', b';', b'\t', b'|'] };
    let score = |delimiter: u8| {
        let widths: Vec<usize> = records(sample, delimiter).map(|record| record.len()).collect();
        let Some(&width) = widths.first() else { return (0, 0) };
        let num_alike = widths.iter().filter(|&&other| other == width).count();
        if width < 2 { (0, 0) } else { (100 * num_alike / widths.len(), width) }
    };
    // Ties keep the earlier candidate.
    let mut best = (candidates[0], (0, 0));
    for delimiter in candidates {
        let score = score(delimiter);
        if score.0 > best.1.0 || (score.0 == best.1.0 && score.1 > best.1.1) {
            best = (delimiter, score);
        }
    }
    best.0
}

fn records(sample: &str, delimiter: u8) -> impl Iterator<Item = ByteRecord> {
    reader(sample.as_bytes(), delimiter, true)
        .into_byte_records()
        .map_while(Result::ok)
        .take(NUM_SNIFFED_RECORDS)
        .collect::<Vec<_>>()
        .into_iter()
}

/// The header in the first record, where another follows.
fn sniff_header(sample: &str, delimiter: u8) -> Option<Arc<str>> {
    let mut records = records(sample, delimiter);
    let first = records.next()?;
    let fields: Vec<String> = first.iter().map(|field| label(&String::from_utf8_lossy(field))).collect();
    records.next()?;
    header(&fields)
}

/// The fields of a row as readable text, where they name the columns: short words, no numbers, none twice.
pub(in crate::extract) fn header(fields: &[String]) -> Option<Arc<str>> {
    let num_named = fields.iter().filter(|field| !field.is_empty()).count();
    let is_name = |field: &String| {
        field.chars().count() <= 80 && !is_number(field) && (field.is_empty() || field.chars().any(char::is_alphabetic))
    };
    let mut sorted: Vec<&String> = fields.iter().filter(|field| !field.is_empty()).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let looks_like_names =
        num_named > 0 && num_named * 2 >= fields.len() && fields.iter().all(is_name) && sorted.len() == num_named;
    if !looks_like_names {
        return None;
    }
    Some(joined(fields))
}

/// The fields of a header as one line, as far as they go with every row.
pub(in crate::extract) fn joined(fields: &[String]) -> Arc<str> {
    let mut header = String::new();
    for field in fields {
        if header.len() + field.len() > MAX_HEADER_BYTES {
            break;
        }
        if !header.is_empty() {
            header.push_str(", ");
        }
        header.push_str(field);
    }
    header.into()
}

fn is_number(field: &str) -> bool {
    let digits = field.trim_matches(|c: char| !c.is_alphanumeric());
    !digits.is_empty()
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '/' | ':' | 'e' | 'E'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(&str, Option<String>)> {
        let blocks = read(text, Format::Csv);
        blocks
            .iter()
            .map(|block| (block.span.of(text).expect("in range"), block.header.as_deref().map(str::to_owned)))
            .collect()
    }

    #[test]
    fn every_record_has_its_own_bytes_and_the_header() {
        let header = || Some("name, note".to_owned());
        assert_eq!(
            rows("\u{feff}name,note\r\nAda,\"two\r\nlines, one cell\"\r\n\r\nBob,é\r\n"),
            [("name,note", None), ("Ada,\"two\r\nlines, one cell\"", header()), ("Bob,é", header())]
        );
    }

    #[test]
    fn the_delimiter_is_found() {
        for delimiter in [',', ';', '\t', '|'] {
            let text = format!("name{delimiter}city\nAda{delimiter}London, UK\n").replace(", ", " ");
            assert_eq!(rows(&text)[1].1.as_deref(), Some("name, city"), "{delimiter:?}");
        }
    }

    #[test]
    fn a_first_record_of_values_is_no_header() {
        assert_eq!(rows("1,2\n3,4\n"), [("1,2", None), ("3,4", None)]);
        assert_eq!(rows("a,a\nb,c\n")[1].1, None);
    }

    #[test]
    fn an_open_quote_does_not_swallow_the_file() {
        let text = format!("a,b\n\"open,1\n{}", "x,2\n".repeat(100_000));
        assert_eq!(rows(&text).len(), 100_002);
    }

    #[test]
    fn one_giant_cell_is_one_row() {
        let text = format!("a,b\n{},1\n", "word ".repeat(200_000));
        assert_eq!(rows(&text).len(), 2);
    }
}
