//! The commands for the audit journal.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::commands::{Done, Session};
use crate::engine::{
    Access, ActorKind, AuditEntry, AuditReply, AuditRequest, AuditResult, Caller, Head, ShownFile, Surface,
    VerifyReport,
};
use crate::workspace::Span;

/// Files and spans of an entry that are shown; all are in `--json`.
const MAX_SHOWN: usize = 5;

/// Which entries of the audit journal to list.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
    /// How many entries to list
    #[arg(long, short = 'n', default_value_t = 20)]
    pub limit: usize,
    /// Of all workspaces, with changes of keys and callers that were turned away
    #[arg(long)]
    pub everywhere: bool,
    /// Only accesses that named or showed a file whose path matches (repeatable; `*.md`, `runs/**`)
    #[arg(long, value_name = "GLOB")]
    pub glob: Vec<String>,
    /// Only accesses by keys that prove this agent
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// Only accesses by the key of this id
    #[arg(long = "by-key", value_name = "ID")]
    pub by_key: Option<String>,
    /// Only accesses by this verb (`search`, `file.write`), or by all that begin with it (`file`)
    #[arg(long, value_name = "VERB")]
    pub action: Option<String>,
    /// Only accesses that ended so
    #[arg(long, value_enum)]
    pub result: Option<AuditResult>,
    /// Only entries that were recorded at this time or later (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub since: Option<Timestamp>,
    /// Only entries that were recorded before this time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub until: Option<Timestamp>,
    /// Only accesses that showed a part of this place, in bytes of the file's text as a citation's span has them
    #[arg(long, value_name = "PATH#START-END")]
    pub cited: Option<String>,
    /// Only entries with a smaller number: the last one of the list before
    #[arg(long, value_name = "NUMBER")]
    pub cursor: Option<u64>,
}

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Show the newest entry as SEQ:HASH, to be kept elsewhere
    Head,
    /// Prove that the journal is as it was written; exits with 1 where it is not
    Verify {
        /// An entry that it must hold: what `pincite audit head` has shown before (repeatable)
        #[arg(long, value_name = "SEQ:HASH")]
        head: Vec<Head>,
    },
}

impl AuditArgs {
    pub(super) fn request(&self) -> AuditRequest {
        let Self { limit, glob, agent, by_key, action, result, since, until, cited, cursor, .. } = self;
        AuditRequest {
            path: glob.clone(),
            agent: agent.clone(),
            key: by_key.clone(),
            action: action.clone(),
            result: *result,
            is_conflict: false,
            since: *since,
            until: *until,
            cited: cited.clone(),
            cursor: *cursor,
            limit: *limit,
        }
    }
}

/// `pincite audit`.
pub(super) fn run(session: &Session, args: &AuditArgs) -> anyhow::Result<Done> {
    match &args.command {
        None => search(session, args),
        Some(AuditCommand::Head) => {
            let head = session.target(Access::Read, "pincite audit head")?.audit_head()?;
            session.print(&head, |out| writeln!(out, "{head}"))?;
            Ok(Done::Yes)
        }
        Some(AuditCommand::Verify { head }) => verify(session, head),
    }
}

fn search(session: &Session, args: &AuditArgs) -> anyhow::Result<Done> {
    let workspace = if args.everywhere { None } else { Some(&session.workspace) };
    let reply = session.target(Access::Read, "pincite audit")?.audit(workspace, &args.request())?;
    session.print(&reply, |out| list(out, &reply, args.everywhere))?;
    if !session.json {
        let mut err = io::stderr();
        reply.notes.iter().try_for_each(|note| writeln!(err, "note: {note}"))?;
    }
    Ok(Done::when(!reply.entries.is_empty()))
}

fn verify(session: &Session, heads: &[Head]) -> anyhow::Result<Done> {
    let engine = session.open(Access::Read, "pincite audit verify")?;
    let report = engine.verify_audit(&Caller::local(Surface::CommandLine), heads)?;
    session.print(&report, |out| verified(out, &report, heads.len()))?;
    Ok(Done::when(report.is_whole))
}

fn list(out: &mut dyn Write, reply: &AuditReply, is_of_all: bool) -> io::Result<()> {
    for entry in &reply.entries {
        line(out, entry, is_of_all)?;
        let num_shown = entry.shown.iter().map(|file| file.spans.len().max(1)).sum::<usize>();
        for (file, span) in entry.shown.iter().flat_map(places).take(MAX_SHOWN) {
            match span {
                Some(Span { start, end }) => writeln!(out, "  shown: {}#{start}-{end}", plain(&file.path))?,
                None => writeln!(out, "  shown: {}", plain(&file.path))?,
            }
        }
        if num_shown > MAX_SHOWN {
            writeln!(out, "  shown: {} places more", num_shown - MAX_SHOWN)?;
        }
        if let Some(message) = &entry.message {
            writeln!(out, "  {}", plain(message))?;
        }
    }
    match reply.next {
        Some(next) if reply.partial => writeln!(out, "… the time was over; older ones: `--cursor {next}`"),
        Some(next) => writeln!(out, "… older ones: `--cursor {next}`"),
        None => Ok(()),
    }
}

fn line(out: &mut dyn Write, entry: &AuditEntry, is_of_all: bool) -> io::Result<()> {
    let AuditEntry { seq, at, action, result, code, by, surface, address, workspace, paths, count, .. } = entry;
    let who = match by.kind {
        ActorKind::LocalUser => "local user".to_owned(),
        ActorKind::Unknown => "unknown".to_owned(),
        ActorKind::Journal => "pincite".to_owned(),
        ActorKind::Key => {
            let (name, key) = (by.name.as_deref().unwrap_or_default(), by.key.as_deref().unwrap_or_default());
            let agent = by.agent.as_ref().map(|agent| format!(", agent {}", plain(agent))).unwrap_or_default();
            format!("{} (key {key}{agent})", plain(name))
        }
    };
    let from = address.as_ref().map(|address| format!(" {address}")).unwrap_or_default();
    let ended = code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
    write!(out, "{seq}  {at:.0}  {action}  {}{ended}  {who}  {surface}{from}", result.name())?;
    if let Some(workspace) = workspace.as_ref().filter(|_| is_of_all) {
        write!(out, "  {workspace}")?;
    }
    if let Some(key) = &entry.about_key {
        write!(out, "  key {key}")?;
    }
    for path in paths.iter().take(MAX_SHOWN) {
        write!(out, "  {}", plain(path))?;
    }
    if paths.len() > MAX_SHOWN {
        write!(out, "  and {} more", paths.len() - MAX_SHOWN)?;
    }
    match count {
        Some(count) => writeln!(out, "  {count} times"),
        None => writeln!(out),
    }
}

fn places(file: &ShownFile) -> Vec<(&ShownFile, Option<Span>)> {
    if file.spans.is_empty() {
        return vec![(file, None)];
    }
    file.spans.iter().map(|&span| (file, Some(span))).collect()
}

fn verified(out: &mut dyn Write, report: &VerifyReport, num_heads: usize) -> io::Result<()> {
    let VerifyReport { is_whole, num_entries, first_seq, head, num_repairs, num_unrecorded, num_breaks, breaks } =
        report;
    for one in breaks {
        let place = if one.line > 0 { format!("{}, line {}", one.segment, one.line) } else { one.segment.clone() };
        writeln!(out, "broken: {place}: {}", one.explanation)?;
    }
    if *num_breaks > breaks.len() as u64 {
        writeln!(out, "broken: {} places more", num_breaks - breaks.len() as u64)?;
    }
    let state = if *is_whole { "whole" } else { "not whole" };
    writeln!(out, "the journal is {state}: {num_entries} entries, {first_seq} to {}", head.seq)?;
    if num_heads > 0 && *is_whole {
        writeln!(out, "given heads that it holds: {num_heads}")?;
    }
    if *num_repairs > 0 {
        writeln!(out, "repairs that entries tell of: {num_repairs} (`pincite audit --everywhere --action audit`)")?;
    }
    if *num_unrecorded > 0 {
        writeln!(out, "accesses that were not recorded, as entries tell: {num_unrecorded}")?;
    }
    writeln!(out, "head: {head}")
}

/// A text on one line, without what a terminal would obey.
fn plain(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}
