//! The oracle: the contract of [`Index`] in the plainest code, for tests to compare the others with.
//!
//! Every chunk is looked at for every query. BM25 (k1 1.2, b 0.75) over plain field lengths and the chunks that are there
//! now, summed over the fields with their weights; cosine over unrounded vectors.
//!
//! # Not here
//! Nothing is kept when the process ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::analyzer::{Analysis, Phrase, QueryTerm, positioned_terms, query_terms};
use super::{
    Batch, ChunkId, ChunkRecord, Counts, Filter, Index, IndexError, LexicalQuery, Scored, Snapshot, VectorKey,
};
use crate::workspace::{RelPath, Revision};

const K1: f32 = 1.2;
const B: f32 = 0.75;
/// What a phrase counts, against its words found singly.
const PHRASE_WEIGHT: f32 = 2.0;

/// An index in memory.
#[derive(Debug)]
pub struct RamIndex {
    num_dimensions: usize,
    state: RwLock<Arc<RamState>>,
}

#[derive(Debug, Clone, Default)]
struct RamState {
    num_dimensions: usize,
    revision: Revision,
    files: BTreeMap<RelPath, Vec<Arc<ChunkRecord>>>,
    vectors: HashMap<VectorKey, Arc<Vec<f32>>>,
}

impl RamIndex {
    /// An empty index for vectors of `num_dimensions` numbers.
    #[must_use]
    pub fn new(num_dimensions: usize) -> Self {
        Self { num_dimensions, state: RwLock::new(Arc::new(RamState { num_dimensions, ..RamState::default() })) }
    }

    fn state(&self) -> RwLockReadGuard<'_, Arc<RamState>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut RamState)) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = RamState::clone(&state);
        change(&mut next);
        *state = Arc::new(next);
    }
}

impl Index for RamIndex {
    fn apply(&self, batch: &Batch) -> Result<(), IndexError> {
        self.change(|state| {
            for path in batch.removed.iter().chain(batch.replaced.iter().map(|(path, _)| path)) {
                state.files.remove(path);
            }
            for (path, chunks) in &batch.replaced {
                if !chunks.is_empty() {
                    let mut chunks: Vec<_> = chunks.iter().cloned().map(Arc::new).collect();
                    chunks.sort_by_key(|chunk| chunk.place.ordinal);
                    state.files.insert(path.clone(), chunks);
                }
            }
            for (path, chunks) in &batch.appended {
                let held = state.files.entry(path.clone()).or_default();
                let ids: BTreeSet<ChunkId> = held.iter().map(|chunk| chunk.id()).collect();
                held.extend(chunks.iter().filter(|chunk| !ids.contains(&chunk.id())).cloned().map(Arc::new));
                held.sort_by_key(|chunk| chunk.place.ordinal);
            }
            state.files.retain(|_, chunks| !chunks.is_empty());
            state.revision = state.revision.max(batch.revision);
        });
        Ok(())
    }

    fn add_vectors(&self, vectors: &[(VectorKey, Vec<f32>)]) -> Result<(), IndexError> {
        if let Some((_, vector)) = vectors.iter().find(|(_, vector)| vector.len() != self.num_dimensions) {
            return Err(IndexError::Dimensions { expected: self.num_dimensions, found: vector.len() });
        }
        self.change(|state| {
            for (key, vector) in vectors {
                state.vectors.entry(*key).or_insert_with(|| Arc::new(vector.clone()));
            }
        });
        Ok(())
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, IndexError> {
        let state = Arc::clone(&self.state());
        Ok(Box::new(RamSnapshot { chunks: state.files.values().flatten().cloned().collect(), state }))
    }
}

/// An address is a position in `chunks`.
struct RamSnapshot {
    state: Arc<RamState>,
    chunks: Vec<Arc<ChunkRecord>>,
}

impl RamSnapshot {
    fn passing<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = (u64, &'a ChunkRecord)> {
        (0..).zip(&self.chunks).map(|(address, chunk)| (address, &**chunk)).filter(|(_, chunk)| {
            let file = &chunk.file;
            filter.admits(file.path.as_str(), file.format, file.modified_ms)
        })
    }

    /// The terms of one field of every chunk, in order.
    fn field(&self, analysis: Analysis, text: impl Fn(&ChunkRecord) -> String) -> Field {
        let of_chunk = |chunk: &Arc<ChunkRecord>| positioned_terms(&text(chunk), analysis);
        Field { terms: self.chunks.iter().map(of_chunk).collect() }
    }
}

/// What one field holds, chunk by chunk.
struct Field {
    terms: Vec<Vec<(usize, String)>>,
}

impl Field {
    /// What is to be multiplied by the saturated frequency, from the number of chunks that hold the term.
    fn idf(&self, num_with_term: usize) -> f32 {
        let (num_chunks, num_with_term) = (self.terms.len() as f32, num_with_term as f32);
        (1.0 + (num_chunks - num_with_term + 0.5) / (num_with_term + 0.5)).ln()
    }

    fn idf_of(&self, term: &str) -> f32 {
        self.idf(self.terms.iter().filter(|terms| terms.iter().any(|(_, found)| found == term)).count())
    }

    /// Adds to `scores` the BM25 of a term in each chunk.
    fn add_term(&self, scores: &mut BTreeMap<usize, f32>, weight: f32, term: &str) {
        if weight <= 0.0 {
            return;
        }
        let idf = self.idf_of(term);
        let num_terms: usize = self.terms.iter().map(Vec::len).sum();
        let average = num_terms as f32 / self.terms.len().max(1) as f32;
        for (at, terms) in self.terms.iter().enumerate() {
            let found = terms.iter().filter(|(_, found)| found == term).count() as f32;
            if found > 0.0 {
                let norm = K1 * (1.0 - B + B * terms.len() as f32 / average);
                *scores.entry(at).or_default() += weight * idf * found * (K1 + 1.0) / (found + norm);
            }
        }
    }
}

impl Snapshot for RamSnapshot {
    fn revision(&self) -> Revision {
        self.state.revision
    }

    fn counts(&self) -> Result<Counts, IndexError> {
        let num_embedded = self.chunks.iter().filter(|chunk| self.state.vectors.contains_key(&chunk.key)).count();
        Ok(Counts { num_chunks: self.chunks.len(), num_embedded })
    }

    fn lexical(&self, query: &LexicalQuery, filter: &Filter, limit: usize) -> Result<Vec<Scored>, IndexError> {
        let weights = query.weights;
        let all_words = [std::slice::from_ref(&query.words), query.phrases.as_slice()].concat().join(" ");
        let exact = self.field(Analysis::Exact, |chunk| chunk.words.clone());
        let body = self.field(Analysis::Stemmed, |chunk| format!("{}{}", chunk.gap, chunk.words));
        let fields = [
            (self.field(Analysis::Stemmed, |chunk| chunk.file.title.clone().unwrap_or_default()), weights.title),
            (self.field(Analysis::Stemmed, |chunk| chunk.place.trail.join("\n")), weights.trail),
            (self.field(Analysis::Stemmed, |chunk| chunk.file.path.to_string()), weights.path),
        ];
        let mut scores = BTreeMap::new();
        let stemmed = query_terms(&all_words, Analysis::Stemmed, usize::MAX);
        for QueryTerm { text, times, times_as_written } in &stemmed {
            let as_written = weights.exact * *times_as_written as f32;
            body.add_term(&mut scores, weights.body * *times as f32 + as_written, text);
            for (field, weight) in &fields {
                field.add_term(&mut scores, *weight * *times as f32, text);
            }
        }
        for QueryTerm { text, times, .. } in query_terms(&all_words, Analysis::Exact, usize::MAX) {
            let is_stop_word = query_terms(&text, Analysis::Stemmed, 1).is_empty();
            if stemmed.is_empty() || !is_stop_word {
                exact.add_term(&mut scores, if stemmed.is_empty() { 1.0 } else { weights.exact * times as f32 }, &text);
            }
        }
        for phrase in &query.phrases {
            let Some(words) = Phrase::of(phrase) else { continue };
            let score: f32 = match words.terms(Analysis::Stemmed) {
                stems if stems.is_empty() => words.terms(Analysis::Exact).iter().map(|term| exact.idf_of(term)).sum(),
                stems => stems.iter().map(|term| body.idf_of(term)).sum(),
            };
            for (at, chunk) in self.chunks.iter().enumerate() {
                if words.is_in(&chunk.words) {
                    *scores.entry(at).or_default() += PHRASE_WEIGHT * score;
                }
            }
        }
        let found = self.passing(filter).filter_map(|(address, chunk)| {
            let score = *scores.get(&usize::try_from(address).ok()?)?;
            Some(Scored { address, id: chunk.id(), score })
        });
        Ok(best(found.collect(), limit))
    }

    fn dense(&self, query: &[f32], filter: &Filter, limit: usize) -> Result<Vec<Scored>, IndexError> {
        if query.len() != self.state.num_dimensions {
            return Err(IndexError::Dimensions { expected: self.state.num_dimensions, found: query.len() });
        }
        let scored = self.passing(filter).filter_map(|(address, chunk)| {
            let vector = self.state.vectors.get(&chunk.key)?;
            let score = vector.iter().zip(query).map(|(a, b)| a * b).sum();
            Some(Scored { address, id: chunk.id(), score })
        });
        Ok(best(scored.collect(), limit))
    }

    fn load(&self, addresses: &[u64]) -> Result<Vec<ChunkRecord>, IndexError> {
        let chunk_at = |&address: &u64| {
            let chunk = usize::try_from(address).ok().and_then(|address| self.chunks.get(address));
            let foreign = || IndexError::Unusable { reason: "an address is of another snapshot".to_owned() };
            chunk.map(|chunk| ChunkRecord::clone(chunk)).ok_or_else(foreign)
        };
        addresses.iter().map(chunk_at).collect()
    }

    fn file(&self, path: &RelPath) -> Result<Vec<ChunkRecord>, IndexError> {
        let chunks = self.state.files.get(path).into_iter().flatten();
        Ok(chunks.map(|chunk| ChunkRecord::clone(chunk)).collect())
    }

    fn below(&self, path: &RelPath) -> Result<BTreeSet<RelPath>, IndexError> {
        let prefix = format!("{path}/");
        Ok(self.state.files.keys().filter(|path| path.as_str().starts_with(&prefix)).cloned().collect())
    }

    fn unembedded(&self, limit: usize) -> Result<Vec<(VectorKey, String)>, IndexError> {
        let mut waiting: Vec<&Arc<ChunkRecord>> =
            self.chunks.iter().filter(|chunk| !self.state.vectors.contains_key(&chunk.key)).collect();
        waiting.sort_by_key(|chunk| std::cmp::Reverse(chunk.file.revision));
        let mut seen = BTreeSet::new();
        waiting.retain(|chunk| seen.insert(chunk.key));
        waiting.truncate(limit);
        Ok(waiting.into_iter().map(|chunk| (chunk.key, chunk.embedding_text())).collect())
    }
}

fn best(mut scored: Vec<Scored>, limit: usize) -> Vec<Scored> {
    scored.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
    scored.truncate(limit);
    scored
}
