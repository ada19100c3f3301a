//! The searchable state of one workspace, and the only room that writes it.
//!
//! # Invariants
//! - A batch becomes visible as a whole, at one [`Revision`], or not at all.
//! - Applying a batch twice equals applying it once; recovery relies on it.
//! - A chunk without a vector is found by its words; a vector that comes later changes no posting.
//! - Equal scores order by [`ChunkId`], so the same state and query give the same list.
//!
//! # Not here
//! Scores of the two legs are never mixed in this room (`search::fusion`), and nothing here reads a workspace's files.

pub mod analyzer;
mod backend;
#[cfg(test)]
mod conformance;
pub mod embedded;
mod filter;
mod found;
pub mod ram;
mod words;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use crate::vectors::VectorKey;
pub use backend::{Access, Backend, Condition, Index, Place, Wanted};
pub use filter::{Filter, Holding, PathTest, WordConditions};
pub use found::{FoundByWords, FoundNear, HeldWord, HeldWords, LexicalQuery, MAX_HOLDERS, MAX_LOOKED_UP, Scored};
pub use words::{FoundWord, WordPattern};

use crate::budget::Budget;
use crate::chunk::plain;
use crate::error::Advice;
use crate::extract::{Format, PageUnit};
use crate::vectors::VectorsError;
use crate::workspace::{Cells, ContentHash, Language, LineRange, RelPath, Revision, Span};

/// Orders chunks of equal score: the first eight bytes of the SHA-256 of path and start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChunkId(pub u64);

impl ChunkId {
    /// The id of the chunk that begins at byte `start` of the document at `path`.
    #[must_use]
    pub fn of(path: &RelPath, start: usize) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(path.as_str().as_bytes());
        hasher.update([0]);
        hasher.update((start as u64).to_be_bytes());
        let digest: [u8; 32] = hasher.finalize().into();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        Self(u64::from_be_bytes(first))
    }
}

/// What all chunks of one file share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFacts {
    /// Where the file is.
    pub path: RelPath,
    /// The hash of the bytes that were read.
    pub content_hash: ContentHash,
    /// The change that brought these bytes.
    pub revision: Revision,
    /// What the file was taken for.
    pub format: Format,
    /// When the file was last modified, in milliseconds since 1970.
    pub modified_ms: i64,
    /// The document's title.
    pub title: Option<String>,
    /// The language that it is written in, where that is known.
    pub language: Option<Language>,
}

/// A chunk as the index keeps it and gives it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkRecord {
    /// The file it belongs to.
    pub file: Arc<FileFacts>,
    /// What is its own.
    pub place: ChunkPlace,
    /// The chunk's own words, verbatim at [`ChunkPlace::span`].
    pub words: String,
    /// The white space between the chunk before and this one, so that neighbours can be put together verbatim.
    pub gap: String,
    /// The vector that belongs to it, or [`VectorKey::NONE`].
    pub key: VectorKey,
}

/// Where a chunk stands in its document, and under what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkPlace {
    /// Position among the document's chunks, from 0.
    pub ordinal: u32,
    /// Byte range in the document's text.
    pub span: Span,
    /// Page or slide, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// What a page is.
    #[serde(default)]
    pub page_unit: PageUnit,
    /// The cells that the words go through.
    #[serde(default, skip_serializing_if = "Cells::is_empty")]
    pub cells: Cells,
    /// Lines of the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<LineRange>,
    /// Headings or definitions above it, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trail: Vec<String>,
    /// The header of the table whose rows the chunk holds, where the chunk does not itself begin with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// What stands in front of the words when they are embedded.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub context: String,
    /// Where the words are a header or footer that pages before have as well, from the chunk's start on: that is neither searched nor
    /// embedded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeated: Vec<Span>,
}

impl ChunkRecord {
    /// The chunk's id.
    #[must_use]
    pub fn id(&self) -> ChunkId {
        ChunkId::of(&self.file.path, self.place.span.start)
    }

    /// What the model embeds: the context, then the words that are searched, as [`plain`] gives them.
    #[must_use]
    pub fn embedding_text(&self) -> String {
        format!("{}{}", self.place.context, plain(&self.searched_words()))
    }

    /// The words that are searched: without repeated headers and footers.
    #[must_use]
    pub fn searched_words(&self) -> Cow<'_, str> {
        if self.place.repeated.is_empty() {
            return Cow::Borrowed(&self.words);
        }
        let mut searched = String::with_capacity(self.words.len());
        let mut end = 0;
        for span in &self.place.repeated {
            searched.push_str(self.words.get(end..span.start).unwrap_or_default());
            end = span.end;
        }
        searched.push_str(self.words.get(end..).unwrap_or_default());
        Cow::Owned(searched)
    }
}

/// Changes that become visible together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The newest change of the batch; the index is at this revision afterwards.
    pub revision: Revision,
    /// Files whose chunks are replaced: all old chunks of the path go, these come. No chunks is allowed.
    pub replaced: Vec<(RelPath, Vec<ChunkRecord>)>,
    /// Files that get more chunks, as of a text that is too large for one batch; those that are there already, by their id, are
    /// left alone.
    pub appended: Vec<(RelPath, Vec<ChunkRecord>)>,
    /// Files whose chunks go.
    pub removed: Vec<RelPath>,
}

/// How much a snapshot holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Chunks that a query can find.
    pub num_chunks: usize,
    /// Those of them that have a vector.
    pub num_embedded: usize,
    /// Those of them that never get one ([`VectorKey::NONE`]).
    pub num_by_words: usize,
}

impl Counts {
    /// Chunks that are to have a vector and have none yet.
    #[must_use]
    pub const fn num_missing(&self) -> usize {
        self.num_chunks - self.num_by_words - self.num_embedded
    }
}

/// How much of a snapshot is in a language.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LanguageCounts {
    /// Chunks of documents in it.
    pub num_chunks: usize,
    /// Those of them that never get a vector ([`VectorKey::NONE`]).
    pub num_by_words: usize,
}

/// How much of a snapshot is in which language; `None` is where that is not known.
pub type Languages = BTreeMap<Option<Language>, LanguageCounts>;

/// Of so many things in order, those that stand for all: `limit` at the most, three quarters from the beginning and the rest from the
/// end.
fn ends_of<T>(mut all: Vec<T>, limit: usize) -> Vec<T> {
    if all.len() > limit {
        let num_last = limit / 4;
        all.drain(limit - num_last..all.len() - num_last);
    }
    all
}

/// One visible state of an index: both legs of a query read the same one.
///
/// A search reads it three times: [`Snapshot::by_words`] while its query is embedded, [`Snapshot::near`], and [`Snapshot::load`] of what is
/// shown; more chunks are loaded where many of those fold into others.
pub trait Snapshot: Send + Sync {
    /// The newest change that this state holds.
    fn revision(&self) -> Revision;

    /// How much it holds.
    ///
    /// # Errors
    /// When the files on disk are damaged.
    fn counts(&self) -> Result<Counts, IndexError>;

    /// Gives the reads of this snapshot a time. When it is over, reads end and give what they have found; a read of conditions on
    /// words gives nothing then, because what was not looked at may not meet them.
    fn limit(&mut self, _budget: &Budget) {}

    /// Whether the time is over.
    fn is_over(&self) -> bool {
        false
    }

    /// How much it holds of each language.
    ///
    /// # Errors
    /// When the files on disk are damaged.
    fn languages(&self) -> Result<Languages, IndexError>;

    /// The files that these chunks are of, those that are still there.
    ///
    /// # Errors
    /// When the files on disk are damaged.
    fn paths(&self, chunks: &[ChunkId]) -> Result<BTreeSet<RelPath>, IndexError>;

    /// The best `limit` chunks by BM25 among those that pass `filter`, best first, ties by id.
    ///
    /// # Errors
    /// When the files on disk are damaged.
    fn lexical(&self, query: &LexicalQuery, filter: &Filter, limit: usize) -> Result<Vec<Scored>, IndexError>;

    /// All that a search asks of the words of its query, in one read: the best `limit` chunks as [`Snapshot::lexical`] gives them, and which
    /// chunks hold which words.
    ///
    /// # Errors
    /// When the files on disk are damaged.
    fn by_words(&self, query: &LexicalQuery, filter: &Filter, limit: usize) -> Result<FoundByWords, IndexError>;

    /// All that a search asks of its query's vector, in one read: the best `limit` chunks by cosine to `query` (unit length) among those that
    /// have a vector and pass `filter`, and, where `also` names chunks, their vectors and those of the found ones.
    ///
    /// # Errors
    /// When `query` has not the model's dimensions, or the files on disk are damaged.
    fn near(
        &self,
        query: &[f32],
        filter: &Filter,
        limit: usize,
        also: Option<&[ChunkId]>,
    ) -> Result<FoundNear, IndexError>;

    /// The best `limit` chunks by cosine, as [`Snapshot::near`] gives them.
    ///
    /// # Errors
    /// As [`Snapshot::near`].
    fn dense(&self, query: &[f32], filter: &Filter, limit: usize) -> Result<Vec<Scored>, IndexError> {
        Ok(self.near(query, filter, limit, None)?.chunks)
    }

    /// Chunks that pass `filter`, those of the newest files first, then by path: of each of `num_files` files up to `num_of_each` in the
    /// order of its text, as far as the order in which the index keeps them tells.
    ///
    /// # Errors
    /// When the files on disk are damaged.
    fn newest(&self, filter: &Filter, num_files: usize, num_of_each: usize) -> Result<Vec<ChunkId>, IndexError>;

    /// Up to `limit` words of chunks that pass `filter`, of their titles, headings and paths too: those of few edits first, then those
    /// that begin as the word that was asked for, then those in many chunks, then by the alphabet.
    ///
    /// # Errors
    /// When the files on disk are damaged.
    fn vocabulary(
        &self,
        pattern: &WordPattern<'_>,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<FoundWord>, IndexError>;

    /// Whether a chunk that passes `filter` has a word in any of its forms, in its title, its headings or its path too.
    ///
    /// # Errors
    /// When the files on disk are damaged.
    fn has_word(&self, word: &str, filter: &Filter) -> Result<bool, IndexError>;

    /// How the words of the chunks are stemmed, each way once, in order.
    fn stemmings(&self) -> Vec<analyzer::Stemming>;

    /// These chunks, in their order; one that is no longer there is left out, so a backend needs no state that stays the same between
    /// the calls of a query.
    ///
    /// # Errors
    /// When the files on disk are damaged.
    fn load(&self, chunks: &[ChunkId]) -> Result<Vec<ChunkRecord>, IndexError>;

    /// All chunks of a file, in the order of its text.
    ///
    /// # Errors
    /// When the files on disk are damaged.
    fn file(&self, path: &RelPath) -> Result<Vec<ChunkRecord>, IndexError>;

    /// Up to `limit` chunks of a file, in the order of its text: all where it has no more, else most of them from its beginning and
    /// some from its end, as far as the order in which the index keeps them tells.
    ///
    /// # Errors
    /// When the files on disk are damaged.
    fn extract_of(&self, path: &RelPath, limit: usize) -> Result<Vec<ChunkRecord>, IndexError>;

    /// Files whose path begins with `path` and a `/`, in their order; also some that have no chunk any more.
    ///
    /// # Errors
    /// When the files on disk are damaged.
    fn below(&self, path: &RelPath) -> Result<BTreeSet<RelPath>, IndexError>;

    /// Up to `limit` chunks that are to have a vector and have none yet, newest file first, each key once.
    ///
    /// # Errors
    /// When the files on disk are damaged.
    fn unembedded(&self, limit: usize) -> Result<Vec<(VectorKey, String)>, IndexError>;
}

/// Why the index cannot do what it was asked, split by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The files on disk are of another model, another format version, or damaged: build the index again.
    #[error("the index has to be built again: {reason}")]
    Unusable {
        /// What is wrong.
        reason: String,
    },
    /// There is no index yet.
    #[error("nothing is indexed in this workspace yet")]
    Missing,
    /// Opened for reading only.
    #[error("the index was opened for reading only")]
    ReadOnly,
    /// A vector or query of the wrong length.
    #[error("a vector has {found} dimensions, and the index has {expected}")]
    Dimensions {
        /// The model's dimensions.
        expected: usize,
        /// What came.
        found: usize,
    },
    /// The disk refused: full, not permitted, gone. Try again when that has changed.
    #[error("the index's files cannot be written or read")]
    Io(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<VectorsError> for IndexError {
    fn from(error: VectorsError) -> Self {
        match error {
            VectorsError::Damaged { reason } => Self::Unusable { reason },
            VectorsError::ReadOnly => Self::ReadOnly,
            VectorsError::Dimensions { expected, found } => Self::Dimensions { expected, found },
            VectorsError::Io(error) => Self::Io(error),
        }
    }
}

impl Advice for IndexError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unusable { .. } => "index_unusable",
            Self::Missing => "index_missing",
            Self::ReadOnly => "read_only",
            Self::Dimensions { .. } => "wrong_dimensions",
            Self::Io(_) => "index_io",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Unusable { .. } => Some(
                "run `pincite index PATH` on the workspace's folder: it builds the index again from the files"
                    .to_owned(),
            ),
            Self::Missing => Some("run `pincite index PATH` first, or add `--path PATH` to the search".to_owned()),
            Self::ReadOnly => Some("write through the process that holds the data folder".to_owned()),
            Self::Dimensions { .. } => None,
            Self::Io(_) => Some("check free space and permissions of the data folder".to_owned()),
        }
    }
}
