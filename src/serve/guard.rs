//! What stands in front of every route: who the request was sent to, what page sent it, and how long its body may be.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest as _, MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, HOST, ORIGIN, X_CONTENT_TYPE_OPTIONS};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::error::ApiError;
use super::incoming;
use super::routes::FILE_ROUTE;

/// The names that a server may be reached by.
///
/// A web page can have its own name point to this machine (DNS rebinding) and then read replies as if they were its
/// own. Such a request still carries the page's name in `Host` and `Origin`, so names are checked; addresses cannot be
/// rebound, so a server that listens beyond this machine takes any address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AllowedHosts {
    names: BTreeSet<String>,
    any_address: bool,
}

impl AllowedHosts {
    /// The names of this machine and `configured`, and where `listening` is not loopback, all addresses.
    pub(super) fn new(listening: SocketAddr, configured: &[String]) -> Self {
        let own = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let configured = configured.iter().map(|name| name.trim().to_ascii_lowercase());
        let names = own.into_iter().chain([listening.ip().to_string()]).chain(configured).collect();
        Self { names, any_address: !listening.ip().is_loopback() }
    }

    /// The names, unless any address is taken.
    pub(super) fn names(&self) -> Option<Vec<String>> {
        (!self.any_address).then(|| self.names.iter().cloned().collect())
    }

    /// The origins of pages on these names, at any port, unless any address is taken.
    pub(super) fn origins(&self) -> Option<Vec<String>> {
        let of_name = |name: String| {
            let host = if name.contains(':') { format!("[{name}]") } else { name };
            ["http", "https"].map(|scheme| format!("{scheme}://{host}:*"))
        };
        Some(self.names()?.into_iter().flat_map(of_name).collect())
    }

    fn admits(&self, authority: &Authority) -> bool {
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        self.names.contains(&host) || (self.any_address && host.parse::<IpAddr>().is_ok())
    }

    fn admits_request(&self, request: &Request) -> Result<(), ApiError> {
        let from_header = || request.headers().get(HOST)?.to_str().ok()?.parse().ok();
        let authority: Option<Authority> = request.uri().authority().cloned().or_else(from_header);
        if !authority.is_some_and(|authority| self.admits(&authority)) {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "host_not_allowed",
                "the request was sent to a host name that this server does not go by",
                "use an address or `localhost`, or allow the name where the server is started",
            ));
        }
        let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
        let origin: Option<Uri> = origin.to_str().ok().and_then(|origin| origin.parse().ok());
        if !origin.as_ref().and_then(Uri::authority).is_some_and(|authority| self.admits(authority)) {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "origin_not_allowed",
                "a web page of another site sent the request",
                "call the server from a program, or from a page that it serves",
            ));
        }
        Ok(())
    }
}

/// Refuses requests to other names and from other sites, and marks every reply as not to be cached or guessed about.
pub(super) async fn check_sender(State(hosts): State<Arc<AllowedHosts>>, request: Request, next: Next) -> Response {
    let mut response = match hosts.admits_request(&request) {
        Ok(()) => next.run(request).await,
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    // What was deleted must not come back from a cache.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

/// Reads the body, within `timeout` and the limit that the router sets, before a handler is called. A file's handler reads it itself.
pub(super) async fn read_body(State(timeout): State<Duration>, request: Request, next: Next) -> Response {
    let is_file = request.extensions().get::<MatchedPath>().is_some_and(|path| path.as_str() == FILE_ROUTE);
    if is_file && request.method() == Method::PUT {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    let mut whole = Request::new(body);
    // The limit stands in the extensions.
    whole.extensions_mut().clone_from(&parts.extensions);
    match tokio::time::timeout(timeout, Bytes::from_request(whole, &())).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(rejection)) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "the request's body is longer than this server takes",
            "send less at once; put a large file into the workspace's folder instead",
        )
        .into_response(),
        Ok(Err(_)) => incoming::broken().into_response(),
        Err(_) => incoming::late().into_response(),
    }
}

/// Writes one line a request: the route, never what stands in the path, the query or the body.
pub(super) async fn log(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let started = std::time::Instant::now();
    let response = next.run(request).await;
    let (status, elapsed_ms) = (response.status().as_u16(), started.elapsed().as_millis());
    tracing::debug!(%method, route, status, elapsed_ms, "request");
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(hosts: &AllowedHosts, host: &str) -> bool {
        hosts.admits(&host.parse().unwrap())
    }

    #[test]
    fn a_loopback_server_goes_by_the_names_of_this_machine_and_those_it_was_given() {
        let hosts = AllowedHosts::new(([127, 0, 0, 1], 7878).into(), &["Search.Example".to_owned()]);
        for host in ["localhost:7878", "LOCALHOST", "127.0.0.1:1", "[::1]:7878", "search.example"] {
            assert!(admits(&hosts, host), "{host}");
        }
        for host in ["evil.example:7878", "127.0.0.1.evil.example", "192.168.1.5", "localhost.evil.example"] {
            assert!(!admits(&hosts, host), "{host}");
        }
    }

    #[test]
    fn a_server_beyond_this_machine_takes_any_address_and_no_other_name() {
        let hosts = AllowedHosts::new(([0, 0, 0, 0], 7878).into(), &[]);
        assert!(admits(&hosts, "192.168.1.5:7878") && admits(&hosts, "[fe80::1]:7878") && admits(&hosts, "localhost"));
        assert!(!admits(&hosts, "evil.example:7878"));
        assert_eq!((hosts.names(), hosts.origins()), (None, None));
    }
}
