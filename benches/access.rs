//! What authentication and the audit cost a query and a write.
//!
//! Two engines over two data folders with the same 2,000 files, by words: one records, the other has `audit.enabled = false`. Each query and
//! write is done by both, one after the other and in changing order, so that both meet the same machine. The key is looked up for each request
//! as the server does it.
//!
//! Run `cargo bench --bench access`.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

#[path = "workload/mod.rs"]
mod workload;

use std::path::Path;
use std::sync::Arc;

use pincite::embed::Silent as SilentFetch;
use pincite::engine::{Access, Caller, Engine, NewKey, OpenOptions, Precondition, Secret, Surface, Workspace};
use pincite::search::SearchRequest;
use pincite::workspace::{Scope, WorkspaceId};
use workload::line::{add_vectors, index_words, open_index};
use workload::measure::{Target, Times, head, row, timed};
use workload::model::{any_vectors, kept_folder, open_model, runtime_folder};
use workload::{Random, Writer, write_folder};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NUM_FILES: usize = 2_000;
const NUM_QUERIES: usize = 600;
const NUM_WRITES: usize = 200;
/// Percent that a query may take longer with the audit than without.
const MOST_PERCENT: f64 = 3.0;

fn open(data: &Path, is_recorded: bool) -> Engine {
    fs_err::write(data.join("config.toml"), format!("[audit]\nenabled = {is_recorded}\n")).expect("a file");
    Engine::open(OpenOptions {
        runtime_folder: Some(runtime_folder()),
        fetch_progress: Arc::new(SilentFetch),
        ..OpenOptions::new(data, Access::Write, "bench")
    })
    .expect("an engine")
}

/// A workspace as the server opens it for a request with a key.
fn of_key<'a>(engine: &'a Engine, secret: &Secret) -> Workspace<'a> {
    let caller = engine.caller_of(secret, Surface::Rest).expect("a key that holds");
    engine.workspace(&WorkspaceId::default(), &caller).expect("the workspace")
}

fn main() {
    let folder = kept_folder().join("bench-access");
    if folder.exists() {
        fs_err::remove_dir_all(&folder).expect("the folder of the last run goes");
    }
    let (writer, model) = (Writer::new(), open_model());
    let engines = [true, false].map(|is_recorded| {
        let place = folder.join(if is_recorded { "with" } else { "without" });
        let (files, data) = (place.join("files"), place.join("data"));
        write_folder(&writer, 0, NUM_FILES, &files);
        let index = open_index(&data, &model);
        index_words(&data, &files, &index, &model);
        add_vectors(&index, |num_vectors| any_vectors(num_vectors, model.entry.num_dimensions));
        drop(index);
        open(&data, is_recorded)
    });
    let new = NewKey { name: "bench".to_owned(), scopes: [Scope::Admin].into_iter().collect(), ..NewKey::default() };
    let secrets: Vec<Secret> = engines
        .iter()
        .map(|engine| {
            let made = engine.create_key(&Caller::local(Surface::CommandLine), &new).expect("a key");
            made.secret.parse().expect("a secret")
        })
        .collect();

    let mut random = Random::new(7);
    let questions: Vec<String> = (0..NUM_QUERIES)
        .map(|number| writer.question(&writer.file(0, number * 97 % NUM_FILES, 0), &mut random))
        .collect();
    let mut queries = [Times::default(), Times::default()];
    let mut looked_up = Times::default();
    for (number, question) in questions.iter().enumerate() {
        for at in if number % 2 == 0 { [0, 1] } else { [1, 0] } {
            let request = SearchRequest::new(question.as_str());
            let (ms, _) = timed(|| of_key(&engines[at], &secrets[at]).search(&request).expect("a reply"));
            // The first ones open what is opened at need.
            if number >= NUM_QUERIES / 10 {
                queries[at].push(ms);
            }
        }
        looked_up.push(timed(|| engines[0].caller_of(&secrets[0], Surface::Rest).expect("a key")).0);
    }
    let mut put_times = [Times::default(), Times::default()];
    for number in 0..NUM_WRITES {
        let file = writer.file(1, number, 0);
        let path = file.path.parse().expect("a path");
        for at in if number % 2 == 0 { [0, 1] } else { [1, 0] } {
            let write =
                || of_key(&engines[at], &secrets[at]).write_file(&path, file.text.as_bytes(), &Precondition::None);
            put_times[at].push(timed(|| write().expect("a write")).0);
        }
    }
    head(&format!("with and without the audit, over {NUM_FILES} files, in one run"));
    for (what, [with, without]) in [("query", &queries), ("write", &put_times)] {
        row(&format!("a {what}, p50 without the audit"), without.p50(), "ms", &Target::None);
        row(&format!("a {what}, p50 with it"), with.p50(), "ms", &Target::None);
        let percent = 100.0 * (with.p50() / without.p50() - 1.0);
        let target = if what == "query" { Target::AtMost(MOST_PERCENT) } else { Target::None };
        row(&format!("a {what}: what the audit adds to p50"), percent, "%", &target);
        row(&format!("a {what}, p99 without the audit"), without.p99(), "ms", &Target::None);
        row(&format!("a {what}, p99 with it"), with.p99(), "ms", &Target::None);
    }
    row("looking a key up, p50", looked_up.p50(), "ms", &Target::None);
    row("looking a key up, p99", looked_up.p99(), "ms", &Target::None);
    let report = engines[0].verify_audit(&Caller::local(Surface::CommandLine), &[]).expect("a proof");
    assert!(report.is_whole, "{report:?}");
    row("entries", report.num_entries as f64, "", &Target::None);
    drop(engines);
    fs_err::remove_dir_all(&folder).expect("the folder goes");
}
