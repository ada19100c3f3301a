//! A file's bytes to a [`Document`]: its text and structure, one module a format.
//!
//! # Invariants
//! - [`extract`] is a pure function of its arguments: no clock, no file system, no shared state. It may panic or loop
//!   on a hostile file only inside a third-party parser; an [`Extractor`] contains that, [`child`] with limits.
//! - A document of a UTF-8 text file holds exactly the file's bytes; only of what one reads otherwise than it stands in the
//!   file (HTML, PDF, notebooks, RTF, office documents, messages, archives) the text is made here.
//! - No word of a text is lost: what a reader has no structure for is a paragraph.
//!
//! # Not here
//! Cutting into chunks (`chunk`) and reading files (`ingest`).

mod builder;
pub mod child;
mod container;
mod data;
mod detect;
mod document;
pub mod drawn;
pub mod escapes;
pub mod kept;
mod language;
mod markup;
mod office;
pub mod parts;
mod pdf;
mod rtf;
mod spreadsheet;
#[cfg(test)]
pub(crate) mod tests;
mod text;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::error::Advice;
use crate::files::OpenFile;
use crate::workspace::ContentHash;
use container::Nest;
use container::{archive, mail};
use data::{delimited, json, notebook, toml, xml, yaml};
use detect::Kind;
use drawn::{DrawnPage, PageQuestion};
use markup::{asciidoc, html, latex, markdown, rst};
use parts::{Continuation, Part};
use text::{code, log, subtitles};

pub use document::{Block, BlockKind, Document, Format, Member, PageUnit};
pub use language::language_of;

/// What is known of a file besides its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Hints<'a> {
    /// The file's name with its extension, without folders.
    pub file_name: &'a str,
}

/// Why there is no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ExtractError {
    /// No reader for this type of file. The file is listed as `unsupported`.
    #[error("{type_name} files are not read")]
    Unsupported {
        /// The type in words or as a media type: `image/png`, `zip archive`.
        type_name: String,
    },
    /// The file is broken or over a limit. The file is listed as `failed`.
    #[error("{reason}")]
    Failed {
        /// What is wrong, for a person.
        reason: String,
    },
    /// The process that read the file was ended from outside, as often as it was tried. The file is listed as `failed` until the next
    /// scan tries it again.
    #[error("{reason}")]
    Killed {
        /// How often, and how it ended.
        reason: String,
    },
    /// Nothing can be read for now, and the file is not at fault.
    #[error("{reason}")]
    Unavailable {
        /// What is wrong, for a person.
        reason: String,
    },
}

impl Advice for ExtractError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unsupported { .. } => "unsupported",
            Self::Failed { .. } => "extraction_failed",
            Self::Killed { .. } => "reader_killed",
            Self::Unavailable { .. } => "extraction_unavailable",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unavailable { .. } => Some(
                "check that the program file was not moved, and that the system can start more processes".to_owned(),
            ),
            Self::Killed { .. } => {
                Some("check the system's log for ended processes; the system may be short of memory".to_owned())
            }
            Self::Unsupported { .. } | Self::Failed { .. } => None,
        }
    }
}

/// Makes documents of files' bytes, and contains what goes wrong.
pub trait Extractor: Send + Sync {
    /// As the function [`extract`]; a crash of a reader is the file's failure.
    ///
    /// # Errors
    /// As [`extract`], and [`ExtractError::Unavailable`] where nothing can be read for now.
    fn extract(&self, bytes: Vec<u8>, file_name: &str) -> Result<Document, ExtractError>;

    /// As [`Extractor::extract`], of a file that need not be held here.
    ///
    /// # Errors
    /// As [`Extractor::extract`], and [`ExtractError::Failed`] where the file is not what `source` says.
    fn extract_from(&self, source: Source<'_>, file_name: &str) -> Result<Document, ExtractError>;

    /// As the function [`parts::read_part`]; a crash of a reader is the failure of this part.
    ///
    /// # Errors
    /// As [`Extractor::extract`].
    fn extract_part(
        &self,
        bytes: &[u8],
        is_last: bool,
        file_name: &str,
        before: Option<&Continuation>,
    ) -> Result<Option<Part>, ExtractError>;

    /// As the function [`draw_page`]; a crash of a reader is the failure of this page.
    ///
    /// # Errors
    /// As [`Extractor::extract_from`].
    fn draw_page(&self, source: Source<'_>, file_name: &str, page: &PageQuestion) -> Result<DrawnPage, ExtractError>;

    /// The same readers for somebody who waits for one file; `None` where that makes no difference.
    fn for_requests(&self) -> Option<Box<dyn Extractor + '_>> {
        None
    }

    /// The reader processes as they stand; `None` where there are none.
    fn readers(&self) -> Option<child::ReaderCounts> {
        None
    }

    /// What keeps a hostile file from doing harm and does not hold here, for a person; as far as that is known by now.
    fn weakness(&self) -> Option<String> {
        None
    }
}

/// An open file, to be read from its beginning.
pub struct Source<'a> {
    /// The file.
    pub file: &'a mut dyn OpenFile,
    /// How many bytes it has.
    pub size: u64,
    /// Their hash.
    pub content_hash: ContentHash,
}

impl Source<'_> {
    /// All bytes of the file.
    fn bytes(&mut self) -> Result<Vec<u8>, ExtractError> {
        let mut bytes = Vec::new();
        self.copy_to(&mut bytes).map_err(|error| ExtractError::Failed { reason: error.to_string() })?;
        Ok(bytes)
    }

    /// Gives all bytes to `take`, in order, and makes sure that they were those of the hash.
    ///
    /// # Errors
    /// When the file cannot be read, is another one by now, or `take` refuses.
    pub fn copy_to(&mut self, take: &mut dyn io::Write) -> io::Result<()> {
        self.file.rewind()?;
        let (mut hasher, mut block, mut left) = (Sha256::new(), vec![0; COPIED_AT_ONCE], self.size);
        while left > 0 {
            let most = COPIED_AT_ONCE.min(usize::try_from(left).unwrap_or(COPIED_AT_ONCE));
            let num_read = self.file.read(&mut block[..most])?;
            if num_read == 0 {
                return Err(changed());
            }
            hasher.update(&block[..num_read]);
            take.write_all(&block[..num_read])?;
            left -= num_read as u64;
        }
        if ContentHash(hasher.finalize().into()) == self.content_hash { Ok(()) } else { Err(changed()) }
    }
}

const COPIED_AT_ONCE: usize = 256 * 1024;

fn changed() -> io::Error {
    io::Error::other("the file changes while it is read")
}

impl<E: Extractor + ?Sized> Extractor for &E {
    fn for_requests(&self) -> Option<Box<dyn Extractor + '_>> {
        (**self).for_requests()
    }

    fn extract(&self, bytes: Vec<u8>, file_name: &str) -> Result<Document, ExtractError> {
        (**self).extract(bytes, file_name)
    }

    fn extract_from(&self, source: Source<'_>, file_name: &str) -> Result<Document, ExtractError> {
        (**self).extract_from(source, file_name)
    }

    fn extract_part(
        &self,
        bytes: &[u8],
        is_last: bool,
        file_name: &str,
        before: Option<&Continuation>,
    ) -> Result<Option<Part>, ExtractError> {
        (**self).extract_part(bytes, is_last, file_name, before)
    }

    fn draw_page(&self, source: Source<'_>, file_name: &str, page: &PageQuestion) -> Result<DrawnPage, ExtractError> {
        (**self).draw_page(source, file_name, page)
    }

    fn weakness(&self) -> Option<String> {
        (**self).weakness()
    }
}

/// Reads files in this process: panics are contained, and aborts, hangs and memory are not.
#[derive(Debug, Clone, Copy, Default)]
pub struct InProcess;

impl Extractor for InProcess {
    fn extract(&self, bytes: Vec<u8>, file_name: &str) -> Result<Document, ExtractError> {
        contained(|| extract(&bytes, Hints { file_name }))
    }

    fn extract_from(&self, mut source: Source<'_>, file_name: &str) -> Result<Document, ExtractError> {
        self.extract(source.bytes()?, file_name)
    }

    fn extract_part(
        &self,
        bytes: &[u8],
        is_last: bool,
        file_name: &str,
        before: Option<&Continuation>,
    ) -> Result<Option<Part>, ExtractError> {
        contained(|| parts::read_part(bytes, is_last, Hints { file_name }, before))
    }

    fn draw_page(
        &self,
        mut source: Source<'_>,
        file_name: &str,
        page: &PageQuestion,
    ) -> Result<DrawnPage, ExtractError> {
        let bytes = source.bytes()?;
        contained(|| draw_page(&bytes, Hints { file_name }, page))
    }
}

fn contained<T>(read: impl FnOnce() -> Result<T, ExtractError>) -> Result<T, ExtractError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(ExtractError::Failed { reason: "the reader for this type crashed on the file".to_owned() })
    })
}

/// Makes a document of a file's bytes.
///
/// The format is found by content first and name second. A file without words gives a document with empty text.
///
/// # Errors
/// [`ExtractError::Unsupported`] for a type that is not read, [`ExtractError::Failed`] for a broken file.
pub fn extract(bytes: &[u8], hints: Hints<'_>) -> Result<Document, ExtractError> {
    extract_in(bytes, hints, &mut Nest::of(bytes.len()))
}

/// Draws a page of a PDF, and says where words of its text are on it.
///
/// # Errors
/// [`ExtractError::Failed`] for a file that is broken, no PDF or without such a page.
pub fn draw_page(bytes: &[u8], hints: Hints<'_>, page: &PageQuestion) -> Result<DrawnPage, ExtractError> {
    match detect::detect(bytes, hints)? {
        Kind::Pdf => pdf::picture::draw(bytes, page),
        _ => Err(ExtractError::Failed { reason: "only pages of PDFs are drawn".to_owned() }),
    }
}

/// As [`extract`], for a file that may be inside others.
fn extract_in(bytes: &[u8], hints: Hints<'_>, nest: &mut Nest) -> Result<Document, ExtractError> {
    let (decoded, format, language) = match detect::detect(bytes, hints)? {
        Kind::Pdf => return pdf::read(bytes),
        Kind::Archive(packing) => return archive::read(bytes, packing, hints, nest),
        Kind::Message => return mail::read_message(bytes, nest),
        Kind::Mailbox => return mail::read_mailbox(bytes, nest),
        Kind::Rtf => return Ok(rtf::read(bytes)),
        Kind::Spreadsheet(packing) => return spreadsheet::read(bytes, packing),
        Kind::Package(kind) => return office::read(bytes, kind),
        Kind::Text { decoded, format, language } => (decoded, format, language),
    };
    let mut document =
        Document { encoding: decoded.encoding, has_file_lines: true, ..Document::of(format, decoded.text) };
    let text = &document.text;
    match format {
        Format::Markdown => (document.blocks, document.title) = markdown::read(text),
        Format::Rst => (document.blocks, document.title) = rst::read(text),
        Format::Html => {
            let Some(page) = html::read(text) else {
                return Err(ExtractError::Failed { reason: "the HTML is nested too deeply to be read".to_owned() });
            };
            document.blocks = page.blocks;
            document.title = page.title;
            document.text = page.text;
            document.has_file_lines = false;
        }
        Format::Notebook => {
            let notebook = notebook::read(text)?;
            document.blocks = notebook.blocks;
            document.title = notebook.title;
            document.text = notebook.text;
            document.partial = notebook.partial;
            document.has_file_lines = false;
        }
        Format::Code => {
            document.blocks = code::read(text, language);
            document.language = language.map(str::to_owned);
        }
        Format::Json => document.blocks = json::read(text),
        Format::Jsonl => document.blocks = json::read_lines(text),
        Format::Csv | Format::Tsv => document.blocks = delimited::read(text, format),
        Format::Yaml => document.blocks = yaml::read(text),
        Format::Toml => document.blocks = toml::read(text),
        Format::Xml => (document.blocks, document.title) = xml::read(text),
        Format::Subtitles => document.blocks = subtitles::read(text),
        Format::Asciidoc => (document.blocks, document.title) = asciidoc::read(text),
        Format::Latex => (document.blocks, document.title) = latex::read(text),
        Format::Log => document.blocks = log::read(text),
        // Configuration and markup without a reader of its own is verbatim text.
        Format::Text
        | Format::Pdf
        | Format::Archive
        | Format::Email
        | Format::Mailbox
        | Format::Spreadsheet
        | Format::Rtf
        | Format::Docx
        | Format::Pptx
        | Format::Odt
        | Format::Odp
        | Format::Epub => {
            let kind = if language.is_some() { BlockKind::Code } else { BlockKind::Prose };
            document.blocks = text::read(text, kind);
        }
    }
    Ok(document)
}
