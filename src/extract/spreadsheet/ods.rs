//! `OpenDocument` spreadsheets, by their events: the library would lay each sheet out whole, and knows only values, where
//! the file has what was shown.
//!
//! # Invariants
//! - Repeated cells and rows count, and are written as often as the sheet shows them where they hold words, within its size.

use std::io::{BufReader, Cursor, Read as _};

use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::sheets::Sheets;
use super::{Stop, damaged};

/// More of a package's part is not unpacked.
const MAX_PART_BYTES: u64 = 1024 * 1024 * 1024;
/// The size of a sheet.
const MAX_ROWS: u32 = 1 << 20;
const MAX_COLUMNS: u32 = 1 << 14;

/// Reads the sheets of an `OpenDocument` spreadsheet.
pub(super) fn read(bytes: &[u8], sheets: &mut Sheets) -> Result<(), Stop> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    if let Ok(manifest) = archive.by_name("META-INF/manifest.xml") {
        let mut words = String::new();
        let is_text = manifest.take(1024 * 1024).read_to_string(&mut words).is_ok();
        if is_text && words.contains("encryption-data") {
            return Err(Stop::Password);
        }
    }
    let content = archive.by_name("content.xml").map_err(damaged)?;
    let mut xml = Reader::from_reader(BufReader::new(content.take(MAX_PART_BYTES)));
    xml.config_mut().check_end_names = false;
    let mut table = Table::default();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match xml.read_event_into(&mut buffer).map_err(damaged)? {
            Event::Start(element) => table.open(&element, sheets)?,
            Event::Empty(element) => {
                table.open(&element, sheets)?;
                table.close(element.local_name().as_ref(), sheets)?;
            }
            Event::End(element) => table.close(element.local_name().as_ref(), sheets)?,
            Event::Text(words) => table.words(&words.xml10_content()),
            Event::CData(words) => table.words(&words.xml10_content()),
            Event::GeneralRef(reference) => {
                if let Some(c) = reference.resolve_char_ref().ok().flatten() {
                    table.words(c.encode_utf8(&mut [0; 4]));
                } else if let Some(words) = quick_xml::escape::resolve_predefined_entity(&reference) {
                    table.words(words);
                }
            }
            Event::Eof if table.depth == 0 => break,
            Event::Eof => return Err(Stop::Damaged("it is cut short".to_owned())),
            _ => {}
        }
    }
    Ok(())
}

/// Where in the tables the reader is.
#[derive(Default)]
struct Table {
    /// Tables that are open; those inside another are part of its cells.
    depth: u32,
    row: u32,
    num_rows: u32,
    column: u32,
    num_columns: u32,
    /// The cells of the row with words: the column, how many alike, and the words.
    cells: Vec<(u32, u32, String)>,
    in_cell: bool,
    /// The words of the open cell as shown, and the value that stands for them where there are none.
    shown: String,
    value: String,
    num_paragraphs: u32,
    /// Paragraphs that are open.
    in_paragraph: u32,
}

impl Table {
    fn open(&mut self, element: &BytesStart<'_>, sheets: &mut Sheets) -> Result<(), Stop> {
        match element.local_name().as_ref() {
            "table" => {
                self.depth += 1;
                if self.depth == 1 {
                    let name = attribute(element, "table:name").unwrap_or_default();
                    sheets.begin(&name)?;
                    self.row = 0;
                }
            }
            "table-row" if self.depth == 1 => {
                self.num_rows = repeats(element, "table:number-rows-repeated");
                self.column = 0;
                self.cells.clear();
            }
            "table-cell" | "covered-table-cell" if self.depth == 1 => {
                self.num_columns = repeats(element, "table:number-columns-repeated");
                (self.in_cell, self.num_paragraphs, self.in_paragraph) = (true, 0, 0);
                self.shown.clear();
                self.value = ["string", "date", "time", "boolean", "value"]
                    .iter()
                    .find_map(|kind| {
                        attribute(element, &format!("office:{kind}-value").replace("value-value", "value"))
                    })
                    .unwrap_or_default();
            }
            "p" | "h" if self.in_cell => {
                if self.num_paragraphs > 0 {
                    self.shown.push(' ');
                }
                self.num_paragraphs += 1;
                self.in_paragraph += 1;
            }
            "s" | "tab" | "line-break" => self.words(" "),
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, name: &str, sheets: &mut Sheets) -> Result<(), Stop> {
        match name {
            "table" => {
                self.depth = self.depth.saturating_sub(1);
                if self.depth == 0 {
                    sheets.end()?;
                }
            }
            "table-row" if self.depth == 1 => {
                let num_rows = if self.cells.is_empty() { 0 } else { self.num_rows };
                for row in self.row..self.row.saturating_add(num_rows).min(MAX_ROWS) {
                    for (column, num_alike, words) in &self.cells {
                        for column in *column..column.saturating_add(*num_alike).min(MAX_COLUMNS) {
                            sheets.push((row, column), words)?;
                        }
                    }
                }
                self.row = self.row.saturating_add(self.num_rows);
                self.cells.clear();
            }
            "table-cell" | "covered-table-cell" if self.depth == 1 && self.in_cell => {
                self.in_cell = false;
                let words = if self.shown.trim().is_empty() { &self.value } else { &self.shown };
                if !words.trim().is_empty() {
                    self.cells.push((self.column, self.num_columns, words.clone()));
                }
                self.column = self.column.saturating_add(self.num_columns);
            }
            "p" | "h" => self.in_paragraph = self.in_paragraph.saturating_sub(1),
            _ => {}
        }
        Ok(())
    }

    fn words(&mut self, words: &str) {
        if self.in_cell && self.in_paragraph > 0 {
            self.shown.push_str(words);
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = element.try_get_attribute(name).ok().flatten()?;
    Some(
        attribute
            .normalized_value(XmlVersion::Implicit1_0)
            .map_or_else(|_| attribute.value.to_string(), std::borrow::Cow::into_owned),
    )
}

fn repeats(element: &BytesStart<'_>, name: &str) -> u32 {
    attribute(element, name).and_then(|count| count.trim().parse().ok()).unwrap_or(1)
}
