//! A file's bytes to a [`Document`]: its text and structure, one module a format.
//!
//! # Invariants
//! - [`extract`] is a pure function of its arguments: no clock, no file system, no shared state. It may panic or loop
//!   on a hostile file only inside a third-party parser; the caller contains that.
//! - A document of a UTF-8 text file holds exactly the file's bytes.
//!
//! # Not here
//! Cutting into chunks (`chunk`), reading files and containing crashes (`ingest`).

mod document;

pub use document::{Block, BlockKind, Document, Format};

/// What is known of a file besides its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Hints<'a> {
    /// The file's name with its extension, without folders.
    pub file_name: &'a str,
}

/// Why there is no document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExtractError {
    /// No reader for this type of file. The file is listed as `unsupported`.
    #[error("{type_name} files are not read")]
    Unsupported {
        /// The type in words or as a media type: `image/png`, `zip archive`.
        type_name: String,
    },
    /// The file is broken or over a limit. The file is listed as `failed`.
    #[error("{reason}")]
    Failed {
        /// What is wrong, for a person.
        reason: String,
    },
}
