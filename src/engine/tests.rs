//! An index that is begun anew, and a process that ends while it is: a child does so, and another process goes on.

mod reranking;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::chunk::TokenCounter;
use crate::config::FieldWeights;
use crate::embed::ModelLanguages;
use crate::failpoint::armed::{ABORT_AT, TRACE};
use crate::index::{Filter, Index, LexicalQuery};
use crate::ingest::{self, Line, PartSizes, Silent};
use crate::workspace::FileState;

/// The folder that the child lives in.
const FOLDER: &str = "PINCITE_FAILPOINT_FOLDER";

/// One token a word.
struct Words;

impl TokenCounter for Words {
    fn num_tokens(&self, text: &str) -> usize {
        text.split_whitespace().count()
    }

    fn max_tokens(&self) -> usize {
        64
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    fs_err::write(folder.join("files").join(name), text).unwrap();
}

/// Opens the data folder and brings its workspace in, as far as words go.
fn bring_in(folder: &Path) -> (Engine, Arc<dyn Index>) {
    let engine = Engine::open(OpenOptions::new(folder.join("data"), Access::Write, "a test")).unwrap();
    let (id, root) = (WorkspaceId::default(), ingest::canonical_folder(&folder.join("files")).unwrap());
    engine.scan_folder(&id, &root, &Silent).unwrap();
    let index = engine.index(&id, engine.store.workspace(&id).unwrap().epoch).unwrap();
    let line = Line {
        store: &engine.store,
        workspace: &id,
        epoch: engine.store.workspace(&id).unwrap().epoch,
        files: &*engine.files_at(&root),
        index: &*index,
        extractor: Box::new(InProcess),
        tokens: &Words,
        model_id: "none",
        embeds: &ModelLanguages(Vec::new()),
        max_file_bytes: 1_000,
        max_whole_bytes: 1_000,
        parts: PartSizes::default(),
        max_batch_text_bytes: u64::MAX,
        progress: &Silent,
    };
    ingest::index_pending(&line).unwrap();
    drop(line);
    (engine, index)
}

/// The child: indexes, then finds its index damaged, and begins another.
#[test]
#[ignore = "ended at a step by the test that starts it"]
fn a_life() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let folder = Path::new(&folder);
    fs_err::create_dir(folder.join("files")).unwrap();
    write(folder, "a.md", "The old harbour.");
    write(folder, "b.md", "The harbour pilot.");
    write(folder, "c.md", "The harbour light.");
    drop(bring_in(folder));
    fs_err::remove_file(folder.join("files/b.md")).unwrap();
    write(folder, "a.md", "The harbour crane.");
    fs_err::write(folder.join("data/workspaces/default/postings/meta.json"), "{ no").unwrap();
    drop(bring_in(folder));
}

/// Starts the child, and returns the steps that it came to.
fn live_in(folder: &Path, abort_at: Option<usize>) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "engine::tests::a_life", "--ignored", "--test-threads=1"]);
    child.env(FOLDER, folder).env(TRACE, folder.join("trace"));
    if let Some(number) = abort_at {
        child.env(ABORT_AT, number.to_string());
    }
    let output = child.output().unwrap();
    // The last steps are merges, which come or do not.
    assert!(abort_at.is_some() || output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let trace = fs_err::read_to_string(folder.join("trace")).unwrap();
    trace.lines().map(str::to_owned).collect()
}

#[test]
fn a_process_that_ends_while_an_index_is_begun_anew_leaves_one_that_is_filled_from_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let steps = live_in(folder.path(), None);
    let begun = steps.iter().position(|step| step == "discard: begun").unwrap();
    for expected in ["discard: done", "forget: written", "forget: durable", "line: about to commit", "commit: done"] {
        assert!(steps[begun..].iter().any(|step| step == expected), "`{expected}` is never reached: {steps:?}");
    }
    for abort_at in begun + 1..=steps.len() {
        let folder = tempfile::tempdir().unwrap();
        live_in(folder.path(), Some(abort_at));
        let (engine, index) = bring_in(folder.path());
        let snapshot = index.snapshot().unwrap();
        let found = |words: &str| -> BTreeSet<String> {
            let query = LexicalQuery { words: words.to_owned(), phrases: Vec::new(), weights: FieldWeights::default() };
            let found = snapshot.lexical(&query, &Filter::default(), 9).unwrap();
            let found: Vec<u64> = found.iter().map(|found| found.address).collect();
            snapshot.load(&found).unwrap().iter().map(|chunk| chunk.file.path.to_string()).collect()
        };
        let what = format!("step {abort_at}, {}", steps[abort_at - 1]);
        let both: BTreeSet<String> = ["a.md", "c.md"].map(str::to_owned).into();
        assert_eq!((found("harbour"), found("old pilot").len()), (both, 0), "{what}");
        assert_eq!(snapshot.counts().unwrap().num_chunks, 2, "{what}");
        let files = engine.store.files(&WorkspaceId::default()).unwrap();
        assert!(files.len() == 2 && files.iter().all(|file| file.state == FileState::Ready), "{what}: {files:?}");
    }
}
