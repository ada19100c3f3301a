//! The files of a workspace: by folder, by state, and those that could not be read by their reasons.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::shell::{self, Frame, View};
use super::viewer::Viewer;
use super::{link, results, when};
use crate::serve::app::Shared;
use crate::serve::error::ApiError;
use crate::serve::extract::{InWorkspace, Parameters};
use crate::workspace::{FileEntry, FileState, Span, WorkspaceId};

/// Files of one page.
const PAGE: usize = 200;

/// Which files are shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Shelf {
    /// A folder, with its slash; empty for all.
    #[serde(skip_serializing_if = "String::is_empty")]
    folder: String,
    /// A state, or `unread` for those that could not be read or are of a type that is not.
    #[serde(skip_serializing_if = "String::is_empty")]
    state: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    glob: String,
    #[serde(skip_serializing_if = "is_zero")]
    offset: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Shelf {
    fn url(&self, workspace: &WorkspaceId) -> String {
        // Text and numbers can always be written.
        let parameters = serde_html_form::to_string(self).unwrap_or_default();
        format!("{}?{parameters}", link::view(workspace, "files"))
    }

    fn is_of_state(&self, file: &FileEntry) -> bool {
        match self.state.as_str() {
            "" => true,
            "unread" => {
                matches!(file.state, FileState::Failed | FileState::Unsupported | FileState::Partial | FileState::Empty)
            }
            state => file.state.name() == state,
        }
    }
}

/// Shows a folder, or the files of a state.
pub(in crate::serve) async fn view(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Parameters(shelf): Parameters<Shelf>,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    let glob = Some(shelf.glob.trim().to_owned()).filter(|glob| !glob.is_empty());
    let files = app.call(move |engine| of.open(engine)?.files(glob.as_deref())).await?.0;
    let title = if shelf.folder.is_empty() { "Files" } else { shelf.folder.trim_end_matches('/') };
    let body = shown(&workspace, &shelf, &files);
    Ok(shell::page(Frame::of(title, &workspace, View::Files, &Viewer::at(&app, &workspace).await?), &body))
}

fn shown(workspace: &WorkspaceId, shelf: &Shelf, files: &[FileEntry]) -> Markup {
    let mut states: BTreeMap<FileState, u64> = BTreeMap::new();
    for file in files {
        *states.entry(file.state).or_default() += 1;
    }
    let is_flat = !shelf.state.is_empty() || !shelf.glob.trim().is_empty();
    html! {
        h1 { "Files" }
        form.scope method="get" action=(link::view(workspace, "files")) {
            label { "Path " input name="glob" value=(shelf.glob) placeholder="reports/** or *.md"; }
            button type="submit" { "Show" }
        }
        ul.chips aria-label="States" {
            li { a href=(link::view(workspace, "files")) aria-current=[(!is_flat).then_some("true")] { "All " span.count { (when::number(files.len() as u64)) } } }
            @for (state, num) in &states {
                @let of = Shelf { state: state.name().to_owned(), glob: shelf.glob.clone(), ..Shelf::default() };
                li { a href=(of.url(workspace)) aria-current=[(shelf.state == state.name()).then_some("true")] { (state.name()) " " span.count { (when::number(*num)) } } }
            }
        }
        @if files.is_empty() {
            div.notice { h2 { "No files" } p { "Put files into the workspace's folder, or send them over REST; they are listed at once." } }
        } @else if is_flat {
            (flat(workspace, shelf, files))
        } @else {
            (folder(workspace, shelf, files))
        }
    }
}

/// The files of a state, those with one reason together.
fn flat(workspace: &WorkspaceId, shelf: &Shelf, files: &[FileEntry]) -> Markup {
    let mut groups: BTreeMap<(FileState, Option<&str>), Vec<&FileEntry>> = BTreeMap::new();
    for file in files.iter().filter(|file| shelf.is_of_state(file)) {
        groups.entry((file.state, file.reason.as_deref())).or_default().push(file);
    }
    let total: usize = groups.values().map(Vec::len).sum();
    let mut left = PAGE;
    let mut skip = shelf.offset;
    html! {
        @if total == 0 { div.notice { p { "No file is in this state." } } }
        @for ((state, reason), files) in &groups {
            @let (from, num) = { let from = skip.min(files.len()); skip -= from; let num = (files.len() - from).min(left); left -= num; (from, num) };
            @if num > 0 {
                section.group {
                    h2 { (state.name()) span.count { (when::many(files.len() as u64, "file", "files")) } }
                    @if let Some(reason) = reason { p.warning { (reason) } }
                    @if let Some(remedy) = remedy(*state) { p.hint { (remedy) } }
                    (table(workspace, files[from..from + num].iter().copied()))
                }
            }
        }
        (pages(workspace, shelf, total))
    }
}

/// What can be done about files of a state.
const fn remedy(state: FileState) -> Option<&'static str> {
    match state {
        FileState::Failed => Some("Mend or replace the file: it is read again when it changes."),
        FileState::Partial => Some("What could be read is searchable. Replace the file to have all of it."),
        FileState::Unsupported => Some("Save it as a type that is read, such as PDF, DOCX, Markdown or text."),
        FileState::Empty => Some("It holds no text. A scan needs character recognition before it can be read."),
        FileState::Pending => Some("It becomes searchable in a moment."),
        FileState::Listed => Some("The workspace's intelligence is off: switch it on under Workspace."),
        FileState::Ready => None,
    }
}

/// The folders and files right below a folder.
fn folder(workspace: &WorkspaceId, shelf: &Shelf, files: &[FileEntry]) -> Markup {
    let mut folders: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut here: Vec<&FileEntry> = Vec::new();
    for file in files {
        let Some(rest) = file.path.as_str().strip_prefix(shelf.folder.as_str()) else { continue };
        match rest.split_once('/') {
            Some((name, _)) => {
                let of = folders.entry(name).or_default();
                of.0 += 1;
                of.1 += u64::from(!matches!(file.state, FileState::Ready | FileState::Listed));
            }
            None => here.push(file),
        }
    }
    let total = here.len();
    let at = |folder: String| Shelf { folder, ..Shelf::default() }.url(workspace);
    let mut above = String::new();
    html! {
        nav.crumbs aria-label="Folders" {
            a href=(link::view(workspace, "files")) { (workspace) }
            @for name in shelf.folder.split_terminator('/') {
                @let () = { above.push_str(name); above.push('/'); };
                span aria-hidden="true" { " / " } a href=(at(above.clone())) { (name) }
            }
        }
        @if folders.is_empty() && here.is_empty() { div.notice { p { "There is no such folder." } } }
        @if !folders.is_empty() && shelf.offset == 0 {
            ul.folders {
                @for (name, (num, num_unread)) in &folders {
                    li { a href=(at(format!("{}{name}/", shelf.folder))) { (name) "/" }
                        span.count { (when::many(*num, "file", "files")) @if *num_unread > 0 { ", " (when::number(*num_unread)) " not ready" } } }
                }
            }
        }
        @if !here.is_empty() { (table(workspace, here.into_iter().skip(shelf.offset).take(PAGE))) }
        (pages(workspace, shelf, total))
    }
}

fn pages(workspace: &WorkspaceId, shelf: &Shelf, total: usize) -> Markup {
    let next = shelf.offset.saturating_add(PAGE);
    html! {
        @if shelf.offset > 0 || next < total {
            p.more {
                @if shelf.offset > 0 { a.button href=(Shelf { offset: shelf.offset.saturating_sub(PAGE), ..shelf.clone() }.url(workspace)) { "Previous" } " " }
                @if next < total { a.button href=(Shelf { offset: next, ..shelf.clone() }.url(workspace)) { "Next" } }
                span.note { " of " (when::many(total as u64, "file", "files")) }
            }
        }
    }
}

fn table<'a>(workspace: &WorkspaceId, files: impl Iterator<Item = &'a FileEntry>) -> Markup {
    html! {
        div.scroll { table.files {
            thead { tr { th scope="col" { "File" } th scope="col" { "State" } th scope="col" { "Type" } th.size scope="col" { "Size" } th scope="col" { "Changed (UTC)" } th scope="col" { "By" } } }
            tbody { @for file in files {
                tr {
                    td.path { a href=(link::source(workspace, &file.path, Span::default())) { (file.path) } @if let Some(title) = &file.title { span.title dir="auto" { (title) } } }
                    td { span.state.(file.state.name()) title=[file.reason.as_deref()] { (file.state.name()) } }
                    td { (file.format.as_deref().unwrap_or("–")) }
                    td.size { (when::size(file.size)) }
                    td.when { (when::time(file.modified)) }
                    td { (results::writer(Some(workspace), &file.provenance)) }
                }
            } }
        } }
    }
}
