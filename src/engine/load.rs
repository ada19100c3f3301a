//! What this process is at and what it keeps, in figures.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Engine, EngineError};
use crate::embed::Embedder;
use crate::extract::child::ReaderCounts;
use crate::index::{Index, VectorKey};
use crate::ingest;

/// What this process is at and what it keeps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Load {
    /// The reader processes; `None` where files are read in this process.
    pub readers: Option<ReaderCounts>,
    /// Chunks that were embedded for indexes, since this process was started.
    pub num_embedded: u64,
    /// The time that took.
    pub embedding: Duration,
    /// What is kept so that it need not be made again, by name: how many entries.
    pub cache_entries: [(&'static str, usize); 3],
    /// Bytes of documents that are kept on disk, of the workspaces of which some were kept or asked for by this process.
    pub num_document_bytes: u64,
}

/// Counts what is embedded for indexes.
#[derive(Debug, Default)]
pub(super) struct Embedded {
    num_chunks: AtomicU64,
    micros: AtomicU64,
}

impl Engine {
    /// What this process is at and what it keeps.
    #[must_use]
    pub fn load(&self) -> Load {
        let documents = self.shelves.lock().values().filter_map(|shelf| shelf.num_bytes()).sum();
        let num_models = self.former_models.lock().values().flatten().count() + usize::from(self.model.get().is_some());
        let cache_entries =
            [("indexes", self.indexes.lock().len()), ("models", num_models), ("views", self.views.lock().len())];
        Load {
            readers: self.extractor.readers(),
            num_embedded: self.embedded.num_chunks.load(Ordering::Relaxed),
            embedding: Duration::from_micros(self.embedded.micros.load(Ordering::Relaxed)),
            cache_entries,
            num_document_bytes: documents,
        }
    }

    /// Embeds chunks, keeps their vectors, and counts both.
    pub(super) fn embed_chunks(
        &self,
        index: &dyn Index,
        embedder: &dyn Embedder,
        waiting: &[(VectorKey, String)],
    ) -> Result<(), EngineError> {
        let began = Instant::now();
        ingest::embed(index, embedder, waiting)?;
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.embedded.micros.fetch_add(micros, Ordering::Relaxed);
        self.embedded.num_chunks.fetch_add(waiting.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}
