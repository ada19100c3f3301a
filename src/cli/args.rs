//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;

use super::audit::AuditArgs;
use super::keys::KeyCommand;
use super::locks::LockCommand;
use super::remote::RemoteArgs;
use super::serving::{ServeArgs, Tools};
use super::sync::SyncArgs;
use super::webhooks::WebhookCommand;
use crate::answer::{Answerer, PlanChoice};
use crate::engine::{ChangeFilters, ChangesRequest, FilesRequest, VerdictsRequest};
use crate::search::{Filters, FusionMethod, Mode};
use crate::workspace::{Decision, Keep, Revision, WorkspaceId};

/// Searches the files of a workspace and answers questions with sentences that cite the exact words.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// The data folder, which holds the index [default: the platform's data folder]
    #[arg(long, global = true, env = "PINCITE_DATA_DIR", value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,

    /// The workspace
    #[arg(long, global = true, default_value_t, value_name = "NAME")]
    pub workspace: WorkspaceId,

    /// Print one JSON document
    #[arg(long, global = true)]
    pub json: bool,

    /// Log more (`PINCITE_LOG` takes a filter)
    #[arg(long, short, global = true)]
    pub verbose: bool,

    #[command(flatten)]
    pub remote: RemoteArgs,
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
    /// Answer a question; each sentence has citations
    Ask(AskArgs),
    /// Serve REST at /v1 and MCP at /mcp
    Serve(ServeArgs),
    /// Serve MCP over standard input and output
    Mcp {
        /// The workspace's folder, which the server watches and indexes; without it the index is only read
        path: Option<PathBuf>,
        /// Which tools to offer
        #[arg(long, value_enum, default_value_t, value_name = "SET")]
        tools: Tools,
    },
    /// Keep a folder and a workspace of a server in step
    Sync(SyncArgs),
    /// Show the files that are searchable or not, with reasons
    Status,
    /// List the files of a workspace with their states
    Files(FilesArgs),
    /// List the newest changes of files, and who made them
    Changes(ChangesArgs),
    /// List reviewers' verdicts, newest first, or export them as a judged collection
    Verdicts(VerdictsArgs),
    /// Show who has done and seen what, or prove the journal of it
    Audit(AuditArgs),
    /// Build the index of a workspace again from its files, while the old one serves
    Reindex,
    /// Show the text that is read from a file; with `--json` also its structure
    Extract {
        /// The file
        file: PathBuf,
    },
    /// Read files from standard input for another process of this program
    #[command(hide = true)]
    ReadFiles {
        /// The most memory that the process may take
        memory_bytes: u64,
    },
    /// Tell a URL what happens to files: make, list, change, test or delete webhooks, and see what became of their messages
    Webhook {
        #[command(subcommand)]
        command: WebhookCommand,
    },
    /// Take, list, extend or release locks on files, or run a command while one is held
    Lock {
        #[command(subcommand)]
        command: LockCommand,
    },
    /// List, make, switch or delete workspaces
    Workspace {
        #[command(subcommand)]
        command: WorkspaceCommand,
    },
    /// Make, list, narrow, rotate or revoke keys
    Key {
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Show what a caller may send and write, and what the workspace has room for
    Limits,
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
        /// The name of the workspace
        name: WorkspaceId,
        /// The folder of the workspace; without one, the data folder keeps the files that are written to it
        #[arg(long, value_name = "FOLDER")]
        root: Option<PathBuf>,
    },
    /// Delete a workspace with its index; files in a folder of its own stay
    Delete {
        /// The name of the workspace
        name: WorkspaceId,
    },
    /// Offer to hand a workspace over; whoever claims it with the token owns it
    Transfer {
        /// The name of the workspace
        name: WorkspaceId,
        /// Seconds for which it can be claimed (60 to 2,592,000); three days where none are given
        #[arg(long, value_name = "SECONDS")]
        ttl_s: Option<u32>,
        /// What all other keys may do after the claim
        #[arg(long, value_enum, default_value_t)]
        keep: Keep,
    },
    /// List the offers to hand a workspace over that can be claimed
    Offers {
        /// The name of the workspace
        name: WorkspaceId,
    },
    /// Take an offer to hand a workspace over back
    Withdraw {
        /// The name of the workspace
        name: WorkspaceId,
        /// The number of the offer
        id: u64,
    },
    /// Claim a workspace with the token of an offer; the owner's key is shown this once
    Claim {
        /// The token
        token: String,
        /// What people call the owner's key
        #[arg(long = "name", value_name = "NAME")]
        key_name: Option<String>,
    },
    /// Index the files of a workspace, or only list them
    Intelligence {
        /// The name of the workspace
        name: WorkspaceId,
        /// Whether its files are indexed
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
pub(super) struct FilesArgs {
    /// Only files whose path matches (`*.md`, `runs/**`)
    pub glob: Option<String>,
    /// How many files to list
    #[arg(long, short = 'n', default_value_t = 1_000)]
    pub limit: usize,
    /// Skip this many files, in the order of their paths
    #[arg(long, default_value_t = 0)]
    pub offset: usize,
}

impl FilesArgs {
    pub(super) fn request(&self) -> FilesRequest {
        FilesRequest { glob: self.glob.clone(), limit: self.limit, offset: self.offset }
    }
}

#[derive(Debug, Args)]
pub(super) struct SearchArgs {
    /// The query: words or a question, with `"a phrase"`, `-word`, `word*`, `path:reports/`, `type:pdf`, `agent:`, `run:`, `tag:`,
    /// `before:2026-10-31`, `after:` where wanted. Put `--` before a query that begins with a minus
    pub query: String,
    /// Bring this folder up to date first
    #[arg(long, value_name = "FOLDER")]
    pub path: Option<PathBuf>,
    /// How many passages to return, 1 to 100
    #[arg(short, default_value_t = 10)]
    pub k: usize,
    /// Skip this many of the best passages
    #[arg(long, default_value_t = 0)]
    pub offset: usize,
    /// Which legs search for candidates
    #[arg(long, value_enum, default_value_t)]
    pub mode: Mode,
    /// How the legs are fused
    #[arg(long, value_enum, default_value_t)]
    pub fusion: FusionMethod,
    /// Show the ranks and scores of both legs
    #[arg(long)]
    pub explain: bool,
    /// Count who wrote the files that the passages were chosen from
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
    /// The most sentences of the answer, or of each file in an answer by files
    #[arg(long, default_value_t = 5)]
    pub max_sentences: usize,
    /// The plan of the answer; `auto` selects it by the question's words
    #[arg(long, value_enum, default_value_t)]
    pub plan: PlanChoice,
    /// The most files that an answer by files quotes; more than 20 also implies `--all` [default: 20]
    #[arg(long, value_name = "N")]
    pub max_files: Option<usize>,
    /// Show the whole answer by files, instead of about a screen of it
    #[arg(long)]
    pub all: bool,
    /// When the question is asked (RFC 3339), so that answers about time repeat [default: now]
    #[arg(long, value_name = "TIME")]
    pub now: Option<Timestamp>,
    /// The time zone in which days begin (`Europe/Berlin`) [default: the system's]
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// Who writes the answer
    #[arg(long, value_enum, default_value_t)]
    pub answerer: Answerer,
    /// Count who wrote the files that the answer was chosen from
    #[arg(long)]
    pub facets: bool,
    #[command(flatten)]
    pub scope: Scope,
}

/// Conditions on the writers of files.
#[derive(Debug, Args)]
pub(super) struct By {
    /// Only files that this agent wrote (repeatable)
    #[arg(long, value_name = "NAME")]
    pub agent: Vec<String>,
    /// Only files that were written in this run (repeatable)
    #[arg(long, value_name = "NAME")]
    pub run: Vec<String>,
    /// Only files that were written in this sandbox (repeatable)
    #[arg(long, value_name = "NAME")]
    pub sandbox: Vec<String>,
    /// Only files that were written under this tag (repeatable; any of the tags fits)
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct ChangesArgs {
    /// How many changes to list
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
    /// Only changes after this revision
    #[arg(long, value_name = "REVISION")]
    pub after_revision: Option<u64>,
    /// Count who made the changes, also those beyond the limit
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

#[derive(Debug, Args)]
pub(super) struct VerdictsArgs {
    /// How many verdicts to list
    #[arg(long, short = 'n', default_value_t = 20)]
    pub limit: usize,
    /// Only verdicts on files whose path matches (repeatable; `*.md`, `runs/**`)
    #[arg(long, value_name = "GLOB")]
    pub glob: Vec<String>,
    /// Only verdicts of this decision
    #[arg(long, value_enum)]
    pub decision: Option<Decision>,
    /// Only verdicts on what exactly this query or question found
    #[arg(long)]
    pub query: Option<String>,
    /// Only verdicts with a smaller number: the last one of the list before
    #[arg(long, value_name = "NUMBER")]
    pub before: Option<u64>,
    /// Write the accepted and rejected words and all searchable files into this new folder, in BEIR layout for `pincite eval`
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["limit", "glob", "decision", "query", "before"])]
    pub export: Option<PathBuf>,
}

impl VerdictsArgs {
    pub(super) fn request(&self) -> VerdictsRequest {
        let Self { limit, glob, decision, query, before, export: _ } = self;
        VerdictsRequest {
            path: glob.clone(),
            decision: *decision,
            query: query.clone(),
            before_id: *before,
            limit: *limit,
        }
    }
}

/// Which files to search, and how new the state must be.
#[derive(Debug, Args)]
pub(super) struct Scope {
    /// Only files whose path matches (repeatable; `*.md`, `runs/**`)
    #[arg(long, value_name = "GLOB")]
    pub glob: Vec<String>,
    /// Only files of this type, such as `markdown`, `pdf` or `csv` (repeatable; an unknown type lists all types)
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
    /// How long to wait for `--min-revision`, in milliseconds, at most 60000
    #[arg(long, default_value_t = 0)]
    pub wait_ms: u64,
    /// The time limit, in milliseconds; the reply holds the results found until then [default: `limits.query_ms`]
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
    /// Use the files of this folder as documents, with their paths as ids, instead of corpus.jsonl
    #[arg(long, value_name = "FOLDER")]
    pub files: Option<PathBuf>,
    /// Rank pages of the files, judged by known evidence pages
    #[arg(long, requires = "files")]
    pub pages: bool,
    /// Answer the questions, and count wrong answers and wrong abstentions
    #[arg(long, requires = "files", conflicts_with = "pages")]
    pub answers: bool,
    /// Ask each question over its own file alone
    #[arg(long, requires = "files")]
    pub within_document: bool,
    /// Read the evidence pages from this file (query id, file#pN, score)
    #[arg(long, value_name = "FILE", requires = "pages")]
    pub qrels: Option<PathBuf>,
    /// Which legs to use
    #[arg(long, value_enum, default_value_t)]
    pub mode: Mode,
    /// How the legs are fused
    #[arg(long, value_enum, default_value_t)]
    pub fusion: FusionMethod,
    /// Write the ranking as a TREC run; with `--answers`, write the outcome of each question as JSON lines
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
