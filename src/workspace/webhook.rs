//! Webhooks: who is told of what, what a message says, and what became of each delivery.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ChangeKind, ContentHash, Provenance, RelPath, Revision, WorkspaceId};
use crate::error::Advice;

/// Longer URLs of receivers are refused, in bytes.
pub const MAX_URL_BYTES: usize = 2_048;
/// More agents are refused in one webhook.
pub const MAX_WEBHOOK_AGENTS: usize = 100;
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
    /// The workspace has another owner.
    #[serde(rename = "workspace.transferred")]
    #[value(name = "workspace.transferred")]
    WorkspaceTransferred,
}

impl WebhookEvent {
    /// All events.
    pub const ALL: [Self; 7] = [
        Self::FileCreated,
        Self::FileUpdated,
        Self::FileRenamed,
        Self::FileDeleted,
        Self::FileReady,
        Self::FileFailed,
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
    /// `false`: nothing is sent, and what happens meanwhile is never told. `true`: messages that waited are sent, and new ones.
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
    /// Whether messages wait until the workspace's new owner confirms.
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

/// Refuses a URL by its form: it begins with `http://` or `https://`, has a host and perhaps a port, and holds no name, password, fragment,
/// white space or control character.
///
/// # Errors
/// [`InvalidWebhook::Url`] with what is wrong; the URL itself is not repeated, as it may hold a secret.
pub fn check_url(url: &str) -> Result<(), InvalidWebhook> {
    let wrong = |reason: &'static str| Err(InvalidWebhook::Url { reason });
    if url.len() > MAX_URL_BYTES {
        return wrong("it has more than 2048 bytes");
    }
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return wrong("it begins with neither `http://` nor `https://`");
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return wrong("it holds a name or password");
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|literal| literal.split_once(']')) {
        Some((literal, port)) => {
            if literal.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(InvalidWebhook::Unresolved);
            }
            (literal, port)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let is_name = |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if host.is_empty() || host.len() > 253 || !(authority.starts_with('[') || is_name(host)) {
        return wrong("it names no host");
    }
    let is_port = |port: &str| !port.starts_with(['0', '+']) && port.parse::<u16>().is_ok();
    if !(port.is_empty() || port.strip_prefix(':').is_some_and(is_port)) {
        return wrong("its port is not a number of 1 to 65535");
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=%".contains(&byte);
    if !path.bytes().all(is_plain) {
        return wrong("its path holds a fragment, or characters that are to be written as `%XX`");
    }
    Ok(())
}

/// Why a webhook is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWebhook {
    /// The URL cannot be one.
    #[error("the URL of a webhook cannot be used: {reason}")]
    Url {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The host has an address that webhooks may not reach.
    #[error("the host of the URL has an address that is not a public one")]
    Address,
    /// The host has no address.
    #[error("the host of the URL has no address now")]
    Unresolved,
    /// Too many URLs are being looked up.
    #[error("so many URLs are being looked up that this one is refused")]
    LookupsBusy,
    /// The secret cannot be one.
    #[error("the secret is not `whsec_` and the base64 of 24 to 64 bytes")]
    Secret,
    /// There are too many agents.
    #[error("there are {num_agents} agents, and {MAX_WEBHOOK_AGENTS} are allowed")]
    TooManyAgents {
        /// How many.
        num_agents: usize,
    },
    /// The old secret is to hold for too long.
    #[error("`overlap_s` is {overlap_s}, and must be 0 to {most}")]
    Overlap {
        /// What was asked for.
        overlap_s: u64,
        /// The limit.
        most: u64,
    },
}

impl Advice for InvalidWebhook {
    fn code(&self) -> &'static str {
        match self {
            Self::Address | Self::Unresolved => "url_not_allowed",
            Self::LookupsBusy => "overloaded",
            Self::Url { .. } | Self::Secret | Self::TooManyAgents { .. } | Self::Overlap { .. } => "invalid_webhook",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Url { .. } => "it is like `https://example.org/hooks/pincite`",
                Self::Address => {
                    "name a public host, or open its network in `config.toml`: `webhooks.allow_networks = [\"10.1.0.0/16\"]`"
                }
                Self::Unresolved => "check the name, and that this machine can resolve it",
                Self::LookupsBusy => "send it again in a second",
                Self::Secret => "leave it out, and one is made",
                Self::TooManyAgents { .. } => "name fewer, or none for all",
                Self::Overlap { .. } => "the old secret holds for a day where nothing is said",
            }
            .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_perhaps_a_port_and_tells_no_password() {
        for right in [
            "https://example.org",
            "http://example.org:8080/hook?token=a%20b",
            "https://[2606:4700::1111]:443/",
            "http://10.0.0.1?x",
            "http://a_b.example/~x",
        ] {
            assert_eq!(check_url(right), Ok(()), "{right}");
        }
        for wrong in [
            "",
            "example.org",
            "ftp://example.org",
            "HTTP://example.org",
            "http://",
            "http:///path",
            "http://user@example.org",
            "http://user:pw@example.org/",
            "http://a b/",
            "http://a\\b/",
            "http://ex%61mple.org/",
            "http://example.org:0",
            "http://example.org:65536",
            "http://example.org:+80",
            "http://example.org:",
            "http://example.org/#part",
            "http://example.org#part",
            "http://example.org/ü",
            "http://[::1",
            "http://[::1]x",
            "http://::1/",
            "http://a/\r\nX: y",
        ] {
            let refused = check_url(wrong).unwrap_err();
            assert!(matches!(refused, InvalidWebhook::Url { .. }) && refused.hint().is_some(), "{wrong}");
        }
        assert_eq!(check_url("http://[nonsense]/"), Err(InvalidWebhook::Unresolved));
        assert!(check_url(&format!("http://a/{}", "x".repeat(2_039))).is_ok());
        assert!(check_url(&format!("http://a/{}", "x".repeat(2_040))).is_err());
    }

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
