//! The commands for webhooks.

use std::collections::BTreeSet;
use std::io::{self, Write};

use clap::{Args, Subcommand};

use super::commands::{Done, Session};
use crate::engine::{Access, DeliveriesRequest};
use crate::workspace::{
    Delivery, DeliveryList, DeliveryState, NewWebhook, Rotation, Webhook, WebhookEvent, WebhookList, WebhookUpdate,
};

/// Characters of a reply that are shown; all that is kept is in `--json`.
const MAX_CHARS: usize = 120;

#[derive(Debug, Subcommand)]
pub(super) enum WebhookCommand {
    /// Make a webhook: a running server tells the URL what happens in the workspace from now on
    Create {
        /// Where messages are sent: `https://…` or `http://…`
        #[arg(value_name = "URL")]
        to: String,
        #[command(flatten)]
        conditions: Conditions,
    },
    /// List the webhooks of the workspace
    List,
    /// Change a webhook, or switch it off or on
    Update {
        /// The number of the webhook
        id: u64,
        /// Send messages there
        #[arg(long, value_name = "URL")]
        to: Option<String>,
        #[command(flatten)]
        conditions: Conditions,
        /// Send messages again
        #[arg(long, conflicts_with = "off")]
        on: bool,
        /// Send none
        #[arg(long)]
        off: bool,
    },
    /// Give a webhook another secret
    Rotate {
        /// The number of the webhook
        id: u64,
        /// For how many seconds messages are also signed with the old secret
        #[arg(long, value_name = "SECONDS", default_value_t = Rotation::default().overlap_s)]
        overlap_s: u64,
    },
    /// Delete a webhook with its deliveries
    Delete {
        /// The number of the webhook
        id: u64,
    },
    /// List the deliveries of a webhook, newest first
    Deliveries {
        /// The number of the webhook
        id: u64,
        /// How many deliveries to list
        #[arg(long, short = 'n', default_value_t = 20)]
        limit: usize,
        /// Only deliveries in this state
        #[arg(long, value_enum)]
        state: Option<DeliveryState>,
        /// Only deliveries with a smaller number: the last one of the list before
        #[arg(long, value_name = "NUMBER")]
        before: Option<u64>,
    },
    /// Send a message again; a running server does it
    Replay {
        /// The number of the webhook
        id: u64,
        /// The number of the delivery
        delivery: u64,
    },
    /// Send a test message; a running server does it
    Test {
        /// The number of the webhook
        id: u64,
    },
}

/// What a webhook is told of.
#[derive(Debug, Args)]
pub(super) struct Conditions {
    /// Tell this event (repeatable) [default: all events]
    #[arg(long = "event", value_enum, value_name = "EVENT")]
    events: Vec<WebhookEvent>,
    /// Tell only of files whose path matches (repeatable; `*.md`, `runs/**`)
    #[arg(long = "glob", value_name = "GLOB")]
    globs: Vec<String>,
    /// Tell only what this agent is stated to have written (repeatable)
    #[arg(long = "agent", value_name = "NAME")]
    agents: Vec<String>,
}

/// `pincite webhook`.
pub(super) fn run(session: &Session, command: &WebhookCommand) -> anyhow::Result<Done> {
    let access = match command {
        WebhookCommand::List | WebhookCommand::Deliveries { .. } => Access::Read,
        _ => Access::Share,
    };
    let (target, workspace) = (session.target(access, "pincite webhook")?, &session.workspace);
    match command {
        WebhookCommand::Create { to, conditions } => {
            let Conditions { events, globs, agents } = conditions;
            let made = target.create_webhook(
                workspace,
                &NewWebhook {
                    url: to.clone(),
                    events: events.iter().copied().collect(),
                    path_globs: globs.clone(),
                    agents: agents.clone(),
                    secret: None,
                },
            )?;
            session.print(&made, |out| with_secret(out, &made))?;
        }
        WebhookCommand::List => {
            let list = target.webhooks(workspace)?;
            session.print(&list, |out| all(out, &list))?;
            return Ok(Done::when(!list.webhooks.is_empty()));
        }
        WebhookCommand::Update { id, to, conditions, on, off } => {
            let Conditions { events, globs, agents } = conditions;
            let given = |list: &[String]| Some(list.to_vec()).filter(|list| !list.is_empty());
            let changed = target.update_webhook(
                workspace,
                *id,
                &WebhookUpdate {
                    url: to.clone(),
                    events: Some(events.iter().copied().collect::<BTreeSet<_>>()).filter(|events| !events.is_empty()),
                    path_globs: given(globs),
                    agents: given(agents),
                    enabled: (*on || *off).then_some(*on),
                },
            )?;
            session.print(&changed, |out| one(out, &changed))?;
        }
        WebhookCommand::Rotate { id, overlap_s } => {
            let rotated = target.rotate_webhook(workspace, *id, &Rotation { secret: None, overlap_s: *overlap_s })?;
            session.print(&rotated, |out| with_secret(out, &rotated))?;
        }
        WebhookCommand::Delete { id } => {
            target.delete_webhook(workspace, *id)?;
            session.print(&serde_json::json!({ "id": id }), |out| writeln!(out, "the webhook {id} is deleted"))?;
        }
        WebhookCommand::Deliveries { id, limit, state, before } => {
            let request = DeliveriesRequest { state: *state, before_id: *before, limit: *limit };
            let list = target.deliveries(workspace, *id, &request)?;
            session.print(&list, |out| deliveries(out, &list))?;
            return Ok(Done::when(!list.deliveries.is_empty()));
        }
        WebhookCommand::Replay { id, delivery } => {
            let due = target.replay_delivery(workspace, *id, *delivery)?;
            session.print(&due, |out| delivery_line(out, &due))?;
        }
        WebhookCommand::Test { id } => {
            let due = target.test_webhook(workspace, *id)?;
            session.print(&due, |out| delivery_line(out, &due))?;
        }
    }
    Ok(Done::Yes)
}

fn with_secret(out: &mut dyn Write, webhook: &Webhook) -> io::Result<()> {
    one(out, webhook)?;
    match &webhook.secret {
        Some(secret) => writeln!(out, "  secret, shown this once: {secret}"),
        None => Ok(()),
    }
}

fn all(out: &mut dyn Write, list: &WebhookList) -> io::Result<()> {
    list.webhooks.iter().try_for_each(|webhook| one(out, webhook))
}

fn one(out: &mut dyn Write, webhook: &Webhook) -> io::Result<()> {
    let Webhook {
        id, url, events, path_globs, agents, enabled, disabled_reason, paused, failing_since, pending, ..
    } = webhook;
    writeln!(out, "{id}  {url}{}", if *enabled { "" } else { "  (off)" })?;
    let events: Vec<&str> = events.iter().map(|event| event.name()).collect();
    for (name, values) in
        [("events", events.join(", ")), ("paths", path_globs.join(", ")), ("agents", agents.join(", "))]
    {
        if !values.is_empty() {
            writeln!(out, "  {name}: {values}")?;
        }
    }
    if let Some(reason) = disabled_reason {
        writeln!(out, "  off: {reason}")?;
    }
    if *paused {
        writeln!(out, "  paused until the new owner of the workspace confirms")?;
    }
    if let Some(since) = failing_since {
        writeln!(out, "  no delivery has succeeded since {since:.0}")?;
    }
    if *pending > 0 {
        writeln!(out, "  {pending} deliveries wait")?;
    }
    Ok(())
}

fn deliveries(out: &mut dyn Write, list: &DeliveryList) -> io::Result<()> {
    for delivery in &list.deliveries {
        delivery_line(out, delivery)?;
    }
    match list.next {
        Some(next) => writeln!(out, "… older ones: `--before {next}`"),
        None => Ok(()),
    }
}

fn delivery_line(out: &mut dyn Write, delivery: &Delivery) -> io::Result<()> {
    let Delivery { id, event, path, revision, at, state, tries, next_try, status, latency_ms, reply, error, .. } =
        delivery;
    let path = path.as_ref().map(|path| format!("  {path}")).unwrap_or_default();
    let revision = revision.map(|revision| format!(" @{revision}")).unwrap_or_default();
    writeln!(out, "{id}  {}  {event}{path}{revision}  {at:.0}", state.name())?;
    let status = status.map(|status| format!("status {status}, ")).unwrap_or_default();
    if let Some(latency_ms) = latency_ms {
        let next = next_try.map(|next| format!(", next at {next:.0}")).unwrap_or_default();
        writeln!(out, "  {status}{latency_ms} ms, tried {tries} times{next}")?;
    }
    for (name, text) in [("error", error), ("reply", reply)] {
        if let Some(text) = text {
            let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
            writeln!(out, "  {name}: {}", line.chars().take(MAX_CHARS).collect::<String>())?;
        }
    }
    Ok(())
}
