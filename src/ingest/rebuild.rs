//! The index that is built beside the one that serves: file by file, from what the file table knows, until both hold the same.
//!
//! Changes go on to be brought into the index that serves, and this walk takes up what has become another file behind it. What
//! it reads is what the file table knows: a file that has changed without a word in the log gets one, and is taken up when its
//! change has been brought in.

use rayon::prelude::*;

use super::IngestError;
use super::large::{Brought, bring_in, read_whole};
use super::parts::LargeFile;
use super::past_us::witness_locked;
use super::prepare::{Prepared, read_in, unreadable};
use super::read::read_file;
use super::room::Room;
use super::worker::{BatchLimits, Line, LineReport, files_within};
use crate::failpoint;
use crate::index::Batch;
use crate::store::{Fingerprint, Observation, Outcome};
use crate::workspace::{Change, ChangeKind, FileEntry, Priority, Provenance, RelPath, Revision};

/// A walk over the files of a workspace that brings them into its new index.
#[derive(Debug, Default)]
pub struct Rebuild {
    /// Where the walk is.
    after: Option<RelPath>,
}

/// What became of one file.
enum Built {
    Prepared(Box<Prepared>),
    /// It is not what the file table knows.
    Changed(Box<Observation>),
}

impl Rebuild {
    /// Brings some files into the index of `line`, which does not serve yet, and returns how many: 0 where it holds all that
    /// can be held now, and [`Store::swap`](crate::store::Store::swap) may be tried.
    ///
    /// # Errors
    /// When the index or the store refuses; the batch is done again next time.
    pub fn some(&mut self, line: &Line<'_>, limits: BatchLimits) -> Result<usize, IngestError> {
        let obsolete = line.store.obsolete(line.workspace, limits.max_files)?;
        let mut files = line.store.unbuilt(line.workspace, self.after.as_ref(), limits.max_files)?;
        if files.is_empty() && self.after.is_some() {
            // What has changed behind the walk.
            self.after = None;
            files = line.store.unbuilt(line.workspace, None, limits.max_files)?;
        }
        let sizes: Vec<u64> = files.iter().map(|file| file.size).collect();
        let num_small = line.num_small(&sizes);
        files.truncate(files_within(&sizes[..num_small.max(1).min(sizes.len())], limits.max_bytes));
        if let (0, Some(large)) = (num_small, files.first())
            && build_large(line, large)?
        {
            self.after = files.pop().map(|file| file.path);
            return Ok(1);
        }
        let num_done = obsolete.len() + files.len();
        if num_done > 0 {
            build(line, obsolete, &files, &line.room(limits))?;
        }
        if let Some(last) = files.pop() {
            self.after = Some(last.path);
        }
        Ok(num_done)
    }
}

/// Brings in those of these files whose texts are not too much together; the others are taken up behind the walk.
fn build(line: &Line<'_>, obsolete: Vec<RelPath>, files: &[FileEntry], room: &Room) -> Result<(), IngestError> {
    let built = files.par_iter().filter_map(|file| build_file(line, file, room).transpose());
    let built: Vec<Built> = built.collect::<Result<_, _>>()?;
    write(line, obsolete, built)
}

fn write(line: &Line<'_>, obsolete: Vec<RelPath>, built: Vec<Built>) -> Result<(), IngestError> {
    let snapshot = line.index.snapshot()?;
    let (mut batch, mut outcomes) = (Batch::default(), Vec::new());
    for path in obsolete {
        outcomes.push(Prepared::Gone(path).into_batch(line, &*snapshot, &mut batch)?);
    }
    let mut changed = Vec::new();
    for file in built {
        match file {
            Built::Changed(observation) => changed.push(*observation),
            Built::Prepared(prepared) => outcomes.push(prepared.into_batch(line, &*snapshot, &mut batch)?),
        }
    }
    let revision = |outcome: &Outcome| match outcome {
        Outcome::File(entry, ..) => entry.revision,
        Outcome::Gone(_) => Revision::default(),
    };
    batch.revision = outcomes.iter().map(revision).max().unwrap_or_default();
    line.index.apply(&batch)?;
    failpoint::reach("rebuild: committed, not noted");
    line.store.note_built(line.workspace, line.epoch, &outcomes)?;
    if !changed.is_empty() {
        let locks = line.store.covering(line.workspace)?;
        let _alone = witness_locked(line.files, &locks, &mut changed, line.keep_out, line.progress)?;
        line.store.log(line.workspace, &changed, Priority::Backfill)?;
    }
    Ok(())
}

/// Brings in a large file, and returns whether that is done: one that is not what the file table knows is left.
fn build_large(line: &Line<'_>, file: &FileEntry) -> Result<bool, IngestError> {
    let large = match LargeFile::open(line.files, &file.path, line.max_file_bytes) {
        Ok(large) if file.content_hash == Some(large.content_hash) => large,
        _ => return Ok(false),
    };
    match bring_in(line, &change_of(file), large, &mut LineReport::default(), &|_| Ok(true))? {
        Brought::In(outcome) => {
            failpoint::reach("rebuild: committed, not noted");
            line.store.note_built(line.workspace, line.epoch, &[outcome])?;
            Ok(true)
        }
        Brought::Abandoned => Ok(false),
        Brought::Whole(large) => {
            let prepared = read_whole(line, &change_of(file), large)?;
            write(line, Vec::new(), vec![Built::Prepared(Box::new(prepared))])?;
            Ok(true)
        }
    }
}

/// The change that brought what the file table knows.
fn change_of(file: &FileEntry) -> Change {
    Change {
        revision: file.revision,
        path: file.path.clone(),
        kind: ChangeKind::Modified,
        from: None,
        at: file.modified,
        provenance: Provenance::default(),
    }
}

fn build_file(line: &Line<'_>, file: &FileEntry, room: &Room) -> Result<Option<Built>, IngestError> {
    if room.is_full() {
        return Ok(None);
    }
    let observed =
        |kind, fingerprint| Built::Changed(Box::new(Observation::new(file.path.clone(), kind, fingerprint, false)));
    let change = change_of(file);
    Ok(Some(match read_file(line.files, &file.path, line.max_file_bytes) {
        Ok(content) if file.content_hash == Some(content.content_hash) => {
            let Some(prepared) = read_in(line, &change, content, room)? else { return Ok(None) };
            Built::Prepared(Box::new(prepared))
        }
        Ok(content) => observed(ChangeKind::Modified, content.fingerprint),
        Err(error) if error.is_no_file() => observed(ChangeKind::Deleted, Fingerprint::NONE),
        Err(error) if error.is_of_place() => return Err(error.into()),
        // As it was when it was last tried.
        Err(error) if file.content_hash.is_none() => Built::Prepared(Box::new(unreadable(line, &change, &error))),
        Err(error) => {
            tracing::warn!(path = %file.path, %error, "a file cannot be read any more");
            observed(ChangeKind::Modified, Fingerprint::NEVER)
        }
    }))
}
