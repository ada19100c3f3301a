//! The commands that go on until they are told to stop.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::commands::{Done, Session};
use crate::engine::{Access, Caller, Engine, EngineError, Runner, Secret, Surface};
use crate::mcp::{self, Desk, ToolSet};
use crate::serve;

/// The variable of the environment that holds an administrator's key for `pincite serve`.
const ADMIN_KEY: &str = "PINCITE_ADMIN_KEY";
/// The variable that holds the key of a client.
pub(super) const API_KEY: &str = "PINCITE_API_KEY";

/// How long the line may take to end: what it was at is done again at the next start.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// The workspace's folder, which the server watches and indexes
    pub path: Option<PathBuf>,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:7878", value_name = "ADDRESS")]
    pub listen: SocketAddr,
    /// Where to speak the protocol of S3 as well: a bucket is a workspace
    #[arg(long, value_name = "ADDRESS")]
    pub s3: Option<SocketAddr>,
    /// A name that clients may reach the server by, besides addresses and those of this machine (repeatable)
    #[arg(long = "allowed-host", value_name = "NAME")]
    pub allowed_hosts: Vec<String>,
    /// Serve HTTPS with the certificate chain in this PEM file, the server's own certificate first; it is read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The private key of `--tls-cert`, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Which tools to offer over MCP
    #[arg(long, value_enum, default_value_t, value_name = "SET")]
    pub tools: Tools,
}

/// A set of MCP's tools.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(super) enum Tools {
    /// Those of pincite
    #[default]
    Standard,
    /// Beside them those of the reference server for file systems, by its names
    Filesystem,
    /// Beside them what the protocol's conformance suite asks for
    #[cfg(feature = "conformance-fixtures")]
    Conformance,
}

impl From<Tools> for ToolSet {
    fn from(tools: Tools) -> Self {
        match tools {
            Tools::Standard => Self::Standard,
            Tools::Filesystem => Self::Filesystem,
            #[cfg(feature = "conformance-fixtures")]
            Tools::Conformance => Self::Conformance,
        }
    }
}

/// `pincite serve`: listens at once, and brings changes in beside it; replies say what is still pending.
pub(super) fn serve(session: &Session, args: &ServeArgs) -> anyhow::Result<Done> {
    let ServeArgs { path, listen, s3, allowed_hosts, tls_cert, tls_key, tools } = args;
    serve::take_descriptors()?;
    let engine = Arc::new(session.open(Access::Share, "pincite serve")?);
    if let Some(secret) = secret_in(ADMIN_KEY)? {
        engine.take_admin_key(&secret)?;
    }
    for address in [*listen].iter().chain(s3) {
        serve::check_locked(&engine, *address)?;
    }
    engine.ensure_workspace(&session.workspace, path.as_deref())?;
    let runner = engine.run()?;
    let tls = tls_cert.as_ref().zip(tls_key.as_ref()).map(|(cert, key)| serve::TlsFiles::new(cert, key));
    let scheme = if tls.is_some() { "https" } else { "http" };
    let options = serve::Options {
        address: *listen,
        allowed_hosts: allowed_hosts.clone(),
        tls,
        s3: *s3,
        tools: (*tools).into(),
        ..serve::Options::within(&engine.config().limits)
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let served = runtime.block_on(serve::run(engine, session.workspace.clone(), options, |address, s3| {
        // A server without a standard error has nobody to tell.
        if let Some(s3) = s3 {
            let _ = writeln!(std::io::stderr(), "S3 on {scheme}://{s3}");
        }
        let _ = writeln!(std::io::stderr(), "listening on {scheme}://{address}");
    }));
    runtime.shutdown_background();
    stop(runner);
    served?;
    Ok(Done::Yes)
}

/// `pincite mcp`: with a folder it takes part in the indexing, else it only reads.
pub(super) fn mcp(session: &Session, path: Option<&Path>, tools: ToolSet) -> anyhow::Result<Done> {
    let access = if path.is_some() { Access::Share } else { Access::Read };
    let engine: Arc<Engine> = Arc::new(session.open(access, "pincite mcp")?);
    let runner = match path {
        None => None,
        Some(path) => {
            engine.ensure_workspace(&session.workspace, Some(path))?;
            Some(engine.run()?)
        }
    };
    let desk = Desk { tools, ..Desk::of(stdio_caller(&engine)?) };
    let runtime = tokio::runtime::Runtime::new()?;
    let served = runtime.block_on(mcp::run_stdio(engine, session.workspace.clone(), desk));
    runtime.shutdown_background();
    if let Some(runner) = runner {
        stop(runner);
    }
    served?;
    Ok(Done::Yes)
}

/// The holder of the key in `PINCITE_API_KEY`, where that is set, else this machine's user.
fn stdio_caller(engine: &Engine) -> anyhow::Result<Caller> {
    Ok(match secret_in(API_KEY)? {
        Some(secret) => engine.caller_of(&secret, Surface::Mcp)?,
        None => Caller::local(Surface::Mcp),
    })
}

/// The key that a variable of the environment holds.
fn secret_in(variable: &str) -> anyhow::Result<Option<Secret>> {
    match std::env::var(variable) {
        Ok(text) if !text.is_empty() => Ok(Some(text.trim().parse::<Secret>().map_err(EngineError::from)?)),
        Ok(_) | Err(std::env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(anyhow::Error::new(error).context(format!("`{variable}` cannot be read"))),
    }
}

fn stop(runner: Runner) {
    if !runner.stop_within(STOP_DEADLINE) {
        tracing::warn!("the line was cut off by the deadline for stopping; it goes on at the next start");
    }
}
