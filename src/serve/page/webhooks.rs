//! The webhooks of a workspace, and the form for another one.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::form::Write;
use super::shell::{self, Frame, View};
use super::viewer::Viewer;
use super::{keys, link, when};
use crate::engine::Engine;
use crate::serve::app::Shared;
use crate::serve::error::ApiError;
use crate::serve::extract::InWorkspace;
use crate::workspace::{NewWebhook, Webhook, WebhookEvent, WorkspaceId};

/// Lists the webhooks.
pub(in crate::serve) async fn view(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    let webhooks = app.call(move |engine| of.open(engine)?.webhooks()).await?.0.webhooks;
    let viewer = Viewer::at(&app, &workspace).await?;
    let body = html! {
        h1 { "Webhooks" }
        p.hint { "A webhook posts a signed message to a URL when something happens to files. " a href="#make" { "Make a webhook" } }
        @if webhooks.is_empty() {
            div.notice { p { "There is no webhook yet." } }
        } @else {
            (table(&workspace, &webhooks))
        }
        (form(&workspace, &viewer))
    };
    Ok(shell::page(Frame::of("Webhooks", &workspace, View::Webhooks, &viewer), &body))
}

fn table(workspace: &WorkspaceId, webhooks: &[Webhook]) -> Markup {
    html! {
        div.scroll { table {
            thead { tr { th scope="col" { "Webhook" } th scope="col" { "Told of" } th scope="col" { "State" } th.size scope="col" { "Waiting" } th scope="col" { "Made (UTC)" } } }
            tbody { @for webhook in webhooks {
                tr {
                    td.path { a href=(url_of(workspace, webhook.id, "")) { (webhook.url) } span.title { "#" (webhook.id) } }
                    td { (told_of(&webhook.events)) @if !webhook.path_globs.is_empty() { span.title { code { (webhook.path_globs.join("  ")) } } } }
                    td { (state(webhook)) }
                    td.size { (when::number(webhook.pending)) }
                    td.when { (when::time(webhook.created)) }
                }
            } }
        } }
    }
}

pub(super) fn told_of(events: &BTreeSet<WebhookEvent>) -> String {
    if events.is_empty() {
        return "all events".to_owned();
    }
    events.iter().map(|event| event.name()).collect::<Vec<_>>().join(", ")
}

/// Whether a webhook is told of anything, in a word.
pub(super) fn state(webhook: &Webhook) -> Markup {
    let (word, class) = match webhook {
        Webhook { enabled: false, .. } => ("off", "deleted"),
        Webhook { paused: true, .. } => ("waits for the owner", "changed"),
        Webhook { failing_since: Some(_), .. } => ("failing", "changed"),
        _ => ("on", "valid"),
    };
    html! { span.badge.(class) { (word) } }
}

/// The URL of a webhook, or of what is done with it.
pub(super) fn url_of(workspace: &WorkspaceId, id: u64, act: &str) -> String {
    let view = link::view(workspace, "webhooks");
    if act.is_empty() { format!("{view}/{id}") } else { format!("{view}/{id}/{act}") }
}

/// What happens, in words.
const fn about(event: WebhookEvent) -> &'static str {
    match event {
        WebhookEvent::FileCreated => "a file is there and was not before",
        WebhookEvent::FileUpdated => "the bytes of a file may be others",
        WebhookEvent::FileRenamed => "a file is at another path",
        WebhookEvent::FileDeleted => "a file is gone",
        WebhookEvent::FileReady => "a change is searchable",
        WebhookEvent::FileFailed => "a file could not be read",
        WebhookEvent::LockViolated => "a locked file was changed past pincite",
        WebhookEvent::WorkspaceTransferred => "the workspace has another owner",
    }
}

/// What a form says of a webhook.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Wanted {
    url: String,
    event: BTreeSet<WebhookEvent>,
    globs: String,
    agents: String,
}

impl Wanted {
    pub(super) fn url(&self) -> String {
        self.url.trim().to_owned()
    }

    /// The events that are checked; all of them are the same as none: also those that come with later versions.
    pub(super) fn events(&self) -> BTreeSet<WebhookEvent> {
        if self.event.len() == WebhookEvent::ALL.len() { BTreeSet::new() } else { self.event.clone() }
    }

    pub(super) fn path_globs(&self) -> Vec<String> {
        keys::lines(&self.globs)
    }

    pub(super) fn agents(&self) -> Vec<String> {
        keys::lines(&self.agents)
    }
}

/// The fields of a webhook, filled with what one has.
pub(super) fn fields(of: Option<&Webhook>) -> Markup {
    let lines = |of: Option<&Vec<String>>| of.map(|list| list.join("\n")).unwrap_or_default();
    let is_told = |event: &WebhookEvent| of.is_some_and(|webhook| webhook.events.contains(event));
    html! {
        label { "URL" input type="url" name="url" required maxlength="2048" value=(of.map(|webhook| webhook.url.as_str()).unwrap_or_default()) placeholder="https://example.org/hooks/pincite" autocomplete="off"; }
        fieldset {
            legend { "It is told when; none checked means all" }
            @for event in WebhookEvent::ALL {
                label.choice { input type="checkbox" name="event" value=(event.name()) checked[is_told(&event)]; " " code { (event.name()) } span.of { " " (about(event)) } }
            }
        }
        label { "Only these files, as globs, one a line; none for all" textarea name="globs" rows="2" placeholder="reports/**" spellcheck="false" { (lines(of.map(|webhook| &webhook.path_globs))) } }
        label { "Only what these agents wrote, one a line; none for anybody" textarea name="agents" rows="2" spellcheck="false" { (lines(of.map(|webhook| &webhook.agents))) } }
    }
}

fn form(workspace: &WorkspaceId, viewer: &Viewer) -> Markup {
    html! {
        section.make aria-labelledby="make" {
            h2 #make { "Make a webhook" }
            form.fields method="post" action=(link::view(workspace, "webhooks")) {
                (viewer.stamp())
                (fields(None))
                div { button.first type="submit" { "Make the webhook" } }
            }
        }
    }
}

/// Makes a webhook, and shows its secret this once.
pub(in crate::serve) async fn make(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Write(wanted): Write<Wanted>,
) -> Result<Response, ApiError> {
    let new = NewWebhook {
        url: wanted.url(),
        events: wanted.events(),
        path_globs: wanted.path_globs(),
        agents: wanted.agents(),
        secret: None,
    };
    let viewer = Viewer::at(&app, &workspace).await?;
    let of = workspace.clone();
    // Out of turn: a name is looked up, and that may take seconds in which others are served.
    let webhook = app.call_at_once(move |engine: &Engine| of.open(engine)?.create_webhook(&new)).await?.0;
    Ok(shown_once(&workspace, &webhook, &viewer))
}

/// The only page that a secret is on.
pub(super) fn shown_once(workspace: &WorkspaceId, webhook: &Webhook, viewer: &Viewer) -> Response {
    let body = html! {
        h1 { "The secret of webhook #" (webhook.id) }
        div.notice {
            p { strong { "Copy the secret now: it is not shown again." } }
            div.copy {
                div { label { "Secret" textarea #secret readonly rows="2" spellcheck="false" { (webhook.secret.as_deref().unwrap_or_default()) } } button type="button" hidden data-copy { "Copy the secret" } }
            }
            p { "The receiver checks the signature of each message with it, as Standard Webhooks has it." }
            @if let Some(until) = webhook.old_secret_until { p { "Until " (when::time(until)) " UTC messages carry a signature with the former secret as well." } }
        }
        p { a href=(url_of(workspace, webhook.id, "")) { "The webhook" } " · " a href=(link::view(workspace, "webhooks")) { "All webhooks" } }
    };
    let frame = Frame::of("The secret of a webhook", workspace, View::Webhooks, viewer);
    shell::page_with(StatusCode::CREATED, frame, &body)
}
