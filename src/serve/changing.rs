//! The routes that change files by what a request says of them, as the tools of MCP do, and the one that looks for lines.

use axum::Json;
use axum::extract::State;

use super::app::{App, Reply, Shared};
use super::door::Place;
use super::error::ApiError;
use super::extract::{InWorkspace, JsonBody, SignedJson};
use super::openapi;
use crate::engine::{
    EditRequest, Engine, EngineError, FileReply, GrepReply, GrepRequest, MoveRequest, Workspace, WriteRequest,
};
use crate::gate::Class;

/// Writes a file whole, with what a request can say of it: a condition, a merge with what others wrote, a lock, an idempotency key.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/write", tag = "files", operation_id = "write_file",
    params(openapi::WorkspaceParam),
    request_body(content = WriteRequest, example = json!({ "path": "notes/today.md", "content": "# Today\n", "if_match": "absent" })),
    responses(
        (status = 200, body = FileReply, description = "The file is written, and its change is in the log."),
        openapi::WriteErrors, openapi::SignatureErrors, openapi::QuotaErrors, openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn write(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    SignedJson(request): SignedJson<WriteRequest>,
) -> Reply<FileReply> {
    let wait_ms = request.wait_searchable_ms;
    done(&app, workspace, wait_ms, move |workspace| request.run(workspace)).await
}

/// Changes the text of a file by the words that stand there: all changes or none, in its encoding and with its line ends.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/edit", tag = "files", operation_id = "edit_file",
    params(openapi::WorkspaceParam),
    request_body(content = EditRequest, example = json!({
        "path": "notes/today.md", "edits": [{ "old_text": "to do", "new_text": "done" }],
    })),
    responses(
        (status = 200, body = FileReply, description = "The file is changed, and its change is in the log; a trial shows the difference."),
        openapi::WriteErrors, openapi::SignatureErrors, openapi::QuotaErrors, openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn edit(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    SignedJson(request): SignedJson<EditRequest>,
) -> Reply<FileReply> {
    let wait_ms = request.wait_searchable_ms;
    done(&app, workspace, wait_ms, move |workspace| request.run(workspace)).await
}

/// Gives a file another path, in one change, or a folder with the files in it.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/move", tag = "files", operation_id = "move_file",
    params(openapi::WorkspaceParam),
    request_body(content = MoveRequest, example = json!({ "from": "notes/today.md", "to": "notes/2026-11-30.md" })),
    responses(
        (status = 200, body = FileReply, description = "The file has the other path, and the change is in the log."),
        openapi::WriteErrors, openapi::SignatureErrors, openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn move_file(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    SignedJson(request): SignedJson<MoveRequest>,
) -> Reply<FileReply> {
    let wait_ms = request.wait_searchable_ms;
    done(&app, workspace, wait_ms, move |workspace| request.move_in(workspace)).await
}

/// Writes the content of a file under another path.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/copy", tag = "files", operation_id = "copy_file",
    params(openapi::WorkspaceParam),
    request_body(content = MoveRequest, example = json!({ "from": "notes/today.md", "to": "notes/copy.md" })),
    responses(
        (status = 200, body = FileReply, description = "The copy is written, and its change is in the log."),
        openapi::WriteErrors, openapi::SignatureErrors, openapi::QuotaErrors, openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn copy_file(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    SignedJson(request): SignedJson<MoveRequest>,
) -> Reply<FileReply> {
    let wait_ms = request.wait_searchable_ms;
    done(&app, workspace, wait_ms, move |workspace| request.copy_in(workspace)).await
}

/// Finds the lines that hold a word or match a regular expression, in the text of files as they are now, each with a citation.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/grep", tag = "files", operation_id = "grep",
    params(openapi::WorkspaceParam),
    request_body(content = GrepRequest, example = json!({ "pattern": "TODO", "glob": "*.md", "context_lines": 1 })),
    responses(
        (status = 200, body = GrepReply, description = "The lines, by path and place."),
        openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn grep(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    JsonBody(request): JsonBody<GrepRequest>,
) -> Reply<GrepReply> {
    app.call_within(Class::Batch, move |engine, budget| workspace.open(engine)?.grep(&request, budget)).await
}

/// Does what changes a file, and waits where that is asked until searches find it.
async fn done(
    app: &App,
    place: Place,
    wait_ms: u64,
    work: impl FnOnce(Workspace<'_>) -> Result<FileReply, EngineError> + Send + 'static,
) -> Reply<FileReply> {
    let at = place.clone();
    let Json(mut reply) = app.call(move |engine: &Engine| work(at.open(engine)?)).await?;
    if let Some(revision) = reply.revision.filter(|_| wait_ms > 0) {
        // The change is made, whatever becomes of the wait.
        let waited: Result<Class, ApiError> = app.wait(&place, Some(revision), wait_ms).await;
        if let Err(error) = waited {
            tracing::debug!(status = %error.status(), "a change is not waited for");
        }
        let Json(is_searchable) = app.call_at_once(move |engine| place.open(engine)?.is_searchable(revision)).await?;
        reply.searchable = Some(is_searchable);
    }
    Ok(Json(reply))
}
