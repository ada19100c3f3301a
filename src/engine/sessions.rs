//! Sessions of browsers: begun with a key, and never more than it.
//!
//! # Invariants
//! - A session has the rights that its key has at that moment, and is over when its key is.
//! - A session is over 12 hours after it was last seen, and 7 days after it began.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::keys::now;
use super::{Engine, EngineError};
use crate::access::{AccessError, Caller, Key, SESSION_IDLE, SESSION_LIFE, Secret, SessionToken, Surface};
use crate::error::Advice as _;
use crate::store::SessionRow;

/// A session that is in use is written down so often: less often than would keep others from writing.
const SEEN_EVERY: SignedDuration = SignedDuration::from_mins(15);

/// A session that just began.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Its secret, for the browser alone.
    pub token: SessionToken,
    /// The seconds after which it is over, however often it is seen.
    pub life_s: u64,
}

impl Engine {
    /// Begins a session with a key, in the place of the one that the browser had. Its secret is a new one in any case.
    ///
    /// # Errors
    /// [`AccessError::InvalidKey`] where no key that holds has this secret.
    pub fn sign_in(
        &self,
        from: &Caller,
        secret: &Secret,
        former: Option<&SessionToken>,
    ) -> Result<SignedIn, EngineError> {
        let caller = self.caller_of(secret, Surface::Page).inspect_err(|error| {
            let request_id = from.request_id.as_deref();
            self.record_unknown(Surface::Page, from.address, request_id, ("session.begin", error.code()));
        })?;
        let caller = Caller { address: from.address, request_id: from.request_id.clone(), ..caller };
        self.recorded_session(&caller, "session.begin", || self.begin_session(&caller, former))
    }

    fn begin_session(&self, caller: &Caller, former: Option<&SessionToken>) -> Result<SignedIn, EngineError> {
        let key = caller.key().ok_or(AccessError::InvalidKey)?;
        self.data.must_log()?;
        let (token, now) = (SessionToken::generate()?, now());
        let ends = (now + SESSION_LIFE).min(key.row.expires);
        let row = SessionRow { hash: token.hash(), key: key.row.id.clone(), begun: now, seen: now, ends };
        let former = former.map(SessionToken::hash);
        self.data.store.add_session(&row, former.as_ref(), SESSION_IDLE, self.config().limits.sessions_per_key)?;
        Ok(SignedIn { token, life_s: ends.duration_since(now).unsigned_abs().as_secs() })
    }

    /// The holder of a session, with the rights that its key has now.
    ///
    /// # Errors
    /// [`AccessError::SessionOver`] where there is no such session, or it or its key is over.
    pub fn caller_of_session(&self, token: &SessionToken) -> Result<Caller, EngineError> {
        let (hash, now) = (token.hash(), now());
        let session = self.data.store.session(&hash)?.ok_or(AccessError::SessionOver)?;
        if session.ends <= now || session.seen + SESSION_IDLE <= now {
            return Err(AccessError::SessionOver.into());
        }
        let key = self.data.store.key(&session.key)?.ok_or(AccessError::SessionOver)?;
        if key.revoked.is_some() || key.expires <= Timestamp::now() {
            return Err(AccessError::SessionOver.into());
        }
        if session.seen + SEEN_EVERY <= now {
            // A store that cannot be written for now ends no session.
            let _ = self.data.store.see_session(&hash, now);
        }
        Ok(Caller::with_key(Arc::new(Key::of(key)?), Surface::Page))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn sign_out(&self, caller: &Caller, token: &SessionToken) -> Result<(), EngineError> {
        self.recorded_session(caller, "session.end", || {
            self.data.must_log()?;
            Ok(self.data.store.end_session(&token.hash())?)
        })
    }
}
