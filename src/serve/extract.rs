//! What handlers take from a request, with errors that say what is wrong.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum_extra::extract::Query;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;

use super::app::App;
use super::door::{By, Place};
use super::error::ApiError;
use super::signature::Signature;
use crate::strict::Strict;
use crate::workspace::{InvalidName, RelPath, WorkspaceId};

/// The workspace that the URL names, and who asks for it.
pub(super) struct InWorkspace(pub(super) Place);

/// The file that the URL names.
pub(super) struct AtPath(pub(super) RelPath);

/// The number that the URL ends with.
pub(super) struct WithNumber(pub(super) u64);

/// The webhook and the delivery that the URL names.
pub(super) struct OfDelivery {
    pub webhook: u64,
    pub delivery: u64,
}

/// The id of a lock that the URL names.
pub(super) struct WithLock(pub(super) String);

/// The id of a key that the URL ends with.
pub(super) struct WithKey(pub(super) String);

/// The parameters of the URL's query; a list is a parameter that comes several times.
pub(super) struct Parameters<T>(pub(super) T);

/// Reads a parameter that may be left out: one that is there has a value, where the library would take an empty one for none.
pub(super) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(parameter: D) -> Result<Option<T>, D::Error> {
    T::deserialize(parameter).map(Some)
}

/// The JSON of the body.
pub(super) struct JsonBody<T>(pub(super) T);

/// The part of the URL of that name, as text.
pub(super) async fn text_of(parts: &mut Parts, name: &str) -> Result<String, ApiError> {
    let segments = Path::<HashMap<String, String>>::from_request_parts(parts, &()).await.map_err(|rejection| {
        let hint = "encode it as UTF-8, other bytes as `%XX`";
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_url", rejection.body_text(), hint)
    })?;
    let Path(mut segments) = segments;
    Ok(segments.remove(name).unwrap_or_default())
}

async fn segment<T>(parts: &mut Parts, name: &str) -> Result<T, ApiError>
where
    T: std::str::FromStr<Err = InvalidName>,
{
    let text = text_of(parts, name).await?;
    text.parse().map_err(|error: InvalidName| ApiError::of_name(&error.into()))
}

impl<S: Sync> FromRequestParts<S> for InWorkspace {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let id: WorkspaceId = segment(parts, "ws").await?;
        let By(by) = By::from_request_parts(parts, state).await?;
        Ok(Self(Place { id, by }))
    }
}

impl<S: Sync> FromRequestParts<S> for AtPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        segment(parts, "path").await.map(Self)
    }
}

async fn number_of(parts: &mut Parts, name: &str) -> Result<u64, ApiError> {
    let text = text_of(parts, name).await?;
    // `parse` takes a plus sign, which JSON Schema does not.
    let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| {
        let message = format!("`{text}` is not a number");
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_url", message, "name it by its `id`, a whole number")
    })
}

impl<S: Sync> FromRequestParts<S> for WithNumber {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        number_of(parts, "id").await.map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for OfDelivery {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self { webhook: number_of(parts, "id").await?, delivery: number_of(parts, "delivery").await? })
    }
}

impl<S: Sync> FromRequestParts<S> for WithLock {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        text_of(parts, "id").await.map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for WithKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        text_of(parts, "id").await.map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // Unlike `Query::try_from_uri`, this names the parameter.
        Query::from_request_parts(parts, state).await.map(|Query(parameters)| Self(parameters)).map_err(|rejection| {
            let text = rejection.body_text();
            let reason = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
            let hint = "/openapi.json lists the parameters; only those that are lists may come several times";
            let message = format!("the parameters of the URL cannot be read: {reason}");
            ApiError::new(StatusCode::BAD_REQUEST, "invalid_parameters", message, hint)
        })
    }
}

/// The body is read by the routes that take one, and by no other.
impl<T: DeserializeOwned> FromRequest<Arc<App>> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        check_marked_as_json(request.headers())?;
        let whole = app.read_body(request.into_body()).await?;
        parse_json(&whole.bytes).map(Self)
    }
}

/// The JSON of a body that writes: signed, where all writes are to be.
pub(super) struct SignedJson<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for SignedJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, ApiError> {
        check_marked_as_json(request.headers())?;
        let (parts, body) = request.into_parts();
        let signature = Signature::of_write(&parts.method, &parts.uri, &parts.headers, app.event_rules())?;
        let whole = app.read_body(body).await?;
        Signature::check_whole(signature, &whole.bytes)?;
        parse_json(&whole.bytes).map(Self)
    }
}

/// A write without a body: signed, where all writes are to be.
pub(super) struct Signed;

impl FromRequestParts<Arc<App>> for Signed {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiError> {
        let signature = Signature::of_write(&parts.method, &parts.uri, &parts.headers, app.event_rules())?;
        Signature::check_whole(signature, b"").map(|()| Self)
    }
}

/// Refuses what is not marked as JSON.
pub(super) fn check_marked_as_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    // Also what keeps a page of another site from sending this without asking first.
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "the request's body is not marked as JSON",
            "send the header `Content-Type: application/json`",
        ));
    }
    Ok(())
}

/// Reads the JSON of a body.
pub(super) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let parsed = T::deserialize(Strict(&mut reader)).and_then(|parsed| reader.end().map(|()| parsed));
    parsed.map_err(|error| match error.classify() {
        Category::Data => ApiError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_body",
            error.to_string(),
            "/openapi.json describes the fields of the body",
        ),
        Category::Syntax | Category::Eof | Category::Io => ApiError::new(
            StatusCode::BAD_REQUEST,
            "malformed_json",
            format!("the body is not JSON: {error}"),
            "send one JSON object in UTF-8",
        ),
    })
}
