//! Text to unit vectors, and pairs of texts to scores: the models, their manifest, and how their files and ONNX Runtime are found.
//!
//! [`open`] gives a model by name: its token counter, which needs no runtime, and its embedder, or the reason why there
//! is none. [`list`] and [`pull`] are what `pincite models` shows and does. [`OnnxReranker`] is a model that the user brings.
//!
//! # Invariants
//! - A vector depends on its text and the model alone: one text a run, so never on what else is embedded beside it.
//! - Every file of an embedding model is checked against a pinned SHA-256 before it is used. A reranker is the user's own, as what
//!   it does ends with the reply.
//! - No library is loaded that was fetched and does not have its pinned SHA-256.
//! - Nothing here panics because of a file, a library or a text; a missing runtime is an error value.
//!
//! # Not here
//! Vectors are not stored or compared: that is `index`. Whether a text fits the model is the chunker's business.

mod catalog;
mod convert;
mod error;
mod fetch;
mod hub;
mod manifest;
mod onnx;
mod packages;
mod pins;
mod pip;
mod progress;
mod reranker;
mod runtime;
mod session;
#[cfg(test)]
pub(crate) mod testing;
mod tokens;

use multiversion::multiversion;

pub use catalog::{
    ModelEntry, ModelIdentity, OpenModel, OpenOptions, default_model, identify, list, name_of, open, pull,
    remove_leftovers,
};
pub use error::EmbedError;
pub use manifest::{Manifest, ModelLanguages, ModelSpec, Pooling};
pub use onnx::OnnxEmbedder;
pub use progress::{Progress, Silent};
pub use reranker::{OnnxReranker, Reranker};
pub use runtime::{FoundRuntime, RuntimeOptions, RuntimeOrigin, ensure_runtime, find_runtime};
pub use tokens::ModelTokens;

/// Partial sums of [`dot`].
const LANES: usize = 32;

/// The dot product of two vectors of equal length: their cosine, where both have unit length.
///
/// Every 32nd product goes into the same partial sum, so that additions do not wait for each other. It is compiled for several
/// instruction sets, which all give the same bits: the order of the additions is the same.
#[must_use]
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0.0_f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for ((sum, x), y) in sums.iter_mut().zip(a).zip(b) {
            *sum += x * y;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

/// The largest of rounded numbers: the products of two vectors of 8,000 numbers have room in 32 bits.
const LARGEST_ROUNDED: f32 = 511.0;

/// A vector as whole numbers of `-511..=511`, and what to multiply them by.
#[must_use]
pub fn rounded(vector: &[f32]) -> (Vec<i16>, f32) {
    let largest = vector.iter().filter(|x| x.is_finite()).fold(0.0_f32, |largest, x| largest.max(x.abs()));
    let scale = if largest > 0.0 { largest / LARGEST_ROUNDED } else { 1.0 };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the quotient is at most `LARGEST_ROUNDED` by the choice of scale"
    )]
    let number = |x: &f32| if x.is_finite() { (x / scale).round() as i16 } else { 0 };
    (vector.iter().map(number).collect(), scale)
}

/// The dot product of two [`rounded`] vectors, before it is multiplied by their scales.
#[must_use]
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512vl", "x86_64+avx2", "aarch64+neon"))]
pub fn dot_of_rounded(a: &[i16], b: &[i16]) -> i32 {
    a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
}

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

    /// The cosine of a query and a passage that have nothing to do with each other, and of two that say the same.
    fn cosine_range(&self) -> (f32, f32) {
        DEFAULT_COSINE_RANGE
    }
}

/// Of all-MiniLM-L6-v2: unrelated texts are orthogonal, and `docs/ranking.md` has what was measured of other upper ends.
pub(crate) const DEFAULT_COSINE_RANGE: (f32, f32) = (0.0, 0.8);
