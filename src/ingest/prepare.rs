//! One change on its way: the file is read, its document made and cut into chunks, and what the index is to do goes into a batch.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::read::{self, FileContent, read_file};
use super::room::Room;
use super::worker::Line;
use super::{IngestError, ReadError};
use crate::chunk::{chunk, plain, repeated_lines};
use crate::error::Advice as _;
use crate::extract::{Document, ExtractError, language_of};
use crate::files::FilesError;
use crate::index::{Batch, ChunkPlace, ChunkRecord, FileFacts, Snapshot, VectorKey};
use crate::store::{Fingerprint, Known, Members, Outcome};
use crate::workspace::{
    Change, ChangeKind, ContentHash, FileEntry, FileState, Language, Provenance, RelPath, Revision, Span,
};

/// White space of more bytes than this is not kept between two chunks.
const MAX_GAP_BYTES: usize = 64;

/// What became of one change.
pub(super) enum Prepared {
    /// What was read, with its chunks, and the files inside it with theirs. Without chunks there is no text, for the reason in
    /// the entry.
    Read(FileEntry, Known, Vec<ChunkRecord>, Vec<(FileEntry, Vec<ChunkRecord>)>),
    /// What was already indexed; only the fingerprint is new.
    Unchanged(FileEntry, Known),
    /// No file, as the change says.
    Gone(RelPath),
    /// No file any more, although this change says that there is one.
    Missing(RelPath, Revision),
}

impl Prepared {
    /// Puts what the index is to do into its batch. `snapshot` is of the index before it.
    pub(super) fn into_batch(
        self,
        line: &Line<'_>,
        snapshot: &dyn Snapshot,
        batch: &mut Batch,
    ) -> Result<Outcome, IngestError> {
        let outcome = match self {
            Self::Unchanged(entry, known) => return Ok(Outcome::File(entry, known, Members::Same)),
            Self::Read(entry, known, chunks, members) => {
                let mut outside = inside(line, snapshot, &entry.path)?;
                let mut entries = Vec::with_capacity(members.len());
                batch.replaced.push((entry.path.clone(), chunks));
                for (member, chunks) in members {
                    outside.remove(&member.path);
                    batch.replaced.push((member.path.clone(), chunks));
                    entries.push(member);
                }
                batch.removed.extend(outside);
                Outcome::File(entry, known, Members::Are(entries))
            }
            Self::Gone(path) | Self::Missing(path, _) => {
                batch.removed.extend(inside(line, snapshot, &path)?);
                batch.removed.push(path.clone());
                Outcome::Gone(path)
            }
        };
        Ok(outcome)
    }

    /// What a change is of a file that holds what is already indexed.
    pub(super) fn unchanged(
        line: &Line<'_>,
        change: &Change,
        content_hash: ContentHash,
        now: Known,
    ) -> Result<Option<Self>, IngestError> {
        let known = line.store.file(line.workspace, &change.path)?;
        let known = known.filter(|known| known.content_hash == Some(content_hash) && known.num_chunks > 0);
        Ok(known.map(|known| {
            let entry = FileEntry {
                state: if known.reason.is_some() { FileState::Partial } else { FileState::Ready },
                size: now.fingerprint.size,
                modified: timestamp(now.fingerprint.modified_ns),
                ..known
            };
            Self::Unchanged(entry, now)
        }))
    }

    /// A file that is as it is, and not to be read.
    pub(super) fn failed(line: &Line<'_>, change: &Change, reason: String) -> Self {
        let seen = seen(line, change).unwrap_or(Fingerprint::NEVER);
        Self::Read(entry(change, &seen, FileState::Failed, Some(reason)), seen.into(), Vec::new(), Vec::new())
    }
}

/// What the index holds of files inside this one. It is the index that is asked, since after a crash the file table may know of
/// others.
pub(super) fn inside(
    line: &Line<'_>,
    snapshot: &dyn Snapshot,
    path: &RelPath,
) -> Result<BTreeSet<RelPath>, IngestError> {
    let mut inside = snapshot.below(path)?;
    if !inside.is_empty() {
        // A folder may have taken the place of the file, or the other way round.
        let on_disk = line.store.fingerprints_below(line.workspace, &[path.clone()].into())?;
        for (path, _) in on_disk {
            inside.remove(&path);
        }
    }
    Ok(inside)
}

/// Reads the file of a change, unless it is what the file table knows. `None` where its text has no room beside those before it.
pub(super) fn prepare(line: &Line<'_>, change: &Change, room: &Room) -> Result<Option<Prepared>, IngestError> {
    let path = &change.path;
    // Also a file that is there: it may be ignored from now on, and if it is back, a later change says so.
    if change.kind == ChangeKind::Deleted {
        return Ok(Some(Prepared::Gone(path.clone())));
    }
    if room.is_full() {
        return Ok(None);
    }
    let content = match read_file(line.files, path, line.max_file_bytes) {
        Ok(content) => content,
        Err(error) => return not_read(line, change, error).map(Some),
    };
    match Prepared::unchanged(line, change, content.content_hash, content.known())? {
        Some(unchanged) => Ok(Some(unchanged)),
        None => read_in(line, change, content, room),
    }
}

/// What becomes of a change whose file was not read; an error where that is none of the file's.
pub(super) fn not_read(line: &Line<'_>, change: &Change, error: ReadError) -> Result<Prepared, IngestError> {
    if error.is_of_place() {
        return Err(error.into());
    }
    if error.is_no_file() || matches!(error, ReadError::Files(FilesError::Link { .. })) {
        return Ok(Prepared::Missing(change.path.clone(), change.revision));
    }
    tracing::warn!(path = %change.path, %error, "a file cannot be read");
    Ok(unreadable(line, change, &error))
}

/// What becomes of a file that cannot be read; the next scan takes it up again.
pub(super) fn unreadable(line: &Line<'_>, change: &Change, error: &ReadError) -> Prepared {
    let seen = seen(line, change);
    let mut entry = entry(change, &seen.unwrap_or(Fingerprint::NEVER), FileState::Failed, Some(error.reason()));
    // In a folder that may not be entered it is listed as it was.
    if let (None, Ok(Some(before))) = (seen, line.store.file(line.workspace, &change.path)) {
        (entry.size, entry.modified) = (before.size, before.modified);
    }
    Prepared::Read(entry, Fingerprint::NEVER.into(), Vec::new(), Vec::new())
}

fn seen(line: &Line<'_>, change: &Change) -> Option<Fingerprint> {
    // One at which calls hang is not asked: no other is begun there.
    read::seen(line.files, &change.path).ok().flatten()
}

/// What is to be done with the content of a file; `None` where its text has no room beside those before it.
pub(super) fn read_in(
    line: &Line<'_>,
    change: &Change,
    content: FileContent,
    room: &Room,
) -> Result<Option<Prepared>, IngestError> {
    let known = content.known();
    let FileContent { bytes, content_hash, .. } = content;
    let outcome = line.extractor.extract(bytes, change.path.file_name());
    if outcome.as_ref().is_ok_and(|document| !room.takes(document)) {
        return Ok(None);
    }
    prepare_document(line, change, known, content_hash, outcome).map(Some)
}

/// What is to be done with what was made of a file, and of the files inside it.
pub(super) fn prepare_document(
    line: &Line<'_>,
    change: &Change,
    mut known: Known,
    content_hash: ContentHash,
    mut outcome: Result<Document, ExtractError>,
) -> Result<Prepared, IngestError> {
    let fingerprint = known.fingerprint;
    if let Err(error @ ExtractError::Unavailable { .. }) = outcome {
        return Err(error.into());
    }
    if let Err(ExtractError::Killed { .. }) = outcome {
        // The next scan takes it up again.
        known = Known { fingerprint: Fingerprint::NEVER, racy_until_ns: None, ..known };
    }
    let members = outcome.as_mut().map_or_else(|_| Vec::new(), |document| std::mem::take(&mut document.members));
    let facts = |path, size, content_hash| Facts { path, size, content_hash, change, fingerprint: &fingerprint };
    let mut read_members = Vec::with_capacity(members.len());
    for member in members {
        let path = format!("{}/{}", change.path, member.path);
        let Ok(path) = path.parse() else {
            // What the error says would quote a name that stands in the file.
            tracing::warn!(path = %change.path, "a file inside cannot be listed: its name can be no path");
            continue;
        };
        read_members.push(read_document(line, &facts(path, member.size, member.content_hash), member.outcome));
    }
    let own = facts(change.path.clone(), fingerprint.size, Some(content_hash));
    let (entry, chunks) = read_document(line, &own, outcome);
    let read_members = read_members
        .into_iter()
        .map(|(member, chunks)| (FileEntry { container: Some(change.path.clone()), ..member }, chunks));
    Ok(Prepared::Read(entry, known, chunks, read_members.collect()))
}

/// What is known of a file before its document is looked at.
pub(super) struct Facts<'a> {
    pub path: RelPath,
    pub size: u64,
    pub content_hash: Option<ContentHash>,
    pub change: &'a Change,
    pub fingerprint: &'a Fingerprint,
}

/// What of a file's text comes before a part of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Before {
    pub text_bytes: usize,
    pub lines: u32,
}

/// The row and the chunks of a file on disk or inside one.
fn read_document(
    line: &Line<'_>,
    facts: &Facts<'_>,
    outcome: Result<Document, ExtractError>,
) -> (FileEntry, Vec<ChunkRecord>) {
    let mut entry = entry(facts.change, facts.fingerprint, FileState::Ready, None);
    (entry.path, entry.size, entry.content_hash) = (facts.path.clone(), facts.size, facts.content_hash);
    let document = match outcome {
        Ok(document) => document,
        Err(error) => {
            entry.state = FileState::Failed;
            if matches!(error, ExtractError::Unsupported { .. }) {
                entry.state = FileState::Unsupported;
            } else {
                // What the error says may quote the file; the file's state has it.
                tracing::warn!(path = %facts.path, code = error.code(), "extraction failed");
            }
            entry.reason = Some(error.to_string());
            return (entry, Vec::new());
        }
    };
    let language = language_of(&document);
    let chunks = records(line, facts, &document, language, Before::default());
    entry.format = Some(document.format.name().to_owned());
    if chunks.is_empty() {
        entry.state = FileState::Empty;
        entry.reason = Some(document.partial.unwrap_or_else(|| "the file holds no text".to_owned()));
        return (entry, chunks);
    }
    if document.partial.is_some() {
        entry.state = FileState::Partial;
        entry.reason = document.partial;
    }
    entry.title = document.title;
    entry.language = language;
    entry.num_chunks = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
    (entry, chunks)
}

/// The chunks of a document in `language`, or of a part of one that comes after what `before` says.
pub(super) fn records(
    line: &Line<'_>,
    facts: &Facts<'_>,
    document: &Document,
    language: Option<Language>,
    before: Before,
) -> Vec<ChunkRecord> {
    // A document was made of bytes, and bytes have a hash.
    let Some(content_hash) = facts.content_hash else { return Vec::new() };
    let file = Arc::new(FileFacts {
        path: facts.path.clone(),
        content_hash,
        revision: facts.change.revision,
        format: document.format,
        modified_ms: facts.fingerprint.modified_ns.div_euclid(1_000_000),
        title: document.title.clone(),
        language,
    });
    let may_be_embedded = line.embeds.knows(language);
    let repeated = repeated_lines(document);
    let mut end_before = 0;
    chunk(document, line.tokens)
        .into_iter()
        .map(|chunk| {
            let words = &document.text[chunk.span.range()];
            // Words that stand far apart are not put together again, so a wide gap need not be kept.
            let gap = &document.text[end_before..chunk.span.start];
            let gap = if gap.len() <= MAX_GAP_BYTES { gap.to_owned() } else { String::new() };
            end_before = chunk.span.end;
            let context = chunk.embedding_text.strip_suffix(&*plain(words)).unwrap_or_default().to_owned();
            let place = ChunkPlace {
                ordinal: chunk.ordinal,
                span: chunk.span.after(before.text_bytes),
                page: chunk.page,
                page_unit: document.page_unit,
                cells: chunk.cells,
                lines: chunk.lines.map(|lines| lines.after(before.lines)),
                trail: chunk.trail.to_vec(),
                header: chunk.header.map(|header| header.to_string()),
                context,
                repeated: within(&repeated, chunk.span),
            };
            let key = VectorKey::NONE;
            let mut record = ChunkRecord { file: Arc::clone(&file), place, words: words.to_owned(), gap, key };
            if may_be_embedded {
                record.key = VectorKey::of(line.model_id, &record.embedding_text());
            }
            record
        })
        .collect()
}

/// What of some spans is in `whole`, from its start on.
fn within(spans: &[Span], whole: Span) -> Vec<Span> {
    let inside = |span: &Span| {
        let (start, end) = (span.start.max(whole.start), span.end.min(whole.end));
        (start < end).then(|| Span::new(start - whole.start, end - whole.start))
    };
    spans.iter().filter_map(inside).collect()
}

/// The row of a file of which nothing is known but what was seen of it.
pub(super) fn entry(change: &Change, fingerprint: &Fingerprint, state: FileState, reason: Option<String>) -> FileEntry {
    FileEntry {
        path: change.path.clone(),
        state,
        reason,
        format: None,
        title: None,
        language: None,
        size: fingerprint.size,
        modified: timestamp(fingerprint.modified_ns),
        content_hash: None,
        revision: change.revision,
        num_chunks: 0,
        container: None,
        provenance: Provenance::default(),
    }
}

fn timestamp(modified_ns: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(modified_ns)).unwrap_or(Timestamp::UNIX_EPOCH)
}
