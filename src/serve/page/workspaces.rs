//! All workspaces, and the settings of one.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::html;
use serde::Deserialize;

use super::form::{Write, then_see};
use super::shell::{self, Frame, View};
use super::viewer::Viewer;
use super::{hand_over, link, when};
use crate::engine::WorkspaceSummary;
use crate::serve::app::Shared;
use crate::serve::door::By;
use crate::serve::error::ApiError;
use crate::serve::extract::InWorkspace;
use crate::workspace::Scope;

/// Shows all workspaces; where there is one, that one.
pub(in crate::serve) async fn start(State(app): Shared, By(by): By) -> Result<Response, ApiError> {
    let viewer = Viewer::of(&by);
    let list = app.call(move |engine| {
        let caller = by.caller(engine)?;
        let workspaces = engine.list_workspaces(&caller)?.workspaces;
        let with_counts = workspaces.into_iter().map(|one| {
            let files = engine.workspace(&one.name, &caller).and_then(|workspace| workspace.coverage());
            (one, files.ok().map(|coverage| coverage.files))
        });
        Ok(with_counts.collect::<Vec<_>>())
    });
    let list = list.await?.0;
    if let [(only, _)] = list.as_slice() {
        return Ok(Redirect::to(&View::first_for(&viewer, &only.name)).into_response());
    }
    let body = html! {
        h1 { "Workspaces" }
        @if list.is_empty() && viewer.key_id().is_some() {
            div.notice { p { "Your key reaches no workspace that there is." } }
        } @else if list.is_empty() {
            div.notice { p { "There is no workspace yet. Start the server with a folder: " } pre { "pincite serve PATH" } }
        } @else {
            table {
                thead { tr { th scope="col" { "Workspace" } th.size scope="col" { "Files" } th.size scope="col" { "Searchable" } th.size scope="col" { "Unread" } } }
                tbody { @for (one, files) in &list {
                    tr {
                        td { a href=(View::first_for(&viewer, &one.name)) { (one.name) } @if !one.intelligence { span.of { " only listed" } } }
                        @match files {
                            Some(files) => {
                                td.size { (when::number(files.files)) }
                                td.size { (when::number(files.ready + files.partial)) }
                                td.size { (when::number(files.failed + files.unsupported)) }
                            }
                            None => td colspan="3" { "cannot be read now" },
                        }
                    }
                } }
            }
        }
    };
    Ok(shell::page(Frame { title: "Workspaces", viewer: Some(&viewer), ..Frame::default() }, &body))
}

/// Leads to a workspace whose address was typed with a slash at its end.
pub(in crate::serve) async fn without_slash(InWorkspace(workspace): InWorkspace) -> Redirect {
    Redirect::to(&link::view(&workspace, ""))
}

/// Shows the settings of a workspace.
pub(in crate::serve) async fn settings(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    let read = app.call(move |engine| {
        let workspace = of.open(engine)?;
        let offers = if workspace.caller().may(Scope::Admin) { workspace.transfers()?.transfers } else { Vec::new() };
        Ok((engine.list_workspaces(workspace.caller())?.workspaces, offers))
    });
    let (all, offers) = read.await?.0;
    let viewer = Viewer::at(&app, &workspace).await?;
    let is_admin = viewer.may(Scope::Admin);
    let is_on = all.iter().any(|one| one.name == *workspace && one.intelligence);
    let others: Vec<&WorkspaceSummary> = all.iter().filter(|one| one.name != *workspace).collect();
    let body = html! {
        h1 { (workspace.id) }
        section aria-labelledby="intelligence" {
            h2 #intelligence { "Intelligence" }
            p { @if is_on { "On: files are indexed, searched and answered from." } @else { "Off: files are listed, and nothing is found." } }
            @if is_admin {
                form method="post" action=(link::view(&workspace, "settings")) {
                    (viewer.stamp())
                    input type="hidden" name="intelligence" value=(if is_on { "off" } else { "on" });
                    button type="submit" { @if is_on { "Switch off" } @else { "Switch on" } }
                }
            }
            @if is_on && is_admin { p.hint { "Switching off removes the index at once. Switching on again indexes all files; no text is embedded twice." } }
        }
        section aria-labelledby="place" {
            h2 #place { "Name and folder" }
            p { "The workspace is " code { (workspace.id) } ". The command line shows its folder: " code { "pincite workspace list" } "." }
        }
        @if is_admin { (hand_over::section(&workspace, &offers, &viewer)) }
        @if !others.is_empty() {
            section aria-labelledby="others" {
                h2 #others { "Other workspaces" }
                ul { @for one in others { li { a href=(View::first_for(&viewer, &one.name)) { (one.name) } } } }
            }
        }
    };
    Ok(shell::page(Frame::of("Workspace", &workspace, View::Settings, &viewer), &body))
}

/// What a form changes.
#[derive(Debug, Deserialize)]
pub(in crate::serve) struct Changed {
    intelligence: String,
}

/// Switches the intelligence.
pub(in crate::serve) async fn change(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Write(Changed { intelligence }): Write<Changed>,
) -> Result<Response, ApiError> {
    let is_on = intelligence == "on";
    let of = workspace.clone();
    then_see(app.call(move |engine| of.open(engine)?.set_intelligence(is_on)), &link::view(&workspace, "settings"))
        .await
}
