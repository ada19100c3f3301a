//! An error as a reply: the fitting status, and `{error: {code, message, hint}}`.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::access::AccessError;
use crate::engine::{Engine, EngineError, ErrorKind};
use crate::error::{ErrorBody, ErrorReport};

/// A reply that is an error.
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    report: ErrorReport,
    /// Seconds until it may be asked again.
    retry_after_s: Option<u64>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::with(status, ErrorReport::new(code, message, hint))
    }

    fn with(status: StatusCode, report: ErrorReport) -> Self {
        let is_short = matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS);
        Self { status, report, retry_after_s: is_short.then_some(1) }
    }

    /// The same error, with the seconds until it may be asked again.
    pub(super) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// An error that is the program's own fault. `detail` goes into the log alone; it quotes nothing.
    pub(super) fn internal(detail: &'static str) -> Self {
        tracing::error!(detail, "a request failed");
        let hint = "this is a fault of the program: its log says more";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the request failed", hint)
    }
}

/// What an error says, beside its reply: the page shows it in its own form.
#[derive(Debug, Clone)]
pub(super) struct Refusal(pub ErrorReport);

/// The code of an error, beside its reply: which limit refused it is counted.
#[derive(Debug, Clone)]
pub(super) struct Code(pub String);

impl ApiError {
    /// An error of the engine, without the names of the server's folders.
    pub(super) fn of(engine: &Engine, error: &EngineError) -> Self {
        Self::reported(error, engine.report(error))
    }

    fn reported(error: &EngineError, report: ErrorReport) -> Self {
        let status = match error.kind() {
            ErrorKind::Invalid => StatusCode::BAD_REQUEST,
            ErrorKind::Unauthorized => StatusCode::UNAUTHORIZED,
            ErrorKind::Forbidden => StatusCode::FORBIDDEN,
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Precondition => StatusCode::PRECONDITION_FAILED,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::Locked => StatusCode::LOCKED,
            ErrorKind::Gone => StatusCode::GONE,
            ErrorKind::ConditionRequired => StatusCode::PRECONDITION_REQUIRED,
            ErrorKind::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Full | ErrorKind::NoRoom => StatusCode::INSUFFICIENT_STORAGE,
            ErrorKind::TooMany => StatusCode::TOO_MANY_REQUESTS,
            ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() && status != StatusCode::INSUFFICIENT_STORAGE {
            // What it says may quote a file.
            tracing::error!(code = %report.code, "a request failed");
        }
        let renewed_in_s = match error {
            EngineError::Access(AccessError::QuotaExceeded { quota, .. }) => quota.renewed_in_s,
            EngineError::Locked(held) => Some(held.retry_after_s),
            _ => None,
        };
        let error = Self::with(status, report);
        Self { retry_after_s: renewed_in_s.or(error.retry_after_s), ..error }
    }

    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    /// The status, and what the error says.
    pub(super) fn into_parts(self) -> (StatusCode, ErrorReport) {
        (self.status, self.report)
    }

    /// A request that is refused by its signature or its form, of which the engine knows nothing.
    pub(super) fn of_name(error: &EngineError) -> Self {
        Self::reported(error, ErrorReport::of(error))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let retry_after_s = self.retry_after_s;
        let code = Code(self.report.code.clone());
        let refusal = Refusal(self.report.clone());
        let mut response = (self.status, Json(ErrorBody { error: self.report })).into_response();
        response.extensions_mut().insert(code);
        response.extensions_mut().insert(refusal);
        if let Some(seconds) = retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
