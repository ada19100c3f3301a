//! Errors as S3 has them: a code that its clients know, the status of REST where S3 has no other, and the words of REST.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use s3s::{S3Error, S3ErrorCode};

use crate::error::ErrorReport;
use crate::serve::error::{ApiError, Refusal};

/// The code and status that S3 has for an error of REST.
fn code_of(status: StatusCode, code: &str) -> (S3ErrorCode, StatusCode) {
    let known = match (status, code) {
        (_, "unknown_workspace" | "no_root") => S3ErrorCode::NoSuchBucket,
        (_, "unknown_upload") => S3ErrorCode::NoSuchUpload,
        (_, "invalid_part") => S3ErrorCode::InvalidPart,
        (_, "invalid_part_order") => S3ErrorCode::InvalidPartOrder,
        (_, "bad_digest") => S3ErrorCode::BadDigest,
        (_, "broken_body") => S3ErrorCode::IncompleteBody,
        (_, "workspace_exists") => S3ErrorCode::BucketAlreadyExists,
        (_, "too_large") | (StatusCode::PAYLOAD_TOO_LARGE, _) => S3ErrorCode::EntityTooLarge,
        (StatusCode::REQUEST_TIMEOUT, _) => S3ErrorCode::RequestTimeout,
        (StatusCode::NOT_FOUND, _) => S3ErrorCode::NoSuchKey,
        (StatusCode::PRECONDITION_FAILED, _) => S3ErrorCode::PreconditionFailed,
        (StatusCode::UNAUTHORIZED, _) => S3ErrorCode::InvalidAccessKeyId,
        (StatusCode::FORBIDDEN, _) => S3ErrorCode::AccessDenied,
        // What clients of S3 take for a reason to come again later.
        (StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE, _) => S3ErrorCode::SlowDown,
        (StatusCode::NOT_IMPLEMENTED, _) => S3ErrorCode::NotImplemented,
        (
            StatusCode::BAD_REQUEST,
            "invalid_path" | "passed_over" | "path_too_deep" | "not_a_file" | "outside_workspace",
        ) => S3ErrorCode::InvalidArgument,
        (StatusCode::BAD_REQUEST, _) => S3ErrorCode::InvalidRequest,
        (StatusCode::INTERNAL_SERVER_ERROR, _) => S3ErrorCode::InternalError,
        // Such as a file that is locked, or a quota that is used up: S3 has no word for it.
        _ => return (S3ErrorCode::Custom(code.to_owned().into()), status),
    };
    let status = known.status_code().unwrap_or(status);
    (known, status)
}

fn told(report: &ErrorReport) -> String {
    match &report.hint {
        Some(hint) => format!("{}; {hint}", report.message),
        None => report.message.clone(),
    }
}

impl From<ApiError> for S3Error {
    fn from(error: ApiError) -> Self {
        let (status, report) = error.into_parts();
        let (code, status) = code_of(status, &report.code);
        let mut error = Self::with_message(code, told(&report));
        error.set_status_code(status);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            // Together they are all headers that the reply has.
            error.set_headers(HeaderMap::from_iter([
                (CONTENT_TYPE, HeaderValue::from_static("application/xml")),
                (RETRY_AFTER, HeaderValue::from_static("1")),
            ]));
        }
        error
    }
}

/// Writes what the guards in front have refused as S3 does: they refuse in JSON.
pub(super) async fn as_xml(response: Response) -> Response {
    let Some(Refusal(report)) = response.extensions().get::<Refusal>().cloned() else { return response };
    let (mut parts, _) = response.into_parts();
    let (code, status) = code_of(parts.status, &report.code);
    let mut error = S3Error::with_message(code, told(&report));
    error.set_status_code(status);
    parts.status = status;
    parts.headers.remove(axum::http::header::CONTENT_LENGTH);
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
    let body = error.to_http_response().map_or_else(|_| Body::empty(), |written| Body::new(written.into_body()));
    Response::from_parts(parts, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_code_that_clients_of_s3_know() {
        for (status, code, s3, expected) in [
            (404, "unknown_workspace", "NoSuchBucket", 404),
            (404, "unknown_path", "NoSuchKey", 404),
            (412, "conflict", "PreconditionFailed", 412),
            (401, "unauthorized", "InvalidAccessKeyId", 403),
            (403, "path_not_allowed", "AccessDenied", 403),
            (429, "too_many_requests", "SlowDown", 503),
            (400, "passed_over", "InvalidArgument", 400),
            (423, "locked", "locked", 423),
            (507, "quota_exceeded", "quota_exceeded", 507),
        ] {
            let (found, status) = code_of(StatusCode::from_u16(status).unwrap(), code);
            assert_eq!((found.as_str(), status.as_u16()), (s3, expected), "{code}");
        }
    }
}
