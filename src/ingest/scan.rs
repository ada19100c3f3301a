//! The scan: a folder compared with the file table; every difference goes into the log.
//!
//! Hidden files and folders, and what `.gitignore`, `.ignore` and `.pinciteignore` files inside the folder name, are
//! passed over. Symbolic links are not followed. A file counts as unchanged when its size and modification time are those
//! under which it was last read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use super::progress::{Progress, Stage};
use super::read::{canonical_folder, fingerprint};
use super::{IngestError, ReadError};
use crate::workspace::{ChangeKind, Fingerprint, Observation, Priority, RelPath, Revision, Store, WorkspaceId};

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

/// Lists `folder` and logs what differs from the file table.
///
/// # Errors
/// When the folder cannot be listed or the log refuses; nothing is logged then.
pub fn scan(
    store: &Store,
    workspace: &WorkspaceId,
    folder: &Path,
    progress: &dyn Progress,
) -> Result<ScanReport, IngestError> {
    let root = canonical_folder(folder)?;
    let mut report = ScanReport::default();
    let Listing { found, problems, unlisted } = list(&root, progress)?;
    report.problems = problems;
    report.num_files = found.len();

    let mut observations = Vec::new();
    let mut known: BTreeMap<RelPath, Option<Fingerprint>> = store.fingerprints(workspace)?.into_iter().collect();
    for (path, fingerprint) in found {
        let kind = match known.remove(&path) {
            None => ChangeKind::Created,
            Some(Some(before)) if before == fingerprint => continue,
            Some(_) => ChangeKind::Modified,
        };
        observations.push(Observation { path, kind, fingerprint });
    }
    // A folder that could not be listed hides its files; they are not taken for deleted.
    let gone = known.into_keys().filter(|path| {
        let path = path.under(&root);
        !unlisted.iter().any(|folder| path.starts_with(folder))
    });
    observations.extend(gone.map(|path| Observation {
        path,
        kind: ChangeKind::Deleted,
        fingerprint: Fingerprint { size: 0, modified_ns: 0 },
    }));
    let count = |kind| observations.iter().filter(|observation| observation.kind == kind).count();
    report.num_created = count(ChangeKind::Created);
    report.num_modified = count(ChangeKind::Modified);
    report.num_deleted = count(ChangeKind::Deleted);
    report.revision = store.log(workspace, &observations, Priority::Backfill)?;
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

fn list(root: &Path, progress: &dyn Progress) -> Result<Listing, IngestError> {
    progress.begin(Stage::Scanning, None);
    let mut listing = Listing::default();
    let Listing { found, problems, unlisted } = &mut listing;
    let walk = WalkBuilder::new(root)
        .parents(false)
        .git_global(false)
        .git_exclude(false)
        .require_git(false)
        .follow_links(false)
        .add_custom_ignore_filename(".pinciteignore")
        .build();
    for entry in walk {
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
