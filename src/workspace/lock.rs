//! Locks on files, as callers see them.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ChangeKind, RelPath, Revision};

/// The shortest and the longest time that a lock can be taken for, in seconds.
pub const LOCK_TTL_S: std::ops::RangeInclusive<u32> = 10..=3_600;
/// How long a lock is taken for where nothing else is asked, in seconds.
pub const DEFAULT_LOCK_TTL_S: u32 = 60;
/// The longest wait for a lock, in milliseconds.
pub const MAX_LOCK_WAIT_MS: u64 = 30_000;
/// The longest reason, in characters.
pub const MAX_LOCK_REASON_CHARS: usize = 500;

/// Whether others may hold a lock on the same files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum LockMode {
    /// Nobody else. Only the holder writes.
    #[default]
    Exclusive,
    /// Others may, as shared. Nobody writes.
    Shared,
}

/// A lock on files that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Lock {
    /// Its id.
    pub lock_id: String,
    /// The only file that it covers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// It covers all files whose paths match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glob: Option<String>,
    /// Whether others may hold one on the same files.
    pub mode: LockMode,
    /// What a write to the files has to give; in the reply to taking the lock alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Larger than that of every lock of the workspace before it.
    pub fence: u64,
    /// Who holds it.
    pub holder: String,
    /// What it was taken for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was taken.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub taken_at: Timestamp,
    /// When it is over, unless it is extended before.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// How often the holder should extend it, in seconds.
    pub heartbeat_every_s: u32,
}

/// Why a lock is not to be had, or a file not written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Held {
    /// What was asked for.
    pub path: String,
    /// Who holds it; absent where others only wait for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// What it was taken for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the lease is over, unless it is extended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// The caller's place in the queue: 1 where nobody waits before it.
    pub place: u64,
    /// After how many seconds to ask again: some time at random, so that not all who wait ask at once.
    pub retry_after_s: u64,
    /// The caller's wait.
    #[serde(skip)]
    pub ticket: Option<u64>,
}

impl Held {
    /// Who holds it, and until when.
    #[must_use]
    pub fn by_whom(&self) -> String {
        match (&self.holder, self.expires_at) {
            (Some(holder), Some(at)) => format!(" by {holder} until {at:.0}"),
            _ => ", and others wait for it".to_owned(),
        }
    }
}

/// The lock that a change has violated, as webhooks tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct ViolatedLock {
    /// Its id.
    pub lock_id: String,
    /// Whether others might hold it, too.
    pub mode: LockMode,
    /// Who holds it.
    pub holder: String,
    /// What it was taken for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its fence.
    pub fence: u64,
}

/// A change of a locked file that was made past pincite, on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct LockViolation {
    /// The file.
    pub path: RelPath,
    /// The change in the log.
    pub revision: Revision,
    /// What happened to the file.
    pub kind: ChangeKind,
    /// When the change was found.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The lock.
    pub lock: ViolatedLock,
}
