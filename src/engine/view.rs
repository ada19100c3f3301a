//! What the store says of a workspace, kept as long as the store does not change.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{EngineError, Workspace};
use crate::answer::versions;
use crate::search;
use crate::store::{SourceState, StoredView};
use crate::workspace::{FileCounts, FileEntry, ProvenanceFilter, RelPath, Revision, WorkspaceId};

/// The workspaces whose lists of files are kept: 10,000 files take some 5 MB.
const NUM_LISTS: usize = 4;

/// Files of folders that are kept with a view, beside what each folder takes: some 10 MB.
const MAX_IN_FOLDERS: usize = 50_000;

/// One state of a workspace.
pub(super) struct View {
    store_version: i64,
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
pub(super) struct Folder {
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
pub(super) struct Views {
    of: HashMap<WorkspaceId, Arc<View>>,
    /// Workspaces whose views hold their files, the one that was asked last at the end.
    listed: VecDeque<WorkspaceId>,
}

impl Views {
    /// How many are kept.
    pub fn len(&self) -> usize {
        self.of.len()
    }

    pub fn forget(&mut self, id: &WorkspaceId) {
        self.of.remove(id);
        self.listed.retain(|listed| listed != id);
    }

    /// Notes that a view holds its files, and drops the files of those that were asked for longest ago.
    fn note_listed(&mut self, id: &WorkspaceId) {
        self.listed.retain(|listed| listed != id);
        self.listed.push_back(id.clone());
        while self.listed.len() > NUM_LISTS {
            let view = self.listed.pop_front().and_then(|oldest| self.of.get(&oldest));
            if let Some(view) = view {
                *view.files.lock() = None;
            }
        }
    }
}

impl Workspace<'_> {
    /// As [`Workspace::all_files`], as far as they are read until `goes_on` says no.
    pub(super) fn all_files_while(&self, goes_on: &dyn Fn() -> bool) -> Result<Arc<[FileEntry]>, EngineError> {
        let id = &self.id;
        let view = self.view()?;
        if let Some(files) = &*view.files.lock() {
            return Ok(Arc::clone(files));
        }
        let mut files = self.engine.store.files_while(id, goes_on)?;
        files.retain(|file| !view.deleting.contains(file.on_disk()));
        for reason in files.iter_mut().filter_map(|file| file.reason.as_mut()).filter(|reason| reason.contains('/')) {
            *reason = self.engine.without_folders(std::mem::take(reason));
        }
        // What is known of replaced content is as old as the content.
        for file in files.iter_mut().filter(|file| view.superseded.contains(file.on_disk())) {
            (file.title, file.content_hash, file.num_chunks) = (None, None, 0);
        }
        let files: Arc<[FileEntry]> = files.into();
        // Of a store that has changed since the view was read, they are another state's.
        if goes_on() && self.engine.store.version()? == view.store_version {
            *view.files.lock() = Some(Arc::clone(&files));
            self.engine.views.lock().note_listed(id);
        }
        Ok(files)
    }

    pub(super) fn view(&self) -> Result<Arc<View>, EngineError> {
        let id = &self.id;
        // Read before the view, so that a view is never taken for newer than it is.
        let store_version = self.engine.store.version()?;
        if let Some(view) = self.engine.views.lock().of.get(id).filter(|view| view.store_version == store_version) {
            return Ok(Arc::clone(view));
        }
        let stored = self.engine.store.view(id).inspect_err(|_| self.engine.views.lock().forget(id))?;
        let StoredView { row, counts, settled, superseded, deleting, source } = stored;
        let view = Arc::new(View {
            store_version,
            epoch: row.epoch,
            intelligence: row.intelligence,
            counts,
            source: self.engine.with_look(source, &row),
            settled,
            superseded,
            deleting,
            written_by: Mutex::default(),
            files: Mutex::default(),
            folders: Mutex::default(),
        });
        self.engine.views.lock().of.insert(id.clone(), Arc::clone(&view));
        Ok(view)
    }

    /// The searchable files that stand in a folder themselves, by path, as [`Store::files_in`](crate::store::Store::files_in) gives
    /// them. Searches find much in the same folders, and a folder is read once for each state of the store.
    pub(super) fn files_in(&self, view: &View, folder: &str, most: usize) -> Result<Arc<Folder>, EngineError> {
        if let Some(known) = view.folders.lock().by_name.get(folder) {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(Folder::of(self.engine.store.files_in(&self.id, folder, most)?));
        // Of a store that has changed since the view was read, they are another state's.
        if self.engine.store.version()? == view.store_version {
            view.folders.lock().keep(folder, &read);
        }
        Ok(read)
    }

    /// The files of a workspace by path, all or those that match a glob. A file whose deletion is logged is none of them.
    ///
    /// # Errors
    /// When the workspace is unknown or the glob cannot be read.
    pub fn files(&self, glob: Option<&str>) -> Result<Vec<FileEntry>, EngineError> {
        let filters = search::Filters { path: glob.map(str::to_owned).into_iter().collect(), ..Default::default() };
        let filter = filters.compile(self.engine.patterns())?;
        let files = self.all_files()?;
        Ok(files.iter().filter(|file| filter.admits_path(file.path.as_str())).cloned().collect())
    }

    /// The files of a workspace by path, as [`Workspace::files`] gives them. An answer asks for them several times.
    pub(super) fn all_files(&self) -> Result<Arc<[FileEntry]>, EngineError> {
        self.all_files_while(&|| true)
    }
}
