//! What this process is at and what it keeps, in figures.

use std::time::Duration;

use super::Engine;
use crate::extract::child::ReaderCounts;

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

impl Engine {
    /// What this process is at and what it keeps.
    #[must_use]
    pub fn load(&self) -> Load {
        let data = &self.data;
        Load {
            readers: data.extractor.readers(),
            num_embedded: data.embedded.num_chunks(),
            embedding: data.embedded.duration(),
            cache_entries: [
                ("indexes", data.num_open_indexes()),
                ("models", data.models.num_open()),
                ("views", data.views.len()),
            ],
            num_document_bytes: data.num_document_bytes(),
        }
    }
}
