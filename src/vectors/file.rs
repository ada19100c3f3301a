//! The table on disk, which only grows.

use std::path::{Path, PathBuf};
use std::time::Duration;

use parking_lot::RwLock;
use rusqlite::ffi::SQLITE_IOERR_SHORT_READ;
use rusqlite::{Connection, ErrorCode, Row, params};

use super::{Code, VectorKey, VectorTable, VectorsError};
use crate::{failpoint, store};

/// How long a statement waits for another process.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Codes are nearly noise: any level finds that one value is more frequent than another, a fourteenth, and none finds more.
const CODES_LEVEL: i32 = 1;

/// The table on disk.
#[derive(Debug)]
pub(crate) struct VectorFile {
    path: PathBuf,
    /// None while a reader waits for the writer to make the table.
    connection: Option<Connection>,
    last_row: i64,
    is_closed: bool,
}

impl VectorFile {
    /// Opens the table at `path`, or makes it where it may be written.
    pub(crate) fn open(path: &Path, writable: bool) -> Result<Self, VectorsError> {
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
    pub(crate) fn close(&mut self) {
        self.connection = None;
        self.is_closed = true;
    }

    /// Brings `table` up to the rows that came since the last call, from this process or another.
    /// Returns whether there were any.
    pub(crate) fn catch_up(&mut self, table: &RwLock<VectorTable>) -> Result<bool, VectorsError> {
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
    pub(crate) fn add(
        &mut self,
        vectors: &[(VectorKey, Vec<f32>)],
        table: &RwLock<VectorTable>,
    ) -> Result<(), VectorsError> {
        let unknown: Vec<(VectorKey, Code)> = {
            let table = table.read();
            if let Some((_, vector)) = vectors.iter().find(|(_, vector)| vector.len() != table.num_dimensions()) {
                return Err(VectorsError::Dimensions { expected: table.num_dimensions(), found: vector.len() });
            }
            let unknown = vectors.iter().filter(|(key, _)| table.slot(*key).is_none());
            unknown.map(|(key, vector)| (*key, Code::of(vector))).collect()
        };
        self.keep(&unknown, table)
    }

    /// Writes vectors in one row, durably, then makes them part of `table`.
    pub(crate) fn keep(
        &mut self,
        vectors: &[(VectorKey, Code)],
        table: &RwLock<VectorTable>,
    ) -> Result<(), VectorsError> {
        let Some(connection) = &mut self.connection else { return Err(VectorsError::ReadOnly) };
        if !vectors.is_empty() {
            let (mut keys, mut scales, mut codes) = (Vec::new(), Vec::new(), Vec::new());
            for (key, code) in vectors {
                keys.extend(key.0.to_be_bytes());
                scales.extend(code.scale.to_be_bytes());
                codes.extend(code.bytes.iter().map(|byte| byte.cast_unsigned()));
            }
            let codes = zstd::bulk::compress(&codes, CODES_LEVEL).map_err(|error| VectorsError::Io(Box::new(error)))?;
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
fn open_to_read(path: &Path) -> Result<Option<Connection>, VectorsError> {
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

fn sqlite(error: rusqlite::Error) -> VectorsError {
    use ErrorCode::{DatabaseCorrupt, NotADatabase, TypeMismatch, Unknown};
    let is_short = error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_IOERR_SHORT_READ);
    match error.sqlite_error_code() {
        // The statements are right, so what they miss (`Unknown`) was lost.
        Some(NotADatabase | DatabaseCorrupt | TypeMismatch | Unknown) => {
            VectorsError::Damaged { reason: format!("the table of vectors is damaged ({error})") }
        }
        _ if is_short => VectorsError::Damaged { reason: "the table of vectors is cut off".to_owned() },
        _ => VectorsError::Io(Box::new(error)),
    }
}
