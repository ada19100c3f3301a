//! Which process indexes a data folder: the one that holds the lock on `writer.lock`.
//!
//! The system lets the lock go when its process ends, however it ends. The file holds the process's number and command,
//! for whoever has to wait for it.

use std::fs::TryLockError;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::{DataFolder, EngineError};
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

/// This process's part in the indexing of a data folder: whether it does it now, or may take it over.
pub(super) struct WriterLock {
    access: Access,
    /// The description of this process that a waiting process shows.
    command: String,
    /// The locked file: taken once, and held until the end.
    file: Mutex<Option<fs_err::File>>,
    /// Whether `file` is held.
    is_held: AtomicBool,
}

impl WriterLock {
    /// Takes the lock where `access` asks for it, unless it may be left to another process.
    ///
    /// # Errors
    /// [`EngineError::Busy`] where another process has it and `access` is [`Access::Write`].
    pub(super) fn open(folder: &Path, access: Access, command: String) -> Result<Self, EngineError> {
        let file = take(folder, access, &command)?;
        Ok(Self { access, command, is_held: AtomicBool::new(file.is_some()), file: Mutex::new(file) })
    }
}

/// Takes the lock where `access` asks for it; `None` leaves the indexing to another process.
fn take(folder: &Path, access: Access, command: &str) -> Result<Option<fs_err::File>, EngineError> {
    if access == Access::Read {
        return Ok(None);
    }
    private::make_data_folder(folder).map_err(EngineError::Io)?;
    match (try_lock(folder, command)?, access) {
        (None, Access::Write) => Err(EngineError::Busy { folder: folder.to_owned(), holder: holder(folder) }),
        (taken, _) => Ok(taken),
    }
}

fn try_lock(folder: &Path, command: &str) -> Result<Option<fs_err::File>, EngineError> {
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
    Ok(Some(file))
}

/// Who holds the lock, for a person.
fn holder(folder: &Path) -> String {
    let mut holder = String::new();
    let read = fs_err::File::open(folder.join("writer.lock")).and_then(|mut file| file.read_to_string(&mut holder));
    if read.is_err() || holder.is_empty() {
        "another process".clone_into(&mut holder);
    }
    holder
}

impl DataFolder {
    /// Whether this process indexes.
    pub(crate) fn is_writer(&self) -> bool {
        self.writer_lock.is_held.load(Ordering::Acquire)
    }

    /// Whether this process was started for questions only.
    pub(crate) fn only_reads(&self) -> bool {
        self.writer_lock.access == Access::Read
    }

    /// The process that indexes, for a person.
    pub(crate) fn writer(&self) -> String {
        holder(&self.path)
    }

    /// Takes the indexing over if nobody does it, and returns whether this process does it now.
    ///
    /// # Errors
    /// When the lock cannot be asked for.
    pub(crate) fn take_over(&self) -> Result<bool, EngineError> {
        let WriterLock { access, command, file, is_held } = &self.writer_lock;
        if self.is_writer() {
            return Ok(true);
        }
        if *access != Access::Share {
            return Ok(false);
        }
        let Some(taken) = try_lock(&self.path, command)? else { return Ok(false) };
        // Indexes that were opened for reading are let go, and opened for writing at their next use.
        let mut indexes = self.indexes.lock();
        *file.lock() = Some(taken);
        is_held.store(true, Ordering::Release);
        indexes.clear();
        drop(indexes);
        tracing::info!("this process indexes from now on");
        Ok(true)
    }

    /// # Errors
    /// [`EngineError::ReadOnly`] where this process was started for questions only.
    pub(crate) fn must_log(&self) -> Result<(), EngineError> {
        if self.only_reads() { Err(EngineError::ReadOnly) } else { Ok(()) }
    }
}
