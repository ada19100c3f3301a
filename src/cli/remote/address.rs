//! The address of a server, and whether a key may go there.

use std::net::IpAddr;

use ureq::http::Uri;
use ureq::http::uri::Scheme;

use super::RemoteError;

/// Where a server is: `https://host:port`, with the path that a proxy may have put in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Without a slash at its end.
    base: String,
    host: String,
    is_encrypted: bool,
}

impl Address {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`RemoteError::Address`], with the reason.
    pub(super) fn parse(url: &str) -> Result<Self, RemoteError> {
        let refused = |reason| RemoteError::Address { reason };
        let trimmed = url.trim();
        let uri: Uri = trimmed.parse().map_err(|_| refused("it is no URL"))?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(refused("it has no scheme"));
        };
        let is_encrypted = *scheme == Scheme::HTTPS;
        if !is_encrypted && *scheme != Scheme::HTTP {
            return Err(refused("its scheme is neither `https` nor `http`"));
        }
        if authority.as_str().contains('@') {
            return Err(refused("it holds a user or a password"));
        }
        if uri.query().is_some() || trimmed.contains('#') {
            return Err(refused("it has a query or a fragment"));
        }
        let path = uri.path().trim_end_matches('/');
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        Ok(Self { base: format!("{scheme}://{authority}{path}"), host, is_encrypted })
    }

    /// The URL of a route.
    pub(super) fn route(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The address, for a person.
    pub(super) fn shown(&self) -> &str {
        &self.base
    }

    /// Whether the host is this machine, by a name that no name server decides.
    pub(super) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
    }

    /// Refuses to send a key that others on the way could read.
    ///
    /// # Errors
    /// [`RemoteError::PlainKey`].
    pub(super) fn check_for_key(&self) -> Result<(), RemoteError> {
        if self.is_encrypted || self.is_loopback() {
            return Ok(());
        }
        Err(RemoteError::PlainKey { host: self.host.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_scheme_a_host_and_the_path_of_a_proxy() {
        let route = |url: &str| Address::parse(url).unwrap().route("/v1/workspaces");
        assert_eq!(route("https://host:7878"), "https://host:7878/v1/workspaces");
        assert_eq!(route(" HTTP://localhost/ "), "http://localhost/v1/workspaces");
        assert_eq!(route("https://example.org/team/pincite/"), "https://example.org/team/pincite/v1/workspaces");
        for url in
            ["", "host:7878", "/v1", "ftp://host", "https://", "https://a:b@host", "https://host?x=1", "https://host#x"]
        {
            assert!(matches!(Address::parse(url), Err(RemoteError::Address { .. })), "{url}");
        }
    }

    #[test]
    fn a_key_goes_encrypted_or_stays_on_this_machine() {
        let may = |url: &str| Address::parse(url).unwrap().check_for_key().is_ok();
        for url in
            ["https://host", "http://localhost:7878", "http://127.0.0.1", "http://127.9.9.9:1", "http://[::1]:7878"]
        {
            assert!(may(url), "{url}");
        }
        for url in [
            "http://host",
            "http://192.168.1.5:7878",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example",
            "http://0.0.0.0:7878",
            "http://[fe80::1]",
            "http://127.1",
        ] {
            assert!(!may(url), "{url}");
        }
    }
}
