//! What a query looks for in a snapshot, and what it finds.

use std::collections::{BTreeMap, BTreeSet};

use super::ChunkId;
use crate::config::FieldWeights;

/// What the lexical leg looks for. Every word is optional; more and rarer words score higher. A document's words are stemmed as
/// its language has them, and a word of the query as each language of the snapshot, of which the best counts.
#[derive(Debug, Clone, PartialEq)]
pub struct LexicalQuery {
    /// Plain words, as a person typed them.
    pub words: String,
    /// Quoted phrases: chunks that have their words side by side, as written, score higher by the rarity of the words.
    pub phrases: Vec<String>,
    /// The weights of the fields.
    pub weights: FieldWeights,
}

/// A chunk that a leg found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Names the chunk, also to later calls, and orders equal scores.
    pub id: ChunkId,
    /// BM25 for the lexical leg, cosine for the dense one; higher is better.
    pub score: f32,
}

/// A word of a query, as a snapshot holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldWord {
    /// The word, in small letters.
    pub text: String,
    /// How many chunks of the snapshot hold it, about: chunks that are no longer there may count.
    pub num_chunks: usize,
    /// How many files hold it, among those that pass the filter; 0 where `chunks` is `None`.
    pub num_files: usize,
    /// The chunks that hold it and pass the filter, by id; `None` where they are more than
    /// [`MAX_HOLDERS`], or the snapshot has more than [`MAX_LOOKED_UP`] of them.
    pub chunks: Option<Vec<ChunkId>>,
}

/// What a snapshot knows of the words of a query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldWords {
    /// Whether the query is a sentence or a text ([`is_question`](super::analyzer::is_question)).
    pub is_question: bool,
    /// Whether all its words can be told: none is of a script without spaces ([`is_all_words`](super::analyzer::is_all_words)).
    pub are_all_words: bool,
    /// Those of its words that a chunk holds which passes the filter, in the order of the query. A word is held as it is written
    /// where any chunk has it so, else by its stem, else by title, headings or path; an identifier or a grouped number as a whole where
    /// any chunk has that, else by its words. Of a question, plain words are held by their stems.
    pub words: Vec<HeldWord>,
    /// The chunks that pass the filter of files whose name has just the words of the query, by id.
    pub named: Vec<ChunkId>,
}

/// Chunks that hold a word are listed up to this number.
pub const MAX_HOLDERS: usize = 256;
/// A word that more chunks of a snapshot hold is common, whatever the filter lets pass.
pub const MAX_LOOKED_UP: usize = 4_096;

/// What the words of a query find.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FoundByWords {
    /// The best chunks by BM25, best first, ties by id.
    pub chunks: Vec<Scored>,
    /// Those of them that never get a vector ([`VectorKey::NONE`](super::VectorKey::NONE)).
    pub without_vector: BTreeSet<ChunkId>,
    /// Which chunks hold which words.
    pub held: HeldWords,
}

/// What lies near a query's vector.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FoundNear {
    /// The best chunks by cosine, best first, ties by id.
    pub chunks: Vec<Scored>,
    /// The vectors of these chunks and of those that were named, of unit length but for rounding, by the id of the chunk; none of a
    /// chunk that has none.
    pub vectors: BTreeMap<ChunkId, Vec<f32>>,
}

impl LexicalQuery {
    /// All its words, those of its phrases last.
    #[must_use]
    pub fn all_words(&self) -> String {
        [std::slice::from_ref(&self.words), self.phrases.as_slice()].concat().join(" ")
    }
}
