//! How the line tells a person how far it is.

use crate::workspace::RelPath;

/// What the line is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Listing the folder; counted in files.
    Scanning,
    /// Reading, extracting and indexing by words; counted in files.
    Indexing,
    /// Embedding; counted in chunks.
    Embedding,
    /// Building the index again beside the one that serves; counted in files.
    Rebuilding,
}

/// Is told how far the line is. Calls of one stage come from one thread.
pub trait Progress: Sync {
    /// A stage begins; `total` is how much there is to do, where it is known.
    fn begin(&self, stage: Stage, total: Option<u64>);

    /// So much more is done.
    fn advance(&self, done: u64);

    /// A folder is about to be listed, by its path below the workspace's; empty for that one itself.
    fn entering(&self, _folder: &str) {}

    /// So many bytes of the `size` of a large file are read; all of them once it is done with. May come from several threads.
    fn reading(&self, path: &RelPath, num_done: u64, size: u64);

    /// The stage is over.
    fn end(&self);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _: Stage, _: Option<u64>) {}
    fn advance(&self, _: u64) {}
    fn reading(&self, _: &RelPath, _: u64, _: u64) {}
    fn end(&self) {}
}
