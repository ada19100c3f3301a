//! What the store says of a workspace, kept as long as the store does not change.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

use super::matching::Matching;
use super::{DataFolder, EngineError};
use crate::answer::versions;
use crate::store::{SourceState, StoredView, WorkspaceRow};
use crate::workspace::{FileCounts, FileEntry, ProvenanceFilter, RelPath, Revision, WorkspaceId};

/// The workspaces whose lists of files are kept: 10,000 files take some 5 MB.
const NUM_LISTS: usize = 4;

/// Files of folders that are kept with a view, beside what each folder takes: some 10 MB.
const MAX_IN_FOLDERS: usize = 50_000;

/// What is said of a folder that is not there, or may not be entered.
pub(crate) const AWAY: &str = "the workspace's folder is away: its files are as they were when it was scanned last";

/// One state of a workspace.
pub(crate) struct View {
    pub(super) store_version: i64,
    /// The epoch of the workspace, and whether it is indexed.
    pub epoch: i64,
    pub intelligence: bool,
    pub counts: FileCounts,
    /// The folder as the place where changes come from.
    pub source: SourceState,
    /// The newest revision up to which nothing is pending.
    pub settled: Revision,
    /// Paths whose content in the index is not to be shown.
    pub superseded: BTreeSet<RelPath>,
    /// Those of them that are deleted.
    pub deleting: BTreeSet<RelPath>,
    /// The files of the last filter on their writers: questions of one agent come in rows.
    pub written_by: Mutex<Option<(ProvenanceFilter, Arc<HashSet<RelPath>>)>>,
    /// The files that match the globs of recent queries; views of one epoch share them.
    pub(super) matching: Arc<Mutex<Matching>>,
    /// The files, once somebody has asked for them.
    files: Mutex<Option<Arc<[FileEntry]>>>,
    /// The searchable files that stand in folders in which something was found.
    folders: Mutex<Folders>,
}

/// The folders of a view that were read.
#[derive(Default)]
struct Folders {
    by_name: HashMap<String, Arc<Folder>>,
    /// Their files, and one for each folder.
    num_files: usize,
}

impl Folders {
    fn keep(&mut self, name: &str, folder: &Arc<Folder>) {
        let num_files = folder.files.len() + 1;
        if self.num_files + num_files > MAX_IN_FOLDERS {
            *self = Self::default();
        }
        if self.by_name.insert(name.to_owned(), Arc::clone(folder)).is_none() {
            self.num_files += num_files;
        }
    }
}

/// The searchable files that stand in one folder.
pub(crate) struct Folder {
    /// By path; none where there are too many.
    pub files: Vec<RelPath>,
    /// Which of them are versions of one file.
    pub families: HashMap<String, Vec<usize>>,
}

impl Folder {
    fn of(files: Vec<RelPath>) -> Self {
        let mut families: HashMap<String, Vec<usize>> = HashMap::new();
        for (number, path) in files.iter().enumerate() {
            families.entry(versions::family(path)).or_default().push(number);
        }
        Self { files, families }
    }
}

/// The newest view of each workspace that was asked for.
#[derive(Default)]
pub(crate) struct Views(Mutex<KeptViews>);

#[derive(Default)]
struct KeptViews {
    of: HashMap<WorkspaceId, Arc<View>>,
    /// Workspaces whose views hold their files, the one that was asked last at the end.
    listed: VecDeque<WorkspaceId>,
}

impl Views {
    /// How many are kept.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().of.len()
    }

    pub(super) fn forget(&self, id: &WorkspaceId) {
        let mut views = self.0.lock();
        views.of.remove(id);
        views.listed.retain(|listed| listed != id);
    }

    fn get(&self, id: &WorkspaceId, store_version: i64) -> Option<Arc<View>> {
        self.0.lock().of.get(id).filter(|view| view.store_version == store_version).cloned()
    }

    /// What is kept of globs for views of an epoch.
    fn matching(&self, id: &WorkspaceId, epoch: i64) -> Arc<Mutex<Matching>> {
        let views = self.0.lock();
        let former = views.of.get(id).filter(|view| view.epoch == epoch);
        former.map(|view| Arc::clone(&view.matching)).unwrap_or_default()
    }

    fn keep(&self, id: &WorkspaceId, view: &Arc<View>) {
        self.0.lock().of.insert(id.clone(), Arc::clone(view));
    }

    /// Notes that a view holds its files, and drops the files of those that were asked for longest ago.
    fn note_listed(&self, id: &WorkspaceId) {
        let mut views = self.0.lock();
        views.listed.retain(|listed| listed != id);
        views.listed.push_back(id.clone());
        while views.listed.len() > NUM_LISTS {
            let oldest = views.listed.pop_front();
            if let Some(view) = oldest.and_then(|oldest| views.of.get(&oldest)) {
                *view.files.lock() = None;
            }
        }
    }
}

impl DataFolder {
    /// The files of a workspace by path, as far as they are read until `goes_on` says no. A file whose deletion is logged is none
    /// of them. An answer asks for them several times.
    pub(crate) fn all_files_while(
        &self,
        id: &WorkspaceId,
        goes_on: &dyn Fn() -> bool,
    ) -> Result<Arc<[FileEntry]>, EngineError> {
        let view = self.view(id)?;
        if let Some(files) = &*view.files.lock() {
            return Ok(Arc::clone(files));
        }
        let mut files = self.store.files_while(id, goes_on)?;
        files.retain(|file| !view.deleting.contains(file.on_disk()));
        for reason in files.iter_mut().filter_map(|file| file.reason.as_mut()).filter(|reason| reason.contains('/')) {
            *reason = self.without_folders(std::mem::take(reason));
        }
        // What is known of replaced content is as old as the content.
        for file in files.iter_mut().filter(|file| view.superseded.contains(file.on_disk())) {
            (file.title, file.content_hash, file.num_chunks) = (None, None, 0);
        }
        let files: Arc<[FileEntry]> = files.into();
        // Of a store that has changed since the view was read, they are another state's.
        if goes_on() && self.store.version()? == view.store_version {
            *view.files.lock() = Some(Arc::clone(&files));
            self.views.note_listed(id);
        }
        Ok(files)
    }

    /// The newest state of a workspace.
    pub(crate) fn view(&self, id: &WorkspaceId) -> Result<Arc<View>, EngineError> {
        // Read before the view, so that a view is never taken for newer than it is.
        let store_version = self.store.version()?;
        if let Some(view) = self.views.get(id, store_version) {
            return Ok(view);
        }
        let stored = self.store.view(id).inspect_err(|_| self.views.forget(id))?;
        let StoredView { row, counts, settled, superseded, deleting, source } = stored;
        let view = Arc::new(View {
            store_version,
            epoch: row.epoch,
            intelligence: row.intelligence,
            counts,
            source: self.with_look(source, &row),
            settled,
            superseded,
            deleting,
            written_by: Mutex::default(),
            matching: self.views.matching(id, row.epoch),
            files: Mutex::default(),
            folders: Mutex::default(),
        });
        self.views.keep(id, &view);
        Ok(view)
    }

    /// The searchable files that stand in a folder themselves, by path, as [`Store::files_in`](crate::store::Store::files_in) gives
    /// them. Searches find much in the same folders, and a folder is read once for each state of the store.
    pub(crate) fn files_in(
        &self,
        id: &WorkspaceId,
        view: &View,
        folder: &str,
        most: usize,
    ) -> Result<Arc<Folder>, EngineError> {
        if let Some(known) = view.folders.lock().by_name.get(folder) {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(Folder::of(self.store.files_in(id, folder, most)?));
        // Of a store that has changed since the view was read, they are another state's.
        if self.store.version()? == view.store_version {
            view.folders.lock().keep(folder, &read);
        }
        Ok(read)
    }

    /// What the store says of a folder, with what this process sees where it does not watch the folder itself.
    pub(crate) fn with_look(&self, mut state: SourceState, row: &WorkspaceRow) -> SourceState {
        if !self.is_writer() && row.root.as_ref().is_some_and(|root| !root.is_dir()) {
            state.unwatched = Some(AWAY.to_owned());
        }
        state
    }
}
