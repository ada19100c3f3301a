//! The frame of every view: title, workspace, the views beside it, and the headers that keep it to itself.

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_FRAME_OPTIONS};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use maud::{DOCTYPE, Markup, html};

use super::viewer::Viewer;
use super::{assets, link};
use crate::workspace::{Scope, WorkspaceId};

/// What a view may load: style, script, pictures and streams of this server, and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// The views of a workspace, in the order of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Search,
    Activity,
    Editing,
    Files,
    Status,
    Check,
    Verdicts,
    Audit,
    Webhooks,
    Settings,
}

impl View {
    const ALL: [Self; 10] = [
        Self::Search,
        Self::Activity,
        Self::Editing,
        Self::Files,
        Self::Status,
        Self::Check,
        Self::Verdicts,
        Self::Audit,
        Self::Webhooks,
        Self::Settings,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Search => "Search",
            Self::Activity => "Activity",
            Self::Editing => "Editing",
            Self::Files => "Files",
            Self::Status => "Status",
            Self::Check => "Check",
            Self::Verdicts => "Verdicts",
            Self::Audit => "Audit",
            Self::Webhooks => "Webhooks",
            Self::Settings => "Workspace",
        }
    }

    const fn place(self) -> &'static str {
        match self {
            Self::Search => "",
            Self::Activity => "activity",
            Self::Editing => "editing",
            Self::Files => "files",
            Self::Status => "status",
            Self::Check => "check",
            Self::Verdicts => "verdicts",
            Self::Audit => "audit",
            Self::Webhooks => "webhooks",
            Self::Settings => "settings",
        }
    }

    /// Whether a caller may see the view.
    fn is_for(self, viewer: &Viewer) -> bool {
        match self {
            Self::Search => viewer.may(Scope::Search) || viewer.may(Scope::Ask),
            Self::Activity | Self::Files | Self::Status | Self::Verdicts => viewer.may(Scope::FilesRead),
            Self::Editing => viewer.may(Scope::FilesRead) || viewer.may(Scope::Locks) || viewer.may(Scope::AuditRead),
            Self::Check => viewer.may(Scope::FilesRead) && viewer.may(Scope::Search),
            Self::Audit => viewer.may(Scope::AuditRead),
            Self::Webhooks => viewer.may(Scope::Webhooks),
            Self::Settings => true,
        }
    }

    /// The first view of a workspace that a caller may see.
    pub(super) fn first_for(viewer: &Viewer, workspace: &WorkspaceId) -> String {
        let first = Self::ALL.into_iter().find(|view| view.is_for(viewer)).unwrap_or(Self::Settings);
        link::view(workspace, first.place())
    }
}

/// The views that are about no workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Desk {
    Keys,
    Audit,
    Limits,
}

impl Desk {
    const ALL: [Self; 3] = [Self::Keys, Self::Audit, Self::Limits];

    const fn name(self) -> &'static str {
        match self {
            Self::Keys => "Keys",
            Self::Audit => "All audit",
            Self::Limits => "Limits",
        }
    }

    const fn url(self) -> &'static str {
        match self {
            Self::Keys => "/keys",
            Self::Audit => "/audit",
            Self::Limits => "/limits",
        }
    }

    fn is_for(self, viewer: &Viewer) -> bool {
        match self {
            Self::Keys => viewer.may(Scope::Keys),
            Self::Audit => viewer.may(Scope::AuditRead) && viewer.is_for_all(),
            Self::Limits => true,
        }
    }
}

/// What a page is of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Frame<'a> {
    /// What is seen, for the window's title.
    pub title: &'a str,
    pub workspace: Option<&'a WorkspaceId>,
    pub view: Option<View>,
    pub desk: Option<Desk>,
    /// Who looks at it; nobody that is known on the way to sign in.
    pub viewer: Option<&'a Viewer>,
    /// A URL that the browser goes to at once.
    pub again_at: Option<&'a str>,
}

impl<'a> Frame<'a> {
    /// The frame of a view of a workspace.
    pub(super) fn of(title: &'a str, workspace: &'a WorkspaceId, view: View, viewer: &'a Viewer) -> Self {
        Self { title, workspace: Some(workspace), view: Some(view), viewer: Some(viewer), ..Self::default() }
    }
}

/// A whole page.
pub(super) fn page(frame: Frame<'_>, body: &Markup) -> Response {
    page_with(StatusCode::OK, frame, body)
}

pub(super) fn page_with(status: StatusCode, frame: Frame<'_>, body: &Markup) -> Response {
    let Frame { title, workspace, view, desk, viewer, again_at } = frame;
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Its own style is inline, and its history keeps pages that may have been deleted since.
                meta name="htmx-config" content=r#"{"includeIndicatorCSS":false,"mode":"same-origin"}"#;
                @if let Some(url) = again_at { meta http-equiv="refresh" content={ "0;url=" (url) }; }
                title { (title) @if let Some(workspace) = workspace { " · " (workspace) } " · pincite" }
                link rel="stylesheet" href=(assets::STYLE.url());
                link rel="icon" type="image/svg+xml" href=(assets::ICON.url());
                script src=(assets::HTMX.url()) defer {}
                script src=(assets::SCRIPT.url()) defer {}
            }
            body {
                a.skip href="#main" { "Skip to content" }
                header.bar {
                    a.brand href="/" { "pincite" }
                    @if let Some(workspace) = workspace {
                        a.workspace href=(link::view(workspace, "")) title="The workspace; all are behind pincite" { (workspace) }
                        nav aria-label="Views" {
                            @for one in View::ALL.into_iter().filter(|one| viewer.is_none_or(|viewer| one.is_for(viewer))) {
                                a href=(link::view(workspace, one.place())) aria-current=[(view == Some(one)).then_some("page")] { (one.name()) }
                            }
                        }
                    }
                    @if let Some(viewer) = viewer { (who(viewer, desk)) }
                    button.keys type="button" hidden data-keys title="Keys (?)" aria-label="Keyboard keys" { "?" }
                }
                main #main tabindex="-1" { (body) }
                div #say role="status" aria-live="polite" {}
                dialog #keys aria-labelledby="keys-title" {
                    h2 #keys-title { "Keyboard" }
                    dl {
                        dt { kbd { "/" } } dd { "go to the search box" }
                        dt { kbd { "j" } " " kbd { "k" } } dd { "next and previous result" }
                        dt { kbd { "Enter" } " " kbd { "o" } } dd { "open the result in the source pane" }
                        dt { kbd { "]" } " " kbd { "[" } } dd { "next and previous mark in the source" }
                        dt { kbd { "?" } } dd { "this list" }
                    }
                    label { input type="checkbox" data-keys-on checked; " Keys are on" }
                    form method="dialog" { button { "Close" } }
                }
            }
        }
    };
    let mut response = (status, document.into_string()).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    secure(headers);
    response
}

/// Who is signed in, with the views that are about no workspace.
fn who(viewer: &Viewer, desk: Option<Desk>) -> Markup {
    html! {
        div.who {
            @for one in Desk::ALL.into_iter().filter(|one| one.is_for(viewer)) {
                a href=(one.url()) aria-current=[(desk == Some(one)).then_some("page")] { (one.name()) }
            }
            @if viewer.is_signed_in() {
                span.soft title="The key that this browser is signed in with" { (viewer.key_name().unwrap_or_default()) }
                form method="post" action="/sign-out" { (viewer.stamp()) button type="submit" { "Sign out" } }
            }
        }
    }
}

/// The headers of every reply of the page. A policy that sends no referrer would also send forms without their origin.
pub(super) fn secure(headers: &mut axum::http::HeaderMap) {
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    let own_group = HeaderName::from_static("cross-origin-opener-policy");
    headers.insert(own_group, HeaderValue::from_static("same-origin"));
}
