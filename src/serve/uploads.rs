//! Links for uploads: one is asked for like any write, and takes its file from whoever has it.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{ETAG, HOST};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::app::Shared;
use super::door::Unproven;
use super::error::ApiError;
use super::extract::{InWorkspace, SignedJson};
use super::openapi;
use crate::engine::{Engine, NewUpload, UploadLink, WriteReply};
use crate::workspace::ChangeKind;

/// Where links lead, in front of what is sealed.
pub(super) const PLACE: &str = "/v1/uploads/";

/// Makes a link that takes one file of this size and content within 15 minutes, without a key.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/uploads", tag = "files", operation_id = "create_upload",
    params(openapi::WorkspaceParam),
    request_body(content = NewUpload, example = json!({
        "path": "reports/large.pdf", "size": 3,
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "if_match": "absent",
    })),
    responses(
        (status = 201, body = UploadLink, description = "Where to send the file."),
        openapi::WriteErrors, openapi::SignatureErrors, openapi::QuotaErrors, openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn create(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    headers: HeaderMap,
    SignedJson(new): SignedJson<NewUpload>,
) -> Result<Response, ApiError> {
    let origin = app.origin(&headers);
    let link = app.call(move |engine| workspace.open(engine)?.create_upload(&new, &origin)).await?;
    Ok((StatusCode::CREATED, link).into_response())
}

/// Takes the file of a link: all of it, or nothing. The link is the right to send it, and counts once; the same request again is answered as
/// before.
#[utoipa::path(
    put, path = "/v1/uploads/{link}", tag = "files", operation_id = "upload",
    params(("link" = String, Path, description = "What `create_upload` gave.")),
    request_body(content = String, content_type = "application/octet-stream", description = "The file's content."),
    responses(
        (status = 200, body = WriteReply, description = "The file existed; it is written, and its change is in the log."),
        (status = 201, body = WriteReply, description = "The file is new; it is written, and its change is in the log."),
        openapi::LinkErrors, openapi::WriteErrors, openapi::QuotaErrors, openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn put(
    State(app): Shared,
    Unproven(from): Unproven,
    Path(link): Path<String>,
    body: Body,
) -> Result<Response, ApiError> {
    let mut incoming = app.incoming(body)?;
    let begin = move |engine: &Engine| engine.begin_linked_upload(&link, from.address, from.request_id);
    // No thread waits for what is still to come.
    let Json(mut upload) = app.call(begin).await?;
    while let Some(part) = incoming.next().await? {
        let write = move |_: &Engine| upload.write(&part).map(|()| upload);
        Json(upload) = app.call_at_once(write).await?;
    }
    let reply = app.call_at_once(move |engine| engine.finish_linked_upload(upload)).await?;
    let status = if reply.kind == ChangeKind::Created { StatusCode::CREATED } else { StatusCode::OK };
    let tag = reply.content_hash.map(|hash| [(ETAG, format!("\"{hash}\""))]);
    Ok((status, tag, reply).into_response())
}

/// The server's address as a client wrote it. A proxy in front says whether the client came by HTTPS.
pub(super) fn origin_of(headers: &HeaderMap, has_tls: bool) -> String {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_encrypted = has_tls || text("x-forwarded-proto").is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
    let scheme = if is_encrypted { "https" } else { "http" };
    format!("{scheme}://{}", text(HOST.as_str()).unwrap_or("localhost"))
}
