//! Why a caller is turned away, or a key cannot be made or changed so.

use super::Quota;
use crate::error::Advice;
use crate::workspace::{RelPath, Scope};

/// What is wrong with a key, or with what a caller wants.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The caller has no key.
    #[error("the request has no key")]
    NoKey,
    /// What was sent is no key by its form.
    #[error("the key of the request is not one by its form: a sign is missing or wrong")]
    MalformedKey,
    /// No such key, or one that is revoked or over: which of these is not told.
    #[error("the key of the request does not hold")]
    InvalidKey,
    /// The session of a browser is over, or there never was one of that secret.
    #[error("the session is over")]
    SessionOver,
    /// The key lacks rights.
    #[error("the key lacks {}", names(missing))]
    InsufficientScope {
        /// All rights that are missing.
        missing: Vec<Scope>,
    },
    /// The key is for some workspaces, and this is not about one of them.
    #[error("the key is for some workspaces alone, and this is about all of them")]
    NotForAll,
    /// The key sees some files alone, and this is about the whole workspace.
    #[error("the key is for some files alone, and this is about the whole workspace")]
    NotForWhole,
    /// The key may not write there.
    #[error("the key may not write `{path}`")]
    PathNotAllowed {
        /// The file.
        path: RelPath,
    },
    /// The request names another writer than the key.
    #[error("the key writes as `{agent}`, and the request names another writer")]
    OtherWriter {
        /// The agent of the key.
        agent: String,
    },
    /// A new key would be able to do more than the key that makes it, or a change would let a key do more.
    #[error("{what} would go beyond the key that it comes from")]
    Wider {
        /// Which part.
        what: &'static str,
    },
    /// A part of a key cannot be.
    #[error("{reason}")]
    InvalidSpec {
        /// What is wrong.
        reason: String,
    },
    /// A workspace is to be handed over on a server without keys.
    #[error("no key was made, so nobody could be told apart from the new owner")]
    NoKeys,
    /// A quota ends before the write would.
    #[error("{}", quota.refusal(*asked))]
    QuotaExceeded {
        /// The quota.
        quota: Quota,
        /// What the write would take of it.
        asked: u64,
    },
    /// The write alone would be more than the whole quota.
    #[error("{}", quota.refusal(*asked))]
    LargerThanQuota {
        /// The quota.
        quota: Quota,
        /// What the write would take of it.
        asked: u64,
    },
    /// So many requests of the caller wait that no more may.
    #[error("{max} requests of this caller already wait, as many as `limits.caller_waits` allows")]
    TooManyWaits {
        /// The limit.
        max: u64,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
}

fn names(scopes: &[Scope]) -> String {
    let quoted: Vec<String> = scopes.iter().map(|scope| format!("the scope `{scope}`")).collect();
    quoted.join(" and ")
}

impl Advice for AccessError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoKey | Self::MalformedKey | Self::InvalidKey | Self::SessionOver => "unauthorized",
            Self::InsufficientScope { .. } | Self::NotForAll | Self::NotForWhole => "insufficient_scope",
            Self::PathNotAllowed { .. } => "path_not_allowed",
            Self::OtherWriter { .. } => "other_writer",
            Self::Wider { .. } => "wider_than_allowed",
            Self::InvalidSpec { .. } => "invalid_key",
            Self::NoKeys => "no_keys",
            Self::QuotaExceeded { .. } => "quota_exceeded",
            Self::LargerThanQuota { .. } => "larger_than_quota",
            Self::TooManyWaits { .. } => "too_many_waits_of_caller",
            Self::NoRandomness => "internal",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::NoKey => "send the header `Authorization: Bearer pin_…`; `pincite key create` makes a key",
                Self::MalformedKey => "copy the key again, whole: it has 54 signs and begins with `pin_`",
                Self::InvalidKey => "it may be over or revoked: ask for another one; `pincite key list` lists the keys",
                Self::SessionOver => "sign in again, with a key that holds",
                Self::InsufficientScope { .. } => {
                    "ask for a key that has it, or have one made by `pincite key create --scope …`"
                }
                Self::NotForWhole => "use a key without `path_globs` and without an agent",
                Self::NotForAll => "use a key without a list of workspaces",
                Self::PathNotAllowed { .. } => "write to a path that the key's `path_globs` match",
                Self::OtherWriter { .. } => "leave the agent out: the key says who writes",
                Self::Wider { .. } => "a key can make keys that may no more than itself, and a change can only narrow",
                Self::InvalidSpec { .. } => "docs/keys.md describes the parts of a key",
                Self::NoKeys => "make a key for yourself first: `pincite key create --name admin --scope admin`",
                Self::QuotaExceeded { quota, .. } | Self::LargerThanQuota { quota, .. } => return Some(quota.hint()),
                Self::TooManyWaits { .. } => "ask again when one of them is answered, or without `wait_ms`",
                Self::NoRandomness => return None,
            }
            .to_owned(),
        )
    }
}
