//! The change line without a model that runs: by words alone, and files cut into records as the line cuts them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use pincite::chunk::{chunk, plain};
use pincite::embed::OpenModel;
use pincite::extract::InProcess;
use pincite::extract::{Hints, extract};
use pincite::files::canonical_folder;
use pincite::files::{self, RuleLimits};
use pincite::index::embedded::{Access, EmbeddedIndex};
use pincite::index::{Batch, ChunkPlace, ChunkRecord, FileFacts, Index as _, VectorKey};
use pincite::ingest::{IngestError, Line, LineReport, PartSizes, Silent, index_pending, scan};
use pincite::store::Store;
use pincite::workspace::{ContentHash, RelPath, Revision, WorkspaceId};

use super::File;

/// Files of a workspace are refused beyond this, as by default.
const MAX_FILE_BYTES: u64 = 512 * 1024 * 1024;
/// Files of a batch and vectors of one call, as the line has them.
pub const BATCH_FILES: usize = 4_096;
pub const BATCH_VECTORS: usize = 512;

/// Opens the index of the default workspace of a data folder, where the engine has it.
pub fn open_index(data_folder: &Path, model: &OpenModel) -> EmbeddedIndex {
    fs_err::create_dir_all(data_folder).expect("a folder that can be written");
    let folder = data_folder.join("workspaces").join(WorkspaceId::default().as_str());
    let log_id = Store::open(data_folder, true).and_then(|store| store.log_id()).expect("a log");
    EmbeddedIndex::open(&folder, &log_id, &model.model_id, model.entry.num_dimensions, Access::Write).expect("an index")
}

/// Brings a folder into the index by words alone.
pub fn index_words(data_folder: &Path, folder: &Path, index: &EmbeddedIndex, model: &OpenModel) -> LineReport {
    let store = Store::open(data_folder, true).expect("a store");
    let workspace = WorkspaceId::default();
    let root = canonical_folder(folder).expect("a folder");
    store.ensure_workspace(&workspace, Some(&root)).expect("a workspace");
    let files = files::at(&root, RuleLimits::default());
    let keep_out = || fs_err::File::create(data_folder.join("files.lock")).map_err(IngestError::Lock);
    scan(&store, &workspace, &*files, &keep_out, &Silent).expect("a scan");
    let line = Line {
        store: &store,
        workspace: &workspace,
        epoch: store.workspace(&workspace).expect("a workspace").epoch,
        files: &*files,
        index,
        extractor: Box::new(InProcess),
        tokens: &*model.tokens,
        model_id: &model.model_id,
        embeds: &model.entry.languages,
        max_file_bytes: MAX_FILE_BYTES,
        max_whole_bytes: MAX_FILE_BYTES,
        max_batch_text_bytes: u64::MAX,
        parts: PartSizes::default(),
        keep_out: &keep_out,
        progress: &Silent,
    };
    index_pending(&line).expect("the line")
}

/// Gives vectors to all chunks that have none, in the order of the line: the first vector to the lowest key, the second
/// to the next. Returns how many.
pub fn add_vectors(index: &EmbeddedIndex, vectors: impl FnOnce(usize) -> Vec<Vec<f32>>) -> usize {
    let missing = index.snapshot().and_then(|snapshot| snapshot.unembedded(usize::MAX)).expect("a snapshot");
    let mut keys: Vec<VectorKey> = missing.iter().map(|(key, _)| *key).collect();
    keys.sort_unstable();
    let vectors: BTreeMap<VectorKey, Vec<f32>> = keys.iter().copied().zip(vectors(keys.len())).collect();
    let vectors: Vec<_> = missing.iter().map(|(key, _)| (*key, vectors[key].clone())).collect();
    for some in vectors.chunks(BATCH_VECTORS) {
        index.add_vectors(some).expect("vectors are kept");
    }
    keys.len()
}

/// The chunks of a file.
pub fn records(file: &File, revision: u64, model: &OpenModel) -> (RelPath, Vec<ChunkRecord>) {
    let path: RelPath = file.path.parse().expect("a path");
    let document = extract(file.text.as_bytes(), Hints { file_name: path.file_name() }).expect("Markdown is read");
    let facts = Arc::new(FileFacts {
        path: path.clone(),
        content_hash: ContentHash::of(file.text.as_bytes()),
        revision: Revision(revision),
        format: document.format,
        modified_ms: 1_790_000_000_000,
        title: document.title.clone(),
        language: None,
    });
    let mut end_before = 0;
    let records = chunk(&document, &*model.tokens).into_iter().map(|chunk| {
        let words = &document.text[chunk.span.range()];
        let gap = document.text[end_before..chunk.span.start].to_owned();
        end_before = chunk.span.end;
        let place = ChunkPlace {
            ordinal: chunk.ordinal,
            span: chunk.span,
            page: chunk.page,
            page_unit: document.page_unit,
            cells: chunk.cells,
            lines: chunk.lines,
            trail: chunk.trail.to_vec(),
            header: chunk.header.as_deref().map(str::to_owned),
            context: chunk.embedding_text.strip_suffix(&*plain(words)).unwrap_or_default().to_owned(),
            repeated: Vec::new(),
        };
        let key = VectorKey::of(&model.model_id, &chunk.embedding_text);
        ChunkRecord { file: Arc::clone(&facts), place, words: words.to_owned(), gap, key }
    });
    (path, records.collect())
}

/// Files as batches of the size that the line makes.
pub fn batches(files: &[(RelPath, Vec<ChunkRecord>)]) -> Vec<Batch> {
    let batch = |(number, files): (u64, &[(RelPath, Vec<ChunkRecord>)])| Batch {
        revision: Revision(number),
        replaced: files.to_vec(),
        ..Batch::default()
    };
    (1..).zip(files.chunks(BATCH_FILES)).map(batch).collect()
}
