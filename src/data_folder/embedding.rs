//! Embedding of chunks for indexes, with its totals.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{DataFolder, EngineError};
use crate::embed::Embedder;
use crate::index::{Index, VectorKey};
use crate::ingest;

/// How many chunks this process has embedded for indexes, and how long that took.
#[derive(Debug, Default)]
pub(crate) struct EmbeddingTotals {
    num_chunks: AtomicU64,
    micros: AtomicU64,
}

impl EmbeddingTotals {
    pub(crate) fn num_chunks(&self) -> u64 {
        self.num_chunks.load(Ordering::Relaxed)
    }

    pub(crate) fn duration(&self) -> Duration {
        Duration::from_micros(self.micros.load(Ordering::Relaxed))
    }
}

impl DataFolder {
    /// Embeds chunks, keeps their vectors, and counts both.
    pub(crate) fn embed_chunks(
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
