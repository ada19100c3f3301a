//! The routes of webhooks: made, listed, changed, given another secret, removed.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::app::{Reply, Shared};
use super::error::ApiError;
use super::extract::{InWorkspace, Signed, SignedJson, WithNumber};
use super::openapi;
use crate::engine::Engine;
use crate::workspace::{NewWebhook, Rotation, Webhook, WebhookList, WebhookUpdate};

/// The webhook in a URL.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "read by the derive alone")]
pub(super) struct WebhookParam {
    /// The number of the webhook.
    #[param(example = 3)]
    id: u64,
}

/// Makes a webhook: it is told of what happens in the workspace from now on.
///
/// Messages are posted as JSON, signed as Standard Webhooks specifies, and tried ten times over three days. Each address of the URL's host must be
/// a public one, now and whenever a message is sent. The reply alone holds the whole secret.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/webhooks", tag = "webhooks", operation_id = "create_webhook",
    params(openapi::WorkspaceParam),
    request_body(content = NewWebhook, example = json!({
        "url": "https://example.org/hooks/pincite", "events": ["file.ready", "file.deleted"], "path_globs": ["reports/**"],
    })),
    responses(
        (status = 201, body = Webhook, description = "The webhook is made; `secret` is shown this once."),
        openapi::SignatureErrors, openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn create(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    SignedJson(new): SignedJson<NewWebhook>,
) -> Result<Response, ApiError> {
    // Out of turn: a name is looked up, and that may take seconds in which others are served.
    let make = move |engine: &Engine| workspace.open(engine)?.create_webhook(&new);
    let webhook = app.call_at_once(make).await?;
    Ok((StatusCode::CREATED, webhook).into_response())
}

/// Lists the webhooks of a workspace.
#[utoipa::path(
    get, path = "/v1/workspaces/{ws}/webhooks", tag = "webhooks", operation_id = "webhooks",
    params(openapi::WorkspaceParam),
    responses((status = 200, body = WebhookList, description = "The webhooks by number."), openapi::Errors),
)]
pub(super) async fn list(State(app): Shared, InWorkspace(workspace): InWorkspace) -> Reply<WebhookList> {
    app.call(move |engine| workspace.open(engine)?.webhooks()).await
}

/// Shows one webhook: whether it is switched on, why it is not, and since when its deliveries fail.
#[utoipa::path(
    get, path = "/v1/workspaces/{ws}/webhooks/{id}", tag = "webhooks", operation_id = "webhook",
    params(openapi::WorkspaceParam, WebhookParam),
    responses((status = 200, body = Webhook, description = "The webhook."), openapi::Errors),
)]
pub(super) async fn show(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
) -> Reply<Webhook> {
    app.call(move |engine| workspace.open(engine)?.webhook(id)).await
}

/// Changes a webhook, or switches it off or on. What is left out stays as it is.
#[utoipa::path(
    patch, path = "/v1/workspaces/{ws}/webhooks/{id}", tag = "webhooks", operation_id = "update_webhook",
    params(openapi::WorkspaceParam, WebhookParam),
    request_body(content = WebhookUpdate, example = json!({ "enabled": false })),
    responses(
        (status = 200, body = Webhook, description = "The webhook as it is now."),
        openapi::SignatureErrors, openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn update(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
    SignedJson(update): SignedJson<WebhookUpdate>,
) -> Reply<Webhook> {
    app.call_at_once(move |engine| workspace.open(engine)?.update_webhook(id, &update)).await
}

/// A webhook that was deleted.
#[derive(Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
pub(super) struct WebhookDeleted {
    /// The number that the webhook had.
    id: u64,
}

/// Deletes a webhook with its deliveries; those that wait are not sent.
#[utoipa::path(
    delete, path = "/v1/workspaces/{ws}/webhooks/{id}", tag = "webhooks", operation_id = "delete_webhook",
    params(openapi::WorkspaceParam, WebhookParam),
    responses(
        (status = 200, body = WebhookDeleted, description = "The webhook is deleted."),
        openapi::SignatureErrors, openapi::Errors,
    ),
)]
pub(super) async fn delete(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
    _: Signed,
) -> Reply<WebhookDeleted> {
    app.call(move |engine| workspace.open(engine)?.delete_webhook(id).map(|()| WebhookDeleted { id })).await
}

/// Gives a webhook another secret. Messages carry a signature with each of both, as long as `overlap_s` says.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/webhooks/{id}/rotate", tag = "webhooks", operation_id = "rotate_webhook",
    params(openapi::WorkspaceParam, WebhookParam),
    request_body(content = Rotation, example = json!({ "overlap_s": 86_400 })),
    responses(
        (status = 200, body = Webhook, description = "The webhook; `secret` is the new one, shown this once."),
        openapi::SignatureErrors, openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn rotate(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
    SignedJson(rotation): SignedJson<Rotation>,
) -> Reply<Webhook> {
    app.call(move |engine| workspace.open(engine)?.rotate_webhook(id, &rotation)).await
}
