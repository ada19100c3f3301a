//! What stands in front of every route: who the request was sent to, and what page sent it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, HOST, ORIGIN, X_CONTENT_TYPE_OPTIONS};
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::error::ApiError;

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
        if !self.admits(&authority_of(request)?) {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "host_not_allowed",
                "the request was sent to a host name that this server does not go by",
                "use an address or `localhost`, or allow the name where the server is started",
            ));
        }
        // Each of several, because whoever stands between may look at another one.
        if !request.headers().get_all(ORIGIN).iter().all(|origin| self.admits_origin(origin)) {
            return Err(ApiError::new(
                StatusCode::FORBIDDEN,
                "origin_not_allowed",
                "a web page of another site sent the request",
                "call the server from a program, or from a page that it serves",
            ));
        }
        Ok(())
    }

    /// Whether an origin is a scheme of the web, a name that is admitted, and nothing else (RFC 6454, section 7).
    fn admits_origin(&self, origin: &HeaderValue) -> bool {
        let authority = origin.to_str().ok().and_then(|origin| {
            let (scheme, authority) = origin.split_once("://")?;
            let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
            authority.parse::<Authority>().ok().filter(|authority| is_web && !authority.as_str().contains('@'))
        });
        authority.is_some_and(|authority| self.admits(&authority))
    }
}

/// Whom a request was sent to. A request without `Host`, with two, or with one that cannot be is a bad one (RFC 9112, section 3.2).
fn authority_of(request: &Request) -> Result<Authority, ApiError> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next().map(|host| host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()));
    let authority = request.uri().authority().cloned();
    match (host, hosts.next(), authority) {
        (Some(Some(host)), None, authority) if !host.as_str().contains('@') => Ok(authority.unwrap_or(host)),
        // A request of HTTP/2, or of a program, names it in its URL alone.
        (None, None, Some(authority)) => Ok(authority),
        _ => Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_host",
            "the request has no header `Host`, more than one, or one that is no host",
            "send `Host` once, with the name and port that the server is reached by",
        )),
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
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
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
