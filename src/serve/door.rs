//! Who makes a request: the key in its header, or this machine's user as long as no key was ever made.
//!
//! # Invariants
//! - Every route behind this file has a [`Caller`]; a request without one is answered with 401 before anything else is looked at.
//! - Once a key was made, no request is admitted without one, not even on loopback.
//! - Only [`OPEN`] and the page's way in stand beside.
//! - A session's cookie counts for the reviewers' page alone; REST and MCP take no cookie.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::app::App;
use super::cookie;
use super::error::ApiError;
use super::page;
use super::request_id::RequestId;
use crate::access::AccessError;
use crate::engine::{Caller, Engine, EngineError, Secret, SessionToken, Surface, Workspace};
use crate::workspace::WorkspaceId;

/// Routes that need no key: they tell nothing of files, or the body has a token that is a right by itself.
const OPEN: [&str; 3] = ["/livez", "/readyz", "/v1/claims"];

/// A check of a key counts for so long; then it is looked up again, so that a revocation ends open streams and waits, too.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// The address at the other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer(pub IpAddr);

/// A caller, and when its key was looked up.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    caller: Caller,
    /// The session that the caller comes with, where a browser signed in.
    session: Option<SessionToken>,
    at: Instant,
}

impl Checked {
    fn now(caller: Caller, session: Option<SessionToken>) -> Self {
        Self { caller, session, at: Instant::now() }
    }

    /// The caller, whose key is looked up again where that was done some time ago.
    pub(super) fn caller(&self, engine: &Engine) -> Result<Caller, EngineError> {
        if self.at.elapsed() < CHECK_EVERY { Ok(self.caller.clone()) } else { self.looked_up(engine) }
    }

    fn looked_up(&self, engine: &Engine) -> Result<Caller, EngineError> {
        let Some(session) = &self.session else { return engine.still_holds(&self.caller) };
        let Caller { who, .. } = engine.caller_of_session(session)?;
        Ok(Caller { who, ..self.caller.clone() })
    }

    /// The caller as it was when its key was looked up.
    pub(super) const fn as_checked(&self) -> &Caller {
        &self.caller
    }

    /// The session that the caller comes with.
    pub(super) const fn session(&self) -> Option<&SessionToken> {
        self.session.as_ref()
    }

    /// Whether the key holds still. Looks it up once in a while, so it may be asked often.
    pub(super) fn still_holds(&mut self, engine: &Engine) -> bool {
        if self.at.elapsed() >= CHECK_EVERY {
            match self.looked_up(engine) {
                Ok(caller) => *self = Self::now(caller, self.session.take()),
                Err(_) => return false,
            }
        }
        true
    }
}

/// Who makes the request.
pub(super) struct By(pub Checked);

/// A workspace that the URL names, and who asks for it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub id: WorkspaceId,
    pub by: Checked,
}

/// The place is its name, wherever a name is wanted.
impl std::ops::Deref for Place {
    type Target = WorkspaceId;

    fn deref(&self) -> &WorkspaceId {
        &self.id
    }
}

impl Place {
    /// The workspace as the caller sees it.
    pub(super) fn open<'a>(&self, engine: &'a Engine) -> Result<Workspace<'a>, EngineError> {
        engine.workspace(&self.id, &self.by.caller(engine)?)
    }
}

impl<S: Sync> FromRequestParts<S> for By {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let checked = parts.extensions.get::<Checked>().cloned();
        checked.map(Self).ok_or_else(|| ApiError::internal("a route without a caller"))
    }
}

/// Admits requests with a key that holds, and those of this machine's user where no key was ever made.
pub(super) async fn authenticate(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    if is_open(request.uri().path()) {
        return next.run(request).await;
    }
    let surface = surface_of(request.uri().path());
    let secret = match secret_of(request.headers()) {
        Ok(secret) => secret,
        Err(error) => return refused(&error.into()),
    };
    let is_of_page = surface == Surface::Page && secret.is_none();
    let session = if is_of_page { cookie::session_of(request.headers()) } else { None };
    let token = session.clone();
    let found = app.call_at_once(move |engine| {
        let found = match (&secret, &token) {
            (Some(secret), _) => engine.caller_of(secret, surface),
            (None, Some(token)) => engine.caller_of_session(token),
            (None, None) => Err(AccessError::NoKey.into()),
        };
        match found.map(Ok).or_else(of_access)? {
            // A cookie of another time does not keep this machine's user out.
            Err(AccessError::NoKey | AccessError::SessionOver) if !engine.has_keys()? => {
                Ok((Ok(Caller::local(surface)), None))
            }
            found => Ok((found, token)),
        }
    });
    match found.await {
        Ok(axum::Json((Ok(caller), session))) => {
            let extensions = request.extensions_mut();
            let address = extensions.get::<Peer>().map(|peer| peer.0);
            let request_id = extensions.get::<RequestId>().map(|id| id.0.clone());
            extensions.insert(Checked::now(Caller { address, request_id, ..caller }, session));
            next.run(request).await
        }
        Ok(axum::Json((Err(error), _))) if is_of_page => page::turned_away(&request, refused(&error.into())),
        Ok(axum::Json((Err(error), _))) => refused(&error.into()),
        Err(error) => error.into_response(),
    }
}

/// A refusal of the caller, apart from an error of the store.
fn of_access<T>(error: EngineError) -> Result<Result<T, AccessError>, EngineError> {
    match error {
        EngineError::Access(error) => Ok(Err(error)),
        other => Err(other),
    }
}

/// Whether a request needs no key. Whoever signs in has no session yet, and a page without one still has a style.
fn is_open(path: &str) -> bool {
    OPEN.contains(&path) || page::OPEN.contains(&path) || path.starts_with("/assets/")
}

fn surface_of(path: &str) -> Surface {
    let is_below =
        |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if is_below("/mcp") {
        Surface::Mcp
    } else if path == "/" || page::PLACES.into_iter().any(is_below) {
        Surface::Page
    } else {
        Surface::Rest
    }
}

/// The key of the header `Authorization: Bearer …` (RFC 6750, section 2.1), where there is that header.
fn secret_of(headers: &HeaderMap) -> Result<Option<Secret>, AccessError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(AccessError::MalformedKey);
    }
    let text = value.to_str().map_err(|_| AccessError::MalformedKey)?;
    let (scheme, secret) = text.split_once(' ').ok_or(AccessError::MalformedKey)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(AccessError::MalformedKey);
    }
    secret.trim().parse().map(Some)
}

/// 401, with the header that tells how to authenticate (RFC 6750, section 3).
fn refused(error: &EngineError) -> Response {
    let mut response = ApiError::of_name(error).into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        let challenge = match error {
            EngineError::Access(AccessError::NoKey) => r#"Bearer realm="pincite""#,
            _ => r#"Bearer realm="pincite", error="invalid_token""#,
        };
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_once_in_the_bearer_scheme_and_whole() {
        let secret = Secret::generate().unwrap();
        let read = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            secret_of(&headers)
        };
        let bearer = format!("Bearer {}", secret.reveal());
        assert_eq!(read(&[]), Ok(None));
        for right in [bearer.clone(), bearer.replace("Bearer", "bearer"), bearer.replace("Bearer ", "BEARER  ")] {
            assert_eq!(read(&[&right]), Ok(Some(secret.clone())), "{right}");
        }
        let cut = &bearer[..bearer.len() - 1];
        for wrong in [&["Bearer"][..], &["Bearer "], &["Basic dTpw"], &[cut], &[secret.reveal()], &[&bearer, &bearer]] {
            assert_eq!(read(wrong), Err(AccessError::MalformedKey), "{wrong:?}");
        }
    }

    #[test]
    fn the_path_tells_the_surface() {
        for (path, surface) in [
            ("/", Surface::Page),
            ("/w/notes/search", Surface::Page),
            ("/keys", Surface::Page),
            ("/keys/3fJk9QzL/rotate", Surface::Page),
            ("/keysx", Surface::Rest),
            ("/v1/keys", Surface::Rest),
            ("/mcp", Surface::Mcp),
            ("/mcp/notes", Surface::Mcp),
            ("/mcpx", Surface::Rest),
            ("/v1/workspaces", Surface::Rest),
            ("/.well-known/x", Surface::Rest),
        ] {
            assert_eq!(surface_of(path), surface, "{path}");
        }
    }
}
