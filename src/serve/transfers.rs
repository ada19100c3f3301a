//! Handing a workspace over, over REST: offered, listed, taken back, and claimed.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::app::{Reply, Shared};
use super::door::Unproven;
use super::error::ApiError;
use super::extract::{InWorkspace, JsonBody, Signed, SignedJson, WithNumber};
use super::openapi;
use crate::engine::{Claim, Claimed, NewTransfer, OfferedTransfer, TransferList};

/// The offer that the URL names.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described: the route itself takes the part of the URL")]
pub(super) struct TransferParam {
    /// The number of the offer.
    #[param(example = 1)]
    id: u64,
}

/// Offers to hand the workspace over. The reply has the token, this once; whoever sends it first owns the workspace.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/transfer", tag = "workspaces", operation_id = "offer_transfer",
    params(openapi::WorkspaceParam),
    request_body(content = NewTransfer, example = json!({ "ttl_s": 86_400, "keep": "editor" })),
    responses((status = 201, body = OfferedTransfer, description = "The offer is made."), openapi::SignatureErrors, openapi::BodyErrors, openapi::Errors),
)]
pub(super) async fn offer(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    SignedJson(new): SignedJson<NewTransfer>,
) -> Result<Response, ApiError> {
    let offered = app.call(move |engine| workspace.open(engine)?.offer_transfer(new)).await?;
    Ok((StatusCode::CREATED, offered).into_response())
}

/// Lists the offers of the workspace that can be claimed now, the newest first. No token is listed.
#[utoipa::path(
    get, path = "/v1/workspaces/{ws}/transfer", tag = "workspaces", operation_id = "transfers",
    params(openapi::WorkspaceParam),
    responses((status = 200, body = TransferList, description = "The open offers."), openapi::Errors),
)]
pub(super) async fn list(State(app): Shared, InWorkspace(workspace): InWorkspace) -> Reply<TransferList> {
    app.call(move |engine| workspace.open(engine)?.transfers()).await
}

/// An offer that was taken back.
#[derive(Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
pub(super) struct WithdrawnTransfer {
    /// The number of the offer.
    id: u64,
}

/// Takes an offer back. Its token claims nothing any more.
#[utoipa::path(
    delete, path = "/v1/workspaces/{ws}/transfer/{id}", tag = "workspaces", operation_id = "withdraw_transfer",
    params(openapi::WorkspaceParam, TransferParam),
    responses((status = 200, body = WithdrawnTransfer, description = "The offer is taken back."), openapi::SignatureErrors, openapi::Errors),
)]
pub(super) async fn withdraw(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
    _: Signed,
) -> Reply<WithdrawnTransfer> {
    app.call(move |engine| workspace.open(engine)?.withdraw_transfer(id).map(|()| WithdrawnTransfer { id })).await
}

/// Claims a workspace with the token of an offer. The reply has the key of the new owner, this once; its webhooks pause until the owner
/// confirms them. No other key is needed.
#[utoipa::path(
    post, path = "/v1/claims", tag = "workspaces", operation_id = "claim",
    request_body(content = Claim, example = json!({ "token": "claim_0000000000000000000000000000000000000000", "name": "Ada" })),
    responses((status = 201, body = Claimed, description = "The workspace is the caller's."), openapi::BodyErrors, openapi::Errors),
)]
pub(super) async fn claim(
    State(app): Shared,
    Unproven(from): Unproven,
    JsonBody(claim): JsonBody<Claim>,
) -> Result<Response, ApiError> {
    let claimed = app.call(move |engine| engine.claim(&from, &claim)).await?;
    Ok((StatusCode::CREATED, claimed).into_response())
}
