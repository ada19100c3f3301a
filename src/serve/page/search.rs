//! The search view: one box, the results that it found beside the source, what narrows them, and what they leave out.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};

use super::query::{Narrowed, PAGE, Query};
use super::results::{self, Shown};
use super::shell::{self, Frame, View};
use super::viewer::Viewer;
use super::{answer, link, source, when};
use crate::engine::{ChangesRequest, Engine};
use crate::gate::Class;
use crate::search::{Coverage, Hit, SearchReply};
use crate::serve::app::Shared;
use crate::serve::door::Place;
use crate::serve::error::ApiError;
use crate::serve::extract::{InWorkspace, Parameters};
use crate::workspace::{Change, Facet, FileCounts, Scope, Verdict, WorkspaceId};

/// Values of a facet that are shown at once.
const MAX_VALUES: usize = 8;
/// Changes that the view shows before anything is searched for.
const NUM_LATEST: usize = 12;

/// Shows the box, and what was found.
pub(in crate::serve) async fn view(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Parameters(query): Parameters<Query>,
) -> Result<Response, ApiError> {
    let query = query.tidied();
    let viewer = Viewer::at(&app, &workspace).await?;
    let is_empty = query.words().is_empty() && !query.is_narrowed();
    if is_empty && !viewer.may(Scope::Search) && !viewer.may(Scope::Ask) {
        // Links to a workspace lead here.
        return Ok(Redirect::to(&View::first_for(&viewer, &workspace)).into_response());
    }
    let body = if is_empty {
        let of = workspace.clone();
        let start = app.call(move |engine| Start::of(engine, &of)).await?.0;
        start.markup(&workspace, &query, &viewer)
    } else if !viewer.may(Scope::Search) && query.wants_answer() {
        html! { (search_box(&workspace, &query, &viewer)) (answer::place(&workspace, &query)) }
    } else {
        let (of, request, is_by_time, offset) = (workspace.clone(), query.request(), query.is_by_time(), query.offset);
        let found = app.call_within(Class::Interactive, move |engine, budget| {
            let workspace = of.open(engine)?;
            let mut reply = workspace.search_within(&request, budget)?;
            if is_by_time {
                newest_first(&mut reply, offset);
            }
            let may_read = workspace.caller().may(Scope::FilesRead);
            let of_hit = |hit: &Hit| {
                if may_read {
                    workspace.verdicts_at(&hit.citation.path, hit.citation.content_hash)
                } else {
                    Ok(Vec::new())
                }
            };
            let verdicts = reply.hits.iter().map(of_hit).collect::<Result<Vec<_>, _>>()?;
            Ok((reply, verdicts))
        });
        let (reply, verdicts) = found.await?.0;
        let opened = match query.opened() {
            _ if !viewer.may(Scope::FilesRead) => html! {},
            None => source::closed(),
            Some((path, span)) => source::pane_or_why(&app, &workspace, path, span, &query.q).await,
        };
        results_view(&workspace, &query, &Found { reply, verdicts }, &opened, &viewer)
    };
    let title = if query.q.is_empty() { "Search".to_owned() } else { query.q.clone() };
    Ok(shell::page(Frame::of(&title, &workspace, View::Search, &viewer), &body))
}

/// Puts the passages in the order of the changes that brought them, newest first, and keeps one page of them.
fn newest_first(reply: &mut SearchReply, offset: usize) {
    reply
        .hits
        .sort_by(|one, other| other.citation.revision.cmp(&one.citation.revision).then(one.rank.cmp(&other.rank)));
    let next = offset.saturating_add(PAGE);
    reply.next_offset = (next < reply.hits.len()).then_some(next);
    reply.hits.truncate(next);
    reply.hits.drain(..offset.min(reply.hits.len()));
}

/// Passages, and beside each the verdicts on its content.
struct Found {
    reply: SearchReply,
    verdicts: Vec<Vec<Verdict>>,
}

fn results_view(workspace: &WorkspaceId, query: &Query, found: &Found, opened: &Markup, viewer: &Viewer) -> Markup {
    let Found { reply, verdicts } = found;
    let first = query.offset.saturating_add(1);
    html! {
        (search_box(workspace, query, viewer))
        (coverage_line(workspace, &reply.coverage, reply.partial, viewer))
        div.columns {
            aside.narrow aria-label="Narrow the results" { (narrowing(workspace, query, reply)) }
            section.found aria-label="Results" {
                @for note in &reply.notes { p.note { (note) } }
                @if query.wants_answer() && viewer.may(Scope::Ask) { (answer::place(workspace, query)) }
                @if reply.hits.is_empty() {
                    (nothing(workspace, query, &reply.coverage.files, viewer))
                } @else {
                    ol #results start=(first) {
                        @for (at, hit) in reply.hits.iter().enumerate() {
                            (results::item(&Shown { workspace, query, hit, number: first + at, viewer, verdicts: &verdicts[at] }))
                        }
                    }
                }
                div #more {
                    @if let Some(next) = reply.next_offset {
                        @let url = Query { offset: next, ..query.clone() }.url(workspace);
                        a.button href=(url) hx-get=(url) hx-select="#results > li" hx-target="#results" hx-swap="beforeend"
                            hx-select-oob="#more" { "More results" }
                    }
                }
            }
            (opened)
        }
    }
}

/// The box, with what narrows it as chips that a click takes away.
pub(super) fn search_box(workspace: &WorkspaceId, query: &Query, viewer: &Viewer) -> Markup {
    html! {
        h1.visually-hidden { "Search" @if !query.q.is_empty() { ": " (query.q) } }
        form.search action=(link::view(workspace, "")) method="get" role="search" {
            label.visually-hidden for="q" { "Search words or a question" }
            input #q type="search" name="q" value=(query.q) placeholder="Words, a \"phrase\", or a question?" autocomplete="off"
                spellcheck="false" autofocus[query.q.is_empty()] list="offered" data-complete=[viewer.may(Scope::FilesRead).then(|| link::view(workspace, "complete"))];
            datalist #offered {}
            @if viewer.may(Scope::Search) { button type="submit" { "Search" } }
            @if viewer.may(Scope::Ask) { button type="submit" name="ask" value="1" title="An answer with citations, beside the results" { "Ask" } }
            @for of in Narrowed::ALL {
                @for value in query.values(of) { input type="hidden" name=(of.name()) value=(value); }
            }
            @if !query.sort.is_empty() { input type="hidden" name="sort" value=(query.sort); }
            @if query.is_narrowed() {
                ul.chips aria-label="Narrowed by" {
                    @for of in Narrowed::ALL {
                        @for value in query.values(of) {
                            li { a href=(query.toggled(of, value).url(workspace)) aria-label={ "Remove " (of.name()) " " (value) } {
                                span.of { (of.name()) ":" } (value) span aria-hidden="true" { " ×" }
                            } }
                        }
                    }
                    @for (name, value) in [("after", &query.after), ("before", &query.before)] {
                        @if !value.is_empty() {
                            @let mut without = query.restarted();
                            @let () = if name == "after" { without.after.clear() } else { without.before.clear() };
                            li { a href=(without.url(workspace)) aria-label={ "Remove " (name) " " (value) } {
                                span.of { (name) ":" } (value) span aria-hidden="true" { " ×" }
                            } }
                        }
                    }
                }
            }
        }
    }
}

/// What was searched, in one line: each part leads to the files that it counts.
pub(super) fn coverage_line(workspace: &WorkspaceId, coverage: &Coverage, is_partial: bool, viewer: &Viewer) -> Markup {
    let FileCounts { files, ready, partial, pending, failed, empty, unsupported, listed } = coverage.files;
    let searched = ready + partial;
    let of_state = |state: &str| format!("{}?state={state}", link::view(workspace, "files"));
    let parts = [
        (failed + unsupported, "unread", "unread"),
        (partial, "read in part", "partial"),
        (empty, "without text", "empty"),
        (pending, "pending", "pending"),
        (listed, "only listed", "listed"),
    ];
    html! {
        div.coverage {
            p {
                (viewer.to_file(&link::view(workspace, "files"), &html! { (when::number(searched)) " of " (when::many(files, "file", "files")) " searched" }))
                @for (num, name, state) in parts.into_iter().filter(|(num, ..)| *num > 0) {
                    span.dot aria-hidden="true" { " · " }
                    (viewer.to_file(&of_state(state), &html! { (when::number(num)) " " (name) }))
                }
                @if coverage.embedded_fraction < 1.0 {
                    span.dot aria-hidden="true" { " · " }
                    (viewer.to_file(&link::view(workspace, "status"), &html! { (format!("{:.0}% embedded", (coverage.embedded_fraction * 100.0).floor())) }))
                }
            }
            @if is_partial { p.warning { "The time was over before everything was searched." } }
            @if !coverage.notes.is_empty() {
                details { summary { (when::many(coverage.notes.len() as u64, "note", "notes")) } ul { @for note in &coverage.notes { li { (note) } } } }
            }
        }
    }
}

fn narrowing(workspace: &WorkspaceId, query: &Query, reply: &SearchReply) -> Markup {
    let facets = reply.facets.clone().unwrap_or_default();
    let sort = |value: &str| Query { sort: value.to_owned(), ..query.restarted() }.url(workspace);
    html! {
        details open {
            summary { "Narrow" }
            h2 { "Order" }
            ul.facet {
                li { a href=(sort("")) aria-current=[(!query.is_by_time()).then_some("true")] { "Relevance" } }
                li { a href=(sort("time")) aria-current=[query.is_by_time().then_some("true")] { "Newest first" } }
            }
            (facet(workspace, query, "Type", Narrowed::Type, &facets.formats))
            (facet(workspace, query, "Folder", Narrowed::Path, &in_folders(&facets.folder)))
            (facet(workspace, query, "Agent", Narrowed::Agent, &facets.agent))
            (facet(workspace, query, "Run", Narrowed::Run, &facets.run))
            (facet(workspace, query, "Tag", Narrowed::Tag, &facets.tags))
            h2 { "Time" }
            (histogram(workspace, query, &facets.modified))
            form.times action=(link::view(workspace, "")) method="get" {
                input type="hidden" name="q" value=(query.q);
                @for of in Narrowed::ALL {
                    @for value in query.values(of) { input type="hidden" name=(of.name()) value=(value); }
                }
                label { "From " input type="date" name="after" value=(query.after); }
                label { "Until " input type="date" name="before" value=(query.before); }
                button type="submit" { "Apply" }
            }
        }
    }
}

/// Folders, as the globs that narrow to them.
fn in_folders(folders: &[Facet]) -> Vec<Facet> {
    let sign = |c: char| "*?[]{}!\\".contains(c);
    let literal = |folder: &str| {
        folder.chars().map(|c| if sign(c) { format!("\\{c}") } else { c.to_string() }).collect::<String>()
    };
    folders.iter().map(|one| Facet { value: format!("{}**", literal(&one.value)), files: one.files }).collect()
}

/// How many files were modified on which days or in which months, as bars that lead to them.
fn histogram(workspace: &WorkspaceId, query: &Query, times: &[Facet]) -> Markup {
    let most = times.iter().map(|one| one.files).max().unwrap_or(1).max(1);
    let until = |value: &str| -> Option<String> {
        let day: jiff::civil::Date =
            if value.len() > "2026-10".len() { value.parse() } else { format!("{value}-01").parse() }.ok()?;
        let next = if value.len() > "2026-10".len() { day.tomorrow() } else { day.last_of_month().tomorrow() };
        Some(next.ok()?.to_string())
    };
    html! {
        @if times.len() > 1 {
            ul.histogram {
                @for one in times {
                    @let of = Query { after: one.value.clone(), before: until(&one.value).unwrap_or_default(), ..query.restarted() };
                    li { a href=(of.url(workspace)) title={ (one.value) ": " (when::many(one.files, "file", "files")) } {
                        svg.bar viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" { rect width=(one.files * 100 / most) height="4" {} }
                        span.value { (one.value) } span.count { (when::number(one.files)) span.visually-hidden { " files" } }
                    } }
                }
            }
        }
    }
}

fn facet(workspace: &WorkspaceId, query: &Query, title: &str, of: Narrowed, values: &[Facet]) -> Markup {
    let item = |one: &Facet| {
        let is_on = query.values(of).contains(&one.value);
        html! {
            li { a href=(query.toggled(of, &one.value).url(workspace)) aria-current=[is_on.then_some("true")] {
                span.value { (one.value.strip_suffix("**").unwrap_or(&one.value)) } span.count { (when::number(one.files)) span.visually-hidden { " files" } }
            } }
        }
    };
    html! {
        @if !values.is_empty() {
            h2 { (title) }
            ul.facet {
                @for one in values.iter().take(MAX_VALUES) { (item(one)) }
                @if values.len() > MAX_VALUES {
                    li { details { summary { (values.len() - MAX_VALUES) " more" }
                        ul.facet { @for one in &values[MAX_VALUES..] { (item(one)) } }
                    } }
                }
            }
        }
    }
}

fn nothing(workspace: &WorkspaceId, query: &Query, files: &FileCounts, viewer: &Viewer) -> Markup {
    html! {
        div.notice {
            h2 { "Nothing was found" }
            @if files.files == 0 {
                p { "There are no files here yet. Put files into the workspace's folder, or send them over REST." }
            } @else if query.offset > 0 {
                p { "There are no more results. " a href=(query.restarted().url(workspace)) { "Back to the first ones" } "." }
            } @else {
                ul {
                    @if query.is_narrowed() {
                        li { a href=(Query { q: query.q.clone(), ..Query::default() }.url(workspace)) { "Search all files" } " for the same words." }
                    }
                    li { "Try fewer words, or other ones for the same thing." }
                    @if files.failed + files.unsupported + files.pending > 0 {
                        li { "It may stand in a file that "
                            (viewer.to_file(&format!("{}?state=unread", link::view(workspace, "files")), &html! { "could not be read" })) " or is not searchable yet." }
                    }
                }
            }
        }
    }
}

/// What the view shows before anything is searched for.
struct Start {
    coverage: Coverage,
    latest: Vec<Change>,
}

impl Start {
    fn of(engine: &Engine, workspace: &Place) -> Result<Self, crate::engine::EngineError> {
        let workspace = workspace.open(engine)?;
        let latest = if workspace.caller().may(Scope::FilesRead) {
            workspace.recent_changes(&ChangesRequest::newest(NUM_LATEST))?.changes
        } else {
            Vec::new()
        };
        Ok(Self { coverage: workspace.coverage()?, latest })
    }

    fn markup(&self, workspace: &WorkspaceId, query: &Query, viewer: &Viewer) -> Markup {
        let ask = |q: &str| Query { q: q.to_owned(), ..Query::default() }.url(workspace);
        html! {
            (search_box(workspace, query, viewer))
            (coverage_line(workspace, &self.coverage, false, viewer))
            div.start {
                @if self.coverage.files.files == 0 {
                    div.notice {
                        h2 { "No files yet" }
                        @if viewer.may(Scope::FilesWrite) {
                            p { "Put files into the workspace's folder, or send one:" }
                            pre { "curl -X PUT http://HOST/v1/workspaces/" (workspace) "/files/notes/first.md --data-binary @first.md"
                                @if viewer.key_id().is_some() { " -H \"Authorization: Bearer $PINCITE_API_KEY\"" } }
                        }
                    }
                } @else {
                    @if viewer.may(Scope::Ask) { section aria-labelledby="ask" {
                        h2 #ask { "Ask" }
                        ul {
                            @for question in ["What did they produce since yesterday?", "Summarize the recent outputs", "What is this workspace about?"] {
                                li { a href=(ask(question)) { (question) } }
                            }
                        }
                    } }
                    @if viewer.may(Scope::FilesRead) { section aria-labelledby="latest" {
                        h2 #latest { "Newest changes" }
                        (super::activity::table(workspace, &self.latest))
                        p { a href=(link::view(workspace, "activity")) { "All activity" } }
                    } }
                }
            }
        }
    }
}
