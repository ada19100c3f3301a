//! Webhooks: who is told of what, what a message says, and what became of each delivery.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ChangeKind, ContentHash, Provenance, RelPath, Revision, ViolatedLock, WorkspaceId};

/// The shortest and the longest key of a secret, in bytes, as Standard Webhooks has them.
pub const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
/// How long a secret may hold beside the next one, in seconds.
pub const MAX_OVERLAP_S: u64 = 7 * 24 * 60 * 60;
/// The type of a message that a test sends; it passes every filter.
pub const TEST_EVENT: &str = "webhook.test";

/// What a webhook can be told of.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    JsonSchema,
    ToSchema,
    clap::ValueEnum,
)]
pub enum WebhookEvent {
    /// A file is there and was not before.
    #[serde(rename = "file.created")]
    #[value(name = "file.created")]
    FileCreated,
    /// The bytes of a file may be others.
    #[serde(rename = "file.updated")]
    #[value(name = "file.updated")]
    FileUpdated,
    /// A file is at another path.
    #[serde(rename = "file.renamed")]
    #[value(name = "file.renamed")]
    FileRenamed,
    /// A file is gone.
    #[serde(rename = "file.deleted")]
    #[value(name = "file.deleted")]
    FileDeleted,
    /// A change is searchable: its `revision` satisfies `min_revision`.
    #[serde(rename = "file.ready")]
    #[value(name = "file.ready")]
    FileReady,
    /// A file could not be read, so nothing of it is searchable.
    #[serde(rename = "file.failed")]
    #[value(name = "file.failed")]
    FileFailed,
    /// A locked file was changed past pincite, on disk.
    #[serde(rename = "lock.violated")]
    #[value(name = "lock.violated")]
    LockViolated,
    /// The workspace has another owner.
    #[serde(rename = "workspace.transferred")]
    #[value(name = "workspace.transferred")]
    WorkspaceTransferred,
}

impl WebhookEvent {
    /// All events.
    pub const ALL: [Self; 8] = [
        Self::FileCreated,
        Self::FileUpdated,
        Self::FileRenamed,
        Self::FileDeleted,
        Self::FileReady,
        Self::FileFailed,
        Self::LockViolated,
        Self::WorkspaceTransferred,
    ];

    /// The event's name as stored, sent and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FileCreated => "file.created",
            Self::FileUpdated => "file.updated",
            Self::FileRenamed => "file.renamed",
            Self::FileDeleted => "file.deleted",
            Self::FileReady => "file.ready",
            Self::FileFailed => "file.failed",
            Self::LockViolated => "lock.violated",
            Self::WorkspaceTransferred => "workspace.transferred",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }

    /// The event of a change of this kind.
    #[must_use]
    pub const fn of_change(kind: ChangeKind) -> Self {
        match kind {
            ChangeKind::Created => Self::FileCreated,
            ChangeKind::Modified => Self::FileUpdated,
            ChangeKind::Deleted => Self::FileDeleted,
            ChangeKind::Renamed => Self::FileRenamed,
        }
    }
}

/// The `data` of a message: where something happened and what, and nothing of a file's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventData {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// The file; absent where the event is of the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<RelPath>,
    /// The change that the event is of: its position in the log. Of a workspace, the newest one.
    pub revision: Revision,
    /// What happened to the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ChangeKind>,
    /// The SHA-256 of the file's bytes, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<ContentHash>,
    /// Where a renamed file was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<RelPath>,
    /// Why not all of the file is searchable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The writer, as far as somebody stated it.
    #[serde(default, skip_serializing_if = "Provenance::is_empty")]
    pub provenance: Provenance,
    /// The lock that the change violates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<ViolatedLock>,
}

/// A webhook to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Where messages are sent: `http://` or `https://`, without a name or password, at most 2,048 bytes. Each address that its host has must be a
    /// public one, unless `webhooks.allow_networks` of the configuration opens its network.
    pub url: String,
    /// What it is told of; none means all events.
    #[serde(default)]
    pub events: BTreeSet<WebhookEvent>,
    /// Only files whose path matches one of these globs; none means all. Without `/` a glob matches the file name. A renaming has two paths, and
    /// one of them is to match.
    #[serde(default)]
    pub path_globs: Vec<String>,
    /// Only what these agents are stated to have written; none means anybody. At most 100.
    #[serde(default)]
    pub agents: Vec<String>,
    /// The secret that messages are signed with: `whsec_` and the base64 of 24 to 64 bytes. Without one, it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// What to change of a webhook; what is left out stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookUpdate {
    /// Where messages are sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What it is told of; none means all events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events: Option<BTreeSet<WebhookEvent>>,
    /// Only files whose path matches one of these globs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_globs: Option<Vec<String>>,
    /// Only what these agents are stated to have written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents: Option<Vec<String>>,
    /// `false`: nothing is sent, and what happens meanwhile is never told. `true`: messages that waited are sent, and new ones; after a hand-over
    /// of the workspace this is how its new owner confirms a webhook, which then is the owner's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// The exchange of a webhook's secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Rotation {
    /// The new secret: `whsec_` and the base64 of 24 to 64 bytes. Without one, it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// For how many seconds messages are also signed with the old secret, 0 to 604,800.
    #[schema(maximum = 604_800)]
    pub overlap_s: u64,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { secret: None, overlap_s: 24 * 60 * 60 }
    }
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Webhook {
    /// The number of the webhook. No number is used again.
    pub id: u64,
    /// Where messages are sent.
    pub url: String,
    /// What it is told of; none means all events.
    pub events: BTreeSet<WebhookEvent>,
    /// Only files whose path matches one of these globs; none means all.
    pub path_globs: Vec<String>,
    /// Only what these agents are stated to have written; none means anybody.
    pub agents: Vec<String>,
    /// The whole secret, in the reply to making the webhook and to a rotation alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The last four characters of the secret.
    pub secret_ends_with: String,
    /// Until when messages are also signed with the secret before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub old_secret_until: Option<Timestamp>,
    /// Whether messages are sent.
    pub enabled: bool,
    /// Why none are sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled_reason: Option<String>,
    /// Whether messages wait until the workspace's new owner confirms, with `enabled: true`.
    #[serde(default)]
    pub paused: bool,
    /// Since when no delivery has succeeded, where the last one failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// Deliveries that wait for their first or next try.
    pub pending: u64,
    /// The key that it was made with, or that set its URL since: it is told what that key may see, and is switched off when that key ends. Absent
    /// where this machine's user did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
    /// When the webhook was made.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
}

/// Webhooks by number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct WebhookList {
    /// The webhooks.
    pub webhooks: Vec<Webhook>,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It waits for its first or next try.
    Pending,
    /// The receiver replied with a status of 200 to 299.
    Delivered,
    /// No try succeeded, and none follows.
    Failed,
}

impl DeliveryState {
    /// The state's name as stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Pending, Self::Delivered, Self::Failed].into_iter().find(|state| state.name() == name)
    }
}

/// One message to one webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Delivery {
    /// The number of the delivery. Later ones have larger numbers.
    pub id: u64,
    /// The header `webhook-id`: the same in every try and replay.
    pub message_id: String,
    /// The type of the message.
    #[serde(rename = "type")]
    pub event: String,
    /// The file that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<RelPath>,
    /// The change that it is of; absent of a test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// When the event happened.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What became of it.
    pub state: DeliveryState,
    /// How often it was tried since it happened or was replayed.
    pub tries: u32,
    /// When it is tried next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_try: Option<Timestamp>,
    /// When the last try began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_try: Option<Timestamp>,
    /// The HTTP status of the reply to the last try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The milliseconds that the last try took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// The first 1,024 bytes of the reply's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// Why the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Deliveries, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct DeliveryList {
    /// The deliveries of this page.
    pub deliveries: Vec<Delivery>,
    /// The `before_id` of the next page; absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_and_state_has_one_name_which_is_that_of_its_json() {
        for event in WebhookEvent::ALL {
            assert_eq!(WebhookEvent::from_name(event.name()), Some(event));
            assert_eq!(serde_json::to_value(event).unwrap(), event.name());
        }
        for state in [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Failed] {
            assert_eq!(DeliveryState::from_name(state.name()), Some(state));
            assert_eq!(serde_json::to_value(state).unwrap(), state.name());
        }
        assert_eq!(WebhookEvent::from_name(TEST_EVENT), None);
    }
}
