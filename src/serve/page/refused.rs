//! Errors as pages, with their hints; and the headers of every reply of the page.

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use maud::html;

use super::shell::{self, Frame};
use crate::error::ErrorReport;
use crate::serve::error::Refusal;
use crate::workspace::WorkspaceId;

/// Makes a page of every error, and gives every reply the page's headers.
pub(super) async fn as_pages(request: Request, next: Next) -> Response {
    let workspace: Option<WorkspaceId> = request
        .uri()
        .path()
        .strip_prefix("/w/")
        .and_then(|rest| rest.split('/').next())
        .and_then(|name| name.parse().ok());
    let mut response = next.run(request).await;
    if let Some(Refusal(report)) = response.extensions_mut().remove() {
        let (status, extensions) = (response.status(), std::mem::take(response.extensions_mut()));
        let headers = std::mem::take(response.headers_mut());
        response = error_page(status, &report, workspace.as_ref());
        // Who counts refusals finds them, and a client how long to wait.
        response.extensions_mut().extend(extensions);
        if let Some(after) = headers.get(axum::http::header::RETRY_AFTER) {
            response.headers_mut().insert(axum::http::header::RETRY_AFTER, after.clone());
        }
    }
    shell::secure(response.headers_mut());
    response
}

fn error_page(status: StatusCode, report: &ErrorReport, workspace: Option<&WorkspaceId>) -> Response {
    let title = match status {
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::SERVICE_UNAVAILABLE => "Not now",
        StatusCode::FORBIDDEN => "Not allowed",
        status if status.is_client_error() => "This request cannot be",
        _ => "A fault",
    };
    // A workspace that is not there has no other views.
    let workspace = workspace.filter(|_| report.code != "unknown_workspace");
    let body = html! {
        section.notice.error role="alert" {
            h1 { (title) }
            p { (report.message) }
            @if let Some(hint) = &report.hint { p.hint { (hint) } }
            p.code { code { (report.code) } " · " (status.as_u16()) }
            p { a href="/" { "All workspaces" } }
        }
    };
    shell::page_with(status, Frame { title, workspace, view: None }, &body)
}
