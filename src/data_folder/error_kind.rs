//! What a caller does about an error of the engine.

use super::EngineError;
use crate::access::AccessError;
use crate::answer::LanguageError;
use crate::audit::AuditError;
use crate::edit::EditError;
use crate::embed::EmbedError;
use crate::files::FilesError;
use crate::index::IndexError;
use crate::ingest::{ReadError, WriteError};
use crate::search::SearchError;
use crate::store::StoreError;
use crate::workspace::InvalidWebhook;

/// What a caller does about an error, in the few kinds that a wire format tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request has to be another one.
    Invalid,
    /// The request does not say who makes it.
    Unauthorized,
    /// The request asks for what clients, or this one, may not do.
    Forbidden,
    /// What was named is not there.
    NotFound,
    /// Something else stands in the way: another root, another writer, an older state.
    Conflict,
    /// What the request expects does not hold.
    Precondition,
    /// Others have locked it.
    Locked,
    /// What was named was there, and is not any more.
    Gone,
    /// The request has to say what it expects.
    ConditionRequired,
    /// The request is understood, and cannot be done with what is there.
    Unprocessable,
    /// The disk has no room.
    Full,
    /// Not now, perhaps later.
    Unavailable,
    /// The write is larger than any may be.
    TooLarge,
    /// There is no room for the write.
    NoRoom,
    /// The caller asks for too much at once.
    TooMany,
    /// The program or the disk is at fault.
    Internal,
}

impl EngineError {
    /// Which kind of error this is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Webhook(InvalidWebhook::LookupsBusy) => ErrorKind::Unavailable,
            Self::Multipart(error) => error.kind(),
            Self::Name(_)
            | Self::InvalidIdempotencyKey { .. }
            | Self::InvalidLock { .. }
            | Self::InvalidRequest { .. }
            | Self::Provenance(_)
            | Self::Verdict(_)
            | Self::Webhook(_)
            | Self::Audit(AuditError::Invalid { .. })
            | Self::Search(
                SearchError::Invalid { .. }
                | SearchError::Pattern(_)
                | SearchError::TooLarge { .. }
                | SearchError::NoModel,
            )
            | Self::Language(LanguageError::NotConfigured)
            | Self::Read(
                ReadError::Folder { .. }
                | ReadError::TooLarge { .. }
                | ReadError::Files(FilesError::NotAFile { .. } | FilesError::NotAFolder { .. } | FilesError::Link { .. }),
            )
            | Self::NoText { .. }
            | Self::NoPicture { .. }
            | Self::LargeText { .. }
            | Self::OutOfRange { .. }
            | Self::OtherWorkspace { .. }
            | Self::InvalidEvent { .. }
            | Self::OwnFolder { .. }
            | Self::TimeoutTooLong { .. }
            | Self::Write(
                WriteError::Link { .. }
                | WriteError::NotAFile { .. }
                | WriteError::PassedOver { .. }
                | WriteError::TooDeep { .. }
                | WriteError::DeviceName { .. }
                | WriteError::SamePath { .. }
                | WriteError::Name,
            )
            | Self::Embed(EmbedError::UnknownModel { .. }) => ErrorKind::Invalid,
            Self::Access(error) => of_access(error),
            Self::RootNotAllowed => ErrorKind::Forbidden,
            Self::Store(
                StoreError::UnknownWorkspace { .. }
                | StoreError::UnknownVerdict { .. }
                | StoreError::UnknownKey { .. }
                | StoreError::UnknownTransfer
                | StoreError::UnknownWebhook { .. }
                | StoreError::UnknownDelivery { .. }
                | StoreError::Missing { .. },
            )
            | Self::Read(ReadError::Gone | ReadError::Unknown { .. } | ReadError::Files(FilesError::NoFolder { .. }))
            | Self::Index(IndexError::Missing)
            | Self::NoRoot { .. } => ErrorKind::NotFound,
            Self::Busy { .. }
            | Self::ReadOnly
            | Self::NotFresh { .. }
            | Self::IntelligenceOff { .. }
            | Self::StaleCitation { .. }
            | Self::OtherRequest
            | Self::Edit { error: EditError::Same, .. }
            | Self::Store(
                StoreError::OtherRoot { .. }
                | StoreError::WorkspaceExists { .. }
                | StoreError::TooManyVerdicts { .. }
                | StoreError::TooManyKeys { .. }
                | StoreError::TooManyTransfers { .. }
                | StoreError::TooManyWebhooks { .. }
                | StoreError::TooManyLocks { .. }
                | StoreError::WebhookOff { .. },
            ) => ErrorKind::Conflict,
            Self::Audit(AuditError::Full(_) | AuditError::FullAfter(_)) => ErrorKind::Full,
            Self::ConditionRequired { .. } => ErrorKind::ConditionRequired,
            Self::Locked(_) => ErrorKind::Locked,
            Self::LockLost { .. } | Self::UploadLink => ErrorKind::Gone,
            Self::Edit { .. } | Self::OtherContent { .. } => ErrorKind::Unprocessable,
            Self::Fenced { .. }
            | Self::Conflict(_)
            | Self::Write(WriteError::Exists { .. } | WriteError::OtherVersion { .. }) => ErrorKind::Precondition,
            Self::Read(
                ReadError::Unstable | ReadError::Files(FilesError::Hangs { .. } | FilesError::PlaceHangs { .. }),
            )
            | Self::Embed(_)
            | Self::Extract(_)
            | Self::Language(_)
            | Self::Replaying
            | Self::Stuck { .. }
            | Self::Backlog { .. }
            | Self::TooManyWaits { .. }
            | Self::Cancelled
            | Self::Audit(AuditError::Busy { .. })
            | Self::Store(StoreError::BeingDeleted { .. } | StoreError::Busy(_) | StoreError::Full(_))
            | Self::Write(WriteError::Full(_)) => ErrorKind::Unavailable,
            _ => ErrorKind::Internal,
        }
    }
}

const fn of_access(error: &AccessError) -> ErrorKind {
    match error {
        AccessError::InvalidSpec { .. } => ErrorKind::Invalid,
        AccessError::NoKey | AccessError::MalformedKey | AccessError::InvalidKey | AccessError::SessionOver => {
            ErrorKind::Unauthorized
        }
        AccessError::InsufficientScope { .. }
        | AccessError::NotForAll
        | AccessError::NotForWhole
        | AccessError::PathNotAllowed { .. }
        | AccessError::OtherWriter { .. }
        | AccessError::Wider { .. } => ErrorKind::Forbidden,
        AccessError::LargerThanQuota { .. } => ErrorKind::TooLarge,
        AccessError::QuotaExceeded { .. } => ErrorKind::NoRoom,
        AccessError::TooManyWaits { .. } => ErrorKind::TooMany,
        AccessError::NoKeys => ErrorKind::Conflict,
        AccessError::NoRandomness => ErrorKind::Internal,
    }
}
