//! The routes of REST, each a call of the engine, and the place of MCP.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, delete, get, patch, post, put};
use axum::{Json, Router, middleware};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Options;
use super::app::{App, Reply, Shared};
use super::connections::Served;
use super::door::{By, Checked};
use super::error::ApiError;
use super::extract::{InWorkspace, JsonBody, Parameters, given};
use super::guard::{self, AllowedHosts};
use super::{
    allowance, asking, audit, changes, changing, deliveries, door, keys, locks, openai, openapi, page, reading,
    request_id, transfers, uploads, verdicts, webhooks, workspaces, writing,
};
use crate::answer::Verification;
use crate::engine::{Action, Engine, EngineError, FileList, FilesRequest, StatusReport};
use crate::error::{Advice as _, ErrorReport};
use crate::search::{SearchReply, SearchRequest};
use crate::workspace::{Citation, WorkspaceId};

const MAX_FILES: usize = 10_000;

/// What all routes share, for a server that is reached at `options.address`.
pub(super) fn app(engine: Arc<Engine>, workspace: WorkspaceId, options: &Options) -> Arc<App> {
    let hosts = Arc::new(AllowedHosts::new(options.address, &options.allowed_hosts));
    Arc::new(App::new(engine, workspace, options, hosts))
}

/// All routes, and those of a connection beyond the limit, behind the guards.
pub(super) fn served(app: &Arc<App>) -> Served {
    let (hosts, metrics) = (app.hosts(), Arc::clone(&app.metrics));
    // The last layer is the first that a request meets.
    let guarded = |routes: Router<Arc<App>>| {
        routes
            .with_state(Arc::clone(app))
            .layer(middleware::from_fn_with_state(Arc::clone(app), door::authenticate))
            .layer(middleware::from_fn_with_state(Arc::clone(&hosts), guard::check_sender))
            .layer(middleware::from_fn(openai::in_their_form))
            .layer(middleware::from_fn_with_state(Arc::clone(&metrics), request_id::log))
    };
    let health =
        || Router::new().route("/livez", get(livez)).route("/readyz", get(readyz)).route("/metrics", get(metrics_text));
    let all = health()
        .route("/openapi.json", get(openapi_json))
        .route("/v1/limits", get(allowance::limits))
        .route("/v1/keys", get(keys::list).post(keys::create))
        .route("/v1/keys/{id}", patch(keys::change).delete(keys::revoke))
        .route("/v1/keys/{id}/rotate", post(keys::rotate))
        .route("/v1/workspaces", get(workspaces::list).post(workspaces::create))
        .route("/v1/workspaces/{ws}", patch(workspaces::update).delete(workspaces::delete))
        .route("/v1/workspaces/{ws}/search", post(search))
        .route("/v1/workspaces/{ws}/ask", post(asking::ask))
        .route("/v1/workspaces/{ws}/citations/verify", post(verify))
        .route("/v1/workspaces/{ws}/status", get(status))
        .route("/v1/workspaces/{ws}/files", get(files))
        .route(
            "/v1/workspaces/{ws}/files/{*path}",
            get(reading::file).head(reading::head).put(writing::put).delete(writing::delete),
        )
        .route("/v1/workspaces/{ws}/contents", get(changes::contents))
        .route("/v1/workspaces/{ws}/events", post(writing::events))
        .route("/v1/workspaces/{ws}/write", post(changing::write))
        .route("/v1/workspaces/{ws}/edit", post(changing::edit))
        .route("/v1/workspaces/{ws}/move", post(changing::move_file))
        .route("/v1/workspaces/{ws}/copy", post(changing::copy_file))
        .route("/v1/workspaces/{ws}/grep", post(changing::grep))
        .route("/v1/workspaces/{ws}/uploads", post(uploads::create))
        .route("/v1/uploads/{link}", put(uploads::put))
        .route("/v1/workspaces/{ws}/locks", get(locks::list).post(locks::take))
        .route("/v1/workspaces/{ws}/locks/{id}", delete(locks::break_lock))
        .route("/v1/workspaces/{ws}/locks/{id}/extend", post(locks::extend))
        .route("/v1/workspaces/{ws}/locks/{id}/release", post(locks::release))
        .route("/v1/workspaces/{ws}/changes", get(changes::changes))
        .route("/v1/workspaces/{ws}/transfer", get(transfers::list).post(transfers::offer))
        .route("/v1/workspaces/{ws}/transfer/{id}", delete(transfers::withdraw))
        .route("/v1/claims", post(transfers::claim))
        .route("/v1/workspaces/{ws}/audit", get(audit::of_workspace))
        .route("/v1/audit", get(audit::of_all))
        .route("/v1/audit/head", get(audit::head))
        .route("/v1/workspaces/{ws}/verdicts", get(verdicts::list).post(verdicts::judge))
        .route("/v1/workspaces/{ws}/verdicts/{id}", delete(verdicts::withdraw))
        .route("/v1/workspaces/{ws}/webhooks", get(webhooks::list).post(webhooks::create))
        .route(
            "/v1/workspaces/{ws}/webhooks/{id}",
            get(webhooks::show).patch(webhooks::update).delete(webhooks::delete),
        )
        .route("/v1/workspaces/{ws}/webhooks/{id}/rotate", post(webhooks::rotate))
        .route("/v1/workspaces/{ws}/webhooks/{id}/test", post(deliveries::test))
        .route("/v1/workspaces/{ws}/webhooks/{id}/deliveries", get(deliveries::list))
        .route("/v1/workspaces/{ws}/webhooks/{id}/deliveries/{delivery}/replay", post(deliveries::replay))
        .route("/mcp", any(mcp_default))
        .route("/mcp/{ws}", any(mcp_named))
        .merge(openai::routes())
        .merge(page::routes())
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed);
    let health = health().fallback(no_place).layer(middleware::map_response(closing));
    Served { all: guarded(all), health: guarded(health), metrics: Arc::clone(&metrics) }
}

/// A connection from the reserve is closed after one reply, so that it keeps no place from the next one.
pub(super) async fn closing(mut response: Response) -> Response {
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

pub(super) async fn no_place() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "too_many_connections",
        "the server has as many connections as `limits.connections` or `limits.connections_per_address` allows",
        "ask again in a second, and keep connections open; meanwhile only health and metrics are answered",
    )
}

/// Figures for Prometheus: requests, refusals, queues, readers, caches, what is pending.
#[utoipa::path(
    get, path = "/metrics", tag = "health", operation_id = "metrics",
    responses(
        (status = 200, body = String, content_type = "application/openmetrics-text", description = "As OpenMetrics has them."),
        openapi::ServerErrors,
    ),
)]
pub(super) async fn metrics_text(State(app): Shared, By(by): By) -> Result<impl IntoResponse, ApiError> {
    let measured = Arc::clone(&app);
    let admitted = move |engine: &Engine| {
        let _admitted = engine.admit(&by.caller(engine)?, Action::Metrics)?;
        measured.measure();
        Ok(())
    };
    app.call_at_once(admitted).await.map(drop)?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, content_type)], app.metrics.text()))
}

async fn not_found() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "no_route", "no route has this URL", "/openapi.json lists all routes")
}

async fn method_not_allowed() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "the URL does not take this method",
        "the header `Allow` of this reply lists the methods of the URL",
    )
}

async fn openapi_json(State(app): Shared) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], app.description.clone())
}

/// The health of the server.
#[derive(Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
pub(super) struct Health {
    /// `live`, `ready` or `not_ready`.
    #[schema(example = "ready")]
    status: String,
    /// The reason why the workspace is not ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorReport>,
    /// Why changes of a folder may not be known yet, although the server is ready: the folder is away, not watched, or was scanned long
    /// ago.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
    /// Workspaces whose folders cannot be scanned now, because a call of the file system hangs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stuck: Vec<WorkspaceId>,
}

/// Whether the process answers at all.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, body = Health, description = "The process answers."), openapi::SenderErrors))]
pub(super) async fn livez() -> Json<Health> {
    Json(Health { status: "live".to_owned(), error: None, notes: Vec::new(), stuck: Vec::new() })
}

/// Whether the workspace of `/mcp` can be searched, with all changes that were pending when the server started.
///
/// A server whose workspace was deleted is ready for the others. `stuck` names workspaces whose folders cannot be scanned.
#[utoipa::path(
    get, path = "/readyz", tag = "health",
    responses(
        (status = 200, body = Health, description = "The workspace is ready."),
        (status = 503, body = Health, description = "The workspace is not ready; `error` gives the reason."), openapi::SenderErrors,
    ),
)]
pub(super) async fn readyz(State(app): Shared) -> Response {
    // Whoever has no key learns whether the server is ready, and nothing of workspaces.
    let is_open = !matches!(app.call_at_once(Engine::has_keys).await, Ok(Json(true)));
    let stuck = if is_open { app.engine().stuck_workspaces() } else { Vec::new() };
    let error = match tokio::task::spawn_blocking(app.check_ready()).await {
        Ok(Ok(notes)) => {
            app.note_ready();
            let notes = if is_open { notes } else { Vec::new() };
            return Json(Health { status: "ready".to_owned(), error: None, notes, stuck }).into_response();
        }
        Ok(Err(error)) if is_open => app.engine().report(&error),
        Ok(Err(error)) => ErrorReport::new(
            error.code(),
            "the workspace of `/mcp` is not ready",
            "`GET …/status`, with a key, says why",
        ),
        Err(error) => {
            tracing::error!(is_panic = error.is_panic(), "the check of readiness failed");
            ErrorReport::new("internal", "the check failed", "this is a fault of the program: its log says more")
        }
    };
    let health = Health { status: "not_ready".to_owned(), error: Some(error), notes: Vec::new(), stuck };
    (StatusCode::SERVICE_UNAVAILABLE, Json(health)).into_response()
}

/// Finds passages, best first, each with its citation.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/search", tag = "search",
    params(openapi::WorkspaceParam),
    request_body(content = SearchRequest, example = json!({
        "query": "cold start latency", "k": 5, "filters": { "path": ["reports/**"], "type": ["markdown"] },
    })),
    responses((status = 200, body = SearchReply, description = "Passages."), openapi::BodyErrors, openapi::Errors),
)]
pub(super) async fn search(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    JsonBody(mut request): JsonBody<SearchRequest>,
) -> Reply<SearchReply> {
    let class = app.wait(&workspace, request.min_revision, request.wait_ms).await?;
    // It was waited for; whether it is there, the search finds.
    request.wait_ms = 0;
    app.call_within(class, move |engine, budget| workspace.open(engine)?.search_within(&request, budget)).await
}

/// A citation to check.
#[derive(Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VerifyRequest {
    /// The citation, as a search or an answer gave it. It must be of the workspace that the URL names.
    citation: Citation,
}

/// Checks a citation against the file as it is now.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/citations/verify", tag = "citations",
    params(openapi::WorkspaceParam),
    request_body(content = VerifyRequest, example = json!({ "citation": openapi::example_citation() })),
    responses((status = 200, body = Verification, description = "A verdict."), openapi::BodyErrors, openapi::Errors),
)]
pub(super) async fn verify(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    JsonBody(request): JsonBody<VerifyRequest>,
) -> Reply<Verification> {
    app.call(move |engine| workspace.open(engine)?.verify(&request.citation)).await
}

/// Lists the files that are not searchable, with reasons, and the state of index, model and folder.
#[utoipa::path(
    get, path = "/v1/workspaces/{ws}/status", tag = "workspaces",
    params(openapi::WorkspaceParam),
    responses((status = 200, body = StatusReport, description = "The present status."), openapi::Errors),
)]
pub(super) async fn status(State(app): Shared, InWorkspace(workspace): InWorkspace) -> Reply<StatusReport> {
    app.call(move |engine| Ok(workspace.open(engine)?.status()?.for_client())).await
}

/// Which files to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FilesQuery {
    /// Only paths that match this glob. Without `/` it matches the file name.
    #[param(example = "reports/**")]
    #[serde(deserialize_with = "given")]
    glob: Option<String>,
    /// How many files to return at most.
    #[param(minimum = 1, maximum = 10_000, default = 1_000)]
    limit: usize,
    /// How many files to skip, in the order of their paths.
    #[param(default = 0)]
    offset: usize,
}

impl Default for FilesQuery {
    fn default() -> Self {
        Self { glob: None, limit: 1_000, offset: 0 }
    }
}

/// Lists files with their states.
#[utoipa::path(
    get, path = "/v1/workspaces/{ws}/files", tag = "files",
    params(openapi::WorkspaceParam, FilesQuery),
    responses((status = 200, body = FileList, description = "A page of files."), openapi::Errors),
)]
pub(super) async fn files(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Parameters(query): Parameters<FilesQuery>,
) -> Reply<FileList> {
    check_limit(query.limit, MAX_FILES)?;
    let FilesQuery { glob, limit, offset } = query;
    let request = FilesRequest { glob, limit, offset };
    app.call(move |engine| workspace.open(engine)?.list_files(&request)).await
}

pub(super) fn check_limit(limit: usize, most: usize) -> Result<(), ApiError> {
    if (1..=most).contains(&limit) {
        return Ok(());
    }
    let hint = format!("ask for 1 to {most}");
    Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid_request", format!("`limit` is {limit}"), hint))
}

async fn mcp_default(State(app): Shared, By(by): By, request: Request) -> Response {
    let workspace = app.default_workspace();
    // This machine's user may come before the workspace does.
    if by.as_checked().key().is_none() {
        return app.mcp(workspace, &by, request).await;
    }
    mcp_of(&app, workspace, &by, request).await
}

async fn mcp_named(State(app): Shared, By(by): By, Path(name): Path<String>, request: Request) -> Response {
    let workspace: WorkspaceId = match name.parse() {
        Ok(workspace) => workspace,
        Err(error) => return ApiError::of_name(&EngineError::Name(error)).into_response(),
    };
    mcp_of(&app, workspace, &by, request).await
}

/// MCP of a workspace that the caller reaches.
async fn mcp_of(app: &App, workspace: WorkspaceId, by: &Checked, request: Request) -> Response {
    let (known, caller) = (workspace.clone(), by.clone());
    let is_there = move |engine: &Engine| {
        let caller = caller.caller(engine)?;
        Ok(engine.list_workspaces(&caller)?.workspaces.iter().any(|row| row.name == known))
    };
    match app.call_at_once(is_there).await {
        Ok(Json(true)) => app.mcp(workspace, by, request).await,
        Ok(Json(false)) => ApiError::new(
            StatusCode::NOT_FOUND,
            "unknown_workspace",
            format!("there is no workspace `{workspace}`"),
            "/v1/workspaces lists them",
        )
        .into_response(),
        Err(error) => error.into_response(),
    }
}
