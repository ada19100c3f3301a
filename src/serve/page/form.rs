//! Forms that the page sends.

use std::sync::Arc;

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use http_body_util::BodyExt as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::serve::app::{App, Reply};
use crate::serve::door::Checked;
use crate::serve::error::ApiError;
use crate::serve::signature::Signature;

/// Bytes of a form that is too large which are taken all the same.
const MAX_THROWN_AWAY: usize = 64 * 1024 * 1024;

/// The field of a form that shows that it is of a page of the caller's session.
pub(super) const TOKEN: &str = "token";

/// The fields of a form that this page sent, in the caller's session where there is one.
pub(in crate::serve) struct Form<T>(pub T);

/// A form that changes something: as [`Form`], from a browser that may change anything here.
pub(in crate::serve) struct Write<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Write<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (method, uri, headers) = (request.method().clone(), request.uri().clone(), request.headers().clone());
        let Form(fields) = Form::from_request(request, app).await?;
        Signature::of_write(&method, &uri, &headers, app.event_rules())?;
        Ok(Self(fields))
    }
}

/// Leads a browser to a view, once what it asked for is done.
pub(super) async fn then_see<T>(done: impl Future<Output = Reply<T>>, url: &str) -> Result<Response, ApiError> {
    done.await.map(drop)?;
    Ok(Redirect::to(url).into_response())
}

/// A form without fields of its own.
#[derive(Debug, Deserialize)]
pub(in crate::serve) struct Empty {}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stamped {
    token: String,
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Form<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        check_same_page(request.headers())?;
        let session = request.extensions().get::<Checked>().and_then(Checked::session).cloned();
        let mut body: Body = request.into_body();
        if body.size_hint().lower() > app.max_body_bytes as u64 {
            // A browser shows no reply while it still sends.
            let _ = tokio::time::timeout(app.body_timeout, throw_away(&mut body)).await;
            return Err(app.too_large());
        }
        let whole = app.read_body(body).await?;
        if let Some(session) = session {
            let Stamped { token } = serde_html_form::from_bytes(&whole.bytes).unwrap_or_default();
            if !session.is_form_token(&token) {
                return Err(ApiError::new(
                    StatusCode::FORBIDDEN,
                    "stale_form",
                    "the form is not of a page of this session",
                    "reload the page and send the form again",
                ));
            }
        }
        serde_html_form::from_bytes(&whole.bytes).map(Self).map_err(|error| {
            let message = format!("the form cannot be read: {error}");
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", message, "reload the page and send the form again")
        })
    }
}

/// Bytes of a form of somebody who is not signed in: a key or a token, and a name.
const MAX_SMALL_BYTES: usize = 8 * 1024;

/// The fields of a small form that this page sent, with the headers of the request. Whoever is not signed in takes none of the room for
/// bodies.
pub(in crate::serve) struct SmallForm<T>(pub HeaderMap, pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for SmallForm<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        check_same_page(&parts.headers)?;
        let read = tokio::time::timeout(app.body_timeout, to_bytes(body, MAX_SMALL_BYTES)).await;
        let form = read.ok().and_then(Result::ok).and_then(|bytes| serde_html_form::from_bytes(&bytes).ok());
        let form = form.ok_or_else(|| {
            let hint = "reload the page and send the form again";
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", "the form cannot be read", hint)
        })?;
        Ok(Self(parts.headers, form))
    }
}

/// Takes a body that is too large to its end, where that is not far.
async fn throw_away(body: &mut Body) {
    let mut left = MAX_THROWN_AWAY;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, axum::body::Bytes::len));
        if left == 0 {
            return;
        }
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
