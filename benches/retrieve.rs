//! What a search costs, at 20,000 and at 100,000 chunks, and whether it finds what an exact search finds.
//!
//! The text is generated (`workload`: Zipf text, chunks of some 200 tokens) and goes through the real line by words. The
//! vectors are not those of these texts, because embedding 100,000 takes half an hour: 2,000 lists of words are embedded, or,
//! with `PINCITE_DEV_DATA` naming a folder that has `ir/cranfield`, `ir/cisi` and `ir/medline` in BEIR layout, the nearly
//! 4,000 documents of these; the rest are mixtures of two of them with some noise, of unit length again. Embedded texts
//! are kept in `target/pincite-test-data`, so only the first run embeds them.
//!
//! Measures, one query at a time:
//! - `Engine::search`, hybrid, ten passages, with the embedding of the query in it, and in turns with it that embedding
//!   alone: the limit. The ratio is of the medians of one run, and is what to look at;
//! - the same by words alone, and behind path globs that pass 1% and 10% of the files;
//! - both legs alone, and the recall of the dense one against a scan of the unrounded vectors;
//! - that filters are inside: the filtered lists equal the filtered unlimited list, and the filtered exact scan.
//!
//! Each size runs in a process of its own, and so does the making of its index. Run `cargo bench --bench retrieve`, or
//! `cargo bench --bench retrieve -- make-20000 20000` for one size.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[path = "workload/mod.rs"]
mod workload;

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use pincite::config::FieldWeights;
use pincite::embed::{Embedder, OpenModel, Silent as SilentFetch};
use pincite::engine::{Access, Caller, Engine, OpenOptions, Surface};
use pincite::eval::Collection;
use pincite::index::{Filter, Index as _, Snapshot, VectorKey};
use pincite::search::{Compiled, Filters, Mode, SearchRequest, parse_query};
use pincite::workspace::{PatternLimits, WorkspaceId};
use rayon::prelude::*;
use workload::line::{add_vectors, index_words, open_index};
use workload::measure::{Target, Times, head, peak_memory_mb, row, run_sections, timed};
use workload::model::{kept_folder, mixed, open_model, runtime_folder, vectors_of};
use workload::{Random, Writer, write_folder};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Chunks of a generated file, about.
const FILE_CHUNKS: usize = 10;
/// Generated texts that are embedded where there are no real ones.
const NUM_EMBEDDED: usize = 2_000;
/// Queries that are timed.
const NUM_QUERIES: usize = 300;
/// Queries whose results are compared with exact ones.
const NUM_COMPARED: usize = 100;
/// Results that are compared.
const TOP: usize = 10;
const GLOBS: [(&str, &str); 2] = [("1%", "runs/07/**"), ("10%", "runs/0?/**")];

fn main() {
    run_sections(&[
        ("make-20000", || make(20_000)),
        ("20000", || measure(20_000, 1.5)),
        ("make-100000", || make(100_000)),
        ("100000", || measure(100_000, 2.0)),
    ]);
}

fn folder_of(num_chunks: usize) -> PathBuf {
    kept_folder().join(format!("bench-retrieve-{num_chunks}"))
}

/// Documents and queries of the judged collections, where there are some.
fn collections() -> Option<(Vec<String>, Vec<String>)> {
    let folder = PathBuf::from(std::env::var_os("PINCITE_DEV_DATA")?).join("ir");
    let (mut texts, mut queries) = (Vec::new(), Vec::new());
    for name in ["cranfield", "cisi", "medline"] {
        let collection = Collection::open(folder.join(name)).expect("a collection");
        for document in collection.documents().expect("documents") {
            let document = document.expect("a document");
            texts.push(format!("{}\n{}", document.title, document.text));
        }
        queries.extend(collection.queries().expect("queries").into_iter().map(|query| query.text));
    }
    Some((texts, queries))
}

/// Vectors of the model: of documents where there are collections, else of the words that generated files are about.
fn real_vectors(writer: &Writer, embedder: &dyn Embedder) -> Vec<Vec<f32>> {
    let subjects = || (0..NUM_EMBEDDED).map(|number| writer.file(9, number, 0).subject.join(" ")).collect();
    let texts = collections().map_or_else(subjects, |(texts, _)| texts);
    vectors_of(embedder, &texts)
}

fn make(num_chunks: usize) {
    let folder = folder_of(num_chunks);
    if folder.exists() {
        fs_err::remove_dir_all(&folder).expect("the folder of the last run goes");
    }
    let model = open_model();
    let Ok(embedder) = &model.embedder else { return };
    let writer = Writer::new();
    let real = real_vectors(&writer, &**embedder);
    let (files, data) = (folder.join("files"), folder.join("data"));
    write_folder(&writer, 0, num_chunks / FILE_CHUNKS, &files);
    let index = open_index(&data, &model);
    let report = index_words(&data, &files, &index, &model);
    let num_vectors = add_vectors(&index, |num_vectors| mixed(&real, num_vectors));
    println!("\nmade {} chunks with {num_vectors} vectors, {} of them of real texts", report.num_chunks, real.len());
}

fn measure(num_chunks: usize, most: f64) {
    let data = folder_of(num_chunks).join("data");
    if !data.exists() {
        println!("SKIPPED: there is no index of {num_chunks} chunks");
        return;
    }
    head(&format!("search among {num_chunks} chunks"));
    let writer = Writer::new();
    let mut random = Random::new(23);
    let questions: Vec<String> = (0..NUM_QUERIES)
        .map(|_| writer.question(&writer.file(0, random.below(num_chunks / FILE_CHUNKS), 0), &mut random))
        .collect();
    let model = searches(&data, &questions, most);
    let Ok(embedder) = &model.embedder else { return };

    let index = open_index(&data, &model);
    let snapshot = index.snapshot().expect("a snapshot");
    let exact =
        Exact::of(&*snapshot, num_chunks, |num_vectors| mixed(&real_vectors(&writer, &**embedder), num_vectors));
    lexical_leg(&*snapshot, &exact, &questions);
    let queries = collections().map_or(questions, |(_, queries)| queries);
    dense_leg(&*snapshot, &exact, &queries, &**embedder);
    drop(snapshot);
    drop(index);
    fs_err::remove_dir_all(folder_of(num_chunks)).expect("the folder goes");
}

/// Times whole searches, as the surfaces make them. Returns the model, opened after peak memory was read.
fn searches(data: &std::path::Path, questions: &[String], most: f64) -> OpenModel {
    let engine = Engine::open(OpenOptions {
        runtime_folder: Some(runtime_folder()),
        fetch_progress: Arc::new(SilentFetch),
        ..OpenOptions::new(data, Access::Write, "bench")
    })
    .expect("an engine");
    let workspace = WorkspaceId::default();
    let search = |question: &str, mode: Mode, glob: Option<&str>| {
        let mut request = SearchRequest::new(question);
        request.mode = mode;
        request.filters = Filters { path: glob.map(str::to_owned).into_iter().collect(), ..Filters::default() };
        timed(|| {
            engine
                .workspace(&workspace, &Caller::local(Surface::CommandLine))
                .expect("the workspace")
                .search(&request)
                .expect("a search")
        })
        .0
    };
    for question in &questions[..30] {
        search(question, Mode::Hybrid, None);
    }
    row("peak memory of searching", peak_memory_mb(), "MB", &Target::None);
    let model = open_model();
    let embedder = model.embedder.as_ref().expect("the engine had one");
    let (mut hybrid, mut embedding, mut lexical) = (Times::default(), Times::default(), Times::default());
    let mut filtered = GLOBS.map(|_| Times::default());
    embedder.embed_query("warm").expect("a vector");
    for question in questions {
        embedding.push(timed(|| embedder.embed_query(question).expect("a vector")).0);
        hybrid.push(search(question, Mode::Hybrid, None));
        lexical.push(search(question, Mode::Lexical, None));
        for ((_, glob), times) in GLOBS.iter().zip(&mut filtered) {
            times.push(search(question, Mode::Hybrid, Some(glob)));
        }
    }
    let both = |what: &str, times: &Times| {
        row(&format!("{what}, p50"), times.p50(), "ms", &Target::None);
        row(&format!("{what}, p99"), times.percentile(99), "ms", &Target::None);
    };
    both("embedding the query alone", &embedding);
    both("hybrid, top 10, with embedding", &hybrid);
    row("ratio of hybrid to embedding alone, p50", hybrid.p50() / embedding.p50(), "", &Target::AtMost(most));
    both("words alone, top 10", &lexical);
    for ((part, _), times) in GLOBS.iter().zip(&filtered) {
        both(&format!("hybrid behind a path glob that passes {part}"), times);
    }
    model
}

/// The unrounded vectors, scanned as plainly as can be.
struct Exact {
    /// Vector and path of each chunk.
    chunks: Vec<(VectorKey, String)>,
    vectors: BTreeMap<VectorKey, Vec<f32>>,
}

impl Exact {
    fn of(snapshot: &dyn Snapshot, num_chunks: usize, vectors: impl FnOnce(usize) -> Vec<Vec<f32>>) -> Self {
        let paths =
            (0..num_chunks / FILE_CHUNKS).map(|number| format!("runs/{:02}/report-{number:05}.md", number % 100));
        let chunks: Vec<(VectorKey, String)> = paths
            .flat_map(|path| {
                let chunks = snapshot.file(&path.parse().expect("a path")).expect("a file");
                chunks.into_iter().map(|chunk| (chunk.key, path.clone())).collect::<Vec<_>>()
            })
            .collect();
        let mut keys: Vec<VectorKey> = chunks.iter().map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys.dedup();
        let vectors = vectors(keys.len());
        Self { chunks, vectors: keys.into_iter().zip(vectors).collect() }
    }

    fn best(&self, query: &[f32], filter: &Filter) -> HashSet<VectorKey> {
        let passing: Vec<&VectorKey> =
            self.chunks.iter().filter(|(_, path)| filter.admits_path(path)).map(|(key, _)| key).collect();
        let mut scored: Vec<(f32, VectorKey)> = passing
            .into_par_iter()
            .map(|key| (self.vectors[key].iter().zip(query).map(|(a, b)| a * b).sum::<f32>(), *key))
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        scored.dedup();
        scored.into_iter().take(TOP).map(|(_, key)| key).collect()
    }
}

fn filter_of(glob: Option<&str>, exact: &Exact) -> Filter {
    let filters = Filters { path: glob.map(str::to_owned).into_iter().collect(), ..Filters::default() };
    let Compiled { mut filter, globs } = filters.compile(PatternLimits::default()).expect("a filter");
    if !globs.is_open() {
        let matching = exact.chunks.iter().filter(|(_, path)| globs.admits(path));
        filter.matching = Some(Arc::new(matching.map(|(_, path)| path.parse().expect("a path")).collect()));
    }
    filter
}

fn lexical_leg(snapshot: &dyn Snapshot, exact: &Exact, questions: &[String]) {
    let query = |question: &str| parse_query(question, FieldWeights::default());
    let mut times = Times::default();
    for question in questions {
        let query = query(question);
        times.push(timed(|| snapshot.lexical(&query, &Filter::default(), 100).expect("a search")).0);
    }
    row("the leg of words alone, top 100, p50", times.p50(), "ms", &Target::None);
    row("the leg of words alone, top 100, p99", times.percentile(99), "ms", &Target::None);
    let everything = exact.chunks.len();
    let mut num_equal = 0;
    for question in &questions[..NUM_COMPARED / 4] {
        let query = query(question);
        let all = snapshot.lexical(&query, &Filter::default(), everything).expect("a search");
        for (_, glob) in GLOBS {
            let filter = filter_of(Some(glob), exact);
            let found = snapshot.lexical(&query, &filter, TOP).expect("a search");
            let addresses: Vec<_> = all.iter().map(|found| found.id).collect();
            // Loading everything would take long: the list is followed down until enough have passed.
            let mut expected = Vec::new();
            for (scored, address) in all.iter().zip(&addresses) {
                let chunk = snapshot.load(&[*address]).expect("a chunk").remove(0);
                if filter.admits_path(chunk.file.path.as_str()) {
                    expected.push(scored.id);
                }
                if expected.len() == TOP {
                    break;
                }
            }
            num_equal += usize::from(expected == found.iter().map(|found| found.id).collect::<Vec<_>>());
        }
    }
    let num_compared = NUM_COMPARED / 4 * GLOBS.len();
    let share = num_equal as f64 / num_compared as f64;
    row("filtered lists of words that equal the filtered whole list", share, "", &Target::AtLeast(1.0));
}

fn dense_leg(snapshot: &dyn Snapshot, exact: &Exact, queries: &[String], embedder: &dyn Embedder) {
    let queries: Vec<Vec<f32>> =
        queries.iter().take(NUM_QUERIES).map(|query| embedder.embed_query(query).expect("a vector")).collect();
    for (part, glob) in std::iter::once(("", None)).chain(GLOBS.map(|(part, glob)| (part, Some(glob)))) {
        let filter = filter_of(glob, exact);
        let what = if part.is_empty() { String::new() } else { format!(" behind a glob that passes {part}") };
        let (mut times, mut num_same, mut num_wanted) = (Times::default(), 0, 0);
        for (turn, query) in queries.iter().enumerate() {
            times.push(timed(|| snapshot.dense(query, &filter, 100).expect("a search")).0);
            if turn < NUM_COMPARED {
                let wanted = exact.best(query, &filter);
                let found = snapshot.dense(query, &filter, TOP).expect("a search");
                let addresses: Vec<_> = found.iter().map(|found| found.id).collect();
                let chunks = snapshot.load(&addresses).expect("chunks");
                num_same += chunks.iter().filter(|chunk| wanted.contains(&chunk.key)).count();
                num_wanted += wanted.len();
            }
        }
        row(&format!("the dense leg alone{what}, top 100, p50"), times.p50(), "ms", &Target::None);
        row(&format!("the dense leg alone{what}, top 100, p99"), times.percentile(99), "ms", &Target::None);
        let recall = num_same as f64 / num_wanted as f64;
        row(&format!("recall at 10 against the exact scan{what}"), recall, "", &Target::AtLeast(0.99));
    }
}
