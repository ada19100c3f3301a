//! The scan: a folder compared with the file table; every difference goes into the log.
//!
//! What is passed over says [`super::rules`]. A file counts as unchanged when its size and modification time are those under
//! which it was last read; one that was read in the same tick of the clock in which it was written is looked at by its bytes, until
//! that tick is over for sure. A scan of some places is the same scan, with everything else left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::progress::{Progress, Silent, Stage};
use super::read::{canonical_folder, fingerprint, look_again};
use super::write::{TEMPORARY_PREFIX, fingerprint_of};
use super::{IngestError, ReadError, rules};
use crate::leftovers;
use crate::workspace::{ChangeKind, Fingerprint, Known, Observation, Priority, RelPath, Revision, Store, WorkspaceId};

/// More changes than this at once are a backfill, as when an archive is unpacked or a branch is changed.
const MAX_INTERACTIVE: usize = 64;
/// While these are written to the log, others who write wait: a fraction of a second.
const MAX_LOGGED_AT_ONCE: usize = 2_000;

/// What a scan found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Files in the folder.
    pub num_files: usize,
    /// Files that are new.
    pub num_created: usize,
    /// Files that may have changed.
    pub num_modified: usize,
    /// Files that are gone.
    pub num_deleted: usize,
    /// The revision of the last change that was logged, 0 if none was.
    pub revision: Revision,
    /// What could not be listed, each with the reason.
    pub problems: Vec<String>,
}

/// Lists `folder` and logs what differs from the file table. What crashes have left of files that were written through us goes.
///
/// # Errors
/// When the folder cannot be listed, and nothing is logged, or when the log refuses; the next scan finds the rest.
pub fn scan(
    store: &Store,
    workspace: &WorkspaceId,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<ScanReport, IngestError> {
    let root = canonical_folder(folder)?;
    // What is known comes first: a file that is written and logged while the folder is listed is then one more difference, and
    // not one that is known and was not there.
    let known = store.fingerprints(workspace)?;
    let listing = list(&root, None, progress)?;
    compare(store, workspace, &root, listing, known, Priority::Backfill)
}

/// Looks at single places, files or whole folders, and logs what differs from the file table, as interactive changes unless
/// they are very many.
///
/// # Errors
/// As [`scan`].
pub fn scan_places(
    store: &Store,
    workspace: &WorkspaceId,
    folder: &Path,
    places: &BTreeSet<RelPath>,
) -> Result<ScanReport, IngestError> {
    let root = canonical_folder(folder)?;
    let known = store.fingerprints_below(workspace, places)?;
    let listing = list(&root, Some(places), &Silent)?;
    compare(store, workspace, &root, listing, known, Priority::Interactive)
}

fn compare(
    store: &Store,
    workspace: &WorkspaceId,
    root: &Path,
    listing: Listing,
    known: Vec<(RelPath, Option<Known>)>,
    priority: Priority,
) -> Result<ScanReport, IngestError> {
    let Listing { found, problems, unlisted } = listing;
    let mut report = ScanReport { num_files: found.len(), problems, ..ScanReport::default() };
    let mut observations = Vec::new();
    let mut looked_at = Vec::new();
    let mut known: BTreeMap<RelPath, Option<Known>> = known.into_iter().collect();
    for (path, fingerprint) in found {
        let (kind, is_new_content) = match known.remove(&path) {
            None => (ChangeKind::Created, false),
            Some(Some(before)) if before.fingerprint == fingerprint => match look_again(root, &path, before) {
                Some(after) => {
                    if after != before {
                        looked_at.push((path, after));
                    }
                    continue;
                }
                // The fingerprint does not tell it from what is indexed.
                None => (ChangeKind::Modified, true),
            },
            Some(_) => (ChangeKind::Modified, false),
        };
        observations.push(Observation::new(path, kind, fingerprint, is_new_content));
    }
    for some in looked_at.chunks(MAX_LOGGED_AT_ONCE) {
        store.note_looked_at(workspace, some)?;
    }
    // A folder that could not be listed hides its files; they are not taken for deleted. Nor is a file that came back while the
    // others were listed.
    let gone = known.into_keys().filter(|path| {
        let place = path.under(root);
        let is_hidden = unlisted.iter().any(|folder| place.starts_with(folder));
        let is_back = || fingerprint_of(root, path).is_some() && rules::admits(root, path);
        !is_hidden && !is_back()
    });
    let no_file = Fingerprint { size: 0, modified_ns: 0 };
    observations.extend(gone.map(|path| Observation::new(path, ChangeKind::Deleted, no_file, false)));
    let count = |kind| observations.iter().filter(|observation| observation.kind == kind).count();
    report.num_created = count(ChangeKind::Created);
    report.num_modified = count(ChangeKind::Modified);
    report.num_deleted = count(ChangeKind::Deleted);
    // A folder that was moved in is a backfill, however it was noticed; and so is the rest of a burst that is seen bit by bit.
    let is_burst = || -> Result<bool, IngestError> {
        let num_before = store.num_pending(workspace, Priority::Interactive, MAX_INTERACTIVE)?;
        Ok(observations.len() > MAX_INTERACTIVE || num_before >= MAX_INTERACTIVE)
    };
    let priority = if priority == Priority::Interactive && is_burst()? { Priority::Backfill } else { priority };
    for some in observations.chunks(MAX_LOGGED_AT_ONCE) {
        report.revision = store.log(workspace, some, priority)?;
    }
    Ok(report)
}

/// What is in a folder.
#[derive(Default)]
struct Listing {
    found: BTreeMap<RelPath, Fingerprint>,
    problems: Vec<String>,
    /// Folders of which it is not known what they hold.
    unlisted: Vec<PathBuf>,
}

fn list(root: &Path, places: Option<&BTreeSet<RelPath>>, progress: &dyn Progress) -> Result<Listing, IngestError> {
    progress.begin(Stage::Scanning, None);
    let mut listing = Listing::default();
    let Listing { found, problems, unlisted } = &mut listing;
    for entry in rules::walk(root, places.cloned()) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.depth() == Some(0) => {
                let reason = error.into_io_error().unwrap_or_else(|| std::io::Error::other("cannot be listed"));
                return Err(ReadError::Io(reason).into());
            }
            Err(error) => {
                problems.push(error.to_string());
                unlisted.push(place_of(&error).unwrap_or(root).to_owned());
                continue;
            }
        };
        if let Some(error) = entry.error() {
            problems.push(error.to_string());
        }
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            if places.is_none() {
                leftovers::sweep(entry.path(), TEMPORARY_PREFIX);
            }
            continue;
        }
        match (RelPath::strip(root, entry.path()), entry.metadata()) {
            (Ok(path), Ok(metadata)) => {
                found.insert(path, fingerprint(&metadata));
                progress.advance(1);
            }
            (Err(error), _) => problems.push(error.to_string()),
            // It went between being listed and being looked at.
            (Ok(_), Err(_)) => {}
        }
    }
    progress.end();
    for problem in problems.iter() {
        tracing::warn!(%problem, "passed over while listing");
    }
    Ok(listing)
}

/// The file or folder that an error of the walk is about.
fn place_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => place_of(err),
        ignore::Error::Loop { child, .. } => Some(child),
        ignore::Error::Partial(errors) => errors.iter().find_map(place_of),
        _ => None,
    }
}
