//! The commands for keys.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};

use super::commands::{Done, Session};
use crate::engine::{Access, KeyPatch, KeyState, KeySummary, MadeKey, NewKey, Overlap, S3Credentials, Secret};
use crate::workspace::{Scope, WorkspaceId};

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make a key; its secret is shown this once
    Create(CreateArgs),
    /// List the keys, the newest first
    List,
    /// Rename a key, or take rights from it
    Narrow(NarrowArgs),
    /// Make a key in place of another one; both hold for a time
    Rotate {
        /// The id of the key
        id: String,
        /// Seconds that the former secret holds
        #[arg(long, value_name = "SECONDS")]
        overlap_s: Option<u32>,
        /// Print what S3 signs with as well
        #[arg(long)]
        s3: bool,
    },
    /// Show what S3 signs with under a key: the access key id and the secret access key (on the data folder itself alone)
    S3 {
        /// The id of the key
        id: String,
    },
    /// Revoke a key, and all keys that were made with it
    Revoke {
        /// The id of the key
        id: String,
    },
    /// Print a secret that is not stored, for the variable `PINCITE_ADMIN_KEY` of a server
    Generate,
}

#[derive(Debug, Args)]
pub(super) struct CreateArgs {
    /// What people call the key
    #[arg(long)]
    name: String,
    /// A right; repeat it: files:read, files:write, search, ask, locks, webhooks, audit:read, keys, admin
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',')]
    scopes: Vec<Scope>,
    /// A workspace that the key may reach; repeat it. All where none is given
    #[arg(long = "in", value_name = "WORKSPACE")]
    workspaces: Vec<WorkspaceId>,
    /// A glob of the files that the key may see and write; repeat it. All files where none is given
    #[arg(long = "glob", value_name = "GLOB")]
    globs: Vec<String>,
    /// The writer of everything that is written with the key
    #[arg(long)]
    agent: Option<String>,
    /// Days that the key holds, at most 366 [default: 90, or as long as the key that it is made with]
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
    /// Print what S3 signs with as well
    #[arg(long)]
    s3: bool,
}

#[derive(Debug, Args)]
pub(super) struct NarrowArgs {
    /// The id of the key
    id: String,
    /// Another name
    #[arg(long)]
    name: Option<String>,
    /// A right that it keeps; repeat it
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<Scope>,
    /// A workspace that it keeps; repeat it
    #[arg(long = "in", value_name = "WORKSPACE")]
    workspaces: Vec<WorkspaceId>,
    /// A glob that paths must match besides those that the key has; repeat it
    #[arg(long = "glob", value_name = "GLOB")]
    globs: Vec<String>,
    /// Days from now after which it ceases to hold
    #[arg(long, value_name = "DAYS")]
    days: Option<u32>,
}

/// `pincite key`.
pub(super) fn run(session: &Session, command: &KeyCommand) -> anyhow::Result<Done> {
    match command {
        KeyCommand::Create(args) => {
            let made = session.target(Access::Share, "pincite key create")?.create_key(&args.key())?;
            print_made(session, &made)?;
        }
        KeyCommand::List => {
            let list = session.target(Access::Read, "pincite key list")?.keys()?;
            session.print(&list, |out| list.keys.iter().try_for_each(|key| line(out, key)))?;
        }
        KeyCommand::Narrow(args) => {
            let key = session.target(Access::Share, "pincite key narrow")?.change_key(&args.id, &args.patch())?;
            session.print(&key, |out| line(out, &key))?;
        }
        KeyCommand::Rotate { id, overlap_s, s3 } => {
            let target = session.target(Access::Share, "pincite key rotate")?;
            print_made(session, &target.rotate_key(id, Overlap { overlap_s: *overlap_s, s3: *s3 })?)?;
        }
        KeyCommand::S3 { id } => {
            let credentials = session.open(Access::Share, "pincite key s3")?.s3_credentials(id)?;
            let S3Credentials { s3_access_key_id: id, s3_secret_access_key: secret } = &credentials;
            session.print(&credentials, |out| print_credentials(out, id, secret))?;
        }
        KeyCommand::Revoke { id } => {
            let revoked = session.target(Access::Share, "pincite key revoke")?.revoke_key(id)?;
            session.print(&revoked, |out| match revoked.revoked.as_slice() {
                [] => writeln!(out, "{id} was revoked before"),
                ids => writeln!(out, "revoked: {}", ids.join(", ")),
            })?;
        }
        KeyCommand::Generate => {
            let secret = Secret::generate().map_err(crate::engine::EngineError::from)?;
            session
                .print(&serde_json::json!({ "secret": secret.reveal() }), |out| writeln!(out, "{}", secret.reveal()))?;
        }
    }
    Ok(Done::Yes)
}

impl CreateArgs {
    fn key(&self) -> NewKey {
        NewKey {
            name: self.name.clone(),
            scopes: self.scopes.iter().copied().collect(),
            workspaces: some(&self.workspaces),
            path_globs: self.globs.clone(),
            agent: self.agent.clone(),
            expires_at: self.days.map(in_days),
            s3: self.s3,
        }
    }
}

impl NarrowArgs {
    fn patch(&self) -> KeyPatch {
        KeyPatch {
            name: self.name.clone(),
            scopes: some(&self.scopes).map(|scopes| scopes.into_iter().collect()),
            workspaces: some(&self.workspaces),
            path_globs: some(&self.globs),
            expires_at: self.days.map(in_days),
        }
    }
}

fn some<T: Clone>(values: &[T]) -> Option<Vec<T>> {
    if values.is_empty() { None } else { Some(values.to_vec()) }
}

/// A time so many days from now; that it is too far away is told where the key is made.
fn in_days(days: u32) -> Timestamp {
    Timestamp::now().saturating_add(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(Timestamp::MAX)
}

fn print_made(session: &Session, made: &MadeKey) -> anyhow::Result<()> {
    session.print(made, |out| {
        writeln!(out, "{}", made.secret)?;
        line(out, &made.key)?;
        match made.former_holds_until {
            Some(until) => writeln!(out, "The former secret holds until {until:.0}."),
            None => Ok(()),
        }?;
        if let (Some(id), Some(secret)) = (&made.s3_access_key_id, &made.s3_secret_access_key) {
            print_credentials(out, id, secret)?;
        }
        writeln!(out, "The secret cannot be shown again. Send it as `Authorization: Bearer …`.")
    })
}

/// What S3 signs with, in the form in which its clients take it from the environment.
fn print_credentials(out: &mut dyn Write, id: &str, secret: &str) -> io::Result<()> {
    writeln!(out, "AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}")
}

fn line(out: &mut dyn Write, key: &KeySummary) -> io::Result<()> {
    write!(out, "{}  {}  {}", key.id, key.name, key.scopes)?;
    if let Some(workspaces) = &key.workspaces {
        let names: Vec<&str> = workspaces.iter().map(WorkspaceId::as_str).collect();
        write!(out, "  in {}", names.join(", "))?;
    }
    for globs in &key.path_globs {
        write!(out, "  only {}", globs.join(", "))?;
    }
    if let Some(agent) = &key.agent {
        write!(out, "  as {agent}")?;
    }
    match key.state {
        KeyState::Active => writeln!(out, "  until {:.0}", key.expires_at),
        KeyState::Expired => writeln!(out, "  expired at {:.0}", key.expires_at),
        KeyState::Revoked => writeln!(out, "  revoked"),
    }
}
