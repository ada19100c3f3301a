//! Handing a workspace over: the offers that are open, the form for another one, and the link that is shown once.

use axum::extract::State;
use axum::http::header::ORIGIN;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::form::{Empty, Write, then_see};
use super::keys::invalid;
use super::shell::{self, Frame, View};
use super::viewer::Viewer;
use super::{claim, link, when};
use crate::engine::{NewTransfer, Transfer};
use crate::serve::app::Shared;
use crate::serve::error::ApiError;
use crate::serve::extract::{InWorkspace, WithNumber};
use crate::workspace::{Keep, WorkspaceId};

/// How long an offer can be claimed, for the list of the form.
const TIMES: [(u32, &str); 4] =
    [(259_200, "three days"), (3_600, "an hour"), (86_400, "a day"), (2_592_000, "30 days")];

/// The open offers, and the form for another one.
pub(super) fn section(workspace: &WorkspaceId, offers: &[Transfer], viewer: &Viewer) -> Markup {
    html! {
        section aria-labelledby="hand-over" {
            h2 #hand-over { "Hand over" }
            @if viewer.key_id().is_none() {
                p.hint { "A workspace can be handed over once there are keys: " a href="/keys" { "make one" } "." }
            } @else {
                p { "An offer is a link. Whoever opens it and claims the workspace owns it from then on, with a new key." }
                @if !offers.is_empty() {
                    div.scroll { table {
                        thead { tr { th scope="col" { "Offer" } th scope="col" { "Afterwards all other keys" } th scope="col" { "Until (UTC)" } th scope="col" { span.visually-hidden { "Take back" } } } }
                        tbody { @for offer in offers {
                            tr {
                                td { "#" (offer.id) @if let Some(id) = &offer.made_by { span.of { " by " code { (id) } } } }
                                td { (claim::kept(offer.keep)) }
                                td.when { (when::time(offer.expires_at)) }
                                td { form method="post" action=(link::view(workspace, &format!("transfer/{}/withdraw", offer.id))) { (viewer.stamp()) button type="submit" { "Take back" } } }
                            }
                        } }
                    } }
                }
                form.fields method="post" action=(link::view(workspace, "transfer")) {
                    (viewer.stamp())
                    fieldset {
                        legend { "Afterwards all other keys, yours as well," }
                        @for (keep, is_usual) in [(Keep::Editor, true), (Keep::None, false)] {
                            label.choice { input type="radio" name="keep" value=(keep) checked[is_usual]; " " (claim::kept(keep)) }
                        }
                    }
                    label { "It can be claimed for" select name="ttl_s" { @for (seconds, words) in TIMES { option value=(seconds) { (words) } } } }
                    div { button type="submit" { "Make the link" } }
                }
            }
        }
    }
}

/// An offer as the form has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Wanted {
    keep: String,
    ttl_s: Option<u32>,
}

/// Makes an offer, and shows its link this once.
pub(in crate::serve) async fn offer(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    headers: HeaderMap,
    Write(Wanted { keep, ttl_s }): Write<Wanted>,
) -> Result<Response, ApiError> {
    let viewer = Viewer::at(&app, &workspace).await?;
    let keep: Keep = keep.parse().map_err(|_| invalid("keep", "choose what all other keys may do afterwards"))?;
    let of = workspace.clone();
    let offered = app.call(move |engine| of.open(engine)?.offer_transfer(NewTransfer { ttl_s, keep })).await?.0;
    // As the browser sees this server.
    let origin = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or_default();
    let body = html! {
        h1 { "The link to claim " (workspace.id) }
        div.notice {
            p { strong { "Copy it now: it is not kept, and cannot be shown again." } " Send it to the new owner alone: whoever has it can claim the workspace." }
            div.copy {
                div { label { "Link" textarea #link readonly rows="2" spellcheck="false" { (origin) (offered.claim_path) } } button type="button" hidden data-copy { "Copy the link" } }
            }
            p { "It can be claimed until " (when::time(offered.transfer.expires_at)) " UTC. All other keys then " (claim::kept(keep)) }
        }
        p { a href=(link::view(&workspace, "settings")) { "Back to the workspace" } }
    };
    Ok(shell::page_with(StatusCode::CREATED, Frame::of("Hand over", &workspace, View::Settings, &viewer), &body))
}

/// Takes an offer back.
pub(in crate::serve) async fn withdraw(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
    Write(Empty {}): Write<Empty>,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    then_see(app.call(move |engine| of.open(engine)?.withdraw_transfer(id)), &link::view(&workspace, "settings")).await
}
