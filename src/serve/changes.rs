//! The routes for programs that follow a workspace: what has happened lately, and what each file is now.

use std::time::Duration;

use axum::Json;
use axum::extract::{Extension, State};
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use super::app::{App, Reply, Shared};
use super::connections::Stopping;
use super::door::Place;
use super::error::ApiError;
use super::extract::{InWorkspace, Parameters, given};
use super::openapi;
use super::routes::check_limit;
use crate::engine::{ChangeFilters, ChangesReply, ChangesRequest, ContentsReply, ObjectsRequest};
use crate::search;
use crate::workspace::Revision;

const MAX_CHANGES: usize = 1_000;
const DEFAULT_CHANGES: usize = 100;
const MAX_CONTENTS: usize = 10_000;
/// How often the log is looked at for one who waits.
const LOOKS_EVERY: Duration = Duration::from_millis(100);

/// Which changes to tell.
#[derive(IntoParams, Deserialize)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ChangesQuery {
    /// How many changes to return at most.
    #[param(minimum = 1, maximum = 1_000, default = 100, required = false)]
    #[serde(default = "default_limit")]
    limit: usize,
    /// Only paths that match one of these globs. Without `/` a glob matches the file name. May come several times, as the four
    /// that follow.
    #[param(example = json!(["reports/**"]), required = false)]
    #[serde(default)]
    path: Vec<String>,
    /// Only changes made by one of these agents.
    #[param(required = false)]
    #[serde(default)]
    agent: Vec<String>,
    /// Only changes made in one of these runs.
    #[param(required = false)]
    #[serde(default)]
    run: Vec<String>,
    /// Only changes made in one of these sandboxes.
    #[param(required = false)]
    #[serde(default)]
    sandbox: Vec<String>,
    /// Only changes made under one of these tags.
    #[param(required = false)]
    #[serde(default)]
    tags: Vec<String>,
    /// Only changes that the log took at this time or later (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default, deserialize_with = "given")]
    since: Option<Timestamp>,
    /// Only changes that the log took before this time (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(default, deserialize_with = "given")]
    until: Option<Timestamp>,
    /// Only changes that are newer than this revision.
    #[serde(default, deserialize_with = "given")]
    after_revision: Option<u64>,
    /// Only changes that are older than this revision: to go on behind the last one of a reply.
    #[serde(default, deserialize_with = "given")]
    before_revision: Option<u64>,
    /// Waits up to so many milliseconds for a change of the workspace after `after_revision`, where there is none yet. The reply comes as soon as one
    /// is logged, before it is searchable.
    #[param(minimum = 0, maximum = 60_000, default = 0, required = false)]
    #[serde(default)]
    wait_ms: u64,
    /// Whether to count who made all the changes in scope, also those beyond `limit`.
    #[param(default = false, required = false)]
    #[serde(default)]
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
    Parameters(query): Parameters<ChangesQuery>,
    stopping: Option<Extension<Stopping>>,
) -> Reply<ChangesReply> {
    let wait_ms = query.wait_ms;
    search::check_wait(wait_ms).map_err(|error| ApiError::of(&app.engine(), &error.into()))?;
    let request = ChangesRequest::from(query);
    check_limit(request.limit, MAX_CHANGES)?;
    if let Some(after) = request.filters.after_revision.filter(|_| wait_ms > 0) {
        let mut stopping = stopping;
        let told = async {
            match &mut stopping {
                Some(Extension(stopping)) => stopping.told().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            waited = await_change(&app, &workspace, after, wait_ms) => waited?,
            // Who waits would hold up the end of the server.
            () = told => {}
        }
    }
    app.call(move |engine| workspace.open(engine)?.recent_changes(&request)).await
}

/// Waits until the log has a change after a revision, or the time is over. No thread is held meanwhile.
async fn await_change(app: &App, workspace: &Place, after: Revision, wait_ms: u64) -> Result<(), ApiError> {
    let of = workspace.clone();
    let Json(_slot) = app.call_at_once(move |engine| of.open(engine)?.begin_wait()).await?;
    let end = tokio::time::Instant::now() + Duration::from_millis(wait_ms);
    loop {
        let of = workspace.clone();
        let Json(has_some) = app.call_at_once(move |engine| of.open(engine)?.has_changes_after(after)).await?;
        let now = tokio::time::Instant::now();
        if has_some || now >= end {
            return Ok(());
        }
        tokio::time::sleep_until(end.min(now + LOOKS_EVERY)).await;
    }
}

/// Which files to list.
#[derive(Debug, IntoParams, Deserialize)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ContentsQuery {
    /// Only files whose paths come after this one: `next` of the reply before.
    #[serde(deserialize_with = "given")]
    after: Option<String>,
    /// How many files to return at most.
    #[param(minimum = 1, maximum = 10_000, default = 1_000)]
    limit: usize,
}

impl Default for ContentsQuery {
    fn default() -> Self {
        Self { after: None, limit: 1_000 }
    }
}

/// Lists what each file is now, with the hash of its bytes, also where its change is not searchable yet: for programs that keep a copy in step.
#[utoipa::path(
    get, path = "/v1/workspaces/{ws}/contents", tag = "files",
    params(openapi::WorkspaceParam, ContentsQuery),
    responses((status = 200, body = ContentsReply, description = "A page of files."), openapi::Errors),
)]
pub(super) async fn contents(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Parameters(ContentsQuery { after, limit }): Parameters<ContentsQuery>,
) -> Reply<ContentsReply> {
    check_limit(limit, MAX_CONTENTS)?;
    let request = ObjectsRequest { after, limit, ..ObjectsRequest::default() };
    app.call(move |engine| workspace.open(engine)?.contents(&request)).await
}

impl From<ChangesQuery> for ChangesRequest {
    fn from(query: ChangesQuery) -> Self {
        let ChangesQuery {
            limit,
            path,
            agent,
            run,
            sandbox,
            tags,
            since,
            until,
            after_revision,
            before_revision,
            wait_ms: _,
            facets,
        } = query;
        let (after_revision, before_revision) = (after_revision.map(Revision), before_revision.map(Revision));
        let filters = ChangeFilters { path, agent, run, sandbox, tags, since, until, after_revision, before_revision };
        Self { limit, filters, facets }
    }
}

const fn default_limit() -> usize {
    DEFAULT_CHANGES
}
