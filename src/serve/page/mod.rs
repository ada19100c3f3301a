//! The reviewers' page: what was found, where it stands, and what is missing.
//!
//! # Invariants
//! - Every view is made on the server from its URL alone, and works without JavaScript; the script exchanges parts of it.
//! - Nothing comes from elsewhere, nothing is inline, and no document's own HTML is shown as HTML: the Content-Security-Policy of every
//!   reply forbids all three, and every value is escaped where it is put in.
//! - A mark is made from the span of a citation in the text that it points into, and from nothing else.
//! - What changes something is a POST from this page, and where a browser is signed in, of this very session.
//! - A view shows what its caller may see and do, and nothing else ([`viewer`]).

mod activity;
mod answer;
mod assets;
mod audit;
mod check;
mod cited;
mod claim;
mod complete;
mod compressed;
mod download;
mod editing;
mod files;
mod form;
mod hand_over;
mod key;
mod keys;
mod limits;
mod link;
mod picture;
mod query;
mod refused;
mod results;
mod search;
mod shell;
mod sign_in;
mod source;
mod status;
mod text;
mod verdicts;
mod viewer;
mod webhook;
mod webhooks;
mod when;
mod workspaces;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};

pub(super) use self::claim::CLAIM;
pub(super) use self::download::sent;
use self::sign_in::SIGN_IN;
pub(super) use self::sign_in::turned_away;
use super::app::App;

/// Where the page is, beside `/`: these paths and all below them.
pub(super) const PLACES: [&str; 7] = ["/w", "/keys", "/audit", "/limits", CLAIM, SIGN_IN, "/sign-out"];
/// Those that need no session: they take a key, or a token that is a right by itself.
pub(super) const OPEN: [&str; 2] = [CLAIM, SIGN_IN];

/// The routes of the page.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(workspaces::start))
        .route("/assets/{name}", get(assets::asset))
        .route(SIGN_IN, get(sign_in::form).post(sign_in::sign_in))
        .route(CLAIM, get(claim::view).post(claim::claim))
        .route("/sign-out", post(sign_in::sign_out))
        .route("/keys", get(keys::view).post(keys::make))
        .route("/keys/{id}", get(key::view).post(key::change))
        .route("/keys/{id}/rotate", post(key::rotate))
        .route("/keys/{id}/revoke", get(key::confirm).post(key::revoke))
        .route("/audit", get(audit::of_all))
        .route("/limits", get(limits::view))
        .route("/w/{ws}", get(search::view))
        .route("/w/{ws}/answer", get(answer::stream))
        .route("/w/{ws}/complete", get(complete::offer))
        .route("/w/{ws}/source/{*path}", get(source::view))
        .route("/w/{ws}/image/{*path}", get(download::image))
        .route("/w/{ws}/page/{id}/{*path}", get(picture::page))
        .route("/w/{ws}/download/{*path}", get(download::file))
        .route("/w/{ws}/c/{hash}/{span}", get(cited::view))
        .route("/w/{ws}/check", get(check::form).post(check::checked))
        .route("/w/{ws}/activity", get(activity::view))
        .route("/w/{ws}/activity/stream", get(activity::stream))
        .route("/w/{ws}/editing", get(editing::view))
        .route("/w/{ws}/editing/locks/{id}/release", post(editing::release))
        .route("/w/{ws}/editing/locks/{id}/break", get(editing::confirm_break).post(editing::break_lock))
        .route("/w/{ws}/editing/uploads/{id}/abort", get(editing::confirm_abort).post(editing::abort))
        .route("/w/{ws}/files", get(files::view))
        .route("/w/{ws}/status", get(status::view))
        .route("/w/{ws}/verdicts", get(verdicts::view).post(verdicts::judge))
        .route("/w/{ws}/verdicts/export", get(super::verdicts::list))
        .route("/w/{ws}/verdicts/{id}/withdraw", post(verdicts::withdraw))
        .route("/w/{ws}/audit", get(audit::view))
        .route("/w/{ws}/webhooks", get(webhooks::view).post(webhooks::make))
        .route("/w/{ws}/webhooks/{id}", get(webhook::view).post(webhook::change))
        .route("/w/{ws}/webhooks/{id}/switch", post(webhook::switch))
        .route("/w/{ws}/webhooks/{id}/rotate", post(webhook::rotate))
        .route("/w/{ws}/webhooks/{id}/test", post(webhook::test))
        .route("/w/{ws}/webhooks/{id}/delete", get(webhook::confirm).post(webhook::delete))
        .route("/w/{ws}/webhooks/{id}/deliveries/{delivery}/replay", post(webhook::replay))
        .route("/w/{ws}/settings", get(workspaces::settings).post(workspaces::change))
        .route("/w/{ws}/transfer", post(hand_over::offer))
        .route("/w/{ws}/transfer/{id}/withdraw", post(hand_over::withdraw))
        .route("/w/{ws}/", get(workspaces::without_slash))
        .route("/w/{ws}/{*rest}", get(refused::no_view))
        .method_not_allowed_fallback(refused::no_such_method)
        .layer(middleware::from_fn(refused::as_pages))
        .layer(middleware::from_fn(compressed::pages))
}
