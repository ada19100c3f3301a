//! Pushed events: what may stand in one, and what it is answered with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::EngineError;
use crate::workspace::{Provenance, RelPath, Revision};

/// Longer ids are refused, in characters.
pub const MAX_EVENT_ID_CHARS: usize = 256;

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// It is new.
    Created,
    /// It has other content.
    Modified,
    /// It was at another path before: `from`.
    Renamed,
    /// It is gone.
    Deleted,
}

/// A report that a file changed. Without content, pincite looks at the file on disk. An event has `content` or `content_base64`, not both, and
/// neither where the file was deleted; only the event of a renamed file has `from`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The id of the event, 1 to 256 characters. Events are idempotent: a second one with the same id changes nothing.
    pub id: String,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// The file.
    pub path: RelPath,
    /// The former path of a renamed file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<RelPath>,
    /// When it happened (RFC 3339). With it, content that comes late does not replace newer content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub occurred_at: Option<Timestamp>,
    /// The file's content, as text; it is written into the workspace's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// The file's content, as base64; it is written into the workspace's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_base64: Option<String>,
    /// The agent or person that made the change. Like the fields after it, 1 to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The run or session of the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The sandbox or machine of the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// Words to find the file by, at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl Event {
    /// Who did it, as the event says.
    pub(super) fn provenance(&self) -> Provenance {
        let Self { agent, run, sandbox, tags, .. } = self;
        let tags = tags.iter().cloned().collect();
        Provenance { agent: agent.clone(), run: run.clone(), sandbox: sandbox.clone(), tags, proven: false }
    }

    /// The content that the event brings, when all that it says can be.
    pub(super) fn check(&self) -> Result<Option<Vec<u8>>, EngineError> {
        let invalid = |reason: &str| Err(EngineError::InvalidEvent { id: self.id.clone(), reason: reason.to_owned() });
        if self.id.trim().is_empty() || self.id.chars().count() > MAX_EVENT_ID_CHARS {
            return invalid("its id has 1 to 256 characters, not all of them white space");
        }
        if let Err(error) = self.provenance().check() {
            return invalid(&error.to_string());
        }
        match (self.kind, &self.from) {
            (EventKind::Renamed, None) => return invalid("a renamed file has a path `from` which it came"),
            (EventKind::Renamed, Some(_)) | (_, None) => {}
            (_, Some(_)) => return invalid("only a renamed file has a path `from`"),
        }
        match (&self.content, &self.content_base64) {
            (Some(_), Some(_)) => invalid("it has `content` or `content_base64`, not both"),
            (None, None) => Ok(None),
            _ if self.kind == EventKind::Deleted => invalid("a deleted file has no content"),
            (Some(text), None) => Ok(Some(text.clone().into_bytes())),
            (None, Some(encoded)) => match STANDARD.decode(encoded) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(_) => invalid("`content_base64` is not base64"),
            },
        }
    }
}

/// An event that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct TakenEvent {
    /// The event.
    pub id: String,
    /// A query with this `min_revision` sees the change.
    pub revision: Revision,
    /// Whether the id was taken before, so that the event changed nothing now.
    pub repeated: bool,
    /// Whether a newer event about the file was taken before, so that this one wrote nothing.
    pub superseded: bool,
}

/// The results of the events, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct EventsReply {
    /// A query with this `min_revision` sees all of the changes.
    pub revision: Revision,
    /// The result of each event.
    pub events: Vec<TakenEvent>,
}
