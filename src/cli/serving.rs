//! The commands that go on until they are told to stop.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::args::ServeArgs;
use super::commands::{Done, Session};
use crate::engine::{Access, Caller, Engine, EngineError, Runner, Secret, Surface};
use crate::{mcp, serve};

/// The variable of the environment that holds an administrator's key for `pincite serve`.
const ADMIN_KEY: &str = "PINCITE_ADMIN_KEY";
/// The variable that holds the key of a client.
pub(super) const API_KEY: &str = "PINCITE_API_KEY";

/// How long the line may take to end: what it was at is done again at the next start.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// `pincite serve`: listens at once, and brings changes in beside it; replies say what is still pending.
pub(super) fn serve(session: &Session, args: &ServeArgs) -> anyhow::Result<Done> {
    let ServeArgs { path, listen, s3, allowed_hosts, tls_cert, tls_key } = args;
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
pub(super) fn mcp(session: &Session, path: Option<&Path>) -> anyhow::Result<Done> {
    let access = if path.is_some() { Access::Share } else { Access::Read };
    let engine: Arc<Engine> = Arc::new(session.open(access, "pincite mcp")?);
    let runner = match path {
        None => None,
        Some(path) => {
            engine.ensure_workspace(&session.workspace, Some(path))?;
            Some(engine.run()?)
        }
    };
    let caller = stdio_caller(&engine)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let served = runtime.block_on(mcp::run_stdio(engine, session.workspace.clone(), caller));
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
