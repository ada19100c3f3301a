//! The files that match the globs of queries: decided where the list of files is, and kept from one state of the store to the next.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use super::views::View;
use super::{DataFolder, EngineError};
use crate::search::PathGlobs;
use crate::workspace::{RelPath, Revision, WorkspaceId};

/// Globs of one workspace whose files are kept: questions of one agent come in rows.
const MAX_KEPT: usize = 4;
/// Files that are kept for all globs of a workspace but the newest: some 10 MB.
const MAX_FILES: usize = 100_000;

/// What was decided of the files of one workspace, in one epoch. The newest use is the last.
#[derive(Default)]
pub(super) struct Matching(VecDeque<Decided>);

/// The files that match some globs. Files that are gone may be among them: an index holds nothing of those.
struct Decided {
    globs: PathGlobs,
    files: Arc<HashSet<RelPath>>,
    /// The state of the store in which this was right.
    store_version: i64,
    /// Every file of a change up to this revision has been looked at.
    settled: Revision,
}

impl Matching {
    fn take(&mut self, globs: &PathGlobs) -> Option<Decided> {
        let at = self.0.iter().position(|decided| decided.globs == *globs)?;
        self.0.remove(at)
    }

    fn keep(&mut self, decided: Decided) {
        self.0.push_back(decided);
        let num_files = |kept: &VecDeque<Decided>| kept.iter().map(|decided| decided.files.len()).sum::<usize>();
        while self.0.len() > MAX_KEPT || self.0.len() > 1 && num_files(&self.0) > MAX_FILES {
            self.0.pop_front();
        }
    }
}

impl DataFolder {
    /// The files of a workspace that match the globs of a query, as many as `view` knows or more; `None` where there are no globs.
    ///
    /// All paths are looked at for new globs. For globs that come again, only the paths that have changed since are.
    pub(crate) fn matching(
        &self,
        id: &WorkspaceId,
        view: &View,
        globs: &PathGlobs,
    ) -> Result<Option<Arc<HashSet<RelPath>>>, EngineError> {
        if globs.is_open() {
            return Ok(None);
        }
        let mut kept = view.matching.lock();
        let mut decided = match kept.take(globs) {
            Some(decided) if decided.store_version == view.store_version => decided,
            Some(decided) => match self.with_newer(id, decided)? {
                Some(decided) => decided,
                None => self.decide(id, view, globs)?,
            },
            None => self.decide(id, view, globs)?,
        };
        (decided.store_version, decided.settled) = (view.store_version, decided.settled.max(view.settled));
        let files = Arc::clone(&decided.files);
        kept.keep(decided);
        Ok(Some(files))
    }

    fn decide(&self, id: &WorkspaceId, view: &View, globs: &PathGlobs) -> Result<Decided, EngineError> {
        let mut files = HashSet::new();
        let mut see = |path: &str| {
            if globs.admits(path) {
                files.extend(path.parse::<RelPath>().ok());
            }
        };
        self.store.each_path(id, &mut see)?;
        // A file has a row once it was read, and may be in the index a moment before.
        self.store.each_path_since(id, view.settled, &mut see)?;
        let View { store_version, settled, .. } = *view;
        Ok(Decided { globs: globs.clone(), files: Arc::new(files), store_version, settled })
    }

    /// What was decided, with the files that have come since; `None` where the log does not tell them.
    fn with_newer(&self, id: &WorkspaceId, mut decided: Decided) -> Result<Option<Decided>, EngineError> {
        let Decided { globs, files, settled, .. } = &mut decided;
        let mut new = HashSet::new();
        let is_told = self.store.each_path_since(id, *settled, &mut |path| {
            if !files.contains(path) && !new.contains(path) && globs.admits(path) {
                new.extend(path.parse::<RelPath>().ok());
            }
        })?;
        if !new.is_empty() {
            Arc::make_mut(files).extend(new);
        }
        Ok(is_told.then_some(decided))
    }
}
