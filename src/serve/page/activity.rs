//! What happened: the change log, newest first, by run, agent or folder, and live.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::shell::{self, Frame, View};
use super::viewer::Viewer;
use super::{link, results, when};
use crate::engine::{Action, ChangeFilters, ChangesReply, ChangesRequest, Engine};
use crate::serve::app::Shared;
use crate::serve::error::ApiError;
use crate::serve::extract::{InWorkspace, Parameters};
use crate::workspace::{Change, ChangeKind, Facet, Revision, Span, WorkspaceId};

/// Changes of one page.
const PAGE: usize = 100;
/// How long a stream waits for the next change before it says that it is still there, in milliseconds.
const WAIT_MS: u64 = 30_000;
/// A stream tells of changes this often at most, however many there are.
const TELLS_EVERY: Duration = Duration::from_secs(1);

/// Which changes are shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Scope {
    #[serde(skip_serializing_if = "String::is_empty")]
    agent: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    run: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    path: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    before: String,
}

impl Scope {
    fn request(&self) -> ChangesRequest {
        let one = |value: &String| (!value.trim().is_empty()).then(|| value.trim().to_owned()).into_iter().collect();
        let filters = ChangeFilters {
            agent: one(&self.agent),
            run: one(&self.run),
            path: one(&self.path),
            before_revision: self.before.parse().ok().map(Revision),
            ..ChangeFilters::default()
        };
        ChangesRequest { limit: PAGE, filters, facets: true }
    }

    fn url(&self, workspace: &WorkspaceId) -> String {
        // Text can always be written.
        let parameters = serde_html_form::to_string(self).unwrap_or_default();
        format!("{}?{parameters}", link::view(workspace, "activity"))
    }
}

/// Shows the newest changes.
pub(in crate::serve) async fn view(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Parameters(scope): Parameters<Scope>,
) -> Result<Response, ApiError> {
    let (of, request) = (workspace.clone(), scope.request());
    let reply = app.call(move |engine| of.open(engine)?.recent_changes(&request)).await?.0;
    let viewer = Viewer::at(&app, &workspace).await?;
    let body = shown(&workspace, &scope, &reply, &viewer);
    Ok(shell::page(Frame::of("Activity", &workspace, View::Activity, &viewer), &body))
}

fn shown(workspace: &WorkspaceId, scope: &Scope, reply: &ChangesReply, viewer: &Viewer) -> Markup {
    let facets = reply.facets.clone().unwrap_or_default();
    let question = if scope.run.is_empty() { None } else { Some(format!("What did run {} do?", scope.run)) };
    html! {
        h1 { "Activity" }
        form.scope method="get" action=(link::view(workspace, "activity")) {
            label { "Agent " input name="agent" value=(scope.agent); }
            label { "Run " input name="run" value=(scope.run); }
            label { "Path " input name="path" value=(scope.path) placeholder="reports/**"; }
            button type="submit" { "Show" }
        }
        div.columns.two {
            aside.narrow aria-label="Who changed files" {
                details open {
                    summary { "By writer" }
                    (facet(workspace, "Runs", &facets.run, &|run| Scope { run: run.to_owned(), ..Scope::default() }))
                    (facet(workspace, "Agents", &facets.agent, &|agent| Scope { agent: agent.to_owned(), ..Scope::default() }))
                }
            }
            section aria-label="Changes" data-live=[scope.before.is_empty().then(|| format!("{}/stream?after={}", link::view(workspace, "activity"), reply.revision.0))] {
                @if let Some(question) = question.filter(|_| viewer.may(crate::workspace::Scope::Ask)) {
                    p { a.button href={ (link::view(workspace, "")) "?ask=1&q=" (link::value(&question)) } { "Digest of this run" } }
                }
                p #fresh.note {
                    "Revision " (reply.revision.0)
                    @if reply.pending > 0 { " · " (when::many(reply.pending, "file is", "files are")) " not searchable yet" }
                }
                @if reply.changes.is_empty() {
                    div.notice { h2 { "No changes" } p { "Nothing in the log fits." } }
                } @else {
                    (table(workspace, &reply.changes))
                    @if let Some(last) = reply.changes.last().filter(|_| reply.changes.len() == PAGE) {
                        p.more { a.button href=(Scope { before: last.revision.0.to_string(), ..scope.clone() }.url(workspace)) { "Older changes" } }
                    }
                }
            }
        }
    }
}

fn facet(workspace: &WorkspaceId, title: &str, values: &[Facet], scope: &dyn Fn(&str) -> Scope) -> Markup {
    html! {
        @if !values.is_empty() {
            h2 { (title) }
            ul.facet { @for one in values.iter().take(20) {
                li { a href=(scope(&one.value).url(workspace)) { span.value { (one.value) } span.count { (when::number(one.files)) } } }
            } }
        }
    }
}

/// Changes as a table, with a line for each day.
pub(super) fn table(workspace: &WorkspaceId, changes: &[Change]) -> Markup {
    let mut day = String::new();
    html! {
        div.scroll { table.changes {
            thead { tr { th scope="col" { "When (UTC)" } th scope="col" { "Change" } th scope="col" { "File" } th scope="col" { "By" } } }
            tbody {
                @for change in changes {
                    @let of = when::day(change.at);
                    @if of != day { tr.day { th colspan="4" scope="rowgroup" { (of) } } }
                    @let () = day = of;
                    tr {
                        td.when { (when::time(change.at)) }
                        td { span.kind.(change.kind.name()) { (change.kind.name()) } }
                        td.path {
                            @if change.kind == ChangeKind::Deleted { (change.path) } @else { a href=(link::source(workspace, &change.path, Span::default())) { (change.path) } }
                            @if let Some(from) = &change.from { span.of { " from " (from) } }
                        }
                        td { (results::writer(Some(workspace), &change.provenance)) }
                    }
                }
            }
        } }
    }
}

/// What a client has seen.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct After {
    after: u64,
}

/// Tells whenever there are changes that are newer, at most once a second. Waiting holds no thread, and counts as a wait.
pub(in crate::serve) async fn stream(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Parameters(After { after }): Parameters<After>,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    // It waits in no queue: `limits.waits` bounds how many streams there are.
    let admitted = move |engine: &Engine| {
        let workspace = of.open(engine)?;
        engine.admit(workspace.caller(), Action::Changes).map(drop)
    };
    app.call_at_once(admitted).await.map(drop)?;
    let (events, told) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut seen = Revision(after);
        loop {
            let next = Revision(seen.0.saturating_add(1));
            let waited = tokio::select! {
                waited = app.wait(&workspace, Some(next), WAIT_MS) => waited,
                () = events.closed() => return,
            };
            let of = workspace.clone();
            let fresh = match waited {
                Err(error) => Err(error),
                Ok(_) => app.call_at_once(move |engine| of.open(engine)?.freshness()).await,
            };
            let (revision, pending) = match fresh {
                Ok(axum::Json(fresh)) => fresh,
                // A stream that only ended would be asked for again and again.
                Err(error) => {
                    let (_, report) = error.into_parts();
                    let _ = events
                        .send(Event::default().event("over").data(report.message.replace(['\r', '\n'], " ")))
                        .await;
                    return;
                }
            };
            if revision > seen {
                seen = revision;
                let data = format!("{} {pending}", revision.0);
                if events.send(Event::default().event("changed").data(data)).await.is_err() {
                    return;
                }
            }
            tokio::time::sleep(TELLS_EVERY).await;
        }
    });
    let told = ReceiverStream::new(told).map(Ok::<_, Infallible>);
    Ok(Sse::new(told).keep_alive(KeepAlive::default()).into_response())
}
