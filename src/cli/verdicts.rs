//! The command for reviewers' verdicts.

use std::io::{self, Write};

use super::args::VerdictsArgs;
use super::commands::{Done, Session};
use super::target::local;
use super::text::place;
use crate::engine::{Access, VerdictsReply};
use crate::eval::{ExportReport, export_verdicts};
use crate::workspace::Verdict;

/// Characters of a quote, a comment or a query that are shown; the whole is in `--json`.
const MAX_CHARS: usize = 200;

/// `pincite verdicts`.
pub(super) fn run(session: &Session, args: &VerdictsArgs) -> anyhow::Result<Done> {
    if let Some(folder) = &args.export {
        let engine = session.open(Access::Read, "pincite verdicts")?;
        let workspace = local(&engine, &session.workspace)?;
        let report = export_verdicts(&workspace, folder)?;
        session.print(&report, |out| exported(out, &report))?;
        return Ok(Done::when(report.num_queries > 0));
    }
    let reply = session.target(Access::Read, "pincite verdicts")?.verdicts(&session.workspace, &args.request())?;
    session.print(&reply, |out| list(out, &reply))?;
    Ok(Done::when(!reply.verdicts.is_empty()))
}

fn list(out: &mut dyn Write, reply: &VerdictsReply) -> io::Result<()> {
    for Verdict { id, at, citation, decision, comment, query, by } in &reply.verdicts {
        let by = by.as_ref().map(|by| format!("  by {by}")).unwrap_or_default();
        writeln!(out, "{id}  {}  {}  {at:.0}{by}", decision.name(), place(citation))?;
        writeln!(out, "  \"{}\"", short(&citation.quote))?;
        for (name, text) in [("query", query), ("comment", comment)] {
            if let Some(text) = text {
                writeln!(out, "  {name}: {}", short(text))?;
            }
        }
    }
    match reply.next {
        Some(next) => writeln!(out, "… older ones: `--before {next}`"),
        None => Ok(()),
    }
}

fn exported(out: &mut dyn Write, report: &ExportReport) -> io::Result<()> {
    let ExportReport { num_documents, num_queries, num_accepted, num_rejected, left_out, num_files_left_out } = report;
    writeln!(
        out,
        "queries: {num_queries}; files accepted: {num_accepted}, rejected: {num_rejected}, in all: {num_documents}"
    )?;
    let left_out = [
        (left_out.comments, "comments"),
        (left_out.without_query, "verdicts without a query"),
        (left_out.replaced, "verdicts that a later one replaced"),
        (left_out.stale, "verdicts on words that no exported file holds now"),
        (*num_files_left_out, "files that are too large or cannot be read"),
    ];
    for (number, what) in left_out.into_iter().filter(|(number, _)| *number > 0) {
        writeln!(out, "left out: {number} {what}")?;
    }
    Ok(())
}

/// One line of at most [`MAX_CHARS`] characters.
fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
