//! `pincite limits`: what callers may take, and what the workspace has room for.

use std::io::{self, Write};

use super::commands::{Done, Session};
use crate::engine::{Access, Allowance, DayAllowance, LimitedBy, LimitsReply};

pub(super) fn run(session: &Session) -> anyhow::Result<Done> {
    let reply = session.target(Access::Read, "pincite limits")?.limits(&session.workspace)?;
    session.print(&reply, |out| show(out, &reply))?;
    Ok(Done::Yes)
}

fn show(out: &mut dyn Write, reply: &LimitsReply) -> io::Result<()> {
    match (reply.limited_by, &reply.key) {
        (LimitedBy::Nothing, _) => writeln!(out, "This machine's user may send and write without limits of a caller.")?,
        (LimitedBy::Key, Some(key)) => writeln!(out, "The key {key}:")?,
        (LimitedBy::Key | LimitedBy::Address, _) => writeln!(out, "The address of the caller:")?,
    }
    if let Some(requests) = reply.requests {
        let (left, quota, window) = (requests.left, requests.quota, requests.window_s);
        writeln!(out, "requests       {left} left of {quota} in {window} s")?;
    }
    if let Some(waits) = reply.waits {
        line(out, "waits", waits)?;
    }
    if let Some(DayAllowance { left, quota, renewed_in_s }) = reply.bytes_today {
        writeln!(out, "bytes today    {left} left of {quota}, all again in {renewed_in_s} s")?;
    }
    if let Some(DayAllowance { left, quota, renewed_in_s }) = reply.chunks_today {
        writeln!(out, "chunks today   {left} left of {quota}, all again in {renewed_in_s} s")?;
    }
    match &reply.workspace {
        Some(workspace) => {
            writeln!(out, "The workspace {}:", workspace.name)?;
            line(out, "files", workspace.files)?;
            line(out, "bytes", workspace.bytes)
        }
        None => Ok(()),
    }
}

fn line(out: &mut dyn Write, name: &str, allowance: Allowance) -> io::Result<()> {
    match allowance.left {
        Some(left) => writeln!(out, "{name:<14} {left} left of {}", allowance.quota),
        None => writeln!(out, "{name:<14} at most {}", allowance.quota),
    }
}
