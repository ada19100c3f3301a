//! Who wrote what a query finds: asked of the store, since the index knows nothing of it.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::query::QueryState;
use super::{EngineError, Workspace};
use crate::data_folder::View;
use crate::search::{Found, Hit};
use crate::store::{Content, KnownWriter};
use crate::workspace::{Citation, Facets, Provenance, ProvenanceFilter, RelPath};

impl Workspace<'_> {
    /// The files whose writers pass a filter; `None` where all do. Asked before the snapshot is taken, as `view` is.
    pub(super) fn written_by(
        &self,
        view: &View,
        filter: &ProvenanceFilter,
    ) -> Result<Option<Arc<HashSet<RelPath>>>, EngineError> {
        let id = &self.id;
        if filter.is_open() {
            return Ok(None);
        }
        let mut last = view.written_by.lock();
        if let Some((_, files)) = last.as_ref().filter(|(of, _)| of == filter) {
            return Ok(Some(Arc::clone(files)));
        }
        let files = Arc::new(self.engine.data.store.written_by(id, filter)?);
        *last = Some((filter.clone(), Arc::clone(&files)));
        Ok(Some(files))
    }

    /// The passages that were found, each with who wrote its file, and who wrote the files of the candidates.
    ///
    /// A file that got another writer since the state was taken is left out, where writers are asked for, and so is a passage of content that
    /// the store knows to be none of a file's: whatever an index gives back, what is no longer there is not shown.
    pub(super) fn attribute(&self, found: Found, state: &QueryState) -> Result<(Vec<Hit>, Facets), EngineError> {
        let id = &self.id;
        let Found { mut hits, candidates, .. } = found;
        let content = |citation: &Citation| -> Content { (citation.path.clone(), citation.content_hash) };
        let not_live = self.engine.data.store.not_live(id, hits.iter().flat_map(Hit::places).map(content).collect())?;
        if !not_live.is_empty() {
            tracing::warn!(
                num_files = not_live.len(),
                "the index gave back what the files no longer hold; it is not shown"
            );
            hits.retain(|hit| !not_live.contains(&content(&hit.citation)));
            for hit in &mut hits {
                hit.also_at.retain(|copied| !not_live.contains(&content(&copied.citation)));
            }
        }
        let cited = hits.iter().flat_map(Hit::places);
        let paths: BTreeSet<RelPath> = cited.map(|citation| citation.path.clone()).chain(candidates.clone()).collect();
        let writers = self.engine.data.store.writers(id, &paths)?;
        let passes = |path: &RelPath| {
            let passes = |told: &KnownWriter| state.provenance.admits(&told.provenance);
            state.provenance.is_open() || writers.get(path).is_some_and(passes)
        };
        hits.retain(|hit| passes(&hit.citation.path));
        for (rank, hit) in (1..).zip(&mut hits) {
            hit.rank = rank;
            hit.also_at.retain(|copied| passes(&copied.citation.path));
            for citation in hit.places_mut() {
                citation.provenance =
                    writers.get(&citation.path).map(|told| of_cited(citation, told)).unwrap_or_default();
            }
        }
        if candidates.is_empty() {
            return Ok((hits, Facets::default()));
        }
        let candidates: Vec<&RelPath> = candidates.iter().filter(|path| passes(path)).collect();
        let told = candidates.iter().filter_map(|&path| Some((path, &writers.get(path)?.provenance)));
        let files = self.all_files_while(&|| true)?;
        let entries = candidates.iter().filter_map(|path| files.binary_search_by(|file| file.path.cmp(path)).ok());
        let facets = Facets::of(told).and_files(entries.map(|at| &files[at]));
        Ok((hits, facets))
    }

    /// Who wrote the content that a citation is of, as far as is known now.
    pub(super) fn writer_of(&self, citation: &Citation) -> Result<Provenance, EngineError> {
        let writers = self.engine.data.store.writers(&citation.workspace, &BTreeSet::from([citation.path.clone()]))?;
        Ok(writers.get(&citation.path).map(|told| of_cited(citation, told)).unwrap_or_default())
    }
}

/// What was told, where it was told of the content that is cited.
fn of_cited(citation: &Citation, told: &KnownWriter) -> Provenance {
    match told.content_hash {
        Some(hash) if hash != citation.content_hash => Provenance::default(),
        _ => told.provenance.clone(),
    }
}
