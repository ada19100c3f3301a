//! What a test of the suite says of an index, in few words: files of paragraphs in, places out.

use std::sync::Arc;

use crate::config::FieldWeights;
use crate::extract::Format;
use crate::index::embedded::{Access, EmbeddedIndex};
use crate::index::ram::RamIndex;
use crate::index::{
    Batch, ChunkPlace, ChunkRecord, Counts, FileFacts, Filter, Index, LexicalQuery, PathTest, Scored, Snapshot,
    VectorKey,
};
use crate::workspace::{ContentHash, RelPath, Revision, Span};

pub(crate) const NUM_DIMENSIONS: usize = 8;
pub(crate) const MODEL: &str = "test-model";
pub(crate) const LOG: &str = "a-log";

/// A backend, and what can happen to it between two steps of a test.
pub(crate) trait Subject {
    fn writer(&self) -> &dyn Index;

    /// What snapshots are taken from.
    fn reader(&self) -> &dyn Index {
        self.writer()
    }

    fn between_steps(&mut self) {}
}

impl Subject for RamIndex {
    fn writer(&self) -> &dyn Index {
        self
    }
}

/// The embedded index in a folder of its own.
pub(crate) struct Embedded {
    pub index: Option<EmbeddedIndex>,
    /// Opened with [`Access::Read`] at the beginning, and read from ever after.
    beside: Option<EmbeddedIndex>,
    reopens: bool,
    pub folder: tempfile::TempDir,
}

impl Embedded {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { index: Some(open(folder.path(), Access::Write)), beside: None, reopens: false, folder }
    }

    /// Closed and opened again between steps.
    pub(crate) fn reopening() -> Self {
        Self { reopens: true, ..Self::new() }
    }

    /// Written by one instance and read by another, as by a process beside the writer.
    pub(crate) fn read_beside() -> Self {
        let written = Self::new();
        Self { beside: Some(open(written.folder.path(), Access::Read)), ..written }
    }
}

impl Embedded {
    pub(crate) fn reopen(&mut self) {
        self.index = None;
        self.index = Some(open(self.folder.path(), Access::Write));
    }
}

pub(crate) fn open(folder: &std::path::Path, access: Access) -> EmbeddedIndex {
    EmbeddedIndex::open(folder, LOG, MODEL, NUM_DIMENSIONS, access).unwrap()
}

impl Subject for Embedded {
    fn writer(&self) -> &dyn Index {
        self.index.as_ref().unwrap()
    }

    fn reader(&self) -> &dyn Index {
        match &self.beside {
            Some(beside) => beside,
            None => self.writer(),
        }
    }

    fn between_steps(&mut self) {
        if self.reopens {
            self.reopen();
        }
    }
}

/// Text paragraphs as the chunks of one file. Markdown by its name, modified in second `revision`.
pub(crate) fn file(path: &str, revision: u64, paragraphs: &[&str]) -> (RelPath, Vec<ChunkRecord>) {
    let path: RelPath = path.parse().unwrap();
    let facts = Arc::new(FileFacts {
        path: path.clone(),
        content_hash: ContentHash::of(paragraphs.join("\n\n").as_bytes()),
        revision: Revision(revision),
        format: if path.extension().is_some_and(|extension| extension == "md") {
            Format::Markdown
        } else {
            Format::Text
        },
        modified_ms: i64::try_from(revision).unwrap() * 1_000,
        title: None,
        language: None,
    });
    let mut start = 0;
    let mut chunks = Vec::new();
    for (ordinal, words) in (0..).zip(paragraphs) {
        let place = ChunkPlace { ordinal, span: Span::new(start, start + words.len()), ..ChunkPlace::default() };
        let gap = if ordinal == 0 { String::new() } else { "\n\n".to_owned() };
        chunks.push(ChunkRecord {
            file: Arc::clone(&facts),
            place,
            words: (*words).to_owned(),
            gap,
            key: key_of(words),
        });
        start += words.len() + 2;
    }
    (path, chunks)
}

pub(crate) fn key_of(words: &str) -> VectorKey {
    VectorKey::of(MODEL, words)
}

/// A unit vector that depends on the words alone, and on nothing that they mean.
pub(crate) fn vector_of(words: &str) -> Vec<f32> {
    let hash = ContentHash::of(words.as_bytes()).0;
    let raw: Vec<f32> = hash[..NUM_DIMENSIONS].iter().map(|&byte| f32::from(byte) - 127.5).collect();
    unit(&raw)
}

pub(crate) fn unit(raw: &[f32]) -> Vec<f32> {
    let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    raw.iter().map(|x| x / norm).collect()
}

pub(crate) fn query(words: &str, phrases: &[&str]) -> LexicalQuery {
    LexicalQuery {
        words: words.to_owned(),
        phrases: phrases.iter().map(|&phrase| phrase.to_owned()).collect(),
        weights: FieldWeights::default(),
    }
}

/// Passes what is in a folder.
pub(crate) fn below(folder: &str) -> Filter {
    of_path(PathTest::Below(folder.to_owned()))
}

/// Passes these files and nothing inside them.
pub(crate) fn matching(paths: &[&str]) -> Filter {
    let paths = paths.iter().map(|path| path.parse().unwrap()).collect();
    Filter { matching: Some(Arc::new(paths)), ..Filter::default() }
}

/// Passes files with an extension.
pub(crate) fn with_extension(extension: &str) -> Filter {
    of_path(PathTest::Extension(extension.to_owned()))
}

/// Passes the file at a path.
pub(crate) fn at_path(path: &str) -> Filter {
    of_path(PathTest::Is(path.to_owned()))
}

pub(crate) fn of_path(test: PathTest) -> Filter {
    Filter { paths: vec![vec![test]], ..Filter::default() }
}

/// An index at work.
pub(crate) struct Desk<S> {
    pub subject: S,
}

impl<S: Subject> Desk<S> {
    pub(crate) fn apply(&mut self, batch: &Batch) {
        self.subject.writer().apply(batch).unwrap();
        self.subject.between_steps();
    }

    pub(crate) fn put(&mut self, revision: u64, files: &[(&str, &[&str])]) {
        let replaced = files.iter().map(|(path, paragraphs)| file(path, revision, paragraphs)).collect();
        self.apply(&Batch { revision: Revision(revision), replaced, ..Batch::default() });
    }

    pub(crate) fn remove(&mut self, revision: u64, paths: &[&str]) {
        let removed = paths.iter().map(|path| path.parse().unwrap()).collect();
        self.apply(&Batch { revision: Revision(revision), removed, ..Batch::default() });
    }

    pub(crate) fn embed(&mut self, texts: &[&str]) {
        let vectors: Vec<_> = texts.iter().map(|text| (key_of(text), vector_of(text))).collect();
        self.subject.writer().add_vectors(&vectors).unwrap();
        self.subject.between_steps();
    }

    pub(crate) fn snapshot(&self) -> Box<dyn Snapshot> {
        self.subject.reader().snapshot().unwrap()
    }

    pub(crate) fn counts(&self) -> (usize, usize) {
        let Counts { num_chunks, num_embedded, .. } = self.snapshot().counts().unwrap();
        (num_chunks, num_embedded)
    }

    pub(crate) fn revision(&self) -> u64 {
        self.snapshot().revision().0
    }

    /// Places (`path#ordinal`) that have one of these words, best first.
    pub(crate) fn words(&self, words: &str) -> Vec<String> {
        words_in(&*self.snapshot(), words, &Filter::default(), 100)
    }

    /// The same without the order.
    pub(crate) fn words_sorted(&self, words: &str) -> Vec<String> {
        let mut found = self.words(words);
        found.sort();
        found
    }

    /// Places by the cosine of their vector to that of `text`, best first.
    pub(crate) fn near(&self, text: &str) -> Vec<String> {
        near_in(&*self.snapshot(), text, &Filter::default(), 100)
    }
}

pub(crate) fn words_in(snapshot: &dyn Snapshot, words: &str, filter: &Filter, limit: usize) -> Vec<String> {
    places(snapshot, &snapshot.lexical(&query(words, &[]), filter, limit).unwrap())
}

pub(crate) fn near_in(snapshot: &dyn Snapshot, text: &str, filter: &Filter, limit: usize) -> Vec<String> {
    places(snapshot, &snapshot.dense(&vector_of(text), filter, limit).unwrap())
}

pub(crate) fn places(snapshot: &dyn Snapshot, found: &[Scored]) -> Vec<String> {
    let addresses: Vec<_> = found.iter().map(|found| found.id).collect();
    let chunks = snapshot.load(&addresses).unwrap();
    for (chunk, found) in chunks.iter().zip(found) {
        assert_eq!(chunk.id(), found.id, "a result carries its own id");
    }
    chunks.iter().map(|chunk| format!("{}#{}", chunk.file.path, chunk.place.ordinal)).collect()
}
