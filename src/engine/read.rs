//! Files as they are now: their text, and the check of a citation against it.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Access, Engine, EngineError, lock};
use crate::answer::{Verification, verify};
use crate::extract::kept::{Kept, Shelf};
use crate::extract::{Document, ExtractError, Extractor, PageUnit};
use crate::ingest::{self, FileContent, ReadError};
use crate::workspace::{Cells, Citation, ContentHash, RelPath, Span, WorkspaceId};

/// A file's text as it is now, read from the file itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct FileText {
    /// The file.
    pub path: RelPath,
    /// The document's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What it was taken for.
    pub format: String,
    /// The SHA-256 of its bytes.
    pub content_hash: ContentHash,
    /// When it was last modified.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub modified: Timestamp,
    /// Pages or slides, where the format has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_pages: Option<usize>,
    /// Whether the pages are slides.
    pub page_unit: PageUnit,
    /// The span of each page or slide in the text, where the format has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<Span>,
    /// The cells of the text.
    #[serde(skip)]
    pub cells: Cells,
    /// Why the text is not all of the file's, and how far it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partial: Option<String>,
    /// Whether the lines of the text are those of the file.
    pub has_file_lines: bool,
    /// The text that spans of citations point into.
    pub text: String,
}

impl Engine {
    /// The text of a file as it is now.
    ///
    /// # Errors
    /// When there is no such workspace or file, or the file has no text.
    pub fn read_file(&self, id: &WorkspaceId, path: &RelPath) -> Result<FileText, EngineError> {
        let (content, document) = self.document(id, path)?;
        let modified = Timestamp::from_nanosecond(i128::from(content.fingerprint.modified_ns)).unwrap_or_default();
        let cells = document.cells(Span::new(0, document.text.len()));
        Ok(FileText {
            path: path.clone(),
            title: document.title,
            format: document.format.name().to_owned(),
            content_hash: content.content_hash,
            modified,
            num_pages: (!document.pages.is_empty()).then_some(document.pages.len()),
            page_unit: document.page_unit,
            cells,
            pages: document.pages,
            partial: document.partial,
            has_file_lines: document.has_file_lines,
            text: document.text,
        })
    }

    /// Checks a citation against the file as it is now.
    ///
    /// # Errors
    /// When there is no such workspace, or the file is there and cannot be read.
    pub fn verify(&self, citation: &Citation) -> Result<Verification, EngineError> {
        match self.document(&citation.workspace, &citation.path) {
            Ok((content, document)) => Ok(verify(citation, Some((content.content_hash, &document)))),
            Err(EngineError::Read(ReadError::Gone)) => Ok(verify(citation, None)),
            Err(error) => Err(error),
        }
    }

    /// As [`Engine::verify`], for a caller who may only see one workspace.
    ///
    /// # Errors
    /// [`EngineError::OtherWorkspace`] for a citation of another workspace, whether or not that exists; else as
    /// [`Engine::verify`].
    pub fn verify_in(&self, id: &WorkspaceId, citation: &Citation) -> Result<Verification, EngineError> {
        if citation.workspace != *id {
            return Err(EngineError::OtherWorkspace { asked: id.clone(), cited: citation.workspace.clone() });
        }
        self.verify(citation)
    }

    /// Reads the files of a workspace, each content once: documents are kept in the workspace's folder, from where they go with
    /// it. A process that only reads keeps none.
    pub(super) fn extractor_of(&self, id: &WorkspaceId) -> Box<dyn Extractor + '_> {
        if self.access == Access::Read {
            return Box::new(&*self.extractor);
        }
        Box::new(Kept::new(&*self.extractor, self.shelf(id)))
    }

    fn shelf(&self, id: &WorkspaceId) -> Arc<Shelf> {
        let max_bytes = self.config.extraction.kept_mb.saturating_mul(1_000_000);
        let made = || Arc::new(Shelf::new(self.folder_of(id).join("documents"), max_bytes));
        Arc::clone(lock(&self.shelves).entry(id.clone()).or_insert_with(made))
    }

    /// Removes kept documents of contents that no file of the workspace has any more.
    pub(super) fn remove_unwanted_documents(&self, id: &WorkspaceId) -> Result<(), EngineError> {
        let wanted = self.store.content_hashes(id)?;
        self.shelf(id).remove_unwanted(|hash| wanted.contains(&hash)).map_err(EngineError::Io)
    }

    fn document(&self, id: &WorkspaceId, path: &RelPath) -> Result<(FileContent, Document), EngineError> {
        let row = self.store.workspace(id)?;
        let container = self.store.container(id, path)?;
        let on_disk = container.as_ref().unwrap_or(path);
        // A file that is not listed, or is no more, has nothing to show, also where there is one on disk.
        if self.store.file(id, path)?.is_none() || self.view(id)?.deleting.contains(on_disk) {
            return Err(ReadError::Gone.into());
        }
        let root = row.root.ok_or_else(|| EngineError::NoRoot { id: id.clone() })?;
        let mut content = ingest::read_file(&root, on_disk, self.config.max_file_bytes)?;
        let bytes = std::mem::take(&mut content.bytes);
        let mut outcome = self.extractor_of(id).extract(bytes, on_disk.file_name());
        if let (Some(container), Ok(document)) = (&container, &mut outcome) {
            let inside = path.as_str().strip_prefix(container.as_str()).unwrap_or_default().trim_start_matches('/');
            let member = document.members.iter().position(|member| member.path == inside);
            let member = document.members.swap_remove(member.ok_or(ReadError::Gone)?);
            content.content_hash = member.content_hash.unwrap_or(content.content_hash);
            outcome = member.outcome;
        }
        match outcome {
            Ok(document) => Ok((content, document)),
            Err(error @ ExtractError::Unavailable { .. }) => Err(error.into()),
            Err(error) => Err(EngineError::NoText { path: path.to_string(), reason: error.to_string() }),
        }
    }
}
