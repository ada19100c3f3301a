//! Keys: those that the caller may see, and the form for another one.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::form::Write;
use super::shell::{self, Desk, Frame};
use super::viewer::Viewer;
use super::{link, when};
use crate::engine::{KeyState, KeySummary, MadeKey, NewKey};
use crate::serve::app::Shared;
use crate::serve::door::By;
use crate::serve::error::ApiError;
use crate::serve::extract::Parameters;
use crate::workspace::{Scope, Scopes, WorkspaceId};

/// Keys of one page.
const PAGE: usize = 100;
/// Workspaces and globs that the list names of one key.
const MAX_NAMED: usize = 3;
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Which keys are shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Shown {
    /// Any value: those that hold no more.
    #[serde(skip_serializing_if = "String::is_empty")]
    ended: String,
    /// A part of the name, the agent or the id.
    #[serde(skip_serializing_if = "String::is_empty")]
    q: String,
    #[serde(skip_serializing_if = "is_zero")]
    offset: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Shown {
    fn url(&self) -> String {
        // Text and numbers can always be written.
        let parameters = serde_html_form::to_string(self).unwrap_or_default();
        if parameters.is_empty() { "/keys".to_owned() } else { format!("/keys?{parameters}") }
    }

    fn admits(&self, key: &KeySummary) -> bool {
        let words = self.q.trim().to_lowercase();
        let has = |text: &str| text.to_lowercase().contains(&words);
        (key.state == KeyState::Active) == self.ended.is_empty()
            && (has(&key.name) || has(&key.id) || key.agent.as_deref().is_some_and(has))
    }
}

/// Lists the keys.
pub(in crate::serve) async fn view(
    State(app): Shared,
    By(by): By,
    Parameters(shown): Parameters<Shown>,
) -> Result<Response, ApiError> {
    let viewer = Viewer::of(&by);
    let read = app.call(move |engine| Ok((engine.list_keys(&by.caller(engine)?)?.keys, engine.has_keys()?)));
    let (keys, has_keys) = read.await?.0;
    let body = listed(&shown, &keys, has_keys, &viewer);
    Ok(shell::page(frame("Keys", &viewer), &body))
}

pub(super) fn frame<'a>(title: &'a str, viewer: &'a Viewer) -> Frame<'a> {
    Frame { title, desk: Some(Desk::Keys), viewer: Some(viewer), ..Frame::default() }
}

fn listed(shown: &Shown, keys: &[KeySummary], has_keys: bool, viewer: &Viewer) -> Markup {
    let num_active = keys.iter().filter(|key| key.state == KeyState::Active).count();
    let fitting: Vec<&KeySummary> = keys.iter().filter(|key| shown.admits(key)).collect();
    let next = shown.offset.saturating_add(PAGE);
    let tabs = [("", "In force", num_active), ("1", "Ended", keys.len() - num_active)];
    html! {
        h1 { "Keys" }
        p.hint { "A key says who asks, and what it may do and see. " a href="#make" { "Make a key" } }
        @if has_keys {
            form.scope method="get" action="/keys" role="search" {
                @if !shown.ended.is_empty() { input type="hidden" name="ended" value="1"; }
                label { "Name, agent or id " input name="q" value=(shown.q); }
                button type="submit" { "Show" }
            }
            ul.chips aria-label="States" {
                @for (ended, name, num) in tabs {
                    @let of = Shown { ended: ended.to_owned(), q: shown.q.clone(), offset: 0 };
                    li { a href=(of.url()) aria-current=[(shown.ended.is_empty() == ended.is_empty()).then_some("true")] { (name) " " span.count { (when::number(num as u64)) } } }
                }
            }
            @if fitting.is_empty() {
                div.notice { p { "No key is shown here." } }
            } @else {
                (table(fitting.iter().copied().skip(shown.offset).take(PAGE), viewer))
            }
            @if shown.offset > 0 || next < fitting.len() {
                p.more {
                    @if shown.offset > 0 { a.button href=(Shown { offset: shown.offset.saturating_sub(PAGE), ..shown.clone() }.url()) { "Previous" } " " }
                    @if next < fitting.len() { a.button href=(Shown { offset: next, ..shown.clone() }.url()) { "Next" } }
                    span.note { " of " (when::many(fitting.len() as u64, "key", "keys")) }
                }
            }
        } @else {
            div.notice {
                p { "No key was made yet: whoever reaches this address owns every workspace." }
                p { strong { "From the first key on, every request needs one, and so does this page." } " Let the first one have the right " code { "admin" } "." }
            }
        }
        (form(has_keys, viewer))
    }
}

fn table<'a>(keys: impl Iterator<Item = &'a KeySummary>, viewer: &Viewer) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th scope="col" { "Key" } th scope="col" { "May" } th scope="col" { "Workspaces" } th scope="col" { "Files" } th scope="col" { "Writes as" } th scope="col" { "Ends (UTC)" } th scope="col" { "State" } } }
            tbody { @for key in keys {
                tr {
                    td.path { a href=(url_of(&key.id, "")) { (key.name) } @if viewer.key_id() == Some(key.id.as_str()) { span.of { " this browser's" } } span.title { code { (key.id) } } }
                    td { (key.scopes) }
                    td { (workspaces(key)) }
                    td { (globs(key)) }
                    td { (key.agent.as_deref().unwrap_or("–")) }
                    td.when { (when::time(key.expires_at)) }
                    td { (state(key.state)) }
                }
            } }
        } }
    }
}

pub(super) fn state(state: KeyState) -> Markup {
    let (word, class) = match state {
        KeyState::Active => ("in force", "valid"),
        KeyState::Expired => ("expired", "changed"),
        KeyState::Revoked => ("revoked", "deleted"),
    };
    html! { span.badge.(class) { (word) } }
}

fn workspaces(key: &KeySummary) -> Markup {
    match &key.workspaces {
        None => html! { "all" },
        Some(names) => html! {
            (names.iter().take(MAX_NAMED).map(WorkspaceId::as_str).collect::<Vec<_>>().join(", "))
            @if names.len() > MAX_NAMED { " and " (names.len() - MAX_NAMED) " more" }
        },
    }
}

fn globs(key: &KeySummary) -> Markup {
    let all: Vec<&str> = key.path_globs.iter().flatten().map(String::as_str).collect();
    html! {
        @if all.is_empty() { "all" } @else {
            code { (all.iter().take(MAX_NAMED).copied().collect::<Vec<_>>().join("  ")) }
            @if all.len() > MAX_NAMED { " and " (all.len() - MAX_NAMED) " more" }
        }
    }
}

/// The URL of a key, or of what is done with it.
pub(super) fn url_of(id: &str, act: &str) -> String {
    let id = link::value(id);
    if act.is_empty() { format!("/keys/{id}") } else { format!("/keys/{id}/{act}") }
}

/// What a right lets a key do.
const fn about(scope: Scope) -> &'static str {
    match scope {
        Scope::FilesRead => "read and list files, changes, status and verdicts; verify citations",
        Scope::FilesWrite => "write and delete files, send events, give verdicts",
        Scope::Search => "search",
        Scope::Ask => "ask questions",
        Scope::Locks => "take and release locks",
        Scope::Webhooks => "make and change webhooks",
        Scope::AuditRead => "read the audit",
        Scope::Keys => "make and revoke keys that may no more than itself",
        Scope::Admin => "everything: also make and delete workspaces",
    }
}

/// Boxes for rights: those of `offered`, checked where they are in `held`.
pub(super) fn rights(offered: &[Scope], held: &Scopes) -> Markup {
    html! {
        fieldset {
            legend { "It may" }
            @for scope in offered {
                label.choice { input type="checkbox" name="scope" value=(scope) checked[held.0.contains(scope)]; " " code { (scope) } span.of { " " (about(*scope)) } }
            }
        }
    }
}

fn form(has_keys: bool, viewer: &Viewer) -> Markup {
    let offered: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| viewer.may(*scope)).collect();
    let usual: &[Scope] = if has_keys { &[Scope::FilesRead, Scope::Search, Scope::Ask] } else { &[Scope::Admin] };
    html! {
        section.make aria-labelledby="make" {
            h2 #make { "Make a key" }
            form.fields method="post" action="/keys" {
                (viewer.stamp())
                label { "Name" input name="name" required maxlength="100" placeholder="nightly writer" autocomplete="off"; }
                (rights(&offered, &usual.iter().copied().collect()))
                label { "Workspaces, one a line; none for all that your key reaches" textarea name="workspaces" rows="2" spellcheck="false" {} }
                label { "Files, as globs, one a line; none for all" textarea name="globs" rows="2" placeholder="reports/**" spellcheck="false" {} }
                label { "Writes as this agent; empty for whatever a request says" input name="agent" maxlength="200" autocomplete="off"; }
                label { "Days that it holds, at most 366; empty for 90" input name="days" inputmode="numeric" pattern="[0-9]{1,3}" autocomplete="off"; }
                div { button.first type="submit" { "Make the key" } }
            }
        }
    }
}

/// A key as the form has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Wanted {
    name: String,
    scope: Vec<Scope>,
    workspaces: String,
    globs: String,
    agent: String,
    days: String,
}

/// The lines of a field that say something.
pub(super) fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The workspaces that the lines of a field name.
pub(super) fn names(text: &str) -> Result<Option<Vec<WorkspaceId>>, ApiError> {
    let names: Result<Vec<WorkspaceId>, _> = lines(text).iter().map(|line| line.parse()).collect();
    let names = names.map_err(|error| ApiError::of_name(&crate::engine::EngineError::Name(error)))?;
    Ok((!names.is_empty()).then_some(names))
}

pub(super) fn invalid(what: &str, hint: &str) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", format!("the form has no valid `{what}`"), hint)
}

/// Makes a key, and shows its secret this once.
pub(in crate::serve) async fn make(
    State(app): Shared,
    By(by): By,
    Write(wanted): Write<Wanted>,
) -> Result<Response, ApiError> {
    let days = wanted.days.trim();
    let days: Option<u16> = if days.is_empty() {
        None
    } else {
        let days = days.parse().ok().filter(|days| *days > 0);
        Some(days.ok_or_else(|| invalid("days", "give a whole number of days, 1 to 366"))?)
    };
    let agent = wanted.agent.trim();
    let new = NewKey {
        name: wanted.name.trim().to_owned(),
        scopes: wanted.scope.into_iter().collect(),
        workspaces: names(&wanted.workspaces)?,
        path_globs: lines(&wanted.globs),
        agent: (!agent.is_empty()).then(|| agent.to_owned()),
        expires_at: days.map(|days| Timestamp::now() + DAY * i32::from(days)),
        s3: false,
    };
    let viewer = Viewer::of(&by);
    let made = app.call(move |engine| engine.create_key(&by.caller(engine)?, &new)).await?.0;
    Ok(shown_once(&made, &viewer))
}

/// The only page that a secret is on.
pub(super) fn shown_once(made: &MadeKey, viewer: &Viewer) -> Response {
    let body = html! {
        h1 { "The key " (made.key.name) }
        (secret_of(made))
        @if viewer.key_id().is_none() {
            p { "From now on this page needs a key: " a href="/sign-in?next=/keys" { "sign in" } "." }
        } @else {
            p { a href="/keys" { "All keys" } " · " a href=(url_of(&made.key.id, "")) { "This key" } }
        }
    };
    shell::page_with(StatusCode::CREATED, frame("The new key", viewer), &body)
}

/// A secret, with what its key may do.
pub(super) fn secret_of(made: &MadeKey) -> Markup {
    let MadeKey { secret, key, former_holds_until, .. } = made;
    html! {
        div.notice {
            p { strong { "Copy the secret now: it is not kept, and cannot be shown again." } }
            div.copy {
                div { label { "Secret" textarea #secret readonly rows="2" spellcheck="false" { (secret) } } button type="button" hidden data-copy { "Copy the secret" } }
            }
            p { "It may " strong { (key.scopes) } " and holds until " (when::time(key.expires_at)) " UTC." }
            @if let Some(until) = former_holds_until { p { "The former secret holds until " (when::time(*until)) " UTC." } }
            p.hint { "Programs send it as " code { "Authorization: Bearer pin_…" } "; " code { "pincite" } " takes it from " code { "PINCITE_API_KEY" } "." }
        }
    }
}
