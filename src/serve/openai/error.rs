//! Errors as `OpenAI` has them: `{error: {message, type, param, code}}`.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema};

use crate::error::ErrorReport;
use crate::serve::error::{ApiError, Refusal};
use crate::serve::openapi;

/// A request that is refused, and the parameter that is to blame where one is.
#[derive(Debug)]
pub(in crate::serve) struct Refused {
    error: Box<ApiError>,
    param: Option<String>,
}

impl Refused {
    /// A parameter that is not valid.
    pub(super) fn invalid(param: &str, code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::with(StatusCode::BAD_REQUEST, param, code, message, hint)
    }

    pub(super) fn with(
        status: StatusCode,
        param: &str,
        code: &str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { error: ApiError::new(status, code, message, hint).into(), param: Some(param.to_owned()) }
    }

    /// No file has such an id.
    pub(super) fn no_such_file(id: &str, param: &str) -> Self {
        let shown: String = id.chars().take(100).collect();
        let hint = "ids are those of an upload, of a list of files or of a search; an id holds until its file is moved";
        Self::with(StatusCode::NOT_FOUND, param, "unknown_file", format!("no file has the id `{shown}`"), hint)
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self { error: error.into(), param: None }
    }
}

/// The parameter to blame, beside a reply.
#[derive(Debug, Clone)]
struct Param(String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = self.error.into_response();
        if let Some(param) = self.param {
            response.extensions_mut().insert(Param(param));
        }
        response
    }
}

/// An error as `OpenAI`'s clients read it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OpenAiError {
    /// What went wrong, and what to do about it.
    message: String,
    /// The kind of the error: `invalid_request_error`, `authentication_error`, `permission_error`, `rate_limit_error` or `server_error`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The parameter that is to blame, where one is.
    param: Option<String>,
    /// A stable `snake_case` word for programs, the same as on all other routes.
    code: String,
}

/// The body of a reply that is an error.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::serve) struct OpenAiErrorBody {
    /// The error.
    error: OpenAiError,
}

/// Puts the errors of these routes into their form, also those of the guards before them.
pub(in crate::serve) async fn in_their_form(request: Request, next: Next) -> Response {
    let is_here = is_here(request.uri().path());
    let response = next.run(request).await;
    if !is_here {
        return response;
    }
    let Some(Refusal(report)) = response.extensions().get::<Refusal>().cloned() else { return response };
    let (mut parts, _) = response.into_parts();
    // Their API knows no 422: what does not fit the schema is a bad request.
    if parts.status == StatusCode::UNPROCESSABLE_ENTITY {
        parts.status = StatusCode::BAD_REQUEST;
    }
    let param = parts.extensions.get::<Param>().map(|param| param.0.clone());
    let body = OpenAiErrorBody { error: error_of(parts.status, report, param) };
    let body = serde_json::to_vec(&body).unwrap_or_default();
    parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, Body::from(body))
}

fn error_of(status: StatusCode, report: ErrorReport, param: Option<String>) -> OpenAiError {
    let kind = match status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    };
    let ErrorReport { code, message, hint, .. } = report;
    // Their clients show the message alone.
    let message = hint.map_or_else(|| message.clone(), |hint| format!("{message}; {hint}"));
    OpenAiError { message, kind, param, code }
}

fn is_here(path: &str) -> bool {
    ["/v1/vector_stores", "/v1/files"]
        .into_iter()
        .any(|place| path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

type Responses = BTreeMap<String, RefOr<utoipa::openapi::Response>>;

fn described(description: &str, status: u16, code: &str) -> RefOr<utoipa::openapi::Response> {
    let status = StatusCode::from_u16(status).unwrap_or_default();
    let OpenAiError { kind, .. } = error_of(status, ErrorReport::new(code, "", ""), None);
    let error = json!({ "message": description, "type": kind, "param": null, "code": code });
    let schema = Ref::from_schema_name("OpenAiErrorBody");
    let content = ContentBuilder::new().schema(Some(schema)).example(Some(json!({ "error": error }))).build();
    let response = ResponseBuilder::new().description(description).content("application/json", content);
    openapi::with_headers(response, code).build().into()
}

fn all(told: &[(u16, &str, &str)]) -> Responses {
    told.iter().map(|&(status, code, text)| (status.to_string(), described(text, status, code))).collect()
}

/// Errors of every request here.
pub(super) struct Errors;

impl IntoResponses for Errors {
    fn responses() -> Responses {
        let mut responses = all(&[
            (400, "invalid_request", "The request is not valid; `param` names the parameter."),
            (401, "unauthorized", "The request has no key that holds, or lacks a signature that is asked for."),
            (403, "insufficient_scope", "The key lacks the right, or the request came from another site."),
            (404, "unknown_file", "There is no such vector store or file."),
            (409, "file_exists", "The state of the file or the workspace does not admit it."),
            (429, "too_many_requests", "The caller sends more requests than it may."),
            (500, "internal", "The program or its disk is at fault."),
            (503, "overloaded", "More is asked than can be answered now."),
            (507, "quota_exceeded", "A quota or the disk has no room for it."),
        ]);
        let long = |text: &str| ResponseBuilder::new().description(text).build().into();
        responses.insert("414".to_owned(), long("The URL has more than 65,534 bytes. The reply has no body."));
        responses.insert("431".to_owned(), long("The header is too large. The reply has no body."));
        responses
    }
}

/// Further errors of a request with a body.
pub(super) struct BodyErrors;

impl IntoResponses for BodyErrors {
    fn responses() -> Responses {
        all(&[
            (408, "body_timeout", "The body did not come in time."),
            (412, "conflict", "The workspace has another file at that path."),
            (413, "body_too_large", "The body, or the file, is too long."),
            (415, "unsupported_media_type", "The body is not of the type that the route takes."),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_these_routes_are_told_from_those_beside_them() {
        for (path, is_of_here) in [
            ("/v1/files", true),
            ("/v1/files/file-x/content", true),
            ("/v1/vector_stores/a/search", true),
            ("/v1/filesystem", false),
            ("/v1/workspaces/a/files", false),
            ("/v1/vector_storess", false),
        ] {
            assert_eq!(is_here(path), is_of_here, "{path}");
        }
    }

    #[test]
    fn an_error_says_its_kind_and_its_remedy() {
        let report = || ErrorReport::new("some_code", "it is wrong", "do it right");
        for (status, kind) in [(400, "invalid_request_error"), (401, "authentication_error"), (403, "permission_error")]
            .into_iter()
            .chain([
                (429, "rate_limit_error"),
                (500, "server_error"),
                (507, "server_error"),
                (404, "invalid_request_error"),
            ])
        {
            let error = error_of(StatusCode::from_u16(status).unwrap(), report(), None);
            assert_eq!((error.kind, error.message.as_str()), (kind, "it is wrong; do it right"), "{status}");
        }
    }
}
