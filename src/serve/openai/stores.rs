//! Vector stores: the workspaces, as `OpenAI` lists them.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::call;
use super::error::{Errors, Refused};
use super::paging::{Order, Part, Wanted};
use crate::engine::{Action, Usage, Workspace};
use crate::serve::app::Shared;
use crate::serve::door::By;
use crate::serve::extract::{InWorkspace, Parameters, given};
use crate::serve::openapi;
use crate::workspace::WorkspaceId;

/// Which vector stores to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::serve) struct StoresQuery {
    /// How many to return at most.
    #[param(minimum = 1, maximum = 100, default = 20)]
    #[serde(deserialize_with = "given")]
    limit: Option<usize>,
    /// By name, as the time at which a workspace was made is not kept: `asc`, which is the default, or `desc` for backwards.
    #[param(inline)]
    #[serde(deserialize_with = "given")]
    order: Option<Order>,
    /// The id of the store that the list goes on behind.
    #[serde(deserialize_with = "given")]
    after: Option<String>,
    /// The id of the store that the list ends before.
    #[serde(deserialize_with = "given")]
    before: Option<String>,
}

/// The files of a vector store by state.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StoreFileCounts {
    /// Files with a change that is not searchable yet.
    in_progress: u64,
    /// Files that are searchable, or hold nothing to search.
    completed: u64,
    /// Files that could not be read, or whose type has no reader.
    failed: u64,
    /// Always 0.
    cancelled: u64,
    /// All of them.
    total: u64,
}

/// Whether a vector store can be searched whole.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StoreStatus {
    /// Changes of some files are not searchable yet.
    InProgress,
    /// Every file is searchable, as far as it can be read.
    Completed,
}

/// A vector store: a workspace.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct VectorStore {
    /// The name of the workspace.
    id: WorkspaceId,
    /// Always `vector_store`.
    #[schema(example = "vector_store")]
    object: &'static str,
    /// The oldest modification of its files, in seconds since 1970; 0 without files. The time at which it was made is not kept.
    created_at: i64,
    /// The newest modification of its files.
    last_active_at: i64,
    /// The name of the workspace.
    name: WorkspaceId,
    /// The bytes of its files.
    usage_bytes: u64,
    /// Its files by state.
    file_counts: StoreFileCounts,
    /// Whether it can be searched whole.
    status: StoreStatus,
    /// Always empty.
    metadata: std::collections::BTreeMap<String, String>,
}

impl VectorStore {
    fn of(id: &WorkspaceId, usage: &Usage) -> Self {
        let Usage { num_files, num_pending, num_failed, num_bytes, oldest_s, newest_s } = *usage;
        Self {
            id: id.clone(),
            object: "vector_store",
            created_at: oldest_s,
            last_active_at: newest_s,
            name: id.clone(),
            usage_bytes: num_bytes,
            file_counts: StoreFileCounts {
                in_progress: num_pending,
                completed: num_files - num_pending - num_failed,
                failed: num_failed,
                cancelled: 0,
                total: num_files,
            },
            status: if num_pending > 0 { StoreStatus::InProgress } else { StoreStatus::Completed },
            metadata: std::collections::BTreeMap::new(),
        }
    }
}

/// A page of vector stores.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct VectorStoreList {
    /// Always `list`.
    #[schema(example = "list")]
    object: &'static str,
    /// The stores.
    data: Vec<VectorStore>,
    /// The first id of the page.
    first_id: Option<WorkspaceId>,
    /// The last id of the page: `after` of the next one.
    last_id: Option<WorkspaceId>,
    /// Whether there are more.
    has_more: bool,
}

/// Lists the vector stores: the workspaces that the key reaches.
#[utoipa::path(
    get, path = "/v1/vector_stores", tag = "openai", operation_id = "vector_stores",
    params(StoresQuery),
    responses((status = 200, body = VectorStoreList, description = "A page of vector stores, by name."), Errors),
)]
pub(in crate::serve) async fn list(
    State(app): Shared,
    By(by): By,
    Parameters(query): Parameters<StoresQuery>,
) -> Result<Json<VectorStoreList>, Refused> {
    let list = call(&app, move |engine| {
        let caller = by.caller(engine)?;
        let _admitted = engine.admit(&caller, Action::List)?;
        let names = engine.list_workspaces(&caller)?.workspaces.into_iter().map(|row| row.name).collect();
        let wanted = Wanted {
            limit: query.limit.unwrap_or(20),
            most: 100,
            order: query.order.unwrap_or(Order::Asc),
            after: query.after.as_deref(),
            before: query.before.as_deref(),
        };
        let is_at = |name: &WorkspaceId, cursor: &str| name.as_str() == cursor;
        let Part { items, has_more } = match wanted.part(names, is_at) {
            Ok(part) => part,
            Err(refused) => return Ok(Err(refused)),
        };
        let usage = |name: &WorkspaceId| Ok(VectorStore::of(name, &engine.workspace(name, &caller)?.usage()?));
        let data = items.iter().map(usage).collect::<Result<Vec<_>, crate::engine::EngineError>>()?;
        let (first_id, last_id) = (items.first().cloned(), items.last().cloned());
        Ok(Ok(VectorStoreList { object: "list", data, first_id, last_id, has_more }))
    });
    list.await.map(Json)
}

/// Returns a vector store with the number of its files by state.
#[utoipa::path(
    get, path = "/v1/vector_stores/{ws}", tag = "openai", operation_id = "vector_store",
    params(openapi::WorkspaceParam),
    responses((status = 200, body = VectorStore, description = "The vector store."), Errors),
)]
pub(in crate::serve) async fn show(
    State(app): Shared,
    InWorkspace(store): InWorkspace,
) -> Result<Json<VectorStore>, Refused> {
    let usage = |store: &Workspace<'_>| store.usage();
    Ok(app.call(move |engine| Ok(VectorStore::of(&store.id, &usage(&store.open(engine)?)?))).await?)
}
