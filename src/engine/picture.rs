//! Pages of PDFs as pictures, with the places of words on them, drawn from the files themselves.

use super::recording::Told;
use super::{EngineError, Source, Workspace};
use crate::access::Action;
use crate::extract::ExtractError;
use crate::extract::drawn::{DrawnPage, PageQuestion};
use crate::ingest::LargeFile;
use crate::workspace::{ContentHash, RelPath, Span};

/// A page of a file as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct PagePicture {
    /// The SHA-256 of the file's bytes.
    pub content_hash: ContentHash,
    /// The page.
    pub page: DrawnPage,
}

impl Workspace<'_> {
    /// Draws a page of a PDF and says where words are on it, within the limits on reading a file.
    ///
    /// # Errors
    /// When there is no such workspace or file; [`EngineError::NoPicture`] where the page cannot be drawn.
    pub fn page_picture(&self, path: &RelPath, page: &PageQuestion) -> Result<PagePicture, EngineError> {
        self.recorded(Action::Read, Told::of([path]), |told| {
            let reply = self.picture_unrecorded(path, page)?;
            told.shows_of(path, Some(reply.content_hash), None);
            Ok(reply)
        })
    }

    fn picture_unrecorded(&self, path: &RelPath, page: &PageQuestion) -> Result<PagePicture, EngineError> {
        let path = self.spelled(path)?;
        let (root, on_disk, is_inside) = self.place_of(&path)?;
        let no_picture = |reason: String| EngineError::NoPicture { path: path.to_string(), reason };
        if is_inside {
            return Err(no_picture(format!("it is inside `{on_disk}`, of which no pages are drawn")));
        }
        let data = &self.engine.data;
        let files = &*data.files_of(&self.id, &root);
        let max_bytes = data.config.extraction.whole_mb.saturating_mul(1_000_000).min(data.config.max_file_bytes);
        let file = LargeFile::open(files, &on_disk, max_bytes)?;
        let content_hash = file.content_hash;
        match file.draw_page(&*data.extractor_for_request(&self.id), page)? {
            Ok(page) => Ok(PagePicture { content_hash, page }),
            Err(error @ ExtractError::Unavailable { .. }) => Err(error.into()),
            Err(error) => Err(no_picture(error.to_string())),
        }
    }
}

impl Source {
    /// The page that a byte of the text is on, from 1; the first where the document has pages and none before the byte.
    #[must_use]
    pub fn page_at(&self, byte: usize) -> Option<u32> {
        let pages = &self.document.pages;
        let number = pages.partition_point(|page| page.start <= byte).max(1);
        if pages.is_empty() { None } else { u32::try_from(number).ok() }
    }

    /// The part of a span that is on a page, as it counts from where the page begins; `None` where none is.
    #[must_use]
    pub fn on_page(&self, number: u32, span: Span) -> Option<Span> {
        let page = self.document.pages.get(usize::try_from(number).ok()?.checked_sub(1)?)?;
        let (start, end) = (span.start.max(page.start), span.end.min(page.end));
        (start < end).then(|| Span::new(start - page.start, end - page.start))
    }
}
