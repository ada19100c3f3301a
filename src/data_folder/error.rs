//! The one error enum of `data_folder`, `scheduler` and `engine`: errors of the rooms below, and their own.
//!
//! The three rooms share it because almost every call passes through all of them, and a surface tells errors apart by their kind and
//! code, not by the room that they come from. `engine` exports it again, and surfaces take it from there.

use std::path::PathBuf;

use super::multipart::MultipartError;
use crate::access::AccessError;
use crate::answer::{AnswerError, LanguageError};
use crate::audit::AuditError;
use crate::config::ConfigError;
use crate::edit::EditError;
use crate::embed::EmbedError;
use crate::error::{Advice, Details};
use crate::extract::ExtractError;
use crate::files::FilesError;
use crate::index::IndexError;
use crate::ingest::{IngestError, ReadError, WriteError};
use crate::search::SearchError;
use crate::store::StoreError;
use crate::workspace::{
    Conflict, Held, InvalidName, InvalidProvenance, InvalidVerdict, InvalidWebhook, RelPath, Revision, WorkspaceId,
};

/// Why the engine did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Another process indexes this data folder.
    #[error("the data folder `{}` is written by {holder}", folder.display())]
    Busy {
        /// The data folder.
        folder: PathBuf,
        /// Who writes it.
        holder: String,
    },
    /// The data folder was opened for questions only.
    #[error("this process was started to read the data folder only")]
    ReadOnly,
    /// The folder has not been compared since the process started, or what was found then is still being brought in.
    #[error("changes that were pending at the start are still being indexed")]
    Replaying,
    /// A call of the file system hangs.
    #[error("{what} of `{id}` has shown no progress for {silent_s} seconds: the file system does not answer")]
    Stuck {
        /// What hangs.
        what: String,
        /// The workspace.
        id: WorkspaceId,
        /// For how long.
        silent_s: u64,
    },
    /// A file is not as the writer expects it.
    #[error("`{}` does not meet the condition of the request: {}", .0.path, .0.what_is_there())]
    Conflict(Box<Conflict>),
    /// The workspace demands a condition of every write.
    #[error("the workspace takes writes only with a condition, and this one to `{path}` has none")]
    ConditionRequired {
        /// The file.
        path: RelPath,
    },
    /// An idempotency key that cannot be.
    #[error("the idempotency key is empty, or longer than {max} bytes")]
    InvalidIdempotencyKey {
        /// The longest one.
        max: usize,
    },
    /// Others hold a lock on a file, or wait for one.
    #[error("`{}` is locked{}", .0.path, .0.by_whom())]
    Locked(Box<Held>),
    /// A write gives the token of a lock that is lost.
    #[error("`{path}` is not written: the lock whose token was given is over, or was taken away")]
    Fenced {
        /// The file.
        path: String,
    },
    /// A lock is lost that was to be extended.
    #[error("the lock `{id}` is lost: it is over, was released, or its token is another one")]
    LockLost {
        /// Its id.
        id: String,
    },
    /// A request whose fields do not go together.
    #[error("{what}")]
    InvalidRequest {
        /// What is wrong.
        what: String,
    },
    /// A lock that cannot be.
    #[error("the lock cannot be: {what}")]
    InvalidLock {
        /// What is wrong.
        what: String,
    },
    /// The idempotency key was used for another request.
    #[error("the idempotency key was used for another request")]
    OtherRequest,
    /// A change of a file's text cannot be made.
    #[error("`{path}` is not changed: {error}")]
    Edit {
        /// The file.
        path: RelPath,
        /// Why.
        error: EditError,
    },
    /// Too many changes are pending: back-pressure refuses writes for now.
    #[error("more than {max} changes are not searchable yet, so writes are refused for now")]
    Backlog {
        /// The limit.
        max: usize,
    },
    /// An event is not valid.
    #[error("the event `{id}` is not valid: {reason}")]
    InvalidEvent {
        /// The event.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// An upload in parts cannot go on.
    #[error(transparent)]
    Multipart(#[from] MultipartError),
    /// The line could not be started.
    #[error("the thread that indexes cannot be started")]
    Thread(#[source] std::io::Error),
    /// The state is older than what was asked for, and the wait is over.
    #[error("the workspace is at revision {has}, older than the revision {wanted} that was asked for")]
    NotFresh {
        /// What was asked for.
        wanted: Revision,
        /// What there is.
        has: Revision,
    },
    /// The folder belongs to the data folder.
    #[error("`{}` is a folder of pincite's own", root.display())]
    OwnFolder {
        /// The folder.
        root: PathBuf,
    },
    /// A client named a folder that it may not name, or that cannot be.
    #[error("a workspace that is made over REST may have a folder only below one of `workspaces.allowed_roots`")]
    RootNotAllowed,
    /// So many requests wait for a revision that no more may.
    #[error("{max} requests already wait for a revision, as many as `limits.waits` allows")]
    TooManyWaits {
        /// The limit.
        max: u64,
    },
    /// A request asks for more time than it may have.
    #[error("`timeout_ms` is {asked}, and must be 1 to {most} (`limits.query_ms`)")]
    TimeoutTooLong {
        /// What was asked for.
        asked: u64,
        /// The limit.
        most: u64,
    },
    /// Nobody waits for the reply any more.
    #[error("the client has hung up")]
    Cancelled,
    /// The workspace has no folder that files could be read from.
    #[error("the workspace `{id}` has no folder")]
    NoRoot {
        /// The workspace.
        id: WorkspaceId,
    },
    /// Nothing of the workspace is indexed.
    #[error("the intelligence of the workspace `{id}` is off: its files are listed, and nothing is indexed")]
    IntelligenceOff {
        /// The workspace.
        id: WorkspaceId,
    },
    /// A citation of one workspace was brought to another.
    #[error("the citation is of the workspace `{cited}`, not of `{asked}`")]
    OtherWorkspace {
        /// Where the citation was brought.
        asked: WorkspaceId,
        /// What it names.
        cited: WorkspaceId,
    },
    /// The cited words do not stand where they are cited.
    #[error("the citation does not hold: {explanation}")]
    StaleCitation {
        /// What has become of the words.
        explanation: String,
    },
    /// The caller may not do this, or a key cannot be so.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The access cannot be recorded, or what is asked of the record cannot be.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A verdict is not valid.
    #[error(transparent)]
    Verdict(#[from] InvalidVerdict),
    /// A webhook is not valid.
    #[error(transparent)]
    Webhook(#[from] InvalidWebhook),
    /// The file has no text that could be shown.
    #[error("`{path}` has no text to show: {reason}")]
    NoText {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The page cannot be drawn.
    #[error("no page of `{path}` can be shown as a picture: {reason}")]
    NoPicture {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
    /// The text is too large for one reply.
    #[error("the text of `{path}` is too large for one reply: the file has {} MB", size / 1_000_000)]
    LargeText {
        /// The file.
        path: String,
        /// Its size in bytes.
        size: u64,
    },
    /// The text ends before the place that is asked for.
    #[error("the text of `{path}` has {num_bytes} bytes, `start` is {start}")]
    OutOfRange {
        /// The file.
        path: String,
        /// The length of its text in bytes.
        num_bytes: usize,
        /// The byte that was asked for.
        start: usize,
    },
    /// A name is not valid.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// The provenance of a write is not valid.
    #[error(transparent)]
    Provenance(#[from] InvalidProvenance),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store cannot do it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index cannot do it.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A folder or file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The model cannot be used.
    #[error(transparent)]
    Embed(#[from] EmbedError),
    /// No file can be read for now.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// The search cannot be made.
    #[error(transparent)]
    Search(SearchError),
    /// No language model answers.
    #[error(transparent)]
    Language(#[from] LanguageError),
    /// The data folder cannot be made or locked.
    #[error("the data folder cannot be used")]
    Io(#[source] std::io::Error),
}

impl EngineError {
    fn advice(&self) -> Option<&dyn Advice> {
        match self {
            Self::Name(error) => Some(error),
            Self::Provenance(error) => Some(error),
            Self::Verdict(error) => Some(error),
            Self::Access(error) => Some(error),
            Self::Webhook(error) => Some(error),
            Self::Multipart(error) => Some(error),
            Self::Audit(error) => Some(error),
            Self::Config(error) => Some(error),
            Self::Store(error) => Some(error),
            Self::Index(error) => Some(error),
            Self::Read(error) => Some(error),
            Self::Embed(error) => Some(error),
            Self::Extract(error) => Some(error),
            Self::Search(error) => Some(error),
            Self::Language(error) => Some(error),
            Self::Write(error) => Some(error),
            Self::Busy { .. }
            | Self::ReadOnly
            | Self::Replaying
            | Self::Stuck { .. }
            | Self::Conflict(_)
            | Self::ConditionRequired { .. }
            | Self::Locked(_)
            | Self::Fenced { .. }
            | Self::LockLost { .. }
            | Self::InvalidLock { .. }
            | Self::InvalidRequest { .. }
            | Self::InvalidIdempotencyKey { .. }
            | Self::OtherRequest
            | Self::Edit { .. }
            | Self::Backlog { .. }
            | Self::InvalidEvent { .. }
            | Self::Thread(_)
            | Self::NotFresh { .. }
            | Self::OwnFolder { .. }
            | Self::RootNotAllowed
            | Self::TooManyWaits { .. }
            | Self::TimeoutTooLong { .. }
            | Self::Cancelled
            | Self::NoRoot { .. }
            | Self::IntelligenceOff { .. }
            | Self::OtherWorkspace { .. }
            | Self::StaleCitation { .. }
            | Self::NoText { .. }
            | Self::NoPicture { .. }
            | Self::LargeText { .. }
            | Self::OutOfRange { .. }
            | Self::Io(_) => None,
        }
    }
}

impl From<IngestError> for EngineError {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Folder(error) => Self::Read(error),
            IngestError::Store(error) => Self::Store(error),
            IngestError::Index(error) => Self::Index(error),
            IngestError::Extract(error) => Self::Extract(error),
            IngestError::Embed(error) => Self::Embed(error),
            IngestError::Lock(error) => Self::Io(error),
        }
    }
}

impl From<AnswerError> for EngineError {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Language(error) => Self::Language(error),
            AnswerError::Search(error) => Self::from(error),
        }
    }
}

impl From<SearchError> for EngineError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Index(error) => Self::Index(error),
            SearchError::Embed(error) => Self::Embed(error),
            other => Self::Search(other),
        }
    }
}

impl From<FilesError> for EngineError {
    fn from(error: FilesError) -> Self {
        Self::Read(error.into())
    }
}

impl Advice for EngineError {
    fn code(&self) -> &'static str {
        match self {
            Self::Busy { .. } => "busy",
            Self::ReadOnly => "read_only",
            Self::Replaying => "replaying",
            Self::Stuck { .. } => "source_stuck",
            Self::Conflict(_) => "conflict",
            Self::ConditionRequired { .. } => "condition_required",
            Self::Locked(_) => "locked",
            Self::Fenced { .. } => "fenced",
            Self::LockLost { .. } => "lock_lost",
            Self::InvalidLock { .. } => "invalid_lock",
            Self::InvalidRequest { .. } => "invalid_request",
            Self::InvalidIdempotencyKey { .. } => "invalid_idempotency_key",
            Self::OtherRequest => "idempotency_key_reused",
            Self::Edit { error, .. } => error.code(),
            Self::Backlog { .. } => "backlog",
            Self::InvalidEvent { .. } => "invalid_event",
            Self::Thread(_) => "internal",
            Self::NotFresh { .. } => "not_fresh",
            Self::OwnFolder { .. } => "own_folder",
            Self::RootNotAllowed => "root_not_allowed",
            Self::TooManyWaits { .. } => "too_many_waits",
            Self::TimeoutTooLong { .. } => "timeout_too_long",
            Self::Cancelled => "cancelled",
            Self::NoRoot { .. } => "no_root",
            Self::IntelligenceOff { .. } => "intelligence_off",
            Self::OtherWorkspace { .. } => "other_workspace",
            Self::StaleCitation { .. } => "stale_citation",
            Self::NoText { .. } => "no_text",
            Self::NoPicture { .. } => "no_picture",
            Self::LargeText { .. } => "large_text",
            Self::OutOfRange { .. } => "out_of_range",
            Self::Io(_) => "data_folder_io",
            other => other.advice().map_or("internal", Advice::code),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Busy { .. } => Some(
                "ask that process, stop it, or use another data folder (`--data-dir`); a search needs no writer"
                    .to_owned(),
            ),
            Self::ReadOnly => Some("start it with a folder: `pincite serve PATH` or `pincite mcp PATH`".to_owned()),
            Self::Replaying => {
                Some("ask again shortly; searches are answered meanwhile, and say what is pending".to_owned())
            }
            Self::Stuck { .. } => {
                Some("check the disk or the network file system that holds the folder".to_owned())
            }
            Self::Conflict(conflict) if conflict.conflicts.is_some() => Some(
                "resolve the marked places, and write the whole text with `if_match` of `current_etag`".to_owned(),
            ),
            Self::Conflict(_) => {
                Some("read the file again, and write with its present `content_hash` as condition".to_owned())
            }
            Self::ConditionRequired { .. } => Some(
                "read the file and send its `content_hash` as `if_match` (`If-Match` over REST), or `absent` for a new file \
                 (`If-None-Match: *`)"
                    .to_owned(),
            ),
            Self::Locked(held) => Some(format!(
                "ask again in {} s and then less and less often, or wait for the lock with `wait_ms`; who holds it writes with its token",
                held.retry_after_s
            )),
            Self::Fenced { .. } => Some(
                "somebody else may have written meanwhile: take the lock again, read the file, and then decide".to_owned(),
            ),
            Self::LockLost { .. } => {
                Some("take it again, and read the files: others may have written meanwhile".to_owned())
            }
            Self::InvalidRequest { .. } => Some("/openapi.json and the tools' schemas describe the fields".to_owned()),
            Self::InvalidLock { .. } => Some("docs/locks.md describes a lock".to_owned()),
            Self::InvalidIdempotencyKey { .. } => Some("use a UUID, new for each request".to_owned()),
            Self::OtherRequest => Some("use a new key for each request, and the same one to repeat it".to_owned()),
            Self::Edit { error, .. } => error.hint(),
            Self::Backlog { .. } => {
                Some("write again in a second; `max_pending` in `config.toml` is the limit".to_owned())
            }
            Self::InvalidEvent { .. } => Some("/openapi.json describes the fields of an event".to_owned()),
            Self::Thread(_) => Some("the system has no thread left: stop other programs".to_owned()),
            Self::NotFresh { .. } => Some("ask again with a larger `wait_ms`, or without `min_revision`".to_owned()),
            Self::OwnFolder { .. } => Some(
                "give a folder outside the data folder that does not contain it (`--data-dir` moves the data folder), or no folder: the data folder then keeps the files that are written"
                    .to_owned(),
            ),
            Self::RootNotAllowed => Some(
                "leave `root` out, make the workspace with `pincite workspace create`, or add a folder above it to \
                 `workspaces.allowed_roots` in `config.toml`"
                    .to_owned(),
            ),
            Self::TooManyWaits { .. } => {
                Some("ask again in a second, or without `wait_ms`; `limits.waits` in `config.toml` raises it".to_owned())
            }
            Self::TimeoutTooLong { .. } => {
                Some("ask for less, or raise `limits.query_ms` in `config.toml`".to_owned())
            }
            Self::Cancelled => None,
            Self::NoRoot { .. } => Some("index a folder into it: `pincite index PATH --workspace NAME`".to_owned()),
            Self::IntelligenceOff { id } => Some(format!("switch it on: `pincite workspace intelligence {id} on`")),
            Self::OtherWorkspace { .. } => Some("ask the workspace that the citation names".to_owned()),
            Self::StaleCitation { .. } => {
                Some("verify the citation, and judge the one that is returned; or search again".to_owned())
            }
            Self::LargeText { .. } => {
                Some("read it piece by piece: `start` and `max_bytes`, over REST and in the MCP tool `read_file`".to_owned())
            }
            Self::OutOfRange { .. } => Some("begin at 0, and go on at `next_start`".to_owned()),
            Self::NoPicture { .. } => Some("its text can be read, and the file downloaded".to_owned()),
            Self::NoText { .. } => Some("`pincite status` lists every file with its state and reason".to_owned()),
            Self::Io(_) => {
                Some("check free space and permissions, or use another data folder (`--data-dir`)".to_owned())
            }
            other => other.advice().and_then(Advice::hint),
        }
    }

    fn details(&self) -> Details {
        let details = match self {
            Self::Conflict(conflict) => serde_json::to_value(conflict).ok(),
            Self::Locked(held) => serde_json::to_value(held).ok(),
            _ => None,
        };
        match details {
            Some(serde_json::Value::Object(details)) => details,
            _ => Details::new(),
        }
    }
}
