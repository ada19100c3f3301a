//! What a search says beside its passages: their copies, and how the query was read.

use std::io::{self, Write};

use super::text::place;
use crate::search::Copied;

/// Near copies of a passage that are shown.
const MAX_NEAR: usize = 3;

/// Where the words of a passage stand as well, then where nearly the same words do.
pub(super) fn copies(out: &mut dyn Write, copies: &[Copied]) -> io::Result<()> {
    let same: Vec<String> =
        copies.iter().filter(|copied| copied.differs.is_none()).map(|copied| place(&copied.citation)).collect();
    if !same.is_empty() {
        writeln!(out, "   the same words: {}", same.join("; "))?;
    }
    let near = copies.iter().filter_map(|copied| Some((&copied.citation, copied.differs.as_deref()?)));
    for (citation, differs) in near.clone().take(MAX_NEAR) {
        writeln!(out, "   nearly the same: {} ({differs})", place(citation))?;
    }
    let more = near.count().saturating_sub(MAX_NEAR);
    if more > 0 {
        writeln!(out, "   … {more} more nearly the same, in `--json`")?;
    }
    Ok(())
}

/// How a query was read.
pub(super) fn notes(out: &mut dyn Write, notes: &[String]) -> io::Result<()> {
    notes.iter().try_for_each(|note| writeln!(out, "note: {note}"))
}
