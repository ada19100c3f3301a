//! What can be wrong with the store, split by what the caller does next.

use std::path::PathBuf;

use crate::error::Advice;
use crate::workspace::WorkspaceId;

/// Why the store cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was ever written to the data folder.
    #[error("the data folder `{}` holds nothing yet", folder.display())]
    Missing {
        /// The data folder.
        folder: PathBuf,
    },
    /// No workspace of that name.
    #[error("there is no workspace `{id}`")]
    UnknownWorkspace {
        /// What was asked for.
        id: WorkspaceId,
    },
    /// There is a workspace of that name already.
    #[error("there is a workspace `{id}` already")]
    WorkspaceExists {
        /// Its name.
        id: WorkspaceId,
    },
    /// A workspace of that name was deleted, and what is left of it on disk is not gone yet.
    #[error("the data of the deleted workspace `{id}` is not completely removed yet")]
    BeingDeleted {
        /// Its name.
        id: WorkspaceId,
    },
    /// The workspace belongs to another folder.
    #[error("the workspace `{id}` belongs to the folder `{}`", root.display())]
    OtherRoot {
        /// The workspace.
        id: WorkspaceId,
        /// Its folder.
        root: PathBuf,
    },
    /// No verdict of that number in the workspace.
    #[error("the workspace has no verdict {id}")]
    UnknownVerdict {
        /// The number.
        id: u64,
    },
    /// The workspace has as many verdicts as it may have.
    #[error("the workspace has {max} verdicts, as many as `limits.verdicts` allows")]
    TooManyVerdicts {
        /// The limit.
        max: u64,
    },
    /// No key of that id, or one that is revoked.
    #[error("there is no key `{id}`")]
    UnknownKey {
        /// The id.
        id: String,
    },
    /// So many keys are in force that no more may be made.
    #[error("{max} keys are in force, as many as `limits.keys` allows")]
    TooManyKeys {
        /// The limit.
        max: u64,
    },
    /// No open offer of that token or number.
    #[error("there is no such offer to hand a workspace over, or it was claimed or withdrawn, or its time is over")]
    UnknownTransfer,
    /// So many offers of the workspace are open that no more may be made.
    #[error("{max} offers to hand the workspace over are open, as many as may be")]
    TooManyTransfers {
        /// The limit.
        max: u64,
    },
    /// No webhook of that number in the workspace.
    #[error("the workspace has no webhook {id}")]
    UnknownWebhook {
        /// The number.
        id: u64,
    },
    /// No delivery of that number to the webhook.
    #[error("the webhook has no delivery {id}")]
    UnknownDelivery {
        /// The number.
        id: u64,
    },
    /// As many locks are held in the workspace as may be.
    #[error("{max} locks are held in the workspace, as many as `limits.locks` allows")]
    TooManyLocks {
        /// The limit.
        max: u64,
    },
    /// The workspace has as many webhooks as it may have.
    #[error("the workspace has {max} webhooks, as many as `limits.webhooks` allows")]
    TooManyWebhooks {
        /// The limit.
        max: u64,
    },
    /// Nothing is sent to the webhook.
    #[error("the webhook {id} is switched off")]
    WebhookOff {
        /// The number.
        id: u64,
    },
    /// Written by another version of the program.
    #[error("the data folder has layout {found}, this program knows {expected}")]
    Version {
        /// What the folder says.
        found: i64,
        /// What this program writes.
        expected: i64,
    },
    /// Opened for reading only.
    #[error("the data folder was opened for reading only")]
    ReadOnly,
    /// The tables hold what cannot be.
    #[error("the file `pincite.db` is damaged: {reason}")]
    Damaged {
        /// What is wrong.
        reason: String,
    },
    /// What is kept of the workspace has begun anew since the work began.
    #[error("the workspace `{id}` was deleted and made again meanwhile")]
    OtherEpoch {
        /// The workspace.
        id: WorkspaceId,
    },
    /// Another process has held its lock for too long. Nothing was done; try again.
    #[error("another process holds the file `pincite.db`")]
    Busy(#[source] rusqlite::Error),
    /// The disk is full. Nothing was done; try again when there is room.
    #[error("the disk of the data folder is full")]
    Full(#[source] rusqlite::Error),
    /// The disk refused. Try again when that has changed.
    #[error("the file `pincite.db` cannot be written or read")]
    Io(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as E;
        use rusqlite::ErrorCode::{
            DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase, TypeMismatch, Unknown,
        };
        match error {
            E::InvalidQuery
            | E::InvalidColumnType(..)
            | E::FromSqlConversionFailure(..)
            | E::IntegralValueOutOfRange(..) => Self::Damaged { reason: "a row holds an impossible value".to_owned() },
            // The statements are right, so a table or column that they miss was lost.
            error
                if matches!(
                    error.sqlite_error_code(),
                    Some(DatabaseCorrupt | NotADatabase | TypeMismatch | Unknown)
                ) =>
            {
                Self::Damaged { reason: error.to_string() }
            }
            error => match error.sqlite_error_code() {
                Some(DatabaseBusy | DatabaseLocked) => Self::Busy(error),
                Some(DiskFull) => Self::Full(error),
                _ => Self::Io(error),
            },
        }
    }
}

impl Advice for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "nothing_indexed",
            Self::UnknownWorkspace { .. } => "unknown_workspace",
            Self::WorkspaceExists { .. } => "workspace_exists",
            Self::BeingDeleted { .. } => "being_deleted",
            Self::OtherEpoch { .. } => "other_epoch",
            Self::OtherRoot { .. } => "other_root",
            Self::UnknownVerdict { .. } => "unknown_verdict",
            Self::TooManyVerdicts { .. } => "too_many_verdicts",
            Self::UnknownKey { .. } => "unknown_key",
            Self::TooManyKeys { .. } => "too_many_keys",
            Self::UnknownTransfer => "unknown_transfer",
            Self::TooManyTransfers { .. } => "too_many_transfers",
            Self::UnknownWebhook { .. } => "unknown_webhook",
            Self::UnknownDelivery { .. } => "unknown_delivery",
            Self::TooManyLocks { .. } => "too_many_locks",
            Self::TooManyWebhooks { .. } => "too_many_webhooks",
            Self::WebhookOff { .. } => "webhook_off",
            Self::Version { .. } => "other_version",
            Self::ReadOnly => "read_only",
            Self::Damaged { .. } => "store_damaged",
            Self::Busy(_) => "store_busy",
            Self::Full(_) => "disk_full",
            Self::Io(_) => "store_io",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { .. } => {
                "index a folder first: `pincite index PATH`, or add `--path PATH` to the question".to_owned()
            }
            Self::UnknownWorkspace { .. } => {
                "index a folder first: `pincite index PATH --workspace NAME`; `pincite workspace list` lists the workspaces"
                    .to_owned()
            }
            Self::WorkspaceExists { .. } => "use it, delete it first, or take another name".to_owned(),
            Self::OtherEpoch { .. } => "repeat the request: it was for the workspace before that".to_owned(),
            Self::BeingDeleted { .. } => {
                "ask again shortly: the process that indexes the data folder is removing it"
                    .to_owned()
            }
            Self::OtherRoot { id, .. } => {
                format!("give this folder a workspace of its own: `--workspace NAME` with another name than `{id}`")
            }
            Self::UnknownVerdict { .. } => "list the verdicts: it may have been withdrawn".to_owned(),
            Self::TooManyVerdicts { .. } => {
                "export and withdraw some, or raise `limits.verdicts` in `config.toml`".to_owned()
            }
            Self::UnknownKey { .. } => "list the keys: it may have been revoked".to_owned(),
            Self::TooManyKeys { .. } => {
                "revoke keys that nobody uses, or raise `limits.keys` in `config.toml`".to_owned()
            }
            Self::UnknownTransfer => "ask whoever offers the workspace for another token".to_owned(),
            Self::TooManyTransfers { .. } => "withdraw one, or wait until one is over".to_owned(),
            Self::UnknownWebhook { .. } => "list the webhooks: it may have been deleted".to_owned(),
            Self::UnknownDelivery { .. } => "list the deliveries: those of the last 7 days are kept, at most 1000 of a webhook".to_owned(),
            Self::TooManyLocks { .. } => "release some, or raise `limits.locks` in `config.toml`".to_owned(),
            Self::TooManyWebhooks { .. } => "delete one, or raise `limits.webhooks` in `config.toml`".to_owned(),
            Self::WebhookOff { .. } => "its `disabled_reason` says why; switch it on with `enabled: true`".to_owned(),
            Self::Version { found, expected } if found < expected => {
                "run `pincite index PATH` once: it brings the data folder to the layout of this program".to_owned()
            }
            Self::Version { .. } => "use the program version that wrote it, or another `--data-dir`".to_owned(),
            Self::ReadOnly => "write through a process that was started with a folder".to_owned(),
            Self::Damaged { .. } => {
                "move the data folder away and index the files again: the index is made anew, and verdicts of reviewers are lost".to_owned()
            }
            Self::Busy(_) => "ask again in a second; where it stays so, end what else has opened the data folder".to_owned(),
            Self::Full(_) => "free space on the disk of the data folder, and ask again".to_owned(),
            Self::Io(_) => "check free space and permissions of the data folder".to_owned(),
        })
    }
}
