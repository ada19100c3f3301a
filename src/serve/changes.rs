//! The route that tells what has happened lately.

use std::str::FromStr;

use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use utoipa::IntoParams;

use super::app::{Reply, Shared};
use super::error::ApiError;
use super::extract::{InWorkspace, Parameters};
use super::openapi;
use super::routes::check_limit;
use crate::engine::{Caller, ChangeFilters, ChangesReply, ChangesRequest};
use crate::workspace::Revision;

const MAX_CHANGES: usize = 1_000;
const DEFAULT_CHANGES: usize = 100;

/// Which changes to tell.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the derive alone")]
pub(super) struct ChangesQuery {
    /// How many changes to return at most.
    #[param(minimum = 1, maximum = 1_000, default = 100, required = false)]
    limit: usize,
    /// Only paths that match one of these globs. Without `/` a glob matches the file name. May come several times, as the four
    /// that follow.
    #[param(example = json!(["reports/**"]), required = false)]
    path: Vec<String>,
    /// Only changes made by one of these agents.
    #[param(required = false)]
    agent: Vec<String>,
    /// Only changes made in one of these runs.
    #[param(required = false)]
    run: Vec<String>,
    /// Only changes made in one of these sandboxes.
    #[param(required = false)]
    sandbox: Vec<String>,
    /// Only changes made under one of these tags.
    #[param(required = false)]
    tags: Vec<String>,
    /// Only changes that the log took at this time or later (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Only changes that the log took before this time (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// Only changes that are newer than this revision.
    after_revision: Option<u64>,
    /// Only changes that are older than this revision: to go on behind the last one of a reply.
    before_revision: Option<u64>,
    /// Whether to count who made all the changes in scope, also those beyond `limit`.
    #[param(default = false, required = false)]
    facets: bool,
}

/// Lists the newest changes of files, newest first.
#[utoipa::path(
    get, path = "/v1/workspaces/{ws}/changes", tag = "files",
    params(openapi::WorkspaceParam, ChangesQuery),
    responses((status = 200, body = ChangesReply, description = "The changes, newest first."), openapi::Errors),
)]
pub(super) async fn changes(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Parameters(pairs): Parameters<Vec<(String, String)>>,
) -> Reply<ChangesReply> {
    let request = request_of(pairs)?;
    check_limit(request.limit, MAX_CHANGES)?;
    app.call(move |engine| engine.workspace(&workspace, Caller::LocalUser)?.recent_changes(&request)).await
}

/// Reads the parameters by hand: a list comes as a parameter that is repeated.
fn request_of(pairs: Vec<(String, String)>) -> Result<ChangesRequest, ApiError> {
    let mut request = ChangesRequest::newest(DEFAULT_CHANGES);
    let ChangesRequest { limit, filters, facets } = &mut request;
    let ChangeFilters { path, agent, run, sandbox, tags, since, until, after_revision, before_revision } = filters;
    for (name, value) in pairs {
        match name.as_str() {
            "path" => path.push(value),
            "agent" => agent.push(value),
            "run" => run.push(value),
            "sandbox" => sandbox.push(value),
            "tags" => tags.push(value),
            "limit" => *limit = parsed(&name, &value, "a number")?,
            "since" => *since = Some(parsed(&name, &value, "a time (RFC 3339, for example `2026-10-01T00:00:00Z`)")?),
            "until" => *until = Some(parsed(&name, &value, "a time (RFC 3339, for example `2026-10-01T00:00:00Z`)")?),
            "after_revision" => *after_revision = Some(Revision(parsed(&name, &value, "a revision")?)),
            "before_revision" => *before_revision = Some(Revision(parsed(&name, &value, "a revision")?)),
            "facets" => *facets = parsed(&name, &value, "`true` or `false`")?,
            _ => return Err(invalid(format!("there is no parameter `{name}`"), "/openapi.json lists the parameters")),
        }
    }
    Ok(request)
}

fn parsed<T: FromStr>(name: &str, value: &str, wanted: &str) -> Result<T, ApiError> {
    value.parse().map_err(|_| invalid(format!("`{name}` is not {wanted}"), "/openapi.json lists the parameters"))
}

fn invalid(message: String, hint: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_parameters", message, hint)
}
