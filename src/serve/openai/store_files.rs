//! The files of a vector store: listed, shown, read, attached and removed.

use std::io::Read as _;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::call;
use super::error::{BodyErrors, Errors, Refused};
use super::file_id::{FileId, FileIdParam, WithFile};
use super::paging::{Order, Part, Wanted};
use super::search::TextContent;
use crate::engine::{Action, Engine, EngineError, FileBytes, Precondition, Workspace};
use crate::serve::app::Shared;
use crate::serve::door::Place;
use crate::serve::extract::{InWorkspace, Parameters, Signed, SignedJson, given};
use crate::serve::openapi;
use crate::workspace::{FileEntry, FileState, Provenance, RelPath, WorkspaceId};

/// The state of a file in a vector store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoreFileStatus {
    /// A change of it is not searchable yet.
    InProgress,
    /// It is searchable, or holds nothing to search.
    Completed,
    /// It could not be read, or its type has no reader.
    Failed,
    /// No file is.
    Cancelled,
}

impl StoreFileStatus {
    const fn of(state: FileState) -> Self {
        match state {
            FileState::Pending => Self::InProgress,
            FileState::Failed | FileState::Unsupported => Self::Failed,
            FileState::Ready | FileState::Partial | FileState::Empty | FileState::Listed => Self::Completed,
        }
    }
}

/// Which files of a vector store to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::serve) struct StoreFilesQuery {
    /// How many to return at most.
    #[param(minimum = 1, maximum = 100, default = 20)]
    #[serde(deserialize_with = "given")]
    limit: Option<usize>,
    /// By the time of the last modification: `desc`, which is the default, has the newest first.
    #[param(inline)]
    #[serde(deserialize_with = "given")]
    order: Option<Order>,
    /// The id of the file that the list goes on behind.
    #[serde(deserialize_with = "given")]
    after: Option<String>,
    /// The id of the file that the list ends before.
    #[serde(deserialize_with = "given")]
    before: Option<String>,
    /// Only files in this state.
    #[param(inline)]
    #[serde(deserialize_with = "given")]
    filter: Option<StoreFileStatus>,
}

/// Why a file is not searchable.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct LastError {
    /// `unsupported_file` or `invalid_file`.
    #[schema(example = "unsupported_file")]
    code: &'static str,
    /// The reason, for a person.
    message: String,
}

/// A file of a vector store.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct VectorStoreFile {
    /// The id of the file.
    id: String,
    /// Always `vector_store.file`.
    #[schema(example = "vector_store.file")]
    object: &'static str,
    /// When the file was last modified, in seconds since 1970.
    created_at: i64,
    /// The name of the workspace.
    vector_store_id: WorkspaceId,
    /// The state of the file.
    status: StoreFileStatus,
    /// The bytes of the file.
    usage_bytes: u64,
    /// Why it is not searchable.
    last_error: Option<LastError>,
    /// `path`, and where they are known `type`, `language`, `content_hash`, `agent`, `run`, `sandbox` and `tag`.
    attributes: std::collections::BTreeMap<&'static str, String>,
}

impl VectorStoreFile {
    fn of(store: &WorkspaceId, entry: FileEntry) -> Self {
        let status = StoreFileStatus::of(entry.state);
        let code = if entry.state == FileState::Unsupported { "unsupported_file" } else { "invalid_file" };
        let message = entry.reason.unwrap_or_else(|| "the file could not be read".to_owned());
        let last_error = (status == StoreFileStatus::Failed).then_some(LastError { code, message });
        let Provenance { agent, run, sandbox, tags, .. } = entry.provenance;
        let tags: Vec<String> = tags.into_iter().collect();
        let attributes = [
            ("path", Some(entry.path.to_string())),
            ("type", entry.format),
            ("language", entry.language.map(|language| language.to_string())),
            ("content_hash", entry.content_hash.map(|hash| hash.to_string())),
            ("agent", agent),
            ("run", run),
            ("sandbox", sandbox),
            ("tag", (!tags.is_empty()).then(|| tags.join(", "))),
        ];
        Self {
            id: FileId::of(store, &entry.path),
            object: "vector_store.file",
            created_at: entry.modified.as_second(),
            vector_store_id: store.clone(),
            status,
            usage_bytes: entry.size,
            last_error,
            attributes: attributes.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        }
    }
}

/// A page of files.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct VectorStoreFileList {
    /// Always `list`.
    #[schema(example = "list")]
    object: &'static str,
    /// The files.
    data: Vec<VectorStoreFile>,
    /// The first id of the page.
    first_id: Option<String>,
    /// The last id of the page: `after` of the next one.
    last_id: Option<String>,
    /// Whether there are more.
    has_more: bool,
}

/// Lists the files of a vector store.
#[utoipa::path(
    get, path = "/v1/vector_stores/{ws}/files", tag = "openai", operation_id = "vector_store_files",
    params(openapi::WorkspaceParam, StoreFilesQuery),
    responses((status = 200, body = VectorStoreFileList, description = "A page of files."), Errors),
)]
pub(in crate::serve) async fn list(
    State(app): Shared,
    InWorkspace(store): InWorkspace,
    Parameters(query): Parameters<StoreFilesQuery>,
) -> Result<Json<VectorStoreFileList>, Refused> {
    let list = call(&app, move |engine| {
        let mut entries = store.open(engine)?.files(None)?;
        entries.retain(|entry| query.filter.is_none_or(|wanted| wanted == StoreFileStatus::of(entry.state)));
        let part = in_part(
            &store.id,
            entries,
            &Wanted {
                limit: query.limit.unwrap_or(20),
                most: 100,
                order: query.order.unwrap_or(Order::Desc),
                after: query.after.as_deref(),
                before: query.before.as_deref(),
            },
        );
        Ok(part.map(|Part { items, has_more }| {
            let data: Vec<_> = items.into_iter().map(|entry| VectorStoreFile::of(&store.id, entry)).collect();
            let (first_id, last_id) =
                (data.first().map(|file| file.id.clone()), data.last().map(|file| file.id.clone()));
            VectorStoreFileList { object: "list", data, first_id, last_id, has_more }
        }))
    });
    list.await.map(Json)
}

/// Files in the order of their times, and those of one time in the order of their paths.
pub(super) fn in_part(
    workspace: &WorkspaceId,
    mut entries: Vec<FileEntry>,
    wanted: &Wanted<'_>,
) -> Result<Part<FileEntry>, Refused> {
    entries.sort_by(|one, other| (one.modified, &one.path).cmp(&(other.modified, &other.path)));
    let at = |cursor: &str| cursor.parse::<FileId>().ok().filter(|id| id.workspace == *workspace).map(|id| id.path);
    let cursors: Vec<(&str, RelPath)> =
        [wanted.after, wanted.before].into_iter().flatten().filter_map(|cursor| Some((cursor, at(cursor)?))).collect();
    wanted.part(entries, |entry, cursor| cursors.iter().any(|(text, path)| *text == cursor && *path == entry.path))
}

/// Returns a file of a vector store with its state.
#[utoipa::path(
    get, path = "/v1/vector_stores/{ws}/files/{id}", tag = "openai", operation_id = "vector_store_file",
    params(openapi::WorkspaceParam, FileIdParam),
    responses((status = 200, body = VectorStoreFile, description = "The file."), Errors),
)]
pub(in crate::serve) async fn show(
    State(app): Shared,
    InWorkspace(store): InWorkspace,
    WithFile(id): WithFile,
) -> Result<Json<VectorStoreFile>, Refused> {
    let found = call(&app, move |engine| {
        with_path(engine, &store, &id, Action::List, |store, path| {
            Ok(VectorStoreFile::of(store.id(), store.entry(path)?))
        })
    });
    found.await.map(Json)
}

/// Does `work` with the file of an id in a store, for a caller that may do this. A file that was attached keeps the id that it was uploaded under,
/// so the workspace of the id does not count here.
fn with_path<T>(
    engine: &Engine,
    store: &Place,
    id: &str,
    action: Action,
    work: impl FnOnce(&Workspace<'_>, &RelPath) -> Result<T, EngineError>,
) -> Result<Result<T, Refused>, EngineError> {
    let _admitted = engine.admit(store.open(engine)?.caller(), action)?;
    match id.parse() {
        Ok(FileId { path, .. }) => work(&store.open(engine)?, &path).map(Ok),
        Err(_) => Ok(Err(Refused::no_such_file(id, "file_id"))),
    }
}

/// The text of a file.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct VectorStoreFileContent {
    /// Always `vector_store.file_content.page`.
    #[schema(example = "vector_store.file_content.page")]
    object: &'static str,
    /// The whole text, in one piece.
    data: Vec<TextContent>,
    /// Always `false`.
    has_more: bool,
    /// Always `null`.
    next_page: Option<String>,
}

/// Reads the text of a file as it is now: the text that `start` and `end` of a search's attributes point into.
#[utoipa::path(
    get, path = "/v1/vector_stores/{ws}/files/{id}/content", tag = "openai", operation_id = "vector_store_file_content",
    params(openapi::WorkspaceParam, FileIdParam),
    responses((status = 200, body = VectorStoreFileContent, description = "The text."), Errors),
)]
pub(in crate::serve) async fn content(
    State(app): Shared,
    InWorkspace(store): InWorkspace,
    WithFile(id): WithFile,
) -> Result<Json<VectorStoreFileContent>, Refused> {
    let read = call(&app, move |engine| {
        with_path(engine, &store, &id, Action::Read, |store, path| {
            let data = vec![TextContent::new(store.read_file(path)?.text)];
            let object = "vector_store.file_content.page";
            Ok(VectorStoreFileContent { object, data, has_more: false, next_page: None })
        })
    });
    read.await.map(Json)
}

/// A file to attach.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::serve) struct AttachRequest {
    /// The id of the file.
    #[schema(max_length = 6_000)]
    file_id: String,
    /// How to cut the file: only `auto`, which is how every file is cut.
    #[serde(default)]
    #[expect(dead_code, reason = "read by the derive alone: it has one value")]
    chunking_strategy: Option<ChunkingStrategy>,
    /// None: a file has the attributes that are known of it, and no others.
    #[serde(default)]
    #[schema(value_type = Option<NoAttributes>)]
    attributes: Option<serde_json::Map<String, serde_json::Value>>,
}

/// An object without members.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NoAttributes {}

/// How a file is cut.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChunkingStrategy {
    /// Always `auto`.
    #[serde(rename = "type")]
    #[expect(dead_code, reason = "read by the derive alone: it has one value")]
    kind: AutoChunking,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum AutoChunking {
    Auto,
}

/// Attaches a file to a vector store. A file of the workspace is there already; one of another workspace is copied to the same path.
#[utoipa::path(
    post, path = "/v1/vector_stores/{ws}/files", tag = "openai", operation_id = "attach_file",
    params(openapi::WorkspaceParam),
    request_body(content = AttachRequest, example = json!({ "file_id": "file-ZGVmYXVsdC9SRUFETUUubWQ" })),
    responses(
        (status = 200, body = VectorStoreFile, description = "The file is in the vector store; `status` says whether it is searchable yet."),
        BodyErrors, Errors,
    ),
)]
pub(in crate::serve) async fn attach(
    State(app): Shared,
    InWorkspace(store): InWorkspace,
    SignedJson(AttachRequest { file_id, attributes, .. }): SignedJson<AttachRequest>,
) -> Result<Json<VectorStoreFile>, Refused> {
    let attached = call(&app, move |engine| {
        let to = store.open(engine)?;
        let _admitted = engine.admit(to.caller(), Action::List)?;
        let Ok(FileId { workspace, path }) = file_id.parse() else {
            return Ok(Err(Refused::no_such_file(&file_id, "file_id")));
        };
        if attributes.is_some_and(|attributes| !attributes.is_empty()) {
            return Ok(Err(unsupported_attributes()));
        }
        if workspace != store.id {
            copy(&engine.workspace(&workspace, to.caller())?, &to, &path)?;
        }
        Ok(Ok(VectorStoreFile::of(&store.id, to.entry(&path)?)))
    });
    attached.await.map(Json)
}

fn unsupported_attributes() -> Refused {
    let hint =
        "filter by what is known of files; an upload says who writes it, and its tags, in the headers `Pincite-…`";
    Refused::invalid("attributes", "unsupported", "files have no attributes of their own here", hint)
}

/// Copies a file from one workspace to another, unless its content is there.
fn copy(from: &Workspace<'_>, to: &Workspace<'_>, path: &RelPath) -> Result<(), EngineError> {
    let source = from.entry(path)?;
    let there = to.entry(path).ok();
    let precondition = match (there, source.content_hash) {
        (Some(there), Some(hash)) if there.content_hash == Some(hash) => return Ok(()),
        // What has just been written there may not have been read yet.
        (Some(_), Some(hash)) => Precondition::Matches(vec![hash]),
        _ => Precondition::Absent,
    };
    // Whoever attaches it writes it here. Its tags go along.
    let provenance = Provenance { tags: source.provenance.tags, ..Provenance::default() };
    let mut upload = to.begin_upload(path)?.by(provenance)?;
    let FileBytes { size, bytes, .. } = from.bytes(path)?;
    upload.check_size(size)?;
    upload.write_from(bytes.take(size), EngineError::Io)?;
    to.finish_upload(upload, &precondition).map(drop)
}

/// A file that was removed.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct VectorStoreFileDeleted {
    /// The id of the file.
    id: String,
    /// Always `vector_store.file.deleted`.
    #[schema(example = "vector_store.file.deleted")]
    object: &'static str,
    /// Always `true`.
    deleted: bool,
}

/// Removes a file from a vector store, which deletes it from the workspace. A file that was uploaded to another workspace stays there.
#[utoipa::path(
    delete, path = "/v1/vector_stores/{ws}/files/{id}", tag = "openai", operation_id = "remove_file",
    params(openapi::WorkspaceParam, FileIdParam),
    responses((status = 200, body = VectorStoreFileDeleted, description = "The file is deleted from the workspace."), Errors),
)]
pub(in crate::serve) async fn remove(
    State(app): Shared,
    InWorkspace(store): InWorkspace,
    WithFile(id): WithFile,
    _: Signed,
) -> Result<Json<VectorStoreFileDeleted>, Refused> {
    let removed = call(&app, move |engine| {
        let deleted = with_path(engine, &store, &id, Action::Delete, |store, path| {
            store.delete_file(path, &Precondition::None, Provenance::default())
        })?;
        Ok(deleted.map(|_| VectorStoreFileDeleted { id, object: "vector_store.file.deleted", deleted: true }))
    });
    removed.await.map(Json)
}
