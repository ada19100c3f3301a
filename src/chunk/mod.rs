//! A document cut into chunks: the units of indexing.
//!
//! # Invariants (property tests hold them)
//! - Chunk spans are in range, on character boundaries, in order, do not overlap, and cover all text but white space.
//! - A chunk lies on one page, and its [`Chunk::embedding_text`] fits the model's token limit.
//!
//! # Not here
//! Counting tokens is the embedder's business: the chunker asks a [`TokenCounter`].

use std::sync::Arc;

use crate::workspace::{LineRange, Span};

/// Counts what a model will see of a text.
pub trait TokenCounter: Send + Sync {
    /// The number of tokens of `text`, without the special tokens that the model adds around it.
    fn num_tokens(&self, text: &str) -> usize;

    /// The most tokens that one text may have, without the special tokens.
    fn max_tokens(&self) -> usize;
}

/// The unit of indexing: a piece of one document with its place and its context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Position in the document, from 0.
    pub ordinal: u32,
    /// Where the chunk's own words stand.
    pub span: Span,
    /// The page, counted from 1, where the document has pages.
    pub page: Option<u32>,
    /// The lines of the file, where the document has the file's lines.
    pub lines: Option<LineRange>,
    /// Headings or enclosing definitions above the chunk, outermost first.
    pub trail: Arc<[String]>,
    /// The header of the table whose rows the chunk holds, where the chunk does not itself begin with it.
    pub header: Option<Arc<str>>,
    /// What the model embeds: title and heading trail (as far as the chunk's own words do not begin with them),
    /// table header, then the chunk's own words. Never the path, so that a rename embeds nothing.
    pub embedding_text: String,
}
