//! Why a server could not be asked, or refused.

use std::time::Duration;

use tokio_rustls::rustls;
use ureq::http::StatusCode;

use super::address::Address;
use crate::error::{Advice, ErrorReport};

/// Characters of a message that is not from pincite.
const MAX_REASON_CHARS: usize = 200;

/// Why a command that names a server did not get its result.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum RemoteError {
    /// The URL names no server.
    #[error("the URL names no server: {reason}")]
    Address {
        /// Why.
        reason: &'static str,
    },
    /// The key would go over the network for everybody to read.
    #[error("the key is not sent to `{host}`: plain HTTP would show it to everybody on the way")]
    PlainKey {
        /// The host of the URL.
        host: String,
    },
    /// The file of the key cannot be read.
    #[error("the key cannot be read")]
    KeyFile(#[source] std::io::Error),
    /// What was given can be no key.
    #[error("what was given as the key is none: a key is one word of visible ASCII characters")]
    MalformedKey,
    /// The file of certificates cannot be read, or holds none.
    #[error("the certificates of `--ca-file` cannot be used: {reason}")]
    CaFile {
        /// Why.
        reason: String,
    },
    /// The command needs the data folder itself.
    #[error("`{command}` does not work on a server")]
    OnlyHere {
        /// The command or option.
        command: &'static str,
        /// The remedy.
        instead: &'static str,
    },
    /// The file that was to be sent could not be read.
    #[error("the file cannot be read")]
    Content(#[source] std::io::Error),
    /// There is no connection, or it broke.
    #[error("{address} cannot be reached: {reason}")]
    Unreachable {
        /// The server.
        address: String,
        /// Why.
        reason: String,
    },
    /// The server does not prove that it is the one that the URL names.
    #[error("{address} is not trusted: {reason}")]
    Untrusted {
        /// The server.
        address: String,
        /// Why.
        reason: String,
    },
    /// Nothing came in time.
    #[error("{address} sent nothing for {} s", patience.as_secs())]
    TimedOut {
        /// The server.
        address: String,
        /// How long it was waited for.
        patience: Duration,
    },
    /// The server names another place. The key is not taken there.
    #[error("{address} redirects to `{to}`, which is not followed")]
    Redirected {
        /// The server.
        address: String,
        /// The header `Location`.
        to: String,
    },
    /// A reply that pincite does not give.
    #[error("the reply of {address} is not one of pincite: {reason}")]
    Foreign {
        /// The server.
        address: String,
        /// How it differs.
        reason: String,
    },
    /// The server refused, in its own words.
    #[error("{}", report.message)]
    Refused {
        /// The status; `None` where the reply had begun well.
        status: Option<StatusCode>,
        /// What it says.
        report: ErrorReport,
    },
}

impl RemoteError {
    /// Whether another command is needed, as opposed to another time.
    pub(in crate::cli) fn is_wrong_use(&self) -> bool {
        match self {
            Self::Address { .. }
            | Self::PlainKey { .. }
            | Self::KeyFile(_)
            | Self::MalformedKey
            | Self::CaFile { .. }
            | Self::OnlyHere { .. }
            | Self::Redirected { .. } => true,
            // As the same errors count on this machine: see `engine::ErrorKind`.
            Self::Refused { status: Some(status), .. } => {
                let other = [
                    StatusCode::FORBIDDEN,
                    StatusCode::PRECONDITION_FAILED,
                    StatusCode::TOO_MANY_REQUESTS,
                    StatusCode::LOCKED,
                    StatusCode::GONE,
                ];
                status.is_client_error() && !other.contains(status)
            }
            Self::Refused { status: None, .. }
            | Self::Content(_)
            | Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::TimedOut { .. }
            | Self::Foreign { .. } => false,
        }
    }

    /// Whether the same request may succeed at another time, whatever it asks for: the server is away or busy.
    pub(in crate::cli) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Refused { status: Some(status), .. } => matches!(status.as_u16(), 429 | 502..=504),
            _ => false,
        }
    }

    /// Whether others hold a lock on what the request is about.
    pub(in crate::cli) fn is_locked(&self) -> bool {
        matches!(self, Self::Refused { status: Some(StatusCode::LOCKED), .. })
    }

    /// Whether what was asked for is there no more.
    pub(in crate::cli) fn is_gone(&self) -> bool {
        matches!(self, Self::Refused { status: Some(StatusCode::GONE), .. })
    }

    /// What became of a request that has no reply.
    pub(super) fn of(address: &Address, error: ureq::Error, patience: Duration) -> Self {
        let address = address.shown().to_owned();
        // An error of TLS comes as one of the connection.
        let error = match error {
            ureq::Error::Io(error) => match error.downcast::<rustls::Error>() {
                Ok(error) => ureq::Error::Rustls(error),
                Err(error) => ureq::Error::Io(error),
            },
            error => error,
        };
        match error {
            ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
                Self::Unreachable { address, reason: "it does not take the connection in time".to_owned() }
            }
            ureq::Error::Timeout(_) => Self::TimedOut { address, patience },
            ureq::Error::Rustls(rustls::Error::InvalidCertificate(error)) => {
                Self::Untrusted { address, reason: short(&error.to_string()) }
            }
            ureq::Error::Rustls(error) => Self::Unreachable { address, reason: short(&format!("TLS fails: {error}")) },
            ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
                Self::Foreign { address, reason: "it is not HTTP".to_owned() }
            }
            ureq::Error::HostNotFound => Self::Unreachable { address, reason: "no such host is known".to_owned() },
            ureq::Error::Io(error) => Self::Unreachable { address, reason: short(&error.to_string()) },
            error => Self::Unreachable { address, reason: short(&error.to_string()) },
        }
    }

    /// What became of a reply that broke off.
    pub(super) fn of_body(address: &Address, error: std::io::Error, patience: Duration) -> Self {
        Self::of(address, ureq::Error::from(error), patience)
    }

    /// A reply of another form than pincite's.
    pub(super) fn foreign(address: &Address, reason: impl Into<String>) -> Self {
        Self::Foreign { address: address.shown().to_owned(), reason: reason.into() }
    }
}

/// One line of a message, cut.
pub(super) fn short(message: &str) -> String {
    let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_REASON_CHARS) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

impl Advice for RemoteError {
    fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "invalid_url",
            Self::PlainKey { .. } => "plain_key",
            Self::KeyFile(_) | Self::MalformedKey => "invalid_key",
            Self::CaFile { .. } => "invalid_ca_file",
            Self::OnlyHere { .. } => "only_here",
            Self::Content(_) => "file_io",
            Self::Unreachable { .. } => "unreachable",
            Self::Untrusted { .. } => "untrusted",
            Self::TimedOut { .. } => "timed_out",
            Self::Redirected { .. } => "redirected",
            Self::Foreign { .. } => "foreign_reply",
            Self::Refused { .. } => "refused",
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Address { .. } => "write the server as `https://host:7878`",
            Self::PlainKey { .. } => {
                "give an `https://` URL; a server has TLS by `pincite serve --tls-cert … --tls-key …`, or from a proxy in front of it"
            }
            Self::KeyFile(_) | Self::MalformedKey => {
                "give the file that holds the key alone to `--key-file`, or the key in `PINCITE_API_KEY`"
            }
            Self::CaFile { .. } => "give a PEM file with the certificate of the authority, or of the server itself",
            Self::OnlyHere { instead, .. } => instead,
            Self::Content(_) => "check that the file may be read",
            Self::Unreachable { .. } => {
                "check the URL, and whether `pincite serve` runs there and listens on that address"
            }
            Self::Untrusted { .. } => {
                "name the host as its certificate does; for an authority of your own, give its certificate to `--ca-file`"
            }
            Self::TimedOut { .. } => "ask again; the server's log tells whether it works on the request",
            Self::Redirected { .. } => "give the place itself to `--url`, if you trust it with the key",
            Self::Foreign { .. } => {
                "check the URL: another program or a proxy may answer there, or another version of pincite"
            }
            Self::Refused { report, .. } => return report.hint.clone(),
        };
        Some(hint.to_owned())
    }
}
