//! REST at `/v1`, MCP at `/mcp`, over one HTTP/1.1 listener.
//!
//! # Invariants
//! - A request that a web page sends to another site's name (DNS rebinding) or from another origin is refused before
//!   anything is read.
//! - No client holds a connection by being slow: headers, bodies and the end of the server each have a deadline, bodies
//!   a limit.
//! - Every reply but MCP's own is JSON, an error is `{error: {code, message, hint}}`, and nothing is cached.
//! - The engine is called on threads that may block, never on those that serve connections.
//!
//! # Not here
//! Who may see what: there is no authentication yet, so the default address is this machine's alone.

mod asking;
mod changes;
mod connections;
mod error;
mod extract;
mod guard;
mod incoming;
mod openapi;
mod routes;
mod signature;
mod workspaces;
mod writing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;

pub use self::openapi::document as openapi_document;
use crate::engine::Engine;
use crate::error::Advice;
use crate::workspace::WorkspaceId;

/// How to listen, and what a client may take up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// Names, besides those of this machine, that clients may reach the server by.
    pub allowed_hosts: Vec<String>,
    /// How long a client may take to send a request's header, and to begin the next request.
    pub header_timeout: Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// How long requests may go on after the server was told to stop.
    pub shutdown_deadline: Duration,
    /// The longest body of a request.
    pub max_body_bytes: usize,
    /// The most connections at once; more wait to be accepted.
    pub max_connections: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 7878)),
            allowed_hosts: Vec::new(),
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            shutdown_deadline: Duration::from_secs(10),
            max_body_bytes: 4 * 1024 * 1024,
            max_connections: 1024,
        }
    }
}

/// Listens, calls `on_listening` with the address, and serves until the process is asked to end (SIGTERM, SIGINT or
/// Ctrl-C), then lets requests finish within the deadline.
///
/// `workspace` is the one that `/mcp` is about; all workspaces are at `/v1` and `/mcp/NAME`.
///
/// # Errors
/// When the address cannot be listened on, or signals cannot be heard.
pub async fn run(
    engine: Arc<Engine>,
    workspace: WorkspaceId,
    options: Options,
    on_listening: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let stop = connections::termination().map_err(ServeError::Signals)?;
    let server = Server::bind(engine, workspace, options).await?;
    on_listening(server.address());
    server.run_until(stop).await;
    Ok(())
}

/// The routes, for a server that is reached at `options.address`.
pub fn router(engine: Arc<Engine>, workspace: WorkspaceId, options: &Options) -> Router {
    routes::router(engine, workspace, options)
}

/// A server that listens and does not serve yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    options: Options,
}

impl Server {
    /// Listens. Clients can connect from now on, and wait.
    ///
    /// # Errors
    /// When the address cannot be listened on.
    pub async fn bind(engine: Arc<Engine>, workspace: WorkspaceId, options: Options) -> Result<Self, ServeError> {
        let failed = |source| ServeError::Listen { address: options.address, source };
        let listener = TcpListener::bind(options.address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "other machines can reach this address, and nobody is asked who they are");
        }
        let router = routes::router(engine, workspace, &options);
        Ok(Self { listener, address, router, options })
    }

    /// Where the server listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is done, then lets requests finish within the deadline and cuts off the rest.
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        tracing::info!(address = %self.address, "listening");
        connections::serve(self.listener, &self.router, &self.options, stop).await;
        tracing::info!("stopped");
    }
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The system does not let the process hear signals.
    #[error("cannot wait for the signal to stop")]
    Signals(#[source] std::io::Error),
}

impl Advice for ServeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "cannot_listen",
            Self::Signals(_) => "internal",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Listen { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse => {
                Some("another program listens there: stop it, or take another port (0 takes a free one)".to_owned())
            }
            Self::Listen { .. } => Some("use an address of this machine, for example 127.0.0.1:7878".to_owned()),
            Self::Signals(_) => None,
        }
    }
}
