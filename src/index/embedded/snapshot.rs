//! One visible state of the embedded index, and the reads that a query makes of it.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tantivy::collector::DocSetCollector;
use tantivy::index::SegmentId;
use tantivy::query::TermQuery;
use tantivy::schema::IndexRecordOption;
use tantivy::{BitSet, DocAddress, DocId, Searcher, SegmentReader, Term};

use super::dense::{Place, SegmentVectors, scan};
use super::given::Given;
use super::held::Asked;
use super::kernel::decode;
use super::newest::Newest;
use super::schema::Fields;
use super::segment::Columns;
use super::{lexical, phrase, tantivy};
use crate::budget::Budget;
use crate::index::analyzer::Stemming;
use crate::index::{
    ChunkId, ChunkRecord, Counts, Filter, FoundByWords, FoundNear, FoundWord, IndexError, Languages, LexicalQuery,
    Scored, Snapshot, VectorKey, WordPattern, ends_of,
};
use crate::vectors::{Codes, VectorTable};
use crate::workspace::{Language, RelPath, Revision};

/// A filter that passes less than this part of the chunks has them looked up; a wider one is asked about each.
const NARROW_PART: usize = 4;

/// What a snapshot shows, made once for each commit and each growth of the table.
#[derive(Default)]
pub(super) struct State {
    pub searcher: Option<Searcher>,
    revision: Revision,
    /// In the searcher's order.
    pub segments: Vec<Segment>,
    /// Every code that a segment's chunk was found to have.
    codes: Codes,
    /// All live chunks that have a vector, in the order of slots; made when the first query asks.
    places: OnceLock<Vec<Place>>,
    counts: Counts,
    languages: Languages,
    /// How the words of live chunks are stemmed, each way once.
    pub stemmings: Vec<Stemming>,
}

/// What is known of one segment.
pub(super) struct Segment {
    id: SegmentId,
    pub columns: Arc<Columns>,
    vectors: Arc<SegmentVectors>,
    /// Of the live chunks, when there were so many of them.
    languages: (u32, Arc<Languages>),
}

/// The chunks of each segment that pass a filter, in order.
pub(super) type Passing = Vec<Vec<DocId>>;

impl State {
    /// The state of a searcher; what `before` had looked up of its segments is kept.
    pub(super) fn of(
        searcher: Searcher,
        revision: Revision,
        table: &VectorTable,
        before: &Self,
    ) -> Result<Self, IndexError> {
        let mut counts = Counts::default();
        let mut languages = Languages::new();
        let mut segments = Vec::new();
        for reader in searcher.segment_readers() {
            let id = reader.segment_id();
            let known = before.segments.iter().find(|segment| segment.id == id);
            let columns =
                known.map_or_else(|| Columns::open(reader).map(Arc::new), |known| Ok(Arc::clone(&known.columns)))?;
            let vectors = SegmentVectors::resolve(reader, &columns, table, known.map(|known| &known.vectors));
            counts.num_chunks += reader.num_docs() as usize;
            counts.num_embedded += vectors.num_live(reader);
            // Chunks only ever leave a segment, so as many as before are the same as before.
            let counted = known.map(|known| &known.languages).filter(|(num_docs, _)| *num_docs == reader.num_docs());
            let counted =
                counted.map_or_else(|| Arc::new(columns.count_languages(reader)), |(_, counted)| Arc::clone(counted));
            for (&language, counted) in &*counted {
                let count = languages.entry(language).or_default();
                count.num_chunks += counted.num_chunks;
                count.num_by_words += counted.num_by_words;
                counts.num_by_words += counted.num_by_words;
            }
            segments.push(Segment { id, columns, vectors, languages: (reader.num_docs(), counted) });
        }
        let mut stemmings: Vec<Stemming> = languages.keys().map(|&language| Stemming::of(language)).collect();
        stemmings.sort_unstable();
        stemmings.dedup();
        Ok(Self {
            searcher: Some(searcher),
            revision,
            segments,
            codes: table.codes().clone(),
            places: OnceLock::new(),
            counts,
            languages,
            stemmings,
        })
    }

    /// The same postings with the vectors that have come since.
    pub(super) fn with_newer_vectors(&self, table: &VectorTable) -> Result<Self, IndexError> {
        match &self.searcher {
            Some(searcher) => Self::of(searcher.clone(), self.revision, table, self),
            None => Ok(Self::default()),
        }
    }

    pub(super) const fn revision(&self) -> Revision {
        self.revision
    }

    /// Those of `ids` that chunks of a file have.
    pub(super) fn held_ids(
        &self,
        fields: &Fields,
        path: &RelPath,
        ids: &HashSet<ChunkId>,
    ) -> Result<HashSet<ChunkId>, IndexError> {
        let Some(searcher) = &self.searcher else { return Ok(HashSet::new()) };
        let term = Term::from_field_text(fields.path, path.as_str());
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let found = searcher.search(&query, &DocSetCollector).map_err(tantivy)?;
        let id = |at: DocAddress| self.segments[at.segment_ord as usize].columns.chunk_id(at.doc_id);
        Ok(found.into_iter().map(id).filter(|id| ids.contains(id)).collect())
    }

    /// The keys of live chunks that have no vector, each once.
    pub(super) fn unembedded_keys(&self) -> HashSet<VectorKey> {
        let of_segment = |(reader, segment): (&SegmentReader, &Segment)| {
            let missing = reader.doc_ids_alive().filter(|&doc| segment.vectors.slot(doc).is_none());
            missing.map(|doc| segment.columns.key(doc)).filter(|&key| key != VectorKey::NONE).collect::<Vec<_>>()
        };
        self.segments().flat_map(of_segment).collect()
    }

    fn places(&self) -> &[Place] {
        self.places.get_or_init(|| {
            let mut places = Vec::with_capacity(self.counts.num_embedded);
            for (ordinal, (reader, segment)) in (0..).zip(self.segments()) {
                let alive = reader.alive_bitset();
                let live =
                    segment.vectors.with_slots().filter(|&(doc, _)| alive.is_none_or(|alive| alive.is_alive(doc)));
                places.extend(live.map(|(doc, slot)| Place { slot, segment: ordinal, doc }));
            }
            // Stable, because that is fast on what is in order by segments.
            places.sort_by_key(|place| place.slot);
            places
        })
    }

    /// Those of the passing chunks that have a vector.
    fn places_of(&self, passing: &Passing) -> Vec<Place> {
        if passing.iter().map(Vec::len).sum::<usize>() < self.counts.num_chunks / NARROW_PART {
            let mut places = Vec::new();
            for (ordinal, (segment, docs)) in (0..).zip(self.segments.iter().zip(passing)) {
                let place = |&doc: &DocId| Some(Place { slot: segment.vectors.slot(doc)?, segment: ordinal, doc });
                places.extend(docs.iter().filter_map(place));
            }
            return places;
        }
        let sets: Vec<BitSet> =
            self.segments().zip(passing).map(|((reader, _), docs)| lexical::bit_set(docs, reader)).collect();
        self.places().iter().filter(|place| sets[place.segment as usize].contains(place.doc)).copied().collect()
    }

    /// The segment of an address, and the chunk in it.
    fn at(&self, address: u64) -> Result<(&SegmentReader, &Segment, DocId), IndexError> {
        let DocAddress { segment_ord, doc_id } = unpack(address);
        let found = self.segments().nth(segment_ord as usize).filter(|(reader, _)| doc_id < reader.max_doc());
        let foreign = || IndexError::Unusable { reason: "an address is of another snapshot".to_owned() };
        found.map(|(reader, segment)| (reader, segment, doc_id)).ok_or_else(foreign)
    }

    /// How the words of live chunks are stemmed, each way once.
    pub(super) fn stemmings(&self) -> &[Stemming] {
        &self.stemmings
    }

    /// The id of the chunk at an address.
    pub(super) fn id_at(&self, address: u64) -> Result<ChunkId, IndexError> {
        let (_, segment, doc) = self.at(address)?;
        Ok(segment.columns.chunk_id(doc))
    }

    /// The path of the file that the chunk at an address is of.
    pub(super) fn path_at(&self, address: u64) -> Result<&str, IndexError> {
        let (reader, segment, doc) = self.at(address)?;
        segment.columns.path(reader, doc)
    }

    /// Tells the file that the chunk at an address is of from those of other chunks; one file may have several of these.
    pub(super) fn file_at(&self, address: u64) -> Result<(u32, u32), IndexError> {
        let (reader, segment, doc) = self.at(address)?;
        Ok((unpack(address).segment_ord, segment.columns.file_number(reader, doc)?))
    }

    /// The vector of the chunk at an address, where it has one.
    fn vector_at(&self, address: u64) -> Result<Option<Vec<f32>>, IndexError> {
        let (_, segment, doc) = self.at(address)?;
        Ok(segment.vectors.slot(doc).map(|slot| {
            let mut vector = vec![0.0; self.codes.num_dimensions()];
            decode(self.codes.code(slot), self.codes.scale(slot), &mut vector);
            vector
        }))
    }

    /// The language of the document that the chunk at an address is of.
    pub(super) fn language_at(&self, address: u64) -> Result<Option<Language>, IndexError> {
        let (_, segment, doc) = self.at(address)?;
        Ok(segment.columns.language(doc))
    }

    pub(super) fn segments(&self) -> impl Iterator<Item = (&SegmentReader, &Segment)> {
        let readers = self.searcher.as_ref().map_or(&[][..], |searcher| searcher.segment_readers());
        readers.iter().zip(&self.segments)
    }
}

/// A held [`State`].
pub(super) struct EmbeddedSnapshot {
    pub state: Arc<State>,
    pub fields: Fields,
    /// What the last filter lets pass: the two legs of a query ask with the same one.
    pub passing: Mutex<Option<(Filter, Arc<Passing>)>>,
    /// The chunks that were given to the query.
    pub given: Given,
    /// The time of the query.
    pub budget: Budget,
}

impl EmbeddedSnapshot {
    /// Where the chunks of a file are, in the order in which they were written.
    fn addresses_of(&self, path: &RelPath) -> Result<Vec<u64>, IndexError> {
        let Some(searcher) = &self.state.searcher else { return Ok(Vec::new()) };
        let term = Term::from_field_text(self.fields.path, path.as_str());
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let found = searcher.search(&query, &DocSetCollector).map_err(tantivy)?;
        let mut addresses: Vec<u64> = found.into_iter().map(|at| pack(at.segment_ord, at.doc_id)).collect();
        addresses.sort_unstable();
        Ok(addresses)
    }

    /// Chunks of one file, in the order of its text.
    fn chunks_at(&self, addresses: &[u64]) -> Result<Vec<ChunkRecord>, IndexError> {
        if self.budget.is_over() {
            return Ok(Vec::new());
        }
        let mut chunks = self.load_at(addresses)?;
        chunks.sort_unstable_by_key(|chunk| chunk.place.ordinal);
        Ok(chunks)
    }

    /// The chunks that pass a filter; `None` where all do.
    fn passing(&self, filter: &Filter) -> Result<Option<Arc<Passing>>, IndexError> {
        if filter.is_open() {
            return Ok(None);
        }
        let mut last = self.passing.lock();
        if let Some((_, passing)) = last.as_ref().filter(|(before, _)| before == filter) {
            return Ok(Some(Arc::clone(passing)));
        }
        let of_segment = |(reader, segment): (&SegmentReader, &Segment)| segment.columns.passing(reader, filter);
        let passing = self.state.segments().map(of_segment).collect::<Result<Passing, _>>()?;
        let passing = Arc::new(self.meeting(passing, &filter.words)?);
        if self.budget.is_over() {
            // The budget stays over, so further work for this query gets nothing, either.
            return Ok(Some(Arc::new(vec![Vec::new(); passing.len()])));
        }
        *last = Some((filter.clone(), Arc::clone(&passing)));
        Ok(Some(passing))
    }
}

impl Snapshot for EmbeddedSnapshot {
    fn limit(&mut self, budget: &Budget) {
        self.budget = budget.clone();
    }

    fn is_over(&self) -> bool {
        self.budget.is_over()
    }

    fn revision(&self) -> Revision {
        self.state.revision
    }

    fn counts(&self) -> Result<Counts, IndexError> {
        Ok(self.state.counts)
    }

    fn languages(&self) -> Result<Languages, IndexError> {
        Ok(self.state.languages.clone())
    }

    fn paths(&self, chunks: &[ChunkId]) -> Result<BTreeSet<RelPath>, IndexError> {
        let mut paths = BTreeSet::new();
        for address in self.addresses(chunks) {
            let path = self.state.path_at(address)?;
            if !paths.contains(path) {
                let nameless =
                    |_| IndexError::Unusable { reason: "it holds a file that can have no such path".to_owned() };
                paths.insert(path.parse().map_err(nameless)?);
            }
        }
        Ok(paths)
    }

    fn lexical(&self, query: &LexicalQuery, filter: &Filter, limit: usize) -> Result<Vec<Scored>, IndexError> {
        let Some(searcher) = &self.state.searcher else { return Ok(Vec::new()) };
        let limit = limit.min(self.state.counts.num_chunks);
        let passing = self.passing(filter)?;
        let among =
            phrase::Among { searcher, fields: &self.fields, stemmings: &self.state.stemmings, budget: &self.budget };
        let find = |phrase: &String| among.find(phrase, passing.as_deref()).transpose();
        let phrases = query.phrases.iter().filter_map(find).collect::<Result<_, _>>()?;
        let query = lexical::build(query, &self.fields, &self.state.stemmings, phrases).filter(|_| limit > 0);
        let Some(query) = query else { return Ok(Vec::new()) };
        let best = lexical::search(searcher, query, &self.state.segments, (passing.as_ref(), &self.budget), limit)?;
        Ok(self.scored(best.into_iter().map(|(score, id, at)| (score, id, pack(at.segment_ord, at.doc_id)))))
    }

    fn by_words(&self, query: &LexicalQuery, filter: &Filter, limit: usize) -> Result<FoundByWords, IndexError> {
        let chunks = self.lexical(query, filter, limit)?;
        let mut without_vector = BTreeSet::new();
        if self.state.counts.num_by_words > 0 {
            for chunk in &chunks {
                for address in self.addresses(&[chunk.id]) {
                    let (_, segment, doc) = self.state.at(address)?;
                    if segment.columns.key(doc) == VectorKey::NONE {
                        without_vector.insert(chunk.id);
                    }
                }
            }
        }
        let passing = self.passing(filter)?;
        let Self { state, fields, budget, given, .. } = self;
        let asked = |searcher| Asked { state, searcher, fields, passing: passing.as_deref(), budget, given };
        let held = state.searcher.as_ref().map(|searcher| asked(searcher).held(query)).transpose()?.unwrap_or_default();
        Ok(FoundByWords { chunks, without_vector, held })
    }

    fn near(
        &self,
        query: &[f32],
        filter: &Filter,
        limit: usize,
        also: Option<&[ChunkId]>,
    ) -> Result<FoundNear, IndexError> {
        let codes = &self.state.codes;
        if query.len() != codes.num_dimensions() {
            return Err(IndexError::Dimensions { expected: codes.num_dimensions(), found: query.len() });
        }
        let limit = limit.min(self.state.counts.num_chunks);
        if limit == 0 {
            return Ok(FoundNear::default());
        }
        let passing = self.passing(filter)?;
        let places = match passing.as_deref() {
            None => Cow::Borrowed(self.state.places()),
            Some(passing) => Cow::Owned(self.state.places_of(passing)),
        };
        let best = scan(codes, &places, &self.state.segments, query, (limit, &self.budget));
        let chunks = self.scored(best.into_iter().map(|(score, id, segment, doc)| (score, id, pack(segment, doc))));
        let mut vectors = BTreeMap::new();
        if let Some(also) = also {
            let wanted: Vec<ChunkId> = chunks.iter().map(|chunk| chunk.id).chain(also.iter().copied()).collect();
            for address in self.addresses(&wanted) {
                if let Entry::Vacant(entry) = vectors.entry(self.state.id_at(address)?)
                    && let Some(vector) = self.state.vector_at(address)?
                {
                    entry.insert(vector);
                }
            }
        }
        Ok(FoundNear { chunks, vectors })
    }

    fn newest(&self, filter: &Filter, num_files: usize, num_of_each: usize) -> Result<Vec<ChunkId>, IndexError> {
        let passing = self.passing(filter)?;
        let mut files: BTreeMap<(Reverse<i64>, &str), Vec<u64>> = BTreeMap::new();
        for (ordinal, (reader, segment)) in (0..).zip(self.state.segments()) {
            let mut add = |doc: DocId| -> Result<(), IndexError> {
                let key = (Reverse(segment.columns.modified_ms(doc)), segment.columns.path(reader, doc)?);
                files.entry(key).or_default().push(pack(ordinal, doc));
                if files.len() > num_files {
                    files.pop_last();
                }
                Ok(())
            };
            match passing.as_deref() {
                Some(passing) => passing[ordinal as usize].iter().try_for_each(|&doc| add(doc))?,
                None => reader.doc_ids_alive().try_for_each(&mut add)?,
            }
        }
        let first = |addresses: Vec<u64>| addresses.into_iter().take(num_of_each);
        let found = files.into_values().flat_map(first).map(|address| Ok((0.0, self.state.id_at(address)?, address)));
        let found = found.collect::<Result<Vec<_>, IndexError>>()?;
        Ok(self.scored(found).into_iter().map(|chunk| chunk.id).collect())
    }

    fn vocabulary(
        &self,
        pattern: &WordPattern<'_>,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<FoundWord>, IndexError> {
        let passing = self.passing(filter)?;
        self.spelled(pattern, passing.as_deref(), limit)
    }

    fn has_word(&self, word: &str, filter: &Filter) -> Result<bool, IndexError> {
        self.has_form_of(word, self.passing(filter)?.as_deref())
    }

    fn stemmings(&self) -> Vec<Stemming> {
        self.state.stemmings.clone()
    }

    fn load(&self, chunks: &[ChunkId]) -> Result<Vec<ChunkRecord>, IndexError> {
        self.load_at(&self.addresses(chunks))
    }

    fn file(&self, path: &RelPath) -> Result<Vec<ChunkRecord>, IndexError> {
        self.chunks_at(&self.addresses_of(path)?)
    }

    fn extract_of(&self, path: &RelPath, limit: usize) -> Result<Vec<ChunkRecord>, IndexError> {
        self.chunks_at(&ends_of(self.addresses_of(path)?, limit))
    }

    fn below(&self, path: &RelPath) -> Result<BTreeSet<RelPath>, IndexError> {
        // `0` comes right after `/`.
        let (first, last) = (format!("{path}/"), format!("{path}0"));
        let mut found = BTreeSet::new();
        for (reader, _) in self.state.segments() {
            let index = reader.inverted_index(self.fields.path).map_err(tantivy)?;
            let mut terms = index.terms().range().ge(&first).lt(&last).into_stream().map_err(super::io)?;
            while terms.advance() {
                found.extend(std::str::from_utf8(terms.key()).ok().and_then(|path| path.parse().ok()));
            }
        }
        Ok(found)
    }

    fn unembedded(&self, limit: usize) -> Result<Vec<(VectorKey, String)>, IndexError> {
        let mut newest = Newest::new(limit);
        for (ordinal, (reader, segment)) in (0..).zip(self.state.segments()) {
            let Segment { columns, .. } = segment;
            for doc in reader.doc_ids_alive().filter(|&doc| segment.vectors.slot(doc).is_none()) {
                let key = columns.key(doc);
                if key != VectorKey::NONE {
                    newest.offer((Reverse(columns.revision(doc)), pack(ordinal, doc)), key);
                }
            }
        }
        let addresses = newest.addresses();
        let chunks = self.load_at(&addresses)?;
        Ok(chunks.iter().map(|chunk| (chunk.key, chunk.embedding_text())).collect())
    }
}

pub(super) fn pack(segment: u32, doc: DocId) -> u64 {
    u64::from(segment) << 32 | u64::from(doc)
}

pub(super) fn unpack(address: u64) -> DocAddress {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are what `pack` put there")]
    DocAddress::new((address >> 32) as u32, address as u32)
}
