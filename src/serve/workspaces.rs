//! The routes of workspaces: which there are, and making, switching and deleting them.

use std::path::PathBuf;

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::app::{Reply, Shared};
use super::door::By;
use super::error::ApiError;
use super::extract::{InWorkspace, SignedJson};
use super::openapi;
use super::signature::Signature;
use crate::engine::{Engine, WorkspaceList, WorkspaceSummary};
use crate::workspace::WorkspaceId;

/// Lists the workspaces.
#[utoipa::path(
    get, path = "/v1/workspaces", tag = "workspaces", operation_id = "workspaces",
    responses((status = 200, body = WorkspaceList, description = "The workspaces, by name."), openapi::ServerErrors),
)]
pub(super) async fn list(State(app): Shared, By(by): By) -> Reply<WorkspaceList> {
    app.call(move |engine| {
        let WorkspaceList { workspaces } = engine.list_workspaces(&by.caller(engine)?)?;
        Ok(WorkspaceList { workspaces: workspaces.into_iter().map(WorkspaceSummary::for_client).collect() })
    })
    .await
}

/// A workspace to make.
#[derive(Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateRequest {
    /// Its name.
    name: WorkspaceId,
    /// The folder of the workspace: an existing folder below one of `workspaces.allowed_roots` of the configuration. Without a folder,
    /// the data folder keeps the files that are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>)]
    root: Option<PathBuf>,
}

/// Makes a workspace. Its folder, where it has one, is watched and indexed from now on.
#[utoipa::path(
    post, path = "/v1/workspaces", tag = "workspaces", operation_id = "create_workspace",
    request_body(content = CreateRequest, example = json!({ "name": "notes" })),
    responses((status = 201, body = WorkspaceSummary, description = "The workspace is made."), openapi::SignatureErrors, openapi::BodyErrors, openapi::Errors),
)]
pub(super) async fn create(
    State(app): Shared,
    By(by): By,
    SignedJson(CreateRequest { name, root }): SignedJson<CreateRequest>,
) -> Result<Response, ApiError> {
    let make = move |engine: &Engine| engine.create_workspace_for_client(&by.caller(engine)?, &name, root.as_deref());
    let summary = app.call(move |engine| Ok(WorkspaceSummary::from(make(engine)?).for_client())).await?;
    Ok((StatusCode::CREATED, summary).into_response())
}

/// What to change of a workspace.
#[derive(Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UpdateRequest {
    /// `false`: files are listed, and nothing of them is indexed or found. `true`: they are indexed, again where they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intelligence: Option<bool>,
    /// `true`: a write has to say what it expects (`If-Match`, `if_match`), else it is refused with 428.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    require_if_match: Option<bool>,
}

/// Switches the intelligence of a workspace off or on, or whether writes need a condition. After the reply to `intelligence: false`, no query
/// finds the files.
#[utoipa::path(
    patch, path = "/v1/workspaces/{ws}", tag = "workspaces", operation_id = "update_workspace",
    params(openapi::WorkspaceParam),
    request_body(content = UpdateRequest, example = json!({ "intelligence": false })),
    responses((status = 200, body = WorkspaceSummary, description = "The workspace has the state that was asked for."), openapi::SignatureErrors, openapi::BodyErrors, openapi::Errors),
)]
pub(super) async fn update(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    SignedJson(request): SignedJson<UpdateRequest>,
) -> Reply<WorkspaceSummary> {
    app.call(move |engine| {
        let workspace = workspace.open(engine)?;
        let UpdateRequest { intelligence, require_if_match } = request;
        Ok(WorkspaceSummary::from(workspace.change(intelligence, require_if_match)?).for_client())
    })
    .await
}

/// A workspace that was deleted.
#[derive(Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
pub(super) struct Deleted {
    /// The name that the workspace had.
    name: WorkspaceId,
}

/// Deletes a workspace with its index and log. Files in a folder of its own stay. Without a folder of its own, the files that were
/// written to the workspace are deleted, too.
#[utoipa::path(
    delete, path = "/v1/workspaces/{ws}", tag = "workspaces", operation_id = "delete_workspace",
    params(openapi::WorkspaceParam),
    responses((status = 200, body = Deleted, description = "The workspace is deleted."), openapi::SignatureErrors, openapi::Errors),
)]
pub(super) async fn delete(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Reply<Deleted> {
    Signature::check_whole(Signature::of_write(&method, &uri, &headers, app.event_rules())?, b"")?;
    app.call(move |engine| workspace.open(engine)?.delete().map(|()| Deleted { name: workspace.id })).await
}
