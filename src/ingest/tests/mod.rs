//! The change line on real folders, with a model that only counts what it is asked to embed.

mod batches;
mod crash;
mod elsewhere;
mod exchange;
mod failpoints;
mod files;
mod hanging;
mod large;
mod rebuild;
mod unseen;
mod walls;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use super::*;
use crate::chunk::TokenCounter;
use crate::config::FieldWeights;
use crate::embed::{EmbedError, Embedder, ModelLanguages};
use crate::extract::InProcess;
use crate::files::{Condition, Errands, Files, RuleLimits, at, canonical_folder};
use crate::index::Access;
use crate::index::embedded::EmbeddedIndex;
use crate::index::{Filter, Index, LexicalQuery};
use crate::store::{Fingerprint, Observation, Store};
use crate::workspace::{ChangeKind, FileEntry, FileState, Priority, RelPath, WorkspaceId};

static EMBEDS: ModelLanguages = ModelLanguages(Vec::new());
const MODEL: &str = "counting-model";
const MAX_FILE_BYTES: u64 = 1_000_000;

/// Files of more than two kilobytes are large here.
const SMALL_PARTS: PartSizes = PartSizes { from_bytes: 2_000, part_bytes: 500, commit_bytes: 900 };

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

/// Embeds all chunks that have no vector.
fn embed_missing(index: &dyn Index, embedder: &dyn Embedder) {
    loop {
        let waiting = index.snapshot().unwrap().unembedded(EMBED_BATCH).unwrap();
        if waiting.is_empty() {
            return;
        }
        embed(index, embedder, &waiting).unwrap();
    }
}

/// Remembers what it was asked to embed.
#[derive(Default)]
struct Counting(Mutex<Vec<String>>);

impl Embedder for Counting {
    fn model_id(&self) -> &str {
        MODEL
    }

    fn num_dimensions(&self) -> usize {
        2
    }

    fn embed_passages(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, EmbedError> {
        self.0.lock().extend(texts.iter().map(|&text| text.to_owned()));
        Ok(texts.iter().map(|_| vec![1.0, 0.0]).collect())
    }

    fn embed_query(&self, _: &str) -> Result<Vec<f32>, EmbedError> {
        Ok(vec![1.0, 0.0])
    }
}

/// A folder, removed when it was made for the test.
struct Folder {
    path: PathBuf,
    _made: Option<tempfile::TempDir>,
}

impl Folder {
    fn new() -> Self {
        let made = tempfile::tempdir().unwrap();
        Self { path: made.path().to_owned(), _made: Some(made) }
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

/// Nobody else writes, so there is nothing to keep out.
fn none_writes() -> Result<fs_err::File, IngestError> {
    tempfile::tempfile().map(|file| fs_err::File::from_parts(file, "files.lock")).map_err(IngestError::Lock)
}

/// A workspace's folder and the data folder that indexes it.
struct Place {
    files: Folder,
    data: Folder,
    workspace: WorkspaceId,
    errands: Errands,
    store: Store,
    index: EmbeddedIndex,
    /// The last time that a file was given: no two writes have the same.
    clock: Mutex<SystemTime>,
}

/// What one run did.
struct Run {
    scan: ScanReport,
    line: LineReport,
    embedded: Vec<String>,
}

impl Place {
    fn new() -> Self {
        Self::with(Folder::new(), Folder::new())
    }

    /// In folders that stay.
    fn at(files: &Path, data: &Path) -> Self {
        let [files, data] = [files, data].map(|path| Folder { path: path.to_owned(), _made: None });
        Self::with(files, data)
    }

    fn with(files: Folder, data: Folder) -> Self {
        let (store, index) = open(&data);
        let workspace = WorkspaceId::default();
        let clock = Mutex::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        Self { files, data, workspace, errands: Errands::default(), store, index, clock }
    }

    /// The same folders after the process has ended and another has begun.
    fn reopened(self) -> Self {
        let Self { files, data, workspace, errands, store, index, clock } = self;
        drop((store, index));
        let (store, index) = open(&data);
        Self { files, data, workspace, errands, store, index, clock }
    }

    fn root(&self) -> PathBuf {
        canonical_folder(self.files.path()).unwrap()
    }

    /// The workspace's files as the line has them, read in small blocks.
    fn there(&self) -> Arc<dyn Files> {
        self.errands.guard_by_blocks(&self.workspace, at(&self.root(), RuleLimits::default()), 500)
    }

    /// Writes a file, at a time of its own.
    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.files.path().join(path);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(&path, bytes).unwrap();
        let mut clock = self.clock.lock();
        *clock += Duration::from_secs(1);
        fs_err::OpenOptions::new().write(true).open(&path).unwrap().file().set_modified(*clock).unwrap();
    }

    fn line<'a>(&'a self, files: &'a dyn Files, index: &'a dyn Index) -> Line<'a> {
        Line {
            store: &self.store,
            workspace: &self.workspace,
            epoch: self.store.workspace(&self.workspace).unwrap().epoch,
            files,
            index,
            extractor: Box::new(InProcess),
            tokens: &Words,
            model_id: MODEL,
            embeds: &EMBEDS,
            max_file_bytes: MAX_FILE_BYTES,
            max_whole_bytes: MAX_FILE_BYTES,
            parts: SMALL_PARTS,
            max_batch_text_bytes: u64::MAX,
            keep_out: &none_writes,
            progress: &Silent,
        }
    }

    fn scan(&self) -> ScanReport {
        scan(&self.store, &self.workspace, &*self.there(), &none_writes, &Silent).unwrap()
    }

    /// Scan, index, embed.
    fn run(&self) -> Run {
        let scan = self.scan();
        let files = self.there();
        let line = index_pending(&self.line(&*files, &self.index)).unwrap();
        let counting = Counting::default();
        embed_missing(&self.index, &counting);
        Run { scan, line, embedded: counting.0.into_inner() }
    }

    fn entry(&self, path: &str) -> Option<FileEntry> {
        self.store.file(&self.workspace, &path.parse().unwrap()).unwrap()
    }

    fn state(&self, path: &str) -> Option<FileState> {
        self.entry(path).map(|entry| entry.state)
    }

    /// The files that have one of these words, by the words.
    fn with_words(&self, words: &str) -> BTreeSet<String> {
        let snapshot = self.index.snapshot().unwrap();
        let query = LexicalQuery { words: words.to_owned(), phrases: Vec::new(), weights: FieldWeights::default() };
        let found = snapshot.lexical(&query, &Filter::default(), 1_000).unwrap();
        let addresses: Vec<_> = found.iter().map(|found| found.id).collect();
        snapshot.load(&addresses).unwrap().iter().map(|chunk| chunk.file.path.to_string()).collect()
    }

    /// The files that have a vector.
    fn with_vectors(&self) -> BTreeSet<String> {
        let snapshot = self.index.snapshot().unwrap();
        let found = snapshot.dense(&[1.0, 0.0], &Filter::default(), 1_000).unwrap();
        let addresses: Vec<_> = found.iter().map(|found| found.id).collect();
        snapshot.load(&addresses).unwrap().iter().map(|chunk| chunk.file.path.to_string()).collect()
    }
}

fn open(data: &Folder) -> (Store, EmbeddedIndex) {
    let store = Store::open(data.path(), true).unwrap();
    let row = store.ensure_workspace(&WorkspaceId::default(), None).unwrap();
    let index = open_index(data, &store, row.generation);
    (store, index)
}

fn open_index(data: &Folder, store: &Store, generation: i64) -> EmbeddedIndex {
    let folder = data.path().join(format!("index-{generation}"));
    EmbeddedIndex::open(&folder, &store.log_id().unwrap(), MODEL, 2, Access::Write).unwrap()
}

fn set(paths: &[&str]) -> BTreeSet<String> {
    paths.iter().map(|&path| path.to_owned()).collect()
}

/// A paragraph that fills most of a chunk, with a word of its own.
fn paragraph(word: &str) -> String {
    format!("{word} stands here. {}", "The tide rose again over the outer wall. ".repeat(5))
}

#[test]
fn a_second_run_over_an_unchanged_folder_reads_and_embeds_nothing() {
    let place = Place::new();
    place.write("a.md", paragraph("alpha"));
    place.write("sub/b.txt", paragraph("beta"));
    let first = place.run();
    assert_eq!((first.scan.num_created, first.line.num_indexed, first.embedded.len()), (2, 2, 2));
    let place = place.reopened();
    let second = place.run();
    assert_eq!(second.scan, ScanReport { num_files: 2, ..ScanReport::default() });
    assert_eq!((second.line, second.embedded.len()), (LineReport::default(), 0));
    assert_eq!(place.with_words("alpha"), set(&["a.md"]));
}

#[test]
fn after_one_changed_paragraph_only_its_chunk_is_embedded() {
    let place = Place::new();
    let text = |words: [&str; 4]| words.map(paragraph).join("\n\n");
    place.write("a.txt", text(["alpha", "beta", "gamma", "delta"]));
    assert_eq!(place.run().embedded.len(), 4);
    place.write("a.txt", text(["alpha", "beta", "epsilon", "delta"]));
    let run = place.run();
    assert_eq!((run.scan.num_modified, run.embedded.len()), (1, 1));
    assert!(run.embedded[0].contains("epsilon"));
    assert!(place.with_words("gamma").is_empty());
    assert_eq!(place.index.snapshot().unwrap().counts().unwrap().num_embedded, 4);
}

#[test]
fn a_renamed_file_is_found_under_its_new_name_alone_and_nothing_is_embedded() {
    let place = Place::new();
    place.write("old.md", format!("# Title\n\n{}", paragraph("alpha")));
    place.run();
    fs_err::create_dir(place.files.path().join("sub")).unwrap();
    fs_err::rename(place.files.path().join("old.md"), place.files.path().join("sub/new.md")).unwrap();
    let run = place.run();
    assert_eq!((run.scan.num_created, run.scan.num_deleted, run.embedded.len()), (1, 1, 0));
    assert_eq!((place.with_words("alpha"), place.with_vectors()), (set(&["sub/new.md"]), set(&["sub/new.md"])));
    assert_eq!(place.state("old.md"), None);
}

#[test]
fn a_deleted_file_is_gone_from_both_legs() {
    let place = Place::new();
    place.write("a.md", paragraph("alpha"));
    place.write("b.md", paragraph("alpha again"));
    place.run();
    fs_err::remove_file(place.files.path().join("a.md")).unwrap();
    let run = place.run();
    assert_eq!((run.scan.num_deleted, run.line.num_removed), (1, 1));
    assert_eq!((place.with_words("alpha"), place.with_vectors()), (set(&["b.md"]), set(&["b.md"])));
    assert_eq!(place.store.settled_revision(&place.workspace).unwrap(), run.scan.revision);
}

#[test]
fn a_touched_file_is_read_and_not_indexed_again() {
    let place = Place::new();
    place.write("a.md", paragraph("alpha"));
    place.run();
    place.write("a.md", paragraph("alpha"));
    let run = place.run();
    assert_eq!((run.scan.num_modified, run.line.num_unchanged, run.line.num_indexed), (1, 1, 0));
    assert_eq!(place.state("a.md"), Some(FileState::Ready));
    assert_eq!(place.run().scan.num_modified, 0);
}

#[test]
fn what_is_indexed_is_what_is_on_disk_when_it_is_read() {
    let place = Place::new();
    place.write("a.md", paragraph("alpha"));
    place.write("b.md", paragraph("beta"));
    place.scan();
    place.write("a.md", paragraph("gamma"));
    fs_err::remove_file(place.files.path().join("b.md")).unwrap();
    let files = place.there();
    index_pending(&place.line(&*files, &place.index)).unwrap();
    assert_eq!((place.with_words("gamma"), place.with_words("alpha beta")), (set(&["a.md"]), set(&[])));
    assert_eq!(place.state("b.md"), None);
    assert_eq!(place.run().scan.num_modified, 1, "what was read is told, too");
    assert_eq!(place.run().scan.num_modified, 0, "the fingerprint is that of the bytes that were read");
}

#[test]
fn what_somebody_wrote_overtakes_what_a_scan_found() {
    let place = Place::new();
    for number in 0..300 {
        place.write(&format!("old/{number}.txt"), paragraph("alpha"));
    }
    place.scan();
    place.write("new.txt", paragraph("beta"));
    let fingerprint = Fingerprint::NONE;
    let written = Observation::new("new.txt".parse().unwrap(), ChangeKind::Created, fingerprint, true);
    let revision = place.store.log(&place.workspace, &[written], Priority::Interactive).unwrap();
    let files = place.there();
    let line = place.line(&*files, &place.index);
    let mut report = LineReport::default();
    assert_eq!(index_interactive(&line, &mut report).unwrap(), 1);
    assert_eq!((place.with_words("beta"), place.with_words("alpha")), (set(&["new.txt"]), set(&[])));
    assert!(place.store.has_reached(&place.workspace, revision).unwrap());
    // A batch of a backfill is small beside others, so that the next write waits for little.
    let done = index_backfill(&line, BatchLimits::BESIDE_OTHERS, &mut report).unwrap();
    assert_eq!((done, index_interactive(&line, &mut report).unwrap()), (BatchLimits::BESIDE_OTHERS.max_files, 0));
    index_pending(&line).unwrap();
    assert_eq!(place.with_words("alpha").len(), 300);
}

#[test]
fn a_burst_of_changes_is_a_backfill_also_when_it_is_seen_bit_by_bit() {
    let place = Place::new();
    for bit in 0..4 {
        for number in 0..40 {
            place.write(&format!("{bit}/{number}.txt"), paragraph("alpha"));
        }
        let seen = BTreeSet::from([bit.to_string().parse().unwrap()]);
        assert_eq!(
            scan_places(&place.store, &place.workspace, &*place.there(), &seen, (&none_writes, &Silent))
                .unwrap()
                .num_created,
            40
        );
    }
    let num_pending = |priority| place.store.num_pending(&place.workspace, priority, 1_000).unwrap();
    assert_eq!((num_pending(Priority::Interactive), num_pending(Priority::Backfill)), (80, 80));
}
