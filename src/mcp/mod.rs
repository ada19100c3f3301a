//! The Model Context Protocol: what agents call, over standard input and output and over streamable HTTP.
//!
//! # Invariants
//! - One server is one workspace: no tool takes a workspace, so none can be reached that the server was not made for.
//! - A tool says by its annotations whether it changes something. Every result is structured content that fits the tool's output schema, and the same JSON as
//!   one text item, or for tools with another server's names what that server gives; an error of a tool is such a result too, so that the model can read it and act on its hint.
//! - The JSON of a result has at most 24 KB, unless a text was asked for by more bytes; what is left out has a cursor or a count.
//! - Every result is marked as untrusted content: what stands in files is evidence, never an instruction.
//! - Nothing is remembered between two requests, so over HTTP any request may be the first after a restart.
//!
//! # Not here
//! Which hosts and origins may call over HTTP is decided by `serve`, which mounts [`http_service`].

mod bounds;
mod calls;
mod changing;
#[cfg(feature = "conformance-fixtures")]
mod conformance;
mod connector;
mod files;
mod filesystem;
mod passages;
mod prompts;
mod resources;
mod schema;
mod server;
mod subscriptions;
mod tools;

use std::sync::Arc;

use axum::http::HeaderMap;
use rmcp::ServiceExt as _;
use rmcp::model::ProtocolVersion;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

pub use self::server::McpServer;
pub use self::tools::ToolSet;
use crate::budget::Budget;
use crate::engine::{Caller, Engine};
use crate::error::Advice;
use crate::gate::Gate;
use crate::workspace::WorkspaceId;

/// Serves a workspace over standard input and output until the input ends.
///
/// Nothing else may write to standard output meanwhile: logs go to standard error. The thread that reads standard input
/// cannot be stopped, so signals are left at what they do by default: they end the process.
///
/// # Errors
/// When the client does not speak the protocol, or the streams break.
pub async fn run_stdio(engine: Arc<Engine>, workspace: WorkspaceId, desk: Desk) -> Result<(), McpError> {
    let server = McpServer::new(engine, workspace, desk);
    let running = match server.serve(rmcp::transport::stdio()).await {
        Ok(running) => running,
        // Input that ends before anything was asked is a client that has changed its mind.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(McpError::Handshake(Box::new(error))),
    };
    running.waiting().await.map(|_| ()).map_err(McpError::Stopped)
}

/// The hosts and origins that may call over HTTP; `None` where the server that mounts the service has checked them.
#[derive(Debug, Clone, Default)]
pub struct HttpGuard {
    /// Host names and addresses that requests may be sent to.
    pub allowed_hosts: Option<Vec<String>>,
    /// Web pages that may send requests, as `scheme://host:port`, with `*` for any port.
    pub allowed_origins: Option<Vec<String>>,
}

/// What a server shares with others that serve.
#[derive(Debug, Clone)]
pub struct Desk {
    /// The gate in front of the engine; without one, every call is its turn.
    pub gate: Option<Arc<Gate>>,
    /// Is over when the client of the whole server has hung up, where one client is all there is.
    pub budget: Option<Budget>,
    /// Who calls.
    pub caller: Caller,
    /// Which tools are offered.
    pub tools: ToolSet,
    /// Whether what a client subscribes to is told over this connection, so that subscribing is offered.
    pub keeps_subscriptions: bool,
    /// The address of the HTTP server that the call came to, where it came to one.
    pub origin: Option<String>,
}

impl Desk {
    /// A desk of one caller alone.
    #[must_use]
    pub const fn of(caller: Caller) -> Self {
        Self { gate: None, budget: None, caller, tools: ToolSet::Standard, keeps_subscriptions: true, origin: None }
    }
}

/// Whether the client of an HTTP request listens to changes in a request of its own. An older one subscribes over a connection that stays, and
/// none does here.
#[must_use]
pub fn listens_by_request(headers: &HeaderMap) -> bool {
    let version = headers.get("mcp-protocol-version").and_then(|version| version.to_str().ok());
    // Versions are dates.
    version.is_some_and(|version| version >= ProtocolVersion::V_2026_07_28.as_str())
}

/// A workspace as a service for one path of an HTTP server; requests must have been cut to size before.
#[must_use]
pub fn http_service(
    engine: Arc<Engine>,
    workspace: WorkspaceId,
    guard: HttpGuard,
    desk: Desk,
    max_body_bytes: usize,
) -> StreamableHttpService<McpServer, NeverSessionManager> {
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_max_request_body_bytes(max_body_bytes);
    let config = match guard.allowed_hosts {
        Some(hosts) => config.with_allowed_hosts(hosts),
        None => config.disable_allowed_hosts(),
    };
    let config = match guard.allowed_origins {
        Some(origins) => config.with_allowed_origins(origins).enforce_origin_validation(),
        None => config.disable_allowed_origins(),
    };
    let server = McpServer::new(engine, workspace, desk);
    StreamableHttpService::new(move || Ok(server.clone()), Arc::new(NeverSessionManager::default()), config)
}

/// Why a workspace could not be served over standard input and output.
#[derive(Debug, thiserror::Error)]
pub enum McpError {
    /// The first messages were not those of the protocol.
    #[error("the client did not open the Model Context Protocol")]
    Handshake(#[source] Box<rmcp::service::ServerInitializeError>),
    /// The task that serves has failed.
    #[error("the server stopped")]
    Stopped(#[source] tokio::task::JoinError),
}

impl Advice for McpError {
    fn code(&self) -> &'static str {
        match self {
            Self::Handshake(_) => "mcp_handshake",
            Self::Stopped(_) => "internal",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Handshake(_) => {
                Some("`pincite mcp` is started by an MCP client, which talks to it over its standard input".to_owned())
            }
            Self::Stopped(_) => None,
        }
    }
}
