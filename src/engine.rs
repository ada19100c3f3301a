//! The one façade that all surfaces call: a data folder, its workspaces, and everything that can be done with them.
//!
//! # Invariants
//! - One process indexes a data folder; others read beside it and log changes for it. When it ends, one of those that were
//!   opened to share takes over.
//! - A reply never shows content that the log knows to be replaced or deleted, even before the index does.
//! - A reply names the revision it was answered from, and what it could not see.
//!
//! # Not here
//! How an answer looks to a person, and the wire formats (`cli`, `serve`, `mcp`).

mod access;
mod error;
mod evaluate;
mod event;
mod line;
mod query;
mod read;
mod reconcile;
mod runner;
mod sources;
mod status;
#[cfg(test)]
mod tests;
mod workspaces;
mod write;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

pub use self::access::Access;
use self::access::WriterLock;
pub use self::error::{EngineError, ErrorKind};
pub use self::evaluate::{EvalOptions, evaluate};
pub use self::event::{Event, EventKind, EventsReply, TakenEvent};
pub use self::line::IndexReport;
use self::query::View;
pub use self::read::FileText;
use self::runner::Bell;
pub use self::runner::Runner;
pub use self::status::{ModelStatus, StatusReport};
pub use self::workspaces::{WorkspaceList, WorkspaceSummary};
pub use self::write::{Precondition, Upload, WriteReply};
use crate::config::Config;
use crate::embed::{self, Embedder, OpenModel};
use crate::index::embedded::{Access as IndexAccess, EmbeddedIndex};
use crate::index::{Index, IndexError};
use crate::search;
use crate::workspace::{Change, FileEntry, Revision, Store, WorkspaceId};

/// How a data folder is opened.
pub struct OpenOptions {
    /// The data folder; made when it is to be written.
    pub data_folder: PathBuf,
    /// To read, to index, or to share.
    pub access: Access,
    /// What this process is, for whoever has to wait for it.
    pub command: String,
    /// Where ONNX Runtime is kept; without it, where the environment says or in the data folder.
    pub runtime_folder: Option<PathBuf>,
    /// Is told when a model or runtime is fetched.
    pub fetch_progress: Arc<dyn embed::Progress>,
}

impl OpenOptions {
    /// Opens `data_folder` for `access`, told to nobody, with the runtime where the environment says.
    #[must_use]
    pub fn new(data_folder: impl Into<PathBuf>, access: Access, command: impl Into<String>) -> Self {
        Self {
            data_folder: data_folder.into(),
            access,
            command: command.into(),
            runtime_folder: None,
            fetch_progress: Arc::new(embed::Silent),
        }
    }
}

/// An open data folder. Calls block, some for as long as indexing takes; any number may run at once.
pub struct Engine {
    data_folder: PathBuf,
    config: Config,
    store: Store,
    access: Access,
    command: String,
    /// Held as long as this process indexes.
    writer: Mutex<Option<WriterLock>>,
    /// Whether `writer` is held; it is never let go before the end.
    indexes_here: AtomicBool,
    runtime_folder: Option<PathBuf>,
    fetch_progress: Arc<dyn embed::Progress>,
    model: OnceLock<OpenModel>,
    /// Each with the epoch of its workspace. They are opened for writing where this process indexes.
    indexes: Mutex<HashMap<WorkspaceId, (i64, Arc<EmbeddedIndex>)>>,
    views: Mutex<HashMap<WorkspaceId, Arc<View>>>,
    /// One batch at a time.
    indexing: Mutex<()>,
    /// Rung when something was logged here.
    bell: Bell,
    /// What was in each workspace's log when the line was started.
    replays: Mutex<HashMap<WorkspaceId, Revision>>,
}

impl Engine {
    /// Opens a data folder.
    ///
    /// # Errors
    /// When another process indexes it and this one must, when it holds nothing and this one only reads, or when it
    /// cannot be used.
    pub fn open(options: OpenOptions) -> Result<Self, EngineError> {
        let OpenOptions { data_folder, access, command, runtime_folder, fetch_progress } = options;
        let writer = access::take(&data_folder, access, &command)?;
        let config = Config::load(&data_folder)?;
        let store = Store::open(&data_folder, access != Access::Read)?;
        if access != Access::Read {
            store.check()?;
            distrust_newer_indexes(&data_folder, &store)?;
        }
        Ok(Self {
            data_folder,
            config,
            store,
            access,
            command,
            indexes_here: AtomicBool::new(writer.is_some()),
            writer: Mutex::new(writer),
            runtime_folder,
            fetch_progress,
            model: OnceLock::new(),
            indexes: Mutex::default(),
            views: Mutex::default(),
            indexing: Mutex::default(),
            bell: Bell::default(),
            replays: Mutex::default(),
        })
    }

    /// The data folder.
    #[must_use]
    pub fn data_folder(&self) -> &Path {
        &self.data_folder
    }

    /// What the data folder's `config.toml` says.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The files of a workspace by path, all or those that match a glob. A file whose deletion is logged is none of them.
    ///
    /// # Errors
    /// When the workspace is unknown or the glob cannot be read.
    pub fn files(&self, id: &WorkspaceId, glob: Option<&str>) -> Result<Vec<FileEntry>, EngineError> {
        let view = self.view(id)?;
        let filters = search::Filters { path: glob.map(str::to_owned).into_iter().collect(), ..Default::default() };
        let filter = filters.compile()?;
        let mut files = self.store.files(id)?;
        files.retain(|file| filter.admits_path(file.path.as_str()) && !view.deleting.contains(&file.path));
        // What is known of replaced content is as old as the content.
        for file in files.iter_mut().filter(|file| view.superseded.contains(&file.path)) {
            (file.title, file.content_hash, file.num_chunks) = (None, None, 0);
        }
        Ok(files)
    }

    /// The newest changes of a workspace, newest first.
    ///
    /// # Errors
    /// When the workspace is unknown.
    pub fn recent_changes(&self, id: &WorkspaceId, limit: usize) -> Result<Vec<Change>, EngineError> {
        self.store.workspace(id)?;
        Ok(self.store.recent_changes(id, limit)?)
    }

    /// The model, opened at first need. A missing runtime is not an error: it is in [`OpenModel::embedder`].
    fn model(&self) -> Result<&OpenModel, EngineError> {
        if let Some(model) = self.model.get() {
            return Ok(model);
        }
        let mut options = embed::OpenOptions::from_env(&self.data_folder);
        options.progress = Arc::clone(&self.fetch_progress);
        if let Some(folder) = &self.runtime_folder {
            options.runtime.dir.clone_from(folder);
        }
        if self.is_writer() {
            embed::remove_leftovers(&self.data_folder, &options.runtime.dir);
        }
        let model = embed::open(&self.data_folder, self.config.model.as_deref(), &options)?;
        Ok(self.model.get_or_init(|| model))
    }

    fn embedder(&self) -> Result<Option<&dyn Embedder>, EngineError> {
        Ok(self.model()?.embedder.as_ref().ok().map(|embedder| &**embedder))
    }

    fn folder_of(&self, id: &WorkspaceId) -> PathBuf {
        self.data_folder.join("workspaces").join(id.as_str())
    }

    /// The index of a workspace in this epoch or a later one. A writer that finds an unusable one begins a new one and has every
    /// file read again.
    fn index(&self, id: &WorkspaceId, epoch: i64) -> Result<Arc<EmbeddedIndex>, EngineError> {
        let mut indexes = lock(&self.indexes);
        if let Some((of, index)) = indexes.get(id)
            && *of == epoch
        {
            return Ok(Arc::clone(index));
        }
        // Asked under the lock: what is deleted or switched off gets no index any more.
        let row = self.store.workspace(id)?;
        if !row.intelligence {
            return Err(IndexError::Missing.into());
        }
        if let Some((of, index)) = indexes.get(id)
            && *of == row.epoch
        {
            return Ok(Arc::clone(index));
        }
        let identity = embed::identify(&self.data_folder, self.config.model.as_deref())?;
        let folder = self.folder_of(id);
        let access = if self.is_writer() { IndexAccess::Write } else { IndexAccess::Read };
        let log_id = self.store.log_id()?;
        let open = || EmbeddedIndex::open(&folder, &log_id, &identity.model_id, identity.num_dimensions, access);
        let index = match open() {
            Err(IndexError::Unusable { reason }) if self.is_writer() => {
                tracing::warn!(workspace = %id, %reason, "the index cannot be used and is built again from the files");
                EmbeddedIndex::discard(&folder)?;
                let reopened = match open() {
                    Err(IndexError::Unusable { .. }) => {
                        EmbeddedIndex::discard_vectors(&folder)?;
                        open()?
                    }
                    other => other?,
                };
                self.store.forget_contents(id)?;
                reopened
            }
            other => other?,
        };
        // The index first: what it holds was in the log before, if it is of this log.
        let committed = index.snapshot()?.revision();
        if committed > self.store.newest_revision()? {
            let reason = "it is newer than `pincite.db`".to_owned();
            return Err(IndexError::Unusable { reason }.into());
        }
        if self.is_writer() {
            // An index that is behind what was acknowledged has lost commits: the files say it all again.
            if committed < self.store.acknowledged_revision(id)? {
                self.store.forget_contents(id)?;
            }
            self.reconcile(id, &index)?;
        }
        let index = Arc::new(index);
        indexes.insert(id.clone(), (row.epoch, Arc::clone(&index)));
        Ok(index)
    }
}

/// A log that was put back from an older copy gives revisions again that an index has already seen with other content, so
/// before it gives any it becomes another log, and the indexes are built again.
fn distrust_newer_indexes(data_folder: &Path, store: &Store) -> Result<(), EngineError> {
    let log_id = store.log_id()?;
    let Ok(workspaces) = fs_err::read_dir(data_folder.join("workspaces")) else { return Ok(()) };
    for folder in workspaces {
        let folder = folder.map_err(EngineError::Io)?.path();
        // The index first, as another process may log and commit meanwhile.
        let Some((of_log, committed)) = EmbeddedIndex::committed_from(&folder) else { continue };
        if of_log == log_id && committed > store.newest_revision()? {
            tracing::warn!(folder = %folder.display(), "the index is newer than the log: all indexes are built again");
            store.renew_log_id()?;
            break;
        }
    }
    Ok(())
}

/// Nothing here leaves a lock's content half changed when it panics, so a poisoned lock is used on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
