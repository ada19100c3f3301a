//! The address that a request comes from: that at the other end of the connection, or where that is a trusted proxy, the one that the proxy
//! names.
//!
//! # Invariants
//! - `X-Forwarded-For` counts from right to left, and only as far as each address that wrote a part of it is trusted. So a client that sends the
//!   header itself never chooses its address.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use axum::http::header::HeaderName;

use crate::config::Serve;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address of the client. Where a proxy names something that is no address, it is the proxy's own.
pub(super) fn address_of(peer: IpAddr, headers: &HeaderMap, config: &Serve) -> IpAddr {
    let mut address = peer.to_canonical();
    if config.trusted_proxies.is_empty() {
        return address;
    }
    let is_trusted = |address: IpAddr| config.trusted_proxies.iter().any(|network| network.contains(address));
    // A proxy may add a line of its own: all of them are one list (RFC 9110, section 5.3).
    let lines = headers.get_all(X_FORWARDED_FOR).iter().rev();
    let hops = lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
    for hop in hops {
        if !is_trusted(address) {
            break;
        }
        match parsed(hop.trim()) {
            Some(named) => address = named.to_canonical(),
            None => break,
        }
    }
    address
}

/// An address as proxies write it: with a port or without, of IPv6 in brackets or without.
fn parsed(hop: &str) -> Option<IpAddr> {
    let in_brackets = || hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    hop.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|address| address.ip())).or_else(in_brackets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, lines: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
        let config = Serve { trusted_proxies: trusted.into(), ..Serve::default() };
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(X_FORWARDED_FOR, line.parse().unwrap());
        }
        address_of(peer.parse().unwrap(), &headers, &config).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_says_for_whom_it_asks() {
        for (peer, lines, expected) in [
            ("192.0.2.1", &["198.51.100.9"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.9"], "198.51.100.9"),
            ("::ffff:10.0.0.1", &["198.51.100.9:4711"], "198.51.100.9"),
            ("10.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("10.0.0.1", &["[2001:db8::7]"], "2001:db8::7"),
            ("fd00::1", &["::ffff:198.51.100.9"], "198.51.100.9"),
            // What the client sent itself stands to the left of what the proxy saw.
            ("10.0.0.1", &["127.0.0.1, 198.51.100.9"], "198.51.100.9"),
            ("10.0.0.1", &["127.0.0.1", "198.51.100.9"], "198.51.100.9"),
            // Two proxies, one behind the other.
            ("10.0.0.1", &["1.2.3.4, 198.51.100.9, 10.0.0.2"], "198.51.100.9"),
            ("10.0.0.1", &["198.51.100.9", "10.0.0.2,10.0.0.3"], "198.51.100.9"),
            // What is no address ends the chain at whoever wrote it.
            ("10.0.0.1", &["198.51.100.9, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.9, evil, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ] {
            assert_eq!(address(peer, lines), expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn without_trusted_proxies_the_header_says_nothing() {
        let mut headers = HeaderMap::new();
        headers.append(X_FORWARDED_FOR, "198.51.100.9".parse().unwrap());
        let found = address_of("127.0.0.1".parse().unwrap(), &headers, &Serve::default());
        assert_eq!(found.to_string(), "127.0.0.1");
    }
}
