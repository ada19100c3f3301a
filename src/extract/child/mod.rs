//! Extraction in child processes: the same binary, kept warm, within limits, and with nothing of the system in reach.
//!
//! # Invariants
//! - A file that makes its reader crash, hang, or take too much memory or text is `failed` with the reason; the next file finds another
//!   child. The parent holds no more than the file's bytes and its document.
//! - At most so many children work at a time, and all of them together, idle ones too, are no more and hold no more than their memory;
//!   who waits for one file takes turns with those who index many.
//! - How much text and structure is taken of a file depends on the file's size: a small file never makes a large document.
//! - A child reads requests and writes documents and pictures of pages, and can do nothing else where the system lets it be confined: see `confine`.
//! - What a child says is checked as if the file had written it: spans lie in the text, boxes on the page, sizes within their limits.

mod confine;
mod drawing;
mod gate;
mod memory;
mod pool;
#[cfg(test)]
mod tests;
mod watch;
pub(super) mod wire;

use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::PathBuf;
use std::time::Duration;

pub(super) use self::memory::resident_bytes;
pub use self::pool::Children;

use self::wire::Question;
use super::{Document, ExtractError, Extractor as _, Hints, InProcess, contained, draw_page};

/// What a child may take for one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Time for a file, and a second more for each megabyte of it.
    pub timeout: Duration,
    /// Memory, in bytes, as it resides.
    pub memory_bytes: u64,
    /// Text of the document, in bytes, however large the file is.
    pub text_bytes: usize,
    /// Text of the document that every file may have, in bytes, besides some for each of its own.
    pub base_text_bytes: usize,
    /// Structure of the document (blocks, headings, pages) that every file may have, as a child sends it, in bytes.
    pub structure_bytes: u64,
    /// The same however large the file is: each byte of it is held some six times while the document is made.
    pub most_structure_bytes: u64,
    /// Children at work at a time, and children in all.
    pub max_children: usize,
    /// Resident memory of all children together, in bytes.
    pub memory_of_all_bytes: u64,
    /// How often a file is tried whose child was ended from outside.
    pub max_tries: u32,
}

impl Limits {
    /// As configured by default, on two cores.
    pub const DEFAULT: Self = Self {
        timeout: Duration::from_mins(1),
        memory_bytes: 2_000_000_000,
        text_bytes: 100_000_000,
        base_text_bytes: 16_000_000,
        structure_bytes: 16_000_000,
        most_structure_bytes: 48_000_000,
        max_children: 4,
        memory_of_all_bytes: 4_000_000_000,
        max_tries: 4,
    };

    /// What a child may send as the structure of a file of this size: a row of a table or a line of a list is a few bytes in the file
    /// and some fifty here, a compressed file has ten times its size of text.
    fn structure_bytes_of(&self, file_bytes: u64) -> u64 {
        self.structure_bytes
            .saturating_add(file_bytes.saturating_mul(STRUCTURE_BYTES_PER_BYTE))
            .min(self.most_structure_bytes)
    }

    /// How many bytes of text are taken of a file of this size: documents of office programs unpack to ten times their size, while one
    /// that was made to do harm unpacks to a thousand times.
    fn text_bytes_of(&self, file_bytes: u64) -> usize {
        let of_its_own = usize::try_from(file_bytes.saturating_mul(TEXT_BYTES_PER_BYTE)).unwrap_or(usize::MAX);
        self.base_text_bytes.saturating_add(of_its_own).min(self.text_bytes)
    }
}

/// For each byte of a file so many of structure are taken from a child, besides those that every file may have.
const STRUCTURE_BYTES_PER_BYTE: u64 = 32;

/// The same of text.
const TEXT_BYTES_PER_BYTE: u64 = 32;

/// Reader processes as they stand, and what became of those before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReaderCounts {
    /// Readers at work.
    pub busy: usize,
    /// Readers that wait for a file.
    pub idle: usize,
    /// Files that wait for a reader.
    pub waiting: usize,
    /// Readers that were started, in all.
    pub started: u64,
    /// Files that were given to another reader because the first one went wrong.
    pub retries: u64,
    /// Readers that went wrong, by why.
    pub ended: [(&'static str, u64); 4],
}

/// How a child is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// The arguments that make it call [`serve`]; the memory that it may take, in bytes, comes after them.
    pub arguments: Vec<String>,
}

/// The whole life of a child: reads files from standard input and writes their documents to standard output until the input ends.
///
/// # Errors
/// When the parent is gone or says what makes no sense, or the child cannot be confined.
pub fn serve(memory_bytes: u64) -> io::Result<()> {
    let (input, mut output) = confine::channels()?;
    memory::watch();
    wire::write_greeting(&mut output, confine::confine(memory_bytes)?.as_deref())?;
    serve_on(BufReader::new(input), BufWriter::new(output))
}

fn serve_on(mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    while let Some((question, bytes)) = wire::read_request(&mut input)? {
        match question {
            Question::File { file_name, max_text_bytes } => {
                let mut answer = InProcess.extract(bytes, &file_name);
                if let Ok(document) = &mut answer {
                    keep_to(max_text_bytes, document);
                }
                wire::write_answer(&mut output, &answer)?;
            }
            Question::Part { file_name, is_last, before } => {
                wire::write_part(&mut output, &InProcess.extract_part(&bytes, is_last, &file_name, before.as_ref()))?;
            }
            Question::Page { file_name, page } => {
                drawing::write_page(
                    &mut output,
                    &contained(|| draw_page(&bytes, Hints { file_name: &file_name }, &page)),
                )?;
            }
        }
        output.flush()?;
    }
    Ok(())
}

/// Gives up the texts of members that are too much with those before them.
fn keep_to(max_text_bytes: usize, document: &mut Document) {
    let mut left = max_text_bytes.saturating_sub(document.text.len());
    for member in &mut document.members {
        let Ok(inside) = &member.outcome else { continue };
        match left.checked_sub(inside.text.len()) {
            Some(rest) => left = rest,
            None => {
                member.outcome = Err(ExtractError::Failed {
                    reason: format!(
                        "its text and those of the files before it are more than the {} MB that are read of this file (the limits are \
                         `limits.reader_text_mb` and `extraction.text_mb`)",
                        max_text_bytes / 1_000_000
                    ),
                });
            }
        }
    }
}
