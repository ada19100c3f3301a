//! The routes of deliveries: what became of the messages of a webhook, a test, a replay.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::app::{Reply, Shared};
use super::error::ApiError;
use super::extract::{InWorkspace, OfDelivery, Parameters, Signed, WithNumber, given};
use super::openapi;
use super::routes::check_limit;
use super::webhooks::WebhookParam;
use crate::engine::DeliveriesRequest;
use crate::workspace::{Delivery, DeliveryList, DeliveryState};

const MAX_DELIVERIES: usize = 1_000;
const DEFAULT_DELIVERIES: usize = 100;

/// The delivery in a URL.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "read by the derive alone")]
pub(super) struct DeliveryParam {
    /// The number of the delivery.
    #[param(example = 12)]
    delivery: u64,
}

/// Which deliveries to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeliveriesQuery {
    /// How many deliveries to return at most.
    #[param(minimum = 1, maximum = 1_000, default = 100, required = false)]
    #[serde(default = "default_limit")]
    limit: usize,
    /// Only deliveries in this state.
    #[param(inline)]
    #[serde(default, deserialize_with = "given")]
    state: Option<DeliveryState>,
    /// Only deliveries with a smaller number: `next` of the page before.
    #[serde(default, deserialize_with = "given")]
    before_id: Option<u64>,
}

const fn default_limit() -> usize {
    DEFAULT_DELIVERIES
}

/// Lists the deliveries of a webhook, newest first: those that wait, and those of the last seven days, at most 1,000.
#[utoipa::path(
    get, path = "/v1/workspaces/{ws}/webhooks/{id}/deliveries", tag = "webhooks", operation_id = "deliveries",
    params(openapi::WorkspaceParam, WebhookParam, DeliveriesQuery),
    responses((status = 200, body = DeliveryList, description = "A page of deliveries."), openapi::Errors),
)]
pub(super) async fn list(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
    Parameters(query): Parameters<DeliveriesQuery>,
) -> Reply<DeliveryList> {
    let DeliveriesQuery { limit, state, before_id } = query;
    check_limit(limit, MAX_DELIVERIES)?;
    let request = DeliveriesRequest { state, before_id, limit };
    app.call(move |engine| workspace.open(engine)?.deliveries(id, &request)).await
}

/// Sends a test to a webhook: a message of the type `webhook.test`, which passes every condition.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/webhooks/{id}/test", tag = "webhooks", operation_id = "test_webhook",
    params(openapi::WorkspaceParam, WebhookParam),
    responses(
        (status = 202, body = Delivery, description = "The message is due. The list of deliveries says what becomes of it."),
        openapi::SignatureErrors, openapi::Errors,
    ),
)]
pub(super) async fn test(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
    _: Signed,
) -> Result<Response, ApiError> {
    let sent = app.call(move |engine| workspace.open(engine)?.test_webhook(id)).await?;
    Ok((StatusCode::ACCEPTED, sent).into_response())
}

/// Sends a message again, with the tries of a new one; one that waits is sent at once. Its `webhook-id` and its body stay.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/webhooks/{id}/deliveries/{delivery}/replay", tag = "webhooks", operation_id = "replay_delivery",
    params(openapi::WorkspaceParam, WebhookParam, DeliveryParam),
    responses(
        (status = 202, body = Delivery, description = "The message is due. The list of deliveries says what becomes of it."),
        openapi::SignatureErrors, openapi::Errors,
    ),
)]
pub(super) async fn replay(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    OfDelivery { webhook, delivery }: OfDelivery,
    _: Signed,
) -> Result<Response, ApiError> {
    let replay = app.call(move |engine| workspace.open(engine)?.replay_delivery(webhook, delivery));
    Ok((StatusCode::ACCEPTED, replay.await?).into_response())
}
