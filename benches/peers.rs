//! pincite's row of the comparison with its peers, and what the peers get for theirs.
//!
//! `benches/peers/peers.py` runs this with `PINCITE_BENCH_EXPORT` naming a folder, and by itself it does nothing. It
//! cuts 2,000 files of the workload into some 20,000 chunks, embeds each once (some five minutes on two cores; the
//! vectors are kept in `target/pincite-test-data`), and writes
//! - `chunks.jsonl` (`file`, `ordinal`, `title`, `text`; a line's number, from 0, is its chunk's) and `vectors.f32`;
//! - `queries.jsonl` (`query`, and the `file` it was asked of) and `query_vectors.f32`;
//! - `updates.jsonl` (a `file`'s new `chunks`, and the word, `mark`, that the last of them alone has) and
//!   `update_vectors.f32`;
//! - `figures.json`: what pincite itself takes, as `Figures` has it.
//!
//! Vectors are rows of single precision numbers, little endian, of unit length.

#![expect(clippy::print_stdout, reason = "a bench says what it does")]

#[path = "workload/mod.rs"]
mod workload;

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use pincite::config::Ranking;
use pincite::embed::{EmbedError, Embedder, OpenModel};
use pincite::index::embedded::EmbeddedIndex;
use pincite::index::{Batch, ChunkRecord, Filter, Index as _, VectorKey};
use pincite::search::{Hit, Models, SearchRequest, search};
use pincite::workspace::{RelPath, WorkspaceId};
use serde::Serialize;
use serde_json::json;
use workload::line::{BATCH_VECTORS, batches, open_index, records};
use workload::measure::{Times, folder_bytes, timed};
use workload::model::{open_model, vectors_of};
use workload::{Random, Writer};

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Files that become some 20,000 chunks.
const NUM_FILES: usize = 2_000;
const NUM_QUERIES: usize = 200;
/// Times that a file is replaced.
const NUM_UPDATES: usize = 30;
/// Times that everything is indexed.
const NUM_ROUNDS: usize = 3;
const TOP: usize = 10;

type FileRecords = (RelPath, Vec<ChunkRecord>);

fn main() {
    let Some(folder) = std::env::var_os("PINCITE_BENCH_EXPORT").map(PathBuf::from) else {
        println!("SKIPPED: the comparison with other indexes is `python3 benches/peers/peers.py`");
        return;
    };
    let model = open_model();
    let Ok(embedder) = &model.embedder else { return };
    let workload = Workload::new(&model, &**embedder);
    workload.export(&folder);
    let figures = Figures::measure(&workload, &model, &**embedder);
    fs_err::write(folder.join("figures.json"), serde_json::to_vec(&figures).expect("JSON")).expect("a folder to write");
}

/// What pincite and all peers are measured with.
struct Workload {
    files: Vec<FileRecords>,
    vectors: Vec<Vec<f32>>,
    /// Each with the path of the file that it asks for.
    queries: Vec<(String, String)>,
    query_vectors: Vec<Vec<f32>>,
    updates: Vec<Update>,
}

/// Another version of one file.
struct Update {
    mark: String,
    file: FileRecords,
    vectors: Vec<Vec<f32>>,
}

impl Workload {
    fn new(model: &OpenModel, embedder: &dyn Embedder) -> Self {
        let writer = Writer::new();
        let files: Vec<_> = (0..NUM_FILES).map(|number| records(&writer.file(0, number, 0), 1, model)).collect();
        let vectors = embedded(embedder, files.iter().flat_map(|(_, chunks)| chunks));
        let mut random = Random::new(29);
        let queries: Vec<(String, String)> = (0..NUM_QUERIES)
            .map(|_| {
                let file = writer.file(0, random.below(NUM_FILES), 0);
                (writer.question(&file, &mut random), file.path)
            })
            .collect();
        let query_vectors = queries.iter().map(|(query, _)| embedder.embed_query(query).expect("a vector")).collect();
        let update = |turn: usize| {
            let mut file = writer.file(0, turn * 17 % NUM_FILES, turn as u64);
            let mark = format!("zzmark{turn}");
            file.text.push_str(&mark);
            (mark, records(&file, 100 + turn as u64, model))
        };
        let updates: Vec<(String, FileRecords)> = (1..=NUM_UPDATES).map(update).collect();
        let mut new_vectors = embedded(embedder, updates.iter().flat_map(|(_, (_, chunks))| chunks)).into_iter();
        let updates = updates.into_iter().map(|(mark, file)| {
            let vectors = new_vectors.by_ref().take(file.1.len()).collect();
            Update { mark, file, vectors }
        });
        let updates = updates.collect();
        Self { files, vectors, queries, query_vectors, updates }
    }

    fn export(&self, folder: &Path) {
        let chunks = |chunks: &[ChunkRecord]| -> Vec<serde_json::Value> {
            let chunk = |chunk: &ChunkRecord| {
                let (file, title) = (chunk.file.path.as_str(), &chunk.file.title);
                json!({"file": file, "ordinal": chunk.place.ordinal, "title": title, "text": chunk.words})
            };
            chunks.iter().map(chunk).collect()
        };
        let queries = self.queries.iter().map(|(query, file)| json!({"query": query, "file": file}));
        let updates = self.updates.iter().map(|update| {
            let (path, new) = &update.file;
            json!({"file": path.as_str(), "mark": update.mark, "chunks": chunks(new)})
        });
        write_lines(&folder.join("chunks.jsonl"), self.files.iter().flat_map(|(_, some)| chunks(some)));
        write_lines(&folder.join("queries.jsonl"), queries);
        write_lines(&folder.join("updates.jsonl"), updates);
        write_vectors(&folder.join("vectors.f32"), &self.vectors);
        write_vectors(&folder.join("query_vectors.f32"), &self.query_vectors);
        write_vectors(&folder.join("update_vectors.f32"), self.updates.iter().flat_map(|update| &update.vectors));
    }
}

fn embedded<'a>(embedder: &dyn Embedder, chunks: impl Iterator<Item = &'a ChunkRecord>) -> Vec<Vec<f32>> {
    vectors_of(embedder, &chunks.map(ChunkRecord::embedding_text).collect::<Vec<_>>())
}

fn write_lines(path: &Path, lines: impl Iterator<Item = serde_json::Value>) {
    let mut out = std::io::BufWriter::new(fs_err::File::create(path).expect("a folder to write"));
    for line in lines {
        writeln!(out, "{line}").expect("a file to write");
    }
    out.flush().expect("a file to write");
}

fn write_vectors<'a>(path: &Path, vectors: impl IntoIterator<Item = &'a Vec<f32>>) {
    let mut out = std::io::BufWriter::new(fs_err::File::create(path).expect("a folder to write"));
    for number in vectors.into_iter().flatten() {
        out.write_all(&number.to_le_bytes()).expect("a file to write");
    }
    out.flush().expect("a file to write");
}

/// Gives vectors that are there already, so that a search is whole and embeds nothing.
struct Ready<'a> {
    model_id: &'a str,
    vectors: HashMap<&'a str, &'a [f32]>,
}

impl Embedder for Ready<'_> {
    fn model_id(&self) -> &str {
        self.model_id
    }

    fn num_dimensions(&self) -> usize {
        self.vectors.values().next().map_or(0, |vector| vector.len())
    }

    fn embed_passages(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        texts.iter().map(|text| self.embed_query(text)).collect()
    }

    fn embed_query(&self, text: &str) -> Result<Vec<f32>, EmbedError> {
        Ok(self.vectors[text].to_vec())
    }
}

/// What pincite takes.
#[derive(Serialize)]
struct Figures {
    /// Median of three times, each in an empty folder.
    index_s: f64,
    /// Embedding a query with the default model, alone.
    embed_query_ms: f64,
    /// A whole search with passages and citations, its query's vector being there.
    hybrid_ms: f64,
    /// From giving the index another version of a file and its vectors until a search finds its new words.
    update_ms: f64,
    /// The index's folder as indexed, and after the updates.
    disk_mb: f64,
    disk_after_mb: f64,
    /// The chunks that the dense leg finds for each query, best first.
    dense: Vec<Vec<usize>>,
    /// The files that a search finds for each query, best first.
    hybrid: Vec<Vec<String>>,
    /// Searches for an old version's first chunk that still find it after the update.
    num_stale: usize,
}

impl Figures {
    fn measure(workload: &Workload, model: &OpenModel, embedder: &dyn Embedder) -> Self {
        let keys = workload.files.iter().flat_map(|(_, chunks)| chunks.iter().map(|chunk| chunk.key));
        let vectors: Vec<(VectorKey, Vec<f32>)> = keys.zip(workload.vectors.iter().cloned()).collect();
        let batches = batches(&workload.files);
        let mut index_times = Times::default();
        let mut kept = None;
        for _ in 0..NUM_ROUNDS {
            let data = tempfile::tempdir().expect("a temporary folder");
            let index = open_index(data.path(), model);
            let (time, ()) = timed(|| {
                for batch in &batches {
                    index.apply(batch).expect("a batch");
                }
                for some in vectors.chunks(BATCH_VECTORS) {
                    index.add_vectors(some).expect("vectors");
                }
            });
            index_times.push(time);
            kept = Some((index, data));
        }
        let (index, data) = kept.expect("some rounds");
        let disk_mb = || folder_bytes(data.path(), "") as f64 / 1e6;
        let disk_before_mb = disk_mb();

        let marks = workload.updates.iter().map(|update| (update.mark.as_str(), last(&update.vectors)));
        let queries = workload.queries.iter().zip(&workload.query_vectors);
        let vectors = queries.map(|((query, _), vector)| (query.as_str(), vector.as_slice())).chain(marks).collect();
        let ready = Ready { model_id: &model.model_id, vectors };
        let (mut embedding, mut hybrid, mut found) = (Times::default(), Times::default(), Vec::new());
        for (query, _) in &workload.queries {
            embedder.embed_query(query).expect("a vector");
            passages(&index, &ready, query);
        }
        for (query, _) in &workload.queries {
            embedding.push(timed(|| embedder.embed_query(query).expect("a vector")).0);
        }
        for (query, _) in &workload.queries {
            let (time, hits) = timed(|| passages(&index, &ready, query));
            hybrid.push(time);
            found.push(hits.into_iter().map(|hit| hit.citation.path.to_string()).collect());
        }
        let dense = dense(&index, workload);
        let mut updates = Times::default();
        for update in &workload.updates {
            updates.push(replace(&index, &ready, update));
        }
        Self {
            index_s: index_times.p50() / 1e3,
            embed_query_ms: embedding.p50(),
            hybrid_ms: hybrid.p50(),
            update_ms: updates.p50(),
            disk_mb: disk_before_mb,
            disk_after_mb: disk_mb(),
            dense,
            hybrid: found,
            num_stale: num_stale(&index, workload),
        }
    }
}

fn last(vectors: &[Vec<f32>]) -> &[f32] {
    vectors.last().expect("a file has chunks")
}

/// A hybrid search for ten passages, in the newest state.
fn passages(index: &EmbeddedIndex, ready: &Ready<'_>, query: &str) -> Vec<Hit> {
    let snapshot = index.snapshot().expect("a snapshot");
    let (request, filter) = (SearchRequest::new(query), Filter::default());
    let models = Models { embedder: Some(ready), reranker: None };
    let found = search(&WorkspaceId::default(), &*snapshot, models, &Ranking::default(), &request, &filter);
    found.expect("a search").hits
}

/// The keys of the chunks that the dense leg finds, best first.
fn nearest(index: &EmbeddedIndex, vector: &[f32]) -> Vec<VectorKey> {
    let snapshot = index.snapshot().expect("a snapshot");
    let found = snapshot.dense(vector, &Filter::default(), TOP).expect("a search");
    let addresses: Vec<_> = found.iter().map(|found| found.id).collect();
    snapshot.load(&addresses).expect("chunks").into_iter().map(|chunk| chunk.key).collect()
}

/// The numbers of the chunks that the dense leg finds for each query.
fn dense(index: &EmbeddedIndex, workload: &Workload) -> Vec<Vec<usize>> {
    let chunks = workload.files.iter().flat_map(|(_, chunks)| chunks);
    let numbers: HashMap<VectorKey, usize> = chunks.enumerate().map(|(number, chunk)| (chunk.key, number)).collect();
    let of_query = |vector: &Vec<f32>| nearest(index, vector).iter().map(|key| numbers[key]).collect();
    workload.query_vectors.iter().map(of_query).collect()
}

/// Milliseconds until a search finds the word that only the new version has.
fn replace(index: &EmbeddedIndex, ready: &Ready<'_>, update: &Update) -> f64 {
    let (path, chunks) = &update.file;
    let revision = chunks.first().expect("a file has chunks").file.revision;
    let batch = Batch { revision, replaced: vec![(path.clone(), chunks.clone())], ..Batch::default() };
    let vectors: Vec<_> = chunks.iter().map(|chunk| chunk.key).zip(update.vectors.iter().cloned()).collect();
    let (time, hits) = timed(|| {
        index.apply(&batch).expect("a batch");
        index.add_vectors(&vectors).expect("vectors");
        passages(index, ready, &update.mark)
    });
    assert!(hits.iter().any(|hit| hit.text.contains(&update.mark)), "the new words are found at once");
    time
}

fn num_stale(index: &EmbeddedIndex, workload: &Workload) -> usize {
    let old: HashMap<&RelPath, &ChunkRecord> = workload.files.iter().map(|(path, chunks)| (path, &chunks[0])).collect();
    let numbers = workload.files.iter().flat_map(|(_, chunks)| chunks).zip(&workload.vectors);
    let vectors: HashMap<VectorKey, &Vec<f32>> = numbers.map(|(chunk, vector)| (chunk.key, vector)).collect();
    let is_stale = |update: &&Update| {
        let key = old[&update.file.0].key;
        nearest(index, vectors[&key]).contains(&key)
    };
    workload.updates.iter().filter(is_stale).count()
}
