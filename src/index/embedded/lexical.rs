//! The lexical leg: BM25 over several fields, summed with weights.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;

use tantivy::index::SegmentId;
use tantivy::query::{
    BitSetDocSet, BooleanQuery, BoostQuery, ConstScorer, DisjunctionMaxQuery, EnableScoring, Explanation, Occur, Query,
    Scorer, TermQuery, Weight,
};
use tantivy::schema::IndexRecordOption;
use tantivy::{BitSet, DocAddress, DocId, Score, Searcher, SegmentReader, Term};

use super::phrase::WithPhrase;
use super::schema::Fields;
use super::snapshot::{Passing, Segment};
use crate::budget::Budget;
use crate::index::analyzer::{ExactTerm, QueryTerms, QueryWord, Stemming, analyse_query};
use crate::index::{ChunkId, IndexError, LexicalQuery};

/// More distinct words of a query are not looked up.
const MAX_QUERY_TERMS: usize = 256;
/// A filter that passes less than this part of a segment leads the search; a wider one is asked about each candidate.
const NARROW_PART: usize = 16;
/// Chunks that are scored before the time is looked at.
const LOOKS_AT_THE_TIME_EVERY: usize = 1_024;
/// How much a phrase counts, against its words found singly.
const PHRASE_WEIGHT: f32 = 2.0;

/// The query as tantivy runs it, or `None` where it has no word that could be found. `phrases` is what was found of its
/// phrases.
pub(super) fn build(
    query: &LexicalQuery,
    fields: &Fields,
    stemmings: &[Stemming],
    phrases: Vec<WithPhrase>,
) -> Option<BooleanQuery> {
    let weights = query.weights;
    let words = query.all_words();
    let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
    let mut add = |clause: Option<Box<dyn Query>>| clauses.extend(clause.map(|clause| (Occur::Should, clause)));
    let term = |field, text: &str, weight: f32| -> Option<Box<dyn Query>> {
        let term = TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::WithFreqs);
        (weight > 0.0).then(|| Box::new(BoostQuery::new(Box::new(term), weight)) as Box<dyn Query>)
    };
    let QueryTerms { words, exact } = analyse_query(&words, stemmings, MAX_QUERY_TERMS);
    for QueryWord { variants, times } in &words {
        for (field, weight) in [
            (fields.body, weights.body),
            (fields.title, weights.title),
            (fields.trail, weights.trail),
            (fields.path_words, weights.path),
        ] {
            let in_field = |variant: &String| term(field, variant, weight * *times as f32);
            add(best_of(variants.iter().filter_map(in_field).collect()));
        }
    }
    // Stop words are looked up as written only where the query has nothing else.
    for ExactTerm { text, times, kind } in exact {
        let weight = kind.weight(weights);
        add(term(fields.exact, &text, if words.is_empty() { 1.0 } else { weight * times as f32 }));
    }
    for WithPhrase { score, ids, chunks } in phrases {
        let these = TheseQuery { ids, these: Arc::new(chunks), score };
        add(Some(Box::new(BoostQuery::new(Box::new(these), PHRASE_WEIGHT))));
    }
    (!clauses.is_empty()).then(|| BooleanQuery::from(clauses))
}

/// What counts as much as the best of some.
fn best_of(mut variants: Vec<Box<dyn Query>>) -> Option<Box<dyn Query>> {
    if variants.len() > 1 { Some(Box::new(DisjunctionMaxQuery::new(variants))) } else { variants.pop() }
}

/// The best `limit` chunks, best first; equal scores order by id, also where the cut divides them.
///
/// `segments` and `passing` are in the searcher's order.
pub(super) fn search(
    searcher: &Searcher,
    words: BooleanQuery,
    segments: &[Segment],
    (passing, budget): (Option<&Arc<Passing>>, &Budget),
    limit: usize,
) -> Result<Vec<(f32, ChunkId, DocAddress)>, IndexError> {
    let scoring = EnableScoring::enabled_from_searcher(searcher);
    let wide = words.weight(scoring).map_err(super::tantivy)?;
    let narrow = passing.map(|passing| {
        let ids = searcher.segment_readers().iter().map(SegmentReader::segment_id).collect();
        let filter = TheseQuery { ids, these: Arc::clone(passing), score: 0.0 };
        BooleanQuery::from(vec![(Occur::Must, Box::new(words) as Box<dyn Query>), (Occur::Must, Box::new(filter))])
            .weight(scoring)
    });
    let narrow = narrow.transpose().map_err(super::tantivy)?;
    let mut best = Best { limit, heap: BinaryHeap::with_capacity(limit + 1) };
    for ((ordinal, reader), segment) in (0..).zip(searcher.segment_readers()).zip(segments) {
        let docs = passing.map(|passing| passing[ordinal as usize].as_slice());
        let is_narrow = docs.is_some_and(|docs| docs.len() < reader.max_doc() as usize / NARROW_PART);
        let weight = narrow.as_ref().filter(|_| is_narrow).unwrap_or(&wide);
        let admitted = docs.filter(|_| !is_narrow).map(|docs| bit_set(docs, reader));
        let alive = reader.alive_bitset().filter(|_| docs.is_none());
        if budget.is_over() {
            break;
        }
        let threshold = best.threshold();
        let mut num_offered = 0_usize;
        let mut offer = |doc: DocId, score: Score| {
            let passes = admitted.as_ref().is_none_or(|admitted| admitted.contains(doc));
            if passes && alive.is_none_or(|alive| alive.is_alive(doc)) {
                best.offer(Found { score, id: segment.columns.chunk_id(doc), at: DocAddress::new(ordinal, doc) });
            }
            num_offered += 1;
            // No score is worth looking for any more.
            if num_offered.is_multiple_of(LOOKS_AT_THE_TIME_EVERY) && budget.is_over() {
                Score::INFINITY
            } else {
                best.threshold()
            }
        };
        weight.for_each_pruning(threshold, reader, &mut offer).map_err(super::tantivy)?;
    }
    Ok(best.into_list())
}

/// Chunks of a segment as a set.
pub(super) fn bit_set(docs: &[DocId], reader: &SegmentReader) -> BitSet {
    let mut set = BitSet::with_max_value(reader.max_doc());
    for &doc in docs {
        set.insert(doc);
    }
    set
}

/// A chunk that was found; the greatest is the worst, so that a heap has it on top.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Found {
    score: Score,
    id: ChunkId,
    at: DocAddress,
}

impl Eq for Found {}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Found {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then(self.id.cmp(&other.id)).then(self.at.cmp(&other.at))
    }
}

/// The best chunks so far.
struct Best {
    limit: usize,
    heap: BinaryHeap<Found>,
}

impl Best {
    fn offer(&mut self, found: Found) {
        if self.heap.len() < self.limit {
            self.heap.push(found);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && found < *worst
        {
            *worst = found;
        }
    }

    /// Only higher scores are worth offering: those that equal the worst are, because their ids may be lower.
    fn threshold(&self) -> Score {
        match self.heap.peek() {
            Some(worst) if self.heap.len() == self.limit => worst.score.next_down(),
            _ => Score::MIN,
        }
    }

    fn into_list(self) -> Vec<(f32, ChunkId, DocAddress)> {
        self.heap.into_sorted_vec().into_iter().map(|found| (found.score, found.id, found.at)).collect()
    }
}

/// Matches given chunks and gives each the same score, for tantivy to combine with the words of a query.
#[derive(Debug, Clone)]
struct TheseQuery {
    ids: Vec<SegmentId>,
    these: Arc<Passing>,
    score: Score,
}

impl Query for TheseQuery {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for TheseQuery {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let ordinal = self.ids.iter().position(|&id| id == reader.segment_id());
        let docs = ordinal.map_or(&[][..], |ordinal| self.these[ordinal].as_slice());
        Ok(Box::new(ConstScorer::new(BitSetDocSet::from(bit_set(docs, reader)), self.score * boost)))
    }

    fn explain(&self, _: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new_with_string(format!("chunk {doc} is one of these"), self.score))
    }
}
