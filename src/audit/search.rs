//! Finding entries: newest first, page by page, within a time.

use std::io;
use std::str::FromStr;

use fs_err as fs;
use memchr::memmem;

use super::line::Links;
use super::reading::{AuditEntry, AuditResult, ShownFile};
use super::segments::{self, Backwards, end_before};
use super::{AuditError, Journal};
use crate::budget::Budget;
use crate::workspace::{ContentHash, RelPath, Span, WorkspaceId};

/// A page ends once its entries have so many bytes.
const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Codes of refusals that others' writes have caused.
const CONFLICTS: [&str; 2] = ["conflict", "fenced"];
/// Lines between two looks at the time.
const NUM_BETWEEN_LOOKS: usize = 64;

/// A place in a file that somebody may have seen, written `PATH#START-END` or `PATH` for the whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cited {
    /// The file.
    pub path: RelPath,
    /// The bytes of its text; `None` for all of it.
    pub span: Option<Span>,
    /// Contents that count wherever they are shown: copies, and the file under other names.
    pub contents: Vec<ContentHash>,
}

impl FromStr for Cited {
    type Err = AuditError;

    fn from_str(text: &str) -> Result<Self, AuditError> {
        let span_of = |text: &str| {
            let (start, end) = text.split_once('-')?;
            let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            let numbers = (is_number(start) && is_number(end)).then_some((start, end))?;
            Some(Span::new(numbers.0.parse().ok()?, numbers.1.parse().ok()?)).filter(|span| !span.is_empty())
        };
        let (path, span) = match text.rsplit_once('#') {
            // A file's name may hold the sign.
            Some((path, span)) => span_of(span).map_or((text, None), |span| (path, Some(span))),
            None => (text, None),
        };
        let path = path.parse().map_err(|_| AuditError::Invalid {
            what: format!("`{text}` names no place: give PATH#START-END, in bytes of the file's text, or PATH"),
        })?;
        Ok(Self { path, span, contents: Vec::new() })
    }
}

impl Cited {
    /// Whether a part of the place was shown.
    fn is_in(&self, shown: &ShownFile) -> bool {
        let is_content = |hash: &String| self.contents.iter().any(|content| content.to_string() == *hash);
        let is_file = shown.path == self.path.as_str() || shown.content_hash.as_ref().is_some_and(is_content);
        let overlaps = |span: Span| shown.spans.iter().any(|other| span.start < other.end && other.start < span.end);
        is_file && (shown.spans.is_empty() || self.span.is_none_or(overlaps))
    }
}

/// Which entries to find: all conditions hold.
pub struct Query<'a> {
    /// Of this workspace; `None` for all, and for what concerns none.
    pub workspace: Option<&'a WorkspaceId>,
    /// Of a workspace that this admits, or of none; `None` for all.
    pub in_workspace: Option<&'a dyn Fn(&str) -> bool>,
    /// On a file that this admits; `None` where every entry passes, also one without files.
    pub on_path: Option<&'a dyn Fn(&str) -> bool>,
    /// By a key that proves this agent.
    pub agent: Option<&'a str>,
    /// By the key of this id.
    pub key: Option<&'a str>,
    /// Of this verb, or of those that begin with it and a dot.
    pub action: Option<&'a str>,
    /// Ended so.
    pub result: Option<AuditResult>,
    /// Met others' writes: refused as a conflict or for a lost lock, or brought together.
    pub is_conflict: bool,
    /// Recorded at this time or later, in milliseconds since 1970.
    pub since_ms: Option<i64>,
    /// Recorded before this time.
    pub until_ms: Option<i64>,
    /// Showed a part of this place.
    pub cited: Option<&'a Cited>,
    /// With a smaller number: to go on behind a page.
    pub before: Option<u64>,
    /// At most so many.
    pub limit: usize,
    /// The files that the caller may know of; `None` for all. What an entry says of others is left out, and an entry that names only
    /// others is passed over.
    pub sees: Option<&'a dyn Fn(&str) -> bool>,
}

/// Entries, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// The `before` of the next page, where there may be more.
    pub next: Option<u64>,
    /// Whether the time was over before the page was full.
    pub is_partial: bool,
    /// Lines that are no entries, and were passed over.
    pub num_damaged: usize,
}

impl Query<'_> {
    /// Byte strings that a line has which can match; one of each group.
    fn needles(&self) -> Vec<Vec<memmem::Finder<'static>>> {
        let quoted = |text: &str| serde_json::to_string(text).unwrap_or_default();
        let finder = |text: String| memmem::Finder::new(text.as_bytes()).into_owned();
        let mut needles: Vec<Vec<memmem::Finder<'static>>> = Vec::new();
        if let Some(workspace) = self.workspace {
            needles.push(vec![finder(format!("\"workspace\":{}", quoted(workspace.as_str())))]);
        }
        needles.extend(self.agent.map(|agent| vec![finder(format!("\"app_name\":{}", quoted(agent)))]));
        needles.extend(self.key.map(|key| vec![finder(format!("\"uid\":{}", quoted(key)))]));
        if self.is_conflict {
            let code = |code: &&str| finder(format!("\"status_code\":{}", quoted(code)));
            needles.push(CONFLICTS.iter().map(code).chain([finder("\"met\":{".to_owned())]).collect());
        }
        if let Some(cited) = self.cited {
            let path = finder(format!("\"path\":{}", quoted(cited.path.as_str())));
            needles.push(cited.contents.iter().map(|hash| finder(hash.to_string())).chain([path]).collect());
        }
        needles
    }

    /// The entry as the caller may know it, where it is one that is asked for.
    fn admit(&self, mut entry: AuditEntry) -> Option<AuditEntry> {
        let is_action = |wanted: &str| {
            let rest = entry.action.strip_prefix(wanted);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        let fits = self.workspace.is_none_or(|workspace| entry.workspace.as_deref() == Some(workspace.as_str()))
            && self.in_workspace.is_none_or(|admits| entry.workspace.as_deref().is_none_or(admits))
            && self.agent.is_none_or(|agent| entry.by.agent.as_deref() == Some(agent))
            && self.key.is_none_or(|key| entry.by.key.as_deref() == Some(key))
            && self.action.is_none_or(is_action)
            && self.result.is_none_or(|result| entry.result == result)
            && (!self.is_conflict
                || entry.met.is_some()
                || entry.code.as_deref().is_some_and(|code| CONFLICTS.contains(&code)));
        if !fits {
            return None;
        }
        if let Some(sees) = self.sees {
            let named_any = entry.all_paths().next().is_some();
            entry.paths.retain(|path| sees(path));
            entry.shown.retain(|file| sees(&file.path));
            let is_of_seen = entry.all_paths().next().is_some();
            if named_any && !is_of_seen {
                return None;
            }
            // What was asked may be about files that the caller does not see, and so may be what went wrong.
            (entry.query, entry.message) = (None, None);
        }
        let is_on_path = self.on_path.is_none_or(|admits| entry.all_paths().any(admits));
        let is_cited = self.cited.is_none_or(|cited| entry.shown.iter().any(|shown| cited.is_in(shown)));
        (is_on_path && is_cited).then_some(entry)
    }
}

impl Journal {
    /// Finds entries, newest first. When the time of `budget` is over, the page ends.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn search(&self, query: &Query<'_>, budget: &Budget) -> Result<Found, AuditError> {
        let segments = segments::list(&self.inner().folder)?;
        let oldest = segments.first().map_or(0, |segment| segment.first_seq);
        let (needles, mut found) = (query.needles(), Found::default());
        let (mut num_seen, mut num_bytes) = (0, 0);
        for segment in segments.iter().rev() {
            if query.before.is_some_and(|before| segment.first_seq >= before) {
                continue;
            }
            let mut file = match fs::File::open(&segment.path) {
                Ok(file) => file,
                // It was pruned meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error.into()),
            };
            let mut backwards = match query.before {
                Some(before) => {
                    let end = end_before(&mut file, before)?;
                    Backwards::up_to(file, end)?
                }
                None => Backwards::whole(file)?,
            };
            while let Some(line) = backwards.next_line()? {
                let Some(links) = Links::read(&line) else {
                    found.num_damaged += 1;
                    continue;
                };
                if query.before.is_some_and(|before| links.seq >= before) {
                    continue;
                }
                num_seen += 1;
                if num_seen % NUM_BETWEEN_LOOKS == 0 && budget.is_over() {
                    // This line is looked at again.
                    (found.next, found.is_partial) = (Some(links.seq + 1), true);
                    return Ok(found);
                }
                let is_in_time = query.since_ms.is_none_or(|since| links.time >= since)
                    && query.until_ms.is_none_or(|until| links.time < until);
                let may_match = |group: &Vec<memmem::Finder<'_>>| group.iter().any(|one| one.find(&line).is_some());
                if !is_in_time || !needles.iter().all(may_match) {
                    continue;
                }
                let Some(entry) = AuditEntry::read(&line) else {
                    found.num_damaged += 1;
                    continue;
                };
                let Some(entry) = query.admit(entry) else { continue };
                num_bytes += entry.num_bytes();
                found.entries.push(entry);
                if found.entries.len() >= query.limit || num_bytes >= MAX_PAGE_BYTES {
                    found.next = Some(links.seq).filter(|&seq| seq > oldest);
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }
}
