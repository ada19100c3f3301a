//! A listing compared with the file table: what is to be logged.
//!
//! # Invariants
//! - A file whose fingerprint is not the known one, but has its size and modification time, is compared by its bytes: the same bytes
//!   are no change.
//! - A file that may not be read any more is logged as changed, so that its text is hidden and the reason listed; once it is `failed`
//!   for that, it is not logged again.
//! - A file that went and one that came, of one inode, size, time and content, are one renaming.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::read::{Compared, compare, hash_file, is_denied, seen};
use crate::files::{Entry, Files, Stat, Unlisted};
use crate::store::{Fingerprint, Known, Moved, Observation, Store, StoreError};
use crate::workspace::{ChangeKind, RelPath, WorkspaceId};

/// What a listing says against the file table.
pub(super) struct Differences {
    /// Files that the listing has.
    pub num_files: usize,
    /// The changes.
    pub observations: Vec<Observation>,
    /// Files that hold what is known, under a new fingerprint.
    pub looked_at: Vec<(RelPath, Known)>,
}

/// The comparison of a listing with the file table, page by page.
pub(super) struct Comparison<'a> {
    files: &'a dyn Files,
    /// What the file table knows.
    known: BTreeMap<RelPath, Row>,
    unlisted: Vec<Unlisted>,
    observations: Vec<Observation>,
    looked_at: Vec<(RelPath, Known)>,
    /// The inodes of files that have another fingerprint than is known.
    changed: BTreeSet<u64>,
}

/// A row of the file table.
struct Row {
    known: Option<Known>,
    is_found: bool,
}

impl<'a> Comparison<'a> {
    pub(super) const fn new(files: &'a dyn Files) -> Self {
        Self {
            files,
            known: BTreeMap::new(),
            unlisted: Vec::new(),
            observations: Vec::new(),
            looked_at: Vec::new(),
            changed: BTreeSet::new(),
        }
    }

    /// Adds what the file table knows of files that are to be listed.
    pub(super) fn know(&mut self, known: Vec<(RelPath, Option<Known>)>) {
        for (path, known) in known {
            self.known.entry(path).or_insert(Row { known, is_found: false });
        }
    }

    /// Takes the files of a page, and those of which it knows nothing.
    pub(super) fn take(&mut self, files: Vec<Entry>, unlisted: Vec<Unlisted>) {
        self.unlisted.extend(unlisted);
        for Entry { path, stat: Stat { fingerprint, .. } } in files {
            self.take_file(path, fingerprint);
        }
    }

    fn take_file(&mut self, path: RelPath, fingerprint: Fingerprint) {
        let before = match self.known.get_mut(&path) {
            // A folder that was renamed meanwhile may be listed again.
            Some(Row { is_found: true, .. }) => return,
            Some(row) => {
                row.is_found = true;
                Some(row.known)
            }
            None => None,
        };
        if before.flatten().is_none_or(|before| before.fingerprint != fingerprint) && fingerprint.inode != 0 {
            self.changed.insert(fingerprint.inode);
        }
        let (kind, is_new_content) = match before {
            None => (ChangeKind::Created, false),
            Some(Some(before)) if before.fingerprint.has_size_and_time_of(&fingerprint) => {
                match compare(self.files, &path, before, fingerprint) {
                    Compared::Same(after) => {
                        if after != before {
                            self.looked_at.push((path, after));
                        }
                        return;
                    }
                    Compared::Unknown => (ChangeKind::Modified, false),
                    // Size and time do not tell it from what is indexed.
                    Compared::Other | Compared::NotReadable => (ChangeKind::Modified, true),
                }
            }
            Some(Some(before)) if before.fingerprint == Fingerprint::NEVER && is_denied(self.files, &path) => return,
            Some(_) => (ChangeKind::Modified, false),
        };
        self.observations.push(Observation::new(path, kind, fingerprint, is_new_content));
    }

    /// The paths, besides those that were listed, at which a file that has changed is or was: other names of it (hard links), of which
    /// the system tells nothing, and the one before it was renamed.
    pub(super) fn other_names(&self, store: &Store, workspace: &WorkspaceId) -> Result<BTreeSet<RelPath>, StoreError> {
        let mut others = store.paths_of_inodes(workspace, &self.changed)?;
        let listed: BTreeSet<&RelPath> = self.observations.iter().map(|seen| &seen.path).collect();
        others.retain(|path| !self.known.contains_key(path) && !listed.contains(path));
        Ok(others)
    }

    /// What the whole listing says, changes of files that are there first, by path.
    pub(super) fn finish(self) -> Differences {
        let Self { files, known, unlisted, mut observations, looked_at, .. } = self;
        observations.sort_by(|one, other| one.path.cmp(&other.path));
        observations.dedup_by(|one, other| one.path == other.path);
        let num_created = observations.iter().filter(|seen| seen.kind == ChangeKind::Created).count();
        let num_files = num_created + known.values().filter(|row| row.is_found).count();
        let mut gone = Vec::new();
        for (path, Row { known, .. }) in known.into_iter().filter(|(_, row)| !row.is_found) {
            // A folder that could not be listed hides its files; they are not taken for deleted.
            if let Some(Unlisted { is_denied, .. }) =
                unlisted.iter().find(|unlisted| is_at_or_below(path.as_str(), &unlisted.place))
            {
                if *is_denied && known.is_some_and(|known| known.fingerprint != Fingerprint::NEVER) {
                    observations.push(Observation::new(path, ChangeKind::Modified, Fingerprint::NONE, true));
                }
            // Nor is a file that came back while the others were listed, or of which its place does not answer.
            } else if matches!(seen(files, &path), Ok(None)) || !files.admits(&path) {
                gone.push((path, known));
            }
        }
        let mut deleted = renamed(files, &mut observations, &gone);
        observations.append(&mut deleted);
        Differences { num_files, observations, looked_at }
    }
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
