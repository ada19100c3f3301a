//! Text to unit vectors: the embedding model, its manifest, and how its files and ONNX Runtime are found.
//!
//! # Invariants
//! - A vector depends on its text and the model alone: one text a run, so never on what else is embedded beside it.
//! - Every model file is checked against a pinned SHA-256 before it is used.

use crate::error::Advice;

/// Turns text into vectors of unit length.
pub trait Embedder: Send + Sync {
    /// Names the weights and the way they are used; part of every vector's key, so vectors of two models never mix.
    fn model_id(&self) -> &str;

    /// Length of every vector.
    fn num_dimensions(&self) -> usize;

    /// The vectors of `texts`, in their order, each of unit length. Uses all cores.
    ///
    /// # Errors
    /// When the runtime fails on a text; nothing is returned then.
    fn embed_passages(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError>;

    /// The vector of a query, of unit length. Does not wait for passages that are being embedded.
    ///
    /// # Errors
    /// When the runtime fails on the text.
    fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError>;
}

/// Why there are no vectors.
#[derive(Debug, thiserror::Error)]
pub enum EmbedError {
    /// The runtime refused a text or the model's output was not as the manifest says.
    #[error("the embedding model failed: {reason}")]
    Failed {
        /// What the runtime said.
        reason: String,
    },
}

impl Advice for EmbedError {
    fn code(&self) -> &'static str {
        match self {
            Self::Failed { .. } => "embedding_failed",
        }
    }
}
