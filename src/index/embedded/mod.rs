//! The index in the process: one store (tantivy) and one table of vectors beside it.
//!
//! # Invariants
//! - The tantivy commit is the only visible moment. Its payload names the revision, the log that it is of, the model and the
//!   format version.
//! - A vector is live exactly while a chunk of the snapshot names its key, so vectors need no delete and no rebuild.
//! - One process writes; any number read the same files and see each commit at their next snapshot.

mod backend;
mod dense;
mod given;
mod held;
mod kernel;
mod lexical;
mod newest;
mod opening;
mod phrase;
mod reading;
mod schema;
mod segment;
mod snapshot;
#[cfg(test)]
mod stepping;
#[cfg(test)]
mod tests;
mod words;

use std::any::Any;
use std::collections::BTreeSet;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use tantivy::indexer::IndexWriterOptions;
use tantivy::merge_policy::LogMergePolicy;
use tantivy::{IndexReader, IndexWriter, Term};

pub use self::backend::EmbeddedBackend;
use self::given::Given;
use self::opening::{Identity, Payload, read_payload};
use self::schema::Fields;
use self::snapshot::{EmbeddedSnapshot, State};
pub use super::{Access, Condition};
use super::{Batch, ChunkRecord, Index, IndexError, Snapshot, VectorKey};
use crate::budget::Budget;
use crate::failpoint;
use crate::vectors::{Code, VectorFile, VectorTable};

/// Memory of the writer for a few files: the least that tantivy takes, because it is cleared for every commit.
const SMALL_BATCH_BYTES: usize = 15_000_000;
/// Memory of the writer for many files, for all its threads together.
const LARGE_BATCH_BYTES: usize = 100_000_000;
/// More threads would make more and smaller segments.
const MAX_WRITER_THREADS: usize = 4;
/// Batches with more chunks are large.
const LARGE_BATCH_CHUNKS: usize = 2_000;

/// Vectors that are copied from another index in one row.
const ADOPTED_AT_ONCE: usize = 4_096;

/// Segments of fewer chunks are merged as equals.
const SMALL_SEGMENT_CHUNKS: u32 = 1_000;
/// Segments of more chunks are merged no more, unless many of them are deleted: the files of a merge count as this process's memory.
const MAX_MERGED_CHUNKS: usize = 100_000;
/// Larger ones are merged with those that are up to two to this power larger or smaller.
const LEVEL_LOG_SIZE: f64 = 2.0;

/// The index of one workspace in one folder.
pub struct EmbeddedIndex {
    folder: PathBuf,
    access: Access,
    /// What each commit says of itself, but for the revision.
    identity: Identity,
    /// Why another index is to be built beside this one, where it is.
    outdated: Option<String>,
    fields: Fields,
    index: tantivy::Index,
    reader: IndexReader,
    /// Held for as long as a commit takes, so nothing that queries do may ask for it.
    writer: Mutex<Writer>,
    vectors: Mutex<VectorFile>,
    table: RwLock<VectorTable>,
    state: Mutex<Current>,
}

#[derive(Default)]
struct Writer {
    open: Option<(IndexWriter, usize)>,
    is_closed: bool,
}

struct Current {
    state: Arc<State>,
    /// The commit that `state` shows, as it stands in `meta.json`, to notice those of other processes. Times will not
    /// do: two commits may be closer than the file system's clock ticks.
    seen: Option<Vec<u8>>,
}

impl EmbeddedIndex {
    fn show_newer_vectors(&self) -> Result<(), IndexError> {
        let mut current = self.state.lock();
        let table = self.table.read();
        current.state = Arc::new(current.state.with_newer_vectors(&table)?);
        Ok(())
    }

    /// Removes everything that [`EmbeddedIndex::open`] makes in `folder` but the vectors, which are true of any index.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn discard(folder: &Path) -> Result<(), IndexError> {
        let postings = folder.join("postings");
        failpoint::reach("discard: begun");
        if postings.exists() {
            fs_err::remove_dir_all(postings).map_err(io)?;
        }
        failpoint::reach("discard: done");
        Ok(())
    }

    /// Removes the table of vectors: they are all made again.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn discard_vectors(folder: &Path) -> Result<(), IndexError> {
        for name in ["vectors.db", "vectors.db-wal", "vectors.db-shm"] {
            let file = folder.join(name);
            if file.exists() {
                fs_err::remove_file(file).map_err(io)?;
            }
        }
        Ok(())
    }

    fn committed(&self) -> Option<Vec<u8>> {
        fs_err::read(self.folder.join("meta.json")).ok()
    }

    /// Makes the newest commit and the newest vectors the state that snapshots show.
    fn refresh(&self) -> Result<(), IndexError> {
        let mut current = self.state.lock();
        let table = self.table.read();
        // A commit of another process between the two reads would give its revision to older postings.
        let (payload, seen) = loop {
            let before = self.committed();
            let payload = read_payload(&self.index)?;
            self.reader.reload().map_err(tantivy)?;
            if self.committed() == before {
                break (payload, before);
            }
        };
        let revision = payload.map(|payload| payload.revision).unwrap_or_default();
        current.state = Arc::new(State::of(self.reader.searcher(), revision, &table, &current.state)?);
        current.seen = seen;
        Ok(())
    }

    fn commit(&self, writer: &mut IndexWriter, batch: &Batch) -> Result<(), IndexError> {
        let paths = batch.removed.iter().chain(batch.replaced.iter().map(|(path, _)| path));
        for path in paths {
            writer.delete_term(Term::from_field_text(self.fields.path, path.as_str()));
        }
        for chunk in batch.replaced.iter().flat_map(|(_, chunks)| chunks) {
            writer.add_document(self.fields.document(chunk)?).map_err(tantivy)?;
        }
        for (path, chunks) in &batch.appended {
            let ids = chunks.iter().map(ChunkRecord::id).collect();
            let held = self.state.lock().state.held_ids(&self.fields, path, &ids)?;
            for chunk in chunks.iter().filter(|chunk| !held.contains(&chunk.id())) {
                writer.add_document(self.fields.document(chunk)?).map_err(tantivy)?;
            }
        }
        failpoint::reach("commit: the batch is written");
        let revision = self.state.lock().state.revision().max(batch.revision);
        let payload = Payload { identity: self.identity.clone(), revision };
        let payload = serde_json::to_string(&payload).map_err(|error| IndexError::Io(Box::new(error)))?;
        let mut prepared = writer.prepare_commit().map_err(tantivy)?;
        prepared.set_payload(&payload);
        failpoint::reach("commit: prepared");
        prepared.commit().map_err(tantivy)?;
        failpoint::reach("commit: done");
        Ok(())
    }
}

impl Index for EmbeddedIndex {
    fn apply(&self, batch: &Batch) -> Result<(), IndexError> {
        let written = batch.replaced.iter().chain(&batch.appended);
        let num_chunks: usize = written.map(|(_, chunks)| chunks.len()).sum();
        let memory = if num_chunks > LARGE_BATCH_CHUNKS { LARGE_BATCH_BYTES } else { SMALL_BATCH_BYTES };
        if self.access == Access::Read {
            return Err(IndexError::ReadOnly);
        }
        let mut slot = self.writer.lock();
        if slot.is_closed {
            return Err(IndexError::ReadOnly);
        }
        let mut writer = slot.take(&self.index, memory)?;
        match self.commit(&mut writer, batch) {
            Ok(()) => {
                slot.open = Some((writer, memory));
                drop(slot);
                self.refresh()
            }
            // The writer may be broken by what failed; the next batch opens another, which begins at the last commit.
            Err(error) => Err(error),
        }
    }

    fn add_vectors(&self, vectors: &[(VectorKey, Vec<f32>)]) -> Result<(), IndexError> {
        if self.access == Access::Read {
            return Err(IndexError::ReadOnly);
        }
        self.vectors.lock().add(vectors, &self.table)?;
        self.show_newer_vectors()
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, IndexError> {
        if self.access == Access::Read {
            let table_grew = self.vectors.lock().catch_up(&self.table)?;
            if table_grew || self.committed() != self.state.lock().seen {
                self.refresh()?;
            }
        }
        let state = Arc::clone(&self.state.lock().state);
        Ok(Box::new(EmbeddedSnapshot {
            state,
            fields: self.fields,
            passing: Mutex::default(),
            given: Given::default(),
            budget: Budget::default(),
        }))
    }

    fn model_id(&self) -> &str {
        &self.identity.model
    }

    fn outdated(&self) -> Option<&str> {
        self.outdated.as_deref()
    }

    fn rest(&self) -> Result<(), IndexError> {
        match self.writer.lock().open.take() {
            Some((writer, _)) => writer.wait_merging_threads().map_err(tantivy),
            None => Ok(()),
        }
    }

    fn is_resting(&self) -> bool {
        self.writer.try_lock().is_some_and(|writer| writer.open.is_none())
    }

    fn adopt_vectors(&self, from: &dyn Index) -> Result<usize, IndexError> {
        let Some(from) = from.as_any().and_then(<dyn Any>::downcast_ref::<Self>) else { return Ok(0) };
        let missing = self.state.lock().state.unembedded_keys();
        let known: Vec<(VectorKey, Code)> = {
            let table = from.table.read();
            missing.into_iter().filter_map(|key| Some((key, table.code(key)?))).collect()
        };
        for known in known.chunks(ADOPTED_AT_ONCE) {
            self.vectors.lock().keep(known, &self.table)?;
        }
        self.show_newer_vectors()?;
        Ok(known.len())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }

    fn close(&self) {
        let mut writer = self.writer.lock();
        writer.is_closed = true;
        if let Some((writer, _)) = writer.open.take()
            && let Err(error) = writer.wait_merging_threads()
        {
            tracing::debug!(%error, "a merge of an index that is let go has failed");
        }
        drop(writer);
        self.vectors.lock().close();
    }

    fn paths(&self) -> Result<BTreeSet<String>, IndexError> {
        let state = Arc::clone(&self.state.lock().state);
        let mut live = BTreeSet::new();
        for (reader, _) in state.segments() {
            segment::add_live_paths(reader, &mut live)?;
        }
        Ok(live)
    }
}

impl Writer {
    /// The open writer if it has as much memory as is wanted, otherwise a new one.
    fn take(&mut self, index: &tantivy::Index, memory: usize) -> Result<IndexWriter, IndexError> {
        match self.open.take() {
            Some((writer, has)) if has == memory => return Ok(writer),
            Some((writer, _)) => writer.wait_merging_threads().map_err(tantivy)?,
            None => {}
        }
        // A few files are one segment, made by one thread; of many, each core makes one.
        let num_cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let num_threads = if memory == SMALL_BATCH_BYTES { 1 } else { num_cores.min(MAX_WRITER_THREADS) };
        // Commits of a few files seldom have something to merge.
        let num_merge_threads = if memory == SMALL_BATCH_BYTES { 1 } else { MAX_WRITER_THREADS };
        let options = IndexWriterOptions::builder()
            .num_worker_threads(num_threads)
            .memory_budget_per_thread(memory / num_threads)
            .num_merge_threads(num_merge_threads)
            .build();
        let writer: IndexWriter = index.writer_with_options(options).map_err(tantivy)?;
        let mut merges = LogMergePolicy::default();
        merges.set_del_docs_ratio_before_merge(0.25);
        // Commits of a few files are merged with each other, and not each time with a segment a hundred times as large.
        merges.set_min_layer_size(SMALL_SEGMENT_CHUNKS);
        merges.set_level_log_size(LEVEL_LOG_SIZE);
        merges.set_max_docs_before_merge(MAX_MERGED_CHUNKS);
        writer.set_merge_policy(Box::new(merges));
        Ok(writer)
    }
}

fn io(error: std::io::Error) -> IndexError {
    IndexError::Io(Box::new(error))
}

fn tantivy(error: tantivy::TantivyError) -> IndexError {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    use tantivy::TantivyError as E;
    use tantivy::directory::error::OpenReadError;
    let refused: Option<Arc<std::io::Error>> = match &error {
        E::IoError(refused) | E::OpenReadError(OpenReadError::IoError { io_error: refused, .. }) => {
            Some(Arc::clone(refused))
        }
        _ => None,
    };
    match error {
        // What is too short or makes no sense was read without trouble, and is damaged.
        error if refused.is_some_and(|io| matches!(io.kind(), InvalidData | InvalidInput | UnexpectedEof)) => {
            IndexError::Unusable { reason: error.to_string() }
        }
        E::IoError(_) | E::LockFailure(..) | E::OpenDirectoryError(_) | E::OpenWriteError(_) => {
            IndexError::Io(Box::new(error))
        }
        E::OpenReadError(OpenReadError::IoError { .. }) => IndexError::Io(Box::new(error)),
        other => IndexError::Unusable { reason: other.to_string() },
    }
}
