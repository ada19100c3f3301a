//! What a webhook may be: its URL by its form, and why one is refused.

use crate::error::Advice;

/// Longer URLs of receivers are refused, in bytes.
pub const MAX_URL_BYTES: usize = 2_048;
/// More agents are refused in one webhook.
pub const MAX_WEBHOOK_AGENTS: usize = 100;

/// Refuses a URL by its form: it begins with `http://` or `https://`, has a host and perhaps a port, and holds no name, password, fragment,
/// white space or control character.
///
/// # Errors
/// [`InvalidWebhook::Url`] with what is wrong; the URL itself is not repeated, as it may hold a secret.
pub fn check_url(url: &str) -> Result<(), InvalidWebhook> {
    let wrong = |reason: &'static str| Err(InvalidWebhook::Url { reason });
    if url.len() > MAX_URL_BYTES {
        return wrong("it has more than 2048 bytes");
    }
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return wrong("it begins with neither `http://` nor `https://`");
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') {
        return wrong("it holds a name or password");
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|literal| literal.split_once(']')) {
        Some((literal, port)) => {
            if literal.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(InvalidWebhook::Unresolved);
            }
            (literal, port)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let is_name = |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    if host.is_empty() || host.len() > 253 || !(authority.starts_with('[') || is_name(host)) {
        return wrong("it names no host");
    }
    let is_port = |port: &str| !port.starts_with(['0', '+']) && port.parse::<u16>().is_ok();
    if !(port.is_empty() || port.strip_prefix(':').is_some_and(is_port)) {
        return wrong("its port is not a number of 1 to 65535");
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?@!$&'()*+,;=%".contains(&byte);
    if !path.bytes().all(is_plain) {
        return wrong("its path holds a fragment, or characters that are to be written as `%XX`");
    }
    Ok(())
}

/// Why a webhook is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWebhook {
    /// The URL cannot be one.
    #[error("the URL of a webhook cannot be used: {reason}")]
    Url {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The host has an address that webhooks may not reach.
    #[error("the host of the URL has an address that is not a public one")]
    Address,
    /// The host has no address.
    #[error("the host of the URL has no address now")]
    Unresolved,
    /// Too many URLs are being looked up.
    #[error("so many URLs are being looked up that this one is refused")]
    LookupsBusy,
    /// The secret cannot be one.
    #[error("the secret is not `whsec_` and the base64 of 24 to 64 bytes")]
    Secret,
    /// There are too many agents.
    #[error("there are {num_agents} agents, and {MAX_WEBHOOK_AGENTS} are allowed")]
    TooManyAgents {
        /// How many.
        num_agents: usize,
    },
    /// The old secret is to hold for too long.
    #[error("`overlap_s` is {overlap_s}, and must be 0 to {most}")]
    Overlap {
        /// What was asked for.
        overlap_s: u64,
        /// The limit.
        most: u64,
    },
}

impl Advice for InvalidWebhook {
    fn code(&self) -> &'static str {
        match self {
            Self::Address | Self::Unresolved => "url_not_allowed",
            Self::LookupsBusy => "overloaded",
            Self::Url { .. } | Self::Secret | Self::TooManyAgents { .. } | Self::Overlap { .. } => "invalid_webhook",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(
            match self {
                Self::Url { .. } => "it is like `https://example.org/hooks/pincite`",
                Self::Address => {
                    "name a public host, or open its network in `config.toml`: `webhooks.allow_networks = [\"10.1.0.0/16\"]`"
                }
                Self::Unresolved => "check the name, and that this machine can resolve it",
                Self::LookupsBusy => "send it again in a second",
                Self::Secret => "leave it out, and one is made",
                Self::TooManyAgents { .. } => "name fewer, or none for all",
                Self::Overlap { .. } => "the old secret holds for a day where nothing is said",
            }
            .to_owned(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_host_and_perhaps_a_port_and_tells_no_password() {
        for right in [
            "https://example.org",
            "http://example.org:8080/hook?token=a%20b",
            "https://[2606:4700::1111]:443/",
            "http://10.0.0.1?x",
            "http://a_b.example/~x",
        ] {
            assert_eq!(check_url(right), Ok(()), "{right}");
        }
        for wrong in [
            "",
            "example.org",
            "ftp://example.org",
            "HTTP://example.org",
            "http://",
            "http:///path",
            "http://user@example.org",
            "http://user:pw@example.org/",
            "http://a b/",
            "http://a\\b/",
            "http://ex%61mple.org/",
            "http://example.org:0",
            "http://example.org:65536",
            "http://example.org:+80",
            "http://example.org:",
            "http://example.org/#part",
            "http://example.org#part",
            "http://example.org/ü",
            "http://[::1",
            "http://[::1]x",
            "http://::1/",
            "http://a/\r\nX: y",
        ] {
            let refused = check_url(wrong).unwrap_err();
            assert!(matches!(refused, InvalidWebhook::Url { .. }) && refused.hint().is_some(), "{wrong}");
        }
        assert_eq!(check_url("http://[nonsense]/"), Err(InvalidWebhook::Unresolved));
        assert!(check_url(&format!("http://a/{}", "x".repeat(2_039))).is_ok());
        assert!(check_url(&format!("http://a/{}", "x".repeat(2_040))).is_err());
    }
}
