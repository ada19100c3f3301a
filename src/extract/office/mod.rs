//! Office documents that are packages of XML: Word, `PowerPoint`, `OpenDocument`; and EPUB books.
//!
//! # Invariants
//! - The text is made here, in the order in which one reads it: paragraphs apart by blank lines, tables row by row.
//! - A part that is missing or damaged costs its own words; the document fails only where its main part cannot be read.
//!
//! # Not here
//! Pictures, embedded files, and how things look.

mod charts;
mod epub;
mod frames;
mod math;
mod numbering;
pub(super) mod ole2;
mod open_document;
pub(super) mod package;
mod page;
mod relations;
mod slides;
mod story;
mod styles;
mod symbols;
mod table;
#[cfg(test)]
mod tests;
mod word;
pub(super) mod xml_events;

use super::office::package::{Package, PackageKind};
use super::spreadsheet::{self, Packing};
use super::{Document, ExtractError, Format};
use page::Page;

/// Reads a package.
///
/// # Errors
/// [`ExtractError::Failed`] where its main part is missing or locked.
pub(super) fn read(bytes: &[u8], kind: PackageKind) -> Result<Document, ExtractError> {
    let Some(mut package) = Package::open(bytes) else {
        return Err(failed("the ZIP container of the document is damaged"));
    };
    let mut document = match kind {
        PackageKind::Word => word::read(&mut package),
        PackageKind::Slides => slides::read(&mut package),
        PackageKind::OpenText => open_document::read(&mut package, Format::Odt),
        PackageKind::OpenSlides => open_document::read(&mut package, Format::Odp),
        PackageKind::Epub => epub::read(&mut package),
        PackageKind::Spreadsheet => return spreadsheet::read(bytes, Packing::Xlsx),
    }?;
    document.partial = joined(package.partial(), document.partial);
    Ok(document)
}

fn failed(reason: &str) -> ExtractError {
    ExtractError::Failed { reason: reason.to_owned() }
}

/// Both reasons, where there are two.
fn joined(one: Option<String>, other: Option<String>) -> Option<String> {
    match (one, other) {
        (Some(one), Some(other)) => Some(format!("{one}; {other}")),
        (one, other) => one.or(other),
    }
}

/// Why a document is not all there, where its main part broke off.
fn broken_off(is_whole: bool) -> Option<String> {
    (!is_whole).then(|| "the XML of the document is damaged; what stands before the damage was read".to_owned())
}

/// The document of a text that was made; a title of its own goes before its first heading.
fn document(format: Format, title: Option<String>, page: Page) -> Document {
    let title = title.or(page.first_heading);
    Document { title, blocks: page.blocks, pages: page.pages, ..Document::of(format, page.text) }
}
