//! `OpenAI`'s vector stores and files, so that its clients search and fill workspaces unchanged: `/v1/vector_stores` and `/v1/files`.
//!
//! A vector store is a workspace. A file is a file of a workspace, and its id is made of both, so no table holds ids.
//!
//! # Invariants
//! - Every route goes through the verbs of the engine: rights, globs, quotas, locks on files and the journal hold here as everywhere.
//! - A right is checked before anything is told of a request's content.
//! - Every error below these routes has `OpenAI`'s form, whoever refused the request (`error.rs`).
//! - Nothing of a request is ignored: what cannot be done is refused, or told in the reply's `notes`.
//!
//! # Not here
//! Models, completions and answers: `answer` asks a language model in `OpenAI`'s protocol, and this room does not speak it.

mod error;
mod file_id;
pub(super) mod files;
mod filter_schema;
mod filters;
mod multipart;
mod paging;
pub(super) mod search;
pub(super) mod store_files;
pub(super) mod stores;
pub(super) mod upload;

use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Json, Router};

pub(super) use self::error::{OpenAiErrorBody, in_their_form};
pub(super) use self::search::MAX_QUERIES;
use super::app::App;
use crate::engine::{Engine, EngineError};
use error::Refused;

/// The routes, without the guards.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/vector_stores", get(stores::list))
        .route("/v1/vector_stores/{ws}", get(stores::show))
        .route("/v1/vector_stores/{ws}/search", post(search::search))
        .route("/v1/vector_stores/{ws}/files", get(store_files::list).post(store_files::attach))
        .route("/v1/vector_stores/{ws}/files/{id}", get(store_files::show).delete(store_files::remove))
        .route("/v1/vector_stores/{ws}/files/{id}/content", get(store_files::content))
        .route("/v1/files", get(files::list).post(upload::create))
        .route("/v1/files/{id}", get(files::show).delete(files::delete))
        .route("/v1/files/{id}/content", get(files::content))
}

/// Calls the engine when it is this request's turn; the work may refuse what the engine knows nothing of.
async fn call<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&Engine) -> Result<Result<T, Refused>, EngineError> + Send + 'static,
) -> Result<T, Refused> {
    let Json(done) = app.call(work).await?;
    done
}
