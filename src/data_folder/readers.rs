//! How files are read: in child processes within limits, and each content once, as documents are kept.

use std::sync::Arc;
use std::time::Duration;

use super::{DataFolder, EngineError};
use crate::config::{Config, Extraction};
use crate::extract::child::{self, Children, Limits};
use crate::extract::kept::{Kept, Shelf};
use crate::extract::{Extractor, InProcess};
use crate::workspace::WorkspaceId;

/// Reads files in children of `program` within the configured limits; without one, in this process.
///
/// # Errors
/// When the system has no thread left.
pub fn extractor(config: &Config, program: Option<child::Program>) -> Result<Box<dyn Extractor>, EngineError> {
    let Some(program) = program else { return Ok(Box::new(InProcess)) };
    let Extraction { timeout_s, memory_mb, text_mb, .. } = config.extraction;
    let limits = &config.limits;
    let num_cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let of_all_mb = limits.readers_memory_mb;
    let limits = Limits {
        timeout: Duration::from_secs(timeout_s),
        memory_bytes: memory_mb.saturating_mul(1_000_000),
        text_bytes: usize::try_from(text_mb.saturating_mul(1_000_000)).unwrap_or(usize::MAX),
        base_text_bytes: usize::try_from(limits.reader_text_mb.saturating_mul(1_000_000)).unwrap_or(usize::MAX),
        structure_bytes: limits.reader_structure_mb.saturating_mul(1_000_000),
        most_structure_bytes: limits.reader_structure_most_mb.saturating_mul(1_000_000),
        // One of them is never taken by the line.
        max_children: usize::try_from(limits.readers_per_core).unwrap_or(usize::MAX).saturating_mul(num_cores).max(2),
        memory_of_all_bytes: of_all_mb.saturating_mul(1_000_000),
        max_tries: u32::try_from(limits.reader_tries).unwrap_or(u32::MAX),
    };
    Ok(Box::new(Children::new(program, limits).map_err(EngineError::Thread)?))
}

impl DataFolder {
    /// Reads the files of a workspace, each content once: documents are kept in the workspace's folder, from where they go with
    /// it. A process that only reads keeps none.
    pub(crate) fn extractor_of(&self, id: &WorkspaceId) -> Box<dyn Extractor + '_> {
        self.keeping(id, Box::new(&*self.extractor))
    }

    /// As [`DataFolder::extractor_of`], for a request, which waits for one file and takes turns with the line.
    pub(crate) fn extractor_for_request(&self, id: &WorkspaceId) -> Box<dyn Extractor + '_> {
        self.keeping(id, self.extractor.for_requests().unwrap_or_else(|| Box::new(&*self.extractor)))
    }

    fn keeping<'a>(&'a self, id: &WorkspaceId, extractor: Box<dyn Extractor + 'a>) -> Box<dyn Extractor + 'a> {
        if self.only_reads() { extractor } else { Box::new(Kept::new(extractor, self.shelf(id))) }
    }

    fn shelf(&self, id: &WorkspaceId) -> Arc<Shelf> {
        let max_bytes = self.config.extraction.kept_mb.saturating_mul(1_000_000);
        let made = || Arc::new(Shelf::new(self.folder_of(id).join("documents"), max_bytes));
        Arc::clone(self.shelves.lock().entry(id.clone()).or_insert_with(made))
    }

    /// Bytes of documents that are kept on disk, of the workspaces of which some were kept or asked for by this process.
    pub(crate) fn num_document_bytes(&self) -> u64 {
        self.shelves.lock().values().filter_map(|shelf| shelf.num_bytes()).sum()
    }

    /// Removes kept documents of contents that no file of the workspace has any more.
    pub(crate) fn remove_unwanted_documents(&self, id: &WorkspaceId) -> Result<(), EngineError> {
        let wanted = self.store.content_hashes(id)?;
        self.shelf(id).remove_unwanted(|hash| wanted.contains(&hash)).map_err(EngineError::Io)
    }
}
