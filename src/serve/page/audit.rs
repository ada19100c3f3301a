//! The audit journal: who has done and seen what, in one workspace or in all, and who has seen a quote.

use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::keys::invalid;
use super::shell::{self, Desk, Frame, View};
use super::viewer::Viewer;
use super::{keys, link, when};
use crate::engine::{
    ActorKind, AuditEntry, AuditReply, AuditRequest, AuditResult, Engine, EngineError, Head, ShownFile,
};
use crate::gate::Class;
use crate::serve::app::Shared;
use crate::serve::door::By;
use crate::serve::error::ApiError;
use crate::serve::extract::{InWorkspace, Parameters};
use crate::workspace::{RelPath, Scope, Span, WorkspaceId};

/// Entries of one page.
const PAGE: usize = 100;
/// Places of files that are shown of one entry.
const MAX_PLACES: usize = 8;
/// The journal of all workspaces.
const OF_ALL: &str = "/audit";

/// Which entries are shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Shown {
    /// `PATH#START-END`, or `PATH`: only accesses whose reply showed a part of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    cited: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    path: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    key: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    agent: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    action: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    result: String,
    /// The first day that is shown, in UTC.
    #[serde(skip_serializing_if = "String::is_empty")]
    since: String,
    /// The last day that is shown, in UTC.
    #[serde(skip_serializing_if = "String::is_empty")]
    until: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    cursor: String,
}

impl Shown {
    fn url(&self, place: &str) -> String {
        // Text can always be written.
        let parameters = serde_html_form::to_string(self).unwrap_or_default();
        if parameters.is_empty() { place.to_owned() } else { format!("{place}?{parameters}") }
    }

    /// The file of the place that is asked for.
    fn cited_file(&self) -> &str {
        let cited = self.cited.trim();
        cited.rsplit_once('#').filter(|(_, span)| link::span(span).is_some()).map_or(cited, |(path, _)| path)
    }

    fn request(&self) -> Result<AuditRequest, ApiError> {
        let one = |value: &String| Some(value.trim().to_owned()).filter(|value| !value.is_empty());
        let day = |value: &String, name| one(value).map(|day| day_of(&day, name)).transpose();
        let result = one(&self.result).map(|result| {
            let known = RESULTS.into_iter().find(|known| known.name() == result);
            known.ok_or_else(|| invalid("result", "choose one of the list"))
        });
        let cursor = one(&self.cursor).map(|cursor| {
            cursor.parse().map_err(|_| invalid("cursor", "follow the link to older entries of the list"))
        });
        let next_day = |day: Date| day.tomorrow().map_err(|_| invalid("until", "give a day of our time"));
        Ok(AuditRequest {
            path: one(&self.path).into_iter().collect(),
            agent: one(&self.agent),
            key: one(&self.key),
            action: one(&self.action),
            result: result.transpose()?,
            is_conflict: false,
            since: day(&self.since, "since")?.map(|day| midnight(day, "since")).transpose()?,
            until: day(&self.until, "until")?
                .map(next_day)
                .transpose()?
                .map(|day| midnight(day, "until"))
                .transpose()?,
            cited: one(&self.cited),
            cursor: cursor.transpose()?,
            limit: PAGE,
        })
    }
}

const RESULTS: [AuditResult; 3] = [AuditResult::Success, AuditResult::Failure, AuditResult::Begun];

fn day_of(day: &str, name: &str) -> Result<Date, ApiError> {
    day.parse().map_err(|_| invalid(name, "give a day as YYYY-MM-DD"))
}

fn midnight(day: Date, name: &str) -> Result<Timestamp, ApiError> {
    let begins = day.to_zoned_datetime(TimeZone::UTC).map_err(|_| invalid(name, "give a day of our time"))?;
    Ok(begins.timestamp())
}

/// The view that answers who has seen a place of a file.
pub(super) fn who_has_seen(workspace: &WorkspaceId, path: &RelPath, span: Span) -> String {
    let cited = if span.is_empty() { path.to_string() } else { format!("{path}#{}", link::at(span)) };
    Shown { cited, ..Shown::default() }.url(&link::view(workspace, "audit"))
}

/// Shows what was done in a workspace, newest first.
pub(in crate::serve) async fn view(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Parameters(shown): Parameters<Shown>,
) -> Result<Response, ApiError> {
    let request = shown.request()?;
    let of = workspace.clone();
    let find = move |engine: &Engine, budget: &crate::budget::Budget| of.open(engine)?.audit(&request, budget);
    let reply = app.call_within(Class::Interactive, find).await?.0;
    let viewer = Viewer::at(&app, &workspace).await?;
    let place = link::view(&workspace, "audit");
    let list = List { place: &place, workspace: Some(&workspace), viewer: &viewer, cited: shown.cited_file() };
    let body = html! {
        h1 { @if shown.cited.trim().is_empty() { "Audit" } @else { "Who has seen this" } }
        (list.shown(&shown, &reply))
    };
    Ok(shell::page(Frame::of("Audit", &workspace, View::Audit, &viewer), &body))
}

/// Shows what was done in all workspaces and beside them, newest first.
pub(in crate::serve) async fn of_all(
    State(app): Shared,
    By(by): By,
    Parameters(shown): Parameters<Shown>,
) -> Result<Response, ApiError> {
    let viewer = Viewer::of(&by);
    let request = shown.request()?;
    let find = move |engine: &Engine, budget: &crate::budget::Budget| {
        let caller = by.caller(engine)?;
        let reply = engine.audit(&caller, &request, budget)?;
        let head = engine.audit_head(&caller)?;
        Ok::<(AuditReply, Head), EngineError>((reply, head))
    };
    let (reply, head) = app.call_within(Class::Interactive, find).await?.0;
    let list = List { place: OF_ALL, workspace: None, viewer: &viewer, cited: shown.cited_file() };
    let body = html! {
        h1 { "Audit of all workspaces" }
        (list.shown(&shown, &reply))
        section aria-labelledby="head" {
            h2 #head { "The newest entry" }
            p { code { (head) } }
            p.hint { "Kept elsewhere, it proves later that nothing before it was changed or cut off: " code { "pincite audit verify --head SEQ:HASH" } "." }
        }
    };
    let frame = Frame { title: "Audit", desk: Some(Desk::Audit), viewer: Some(&viewer), ..Frame::default() };
    Ok(shell::page(frame, &body))
}

/// Where the list is, and who looks at it.
struct List<'a> {
    place: &'a str,
    workspace: Option<&'a WorkspaceId>,
    viewer: &'a Viewer,
    /// The file of the place that entries are to have shown; empty where none is asked for.
    cited: &'a str,
}

impl List<'_> {
    fn shown(&self, shown: &Shown, reply: &AuditReply) -> Markup {
        html! {
            (self.cited(shown))
            (self.form(shown))
            @for note in &reply.notes { p.warning { (note) } }
            @if reply.entries.is_empty() {
                div.notice {
                    h2 { "No entries" }
                    p { @if reply.next.is_some() { "None was found in the time that a page has; the search goes on with older ones." }
                        @else if shown.cited.trim().is_empty() { "Nothing in the journal fits." }
                        @else { "The journal has no reply that showed a part of it." } }
                }
            } @else {
                div.scroll { table {
                    thead { tr { th scope="col" { "When (UTC)" } th scope="col" { "What" } th scope="col" { "Who" } th scope="col" { "From" } th scope="col" { "Named or shown" } } }
                    tbody { @for entry in &reply.entries { (self.row(entry)) } }
                } }
            }
            @if let Some(next) = reply.next {
                @let older = Shown { cursor: next.to_string(), ..shown.clone() };
                p.more { a.button href=(older.url(self.place)) { "Older entries" } @if reply.partial { span.note { " The time of a page was over before all entries were read." } } }
            }
        }
    }

    /// The place that entries are to have shown, with the way to it.
    fn cited(&self, shown: &Shown) -> Markup {
        let cited = shown.cited.trim();
        let all = Shown { cited: String::new(), cursor: String::new(), ..shown.clone() };
        html! {
            @if !cited.is_empty() {
                p.place { "Replies that showed a part of " @match self.file(cited) { Some(url) => { a href=(url) { (cited) } } None => { code { (cited) } } } ", also where the content has another path. "
                    a href=(all.url(self.place)) { "All entries" } }
            }
        }
    }

    /// The URL of a place `PATH#START-END` or `PATH`, where the viewer may go there.
    fn file(&self, place: &str) -> Option<String> {
        let workspace = self.workspace.filter(|_| self.viewer.may(Scope::FilesRead))?;
        let with_span = place.rsplit_once('#').and_then(|(path, span)| Some((path, link::span(span)?)));
        let (path, span) = with_span.unwrap_or((place, Span::default()));
        Some(link::source(workspace, &path.parse().ok()?, span))
    }

    fn form(&self, shown: &Shown) -> Markup {
        html! {
            form.scope method="get" action=(self.place) role="search" {
                @if !shown.cited.is_empty() { input type="hidden" name="cited" value=(shown.cited); }
                label { "Path " input name="path" value=(shown.path) placeholder="reports/**"; }
                label { "Verb " input name="action" value=(shown.action) placeholder="search"; }
                label { "Key " input name="key" value=(shown.key) placeholder="3fJk9QzL"; }
                label { "Agent " input name="agent" value=(shown.agent); }
                label { "Result " select name="result" {
                    option value="" { "any" }
                    @for result in RESULTS { option value=(result.name()) selected[shown.result == result.name()] { (result.name()) } }
                } }
                label { "From " input type="date" name="since" value=(shown.since); }
                label { "To " input type="date" name="until" value=(shown.until); }
                button type="submit" { "Show" }
            }
        }
    }

    fn row(&self, entry: &AuditEntry) -> Markup {
        html! {
            tr {
                td.when { (when::time(entry.at)) span.title { "#" (entry.seq) } }
                td {
                    code { (entry.action) } " " (badge(entry))
                    @if let Some(count) = entry.count { span.of { " " (when::many(count, "time", "times")) } }
                    @if let Some(part) = entry.part { span.of { " part " (part) } }
                    @if let Some(begun) = entry.begun { span.of { " of #" (begun) } }
                    @if let Some(duration) = entry.duration_ms { span.title { (when::number(duration)) " ms" } }
                }
                td { (self.actor(entry)) }
                td { (entry.surface) @if let Some(address) = &entry.address { span.title { (address) } } }
                td.path.seen { (self.touched(entry)) }
            }
        }
    }

    fn actor(&self, entry: &AuditEntry) -> Markup {
        let actor = &entry.by;
        html! {
            @match (actor.kind, &actor.key) {
                (ActorKind::Key, Some(id)) => {
                    (actor.name.as_deref().unwrap_or("a key"))
                    span.title { @if self.viewer.may(Scope::Keys) { a href=(keys::url_of(id, "")) { code { (id) } } } @else { code { (id) } }
                        @if let Some(agent) = &actor.agent { " writes as " (agent) } }
                }
                (ActorKind::LocalUser, _) => "this machine's user",
                (ActorKind::Journal, _) => "the journal itself",
                _ => "nobody known",
            }
        }
    }

    /// The files that an entry names and the places that its reply showed, with what a person is told beside.
    fn touched(&self, entry: &AuditEntry) -> Markup {
        let mut places: Vec<String> = entry.paths.iter().cloned().chain(entry.shown.iter().flat_map(places)).collect();
        // Those that the entry is listed for come first, and are never among those that are only counted.
        places.sort_by_key(|place| self.cited.is_empty() || !place.starts_with(self.cited));
        let workspace = entry.workspace.as_deref().filter(|_| self.workspace.is_none());
        html! {
            @if let Some(workspace) = workspace { span.of { "workspace " (workspace) } }
            @if let Some(key) = &entry.about_key { span.of { "key " code { (key) } } }
            @for place in places.iter().take(MAX_PLACES) {
                div dir="auto" { @match self.file(place) { Some(url) => { a href=(url) { (place) } } None => (place) } }
            }
            @if places.len() > MAX_PLACES { div.of { "and " (when::many((places.len() - MAX_PLACES) as u64, "place", "places")) " more" } }
            @if let Some(message) = &entry.message { div.of { (message) } }
        }
    }
}

/// The places of a file that were shown.
fn places(file: &ShownFile) -> Vec<String> {
    if file.spans.is_empty() {
        return vec![file.path.clone()];
    }
    file.spans.iter().map(|span| format!("{}#{}", file.path, link::at(*span))).collect()
}

fn badge(entry: &AuditEntry) -> Markup {
    let class = match entry.result {
        AuditResult::Success => "valid",
        AuditResult::Begun => "changed",
        AuditResult::Failure => "deleted",
    };
    html! { span.badge.(class) { (entry.code.as_deref().unwrap_or_else(|| entry.result.name())) } }
}
