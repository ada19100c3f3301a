//! Errors as pages, with their hints; and the headers of every reply of the page.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use maud::html;

use super::shell::{self, Frame};
use super::viewer::Viewer;
use crate::error::ErrorReport;
use crate::serve::door::Checked;
use crate::serve::error::{ApiError, Refusal};
use crate::workspace::WorkspaceId;

/// Makes a page of every error, and gives every reply the page's headers.
pub(super) async fn as_pages(request: Request, next: Next) -> Response {
    let workspace: Option<WorkspaceId> = request
        .uri()
        .path()
        .strip_prefix("/w/")
        .and_then(|rest| rest.split('/').next())
        .and_then(|name| name.parse().ok());
    let by = request.extensions().get::<Checked>().cloned();
    let mut response = caught(next.run(request)).await;
    if let Some(Refusal(report)) = response.extensions_mut().remove() {
        let (status, extensions) = (response.status(), std::mem::take(response.extensions_mut()));
        let headers = std::mem::take(response.headers_mut());
        response = error_page(status, &report, workspace.as_ref(), by.as_ref().map(Viewer::of).as_ref());
        // Who counts refusals finds them, and a client how long to wait.
        response.extensions_mut().extend(extensions);
        for name in [axum::http::header::RETRY_AFTER, axum::http::header::ALLOW] {
            if let Some(value) = headers.get(&name) {
                response.headers_mut().insert(name, value.clone());
            }
        }
    }
    shell::secure(response.headers_mut());
    response
}

/// What is said where a workspace has no view of that name.
pub(super) async fn no_view() -> ApiError {
    let hint = "the links at the top lead to all views";
    ApiError::new(StatusCode::NOT_FOUND, "no_route", "a workspace has no view of this name", hint)
}

/// What is said where something is sent to a view that only shows.
pub(super) async fn no_such_method() -> ApiError {
    let hint = "programs use /v1, which /openapi.json describes";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "the view does not take this method", hint)
}

/// A handler's reply, or where it panics, what is said of any fault.
async fn caught(reply: impl Future<Output = Response>) -> Response {
    let mut reply = pin!(reply);
    // Nothing of a handler is used after its panic.
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| reply.as_mut().poll(context))) {
        Ok(polled) => polled,
        Err(_) => Poll::Ready(ApiError::internal("a view of the page panicked").into_response()),
    })
    .await
}

fn error_page(
    status: StatusCode,
    report: &ErrorReport,
    workspace: Option<&WorkspaceId>,
    viewer: Option<&Viewer>,
) -> Response {
    let title = match status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::SERVICE_UNAVAILABLE => "Not now",
        StatusCode::FORBIDDEN => "Not allowed",
        status if status.is_client_error() => "This request cannot be",
        _ => "A fault",
    };
    // A workspace that is not there, for all that the caller may know, has no other views.
    let is_reached = |name: &&WorkspaceId| viewer.is_none_or(|viewer| viewer.reaches(name));
    let workspace = workspace.filter(is_reached).filter(|_| report.code != "unknown_workspace");
    let body = html! {
        section.notice.error role="alert" {
            h1 { (title) }
            p { (report.message) }
            @if let Some(hint) = &report.hint { p.hint { (hint) } }
            p.code { code { (report.code) } " · " (status.as_u16()) }
            p { a href="/" { "All workspaces" } }
        }
    };
    shell::page_with(status, Frame { title, workspace, viewer, ..Frame::default() }, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_view_that_panics_is_a_page_with_an_error() {
        let reply = caught(async { panic!("a fault of the program") }).await;
        assert_eq!(reply.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(reply.extensions().get::<Refusal>().is_some_and(|Refusal(report)| report.code == "internal"));
    }
}
