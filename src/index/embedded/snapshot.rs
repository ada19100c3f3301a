//! One visible state of the embedded index, and the reads that a query makes of it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use tantivy::collector::DocSetCollector;
use tantivy::columnar::StrColumn;
use tantivy::index::SegmentId;
use tantivy::query::{BitSetDocSet, ConstScorer, EnableScoring, Explanation, Query, Scorer, TermQuery, Weight};
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, DocId, Score, Searcher, SegmentReader, TantivyDocument, Term};
use tantivy_common::BitSet;

use super::dense::{ScanSegment, SegmentVectors, scan, segment_keys};
use super::schema::{CHUNK_ID, FORMAT, Fields, MODIFIED_MS, PATH, REVISION};
use super::vectors::VectorTable;
use super::{lexical, tantivy};
use crate::extract::Format;
use crate::index::{ChunkId, ChunkRecord, Counts, Filter, IndexError, LexicalQuery, Scored, Snapshot, VectorKey};
use crate::workspace::{RelPath, Revision};

/// What a snapshot shows, made once for each commit and each growth of the table.
#[derive(Default)]
pub(super) struct State {
    searcher: Option<Searcher>,
    revision: Revision,
    vectors: HashMap<SegmentId, Arc<SegmentVectors>>,
    counts: Counts,
}

impl State {
    /// The state of a searcher; what `before` had looked up of its segments is kept.
    pub(super) fn of(
        searcher: Searcher,
        revision: Revision,
        table: &VectorTable,
        before: &Self,
    ) -> Result<Self, IndexError> {
        let mut counts = Counts::default();
        let mut vectors = HashMap::new();
        for reader in searcher.segment_readers() {
            let known = before.vectors.get(&reader.segment_id());
            let of_segment = SegmentVectors::resolve(reader, table, known)?;
            counts.num_chunks += reader.num_docs() as usize;
            counts.num_embedded += of_segment.num_live(reader);
            vectors.insert(reader.segment_id(), of_segment);
        }
        Ok(Self { searcher: Some(searcher), revision, vectors, counts })
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

    fn segments(&self) -> &[SegmentReader] {
        self.searcher.as_ref().map_or(&[], |searcher| searcher.segment_readers())
    }
}

/// A held [`State`].
pub(super) struct EmbeddedSnapshot {
    pub state: Arc<State>,
    pub table: Arc<RwLock<VectorTable>>,
    pub fields: Fields,
}

impl Snapshot for EmbeddedSnapshot {
    fn revision(&self) -> Revision {
        self.state.revision
    }

    fn counts(&self) -> Result<Counts, IndexError> {
        Ok(self.state.counts)
    }

    fn lexical(&self, query: &LexicalQuery, filter: &Filter, limit: usize) -> Result<Vec<Scored>, IndexError> {
        let Some(searcher) = &self.state.searcher else { return Ok(Vec::new()) };
        let limit = limit.min(self.state.counts.num_chunks);
        let Some(query) = lexical::build(query, &self.fields).filter(|_| limit > 0) else { return Ok(Vec::new()) };
        let filter: Option<Box<dyn Query>> = if filter.is_open() {
            None
        } else {
            let mut passing = HashMap::new();
            for reader in self.state.segments() {
                passing.insert(reader.segment_id(), passing_docs(reader, filter)?);
            }
            Some(Box::new(PassingQuery(Arc::new(passing))))
        };
        let mut found = Vec::new();
        for (score, address) in lexical::search(searcher, query, filter, limit)? {
            let column = searcher.segment_reader(address.segment_ord).fast_fields().u64(CHUNK_ID).map_err(tantivy)?;
            let id = ChunkId(column.first_or_default_col(0).get_val(address.doc_id));
            found.push(Scored { address: pack(address.segment_ord, address.doc_id), id, score });
        }
        found.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
        Ok(found)
    }

    fn dense(&self, query: &[f32], filter: &Filter, limit: usize) -> Result<Vec<Scored>, IndexError> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        if query.len() != table.num_dimensions() {
            return Err(IndexError::Dimensions { expected: table.num_dimensions(), found: query.len() });
        }
        let limit = limit.min(self.state.counts.num_chunks);
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut passing: Vec<Option<Vec<DocId>>> = Vec::new();
        for reader in self.state.segments() {
            passing.push(if filter.is_open() { None } else { Some(passing_docs(reader, filter)?) });
        }
        let segments: Vec<ScanSegment<'_>> = (0..)
            .zip(self.state.segments())
            .zip(&passing)
            .map(|((ordinal, reader), passing)| ScanSegment {
                ordinal,
                reader,
                vectors: &self.state.vectors[&reader.segment_id()],
                passing: passing.as_deref(),
            })
            .collect();
        let best = scan(&table, &segments, query, limit)?;
        Ok(best
            .into_iter()
            .map(|(score, id, segment, doc)| Scored { address: pack(segment, doc), id, score })
            .collect())
    }

    fn load(&self, addresses: &[u64]) -> Result<Vec<ChunkRecord>, IndexError> {
        let foreign = || IndexError::Unusable { reason: "an address is of another snapshot".to_owned() };
        let searcher = self.state.searcher.as_ref().ok_or_else(foreign)?;
        addresses
            .iter()
            .map(|&address| {
                let address = unpack(address);
                let readers = searcher.segment_readers();
                let reader = readers.get(address.segment_ord as usize).ok_or_else(foreign)?;
                if address.doc_id >= reader.max_doc() {
                    return Err(foreign());
                }
                let document: TantivyDocument = searcher.doc(address).map_err(tantivy)?;
                self.fields.record(&document)
            })
            .collect()
    }

    fn file(&self, path: &RelPath) -> Result<Vec<ChunkRecord>, IndexError> {
        let Some(searcher) = &self.state.searcher else { return Ok(Vec::new()) };
        let term = Term::from_field_text(self.fields.path, path.as_str());
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let found = searcher.search(&query, &DocSetCollector).map_err(tantivy)?;
        let addresses: Vec<u64> = found.into_iter().map(|address| pack(address.segment_ord, address.doc_id)).collect();
        let mut chunks = self.load(&addresses)?;
        chunks.sort_unstable_by_key(|chunk| chunk.place.ordinal);
        Ok(chunks)
    }

    fn unembedded(&self, limit: usize) -> Result<Vec<(VectorKey, String)>, IndexError> {
        let mut waiting: Vec<(u64, u64, VectorKey)> = Vec::new();
        for (ordinal, reader) in (0..).zip(self.state.segments()) {
            let vectors = &self.state.vectors[&reader.segment_id()];
            let keys = segment_keys(reader)?;
            let revisions = reader.fast_fields().u64(REVISION).map_err(tantivy)?.first_or_default_col(0);
            let missing = reader.doc_ids_alive().filter(|&doc| vectors.slot(doc).is_none());
            waiting.extend(missing.map(|doc| (revisions.get_val(doc), pack(ordinal, doc), keys(doc))));
        }
        waiting.sort_unstable_by_key(|&(revision, address, _)| (std::cmp::Reverse(revision), address));
        let mut seen = HashSet::new();
        waiting.retain(|&(_, _, key)| seen.insert(key));
        waiting.truncate(limit);
        let addresses: Vec<u64> = waiting.iter().map(|&(_, address, _)| address).collect();
        let chunks = self.load(&addresses)?;
        Ok(chunks.iter().map(|chunk| (chunk.key, chunk.embedding_text())).collect())
    }
}

fn pack(segment: u32, doc: DocId) -> u64 {
    u64::from(segment) << 32 | u64::from(doc)
}

fn unpack(address: u64) -> DocAddress {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are what `pack` put there")]
    DocAddress::new((address >> 32) as u32, address as u32)
}

/// The live chunks of a segment whose file passes the filter, in order.
fn passing_docs(reader: &SegmentReader, filter: &Filter) -> Result<Vec<DocId>, IndexError> {
    let columns = reader.fast_fields();
    let paths = Ordinals::of(columns.str(PATH).map_err(tantivy)?, |path| filter.admits_path(path))?;
    let formats = Ordinals::of(columns.str(FORMAT).map_err(tantivy)?, |name| {
        Format::from_name(name).is_some_and(|format| filter.admits_format(format))
    })?;
    let modified = columns.i64(MODIFIED_MS).map_err(tantivy)?.first_or_default_col(0);
    Ok(reader
        .doc_ids_alive()
        .filter(|&doc| paths.admit(doc) && formats.admit(doc) && filter.admits_modified(modified.get_val(doc)))
        .collect())
}

/// A text column with each of its distinct values decided once.
struct Ordinals {
    column: Option<StrColumn>,
    admitted: Vec<bool>,
}

impl Ordinals {
    fn of(column: Option<StrColumn>, admits: impl Fn(&str) -> bool) -> Result<Self, IndexError> {
        let mut admitted = Vec::new();
        if let Some(column) = &column {
            let mut terms = column.dictionary().stream().map_err(super::io)?;
            while terms.advance() {
                admitted.push(std::str::from_utf8(terms.key()).is_ok_and(&admits));
            }
        }
        Ok(Self { column, admitted })
    }

    fn admit(&self, doc: DocId) -> bool {
        let ordinal = self.column.as_ref().and_then(|column| column.term_ords(doc).next());
        ordinal.and_then(|ordinal| self.admitted.get(usize::try_from(ordinal).ok()?)).copied().unwrap_or(false)
    }
}

/// Matches the chunks that pass a filter, for tantivy to intersect with the words of a query.
#[derive(Debug, Clone)]
struct PassingQuery(Arc<HashMap<SegmentId, Vec<DocId>>>);

impl Query for PassingQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for PassingQuery {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let mut docs = BitSet::with_max_value(reader.max_doc());
        for &doc in self.0.get(&reader.segment_id()).into_iter().flatten() {
            docs.insert(doc);
        }
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(docs), boost)))
    }

    fn explain(&self, _: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new_with_string(format!("chunk {doc} passes the filter"), 0.0))
    }
}
