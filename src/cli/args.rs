//! What can be typed.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

use crate::answer::{Answerer, PlanChoice};
use crate::engine::{ChangeFilters, ChangesRequest};
use crate::search::{Filters, FusionMethod, Mode};
use crate::workspace::{Revision, WorkspaceId};

/// Self-hosted Intelligence Mode: files become searchable, answers cite the exact words.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// Where the index is kept [default: the platform's data folder]
    #[arg(long, global = true, env = "PINCITE_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// The workspace
    #[arg(long, global = true, default_value_t, value_name = "NAME")]
    pub workspace: WorkspaceId,

    /// Print one JSON document
    #[arg(long, global = true)]
    pub json: bool,

    /// Tell more in the log (`PINCITE_LOG` takes a filter)
    #[arg(long, short, global = true)]
    pub verbose: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Bring the index up to date with a folder
    Index {
        /// The folder
        path: PathBuf,
        /// Exit with 1 if a file could not be read
        #[arg(long)]
        strict: bool,
    },
    /// Find passages
    Search(SearchArgs),
    /// Answer a question, each sentence cited
    Ask(AskArgs),
    /// Serve REST at /v1 and MCP at /mcp
    Serve {
        /// The workspace's folder: it is watched, and kept up to date
        path: Option<PathBuf>,
        /// Where to listen
        #[arg(long, default_value = "127.0.0.1:7878", value_name = "ADDRESS")]
        listen: SocketAddr,
    },
    /// Serve MCP over standard input and output
    Mcp {
        /// The workspace's folder: it is watched, and kept up to date
        path: Option<PathBuf>,
    },
    /// Show what is indexed and what is not
    Status,
    /// Show what has happened to files lately, newest first, and who did it
    Changes(ChangesArgs),
    /// Build the index of a workspace again from its files, while the old one serves
    Reindex,
    /// Show what is read of a file: its text, or with `--json` its structure, too
    Extract {
        /// The file
        file: PathBuf,
    },
    /// Read files from standard input for another process of this program
    #[command(hide = true)]
    ReadFiles {
        /// Memory that it may take
        memory_bytes: u64,
    },
    /// List, make, switch or delete workspaces
    Workspace {
        #[command(subcommand)]
        command: WorkspaceCommand,
    },
    /// Check a citation against the file as it is now
    Verify {
        /// A file with the citation's JSON, or `-` for standard input
        citation: PathBuf,
    },
    /// Measure the ranking on a judged collection in BEIR layout, by document or by page
    Eval(EvalArgs),
    /// List or fetch embedding models
    Models {
        #[command(subcommand)]
        command: ModelsCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum WorkspaceCommand {
    /// List the workspaces
    List,
    /// Make a workspace
    Create {
        /// Its name
        name: WorkspaceId,
        /// Its folder; without one, files that are written to it are kept in the data folder
        #[arg(long, value_name = "FOLDER")]
        root: Option<PathBuf>,
    },
    /// Delete a workspace and all that is kept of it; files in a folder of its own stay
    Delete {
        /// Its name
        name: WorkspaceId,
    },
    /// Index the files of a workspace, or only list them
    Intelligence {
        /// Its name
        name: WorkspaceId,
        /// Whether they are indexed
        #[arg(value_enum)]
        switch: Switch,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Switch {
    On,
    Off,
}

#[derive(Debug, Subcommand)]
pub(super) enum ModelsCommand {
    /// List the models that can be used
    List,
    /// Fetch a model and ONNX Runtime, and check them
    Pull {
        /// The model's name
        #[arg(default_value = "all-MiniLM-L6-v2-int8")]
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct SearchArgs {
    /// What to look for: words or a question, with `"a phrase"`, `-word`, `word*`, `path:reports/`, `type:pdf`, `agent:`, `run:`, `tag:`,
    /// `before:2026-10-31`, `after:` where wanted (behind `--` where it begins with a minus)
    pub query: String,
    /// Bring this folder up to date first
    #[arg(long, value_name = "FOLDER")]
    pub path: Option<PathBuf>,
    /// How many passages, at most 100
    #[arg(short, default_value_t = 10)]
    pub k: usize,
    /// Leave out so many of the best passages
    #[arg(long, default_value_t = 0)]
    pub offset: usize,
    /// Which legs look for candidates
    #[arg(long, value_enum, default_value_t)]
    pub mode: Mode,
    /// How the legs are fused
    #[arg(long, value_enum, default_value_t)]
    pub fusion: FusionMethod,
    /// Show both legs' ranks and scores
    #[arg(long)]
    pub explain: bool,
    /// Count who wrote the files among which the passages were chosen
    #[arg(long)]
    pub facets: bool,
    #[command(flatten)]
    pub scope: Scope,
}

#[derive(Debug, Args)]
pub(super) struct AskArgs {
    /// The question
    pub question: String,
    /// Bring this folder up to date first
    #[arg(long, value_name = "FOLDER")]
    pub path: Option<PathBuf>,
    /// The most sentences of the answer; of an answer by files, of each file
    #[arg(long, default_value_t = 5)]
    pub max_sentences: usize,
    /// How to answer: by the question's words, from the nearest passages, from what was changed lately, or from all files
    #[arg(long, value_enum, default_value_t)]
    pub plan: PlanChoice,
    /// The most files that an answer by files quotes; with more than the default all of it is shown [default: 20]
    #[arg(long, value_name = "N")]
    pub max_files: Option<usize>,
    /// Show all of an answer by files, not about a screen of it
    #[arg(long)]
    pub all: bool,
    /// The time to take for now (RFC 3339), so that answers about time repeat
    #[arg(long, value_name = "TIME")]
    pub now: Option<Timestamp>,
    /// The time zone in which days begin (`Europe/Berlin`) [default: the system's]
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// Who answers: the language model of `config.toml` where there is one (auto), or sentences of the files
    #[arg(long, value_enum, default_value_t)]
    pub answerer: Answerer,
    /// Count who wrote the files that the answer was chosen from
    #[arg(long)]
    pub facets: bool,
    #[command(flatten)]
    pub scope: Scope,
}

/// Who, as far as that was said.
#[derive(Debug, Args)]
pub(super) struct By {
    /// Only what this agent wrote (repeatable)
    #[arg(long, value_name = "NAME")]
    pub agent: Vec<String>,
    /// Only what was written in this run (repeatable)
    #[arg(long, value_name = "NAME")]
    pub run: Vec<String>,
    /// Only what was written in this sandbox (repeatable)
    #[arg(long, value_name = "NAME")]
    pub sandbox: Vec<String>,
    /// Only what was written under this tag (repeatable: one of them)
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct ChangesArgs {
    /// How many changes
    #[arg(long, short = 'n', default_value_t = 20)]
    pub limit: usize,
    /// Only changes of files whose path matches (repeatable; `*.md`, `runs/**`)
    #[arg(long, value_name = "GLOB")]
    pub glob: Vec<String>,
    /// Only changes at this time or later (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub since: Option<Timestamp>,
    /// Only changes before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,
    /// Only changes that are newer than this revision
    #[arg(long, value_name = "REVISION")]
    pub after_revision: Option<u64>,
    /// Count who made all these changes, also those beyond the limit
    #[arg(long)]
    pub facets: bool,
    #[command(flatten)]
    pub by: By,
}

impl ChangesArgs {
    pub(super) fn request(&self) -> ChangesRequest {
        let By { agent, run, sandbox, tags } = &self.by;
        let filters = ChangeFilters {
            path: self.glob.clone(),
            agent: agent.clone(),
            run: run.clone(),
            sandbox: sandbox.clone(),
            tags: tags.clone(),
            since: self.since,
            until: self.until,
            after_revision: self.after_revision.map(Revision),
            before_revision: None,
        };
        ChangesRequest { limit: self.limit, filters, facets: self.facets }
    }
}

/// Which files, and how new.
#[derive(Debug, Args)]
pub(super) struct Scope {
    /// Only files whose path matches (repeatable; `*.md`, `runs/**`)
    #[arg(long, value_name = "GLOB")]
    pub glob: Vec<String>,
    /// Only files of this type (repeatable; markdown, pdf, csv, …)
    #[arg(long = "type", value_name = "TYPE")]
    pub formats: Vec<String>,
    /// Only files modified at this time or later (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub modified_after: Option<Timestamp>,
    /// Only files modified before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub modified_before: Option<Timestamp>,
    #[command(flatten)]
    pub by: By,
    /// Answer from a state at least this new
    #[arg(long, value_name = "REVISION")]
    pub min_revision: Option<u64>,
    /// How long to wait for it, in milliseconds
    #[arg(long, default_value_t = 0)]
    pub wait_ms: u64,
    /// How long the work may take, in milliseconds; what is found until then is shown
    #[arg(long, value_name = "MS")]
    pub timeout_ms: Option<u64>,
}

impl Scope {
    pub(super) fn filters(&self) -> Filters {
        Filters {
            path: self.glob.clone(),
            formats: self.formats.clone(),
            modified_after: self.modified_after,
            modified_before: self.modified_before,
            agent: self.by.agent.clone(),
            run: self.by.run.clone(),
            sandbox: self.by.sandbox.clone(),
            tags: self.by.tags.clone(),
            ..Filters::default()
        }
    }

    pub(super) fn min_revision(&self) -> Option<Revision> {
        self.min_revision.map(Revision)
    }
}

#[derive(Debug, Args)]
pub(super) struct EvalArgs {
    /// The folder with queries.jsonl, and with corpus.jsonl and qrels.tsv where the documents are ranked
    pub folder: PathBuf,
    /// Take the files of this folder as documents, their paths as ids, instead of corpus.jsonl
    #[arg(long, value_name = "FOLDER")]
    pub files: Option<PathBuf>,
    /// Rank pages of the files, by known evidence pages
    #[arg(long, requires = "files")]
    pub pages: bool,
    /// Answer the questions, and count wrong answers and wrong abstentions
    #[arg(long, requires = "files", conflicts_with = "pages")]
    pub answers: bool,
    /// Ask each question of its own file alone
    #[arg(long, requires = "files")]
    pub within_document: bool,
    /// Take the evidence pages from this file (query id, file#pN, score)
    #[arg(long, value_name = "FILE", requires = "pages")]
    pub qrels: Option<PathBuf>,
    /// Which legs to use
    #[arg(long, value_enum, default_value_t)]
    pub mode: Mode,
    /// How the legs are fused
    #[arg(long, value_enum, default_value_t)]
    pub fusion: FusionMethod,
    /// Write the ranking as a TREC run; with `--answers` what became of each question, as lines of JSON
    #[arg(long, value_name = "FILE")]
    pub run: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
