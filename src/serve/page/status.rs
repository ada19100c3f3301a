//! The state of a workspace: how fresh it is, what is embedded, what does not work.

use axum::extract::State;
use axum::response::Response;
use jiff::{Timestamp, ToSpan as _};
use maud::{Markup, html};

use super::shell::{self, Frame, View};
use super::viewer::Viewer;
use super::{link, when};
use crate::answer::AnswerKind;
use crate::engine::{ChangeFilters, ChangesRequest, StatusReport};
use crate::serve::app::Shared;
use crate::serve::error::ApiError;
use crate::serve::extract::InWorkspace;
use crate::workspace::{Change, ChangeKind, LockViolation, Span, WorkspaceId};

/// Columns of the plot of the last hour, of two minutes each.
const NUM_COLUMNS: usize = 30;
/// Changes of the last hour that are counted.
const MAX_CHANGES: usize = 100_000;
/// Reasons that are shown of each state.
const MAX_REASONS: usize = 5;
const PLOT_HEIGHT: u64 = 40;

/// Shows the state.
pub(in crate::serve) async fn view(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    let now = Timestamp::now();
    let since = now.checked_sub(1.hour()).unwrap_or(now);
    let read = app.call(move |engine| {
        let workspace = of.open(engine)?;
        let filters = ChangeFilters { since: Some(since), ..ChangeFilters::default() };
        let changes = workspace.recent_changes(&ChangesRequest { limit: MAX_CHANGES, filters, facets: false })?.changes;
        Ok((workspace.status()?.for_client(), changes))
    });
    let (report, changes) = read.await?.0;
    let body = shown(&workspace, &report, &changes, since);
    Ok(shell::page(Frame::of("Status", &workspace, View::Status, &Viewer::at(&app, &workspace).await?), &body))
}

fn shown(workspace: &WorkspaceId, report: &StatusReport, changes: &[Change], since: Timestamp) -> Markup {
    let files = &report.coverage.files;
    let percent = (report.coverage.embedded_fraction * 100.0).floor();
    let figure = |name: &str, value: String| html! { div.figure { dt { (name) } dd { (value) } } };
    html! {
        h1 { "Status" }
        dl.figures {
            (figure("Revision", report.revision.0.to_string()))
            (figure("Files", when::number(files.files)))
            (figure("Searchable", when::number(files.ready + files.partial)))
            (figure("Pending", when::number(files.pending)))
            (figure("Chunks", when::number(report.num_chunks as u64)))
            (figure("With a vector", when::number(report.num_embedded as u64)))
        }
        p { label { "Embedded " progress max="100" value=(percent) { (percent) "%" } } " " (percent) "%" }
        section aria-labelledby="hour" {
            h2 #hour { "Changes of the last hour" }
            (plot(changes, since))
        }
        section aria-labelledby="works" {
            h2 #works { "What answers" }
            dl.facts {
                dt { "Embedding model" } dd { (report.model.name) @if let Some(reason) = &report.model.reason { " " span.warning { (reason) } } @else { " runs" } }
                dt { "Answers" } dd { @match (report.answerer.kind, &report.answerer.model) {
                    (AnswerKind::Model, Some(model)) => { "written by " (model) ", each sentence checked" }
                    _ => "sentences of the files, verbatim",
                } }
                @if let Some(reranker) = &report.reranker { dt { "Reranker" } dd { (reranker.name) @if let Some(reason) = &reranker.reason { " " span.warning { (reason) } } } }
                dt { "Index" } dd { @if report.read_only { "another process keeps it up to date, or none" } @else { "this process keeps it up to date" } }
                @if let Some(scanned) = report.source.scanned { dt { "Last scan" } dd { (when::time(scanned)) " UTC" } }
            }
        }
        @let problems: Vec<&String> = report.source.notes.iter().chain(&report.coverage.notes).chain(&report.stuck).chain(&report.weakness).collect();
        @if !problems.is_empty() {
            section aria-labelledby="health" { h2 #health { "To know" } ul { @for one in problems { li { (one) } } } }
        }
        (violations(workspace, &report.lock_violations))
        @if let Some(reading) = &report.reading { p.note { "Reading " (reading.path) } }
        @if report.rebuild.is_some() { p.note { "A new index is being built while the old one answers." } }
        @if !report.not_ready.is_empty() {
            section aria-labelledby="unread" {
                h2 #unread { "Not searchable, or only in part" }
                table {
                    thead { tr { th scope="col" { "State" } th scope="col" { "Reason" } th.size scope="col" { "Files" } } }
                    tbody { @for (state, groups) in &report.not_ready { @for group in groups.iter().take(MAX_REASONS) {
                        tr {
                            td { a href={ (link::view(workspace, "files")) "?state=" (state) } { (state) } }
                            td { (group.reason.as_deref().unwrap_or("–")) }
                            td.size { (when::number(group.num_files as u64)) }
                        }
                    } } }
                }
            }
        }
        @if !report.passed_over.is_empty() {
            section aria-labelledby="over" { h2 #over { "Passed over by the scan" } ul { @for one in report.passed_over.iter().take(50) { li { (one) } } } }
        }
    }
}

/// Changes of locked files past us.
pub(super) fn violations(workspace: &WorkspaceId, violations: &[LockViolation]) -> Markup {
    html! {
        @if !violations.is_empty() {
            section aria-labelledby="violated" {
                h2 #violated { "Locked files that were changed past pincite" }
                div.scroll tabindex="0" role="group" aria-label="Violations" { table {
                    thead { tr { th scope="col" { "Found (UTC)" } th scope="col" { "Change" } th scope="col" { "File" } th scope="col" { "Lock" } } }
                    tbody { @for LockViolation { path, revision, kind, at, lock } in violations {
                        tr {
                            td.when { (when::time(*at)) span.title { "revision " (revision.0) } }
                            td { span.kind.(kind.name()) { (kind.name()) } }
                            td.path dir="auto" { @if *kind == ChangeKind::Deleted { (path) } @else { a href=(link::source(workspace, path, Span::default())) { (path) } } }
                            td.words dir="auto" { "of " strong { (lock.holder) } @if let Some(reason) = &lock.reason { ", " (reason) } span.title { code { (lock.lock_id) } " · fence " (lock.fence) } }
                        }
                    } }
                } }
            }
        }
    }
}

/// How many changes there were in each stretch of the last hour, as bars.
fn plot(changes: &[Change], since: Timestamp) -> Markup {
    let mut columns = [0_u64; NUM_COLUMNS];
    for change in changes {
        let minutes = (change.at.as_second() - since.as_second()).max(0) / 60;
        let at = usize::try_from(minutes / 2).unwrap_or(0).min(NUM_COLUMNS - 1);
        columns[at] += 1;
    }
    let most = columns.iter().copied().max().unwrap_or(0);
    html! {
        @if most == 0 { p.note { "None." } } @else {
            svg.plot viewBox={ "0 0 " (NUM_COLUMNS * 8) " " (PLOT_HEIGHT) } role="img"
                aria-label={ (when::many(changes.len() as u64, "change", "changes")) ", at most " (when::number(most)) " in two minutes" } {
                @for (at, num) in columns.iter().enumerate() {
                    @let height = (num * PLOT_HEIGHT).div_ceil(most);
                    rect x=(at * 8) y=(PLOT_HEIGHT - height) width="6" height=(height) {}
                }
            }
            p.note { (when::many(changes.len() as u64, "change", "changes")) ", at most " (when::number(most)) " in two minutes" }
        }
    }
}
