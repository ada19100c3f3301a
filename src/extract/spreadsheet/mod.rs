//! Spreadsheets: each sheet under its name, one line a row, the header with every row.
//!
//! # Invariants
//! - The text is made here: cells as a person sees them, tabs between them, empty rows left out.
//! - XLSX, XLSB and ODS take memory by the cells that hold something, not by the size that a sheet says it has; the
//!   library lays out a sheet of XLS whole, so that a hostile one is bounded by the limits of the child process.
//! - A sheet that cannot be read is said in [`Document::partial`], and the others are read.
//!
//! # Not here
//! Charts, comments outside ODS, and formulas: of a formula the value is read that was stored with it.

mod ods;
mod packing;
mod sheets;
#[cfg(test)]
mod tests;
mod values;

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use calamine::{Reader, SheetType, Xls, Xlsb, Xlsx};

use super::builder::label;
use super::{Document, ExtractError};
pub(super) use packing::{Packing, packing};
use sheets::{Full, MAX_TEXT_BYTES, Sheets};

/// Why a sheet or a workbook was not read to its end.
enum Stop {
    /// It is damaged, in the library's words.
    Damaged(String),
    Password,
    /// There is more than is read.
    Full,
}

impl From<Full> for Stop {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

/// Reads a spreadsheet.
///
/// # Errors
/// [`ExtractError::Failed`] where it is protected by a password, or nothing of it can be read.
pub(super) fn read(bytes: &[u8], packing: Packing) -> Result<Document, ExtractError> {
    let mut book = Book::default();
    let outcome = match packing {
        Packing::Xlsx => read_xlsx(bytes, &mut book),
        Packing::Xlsb => read_xlsb(bytes, &mut book),
        Packing::Xls => read_xls(bytes, &mut book),
        Packing::Ods => contained(|| ods::read(bytes, &mut book.sheets)),
    };
    book.finish(outcome)
}

/// What was read of a workbook.
#[derive(Default)]
struct Book {
    sheets: Sheets,
    num_read: usize,
    /// Sheets that were not read to their end, with the reason.
    unread: Vec<String>,
}

impl Book {
    /// Reads one sheet; what fails in it is noted, and the others go on.
    fn sheet(&mut self, name: &str, read: impl FnOnce(&mut Sheets) -> Result<(), Stop>) -> Result<(), Stop> {
        self.sheets.begin(name)?;
        match contained(|| read(&mut self.sheets)) {
            Ok(()) => self.num_read += 1,
            Err(Stop::Damaged(reason)) => self.unread.push(format!("the sheet `{}` ({reason})", label(name))),
            Err(stop) => return Err(stop),
        }
        Ok(())
    }

    fn finish(self, outcome: Result<(), Stop>) -> Result<Document, ExtractError> {
        let failed = |reason: String| Err(ExtractError::Failed { reason });
        let mut partial = None;
        let place = self.sheets.place();
        match outcome {
            Ok(()) if self.unread.is_empty() => {}
            Ok(()) => partial = Some(format!("not read to the end: {}", self.unread.join("; "))),
            Err(Stop::Password) => return failed("the spreadsheet is protected by a password".to_owned()),
            Err(Stop::Full) => {
                let limit = MAX_TEXT_BYTES / (1024 * 1024);
                partial =
                    Some(format!("the spreadsheet has more than is read ({limit} MB of text): read up to {place}"));
            }
            Err(Stop::Damaged(reason)) => partial = Some(format!("the spreadsheet is damaged after {place}: {reason}")),
        }
        let document = self.sheets.finish(partial);
        match document.partial {
            Some(partial) if document.blocks.is_empty() && self.num_read == 0 => {
                let reason = partial.replacen(" after its beginning", "", 1);
                let reason = reason.replacen("not read to the end: ", "the spreadsheet is damaged: ", 1);
                failed(reason)
            }
            _ => Ok(document),
        }
    }
}

/// Runs a part of a reader: its crash is the file's damage.
fn contained<T>(read: impl FnOnce() -> Result<T, Stop>) -> Result<T, Stop> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(Stop::Damaged("the reader for it crashed".to_owned())))
}

/// What a library says of a file, for a person.
fn damaged(error: impl std::fmt::Display) -> Stop {
    let error = error.to_string();
    if error.contains("password protected") { Stop::Password } else { Stop::Damaged(label(&error)) }
}

/// The names of the sheets that have cells, in order, hidden ones too.
fn names(sheets: &[calamine::Sheet]) -> Vec<String> {
    let with_cells = sheets.iter().filter(|sheet| matches!(sheet.typ, SheetType::WorkSheet | SheetType::MacroSheet));
    with_cells.map(|sheet| sheet.name.clone()).collect()
}

fn read_xlsx(bytes: &[u8], book: &mut Book) -> Result<(), Stop> {
    let mut file = contained(|| Xlsx::new(Cursor::new(bytes)).map_err(damaged))?;
    for name in names(file.sheets_metadata()) {
        book.sheet(&name, |sheets| {
            let mut cells = file.worksheet_cells_reader(&name).map_err(damaged)?;
            while let Some((cell, style)) = cells.next_cell_with_style_id().map_err(damaged)? {
                let format = cells.styles().get(style).and_then(|style| style.number_format.as_ref());
                let format = format.map(|format| format.format_code.as_str());
                sheets.push(cell.get_position(), &values::words(cell.get_value(), format))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn read_xlsb(bytes: &[u8], book: &mut Book) -> Result<(), Stop> {
    let mut file = contained(|| Xlsb::new(Cursor::new(bytes)).map_err(damaged))?;
    for name in names(file.sheets_metadata()) {
        book.sheet(&name, |sheets| {
            let mut cells = file.worksheet_cells_reader(&name).map_err(damaged)?;
            while let Some(cell) = cells.next_cell().map_err(damaged)? {
                sheets.push(cell.get_position(), &values::words(cell.get_value(), None))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn read_xls(bytes: &[u8], book: &mut Book) -> Result<(), Stop> {
    let mut file = contained(|| Xls::new(Cursor::new(bytes)).map_err(damaged))?;
    for name in names(file.sheets_metadata()) {
        book.sheet(&name, |sheets| {
            let range = file.worksheet_range(&name).map_err(damaged)?;
            let (first_row, first_column) = range.start().unwrap_or_default();
            let place = |offset: usize, first: u32| u32::try_from(offset).unwrap_or(u32::MAX).saturating_add(first);
            for (row, column, value) in range.used_cells() {
                let at = (place(row, first_row), place(column, first_column));
                sheets.push(at, &values::owned_words(value))?;
            }
            Ok(())
        })?;
    }
    Ok(())
}
