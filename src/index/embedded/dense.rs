//! The dense leg: every live, filter-passing code of a snapshot is scored.
//!
//! A segment never changes, so which vector each of its chunks names is looked up once and kept; only chunks whose
//! vector was missing are looked up again when the table has grown.

use std::cmp::Ordering;
use std::sync::Arc;

use tantivy::{DocId, SegmentReader};

use super::kernel::{dot_products, exact_score};
use super::segment::Columns;
use super::snapshot::Segment;
use crate::budget::Budget;
use crate::index::ChunkId;
use crate::priority::in_parts;
use crate::vectors::{Codes, VectorTable};

/// Marks a chunk whose vector is not known.
const NO_SLOT: u32 = u32::MAX;
/// Chunks scored in one call of the kernel.
const BLOCK: usize = 256;
/// Chunks that one core scans, at the least: waking another one costs as much as scanning some thousands.
const MIN_PART: usize = 16_384;
/// Candidates beyond the limit that are scored again with the unrounded query.
const RESCORE_MARGIN: usize = 16;

/// Which vector each chunk of one segment names.
#[derive(Debug)]
pub(super) struct SegmentVectors {
    slots: Vec<u32>,
    /// The chunks that have a vector, in the order of their slots.
    by_slot: Vec<DocId>,
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
        let (mut slots, mut by_slot) = before.map_or_else(
            || (vec![NO_SLOT; reader.max_doc() as usize], Vec::new()),
            |before| (before.slots.clone(), before.by_slot.clone()),
        );
        let num_known = by_slot.len();
        for (doc, slot) in (0..).zip(&mut slots).filter(|(_, slot)| **slot == NO_SLOT) {
            if let Some(found) = table.slot(columns.key(doc)) {
                *slot = found;
                by_slot.push(doc);
            }
        }
        // What was not found before has a slot of after then, so it follows what was.
        by_slot[num_known..].sort_unstable_by_key(|&doc| slots[doc as usize]);
        let num_missing = slots.len() - by_slot.len();
        Arc::new(Self { slots, by_slot, num_missing, table_len: table.len() })
    }

    /// How many of the segment's live chunks have a vector.
    pub(super) fn num_live(&self, reader: &SegmentReader) -> usize {
        let num_docs = reader.num_docs() as usize;
        if self.num_missing == 0 {
            return num_docs;
        }
        num_docs - reader.doc_ids_alive().filter(|&doc| self.slot(doc).is_none()).count()
    }

    /// The chunks that have a vector, with it, in the order of slots; the dead ones too.
    pub(super) fn with_slots(&self) -> impl Iterator<Item = (DocId, u32)> {
        self.by_slot.iter().map(|&doc| (doc, self.slots[doc as usize]))
    }

    pub(super) fn slot(&self, doc: DocId) -> Option<u32> {
        self.slots.get(doc as usize).copied().filter(|&slot| slot != NO_SLOT)
    }
}

/// A query as codes are multiplied with it: whole numbers that leave their sums room in 32 bits.
struct WideQuery {
    numbers: Vec<i16>,
    scale: f32,
}

/// The largest number of a wide query. 4,000 products of it with a byte stay below 2^31.
const WIDE_MAX: f32 = 4_095.0;

impl WideQuery {
    fn of(query: &[f32]) -> Self {
        let largest = query.iter().filter(|x| x.is_finite()).fold(0.0_f32, |largest, x| largest.max(x.abs()));
        let scale = if largest > 0.0 { largest / WIDE_MAX } else { 1.0 };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the quotient is at most `WIDE_MAX` by the choice of scale"
        )]
        let number = |x: &f32| if x.is_finite() { (x / scale).round() as i16 } else { 0 };
        Self { numbers: query.iter().map(number).collect(), scale }
    }
}

/// A chunk that is scanned, and where its vector is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub slot: u32,
    pub segment: u32,
    pub doc: DocId,
}

/// The best `limit` chunks by dot product, best first, ties by id: `(score, id, segment, document)`.
///
/// `places` in the order of their slots are scanned several times faster than in any other: memory is read ahead only
/// from page to next page, and a page holds ten codes.
pub(super) fn scan(
    codes: &Codes,
    places: &[Place],
    segments: &[Segment],
    query: &[f32],
    (limit, budget): (usize, &Budget),
) -> Vec<(f32, ChunkId, u32, DocId)> {
    let wide = WideQuery::of(query);
    let keep = limit.saturating_add(RESCORE_MARGIN);
    let scan_in_time = |places: &[Place]| {
        let tasks = places.chunks(MIN_PART).take_while(|_| !budget.is_over());
        tasks.flat_map(|places| scan_task(codes, &wide, places, keep)).collect::<Vec<Candidate>>()
    };
    let mut candidates = in_parts(places, MIN_PART, scan_in_time).concat();
    candidates.sort_unstable_by(|a, b| b.cmp(a));
    // Rounding the query costs a little order among near equals, so more than asked for are scored with it unrounded.
    let cut = candidates.get(keep).map_or(f32::NEG_INFINITY, |candidate| candidate.score);
    let mut best: Vec<(f32, ChunkId, u32, DocId)> = candidates
        .into_iter()
        .take_while(|candidate| candidate.score >= cut)
        .map(|Candidate { place: Place { slot, segment, doc }, .. }| {
            let score = exact_score(codes.code(slot), query) * codes.scale(slot);
            (score, segments[segment as usize].columns.chunk_id(doc), segment, doc)
        })
        .collect();
    best.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    best.truncate(limit);
    best
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    score: f32,
    place: Place,
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        let at = |candidate: &Self| (candidate.place.segment, candidate.place.doc);
        self.score.total_cmp(&other.score).then_with(|| at(other).cmp(&at(self)))
    }
}

/// The best `keep` of some places, and all that equal the last of them, in no order.
fn scan_task(codes: &Codes, query: &WideQuery, places: &[Place], keep: usize) -> Vec<Candidate> {
    let mut best = Vec::with_capacity(places.len().min(2 * keep + BLOCK));
    // Every score below it is behind `keep` others.
    let mut least = f32::NEG_INFINITY;
    let mut room = 2 * keep;
    let mut products = [0_i32; BLOCK];
    let mut rest = places;
    while let Some(first) = rest.first() {
        // Places side by side have their codes side by side, to the end of a piece of the table.
        let (rows, scales) = codes.rows_at(first.slot);
        let most = rest.len().min(scales.len()).min(BLOCK);
        let run = (first.slot..).zip(&rest[..most]).take_while(|(slot, place)| place.slot == *slot).count();
        dot_products(&rows[..run * query.numbers.len()], &query.numbers, &mut products);
        for ((&place, &product), scale) in rest[..run].iter().zip(&products).zip(scales) {
            let score = product as f32 * scale * query.scale;
            if score >= least {
                best.push(Candidate { score, place });
            }
        }
        if best.len() >= room {
            least = prune(&mut best, keep);
            // Where very many are equal, they are not looked through each time.
            room = 2 * best.len().max(keep);
        }
        rest = &rest[run..];
    }
    prune(&mut best, keep);
    best
}

/// Leaves the best `keep`, one at the least, and all that equal the last of them; returns its score.
fn prune(candidates: &mut Vec<Candidate>, keep: usize) -> f32 {
    if candidates.len() <= keep {
        return f32::NEG_INFINITY;
    }
    let (_, worst, _) = candidates.select_nth_unstable_by(keep - 1, |a, b| b.score.total_cmp(&a.score));
    let least = worst.score;
    candidates.retain(|candidate| candidate.score >= least);
    least
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pruning_leaves_the_best_and_all_that_equal_the_last_of_them(
            scores in prop::collection::vec(-4_i8..4, 0..200),
            keep in 1_usize..40,
        ) {
            let candidate = |(doc, &score): (u32, &i8)| {
                Candidate { score: f32::from(score), place: Place { slot: doc, segment: 0, doc } }
            };
            let mut left: Vec<Candidate> = (0..).zip(&scores).map(candidate).collect();
            let least = prune(&mut left, keep);
            let mut sorted = scores.clone();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            let last = if scores.len() > keep { f32::from(sorted[keep - 1]) } else { f32::NEG_INFINITY };
            prop_assert!(least.total_cmp(&last).is_eq());
            let mut docs: Vec<u32> = left.iter().map(|candidate| candidate.place.doc).collect();
            docs.sort_unstable();
            let expected = (0..).zip(&scores).filter(|&(_, &score)| f32::from(score) >= last).map(|(doc, _)| doc);
            prop_assert_eq!(docs, expected.collect::<Vec<u32>>());
        }
    }
}
