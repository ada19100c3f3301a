//! An error as a reply: the fitting status, and `{error: {code, message, hint}}`.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::engine::{EngineError, ErrorKind};
use crate::error::{ErrorBody, ErrorReport};

/// A reply that is an error.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    report: ErrorReport,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status, report: ErrorReport::new(code, message, hint) }
    }

    /// An error that is the program's own fault. `detail` goes into the log alone.
    pub(super) fn internal(detail: &dyn std::fmt::Display) -> Self {
        tracing::error!(error = %detail, "a request failed");
        let hint = "this is a fault of the program: its log says more";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request failed", hint)
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let status = match error.kind() {
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Precondition => StatusCode::PRECONDITION_FAILED,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let report = ErrorReport::of(&error);
        if status.is_server_error() {
            tracing::error!(code = %report.code, message = %report.message, "a request failed");
        }
        Self { status, report }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let retry = self.status == StatusCode::SERVICE_UNAVAILABLE;
        let mut response = (self.status, Json(ErrorBody { error: self.report })).into_response();
        if retry {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
