//! Questions over files with known evidence pages: the ranking of passages becomes one of pages.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use super::{EvalOptions, MAX_RANKED, NUM_PASSAGES, files_of, name_of, open};
use crate::engine::{Caller, Surface};
use crate::eval::{
    EvalError, FileNames, Latencies, PageOptions, PageReport, Run, ScoredDocument, Settings, documents_of, page_id,
    page_judgements, page_qrels, read_questions, score_pages,
};
use crate::ingest::Progress;
use crate::search::{Hit, SearchRequest};

/// Indexes the files of a collection, asks its questions and scores the pages that were found; returns the figures and the run,
/// whose documents are pages `path#pN`.
///
/// Pages come in the order of the passages on them, and of the places where a passage stands as well; each counts once.
///
/// # Errors
/// When no files are named, no page is known, a judged file is not among the files, or within documents a question's own file is not
/// known; and as [`evaluate`](super::evaluate).
pub fn evaluate_pages(
    options: &EvalOptions,
    pages: &PageOptions,
    progress: &dyn Progress,
) -> Result<(PageReport, Run), EvalError> {
    let files = files_of(options)?;
    let questions = read_questions(&options.collection)?;
    let judgements = page_judgements(&options.collection, pages.qrels.as_deref(), &questions)?;
    let (engine, workspace) = open(options, files, files, progress)?;
    let entries = engine.workspace(&workspace, &Caller::local(Surface::CommandLine))?.files(None)?;
    let names = FileNames::of(entries.iter().map(|file| file.path.as_str()));
    let qrels = page_qrels(&judgements, &names)?;
    let documents =
        if pages.within_document { documents_of(&questions, &judgements, &names)? } else { BTreeMap::new() };

    let request = |id: &str, text: &str, k: usize| -> Result<Option<SearchRequest>, EvalError> {
        let mut request = SearchRequest::new(text);
        (request.k, request.mode, request.fusion) = (k, options.mode, options.fusion);
        request.every_passage = true;
        if pages.within_document {
            match documents.get(id) {
                Some(path) => request.filters.path = vec![only(path)],
                // What nothing is known of cannot be asked there, and is not judged either.
                None if qrels.grades(id).is_none() => return Ok(None),
                None => return Err(EvalError::NoDocument { query_id: id.to_owned() }),
            }
        }
        Ok(Some(request))
    };
    let mut run = Run::default();
    for question in &questions {
        if let Some(request) = request(&question.id, &question.text, NUM_PASSAGES)? {
            run.insert(
                question.id.as_str(),
                ranked_pages(
                    &engine.workspace(&workspace, &Caller::local(Surface::CommandLine))?.search(&request)?.hits,
                ),
            );
        }
    }
    let mut latencies = Latencies::default();
    for question in &questions {
        if let Some(request) = request(&question.id, &question.text, 10)? {
            let start = Instant::now();
            engine.workspace(&workspace, &Caller::local(Surface::CommandLine))?.search(&request)?;
            latencies.record(start.elapsed());
        }
    }
    let report = PageReport {
        settings: Settings::of(&engine)?,
        num_files: entries.len(),
        num_queries: run.num_queries(),
        within_document: pages.within_document,
        quality: score_pages(&run, &qrels),
        queries_per_second: latencies.queries_per_second(),
        p50_ms: latencies.percentile_ms(50),
        p99_ms: latencies.percentile_ms(99),
        mode: name_of(options.mode).to_owned(),
    };
    Ok((report, run))
}

/// A glob that this file matches, and the files inside it. Its slash keeps it from matching the same name in other folders.
pub(super) fn only(path: &str) -> String {
    let path = globset::escape(path);
    format!("{{{path},{path}/**}}")
}

/// The distinct pages of `hits`, best first.
fn ranked_pages(hits: &[Hit]) -> Vec<ScoredDocument> {
    let mut seen = HashSet::new();
    let places = hits.iter().flat_map(|hit| {
        hit.places()
            .map(|place| ScoredDocument { id: page_id(place.path.as_str(), place.page), score: f64::from(hit.score) })
    });
    places.filter(|page| seen.insert(page.id.clone())).take(MAX_RANKED).collect()
}
