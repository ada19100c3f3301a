//! The dense leg: every live, filter-passing code of a snapshot is scored.
//!
//! A segment never changes, so which vector each of its chunks names is looked up once and kept; only chunks whose
//! vector was missing are looked up again when the table has grown.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use rayon::prelude::*;
use tantivy::{DocId, SegmentReader};

use super::kernel::dot_products;
use super::schema::{CHUNK_ID, KEY_HIGH, KEY_LOW, join};
use super::vectors::{Code, VectorTable};
use crate::index::{ChunkId, IndexError, VectorKey};

/// Marks a chunk whose vector is not known.
const NO_SLOT: u32 = u32::MAX;
/// Chunks scored in one call of the kernel.
const BLOCK: usize = 256;
/// Chunks that one task scans.
const TASK: usize = 16_384;
/// Candidates beyond the limit that are scored again with the unrounded query.
const RESCORE_MARGIN: usize = 64;

/// Which vector each chunk of one segment names.
#[derive(Debug)]
pub(super) struct SegmentVectors {
    slots: Vec<u32>,
    num_missing: usize,
    table_len: usize,
}

impl SegmentVectors {
    /// Looks up all chunks of a segment, or those that `before` did not know.
    pub(super) fn resolve(
        reader: &SegmentReader,
        table: &VectorTable,
        before: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, IndexError> {
        if let Some(before) = before
            && (before.num_missing == 0 || before.table_len == table.len())
        {
            return Ok(Arc::clone(before));
        }
        let keys = segment_keys(reader)?;
        let mut slots = before.map_or_else(|| vec![NO_SLOT; reader.max_doc() as usize], |before| before.slots.clone());
        let mut num_missing = 0;
        for (doc, slot) in (0..).zip(&mut slots) {
            if *slot == NO_SLOT {
                *slot = table.slot(keys(doc)).unwrap_or(NO_SLOT);
                num_missing += usize::from(*slot == NO_SLOT);
            }
        }
        Ok(Arc::new(Self { slots, num_missing, table_len: table.len() }))
    }

    /// How many of the segment's live chunks have a vector.
    pub(super) fn num_live(&self, reader: &SegmentReader) -> usize {
        let num_docs = reader.num_docs() as usize;
        if self.num_missing == 0 {
            return num_docs;
        }
        num_docs - reader.doc_ids_alive().filter(|&doc| self.slot(doc).is_none()).count()
    }

    pub(super) fn slot(&self, doc: DocId) -> Option<u32> {
        self.slots.get(doc as usize).copied().filter(|&slot| slot != NO_SLOT)
    }
}

/// Reads the key of each chunk of a segment.
pub(super) fn segment_keys(reader: &SegmentReader) -> Result<impl Fn(DocId) -> VectorKey, IndexError> {
    let column = |name| Ok(reader.fast_fields().u64(name).map_err(super::tantivy)?.first_or_default_col(0));
    let (high, low) = (column(KEY_HIGH)?, column(KEY_LOW)?);
    Ok(move |doc| join(high.get_val(doc), low.get_val(doc)))
}

/// One segment as the scan sees it.
pub(super) struct ScanSegment<'a> {
    pub ordinal: u32,
    pub reader: &'a SegmentReader,
    pub vectors: &'a SegmentVectors,
    /// The chunks that pass the filter and live, or `None` where all do.
    pub passing: Option<&'a [DocId]>,
}

/// The best `limit` chunks by dot product, best first, ties by id: `(score, id, segment, document)`.
pub(super) fn scan(
    table: &VectorTable,
    segments: &[ScanSegment<'_>],
    query: &[f32],
    limit: usize,
) -> Result<Vec<(f32, ChunkId, u32, DocId)>, IndexError> {
    let code = Code::of(query);
    let keep = limit.saturating_add(RESCORE_MARGIN);
    let tasks: Vec<(&ScanSegment<'_>, usize)> = segments
        .iter()
        .flat_map(|segment| {
            let num_docs = segment.passing.map_or(segment.vectors.slots.len(), <[DocId]>::len);
            (0..num_docs).step_by(TASK).map(move |start| (segment, start))
        })
        .collect();
    let candidates: Vec<Candidate> = if tasks.len() == 1 {
        scan_task(table, &code, tasks[0], keep)
    } else {
        tasks.into_par_iter().flat_map_iter(|task| scan_task(table, &code, task, keep)).collect()
    };
    let ids = segments
        .iter()
        .map(|segment| {
            let column = segment.reader.fast_fields().u64(CHUNK_ID).map_err(super::tantivy)?;
            Ok((segment.ordinal, column.first_or_default_col(0)))
        })
        .collect::<Result<Vec<_>, IndexError>>()?;
    let mut candidates = candidates;
    candidates.sort_unstable_by(|a, b| b.cmp(a));
    // Rounding the query costs a little order among near equals, so more than asked for are scored with it unrounded.
    let cut = candidates.get(keep).map_or(f32::NEG_INFINITY, |candidate| candidate.score);
    let mut best: Vec<(f32, ChunkId, u32, DocId)> = candidates
        .into_iter()
        .take_while(|candidate| candidate.score >= cut)
        .map(|candidate| {
            let (_, column) = ids.iter().find(|(ordinal, _)| *ordinal == candidate.segment).expect("scanned segment");
            let score = table.exact_score(candidate.slot, query);
            (score, ChunkId(column.get_val(candidate.doc)), candidate.segment, candidate.doc)
        })
        .collect();
    best.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    best.truncate(limit);
    Ok(best)
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Candidate {
    score: f32,
    segment: u32,
    doc: DocId,
    slot: u32,
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.score.total_cmp(&other.score).then_with(|| (other.segment, other.doc).cmp(&(self.segment, self.doc)))
    }
}

/// The best `keep` chunks of one task, and all that equal the last of them.
fn scan_task(table: &VectorTable, query: &Code, task: (&ScanSegment<'_>, usize), keep: usize) -> Vec<Candidate> {
    let (segment, start) = task;
    let alive = segment.reader.alive_bitset();
    let mut heap: BinaryHeap<std::cmp::Reverse<Candidate>> = BinaryHeap::with_capacity(keep + 1);
    let mut equals: Vec<Candidate> = Vec::new();
    let mut docs = Vec::with_capacity(BLOCK);
    let mut slots = Vec::with_capacity(BLOCK);
    let mut scores = [0_i32; BLOCK];
    let mut score_block = |docs: &mut Vec<DocId>, slots: &mut Vec<u32>| {
        dot_products(table.codes(), &query.bytes, slots, &mut scores);
        for ((&doc, &slot), &score) in docs.iter().zip(slots.iter()).zip(&scores) {
            let score = score as f32 * table.scale(slot) * query.scale;
            let candidate = Candidate { score, segment: segment.ordinal, doc, slot };
            if heap.len() < keep {
                heap.push(std::cmp::Reverse(candidate));
            } else if let Some(worst) = heap.peek().map(|worst| worst.0)
                && score >= worst.score
            {
                if score > worst.score {
                    heap.pop();
                    heap.push(std::cmp::Reverse(candidate));
                    if heap.peek().is_some_and(|new_worst| new_worst.0.score > worst.score) {
                        equals.clear();
                    } else {
                        equals.push(worst);
                    }
                } else {
                    equals.push(candidate);
                }
            }
        }
        docs.clear();
        slots.clear();
    };
    let mut offer = |doc: DocId| {
        if let Some(slot) = segment.vectors.slot(doc) {
            docs.push(doc);
            slots.push(slot);
            if docs.len() == BLOCK {
                score_block(&mut docs, &mut slots);
            }
        }
    };
    if let Some(passing) = segment.passing {
        passing.iter().skip(start).take(TASK).for_each(|&doc| offer(doc));
    } else {
        let docs = start..segment.vectors.slots.len().min(start + TASK);
        for doc in docs.map(|doc| u32::try_from(doc).expect("tantivy numbers documents by u32")) {
            if alive.is_none_or(|alive| alive.is_alive(doc)) {
                offer(doc);
            }
        }
    }
    score_block(&mut docs, &mut slots);
    heap.into_iter().map(|candidate| candidate.0).chain(equals).collect()
}
