//! The verbs on locks.

use serde_json::json;

use super::{Call, Target, local};
use crate::engine::{EngineError, LockList, NewLock, Released, lock_within};
use crate::workspace::{Lock, WorkspaceId};

impl Target<'_> {
    /// The locks of a workspace that are held.
    pub(in crate::cli) fn locks(&self, id: &WorkspaceId) -> anyhow::Result<LockList> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.locks()?),
            Self::Server(server) => Ok(server.call(&Call::get(&["workspaces", id.as_str(), "locks"]))?),
        }
    }

    /// Takes a lock, after waiting in line for `wait_ms` of the request.
    pub(in crate::cli) fn take_lock(&self, id: &WorkspaceId, new: &NewLock) -> anyhow::Result<Lock> {
        let engine = match self {
            Self::Local(engine) => engine,
            Self::Server(server) => {
                let call = Call::post(&["workspaces", id.as_str(), "locks"], new);
                return Ok(server.call(&call.waits(new.wait_ms))?);
            }
        };
        let workspace = local(engine, id)?;
        let try_once = async |new: NewLock| match workspace.take_lock(&new) {
            Err(EngineError::Locked(held)) => Ok(Err(held)),
            taken => taken.map(Ok),
        };
        let leave = async |ticket| {
            // A wait that nobody asks for any more is over by itself.
            let _ = workspace.end_lock_wait(ticket);
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let taken: Result<_, EngineError> = runtime.block_on(lock_within(new.clone(), try_once, leave));
        Ok(taken?.map_err(EngineError::Locked)?)
    }

    /// Prolongs a lock.
    pub(in crate::cli) fn extend_lock(
        &self,
        id: &WorkspaceId,
        (lock, token): (&str, &str),
        ttl_s: Option<u32>,
    ) -> anyhow::Result<Lock> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.extend_lock(lock, token, ttl_s)?),
            Self::Server(server) => {
                let mut body = json!({ "token": token });
                if let Some(ttl_s) = ttl_s {
                    body["ttl_s"] = ttl_s.into();
                }
                Ok(server.call(&Call::post(&["workspaces", id.as_str(), "locks", lock, "extend"], &body))?)
            }
        }
    }

    /// Releases a lock.
    pub(in crate::cli) fn release_lock(
        &self,
        id: &WorkspaceId,
        (lock, token): (&str, &str),
    ) -> anyhow::Result<Released> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.release_lock(lock, token)?),
            Self::Server(server) => {
                let body = json!({ "token": token });
                Ok(server.call(&Call::post(&["workspaces", id.as_str(), "locks", lock, "release"], &body))?)
            }
        }
    }

    /// Takes a lock from its holder.
    pub(in crate::cli) fn break_lock(&self, id: &WorkspaceId, lock: &str) -> anyhow::Result<Released> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.break_lock(lock)?),
            Self::Server(server) => Ok(server.call(&Call::delete(&["workspaces", id.as_str(), "locks", lock]))?),
        }
    }
}
