//! Who makes a request: the key in its header, or this machine's user as long as no key was ever made.
//!
//! # Invariants
//! - Every route behind this file has a [`Caller`]; a request without one is answered with 401 before anything else is looked at.
//! - Once a key was made, no request is admitted without one, not even on loopback.
//! - A request is counted before it is admitted, and one beyond what its caller may send is answered with 429.
//! - Only [`OPEN`], [`CLAIMS`] and the page's way in stand beside.
//! - A session's cookie counts for the reviewers' page alone; REST and MCP take no cookie.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body_util::BodyExt as _;

use super::app::{App, HOLDER};
use super::cookie;
use super::error::ApiError;
use super::page;
use super::request_id::RequestId;
use super::{allowance, client, uploads};
use crate::access::AccessError;
use crate::engine::{Caller, Engine, EngineError, Exhausted, Secret, SessionToken, Standing, Surface, Workspace};
use crate::error::Advice as _;
use crate::network::Network;
use crate::workspace::WorkspaceId;

/// Routes that need no key and are not counted: they tell nothing of files.
const OPEN: [&str; 2] = ["/livez", "/readyz"];

/// The route that needs no key, because the token in its body is a right by itself. One that does not hold counts like a bad key.
const CLAIMS: &str = "/v1/claims";

/// A check of a key counts for so long; then it is looked up again, so that a revocation ends open streams and waits, too.
const CHECK_EVERY: Duration = Duration::from_millis(500);

/// Longer bodies of refused requests are not read.
const PASSED_OVER_BYTES: u64 = 65_536;
/// How long a body of a refused request may take.
const PASSED_OVER_FOR: Duration = Duration::from_millis(100);

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
    pub(super) fn now(caller: Caller, session: Option<SessionToken>) -> Self {
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

/// From where a request comes that needs no key.
pub(super) struct Unproven(pub Caller);

impl<S: Sync> FromRequestParts<S> for Unproven {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let address = parts.extensions.get::<Peer>().map(|peer| peer.0);
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
        Ok(Self(Caller { address, request_id, ..Caller::local(surface_of(parts.uri.path())) }))
    }
}

/// Admits requests with a key that holds, and those of this machine's user where no key was ever made.
pub(super) async fn authenticate(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_way_in = path.starts_with(uploads::PLACE)
        || path == CLAIMS
        || path == page::CLAIM
        || request.method() == Method::POST && page::OPEN.contains(&path);
    if is_open(path) && !is_way_in {
        return next.run(request).await;
    }
    let engine = app.engine();
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let address = peer.map(|peer| client::address_of(peer, request.headers(), &engine.config().serve));
    let visit = Visit {
        surface: surface_of(request.uri().path()),
        cost: {
            let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
            allowance::cost_of(request.method(), route)
        },
        network: address.map(Network::of_client),
        address,
        request_id: request.extensions().get::<RequestId>().map(|id| id.0.clone()),
        app,
    };
    if is_way_in {
        return visit.claim(request, next).await;
    }
    let admitted = visit.caller(request.headers()).await;
    if let Err(response) = &admitted
        && response.status() == StatusCode::TOO_MANY_REQUESTS
    {
        visit.record("too_many_requests").await;
    }
    match admitted {
        Ok((caller, session, standings)) => {
            let extensions = request.extensions_mut();
            let request_id = extensions.get::<RequestId>().map(|id| id.0.clone());
            let caller = Caller { address, request_id, ..caller };
            let holder = engine.limited(&caller).map(|whose| whose.to_string().into());
            extensions.insert(Checked::now(caller, session));
            let mut response = HOLDER.scope(holder, next.run(request)).await;
            allowance::tell(&standings, &mut response);
            response
        }
        // Who only lost the session is led to the form.
        Err(response) if visit.is_of_page(request.headers()) && response.status() == StatusCode::UNAUTHORIZED => {
            let response = page::turned_away(&request, *response);
            pass_over(request.into_body()).await;
            response
        }
        Err(response) => {
            pass_over(request.into_body()).await;
            *response
        }
    }
}

/// Reads a short body that is on its way. A connection whose last body was not read is closed, and its client might not hear the refusal.
async fn pass_over(mut body: Body) {
    if body.size_hint().upper().is_some_and(|most| most <= PASSED_OVER_BYTES) {
        let reading = async { while body.frame().await.is_some_and(|frame| frame.is_ok()) {} };
        // One that does not come at once is not waited for.
        let _ = tokio::time::timeout(PASSED_OVER_FOR, reading).await;
    }
}

/// A request at the door.
struct Visit {
    app: Arc<App>,
    surface: Surface,
    /// For how many requests it counts.
    cost: u64,
    network: Option<Network>,
    address: Option<IpAddr>,
    request_id: Option<String>,
}

type Standings = Vec<Standing>;

impl Visit {
    /// Who makes the request, and where its allowances stand now.
    async fn caller(&self, headers: &HeaderMap) -> Result<(Caller, Option<SessionToken>, Standings), Box<Response>> {
        let without_session = |(caller, standings)| (caller, None, standings);
        match secret_of(headers) {
            Ok(Some(secret)) => self.holder_of(secret).await.map(without_session),
            Ok(None)
                if self.is_of_page(headers)
                    && let Some(session) = cookie::session_of(headers) =>
            {
                self.signed_in(session).await
            }
            Ok(None) => self.without_key(AccessError::NoKey).await.map(without_session),
            Err(error) => {
                let standings = self.guess()?;
                Err(told(&standings, self.turned_away(error).await))
            }
        }
    }

    async fn holder_of(&self, secret: Secret) -> Result<(Caller, Standings), Box<Response>> {
        let (engine, surface, cost) = (self.app.engine(), self.surface, self.cost);
        let (id, hash) = (secret.id().to_owned(), secret.hash());
        // A flood with a key that holds costs no look at the store.
        let familiar = engine.rates().take_of_familiar(&id, &hash, cost).transpose().map_err(exhausted)?;
        let guessed = if familiar.is_none() { self.guess()? } else { Vec::new() };
        let found = self.app.call_at_once(move |engine| engine.caller_of(&secret, surface).map(Ok).or_else(of_access));
        let is_guess = familiar.is_none();
        match found.await {
            Ok(axum::Json(Ok(caller))) => {
                let taken = if let Some(standings) = familiar {
                    Ok(standings)
                } else {
                    self.was_no_guess();
                    engine.rates().take_of_key(&id, hash, cost)
                };
                taken.map(|standings| (caller, standings)).map_err(exhausted)
            }
            Ok(axum::Json(Err(error))) => {
                engine.rates().estrange(&id);
                // It held a moment ago: it was revoked, or is over.
                let standings = if is_guess { guessed } else { self.guess()? };
                Err(told(&standings, self.turned_away(error).await))
            }
            Err(error) => {
                if is_guess {
                    self.was_no_guess();
                }
                Err(Box::new(error.into_response()))
            }
        }
    }

    /// The caller of a session. A cookie of another time does not keep this machine's user out.
    async fn signed_in(
        &self,
        session: SessionToken,
    ) -> Result<(Caller, Option<SessionToken>, Standings), Box<Response>> {
        let (engine, token) = (self.app.engine(), session.clone());
        let found = self.app.call_at_once(move |engine| engine.caller_of_session(&token).map(Ok).or_else(of_access));
        match found.await {
            Ok(axum::Json(Ok(caller))) => {
                let standings = match caller.key() {
                    Some(key) => engine.rates().take_of_key(&key.row.id, key.row.hash, self.cost).map_err(exhausted)?,
                    None => Vec::new(),
                };
                Ok((caller, Some(session), standings))
            }
            Ok(axum::Json(Err(error))) => {
                self.without_key(error).await.map(|(caller, standings)| (caller, None, standings))
            }
            Err(error) => Err(Box::new(error.into_response())),
        }
    }

    /// Whether a cookie counts: on the page, for a request without a key in its header.
    fn is_of_page(&self, headers: &HeaderMap) -> bool {
        self.surface == Surface::Page && !headers.contains_key(AUTHORIZATION)
    }

    /// This machine's user, as long as no key was made; `otherwise` says why somebody else is turned away.
    async fn without_key(&self, otherwise: AccessError) -> Result<(Caller, Standings), Box<Response>> {
        let engine = self.app.engine();
        let standings = match self.network.filter(|_| self.is_counted()) {
            Some(network) => engine.rates().take_of_network(network, self.cost).map_err(exhausted)?,
            None => Vec::new(),
        };
        match self.app.call_at_once(Engine::has_keys).await {
            Ok(axum::Json(false)) => Ok((Caller::local(self.surface), standings)),
            Ok(axum::Json(true)) => Err(told(&standings, self.turned_away(otherwise).await)),
            Err(error) => Err(Box::new(error.into_response())),
        }
    }

    /// Refuses somebody who has not said who, and has it recorded.
    async fn turned_away(&self, error: AccessError) -> Response {
        self.record(error.code()).await;
        refused(&error.into())
    }

    /// Records that somebody was turned away. Who is refused gets nothing, also where that cannot be recorded.
    async fn record(&self, code: &'static str) {
        let (surface, address, request_id) = (self.surface, self.address, self.request_id.clone());
        let record = move |engine: &Engine| {
            engine.record_unknown(surface, address, request_id.as_deref(), ("door", code));
            Ok(())
        };
        let _ = self.app.call_at_once(record).await;
    }

    /// Lets a claim through, as long as not too many from its address did not hold.
    async fn claim(&self, request: Request, next: Next) -> Response {
        let standings = match self.guess() {
            Ok(standings) => standings,
            Err(response) => {
                self.record("too_many_requests").await;
                return *response;
            }
        };
        let mut response = next.run(request).await;
        if !response.status().is_client_error() {
            self.was_no_guess();
        }
        allowance::tell(&standings, &mut response);
        response
    }

    /// Whether requests without a key from this address are counted: those of this machine's user are not.
    fn is_counted(&self) -> bool {
        let limits_loopback = self.app.engine().config().serve.limit_loopback;
        self.network.is_some_and(|network| limits_loopback || !network.is_loopback())
    }

    /// Counts a key before it is known whether it holds.
    fn guess(&self) -> Result<Standings, Box<Response>> {
        let Some(network) = self.network else { return Ok(Vec::new()) };
        self.app.engine().rates().take_of_guess(network, self.is_counted()).map_err(exhausted)
    }

    fn was_no_guess(&self) {
        if let Some(network) = self.network {
            self.app.engine().rates().was_no_guess(network, self.is_counted());
        }
    }
}

#[expect(clippy::unnecessary_box_returns, reason = "a refusal is boxed wherever it is an error")]
#[expect(clippy::needless_pass_by_value, reason = "the form that `map_err` takes")]
fn exhausted(error: Exhausted) -> Box<Response> {
    Box::new(allowance::refused(&error))
}

#[expect(clippy::unnecessary_box_returns, reason = "a refusal is boxed wherever it is an error")]
fn told(standings: &[Standing], mut response: Response) -> Box<Response> {
    allowance::tell(standings, &mut response);
    Box::new(response)
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
