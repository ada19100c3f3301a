//! Forms that the page sends.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::serve::app::App;
use crate::serve::error::ApiError;

/// The fields of a form that this page sent.
pub(in crate::serve) struct Form<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        check_same_page(request.headers())?;
        let whole = app.read_body(Body::new(request.into_body())).await?;
        serde_html_form::from_bytes(&whole.bytes).map(Self).map_err(|error| {
            let message = format!("the form cannot be read: {error}");
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", message, "reload the page and send the form again")
        })
    }
}

/// Refuses what no browser sent from this page: a page of another site may send forms as well, but not with an origin of ours, which was
/// checked before.
fn check_same_page(headers: &HeaderMap) -> Result<(), ApiError> {
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    let is_of_page = match site {
        Some(site) => site == "same-origin",
        None => headers.contains_key(ORIGIN),
    };
    if is_of_page {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::FORBIDDEN,
        "origin_not_allowed",
        "the form was not sent from a page of this server",
        "programs use /v1, which /openapi.json describes",
    ))
}
