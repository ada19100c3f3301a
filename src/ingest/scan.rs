//! The scan: the files of a workspace compared with the file table; every difference goes into the log.
//!
//! Which files belong to the workspace is told by their place ([`Files::list`]). A file counts as
//! unchanged when its size, modification time, change time and inode are those under which it was last read. One of the same size
//! and modification time only is compared by its bytes, as is one that was read in the same tick of the clock in which it was written,
//! until that tick is over for sure. A scan of some places is the same scan, with everything else left out but the other names of a
//! file that has changed.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::IngestError;
use super::differences::{Comparison, Differences};
use super::past_us::witness_locked;
use super::progress::{Progress, Stage};
use crate::files::Files;
use crate::store::Store;
use crate::workspace::{ChangeKind, Priority, RelPath, Revision, WorkspaceId};

/// More changes than this at once are a backfill, as when an archive is unpacked or a branch is changed.
const MAX_INTERACTIVE: usize = 64;
/// While these are written to the log, others who write wait: a fraction of a second.
const MAX_LOGGED_AT_ONCE: usize = 2_000;
/// More problems than this are counted, and not told.
const MAX_PROBLEMS: usize = 100;

/// Keeps all others from writing into the workspace through us, until what it gives is dropped.
pub type KeepOut<'a> = &'a (dyn Fn() -> Result<fs_err::File, IngestError> + Sync);

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
    /// What could not be listed, and rules that do not count, each with the reason.
    pub problems: Vec<String>,
}

/// Lists the files of a workspace and logs what differs from the file table.
///
/// # Errors
/// When the folder cannot be listed, and nothing is logged, or when the log refuses; the next scan finds the rest.
pub fn scan(
    store: &Store,
    workspace: &WorkspaceId,
    files: &dyn Files,
    keep_out: KeepOut<'_>,
    progress: &dyn Progress,
) -> Result<ScanReport, IngestError> {
    // What is known comes first: a file that is written and logged while the folder is listed is then one more difference, and
    // not one that is known and was not there.
    let mut comparison = Comparison::new(files);
    comparison.know(store.fingerprints(workspace)?);
    let began = Timestamp::now();
    let problems = list(files, None, &mut comparison, progress)?;
    let log = Log { store, workspace, files, keep_out, progress };
    let report = log.take(comparison.finish(), problems, Priority::Backfill)?;
    store.note_scanned(workspace, began, &report.problems)?;
    Ok(report)
}

/// Looks at single places, files or whole folders, and logs what differs from the file table, as interactive changes unless
/// they are very many.
///
/// # Errors
/// As [`scan`].
pub fn scan_places(
    store: &Store,
    workspace: &WorkspaceId,
    files: &dyn Files,
    places: &BTreeSet<RelPath>,
    (keep_out, progress): (KeepOut<'_>, &dyn Progress),
) -> Result<ScanReport, IngestError> {
    let mut comparison = Comparison::new(files);
    comparison.know(store.fingerprints_below(workspace, places)?);
    let mut problems = list(files, Some(places), &mut comparison, progress)?;
    let others = comparison.other_names(store, workspace)?;
    if !others.is_empty() {
        comparison.know(store.fingerprints_below(workspace, &others)?);
        problems.extend(list(files, Some(&others), &mut comparison, progress)?);
    }
    let log = Log { store, workspace, files, keep_out, progress };
    log.take(comparison.finish(), problems, Priority::Interactive)
}

/// Where a scan notes what it has found.
struct Log<'a> {
    store: &'a Store,
    workspace: &'a WorkspaceId,
    files: &'a dyn Files,
    keep_out: KeepOut<'a>,
    progress: &'a dyn Progress,
}

impl Log<'_> {
    fn take(
        &self,
        Differences { num_files, mut observations, looked_at }: Differences,
        problems: Vec<String>,
        priority: Priority,
    ) -> Result<ScanReport, IngestError> {
        let Self { store, workspace, .. } = self;
        let mut report = ScanReport { num_files, problems, ..ScanReport::default() };
        for some in looked_at.chunks(MAX_LOGGED_AT_ONCE) {
            store.note_looked_at(workspace, some)?;
            self.progress.advance(0);
        }
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
        while !observations.is_empty() {
            let mut some: Vec<_> = observations.drain(..observations.len().min(MAX_LOGGED_AT_ONCE)).collect();
            let locks = store.covering(workspace)?;
            let _alone = witness_locked(self.files, &locks, &mut some, self.keep_out, self.progress)?;
            report.revision = report.revision.max(store.log(workspace, &some, priority)?);
            // A waiting user sees the progress.
            self.progress.advance(0);
        }
        Ok(report)
    }
}

/// Lists files into a comparison, and returns what is not as it should be. Of the listing a page is held at a time.
fn list(
    files: &dyn Files,
    places: Option<&BTreeSet<RelPath>>,
    comparison: &mut Comparison<'_>,
    progress: &dyn Progress,
) -> Result<Vec<String>, IngestError> {
    progress.begin(Stage::Scanning, None);
    let mut problems: Vec<String> = Vec::new();
    let mut num_untold = 0_usize;
    let entering = |folder: &str| progress.entering(folder);
    let mut pages = files.list(places, &entering)?;
    while let Some(page) = pages.next_page()? {
        progress.advance(page.files.len() as u64);
        comparison.take(page.files, page.unlisted);
        let room = MAX_PROBLEMS - problems.len();
        num_untold += page.problems.len().saturating_sub(room);
        problems.extend(page.problems.into_iter().take(room));
    }
    progress.end();
    if !problems.is_empty() {
        // What they are may quote a line of an ignore file; the status has them.
        let num_problems = problems.len() + num_untold;
        tracing::warn!(num_problems, "not everything can be listed as it is: `status` tells what is passed over");
    }
    if num_untold > 0 {
        problems.push(format!("{num_untold} more problems are not listed"));
    }
    Ok(problems)
}
