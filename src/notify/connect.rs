//! Where a message goes: names are looked up, each address is checked, and the connection is made to one that was checked.
//!
//! # Invariants
//! - ureq is given addresses by [`Checked`] alone, and connects to no other. So a name that has another address when it is looked up again brings
//!   nobody to a place that was not checked.
//! - A name of which one address is not allowed is refused with all its addresses.
//! - Redirects are not followed, no proxy is used, no cookie is kept, and a try ends after [`TIMEOUT`].

use std::fmt::Debug;
use std::io::{self, Read as _};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use ureq::Agent;
use ureq::config::Config;
use ureq::http::{HeaderMap, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Connector as _, NextTimeout, RustlsConnector, TcpConnector};

use super::addresses::may_reach;
use crate::config::Webhooks;
use crate::workspace::{InvalidWebhook, check_url};

/// What one try may take, from the look-up of the name to the end of the reply.
const TIMEOUT: Duration = Duration::from_secs(15);
/// What the body of a reply may take, of which only the beginning is read.
const BODY_TIMEOUT: Duration = Duration::from_secs(3);
/// Bytes that are read of a reply's body.
const MAX_REPLY_BYTES: u64 = 1_024;
/// Bytes of a reply's header.
const MAX_HEADER_BYTES: usize = 16 * 1_024;
/// What the look-up of a name may take when a webhook is made.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);
/// URLs that are looked up at once when webhooks are made.
const MAX_LOOKUPS: usize = 8;

/// Looks names up.
pub(super) trait Names: Debug + Send + Sync + 'static {
    /// All addresses of a host, which may be written as an address.
    fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The system's resolver.
#[derive(Debug)]
struct System;

impl Names for System {
    fn look_up(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs()?.collect())
    }
}

/// Decides where webhooks may be sent.
#[derive(Debug)]
pub(crate) struct Doorman {
    checked: Checked,
    /// What one try may take.
    timeout: Duration,
    num_lookups: AtomicUsize,
}

/// One look-up, until it is dropped.
struct Lookup<'a>(&'a AtomicUsize);

impl Drop for Lookup<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Doorman {
    /// A doorman with these rules.
    pub(crate) fn new(rules: Webhooks) -> Self {
        Self::asking(rules, Arc::new(System), TIMEOUT)
    }

    /// One that asks for names elsewhere, and gives each try so much time.
    pub(super) fn asking(rules: Webhooks, names: Arc<dyn Names>, timeout: Duration) -> Self {
        Self { checked: Checked { rules, names }, timeout, num_lookups: AtomicUsize::new(0) }
    }

    /// Refuses a URL that cannot be one, or whose host has an address that webhooks may not reach. Takes as long as the look-up of a name, but
    /// no more than five seconds.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn check(&self, url: &str) -> Result<(), InvalidWebhook> {
        check_url(url)?;
        let counted = Lookup(&self.num_lookups);
        if self.num_lookups.fetch_add(1, Ordering::Relaxed) >= MAX_LOOKUPS {
            return Err(InvalidWebhook::LookupsBusy);
        }
        let uri: Uri = url.parse().map_err(|_| InvalidWebhook::Url { reason: "it cannot be read" })?;
        let checked = self.checked.addresses(&uri, LOOKUP_TIMEOUT);
        drop(counted);
        checked.map(drop).map_err(|refused| match refused {
            Refused::Address => InvalidWebhook::Address,
            Refused::Unresolved | Refused::Late => InvalidWebhook::Unresolved,
        })
    }

    /// What sends messages, to checked addresses alone.
    pub(super) fn agent(&self) -> Agent {
        let config = Agent::config_builder()
            .timeout_global(Some(self.timeout))
            .timeout_recv_body(Some(BODY_TIMEOUT.min(self.timeout)))
            .max_redirects(0)
            .http_status_as_error(false)
            .max_response_header_size(MAX_HEADER_BYTES)
            // A connection that is kept would not be checked again.
            .max_idle_connections(0)
            .proxy(None)
            .user_agent(concat!("pincite/", env!("CARGO_PKG_VERSION")))
            .build();
        let connector = ().chain(TcpConnector::default()).chain(RustlsConnector::default());
        Agent::with_parts(config, connector, self.checked.clone())
    }
}

/// Looks names up, and gives checked addresses alone.
#[derive(Debug, Clone)]
struct Checked {
    rules: Webhooks,
    names: Arc<dyn Names>,
}

/// Why a host is not connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Refused {
    #[error("the host has an address that is not a public one")]
    Address,
    #[error("the host has no address")]
    Unresolved,
    #[error("the name of the host could not be looked up in time")]
    Late,
}

impl Checked {
    fn addresses(&self, uri: &Uri, timeout: Duration) -> Result<Vec<SocketAddr>, Refused> {
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|literal| literal.strip_suffix(']')).unwrap_or(host).to_owned();
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let (sender, found) = sync_channel(1);
        let names = Arc::clone(&self.names);
        // The system's look-up cannot be ended: a late one ends by itself, and nobody waits for it.
        let look_up = move || drop(sender.send(names.look_up(&host, port)));
        let thread = std::thread::Builder::new().name("webhook-name".to_owned()).spawn(look_up);
        thread.map_err(|_| Refused::Late)?;
        let addresses = match found.recv_timeout(timeout) {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(_)) | Err(RecvTimeoutError::Disconnected) => return Err(Refused::Unresolved),
            Err(RecvTimeoutError::Timeout) => return Err(Refused::Late),
        };
        if addresses.is_empty() {
            return Err(Refused::Unresolved);
        }
        if addresses.iter().all(|address| may_reach(address.ip(), &self.rules)) {
            Ok(addresses)
        } else {
            Err(Refused::Address)
        }
    }
}

impl Resolver for Checked {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let addresses = self.addresses(uri, *timeout.after).map_err(|refused| ureq::Error::Other(refused.into()))?;
        let mut resolved = self.empty();
        for address in addresses.into_iter().take(MAX_ADDRESSES) {
            resolved.push(address);
        }
        Ok(resolved)
    }
}

/// Addresses of a host that are tried: as many as ureq takes.
const MAX_ADDRESSES: usize = 16;

/// What a receiver said to one try.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reply {
    /// Its status, where it sent one.
    pub status: Option<u16>,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
    /// The beginning of its body.
    pub start: Option<String>,
    /// Why it was not a success.
    pub error: Option<String>,
}

/// Posts a message once.
pub(super) fn post(agent: &Agent, url: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut request = agent.post(url).header("Content-Type", "application/json").header("Accept-Encoding", "identity");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = match request.send(body) {
        Ok(response) => response,
        Err(error) => return Reply { error: Some(explained(&error)), ..Reply::default() },
    };
    let status = response.status();
    let retry_after = header(response.headers(), "retry-after");
    let mut start = Vec::new();
    // The status is the reply: of a body that breaks off or comes too slowly, the beginning is enough.
    let _ = response.into_body().into_reader().take(MAX_REPLY_BYTES).read_to_end(&mut start);
    let start = Some(String::from_utf8_lossy(&start).into_owned()).filter(|start| !start.is_empty());
    let error = if status.is_success() {
        None
    } else if status.is_redirection() {
        Some(format!("the receiver redirects with status {}, and redirects are not followed", status.as_u16()))
    } else {
        Some(format!("the receiver replied with status {}", status.as_u16()))
    };
    Reply { status: Some(status.as_u16()), retry_after, start, error }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// An error for who made the webhook. It names no address.
fn explained(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => "no reply came in time".to_owned(),
        ureq::Error::Other(refused) => refused.to_string(),
        ureq::Error::Io(error) => format!("the connection failed: {}", error.kind()),
        ureq::Error::Rustls(error) => format!("the connection cannot be secured: {error}"),
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => "the reply is not HTTP".to_owned(),
        _ => "the message could not be sent".to_owned(),
    }
}
