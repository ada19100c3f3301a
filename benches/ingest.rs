//! What bringing files in costs, whole and in parts.
//!
//! On a generated folder of Markdown files (`workload`: Zipf text, files of some ten chunks of 200 tokens), measures
//! - `embed`: chunks a second of the whole line with the default model, and of embedding the same texts alone on the same
//!   cores. Embedding is the limit: the ratio says how much of the machine the rest of the line leaves to it. Both sides
//!   take turns, so that a busy machine slows both;
//! - `words`: megabytes a second of the line without embedding (scan, read, extract, chunk, index, acknowledge), and how
//!   large the data folder is beside the text when every chunk has a vector;
//! - `ready`: seconds to index some 20,000 chunks that are cut already, with their vectors; and milliseconds from giving
//!   the index another version of one file of ten chunks until a query finds it.
//!
//! Each section runs in a process of its own and ends with the most memory that the process had.
//! Run `cargo bench --bench ingest`, or `cargo bench --bench ingest -- words` for one section. ONNX Runtime is found as
//! the tests find it. Figures are of one run on one machine: look at ratios, and compare rows of the same run only.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[path = "workload/mod.rs"]
mod workload;

use std::sync::Arc;
use std::time::Instant;

use pincite::config::FieldWeights;
use pincite::embed::{OpenModel, Silent as SilentFetch};
use pincite::engine::{Access, Caller, Engine, OpenOptions, Surface};
use pincite::index::{Batch, Filter, Index as _, LexicalQuery, VectorKey};
use pincite::ingest::Silent;
use pincite::workspace::{Revision, WorkspaceId};
use workload::line::{BATCH_VECTORS, add_vectors, batches, index_words, open_index, records};
use workload::measure::{
    Target, Times, folder_bytes, head, ms, peak_memory_mb, processor_seconds, row, run_sections, timed,
};
use workload::model::{any_vectors, open_model, runtime_folder};
use workload::{Writer, write_folder};

/// As the program has it: commits of a few files take three times as long with the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Files that become some 20,000 chunks.
const NUM_FILES: usize = 2_000;
/// Rounds of the embedding section, and files of each: some 2,000 chunks in all.
const NUM_ROUNDS: usize = 4;
const ROUND_FILES: usize = 50;
/// Times that a file is replaced.
const NUM_REPLACED: usize = 100;

fn main() {
    run_sections(&[("embed", embed), ("words", words), ("ready", ready)]);
}

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// The texts that the line embeds of a round's files.
fn embedding_texts(writer: &Writer, seed: u64, model: &OpenModel) -> Vec<String> {
    let files = (0..ROUND_FILES).map(|number| records(&writer.file(seed, number, 0), 1, model).1);
    files.flatten().map(|chunk| chunk.embedding_text()).collect()
}

fn embed() {
    head("whole line with embedding");
    let writer = Writer::new();
    let (files, data) = (temporary(), temporary());
    let engine = Engine::open(OpenOptions {
        runtime_folder: Some(runtime_folder()),
        fetch_progress: Arc::new(SilentFetch),
        ..OpenOptions::new(data.path(), Access::Write, "bench")
    })
    .expect("an engine");
    let index_round = |round: u64| {
        let folder = files.path().join(round.to_string());
        write_folder(&writer, round, ROUND_FILES, &folder);
        let workspace: WorkspaceId = format!("round-{round}").parse().expect("a name");
        engine.ensure_workspace(&workspace, Some(&folder)).expect("a workspace");
        timed(|| {
            engine
                .workspace_at(&workspace, &folder, &Caller::local(Surface::CommandLine))
                .expect("the line")
                .index(&Silent)
                .expect("the line")
        })
    };
    // The first round makes the sessions, and has the peak memory to itself.
    let (_, first) = index_round(0);
    if let Some(reason) = first.words_alone {
        println!("SKIPPED: {reason}");
        return;
    }
    row("peak memory of the line with embedding", peak_memory_mb(), "MB", &Target::None);
    let model = open_model();
    let Ok(embedder) = &model.embedder else { return };
    let alone = |texts: &[String]| {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        timed(|| embedder.embed_passages(&texts).expect("vectors")).0
    };
    alone(&["warm".to_owned(), "both sessions".to_owned()]);
    let (mut whole_ms, mut alone_ms, mut num_chunks) = (0.0, 0.0, 0);
    for round in 1..=NUM_ROUNDS as u64 {
        let texts = embedding_texts(&writer, round, &model);
        let (before, after) = texts.split_at(texts.len() / 2);
        alone_ms += alone(before);
        let (time, report) = index_round(round);
        whole_ms += time;
        alone_ms += alone(after);
        assert_eq!(report.line.num_embedded, texts.len(), "both sides embed the same chunks");
        num_chunks += texts.len();
    }
    row("chunks in all", num_chunks as f64, "", &Target::None);
    row("the whole line", num_chunks as f64 * 1000.0 / whole_ms, "chunks/s", &Target::None);
    row("embedding the same texts alone", num_chunks as f64 * 1000.0 / alone_ms, "chunks/s", &Target::None);
    row("ratio of the whole line to embedding alone", alone_ms / whole_ms, "", &Target::AtLeast(0.9));
}

fn words() {
    head("the line by words alone");
    let model = open_model();
    let (files, data) = (temporary(), temporary());
    let num_bytes = write_folder(&Writer::new(), 0, NUM_FILES, files.path());
    let mb = num_bytes as f64 / 1e6;
    let index = open_index(data.path(), &model);
    let busy = processor_seconds();
    let (time, report) = timed(|| index_words(data.path(), files.path(), &index, &model));
    let busy = processor_seconds() - busy;
    let num_chunks = report.num_chunks as f64;
    row("text", mb, "MB", &Target::None);
    row("chunks", num_chunks, "", &Target::None);
    row("bytes of a chunk's text", num_bytes as f64 / num_chunks, "", &Target::None);
    row("scan, read, extract, chunk, index, acknowledge", mb * 1000.0 / time, "MB/s", &Target::None);
    row("the same, of a processor's second", mb / busy, "MB/s", &Target::None);
    row("the same", num_chunks * 1000.0 / time, "chunks/s", &Target::None);
    row("peak memory of the line by words alone", peak_memory_mb(), "MB", &Target::None);
    add_vectors(&index, |num_vectors| any_vectors(num_vectors, model.entry.num_dimensions));
    drop(index);
    let part = |end: &str| folder_bytes(data.path(), end) as f64 / num_bytes as f64;
    row("data folder to text, with vectors", part(""), "", &Target::AtMost(1.8));
    row("  of it stored chunks", part(".store"), "", &Target::None);
    row("  of it postings, and their words", part(".idx") + part(".term"), "", &Target::None);
    row("  of it positions", part(".pos"), "", &Target::None);
    row("  of it vectors", part("vectors.db"), "", &Target::None);
    row("  of it log and file table", part("pincite.db"), "", &Target::None);
}

fn ready() {
    head("the index, given ready chunks and vectors");
    let model = open_model();
    let writer = Writer::new();
    let files: Vec<_> = (0..NUM_FILES).map(|number| records(&writer.file(0, number, 0), 1, &model)).collect();
    let keys: Vec<VectorKey> = files.iter().flat_map(|(_, chunks)| chunks.iter().map(|chunk| chunk.key)).collect();
    let vectors = any_vectors(keys.len(), model.entry.num_dimensions);
    let vectors: Vec<(VectorKey, Vec<f32>)> = keys.into_iter().zip(vectors).collect();
    let batches = batches(&files);
    let (mut whole, mut postings) = (Times::default(), Times::default());
    let mut kept = None;
    let busy = processor_seconds();
    for _ in 0..3 {
        let data = temporary();
        let index = open_index(data.path(), &model);
        let started = Instant::now();
        for batch in &batches {
            index.apply(batch).expect("a batch");
        }
        postings.push(ms(started.elapsed()));
        for some in vectors.chunks(BATCH_VECTORS) {
            index.add_vectors(some).expect("vectors");
        }
        whole.push(ms(started.elapsed()));
        kept = Some((index, data));
    }
    let busy = (processor_seconds() - busy) / 3.0;
    let (index, _data) = kept.expect("three runs");
    row(
        &format!("{} chunks and their vectors, median of 3", vectors.len()),
        whole.p50() / 1e3,
        "s",
        &Target::AtMost(1.0),
    );
    row("  of it the chunks", postings.p50() / 1e3, "s", &Target::None);
    row("  processor time, with what is merged behind it", busy, "s", &Target::None);
    row("  the best of 3", whole.best() / 1e3, "s", &Target::None);

    let (mut times, mut num_chunks) = (Times::default(), 0);
    let busy = processor_seconds();
    for turn in 1..=NUM_REPLACED {
        let mut file = writer.file(0, turn * 17 % NUM_FILES, turn as u64);
        let mark = format!("zzmark{turn}");
        file.text.push_str(&mark);
        let revision = Revision(100 + turn as u64);
        let replaced = vec![records(&file, revision.0, &model)];
        num_chunks += replaced[0].1.len();
        let batch = Batch { revision, replaced, ..Batch::default() };
        let query = LexicalQuery { words: mark, phrases: Vec::new(), weights: FieldWeights::default() };
        let (time, found) = timed(|| {
            index.apply(&batch).expect("a batch");
            index.snapshot().and_then(|snapshot| snapshot.lexical(&query, &Filter::default(), 10)).expect("a search")
        });
        assert_eq!(found.len(), 1, "the new words are found at once, and once");
        times.push(time);
    }
    row("chunks of a replaced file", num_chunks as f64 / NUM_REPLACED as f64, "", &Target::None);
    row("one file replaced until a query finds it, p50", times.p50(), "ms", &Target::AtMost(20.0));
    row("the same, p90", times.percentile(90), "ms", &Target::None);
    let busy = (processor_seconds() - busy) * 1000.0 / NUM_REPLACED as f64;
    row("the same, processor time, with making the file", busy, "ms", &Target::None);
    row("the same, the slowest", times.percentile(100), "ms", &Target::None);
}
