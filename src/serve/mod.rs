//! REST at `/v1`, MCP at `/mcp`, over one HTTP/1.1 listener, and the protocol of S3 over another one, with TLS where they have a
//! certificate.
//!
//! # Invariants
//! - A request that a web page sends to another site's name (DNS rebinding) or from another origin is refused before
//!   anything is read.
//! - No client holds a connection by being slow: headers, bodies, replies and the end of the server each have a deadline, bodies
//!   a limit, each and together.
//! - Health and metrics are answered whatever others do: beyond the limit of connections, and beside any load.
//! - Beyond its capacity the server refuses early, with 503 and `Retry-After`; searches and files go before answers.
//! - A caller that floods is refused, at little cost, and others are served meanwhile.
//! - Work ends when its client hangs up.
//! - Every reply but those of MCP and S3 is JSON, an error is `{error: {code, message, hint}}`, and nothing is cached.
//! - The engine is called on threads that may block, never on those that serve connections.
//!
//! # Not here
//! What a caller may do: `access` says it, and `engine` checks it. This room only finds out who calls (`door.rs`).

mod allowance;
mod app;
mod asking;
mod audit;
mod bounds;
mod changes;
mod changing;
mod client;
mod connections;
mod cookie;
mod deliveries;
mod descriptors;
mod door;
mod error;
mod extract;
mod guard;
mod incoming;
mod keys;
mod locks;
mod metrics;
mod openai;
mod openapi;
mod page;
mod reading;
mod request_id;
mod routes;
mod rpc;
mod s3;
mod sending;
mod signature;
mod timed;
mod tls;
mod transfers;
mod uploads;
mod verdicts;
mod verdicts_csv;
mod webhooks;
mod workspaces;
mod writing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use self::descriptors::take_descriptors;
pub use self::openapi::document as openapi_document;
use self::tls::Tls;
pub use self::tls::{TlsError, TlsFiles};
use crate::config::Limits;
use crate::engine::{Engine, EngineError};
use crate::error::Advice;
use crate::mcp::ToolSet;
use crate::workspace::WorkspaceId;

/// How to listen, and what a client may take up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// Names, besides those of this machine, that clients may reach the server by.
    pub allowed_hosts: Vec<String>,
    /// The certificate for HTTPS; without one the server speaks HTTP.
    pub tls: Option<TlsFiles>,
    /// How long a client may take to shake hands, to send a request's header, and to begin the next request.
    pub header_timeout: Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// How long a client may let the server wait with 256 KiB of a reply.
    pub write_timeout: Duration,
    /// How long requests may go on after the server was told to stop.
    pub shutdown_deadline: Duration,
    /// The longest body of a request.
    pub max_body_bytes: usize,
    /// The most connections at once; beyond them health and metrics alone are answered.
    pub max_connections: usize,
    /// The most of them from one address.
    pub max_connections_per_address: usize,
    /// Where to speak the protocol of S3; not at all without an address. The limits hold there by themselves.
    pub s3: Option<SocketAddr>,
    /// Which tools are offered over MCP.
    pub tools: ToolSet,
}

impl Options {
    /// The default address, with the limits as they are configured.
    #[must_use]
    pub fn within(limits: &Limits) -> Self {
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 7878)),
            allowed_hosts: Vec::new(),
            tls: None,
            header_timeout: Duration::from_millis(limits.header_ms),
            body_timeout: Duration::from_millis(limits.body_ms),
            write_timeout: Duration::from_millis(limits.write_ms),
            shutdown_deadline: Duration::from_secs(10),
            max_body_bytes: size(limits.body_bytes),
            max_connections: size(limits.connections),
            max_connections_per_address: size(limits.connections_per_address),
            s3: None,
            tools: ToolSet::Standard,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::within(&Limits::default())
    }
}

/// Listens, calls `on_listening` with the addresses of REST and of S3, and serves until the process is asked to end (SIGTERM, SIGINT or
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
    on_listening: impl FnOnce(SocketAddr, Option<SocketAddr>),
) -> Result<(), ServeError> {
    let stop = connections::termination().map_err(ServeError::Signals)?;
    let server = Server::bind(engine, workspace, options).await?;
    on_listening(server.address(), server.s3_address());
    server.run_until(stop).await;
    Ok(())
}

/// Refuses an address that other machines reach as long as no key was made: whoever reached it would own every workspace.
///
/// # Errors
/// [`ServeError::NoKeys`], or an error of the store.
pub fn check_locked(engine: &Engine, address: SocketAddr) -> Result<(), ServeError> {
    let is_locked = address.ip().is_loopback() || engine.has_keys().map_err(ServeError::Engine)?;
    if is_locked { Ok(()) } else { Err(ServeError::NoKeys { address }) }
}

/// The routes, for a server that is reached at `options.address`.
pub fn router(engine: Arc<Engine>, workspace: WorkspaceId, options: &Options) -> Router {
    routes::served(&routes::app(engine, workspace, options)).all
}

/// An address that is listened on, and what is served there.
struct Door {
    listener: TcpListener,
    address: SocketAddr,
    served: connections::Served,
}

/// A server that listens and does not serve yet.
pub struct Server {
    rest: Door,
    s3: Option<Door>,
    tls: Option<Arc<Tls>>,
    options: Options,
}

impl Server {
    /// Listens. Clients can connect from now on, and wait.
    ///
    /// # Errors
    /// When an address cannot be listened on, or the certificate cannot be used.
    pub async fn bind(engine: Arc<Engine>, workspace: WorkspaceId, options: Options) -> Result<Self, ServeError> {
        let tls = options.tls.clone().map(Tls::open).transpose()?.map(Arc::new);
        let (listener, address) = listen(options.address, tls.is_some()).await?;
        let app = routes::app(engine, workspace, &options);
        let rest = Door { listener, address, served: routes::served(&app) };
        let s3 = match options.s3 {
            None => None,
            Some(wanted) => {
                let (listener, address) = listen(wanted, tls.is_some()).await?;
                let swept = app.engine();
                tokio::task::spawn_blocking(move || {
                    if let Err(error) = swept.sweep_multipart() {
                        tracing::warn!(%error, "uploads that were given up stay");
                    }
                });
                Some(Door { listener, address, served: s3::served(&app, wanted, &options.allowed_hosts) })
            }
        };
        Ok(Self { rest, s3, tls, options })
    }

    /// Where the server listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.rest.address
    }

    /// Where the server speaks the protocol of S3.
    #[must_use]
    pub fn s3_address(&self) -> Option<SocketAddr> {
        self.s3.as_ref().map(|door| door.address)
    }

    /// Serves until `stop` is done, then lets requests finish within the deadline and cuts off the rest.
    pub async fn run_until(self, stop: impl Future<Output = ()>) {
        let Self { rest, s3, tls, options } = self;
        let (stopping, stopped) = watch::channel(false);
        let told = |mut stopped: watch::Receiver<bool>| async move {
            let _ = stopped.wait_for(|&stopped| stopped).await;
        };
        let of_s3 = told(stopped.clone());
        let (tls, options) = (&tls, &options);
        let serve_s3 = async move {
            if let Some(Door { listener, address, served }) = s3 {
                tracing::info!(%address, "listening for S3");
                connections::serve(listener, tls.clone(), &served, options, of_s3).await;
            }
        };
        let serve_rest = async {
            tracing::info!(address = %rest.address, "listening");
            connections::serve(rest.listener, tls.clone(), &rest.served, options, told(stopped)).await;
        };
        let tell = async {
            stop.await;
            stopping.send_replace(true);
        };
        tokio::join!(serve_rest, serve_s3, tell);
        tracing::info!("stopped");
    }
}

/// Listens on an address; port 0 takes a free one.
async fn listen(wanted: SocketAddr, has_tls: bool) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source| ServeError::Listen { address: wanted, source };
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    if !address.ip().is_loopback() && !has_tls {
        let advice = "keys and files go over the network unencrypted, unless a proxy in front of this address has TLS";
        tracing::warn!(%address, "{advice}");
    }
    Ok((listener, address))
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
    /// The certificate cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The process may have too few files open at once.
    #[error("the process may open {most} files at once, and a server needs {least}")]
    Descriptors {
        /// What the system allows.
        most: u64,
        /// What is needed at the least.
        least: u64,
    },
    /// Other machines reach the address, and no key was made.
    #[error(
        "{address} can be reached from other machines, and no key was made: everybody could read and write everything"
    )]
    NoKeys {
        /// The address.
        address: SocketAddr,
    },
    /// The store cannot be read.
    #[error(transparent)]
    Engine(EngineError),
    /// The system does not let the process hear signals.
    #[error("cannot wait for the signal to stop")]
    Signals(#[source] std::io::Error),
}

impl Advice for ServeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Listen { .. } => "cannot_listen",
            Self::Tls(error) => error.code(),
            Self::Descriptors { .. } => "too_few_descriptors",
            Self::NoKeys { .. } => "no_keys",
            Self::Engine(error) => error.code(),
            Self::Signals(_) => "internal",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Listen { source, .. } if source.kind() == std::io::ErrorKind::AddrInUse => {
                Some("another program listens there: stop it, or take another port (0 takes a free one)".to_owned())
            }
            Self::Listen { .. } => Some("use an address of this machine, for example 127.0.0.1:7878".to_owned()),
            Self::Tls(error) => error.hint(),
            Self::Descriptors { .. } => Some("raise the limit of the shell or service: `ulimit -n 4096`".to_owned()),
            Self::NoKeys { .. } => Some(
                "make one first: `pincite key create --name admin --scope admin`; or set `PINCITE_ADMIN_KEY`"
                    .to_owned(),
            ),
            Self::Engine(error) => error.hint(),
            Self::Signals(_) => None,
        }
    }
}
