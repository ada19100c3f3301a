//! The commands that go on until they are told to stop.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::commands::{Done, Session};
use crate::engine::{Access, Engine, Runner};
use crate::{mcp, serve};

/// How long the line may take to end: what it was at is done again at the next start.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// `pincite serve`: listens at once, and brings changes in beside it; replies say what is still pending.
pub(super) fn serve(session: &Session, path: Option<&Path>, listen: SocketAddr) -> anyhow::Result<Done> {
    serve::take_descriptors()?;
    let engine = Arc::new(session.open(Access::Share, "pincite serve")?);
    engine.ensure_workspace(&session.workspace, path)?;
    let runner = engine.run()?;
    let options = serve::Options { address: listen, ..serve::Options::within(&engine.config().limits) };
    let runtime = tokio::runtime::Runtime::new()?;
    let served = runtime.block_on(serve::run(engine, session.workspace.clone(), options, |address| {
        // A server without a standard error has nobody to tell.
        let _ = writeln!(std::io::stderr(), "listening on http://{address}");
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
    let runtime = tokio::runtime::Runtime::new()?;
    let served = runtime.block_on(mcp::run_stdio(engine, session.workspace.clone()));
    runtime.shutdown_background();
    if let Some(runner) = runner {
        stop(runner);
    }
    served?;
    Ok(Done::Yes)
}

fn stop(runner: Runner) {
    if !runner.stop_within(STOP_DEADLINE) {
        tracing::warn!("the line was cut off by the deadline for stopping; it goes on at the next start");
    }
}
