//! One key: its rights, and how they are narrowed, its secret replaced, and it revoked.

use std::collections::BTreeSet;

use axum::extract::{Path, State};
use axum::response::Response;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;

use super::form::{Empty, Write, then_see};
use super::keys::{self, invalid, url_of};
use super::shell;
use super::viewer::Viewer;
use super::when;
use crate::engine::{KeyPatch, KeyState, KeySummary, Overlap};
use crate::serve::app::Shared;
use crate::serve::door::By;
use crate::serve::error::ApiError;
use crate::workspace::{Scope, Scopes, WorkspaceId};

/// How long both secrets may hold, for the list of the form.
const OVERLAPS: [(u32, &str); 5] = [
    (3_600, "for an hour"),
    (86_400, "for a day"),
    (604_800, "for a week"),
    (300, "for five minutes"),
    (0, "no longer"),
];

/// Shows a key.
pub(in crate::serve) async fn view(
    State(app): Shared,
    By(by): By,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let viewer = Viewer::of(&by);
    let key = app.call(move |engine| engine.key(&by.caller(engine)?, &id)).await?.0;
    let body = html! {
        h1 { (key.name) " " (keys::state(key.state)) }
        (facts(&key, &viewer))
        @if key.state == KeyState::Active {
            (narrowing(&key, &viewer))
            section aria-labelledby="rotate" {
                h2 #rotate { "Replace its secret" }
                form.fields method="post" action=(url_of(&key.id, "rotate")) {
                    (viewer.stamp())
                    label { "The secret of now holds" select name="overlap_s" { @for (seconds, words) in OVERLAPS { option value=(seconds) { (words) } } } }
                    div { button type="submit" { "Make another secret" } }
                }
            }
            section aria-labelledby="revoke" {
                h2 #revoke { "Revoke it" }
                p { a.button.danger href=(url_of(&key.id, "revoke")) { "Revoke …" } }
            }
        }
        p { a href="/keys" { "All keys" } }
    };
    Ok(shell::page(keys::frame(&key.name, &viewer), &body))
}

fn facts(key: &KeySummary, viewer: &Viewer) -> Markup {
    html! {
        dl.facts {
            dt { "Id" } dd { code { (key.id) } @if viewer.key_id() == Some(key.id.as_str()) { span.of { " this browser is signed in with it" } } }
            dt { "May" } dd { (key.scopes) }
            dt { "Workspaces" } dd { @match &key.workspaces { None => "all", Some(names) => (joined(names)) } }
            dt { "Files" } dd {
                @if key.path_globs.is_empty() { "all" }
                @for (at, list) in key.path_globs.iter().enumerate() { @if at > 0 { " and also " } code { (list.join("  ")) } }
            }
            dt { "Writes as" } dd { (key.agent.as_deref().unwrap_or("whatever a request says")) }
            dt { "Made by" } dd { @match &key.made_by { None => "this machine's user", Some(id) => code { (id) } } }
            dt { "Made" } dd { (when::time(key.created_at)) " UTC" }
            dt { "Ends" } dd { (when::time(key.expires_at)) " UTC" }
        }
    }
}

fn joined(names: &[WorkspaceId]) -> String {
    names.iter().map(WorkspaceId::as_str).collect::<Vec<_>>().join(", ")
}

fn narrowing(key: &KeySummary, viewer: &Viewer) -> Markup {
    let held: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| key.scopes.allow(*scope)).collect();
    let workspaces = key.workspaces.iter().flatten().map(WorkspaceId::as_str).collect::<Vec<_>>().join("\n");
    html! {
        section aria-labelledby="narrow" {
            h2 #narrow { "Rename or narrow it" }
            p.hint { "A key can lose rights, and never gets more." }
            form.fields method="post" action=(url_of(&key.id, "")) {
                (viewer.stamp())
                label { "Name" input name="name" required maxlength="100" value=(key.name) autocomplete="off"; }
                (keys::rights(&held, &key.scopes))
                label { "Workspaces that it keeps, one a line" @if key.workspaces.is_none() { "; none for all" }
                    textarea name="workspaces" rows="2" spellcheck="false" { (workspaces) } }
                label { "Globs that a path must match besides, one a line" textarea name="globs" rows="2" spellcheck="false" {} }
                label { "Ends already on this day (UTC)" input type="date" name="until"; }
                div { button type="submit" { "Save" } }
            }
        }
    }
}

/// What a form changes of a key.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Changed {
    name: String,
    scope: Vec<Scope>,
    workspaces: String,
    globs: String,
    until: String,
}

/// Renames or narrows a key.
pub(in crate::serve) async fn change(
    State(app): Shared,
    By(by): By,
    Path(id): Path<String>,
    Write(changed): Write<Changed>,
) -> Result<Response, ApiError> {
    let until = match changed.until.trim() {
        "" => None,
        day => {
            let day: Date = day.parse().map_err(|_| invalid("until", "give a day as YYYY-MM-DD"))?;
            let midnight =
                day.to_zoned_datetime(TimeZone::UTC).map_err(|_| invalid("until", "give a day of our time"))?;
            Some(midnight.timestamp())
        }
    };
    let workspaces = keys::names(&changed.workspaces)?;
    let globs = keys::lines(&changed.globs);
    let scopes: Scopes = changed.scope.into_iter().collect();
    let (name, back) = (changed.name.trim().to_owned(), url_of(&id, ""));
    let change = app.call(move |engine| {
        let caller = by.caller(engine)?;
        let key = engine.key(&caller, &id)?;
        // A field that stays as it is changes nothing, also where another request has narrowed the key meanwhile.
        let patch = KeyPatch {
            name: (name != key.name).then_some(name),
            scopes: (scopes != key.scopes).then_some(scopes),
            workspaces: workspaces.filter(|names| Some(names) != key.workspaces.as_ref()),
            path_globs: (!globs.is_empty()).then_some(globs),
            expires_at: until,
        };
        engine.change_key(&caller, &id, &patch)
    });
    then_see(change, &back).await
}

/// How long the former secret holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Replaced {
    overlap_s: Option<u32>,
}

/// Replaces the secret of a key, and shows the new one this once.
pub(in crate::serve) async fn rotate(
    State(app): Shared,
    By(by): By,
    Path(id): Path<String>,
    Write(Replaced { overlap_s }): Write<Replaced>,
) -> Result<Response, ApiError> {
    let viewer = Viewer::of(&by);
    let made =
        app.call(move |engine| engine.rotate_key(&by.caller(engine)?, &id, Overlap { overlap_s, s3: false })).await?.0;
    Ok(keys::shown_once(&made, &viewer))
}

/// Asks whether a key is to be revoked, and says which ones go with it.
pub(in crate::serve) async fn confirm(
    State(app): Shared,
    By(by): By,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let viewer = Viewer::of(&by);
    let read = app.call(move |engine| {
        let caller = by.caller(engine)?;
        Ok((engine.key(&caller, &id)?, engine.list_keys(&caller)?.keys))
    });
    let (key, all) = read.await?.0;
    let with_it = made_with(&key, &all);
    let is_own = viewer.key_id() == Some(key.id.as_str());
    let body = html! {
        h1 { "Revoke " (key.name) "?" }
        div.notice.error {
            p { "No request with it is answered from then on, in any process. This cannot be undone." }
            @if is_own { p { strong { "This browser is signed in with it." } } }
            @if !with_it.is_empty() {
                p { "The keys that were made with it are revoked, too:" }
                ul { @for one in &with_it { li { a href=(url_of(&one.id, "")) { (one.name) } " " code { (one.id) } } } }
            }
            form method="post" action=(url_of(&key.id, "revoke")) {
                (viewer.stamp())
                button.danger type="submit" { "Revoke" @if !with_it.is_empty() { " all " (with_it.len() + 1) } } " "
                a.button href=(url_of(&key.id, "")) { "Keep it" }
            }
        }
    };
    Ok(shell::page(keys::frame("Revoke a key", &viewer), &body))
}

/// The keys that hold and were made with a key, and with those.
fn made_with<'a>(key: &KeySummary, all: &'a [KeySummary]) -> Vec<&'a KeySummary> {
    let mut known: BTreeSet<&str> = BTreeSet::from([key.id.as_str()]);
    let mut found: Vec<&KeySummary> = Vec::new();
    loop {
        let is_next = |one: &&KeySummary| {
            one.made_by.as_deref().is_some_and(|maker| known.contains(maker)) && !known.contains(one.id.as_str())
        };
        let next: Vec<&KeySummary> = all.iter().filter(is_next).collect();
        if next.is_empty() {
            found.retain(|one| one.state == KeyState::Active);
            return found;
        }
        known.extend(next.iter().map(|one| one.id.as_str()));
        found.extend(next);
    }
}

/// Revokes a key.
pub(in crate::serve) async fn revoke(
    State(app): Shared,
    By(by): By,
    Path(id): Path<String>,
    Write(Empty {}): Write<Empty>,
) -> Result<Response, ApiError> {
    then_see(app.call(move |engine| engine.revoke_key(&by.caller(engine)?, &id)), "/keys").await
}
