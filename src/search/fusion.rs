//! Two ranked lists to one.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::index::{ChunkId, Scored};

/// Chunks of the lexical list that tell which language the query is in.
const NUM_BEST: usize = 10;

/// A chunk with its fused score and where each leg had it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fused {
    /// Names the chunk, and orders equal scores.
    pub id: ChunkId,
    /// Higher is better.
    pub score: f32,
    /// Rank from 1 and score in the lexical list.
    pub lexical: Option<(usize, f32)>,
    /// Rank from 1 and score in the dense list.
    pub dense: Option<(usize, f32)>,
}

/// Chunks that can be in the lexical list alone, because the model does not know their language.
#[derive(Debug, Clone, PartialEq)]
pub struct ByWords {
    /// Those that are in the lexical list.
    pub ids: BTreeSet<ChunkId>,
    /// How far the model knows the language of the query, 0 to 1.
    pub known: f32,
}

impl ByWords {
    /// The model knows all languages.
    pub const NONE: Self = Self { ids: BTreeSet::new(), known: 1.0 };

    /// How far the model knows the language of a query: not at all where its words find one of `ids` best, else as far as is
    /// `told`, else by the part of `ids` in what they find best, and not at all from half of it on.
    #[must_use]
    pub fn of(lexical: &[Scored], ids: BTreeSet<ChunkId>, told: Option<f32>) -> Self {
        let best = &lexical[..lexical.len().min(NUM_BEST)];
        let is_by_words = |found: &&Scored| ids.contains(&found.id);
        let num_by_words = best.iter().filter(is_by_words).count();
        let known = match (best.first().is_some_and(|first| is_by_words(&first)), told) {
            (true, _) => 0.0,
            (false, Some(told)) => told,
            (false, None) if num_by_words == 0 => 1.0,
            (false, None) => (1.0 - 2.0 * num_by_words as f32 / best.len() as f32).max(0.0),
        };
        Self { ids, known }
    }
}

/// Between which values the scores of the two legs lie, for one query: by what they mean, and not by what was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// What BM25 gives a chunk of mean length that has each word of the query once. Only repetition, or a short chunk, gives more.
    pub lexical: f32,
    /// The cosines of unrelated texts, and of those that say the same: see [`Embedder::cosine_range`](crate::embed::Embedder::cosine_range).
    pub cosine: (f32, f32),
}

/// Mixes two ranked lists by a convex combination of scores within their own bounds.
///
/// A lexical score is divided by its bound, and a cosine is mapped to `0..=1` from its range; a bound grows to the best of its list
/// where that is beyond it. The fused score is `dense_weight * dense + (1 - dense_weight) * lexical`, a chunk missing from a list counting 0
/// there, so it lies in `0..=1`. Returns every chunk once, best first; ties order by [`ChunkId`], so results repeat.
///
/// A list that found little of what was asked for so counts little: by the minimum and maximum of the list, the nearest of texts that
/// are all far away would count as much as the only one that holds the words.
///
/// Chunks of `by_words` count as if the dense list had them where the lexical one has them: the best of the lexical list would be as near
/// as the best of the dense one. The less the model knows the query's language, the less `dense_weight` is: such a query is near to nothing in
/// particular.
///
/// Source: Bruch, Gai and Ingber, "An Analysis of Fusion Functions for Hybrid Retrieval", TOIS 2023, section 4, with theoretical
/// bounds on both sides.
#[must_use]
pub fn convex(
    lexical: &[Scored],
    dense: &[Scored],
    by_words: &ByWords,
    dense_weight: f32,
    bounds: Bounds,
) -> Vec<Fused> {
    Convex::of(lexical, dense, by_words, dense_weight, bounds).fuse(lexical, dense)
}

/// The combination of [`convex`], for chunks that are scored more than once.
#[derive(Debug)]
pub(super) struct Convex<'a> {
    bounds: Bounds,
    by_words: &'a ByWords,
    dense_weight: f32,
    /// How much of the dense part each lexical part stands for, in a chunk that has no vector.
    dense_for_lexical: f32,
}

impl<'a> Convex<'a> {
    pub(super) fn of(
        lexical: &[Scored],
        dense: &[Scored],
        by_words: &'a ByWords,
        dense_weight: f32,
        bounds: Bounds,
    ) -> Self {
        let best = |list: &[Scored]| list.iter().map(|found| found.score).fold(f32::NEG_INFINITY, f32::max);
        let (unrelated, same) = bounds.cosine;
        let bounds = Bounds {
            lexical: bounds.lexical.max(best(lexical)),
            cosine: (unrelated, same.max(best(dense)).max(unrelated + f32::EPSILON)),
        };
        let mut convex = Self { bounds, by_words, dense_weight: dense_weight * by_words.known, dense_for_lexical: 1.0 };
        let (by_lexical, by_dense) = (convex.lexical_part(best(lexical)), convex.dense_part(best(dense)));
        if by_lexical > 0.0 {
            convex.dense_for_lexical = by_dense / by_lexical;
        }
        convex
    }

    fn lexical_part(&self, score: f32) -> f32 {
        let bound = self.bounds.lexical;
        if bound > 0.0 { (score / bound).clamp(0.0, 1.0) } else { 1.0 }
    }

    fn dense_part(&self, cosine: f32) -> f32 {
        let (unrelated, same) = self.bounds.cosine;
        ((cosine - unrelated) / (same - unrelated)).clamp(0.0, 1.0)
    }

    /// The two lists as one.
    pub(super) fn fuse(&self, lexical: &[Scored], dense: &[Scored]) -> Vec<Fused> {
        fuse(lexical, dense, |chunk| self.score(chunk, chunk.dense.map(|(_, cosine)| cosine)))
    }

    /// Whether the dense leg counts at all.
    pub(super) fn is_mixed(&self) -> bool {
        self.dense_weight > 0.0
    }

    /// The score of a chunk whose cosine to the query is `cosine`; `None` where the dense leg did not find it.
    pub(super) fn score(&self, chunk: &Fused, cosine: Option<f32>) -> f32 {
        let lexical = chunk.lexical.map_or(0.0, |(_, score)| self.lexical_part(score));
        let dense = if self.by_words.ids.contains(&chunk.id) {
            (lexical * self.dense_for_lexical).min(1.0)
        } else {
            cosine.map_or(0.0, |cosine| self.dense_part(cosine))
        };
        self.dense_weight * dense + (1.0 - self.dense_weight) * lexical
    }
}

/// Mixes two ranked lists by the sum of `1 / (k + rank)`, ranks from 1; returns as [`convex`] does, and takes `by_words` as that does.
///
/// Source: Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank Learning
/// Methods", SIGIR 2009; their k is 60.
#[must_use]
pub fn reciprocal_rank(lexical: &[Scored], dense: &[Scored], by_words: &ByWords, k: f32) -> Vec<Fused> {
    let part = |place: Place| place.map_or(0.0, |(rank, _)| 1.0 / (k + rank as f32));
    fuse(lexical, dense, |chunk| {
        if by_words.ids.contains(&chunk.id) {
            return 2.0 * part(chunk.lexical);
        }
        part(chunk.lexical) + by_words.known * part(chunk.dense)
    })
}

type Place = Option<(usize, f32)>;

fn fuse(lexical: &[Scored], dense: &[Scored], score: impl Fn(&Fused) -> f32) -> Vec<Fused> {
    let found = |found: &Scored| Fused { id: found.id, score: 0.0, lexical: None, dense: None };
    let by_words = (1..).zip(lexical).map(|(rank, chunk)| Fused { lexical: Some((rank, chunk.score)), ..found(chunk) });
    let by_meaning = (1..).zip(dense).map(|(rank, chunk)| Fused { dense: Some((rank, chunk.score)), ..found(chunk) });
    let mut fused: Vec<Fused> = by_words.chain(by_meaning).collect();
    // Stable: of two, the lexical list's comes first.
    fused.sort_by_key(|chunk| chunk.id);
    fused.dedup_by(|of_dense, of_lexical| {
        let is_same = of_dense.id == of_lexical.id;
        if is_same {
            of_lexical.dense = of_dense.dense;
        }
        is_same
    });
    for chunk in &mut fused {
        chunk.score = score(chunk);
    }
    fused.sort_unstable_by(by_score);
    fused
}

/// Best first, ties by id.
pub(super) fn by_score(a: &Fused, b: &Fused) -> Ordering {
    b.score.total_cmp(&a.score).then(a.id.cmp(&b.id))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUNDS: Bounds = Bounds { lexical: 20.0, cosine: (0.0, 0.8) };

    fn list() -> impl Strategy<Value = Vec<Scored>> {
        proptest::collection::btree_map(0_u64..40, -1.0_f32..30.0, 0..20).prop_map(|scores| {
            let mut list: Vec<Scored> =
                scores.into_iter().map(|(address, score)| Scored { id: ChunkId(address ^ 0x2a), score }).collect();
            list.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
            list
        })
    }

    proptest! {
        #[test]
        fn every_chunk_comes_once_in_order_within_bounds(lexical in list(), dense in list(), weight in 0.0_f32..=1.0) {
            let fused = convex(&lexical, &dense, &ByWords::NONE, weight, BOUNDS);
            let mut addresses: Vec<ChunkId> = fused.iter().map(|chunk| chunk.id).collect();
            addresses.sort_unstable();
            let mut expected: Vec<ChunkId> = lexical.iter().chain(&dense).map(|found| found.id).collect();
            expected.sort_unstable();
            expected.dedup();
            prop_assert_eq!(addresses, expected);
            prop_assert!(fused.iter().all(|chunk| (0.0..=1.0001).contains(&chunk.score)));
            let in_order = |pair: &[Fused]| {
                pair[1].score.total_cmp(&pair[0].score).then(pair[0].id.cmp(&pair[1].id)).is_lt()
            };
            prop_assert!(fused.windows(2).all(in_order));
        }

        #[test]
        fn the_whole_weight_on_one_leg_keeps_its_order(lexical in list(), dense in list()) {
            let fused = convex(&lexical, &dense, &ByWords::NONE, 0.0, BOUNDS);
            let kept: Vec<ChunkId> = fused.iter().filter(|c| c.score > 0.0).map(|c| c.id).collect();
            let prefix: Vec<ChunkId> = lexical.iter().take(kept.len()).map(|found| found.id).collect();
            prop_assert_eq!(kept, prefix);
        }

        #[test]
        fn reciprocal_ranks_do_not_look_at_scores(lexical in list(), dense in list()) {
            let squared = |list: &[Scored]| -> Vec<Scored> {
                list.iter().map(|found| Scored { score: found.score * 3.0 + 7.0, ..*found }).collect()
            };
            let plain: Vec<ChunkId> = reciprocal_rank(&lexical, &dense, &ByWords::NONE, 60.0).iter().map(|c| c.id).collect();
            let scaled: Vec<ChunkId> =
                reciprocal_rank(&squared(&lexical), &squared(&dense), &ByWords::NONE, 60.0).iter().map(|c| c.id).collect();
            prop_assert_eq!(plain, scaled);
        }
    }

    #[test]
    fn scores_count_by_their_bounds_and_not_by_what_else_was_found() {
        let scored = |address, score| Scored { id: ChunkId(address), score };
        let lexical = [scored(1, 10.0)];
        let dense = [scored(2, 0.2), scored(3, 0.1)];
        let all: Vec<f32> =
            convex(&lexical, &dense, &ByWords::NONE, 0.5, BOUNDS).iter().map(|chunk| chunk.score).collect();
        assert_eq!(all, [0.25, 0.125, 0.0625]);
        // What is beyond a bound moves it, so that the order stays.
        let beyond = [scored(1, 40.0), scored(2, 30.0)];
        let all: Vec<f32> = convex(&beyond, &[], &ByWords::NONE, 0.5, BOUNDS).iter().map(|c| c.score).collect();
        assert_eq!(all, [0.5, 0.375]);
    }

    #[test]
    fn what_can_have_no_vector_is_not_behind_what_is_near_by_chance() {
        let scored = |address: u64, score| Scored { id: ChunkId(address), score };
        let lexical: Vec<Scored> = (1..=10).map(|address| scored(address, 20.0 - address as f32)).collect();
        let dense: Vec<Scored> = (20..=40).map(|address| scored(address, 1.0 / address as f32)).collect();
        let german = ByWords::of(&lexical, (1..=10).map(ChunkId).collect(), Some(1.0));
        for fused in [convex(&lexical, &dense, &german, 0.7, BOUNDS), reciprocal_rank(&lexical, &dense, &german, 60.0)]
        {
            let first: Vec<u64> = fused[..9].iter().map(|chunk| chunk.id.0).collect();
            assert_eq!(first, (1..=9).collect::<Vec<_>>());
        }
        // A translation with the same names is not before what is as good by words and near by meaning.
        let known = ByWords::of(&[scored(1, 10.0), scored(2, 9.9)], [ChunkId(2)].into(), Some(1.0));
        let fused = convex(&[scored(1, 10.0), scored(2, 9.9)], &[scored(1, 0.3)], &known, 0.7, BOUNDS);
        assert_eq!(fused[0].id, ChunkId(1));
        // One among ten takes a fifth of the weight.
        let one = ByWords::of(&lexical, [ChunkId(10)].into(), None);
        let fused = convex(&lexical, &dense, &one, 0.5, BOUNDS);
        assert!((fused.iter().find(|chunk| chunk.id == ChunkId(20)).unwrap().score - 0.4 * 0.05 / 0.8).abs() < 1e-6);
    }
}
