//! Who indexes: the one process that holds the lock on `writer.lock`.
//!
//! The system lets the lock go when its process ends, however it ends. The file holds the process's number and command,
//! for whoever has to wait for it.

use std::fs::TryLockError;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::atomic::Ordering;

use super::{Engine, EngineError};
use crate::private;

/// What a data folder is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Opened for reading, beside a process that writes.
    Read,
    /// To be indexed by this process; an error where another one does already.
    Write,
    /// To log changes, and to index them if nobody else does, now or later.
    Share,
}

/// The lock, held until it is dropped.
pub(super) struct WriterLock(#[expect(dead_code, reason = "held, never read")] fs_err::File);

/// Takes the lock where `access` asks for it; `None` leaves the indexing to another process.
pub(super) fn take(folder: &Path, access: Access, command: &str) -> Result<Option<WriterLock>, EngineError> {
    if access == Access::Read {
        return Ok(None);
    }
    private::make_data_folder(folder).map_err(EngineError::Io)?;
    match (try_lock(folder, command)?, access) {
        (None, Access::Write) => Err(EngineError::Busy { folder: folder.to_owned(), holder: holder(folder) }),
        (taken, _) => Ok(taken),
    }
}

fn try_lock(folder: &Path, command: &str) -> Result<Option<WriterLock>, EngineError> {
    let path = folder.join("writer.lock");
    let mut file = fs_err::OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .map_err(EngineError::Io)?;
    match file.file().try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(EngineError::Io(error)),
    }
    let holder = format!("process {} (`{command}`)", std::process::id());
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(holder.as_bytes()))
        .map_err(EngineError::Io)?;
    Ok(Some(WriterLock(file)))
}

/// Who holds the lock, for a person.
pub(super) fn holder(folder: &Path) -> String {
    let mut holder = String::new();
    let read = fs_err::File::open(folder.join("writer.lock")).and_then(|mut file| file.read_to_string(&mut holder));
    if read.is_err() || holder.is_empty() {
        "another process".clone_into(&mut holder);
    }
    holder
}

impl Engine {
    /// Whether this process indexes.
    #[must_use]
    pub fn is_writer(&self) -> bool {
        self.indexes_here.load(Ordering::Acquire)
    }

    /// Takes the indexing over if nobody does it, and returns whether this process does it now.
    ///
    /// # Errors
    /// When the lock cannot be asked for.
    pub(super) fn take_over(&self) -> Result<bool, EngineError> {
        if self.is_writer() {
            return Ok(true);
        }
        if self.access != Access::Share {
            return Ok(false);
        }
        let Some(taken) = try_lock(&self.data_folder, &self.command)? else { return Ok(false) };
        // Indexes that were opened for reading are let go, and opened for writing at their next use.
        let mut indexes = self.indexes.lock();
        *self.writer.lock() = Some(taken);
        self.indexes_here.store(true, Ordering::Release);
        indexes.clear();
        drop(indexes);
        tracing::info!("this process indexes from now on");
        Ok(true)
    }

    pub(super) fn must_log(&self) -> Result<(), EngineError> {
        if self.access == Access::Read { Err(EngineError::ReadOnly) } else { Ok(()) }
    }
}
