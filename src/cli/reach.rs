//! Which commands work on a server, and what to do instead of the others.

use super::args::{Command, VerdictsArgs};
use super::audit::{AuditArgs, AuditCommand};

/// Where a command works.
pub(super) enum Reach {
    /// On a data folder of this machine, and on a server.
    Anywhere,
    /// On this machine alone.
    Here {
        command: &'static str,
        /// The remedy.
        instead: &'static str,
    },
}

/// Where a command works, by what it needs.
pub(super) const fn reach(command: &Command) -> Reach {
    let (command, instead) = match command {
        Command::Search(_)
        | Command::Ask(_)
        | Command::Status
        | Command::Sync(_)
        | Command::Files(_)
        | Command::Changes(_)
        | Command::Verdicts(VerdictsArgs { export: None, .. })
        | Command::Workspace { .. }
        | Command::Key { .. }
        | Command::Webhook { .. }
        | Command::Lock { .. }
        | Command::Limits
        | Command::Audit(AuditArgs { command: None | Some(AuditCommand::Head), .. })
        | Command::Verify { .. } => return Reach::Anywhere,
        Command::Index { .. } => (
            "pincite index",
            "the server indexes its folders itself, and files are written to it over REST; for a data folder of this machine leave out \
             `--url` and unset `PINCITE_URL`",
        ),
        Command::Reindex => (
            "pincite reindex",
            "run it on the server's machine with the server's `--data-dir`; the server goes on meanwhile",
        ),
        Command::Verdicts(VerdictsArgs { export: Some(_), .. }) => (
            "pincite verdicts --export",
            "it reads all files: run it on the server's machine with the server's `--data-dir`",
        ),
        Command::Audit(AuditArgs { command: Some(AuditCommand::Verify { .. }), .. }) => (
            "pincite audit verify",
            "it reads the whole journal: run it on the server's machine with the server's `--data-dir`",
        ),
        Command::Mcp { .. } => (
            "pincite mcp",
            "give the MCP client the URL of the server with `/mcp` at its end, and the key in the header `Authorization: Bearer`",
        ),
        Command::Serve(_) => {
            ("pincite serve", "it serves a data folder of this machine: leave out `--url` and unset `PINCITE_URL`")
        }
        Command::Extract { .. } => {
            ("pincite extract", "it reads a file of this machine: leave out `--url` and unset `PINCITE_URL`")
        }
        Command::Eval(_) => ("pincite eval", "it measures on this machine: leave out `--url` and unset `PINCITE_URL`"),
        Command::Models { .. } => ("pincite models", "run it on the server's machine with the server's `--data-dir`"),
        Command::ReadFiles { .. } => ("pincite read-files", "it is for other processes of this program alone"),
    };
    Reach::Here { command, instead }
}
