//! A judged collection through the real line: its documents become files, which are indexed and searched as any others.

mod answers;
mod pages;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use sha2::{Digest as _, Sha256};

pub use self::answers::evaluate_answers;
pub use self::pages::evaluate_pages;
use crate::embed;
use crate::engine::{Access, Caller, Engine, OpenOptions, Surface};
use crate::eval::{
    Collection, EvalError, Latencies, Qrels, Query, Report, Run, ScoredDocument, Settings, score, score_of,
};
use crate::extract::child;
use crate::ingest::Progress;
use crate::search::{FusionMethod, Mode, SearchRequest};
use crate::workspace::WorkspaceId;

/// Documents of a ranking, enough for recall at 100.
const MAX_RANKED: usize = 100;
/// Passages that are asked for, so that so many documents come of them.
const NUM_PASSAGES: usize = 250;

/// How a collection is evaluated.
pub struct EvalOptions {
    /// The folder in BEIR layout.
    pub collection: PathBuf,
    /// The folder whose files are the documents, their paths being the ids, where the collection has no `corpus.jsonl`.
    pub files: Option<PathBuf>,
    /// Where the index of the collection is kept, so that a second evaluation embeds nothing; its `config.toml` and models hold here, too.
    pub data_folder: PathBuf,
    /// Where ONNX Runtime is kept.
    pub runtime_folder: PathBuf,
    /// Which legs to use.
    pub mode: Mode,
    /// How to fuse them.
    pub fusion: FusionMethod,
    /// Is told when a model or runtime is fetched.
    pub fetch_progress: Arc<dyn embed::Progress>,
    /// As in [`OpenOptions`].
    pub reader_program: Option<child::Program>,
}

/// Indexes a collection, runs its queries and scores them; returns the figures and the run.
///
/// Quality is of the first 100 documents. Times are of separate searches for ten passages, one after the other, after the
/// first run has warmed everything.
///
/// # Errors
/// When the collection cannot be read, and as [`Workspace::index`](crate::engine::Workspace::index) and [`Workspace::search`](crate::engine::Workspace::search).
pub fn evaluate(options: &EvalOptions, progress: &dyn Progress) -> Result<(Report, Run), EvalError> {
    let collection = Collection::open(&options.collection)?;
    let queries = collection.queries()?;
    let qrels = collection.qrels()?;
    let documents = options.files.as_deref().unwrap_or(&options.collection);
    let (files, ids) = if let Some(files) = &options.files {
        (files.clone(), None)
    } else {
        let files = data_folder_of(&options.data_folder, documents).join("corpus");
        let ids = lay_out(&collection, &files)?;
        (files, Some(ids))
    };
    let (engine, workspace) = open(options, documents, &files, progress)?;
    let num_documents = ids
        .as_ref()
        .map_or(engine.workspace(&workspace, &Caller::local(Surface::CommandLine))?.files(None)?.len(), Vec::len);

    let request = |text: &str, k: usize| {
        let mut request = SearchRequest::new(text);
        (request.k, request.mode, request.fusion) = (k, options.mode, options.fusion);
        request.every_passage = true;
        request
    };
    let mut run = Run::default();
    for query in &queries {
        let reply = engine
            .workspace(&workspace, &Caller::local(Surface::CommandLine))?
            .search(&request(&query.text, NUM_PASSAGES))?;
        let mut ranking = Vec::new();
        let mut seen = HashSet::new();
        for hit in &reply.hits {
            for citation in hit.places() {
                let id = id_of(citation.path.as_str(), ids.as_deref());
                if ranking.len() < MAX_RANKED && seen.insert(id.clone()) {
                    ranking.push(ScoredDocument { id, score: f64::from(hit.score) });
                }
            }
        }
        run.insert(query.id.as_str(), ranking);
    }
    let mut latencies = Latencies::default();
    for query in &queries {
        let request = request(&query.text, 10);
        let start = Instant::now();
        engine.workspace(&workspace, &Caller::local(Surface::CommandLine))?.search(&request)?;
        latencies.record(start.elapsed());
    }
    let quality = score(&run, &qrels);
    let report = Report {
        settings: Settings::of(&engine)?,
        num_documents,
        num_queries: queries.len(),
        num_judged: quality.num_judged,
        ndcg_at_10: quality.ndcg_at_10,
        recall_at_100: quality.recall_at_100,
        mrr_at_10: quality.mrr_at_10,
        queries_per_second: latencies.queries_per_second(),
        p50_ms: latencies.percentile_ms(50),
        p99_ms: latencies.percentile_ms(99),
        mode: name_of(options.mode).to_owned(),
        by_language: by_language(&queries, &run, &qrels),
    };
    Ok((report, run))
}

/// nDCG at 10 of the queries of each language, where the collection says in which they are.
fn by_language(queries: &[Query], run: &Run, qrels: &Qrels) -> BTreeMap<String, f64> {
    let mut ids: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for query in queries {
        if let Some(language) = &query.language {
            ids.entry(language).or_default().insert(&query.id);
        }
    }
    let score = |ids: &HashSet<&str>| score_of(run, qrels, |id| ids.contains(id)).ndcg_at_10;
    ids.iter().map(|(&language, ids)| (language.to_owned(), score(ids))).collect()
}

/// Opens the data folder that belongs to `documents` and brings its index up to date with `files`.
fn open(
    options: &EvalOptions,
    documents: &Path,
    files: &Path,
    progress: &dyn Progress,
) -> Result<(Engine, WorkspaceId), EvalError> {
    let engine = Engine::open(OpenOptions {
        settings_folder: Some(options.data_folder.clone()),
        runtime_folder: Some(options.runtime_folder.clone()),
        fetch_progress: Arc::clone(&options.fetch_progress),
        reader_program: options.reader_program.clone(),
        ..OpenOptions::new(data_folder_of(&options.data_folder, documents), Access::Write, "pincite eval")
    })?;
    let workspace = WorkspaceId::default();
    engine.workspace_at(&workspace, files, &Caller::local(Surface::CommandLine))?.index(progress)?;
    Ok((engine, workspace))
}

/// The folder of files, which questions over files cannot do without.
fn files_of(options: &EvalOptions) -> Result<&Path, EvalError> {
    options.files.as_deref().ok_or(EvalError::NoFiles)
}

const fn name_of(mode: Mode) -> &'static str {
    match mode {
        Mode::Lexical => "lexical",
        Mode::Dense => "dense",
        Mode::Hybrid => "hybrid",
    }
}

/// A data folder of its own for each collection: evaluating one changes nothing that a user searches.
fn data_folder_of(data_folder: &Path, collection: &Path) -> PathBuf {
    let whole = fs_err::canonicalize(collection).unwrap_or_else(|_| collection.to_owned());
    let digest: [u8; 32] = Sha256::digest(whole.as_os_str().as_encoded_bytes()).into();
    let name = collection.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let suffix = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    data_folder.join("eval").join(format!("{name}-{suffix:08x}"))
}

/// Writes each document of the corpus as a Markdown file, its title as the heading, unless it is there already. Files
/// are numbered, so that no id becomes a word that queries could find. Returns the ids by number.
fn lay_out(collection: &Collection, folder: &Path) -> Result<Vec<String>, EvalError> {
    fs_err::create_dir_all(folder).map_err(EvalError::Unreadable)?;
    let mut ids = Vec::new();
    for document in collection.documents()? {
        let document = document?;
        let path = folder.join(file_name(ids.len()));
        let content = if document.title.trim().is_empty() {
            document.text
        } else {
            format!("# {}\n\n{}\n", document.title.trim(), document.text)
        };
        if fs_err::read(&path).ok().as_deref() != Some(content.as_bytes()) {
            fs_err::write(&path, content).map_err(EvalError::Unreadable)?;
        }
        ids.push(document.id);
    }
    Ok(ids)
}

fn file_name(number: usize) -> String {
    format!("d{number:09}.md")
}

/// The document's id: by number in a laid-out corpus, else the path itself.
fn id_of(path: &str, ids: Option<&[String]>) -> String {
    let number = || path.strip_prefix('d')?.strip_suffix(".md")?.parse::<usize>().ok();
    ids.and_then(|ids| ids.get(number()?).cloned()).unwrap_or_else(|| path.to_owned())
}
