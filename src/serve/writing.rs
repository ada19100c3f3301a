//! The routes that write: files, and events that tell of files.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ETAG, HeaderName, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::app::{Reply, Shared};
use super::error::ApiError;
use super::extract::{AtPath, InWorkspace, check_marked_as_json, parse_json};
use super::openapi;
use super::signature::Signature;
use crate::engine::{Engine, EngineError, Event, EventsReply, Given, Precondition, WriteReply};
use crate::workspace::{ChangeKind, ContentHash, Provenance};

const MAX_EVENTS: usize = 1_000;

/// What must be true of the file before anything is done.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "read by the derive alone")]
pub(super) struct PreconditionHeaders {
    /// `*`: the file exists. `"HASH"`: its content has this SHA-256 (`content_hash`, and the `ETag` of a file's reply).
    #[param(rename = "If-Match", required = false, example = "*")]
    if_match: String,
    /// `*`: the file does not exist.
    #[param(rename = "If-None-Match", required = false, example = "*")]
    if_none_match: String,
    /// A request that comes again with this key within a day is not done again, and answered as before.
    #[param(rename = "Idempotency-Key", required = false, min_length = 1, max_length = 255)]
    idempotency_key: String,
}

/// Locks that the caller holds.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "read by the derive alone")]
pub(super) struct LockHeader {
    /// The token of the caller's lock on the file; several are separated by commas.
    #[param(rename = "Pincite-Lock-Token", required = false)]
    lock_token: String,
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const LOCK_TOKEN: HeaderName = HeaderName::from_static("pincite-lock-token");

const AGENT: HeaderName = HeaderName::from_static("pincite-agent");
const RUN: HeaderName = HeaderName::from_static("pincite-run");
const SANDBOX: HeaderName = HeaderName::from_static("pincite-sandbox");
const TAGS: HeaderName = HeaderName::from_static("pincite-tags");

/// Who does it, in UTF-8. Each value has 1 to 200 characters, no control characters and no white space at its ends.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "read by the derive alone")]
pub(super) struct ProvenanceHeaders {
    /// The agent or person. It is shown with every citation of the file's content, and can be searched for.
    #[param(rename = "Pincite-Agent", required = false, example = "coder-03")]
    agent: String,
    /// The run or session.
    #[param(rename = "Pincite-Run", required = false, example = "2026-11-03")]
    run: String,
    /// The sandbox or machine.
    #[param(rename = "Pincite-Sandbox", required = false)]
    sandbox: String,
    /// Words to find the file by, at most 32, separated by commas.
    #[param(rename = "Pincite-Tags", required = false, example = "nightly, latency")]
    tags: String,
}

/// Writes a file, whole or not at all; the body is its content, of up to `max_file_bytes` of the configuration. A workspace
/// without a folder gets one in the data folder.
#[utoipa::path(
    put, path = "/v1/workspaces/{ws}/files/{path}", tag = "files",
    params(openapi::WorkspaceParam, openapi::PathParam, PreconditionHeaders, LockHeader, ProvenanceHeaders),
    request_body(content = String, content_type = "application/octet-stream", description = "The file's content."),
    responses(
        (status = 200, body = WriteReply, description = "The file existed; it is written, and its change is in the log."),
        (status = 201, body = WriteReply, description = "The file is new; it is written, and its change is in the log."),
        openapi::WriteErrors, openapi::SignatureErrors, openapi::QuotaErrors, openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn put(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    AtPath(path): AtPath,
    (method, uri, headers): (Method, Uri, HeaderMap),
    body: Body,
) -> Result<Response, ApiError> {
    let (precondition, provenance, given) = (precondition(&headers)?, provenance(&headers)?, given(&headers)?);
    let mut signature = Signature::of_write(&method, &uri, &headers, app.event_rules())?;
    let mut incoming = app.incoming(body)?;
    let min_size = incoming.min_size();
    let at = workspace.clone();
    let begin = move |engine: &Engine| {
        let upload = workspace.open(engine)?.begin_upload(&path)?.by(provenance)?;
        upload.check_size(min_size).map(|()| upload)
    };
    // No thread waits for what is still to come.
    let Json(mut upload) = app.call(begin).await?;
    while let Some(part) = incoming.next().await? {
        if let Some(signature) = &mut signature {
            signature.update(&part);
        }
        let write = move |_: &Engine| upload.write(&part).map(|()| upload);
        // It has had its turn.
        Json(upload) = app.call_at_once(write).await?;
    }
    Signature::check_whole(signature, b"")?;
    let finish = move |engine: &Engine| at.open(engine)?.given(given)?.finish_upload(upload, &precondition);
    let reply = app.call_at_once(finish).await?;
    let status = if reply.kind == ChangeKind::Created { StatusCode::CREATED } else { StatusCode::OK };
    let tag = reply.content_hash.map(|hash| (ETAG, format!("\"{hash}\"")));
    Ok((status, tag.map(|tag| [tag]), reply).into_response())
}

/// Deletes a file. After the reply no query shows anything of it.
#[utoipa::path(
    delete, path = "/v1/workspaces/{ws}/files/{path}", tag = "files",
    params(openapi::WorkspaceParam, openapi::PathParam, PreconditionHeaders, LockHeader, ProvenanceHeaders),
    responses(
        (status = 200, body = WriteReply, description = "The file is deleted, and its change is in the log."),
        openapi::WriteErrors, openapi::SignatureErrors, openapi::Errors,
    ),
)]
pub(super) async fn delete(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    AtPath(path): AtPath,
    (method, uri, headers): (Method, Uri, HeaderMap),
) -> Reply<WriteReply> {
    let (precondition, provenance, given) = (precondition(&headers)?, provenance(&headers)?, given(&headers)?);
    Signature::check_whole(Signature::of_write(&method, &uri, &headers, app.event_rules())?, b"")?;
    app.call(move |engine| workspace.open(engine)?.given(given)?.delete_file(&path, &precondition, provenance)).await
}

/// Reports of changed files.
#[derive(Debug, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventsRequest {
    /// 1 to 1000 of them, in any order.
    #[schema(min_items = 1, max_items = 1_000)]
    events: Vec<Event>,
}

/// Takes events, all or none, each id once.
/// Where a secret is configured, the request must be signed as Standard Webhooks specifies (`webhook-id`, `webhook-timestamp`,
/// `webhook-signature`), with a key of this workspace and route: the HMAC-SHA256 of `POST`, a space and the path of the URL, under the
/// key of the secret.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/events", tag = "files",
    params(openapi::WorkspaceParam, LockHeader),
    request_body(content = EventsRequest, example = json!({ "events": [
        { "id": "evt-1", "type": "modified", "path": "reports/summary.md" },
        { "id": "evt-2", "type": "created", "path": "notes/today.md", "content": "# Today", "agent": "coder-03", "tags": ["notes"] },
    ] })),
    responses(
        (status = 200, body = EventsReply, description = "The events are in the log."),
        openapi::SignatureErrors, openapi::QuotaErrors, openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn events(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    (method, uri, headers): (Method, Uri, HeaderMap),
    body: Body,
) -> Reply<EventsReply> {
    let signature = Signature::of(&method, &uri, &headers, app.event_rules())?;
    check_marked_as_json(&headers)?;
    let whole = app.read_body(body).await?;
    Signature::check_whole(signature, &whole.bytes)?;
    let EventsRequest { events } = parse_json(&whole.bytes)?;
    drop(whole);
    if events.is_empty() || events.len() > MAX_EVENTS {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            format!("the request has {} events", events.len()),
            format!("send 1 to {MAX_EVENTS} at once"),
        ));
    }
    let given = Given { lock_tokens: lock_tokens(&headers)?, ..Given::default() };
    app.call(move |engine| workspace.open(engine)?.given(given)?.take_events(&events)).await
}

fn precondition(headers: &HeaderMap) -> Result<Precondition, ApiError> {
    let (matches, absent) = (text(headers, &IF_MATCH)?, text(headers, &IF_NONE_MATCH)?);
    let invalid =
        |message: &str, hint: &str| Err(ApiError::new(StatusCode::BAD_REQUEST, "invalid_header", message, hint));
    if absent.is_some_and(|absent| absent != "*") {
        return invalid("`If-None-Match` holds something else than `*`", "only `*` is known: no such file yet");
    }
    let wanted = match matches {
        None if absent.is_some() => return Ok(Precondition::Absent),
        None => return Ok(Precondition::None),
        Some("*") => Precondition::Exists,
        Some(tags) => {
            let tag = |tag: &str| tag.trim().strip_prefix('"')?.strip_suffix('"')?.parse::<ContentHash>().ok();
            match tags.split(',').map(tag).collect() {
                Some(hashes) => Precondition::Matches(hashes),
                None => {
                    return invalid(
                        "`If-Match` holds something other than a content hash",
                        "give `content_hash` in double quotes, or `*` for any file",
                    );
                }
            }
        }
    };
    // Both are conditions of HTTP, and no file meets the two at once (RFC 9110, section 13.2.2).
    Ok(if absent.is_some() { Precondition::Never } else { wanted })
}

/// What a write gives besides.
fn given(headers: &HeaderMap) -> Result<Given, ApiError> {
    let idempotency_key = utf8(headers, &IDEMPOTENCY_KEY)?.map(str::to_owned);
    Ok(Given { idempotency_key, lock_tokens: lock_tokens(headers)? })
}

/// Tokens of locks that the caller holds.
fn lock_tokens(headers: &HeaderMap) -> Result<Vec<String>, ApiError> {
    let tokens = text(headers, &LOCK_TOKEN)?.into_iter().flat_map(|tokens| tokens.split(','));
    Ok(tokens.map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()).collect())
}

/// Who does it, as the headers say.
pub(super) fn provenance(headers: &HeaderMap) -> Result<Provenance, ApiError> {
    let one = |name| utf8(headers, &name).map(|value| value.map(str::to_owned));
    let tags = utf8(headers, &TAGS)?.into_iter().flat_map(|tags| tags.split(','));
    let tags = tags.map(|tag| tag.trim().to_owned()).collect();
    let provenance = Provenance { agent: one(AGENT)?, run: one(RUN)?, sandbox: one(SANDBOX)?, tags, proven: false };
    // Before the content comes.
    provenance.check().map_err(|error| ApiError::of_name(&EngineError::from(error)))?;
    Ok(provenance)
}

fn utf8<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).ok().filter(|_| values.next().is_none());
    text.map(|text| Some(text.trim())).ok_or_else(|| {
        let message = format!("the header `{name}` is not text in UTF-8, or comes twice");
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_header",
            message,
            "send it once, in UTF-8; separate tags by commas",
        )
    })
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let Some(value) = headers.get(name) else { return Ok(None) };
    value.to_str().map(|text| Some(text.trim())).map_err(|_| {
        let message = format!("the header `{name}` is not text");
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_header", message, "send it in ASCII, once")
    })
}
