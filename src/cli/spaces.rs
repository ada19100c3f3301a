//! The commands for workspaces.

use std::io::{self, Write};
use std::path::Path;

use super::args::{Switch, WorkspaceCommand};
use super::commands::{Done, Session};
use super::target::{Target, local};
use crate::engine::{Access, Claim, NewTransfer, Transfer, WorkspaceSummary};

/// `pincite workspace`.
pub(super) fn run(session: &Session, command: &WorkspaceCommand) -> anyhow::Result<Done> {
    let line = |out: &mut dyn Write, workspace: &WorkspaceSummary| line(out, workspace, session.no_folder());
    match command {
        WorkspaceCommand::List => {
            let list = session.target(Access::Read, "pincite workspace list")?.workspaces()?;
            session.print(&list, |out| list.workspaces.iter().try_for_each(|workspace| line(out, workspace)))?;
        }
        WorkspaceCommand::Create { name, root } => {
            let target = session.target(Access::Share, "pincite workspace create")?;
            let made = target.create_workspace(name, root.as_deref())?;
            session.print(&made, |out| line(out, &made))?;
        }
        WorkspaceCommand::Delete { name } => {
            session.target(Access::Share, "pincite workspace delete")?.delete_workspace(name)?;
            session.print(&serde_json::json!({ "name": name }), |out| writeln!(out, "{name} is deleted"))?;
        }
        WorkspaceCommand::Transfer { name, ttl_s, keep } => {
            let target = session.target(Access::Share, "pincite workspace transfer")?;
            let offered = target.offer_transfer(name, NewTransfer { ttl_s: *ttl_s, keep: *keep })?;
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
            let list = session.target(Access::Read, "pincite workspace offers")?.transfers(name)?;
            session.print(&list, |out| list.transfers.iter().try_for_each(|open| offer(out, open)))?;
        }
        WorkspaceCommand::Withdraw { name, id } => {
            session.target(Access::Share, "pincite workspace withdraw")?.withdraw_transfer(name, *id)?;
            session.print(&serde_json::json!({ "id": id }), |out| writeln!(out, "offer {id} is taken back"))?;
        }
        WorkspaceCommand::Claim { token, key_name } => {
            let claim = Claim { token: token.clone(), name: key_name.clone() };
            let claimed = session.target(Access::Share, "pincite workspace claim")?.claim(&claim)?;
            session.print(&claimed, |out| {
                writeln!(out, "{}", claimed.key.secret)?;
                writeln!(out, "{} is yours; all other keys: {}", claimed.workspace, claimed.keep)?;
                writeln!(out, "The secret cannot be shown again. Send it as `Authorization: Bearer …`.")
            })?;
        }
        WorkspaceCommand::Intelligence { name, switch } => {
            let target = session.target(Access::Share, "pincite workspace intelligence")?;
            let switched = target.set_intelligence(name, *switch == Switch::On)?;
            // Done here, or waited for where another process indexes. A folder that is away is looked at when it is back. A server
            // indexes by itself.
            if let Target::Local(engine) = &target
                && switched.root.as_deref().is_some_and(|root| Path::new(root).is_dir())
            {
                local(engine, name)?.index(&*session.progress)?;
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

fn line(out: &mut dyn Write, workspace: &WorkspaceSummary, no_folder: &str) -> io::Result<()> {
    let WorkspaceSummary { name, root, intelligence, .. } = workspace;
    let root = root.as_deref().unwrap_or(no_folder);
    writeln!(out, "{name}  {root}{}", if *intelligence { "" } else { "  (intelligence off)" })
}
