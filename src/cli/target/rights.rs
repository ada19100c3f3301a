//! The verbs on keys, and on workspaces that are handed over.

use super::{Call, Done, Target, local, user};
use crate::engine::{
    Claim, Claimed, KeyList, KeyPatch, KeySummary, LimitsReply, MadeKey, NewKey, NewTransfer, OfferedTransfer, Overlap,
    RevokedKeys, TransferList,
};
use crate::workspace::WorkspaceId;

impl Target<'_> {
    /// Keys that may no more than the one that asks, the newest first.
    pub(in crate::cli) fn keys(&self) -> anyhow::Result<KeyList> {
        match self {
            Self::Local(engine) => Ok(engine.list_keys(&user())?),
            Self::Server(server) => Ok(server.call(&Call::get(&["keys"]))?),
        }
    }

    /// Makes a key.
    pub(in crate::cli) fn create_key(&self, new: &NewKey) -> anyhow::Result<MadeKey> {
        match self {
            Self::Local(engine) => Ok(engine.create_key(&user(), new)?),
            Self::Server(server) => Ok(server.call(&Call::post(&["keys"], new))?),
        }
    }

    /// Renames or narrows a key.
    pub(in crate::cli) fn change_key(&self, id: &str, patch: &KeyPatch) -> anyhow::Result<KeySummary> {
        match self {
            Self::Local(engine) => Ok(engine.change_key(&user(), id, patch)?),
            Self::Server(server) => Ok(server.call(&Call::patch(&["keys", id], patch))?),
        }
    }

    /// Makes a key in place of another one.
    pub(in crate::cli) fn rotate_key(&self, id: &str, overlap: Overlap) -> anyhow::Result<MadeKey> {
        match self {
            Self::Local(engine) => Ok(engine.rotate_key(&user(), id, overlap)?),
            Self::Server(server) => Ok(server.call(&Call::post(&["keys", id, "rotate"], &overlap))?),
        }
    }

    /// Revokes a key, and those that were made with it.
    pub(in crate::cli) fn revoke_key(&self, id: &str) -> anyhow::Result<RevokedKeys> {
        match self {
            Self::Local(engine) => Ok(engine.revoke_key(&user(), id)?),
            Self::Server(server) => Ok(server.call(&Call::delete(&["keys", id]))?),
        }
    }

    /// What the caller may take, and what the workspace has room for.
    pub(in crate::cli) fn limits(&self, id: &WorkspaceId) -> anyhow::Result<LimitsReply> {
        match self {
            Self::Local(engine) => Ok(engine.limits_of(&user(), Some(id))?),
            Self::Server(server) => Ok(server.call(&Call::get(&["limits"]).with("workspace", [id.as_str()]))?),
        }
    }

    /// Offers to hand a workspace over.
    pub(in crate::cli) fn offer_transfer(&self, id: &WorkspaceId, new: NewTransfer) -> anyhow::Result<OfferedTransfer> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.offer_transfer(new)?),
            Self::Server(server) => Ok(server.call(&Call::post(&["workspaces", id.as_str(), "transfer"], &new))?),
        }
    }

    /// The offers that can be claimed, the newest first.
    pub(in crate::cli) fn transfers(&self, id: &WorkspaceId) -> anyhow::Result<TransferList> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.transfers()?),
            Self::Server(server) => Ok(server.call(&Call::get(&["workspaces", id.as_str(), "transfer"]))?),
        }
    }

    /// Takes an offer back.
    pub(in crate::cli) fn withdraw_transfer(&self, id: &WorkspaceId, number: u64) -> anyhow::Result<()> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.withdraw_transfer(number)?),
            Self::Server(server) => {
                let number = number.to_string();
                let Done {} = server.call(&Call::delete(&["workspaces", id.as_str(), "transfer", &number]))?;
                Ok(())
            }
        }
    }

    /// Claims a workspace with the token of an offer.
    pub(in crate::cli) fn claim(&self, claim: &Claim) -> anyhow::Result<Claimed> {
        match self {
            Self::Local(engine) => Ok(engine.claim(&user(), claim)?),
            Self::Server(server) => Ok(server.call(&Call::post(&["claims"], claim))?),
        }
    }
}
