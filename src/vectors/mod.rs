//! Vectors by content: a table on disk that only grows, and the same codes in memory. Backends of an index share it.
//!
//! # Invariants
//! - A vector is a fact (this text under this model has this vector), so nothing here knows of files or deletes.
//! - A row holds the vectors that came together. One whose checksum does not fit is as good as absent: its texts are
//!   embedded again.
//! - Rows are committed before they are in memory, so a reader process never knows less than it will after a restart.
//!
//! # Not here
//! Which vectors are live, and which of them lie near a query's: that is `index`.

mod file;
mod table;

use sha2::{Digest as _, Sha256};

pub(crate) use self::file::VectorFile;
pub(crate) use self::table::{Code, Codes, VectorTable};

/// Names a vector by what made it: the first sixteen bytes of the SHA-256 of model and embedded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VectorKey(pub u128);

impl VectorKey {
    /// The key of a chunk that has no vector under the index's model, now or later: the model does not know its language.
    pub const NONE: Self = Self(0);

    /// The key of the vector that `model_id` makes of `embedding_text`.
    #[must_use]
    pub fn of(model_id: &str, embedding_text: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(model_id.as_bytes());
        hasher.update([0]);
        hasher.update(embedding_text.as_bytes());
        let digest: [u8; 32] = hasher.finalize().into();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Self(u128::from_be_bytes(first))
    }
}

/// Why a table of vectors cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum VectorsError {
    /// The file is no such table, or it was cut off.
    #[error("{reason}")]
    Damaged {
        /// What is wrong.
        reason: String,
    },
    /// Opened for reading only.
    #[error("the table of vectors was opened for reading only")]
    ReadOnly,
    /// A vector of the wrong length.
    #[error("a vector has {found} dimensions, and the table has {expected}")]
    Dimensions {
        /// The model's dimensions.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// The disk refused.
    #[error("the table of vectors cannot be written or read")]
    Io(#[source] Box<dyn std::error::Error + Send + Sync>),
}
