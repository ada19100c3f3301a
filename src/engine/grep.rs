//! Lines that match a pattern, in the text of files as they are now: also of PDFs and Office files, each match cited.

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::read::Look;
use super::recording::Told;
use super::source::{Source, source_of};
use super::{EngineError, Workspace};
use crate::access::Action;
use crate::budget::Budget;
use crate::workspace::{Citation, FileEntry, FileState, RelPath, Span};

/// The most matches of one reply.
pub const MAX_MATCHES: usize = 500;
/// Lines around a match at most.
const MAX_CONTEXT: usize = 10;
/// The longest pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 1_000;
/// Bytes that a compiled pattern may take; its time is linear in the text in any case.
const MAX_COMPILED_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of a line that are shown.
const MAX_LINE_BYTES: usize = 400;

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrepRequest {
    /// The words that a line has to hold, as they are; a regular expression with `regex`.
    #[schema(min_length = 1, max_length = 1_000)]
    pub pattern: String,
    /// Takes `pattern` for a regular expression (Rust's `regex` syntax: no look-around, no references back).
    #[serde(default)]
    pub regex: bool,
    /// Takes capital and small letters for the same.
    #[serde(default)]
    pub ignore_case: bool,
    /// Only files whose path matches (`src/**`, `*.md`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub glob: Option<String>,
    /// Lines to show before and after each match, at most 10.
    #[serde(default)]
    #[schema(maximum = 10)]
    pub context_lines: usize,
    /// How many matches to return at most, 1 to 500.
    #[serde(default = "default_limit")]
    #[schema(minimum = 1, maximum = 500)]
    pub limit: usize,
    /// `next_cursor` of the reply before, to go on behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

const fn default_limit() -> usize {
    50
}

/// A line that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct GrepMatch {
    /// The line, or a part of a long one, with the place where it stands.
    pub citation: Citation,
    /// Lines before it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// Lines after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
}

/// Lines that match, by path and place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct GrepReply {
    /// The matches.
    pub matches: Vec<GrepMatch>,
    /// Files that were looked through for this reply.
    pub num_files: usize,
    /// Files in scope whose text cannot be read, so nobody knows whether they match.
    pub num_unread: usize,
    /// Whether the time was over before all files were looked through.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// The `cursor` that goes on; absent where all files were looked through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A place to go on at: a byte of a file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cursor {
    path: RelPath,
    from: usize,
}

impl Cursor {
    fn read(text: &str) -> Option<Self> {
        let (from, path) = text.split_once(':')?;
        Some(Self { path: path.parse().ok()?, from: from.parse().ok()? })
    }

    fn written(&self) -> String {
        format!("{}:{}", self.from, self.path)
    }
}

impl Workspace<'_> {
    /// Looks for a pattern, line by line, in the order of paths.
    ///
    /// # Errors
    /// [`EngineError::InvalidRequest`] where the request cannot be; files that cannot be read are counted.
    pub fn grep(&self, request: &GrepRequest, budget: &Budget) -> Result<GrepReply, EngineError> {
        self.recorded(Action::Read, Told::asked(&request.pattern), |told| {
            let reply = self.grep_unrecorded(request, budget)?;
            told.shows(reply.matches.iter().map(|found| &found.citation));
            Ok(reply)
        })
    }

    fn grep_unrecorded(&self, request: &GrepRequest, budget: &Budget) -> Result<GrepReply, EngineError> {
        let pattern = compiled(request)?;
        let cursor = request
            .cursor
            .as_deref()
            .map(|text| Cursor::read(text).ok_or_else(|| invalid("`cursor` is not one of a reply")));
        let mut cursor = cursor.transpose()?;
        let budget = budget.lasting(self.engine.time_for(None)?);
        let mut reply = GrepReply::default();
        let is_read = |entry: &FileEntry| {
            matches!(entry.state, FileState::Ready | FileState::Partial | FileState::Pending)
                && entry.container.is_none()
        };
        for entry in self.files(request.glob.as_deref())? {
            let from = match &cursor {
                Some(cursor) if entry.path < cursor.path => continue,
                Some(cursor) if entry.path == cursor.path => cursor.from,
                _ => 0,
            };
            if budget.is_cancelled() {
                return Err(EngineError::Cancelled);
            }
            if budget.is_over() {
                reply.partial = true;
                reply.next_cursor = Some(Cursor { path: entry.path, from }.written());
                return Ok(reply);
            }
            cursor = None;
            if !is_read(&entry) {
                reply.num_unread += 1;
                continue;
            }
            let mut search = Search { request, pattern: &pattern, entry: &entry, from, reply: &mut reply, next: None };
            match self.look_through(&mut search, &budget) {
                Ok(()) => {
                    let next = search.next.take();
                    reply.num_files += 1;
                    if let Some(from) = next {
                        reply.partial = reply.matches.len() < request.limit;
                        reply.next_cursor = Some(Cursor { path: entry.path, from }.written());
                        return Ok(reply);
                    }
                }
                Err(EngineError::Cancelled) => return Err(EngineError::Cancelled),
                Err(error) => {
                    tracing::debug!(%error, "a file is not looked through");
                    reply.num_unread += 1;
                }
            }
        }
        Ok(reply)
    }

    /// Looks through one file, a large one part by part.
    fn look_through(&self, search: &mut Search<'_>, budget: &Budget) -> Result<(), EngineError> {
        let path = &search.entry.path;
        if let Some(large) = self.large(path)? {
            let (fingerprint, hash, own) = (large.fingerprint, large.content_hash, path.clone());
            let mut seen_to = search.from;
            let seen = self.see_parts(large, &mut |part| {
                let mut source = source_of(own.clone(), &fingerprint, hash, part.document);
                (source.start, source.num_lines_before) = (part.start, part.num_lines_before);
                if budget.is_over() {
                    search.next = Some(seen_to);
                    return Look::Enough;
                }
                search.lines_of(self, &source);
                seen_to = source.start + source.document.text.len();
                if search.next.is_some() { Look::Enough } else { Look::On }
            })?;
            if seen.is_some() {
                return Ok(());
            }
        }
        let source = self.whole(path)?;
        search.lines_of(self, &source);
        Ok(())
    }
}

/// The search in one file.
struct Search<'a> {
    request: &'a GrepRequest,
    pattern: &'a Regex,
    entry: &'a FileEntry,
    from: usize,
    reply: &'a mut GrepReply,
    /// Where in the file the next reply goes on.
    next: Option<usize>,
}

impl Search<'_> {
    /// Adds the lines of a text that match, until the reply is full.
    fn lines_of(&mut self, workspace: &Workspace<'_>, source: &Source) {
        let text = &source.document.text;
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let start = at;
            at += line.len();
            if source.start + start < self.from {
                continue;
            }
            let bare = line.trim_end_matches(['\n', '\r']);
            let Some(found) = self.pattern.find(bare) else { continue };
            if self.reply.matches.len() >= self.request.limit {
                self.next = Some(source.start + start);
                return;
            }
            let shown = around(bare, found.start(), found.end());
            let span = Span::new(start + shown.start, start + shown.end).after(source.start);
            if let Some(citation) = workspace.cite(self.entry, source, span) {
                let (before, after) = context(text, start, at, self.request.context_lines);
                self.reply.matches.push(GrepMatch { citation, before, after });
            }
        }
    }
}

/// The part of a line that is shown: all of a short one, else what is around the match.
fn around(line: &str, start: usize, end: usize) -> Span {
    if line.len() <= MAX_LINE_BYTES {
        return Span::new(0, line.len());
    }
    let room = MAX_LINE_BYTES.saturating_sub(end - start) / 2;
    let start = line.floor_char_boundary(start.saturating_sub(room));
    Span::new(start, line.floor_char_boundary(start + MAX_LINE_BYTES))
}

/// Lines before the byte `start` and behind the byte `end`.
fn context(text: &str, start: usize, end: usize, num_lines: usize) -> (Vec<String>, Vec<String>) {
    let shortened = |line: &str| line[..line.floor_char_boundary(MAX_LINE_BYTES)].trim_end().to_owned();
    let mut before: Vec<String> = text[..start].lines().rev().take(num_lines).map(shortened).collect();
    before.reverse();
    (before, text[end..].lines().take(num_lines).map(shortened).collect())
}

fn compiled(request: &GrepRequest) -> Result<Regex, EngineError> {
    let GrepRequest { pattern, regex, ignore_case, context_lines, limit, .. } = request;
    if pattern.is_empty() || pattern.len() > MAX_PATTERN_BYTES {
        return Err(invalid(&format!("`pattern` has {} bytes, and must have 1 to {MAX_PATTERN_BYTES}", pattern.len())));
    }
    if *context_lines > MAX_CONTEXT {
        return Err(invalid(&format!("`context_lines` is {context_lines}, and may be at most {MAX_CONTEXT}")));
    }
    if !(1..=MAX_MATCHES).contains(limit) {
        return Err(invalid(&format!("`limit` is {limit}, and must be 1 to {MAX_MATCHES}")));
    }
    let pattern = if *regex { pattern.clone() } else { regex::escape(pattern) };
    let built = RegexBuilder::new(&pattern).case_insensitive(*ignore_case).size_limit(MAX_COMPILED_BYTES).build();
    built.map_err(|error| invalid(&format!("`pattern` is no regular expression: {error}")))
}

fn invalid(what: &str) -> EngineError {
    EngineError::InvalidRequest { what: what.to_owned() }
}
