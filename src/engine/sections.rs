//! The section of a file that a question names by its heading.

use super::EngineError;
use super::query::QueryState;
use crate::answer::sections::{self, Named};
use crate::config::FieldWeights;
use crate::index::LexicalQuery;
use crate::search::{self, Hit};
use crate::workspace::WorkspaceId;

/// Chunks whose headings have words of the question that are looked at.
const MAX_CHUNKS: usize = 400;
/// Chunks of a section that an answer is chosen from.
const MAX_OF_SECTION: usize = 4;

/// The passages of the section that a question names by its heading, in the order of the text, with its heading.
pub(super) fn section_named_in(
    id: &WorkspaceId,
    question: &str,
    state: &QueryState,
) -> Result<Option<(String, Vec<Hit>)>, EngineError> {
    let Some(snapshot) = state.snapshot.as_deref().filter(|_| sections::may_answer(question)) else {
        return Ok(None);
    };
    let weights = FieldWeights { body: 0.2, exact: 0.0, identifier: 0.0, part: 0.0, title: 0.4, trail: 1.0, path: 0.4 };
    let query = LexicalQuery { weights, ..search::parse_query(question, weights) };
    let found = snapshot.lexical(&query, &state.filter, MAX_CHUNKS)?;
    let chunks = snapshot.load(&found.iter().map(|chunk| chunk.id).collect::<Vec<_>>())?;
    let mut best: Option<(Named, usize)> = None;
    for (place, chunk) in chunks.iter().enumerate() {
        let Some(named) = sections::named(question, chunk) else { continue };
        let is_better = |(known, _): &(Named, usize)| (named.coverage, named.fit) > (known.coverage, known.fit);
        if best.as_ref().is_none_or(is_better) {
            best = Some((named, place));
        }
    }
    let Some((named, place)) = best else { return Ok(None) };
    let path = &chunks[place].file.path;
    let section = snapshot.file(path)?.into_iter().filter(|chunk| sections::is_in(chunk, &named.heading));
    let hits = section.take(MAX_OF_SECTION).map(|chunk| search::hit_of(id, &chunk)).collect();
    Ok(Some((named.heading, hits)))
}
