//! A document cut into chunks: the units of indexing.
//!
//! # Invariants (property tests hold them)
//! - Chunk spans are in range, on character boundaries, in order, do not overlap, and cover all text but white space.
//! - A chunk lies on one page, holds at most [`MAX_CHUNK_BYTES`] of the document, and its [`Chunk::embedding_text`] fits
//!   the model's token limit.
//! - Time is linear in the text: a word is counted a small, fixed number of times.
//!
//! # Not here
//! Counting tokens is the embedder's business: the chunker asks a [`TokenCounter`].

mod context;
mod pack;
mod repeated;
mod split;
#[cfg(test)]
pub(crate) mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use crate::extract::Document;
use crate::extract::escapes::{Breaks, unescaped};
use crate::workspace::{Cells, LineRange, LineStarts, Span};
use context::ContextWriter;
pub(crate) use context::begins_with;
pub use repeated::repeated_lines;

/// The most bytes of its document that one chunk holds: a long "word" is one unknown token to a model, however long.
pub const MAX_CHUNK_BYTES: usize = 2000;

/// Counts what a model will see of a text.
///
/// The count of a text is the sum of the counts of its words, where words are what [`char::is_whitespace`] separates
/// (`str::split_whitespace`). The chunker relies on it: it counts pieces once and adds. Nothing is assumed about parts of
/// a word. Vertical tabs, form feeds, U+0085 and U+FEFF never reach it, since tokenizers disagree on them. It is called with pieces from one word up to [`MAX_CHUNK_BYTES`], so looking words up in a cache pays.
pub trait TokenCounter: Send + Sync {
    /// The number of tokens of `text`, without the special tokens that the model adds around it.
    fn num_tokens(&self, text: &str) -> usize;

    /// The most tokens that one text may have, without the special tokens. At least 32 for a useful model.
    fn max_tokens(&self) -> usize;
}

/// The unit of indexing: a piece of one document with its place and its context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// Position in the document, from 0.
    pub ordinal: u32,
    /// Where the chunk's own words stand, without white space at its ends.
    pub span: Span,
    /// The page or slide, counted from 1, where the document has them.
    pub page: Option<u32>,
    /// The cells that the chunk goes through.
    pub cells: Cells,
    /// The lines of the file, where the document has the file's lines.
    pub lines: Option<LineRange>,
    /// Headings or enclosing definitions above all of the chunk, outermost first.
    pub trail: Arc<[String]>,
    /// The header of the table whose rows the chunk holds, where the chunk does not itself begin with it.
    pub header: Option<Arc<str>>,
    /// What the model embeds: title and heading trail (as far as the chunk's own words do not begin with them),
    /// table header, then the chunk's own words. Never the path, so that a rename embeds nothing.
    pub embedding_text: String,
}

/// Counts `words` as they will stand in an embedding text.
fn count(tokens: &dyn TokenCounter, words: &str) -> usize {
    tokens.num_tokens(&plain(words))
}

/// `words` with what their [escapes](crate::extract::escapes) stand for, and with plain spaces for what is white space here but not to every
/// tokenizer: some drop it as a control character, which would join two words that were counted apart.
#[must_use]
pub fn plain(words: &str) -> Cow<'_, str> {
    match unescaped(words, Breaks::Part) {
        Cow::Borrowed(words) => with_plain_spaces(words),
        Cow::Owned(words) => Cow::Owned(with_plain_spaces(&words).into_owned()),
    }
}

fn with_plain_spaces(words: &str) -> Cow<'_, str> {
    let is_odd = |c: char| matches!(c, '\u{b}' | '\u{c}' | '\u{85}' | '\u{feff}');
    // Their first bytes are rare, and a look at bytes is fast.
    let may_be_odd = words.bytes().any(|byte| matches!(byte, 0x0b | 0x0c | 0xc2 | 0xef));
    if may_be_odd && words.contains(is_odd) { Cow::Owned(words.replace(is_odd, " ")) } else { Cow::Borrowed(words) }
}

/// Whether `c` separates words: white space, or a byte order mark, wherever it stands.
fn is_separator(c: char) -> bool {
    c.is_whitespace() || c == '\u{feff}'
}

/// How many tokens go where, from the model's limit.
#[derive(Debug, Clone, Copy)]
struct Budget {
    /// The most that a chunk may have, context included.
    max: usize,
    /// The size that chunks are filled to: room is left so that a small rest need not stand alone.
    target: usize,
    /// The most that title, trail and header may take.
    context: usize,
    /// A chunk of fewer own tokens is put together with a neighbour where it can be.
    tiny: usize,
}

impl Budget {
    fn of(tokens: &dyn TokenCounter) -> Self {
        let max = tokens.max_tokens();
        Self { max, target: max * 4 / 5, context: max / 4, tiny: max * 40 / 254 }
    }
}

/// Cuts `document` into chunks, in the order of the text.
///
/// Small neighbouring blocks are put together to about four fifths of the model's limit, larger ones divided at line
/// ends, then sentences, then words, then characters. Chunks break before headings, a heading stays with what follows it,
/// rows carry their table's header, and nothing is put together across pages or sheets.
#[must_use]
pub fn chunk(document: &Document, tokens: &dyn TokenCounter) -> Vec<Chunk> {
    let budget = Budget::of(tokens);
    let mut contexts = ContextWriter::new(document.title.as_deref(), tokens, budget);
    let groups = pack::pack(document, tokens, budget, &mut contexts);
    let line_starts = document.has_file_lines.then(|| LineStarts::of(&document.text));
    let mut chunks = Vec::with_capacity(groups.len());
    for group in groups {
        let span = group.span.trimmed(&document.text);
        let Some(words) = span.of(&document.text).filter(|words| !words.is_empty()) else { continue };
        let trail = group.trail();
        chunks.push(Chunk {
            ordinal: u32::try_from(chunks.len()).unwrap_or(u32::MAX),
            span,
            page: group.page,
            cells: document.cells(span),
            lines: line_starts.as_ref().map(|starts| starts.lines(span)),
            embedding_text: contexts.embedding_text(&trail, group.header.as_ref(), words, group.num_tokens),
            trail,
            header: group.header,
        });
    }
    chunks
}
