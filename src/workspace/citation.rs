//! The pinpoint reference that every passage and every sentence of an answer carries.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ContentHash, LineRange, Provenance, RelPath, Revision, Span, WorkspaceId};

/// Where exact words stand: enough to find them again and to check them against the file as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Citation {
    /// The workspace that holds the file.
    pub workspace: WorkspaceId,
    /// The file, relative to the workspace's root.
    pub path: RelPath,
    /// The SHA-256 of the file's bytes when it was indexed.
    pub content_hash: ContentHash,
    /// The change that brought this content.
    pub revision: Revision,
    /// The page, counted from 1, where the format has pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// The slide, counted from 1, where the file is a presentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slide: Option<u32>,
    /// The lines of the file, where the document's text is the file's own text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<LineRange>,
    /// The cells, where the format has them: `Latency!B3:E9` for rows of a sheet, `cell 3` or `cells 3-5` of a notebook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<String>,
    /// Headings or enclosing definitions (functions, keys) above the quote, outermost first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trail: Vec<String>,
    /// The byte range of the quote in the document's text.
    pub span: Span,
    /// The words at the span, verbatim.
    pub quote: String,
    /// The writer of the file's content, as far as somebody stated it. A check of the citation ignores this field, and returns the
    /// writer that is known now.
    #[serde(default, skip_serializing_if = "Provenance::is_empty")]
    pub provenance: Provenance,
}

impl Citation {
    /// A citation that says no more than where its words stand.
    #[must_use]
    pub fn bare(workspace: WorkspaceId, path: RelPath, content_hash: ContentHash, span: Span, quote: String) -> Self {
        Self {
            workspace,
            path,
            content_hash,
            revision: Revision(0),
            page: None,
            slide: None,
            lines: None,
            cell: None,
            trail: Vec::new(),
            span,
            quote,
            provenance: Provenance::default(),
        }
    }

    /// Where in its file it points, as a person follows it: `line 18`, `page 3`, `Latency!B3`; `None` where the format counts nothing.
    #[must_use]
    pub fn spot(&self) -> Option<String> {
        if let Some(slide) = self.slide {
            return Some(format!("slide {slide}"));
        }
        if let Some(cell) = &self.cell {
            return Some(cell.clone());
        }
        match (self.page, self.lines) {
            (Some(page), _) => Some(format!("page {page}")),
            (None, Some(lines)) if lines.start == lines.end => Some(format!("line {}", lines.start)),
            (None, Some(lines)) => Some(format!("lines {}-{}", lines.start, lines.end)),
            (None, None) => None,
        }
    }
}
