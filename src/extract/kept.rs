//! Documents that were made before, kept on disk by the bytes that they were made of.
//!
//! # Invariants
//! - What is kept is named by the content's hash, by what the file's name says of its type, and by [`READERS`]: other readers
//!   ask for other names, and what the former ones kept goes as anything that nobody asks for.
//! - A document that is damaged on disk is made again: each is kept with a checksum.
//! - The folder never holds more than its limit for longer than it takes to remove what was not asked for longest.
//! - Nothing here is needed: the folder can be removed at any time.
//!
//! # Not here
//! Texts whose document is the file's own text are not kept: to make them again costs less than to read them twice. Failures are
//! not kept either, as another limit may let the file be read.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use fs_err as fs;
use parking_lot::Mutex;

use super::child::wire;
use super::drawn::{DrawnPage, PageQuestion};
use super::parts::{Continuation, Part};
use super::{Document, ExtractError, Extractor, Source, detect};
use crate::leftovers;
use crate::workspace::ContentHash;

/// Changes with whatever a reader makes of the same bytes.
pub const READERS: u32 = 2;
/// How much is removed at once when the limit is passed: a tenth, so that not every file that comes looks at all.
const KEPT_OF_TEN: u64 = 9;
/// How well documents are packed.
const ZSTD_LEVEL: i32 = 3;
const SUFFIX: &str = "doc";

/// An extractor that remembers.
pub struct Kept<'a> {
    inner: Box<dyn Extractor + 'a>,
    shelf: Arc<Shelf>,
}

/// The folder where documents are kept.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
    max_bytes: u64,
    /// Bytes in the folder as far as this process knows; `None` until it has looked.
    held: Mutex<Option<u64>>,
}

impl<'a> Kept<'a> {
    /// Makes with `inner` what is not on the shelf.
    #[must_use]
    pub const fn new(inner: Box<dyn Extractor + 'a>, shelf: Arc<Shelf>) -> Self {
        Self { inner, shelf }
    }
}

impl Kept<'_> {
    /// The document of this content that is on the shelf, or what `make` makes, which is put there.
    fn remembered(
        &self,
        hash: ContentHash,
        file_name: &str,
        make: impl FnOnce() -> Result<Document, ExtractError>,
    ) -> Result<Document, ExtractError> {
        let file = self.shelf.file(hash, file_name);
        if let Some(document) = Shelf::take(&file) {
            return Ok(document);
        }
        let answer = make();
        if answer.as_ref().is_ok_and(|document| !document.has_file_lines) {
            self.shelf.put(&file, &answer);
        }
        answer
    }
}

impl Extractor for Kept<'_> {
    fn extract(&self, bytes: Vec<u8>, file_name: &str) -> Result<Document, ExtractError> {
        if self.shelf.max_bytes == 0 {
            return self.inner.extract(bytes, file_name);
        }
        self.remembered(ContentHash::of(&bytes), file_name, || self.inner.extract(bytes, file_name))
    }

    fn extract_from(&self, source: Source<'_>, file_name: &str) -> Result<Document, ExtractError> {
        if self.shelf.max_bytes == 0 {
            return self.inner.extract_from(source, file_name);
        }
        self.remembered(source.content_hash, file_name, || self.inner.extract_from(source, file_name))
    }

    fn extract_part(
        &self,
        bytes: &[u8],
        is_last: bool,
        file_name: &str,
        before: Option<&Continuation>,
    ) -> Result<Option<Part>, ExtractError> {
        self.inner.extract_part(bytes, is_last, file_name, before)
    }

    fn draw_page(&self, source: Source<'_>, file_name: &str, page: &PageQuestion) -> Result<DrawnPage, ExtractError> {
        self.inner.draw_page(source, file_name, page)
    }

    fn weakness(&self) -> Option<String> {
        self.inner.weakness()
    }
}

impl Shelf {
    /// The shelf in `folder`, which is made when something is to be kept; 0 bytes for none.
    #[must_use]
    pub const fn new(folder: PathBuf, max_bytes: u64) -> Self {
        Self { folder, max_bytes, held: Mutex::new(None) }
    }

    /// Removes documents of which `is_wanted` says no, but for those of the last minute: a file that is renamed is gone before it
    /// is there again.
    ///
    /// # Errors
    /// When the folder cannot be listed or written.
    pub fn remove_unwanted(&self, is_wanted: impl Fn(ContentHash) -> bool) -> io::Result<()> {
        let now = SystemTime::now();
        for (path, kept) in self.list()? {
            let is_old = now.duration_since(kept.at).is_ok_and(|age| age >= leftovers::MIN_AGE);
            let hash = path.file_name().and_then(|name| name.to_str()?.get(..64)?.parse().ok());
            if is_old && !hash.is_some_and(&is_wanted) {
                fs::remove_file(path)?;
            }
        }
        *self.held.lock() = None;
        Ok(())
    }

    /// Bytes that the folder holds, where this process has looked.
    #[must_use]
    pub fn num_bytes(&self) -> Option<u64> {
        *self.held.lock()
    }

    fn file(&self, hash: ContentHash, file_name: &str) -> PathBuf {
        let type_by_name = detect::type_by_name(file_name);
        self.folder.join(format!("{hash}-{READERS}-{type_by_name}.{SUFFIX}"))
    }

    fn take(file: &Path) -> Option<Document> {
        let packed = std::fs::read(file).ok()?;
        let mut answer = Vec::new();
        let unpacked = zstd::stream::Decoder::new(&packed[..])
            .and_then(|decoder| decoder.take(MAX_ANSWER_BYTES).read_to_end(&mut answer));
        let Ok(Ok(document)) = unpacked.and_then(|_| wire::read_answer(&mut &answer[..], usize::MAX, u64::MAX)) else {
            tracing::warn!(file = %file.display(), "a kept document is damaged and is made again");
            // What cannot be removed is written over.
            let _ = fs::remove_file(file);
            return None;
        };
        // What is asked for stays longest. Where the time cannot be set, it goes as if it was not.
        let _ = std::fs::OpenOptions::new().write(true).open(file).map(|file| file.set_modified(SystemTime::now()));
        tracing::debug!(num_bytes = document.text.len(), "a document was made before");
        Some(document)
    }

    /// Keeps an answer. What cannot be kept is made again the next time, so a full disk is no failure of the file.
    fn put(&self, file: &Path, answer: &Result<Document, ExtractError>) {
        if let Err(error) = self.try_put(file, answer) {
            tracing::warn!(%error, "a document cannot be kept");
        }
    }

    fn try_put(&self, file: &Path, answer: &Result<Document, ExtractError>) -> io::Result<()> {
        // Not the folder above: nothing is made again of a workspace that is deleted meanwhile.
        if let Err(error) = fs::create_dir(&self.folder)
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error);
        }
        let part = leftovers::file_in(&self.folder, "kept-")?;
        let mut encoder = zstd::stream::Encoder::new(part.as_file(), ZSTD_LEVEL)?;
        encoder.include_checksum(true)?;
        wire::write_answer(&mut encoder, answer)?;
        encoder.finish()?.flush()?;
        let num_bytes = part.as_file().metadata()?.len();
        if num_bytes > self.max_bytes {
            return Ok(());
        }
        part.persist(file).map_err(|error| error.error)?;
        let mut held = self.held.lock();
        let before = match *held {
            Some(before) => before + num_bytes,
            None => self.list()?.iter().map(|(_, kept)| kept.num_bytes).sum(),
        };
        *held = Some(if before > self.max_bytes { self.remove_oldest()? } else { before });
        Ok(())
    }

    /// Removes what was not asked for longest, and returns how many bytes are left.
    fn remove_oldest(&self) -> io::Result<u64> {
        let mut all = self.list()?;
        all.sort_by_key(|(_, kept)| kept.at);
        let mut left: u64 = all.iter().map(|(_, kept)| kept.num_bytes).sum();
        for (path, kept) in all {
            if left <= self.max_bytes / 10 * KEPT_OF_TEN {
                break;
            }
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => left -= kept.num_bytes,
            }
        }
        Ok(left)
    }

    fn list(&self) -> io::Result<Vec<(PathBuf, KeptFile)>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != SUFFIX) {
                continue;
            }
            match fs::metadata(&path) {
                Ok(metadata) => {
                    let at = metadata.modified()?;
                    found.push((path, KeptFile { num_bytes: metadata.len(), at }));
                }
                // Another process was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

/// No answer is larger; what says so is damaged.
const MAX_ANSWER_BYTES: u64 = 4 * 1024 * 1024 * 1024;

struct KeptFile {
    num_bytes: u64,
    /// When it was asked for last.
    at: SystemTime,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::extract::InProcess;

    /// Counts what is really read.
    #[derive(Default)]
    struct Counted(AtomicUsize);

    impl Extractor for Counted {
        fn extract(&self, bytes: Vec<u8>, file_name: &str) -> Result<Document, ExtractError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            InProcess.extract(bytes, file_name)
        }

        fn extract_from(&self, source: Source<'_>, file_name: &str) -> Result<Document, ExtractError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            InProcess.extract_from(source, file_name)
        }

        fn extract_part(
            &self,
            bytes: &[u8],
            is_last: bool,
            file_name: &str,
            before: Option<&Continuation>,
        ) -> Result<Option<Part>, ExtractError> {
            InProcess.extract_part(bytes, is_last, file_name, before)
        }

        fn draw_page(
            &self,
            source: Source<'_>,
            file_name: &str,
            page: &PageQuestion,
        ) -> Result<DrawnPage, ExtractError> {
            InProcess.draw_page(source, file_name, page)
        }
    }

    fn page(words: &str) -> Vec<u8> {
        format!("<html><h1>Tide</h1><p>{words}</p></html>").into_bytes()
    }

    fn kept(shelf: &Shelf) -> Vec<PathBuf> {
        shelf.list().unwrap().into_iter().map(|(path, _)| path).collect()
    }

    #[test]
    fn the_same_bytes_are_read_once_whatever_the_file_is_called() {
        let folder = tempfile::tempdir().unwrap();
        let (counted, shelf) = (Counted::default(), Arc::new(Shelf::new(folder.path().join("documents"), 1_000_000)));
        let extractor = Kept::new(Box::new(&counted), Arc::clone(&shelf));
        let first = extractor.extract(page("gauge"), "a.html").unwrap();
        assert_eq!(extractor.extract(page("gauge"), "renamed.html").unwrap(), first);
        assert_eq!(counted.0.load(Ordering::Relaxed), 1);
        // As a text it is another document; and a text is not kept.
        for _ in 0..2 {
            let text = extractor.extract(b"gauge".to_vec(), "a.txt").unwrap();
            assert_eq!(text.text, "gauge");
        }
        assert_eq!((counted.0.load(Ordering::Relaxed), kept(&shelf).len()), (3, 1));
    }

    #[test]
    fn a_damaged_document_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let (counted, shelf) = (Counted::default(), Arc::new(Shelf::new(folder.path().to_owned(), 1_000_000)));
        let extractor = Kept::new(Box::new(&counted), Arc::clone(&shelf));
        let document = extractor.extract(page("gauge"), "a.html").unwrap();
        let file = kept(&shelf).remove(0);
        let whole = fs::read(&file).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            fs::write(&file, &damaged).unwrap();
            assert_eq!(extractor.extract(page("gauge"), "a.html").unwrap(), document, "byte {at}");
            fs::write(&file, &whole[..at]).unwrap();
            assert_eq!(extractor.extract(page("gauge"), "a.html").unwrap(), document, "cut at {at}");
        }
    }

    #[test]
    fn the_shelf_is_bounded_and_what_nobody_asks_for_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let (counted, shelf) = (Counted::default(), Arc::new(Shelf::new(folder.path().to_owned(), 3_000)));
        let extractor = Kept::new(Box::new(&counted), Arc::clone(&shelf));
        for number in 0..40_u64 {
            extractor.extract(page(&format!("gauge {number}")), "a.html").unwrap();
            // Times a second apart, whatever the clock of the file system.
            let file = shelf.file(ContentHash::of(&page(&format!("gauge {number}"))), "a.html");
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number + 1);
            if let Ok(file) = std::fs::OpenOptions::new().write(true).open(file) {
                file.set_modified(at).unwrap();
            }
            let held: u64 = shelf.list().unwrap().iter().map(|(_, kept)| kept.num_bytes).sum();
            assert!(held <= 3_000, "{held}");
        }
        assert!(!kept(&shelf).is_empty());
        let before = counted.0.load(Ordering::Relaxed);
        extractor.extract(page("gauge 39"), "a.html").unwrap();
        assert_eq!(counted.0.load(Ordering::Relaxed), before, "the newest is there");
        shelf.remove_unwanted(|_| false).unwrap();
        let hash = ContentHash::of(&page("gauge 39"));
        assert_eq!(kept(&shelf), [shelf.file(hash, "a.html")], "what was asked for a moment ago stays a while");
        assert!(Shelf::new(folder.path().join("none"), 0).list().unwrap().is_empty());
    }
}
