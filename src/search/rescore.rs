//! Candidates scored once more by what stands among them.
//!
//! A question says little of what it asks for; the passages that answer it say much of each other. So the best candidates of
//! the fused list refine the question's vector, by which all candidates are compared again, and then a candidate counts
//! more where those that are most like it count much. Both look at candidates alone: nothing is searched a second time.
//!
//! Sources: Rocchio, "Relevance Feedback in Information Retrieval", in Salton, "The SMART Retrieval System", 1971, for the question's
//! vector; Diaz, "Regularizing query-based retrieval scores", Information Retrieval 10(6), 2007, for the neighbours.

use super::fusion::{Convex, Fused, by_score};
use crate::config::Ranking;
use crate::embed::{dot, dot_of_rounded, rounded};

/// Candidates that refine the question's vector.
const NUM_FEEDBACK: usize = 5;
/// Candidates that are compared with each other.
const NUM_COMPARED: usize = 100;
/// Of these, so many that are most like a candidate are its neighbours.
const NUM_NEIGHBOURS: usize = 10;
/// Neighbours that are no nearer than this count alike, and next to nothing.
const LEAST_SIMILARITY: f32 = 1e-9;

/// A candidate, and its vector of unit length where it has one.
pub(super) type Candidate = (Fused, Option<Vec<f32>>);

/// Scores a fused list, best first, again and puts it in order, best first, ties by id. Scores stay in `0..=1`.
///
/// `query` is the question's vector. A candidate without a vector keeps its score, refines nothing and is nobody's neighbour.
pub(super) fn rescore(
    mut candidates: Vec<Candidate>,
    convex: &Convex<'_>,
    query: &[f32],
    ranking: &Ranking,
) -> Vec<Fused> {
    if ranking.feedback_weight > 0.0 {
        let refined = refined(query, &candidates, ranking.feedback_weight);
        compare_again(&mut candidates, convex, query, &refined);
    }
    if ranking.neighbour_weight > 0.0 {
        mix_in_neighbours(&mut candidates, ranking.neighbour_weight);
    }
    candidates.into_iter().map(|(chunk, _)| chunk).collect()
}

/// The question's vector, moved by `weight` to the mean of the best candidates, which count by their scores.
fn refined(query: &[f32], candidates: &[Candidate], weight: f32) -> Vec<f32> {
    let best = candidates.iter().filter_map(|(chunk, vector)| Some((chunk.score, vector.as_ref()?))).take(NUM_FEEDBACK);
    let total: f32 = best.clone().map(|(score, _)| score).sum();
    let mut refined: Vec<f32> = query.iter().map(|x| (1.0 - weight) * x).collect();
    if total > 0.0 {
        for (score, vector) in best {
            for (sum, x) in refined.iter_mut().zip(vector) {
                *sum += weight * score / total * x;
            }
        }
    }
    let length = dot(&refined, &refined).sqrt();
    if length > 0.0 {
        for x in &mut refined {
            *x /= length;
        }
    }
    refined
}

/// Gives each candidate with a vector the score that it has by `refined`. The refined vector is nearer to all candidates than the query's, so
/// cosines to it are lowered by as much as the best of them grew: they stay within the bounds of cosines to a query.
fn compare_again(candidates: &mut [Candidate], convex: &Convex<'_>, query: &[f32], refined: &[f32]) {
    let best = |query: &[f32], candidates: &[Candidate]| {
        let cosines = candidates.iter().filter_map(|(_, vector)| Some(dot(query, vector.as_ref()?)));
        cosines.fold(f32::NEG_INFINITY, f32::max)
    };
    let growth = best(refined, candidates) - best(query, candidates);
    for (chunk, vector) in candidates.iter_mut() {
        if let Some(vector) = vector {
            chunk.score = convex.score(chunk, Some(dot(refined, vector) - growth));
        }
    }
    candidates.sort_unstable_by(|one, other| by_score(&one.0, &other.0));
}

/// Mixes into the scores of the best candidates, by `weight`, the mean score of their neighbours, which count by their cosine.
fn mix_in_neighbours(candidates: &mut [Candidate], weight: f32) {
    let compared = candidates.iter_mut().take(NUM_COMPARED);
    let (mut chunks, vectors): (Vec<&mut Fused>, Vec<&[f32]>) =
        compared.filter_map(|(chunk, vector)| Some((chunk, vector.as_deref()?))).unzip();
    let scores: Vec<f32> = chunks.iter().map(|chunk| chunk.score).collect();
    let similarities = similarities(&vectors);
    let mut neighbours: Vec<(f32, usize)> = Vec::with_capacity(NUM_NEIGHBOURS + 1);
    let mut mixed = scores.clone();
    for (one, mixed) in mixed.iter_mut().enumerate() {
        let row = &similarities[one * scores.len()..][..scores.len()];
        nearest(row.iter().copied().enumerate().filter(|(other, _)| *other != one), &mut neighbours);
        let total: f32 = neighbours.iter().map(|(similarity, _)| similarity).sum();
        if total > 0.0 {
            let sum: f32 = neighbours.iter().map(|&(similarity, other)| similarity * scores[other]).sum();
            *mixed = (1.0 - weight) * *mixed + weight * sum / total;
        }
    }
    // A mean is lower than the best. What has no neighbours must not pass the others for that.
    let best = |scores: &[f32]| scores.iter().copied().fold(0.0_f32, f32::max);
    let (before, after) = (best(&scores), best(&mixed));
    let scale = if after > 0.0 { before / after } else { 1.0 };
    for (chunk, score) in chunks.iter_mut().zip(mixed) {
        chunk.score = score * scale;
    }
    candidates.sort_unstable_by(|one, other| by_score(&one.0, &other.0));
}

/// The neighbours among others with their similarities, nearest first; of those that are equally near the first ones. Sums depend on
/// their order.
fn nearest(others: impl Iterator<Item = (usize, f32)>, neighbours: &mut Vec<(f32, usize)>) {
    neighbours.clear();
    for (other, similarity) in others {
        if neighbours.len() < NUM_NEIGHBOURS || neighbours.last().is_some_and(|&(least, _)| similarity > least) {
            let at = neighbours.partition_point(|&(nearer, _)| nearer >= similarity);
            neighbours.insert(at, (similarity, other));
            neighbours.truncate(NUM_NEIGHBOURS);
        }
    }
}

/// The cosines of all vectors with each other, those of one after the other: of their numbers rounded to whole ones, which are multiplied
/// several times as fast.
fn similarities(vectors: &[&[f32]]) -> Vec<f32> {
    let num = vectors.len();
    let rounded: Vec<(Vec<i16>, f32)> = vectors.iter().map(|vector| rounded(vector)).collect();
    let mut similarities = vec![0.0; num * num];
    for (one, (vector, scale)) in rounded.iter().enumerate() {
        for (other, (before, of_before)) in rounded[..one].iter().enumerate() {
            let similarity = (dot_of_rounded(vector, before) as f32 * scale * of_before).max(LEAST_SIMILARITY);
            similarities[one * num + other] = similarity;
            similarities[other * num + one] = similarity;
        }
    }
    similarities
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;
    use crate::index::{ChunkId, Scored};
    use crate::search::fusion::{Bounds, ByWords};

    fn listed(scores: &[(u64, f32)]) -> Vec<Scored> {
        let found = |&(address, score)| Scored { id: ChunkId(address), score };
        let mut list: Vec<Scored> = scores.iter().map(found).collect();
        list.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
        list
    }

    fn at_angle(degrees: f32) -> Vec<f32> {
        vec![degrees.to_radians().cos(), degrees.to_radians().sin()]
    }

    /// Addresses with their scores in the lexical list and their angles to the query, those below 60° in the dense list.
    fn order(chunks: &[(u64, f32, Option<f32>)], ranking: &Ranking) -> Vec<(u64, f32)> {
        let lexical = listed(&chunks.iter().map(|&(address, score, _)| (address, score)).collect::<Vec<_>>());
        let angles = chunks.iter().filter_map(|&(address, _, angle)| Some((address, angle?)));
        let near = angles.clone().filter(|(_, angle)| angle.abs() < 60.0);
        let dense = listed(&near.map(|(address, angle)| (address, angle.to_radians().cos())).collect::<Vec<_>>());
        let angles: HashMap<u64, f32> = angles.collect();
        let by_words = ByWords::NONE;
        let bounds = Bounds { lexical: 9.0, cosine: (0.5, 1.0) };
        let convex = Convex::of(&lexical, &dense, &by_words, ranking.dense_weight, bounds);
        let with_vector = |chunk: Fused| (chunk, angles.get(&chunk.id.0).map(|&angle| at_angle(angle)));
        let candidates = convex.fuse(&lexical, &dense).into_iter().map(with_vector).collect();
        let rescored = rescore(candidates, &convex, &at_angle(0.0), ranking);
        rescored.iter().map(|chunk| (chunk.id.0, chunk.score)).collect()
    }

    fn weights(feedback_weight: f32, neighbour_weight: f32) -> Ranking {
        Ranking { feedback_weight, neighbour_weight, ..Ranking::default() }
    }

    #[test]
    fn the_best_pull_the_question_to_their_side() {
        // 3 is farther from the question than 4, and on the side of the best.
        let chunks = [
            (1, 9.0, Some(20.0)),
            (2, 8.0, Some(25.0)),
            (3, 1.0, Some(50.0)),
            (4, 1.0, Some(-45.0)),
            (5, 0.0, Some(59.0)),
        ];
        let place = |order: &[(u64, f32)], address| order.iter().position(|chunk| chunk.0 == address).unwrap();
        let before = order(&chunks, &weights(0.0, 0.0));
        let after = order(&chunks, &weights(0.5, 0.0));
        assert!(place(&before, 4) < place(&before, 3) && place(&after, 3) < place(&after, 4), "{before:?} {after:?}");
    }

    #[test]
    fn a_chunk_beside_good_ones_passes_one_that_stands_alone() {
        let mut chunks = vec![(1, 9.0, Some(10.0)), (2, 4.1, Some(-58.0)), (3, 4.0, Some(58.0))];
        chunks.extend((10_u8..20).map(|number| (number.into(), 9.0, Some(40.0 + f32::from(number)))));
        chunks.extend((20_u8..30).map(|number| (number.into(), 0.0, Some(-40.0 - f32::from(number)))));
        let place = |order: &[(u64, f32)], address| order.iter().position(|chunk| chunk.0 == address).unwrap();
        let before = order(&chunks, &weights(0.0, 0.0));
        let after = order(&chunks, &weights(0.0, 0.5));
        assert!(place(&before, 2) < place(&before, 3) && place(&after, 3) < place(&after, 2), "{before:?} {after:?}");
    }

    #[test]
    fn a_chunk_without_a_vector_keeps_its_score() {
        let chunks = [(1, 9.0, None), (2, 8.0, Some(5.0)), (3, 1.0, Some(40.0))];
        let score = |order: &[(u64, f32)]| order.iter().find(|chunk| chunk.0 == 1).unwrap().1;
        let (before, after) = (order(&chunks, &weights(0.0, 0.0)), order(&chunks, &weights(0.4, 0.4)));
        assert!((score(&before) - score(&after)).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn every_candidate_stays_in_order_and_within_bounds(
            rows in prop::collection::btree_map(0_u64..200, (0.0_f32..30.0, prop::option::of(-90.0_f32..90.0)), 0..120),
            feedback in 0.0_f32..=1.0,
            neighbours in 0.0_f32..=1.0,
        ) {
            let chunks: Vec<(u64, f32, Option<f32>)> = rows.into_iter().map(|(address, (score, angle))| (address, score, angle)).collect();
            let order = order(&chunks, &weights(feedback, neighbours));
            let mut addresses: Vec<u64> = order.iter().map(|chunk| chunk.0).collect();
            addresses.sort_unstable();
            prop_assert_eq!(addresses, chunks.iter().map(|chunk| chunk.0).collect::<Vec<_>>());
            prop_assert!(order.iter().all(|chunk| (-1e-5..=1.0001).contains(&chunk.1)), "{:?}", order);
            prop_assert!(order.windows(2).all(|pair| pair[1].1.total_cmp(&pair[0].1).then(pair[0].0.cmp(&pair[1].0)).is_lt()));
        }
    }
}
