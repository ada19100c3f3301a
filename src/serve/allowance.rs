//! The rates of callers as HTTP says them: 429, `Retry-After`, `RateLimit-Policy` and `RateLimit`.
//!
//! Source: draft-ietf-httpapi-ratelimit-headers-09, sections 3 and 4.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header::HeaderName;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use utoipa::IntoParams;

use super::app::{Reply, Shared};
use super::door::By;
use super::error::ApiError;
use super::extract::{Parameters, given};
use super::openapi;
use crate::engine::{Exhausted, Kind, LimitsReply, Standing};
use crate::workspace::WorkspaceId;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Searches embed the query and rank; most calls over MCP are searches.
const COST_OF_SEARCH: u64 = 2;
/// Answers and digests make several searches, and read.
const COST_OF_ANSWER: u64 = 5;

/// For how many requests one counts.
pub(super) fn cost_of(method: &Method, route: Option<&str>) -> u64 {
    match (method, route.unwrap_or_default()) {
        (&Method::POST, "/v1/workspaces/{ws}/ask") | (_, "/w/{ws}/answer") => COST_OF_ANSWER,
        (&Method::POST, "/v1/workspaces/{ws}/search" | "/v1/vector_stores/{ws}/search" | "/mcp" | "/mcp/{ws}")
        | (_, "/w/{ws}") => COST_OF_SEARCH,
        _ => 1,
    }
}

/// Tells a limited caller where it stands.
pub(super) fn tell(standings: &[Standing], response: &mut Response) {
    if standings.is_empty() {
        return;
    }
    let (mut policy, mut limit) = (String::new(), String::new());
    for Standing { kind, quota, window_s, left, full_in_s } in standings {
        let (name, between) = (kind.name(), if policy.is_empty() { "" } else { ", " });
        // Writing to a string cannot fail.
        let _ = write!(policy, "{between}\"{name}\";q={quota};w={window_s}");
        let _ = write!(limit, "{between}\"{name}\";r={left};t={full_in_s}");
    }
    for (name, text) in [(POLICY, policy), (LIMIT, limit)] {
        if let Ok(value) = HeaderValue::try_from(text) {
            response.headers_mut().insert(name, value);
        }
    }
}

/// 429, with the time after which the request would be taken.
pub(super) fn refused(exhausted: &Exhausted) -> Response {
    let Exhausted { kind, retry_after_s, standings } = exhausted;
    let error = match kind {
        Kind::Requests => ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            "the caller sends more requests than it may (`limits.key_requests_per_core`, `limits.address_requests_per_core`, \
             `limits.request_burst_s`)",
            format!("ask again in {retry_after_s} s, and less often: `GET /v1/limits` says what is left"),
        ),
        Kind::BadKeys => ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_bad_keys",
            "so many keys from this address do not hold that no unfamiliar one is looked up now \
             (`limits.address_bad_keys_per_minute`)",
            format!("ask again in {retry_after_s} s, with a key that holds"),
        ),
    };
    let mut response = error.retry_after(*retry_after_s).into_response();
    tell(standings, &mut response);
    response
}

/// Of what the limits are asked for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LimitsQuery {
    /// A workspace of which the reply is to say how much more it can hold.
    #[param(pattern = "^[a-z0-9][a-z0-9._-]{0,63}$")]
    #[serde(deserialize_with = "given")]
    workspace: Option<WorkspaceId>,
}

/// Returns the caller's allowances and what is left of them. Any key may ask, whatever its rights.
#[utoipa::path(
    get, path = "/v1/limits", tag = "keys", operation_id = "limits",
    params(LimitsQuery),
    responses((status = 200, body = LimitsReply, description = "What is left."), openapi::Errors),
)]
pub(super) async fn limits(
    State(app): Shared,
    By(by): By,
    Parameters(query): Parameters<LimitsQuery>,
) -> Reply<LimitsReply> {
    app.call(move |engine| engine.limits_of(&by.caller(engine)?, query.workspace.as_ref())).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_are_structured_fields_with_one_item_a_policy() {
        let standing = Standing { kind: Kind::Requests, quota: 100, window_s: 1, left: 50, full_in_s: 1 };
        let bad = Standing { kind: Kind::BadKeys, quota: 30, window_s: 60, left: 0, full_in_s: 60 };
        let mut response = StatusCode::OK.into_response();
        tell(&[standing], &mut response);
        assert_eq!(response.headers()["ratelimit-policy"], r#""requests";q=100;w=1"#);
        assert_eq!(response.headers()["ratelimit"], r#""requests";r=50;t=1"#);
        tell(&[bad, standing], &mut response);
        assert_eq!(response.headers()["ratelimit-policy"], r#""bad-keys";q=30;w=60, "requests";q=100;w=1"#);
        assert_eq!(response.headers()["ratelimit"], r#""bad-keys";r=0;t=60, "requests";r=50;t=1"#);
        let mut of_local = StatusCode::OK.into_response();
        tell(&[], &mut of_local);
        assert!(of_local.headers().get("ratelimit").is_none());
    }

    #[test]
    fn a_refusal_says_when_to_come_again() {
        let response = refused(&Exhausted { kind: Kind::Requests, retry_after_s: 7, standings: Vec::new() });
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (429, &HeaderValue::from_static("7"))
        );
    }

    #[test]
    fn what_embeds_costs_more() {
        let costs = [
            (Method::POST, "/v1/workspaces/{ws}/search", 2),
            (Method::POST, "/v1/vector_stores/{ws}/search", 2),
            (Method::POST, "/v1/workspaces/{ws}/ask", 5),
            (Method::POST, "/mcp/{ws}", 2),
            (Method::GET, "/w/{ws}", 2),
            (Method::GET, "/w/{ws}/answer", 5),
            (Method::PUT, "/v1/workspaces/{ws}/files/{*path}", 1),
        ];
        for (method, route, cost) in costs {
            assert_eq!(cost_of(&method, Some(route)), cost, "{method} {route}");
        }
        assert_eq!(cost_of(&Method::GET, None), 1);
    }
}
