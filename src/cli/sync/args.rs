//! What can be typed behind `pincite sync`.

use std::path::PathBuf;

use clap::Args;

use crate::workspace::Provenance;

/// `pincite sync`.
#[derive(Debug, Args)]
pub(in crate::cli) struct SyncArgs {
    /// The folder; it is made where it is not there
    pub dir: PathBuf,
    /// The server: `https://host:7878`
    #[arg(value_name = "URL")]
    pub server: String,
    #[command(flatten)]
    pub mode: Mode,
    /// Seconds that the upload of what is left may take after SIGTERM or SIGINT
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=86_400))]
    pub deadline_s: u64,
    /// Delete all files on one side where all are gone on the other
    #[arg(long)]
    pub delete_all: bool,
    /// The agent that writes the files here
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// The run in which they are written
    #[arg(long, value_name = "NAME")]
    pub run: Option<String>,
    /// The sandbox in which they are written
    #[arg(long, value_name = "NAME")]
    pub sandbox: Option<String>,
    /// A tag of what is written (repeatable)
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
}

/// What a run does: one of these.
#[derive(Debug, Clone, Copy, Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct Mode {
    /// Bring both sides in step, and end
    #[arg(long)]
    pub once: bool,
    /// Keep both sides in step until SIGTERM or SIGINT, and then upload what is left
    #[arg(long)]
    pub watch: bool,
    /// Upload what was changed here, and end with the revision up to which everything is durable
    #[arg(long)]
    pub flush: bool,
}

impl SyncArgs {
    /// Who writes the files here.
    pub(super) fn provenance(&self) -> Provenance {
        Provenance {
            agent: self.agent.clone(),
            run: self.run.clone(),
            sandbox: self.sandbox.clone(),
            tags: self.tags.iter().cloned().collect(),
            proven: false,
        }
    }
}
