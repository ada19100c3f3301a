//! The routes of locks: taken, listed, extended, released, and taken from their holders.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::app::{Reply, Shared};
use super::error::ApiError;
use super::extract::{InWorkspace, Signed, SignedJson, WithLock};
use super::openapi;
use crate::engine::{EngineError, LockList, NewLock, Released, lock_within};
use crate::workspace::Lock;

/// The lock in a URL.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "read by the derive alone")]
pub(super) struct LockParam {
    /// The id of the lock.
    #[param(example = "4fJk9QzLa0")]
    id: String,
}

/// Takes a lease on a file, or on all files whose paths match a glob. Until it is over, writes to them need its token
/// (`Pincite-Lock-Token`, `lock_token`).
///
/// Who waits (`wait_ms`) gets it in the order of coming. A refusal (423) says who holds it, until when, and when to ask again.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/locks", tag = "locks", operation_id = "take_lock",
    params(openapi::WorkspaceParam),
    request_body(content = NewLock, example = json!({ "path": "notes/today.md", "ttl_s": 60, "reason": "rewriting" })),
    responses(
        (status = 201, body = Lock, description = "The lock is the caller's."),
        openapi::LockErrors, openapi::SignatureErrors, openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn take(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    SignedJson(new): SignedJson<NewLock>,
) -> Result<Response, ApiError> {
    let at = workspace.clone();
    let Json(_slot) = if new.wait_ms > 0 {
        let begin = move |engine: &_| at.open(engine)?.begin_lock_wait().map(Some);
        app.call_at_once(begin).await?
    } else {
        Json(None)
    };
    let try_once = |new: NewLock| {
        let (app, at) = (std::sync::Arc::clone(&app), workspace.clone());
        async move {
            let take = move |engine: &_| match at.open(engine)?.take_lock(&new) {
                Err(EngineError::Locked(held)) => Ok(Err(held)),
                taken => taken.map(Ok),
            };
            app.call_at_once(take).await.map(|Json(taken)| taken)
        }
    };
    let leave = |ticket| {
        let (app, at) = (std::sync::Arc::clone(&app), workspace.clone());
        async move {
            // A wait that nobody asks for any more is over by itself.
            let _ = app.call_at_once(move |engine| at.open(engine)?.end_lock_wait(ticket)).await;
        }
    };
    match lock_within(new, try_once, leave).await? {
        Ok(lock) => Ok((StatusCode::CREATED, Json(lock)).into_response()),
        Err(held) => Err(ApiError::of(&app.engine(), &EngineError::Locked(held))),
    }
}

/// Lists the locks that are held, the oldest first.
#[utoipa::path(
    get, path = "/v1/workspaces/{ws}/locks", tag = "locks", operation_id = "locks",
    params(openapi::WorkspaceParam),
    responses((status = 200, body = LockList, description = "The locks."), openapi::Errors),
)]
pub(super) async fn list(State(app): Shared, InWorkspace(workspace): InWorkspace) -> Reply<LockList> {
    app.call(move |engine| workspace.open(engine)?.locks()).await
}

/// A lock to extend.
#[derive(Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExtendRequest {
    /// The token of the lock.
    token: String,
    /// For how many seconds from now on, 10 to 3,600; as long as before when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 10, maximum = 3_600)]
    ttl_s: Option<u32>,
}

/// Prolongs a lock from now on: its heartbeat. 410 says that it is lost.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/locks/{id}/extend", tag = "locks", operation_id = "extend_lock",
    params(openapi::WorkspaceParam, LockParam),
    request_body(content = ExtendRequest, example = json!({ "token": "lck_4fJk9QzLa0_…" })),
    responses(
        (status = 200, body = Lock, description = "The lock, with its new end."),
        openapi::LockLostErrors, openapi::SignatureErrors, openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn extend(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithLock(id): WithLock,
    SignedJson(ExtendRequest { token, ttl_s }): SignedJson<ExtendRequest>,
) -> Reply<Lock> {
    app.call_at_once(move |engine| workspace.open(engine)?.extend_lock(&id, &token, ttl_s)).await
}

/// A lock to release.
#[derive(Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReleaseRequest {
    /// The token of the lock.
    token: String,
}

/// Releases a lock. One that is over or released is released as well.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/locks/{id}/release", tag = "locks", operation_id = "release_lock",
    params(openapi::WorkspaceParam, LockParam),
    request_body(content = ReleaseRequest, example = json!({ "token": "lck_4fJk9QzLa0_…" })),
    responses(
        (status = 200, body = Released, description = "The lock is not held any more."),
        openapi::SignatureErrors, openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn release(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithLock(id): WithLock,
    SignedJson(ReleaseRequest { token }): SignedJson<ReleaseRequest>,
) -> Reply<Released> {
    app.call_at_once(move |engine| workspace.open(engine)?.release_lock(&id, &token)).await
}

/// Takes a lock from whoever holds it. The audit tells of it, and the holder's next write is refused as `fenced`.
#[utoipa::path(
    delete, path = "/v1/workspaces/{ws}/locks/{id}", tag = "locks", operation_id = "break_lock",
    params(openapi::WorkspaceParam, LockParam),
    responses(
        (status = 200, body = Released, description = "The lock is not held any more."),
        openapi::SignatureErrors, openapi::Errors,
    ),
)]
pub(super) async fn break_lock(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithLock(id): WithLock,
    _: Signed,
) -> Reply<Released> {
    app.call_at_once(move |engine| workspace.open(engine)?.break_lock(&id)).await
}
