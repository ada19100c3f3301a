//! Files as `OpenAI` has them: those that were uploaded, listed; and any file of a workspace by its id.

use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::call;
use super::error::{Errors, Refused};
use super::file_id::{FileId, FileIdParam, WithFile};
use super::paging::{Order, Part, Wanted};
use super::store_files::in_part;
use super::upload::{FOLDER, ProjectHeader, project_of};
use crate::engine::{Action, Engine, EngineError, Precondition, Workspace};
use crate::serve::app::Shared;
use crate::serve::door::{By, Checked, Place};
use crate::serve::extract::{Parameters, Signed, given};
use crate::serve::page;
use crate::workspace::{FileEntry, FileState, Provenance, RelPath, WorkspaceId};

/// What a file was uploaded for. It is kept as a tag of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::serve) enum Purpose {
    /// To be searched.
    Assistants,
    /// Anything.
    UserData,
}

impl Purpose {
    pub(super) const ALL: [Self; 2] = [Self::Assistants, Self::UserData];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Assistants => "assistants",
            Self::UserData => "user_data",
        }
    }

    /// The tag that keeps it.
    pub(super) fn tag(self) -> String {
        format!("purpose:{}", self.name())
    }

    /// The purpose of a file; one that was not uploaded here is there to be searched.
    fn of(provenance: &Provenance) -> Self {
        if provenance.tags.contains(&Self::UserData.tag()) { Self::UserData } else { Self::Assistants }
    }
}

/// The state of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum FileStatus {
    /// It is not searchable yet.
    Uploaded,
    /// It is searchable, or holds nothing to search.
    Processed,
    /// It could not be read, or its type has no reader.
    Error,
}

/// A file.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct FileObject {
    /// The id of the file: it names the workspace and the path.
    pub(super) id: String,
    /// Always `file`.
    #[schema(example = "file")]
    pub(super) object: &'static str,
    /// Its size.
    pub(super) bytes: u64,
    /// When it was last modified, in seconds since 1970.
    pub(super) created_at: i64,
    /// Its name, without folders.
    pub(super) filename: String,
    /// What it was uploaded for.
    pub(super) purpose: Purpose,
    /// Whether it is searchable.
    pub(super) status: FileStatus,
    /// Why it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status_details: Option<String>,
}

impl FileObject {
    fn of(workspace: &WorkspaceId, entry: FileEntry) -> Self {
        let status = match entry.state {
            FileState::Pending => FileStatus::Uploaded,
            FileState::Failed | FileState::Unsupported => FileStatus::Error,
            FileState::Ready | FileState::Partial | FileState::Empty | FileState::Listed => FileStatus::Processed,
        };
        Self {
            id: FileId::of(workspace, &entry.path),
            object: "file",
            bytes: entry.size,
            created_at: entry.modified.as_second(),
            filename: entry.path.file_name().to_owned(),
            purpose: Purpose::of(&entry.provenance),
            status,
            status_details: entry.reason,
        }
    }
}

/// Which uploaded files to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::serve) struct UploadsQuery {
    /// How many to return at most.
    #[param(minimum = 1, maximum = 10_000, default = 10_000)]
    #[serde(deserialize_with = "given")]
    limit: Option<usize>,
    /// By the time of the upload: `desc`, which is the default, has the newest first.
    #[param(inline)]
    #[serde(deserialize_with = "given")]
    order: Option<Order>,
    /// The id of the file that the list goes on behind.
    #[serde(deserialize_with = "given")]
    after: Option<String>,
    /// Only files that were uploaded for this.
    #[param(inline)]
    #[serde(deserialize_with = "given")]
    purpose: Option<Purpose>,
}

/// A page of files.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct UploadList {
    /// Always `list`.
    #[schema(example = "list")]
    object: &'static str,
    /// The files.
    data: Vec<FileObject>,
    /// The first id of the page.
    first_id: Option<String>,
    /// The last id of the page: `after` of the next one.
    last_id: Option<String>,
    /// Whether there are more.
    has_more: bool,
}

/// Lists the files that were uploaded here: those below `uploads/` of the workspace.
#[utoipa::path(
    get, path = "/v1/files", tag = "openai", operation_id = "uploaded_files",
    params(UploadsQuery, ProjectHeader),
    responses((status = 200, body = UploadList, description = "A page of files."), Errors),
)]
pub(in crate::serve) async fn list(
    State(app): Shared,
    By(by): By,
    Parameters(query): Parameters<UploadsQuery>,
    headers: HeaderMap,
) -> Result<Json<UploadList>, Refused> {
    let place = Place { id: project_of(&app, &headers)?, by };
    let list = call(&app, move |engine| {
        let mut entries = place.open(engine)?.files(Some(&format!("{FOLDER}/**")))?;
        entries.retain(|entry| query.purpose.is_none_or(|purpose| purpose == Purpose::of(&entry.provenance)));
        let part = in_part(
            &place.id,
            entries,
            &Wanted {
                limit: query.limit.unwrap_or(10_000),
                most: 10_000,
                order: query.order.unwrap_or(Order::Desc),
                after: query.after.as_deref(),
                before: None,
            },
        );
        Ok(part.map(|Part { items, has_more }| {
            let data: Vec<_> = items.into_iter().map(|entry| FileObject::of(&place.id, entry)).collect();
            let (first_id, last_id) =
                (data.first().map(|file| file.id.clone()), data.last().map(|file| file.id.clone()));
            UploadList { object: "list", data, first_id, last_id, has_more }
        }))
    });
    list.await.map(Json)
}

/// Does `work` with the file of an id, for a caller that may do this.
fn with_file<T>(
    engine: &Engine,
    by: &Checked,
    id: &str,
    action: Action,
    work: impl FnOnce(&Workspace<'_>, &RelPath) -> Result<T, EngineError>,
) -> Result<Result<T, Refused>, EngineError> {
    let caller = by.caller(engine)?;
    let _admitted = engine.admit(&caller, action)?;
    match id.parse() {
        Ok(FileId { workspace, path }) => work(&engine.workspace(&workspace, &caller)?, &path).map(Ok),
        Err(_) => Ok(Err(Refused::no_such_file(id, "file_id"))),
    }
}

/// Returns a file by its id, whether it was uploaded here or not.
#[utoipa::path(
    get, path = "/v1/files/{id}", tag = "openai", operation_id = "uploaded_file",
    params(FileIdParam),
    responses((status = 200, body = FileObject, description = "The file."), Errors),
)]
pub(in crate::serve) async fn show(
    State(app): Shared,
    By(by): By,
    WithFile(id): WithFile,
) -> Result<Json<FileObject>, Refused> {
    let show = |workspace: &Workspace<'_>, path: &RelPath| Ok(FileObject::of(workspace.id(), workspace.entry(path)?));
    call(&app, move |engine| with_file(engine, &by, &id, Action::List, show)).await.map(Json)
}

/// Sends the bytes of a file as they are now.
#[utoipa::path(
    get, path = "/v1/files/{id}/content", tag = "openai", operation_id = "uploaded_file_content",
    params(FileIdParam),
    responses(
        (status = 200, body = String, content_type = "application/octet-stream", description = "The bytes of the file."),
        Errors,
    ),
)]
pub(in crate::serve) async fn content(
    State(app): Shared,
    By(by): By,
    WithFile(id): WithFile,
) -> Result<Response, Refused> {
    let open = |workspace: &Workspace<'_>, path: &RelPath| workspace.bytes(path);
    let file = call(&app, move |engine| with_file(engine, &by, &id, Action::Read, open)).await?;
    let mut response = page::sent(file);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    Ok(response)
}

/// A file that was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct FileDeleted {
    /// The id of the file.
    id: String,
    /// Always `file`.
    #[schema(example = "file")]
    object: &'static str,
    /// Always `true`.
    deleted: bool,
}

/// Deletes a file. After the reply no query shows anything of it. Copies in other workspaces stay.
#[utoipa::path(
    delete, path = "/v1/files/{id}", tag = "openai", operation_id = "delete_uploaded_file",
    params(FileIdParam),
    responses((status = 200, body = FileDeleted, description = "The file is deleted."), Errors),
)]
pub(in crate::serve) async fn delete(
    State(app): Shared,
    By(by): By,
    WithFile(id): WithFile,
    _: Signed,
) -> Result<Json<FileDeleted>, Refused> {
    let delete = |workspace: &Workspace<'_>, path: &RelPath| {
        workspace.delete_file(path, &Precondition::None, Provenance::default()).map(drop)
    };
    call(&app, move |engine| {
        let deleted = with_file(engine, &by, &id, Action::Delete, delete)?;
        Ok(deleted.map(|()| FileDeleted { id, object: "file", deleted: true }))
    })
    .await
    .map(Json)
}
