//! The oracle: the contract of [`Index`] in the plainest code, for tests to compare the others with.
//!
//! Every chunk is looked at for every query. BM25 (k1 1.2, b 0.75) over plain field lengths and the chunks that are there
//! now, summed over the fields with their weights; cosine over unrounded vectors.
//!
//! # Not here
//! Nothing is kept when the process ends.

mod words;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::{RwLock, RwLockReadGuard};

use super::analyzer::{
    Analysis, AskedWord, ExactTerm, Form, Phrase, QueryWord, Stemming, analyse_query, asked_words, is_all_words,
    is_question, names, positioned_terms,
};
use super::{
    Batch, ChunkId, ChunkRecord, Counts, Filter, FoundByWords, FoundNear, FoundWord, HeldWord, HeldWords, Holding,
    Index, IndexError, Languages, LexicalQuery, MAX_HOLDERS, MAX_LOOKED_UP, Scored, Snapshot, VectorKey,
    WordConditions, WordPattern, ends_of,
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
        self.state.read()
    }

    fn change(&self, change: impl FnOnce(&mut RamState)) {
        let mut state = self.state.write();
        let mut next = RamState::clone(&state);
        change(&mut next);
        *state = Arc::new(next);
    }
}

impl Index for RamIndex {
    fn model_id(&self) -> &'static str {
        "ram"
    }

    fn paths(&self) -> Result<BTreeSet<String>, IndexError> {
        Ok(self.state().files.keys().map(ToString::to_string).collect())
    }

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

struct RamSnapshot {
    state: Arc<RamState>,
    chunks: Vec<Arc<ChunkRecord>>,
}

impl RamSnapshot {
    /// The chunks that pass, each with its position.
    fn passing<'a>(&'a self, filter: &'a Filter) -> impl Iterator<Item = (usize, &'a ChunkRecord)> {
        let stemmings = self.stemmings_of_chunks();
        (0..).zip(&self.chunks).map(|(at, chunk)| (at, &**chunk)).filter(move |(_, chunk)| {
            let file = &chunk.file;
            filter.admits(file.path.as_str(), file.format, file.modified_ms)
                && words::meets(chunk, &filter.words, &stemmings)
        })
    }

    /// How the words of the chunks are stemmed, each way once.
    fn stemmings_of_chunks(&self) -> Vec<Stemming> {
        let of_chunks: BTreeSet<Stemming> = self.chunks.iter().map(|chunk| Stemming::of(chunk.file.language)).collect();
        of_chunks.into_iter().collect()
    }

    fn body(&self) -> Field {
        self.field(Analysis::Stemmed, |chunk| format!("{}{}", chunk.gap, chunk.searched_words()))
    }

    /// What is around the chunk's own words.
    fn around(&self) -> Field {
        self.field(Analysis::Stemmed, |chunk| {
            let (title, trail) = (chunk.file.title.as_deref().unwrap_or_default(), chunk.place.trail.join("\n"));
            format!("{title}\n{trail}\n{}", chunk.file.path)
        })
    }

    /// Adds the word as it is held, or its parts as they are.
    fn look_up(&self, word: &AskedWord, is_question: bool, filter: &Filter, held: &mut Vec<HeldWord>) {
        let is_plain = word.parts.is_empty() && word.forms.len() > 1;
        for form in &word.forms {
            let (field, terms) = match form {
                Form::AsWritten(_) if is_question && is_plain => continue,
                Form::AsWritten(term) => {
                    (self.field(Analysis::Exact, |chunk| chunk.searched_words().into_owned()), vec![term])
                }
                Form::Stemmed(terms) => (self.body(), terms.iter().collect()),
                Form::Around(terms) => (self.around(), terms.iter().collect()),
            };
            let holds = |at: usize| field.terms[at].iter().any(|(_, found)| terms.contains(&found));
            let num_chunks = (0..self.chunks.len()).filter(|&at| holds(at)).count();
            let holders: Vec<&ChunkRecord> =
                self.passing(filter).filter(|(at, _)| holds(*at)).map(|(_, chunk)| chunk).collect();
            if holders.is_empty() {
                continue;
            }
            let files: BTreeSet<&RelPath> = holders.iter().map(|chunk| &chunk.file.path).collect();
            let is_rare = num_chunks <= MAX_LOOKED_UP && holders.len() <= MAX_HOLDERS;
            held.push(HeldWord {
                text: word.text.clone(),
                num_chunks,
                num_files: if is_rare { files.len() } else { 0 },
                chunks: is_rare.then(|| ids_of(holders)),
            });
            return;
        }
        for part in &word.parts {
            self.look_up(part, is_question, filter, held);
        }
    }

    /// The terms of one field of every chunk, in order.
    fn field(&self, analysis: Analysis, text: impl Fn(&ChunkRecord) -> String) -> Field {
        let of_chunk =
            |chunk: &Arc<ChunkRecord>| positioned_terms(&text(chunk), analysis, Stemming::of(chunk.file.language));
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

    /// Adds to `scores` the BM25 of the best of some terms in each chunk, each with its weight.
    fn add_best(&self, scores: &mut BTreeMap<usize, f32>, terms: &[(&str, f32)]) {
        let num_terms: usize = self.terms.iter().map(Vec::len).sum();
        let average = num_terms as f32 / self.terms.len().max(1) as f32;
        let mut best: BTreeMap<usize, f32> = BTreeMap::new();
        for (term, weight) in terms.iter().filter(|(_, weight)| *weight > 0.0) {
            let idf = self.idf_of(term);
            for (at, terms) in self.terms.iter().enumerate() {
                let found = terms.iter().filter(|(_, found)| found == term).count() as f32;
                if found > 0.0 {
                    let norm = K1 * (1.0 - B + B * terms.len() as f32 / average);
                    let score = weight * idf * found * (K1 + 1.0) / (found + norm);
                    let best = best.entry(at).or_default();
                    *best = best.max(score);
                }
            }
        }
        for (at, score) in best {
            *scores.entry(at).or_default() += score;
        }
    }
}

impl RamSnapshot {
    fn held(&self, query: &LexicalQuery, filter: &Filter) -> HeldWords {
        let (text, stemmings) = (query.all_words(), self.stemmings());
        let is_question = is_question(&text, &stemmings);
        let mut words = Vec::new();
        for word in asked_words(&text, &stemmings) {
            self.look_up(&word, is_question, filter, &mut words);
        }
        let is_named =
            |chunk: &&ChunkRecord| names(&text, chunk.file.path.file_name(), Stemming::of(chunk.file.language));
        let named = ids_of(self.passing(filter).map(|(_, chunk)| chunk).filter(is_named).collect());
        HeldWords { is_question, are_all_words: is_all_words(&text), words, named }
    }
}

impl Snapshot for RamSnapshot {
    fn revision(&self) -> Revision {
        self.state.revision
    }

    fn counts(&self) -> Result<Counts, IndexError> {
        let num_embedded = self.chunks.iter().filter(|chunk| self.state.vectors.contains_key(&chunk.key)).count();
        let num_by_words = self.chunks.iter().filter(|chunk| chunk.key == VectorKey::NONE).count();
        Ok(Counts { num_chunks: self.chunks.len(), num_embedded, num_by_words })
    }

    fn languages(&self) -> Result<Languages, IndexError> {
        let mut counts = Languages::new();
        for chunk in &self.chunks {
            let count = counts.entry(chunk.file.language).or_default();
            count.num_chunks += 1;
            count.num_by_words += usize::from(chunk.key == VectorKey::NONE);
        }
        Ok(counts)
    }

    fn paths(&self, chunks: &[ChunkId]) -> Result<BTreeSet<RelPath>, IndexError> {
        Ok(self.load(chunks)?.into_iter().map(|chunk| chunk.file.path.clone()).collect())
    }

    fn lexical(&self, query: &LexicalQuery, filter: &Filter, limit: usize) -> Result<Vec<Scored>, IndexError> {
        let weights = query.weights;
        let all_words = query.all_words();
        let exact = self.field(Analysis::Exact, |chunk| chunk.searched_words().into_owned());
        let fields = [
            (self.body(), weights.body),
            (self.field(Analysis::Stemmed, |chunk| chunk.file.title.clone().unwrap_or_default()), weights.title),
            (self.field(Analysis::Stemmed, |chunk| chunk.place.trail.join("\n")), weights.trail),
            (self.field(Analysis::Stemmed, |chunk| chunk.file.path.to_string()), weights.path),
        ];
        let mut scores = BTreeMap::new();
        let stemmings = self.stemmings_of_chunks();
        let terms = analyse_query(&all_words, &stemmings, usize::MAX);
        for QueryWord { variants, times } in &terms.words {
            for (field, weight) in &fields {
                let in_field = variants.iter().map(|variant| (variant.as_str(), *weight * *times as f32));
                field.add_best(&mut scores, &in_field.collect::<Vec<_>>());
            }
        }
        for ExactTerm { text, times, kind } in &terms.exact {
            let weight = kind.weight(weights);
            let weight = if terms.words.is_empty() { 1.0 } else { weight * *times as f32 };
            exact.add_best(&mut scores, &[(text, weight)]);
        }
        for phrase in &query.phrases {
            let Some(words) = Phrase::of(phrase) else { continue };
            let rarity = |&stemming: &Stemming| -> f32 {
                match words.terms(Analysis::Stemmed, stemming) {
                    stems if stems.is_empty() => {
                        words.terms(Analysis::Exact, stemming).iter().map(|term| exact.idf_of(term)).sum()
                    }
                    stems => stems.iter().map(|term| fields[0].0.idf_of(term)).sum(),
                }
            };
            let score = stemmings.iter().map(rarity).fold(0.0, f32::max);
            for (at, chunk) in self.chunks.iter().enumerate() {
                if words.is_in(&chunk.words) {
                    *scores.entry(at).or_default() += PHRASE_WEIGHT * score;
                }
            }
        }
        let found = self.passing(filter).filter_map(|(at, chunk)| {
            let score = *scores.get(&at)?;
            Some(Scored { id: chunk.id(), score })
        });
        Ok(best(found.collect(), limit))
    }

    fn by_words(&self, query: &LexicalQuery, filter: &Filter, limit: usize) -> Result<FoundByWords, IndexError> {
        let chunks = self.lexical(query, filter, limit)?;
        let loaded = self.load(&chunks.iter().map(|chunk| chunk.id).collect::<Vec<_>>())?;
        let without_vector = loaded.iter().filter(|chunk| chunk.key == VectorKey::NONE).map(ChunkRecord::id);
        Ok(FoundByWords { without_vector: without_vector.collect(), chunks, held: self.held(query, filter) })
    }

    fn near(
        &self,
        query: &[f32],
        filter: &Filter,
        limit: usize,
        also: Option<&[ChunkId]>,
    ) -> Result<FoundNear, IndexError> {
        if query.len() != self.state.num_dimensions {
            return Err(IndexError::Dimensions { expected: self.state.num_dimensions, found: query.len() });
        }
        let scored = self.passing(filter).filter_map(|(_, chunk)| {
            let vector = self.state.vectors.get(&chunk.key)?;
            let score = vector.iter().zip(query).map(|(a, b)| a * b).sum();
            Some(Scored { id: chunk.id(), score })
        });
        let chunks = best(scored.collect(), limit);
        let mut vectors = BTreeMap::new();
        if let Some(also) = also {
            let wanted: Vec<ChunkId> = chunks.iter().map(|chunk| chunk.id).chain(also.iter().copied()).collect();
            let loaded = self.load(&wanted)?;
            let with_vector = |chunk: ChunkRecord| Some((chunk.id(), self.state.vectors.get(&chunk.key)?.to_vec()));
            vectors.extend(loaded.into_iter().filter_map(with_vector));
        }
        Ok(FoundNear { chunks, vectors })
    }

    fn newest(&self, filter: &Filter, num_files: usize, num_of_each: usize) -> Result<Vec<ChunkId>, IndexError> {
        let mut files: BTreeMap<_, Vec<ChunkId>> = BTreeMap::new();
        for (_, chunk) in self.passing(filter) {
            let key = (std::cmp::Reverse(chunk.file.modified_ms), chunk.file.path.clone());
            files.entry(key).or_default().push(chunk.id());
        }
        let of_files = files.into_values().take(num_files);
        Ok(of_files.flat_map(|ids| ids.into_iter().take(num_of_each)).collect())
    }

    fn vocabulary(
        &self,
        pattern: &WordPattern<'_>,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<FoundWord>, IndexError> {
        let passing: Vec<&ChunkRecord> = self.passing(filter).map(|(_, chunk)| chunk).collect();
        Ok(words::vocabulary(&passing, pattern, &self.stemmings_of_chunks(), limit))
    }

    fn has_word(&self, word: &str, filter: &Filter) -> Result<bool, IndexError> {
        let required = vec![Holding::Word(word.to_owned())];
        let words = WordConditions { required, ..WordConditions::default() };
        let stemmings = self.stemmings_of_chunks();
        Ok(self.passing(filter).any(|(_, chunk)| words::meets(chunk, &words, &stemmings)))
    }

    fn stemmings(&self) -> Vec<Stemming> {
        self.stemmings_of_chunks()
    }

    fn load(&self, chunks: &[ChunkId]) -> Result<Vec<ChunkRecord>, IndexError> {
        let by_id: HashMap<ChunkId, &Arc<ChunkRecord>> = self.chunks.iter().map(|chunk| (chunk.id(), chunk)).collect();
        Ok(chunks.iter().filter_map(|id| by_id.get(id).map(|chunk| ChunkRecord::clone(chunk))).collect())
    }

    fn file(&self, path: &RelPath) -> Result<Vec<ChunkRecord>, IndexError> {
        let chunks = self.state.files.get(path).into_iter().flatten();
        Ok(chunks.map(|chunk| ChunkRecord::clone(chunk)).collect())
    }

    fn extract_of(&self, path: &RelPath, limit: usize) -> Result<Vec<ChunkRecord>, IndexError> {
        Ok(ends_of(self.file(path)?, limit))
    }

    fn below(&self, path: &RelPath) -> Result<BTreeSet<RelPath>, IndexError> {
        let prefix = format!("{path}/");
        Ok(self.state.files.keys().filter(|path| path.as_str().starts_with(&prefix)).cloned().collect())
    }

    fn unembedded(&self, limit: usize) -> Result<Vec<(VectorKey, String)>, IndexError> {
        let mut waiting: Vec<&Arc<ChunkRecord>> =
            self.chunks.iter().filter(|chunk| !self.state.vectors.contains_key(&chunk.key)).collect();
        waiting.retain(|chunk| chunk.key != VectorKey::NONE);
        waiting.sort_by_key(|chunk| std::cmp::Reverse(chunk.file.revision));
        let mut seen = BTreeSet::new();
        waiting.retain(|chunk| seen.insert(chunk.key));
        waiting.truncate(limit);
        Ok(waiting.into_iter().map(|chunk| (chunk.key, chunk.embedding_text())).collect())
    }
}

fn ids_of(chunks: Vec<&ChunkRecord>) -> Vec<ChunkId> {
    let mut ids: Vec<ChunkId> = chunks.into_iter().map(ChunkRecord::id).collect();
    ids.sort_unstable();
    ids
}

fn best(mut scored: Vec<Scored>, limit: usize) -> Vec<Scored> {
    scored.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
    scored.truncate(limit);
    scored
}
