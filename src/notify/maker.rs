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
        let row = store.key(id)?.filter(|row| KeySummary::of(row.clone(), now).state == KeyState::Active);
        // Its globs were checked when it was made.
        let key = row.and_then(|row| Key::of(row).ok());
        let holds = |key: &Key| key.row.scopes.allow(Scope::Webhooks) && key.reaches(&receiver.workspace);
        Ok(key.filter(holds).map(|key| Self::Key(Box::new(key))))
    }

    /// Whether the maker sees a file of that path.
    pub(super) fn sees(&self, path: &str) -> bool {
        match self {
            Self::User => true,
            Self::Key(key) => key.sees(path),
        }
    }
}
