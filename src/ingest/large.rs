//! A large text on its way into the index: in parts, and in several commits.
//!
//! # Invariants
//! - What is held in memory is what goes into one commit, whatever the size of the file.
//! - The first commit takes out what the index held of the file, and the last one has the change's revision. Until the change is
//!   acknowledged the file is pending: a changed file is not shown before all of it is there, a new one from its first commit on.
//! - A file that cannot be read to its end is `partial`, up to where it was read; one that changes while it is read is taken out.

use rayon::prelude::*;

use super::IngestError;
use super::parts::{LargeFile, PartError, PlacedPart};
use super::prepare::{Before, Facts, Prepared, entry, inside, not_read, prepare_document, records};
use super::room::weight_of;
use super::worker::{Line, LineReport, finish};
use crate::error::Advice as _;
use crate::extract::{ExtractError, language_of};
use crate::failpoint;
use crate::index::{Batch, ChunkRecord};
use crate::store::{Fingerprint, Known, Members, Outcome};
use crate::workspace::{Change, ChangeKind, FileEntry, FileState};

/// What became of a file that may be a large text.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(super) enum Brought {
    /// It is in the index, as far as it could be read.
    In(Outcome),
    /// It has changed, or is not to be brought in any more; what was written of it is taken out with its next change.
    Abandoned,
    /// It is no text that is read in parts.
    Whole(LargeFile),
}

/// Brings in the change of a large file.
pub(super) fn index_large(line: &Line<'_>, change: &Change, report: &mut LineReport) -> Result<(), IngestError> {
    if change.kind == ChangeKind::Deleted {
        return finish(line, change.revision, vec![Prepared::Gone(change.path.clone())], report);
    }
    let file = match LargeFile::open(line.files, &change.path, line.max_file_bytes) {
        Ok(file) => file,
        Err(error) => return finish(line, change.revision, vec![not_read(line, change, error)?], report),
    };
    if let Some(unchanged) = Prepared::unchanged(line, change, file.content_hash, file.known())? {
        return finish(line, change.revision, vec![unchanged], report);
    }
    // The file table must not tell of content of which the index holds a part.
    line.store.distrust(line.workspace, &change.path)?;
    let between = |report: &mut LineReport| {
        super::worker::index_small_interactive(line, report)?;
        Ok(line.store.newest_change(line.workspace, &change.path)? == Some(change.revision))
    };
    match bring_in(line, change, file, report, &between)? {
        Brought::In(outcome) => {
            failpoint::reach("line: committed, not acknowledged");
            Ok(line.store.acknowledge(line.workspace, line.epoch, change.revision, &[outcome])?)
        }
        Brought::Abandoned => Ok(()),
        Brought::Whole(file) => finish(line, change.revision, vec![read_whole(line, change, file)?], report),
    }
}

/// Reads a large file of a type that is read whole; its bytes go from the file to the reader.
pub(super) fn read_whole(line: &Line<'_>, change: &Change, file: LargeFile) -> Result<Prepared, IngestError> {
    let (size, known, content_hash) = (file.fingerprint.size, file.known(), file.content_hash);
    if size > line.max_whole_bytes {
        let reason = format!(
            "the file has {} MB, and of its type no more than {} MB are read",
            size.div_ceil(1_000_000),
            line.max_whole_bytes / 1_000_000
        );
        return Ok(Prepared::failed(line, change, reason));
    }
    match file.extract(&*line.extractor) {
        Ok(outcome) => prepare_document(line, change, known, content_hash, outcome),
        Err(error) => not_read(line, change, error),
    }
}

/// Brings a file into the index of `line`, and says what became of it. `between` is called after each commit but the last, and
/// says whether to go on.
pub(super) fn bring_in(
    line: &Line<'_>,
    change: &Change,
    file: LargeFile,
    report: &mut LineReport,
    between: &dyn Fn(&mut LineReport) -> Result<bool, IngestError>,
) -> Result<Brought, IngestError> {
    let (mut known, size) = (file.known(), file.fingerprint.size);
    let mut writing = Writing::new(line, change, &file);
    let mut parts = match file.parts(&*line.extractor, line.parts.part_bytes) {
        Ok(parts) => parts,
        Err(error) => return writing.withdraw(not_read(line, change, error)?),
    };
    let progress = InFile { line, change, size };
    let stopped_by = loop {
        match parts.next_part() {
            Ok(None) => break None,
            Ok(Some(part)) => {
                writing.add(part);
                progress.tell(parts.num_done());
                if writing.num_waiting_bytes >= line.parts.commit_bytes {
                    writing.commit(false)?;
                    failpoint::reach("large: a part of a file is committed");
                    if !between(report)? {
                        return Ok(Brought::Abandoned);
                    }
                }
            }
            Err(PartError::NotInParts) => return Ok(Brought::Whole(parts.into_file())),
            Err(PartError::Extract(error @ ExtractError::Unavailable { .. })) => return Err(error.into()),
            Err(PartError::Extract(error)) => break Some(error),
            Err(PartError::Read(error)) => {
                tracing::warn!(path = %change.path, %error, "a large file cannot be read to its end");
                return writing.withdraw(not_read(line, change, error)?);
            }
        }
    };
    writing.commit(true)?;
    let mut entry = writing.entry;
    if let Some(error) = stopped_by {
        if matches!(error, ExtractError::Killed { .. }) {
            // The next scan takes it up again.
            known = Known { fingerprint: Fingerprint::NEVER, racy_until_ns: None, ..known };
        }
        tracing::warn!(path = %change.path, code = error.code(), "a large file is read in part");
        entry.state = FileState::Partial;
        entry.reason = Some(format!(
            "its first {} of {} MB are read, up to line {}: {error}",
            parts.num_done() / 1_000_000,
            size.div_ceil(1_000_000),
            parts.num_lines()
        ));
        if entry.num_chunks == 0 {
            (entry.state, entry.reason) = (FileState::Failed, Some(error.to_string()));
        }
    } else if entry.num_chunks == 0 {
        (entry.state, entry.reason) = (FileState::Empty, Some("the file holds no text".to_owned()));
    }
    report.num_indexed += usize::from(entry.num_chunks > 0);
    report.num_chunks += entry.num_chunks as usize;
    Ok(Brought::In(Outcome::File(entry, known, Members::Are(Vec::new()))))
}

/// A large file as it is written into the index.
struct Writing<'a> {
    line: &'a Line<'a>,
    change: &'a Change,
    entry: FileEntry,
    known: Known,
    waiting: Vec<PlacedPart>,
    num_waiting_bytes: usize,
    is_begun: bool,
}

impl<'a> Writing<'a> {
    fn new(line: &'a Line<'a>, change: &'a Change, file: &LargeFile) -> Self {
        let mut entry = entry(change, &file.fingerprint, FileState::Ready, None);
        entry.content_hash = Some(file.content_hash);
        Self { line, change, entry, known: file.known(), waiting: Vec::new(), num_waiting_bytes: 0, is_begun: false }
    }

    fn add(&mut self, part: PlacedPart) {
        self.num_waiting_bytes += weight_of(&part.document);
        // The language of the first part whose language is known.
        self.entry.language = self.entry.language.or_else(|| language_of(&part.document));
        self.entry.format = Some(part.document.format.name().to_owned());
        self.waiting.push(part);
    }

    /// The chunks of what waits. Parts know nothing of each other, so they are cut side by side, and numbered then.
    fn cut(&mut self) -> Vec<ChunkRecord> {
        let parts = std::mem::take(&mut self.waiting);
        let facts = Facts {
            path: self.change.path.clone(),
            size: self.entry.size,
            content_hash: self.entry.content_hash,
            change: self.change,
            fingerprint: &self.known.fingerprint,
        };
        let language = self.entry.language;
        let cut = |part: PlacedPart| {
            let before = Before { text_bytes: part.start, lines: part.num_lines_before };
            records(self.line, &facts, &part.document, language, before)
        };
        let mut chunks: Vec<ChunkRecord> = parts.into_par_iter().flat_map_iter(cut).collect();
        for (ordinal, chunk) in (self.entry.num_chunks..).zip(&mut chunks) {
            chunk.place.ordinal = ordinal;
        }
        self.entry.num_chunks += u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        chunks
    }

    fn commit(&mut self, is_last: bool) -> Result<(), IngestError> {
        let chunks = vec![(self.change.path.clone(), self.cut())];
        let mut batch = Batch::default();
        if self.is_begun {
            batch.appended = chunks;
        } else {
            let snapshot = self.line.index.snapshot()?;
            batch.removed.extend(inside(self.line, &*snapshot, &self.change.path)?);
            batch.replaced = chunks;
        }
        if is_last {
            batch.revision = self.change.revision;
        }
        (self.is_begun, self.num_waiting_bytes) = (true, 0);
        Ok(self.line.index.apply(&batch)?)
    }

    /// Takes out what was written, since the file is not what was read; the next scan takes it up again.
    fn withdraw(self, instead: Prepared) -> Result<Brought, IngestError> {
        let snapshot = self.line.index.snapshot()?;
        let mut batch = Batch { revision: self.change.revision, ..Batch::default() };
        if let Prepared::Missing(path, revision) = &instead {
            self.line.log_missing(&[(path.clone(), *revision)])?;
        }
        let outcome = instead.into_batch(self.line, &*snapshot, &mut batch)?;
        drop(snapshot);
        self.line.index.apply(&batch)?;
        Ok(Brought::In(outcome))
    }
}

/// Tells how far the reading of one file is, and at the end that it is over, however it ended.
struct InFile<'a> {
    line: &'a Line<'a>,
    change: &'a Change,
    size: u64,
}

impl InFile<'_> {
    fn tell(&self, num_done: u64) {
        tracing::debug!(path = %self.change.path, num_done, size = self.size, "a large file is being read");
        self.line.progress.reading(&self.change.path, num_done, self.size);
    }
}

impl Drop for InFile<'_> {
    fn drop(&mut self) {
        self.line.progress.reading(&self.change.path, self.size, self.size);
    }
}
