//! The verbs on the audit journal.

use super::{Call, Target, local, user};
use crate::budget::Budget;
use crate::engine::{AuditReply, AuditRequest, AuditResult, Head};
use crate::workspace::WorkspaceId;

impl Target<'_> {
    /// What was done in a workspace and seen of it, newest first; in all workspaces and beside them where none is named.
    pub(in crate::cli) fn audit(&self, id: Option<&WorkspaceId>, request: &AuditRequest) -> anyhow::Result<AuditReply> {
        let server = match self {
            Self::Local(engine) => {
                let budget = Budget::default();
                return Ok(match id {
                    Some(id) => local(engine, id)?.audit(request, &budget)?,
                    None => engine.audit(&user(), request, &budget)?,
                });
            }
            Self::Server(server) => server,
        };
        let AuditRequest { path, agent, key, action, result, is_conflict: _, since, until, cited, cursor, limit } =
            request;
        let call = match id {
            Some(id) => Call::get(&["workspaces", id.as_str(), "audit"]),
            None => Call::get(&["audit"]),
        };
        let call = call
            .with("limit", [limit])
            .with("path", path)
            .with("agent", agent)
            .with("key", key)
            .with("action", action)
            .with("result", result.map(AuditResult::name))
            .with("since", since)
            .with("until", until)
            .with("cited", cited)
            .with("cursor", cursor);
        Ok(server.call(&call)?)
    }

    /// The newest entry of the journal.
    pub(in crate::cli) fn audit_head(&self) -> anyhow::Result<Head> {
        match self {
            Self::Local(engine) => Ok(engine.audit_head(&user())?),
            Self::Server(server) => Ok(server.call(&Call::get(&["audit", "head"]))?),
        }
    }
}
