//! The language of a query, as far as it tells whether the model understands it.

use std::collections::BTreeSet;

use super::SearchError;
use super::fusion::ByWords;
use crate::index::analyzer::{Stemming, stopping};
use crate::index::{ChunkId, Scored, Snapshot};

/// Those of the found chunks that never get a vector, and how far the model knows the language of the query: by its stop words, else by
/// the languages of what its words find.
pub(super) fn known_by_words(
    snapshot: &dyn Snapshot,
    query: &str,
    lexical: &[Scored],
    without_vector: BTreeSet<ChunkId>,
) -> Result<ByWords, SearchError> {
    if snapshot.counts()?.num_by_words == 0 {
        return Ok(ByWords::NONE);
    }
    let languages = snapshot.languages()?;
    let mut stemmings: Vec<Stemming> = languages.keys().map(|&language| Stemming::of(language)).collect();
    stemmings.sort_unstable();
    stemmings.dedup();
    let of_query = stopping(query, &stemmings).and_then(|stemming| {
        languages.iter().find(|(language, _)| language.is_some_and(|language| language.code() == stemming.code()))
    });
    let told = of_query.map(|(_, counts)| 1.0 - counts.num_by_words as f32 / counts.num_chunks.max(1) as f32);
    Ok(ByWords::of(lexical, without_vector, told))
}
