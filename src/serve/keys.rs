//! The keys of callers over REST: made, listed, narrowed, replaced and revoked.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use utoipa::IntoParams;

use super::app::{Reply, Shared};
use super::door::By;
use super::error::ApiError;
use super::extract::{Signed, SignedJson, WithId};
use super::openapi;
use crate::engine::{KeyList, KeyPatch, KeySummary, MadeKey, NewKey, Overlap, RevokedKeys};

/// The key that the URL names.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only described: the route itself takes the part of the URL")]
pub(super) struct KeyParam {
    /// The id of the key.
    #[param(example = "3fJk9QzL")]
    id: String,
}

/// Lists the keys that may no more than the caller's, the newest first. A secret is never listed.
#[utoipa::path(
    get, path = "/v1/keys", tag = "keys", operation_id = "keys",
    responses((status = 200, body = KeyList, description = "The keys."), openapi::ServerErrors),
)]
pub(super) async fn list(State(app): Shared, By(by): By) -> Reply<KeyList> {
    app.call(move |engine| engine.list_keys(&by.caller(engine)?)).await
}

/// Makes a key that may no more than the caller's. The reply has its secret, this once.
#[utoipa::path(
    post, path = "/v1/keys", tag = "keys", operation_id = "create_key",
    request_body(content = NewKey, example = json!({
        "name": "nightly writer", "scopes": ["search", "files:write"], "path_globs": ["reports/**"], "agent": "nightly",
    })),
    responses((status = 201, body = MadeKey, description = "The key is made."), openapi::SignatureErrors, openapi::BodyErrors, openapi::Errors),
)]
pub(super) async fn create(
    State(app): Shared,
    By(by): By,
    SignedJson(new): SignedJson<NewKey>,
) -> Result<Response, ApiError> {
    let made = app.call(move |engine| engine.create_key(&by.caller(engine)?, &new)).await?;
    Ok((StatusCode::CREATED, made).into_response())
}

/// Renames a key, or takes rights from it. A key never gets more rights, workspaces, files or time.
#[utoipa::path(
    patch, path = "/v1/keys/{id}", tag = "keys", operation_id = "change_key",
    params(KeyParam),
    request_body(content = KeyPatch, example = json!({ "scopes": ["search"] })),
    responses((status = 200, body = KeySummary, description = "The key as it is now."), openapi::SignatureErrors, openapi::BodyErrors, openapi::Errors),
)]
pub(super) async fn change(
    State(app): Shared,
    By(by): By,
    WithId(id): WithId,
    SignedJson(patch): SignedJson<KeyPatch>,
) -> Reply<KeySummary> {
    app.call(move |engine| engine.change_key(&by.caller(engine)?, &id, &patch)).await
}

/// Makes a key with the rights and the end of another one. Both hold for a time, so that programs can be moved to the new one.
#[utoipa::path(
    post, path = "/v1/keys/{id}/rotate", tag = "keys", operation_id = "rotate_key",
    params(KeyParam),
    request_body(content = Overlap, example = json!({ "overlap_s": 3600 })),
    responses((status = 201, body = MadeKey, description = "The new key."), openapi::SignatureErrors, openapi::BodyErrors, openapi::Errors),
)]
pub(super) async fn rotate(
    State(app): Shared,
    By(by): By,
    WithId(id): WithId,
    SignedJson(overlap): SignedJson<Overlap>,
) -> Result<Response, ApiError> {
    let made = app.call(move |engine| engine.rotate_key(&by.caller(engine)?, &id, overlap)).await?;
    Ok((StatusCode::CREATED, made).into_response())
}

/// Revokes a key, and all keys that were made with it. This holds at once, also for open streams and waiting requests.
#[utoipa::path(
    delete, path = "/v1/keys/{id}", tag = "keys", operation_id = "revoke_key",
    params(KeyParam),
    responses((status = 200, body = RevokedKeys, description = "The keys that were revoked."), openapi::SignatureErrors, openapi::Errors),
)]
pub(super) async fn revoke(State(app): Shared, By(by): By, WithId(id): WithId, _: Signed) -> Reply<RevokedKeys> {
    app.call(move |engine| engine.revoke_key(&by.caller(engine)?, &id)).await
}
