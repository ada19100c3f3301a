//! A listing compared with the file table: what is to be logged.
//!
//! # Invariants
//! - A file whose fingerprint is not the known one, but has its size and modification time, is compared by its bytes: the same bytes
//!   are no change.
//! - A file that may not be read any more is logged as changed, so that its text is hidden and the reason listed; once it is `failed`
//!   for that, it is not logged again.
//! - A file that went and one that came, of one inode, size, time and content, are one renaming.

use std::collections::{BTreeMap, HashMap};

use super::prepare::NEVER;
use super::read::{Compared, compare, fingerprint_of, hash_file, is_denied};
use crate::files::{Files, Unlisted};
use crate::store::{Fingerprint, Known, Moved, Observation};
use crate::workspace::{ChangeKind, RelPath};

/// What a listing says against the file table.
#[derive(Default)]
pub(super) struct Differences {
    /// The changes.
    pub observations: Vec<Observation>,
    /// Files that hold what is known, under a new fingerprint.
    pub looked_at: Vec<(RelPath, Known)>,
}

pub(super) fn differences(
    files: &dyn Files,
    found: BTreeMap<RelPath, Fingerprint>,
    known: Vec<(RelPath, Option<Known>)>,
    unlisted: &[Unlisted],
) -> Differences {
    let mut differences = Differences::default();
    let Differences { observations, looked_at } = &mut differences;
    let mut known: BTreeMap<RelPath, Option<Known>> = known.into_iter().collect();
    for (path, fingerprint) in found {
        let (kind, is_new_content) = match known.remove(&path) {
            None => (ChangeKind::Created, false),
            Some(Some(before)) if before.fingerprint.has_size_and_time_of(&fingerprint) => {
                match compare(files, &path, before, fingerprint) {
                    Compared::Same(after) => {
                        if after != before {
                            looked_at.push((path, after));
                        }
                        continue;
                    }
                    Compared::Unknown => (ChangeKind::Modified, false),
                    // Size and time do not tell it from what is indexed.
                    Compared::Other | Compared::NotReadable => (ChangeKind::Modified, true),
                }
            }
            Some(Some(before)) if before.fingerprint == NEVER && is_denied(files, &path) => continue,
            Some(_) => (ChangeKind::Modified, false),
        };
        observations.push(Observation::new(path, kind, fingerprint, is_new_content));
    }
    let mut gone = Vec::new();
    for (path, known) in known {
        // A folder that could not be listed hides its files; they are not taken for deleted.
        if let Some(Unlisted { is_denied, .. }) =
            unlisted.iter().find(|unlisted| is_at_or_below(path.as_str(), &unlisted.place))
        {
            if *is_denied && known.is_some_and(|known| known.fingerprint != NEVER) {
                observations.push(Observation::new(path, ChangeKind::Modified, Fingerprint::NONE, true));
            }
        // Nor is a file that came back while the others were listed.
        } else if fingerprint_of(files, &path).is_none() || !files.admits(&path) {
            gone.push((path, known));
        }
    }
    let mut deleted = renamed(files, observations, &gone);
    observations.append(&mut deleted);
    differences
}

/// Marks in `observations` the files that were at a path that is `gone`, and returns the observations of those paths.
fn renamed(files: &dyn Files, observations: &mut [Observation], gone: &[(RelPath, Option<Known>)]) -> Vec<Observation> {
    let mut by_inode: HashMap<u64, usize> = HashMap::new();
    for (number, (_, known)) in gone.iter().enumerate() {
        if let Some(known) = known.filter(|known| known.fingerprint.inode != 0 && known.content_hash.is_some()) {
            by_inode.insert(known.fingerprint.inode, number);
        }
    }
    let deletion = |path: &RelPath| Observation::new(path.clone(), ChangeKind::Deleted, Fingerprint::NONE, false);
    let mut deleted: Vec<Observation> = gone.iter().map(|(path, _)| deletion(path)).collect();
    for observation in observations {
        let Some(&number) = by_inode.get(&observation.fingerprint.inode) else { continue };
        let (from, Some(known)) = &gone[number] else { continue };
        let (path, fingerprint) = (&observation.path, observation.fingerprint);
        if deleted[number].moved.is_some() || !known.fingerprint.has_size_and_time_of(&fingerprint) {
            continue;
        }
        let Ok((_, content_hash, _)) = hash_file(files, path, fingerprint.size) else { continue };
        if known.content_hash == Some(content_hash) {
            observation.moved = Some(Moved::From(from.clone()));
            observation.content_hash = Some(content_hash);
            deleted[number].moved = Some(Moved::Away);
        }
    }
    deleted
}

fn is_at_or_below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
