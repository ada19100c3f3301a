//! The first passages once more, in the order of a model that reads each of them together with the query.
//!
//! # Invariants
//! - The same passages are there afterwards. Those beyond the first ones keep their places.
//! - Where the model fails, nothing has changed.

use super::request::Hit;
use crate::chunk::{begins_with, plain};
use crate::embed::{EmbedError, Reranker};

/// Puts the first `num_reranked` hits into the order of `reranker`'s scores, best first; ties keep their former order.
///
/// The hits' own scores stay; where a hit has signals, the reranker's score becomes one of them.
///
/// # Errors
/// When the reranker fails; `hits` are then as they were.
pub(super) fn rerank(
    reranker: &dyn Reranker,
    query: &str,
    hits: &mut Vec<Hit>,
    num_reranked: usize,
) -> Result<(), EmbedError> {
    let first = &hits[..hits.len().min(num_reranked)];
    if first.is_empty() {
        return Ok(());
    }
    let texts: Vec<String> = first.iter().map(text_of).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let scores = reranker.score(query, &texts)?;
    if scores.len() != texts.len() {
        let reason = format!("it gave {} scores for {} passages", scores.len(), texts.len());
        return Err(EmbedError::RerankerFailed { reason });
    }
    let pairs = scores.into_iter().zip(hits.drain(..texts.len())).collect();
    let reordered: Vec<Hit> = by_score(pairs)
        .into_iter()
        .map(|(score, mut hit)| {
            if let Some(signals) = &mut hit.signals {
                signals.reranked = Some(score);
            }
            hit
        })
        .collect();
    hits.splice(..0, reordered);
    for (rank, hit) in (1..).zip(hits) {
        hit.rank = rank;
    }
    Ok(())
}

/// The same items, highest score first; items of the same score keep their order.
fn by_score<T>(mut scored: Vec<(f32, T)>) -> Vec<(f32, T)> {
    scored.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    scored
}

/// What a reranker reads of a passage: title, heading trail and table header, one line each, then its words, as in the text that is
/// embedded of a chunk. What the words themselves begin with is not said twice.
fn text_of(hit: &Hit) -> String {
    let is_new = |label: &&str| !label.trim().is_empty() && !begins_with(&hit.text, label);
    let title = hit.title.as_deref();
    let trail = hit.citation.trail.iter().map(String::as_str);
    let trail: Vec<&str> = trail.filter(|entry| Some(*entry) != title).filter(is_new).collect();
    let trail = trail.join(" > ");
    let mut text = String::new();
    for line in [title.filter(is_new), Some(&*trail), hit.header.as_deref()].into_iter().flatten() {
        if !line.is_empty() {
            text.push_str(&plain(line));
            text.push('\n');
        }
    }
    text.push_str(&plain(&hit.text));
    text
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::*;
    use crate::search::Signals;
    use crate::workspace::{Citation, ContentHash, Provenance, Revision, Span, WorkspaceId};

    /// Counts the passage's words that are in the query, and fails on the word `trouble`.
    struct SharedWords;

    impl Reranker for SharedWords {
        fn model_name(&self) -> &'static str {
            "shared words"
        }

        fn score(&self, query: &str, passages: &[&str]) -> Result<Vec<f32>, EmbedError> {
            if passages.iter().any(|passage| passage.contains("trouble")) {
                return Err(EmbedError::RerankerFailed { reason: "there is trouble".to_owned() });
            }
            let is_shared = |word: &&str| query.split(' ').any(|wanted| wanted == *word);
            Ok(passages.iter().map(|passage| passage.split_whitespace().filter(is_shared).count() as f32).collect())
        }
    }

    fn hit(rank: usize, text: &str) -> Hit {
        let citation = Citation {
            workspace: WorkspaceId::default(),
            path: "file".parse().unwrap(),
            content_hash: ContentHash::of(text.as_bytes()),
            revision: Revision(1),
            page: None,
            slide: None,
            lines: None,
            cell: None,
            trail: Vec::new(),
            span: Span::new(0, text.len()),
            quote: text.to_owned(),
            provenance: Provenance::default(),
        };
        Hit {
            rank,
            score: 1.0 / rank as f32,
            text: text.to_owned(),
            title: None,
            header: None,
            citation,
            cells: crate::workspace::Cells::default(),
            language: None,
            by_words: false,
            superseded_by: None,
            also_at: Vec::new(),
            signals: Some(Signals::default()),
        }
    }

    fn hits(texts: &[&str]) -> Vec<Hit> {
        (1..).zip(texts).map(|(rank, text)| hit(rank, text)).collect()
    }

    #[test]
    fn the_first_hits_follow_the_reranker_and_the_others_stay_behind_them() {
        let mut hits = hits(&["a crane", "old harbour", "the wall", "old harbour wall", "old harbour wall crane"]);
        rerank(&SharedWords, "old harbour wall", &mut hits, 4).unwrap();
        let texts: Vec<&str> = hits.iter().map(|hit| hit.text.as_str()).collect();
        assert_eq!(texts, ["old harbour wall", "old harbour", "the wall", "a crane", "old harbour wall crane"]);
        assert_eq!(hits.iter().map(|hit| hit.rank).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
        assert!((hits[0].score - 0.25).abs() < 1e-6, "the fused score stays");
        let signals: Vec<Option<f32>> = hits.iter().map(|hit| hit.signals.unwrap().reranked).collect();
        assert_eq!(signals, [Some(3.0), Some(2.0), Some(1.0), Some(0.0), None]);
    }

    #[test]
    fn where_the_reranker_fails_nothing_has_changed() {
        let mut hits = hits(&["a crane", "trouble", "old harbour"]);
        let before = hits.clone();
        let error = rerank(&SharedWords, "old harbour", &mut hits, 3).unwrap_err();
        assert_eq!((error.to_string().as_str(), &hits), ("the reranker failed: there is trouble", &before));
        rerank(&SharedWords, "old harbour", &mut hits, 1).unwrap();
        assert_eq!(hits[1..], before[1..]);
        rerank(&SharedWords, "old harbour", &mut Vec::new(), 1).unwrap();
    }

    #[test]
    fn title_trail_and_header_stand_in_front_of_the_words_once() {
        let mut of = hit(1, "Harbour log\nThe pilot left\u{b}at noon.");
        of.title = Some("Tide tables".to_owned());
        of.citation.trail = ["Tide tables", "Week 2", "Harbour log"].map(str::to_owned).into();
        of.header = Some("day | hour".to_owned());
        assert_eq!(text_of(&of), "Tide tables\nWeek 2\nday | hour\nHarbour log\nThe pilot left at noon.");
        of.title = Some("Harbour log".to_owned());
        (of.citation.trail, of.header) = (Vec::new(), None);
        assert_eq!(text_of(&of), "Harbour log\nThe pilot left at noon.");
    }

    proptest! {
        #[test]
        fn reordering_is_a_permutation_by_score_that_keeps_ties_in_order(
            scores in proptest::collection::vec(prop_oneof![-2.0_f32..2.0, Just(0.5), Just(-1.0)], 0..40),
        ) {
            let scored: Vec<(f32, usize)> = scores.iter().copied().zip(0..).collect();
            let ordered = by_score(scored.clone());
            let mut back = ordered.clone();
            back.sort_by_key(|(_, index)| *index);
            prop_assert_eq!(back, scored);
            let is_in_order = |pair: &[(f32, usize)]| match pair[0].0.total_cmp(&pair[1].0) {
                Ordering::Greater => true,
                Ordering::Equal => pair[0].1 < pair[1].1,
                Ordering::Less => false,
            };
            prop_assert!(ordered.windows(2).all(is_in_order));
        }
    }
}
