//! Changes of locked files that were made past us: seen for sure, so that the log can tell whether they violate a lock.
//!
//! A scan may see a file that is being written through us, whose change the log does not have yet. So a locked file is looked at again while
//! nobody writes through us. Its content is hashed, because a file that was only touched holds what is known.

use super::IngestError;
use super::progress::Progress;
use super::read::{ReadError, hash_file, seen};
use super::scan::KeepOut;
use crate::files::Files;
use crate::store::{Covering, Fingerprint, Observation};
use crate::workspace::{ChangeKind, ContentHash};

/// A file that is written while it is looked at is looked at again so often.
const MAX_ATTEMPTS: usize = 3;

/// Brings the changes of locked files to what is there while nobody writes through us, each with the hash of its content, and returns what keeps
/// others out until it is dropped.
///
/// # Errors
/// When others cannot be kept out.
pub(super) fn witness_locked(
    files: &dyn Files,
    locks: &Covering,
    observations: &mut [Observation],
    keep_out: KeepOut<'_>,
    progress: &dyn Progress,
) -> Result<Option<fs_err::File>, IngestError> {
    if locks.is_empty() {
        return Ok(None);
    }
    let mut of_locked = Vec::new();
    for observation in observations.iter_mut().filter(|seen| locks.locks_of(&seen.path).next().is_some()) {
        // Before others are kept out, because reading takes long.
        let content = content_of(files, observation);
        progress.advance(0);
        of_locked.push((observation, content));
    }
    if of_locked.is_empty() {
        return Ok(None);
    }
    let alone = keep_out()?;
    for (observation, content) in of_locked {
        witness(files, observation, content)?;
    }
    Ok(Some(alone))
}

/// As `witness_locked`, of one file, where others are kept out already.
///
/// # Errors
/// When its place does not answer.
pub fn witness_past_us(files: &dyn Files, observation: &mut Observation) -> Result<(), ReadError> {
    let content = content_of(files, observation);
    witness(files, observation, content)
}

/// The hash of a file and as what it was read; `None` where it cannot be read now.
fn content_of(files: &dyn Files, observation: &Observation) -> Option<(ContentHash, Fingerprint)> {
    let Observation { path, kind, fingerprint, .. } = observation;
    let is_there = *kind != ChangeKind::Deleted;
    let (_, content_hash, read_as) = hash_file(files, path, fingerprint.size).ok().filter(|_| is_there)?;
    Some((content_hash, read_as))
}

/// Looks at a file while nobody writes through us: whatever is there now, and is not known, was made past us.
fn witness(
    files: &dyn Files,
    observation: &mut Observation,
    mut content: Option<(ContentHash, Fingerprint)>,
) -> Result<(), ReadError> {
    let path = observation.path.clone();
    for _ in 0..MAX_ATTEMPTS {
        let Some(fingerprint) = seen(files, &path)? else {
            match observation.kind {
                // It went before anybody could read it: that it is gone is found by the line.
                ChangeKind::Created => return Ok(()),
                ChangeKind::Deleted => {}
                ChangeKind::Modified | ChangeKind::Renamed => {
                    (observation.kind, observation.fingerprint) = (ChangeKind::Deleted, Fingerprint::NONE);
                }
            }
            (observation.content_hash, observation.is_past_us) = (None, true);
            return Ok(());
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
                return Ok(());
            }
            Err(ReadError::Unstable | ReadError::Gone) => {}
            // What cannot be read is not compared.
            Err(_) => return Ok(()),
        }
    }
    // Somebody is writing it, and it is nobody who writes through us.
    (observation.content_hash, observation.is_past_us) = (None, true);
    Ok(())
}
