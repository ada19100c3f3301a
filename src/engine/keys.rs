//! Keys: made, listed, narrowed, replaced and revoked.
//!
//! # Invariants
//! - A caller sees and changes only keys that may no more than its own key.
//! - A secret leaves this file once, in the reply that made it.

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recording::Told;
use super::{Engine, EngineError, S3Credentials};
use crate::access::{
    self, AccessError, Action, Caller, Key, KeySummary, MAX_KEY_DAYS, NewKey, Overlap, Secret, Surface,
};
use crate::store::{KeyChanges, KeyRow, StoreError};
use crate::workspace::{Scope, Scopes, WorkspaceId};

/// A key that was just made, with its secret: it is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct MadeKey {
    /// The secret, to be sent as `Authorization: Bearer …`. It cannot be shown again.
    #[schema(pattern = "^pin_[0-9A-Za-z]{8}_[0-9A-Za-z]{32}_[0-9a-f]{8}$")]
    pub secret: String,
    /// The key.
    pub key: KeySummary,
    /// Where the key takes the place of another one: until when the former secret holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub former_holds_until: Option<Timestamp>,
    /// The access key id for S3, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3_access_key_id: Option<String>,
    /// The secret that S3 signs requests with, where that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3_secret_access_key: Option<String>,
}

/// Keys, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct KeyList {
    /// The keys that may no more than the caller's.
    pub keys: Vec<KeySummary>,
}

/// What of a key is to change: its name, or its rights, which can only become fewer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyPatch {
    /// Another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// The rights that it keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 9)]
    pub scopes: Option<Scopes>,
    /// The workspaces that it keeps.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 1_000)]
    pub workspaces: Option<Vec<WorkspaceId>>,
    /// Globs that a path must match besides those that the key has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_items = 1, max_items = 100)]
    pub path_globs: Option<Vec<String>>,
    /// An earlier end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

/// The keys that were revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct RevokedKeys {
    /// The ids of the key and of all keys that were made with it, as far as they were not revoked before.
    pub revoked: Vec<String>,
}

impl Engine {
    /// Whether requests over a network need a key: one was made, at any time.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn has_keys(&self) -> Result<bool, EngineError> {
        Ok(self.data.store.has_keys()?)
    }

    /// The holder of a secret.
    ///
    /// # Errors
    /// [`AccessError::InvalidKey`] where no key that holds has this secret.
    pub fn caller_of(&self, secret: &Secret, surface: Surface) -> Result<Caller, EngineError> {
        let key = Key::open(self.data.store.key(secret.id())?, secret, Timestamp::now())?;
        Ok(Caller::with_key(key.into(), surface))
    }

    /// Whether a caller's key holds still, for streams and waits that outlive the request's first check. The rights are those of now.
    ///
    /// # Errors
    /// [`AccessError::InvalidKey`] where it was revoked or is over.
    pub fn still_holds(&self, caller: &Caller) -> Result<Caller, EngineError> {
        let Some(key) = caller.key() else { return Ok(caller.clone()) };
        let row = self.data.store.key(&key.row.id)?.ok_or(AccessError::InvalidKey)?;
        if row.revoked.is_some() || row.expires <= Timestamp::now() {
            return Err(AccessError::InvalidKey.into());
        }
        let key = if row == key.row { key.clone() } else { Key::of(row)?.into() };
        Ok(Caller { who: access::Who::Key(key), ..caller.clone() })
    }

    /// Makes a key.
    ///
    /// # Errors
    /// [`AccessError::InvalidSpec`], [`AccessError::Wider`], [`StoreError::TooManyKeys`], [`StoreError::UnknownWorkspace`].
    pub fn create_key(&self, caller: &Caller, new: &NewKey) -> Result<MadeKey, EngineError> {
        self.recorded(caller, None, Action::CreateKey, Told::default(), |told| {
            let reply = self.create_unrecorded(caller, new)?;
            told.key = Some(reply.key.id.clone());
            Ok(reply)
        })
    }

    fn create_unrecorded(&self, caller: &Caller, new: &NewKey) -> Result<MadeKey, EngineError> {
        self.data.must_log()?;
        let (secret, now) = (Secret::generate()?, now());
        let maker = caller.key().map(AsRef::as_ref);
        let row = new.row(&secret, maker, now, self.data.patterns())?;
        for workspace in row.workspaces.iter().flatten() {
            self.data.store.workspace(workspace)?;
        }
        let s3 = new.s3.then(|| self.credentials_of(&row)).transpose()?;
        self.data.store.add_key(&row, self.config().limits.keys)?;
        Ok(made(&secret, row, now, None).with_s3(s3))
    }

    /// The keys that may no more than the caller's own, the newest first; all keys for this machine's user.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list_keys(&self, caller: &Caller) -> Result<KeyList, EngineError> {
        self.recorded(caller, None, Action::ListKeys, Told::default(), |_| self.keys_unrecorded(caller))
    }

    fn keys_unrecorded(&self, caller: &Caller) -> Result<KeyList, EngineError> {
        let (rows, now) = (self.data.store.keys()?, now());
        let handles = self.handled_by(caller)?;
        let seen = rows.into_iter().filter(|row| handles(row));
        Ok(KeyList { keys: seen.map(|row| KeySummary::of(row, now)).collect() })
    }

    /// A key that may no more than the caller's own.
    ///
    /// # Errors
    /// [`StoreError::UnknownKey`].
    pub fn key(&self, caller: &Caller, id: &str) -> Result<KeySummary, EngineError> {
        let _admitted = self.admit(caller, Action::ListKeys)?;
        let handles = self.handled_by(caller)?;
        let row = self.data.store.key(id)?.filter(|row| handles(row));
        let row = row.ok_or_else(|| StoreError::UnknownKey { id: id.to_owned() })?;
        Ok(KeySummary::of(row, now()))
    }

    /// Renames or narrows a key.
    ///
    /// # Errors
    /// [`StoreError::UnknownKey`], [`AccessError::Wider`], [`AccessError::InvalidSpec`].
    pub fn change_key(&self, caller: &Caller, id: &str, patch: &KeyPatch) -> Result<KeySummary, EngineError> {
        self.recorded(caller, None, Action::ChangeKey, Told::of_key(id), |_| self.change_unrecorded(caller, id, patch))
    }

    fn change_unrecorded(&self, caller: &Caller, id: &str, patch: &KeyPatch) -> Result<KeySummary, EngineError> {
        self.data.must_log()?;
        let (row, now) = (self.key_to_handle(caller, id)?, now());
        let KeyPatch { name, scopes, workspaces, path_globs, expires_at } = patch.clone();
        if path_globs.as_ref().is_some_and(Vec::is_empty) {
            return Err(AccessError::InvalidSpec { reason: "`path_globs` has at least one glob".to_owned() }.into());
        }
        let changes = KeyChanges { name, scopes, workspaces, globs: path_globs, expires: expires_at };
        access::check_changes(&row, &changes, now, self.data.patterns())?;
        for workspace in changes.workspaces.iter().flatten() {
            self.data.store.workspace(workspace)?;
        }
        Ok(KeySummary::of(self.data.store.change_key(id, &changes)?, now))
    }

    /// Makes a key with the rights and the end of another one, which holds beside it for a time.
    ///
    /// # Errors
    /// [`StoreError::UnknownKey`], [`AccessError::InvalidSpec`], [`StoreError::TooManyKeys`].
    pub fn rotate_key(&self, caller: &Caller, id: &str, overlap: Overlap) -> Result<MadeKey, EngineError> {
        self.recorded(caller, None, Action::ChangeKey, Told::of_key(id), |_| {
            self.rotate_unrecorded(caller, id, overlap)
        })
    }

    fn rotate_unrecorded(&self, caller: &Caller, id: &str, overlap: Overlap) -> Result<MadeKey, EngineError> {
        self.data.must_log()?;
        let (former, now) = (self.key_to_handle(caller, id)?, now());
        if former.expires <= now {
            return Err(StoreError::UnknownKey { id: id.to_owned() }.into());
        }
        let until = overlap.end(now)?;
        let secret = Secret::generate()?;
        let mut row = KeyRow { id: secret.id().to_owned(), hash: secret.hash(), created: now, ..former };
        if let Some(key) = caller.key() {
            // Never for longer than the caller holds itself, and gone with it.
            row.expires = row.expires.min(key.row.expires);
            if !self.data.store.descends_from(id, &key.row.id)? {
                row.made_by = Some(key.row.id.clone());
            }
        }
        let s3 = overlap.s3.then(|| self.credentials_of(&row)).transpose()?;
        self.data.store.replace_key(id, &row, until, self.config().limits.keys)?;
        let until = until.min(row.expires);
        Ok(made(&secret, row, now, Some(until)).with_s3(s3))
    }

    /// Revokes a key, and all keys that were made with it. No request with one of them is admitted from then on, in any process.
    ///
    /// # Errors
    /// [`StoreError::UnknownKey`].
    pub fn revoke_key(&self, caller: &Caller, id: &str) -> Result<RevokedKeys, EngineError> {
        self.recorded(caller, None, Action::RevokeKey, Told::of_key(id), |_| self.revoke_unrecorded(caller, id))
    }

    fn revoke_unrecorded(&self, caller: &Caller, id: &str) -> Result<RevokedKeys, EngineError> {
        self.data.must_log()?;
        let handles = self.handled_by(caller)?;
        let row = self.data.store.key(id)?.filter(|row| handles(row));
        row.ok_or_else(|| StoreError::UnknownKey { id: id.to_owned() })?;
        Ok(RevokedKeys { revoked: self.data.store.revoke_key(id, now())? })
    }

    /// Takes an administrator's key that the environment brings, or renews it for another 366 days.
    ///
    /// # Errors
    /// When the store cannot be written, or the key was revoked.
    pub fn take_admin_key(&self, secret: &Secret) -> Result<(), EngineError> {
        self.data.must_log()?;
        let now = now();
        let row = KeyRow {
            id: secret.id().to_owned(),
            hash: secret.hash(),
            name: "PINCITE_ADMIN_KEY".to_owned(),
            scopes: [Scope::Admin].into_iter().collect(),
            workspaces: None,
            globs: Vec::new(),
            agent: None,
            made_by: None,
            created: now,
            expires: now + SignedDuration::from_hours(24 * i64::from(MAX_KEY_DAYS)),
            revoked: None,
        };
        self.data.store.renew_key(&row)?;
        // Of a revoked key, or of one with another secret under its id, this is an error.
        self.caller_of(secret, Surface::CommandLine).map(drop)
    }

    /// Which keys a caller may see and change: those that may no more than its own. The keys of owners of workspaces that were handed
    /// over are handled by those owners alone.
    fn handled_by<'a>(&self, caller: &'a Caller) -> Result<impl Fn(&KeyRow) -> bool + use<'a>, EngineError> {
        let key = caller.key();
        let of_owners: HashSet<String> = match key {
            Some(_) => self.data.store.keys_of_owners()?.into_iter().collect(),
            None => HashSet::new(),
        };
        let is_owner = key.is_some_and(|key| of_owners.contains(&key.row.id));
        Ok(move |row: &KeyRow| key.is_none_or(|key| key.covers(row) && (is_owner || !of_owners.contains(&row.id))))
    }

    /// A key that the caller may change: one that is not revoked and may no more than the caller's.
    fn key_to_handle(&self, caller: &Caller, id: &str) -> Result<KeyRow, EngineError> {
        let handles = self.handled_by(caller)?;
        let row = self.data.store.key(id)?.filter(|row| row.revoked.is_none() && handles(row));
        Ok(row.ok_or_else(|| StoreError::UnknownKey { id: id.to_owned() })?)
    }
}

impl MadeKey {
    fn with_s3(self, credentials: Option<S3Credentials>) -> Self {
        let (id, secret) = credentials
            .map(|S3Credentials { s3_access_key_id: id, s3_secret_access_key: secret }| (id, secret))
            .unzip();
        Self { s3_access_key_id: id, s3_secret_access_key: secret, ..self }
    }
}

pub(super) fn made(secret: &Secret, row: KeyRow, now: Timestamp, former_holds_until: Option<Timestamp>) -> MadeKey {
    MadeKey {
        secret: secret.reveal().to_owned(),
        key: KeySummary::of(row, now),
        former_holds_until,
        s3_access_key_id: None,
        s3_secret_access_key: None,
    }
}

/// The present time, as the store keeps it.
pub(super) fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).unwrap_or_default()
}
