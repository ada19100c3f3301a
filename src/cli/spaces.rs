//! The commands for workspaces.

use std::io::{self, Write};
use std::path::Path;

use super::args::{Switch, WorkspaceCommand};
use super::commands::{Done, Session};
use crate::engine::{Access, Caller, Surface, WorkspaceSummary};

/// `pincite workspace`.
pub(super) fn run(session: &Session, command: &WorkspaceCommand) -> anyhow::Result<Done> {
    match command {
        WorkspaceCommand::List => {
            let list = session
                .open(Access::Read, "pincite workspace list")?
                .list_workspaces(&Caller::local(Surface::CommandLine))?;
            session.print(&list, |out| list.workspaces.iter().try_for_each(|workspace| line(out, workspace)))?;
        }
        WorkspaceCommand::Create { name, root } => {
            let engine = session.open(Access::Share, "pincite workspace create")?;
            let made = engine.create_workspace(name, root.as_deref())?.into();
            session.print(&made, |out| line(out, &made))?;
        }
        WorkspaceCommand::Delete { name } => {
            let engine = session.open(Access::Share, "pincite workspace delete")?;
            engine.workspace(name, &Caller::local(Surface::CommandLine))?.delete()?;
            session.print(&serde_json::json!({ "name": name }), |out| writeln!(out, "{name} is deleted"))?;
        }
        WorkspaceCommand::Intelligence { name, switch } => {
            let engine = session.open(Access::Share, "pincite workspace intelligence")?;
            let workspace = engine.workspace(name, &Caller::local(Surface::CommandLine))?;
            let switched: WorkspaceSummary = workspace.set_intelligence(*switch == Switch::On)?.into();
            // Done here, or waited for where another process indexes. A folder that is away is looked at when it is back.
            if switched.root.as_deref().is_some_and(|root| Path::new(root).is_dir()) {
                workspace.index(&*session.progress)?;
            }
            session.print(&switched, |out| line(out, &switched))?;
        }
    }
    Ok(Done::Yes)
}

fn line(out: &mut dyn Write, workspace: &WorkspaceSummary) -> io::Result<()> {
    let WorkspaceSummary { name, root, intelligence } = workspace;
    let root = root.as_deref().unwrap_or("no folder");
    writeln!(out, "{name}  {root}{}", if *intelligence { "" } else { "  (intelligence off)" })
}
