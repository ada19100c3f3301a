//! Who may write a data folder: the one process that holds the lock on `writer.lock`.
//!
//! The system lets the lock go when its process ends, however it ends. The file holds the process's number and command,
//! for the message that a second writer gets.

use std::fs::TryLockError;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use super::EngineError;

/// What a data folder is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To be read beside whoever writes.
    Read,
    /// To be written; an error where another process writes already.
    Write,
    /// To be written if nobody else does, and otherwise to be read.
    WriteOrRead,
}

/// The lock, held until it is dropped.
pub(super) struct WriterLock(#[expect(dead_code, reason = "held, never read")] fs_err::File);

/// Takes the lock where `access` asks for it; `None` is a reader.
pub(super) fn take(folder: &Path, access: Access, command: &str) -> Result<Option<WriterLock>, EngineError> {
    if access == Access::Read {
        return Ok(None);
    }
    fs_err::create_dir_all(folder).map_err(EngineError::Io)?;
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
        Err(TryLockError::WouldBlock) if access == Access::WriteOrRead => return Ok(None),
        Err(TryLockError::WouldBlock) => return Err(busy(folder)),
        Err(TryLockError::Error(error)) => return Err(EngineError::Io(error)),
    }
    let holder = format!("process {} (`{command}`)", std::process::id());
    file.set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| file.write_all(holder.as_bytes()))
        .map_err(EngineError::Io)?;
    Ok(Some(WriterLock(file)))
}

/// The error of a second writer, naming the first.
pub(super) fn busy(folder: &Path) -> EngineError {
    let mut holder = String::new();
    let read = fs_err::File::open(folder.join("writer.lock")).and_then(|mut file| file.read_to_string(&mut holder));
    if read.is_err() || holder.is_empty() {
        "another process".clone_into(&mut holder);
    }
    EngineError::Busy { folder: folder.to_owned(), holder }
}
