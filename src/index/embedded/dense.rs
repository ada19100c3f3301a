//! The dense leg: every live, filter-passing code of a snapshot is scored.
//!
//! A segment never changes, so which vector each of its chunks names is looked up once and kept; only chunks whose
//! vector was missing are looked up again when the table has grown.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use tantivy::{DocId, SegmentReader};

use super::kernel::{dot_products, exact_score};
use super::segment::Columns;
use super::vectors::{Code, Codes, VectorTable};
use crate::index::ChunkId;

/// Marks a chunk whose vector is not known.
const NO_SLOT: u32 = u32::MAX;
/// Chunks scored in one call of the kernel.
const BLOCK: usize = 256;
/// Chunks that one task scans, at the least: waking another core costs as much as scanning a thousand or two.
const MIN_TASK: usize = 4_096;
/// Tasks for each core, so that one that is late leaves its share to the others.
const TASKS_PER_CORE: usize = 4;
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
        columns: &Columns,
        table: &VectorTable,
        before: Option<&Arc<Self>>,
    ) -> Arc<Self> {
        if let Some(before) = before
            && (before.num_missing == 0 || before.table_len == table.len())
        {
            return Arc::clone(before);
        }
        let mut slots = before.map_or_else(|| vec![NO_SLOT; reader.max_doc() as usize], |before| before.slots.clone());
        let mut num_missing = 0;
        for (doc, slot) in (0..).zip(&mut slots) {
            if *slot == NO_SLOT {
                *slot = table.slot(columns.key(doc)).unwrap_or(NO_SLOT);
                num_missing += usize::from(*slot == NO_SLOT);
            }
        }
        Arc::new(Self { slots, num_missing, table_len: table.len() })
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

/// One segment as the scan sees it.
pub(super) struct ScanSegment<'a> {
    pub ordinal: u32,
    pub reader: &'a SegmentReader,
    pub columns: &'a Columns,
    pub vectors: &'a SegmentVectors,
    /// The chunks that pass the filter and live, or `None` where all do.
    pub passing: Option<&'a [DocId]>,
}

/// A part of a segment: places in [`ScanSegment::passing`] where there is a filter, otherwise documents.
struct Task<'a> {
    segment: &'a ScanSegment<'a>,
    docs: Range<usize>,
}

/// The best `limit` chunks by dot product, best first, ties by id: `(score, id, segment, document)`.
pub(super) fn scan(
    codes: &Codes,
    segments: &[ScanSegment<'_>],
    query: &[f32],
    limit: usize,
) -> Vec<(f32, ChunkId, u32, DocId)> {
    let code = Code::of(query);
    let keep = limit.saturating_add(RESCORE_MARGIN);
    let num_docs = |segment: &ScanSegment<'_>| segment.passing.map_or(segment.vectors.slots.len(), <[DocId]>::len);
    let task_len = segments.iter().map(num_docs).sum::<usize>() / (rayon::current_num_threads() * TASKS_PER_CORE);
    let task_len = task_len.max(MIN_TASK);
    let tasks: Vec<Task<'_>> = segments
        .iter()
        .flat_map(|segment| {
            let starts = (0..num_docs(segment)).step_by(task_len);
            starts.map(move |start| Task { segment, docs: start..num_docs(segment).min(start + task_len) })
        })
        .collect();
    let mut candidates: Vec<Candidate> = match tasks.as_slice() {
        [only] => scan_task(codes, &code, only, keep),
        tasks => tasks.par_iter().flat_map_iter(|task| scan_task(codes, &code, task, keep)).collect(),
    };
    candidates.sort_unstable_by(|a, b| b.cmp(a));
    // Rounding the query costs a little order among near equals, so more than asked for are scored with it unrounded.
    let cut = candidates.get(keep).map_or(f32::NEG_INFINITY, |candidate| candidate.score);
    let columns_of: HashMap<u32, &Columns> =
        segments.iter().map(|segment| (segment.ordinal, segment.columns)).collect();
    let mut best: Vec<(f32, ChunkId, u32, DocId)> = candidates
        .into_iter()
        .take_while(|candidate| candidate.score >= cut)
        .map(|candidate| {
            let columns = columns_of[&candidate.segment];
            let score = exact_score(codes.code(candidate.slot), query) * codes.scale(candidate.slot);
            (score, columns.chunk_id(candidate.doc), candidate.segment, candidate.doc)
        })
        .collect();
    best.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    best.truncate(limit);
    best
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
fn scan_task(codes: &Codes, query: &Code, task: &Task<'_>, keep: usize) -> Vec<Candidate> {
    let Task { segment, docs } = task;
    let alive = segment.reader.alive_bitset();
    let mut heap: BinaryHeap<std::cmp::Reverse<Candidate>> = BinaryHeap::with_capacity(keep + 1);
    let mut equals: Vec<Candidate> = Vec::new();
    let mut found: Vec<(DocId, u32)> = Vec::with_capacity(BLOCK);
    let mut rows: Vec<&[i8]> = Vec::with_capacity(BLOCK);
    let mut scores = [0_i32; BLOCK];
    let mut score_block = |found: &mut Vec<(DocId, u32)>, rows: &mut Vec<&[i8]>| {
        dot_products(rows, &query.bytes, &mut scores);
        for (&(doc, slot), &score) in found.iter().zip(&scores) {
            let score = score as f32 * codes.scale(slot) * query.scale;
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
        found.clear();
        rows.clear();
    };
    let mut offer = |doc: DocId| {
        if let Some(slot) = segment.vectors.slot(doc) {
            found.push((doc, slot));
            rows.push(codes.code(slot));
            if found.len() == BLOCK {
                score_block(&mut found, &mut rows);
            }
        }
    };
    if let Some(passing) = segment.passing {
        passing[docs.clone()].iter().for_each(|&doc| offer(doc));
    } else {
        for doc in docs.clone().map(|doc| u32::try_from(doc).expect("tantivy numbers documents by u32")) {
            if alive.is_none_or(|alive| alive.is_alive(doc)) {
                offer(doc);
            }
        }
    }
    score_block(&mut found, &mut rows);
    heap.into_iter().map(|candidate| candidate.0).chain(equals).collect()
}
