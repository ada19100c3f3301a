//! The chunks of one index that have no vector yet, embedded slice by slice.

use super::Scheduler;
use crate::data_folder::{DataFolder, EngineError};
use crate::embed::Embedder;
use crate::index::{Index, VectorKey};
use crate::ingest::{EMBED_BATCH, Progress, Stage};

/// Chunks of one index that have no vector yet. They are loaded some at a time, because newer changes bring more urgent ones.
pub(super) struct MissingVectors {
    /// Loaded chunks; the last one is embedded next, which is the newest.
    loaded: Vec<(VectorKey, String)>,
    /// Whether the index may hold others.
    may_be_more: bool,
}

impl MissingVectors {
    pub(super) const fn new(may_be_some: bool) -> Self {
        Self { loaded: Vec::new(), may_be_more: may_be_some }
    }

    /// Whether a chunk may be without a vector.
    pub(super) const fn may_be_some(&self) -> bool {
        self.may_be_more
    }

    /// Whether chunks are loaded before the next slice.
    pub(super) const fn is_to_load(&self) -> bool {
        self.may_be_more && self.loaded.is_empty()
    }

    /// Notes that the index has other chunks than before.
    pub(super) fn note_change(&mut self) {
        self.loaded.clear();
        self.may_be_more = true;
    }

    /// Leaves all chunks without a vector until the index has others.
    pub(super) fn leave(&mut self) {
        self.loaded.clear();
        self.may_be_more = false;
    }

    /// Embeds the next slice, of `most` chunks at most, and returns how many it had: 0 where no chunk is without a vector. Where
    /// chunks have to be loaded, the newest `most_loaded` are.
    pub(super) fn embed_slice(
        &mut self,
        data: &DataFolder,
        (index, embedder): (&dyn Index, &dyn Embedder),
        most: usize,
        most_loaded: usize,
    ) -> Result<usize, EngineError> {
        if self.is_to_load() {
            self.loaded = index.snapshot()?.unembedded(most_loaded)?;
            self.loaded.reverse();
        }
        if self.loaded.is_empty() {
            self.may_be_more = false;
            return Ok(0);
        }
        let slice = self.loaded.split_off(self.loaded.len().saturating_sub(most));
        data.embed_chunks(index, embedder, &slice)?;
        Ok(slice.len())
    }
}

impl Scheduler {
    /// Embeds all chunks that have no vector, while somebody waits for it, and returns how many there were.
    pub(super) fn embed_missing(
        &self,
        index: &dyn Index,
        embedder: &dyn Embedder,
        progress: &dyn Progress,
    ) -> Result<usize, EngineError> {
        let num_missing = index.snapshot()?.counts()?.num_missing();
        if num_missing == 0 {
            return Ok(0);
        }
        progress.begin(Stage::Embedding, Some(num_missing as u64));
        let (mut missing, mut num_embedded) = (MissingVectors::new(true), 0);
        loop {
            let num_of_slice = missing.embed_slice(&self.data, (index, embedder), EMBED_BATCH, EMBED_BATCH)?;
            if num_of_slice == 0 {
                break;
            }
            num_embedded += num_of_slice;
            progress.advance(num_of_slice as u64);
        }
        progress.end();
        Ok(num_embedded)
    }
}
