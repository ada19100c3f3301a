//! A file that is too large to be held: read once for its hash and again for its text, which comes part by part.
//!
//! # Invariants
//! - Never more of the file than one part is in memory.
//! - After the last part all bytes were those of the hash; else the last part is an error.

use std::io::{Read as _, Seek as _};

use sha2::{Digest as _, Sha256};

use super::read::{ReadError, fingerprint_of_open, hash_file, now_ns, racy_until_ns};
use crate::extract::drawn::{DrawnPage, PageQuestion};
use crate::extract::parts::{Continuation, Part};
use crate::extract::{Document, ExtractError, Extractor, Source};
use crate::files::{Files, OpenFile};
use crate::store::{Fingerprint, Known};
use crate::workspace::{ContentHash, RelPath};

/// Lines of a part at the most. Each may be a paragraph or row, which is held in some hundred bytes beside its text.
const MAX_LINES: usize = 250_000;

/// Which files are read in parts, and in how large ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartSizes {
    /// Files of more bytes are, where they are texts.
    pub from_bytes: u64,
    /// Bytes of a part. No line of a table or a log should be longer.
    pub part_bytes: usize,
    /// Bytes after which what was read becomes durable.
    pub commit_bytes: usize,
}

impl Default for PartSizes {
    fn default() -> Self {
        Self { from_bytes: 16_000_000, part_bytes: 4 * 1024 * 1024, commit_bytes: 16 * 1024 * 1024 }
    }
}

/// A large file of a workspace.
#[derive(Debug)]
pub struct LargeFile {
    file: Box<dyn OpenFile>,
    file_name: String,
    /// The hash of its bytes.
    pub content_hash: ContentHash,
    /// Size and time, the same before and after it was hashed.
    pub fingerprint: Fingerprint,
    racy_until_ns: Option<i64>,
}

impl LargeFile {
    /// Opens a file of a workspace and reads it for its hash.
    ///
    /// # Errors
    /// As [`read_file`](super::read_file).
    pub fn open(files: &dyn Files, path: &RelPath, max_bytes: u64) -> Result<Self, ReadError> {
        let (file, content_hash, fingerprint) = hash_file(files, path, max_bytes)?;
        Ok(Self {
            file,
            file_name: path.file_name().to_owned(),
            content_hash,
            fingerprint,
            racy_until_ns: racy_until_ns(&fingerprint, now_ns(), files.tick_ns()),
        })
    }

    /// As what the file is known from now on.
    #[must_use]
    pub fn known(&self) -> Known {
        let (content_hash, racy_until_ns) = (Some(self.content_hash), self.racy_until_ns);
        Known { fingerprint: self.fingerprint, content_hash, racy_until_ns }
    }

    /// Makes its document in one, where it is of a type that is read whole.
    ///
    /// # Errors
    /// [`ReadError::Unstable`] where the file has changed meanwhile.
    pub fn extract(mut self, extractor: &dyn Extractor) -> Result<Result<Document, ExtractError>, ReadError> {
        let source = Source { size: self.fingerprint.size, content_hash: self.content_hash, file: &mut *self.file };
        let outcome = extractor.extract_from(source, &self.file_name);
        let after = fingerprint_of_open(&*self.file)?;
        if after == self.fingerprint { Ok(outcome) } else { Err(ReadError::Unstable) }
    }

    /// Draws a page of it.
    ///
    /// # Errors
    /// [`ReadError::Unstable`] where the file has changed meanwhile.
    pub fn draw_page(
        mut self,
        extractor: &dyn Extractor,
        page: &PageQuestion,
    ) -> Result<Result<DrawnPage, ExtractError>, ReadError> {
        let source = Source { size: self.fingerprint.size, content_hash: self.content_hash, file: &mut *self.file };
        let drawn = extractor.draw_page(source, &self.file_name, page);
        let after = fingerprint_of_open(&*self.file)?;
        if after == self.fingerprint { Ok(drawn) } else { Err(ReadError::Unstable) }
    }

    /// Reads its text from the beginning.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn parts(mut self, extractor: &dyn Extractor, part_bytes: usize) -> Result<Parts<'_>, ReadError> {
        self.file.rewind().map_err(ReadError::of_open)?;
        Ok(Parts {
            file: self,
            extractor,
            part_bytes,
            buffer: Vec::new(),
            hasher: Sha256::new(),
            num_read: 0,
            num_text_bytes: 0,
            num_lines: 0,
            before: None,
        })
    }
}

/// The parts of a large file's text, in order.
pub struct Parts<'a> {
    file: LargeFile,
    extractor: &'a dyn Extractor,
    part_bytes: usize,
    /// What was read of the file and is in no part yet.
    buffer: Vec<u8>,
    hasher: Sha256,
    num_read: u64,
    num_text_bytes: usize,
    num_lines: usize,
    before: Option<Continuation>,
}

/// A part and its place in the whole text.
#[derive(Debug)]
pub struct PlacedPart {
    /// The document of the part alone.
    pub document: Document,
    /// The byte of the whole text that it begins at.
    pub start: usize,
    /// Lines of the file before it.
    pub num_lines_before: u32,
}

/// Why there is no next part.
#[derive(Debug)]
pub enum PartError {
    /// The file cannot be read to its end, or has changed meanwhile.
    Read(ReadError),
    /// What was read is of no use from here on.
    Extract(ExtractError),
    /// The file is of a type that is read whole.
    NotInParts,
}

impl Parts<'_> {
    /// The next part; `None` after the last.
    ///
    /// # Errors
    /// See [`PartError`]. There is no next part after an error.
    pub fn next_part(&mut self) -> Result<Option<PlacedPart>, PartError> {
        let size = self.file.fingerprint.size;
        let wanted = self.part_bytes.saturating_sub(self.buffer.len()) as u64;
        let wanted = wanted.min(size - self.num_read);
        let before = self.buffer.len();
        let num_read = (&mut *self.file.file).take(wanted).read_to_end(&mut self.buffer);
        let num_read = num_read.map_err(|error| PartError::Read(ReadError::of_open(error)))?;
        self.hasher.update(&self.buffer[before..]);
        self.num_read += num_read as u64;
        if num_read as u64 != wanted {
            return Err(PartError::Read(ReadError::Unstable));
        }
        let is_last = self.num_read == size;
        if is_last && self.buffer.is_empty() {
            return Ok(None);
        }
        let name = &self.file.file_name;
        let given = &self.buffer[..end_of_lines(&self.buffer, MAX_LINES)];
        let is_last_part = is_last && given.len() == self.buffer.len();
        let part = self.extractor.extract_part(given, is_last_part, name, self.before.as_ref());
        let Part { document, num_used, next } = part.map_err(PartError::Extract)?.ok_or(PartError::NotInParts)?;
        self.buffer.drain(..num_used);
        if is_last && self.buffer.is_empty() {
            self.check_unchanged().map_err(PartError::Read)?;
        }
        let num_lines_before = u32::try_from(self.num_lines).unwrap_or(u32::MAX);
        let placed = PlacedPart { start: self.num_text_bytes, num_lines_before, document };
        self.num_text_bytes += placed.document.text.len();
        self.num_lines += placed.document.text.bytes().filter(|&byte| byte == b'\n').count();
        self.before = Some(next);
        Ok(Some(placed))
    }

    /// The file, for another use.
    #[must_use]
    pub fn into_file(self) -> LargeFile {
        self.file
    }

    /// How many bytes of the file are in a part by now.
    #[must_use]
    pub fn num_done(&self) -> u64 {
        self.num_read - self.buffer.len() as u64
    }

    /// How many lines are.
    #[must_use]
    pub const fn num_lines(&self) -> usize {
        self.num_lines
    }

    fn check_unchanged(&self) -> Result<(), ReadError> {
        let after = fingerprint_of_open(&*self.file.file)?;
        let hash = ContentHash(self.hasher.clone().finalize().into());
        if after == self.file.fingerprint && hash == self.file.content_hash {
            return Ok(());
        }
        Err(ReadError::Unstable)
    }
}

/// The end of the last of the first `most` lines.
fn end_of_lines(bytes: &[u8], most: usize) -> usize {
    let mut ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    ends.nth(most - 1).unwrap_or(bytes.len())
}
