//! The newest entry by its number and hash, and the file that holds it beside the segments.

use std::fmt;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::str::FromStr;

use fs_err as fs;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::AuditError;
use super::segments::open_private;

/// The name of the file.
const NAME: &str = "head";

/// The SHA-256 of an entry, written as 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EntryHash([u8; 32]);

impl EntryHash {
    /// What the first entry of a journal names as the hash before it.
    pub const NONE: Self = Self([0; 32]);

    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The hash of a text in two pieces.
    pub(super) fn of_both(one: &[u8], other: &[u8]) -> Self {
        Self(Sha256::new().chain_update(one).chain_update(other).finalize().into())
    }

    /// The 64 digits.
    pub(super) fn hex(self) -> [u8; 64] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut hex = [0; 64];
        for (pair, byte) in hex.chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        hex
    }

    /// Reads 64 lower-case digits.
    pub(super) fn read(hex: &[u8]) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        if hex.len() != 64 {
            return None;
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(hash))
    }
}

impl fmt::Display for EntryHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.hex()).map_err(|_| fmt::Error)?)
    }
}

/// An entry by its number and hash: enough to tell later whether it, and all before it, are as they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Head {
    /// The number of the entry; 0 where the journal has none.
    #[schema(example = 1042)]
    pub seq: u64,
    /// Its hash, 64 hexadecimal digits.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub hash: String,
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, self.hash)
    }
}

impl FromStr for Head {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        let invalid = || AuditError::Invalid { what: format!("`{text}` is no head: give SEQ:HASH") };
        let (seq, hash) = text.trim().split_once(':').ok_or_else(invalid)?;
        let seq = seq.parse().map_err(|_| invalid())?;
        let hash = hash.to_ascii_lowercase();
        EntryHash::read(hash.as_bytes()).ok_or_else(invalid)?;
        Ok(Self { seq, hash })
    }
}

/// The newest entry, and the segment that the next one goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    pub seq: u64,
    pub hash: EntryHash,
    /// The number of the segment's first entry.
    pub segment: u64,
}

impl End {
    pub(super) const NONE: Self = Self { seq: 0, hash: EntryHash::NONE, segment: 1 };

    pub(super) fn head(self) -> Head {
        Head { seq: self.seq, hash: self.hash.to_string() }
    }

    /// Always of one length, so that it is overwritten in place.
    fn line(self) -> String {
        format!("{:020} {} {:020}\n", self.seq, self.hash, self.segment)
    }

    fn read(text: &str) -> Option<Self> {
        let mut fields = text.strip_suffix('\n')?.split(' ');
        let (seq, hash, segment) = (fields.next()?, fields.next()?, fields.next()?);
        let end =
            Self { seq: seq.parse().ok()?, hash: EntryHash::read(hash.as_bytes())?, segment: segment.parse().ok()? };
        (end.line() == text).then_some(end)
    }
}

/// The file `head`.
pub(super) struct HeadFile(fs::File);

/// What the file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    Nothing,
    End(End),
    Damaged,
}

impl HeadFile {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self(open_private(&folder.join(NAME))?))
    }

    /// Reads the file of a journal that this process may not write.
    pub(super) fn look(folder: &Path) -> io::Result<Stored> {
        match fs::read_to_string(folder.join(NAME)) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Stored::Nothing),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(Stored::Damaged),
            Err(error) => Err(error),
        }
    }

    pub(super) fn file(&self) -> &fs::File {
        &self.0
    }

    pub(super) fn stored(&mut self) -> io::Result<Stored> {
        let mut bytes = Vec::with_capacity(128);
        self.0.rewind()?;
        (&mut self.0).take(1_024).read_to_end(&mut bytes)?;
        Ok(std::str::from_utf8(&bytes).map_or(Stored::Damaged, Self::parse))
    }

    fn parse(text: &str) -> Stored {
        match End::read(text) {
            _ if text.is_empty() => Stored::Nothing,
            Some(end) => Stored::End(end),
            None => Stored::Damaged,
        }
    }

    pub(super) fn store(&mut self, end: End) -> io::Result<()> {
        let line = end.line();
        self.0.rewind()?;
        self.0.write_all(line.as_bytes())
    }

    /// Takes away what stands behind the line, after a file that was damaged.
    pub(super) fn store_alone(&mut self, end: End) -> io::Result<()> {
        self.0.set_len(0)?;
        self.store(end)
    }
}
