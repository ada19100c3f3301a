//! The commands that go on until they are told to stop.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::commands::{Done, Session};
use crate::engine::{Access, Engine};
use crate::error::Advice as _;
use crate::{ingest, mcp, serve};

/// `pincite serve`: listens at once, and brings the folder up to date beside it; replies say what is still pending.
pub(super) fn serve(session: &Session, path: Option<PathBuf>, listen: SocketAddr) -> anyhow::Result<Done> {
    let engine = Arc::new(session.open(Access::Write, "pincite serve")?);
    engine.ensure_workspace(&session.workspace, path.as_deref())?;
    if let Some(path) = path {
        let (engine, workspace) = (Arc::clone(&engine), session.workspace.clone());
        // Not joined: what is half done when the process ends is done again next time.
        std::thread::Builder::new().name("indexing".to_owned()).spawn(move || {
            match engine.index_folder(&workspace, &path, &ingest::Silent) {
                Ok(report) => tracing::info!(num_files = report.scan.num_files, "the folder is up to date"),
                Err(error) => {
                    tracing::error!(%error, hint = error.hint(), "the folder could not be brought up to date");
                }
            }
        })?;
    }
    let options = serve::Options { address: listen, ..serve::Options::default() };
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(serve::run(engine, session.workspace.clone(), options, |address| {
        // Whoever started the server without a standard error does not want to know.
        let _ = writeln!(std::io::stderr(), "listening on http://{address}");
    }))?;
    runtime.shutdown_background();
    Ok(Done::Yes)
}

/// `pincite mcp`: writes the data folder if nobody else does, else reads it.
pub(super) fn mcp(session: &Session, path: Option<&Path>) -> anyhow::Result<Done> {
    let access = if path.is_some() { Access::WriteOrRead } else { Access::Read };
    let engine: Arc<Engine> = Arc::new(session.open(access, "pincite mcp")?);
    match path {
        Some(path) if engine.is_writer() => {
            engine.index_folder(&session.workspace, path, &ingest::Silent)?;
        }
        Some(_) => tracing::warn!("another process writes this data folder; this one reads what that one indexes"),
        None => {}
    }
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(mcp::run_stdio(engine, session.workspace.clone()))?;
    runtime.shutdown_background();
    Ok(Done::Yes)
}
