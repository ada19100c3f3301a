//! The commands for workspaces.

use std::io::{self, Write};
use std::path::Path;

use super::args::{Switch, WorkspaceCommand};
use super::commands::{Done, Session};
use crate::engine::{Access, Caller, Claim, NewTransfer, Surface, Transfer, WorkspaceSummary};

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
        WorkspaceCommand::Transfer { name, ttl_s, keep } => {
            let engine = session.open(Access::Share, "pincite workspace transfer")?;
            let workspace = engine.workspace(name, &Caller::local(Surface::CommandLine))?;
            let offered = workspace.offer_transfer(NewTransfer { ttl_s: *ttl_s, keep: *keep })?;
            session.print(&offered, |out| {
                writeln!(out, "{}", offered.token)?;
                offer(out, &offered.transfer)?;
                writeln!(
                    out,
                    "Claim it with `pincite workspace claim TOKEN`, or on the server's page at {}",
                    offered.claim_path
                )?;
                writeln!(out, "The token cannot be shown again.")
            })?;
        }
        WorkspaceCommand::Offers { name } => {
            let engine = session.open(Access::Read, "pincite workspace offers")?;
            let list = engine.workspace(name, &Caller::local(Surface::CommandLine))?.transfers()?;
            session.print(&list, |out| list.transfers.iter().try_for_each(|open| offer(out, open)))?;
        }
        WorkspaceCommand::Withdraw { name, id } => {
            let engine = session.open(Access::Share, "pincite workspace withdraw")?;
            engine.workspace(name, &Caller::local(Surface::CommandLine))?.withdraw_transfer(*id)?;
            session.print(&serde_json::json!({ "id": id }), |out| writeln!(out, "offer {id} is taken back"))?;
        }
        WorkspaceCommand::Claim { token, key_name } => {
            let engine = session.open(Access::Share, "pincite workspace claim")?;
            let claimed = engine
                .claim(&Caller::local(Surface::CommandLine), &Claim { token: token.clone(), name: key_name.clone() })?;
            session.print(&claimed, |out| {
                writeln!(out, "{}", claimed.key.secret)?;
                writeln!(out, "{} is yours; all other keys: {}", claimed.workspace, claimed.keep)?;
                writeln!(out, "The secret cannot be shown again. Send it as `Authorization: Bearer …`.")
            })?;
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

fn offer(out: &mut dyn Write, transfer: &Transfer) -> io::Result<()> {
    let Transfer { id, keep, expires_at, .. } = transfer;
    writeln!(out, "offer {id}  other keys: {keep}  until {expires_at:.0}")
}

fn line(out: &mut dyn Write, workspace: &WorkspaceSummary) -> io::Result<()> {
    let WorkspaceSummary { name, root, intelligence } = workspace;
    let root = root.as_deref().unwrap_or("no folder");
    writeln!(out, "{name}  {root}{}", if *intelligence { "" } else { "  (intelligence off)" })
}
