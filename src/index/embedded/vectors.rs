//! Vectors by content: a table on disk that only grows, and the same codes in memory, in large pieces.
//!
//! # Invariants
//! - A vector is a fact (this text under this model has this vector), so nothing here knows of files or deletes.
//! - A row holds the vectors that came together. One whose checksum does not fit is as good as absent: its texts are
//!   embedded again.
//! - Rows are committed before they are in memory, so a reader process never knows less than it will after a restart.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use rusqlite::ffi::SQLITE_IOERR_SHORT_READ;
use rusqlite::{Connection, ErrorCode, Row, params};

use crate::index::{IndexError, VectorKey};
use crate::{failpoint, store};

/// How long a statement waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Codes are nearly noise: any level finds that one value is more frequent than another, a fourteenth, and none finds more.
const CODES_LEVEL: i32 = 1;

/// A vector as it is scanned: one byte a dimension, and what to multiply them by.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Code {
    pub bytes: Vec<i8>,
    pub scale: f32,
}

impl Code {
    /// Rounds a vector to the nearest multiples of its largest component's 127th part, and takes as their scale what brings
    /// them nearest to the vector. What is no number counts 0, so that every score is one.
    pub(super) fn of(vector: &[f32]) -> Self {
        let finite = |x: &&f32| x.is_finite();
        let largest = vector.iter().filter(finite).fold(0.0_f32, |largest, x| largest.max(x.abs()));
        let step = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        #[expect(clippy::cast_possible_truncation, reason = "the quotient lies in -127..=127 by the choice of step")]
        let bytes: Vec<i8> = vector.iter().map(|x| if x.is_finite() { (x / step).round() as i8 } else { 0 }).collect();
        // By least squares: the step itself would make vectors too long or too short by the sum of what was rounded.
        let rounded = || bytes.iter().map(|&byte| f32::from(byte));
        let product: f32 = vector.iter().zip(rounded()).filter(|(x, _)| x.is_finite()).map(|(x, byte)| x * byte).sum();
        let square: f32 = rounded().map(|byte| byte * byte).sum();
        let scale = if square > 0.0 && (product / square).is_finite() { product / square } else { step };
        Self { bytes, scale }
    }
}

/// Codes of one piece of the table.
const PIECE: usize = 1 << PIECE_BITS;
const PIECE_BITS: u32 = 10;

/// So many codes, one after the other in memory. A full piece never changes.
#[derive(Debug, Clone, Default)]
struct Piece {
    codes: Vec<i8>,
    scales: Vec<f32>,
}

/// The codes as they are scanned: a view of the table that later additions do not touch, so a scan holds no lock.
#[derive(Debug, Clone, Default)]
pub(super) struct Codes {
    num_dimensions: usize,
    pieces: Vec<Arc<Piece>>,
}

impl Codes {
    pub(super) const fn num_dimensions(&self) -> usize {
        self.num_dimensions
    }

    pub(super) fn code(&self, slot: u32) -> &[i8] {
        let start = slot as usize % PIECE * self.num_dimensions;
        &self.piece(slot).codes[start..start + self.num_dimensions]
    }

    /// The codes and scales from a slot on, to the end of what lies together in memory.
    pub(super) fn rows_at(&self, slot: u32) -> (&[i8], &[f32]) {
        let (piece, at) = (self.piece(slot), slot as usize % PIECE);
        (&piece.codes[at * self.num_dimensions..], &piece.scales[at..])
    }

    pub(super) fn scale(&self, slot: u32) -> f32 {
        self.piece(slot).scales[slot as usize % PIECE]
    }

    fn piece(&self, slot: u32) -> &Piece {
        &self.pieces[(slot >> PIECE_BITS) as usize]
    }
}

/// Every vector that is known, by its key.
#[derive(Debug)]
pub(super) struct VectorTable {
    slots: HashMap<VectorKey, u32>,
    codes: Codes,
}

impl VectorTable {
    pub(super) fn new(num_dimensions: usize) -> Self {
        Self { slots: HashMap::new(), codes: Codes { num_dimensions, pieces: Vec::new() } }
    }

    fn push(&mut self, key: VectorKey, scale: f32, code: impl Iterator<Item = i8>) {
        let slot = u32::try_from(self.len()).expect("memory ends before four thousand million vectors");
        let Codes { num_dimensions, pieces } = &mut self.codes;
        if self.slots.len().is_multiple_of(PIECE) {
            let codes = Vec::with_capacity(PIECE * *num_dimensions);
            pieces.push(Arc::new(Piece { codes, scales: Vec::with_capacity(PIECE) }));
        }
        // Copies the piece when a view holds it.
        let piece = Arc::make_mut(pieces.last_mut().expect("a piece was pushed before the first code"));
        piece.scales.push(scale);
        piece.codes.extend(code);
        self.slots.insert(key, slot);
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn slot(&self, key: VectorKey) -> Option<u32> {
        self.slots.get(&key).copied()
    }

    /// The vector of a key, where it is known.
    pub(super) fn code(&self, key: VectorKey) -> Option<Code> {
        let slot = self.slot(key)?;
        Some(Code { bytes: self.codes.code(slot).to_vec(), scale: self.codes.scale(slot) })
    }

    /// The codes of all slots that are given out by now.
    pub(super) const fn codes(&self) -> &Codes {
        &self.codes
    }

    const fn num_dimensions(&self) -> usize {
        self.codes.num_dimensions()
    }
}

/// The table on disk.
#[derive(Debug)]
pub(super) struct VectorFile {
    path: PathBuf,
    /// None while a reader waits for the writer to make the table.
    connection: Option<Connection>,
    last_row: i64,
    is_closed: bool,
}

impl VectorFile {
    /// Opens the table at `path`, or makes it where it may be written.
    pub(super) fn open(path: &Path, writable: bool) -> Result<Self, IndexError> {
        let connection = if writable {
            let connection = Connection::open(path).map_err(sqlite)?;
            connection
                .execute_batch(
                    "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
                     CREATE TABLE IF NOT EXISTS vectors (
                         id INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, keys BLOB NOT NULL, scales BLOB NOT NULL,
                         codes BLOB NOT NULL)",
                )
                .map_err(sqlite)?;
            connection.busy_timeout(BUSY_TIMEOUT).map_err(sqlite)?;
            Some(connection)
        } else {
            open_to_read(path)?
        };
        Ok(Self { path: path.to_owned(), connection, last_row: 0, is_closed: false })
    }

    /// Lets go of the file.
    pub(super) fn close(&mut self) {
        self.connection = None;
        self.is_closed = true;
    }

    /// Brings `table` up to the rows that came since the last call, from this process or another.
    /// Returns whether there were any.
    pub(super) fn catch_up(&mut self, table: &RwLock<VectorTable>) -> Result<bool, IndexError> {
        let mut num_damaged = 0_usize;
        let before = self.last_row;
        if self.connection.is_none() && !self.is_closed {
            self.connection = open_to_read(&self.path)?;
        }
        let Some(connection) = &self.connection else { return Ok(false) };
        let mut statement = connection
            .prepare_cached("SELECT id, checksum, keys, scales, codes FROM vectors WHERE id > ?1 ORDER BY id")
            .map_err(sqlite)?;
        let mut rows = statement.query([self.last_row]).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            self.last_row = row.get(0).map_err(sqlite)?;
            let mut table = table.write();
            let Some((keys, scales, codes)) = sound_row(row, table.num_dimensions()) else {
                num_damaged += 1;
                continue;
            };
            let num_dimensions = table.num_dimensions();
            for ((&key, &scale), code) in keys.iter().zip(scales).zip(codes.chunks_exact(num_dimensions)) {
                let key = VectorKey(u128::from_be_bytes(key));
                if table.slot(key).is_none() {
                    table.push(key, f32::from_be_bytes(scale), code.iter().map(|&byte| byte.cast_signed()));
                }
            }
        }
        if num_damaged > 0 {
            tracing::warn!(
                num_damaged,
                "rows of vectors on disk are damaged or of another model; their texts are embedded again"
            );
        }
        Ok(self.last_row > before)
    }

    /// Writes the vectors whose keys `table` does not know, durably, then makes them part of it.
    pub(super) fn add(
        &mut self,
        vectors: &[(VectorKey, Vec<f32>)],
        table: &RwLock<VectorTable>,
    ) -> Result<(), IndexError> {
        let unknown: Vec<(VectorKey, Code)> = {
            let table = table.read();
            if let Some((_, vector)) = vectors.iter().find(|(_, vector)| vector.len() != table.num_dimensions()) {
                return Err(IndexError::Dimensions { expected: table.num_dimensions(), found: vector.len() });
            }
            let unknown = vectors.iter().filter(|(key, _)| table.slot(*key).is_none());
            unknown.map(|(key, vector)| (*key, Code::of(vector))).collect()
        };
        self.keep(&unknown, table)
    }

    /// Writes vectors in one row, durably, then makes them part of `table`.
    pub(super) fn keep(
        &mut self,
        vectors: &[(VectorKey, Code)],
        table: &RwLock<VectorTable>,
    ) -> Result<(), IndexError> {
        let Some(connection) = &mut self.connection else { return Err(IndexError::ReadOnly) };
        if !vectors.is_empty() {
            let (mut keys, mut scales, mut codes) = (Vec::new(), Vec::new(), Vec::new());
            for (key, code) in vectors {
                keys.extend(key.0.to_be_bytes());
                scales.extend(code.scale.to_be_bytes());
                codes.extend(code.bytes.iter().map(|byte| byte.cast_unsigned()));
            }
            let codes = zstd::bulk::compress(&codes, CODES_LEVEL).map_err(super::io)?;
            let checksum = checksum_of(&keys, &scales, &codes);
            failpoint::reach("vectors: about to be kept");
            connection
                .prepare_cached("INSERT INTO vectors (checksum, keys, scales, codes) VALUES (?1, ?2, ?3, ?4)")
                .and_then(|mut statement| statement.execute(params![checksum, keys, scales, codes]))
                .map_err(sqlite)?;
            failpoint::reach("vectors: kept");
        }
        self.catch_up(table)?;
        Ok(())
    }
}

/// A connection that only reads, or `None` where the writer has not made the table yet.
fn open_to_read(path: &Path) -> Result<Option<Connection>, IndexError> {
    if !path.exists() {
        return Ok(None);
    }
    let connection = store::open_to_read(path, BUSY_TIMEOUT).map_err(sqlite)?;
    let has_table = connection
        .prepare("SELECT 1 FROM sqlite_master WHERE name = 'vectors'")
        .and_then(|mut statement| statement.exists([]))
        .map_err(sqlite)?;
    Ok(has_table.then_some(connection))
}

/// Keys and scales of a row's vectors, and their codes one after the other.
type SoundRow<'a> = (&'a [[u8; 16]], &'a [[u8; 4]], Vec<u8>);

/// A row that is what was written, for a model of that many dimensions.
fn sound_row<'a>(row: &'a Row<'_>, num_dimensions: usize) -> Option<SoundRow<'a>> {
    let blob = |column: usize| row.get_ref(column).ok()?.as_blob().ok();
    let (keys, scales, codes) = (blob(2)?, blob(3)?, blob(4)?);
    let checksum: u32 = row.get(1).ok()?;
    if checksum_of(keys, scales, codes) != checksum {
        return None;
    }
    let ((keys, []), (scales, [])) = (keys.as_chunks(), scales.as_chunks()) else { return None };
    let codes = zstd::bulk::decompress(codes, keys.len() * num_dimensions).ok()?;
    (scales.len() == keys.len() && codes.len() == keys.len() * num_dimensions).then_some((keys, scales, codes))
}

fn checksum_of(keys: &[u8], scales: &[u8], codes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [keys, scales, codes] {
        hasher.update(part);
    }
    hasher.finalize()
}

fn sqlite(error: rusqlite::Error) -> IndexError {
    use ErrorCode::{DatabaseCorrupt, NotADatabase, TypeMismatch, Unknown};
    let is_short = error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_IOERR_SHORT_READ);
    match error.sqlite_error_code() {
        // The statements are right, so what they miss (`Unknown`) was lost.
        Some(NotADatabase | DatabaseCorrupt | TypeMismatch | Unknown) => {
            IndexError::Unusable { reason: format!("the table of vectors is damaged ({error})") }
        }
        _ if is_short => IndexError::Unusable { reason: "the table of vectors is cut off".to_owned() },
        _ => IndexError::Io(Box::new(error)),
    }
}
