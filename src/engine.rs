//! The one façade that all surfaces call, roughly one file a verb: an engine has a data folder and its scheduler.
//!
//! # Invariants
//! - A verb on the files of a workspace is reached through the handle [`Workspace`] only, and a handle only with a [`Caller`].
//! - A reply never shows content that the log knows to be replaced or deleted, even before the index does. Only a verdict keeps the words
//!   that a reviewer judged.
//! - A reply names the revision it was answered from, and what it could not see.
//!
//! # Not here
//! What is open (`data_folder`); when it is indexed, and by which process (`scheduler`); how an answer looks to a person, and the wire
//! formats (`cli`, `serve`, `mcp`).

mod admission;
mod allowances;
mod alone;
mod ask;
mod audit;
mod bases;
mod changes;
mod conflict;
mod contents;
mod coverage;
mod digest;
mod edit;
mod event;
mod files;
mod folders;
mod freshness;
mod given;
mod grep;
mod index;
mod keys;
mod listing;
mod load;
mod locks;
mod moving;
mod multipart;
mod objects;
mod part;
mod picture;
mod provenance;
mod query;
mod read;
mod recording;
mod reindex;
mod report;
mod requests;
mod roots;
mod runner;
mod sections;
mod sessions;
mod sight;
mod signing;
mod source;
mod status;
mod tables;
#[cfg(test)]
mod tests;
mod transfers;
mod upload;
mod upload_links;
mod verdicts;
mod verify;
mod versions;
mod waiting;
mod webhooks;
mod workspace;
mod workspaces;
mod write;

use std::path::Path;
use std::sync::Arc;

pub use self::admission::Admitted;
use self::allowances::Allowances;
pub use self::allowances::{Allowance, DayAllowance, LimitedBy, LimitsReply, RequestAllowance, WorkspaceAllowance};
pub use self::audit::{AuditReply, AuditRequest, MAX_AUDIT_ENTRIES, MetConflict};
use self::bases::Bases;
pub use self::changes::{ChangeFilters, ChangesReply, ChangesRequest};
pub use self::contents::ContentsReply;
pub use self::coverage::is_on_unread;
pub use self::edit::{EditReply, MergeReply, OnConflict};
pub use self::event::{Event, EventKind, EventsReply, MAX_EVENT_ID_CHARS, TakenEvent};
pub use self::files::{FileList, FilesRequest, Usage};
pub use self::folders::{Below, Depth, PatternsBelow};
pub use self::freshness::SourceStatus;
pub use self::given::{Given, MAX_IDEMPOTENCY_KEY_BYTES};
pub use self::grep::{GrepMatch, GrepReply, GrepRequest};
pub use self::keys::{KeyList, KeyPatch, MadeKey, RevokedKeys};
pub use self::load::{Load, WebhookLoad};
pub use self::locks::{HeldLock, LockList, NewLock, Released, Waiting, lock_within};
pub use self::moving::{MoveReply, Transit};
pub use self::multipart::write_part;
use self::objects::Hashes;
pub use self::objects::{Object, ObjectList, ObjectsRequest, OpenObject};
pub use self::part::{FilePart, MAX_TEXT_BYTES, cut, pages_of};
pub use self::picture::PagePicture;
pub use self::read::FileText;
pub use self::reindex::{RebuildStatus, ReindexReport};
pub use self::requests::{DeleteRequest, EditRequest, FileReply, MoveRequest, WriteRequest};
pub use self::runner::Runner;
pub use self::sessions::SignedIn;
pub use self::signing::{S3Credentials, Signer};
pub use self::source::{FileBytes, Source};
pub use self::status::{AnswererStatus, ModelStatus, ReasonGroup, RerankerStatus, StatusReport};
pub use self::transfers::{Claim, Claimed, NewTransfer, OfferedTransfer, Transfer, TransferList};
pub use self::upload::Upload;
pub use self::upload_links::{LinkedUpload, NewUpload, UploadLink};
pub use self::verdicts::{VerdictsReply, VerdictsRequest};
use self::versions::Standings;
pub use self::webhooks::DeliveriesRequest;
pub use self::workspace::Workspace;
pub use self::workspaces::{WorkspaceList, WorkspaceSummary};
pub use self::write::{Precondition, WriteReply};
pub use crate::access::MAX_NAME_CHARS as MAX_KEY_NAME_CHARS;
pub use crate::access::{
    Action, Caller, Effect, Exhausted, KeyState, KeySummary, Kind, NewKey, Overlap, Partition, Rates, Secret,
    SessionToken, Standing, Surface, Who,
};
pub use crate::audit::{ActorKind, Asked, AuditActor, AuditEntry, AuditResult, Break, Head, ShownFile, VerifyReport};
use crate::audit::{Journal, Settings};
use crate::config::Config;
use crate::data_folder::DataFolder;
pub use crate::data_folder::{
    Access, EngineError, ErrorKind, NewPart, OpenOptions, PartInfo, UnfinishedUpload, extractor,
};
use crate::notify;
use crate::scheduler::Scheduler;
pub use crate::scheduler::{IndexReport, ReadingStatus};

/// An open data folder. Calls block, some for as long as indexing takes; any number may run at once.
pub struct Engine {
    data: Arc<DataFolder>,
    scheduler: Arc<Scheduler>,
    /// What the beginnings of files say of them.
    standings: Standings,
    /// Decides where webhooks may be sent.
    doorman: notify::Doorman,
    /// The messages that were sent here.
    sent: Arc<notify::Counts>,
    /// Who has done and seen what.
    journal: Arc<Journal>,
    /// Tells the journal of violated locks.
    violations: Arc<notify::ViolationRecorder>,
    /// What callers take.
    allowances: Allowances,
    /// Contents that were read and written lately.
    bases: Bases,
    /// Hashes of files whose change is pending.
    hashes: Hashes,
}

impl Engine {
    /// Opens a data folder.
    ///
    /// # Errors
    /// When another process indexes it and this one must, when it holds nothing and this one only reads, or when it
    /// cannot be used.
    pub fn open(options: OpenOptions) -> Result<Self, EngineError> {
        let may_only_read = options.access == Access::Read;
        let data = Arc::new(DataFolder::open(options)?);
        let journal = Arc::new(Journal::new(&data.path, Settings::of(&data.config.audit, may_only_read)));
        Ok(Self {
            scheduler: Arc::new(Scheduler::new(Arc::clone(&data))),
            standings: Standings::default(),
            doorman: notify::Doorman::new(data.config.webhooks.clone()),
            sent: Arc::default(),
            allowances: Allowances::new(&data.config.limits),
            bases: Bases::default(),
            hashes: Hashes::default(),
            journal,
            violations: Arc::new(notify::ViolationRecorder::new()),
            data,
        })
    }

    /// The data folder.
    #[must_use]
    pub fn data_folder(&self) -> &Path {
        &self.data.path
    }

    /// What the data folder's `config.toml` says.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.data.config
    }

    /// Whether this process indexes.
    #[must_use]
    pub fn is_writer(&self) -> bool {
        self.data.is_writer()
    }
}
