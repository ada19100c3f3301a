//! Whom a webhook belongs to: this machine's user, or a key. It is told what its maker may see, and as long as its maker holds.

use jiff::Timestamp;

use crate::access::{Key, KeyState, KeySummary};
use crate::store::{Receiver, Store, StoreError};
use crate::workspace::Scope;

/// Why a webhook is off whose maker may have none any more.
pub(super) const GONE_REASON: &str = "the key that it was made with is revoked, over, or may have no webhooks here";

/// The maker of a webhook.
#[derive(Debug)]
pub(super) enum Maker {
    /// This machine's user, who sees all files.
    User,
    /// The holder of a key.
    Key(Box<Key>),
}

impl Maker {
    /// The maker of a webhook; `None` where it may have no webhook in that workspace any more.
    pub(super) fn of(store: &Store, receiver: &Receiver, now: Timestamp) -> Result<Option<Self>, StoreError> {
        let Some(id) = &receiver.made_by else { return Ok(Some(Self::User)) };
        // Its globs were checked when it was made.
        let Some(key) = store.key(id)?.and_then(|row| Key::of(row).ok()) else { return Ok(None) };
        // While it is paused nothing is sent, and the new owner is still to say whether it stays.
        let holds = !receiver.sends || Self::may(store, &key, receiver, now)?;
        Ok(holds.then(|| Self::Key(Box::new(key))))
    }

    fn may(store: &Store, key: &Key, receiver: &Receiver, now: Timestamp) -> Result<bool, StoreError> {
        let ownership = store.workspace(&receiver.workspace)?.ownership;
        // A hand-over leaves no webhooks to the keys of before.
        let is_owners = ownership.map_or(Ok(true), |owner| store.descends_from(&key.row.id, &owner.key))?;
        let is_active = KeySummary::of(key.row.clone(), now).state == KeyState::Active;
        Ok(is_owners && is_active && key.row.scopes.allow(Scope::Webhooks) && key.reaches(&receiver.workspace))
    }

    /// Whether the maker sees a file of that path.
    pub(super) fn sees(&self, path: &str) -> bool {
        match self {
            Self::User => true,
            Self::Key(key) => key.sees(path),
        }
    }
}
