//! Signing in with a key, and out; and the way there for a caller who is not signed in.
//!
//! # Invariants
//! - A key is posted, never part of a URL, and never shown again.
//! - A session begins with a new secret, whatever cookie came with the form.
//! - After signing in a browser is led to a view of this page alone.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{ACCEPT, SET_COOKIE, WWW_AUTHENTICATE};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::{Empty, Form, SmallForm};
use super::link;
use super::shell::{self, Frame};
use crate::engine::{Engine, Secret};
use crate::error::ErrorReport;
use crate::serve::app::{App, Shared};
use crate::serve::cookie;
use crate::serve::door::{By, Unproven};
use crate::serve::error::ApiError;

/// Where a browser signs in.
pub(in crate::serve) const SIGN_IN: &str = "/sign-in";
/// Bytes of a URL that a browser is led back to.
const MAX_NEXT_BYTES: usize = 4 * 1024;

/// Where to go on afterwards.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Next {
    next: String,
}

/// A key that is posted.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Posted {
    key: String,
    next: String,
}

/// Answers a caller who has to sign in: views lead to the form, and everything else is refused as `refusal`.
pub(in crate::serve) fn turned_away(request: &Request, refusal: Response) -> Response {
    let headers = request.headers();
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // A browser says what it loads. A part of a page is not replaced by a form.
    if !matches!(text("sec-fetch-dest"), "" | "document") {
        return refusal;
    }
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        if text("sec-fetch-mode") == "navigate" && matches!(text("sec-fetch-site"), "cross-site" | "same-site") {
            return asked_again(path);
        }
        let mut response = Redirect::to(&sign_in_then(path)).into_response();
        shell::secure(response.headers_mut());
        return response;
    }
    if !text(ACCEPT.as_str()).contains("text/html") {
        return refusal;
    }
    let body = html! {
        section.notice.error role="alert" {
            h1 { "Signed out" }
            p { "The session is over, so the form was not taken." }
            p.hint { a href=(SIGN_IN) { "Sign in" } ", go back, reload the page and send the form again." }
        }
    };
    let mut response =
        shell::page_with(StatusCode::UNAUTHORIZED, Frame { title: "Signed out", ..Frame::default() }, &body);
    if let Some(challenge) = refusal.headers().get(WWW_AUTHENTICATE) {
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge.clone());
    }
    response
}

/// A page that leads to the same URL again. A link on another site comes without the session, which a browser sends from a page of this
/// server alone.
fn asked_again(path: &str) -> Response {
    if next_of(path) != path {
        return Redirect::to(SIGN_IN).into_response();
    }
    let body = html! {
        section.notice {
            h1 { "pincite" }
            p { a href=(path) { "Open the link" } }
        }
    };
    shell::page(Frame { title: "Opening", again_at: Some(path), ..Frame::default() }, &body)
}

fn sign_in_then(path: &str) -> String {
    if path == "/" { SIGN_IN.to_owned() } else { format!("{SIGN_IN}?next={}", link::value(path)) }
}

/// A place on this server to go on to, or the start of the page where the text is anything else.
fn next_of(text: &str) -> &str {
    // Browsers take a backslash for a slash, and leave out tabs and ends of lines.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let is_of_server = text.starts_with('/') && !text.starts_with("//") && text.len() <= MAX_NEXT_BYTES;
    if is_plain && is_of_server && text.parse::<PathAndQuery>().is_ok() { text } else { "/" }
}

/// Shows the form.
pub(in crate::serve) async fn form(State(app): Shared, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    let Next { next } = serde_html_form::from_str(uri.query().unwrap_or_default()).unwrap_or_default();
    let session = cookie::session_of(&headers);
    let look = app.call_at_once(move |engine: &Engine| {
        let caller = session.and_then(|session| engine.caller_of_session(&session).ok());
        let name = caller.and_then(|caller| caller.key().map(|key| key.row.name.clone()));
        Ok((engine.has_keys()?, name))
    });
    let (has_keys, name) = look.await?.0;
    let next = next_of(&next);
    let body = html! {
        @if !has_keys {
            div.notice {
                h1 { "Sign in" }
                p { "No key was made yet, so nobody has to sign in. " a href=(next) { "Go to the page" } "." }
            }
        } @else {
            @if let Some(name) = name { p.note { "This browser is signed in with the key " strong { (name) } ". " a href=(next) { "Go on" } ", or sign in with another one." } }
            (asked(next, None))
        }
    };
    Ok(shell::page(Frame { title: "Sign in", ..Frame::default() }, &body))
}

/// The form, and why the last key was not taken.
fn asked(next: &str, refused: Option<&ErrorReport>) -> Markup {
    html! {
        section.sign-in aria-labelledby="sign-in" {
            h1 #sign-in { "Sign in" }
            @if let Some(ErrorReport { message, hint, .. }) = refused {
                div.notice.error role="alert" { p { (message) } @if let Some(hint) = hint { p.hint { (hint) } } }
            }
            form method="post" action=(SIGN_IN) {
                input type="hidden" name="next" value=(next);
                label for="key" { "Key" }
                input #key type="password" name="key" required autocomplete="current-password" spellcheck="false" autofocus
                    maxlength="200" placeholder="pin_…" aria-describedby="key-hint";
                p #key-hint.hint { "It begins with " code { "pin_" } ". Whoever looks after this server makes one: "
                    code { "pincite key create" } "." }
                button.first type="submit" { "Sign in" }
            }
        }
    }
}

/// Begins a session where the key holds.
pub(in crate::serve) async fn sign_in(
    State(app): Shared,
    Unproven(from): Unproven,
    SmallForm(headers, Posted { key, next }): SmallForm<Posted>,
) -> Result<Response, ApiError> {
    let former = cookie::session_of(&headers);
    let signed_in = match key.trim().parse::<Secret>() {
        Ok(secret) => app.call_at_once(move |engine| engine.sign_in(&from, &secret, former.as_ref())).await,
        Err(error) => Err(ApiError::of_name(&error.into())),
    };
    match signed_in {
        Ok(axum::Json(signed_in)) => {
            let mut response = Redirect::to(next_of(&next)).into_response();
            if let Some(cookie) = cookie::kept(&headers, &signed_in.token, signed_in.life_s) {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
            Ok(response)
        }
        Err(error) => refused(error, &next),
    }
}

/// The form again where the key does not hold. Every wrong key comes by here.
fn refused(error: ApiError, next: &str) -> Result<Response, ApiError> {
    if error.status() != StatusCode::UNAUTHORIZED {
        return Err(error);
    }
    let (status, report) = error.into_parts();
    let frame = Frame { title: "Sign in", ..Frame::default() };
    let mut response = shell::page_with(status, frame, &asked(next_of(next), Some(&report)));
    let challenge = axum::http::HeaderValue::from_static(r#"Bearer realm="pincite", error="invalid_token""#);
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    Ok(response)
}

/// Ends the session.
pub(in crate::serve) async fn sign_out(
    State(app): State<Arc<App>>,
    By(by): By,
    headers: HeaderMap,
    Form(Empty {}): Form<Empty>,
) -> Result<Response, ApiError> {
    if let Some(session) = by.session().cloned() {
        let by = by.clone();
        app.call_at_once(move |engine| engine.sign_out(&by.caller(engine)?, &session)).await.map(drop)?;
    }
    let mut response = Redirect::to(SIGN_IN).into_response();
    for cookie in cookie::forgotten(&headers) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_led_to_a_place_on_this_server_alone() {
        for good in ["/", "/w/notes?q=a%20b&open=x", "/w/notes/c/00/1-2?quote=%0d%0a", "/keys"] {
            assert_eq!(next_of(good), good);
        }
        let long = format!("/{}", "x".repeat(MAX_NEXT_BYTES));
        for evil in [
            "",
            "w",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/\r\nSet-Cookie: a=b",
            " //evil.example",
            "/a b",
            "/é",
            &long,
        ] {
            assert_eq!(next_of(evil), "/", "{evil:?}");
        }
    }
}
