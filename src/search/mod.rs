//! The query line: request, filters, both legs in one snapshot, fusion, passages, reranking.
//!
//! # Invariants
//! - Both legs read one snapshot and apply the same filter before anything is ranked.
//! - The same snapshot, model and request give the same hits in the same order.
//! - What holds all rare words of a query stands above what holds none of them (`exact`), unless vectors alone are asked for or a
//!   reranker of the user's own decides.
//! - What a search could not do (no model, text not embedded yet, not reranked) is said in its coverage.
//!
//! # Not here
//! Which files exist and what of them is pending: the engine adds that to the coverage.

mod conditions;
mod copies;
mod exact;
pub mod fusion;
mod globs;
mod marks;
mod operators;
mod passages;
mod query_language;
mod request;
mod rerank;
mod rescore;
mod spelling;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use unicode_segmentation::UnicodeSegmentation as _;

pub use self::conditions::{Condition, NumberOf, TextOf};
pub use self::globs::{Compiled, PathGlobs};
pub use self::marks::words_in;
pub use self::operators::{ReadSearch, read_question, read_search};
pub use self::passages::{citation, hit_of, hit_of_adjacent};
pub use self::request::{
    Copied, Coverage, Filters, Found, FusionMethod, Hit, MAX_K, MAX_WAIT_MS, Mode, SearchReply, SearchRequest, Signals,
    parse_query,
};
pub use self::spelling::fit;
use crate::config::{Limits, Ranking};
use crate::embed::{EmbedError, Embedder, Reranker};
use crate::error::Advice;
use crate::index::analyzer::identifiers;
use crate::index::{ChunkId, ChunkRecord, Filter, FoundByWords, FoundNear, HeldWords, IndexError, Scored, Snapshot};
use crate::priority;
use crate::workspace::{PatternError, WorkspaceId};
use exact::Exact;
use fusion::{Bounds, ByWords, Convex, Fused};
use passages::Wanted;
use request::MAX_EVERY_PASSAGE;

/// Reciprocal rank fusion's constant.
const RRF_K: f32 = 60.0;
/// Candidates that each leg gives, at the least and for each passage that is asked for.
const MIN_CANDIDATES: usize = 200;
const CANDIDATES_PER_HIT: usize = 4;

/// Chunks that are looked at beyond as many as passages are wanted, before it is known how many merge.
const EXTRA_CHUNKS: usize = 8;
/// Chunks that are looked at for passages of other files, at the most.
const MAX_FOR_VARIETY: usize = 128;
/// Chunks of each file of a list that no words order.
const LISTED_OF_FILE: usize = 3;

/// Checks what can be checked of a request before anything is opened.
///
/// # Errors
/// [`SearchError::Invalid`] for an empty or over-long query or a `k` out of range.
pub fn check_request(request: &SearchRequest) -> Result<(), SearchError> {
    check_query(&request.query)?;
    let most = if request.every_passage { MAX_EVERY_PASSAGE } else { MAX_K };
    if request.k == 0 || request.k > most {
        return Err(SearchError::invalid(format!("`k` is {}", request.k), format!("ask for 1 to {most} passages")));
    }
    if request.offset.saturating_add(request.k) > most {
        let message = format!("`offset` and `k` are {} together", request.offset.saturating_add(request.k));
        return Err(SearchError::invalid(message, format!("a search returns the best {most} passages at most")));
    }
    Ok(())
}

/// Checks the words of a query or question.
///
/// # Errors
/// [`SearchError::Invalid`] for an empty or over-long one.
pub fn check_query(query: &str) -> Result<(), SearchError> {
    if query.trim().is_empty() {
        return Err(SearchError::invalid("the query is empty", "say what to look for, in words or as a question"));
    }
    Ok(())
}

/// Checks how long a request may wait for a revision.
///
/// # Errors
/// [`SearchError::Invalid`] beyond [`MAX_WAIT_MS`].
pub fn check_wait(wait_ms: u64) -> Result<(), SearchError> {
    if wait_ms > MAX_WAIT_MS {
        let hint = format!("wait for {MAX_WAIT_MS} milliseconds at most, and ask again");
        return Err(SearchError::invalid(format!("`wait_ms` is {wait_ms}"), hint));
    }
    Ok(())
}

/// Checks how large a query or question is.
///
/// # Errors
/// [`SearchError::TooLarge`], which names the limit.
pub fn check_size(query: &str, limits: &Limits) -> Result<(), SearchError> {
    let check = |found: usize, most: u64, what: &'static str, key: &'static str| {
        if found as u64 > most { Err(SearchError::TooLarge { what, found, most, key }) } else { Ok(()) }
    };
    check(query.len(), limits.query_bytes, "bytes", "query_bytes")?;
    // Counted only as far as it matters.
    let most = usize::try_from(limits.query_terms).unwrap_or(usize::MAX).saturating_add(1);
    check(query.unicode_words().take(most).count(), limits.query_terms, "words", "query_terms")?;
    check(query.matches('"').count() / 2, limits.query_phrases, "phrases", "query_phrases")
}

/// The models that a search is made with, as far as there are any.
#[derive(Clone, Copy, Default)]
pub struct Models<'a> {
    /// Makes the query's vector; without one, a hybrid search is made by words alone.
    pub embedder: Option<&'a dyn Embedder>,
    /// Puts the first passages of a hybrid search into its order; without one, the fused score is the order.
    pub reranker: Option<&'a dyn Reranker>,
}

/// Runs a search in one snapshot. Where the reranker fails, the reply is the same as without one, and says so.
///
/// # Errors
/// [`SearchError::NoModel`] for a dense search without a model, and what the index and the model report.
pub fn search(
    workspace: &WorkspaceId,
    snapshot: &dyn Snapshot,
    models: Models<'_>,
    ranking: &Ranking,
    request: &SearchRequest,
    filter: &Filter,
) -> Result<Found, SearchError> {
    let ranked = if request.query.trim().is_empty() {
        listed(snapshot, request, filter)?
    } else {
        rank(snapshot, models.embedder, ranking, request, filter)?
    };
    let candidates = if request.facets {
        snapshot.paths(&ranked.iter().map(|chunk| chunk.id).collect::<Vec<_>>())?
    } else {
        BTreeSet::new()
    };
    let reranker = models.reranker.filter(|_| request.mode == Mode::Hybrid);
    let num_passages = if reranker.is_some() { request.k.max(ranking.rerank_passages) } else { request.k };
    // Merging takes neighbours from beyond the cut, and so do chunks with the same words as others.
    let mut num_considered = num_passages.saturating_add(EXTRA_CHUNKS);
    let asked = copies::asked_words(&request.query);
    let SearchRequest { explain, every_passage, .. } = *request;
    let wanted = Wanted { k: num_passages, explain, every_passage, asked: &asked };
    loop {
        let considered = &ranked[..ranked.len().min(num_considered)];
        let chunks = load(snapshot, considered)?;
        let (mut hits, is_full) = passages::assemble(workspace, chunks, &wanted);
        // A file that has all places leaves them to others only as far as it pays to look for them.
        let is_enough = is_full || hits.len() == num_passages && considered.len() >= MAX_FOR_VARIETY;
        if is_enough || considered.len() == ranked.len() || snapshot.is_over() {
            let not_reranked = match reranker {
                Some(_) if snapshot.is_over() => Some("there was no time left for it".to_owned()),
                Some(reranker) => rerank::rerank(reranker, &request.query, &mut hits, ranking.rerank_passages)
                    .err()
                    .map(|error| error.to_string()),
                None => None,
            };
            hits.truncate(request.k);
            return Ok(Found { hits, candidates, not_reranked });
        }
        num_considered = num_considered.saturating_mul(2);
    }
}

/// The chunks that pass the filter of a query without words: those of the newest files first, none where it has no conditions either.
fn listed(snapshot: &dyn Snapshot, request: &SearchRequest, filter: &Filter) -> Result<Vec<Fused>, SearchError> {
    if request.filters.also.is_none() {
        return Ok(Vec::new());
    }
    let ids = snapshot.newest(filter, request.k, LISTED_OF_FILE)?;
    Ok(ids.into_iter().map(|id| Fused { id, score: 0.0, lexical: None, dense: None }).collect())
}

/// Chunks of a ranked list, each beside its place there, as far as they are still there.
fn load(snapshot: &dyn Snapshot, ranked: &[Fused]) -> Result<Vec<(Fused, ChunkRecord)>, SearchError> {
    let chunks = snapshot.load(&ranked.iter().map(|chunk| chunk.id).collect::<Vec<_>>())?;
    if chunks.len() == ranked.len() {
        return Ok(ranked.iter().copied().zip(chunks).collect());
    }
    let mut by_id: HashMap<ChunkId, ChunkRecord> = chunks.into_iter().map(|chunk| (chunk.id(), chunk)).collect();
    Ok(ranked.iter().filter_map(|place| Some((*place, by_id.remove(&place.id)?))).collect())
}

/// The fused list of chunks, best first.
///
/// # Errors
/// As [`search`].
pub fn rank(
    snapshot: &dyn Snapshot,
    embedder: Option<&dyn Embedder>,
    ranking: &Ranking,
    request: &SearchRequest,
    filter: &Filter,
) -> Result<Vec<Fused>, SearchError> {
    let num_candidates = MIN_CANDIDATES.max(request.k.saturating_mul(CANDIDATES_PER_HIT));
    let words = || -> Result<FoundByWords, SearchError> {
        if request.mode == Mode::Dense {
            return Ok(FoundByWords::default());
        }
        let query = parse_query(&request.query, ranking.fields);
        Ok(snapshot.by_words(&query, filter, num_candidates)?)
    };
    let query_vector = || -> Result<Option<Vec<f32>>, SearchError> {
        match (request.mode, embedder) {
            (Mode::Lexical, _) | (Mode::Hybrid, None) => Ok(None),
            (Mode::Dense, None) => Err(SearchError::NoModel),
            (Mode::Dense | Mode::Hybrid, Some(_)) if snapshot.is_over() => Ok(None),
            (Mode::Dense | Mode::Hybrid, Some(embedder)) => Ok(Some(embedder.embed_query(&request.query)?)),
        }
    };
    // The words are looked up on one core while the other embeds the query.
    let (words, vector) = if request.mode == Mode::Hybrid && embedder.is_some() {
        priority::beside(words, query_vector)
    } else {
        (words(), query_vector())
    };
    let FoundByWords { chunks: lexical, without_vector, held } = words?;
    let vector = vector?;
    // Only a question says enough to be refined by what it finds.
    let rescores = request.fusion == FusionMethod::Convex && held.is_question && ranking.rescores();
    let also: Option<Vec<ChunkId>> = rescores.then(|| lexical.iter().map(|chunk| chunk.id).collect());
    let FoundNear { chunks: dense, mut vectors } = match &vector {
        Some(vector) => snapshot.near(vector, filter, num_candidates, also.as_deref())?,
        None => FoundNear::default(),
    };
    // One leg alone keeps its own scores.
    let one_leg = |lexical: &[Scored], dense: &[Scored]| {
        let mut fused = fusion::reciprocal_rank(lexical, dense, &ByWords::NONE, RRF_K);
        for chunk in &mut fused {
            chunk.score = chunk.lexical.or(chunk.dense).map_or(0.0, |(_, score)| score);
        }
        fused
    };
    let num_chunks = snapshot.counts()?.num_chunks;
    let mut ranked = match (request.mode, request.fusion) {
        (Mode::Lexical, _) => one_leg(&lexical, &[]),
        (Mode::Dense, _) => one_leg(&[], &dense),
        (Mode::Hybrid, FusionMethod::Rrf) => {
            let by_words = query_language::known_by_words(snapshot, &request.query, &lexical, without_vector)?;
            fusion::reciprocal_rank(&lexical, &dense, &by_words, RRF_K)
        }
        (Mode::Hybrid, FusionMethod::Convex) => {
            let by_words = query_language::known_by_words(snapshot, &request.query, &lexical, without_vector)?;
            let weight = dense_weight(&request.query, &held, ranking);
            let cosine = embedder.map_or((0.0, 1.0), Embedder::cosine_range);
            let bounds = Bounds { lexical: lexical_bound(&held, num_chunks, ranking), cosine };
            let convex = Convex::of(&lexical, &dense, &by_words, weight, bounds);
            let fused = convex.fuse(&lexical, &dense);
            match vector.filter(|_| rescores && convex.is_mixed()) {
                None => fused,
                Some(vector) => {
                    let with_vector = |chunk: Fused| (chunk, vectors.remove(&chunk.id));
                    let candidates = fused.into_iter().map(with_vector).collect();
                    rescore::rescore(candidates, &convex, &vector, ranking)
                }
            }
        }
    };
    Exact::of(&held, num_chunks).raise(&mut ranked);
    Ok(ranked)
}

/// How much the dense leg counts: a question says what it means, and a few words are to be found as they are.
fn dense_weight(query: &str, held: &HeldWords, ranking: &Ranking) -> f32 {
    let weight = if held.is_question { ranking.dense_weight } else { ranking.dense_weight_of_words };
    if identifiers(query).is_empty() { weight } else { weight.min(ranking.dense_weight_with_identifier) }
}

/// The BM25 of a chunk of mean length that has each word of the query once, which makes a word count as much as its inverse document
/// frequency.
fn lexical_bound(held: &HeldWords, num_chunks: usize, ranking: &Ranking) -> f32 {
    let weight = ranking.fields.body + ranking.fields.exact;
    held.words.iter().map(|word| weight * exact::idf(word.num_chunks, num_chunks)).sum()
}

/// Why a search has no reply.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The request is not valid.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// What to do instead.
        hint: String,
    },
    /// A glob is beyond a limit.
    #[error(transparent)]
    Pattern(#[from] PatternError),
    /// The query is longer than one may be.
    #[error("the query has {found} {what} or more, and `limits.{key}` allows {most}")]
    TooLarge {
        /// Of what it has too much.
        what: &'static str,
        /// How much, as far as it was counted.
        found: usize,
        /// The limit.
        most: u64,
        /// Its key in `[limits]`.
        key: &'static str,
    },
    /// A dense search without a model that runs.
    #[error("a dense search needs an embedding model, and none runs here")]
    NoModel,
    /// The index could not be read.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The query could not be embedded.
    #[error(transparent)]
    Embed(#[from] EmbedError),
}

impl SearchError {
    pub(crate) fn invalid(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Invalid { message: message.into(), hint: hint.into() }
    }
}

impl Advice for SearchError {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid_request",
            Self::Pattern(error) => error.code(),
            Self::TooLarge { .. } => "query_too_large",
            Self::NoModel => "no_model",
            Self::Index(error) => error.code(),
            Self::Embed(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Invalid { hint, .. } => Some(hint.clone()),
            Self::Pattern(error) => error.hint(),
            Self::TooLarge { key, .. } => {
                Some(format!("ask a shorter question, or raise `limits.{key}` in `config.toml`"))
            }
            Self::NoModel => {
                Some("use `--mode lexical`, or see `pincite models list` for the missing model".to_owned())
            }
            Self::Index(error) => error.hint(),
            Self::Embed(error) => error.hint(),
        }
    }
}
