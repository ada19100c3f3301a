//! Files beneath a folder that is held open, whoever renames folders or puts links in their place meanwhile.
//!
//! # Invariants
//! - Nothing outside the held folder is opened, made, renamed or removed: no symbolic link is followed, in no part of a path. On
//!   Linux the kernel sees to it (`openat2` with `RESOLVE_BENEATH` and `RESOLVE_NO_SYMLINKS`), elsewhere each part is opened
//!   in the one before it without following a link.
//! - What is checked is what was opened. Files are made, renamed and removed by name in a folder that is open.
//! - Opening waits for nobody, and gives a regular file or an error: never a named pipe, a socket or a device.
//!
//! On systems other than Unix, paths are looked at before they are used; a link that comes between the two is followed there.

use std::io;

use crate::error::Advice;

#[cfg(not(unix))]
mod portable;
#[cfg(test)]
mod tests;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub use portable::{Folder, meta_of_open, set_mode};
#[cfg(unix)]
pub use unix::{Folder, meta_of_open, set_mode};

/// What is at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A named pipe, a socket or a device.
    Other,
}

/// What the file system says of a place, of a link itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// What it is.
    pub kind: Kind,
    /// Size in bytes.
    pub size: u64,
    /// When its content was modified, in nanoseconds since 1970.
    pub modified_ns: i64,
    /// When it was changed in any way, in nanoseconds since 1970; 0 where the system does not say.
    pub changed_ns: i64,
    /// Its number in the file system; 0 where there is none.
    pub inode: u64,
    /// The bits of its permissions; those of a regular file of anybody where there are none.
    pub mode: u32,
}

/// Why nothing was opened, made, renamed or removed.
#[derive(Debug, thiserror::Error)]
pub enum BeneathError {
    /// A symbolic link is at the place or on the way to it.
    #[error("a symbolic link is in the way")]
    Link,
    /// There is nothing at the place, or no folder on the way to it.
    #[error("there is nothing at this place")]
    Missing,
    /// A file is where a folder is wanted.
    #[error("it is not a folder")]
    NotAFolder,
    /// A folder, named pipe, socket or device is where a regular file is wanted.
    #[error("it is not a regular file")]
    NotAFile,
    /// There is something where nothing was expected.
    #[error("there is something at this place already")]
    Exists,
    /// The system refused.
    #[error("the system refused")]
    Io(#[source] io::Error),
}

impl Advice for BeneathError {
    fn code(&self) -> &'static str {
        match self {
            Self::Link => "outside_workspace",
            Self::Missing => "file_not_found",
            Self::NotAFolder | Self::NotAFile => "not_a_file",
            Self::Exists => "precondition_failed",
            Self::Io(_) => "file_io",
        }
    }

    fn hint(&self) -> Option<String> {
        None
    }
}

/// Divides a relative path into its folder and its name.
#[must_use]
pub fn divided(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Whether each part of a relative path is a name, and none leads up.
fn is_relative(path: &str) -> bool {
    path.split('/').all(is_name)
}

/// Whether this is the name of one thing in a folder.
fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}
