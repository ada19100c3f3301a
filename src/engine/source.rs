//! A file with its structure, for a person to look at: as a whole, or of a large text the stretch around a place.

use std::io::Read;

use jiff::Timestamp;

use super::read::Look;
use super::recording::Told;
use super::{EngineError, FileText, Workspace};
use crate::access::Action;
use crate::answer::{Stretch, locate};
use crate::extract::Document;
use crate::ingest::{PlacedPart, ReadError};
use crate::store::Fingerprint;
use crate::workspace::{Citation, ContentHash, FileEntry, LineRange, LineStarts, RelPath, Span};

/// A file as it is now, read from the file itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub path: RelPath,
    /// The SHA-256 of its bytes.
    pub content_hash: ContentHash,
    /// When it was last modified.
    pub modified: Timestamp,
    /// Its size in bytes.
    pub size: u64,
    /// Its text and structure; of a large text the stretch that was asked for, with spans that count from [`Source::start`].
    pub document: Document,
    /// The byte of the whole text that the stretch begins at: 0 but for a large text.
    pub start: usize,
    /// Lines of the file before the stretch.
    pub num_lines_before: u32,
    /// Whether the file goes on behind the stretch.
    pub goes_on: bool,
}

impl Source {
    /// The byte of the whole text that the stretch ends at.
    #[must_use]
    pub const fn end(&self) -> usize {
        self.start + self.document.text.len()
    }

    /// A span of the whole text as one of the stretch; `None` where it is not in the stretch or cuts a character.
    #[must_use]
    pub fn within(&self, span: Span) -> Option<Span> {
        let start = span.start.checked_sub(self.start)?;
        let within = Span::new(start, start.checked_add(span.len())?);
        within.of(&self.document.text).map(|_| within)
    }

    /// The lines of the file at a span of the stretch, where the text is the file's own.
    #[must_use]
    pub fn lines(&self, within: Span) -> Option<LineRange> {
        let lines = || LineStarts::of(&self.document.text).lines(within).after(self.num_lines_before);
        self.document.has_file_lines.then(lines)
    }
}

/// The bytes of a file, to be read from its beginning.
pub struct FileBytes {
    /// Its size.
    pub size: u64,
    /// The SHA-256 of its bytes, as it is listed.
    pub content_hash: Option<ContentHash>,
    /// The bytes.
    pub bytes: Box<dyn Read + Send>,
}

impl Workspace<'_> {
    /// A file with its structure; of a large text the parts that `wanted` touches and the one before, or the last one where it lies
    /// behind the end.
    ///
    /// # Errors
    /// When there is no such workspace or file, or the file has no text.
    pub fn source(&self, path: &RelPath, wanted: Span) -> Result<Source, EngineError> {
        self.recorded(Action::Read, Told::of([path]), |told| {
            let reply = self.source_unrecorded(path, wanted)?;
            let shown = Span::new(reply.start, reply.end());
            told.shows_of(&reply.path, Some(reply.content_hash), Some(shown));
            Ok(reply)
        })
    }

    fn source_unrecorded(&self, path: &RelPath, wanted: Span) -> Result<Source, EngineError> {
        let path = self.spelled(path)?;
        match self.stretch(&path, wanted)? {
            Some(stretch) => Ok(stretch),
            None => self.whole(&path),
        }
    }

    /// A file that is read as a whole.
    pub(super) fn whole(&self, path: &RelPath) -> Result<Source, EngineError> {
        let (fingerprint, content_hash, document) = self.document(path)?;
        Ok(source_of(path.clone(), &fingerprint, content_hash, document))
    }

    /// A file as it is listed, in any spelling of its path.
    ///
    /// # Errors
    /// [`EngineError::Read`] where none is listed.
    pub fn entry(&self, path: &RelPath) -> Result<FileEntry, EngineError> {
        self.recorded(Action::List, Told::of([path]), |_| self.entry_unrecorded(path))
    }

    fn entry_unrecorded(&self, path: &RelPath) -> Result<FileEntry, EngineError> {
        let path = self.spelled(path)?;
        let (_, on_disk, _) = self.place_of(&path)?;
        match self.engine.data.store.file(&self.id, &path)? {
            Some(entry) => Ok(entry),
            None => Err(self.why_no_file(&on_disk)?),
        }
    }

    /// The citation of a span of a source that is listed as `entry`; `None` where the source has no such words.
    #[must_use]
    pub fn cite(&self, entry: &FileEntry, source: &Source, span: Span) -> Option<Citation> {
        let within = source.within(span).filter(|span| !span.is_empty())?;
        let hash = source.content_hash;
        let bare = Citation::bare(self.id.clone(), source.path.clone(), hash, span, String::new());
        let bare = Citation { revision: entry.revision, provenance: entry.provenance.clone(), ..bare };
        let Source { document, start, num_lines_before, .. } = source;
        let stretch = Stretch { document, start: *start, num_lines_before: *num_lines_before };
        Some(locate(&bare, hash, stretch, within))
    }

    /// Where files of this content are, at most 32 of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn paths_of(&self, content_hash: ContentHash) -> Result<Vec<RelPath>, EngineError> {
        self.recorded(Action::List, Told::default(), |told| {
            let reply = self.paths_unrecorded(content_hash)?;
            told.paths.clone_from(&reply);
            Ok(reply)
        })
    }

    fn paths_unrecorded(&self, content_hash: ContentHash) -> Result<Vec<RelPath>, EngineError> {
        let mut paths = self.engine.data.store.paths_of_content(&self.id, content_hash)?;
        paths.retain(|path| self.sees(path));
        Ok(paths)
    }

    /// The bytes of a file as they are now.
    ///
    /// # Errors
    /// When there is no such file; [`EngineError::NoText`] for a file inside another one, whose bytes only a reader sees.
    pub fn bytes(&self, path: &RelPath) -> Result<FileBytes, EngineError> {
        self.recorded(Action::Read, Told::of([path]), |told| {
            let reply = self.bytes_unrecorded(path)?;
            told.shows_of(path, reply.content_hash, None);
            Ok(reply)
        })
    }

    fn bytes_unrecorded(&self, path: &RelPath) -> Result<FileBytes, EngineError> {
        let path = self.spelled(path)?;
        let (root, on_disk, is_inside) = self.place_of(&path)?;
        if is_inside {
            let reason = format!("it is inside `{on_disk}`, which can be downloaded as a whole");
            return Err(EngineError::NoText { path: path.to_string(), reason });
        }
        let files = self.engine.data.files_of(&self.id, &root);
        let bytes = files.open(&on_disk, None).map_err(ReadError::from)?;
        let content_hash = self.engine.data.store.file(&self.id, &path)?.and_then(|entry| entry.content_hash);
        Ok(FileBytes { size: bytes.stat().fingerprint.size, content_hash, bytes: Box::new(bytes) })
    }

    /// The stretch of a large text around a place; `None` for a file that is read as a whole.
    pub(super) fn stretch(&self, path: &RelPath, wanted: Span) -> Result<Option<Source>, EngineError> {
        let Some(large) = self.large(path)? else { return Ok(None) };
        let (fingerprint, content_hash) = (large.fingerprint, large.content_hash);
        let mut parts: Vec<PlacedPart> = Vec::new();
        let ended = self.see_parts(large, &mut |part| {
            // A text that ends where a part does is not known to go on.
            let is_enough = part.start > wanted.end;
            if parts.last().is_some_and(|last| last.start + last.document.text.len() <= wanted.start) {
                parts.clear();
            }
            parts.push(part);
            if is_enough { Look::Enough } else { Look::On }
        })?;
        let Some(ended) = ended else { return Ok(None) };
        let mut parts = parts.into_iter();
        let Some(first) = parts.next() else {
            return Err(EngineError::NoText { path: path.to_string(), reason: ended.unwrap_or_default() });
        };
        let mut source = source_of(path.clone(), &fingerprint, content_hash, first.document);
        (source.start, source.num_lines_before) = (first.start, first.num_lines_before);
        for part in parts {
            source.goes_on = part.start > wanted.end;
            if !source.goes_on {
                append(&mut source.document, part.document);
            }
        }
        source.document.partial = ended;
        Ok(Some(source))
    }
}

pub(super) fn source_of(
    path: RelPath,
    fingerprint: &Fingerprint,
    content_hash: ContentHash,
    document: Document,
) -> Source {
    let modified = Timestamp::from_nanosecond(i128::from(fingerprint.modified_ns)).unwrap_or_default();
    Source {
        path,
        content_hash,
        modified,
        size: fingerprint.size,
        document,
        start: 0,
        num_lines_before: 0,
        goes_on: false,
    }
}

/// Puts the next part of a text behind the ones before.
fn append(document: &mut Document, next: Document) {
    let by = document.text.len();
    document.text.push_str(&next.text);
    document.blocks.extend(next.blocks.into_iter().map(|mut block| {
        block.span = block.span.after(by);
        block
    }));
}

impl From<Source> for FileText {
    fn from(source: Source) -> Self {
        let Source { path, content_hash, modified, document, start, num_lines_before, goes_on, .. } = source;
        let cells = document.cells(Span::new(0, document.text.len()));
        Self {
            path,
            title: document.title,
            format: document.format.name().to_owned(),
            content_hash,
            revision: None,
            modified,
            page_unit: document.page_unit,
            cells,
            pages: document.pages,
            partial: document.partial,
            has_file_lines: document.has_file_lines,
            text: document.text,
            start,
            num_lines_before,
            goes_on,
        }
    }
}
