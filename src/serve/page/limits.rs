//! What the caller may use, and what is left of it: requests, waits, bytes of the day, and the room of each workspace.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};

use super::shell::{self, Desk, Frame};
use super::viewer::Viewer;
use super::{link, when};
use crate::engine::{Allowance, LimitedBy, LimitsReply, WorkspaceAllowance};
use crate::serve::app::Shared;
use crate::serve::door::By;
use crate::serve::error::ApiError;

/// Workspaces whose room is shown.
const MAX_WORKSPACES: usize = 200;

/// Shows what is left.
pub(in crate::serve) async fn view(State(app): Shared, By(by): By) -> Result<Response, ApiError> {
    let viewer = Viewer::of(&by);
    let read = app.call(move |engine| {
        let caller = by.caller(engine)?;
        let limits = engine.limits_of(&caller, None)?;
        let all = engine.list_workspaces(&caller)?.workspaces;
        // Of one that was just deleted, or in which the caller may read no files, nothing is told.
        let room = |name| engine.limits_of(&caller, Some(name)).ok()?.workspace;
        let rooms: Vec<_> = all.iter().take(MAX_WORKSPACES).filter_map(|one| room(&one.name)).collect();
        Ok((limits, rooms, all.len() > MAX_WORKSPACES))
    });
    let (limits, rooms, goes_on) = read.await?.0;
    let body = html! {
        h1 { "Limits" }
        (own(&limits))
        (of_workspaces(&rooms, goes_on))
    };
    let frame = Frame { title: "Limits", desk: Some(Desk::Limits), viewer: Some(&viewer), ..Frame::default() };
    Ok(shell::page(frame, &body))
}

fn own(limits: &LimitsReply) -> Markup {
    let LimitsReply { limited_by, key, requests, waits, bytes_today, chunks_today, .. } = limits;
    html! {
        section aria-labelledby="own" {
            h2 #own { "Of the caller" }
            p { @match limited_by {
                LimitedBy::Key => { "Your key" @if let Some(key) = key { " " code { (key) } } " is limited." }
                LimitedBy::Address => "The address that you call from is limited.",
                LimitedBy::Nothing => "Nothing bounds requests from this machine.",
            } }
            @if requests.is_some() || waits.is_some() || bytes_today.is_some() {
                // Nothing in it takes the keyboard, which has to scroll it.
                div.scroll tabindex="0" role="group" aria-label="Allowances" { table {
                    (head("What"))
                    tbody {
                        @if let Some(of) = requests { (row("Requests; a search counts for 2, an answer for 5", &when::number(of.quota), Some((of.left, of.quota)), &when::number(of.left), &in_seconds(of.full_in_s))) }
                        @if let Some(of) = waits { (row("Waits for a revision at once", &when::number(of.quota), of.left.map(|left| (left, of.quota)), &left(of, when::number), "when one ends") )}
                        @if let Some(of) = bytes_today { (row("Bytes written today (UTC)", &when::size(of.quota), Some((of.left, of.quota)), &when::size(of.left), &in_seconds(of.renewed_in_s))) }
                        @if let Some(of) = chunks_today { (row("Chunks of files written today (UTC), each indexed and embedded", &when::number(of.quota), Some((of.left, of.quota)), &when::number(of.left), &in_seconds(of.renewed_in_s))) }
                    }
                } }
            }
            p.hint { "Programs read them at " code { "GET /v1/limits" } ", and in the headers " code { "RateLimit" } " of every reply." }
        }
    }
}

fn of_workspaces(rooms: &[WorkspaceAllowance], goes_on: bool) -> Markup {
    html! {
        @if !rooms.is_empty() {
            section aria-labelledby="room" {
                h2 #room { "Room in workspaces" }
                div.scroll { table {
                    thead { tr { th scope="col" { "Workspace" } th.size scope="col" { "Files at most" } th.size scope="col" { "Left" } th.size scope="col" { "Bytes at most" } th.size scope="col" { "Left" } } }
                    tbody { @for WorkspaceAllowance { name, files, bytes } in rooms {
                        tr {
                            td { a href=(link::view(name, "status")) { (name) } }
                            td.size { (when::number(files.quota)) }
                            td.size { (left(files, when::number)) }
                            td.size { (when::size(bytes.quota)) }
                            td.size { (left(bytes, when::size)) }
                        }
                    } }
                } }
                @if goes_on { p.note { "The first " (MAX_WORKSPACES) " workspaces are shown." } }
            }
        }
    }
}

fn head(what: &str) -> Markup {
    html! { thead { tr { th scope="col" { (what) } th.size scope="col" { "At most" } th.size scope="col" { "Left" } th scope="col" { "All again" } } } }
}

fn row(what: &str, most: &str, part: Option<(u64, u64)>, left: &str, again: &str) -> Markup {
    html! {
        tr {
            td { (what) }
            td.size { (most) }
            td.size { (left) @if let Some((left, most)) = part { " " meter.left min="0" max=(most) value=(left) aria-label={ "Left: " (what) } {} } }
            td { (again) }
        }
    }
}

/// What is left, where it may be told.
fn left(of: &Allowance, shown: impl Fn(u64) -> String) -> String {
    of.left.map_or_else(|| "not told".to_owned(), shown)
}

fn in_seconds(seconds: u64) -> String {
    match seconds {
        0 => "now".to_owned(),
        1..120 => format!("in {}", when::many(seconds, "second", "seconds")),
        120..7_200 => format!("in {}", when::many(seconds.div_ceil(60), "minute", "minutes")),
        _ => format!("in {}", when::many(seconds.div_ceil(3_600), "hour", "hours")),
    }
}
