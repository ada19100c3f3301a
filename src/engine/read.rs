//! Files as they are now: their text, whole or around a place. The check of a citation is in `verify`, pieces for replies in `part`.

use std::path::PathBuf;

use jiff::Timestamp;

use super::recording::Told;
use super::{EngineError, Workspace};
use crate::access::Action;
use crate::extract::{Document, ExtractError, PageUnit};
use crate::ingest::{self, FileContent, LargeFile, PartError, PlacedPart, ReadError};
use crate::store::Fingerprint;
use crate::workspace::{Cells, ContentHash, LineRange, LineStarts, RelPath, Revision, Span};

/// A file's text as it is now, read from the file itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileText {
    /// The file.
    pub path: RelPath,
    /// The document's title.
    pub title: Option<String>,
    /// The file's type, as `filters.type` takes it.
    pub format: String,
    /// The SHA-256 of its bytes.
    pub content_hash: ContentHash,
    /// The newest change of the file in the log when it was read; `None` where the log holds none.
    pub revision: Option<Revision>,
    /// When it was last modified.
    pub modified: Timestamp,
    /// Whether the pages are slides.
    pub page_unit: PageUnit,
    /// The span of each page or slide in the text, where the format has them.
    pub pages: Vec<Span>,
    /// The cells of the text.
    pub cells: Cells,
    /// Why the text is not all of the file's, and how far it goes.
    pub partial: Option<String>,
    /// Whether the lines of the text are those of the file.
    pub has_file_lines: bool,
    /// The text that spans of citations point into.
    pub text: String,
    /// The byte of the whole text that `text` begins at: 0 but for a stretch of a large file.
    pub start: usize,
    /// Lines of the file before `text`.
    pub num_lines_before: u32,
    /// Whether the file goes on behind `text`.
    pub goes_on: bool,
}

impl FileText {
    /// The byte of the whole text that `text` ends at.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// The words at a span of the whole text; `None` where it is not in this stretch or cuts a character.
    #[must_use]
    pub fn words(&self, span: Span) -> Option<&str> {
        let start = span.start.checked_sub(self.start)?;
        Span::new(start, start + span.len()).of(&self.text)
    }

    /// What a reply with this text shows.
    fn is_shown(&self, told: &mut Told) {
        told.shows_of(&self.path, Some(self.content_hash), Some(Span::new(self.start, self.end())));
    }

    /// How many lines the file has, where the text is all of the file's own. Text behind the last line break is a line, too.
    #[must_use]
    pub fn num_lines(&self) -> Option<u32> {
        let num_breaks = || self.text.bytes().filter(|&byte| byte == b'\n').count();
        let is_open = !self.text.is_empty() && !self.text.ends_with('\n');
        let num_lines = || u32::try_from(num_breaks() + usize::from(is_open)).unwrap_or(u32::MAX);
        (self.has_file_lines && !self.goes_on && self.partial.is_none())
            .then(|| self.num_lines_before.saturating_add(num_lines()))
    }

    /// The lines of the file at a span of this stretch, where the text is the file's own.
    #[must_use]
    pub fn lines(&self, span: Span) -> Option<LineRange> {
        let start = span.start.checked_sub(self.start).filter(|_| self.has_file_lines)?;
        let lines = LineStarts::of(&self.text).lines(Span::new(start, start + span.len()));
        Some(lines.after(self.num_lines_before))
    }
}

/// What a look at a large file does with each part.
pub(super) type See<'a> = &'a mut dyn FnMut(PlacedPart) -> Look;

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    On,
    Enough,
}

impl Workspace<'_> {
    /// The text of a file as it is now.
    ///
    /// # Errors
    /// When there is no such workspace or file, the file has no text, or more than is given at once.
    pub fn read_file(&self, path: &RelPath) -> Result<FileText, EngineError> {
        self.recorded(Action::Read, Told::of([path]), |told| {
            let reply = self.read_whole(path)?;
            reply.is_shown(told);
            Ok(reply)
        })
    }

    fn read_whole(&self, path: &RelPath) -> Result<FileText, EngineError> {
        let path = &self.spelled(path)?;
        if let Some(large) = self.large(path)? {
            let size = large.fingerprint.size;
            // A type that is not read in parts is read as one document, so as much of its text as is available is returned.
            if self.see_parts(large, &mut |_| Look::Enough)?.is_some() {
                return Err(EngineError::LargeText { path: path.to_string(), size });
            }
        }
        let revision = self.engine.data.store.newest_change(&self.id, path)?;
        Ok(FileText { revision, ..self.whole(path)?.into() })
    }

    /// The text of a file around `wanted`, as it is now: all of it, or of a large file the parts that `wanted` touches and the
    /// one before, or the last one where it lies behind the end.
    ///
    /// # Errors
    /// When there is no such workspace or file, or the file has no text.
    pub fn read_around(&self, path: &RelPath, wanted: Span) -> Result<FileText, EngineError> {
        self.recorded(Action::Read, Told::of([path]), |told| {
            let reply = self.read_stretch_around(path, wanted)?;
            reply.is_shown(told);
            Ok(reply)
        })
    }

    fn read_stretch_around(&self, path: &RelPath, wanted: Span) -> Result<FileText, EngineError> {
        let path = &self.spelled(path)?;
        // Asked for before the file is read, so that the text is at least as new.
        let revision = self.engine.data.store.newest_change(&self.id, path)?;
        match self.stretch(path, wanted)? {
            Some(stretch) => Ok(FileText { revision, ..stretch.into() }),
            None => self.read_file(path),
        }
    }

    /// A path as its file is listed, in any spelling that is given; the path itself where none is.
    pub(super) fn spelled(&self, path: &RelPath) -> Result<RelPath, EngineError> {
        let id = &self.id;
        let listed = match self.engine.data.store.file(id, path)? {
            Some(_) => path.clone(),
            None => self.engine.data.store.path_spelled_like(id, path)?.unwrap_or_else(|| path.clone()),
        };
        // In the words of the request, so that no error tells how a file is spelled that the caller does not see.
        if self.sees(&listed) { Ok(listed) } else { Err(ReadError::Unknown { path: path.clone() }.into()) }
    }

    /// A file that may be a large text; `None` for all others.
    pub(super) fn large(&self, path: &RelPath) -> Result<Option<LargeFile>, EngineError> {
        let (root, on_disk, is_inside) = self.place_of(path)?;
        let files = &*self.engine.data.files_of(&self.id, &root);
        let size = ingest::size_of(files, &on_disk)?;
        if is_inside || size <= self.engine.data.part_sizes().from_bytes {
            return Ok(None);
        }
        Ok(Some(LargeFile::open(files, &on_disk, self.engine.data.config.max_file_bytes)?))
    }

    /// Shows the parts of a large text in order, up to where it can be read or enough was seen; `None` where it is no text that is
    /// read in parts, else why the text does not go on where the file does.
    #[expect(clippy::option_option, reason = "two answers, each of which may be none")]
    pub(super) fn see_parts(&self, large: LargeFile, see: See<'_>) -> Result<Option<Option<String>>, EngineError> {
        let extractor = self.engine.data.extractor_for_request(&self.id);
        let mut parts = large.parts(&*extractor, self.engine.data.part_sizes().part_bytes)?;
        loop {
            match parts.next_part() {
                Ok(Some(part)) => {
                    if see(part) == Look::Enough {
                        return Ok(Some(None));
                    }
                }
                Ok(None) => return Ok(Some(None)),
                Err(PartError::NotInParts) => return Ok(None),
                Err(PartError::Read(error)) => return Err(error.into()),
                Err(PartError::Extract(error @ ExtractError::Unavailable { .. })) => return Err(error.into()),
                Err(PartError::Extract(error)) => return Ok(Some(Some(error.to_string()))),
            }
        }
    }

    /// Where a file is on disk: the workspace's folder, the file that is or holds it, and whether it is inside that.
    pub(super) fn place_of(&self, path: &RelPath) -> Result<(PathBuf, RelPath, bool), EngineError> {
        self.check_seen(path)?;
        let id = &self.id;
        let row = self.engine.data.store.workspace(id)?;
        let container = self.engine.data.store.container(id, path)?;
        let is_inside = container.is_some();
        let on_disk = container.unwrap_or_else(|| path.clone());
        // A file that is not listed, or is no more, has nothing to show, also where there is one on disk.
        if self.engine.data.store.file(id, path)?.is_none()
            || self.engine.data.view(&self.id)?.deleting.contains(&on_disk)
        {
            return Err(self.why_no_file(path)?);
        }
        let root = row.root.ok_or_else(|| EngineError::NoRoot { id: id.clone() })?;
        Ok((root, on_disk, is_inside))
    }

    /// The error of a path at which no file is listed: a folder, a file that was there before, or nothing that was ever known.
    pub(super) fn why_no_file(&self, path: &RelPath) -> Result<EngineError, EngineError> {
        let id = &self.id;
        let below = self.engine.data.store.fingerprints_below(id, &[path.clone()].into())?;
        if below.iter().any(|(file, _)| file != path && self.sees(file)) {
            return Ok(ReadError::Folder { path: path.clone() }.into());
        }
        self.check_seen(path)?;
        let was_known = self.engine.data.store.newest_change(id, path)?.is_some()
            || !self.engine.data.store.renamed_to(id, path, 1)?.is_empty();
        Ok(if was_known { ReadError::Gone } else { ReadError::Unknown { path: path.clone() } }.into())
    }

    pub(super) fn document(&self, path: &RelPath) -> Result<(Fingerprint, ContentHash, Document), EngineError> {
        let (root, on_disk, is_inside) = self.place_of(path)?;
        let extractor = self.engine.data.extractor_for_request(&self.id);
        let files = &*self.engine.data.files_of(&self.id, &root);
        let size = ingest::size_of(files, &on_disk)?;
        let max_whole_bytes = self.engine.data.config.extraction.whole_mb.saturating_mul(1_000_000);
        let (fingerprint, mut content_hash, mut outcome) = if size <= self.engine.data.part_sizes().from_bytes {
            let FileContent { bytes, fingerprint, content_hash, .. } =
                ingest::read_file(files, &on_disk, self.engine.data.config.max_file_bytes)?;
            (fingerprint, content_hash, extractor.extract(bytes, on_disk.file_name()))
        } else {
            let file = LargeFile::open(files, &on_disk, max_whole_bytes)?;
            (file.fingerprint, file.content_hash, file.extract(&*extractor)?)
        };
        if let (true, Ok(document)) = (is_inside, &mut outcome) {
            let inside = path.as_str().strip_prefix(on_disk.as_str()).unwrap_or_default().trim_start_matches('/');
            let member = document.members.iter().position(|member| member.path == inside);
            let member = document.members.swap_remove(member.ok_or(ReadError::Gone)?);
            content_hash = member.content_hash.unwrap_or(content_hash);
            outcome = member.outcome;
        }
        match outcome {
            Ok(document) => Ok((fingerprint, content_hash, document)),
            Err(error @ ExtractError::Unavailable { .. }) => Err(error.into()),
            Err(error) => Err(EngineError::NoText { path: path.to_string(), reason: error.to_string() }),
        }
    }
}
