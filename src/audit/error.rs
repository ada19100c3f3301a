//! Why the journal cannot be written or read.

use std::io;

use crate::error::Advice;

/// Why the journal cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The disk has no room for the entry, and `audit.on_full` is `refuse`.
    #[error("the disk is full, so the access cannot be recorded")]
    Full(#[source] io::Error),
    /// The access had its effect, and only its beginning is in the journal.
    #[error("it was done, and the disk is full: the journal holds that it was begun, not how it ended")]
    FullAfter(#[source] io::Error),
    /// This process may not write the journal.
    #[error("this process may not write the audit journal")]
    Denied(#[source] io::Error),
    /// Another process holds the journal for too long.
    #[error("another process has held the audit journal for {waited_ms} milliseconds")]
    Busy {
        /// How long it was waited for.
        waited_ms: u128,
    },
    /// What is asked for cannot be.
    #[error("{what}")]
    Invalid {
        /// What is wrong.
        what: String,
    },
    /// The disk does not do what it is asked.
    #[error("the audit journal cannot be used")]
    Io(#[source] io::Error),
}

impl AuditError {
    /// The error of an access that has had its effect.
    #[must_use]
    pub fn after(self) -> Self {
        match self {
            Self::Full(error) => Self::FullAfter(error),
            other => other,
        }
    }
}

impl From<io::Error> for AuditError {
    fn from(error: io::Error) -> Self {
        use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        match error.kind() {
            StorageFull | QuotaExceeded => Self::Full(error),
            PermissionDenied | ReadOnlyFilesystem => Self::Denied(error),
            _ => Self::Io(error),
        }
    }
}

impl Advice for AuditError {
    fn code(&self) -> &'static str {
        match self {
            Self::Full(_) | Self::FullAfter(_) => "audit_full",
            Self::Denied(_) | Self::Io(_) => "audit_failed",
            Self::Busy { .. } => "audit_busy",
            Self::Invalid { .. } => "invalid_request",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Full(_) => "free space on the disk, or set `audit.on_full = \"drop\"` in `config.toml`",
                Self::FullAfter(_) => "do not send it again: read the state, and free space on the disk",
                Self::Denied(_) => "make the folder `audit` of the data folder writable for this user",
                Self::Busy { .. } => "end the process that holds `audit/lock` in the data folder, or continue it",
                Self::Invalid { .. } => "docs/audit.md describes what can be asked",
                Self::Io(_) => "check the disk that holds the data folder",
            }
            .to_owned(),
        )
    }
}
