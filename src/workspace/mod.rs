//! What exists: workspaces, files, changes and the places inside them. Types only: the `store` remembers them.
//!
//! # Invariants
//! - A [`RelPath`] never leaves its root, a [`WorkspaceId`] is safe as a folder name, a [`Revision`] only grows.
//!
//! # Not here
//! What a file's bytes mean (`extract`) and what can be found in them (`index`).

mod cell;
mod citation;
mod conflict;
mod facets;
mod file;
mod id;
mod invalid_webhook;
mod keep;
mod language;
mod lock;
mod path;
mod pattern;
pub(crate) mod provenance;
mod scope;
mod span;
mod spelling;
#[cfg(test)]
mod tests;
mod verdict;
mod webhook;

pub use cell::{Cell, Cells};
pub use citation::Citation;
pub use conflict::Conflict;
pub use facets::{Facet, Facets};
pub use file::{Change, ChangeKind, FileCounts, FileEntry, FileState, Priority};
pub use id::{ContentHash, Revision, WorkspaceId};
pub use invalid_webhook::{InvalidWebhook, MAX_URL_BYTES, MAX_WEBHOOK_AGENTS, check_url};
pub use keep::Keep;
pub use language::Language;
pub use lock::{
    DEFAULT_LOCK_TTL_S, Held, LOCK_TTL_S, Lock, LockMode, LockViolation, MAX_LOCK_REASON_CHARS, MAX_LOCK_WAIT_MS,
    ViolatedLock,
};
pub use path::{RelPath, is_device_name};
pub use pattern::{PatternError, PatternLimits, glob_of_paths};
pub use provenance::{InvalidProvenance, MAX_LABEL_CHARS, MAX_TAGS, Provenance, ProvenanceFilter};
pub use scope::{Scope, Scopes};
pub use span::{LineRange, LineStarts, Span};
pub use spelling::{common_spelling, composed};
pub use verdict::{Decision, InvalidVerdict, MAX_COMMENT_CHARS, MAX_JUDGED_BYTES, NewVerdict, Verdict};
pub use webhook::{
    Delivery, DeliveryList, DeliveryState, EventData, MAX_OVERLAP_S, NewWebhook, Rotation, SECRET_BYTES, TEST_EVENT,
    Webhook, WebhookEvent, WebhookList, WebhookUpdate,
};

use crate::error::Advice;

/// A name, path or hash that is not valid as what it was given as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Not a workspace name.
    #[error("`{name}` is not a workspace name")]
    Workspace {
        /// What was given.
        name: String,
    },
    /// A device's name on Windows.
    #[error("`{name}` is reserved for a device on Windows, so no workspace may have this name")]
    Device {
        /// What was given.
        name: String,
    },
    /// Not a path inside a workspace.
    #[error("`{path}` is not a path inside the workspace")]
    Path {
        /// What was given.
        path: String,
    },
    /// Not a language.
    #[error("`{code}` is not the code of a language")]
    Language {
        /// What was given.
        code: String,
    },
    /// Not a content hash.
    #[error("`{text}` is not a content hash")]
    ContentHash {
        /// What was given.
        text: String,
    },
    /// Not a right of a key.
    #[error("`{name}` is not a scope")]
    Scope {
        /// What was given.
        name: String,
    },
}

impl Advice for InvalidName {
    fn code(&self) -> &'static str {
        match self {
            Self::Workspace { .. } | Self::Device { .. } => "invalid_workspace",
            Self::Path { .. } => "invalid_path",
            Self::Language { .. } => "invalid_language",
            Self::ContentHash { .. } => "invalid_content_hash",
            Self::Scope { .. } => "invalid_scope",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Workspace { .. } => "use 1 to 64 of a-z, 0-9, `-`, `_` and `.`, beginning with a letter or digit",
                Self::Device { .. } => {
                    "take another name than `con`, `prn`, `aux`, `nul`, `com1` or `lpt1`, with any ending"
                }
                Self::Path { .. } => "give it relative to the workspace's root, joined by `/`, without `..`",
                Self::Language { .. } => "a language is two small letters, as ISO 639-1 has them: `en`, `de`",
                Self::ContentHash { .. } => "a content hash is the SHA-256 of the file, 64 hexadecimal digits",
                Self::Scope { .. } => {
                    "scopes are files:read, files:write, search, ask, locks, webhooks, audit:read, keys and admin"
                }
            }
            .to_owned(),
        )
    }
}
