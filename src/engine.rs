//! The one façade that all surfaces call: a data folder, its workspaces, and everything that can be done with them.
//!
//! # Invariants
//! - One process writes a data folder; others read beside it. Who writes is decided when the engine is opened.
//! - A reply never shows content that the log knows to be replaced or deleted, even before the index does.
//! - A reply names the revision it was answered from, and what it could not see.
//!
//! # Not here
//! How an answer looks to a person, and the wire formats (`cli`, `serve`, `mcp`).

mod access;
mod error;
mod evaluate;
mod read;
mod status;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

pub use self::access::Access;
use self::access::WriterLock;
pub use self::error::{EngineError, ErrorKind};
pub use self::evaluate::{EvalOptions, evaluate};
pub use self::read::FileText;
pub use self::status::{ModelStatus, StatusReport};
use crate::answer::{AskReply, AskRequest, Evidence, answer};
use crate::config::Config;
use crate::embed::{self, Embedder, OpenModel};
use crate::index::embedded::{Access as IndexAccess, EmbeddedIndex};
use crate::index::{Counts, Filter, Index, IndexError, Snapshot};
use crate::ingest::{self, Line, LineReport, Progress, ScanReport};
use crate::search::{self, Coverage, MAX_WAIT_MS, Mode, SearchReply, SearchRequest};
use crate::workspace::{Change, FileCounts, FileEntry, RelPath, Revision, Store, WorkspaceId, WorkspaceRow};

/// Passages that an answer is chosen from.
const NUM_EVIDENCE: usize = 12;
/// How often a waiting query looks again.
const WAIT_STEP: Duration = Duration::from_millis(10);

/// How a data folder is opened.
pub struct OpenOptions {
    /// The data folder; made when it is to be written.
    pub data_folder: PathBuf,
    /// To read, to write, or to write if nobody else does.
    pub access: Access,
    /// What this process is, for the message that a second writer gets.
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
    /// Held as long as this process may write.
    writer: Option<WriterLock>,
    runtime_folder: Option<PathBuf>,
    fetch_progress: Arc<dyn embed::Progress>,
    model: OnceLock<OpenModel>,
    indexes: Mutex<HashMap<WorkspaceId, Arc<EmbeddedIndex>>>,
    views: Mutex<HashMap<WorkspaceId, Arc<View>>>,
    /// One indexing run at a time.
    indexing: Mutex<()>,
}

/// What the store says of a workspace, kept as long as the store does not change.
struct View {
    store_version: (i64, u64),
    counts: FileCounts,
    /// The newest revision up to which nothing is pending.
    settled: Revision,
    superseded: BTreeSet<RelPath>,
}

/// What bringing a folder up to date did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IndexReport {
    /// What was found.
    pub scan: ScanReport,
    /// What was done.
    pub line: LineReport,
    /// Why nothing was embedded, where nothing could be.
    pub words_alone: Option<String>,
}

impl Engine {
    /// Opens a data folder.
    ///
    /// # Errors
    /// When another process writes it and this one must, when it holds nothing and this one only reads, or when it
    /// cannot be used.
    pub fn open(options: OpenOptions) -> Result<Self, EngineError> {
        let OpenOptions { data_folder, access, command, runtime_folder, fetch_progress } = options;
        let writer = access::take(&data_folder, access, &command)?;
        let config = Config::load(&data_folder)?;
        let store = Store::open(&data_folder, writer.is_some())?;
        Ok(Self {
            data_folder,
            config,
            store,
            writer,
            runtime_folder,
            fetch_progress,
            model: OnceLock::new(),
            indexes: Mutex::default(),
            views: Mutex::default(),
            indexing: Mutex::default(),
        })
    }

    /// Whether this process may write.
    #[must_use]
    pub const fn is_writer(&self) -> bool {
        self.writer.is_some()
    }

    /// The data folder.
    #[must_use]
    pub fn data_folder(&self) -> &Path {
        &self.data_folder
    }

    /// All workspaces by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn workspaces(&self) -> Result<Vec<WorkspaceRow>, EngineError> {
        Ok(self.store.workspaces()?)
    }

    /// Makes a workspace, or gives one that has none its folder.
    ///
    /// # Errors
    /// When this process may not write, the folder does not exist, or the workspace already has another one.
    pub fn ensure_workspace(&self, id: &WorkspaceId, root: Option<&Path>) -> Result<WorkspaceRow, EngineError> {
        self.must_write()?;
        let root = root.map(ingest::canonical_folder).transpose()?;
        Ok(self.store.ensure_workspace(id, root.as_deref())?)
    }

    /// Brings a workspace up to date with its folder: scan, index by words, then embed.
    ///
    /// # Errors
    /// When this process may not write, the folder cannot be listed, or the disk refuses. What was done stays.
    pub fn index_folder(
        &self,
        id: &WorkspaceId,
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<IndexReport, EngineError> {
        self.must_write()?;
        let _one_at_a_time = lock(&self.indexing);
        let root = ingest::canonical_folder(folder)?;
        self.store.ensure_workspace(id, Some(&root))?;
        let index = self.index(id)?;
        let scan = ingest::scan(&self.store, id, &root, progress)?;
        let model = self.model()?;
        let line = Line {
            store: &self.store,
            workspace: id,
            root: &root,
            index: &*index,
            tokens: &*model.tokens,
            model_id: &model.model_id,
            max_file_bytes: self.config.max_file_bytes,
        };
        let mut report = ingest::index_pending(&line, progress)?;
        let words_alone = match &model.embedder {
            Ok(embedder) => {
                report.num_embedded = ingest::embed_missing(&*index, &**embedder, progress)?;
                None
            }
            Err(error) => Some(error.to_string()),
        };
        Ok(IndexReport { scan, line: report, words_alone })
    }

    /// Searches a workspace.
    ///
    /// # Errors
    /// When the request cannot be, the workspace is unknown, the state is not as new as was asked for, or the index
    /// cannot be read.
    pub fn search(&self, id: &WorkspaceId, request: &SearchRequest) -> Result<SearchReply, EngineError> {
        search::check_request(request)?;
        let filter = request.filters.compile()?;
        let state = self.state(id, filter, request.min_revision, request.wait_ms)?;
        let embedder = if request.mode == Mode::Lexical { None } else { self.embedder()? };
        let hits = match &state.snapshot {
            None => Vec::new(),
            Some(snapshot) => {
                let ranking = &self.config.ranking;
                search::search(id, &**snapshot, embedder, ranking, request, &state.filter)?
            }
        };
        let coverage = self.coverage_of(&state, request.mode != Mode::Lexical)?;
        Ok(SearchReply { revision: state.view.settled, coverage, hits })
    }

    /// Answers a question from a workspace, by sentences that are verbatim in its files.
    ///
    /// # Errors
    /// As [`Engine::search`].
    pub fn ask(&self, id: &WorkspaceId, request: &AskRequest) -> Result<AskReply, EngineError> {
        let mut search = SearchRequest::new(request.question.clone());
        search.filters = request.filters.clone();
        search.k = NUM_EVIDENCE;
        search.explain = true;
        search.min_revision = request.min_revision;
        search.wait_ms = request.wait_ms;
        let found = self.search(id, &search)?;
        let evidence = Evidence { hits: &found.hits, embedder: self.embedder()? };
        Ok(answer(request, &evidence, found.revision, found.coverage)?)
    }

    /// The files of a workspace by path, all or those that match a glob.
    ///
    /// # Errors
    /// When the workspace is unknown or the glob cannot be read.
    pub fn files(&self, id: &WorkspaceId, glob: Option<&str>) -> Result<Vec<FileEntry>, EngineError> {
        self.store.workspace(id)?;
        let filters = search::Filters { path: glob.map(str::to_owned).into_iter().collect(), ..Default::default() };
        let filter = filters.compile()?;
        let mut files = self.store.files(id)?;
        files.retain(|file| filter.admits_path(file.path.as_str()));
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

    /// What a query of the workspace would see now.
    ///
    /// # Errors
    /// When the workspace is unknown or its index cannot be read.
    pub fn coverage(&self, id: &WorkspaceId) -> Result<Coverage, EngineError> {
        let state = self.state(id, Filter::default(), None, 0)?;
        self.coverage_of(&state, true)
    }

    fn must_write(&self) -> Result<(), EngineError> {
        if self.is_writer() { Ok(()) } else { Err(access::busy(&self.data_folder)) }
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
        let model = embed::open(&self.data_folder, self.config.model.as_deref(), &options)?;
        Ok(self.model.get_or_init(|| model))
    }

    fn embedder(&self) -> Result<Option<&dyn Embedder>, EngineError> {
        Ok(self.model()?.embedder.as_ref().ok().map(|embedder| &**embedder))
    }

    fn folder_of(&self, id: &WorkspaceId) -> PathBuf {
        self.data_folder.join("workspaces").join(id.as_str())
    }

    /// The index of a workspace. A writer that finds an unusable one begins a new one and has every file read again.
    fn index(&self, id: &WorkspaceId) -> Result<Arc<EmbeddedIndex>, EngineError> {
        let mut indexes = lock(&self.indexes);
        if let Some(index) = indexes.get(id) {
            return Ok(Arc::clone(index));
        }
        let identity = embed::identify(&self.data_folder, self.config.model.as_deref())?;
        let folder = self.folder_of(id);
        let access = if self.is_writer() { IndexAccess::Write } else { IndexAccess::Read };
        let open = || EmbeddedIndex::open(&folder, &identity.model_id, identity.num_dimensions, access);
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
        if self.is_writer() {
            let committed = index.snapshot()?.revision();
            // An index that is behind what was acknowledged has lost commits: the files say it all again.
            if committed < self.store.acknowledged_revision(id)? {
                self.store.forget_contents(id)?;
            }
        }
        let index = Arc::new(index);
        indexes.insert(id.clone(), Arc::clone(&index));
        Ok(index)
    }

    fn view(&self, id: &WorkspaceId) -> Result<Arc<View>, EngineError> {
        let store_version = self.store.version()?;
        if let Some(view) = lock(&self.views).get(id).filter(|view| view.store_version == store_version) {
            return Ok(Arc::clone(view));
        }
        self.store.workspace(id)?;
        let view = Arc::new(View {
            store_version,
            counts: self.store.counts(id)?,
            settled: self.store.settled_revision(id)?,
            superseded: self.store.superseded(id)?,
        });
        lock(&self.views).insert(id.clone(), Arc::clone(&view));
        Ok(view)
    }

    /// What a query is answered from, when it is new enough.
    fn state(
        &self,
        id: &WorkspaceId,
        mut filter: Filter,
        min_revision: Option<Revision>,
        wait_ms: u64,
    ) -> Result<QueryState, EngineError> {
        let deadline = Instant::now() + Duration::from_millis(wait_ms.min(MAX_WAIT_MS));
        loop {
            // The store first: what it calls done is in every snapshot that is taken after.
            let view = self.view(id)?;
            if min_revision.is_none_or(|wanted| view.settled >= wanted) {
                filter.hidden.clone_from(&view.superseded);
                let snapshot = match self.index(id) {
                    Ok(index) => Some(index.snapshot()?),
                    // A workspace that holds no file yet is empty, not broken.
                    Err(EngineError::Index(IndexError::Missing)) if view.counts.files == 0 => None,
                    Err(error) => return Err(error),
                };
                return Ok(QueryState { view, snapshot, filter });
            }
            if Instant::now() >= deadline {
                let wanted = min_revision.unwrap_or_default();
                return Err(EngineError::NotFresh { wanted, has: view.settled });
            }
            std::thread::sleep(WAIT_STEP);
        }
    }

    fn coverage_of(&self, state: &QueryState, wants_vectors: bool) -> Result<Coverage, EngineError> {
        let Counts { num_chunks, num_embedded } = match &state.snapshot {
            Some(snapshot) => snapshot.counts()?,
            None => Counts::default(),
        };
        let embedded_fraction = if num_chunks == 0 { 1.0 } else { num_embedded as f64 / num_chunks as f64 };
        let mut notes = Vec::new();
        if wants_vectors && let Err(error) = &self.model()?.embedder {
            notes.push(format!("searched by words alone: {error}"));
        } else if wants_vectors && num_embedded < num_chunks {
            notes.push(format!(
                "{} of {num_chunks} chunks are not embedded yet and were searched by words alone",
                num_chunks - num_embedded
            ));
        }
        let FileCounts { pending, failed, unsupported, .. } = state.view.counts;
        if pending > 0 {
            notes.push(format!("{pending} files have changes that are not searchable yet"));
        }
        if failed > 0 {
            notes.push(format!("{failed} files could not be read"));
        }
        if unsupported > 0 {
            notes.push(format!("{unsupported} files are of types that are not read"));
        }
        Ok(Coverage { files: state.view.counts, embedded_fraction, notes })
    }
}

struct QueryState {
    view: Arc<View>,
    snapshot: Option<Box<dyn Snapshot>>,
    filter: Filter,
}

/// Nothing here leaves a lock's content half changed when it panics, so a poisoned lock is used on.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
