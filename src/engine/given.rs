//! What a request to write gives besides: an idempotency key, so that it is done once however often it comes, and tokens of locks.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::{EngineError, Workspace};
use crate::access::Who;
use crate::store::KeptReply;
use crate::workspace::Revision;

/// The longest idempotency key, in bytes.
pub const MAX_IDEMPOTENCY_KEY_BYTES: usize = 255;

/// What a request gives besides what it asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// A request with a key that came before from this caller within a day is not done again, and answered as then.
    pub idempotency_key: Option<String>,
    /// Tokens of locks that the caller holds.
    pub lock_tokens: Vec<String>,
}

/// A request with an idempotency key.
#[derive(Debug, Clone)]
pub(super) struct Once {
    caller: String,
    key: String,
    asked: [u8; 32],
}

impl Once {
    /// The reply as it is kept.
    pub(super) fn with_reply(&self, reply: &impl Serialize) -> KeptReply {
        // A reply can always be written.
        let reply = serde_json::to_string(reply).unwrap_or_default();
        KeptReply { caller: self.caller.clone(), key: self.key.clone(), asked: self.asked, reply }
    }
}

impl<'a> Workspace<'a> {
    /// The same workspace for a request that gives this.
    ///
    /// # Errors
    /// [`EngineError::InvalidIdempotencyKey`] where the key is empty or too long.
    pub fn given(self, given: Given) -> Result<Workspace<'a>, EngineError> {
        let is_key = |key: &String| !key.is_empty() && key.len() <= MAX_IDEMPOTENCY_KEY_BYTES;
        if given.idempotency_key.as_ref().is_some_and(|key| !is_key(key)) {
            return Err(EngineError::InvalidIdempotencyKey { max: MAX_IDEMPOTENCY_KEY_BYTES });
        }
        Ok(Workspace { given, ..self })
    }

    /// The request as one that is done once, by what it asks for; `None` where it has no idempotency key.
    pub(super) fn once(&self, verb: &str, asked: &[&[u8]]) -> Option<Once> {
        let key = self.given.idempotency_key.clone()?;
        let caller = match &self.caller.who {
            Who::Key(key) => key.row.id.clone(),
            Who::LocalUser => String::new(),
        };
        let mut hasher = Sha256::new();
        for part in [verb.as_bytes()].into_iter().chain(asked.iter().copied()) {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Some(Once { caller, key, asked: hasher.finalize().into() })
    }

    /// What was answered when the request came before, and the revision.
    pub(super) fn answered<T: DeserializeOwned>(
        &self,
        once: Option<&Once>,
    ) -> Result<Option<(T, Revision)>, EngineError> {
        let Some(Once { caller, key, asked }) = once else { return Ok(None) };
        let Some((kept, revision)) = self.engine.data.store.kept_reply(&self.id, caller, key)? else { return Ok(None) };
        if kept.asked != *asked {
            return Err(EngineError::OtherRequest);
        }
        // What was kept by another version may have another form: then the request is done again.
        Ok(serde_json::from_str(&kept.reply).ok().map(|reply| (reply, revision)))
    }
}
