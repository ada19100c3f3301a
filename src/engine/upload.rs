//! A file whose content comes bit by bit: who writes it, and how long it may be.

use std::io::{self, Read};
use std::path::PathBuf;

use super::EngineError;
use super::allowances::Room;
use super::bases::MAX_KEPT_BYTES;
use crate::access::{Caller, Quota};
use crate::ingest::{NewFile, ReadError};
use crate::workspace::{ContentHash, Provenance, RelPath};

/// Bytes that are copied at once.
const PIECE: usize = 256 * 1024;

/// A file of which not everything has come yet. What is not finished leaves nothing.
#[derive(Debug)]
pub struct Upload {
    pub(super) path: RelPath,
    pub(super) root: PathBuf,
    pub(super) file: NewFile,
    pub(super) max_bytes: u64,
    /// What the caller's key could write, and the workspace take, when the file was begun.
    pub(super) day: Option<Quota>,
    pub(super) room: Room,
    pub(super) provenance: Provenance,
    pub(super) caller: Caller,
    /// The whole content, as long as it is short.
    pub(super) content: Option<Vec<u8>>,
}

impl Upload {
    /// Says who writes the file, as the caller claims it.
    ///
    /// # Errors
    /// When that cannot be, or is another writer than the caller's key names.
    pub fn by(self, provenance: Provenance) -> Result<Self, EngineError> {
        provenance.check()?;
        Ok(Self { provenance: self.caller.attribute(provenance)?, ..self })
    }

    /// Takes what comes next in the file.
    ///
    /// # Errors
    /// When the file is longer than one may be, or the disk refuses.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        self.check_size(self.file.size() + bytes.len() as u64)?;
        if self.file.size() + bytes.len() as u64 > MAX_KEPT_BYTES as u64 {
            self.content = None;
        }
        if let Some(content) = &mut self.content {
            content.extend_from_slice(bytes);
        }
        Ok(self.file.write(bytes)?)
    }

    /// How many bytes have come.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.file.size()
    }

    /// The SHA-256 of what has come.
    #[must_use]
    pub fn content_hash(&self) -> ContentHash {
        self.file.content_hash()
    }

    /// Takes what comes next in the file from `source`, to its end. An error of the source is told by `failed`.
    ///
    /// # Errors
    /// As [`Upload::write`], and those of the source.
    pub fn write_from<E: Into<EngineError>>(
        &mut self,
        mut source: impl Read,
        failed: impl FnOnce(io::Error) -> E,
    ) -> Result<(), EngineError> {
        let mut piece = vec![0; PIECE];
        loop {
            match source.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(num_bytes) => self.write(&piece[..num_bytes])?,
                Err(error) => return Err(failed(error).into()),
            }
        }
    }

    /// Refuses a file of this size, if it is too long, or there is no room for it.
    ///
    /// # Errors
    /// [`ReadError::TooLarge`], [`AccessError::QuotaExceeded`](crate::access::AccessError::QuotaExceeded).
    pub fn check_size(&self, size: u64) -> Result<(), EngineError> {
        let max_bytes = self.max_bytes;
        if size > max_bytes {
            return Err(ReadError::TooLarge { size, max_bytes }.into());
        }
        self.day.map_or(Ok(()), |day| day.check(size))?;
        self.room.check(size)
    }
}
