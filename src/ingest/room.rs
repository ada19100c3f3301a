//! The room for the texts of one batch: what is held in memory at a time does not depend on how well files are packed.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::extract::Document;

/// A paragraph or row of a document is held in some hundred bytes beside its text; long texts take four times their bytes until they are
/// in the index.
const BYTES_PER_BLOCK: usize = 25;

/// How much a document counts among what is held at a time, in bytes of text: its own, without the files inside it.
pub(super) const fn weight_of(document: &Document) -> usize {
    document.text.len().saturating_add(document.blocks.len().saturating_mul(BYTES_PER_BLOCK))
}

/// So many bytes of text, shared by all who read files of one batch.
#[derive(Debug)]
pub(super) struct Room {
    max_bytes: u64,
    taken: AtomicU64,
}

impl Room {
    pub(super) const fn new(max_bytes: u64) -> Self {
        Self { max_bytes, taken: AtomicU64::new(0) }
    }

    /// Whether nothing more is to be read for this batch.
    pub(super) fn is_full(&self) -> bool {
        self.taken.load(Ordering::Relaxed) >= self.max_bytes
    }

    /// Takes room for the texts of a document and of the files inside it, and says whether there was enough. Whoever comes first has
    /// enough, however long its text is, so every batch brings something in.
    pub(super) fn takes(&self, document: &Document) -> bool {
        let members = document.members.iter().filter_map(|member| member.outcome.as_ref().ok());
        let num_bytes: usize = members.map(weight_of).sum::<usize>() + weight_of(document);
        let num_bytes = num_bytes as u64;
        let with_it = |taken: u64| {
            let after = taken.saturating_add(num_bytes);
            (taken == 0 || after <= self.max_bytes).then_some(after)
        };
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, with_it).is_ok()
    }
}
