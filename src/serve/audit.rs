//! The routes of the audit journal: who has done and seen what.

use axum::extract::State;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use super::app::{Reply, Shared};
use super::door::By;
use super::extract::{InWorkspace, Parameters, given};
use super::openapi;
use super::routes::check_limit;
use crate::engine::{AuditReply, AuditRequest, AuditResult, Head, MAX_AUDIT_ENTRIES};
use crate::gate::Class;

const DEFAULT_ENTRIES: usize = 100;

/// Which entries to tell: all conditions hold.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// How many entries to return at most. A page ends sooner where its entries are long.
    #[param(minimum = 1, maximum = 1_000, default = 100, required = false)]
    #[serde(default = "default_limit")]
    limit: usize,
    /// Only accesses that named or showed a file whose path matches one of these globs. May come several times.
    #[param(example = json!(["reports/**"]), required = false)]
    #[serde(default)]
    path: Vec<String>,
    /// Only accesses by keys that prove this agent.
    #[serde(default, deserialize_with = "given")]
    agent: Option<String>,
    /// Only accesses by the key of this id.
    #[param(example = "3fJk9QzL")]
    #[serde(default, deserialize_with = "given")]
    key: Option<String>,
    /// Only accesses by this verb (`search`, `file.write`), or by all that begin with it (`file`).
    #[param(example = "search")]
    #[serde(default, deserialize_with = "given")]
    action: Option<String>,
    /// Only accesses that ended so.
    #[param(inline)]
    #[serde(default, deserialize_with = "given")]
    result: Option<AuditResult>,
    /// Only entries that were recorded at this time or later (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default, deserialize_with = "given")]
    since: Option<Timestamp>,
    /// Only entries that were recorded before this time (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default, deserialize_with = "given")]
    until: Option<Timestamp>,
    /// Only accesses whose reply showed a part of this place: `PATH#START-END`, in bytes of the file's text as a citation's span has them, or
    /// `PATH` for the whole file. The content that the file has now counts also where it was shown under another path.
    #[param(example = "reports/summary.md#41-78")]
    #[serde(default, deserialize_with = "given")]
    cited: Option<String>,
    /// Only entries with a smaller number: `next` of the page before.
    #[serde(default, deserialize_with = "given")]
    cursor: Option<u64>,
}

/// Lists what was done in a workspace and seen of it, newest first: who has seen this paragraph?
///
/// A key with `path_globs` learns of the files that it sees alone. A page whose time is over says `partial`, and `next` goes on.
#[utoipa::path(
    get, path = "/v1/workspaces/{ws}/audit", tag = "audit", operation_id = "audit",
    params(openapi::WorkspaceParam, AuditQuery),
    responses((status = 200, body = AuditReply, description = "The entries, newest first."), openapi::Errors),
)]
pub(super) async fn of_workspace(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Parameters(query): Parameters<AuditQuery>,
) -> Reply<AuditReply> {
    let request = AuditRequest::from(query);
    check_limit(request.limit, MAX_AUDIT_ENTRIES)?;
    app.call_within(Class::Interactive, move |engine, budget| workspace.open(engine)?.audit(&request, budget)).await
}

/// Lists what was done in all workspaces and beside them, newest first: also changes of keys, and callers that were turned away.
///
/// For keys without a list of workspaces and without `path_globs`.
#[utoipa::path(
    get, path = "/v1/audit", tag = "audit", operation_id = "audit_of_all",
    params(AuditQuery),
    responses((status = 200, body = AuditReply, description = "The entries, newest first."), openapi::Errors),
)]
pub(super) async fn of_all(
    State(app): Shared,
    By(by): By,
    Parameters(query): Parameters<AuditQuery>,
) -> Reply<AuditReply> {
    let request = AuditRequest::from(query);
    check_limit(request.limit, MAX_AUDIT_ENTRIES)?;
    let find = move |engine: &crate::engine::Engine, budget: &crate::budget::Budget| {
        engine.audit(&by.caller(engine)?, &request, budget)
    };
    app.call_within(Class::Interactive, find).await
}

/// The newest entry of the journal by number and hash. Kept elsewhere, it proves later that nothing was cut off or changed before it.
#[utoipa::path(
    get, path = "/v1/audit/head", tag = "audit", operation_id = "audit_head",
    responses((status = 200, body = Head, description = "The newest entry."), openapi::Errors),
)]
pub(super) async fn head(State(app): Shared, By(by): By) -> Reply<Head> {
    app.call(move |engine| engine.audit_head(&by.caller(engine)?)).await
}

impl From<AuditQuery> for AuditRequest {
    fn from(query: AuditQuery) -> Self {
        let AuditQuery { limit, path, agent, key, action, result, since, until, cited, cursor } = query;
        Self { path, agent, key, action, result, is_conflict: false, since, until, cited, cursor, limit }
    }
}

const fn default_limit() -> usize {
    DEFAULT_ENTRIES
}
