//! An index that is begun anew, and a process that ends while it is: a child does so, and another process goes on.

mod hanging;
mod once;
mod recording;
mod reranking;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::*;
use crate::answer::AskRequest;
use crate::chunk::TokenCounter;
use crate::config::FieldWeights;
use crate::embed::ModelLanguages;
use crate::extract::InProcess;
use crate::failpoint::armed::{ABORT_AT, TRACE};
use crate::files;
use crate::index::{Batch, ChunkRecord, FileFacts, Filter, Index, LexicalQuery};
use crate::ingest::{self, Line, PartSizes, Silent};
use crate::search::{Mode, SearchRequest};
use crate::workspace::{ContentHash, FileState, RelPath, WorkspaceId};

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
    let index = bring_in_with(&engine, folder);
    (engine, index)
}

fn bring_in_with(engine: &Engine, folder: &Path) -> Arc<dyn Index> {
    let (id, root) = (WorkspaceId::default(), files::canonical_folder(&folder.join("files")).unwrap());
    engine.workspace_at(&id, &root, &Caller::local(Surface::CommandLine)).unwrap().scan(&Silent).unwrap();
    let index = engine.data.index(&id, engine.data.store.workspace(&id).unwrap().epoch).unwrap();
    let line = Line {
        store: &engine.data.store,
        workspace: &id,
        epoch: engine.data.store.workspace(&id).unwrap().epoch,
        files: &*engine.data.files_of(&id, &root),
        index: &*index,
        extractor: Box::new(InProcess),
        tokens: &Words,
        model_id: "none",
        embeds: &ModelLanguages(Vec::new()),
        max_file_bytes: 1_000,
        max_whole_bytes: 1_000,
        parts: PartSizes::default(),
        max_batch_text_bytes: u64::MAX,
        keep_out: &|| engine.data.lock_files(&id),
        progress: &Silent,
    };
    ingest::index_pending(&line).unwrap();
    drop(line);
    index
}

/// A message with a text beside it.
const MESSAGE: &str = "Subject: harbour\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/plain\n\n\
    The harbour letter.\n--B\nContent-Type: text/plain\nContent-Disposition: attachment; filename=note.txt\n\nThe harbour note.\n--B--\n";

#[test]
fn globs_that_come_again_see_files_that_came_meanwhile_and_their_members() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::create_dir(folder.path().join("files")).unwrap();
    write(folder.path(), "a.md", "The harbour crane.");
    write(folder.path(), "b.md", "The harbour pilot.");
    let (engine, _) = bring_in(folder.path());
    let workspace = engine.workspace(&WorkspaceId::default(), &Caller::local(Surface::CommandLine)).unwrap();
    let found = |wanted: &str, unwanted: &str| -> String {
        let mut request = SearchRequest::new(format!("harbour {unwanted}"));
        (request.mode, request.filters.path) = (Mode::Lexical, vec![wanted.to_owned()]);
        let hits = workspace.search(&request).unwrap().hits;
        let paths: BTreeSet<String> =
            hits.iter().flat_map(|hit| hit.places().map(|place| place.path.to_string())).collect();
        paths.into_iter().collect::<Vec<_>>().join(" ")
    };
    let (names, inside, others) = ("[bm].*", "?.eml/{n,o}ote.txt", "-path:[bn]*.*");
    let all = || (found(names, ""), found(inside, ""), found("**", others));
    assert_eq!(all(), ("b.md".to_owned(), String::new(), "a.md".to_owned()));
    write(folder.path(), "m.eml", MESSAGE);
    write(folder.path(), "n.md", "The harbour master.");
    bring_in_with(&engine, folder.path());
    assert_eq!(all(), ("b.md m.eml".to_owned(), "m.eml/note.txt".to_owned(), "a.md m.eml".to_owned()));
    fs_err::remove_file(folder.path().join("files/b.md")).unwrap();
    bring_in_with(&engine, folder.path());
    assert_eq!(all(), ("m.eml".to_owned(), "m.eml/note.txt".to_owned(), "a.md m.eml".to_owned()));
    // What was deleted is none of the files, and was in scope all the same.
    let mut asked = AskRequest::new("What has changed recently?");
    asked.filters.path = vec![names.to_owned()];
    let told = format!("{:?}", workspace.ask(&asked).unwrap().digest.unwrap());
    assert!(told.contains("b.md") && told.contains("m.eml") && !told.contains("n.md"), "{told}");
}

#[test]
fn what_an_index_holds_of_no_file_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::create_dir(folder.path().join("files")).unwrap();
    write(folder.path(), "a.md", "The harbour crane.");
    write(folder.path(), "b.md", "The harbour pilot.");
    let (engine, index) = bring_in(folder.path());
    let snapshot = index.snapshot().unwrap();
    let [of_a, of_b] = ["a.md", "b.md"].map(|path| snapshot.file(&path.parse().unwrap()).unwrap());
    let moved = |chunks: &[ChunkRecord], path: &str, content: &[u8]| -> (RelPath, Vec<ChunkRecord>) {
        let path: RelPath = path.parse().unwrap();
        let file =
            FileFacts { path: path.clone(), content_hash: ContentHash::of(content), ..(*chunks[0].file).clone() };
        (path, vec![ChunkRecord { file: Arc::new(file), words: "The harbour ghost.".to_owned(), ..chunks[0].clone() }])
    };
    let revision = snapshot.revision();
    // A file that was never there, and content that a file has no longer, as an index over a network might bring them back.
    let strays = vec![moved(&of_b, "ghost.md", b"a ghost"), moved(&of_a, "a.md", b"what it held before")];
    index.apply(&Batch { revision, replaced: strays, ..Batch::default() }).unwrap();
    let workspace = WorkspaceId::default();
    let found = |engine: &Engine| -> Vec<String> {
        let mut request = SearchRequest::new("harbour ghost");
        request.mode = Mode::Lexical;
        let reply =
            engine.workspace(&workspace, &Caller::local(Surface::CommandLine)).unwrap().search(&request).unwrap();
        reply.hits.iter().flat_map(|hit| hit.places().map(|place| place.path.to_string())).collect()
    };
    assert_eq!(found(&engine), ["b.md"]);
    assert_eq!(index.snapshot().unwrap().counts().unwrap().num_chunks, 3, "the index does hold them");
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
            let found: Vec<_> = found.iter().map(|found| found.id).collect();
            snapshot.load(&found).unwrap().iter().map(|chunk| chunk.file.path.to_string()).collect()
        };
        let what = format!("step {abort_at}, {}", steps[abort_at - 1]);
        let both: BTreeSet<String> = ["a.md", "c.md"].map(str::to_owned).into();
        assert_eq!((found("harbour"), found("old pilot").len()), (both, 0), "{what}");
        assert_eq!(snapshot.counts().unwrap().num_chunks, 2, "{what}");
        let files = engine.data.store.files(&WorkspaceId::default()).unwrap();
        assert!(files.len() == 2 && files.iter().all(|file| file.state == FileState::Ready), "{what}: {files:?}");
    }
}
