//! One webhook: how it is changed, tried and removed, and what became of its messages.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::form::{Empty, Write, then_see};
use super::keys::invalid;
use super::shell::{self, Frame, View};
use super::viewer::Viewer;
use super::webhooks::{self, Wanted, url_of};
use super::{link, when};
use crate::engine::{DeliveriesRequest, Engine};
use crate::serve::app::Shared;
use crate::serve::error::ApiError;
use crate::serve::extract::{InWorkspace, OfDelivery, Parameters, WithNumber};
use crate::workspace::{
    Delivery, DeliveryList, DeliveryState, Rotation, Scope, Span, Webhook, WebhookUpdate, WorkspaceId,
};

/// Deliveries of one page.
const PAGE: usize = 50;
const STATES: [DeliveryState; 3] = [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Failed];
/// How long both secrets may hold, for the list of the form.
const OVERLAPS: [(u64, &str); 4] =
    [(86_400, "for a day"), (3_600, "for an hour"), (604_800, "for a week"), (0, "no longer")];

/// Which deliveries are shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Shown {
    #[serde(skip_serializing_if = "String::is_empty")]
    state: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    before: String,
}

impl Shown {
    fn url(&self, workspace: &WorkspaceId, id: u64) -> String {
        // Text can always be written.
        let parameters = serde_html_form::to_string(self).unwrap_or_default();
        format!("{}?{parameters}#deliveries", url_of(workspace, id, ""))
    }

    fn request(&self) -> Result<DeliveriesRequest, ApiError> {
        let state = match self.state.as_str() {
            "" => None,
            name => {
                let known = STATES.into_iter().find(|state| state.name() == name);
                Some(known.ok_or_else(|| invalid("state", "choose one of the list"))?)
            }
        };
        Ok(DeliveriesRequest { state, before_id: self.before.parse().ok(), limit: PAGE })
    }
}

/// Shows a webhook with its deliveries.
pub(in crate::serve) async fn view(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
    Parameters(shown): Parameters<Shown>,
) -> Result<Response, ApiError> {
    let (of, request) = (workspace.clone(), shown.request()?);
    let read = app.call(move |engine| {
        let workspace = of.open(engine)?;
        Ok((workspace.webhook(id)?, workspace.deliveries(id, &request)?))
    });
    let (webhook, deliveries) = read.await?.0;
    let viewer = Viewer::at(&app, &workspace).await?;
    let body = html! {
        h1 { "Webhook #" (webhook.id) " " (webhooks::state(&webhook)) }
        (facts(&webhook))
        (acts(&workspace, &webhook, &viewer))
        (listed(&workspace, &webhook, &shown, &deliveries, &viewer))
        (changing(&workspace, &webhook, &viewer))
        p { a href=(link::view(&workspace, "webhooks")) { "All webhooks" } }
    };
    let title = format!("Webhook #{id}");
    Ok(shell::page(Frame::of(&title, &workspace, View::Webhooks, &viewer), &body))
}

fn facts(webhook: &Webhook) -> Markup {
    html! {
        @if let Some(reason) = &webhook.disabled_reason { p.warning { "It is switched off: " (reason) } }
        @if webhook.paused { p.warning { "The workspace was handed over: messages wait until its owner switches the webhook on." } }
        @if let Some(since) = webhook.failing_since { p.warning { "No delivery has succeeded since " (when::time(since)) " UTC." } }
        dl.facts {
            dt { "URL" } dd { code { (webhook.url) } }
            dt { "Told of" } dd { (webhooks::told_of(&webhook.events)) }
            dt { "Files" } dd { @if webhook.path_globs.is_empty() { "all" } @else { code { (webhook.path_globs.join("  ")) } } }
            dt { "Written by" } dd { @if webhook.agents.is_empty() { "anybody" } @else { (webhook.agents.join(", ")) } }
            dt { "Secret" } dd { code { "…" (webhook.secret_ends_with) } @if let Some(until) = webhook.old_secret_until { " and the former one until " (when::time(until)) " UTC" } }
            dt { "Made by" } dd { @match &webhook.made_by { None => "this machine's user", Some(id) => code { (id) } } }
            dt { "Made" } dd { (when::time(webhook.created)) " UTC" }
            dt { "Waiting" } dd { (when::many(webhook.pending, "message", "messages")) }
        }
    }
}

fn acts(workspace: &WorkspaceId, webhook: &Webhook, viewer: &Viewer) -> Markup {
    let is_on = webhook.enabled && !webhook.paused;
    html! {
        div.tools {
            @if is_on {
                form method="post" action=(url_of(workspace, webhook.id, "test")) { (viewer.stamp()) button type="submit" { "Send a test" } }
            }
            form method="post" action=(url_of(workspace, webhook.id, "switch")) {
                (viewer.stamp())
                input type="hidden" name="enabled" value=(if is_on { "off" } else { "on" });
                button type="submit" { @if is_on { "Switch off" } @else { "Switch on" } }
            }
            a.button.danger href=(url_of(workspace, webhook.id, "delete")) { "Delete …" }
        }
    }
}

fn listed(workspace: &WorkspaceId, webhook: &Webhook, shown: &Shown, list: &DeliveryList, viewer: &Viewer) -> Markup {
    html! {
        section aria-labelledby="deliveries" {
            h2 #deliveries { "Deliveries" }
            ul.chips aria-label="States" {
                @for name in [""].into_iter().chain(STATES.map(DeliveryState::name)) {
                    @let of = Shown { state: name.to_owned(), before: String::new() };
                    li { a href=(of.url(workspace, webhook.id)) aria-current=[(shown.state == name).then_some("true")] { (if name.is_empty() { "all" } else { name }) } }
                }
            }
            @if list.deliveries.is_empty() {
                div.notice { p { "No message is here. Those that were delivered are kept for seven days, at most 1,000." } }
            } @else {
                div.scroll { table {
                    thead { tr { th scope="col" { "When (UTC)" } th scope="col" { "Message" } th scope="col" { "State" } th scope="col" { "Last try" } th scope="col" { "Reply" } th scope="col" { span.visually-hidden { "Send again" } } } }
                    tbody { @for delivery in &list.deliveries { (row(workspace, webhook, delivery, viewer)) } }
                } }
                @if let Some(next) = list.next {
                    p.more { a.button href=(Shown { before: next.to_string(), ..shown.clone() }.url(workspace, webhook.id)) { "Older deliveries" } }
                }
            }
        }
    }
}

fn row(workspace: &WorkspaceId, webhook: &Webhook, delivery: &Delivery, viewer: &Viewer) -> Markup {
    let class = match delivery.state {
        DeliveryState::Pending => "changed",
        DeliveryState::Delivered => "valid",
        DeliveryState::Failed => "deleted",
    };
    let replay = url_of(workspace, webhook.id, &format!("deliveries/{}/replay", delivery.id));
    html! {
        tr {
            td.when { (when::time(delivery.at)) span.title { "#" (delivery.id) } }
            td.path {
                code { (delivery.event) }
                @if let Some(path) = &delivery.path { div { @if viewer.may(Scope::FilesRead) { a href=(link::source(workspace, path, Span::default())) { (path) } } @else { (path) } } }
                span.title { @if let Some(revision) = delivery.revision { "revision " (revision.0) " · " } code { (delivery.message_id) } }
            }
            td { span.badge.(class) { (delivery.state.name()) } span.title { (when::many(u64::from(delivery.tries), "try", "tries")) } }
            td {
                @if let Some(at) = delivery.last_try { (when::time(at)) } @else { "–" }
                @if let Some(latency) = delivery.latency_ms { span.title { (when::number(latency)) " ms" } }
                @if let Some(next) = delivery.next_try { span.title { "next " (when::time(next)) } }
            }
            td dir="auto" {
                @if let Some(status) = delivery.status { (status) }
                @if let Some(error) = &delivery.error { div.warning { (error) } }
                @if let Some(reply) = delivery.reply.as_ref().filter(|reply| !reply.is_empty()) { details { summary { "Body" } pre { (reply) } } }
            }
            td { @if webhook.enabled {
                form method="post" action=(replay) { (viewer.stamp()) button type="submit" { @if delivery.state == DeliveryState::Pending { "Send now" } @else { "Send again" } } }
            } }
        }
    }
}

fn changing(workspace: &WorkspaceId, webhook: &Webhook, viewer: &Viewer) -> Markup {
    html! {
        section aria-labelledby="change" {
            h2 #change { "Change it" }
            form.fields method="post" action=(url_of(workspace, webhook.id, "")) {
                (viewer.stamp())
                (webhooks::fields(Some(webhook)))
                div { button type="submit" { "Save" } }
            }
        }
        section aria-labelledby="rotate" {
            h2 #rotate { "Replace its secret" }
            form.fields method="post" action=(url_of(workspace, webhook.id, "rotate")) {
                (viewer.stamp())
                label { "Messages are signed with the secret of now" select name="overlap_s" { @for (seconds, words) in OVERLAPS { option value=(seconds) { (words) } } } }
                div { button type="submit" { "Make another secret" } }
            }
        }
    }
}

/// Changes a webhook.
pub(in crate::serve) async fn change(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
    Write(wanted): Write<Wanted>,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    let change = move |engine: &Engine| {
        let workspace = of.open(engine)?;
        let webhook = workspace.webhook(id)?;
        // A URL that stays is not set anew: who sets it is whom the webhook belongs to.
        let update = WebhookUpdate {
            url: Some(wanted.url()).filter(|url| *url != webhook.url),
            events: Some(wanted.events()),
            path_globs: Some(wanted.path_globs()),
            agents: Some(wanted.agents()),
            enabled: None,
        };
        workspace.update_webhook(id, &update)
    };
    then_see(app.call_at_once(change), &url_of(&workspace, id, "")).await
}

/// Whether messages are to be sent.
#[derive(Debug, Deserialize)]
pub(in crate::serve) struct Switched {
    enabled: String,
}

/// Switches a webhook on or off.
pub(in crate::serve) async fn switch(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
    Write(Switched { enabled }): Write<Switched>,
) -> Result<Response, ApiError> {
    let update = WebhookUpdate { enabled: Some(enabled == "on"), ..WebhookUpdate::default() };
    let of = workspace.clone();
    then_see(app.call_at_once(move |engine| of.open(engine)?.update_webhook(id, &update)), &url_of(&workspace, id, ""))
        .await
}

/// How long the former secret holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Replaced {
    overlap_s: Option<u64>,
}

/// Replaces the secret of a webhook, and shows the new one this once.
pub(in crate::serve) async fn rotate(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
    Write(Replaced { overlap_s }): Write<Replaced>,
) -> Result<Response, ApiError> {
    let usual = Rotation::default();
    let rotation = Rotation { overlap_s: overlap_s.unwrap_or(usual.overlap_s), ..usual };
    let viewer = Viewer::at(&app, &workspace).await?;
    let of = workspace.clone();
    let webhook = app.call(move |engine| of.open(engine)?.rotate_webhook(id, &rotation)).await?.0;
    Ok(webhooks::shown_once(&workspace, &webhook, &viewer))
}

/// Sends a test.
pub(in crate::serve) async fn test(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
    Write(Empty {}): Write<Empty>,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    then_see(app.call(move |engine| of.open(engine)?.test_webhook(id)), &Shown::default().url(&workspace, id)).await
}

/// Sends a message again.
pub(in crate::serve) async fn replay(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    OfDelivery { webhook, delivery }: OfDelivery,
    Write(Empty {}): Write<Empty>,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    then_see(
        app.call(move |engine| of.open(engine)?.replay_delivery(webhook, delivery)),
        &Shown::default().url(&workspace, webhook),
    )
    .await
}

/// Asks whether a webhook is to be deleted.
pub(in crate::serve) async fn confirm(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    let webhook = app.call(move |engine| of.open(engine)?.webhook(id)).await?.0;
    let viewer = Viewer::at(&app, &workspace).await?;
    let body = html! {
        h1 { "Delete webhook #" (id) "?" }
        div.notice.error {
            p { code { (webhook.url) } }
            p { "Its deliveries go with it" @if webhook.pending > 0 { ", and " (when::many(webhook.pending, "message that waits is", "messages that wait are")) " not sent" } ". This cannot be undone." }
            form method="post" action=(url_of(&workspace, id, "delete")) {
                (viewer.stamp())
                button.danger type="submit" { "Delete" } " "
                a.button href=(url_of(&workspace, id, "")) { "Keep it" }
            }
        }
    };
    Ok(shell::page(Frame::of("Delete a webhook", &workspace, View::Webhooks, &viewer), &body))
}

/// Deletes a webhook.
pub(in crate::serve) async fn delete(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
    Write(Empty {}): Write<Empty>,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    then_see(app.call(move |engine| of.open(engine)?.delete_webhook(id)), &link::view(&workspace, "webhooks")).await
}
