//! The worker: pending changes of one workspace, through extraction and chunks into the index, and then the vectors.

use rayon::prelude::*;

use super::IngestError;
use super::large::index_large;
use super::parts::PartSizes;
use super::past_us::log_missing;
use super::prepare::{Prepared, entry, prepare};
use super::progress::{Progress, Stage};
use super::read::{HANGS, ReadError, as_seen};
use super::room::Room;
use super::scan::KeepOut;
use crate::chunk::TokenCounter;
use crate::embed::{EmbedError, Embedder, ModelLanguages};
use crate::extract::Extractor;
use crate::failpoint;
use crate::files::{Files, FilesError, Stat};
use crate::index::{Batch, Index, VectorKey};
use crate::store::{Fingerprint, Members, Outcome, Store};
use crate::workspace::{Change, ChangeKind, FileState, Priority, RelPath, Revision, WorkspaceId};

/// How much is brought in at once: what becomes visible together, and what is held in memory at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Changes at most.
    pub max_files: usize,
    /// Bytes of files, about; a batch has one file at least.
    pub max_bytes: u64,
}

/// A batch takes at most so many times as much text as its files may have bytes: documents are packed, and some were made to do harm.
const TEXT_BYTES_PER_BYTE: u64 = 4;

impl BatchLimits {
    /// For a run that somebody waits for as a whole: so many that a commit's cost is small beside its files'.
    pub const WHOLE: Self = Self { max_files: 4_096, max_bytes: 64 * 1024 * 1024 };
    /// For a backfill beside others who write: small enough that an interactive change waits a few tenths of a second.
    pub const BESIDE_OTHERS: Self = Self { max_files: 128, max_bytes: 1024 * 1024 };
    /// For interactive changes: the first of many are not held up by the last.
    pub const INTERACTIVE: Self = Self { max_files: 64, max_bytes: 4 * 1024 * 1024 };
}

/// Chunks that are embedded between two looks at what is newest.
pub const EMBED_BATCH: usize = 512;

/// What the worker works with.
pub struct Line<'a> {
    /// The log and the file table.
    pub store: &'a Store,
    /// The workspace whose changes are brought in.
    pub workspace: &'a WorkspaceId,
    /// The epoch of the workspace that `index` is of: in another one nothing is acknowledged.
    pub epoch: i64,
    /// Its files.
    pub files: &'a dyn Files,
    /// Where they go.
    pub index: &'a dyn Index,
    /// Reads files.
    pub extractor: Box<dyn Extractor + 'a>,
    /// Counts tokens for the chunker.
    pub tokens: &'a dyn TokenCounter,
    /// Names the model in the keys of vectors.
    pub model_id: &'a str,
    /// What it may embed.
    pub embeds: &'a ModelLanguages,
    /// Larger files are refused.
    pub max_file_bytes: u64,
    /// Maximum size, in bytes, of a file that is read into memory at once.
    pub max_whole_bytes: u64,
    /// Which files are read in parts.
    pub parts: PartSizes,
    /// Bytes of text that are brought in at once, whatever the files have on disk; a file with more is alone.
    pub max_batch_text_bytes: u64,
    /// Keeps others from writing while a file is looked at that is gone.
    pub keep_out: KeepOut<'a>,
    /// Is told how far it is.
    pub progress: &'a dyn Progress,
}

/// What the worker did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineReport {
    /// Files whose content went into the index.
    pub num_indexed: usize,
    /// Files that were touched and hold what is already indexed.
    pub num_unchanged: usize,
    /// Files that went out of the index.
    pub num_removed: usize,
    /// Chunks that were written.
    pub num_chunks: usize,
    /// Chunks that were embedded.
    pub num_embedded: usize,
}

impl std::ops::AddAssign for LineReport {
    fn add_assign(&mut self, other: Self) {
        self.num_indexed += other.num_indexed;
        self.num_unchanged += other.num_unchanged;
        self.num_removed += other.num_removed;
        self.num_chunks += other.num_chunks;
        self.num_embedded += other.num_embedded;
    }
}

/// Brings all pending changes into the index, in batches, each committed and then acknowledged.
///
/// # Errors
/// When the index or the store refuses; batches before stay, the failed one is done again next time.
pub fn index_pending(line: &Line<'_>) -> Result<LineReport, IngestError> {
    let progress = line.progress;
    let mut report = LineReport::default();
    let total = line.store.counts(line.workspace)?.pending;
    distrust_unacknowledged(line)?;
    progress.begin(Stage::Indexing, Some(total));
    loop {
        let done = match index_interactive(line, &mut report)? {
            0 => index_backfill(line, BatchLimits::WHOLE, &mut report)?,
            done => done,
        };
        if done == 0 {
            break;
        }
        progress.advance(done as u64);
    }
    progress.end();
    Ok(report)
}

/// Has files read anew whose change was committed and not acknowledged, by a crash or because the store refused: the file
/// table tells less of them than the index holds, and a file that is back at its old bytes would pass for unchanged.
///
/// Called before the first batch, and again after one that failed.
///
/// # Errors
/// When the index or the store refuses.
pub fn distrust_unacknowledged(line: &Line<'_>) -> Result<(), IngestError> {
    let committed = line.index.snapshot()?.revision();
    Ok(line.store.distrust_unacknowledged(line.workspace, committed)?)
}

/// Brings in one small batch of interactive changes, and returns how many: 0 where none is pending.
///
/// # Errors
/// When the index or the store refuses; the batch is done again next time.
pub fn index_interactive(line: &Line<'_>, report: &mut LineReport) -> Result<usize, IngestError> {
    index_some(line, Priority::Interactive, BatchLimits::INTERACTIVE, report)
}

/// Brings in one batch of what scans have found, and returns how many changes: 0 where none is pending.
///
/// # Errors
/// When the index or the store refuses; the batch is done again next time.
pub fn index_backfill(line: &Line<'_>, limits: BatchLimits, report: &mut LineReport) -> Result<usize, IngestError> {
    index_some(line, Priority::Backfill, limits, report)
}

fn index_some(
    line: &Line<'_>,
    priority: Priority,
    limits: BatchLimits,
    report: &mut LineReport,
) -> Result<usize, IngestError> {
    let changes = line.store.pending(line.workspace, priority, limits.max_files)?;
    let sizes = line.sizes(&changes)?;
    let num_small = line.num_small(&sizes);
    if let (0, Some(first)) = (num_small, changes.first()) {
        index_large(line, first, report)?;
        return Ok(1);
    }
    let num_files = files_within(&sizes[..num_small], limits.max_bytes);
    index_batch(line, &changes[..num_files], limits, report)
}

/// Brings in the interactive changes that are pending, but for those of large files: nobody waits for one file behind another that
/// takes minutes.
pub(super) fn index_small_interactive(line: &Line<'_>, report: &mut LineReport) -> Result<(), IngestError> {
    loop {
        let limits = BatchLimits::INTERACTIVE;
        let changes = line.store.pending(line.workspace, Priority::Interactive, limits.max_files)?;
        let with_size = line.sizes(&changes)?.into_iter().zip(changes);
        let small = with_size.filter(|(size, _)| *size <= line.parts.from_bytes);
        let (sizes, changes): (Vec<u64>, Vec<Change>) = small.unzip();
        let num_files = files_within(&sizes, limits.max_bytes);
        if num_files == 0 {
            return Ok(());
        }
        index_batch(line, &changes[..num_files], limits, report)?;
    }
}

/// Takes note of one batch of pending changes without reading any file, as where a workspace's intelligence is off, and returns
/// how many: 0 where none is pending.
///
/// # Errors
/// When the store refuses; the batch is done again next time.
pub fn list_some(
    store: &Store,
    (workspace, epoch): (&WorkspaceId, i64),
    files: &dyn Files,
    keep_out: KeepOut<'_>,
) -> Result<usize, IngestError> {
    let max_files = BatchLimits::WHOLE.max_files;
    let mut changes = store.pending(workspace, Priority::Interactive, max_files)?;
    if changes.is_empty() {
        changes = store.pending(workspace, Priority::Backfill, max_files)?;
    }
    let Some(through) = changes.iter().map(|change| change.revision).max() else { return Ok(0) };
    let listed = |change: &Change, seen: Fingerprint, state, reason: &str| {
        Outcome::File(entry(change, &seen, state, Some(reason.to_owned())), seen.into(), Members::Are(Vec::new()))
    };
    let outcome = |(change, stat): (&Change, Result<Stat, FilesError>)| match as_seen(stat) {
        Ok(Some(seen)) if change.kind != ChangeKind::Deleted => {
            Ok(listed(change, seen, FileState::Listed, "the workspace's intelligence is off"))
        }
        Err(error) if error.is_of_place() => Err(error),
        // The next scan takes it up again.
        Err(_) if change.kind != ChangeKind::Deleted => {
            Ok(listed(change, Fingerprint::NEVER, FileState::Failed, HANGS))
        }
        _ => Ok(Outcome::Gone(change.path.clone())),
    };
    let outcomes = changes.iter().zip(files.stat_each(&paths_of(&changes))).map(outcome);
    let outcomes: Vec<Outcome> = outcomes.collect::<Result<_, _>>()?;
    let is_missing = |(change, outcome): &(&Change, &Outcome)| {
        change.kind != ChangeKind::Deleted && matches!(outcome, Outcome::Gone(_))
    };
    let missing = changes.iter().zip(&outcomes).filter(is_missing);
    let missing: Vec<_> = missing.map(|(change, _)| (change.path.clone(), change.revision)).collect();
    log_missing(store, workspace, files, &missing, keep_out)?;
    store.acknowledge(workspace, epoch, through, &outcomes)?;
    Ok(changes.len())
}

/// Embeds these chunks and keeps their vectors.
///
/// # Errors
/// When the model or the index refuses; no vector is kept then.
pub fn embed(index: &dyn Index, embedder: &dyn Embedder, waiting: &[(VectorKey, String)]) -> Result<(), IngestError> {
    let texts: Vec<&str> = waiting.iter().map(|(_, text)| text.as_str()).collect();
    let vectors = embedder.embed_passages(&texts)?;
    if vectors.len() != texts.len() {
        // Taken as they are, the texts without one would be asked for again and again.
        let reason = format!("{} vectors came of {} texts", vectors.len(), texts.len());
        return Err(EmbedError::Failed { reason }.into());
    }
    let vectors: Vec<(VectorKey, Vec<f32>)> = waiting.iter().map(|(key, _)| *key).zip(vectors).collect();
    Ok(index.add_vectors(&vectors)?)
}

/// How many files from the front stay within `max_bytes`; at least one where there is one.
pub(super) fn files_within(sizes: &[u64], max_bytes: u64) -> usize {
    let mut sum = 0_u64;
    let within = sizes.iter().take_while(|&&size| {
        sum = sum.saturating_add(size);
        sum <= max_bytes
    });
    within.count().max(1).min(sizes.len())
}

/// Brings in those of these changes whose texts are not too much together, and returns how many: at least one where there is one.
fn index_batch(
    line: &Line<'_>,
    changes: &[Change],
    limits: BatchLimits,
    report: &mut LineReport,
) -> Result<usize, IngestError> {
    let room = line.room(limits);
    let prepare_one = |change: &Change| -> Result<Option<(Revision, Prepared)>, IngestError> {
        Ok(prepare(line, change, &room)?.map(|prepared| (change.revision, prepared)))
    };
    let prepared = changes.par_iter().filter_map(|change| prepare_one(change).transpose());
    let prepared: Vec<(Revision, Prepared)> = prepared.collect::<Result<_, IngestError>>()?;
    let Some(through) = prepared.iter().map(|(revision, _)| *revision).max() else { return Ok(0) };
    let num_done = prepared.len();
    finish(line, through, prepared.into_iter().map(|(_, prepared)| prepared).collect(), report)?;
    Ok(num_done)
}

/// Puts what was prepared into the index, and then acknowledges it.
pub(super) fn finish(
    line: &Line<'_>,
    through: Revision,
    prepared: Vec<Prepared>,
    report: &mut LineReport,
) -> Result<(), IngestError> {
    let snapshot = line.index.snapshot()?;
    let mut batch = Batch { revision: through, ..Batch::default() };
    let (mut outcomes, mut missing) = (Vec::with_capacity(prepared.len()), Vec::new());
    for file in prepared {
        match &file {
            Prepared::Read(_, _, chunks, members) => {
                for chunks in members.iter().map(|(_, chunks)| chunks).chain([chunks]) {
                    report.num_indexed += usize::from(!chunks.is_empty());
                    report.num_chunks += chunks.len();
                }
            }
            Prepared::Unchanged(..) => report.num_unchanged += 1,
            Prepared::Gone(_) => report.num_removed += 1,
            // Its deletion comes next.
            Prepared::Missing(path, revision) => missing.push((path.clone(), *revision)),
        }
        outcomes.push(file.into_batch(line, &*snapshot, &mut batch)?);
    }
    drop(snapshot);
    line.log_missing(&missing)?;
    // The index first: a crash after this line repeats the batch, a crash after an early acknowledgement would lose it.
    failpoint::reach("line: about to commit");
    line.index.apply(&batch)?;
    failpoint::reach("line: committed, not acknowledged");
    line.store.acknowledge(line.workspace, line.epoch, through, &outcomes)?;
    Ok(())
}

impl Line<'_> {
    /// Logs these files as deleted.
    pub(super) fn log_missing(&self, missing: &[(RelPath, Revision)]) -> Result<(), IngestError> {
        log_missing(self.store, self.workspace, self.files, missing, self.keep_out)
    }

    /// How many files from the front are before the first that may be read in parts.
    pub(super) fn num_small(&self, sizes: &[u64]) -> usize {
        sizes.iter().take_while(|&&size| size <= self.parts.from_bytes).count()
    }

    /// The room for the texts of one batch.
    pub(super) fn room(&self, limits: BatchLimits) -> Room {
        Room::new(self.max_batch_text_bytes.min(limits.max_bytes.saturating_mul(TEXT_BYTES_PER_BYTE)))
    }

    /// The sizes of the files of some changes; 0 of those that are none, or that cannot be told.
    fn sizes(&self, changes: &[Change]) -> Result<Vec<u64>, ReadError> {
        let size = |stat| match as_seen(stat) {
            Err(error) if error.is_of_place() => Err(error),
            seen => Ok(seen.ok().flatten().map_or(0, |seen| seen.size)),
        };
        self.files.stat_each(&paths_of(changes)).into_iter().map(size).collect()
    }
}

fn paths_of(changes: &[Change]) -> Vec<RelPath> {
    changes.iter().map(|change| change.path.clone()).collect()
}
