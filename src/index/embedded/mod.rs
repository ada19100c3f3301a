//! The index in the process: one store (tantivy) and one table of vectors beside it.
//!
//! # Invariants
//! - The tantivy commit is the only visible moment. Its payload names the revision, the log that it is of, the model and the
//!   format version.
//! - A vector is live exactly while a chunk of the snapshot names its key, so vectors need no delete and no rebuild.
//! - One process writes; any number read the same files and see each commit at their next snapshot.

mod dense;
mod kernel;
mod lexical;
mod phrase;
mod schema;
mod segment;
mod snapshot;
#[cfg(test)]
mod stepping;
#[cfg(test)]
mod tests;
mod vectors;

use std::collections::BTreeSet;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use tantivy::directory::MmapDirectory;
use tantivy::merge_policy::LogMergePolicy;
use tantivy::store::{Compressor, ZstdCompressor};
use tantivy::{IndexReader, IndexSettings, IndexWriter, ReloadPolicy, Term};

use self::schema::{EXACT, Fields, STEMMED};
use self::snapshot::{EmbeddedSnapshot, State};
use self::vectors::{VectorFile, VectorTable};
use super::analyzer::{Analysis, text_analyzer};
use super::{Batch, Index, IndexError, Snapshot, VectorKey};
use crate::failpoint;
use crate::workspace::Revision;

/// Changes with the schema, the analysis and the layout of the vectors: another version is built anew.
const FORMAT_VERSION: u32 = 3;
/// Memory of the writer for a few files: the least that tantivy takes, because it is cleared for every commit.
const SMALL_BATCH_BYTES: usize = 15_000_000;
/// Memory of the writer for many files, for all its threads together.
const LARGE_BATCH_BYTES: usize = 160_000_000;
/// More threads would make more and smaller segments.
const MAX_WRITER_THREADS: usize = 4;
/// Batches with more chunks are large.
const LARGE_BATCH_CHUNKS: usize = 2_000;

/// Blocks of stored chunks that are kept unpacked, for each segment: 8 MB.
const KEPT_BLOCKS: usize = 512;
/// Bytes of a block of stored chunks, about.
const STORE_BLOCK_BYTES: usize = 16 * 1024;

/// Segments of fewer chunks are merged as equals.
const SMALL_SEGMENT_CHUNKS: u32 = 1_000;
/// Larger ones are merged with those that are up to two to this power larger or smaller.
const LEVEL_LOG_SIZE: f64 = 2.0;

/// What an index is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To be written by this process, and by no other meanwhile.
    Write,
    /// To be read beside whoever writes.
    Read,
}

/// The index of one workspace in one folder.
pub struct EmbeddedIndex {
    folder: PathBuf,
    access: Access,
    model_id: String,
    log_id: String,
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

/// Written into each commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Payload {
    format_version: u32,
    model: String,
    /// The log that the revision is of.
    #[serde(default)]
    log_id: String,
    revision: Revision,
}

impl EmbeddedIndex {
    /// Opens the index in `folder` of what `log_id` logs, for the vectors of `num_dimensions` numbers that `model_id` makes.
    ///
    /// With [`Access::Write`] a missing index is made.
    ///
    /// # Errors
    /// [`IndexError::Missing`] where there is none to read, [`IndexError::Unusable`] where it is damaged, or of another
    /// log, model or format version, [`IndexError::Io`] where the disk refuses.
    pub fn open(
        folder: &Path,
        log_id: &str,
        model_id: &str,
        num_dimensions: usize,
        access: Access,
    ) -> Result<Self, IndexError> {
        contained(|| Self::open_files(folder, log_id, model_id, num_dimensions, access))
    }

    /// The log that the index in `folder` was last committed from, and the revision of that commit; `None` where there is no
    /// index, or one that says nothing of it.
    #[must_use]
    pub fn committed_from(folder: &Path) -> Option<(String, Revision)> {
        let meta = fs_err::read(folder.join("postings/meta.json")).ok()?;
        let meta: serde_json::Value = serde_json::from_slice(&meta).ok()?;
        let payload: Payload = serde_json::from_str(meta["payload"].as_str()?).ok()?;
        Some((payload.log_id, payload.revision))
    }

    fn open_files(
        folder: &Path,
        log_id: &str,
        model_id: &str,
        num_dimensions: usize,
        access: Access,
    ) -> Result<Self, IndexError> {
        let postings = folder.join("postings");
        let (schema, fields) = Fields::build();
        let exists = postings.join("meta.json").exists();
        let index = match (exists, access) {
            (true, _) => tantivy::Index::open(directory_of(&postings)?).map_err(tantivy)?,
            (false, Access::Read) => return Err(IndexError::Missing),
            (false, Access::Write) => {
                fs_err::create_dir_all(&postings).map_err(io)?;
                tantivy::Index::create(directory_of(&postings)?, schema.clone(), settings()).map_err(tantivy)?
            }
        };
        if index.schema() != schema {
            return Err(IndexError::Unusable { reason: "its fields are of another format version".to_owned() });
        }
        index.tokenizers().register(STEMMED, text_analyzer(Analysis::Stemmed));
        index.tokenizers().register(EXACT, text_analyzer(Analysis::Exact));
        if let Some(payload) = read_payload(&index)? {
            if payload.format_version != FORMAT_VERSION {
                let found = payload.format_version;
                let reason = format!("it has format version {found}, this program writes {FORMAT_VERSION}");
                return Err(IndexError::Unusable { reason });
            }
            if payload.log_id != log_id {
                let reason = "it was made from another log than `pincite.db` holds now".to_owned();
                return Err(IndexError::Unusable { reason });
            }
            if payload.model != model_id {
                let reason = format!("it was made for the model `{}`, this is `{model_id}`", payload.model);
                return Err(IndexError::Unusable { reason });
            }
        }
        validate(&index, &postings)?;
        let mut vectors = VectorFile::open(&folder.join("vectors.db"), access == Access::Write)?;
        let table = RwLock::new(VectorTable::new(num_dimensions));
        vectors.catch_up(&table)?;
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).doc_store_cache_num_blocks(KEPT_BLOCKS);
        let reader = reader.try_into().map_err(tantivy)?;
        let opened = Self {
            folder: postings,
            access,
            model_id: model_id.to_owned(),
            log_id: log_id.to_owned(),
            fields,
            index,
            reader,
            writer: Mutex::default(),
            vectors: Mutex::new(vectors),
            table,
            state: Mutex::new(Current { state: Arc::new(State::default()), seen: None }),
        };
        opened.refresh()?;
        Ok(opened)
    }

    /// Lets go of all files, so that the folder can be removed while somebody still holds this index. Nothing can be written
    /// with it from now on.
    pub fn close(&self) {
        let mut writer = lock(&self.writer);
        writer.is_closed = true;
        if let Some((writer, _)) = writer.open.take()
            && let Err(error) = writer.wait_merging_threads()
        {
            tracing::debug!(%error, "a merge of an index that is let go has failed");
        }
        drop(writer);
        lock(&self.vectors).close();
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

    /// The files that chunks are of, as they are named: read from a column of each segment.
    ///
    /// # Errors
    /// When the files on disk are damaged.
    pub fn paths(&self) -> Result<BTreeSet<String>, IndexError> {
        let state = Arc::clone(&lock(&self.state).state);
        let mut live = BTreeSet::new();
        for (reader, _) in state.segments() {
            segment::add_live_paths(reader, &mut live)?;
        }
        Ok(live)
    }

    fn committed(&self) -> Option<Vec<u8>> {
        fs_err::read(self.folder.join("meta.json")).ok()
    }

    /// Makes the newest commit and the newest vectors the state that snapshots show.
    fn refresh(&self) -> Result<(), IndexError> {
        let mut current = lock(&self.state);
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
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
        failpoint::reach("commit: the batch is written");
        let revision = lock(&self.state).state.revision().max(batch.revision);
        let (model, log_id) = (self.model_id.clone(), self.log_id.clone());
        let payload = Payload { format_version: FORMAT_VERSION, model, log_id, revision };
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
        let num_chunks: usize = batch.replaced.iter().map(|(_, chunks)| chunks.len()).sum();
        let memory = if num_chunks > LARGE_BATCH_CHUNKS { LARGE_BATCH_BYTES } else { SMALL_BATCH_BYTES };
        if self.access == Access::Read {
            return Err(IndexError::ReadOnly);
        }
        let mut slot = lock(&self.writer);
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
        lock(&self.vectors).add(vectors, &self.table)?;
        let mut current = lock(&self.state);
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        current.state = Arc::new(current.state.with_newer_vectors(&table)?);
        Ok(())
    }

    fn snapshot(&self) -> Result<Box<dyn Snapshot>, IndexError> {
        if self.access == Access::Read {
            let table_grew = lock(&self.vectors).catch_up(&self.table)?;
            if table_grew || self.committed() != lock(&self.state).seen {
                self.refresh()?;
            }
        }
        let state = Arc::clone(&lock(&self.state).state);
        Ok(Box::new(EmbeddedSnapshot { state, fields: self.fields, passing: Mutex::default() }))
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
        let writer: IndexWriter = index.writer_with_num_threads(num_threads, memory).map_err(tantivy)?;
        let mut merges = LogMergePolicy::default();
        merges.set_del_docs_ratio_before_merge(0.25);
        // Commits of a few files are merged with each other, and not each time with a segment a hundred times as large.
        merges.set_min_layer_size(SMALL_SEGMENT_CHUNKS);
        merges.set_level_log_size(LEVEL_LOG_SIZE);
        writer.set_merge_policy(Box::new(merges));
        Ok(writer)
    }
}

fn directory_of(postings: &Path) -> Result<Box<dyn tantivy::Directory>, IndexError> {
    let directory = MmapDirectory::open(postings).map_err(|error| IndexError::Io(Box::new(error)))?;
    #[cfg(test)]
    let directory = stepping::Stepping(directory);
    Ok(Box::new(directory))
}

/// Stored chunks are compressed some twenty in a block: a search loads single ones. Zstandard makes them a third smaller
/// than LZ4. A thread for it alone would not pay for a few files, and for many all cores are busy as it is.
fn settings() -> IndexSettings {
    IndexSettings {
        docstore_compression: Compressor::Zstd(ZstdCompressor { compression_level: Some(3) }),
        docstore_blocksize: STORE_BLOCK_BYTES,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    }
}

/// Compares every file of the postings with its checksum, in the state of one commit.
fn validate(index: &tantivy::Index, postings: &Path) -> Result<(), IndexError> {
    let committed = || fs_err::read(postings.join("meta.json")).ok();
    loop {
        let before = committed();
        let checked = index.validate_checksum().map_err(tantivy);
        // The writer removes files that its next commit no longer names.
        if committed() != before {
            continue;
        }
        return match checked?.iter().next() {
            None => Ok(()),
            Some(file) => Err(IndexError::Unusable { reason: format!("the file `{}` is damaged", file.display()) }),
        };
    }
}

/// Runs what opens files that may be damaged in ways that tantivy does not expect: its panic is their damage.
fn contained<T>(open: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().copied();
        let said = said.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no reason given");
        Err(IndexError::Unusable { reason: format!("its files are damaged, reading them panicked: {said}") })
    })
}

fn read_payload(index: &tantivy::Index) -> Result<Option<Payload>, IndexError> {
    let Some(payload) = index.load_metas().map_err(tantivy)?.payload else { return Ok(None) };
    serde_json::from_str(&payload)
        .map(Some)
        .map_err(|_| IndexError::Unusable { reason: "its last commit says nothing that can be read".to_owned() })
}

/// Nothing in these rooms leaves a lock's content half changed when it panics, so a poisoned lock is used on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
