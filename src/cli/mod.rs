//! The command line: what was typed, what it means, and how the result looks.
//!
//! # Invariants
//! - Standard output holds the result and nothing else; with `--json` one JSON document. Everything else goes to
//!   standard error.
//! - Exit codes: 0 done, 1 nothing found (or the program failed), 2 wrong use.
//! - Every error is followed by a hint where there is something to do.
//! - What files and servers say cannot steer a terminal (`plain.rs`).
//! - A command prints the same whether it asks a data folder or a server (`target/mod.rs`). `sync/` asks a server alone.
//!
//! # Not here
//! Anything that another surface would need too: that is `engine`.

mod answering;
mod args;
mod audit;
mod commands;
mod copies;
mod digest;
mod keys;
mod limits;
mod locks;
mod plain;
mod progress;
mod reach;
mod remote;
mod serving;
mod spaces;
mod sync;
mod target;
mod text;
mod verdicts;
mod webhooks;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;

use self::args::Cli;
use self::plain::plain;
use self::remote::RemoteError;
use self::sync::SyncError;
use crate::engine::{EngineError, ErrorKind};
use crate::error::Advice as _;
use crate::eval::EvalError;
use crate::mcp::McpError;
use crate::serve::ServeError;

/// Runs the program with the process's arguments.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    start_log(&cli);
    match commands::run(cli) {
        Ok(done) => ExitCode::from(done.code()),
        // The reader of our output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let mut err = std::io::stderr().lock();
            // If standard error is gone too, there is nobody left to tell.
            let _ = writeln!(err, "error: {}", plain(&format!("{error:#}")));
            let eval_error = error.downcast_ref::<EvalError>();
            let engine_error = error.downcast_ref::<EngineError>().or(match eval_error {
                Some(EvalError::Engine(error)) => Some(error),
                _ => None,
            });
            let hint = engine_error
                .and_then(EngineError::hint)
                .or_else(|| eval_error?.hint())
                .or_else(|| error.downcast_ref::<ServeError>()?.hint())
                .or_else(|| error.downcast_ref::<McpError>()?.hint())
                .or_else(|| error.downcast_ref::<RemoteError>()?.hint())
                .or_else(|| error.downcast_ref::<SyncError>()?.hint());
            if let Some(hint) = hint {
                let _ = writeln!(err, "hint: {}", plain(&hint));
            }
            let is_wrong_use = match (error.downcast_ref::<RemoteError>(), engine_error) {
                _ if let Some(error) = error.downcast_ref::<SyncError>() => error.is_wrong_use(),
                (Some(error), _) => error.is_wrong_use(),
                (None, Some(error)) => {
                    use ErrorKind::{Conflict, Invalid, NotFound, Unauthorized};
                    matches!(error.kind(), Invalid | Unauthorized | NotFound | Conflict)
                }
                (None, None) => true,
            };
            ExitCode::from(if is_wrong_use { 2 } else { 1 })
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let is_pipe = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
    error.downcast_ref::<std::io::Error>().is_some_and(is_pipe)
}

fn start_log(cli: &Cli) {
    use tracing_subscriber::filter::filter_fn;
    use tracing_subscriber::layer::SubscriberExt as _;
    use tracing_subscriber::util::SubscriberInitExt as _;
    use tracing_subscriber::{EnvFilter, Layer as _};
    let default = if cli.verbose { "pincite=debug,warn" } else { "pincite=warn,error" };
    let filter = EnvFilter::try_from_env("PINCITE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    // Whatever the filter asks for: what libraries say may hold documents and queries, in events and in spans around ours.
    let is_ours = filter_fn(|metadata| metadata.target() == "pincite" || metadata.target().starts_with("pincite::"));
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    tracing_subscriber::registry().with(lines.with_filter(is_ours).with_filter(filter)).init();
    std::panic::set_hook(Box::new(|panic| {
        // A message that was put together may quote a document; one that stands in the code does not.
        let message = panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("…");
        let location = panic.location().map(ToString::to_string);
        let mut err = std::io::stderr().lock();
        // If standard error is gone too, there is nobody left to tell.
        let _ = writeln!(err, "panicked at {}: {message}", location.unwrap_or_default());
    }));
}
