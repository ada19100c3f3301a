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
mod ask;
mod changes;
mod digest;
mod error;
mod event;
mod folders;
mod freshness;
mod indexes;
mod lane;
mod line;
mod listing;
mod load;
mod lookers;
mod opened;
mod part;
mod probes;
mod provenance;
mod query;
mod read;
mod reading;
mod rebuild;
mod reconcile;
mod roots;
mod runner;
mod sections;
mod sources;
mod status;
mod tables;
#[cfg(test)]
mod tests;
mod verify;
mod versions;
mod view;
mod waiting;
mod workspace;
mod workspaces;
mod write;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

pub use self::access::Access;
use self::access::WriterLock;
pub use self::changes::{ChangeFilters, ChangesReply, ChangesRequest};
pub use self::error::{EngineError, ErrorKind};
pub use self::event::{Event, EventKind, EventsReply, MAX_EVENT_ID_CHARS, TakenEvent};
pub use self::freshness::SourceStatus;
pub use self::line::IndexReport;
use self::load::Embedded;
pub use self::load::Load;
use self::lookers::Looks;
use self::opened::OpenIndexes;
pub use self::part::{FilePart, MAX_TEXT_BYTES, cut, pages_of};
use self::probes::Probes;
pub use self::read::FileText;
use self::reading::Reading;
pub use self::reading::ReadingStatus;
pub use self::rebuild::{RebuildStatus, ReindexReport};
use self::runner::Bell;
pub use self::runner::Runner;
pub use self::status::{AnswererStatus, ModelStatus, ReasonGroup, RerankerStatus, StatusReport};
use self::versions::Standings;
use self::view::Views;
use self::waiting::Waiters;
pub use self::workspace::{Caller, Workspace};
pub use self::workspaces::{WorkspaceList, WorkspaceSummary};
pub use self::write::{Precondition, Upload, WriteReply};
use crate::config::{Config, Extraction};
use crate::embed::{self, EmbedError, OpenModel, Reranker};
use crate::extract::child::{self, Children, Limits};
use crate::extract::kept::Shelf;
use crate::extract::{Extractor, InProcess};
use crate::index::Backend;
use crate::index::embedded::EmbeddedBackend;
use crate::store::Store;
use crate::workspace::{PatternLimits, WorkspaceId};

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

/// An open data folder. Calls block, some for as long as indexing takes; any number may run at once.
pub struct Engine {
    data_folder: PathBuf,
    settings_folder: PathBuf,
    config: Config,
    store: Store,
    extractor: Box<dyn Extractor>,
    access: Access,
    command: String,
    /// Held as long as this process indexes.
    writer: Mutex<Option<WriterLock>>,
    /// Whether `writer` is held; it is never let go before the end.
    indexes_here: AtomicBool,
    runtime_folder: Option<PathBuf>,
    fetch_progress: Arc<dyn embed::Progress>,
    /// The configured model.
    model: OnceLock<Arc<OpenModel>>,
    /// Models that indexes are of which serve until others are built; `None` where one cannot be opened.
    former_models: Mutex<HashMap<String, Option<Arc<OpenModel>>>>,
    /// The configured reranker, or why it cannot be opened.
    reranker: OnceLock<Result<Box<dyn Reranker>, EmbedError>>,
    /// Whether a log says already that the reranker fails.
    warned_of_reranker: AtomicBool,
    /// Where indexes are kept.
    backend: Box<dyn Backend>,
    /// They are opened for writing where this process indexes.
    indexes: Mutex<OpenIndexes>,
    views: Mutex<Views>,
    /// What the beginnings of files say of them.
    standings: Standings,
    /// Where documents are kept that were made before.
    shelves: Mutex<HashMap<WorkspaceId, Arc<Shelf>>>,
    /// One batch at a time.
    indexing: Mutex<()>,
    /// The large file that is being read here.
    reading: Reading,
    /// The looks at folders that are being taken here.
    looks: Arc<Looks>,
    /// What was embedded here.
    embedded: Embedded,
    /// Rung when something was logged here.
    bell: Bell,
    /// The looks at files that are about to be read here.
    probes: Arc<Probes>,
    /// Requests that wait for a revision.
    waiters: Waiters,
    /// When somebody asked last.
    asked_at: Mutex<Option<Instant>>,
    /// What was in each workspace's log when the line was started.
    replays: Mutex<HashMap<WorkspaceId, runner::Replay>>,
}

impl Engine {
    /// Opens a data folder.
    ///
    /// # Errors
    /// When another process indexes it and this one must, when it holds nothing and this one only reads, or when it
    /// cannot be used.
    pub fn open(options: OpenOptions) -> Result<Self, EngineError> {
        let OpenOptions {
            data_folder,
            settings_folder,
            access,
            command,
            runtime_folder,
            fetch_progress,
            reader_program,
        } = options;
        let settings_folder = settings_folder.unwrap_or_else(|| data_folder.clone());
        let writer = access::take(&data_folder, access, &command)?;
        let config = Config::load(&settings_folder)?;
        let store = Store::open(&data_folder, access != Access::Read)?;
        let backend: Box<dyn Backend> = Box::new(EmbeddedBackend::new(data_folder.join("workspaces")));
        if access != Access::Read {
            store.check()?;
            indexes::distrust_newer(&*backend, &store)?;
        }
        let extractor = extractor(&config, reader_program)?;
        let max_open_indexes = max_open_indexes(&config);
        Ok(Self {
            data_folder,
            settings_folder,
            extractor,
            config,
            store,
            backend,
            access,
            command,
            indexes_here: AtomicBool::new(writer.is_some()),
            writer: Mutex::new(writer),
            runtime_folder,
            fetch_progress,
            model: OnceLock::new(),
            former_models: Mutex::default(),
            reranker: OnceLock::new(),
            warned_of_reranker: AtomicBool::new(false),
            indexes: Mutex::new(OpenIndexes::new(max_open_indexes)),
            shelves: Mutex::default(),
            views: Mutex::default(),
            standings: Standings::default(),
            indexing: Mutex::default(),
            reading: Reading::default(),
            looks: Arc::default(),
            embedded: Embedded::default(),
            bell: Bell::default(),
            probes: Arc::default(),
            waiters: Waiters::default(),
            asked_at: Mutex::default(),
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

    fn max_open_indexes(&self) -> usize {
        max_open_indexes(&self.config)
    }

    /// What a pattern of a request may take.
    fn patterns(&self) -> PatternLimits {
        PatternLimits::from(&self.config.limits)
    }
}

fn max_open_indexes(config: &Config) -> usize {
    usize::try_from(config.limits.open_indexes).unwrap_or(usize::MAX)
}

/// Reads files in children of `program` within the configured limits; without one, in this process.
///
/// # Errors
/// When the system has no thread left.
pub fn extractor(config: &Config, program: Option<child::Program>) -> Result<Box<dyn Extractor>, EngineError> {
    let Some(program) = program else { return Ok(Box::new(InProcess)) };
    let Extraction { timeout_s, memory_mb, text_mb, .. } = config.extraction;
    let limits = &config.limits;
    let num_cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let of_all_mb = limits.readers_memory_mb;
    let limits = Limits {
        timeout: Duration::from_secs(timeout_s),
        memory_bytes: memory_mb.saturating_mul(1_000_000),
        text_bytes: usize::try_from(text_mb.saturating_mul(1_000_000)).unwrap_or(usize::MAX),
        base_text_bytes: usize::try_from(limits.reader_text_mb.saturating_mul(1_000_000)).unwrap_or(usize::MAX),
        structure_bytes: limits.reader_structure_mb.saturating_mul(1_000_000),
        most_structure_bytes: limits.reader_structure_most_mb.saturating_mul(1_000_000),
        // One of them is never taken by the line.
        max_children: usize::try_from(limits.readers_per_core).unwrap_or(usize::MAX).saturating_mul(num_cores).max(2),
        memory_of_all_bytes: of_all_mb.saturating_mul(1_000_000),
        max_tries: u32::try_from(limits.reader_tries).unwrap_or(u32::MAX),
    };
    Ok(Box::new(Children::new(program, limits).map_err(EngineError::Thread)?))
}
