//! The page of a claim: whoever holds the token of an offer becomes the owner of its workspace here.
//!
//! # Invariants
//! - Looking at an offer claims nothing: browsers and mail programs follow links by themselves.
//! - The token is the right, so no session is needed; and a session begins with the key that the claim makes.

use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::form::SmallForm;
use super::shell::{self, Frame};
use super::{keys, link, when};
use crate::engine::{Claim, Claimed, Engine, EngineError, Secret};
use crate::serve::app::Shared;
use crate::serve::cookie;
use crate::serve::door::Unproven;
use crate::serve::error::ApiError;
use crate::workspace::Keep;

/// Where an offer is claimed.
pub(in crate::serve) const CLAIM: &str = "/claim";

/// The token of an offer, and what the form says besides.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Offered {
    token: String,
    name: String,
}

/// Shows what a token offers.
pub(in crate::serve) async fn view(State(app): Shared, uri: Uri) -> Result<Response, ApiError> {
    let Offered { token, .. } = serde_html_form::from_str(uri.query().unwrap_or_default()).unwrap_or_default();
    let sought = token.clone();
    let (workspace, offer) = app.call(move |engine| engine.offered(&sought)).await?.0;
    let body = html! {
        section.sign-in aria-labelledby="claim" {
            h1 #claim { "Claim " (workspace) }
            p { "Somebody hands the workspace " strong { (workspace) } " over. Whoever claims it first owns it." }
            p { "From then on all other keys " (kept(offer.keep)) " The offer can be claimed until " (when::time(offer.expires_at)) " UTC." }
            form method="post" action=(CLAIM) {
                input type="hidden" name="token" value=(token);
                label for="name" { "A name for your key" }
                input #name name="name" maxlength="100" autocomplete="name" placeholder={ "owner of " (workspace) };
                button.first type="submit" { "Claim the workspace" }
            }
        }
    };
    Ok(shell::page(Frame { title: "Claim a workspace", ..Frame::default() }, &body))
}

/// What all other keys may do afterwards.
pub(super) fn kept(keep: Keep) -> Markup {
    html! { @match keep {
        Keep::Editor => "go on reading, searching, asking and writing in it, and do nothing else.",
        Keep::None => "see nothing of it.",
    } }
}

/// Makes the caller the owner, shows the key this once, and signs the browser in with it.
pub(in crate::serve) async fn claim(
    State(app): Shared,
    Unproven(from): Unproven,
    SmallForm(headers, Offered { token, name }): SmallForm<Offered>,
) -> Result<Response, ApiError> {
    let name = name.trim();
    let claim = Claim { token, name: (!name.is_empty()).then(|| name.to_owned()) };
    let former = cookie::session_of(&headers);
    let claimed = app.call(move |engine: &Engine| {
        let claimed = engine.claim(&from, &claim)?;
        let secret: Secret = claimed.key.secret.parse().map_err(EngineError::Access)?;
        // The workspace is the caller's, also where no session can begin.
        let signed_in = engine.sign_in(&from, &secret, former.as_ref()).ok();
        Ok((claimed, signed_in))
    });
    let (Claimed { workspace, keep, key }, signed_in) = claimed.await?.0;
    let body = html! {
        h1 { "The workspace " (workspace) " is yours" }
        (keys::secret_of(&key))
        p { "All other keys " (kept(keep)) }
        p { a.button.first href=(link::view(&workspace, "")) { "Open the workspace" } }
    };
    let mut response = shell::page_with(StatusCode::CREATED, Frame { title: "Claimed", ..Frame::default() }, &body);
    let cookie = signed_in.and_then(|signed_in| cookie::kept(&headers, &signed_in.token, signed_in.life_s));
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}
