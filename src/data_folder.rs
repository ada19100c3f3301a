//! An open data folder: its settings, store, indexes, models, readers and writer lock. It is passive: it opens things and keeps
//! them, and starts no thread but those of calls at files.
//!
//! # Invariants
//! - One process at a time holds the writer lock of a data folder, and only that process opens an index for writing.
//! - An index is open once in a process, and is compared with the store when it is opened for the first time in an epoch.
//! - A model, a reranker and an index are opened at first need. A model that cannot be opened stops no search by words.
//! - A cached view belongs to one version of the store, and is not used for another one.
//!
//! # Not here
//! When something is indexed, and in which order: that is `scheduler`. The verbs that a surface calls: those are in `engine`.

mod embedding;
mod error;
mod error_from;
mod error_kind;
mod indexes;
mod matching;
mod models;
mod multipart;
mod open_indexes;
mod readers;
mod reconcile;
mod redaction;
mod views;
mod writer_lock;

use std::collections::HashMap;
use std::fs::TryLockError;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

pub(crate) use self::embedding::EmbeddingTotals;
pub use self::error::EngineError;
pub use self::error_kind::ErrorKind;
use self::models::Models;
use self::multipart::Multipart;
pub use self::multipart::{MultipartError, NewPart, PartInfo, UnfinishedUpload};
use self::open_indexes::OpenIndexes;
pub use self::readers::extractor;
use self::views::Views;
pub(crate) use self::views::{AWAY, View};
pub use self::writer_lock::Access;
use self::writer_lock::WriterLock;
use crate::config::Config;
use crate::embed;
use crate::extract::Extractor;
use crate::extract::child;
use crate::extract::kept::Shelf;
use crate::files::{self, Errands, Files, RuleLimits};
use crate::index::Backend;
use crate::index::embedded::EmbeddedBackend;
use crate::ingest::{IngestError, PartSizes};
use crate::store::Store;
use crate::workspace::{PatternLimits, WorkspaceId};

/// A write holds the lock on the files for milliseconds.
const MAX_WAIT: Duration = Duration::from_secs(2);
/// How often somebody who waits so long looks whether the lock is free.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How a data folder is opened.
pub struct OpenOptions {
    /// The data folder; made when it is to be written.
    pub data_folder: PathBuf,
    /// Where `config.toml` and pulled models are; without it, in the data folder.
    pub settings_folder: Option<PathBuf>,
    /// To read, to index, or to share.
    pub access: Access,
    /// The description of this process that a waiting process shows.
    pub command: String,
    /// Where ONNX Runtime is kept; without it, where the environment says or in the data folder.
    pub runtime_folder: Option<PathBuf>,
    /// Is told when a model or runtime is fetched.
    pub fetch_progress: Arc<dyn embed::Progress>,
    /// The program that files are read in, as a child; without one they are read in this process, where a file can do harm.
    pub reader_program: Option<child::Program>,
}

impl OpenOptions {
    /// Opens `data_folder` for `access`, told to nobody, with the runtime where the environment says.
    #[must_use]
    pub fn new(data_folder: impl Into<PathBuf>, access: Access, command: impl Into<String>) -> Self {
        Self {
            data_folder: data_folder.into(),
            settings_folder: None,
            access,
            command: command.into(),
            runtime_folder: None,
            fetch_progress: Arc::new(embed::Silent),
            reader_program: None,
        }
    }
}

/// An open data folder.
pub(crate) struct DataFolder {
    pub(crate) path: PathBuf,
    pub(crate) config: Config,
    pub(crate) store: Store,
    /// Reads files, in child processes or in this one.
    pub(crate) extractor: Box<dyn Extractor>,
    writer_lock: WriterLock,
    /// Where the documents of each workspace are kept that were read before.
    shelves: Mutex<HashMap<WorkspaceId, Arc<Shelf>>>,
    pub(crate) models: Models,
    /// Where indexes are kept.
    backend: Box<dyn Backend>,
    /// They are opened for writing where this process indexes.
    indexes: Mutex<OpenIndexes>,
    pub(crate) embedded: EmbeddingTotals,
    pub(crate) views: Views,
    /// The calls at files that are made here.
    pub(crate) errands: Errands,
    /// Uploads in parts.
    pub(crate) multipart: Multipart,
}

impl DataFolder {
    /// Opens a data folder.
    ///
    /// # Errors
    /// When another process indexes it and this one must, when it holds nothing and this one only reads, or when it
    /// cannot be used.
    pub(crate) fn open(options: OpenOptions) -> Result<Self, EngineError> {
        let OpenOptions {
            data_folder: path,
            settings_folder,
            access,
            command,
            runtime_folder,
            fetch_progress,
            reader_program,
        } = options;
        let settings_folder = settings_folder.unwrap_or_else(|| path.clone());
        let writer_lock = WriterLock::open(&path, access, command)?;
        let config = Config::load(&settings_folder)?;
        let store = Store::open(&path, access != Access::Read)?;
        let multipart = Multipart::new(workspaces_in(&path), &config.limits);
        let backend: Box<dyn Backend> = Box::new(EmbeddedBackend::new(workspaces_in(&path)));
        if access != Access::Read {
            store.check()?;
            indexes::distrust_newer(&*backend, &store)?;
        }
        Ok(Self {
            extractor: extractor(&config, reader_program)?,
            indexes: Mutex::new(OpenIndexes::new(max_open_indexes(&config))),
            path,
            config,
            store,
            writer_lock,
            shelves: Mutex::default(),
            models: Models::new(settings_folder, runtime_folder, fetch_progress),
            backend,
            embedded: EmbeddingTotals::default(),
            views: Views::default(),
            errands: Errands::default(),
            multipart,
        })
    }

    /// Where everything of one workspace is kept that is not in the store.
    pub(crate) fn folder_of(&self, id: &WorkspaceId) -> PathBuf {
        workspaces_in(&self.path).join(id.as_str())
    }

    /// Keeps all others from writing into the workspace through us, in any process, until the file is closed. What is in the file is its
    /// holder's note on what it is about to write.
    pub(crate) fn lock_files(&self, id: &WorkspaceId) -> Result<fs_err::File, IngestError> {
        self.locked_files(id, |file| file.file().lock().map_err(IngestError::Lock))
    }

    /// As [`Self::lock_files`], for who has other work than this workspace's: a write that hangs holds nobody up for long.
    pub(crate) fn lock_files_soon(&self, id: &WorkspaceId) -> Result<fs_err::File, IngestError> {
        let started = Instant::now();
        self.locked_files(id, |file| {
            loop {
                match file.file().try_lock() {
                    Err(TryLockError::WouldBlock) if started.elapsed() < MAX_WAIT => std::thread::sleep(LOOK_AGAIN),
                    Err(TryLockError::WouldBlock) => {
                        return Err(IngestError::Written { id: id.clone(), waited: started.elapsed() });
                    }
                    locked => return locked.map_err(|error| IngestError::Lock(error.into())),
                }
            }
        })
    }

    fn locked_files(
        &self,
        id: &WorkspaceId,
        lock: impl FnOnce(&fs_err::File) -> Result<(), IngestError>,
    ) -> Result<fs_err::File, IngestError> {
        self.store.workspace(id)?;
        let folder = self.folder_of(id);
        fs_err::create_dir_all(&folder).map_err(IngestError::Lock)?;
        let mut options = fs_err::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(folder.join("files.lock")).map_err(IngestError::Lock)?;
        lock(&file)?;
        // It may have been deleted meanwhile, and the folder be made anew here: then that goes, too.
        self.store.workspace(id).inspect_err(|_| {
            if let Err(error) = self.store.note_remains(id) {
                tracing::warn!(workspace = %id, %error, "an empty folder of a deleted workspace stays");
            }
        })?;
        Ok(file)
    }

    pub(crate) fn max_open_indexes(&self) -> usize {
        max_open_indexes(&self.config)
    }

    /// What a pattern of a request may take.
    pub(crate) fn patterns(&self) -> PatternLimits {
        PatternLimits::from(&self.config.limits)
    }

    /// The files of a workspace, at its root. A call at one that hangs is given up.
    pub(crate) fn files_of(&self, id: &WorkspaceId, root: &Path) -> Arc<dyn Files> {
        self.errands.guard(id, files::at(root, RuleLimits::from(&self.config.limits)))
    }

    /// Which files are read in parts.
    pub(crate) fn part_sizes(&self) -> PartSizes {
        let from_bytes = self.config.extraction.parts_from_mb.saturating_mul(1_000_000);
        PartSizes { from_bytes, ..PartSizes::default() }
    }
}

fn workspaces_in(data_folder: &Path) -> PathBuf {
    data_folder.join("workspaces")
}

fn max_open_indexes(config: &Config) -> usize {
    usize::try_from(config.limits.open_indexes).unwrap_or(usize::MAX)
}
