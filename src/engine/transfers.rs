//! A workspace is handed over: offered under a token, claimed once, and owned by the key that the claim makes.
//!
//! # Invariants
//! - A token is claimed once, by whoever sends it first; only its SHA-256 is kept.
//! - From the claim on, a key that is neither the owner's nor made with the owner's has at most the rights that the offer left it, and can
//!   neither see nor change the owner's keys. This machine's user, who holds the disk, may everything as before.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::recording::Told;
use super::{Engine, EngineError, MadeKey, Workspace};
use crate::access::{AccessError, Action, Caller, ClaimToken, NewKey, Secret};
use crate::error::Advice as _;
use crate::store::{StoreError, TransferRow};
use crate::workspace::{Keep, Scope, WorkspaceId};

/// Seconds for which an offer can be claimed, where nothing is said: three days.
const DEFAULT_TTL_S: u32 = 259_200;
/// The longest such time: 30 days.
const MAX_TTL_S: u32 = 2_592_000;
/// The shortest.
const MIN_TTL_S: u32 = 60;
/// Offers of one workspace that are open at once.
const MAX_OPEN: u64 = 5;

/// A workspace to hand over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NewTransfer {
    /// Seconds for which it can be claimed; 259,200 (three days) where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 60, maximum = 2_592_000)]
    pub ttl_s: Option<u32>,
    /// What all keys but the new owner's may do in the workspace after the claim.
    pub keep: Keep,
}

/// An offer to hand a workspace over. Its token is shown where it was made, and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Transfer {
    /// The number of the offer.
    pub id: u64,
    /// What all keys but the new owner's may do in the workspace after the claim.
    pub keep: Keep,
    /// The key that offers it; absent where this machine's user does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
    /// When it was made.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it can be claimed no more.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// An offer that was just made, with its token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct OfferedTransfer {
    /// What the new owner claims the workspace with, once. It cannot be shown again.
    pub token: String,
    /// Where a person claims it on the server's page.
    #[schema(example = "/claim?token=claim_…")]
    pub claim_path: String,
    /// The offer.
    pub transfer: Transfer,
}

/// The open offers of a workspace, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct TransferList {
    /// The offers.
    pub transfers: Vec<Transfer>,
}

/// A workspace to claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The token of the offer.
    pub token: String,
    /// What people call the new owner's key: one line of 1 to 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
}

/// A workspace that was claimed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Claimed {
    /// The workspace.
    pub workspace: WorkspaceId,
    /// What all other keys may do in it now.
    pub keep: Keep,
    /// The new owner's key.
    #[serde(flatten)]
    pub key: MadeKey,
}

impl From<TransferRow> for Transfer {
    fn from(row: TransferRow) -> Self {
        let TransferRow { id, keep, made_by, created, expires, .. } = row;
        Self { id, keep, made_by, created_at: created, expires_at: expires }
    }
}

impl Workspace<'_> {
    /// Offers the workspace to whoever gets the token.
    ///
    /// # Errors
    /// [`AccessError::NoKeys`] as long as no key was made: nobody would be left to be told apart from the new owner;
    /// [`AccessError::InvalidSpec`]; [`StoreError::TooManyTransfers`].
    pub fn offer_transfer(&self, new: NewTransfer) -> Result<OfferedTransfer, EngineError> {
        self.recorded(Action::OfferTransfer, Told::default(), |_| self.offer_unrecorded(new))
    }

    fn offer_unrecorded(&self, new: NewTransfer) -> Result<OfferedTransfer, EngineError> {
        self.engine.data.must_log()?;
        self.check_whole()?;
        // The owner's key sees all files and writes as anybody, so a key that may not do so offers nothing.
        if self.caller.key().is_some_and(|key| key.row.agent.is_some()) {
            return Err(AccessError::NotForWhole.into());
        }
        if !self.engine.has_keys()? {
            return Err(AccessError::NoKeys.into());
        }
        let ttl_s = new.ttl_s.unwrap_or(DEFAULT_TTL_S);
        if !(MIN_TTL_S..=MAX_TTL_S).contains(&ttl_s) {
            let reason = format!("`ttl_s` is {ttl_s}, and must be {MIN_TTL_S} to {MAX_TTL_S}");
            return Err(AccessError::InvalidSpec { reason }.into());
        }
        let (token, created) = (ClaimToken::generate()?, super::keys::now());
        let row = TransferRow {
            id: 0,
            workspace: self.id.clone(),
            keep: new.keep,
            made_by: self.caller.key().map(|key| key.row.id.clone()),
            created,
            expires: created + SignedDuration::from_secs(ttl_s.into()),
        };
        let row = self.engine.data.store.add_transfer(&row, &token.hash(), MAX_OPEN)?;
        let token = token.reveal().to_owned();
        Ok(OfferedTransfer { claim_path: format!("/claim?token={token}"), token, transfer: row.into() })
    }

    /// The offers that can be claimed now, the newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn transfers(&self) -> Result<TransferList, EngineError> {
        self.recorded(Action::ListTransfers, Told::default(), |_| self.transfers_unrecorded())
    }

    fn transfers_unrecorded(&self) -> Result<TransferList, EngineError> {
        let rows = self.engine.data.store.transfers(&self.id, super::keys::now())?;
        Ok(TransferList { transfers: rows.into_iter().map(Transfer::from).collect() })
    }

    /// Takes an offer back.
    ///
    /// # Errors
    /// [`StoreError::UnknownTransfer`] where there is none of that number that could be claimed.
    pub fn withdraw_transfer(&self, id: u64) -> Result<(), EngineError> {
        self.recorded(Action::WithdrawTransfer, Told::default(), |_| self.withdraw_offer_unrecorded(id))
    }

    fn withdraw_offer_unrecorded(&self, id: u64) -> Result<(), EngineError> {
        self.check_whole()?;
        self.engine.data.must_log()?;
        Ok(self.engine.data.store.withdraw_transfer(&self.id, id, super::keys::now())?)
    }
}

impl Engine {
    /// The workspace and the offer that a token belongs to, as whoever holds it may see it before the claim.
    ///
    /// # Errors
    /// [`StoreError::UnknownTransfer`].
    pub fn offered(&self, token: &str) -> Result<(WorkspaceId, Transfer), EngineError> {
        let row = self.data.store.transfer_of(&token_of(token)?.hash(), super::keys::now())?;
        Ok((row.workspace.clone(), row.into()))
    }

    /// Claims a workspace: makes the key that owns it from now on. The token is the right to it; of the caller only the surface and the address
    /// count.
    ///
    /// # Errors
    /// [`StoreError::UnknownTransfer`] for a token that was claimed, withdrawn or never made, or whose time is over.
    pub fn claim(&self, from: &Caller, claim: &Claim) -> Result<Claimed, EngineError> {
        self.data.must_log()?;
        let find = || -> Result<(ClaimToken, TransferRow), EngineError> {
            let token = token_of(&claim.token)?;
            let offered = self.data.store.transfer_of(&token.hash(), super::keys::now())?;
            Ok((token, offered))
        };
        let (token, offered) = find().inspect_err(|error| {
            let Caller { surface, address, request_id, .. } = from;
            self.record_unknown(*surface, *address, request_id.as_deref(), ("workspace.claim", error.code()));
        })?;
        self.recorded_claim(from, &offered.workspace.clone(), || self.claim_unrecorded(claim, &token, offered))
    }

    fn claim_unrecorded(
        &self,
        claim: &Claim,
        token: &ClaimToken,
        offered: TransferRow,
    ) -> Result<Claimed, EngineError> {
        let (secret, now) = (Secret::generate()?, super::keys::now());
        let new = NewKey {
            name: claim.name.clone().unwrap_or_else(|| format!("owner of {}", offered.workspace)),
            scopes: [Scope::Admin].into_iter().collect(),
            workspaces: Some(vec![offered.workspace]),
            ..NewKey::default()
        };
        let row = new.row(&secret, None, now, self.data.patterns())?;
        let offered = self.data.store.claim_transfer(&token.hash(), &row, self.config().limits.keys)?;
        let key = super::keys::made(&secret, row, now, None);
        Ok(Claimed { workspace: offered.workspace, keep: offered.keep, key })
    }

    /// The caller with the rights that an owner of the workspace leaves it; `None` where it leaves none.
    ///
    /// # Errors
    /// [`StoreError::UnknownWorkspace`] where there is no such workspace.
    pub(super) fn within_ownership(&self, caller: &Caller, id: &WorkspaceId) -> Result<Option<Caller>, EngineError> {
        let row = self.data.store.workspace(id)?;
        let (Some(key), Some(ownership)) = (caller.key(), row.ownership) else { return Ok(Some(caller.clone())) };
        if self.data.store.descends_from(&key.row.id, &ownership.key)? {
            return Ok(Some(caller.clone()));
        }
        Ok(match ownership.keep {
            Keep::None => None,
            Keep::Editor => Some(caller.limited_to(&Keep::EDITOR_SCOPES)?),
        })
    }
}

/// A token by its form; another text is told to be no offer's.
fn token_of(text: &str) -> Result<ClaimToken, EngineError> {
    ClaimToken::read(text).ok_or_else(|| StoreError::UnknownTransfer.into())
}
