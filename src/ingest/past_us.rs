//! Changes that were made past us: of locked files, seen for sure, so that the log can tell whether they violate a lock; and files that go before
//! their change is read.
//!
//! A scan may see a file that is being written through us, whose change the log does not have yet. So a locked file is looked at again while
//! nobody writes through us. Its content is hashed, because a file that was only touched holds what is known.

use super::IngestError;
use super::progress::Progress;
use super::read::{ReadError, hash_file, seen};
use super::scan::KeepOut;
use crate::files::Files;
use crate::store::{Covering, Fingerprint, Observation, Store};
use crate::workspace::{ChangeKind, ContentHash, Priority, RelPath, Revision, WorkspaceId};

/// A file that is written while it is looked at is looked at again so often.
const MAX_ATTEMPTS: usize = 3;

/// Brings the changes of locked files to what is there while nobody writes through us, each with the hash of its content, and returns what keeps
/// others out until it is dropped. A new file that is gone by then was deleted through us, or nobody knew of it: its change goes.
///
/// # Errors
/// When others cannot be kept out.
pub(super) fn witness_locked(
    files: &dyn Files,
    locks: &Covering,
    observations: &mut Vec<Observation>,
    keep_out: KeepOut<'_>,
    progress: &dyn Progress,
) -> Result<Option<fs_err::File>, IngestError> {
    if locks.is_empty() {
        return Ok(None);
    }
    let mut of_locked = Vec::new();
    for (number, observation) in observations.iter().enumerate() {
        if locks.locks_of(&observation.path).next().is_some() {
            // Before others are kept out, because reading takes long.
            of_locked.push((number, content_of(files, observation)));
            progress.advance(0);
        }
    }
    if of_locked.is_empty() {
        return Ok(None);
    }
    let alone = keep_out()?;
    // From the last on, so the places of the others stay.
    for (number, content) in of_locked.into_iter().rev() {
        if !witness(files, &mut observations[number], content)? {
            observations.remove(number);
        }
    }
    Ok(Some(alone))
}

/// As `witness_locked`, of one file, where others are kept out already.
///
/// # Errors
/// When its place does not answer.
pub fn witness_past_us(files: &dyn Files, observation: &mut Observation) -> Result<(), ReadError> {
    let content = content_of(files, observation);
    witness(files, observation, content).map(drop)
}

/// Logs files as deleted that are gone although their newest change, `missing`, says that they are there: whoever was told of it hears that they went.
///
/// # Errors
/// None of them is logged then.
pub(super) fn log_missing(
    store: &Store,
    workspace: &WorkspaceId,
    files: &dyn Files,
    missing: &[(RelPath, Revision)],
    keep_out: KeepOut<'_>,
) -> Result<(), IngestError> {
    if missing.is_empty() {
        return Ok(());
    }
    let _alone = keep_out()?;
    let mut deleted = Vec::new();
    for (path, revision) in missing {
        // What came since tells what has become of it, and what is back is found by a scan.
        if store.newest_change(workspace, path)? == Some(*revision) && seen(files, path)?.is_none() {
            let gone = Observation::new(path.clone(), ChangeKind::Deleted, Fingerprint::NONE, false);
            deleted.push(Observation { is_past_us: true, ..gone });
        }
    }
    store.log(workspace, &deleted, Priority::Interactive)?;
    Ok(())
}

/// The hash of a file and as what it was read; `None` where it cannot be read now.
fn content_of(files: &dyn Files, observation: &Observation) -> Option<(ContentHash, Fingerprint)> {
    let Observation { path, kind, fingerprint, .. } = observation;
    let is_there = *kind != ChangeKind::Deleted;
    let (_, content_hash, read_as) = hash_file(files, path, fingerprint.size).ok().filter(|_| is_there)?;
    Some((content_hash, read_as))
}

/// Looks at a file while nobody writes through us: whatever is there now, and is not known, was made past us. `false` where a new file is gone.
fn witness(
    files: &dyn Files,
    observation: &mut Observation,
    mut content: Option<(ContentHash, Fingerprint)>,
) -> Result<bool, ReadError> {
    let path = observation.path.clone();
    for _ in 0..MAX_ATTEMPTS {
        let Some(fingerprint) = seen(files, &path)? else {
            match observation.kind {
                ChangeKind::Created => return Ok(false),
                ChangeKind::Deleted => {}
                ChangeKind::Modified | ChangeKind::Renamed => {
                    (observation.kind, observation.fingerprint) = (ChangeKind::Deleted, Fingerprint::NONE);
                }
            }
            (observation.content_hash, observation.is_past_us) = (None, true);
            return Ok(true);
        };
        let read = match content.take().filter(|(_, read_as)| *read_as == fingerprint) {
            Some(read) => Ok(read),
            None => hash_file(files, &path, fingerprint.size).map(|(_, content_hash, read_as)| (content_hash, read_as)),
        };
        match read {
            Ok((content_hash, read_as)) => {
                if observation.kind == ChangeKind::Deleted {
                    observation.kind = ChangeKind::Modified;
                }
                (observation.content_hash, observation.fingerprint) = (Some(content_hash), read_as);
                observation.is_past_us = true;
                return Ok(true);
            }
            Err(ReadError::Unstable | ReadError::Gone) => {}
            // What cannot be read is not compared.
            Err(_) => return Ok(true),
        }
    }
    // Somebody is writing it, and it is nobody who writes through us.
    (observation.content_hash, observation.is_past_us) = (None, true);
    Ok(true)
}
