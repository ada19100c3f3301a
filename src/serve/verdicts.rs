//! The routes of reviewers' verdicts: stored, listed as JSON or CSV, withdrawn.

use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::app::{Reply, Shared};
use super::asking::accepts;
use super::error::ApiError;
use super::extract::{InWorkspace, Parameters, SignedJson, WithNumber, given};
use super::openapi;
use super::routes::check_limit;
use super::signature::Signature;
use super::verdicts_csv::csv_of;
use crate::engine::{VerdictsReply, VerdictsRequest};
use crate::workspace::{Decision, NewVerdict, Verdict};

const MAX_VERDICTS: usize = 10_000;
const DEFAULT_VERDICTS: usize = 100;

/// Stores a reviewer's verdict on the words of a citation: of a passage, or of an answer's sentence.
///
/// The words must stand where they are cited, in the file as it is now; the citation is stored as the check found it. The decision `comment` needs
/// a comment.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/verdicts", tag = "citations", operation_id = "judge",
    params(openapi::WorkspaceParam),
    request_body(content = NewVerdict, example = json!({
        "citation": openapi::example_citation(), "decision": "accept", "query": "cold start latency", "by": "Ines Halvard",
    })),
    responses(
        (status = 201, body = Verdict, description = "The verdict is stored."),
        openapi::SignatureErrors, openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn judge(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    SignedJson(new): SignedJson<NewVerdict>,
) -> Result<Response, ApiError> {
    let verdict = app.call(move |engine| workspace.open(engine)?.judge(&new)).await?;
    Ok((StatusCode::CREATED, verdict).into_response())
}

/// How a list of verdicts is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum VerdictsFormat {
    /// As JSON.
    Json,
    /// As comma-separated values, one verdict a row.
    Csv,
}

/// Which verdicts to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct VerdictsQuery {
    /// How many verdicts to return at most. A page ends sooner where its texts are long.
    #[param(minimum = 1, maximum = 10_000, default = 100, required = false)]
    #[serde(default = "default_limit")]
    limit: usize,
    /// Only verdicts on files whose path matches one of these globs. Without `/` a glob matches the file name. May come several times.
    #[param(example = json!(["reports/**"]), required = false)]
    #[serde(default)]
    path: Vec<String>,
    /// Only verdicts of this decision.
    #[param(inline)]
    #[serde(default, deserialize_with = "given")]
    decision: Option<Decision>,
    /// Only verdicts on what exactly this query or question found.
    #[serde(default, deserialize_with = "given")]
    query: Option<String>,
    /// Only verdicts with a smaller number: `next` of the page before, or the number in its last row.
    #[serde(default, deserialize_with = "given")]
    before_id: Option<u64>,
    /// The form of the reply. Without it, the header `Accept: text/csv` asks for CSV.
    #[param(inline)]
    #[serde(default, deserialize_with = "given")]
    format: Option<VerdictsFormat>,
}

/// Lists reviewers' verdicts, newest first, as JSON or as CSV.
///
/// In CSV, a cell of text that a spreadsheet would take for a formula begins with an apostrophe. A page that has a header alone is the last one.
#[utoipa::path(
    get, path = "/v1/workspaces/{ws}/verdicts", tag = "citations", operation_id = "verdicts",
    params(openapi::WorkspaceParam, VerdictsQuery),
    responses(
        (status = 200, description = "The verdicts, newest first.", content(
            (VerdictsReply = "application/json"), (String = "text/csv"),
        )),
        openapi::Errors,
    ),
)]
pub(super) async fn list(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Parameters(query): Parameters<VerdictsQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let VerdictsQuery { limit, path, decision, query, before_id, format } = query;
    check_limit(limit, MAX_VERDICTS)?;
    let wants_csv = match format {
        Some(format) => format == VerdictsFormat::Csv,
        None => accepts(&headers, "text/csv") && !accepts(&headers, "application/json"),
    };
    let request = VerdictsRequest { path, decision, query, before_id, limit };
    let listed = app.call(move |engine| workspace.open(engine)?.verdicts(&request)).await?;
    if !wants_csv {
        return Ok(listed.into_response());
    }
    let written = tokio::task::spawn_blocking(move || csv_of(&listed.0.verdicts)).await;
    let Ok(Ok(written)) = written else { return Err(ApiError::internal("verdicts cannot be written as CSV")) };
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"verdicts.csv\""),
    ];
    Ok((headers, written).into_response())
}

const fn default_limit() -> usize {
    DEFAULT_VERDICTS
}

/// The verdict in a URL.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "read by the derive alone")]
pub(super) struct VerdictParam {
    /// The number of the verdict.
    #[param(example = 12)]
    id: u64,
}

/// A verdict that was withdrawn.
#[derive(Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
pub(super) struct Withdrawn {
    /// The number that the verdict had.
    id: u64,
}

/// Withdraws a verdict: it is removed.
#[utoipa::path(
    delete, path = "/v1/workspaces/{ws}/verdicts/{id}", tag = "citations", operation_id = "withdraw_verdict",
    params(openapi::WorkspaceParam, VerdictParam),
    responses((status = 200, body = Withdrawn, description = "The verdict is removed."), openapi::SignatureErrors, openapi::Errors),
)]
pub(super) async fn withdraw(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
    (method, uri, headers): (Method, Uri, HeaderMap),
) -> Reply<Withdrawn> {
    Signature::check_whole(Signature::of_write(&method, &uri, &headers, app.event_rules())?, b"")?;
    app.call(move |engine| workspace.open(engine)?.withdraw_verdict(id).map(|()| Withdrawn { id })).await
}
