//! The three figures of one query's ranking.
//!
//! # Invariants
//! - Every figure lies in `0..=1`, a perfect ranking gives 1, and what is ranked below the cut-off changes nothing.
//! - A document that is not judged counts as not relevant, and so does a grade below 1.
//!
//! # Not here
//! Ties: a ranking comes in its final order. Means over queries: [`score`](super::score).
//!
//! All functions take the ranking best first, each document once (a second appearance would be counted again), and
//! return 0 where `grades` holds no relevant document or `k` is 0.

use super::beir::Grades;

/// Normalised discounted cumulative gain of the first `k` documents.
///
/// The sum over ranks `r = 1..=k` of `grade / log2(r + 1)`, divided by the same sum over the best possible ranking of
/// the judged documents. The gain is the grade itself (linear), not `2^grade - 1`.
///
/// Source: Järvelin and Kekäläinen, "Cumulated Gain-Based Evaluation of IR Techniques", TOIS 20(4), 2002, section 2.2,
/// with the discount `log2(r + 1)` at every rank as in `trec_eval` 9.0, `m_ndcg_cut.c` (measure `ndcg_cut`).
#[must_use]
pub fn ndcg_at<'a>(k: usize, ranking: impl IntoIterator<Item = &'a str>, grades: &Grades) -> f64 {
    let mut best: Vec<i32> = grades.values().copied().filter(|&grade| grade > 0).collect();
    best.sort_unstable_by(|a, b| b.cmp(a));
    let ideal = discounted_gain(best.into_iter().take(k));
    if ideal == 0.0 {
        return 0.0;
    }
    let gained = ranking.into_iter().take(k).map(|id| grades.get(id).copied().unwrap_or(0).max(0));
    discounted_gain(gained) / ideal
}

/// The share of all relevant documents that the first `k` hold.
///
/// The divisor is the number of relevant documents even where it exceeds `k`, so 1 may be out of reach.
///
/// Source: `trec_eval` 9.0, `m_recall.c` (measure `recall`).
#[must_use]
pub fn recall_at<'a>(k: usize, ranking: impl IntoIterator<Item = &'a str>, grades: &Grades) -> f64 {
    let num_relevant = grades.values().filter(|&&grade| grade > 0).count();
    if num_relevant == 0 {
        return 0.0;
    }
    let num_found = ranking.into_iter().take(k).filter(|id| is_relevant(grades, id)).count();
    num_found as f64 / num_relevant as f64
}

/// One divided by the rank of the first relevant document, 0 where the first `k` hold none.
///
/// Source: Voorhees, "The TREC-8 Question Answering Track Report", 1999, section 3; cut at `k` as in the official
/// evaluation of MS MARCO passage ranking (MRR@10).
#[must_use]
pub fn reciprocal_rank_at<'a>(k: usize, ranking: impl IntoIterator<Item = &'a str>, grades: &Grades) -> f64 {
    let first = ranking.into_iter().take(k).position(|id| is_relevant(grades, id));
    first.map_or(0.0, |index| 1.0 / (index + 1) as f64)
}

fn is_relevant(grades: &Grades, id: &str) -> bool {
    grades.get(id).is_some_and(|&grade| grade > 0)
}

fn discounted_gain(gains: impl Iterator<Item = i32>) -> f64 {
    gains.enumerate().map(|(index, gain)| f64::from(gain) / ((index + 2) as f64).log2()).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grades_of(judgements: &[(&str, i32)]) -> Grades {
        judgements.iter().map(|&(id, grade)| (id.to_owned(), grade)).collect()
    }

    fn assert_close(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-12, "{left} is not {right}");
    }

    #[test]
    fn ndcg_is_what_the_formula_gives_by_hand() {
        let grades = grades_of(&[("a", 2), ("b", 1), ("c", 0), ("d", 3)]);
        let gained = 2.0 / 3.0_f64.log2() + 3.0 / 4.0_f64.log2();
        let ideal = 3.0 + 2.0 / 3.0_f64.log2() + 1.0 / 4.0_f64.log2();
        assert_close(ndcg_at(3, ["c", "a", "d", "b"], &grades), gained / ideal);
    }

    #[test]
    fn recall_divides_by_all_relevant_documents_even_beyond_the_cut() {
        let grades = grades_of(&[("a", 1), ("b", 2), ("c", 1), ("d", 0), ("e", -1)]);
        assert_close(recall_at(2, ["a", "b", "c"], &grades), 2.0 / 3.0);
        assert_close(recall_at(9, ["d", "e", "c"], &grades), 1.0 / 3.0);
    }

    #[test]
    fn reciprocal_rank_is_zero_below_the_cut() {
        let grades = grades_of(&[("a", 1)]);
        assert_close(reciprocal_rank_at(3, ["x", "y", "a"], &grades), 1.0 / 3.0);
        assert_close(reciprocal_rank_at(2, ["x", "y", "a"], &grades), 0.0);
    }

    #[test]
    fn nothing_relevant_or_no_room_gives_zero() {
        let none = grades_of(&[("a", 0), ("b", -2)]);
        let some = grades_of(&[("a", 1)]);
        for figure in [ndcg_at, recall_at, reciprocal_rank_at] {
            assert_close(figure(10, vec!["a", "b"], &none), 0.0);
            assert_close(figure(0, vec!["a", "b"], &some), 0.0);
            assert_close(figure(10, vec![], &some), 0.0);
        }
    }

    /// Grades for some of the documents 0..40, and a ranking of some of them.
    fn judged_ranking() -> impl Strategy<Value = (Grades, Vec<String>)> {
        let grades = prop::collection::btree_map((0..40_u8).prop_map(|id| id.to_string()), -1..4_i32, 0..20);
        let all: Vec<String> = (0..40_u8).map(|id| id.to_string()).collect();
        (grades, prop::sample::subsequence(all, 0..=40).prop_shuffle())
    }

    fn ids(ranking: &[String]) -> Vec<&str> {
        ranking.iter().map(String::as_str).collect()
    }

    proptest! {
        #[test]
        fn every_figure_lies_in_the_unit_interval((grades, ranking) in judged_ranking(), k in 0..50_usize) {
            for figure in [ndcg_at, recall_at, reciprocal_rank_at] {
                let value = figure(k, ids(&ranking), &grades);
                prop_assert!((0.0..=1.0 + 1e-12).contains(&value), "{value}");
            }
        }

        #[test]
        fn the_best_possible_ranking_scores_one((grades, _) in judged_ranking(), k in 1..50_usize) {
            let mut best: Vec<(&String, i32)> = grades.iter().map(|(id, &grade)| (id, grade)).collect();
            best.sort_by_key(|&(_, grade)| -grade);
            let num_relevant = best.iter().filter(|(_, grade)| *grade > 0).count();
            prop_assume!(num_relevant > 0);
            let ranking: Vec<&str> = best.iter().map(|(id, _)| id.as_str()).collect();
            prop_assert!((ndcg_at(k, ranking.clone(), &grades) - 1.0).abs() < 1e-12);
            prop_assert!((reciprocal_rank_at(k, ranking.clone(), &grades) - 1.0).abs() < 1e-12);
            if k >= num_relevant {
                prop_assert!((recall_at(k, ranking, &grades) - 1.0).abs() < 1e-12);
            }
        }

        #[test]
        fn the_order_below_the_cut_changes_nothing((grades, ranking) in judged_ranking(), k in 0..40_usize) {
            let mut turned = ranking.clone();
            if let Some(tail) = turned.get_mut(k..) {
                tail.reverse();
            }
            for figure in [ndcg_at, recall_at, reciprocal_rank_at] {
                let (before, after) = (figure(k, ids(&ranking), &grades), figure(k, ids(&turned), &grades));
                prop_assert!(before.to_bits() == after.to_bits());
            }
        }
    }
}
