//! What this process is at and what it keeps, in figures.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

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
    /// What is told to webhooks.
    pub webhooks: WebhookLoad,
}

/// What is told to webhooks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WebhookLoad {
    /// Tries that succeeded, since this process was started.
    pub num_delivered: u64,
    /// Tries that failed, since this process was started.
    pub num_failed: u64,
    /// Deliveries of all workspaces that wait, of webhooks that are switched on.
    pub num_waiting: u64,
    /// For how long the oldest of them has waited.
    pub oldest: Duration,
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
            webhooks: self.webhook_load(),
        }
    }

    fn webhook_load(&self) -> WebhookLoad {
        let waiting = self.data.store.waiting_deliveries().unwrap_or_default();
        let age_ms = waiting.oldest_ms.map_or(0, |oldest_ms| Timestamp::now().as_millisecond() - oldest_ms);
        WebhookLoad {
            num_delivered: self.sent.delivered.load(Ordering::Relaxed),
            num_failed: self.sent.failed.load(Ordering::Relaxed),
            num_waiting: waiting.number,
            oldest: Duration::from_millis(age_ms.max(0).unsigned_abs()),
        }
    }
}
