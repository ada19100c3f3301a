//! The tools for files: which there are, what stands in them, what has happened to them lately. Replies stay small.

use jiff::Timestamp;
use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bounds;
use super::passages::Quoting;
use crate::engine::{ChangeFilters, ChangesReply, ChangesRequest, FilePart, MAX_TEXT_BYTES, Workspace};
use crate::error::ErrorReport;
use crate::workspace::{FileEntry, FileState, Provenance, RelPath, Revision};

/// The text that one reply holds where nothing else is asked for, in bytes.
pub(super) const DEFAULT_TEXT_BYTES: usize = 16 * 1024;
/// The same text as JSON, where most characters have one byte and some six.
pub(super) const DEFAULT_JSON_BYTES: usize = 20 * 1024;
const MAX_FILES: usize = 1_000;
const MAX_CHANGES: usize = 500;

/// Which files to list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ListFilesRequest {
    /// Only paths that match this glob (`reports/**`, `*.md`; without `/` it matches the file name). All when absent.
    glob: Option<String>,
    /// How many files to return at most, 1 to 1000.
    limit: usize,
    /// How many files to leave out, in the order of their paths: `next_offset` of the reply before.
    offset: usize,
}

impl Default for ListFilesRequest {
    fn default() -> Self {
        Self { glob: None, limit: 100, offset: 0 }
    }
}

/// Files in the order of their paths.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FileList {
    /// The newest revision up to which nothing is pending.
    revision: Revision,
    /// Files with a change that is not searchable yet.
    pending: u64,
    /// How many files match.
    total: usize,
    /// Where to go on; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<usize>,
    /// The files of this page.
    files: Vec<ListedFile>,
}

/// A file in a list.
#[derive(Debug, Serialize, JsonSchema)]
struct ListedFile {
    /// Where it is.
    path: RelPath,
    /// `ready` files can be found by a search; the others cannot, for the reason beside it.
    state: FileState,
    /// Why it is not `ready`.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The file's type (`markdown`, `pdf`, …), as `filters.type` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    /// The document's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    /// Size in bytes.
    size: u64,
    /// When it was last modified (RFC 3339).
    #[schemars(with = "String")]
    modified: Timestamp,
    /// Who wrote it, as far as its writer said.
    #[serde(skip_serializing_if = "Provenance::is_empty")]
    provenance: Provenance,
}

impl From<FileEntry> for ListedFile {
    fn from(file: FileEntry) -> Self {
        let FileEntry { path, state, reason, format, title, size, modified, provenance, .. } = file;
        Self { path, state, reason, format, title, size, modified, provenance }
    }
}

pub(super) fn list(workspace: &Workspace<'_>, request: &ListFilesRequest) -> Result<FileList, ErrorReport> {
    check_range("limit", request.limit, MAX_FILES)?;
    let (revision, pending) = workspace.freshness().map_err(|error| workspace.report(&error))?;
    let files = workspace.files(request.glob.as_deref()).map_err(|error| workspace.report(&error))?;
    let total = files.len();
    let page = files.into_iter().skip(request.offset).take(request.limit);
    let mut list = FileList { revision, pending, total, next_offset: None, files: Vec::new() };
    let mut page: Vec<ListedFile> = page.map(ListedFile::from).collect();
    page.truncate(bounds::num_fitting(&page, bounds::size(&list)).max(1));
    let next = request.offset.saturating_add(page.len());
    list.next_offset = (next < total && !page.is_empty()).then_some(next);
    Ok(FileList { files: page, ..list })
}

/// Which part of which file to read.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReadFileRequest {
    /// The file, as a search or `list_files` names it.
    path: String,
    /// First byte of the text, counted from 0: `next_offset` of the reply before, or the `span.start` of a citation.
    #[serde(default, alias = "start")]
    offset: usize,
    /// How many bytes of text to return at most, 1 to 131072; 16384 when absent, fewer where many have to be escaped.
    #[serde(default)]
    max_bytes: Option<usize>,
}

pub(super) fn read(workspace: &Workspace<'_>, request: &ReadFileRequest) -> Result<Quoting<FilePart>, ErrorReport> {
    let max_bytes = request.max_bytes.unwrap_or(DEFAULT_TEXT_BYTES);
    check_range("max_bytes", max_bytes, MAX_TEXT_BYTES)?;
    let path = path_of(workspace, &request.path)?;
    let stretch = workspace.read_stretch(&path, request.offset, max_bytes).map_err(|error| workspace.report(&error))?;
    let (file, mut range) = stretch;
    if request.max_bytes.is_none() {
        range.end = range.end.min(bounds::end_of_json(&file.text, range.start, DEFAULT_JSON_BYTES));
    }
    Ok(Quoting::new(FilePart::of(file, range)))
}

/// The path of a file as people and models write it.
pub(super) fn path_of(workspace: &Workspace<'_>, text: &str) -> Result<RelPath, ErrorReport> {
    workspace.path_of(text).map_err(|error| workspace.report(&error))
}

/// Which changes to tell.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RecentChangesRequest {
    /// How many changes to return at most, 1 to 500.
    limit: usize,
    /// Which changes.
    filters: ChangeFilters,
    /// Counts who made all changes in scope, also those beyond `limit`.
    facets: bool,
}

impl Default for RecentChangesRequest {
    fn default() -> Self {
        Self { limit: 20, filters: ChangeFilters::default(), facets: false }
    }
}

pub(super) fn changes(workspace: &Workspace<'_>, request: RecentChangesRequest) -> Result<ChangesPage, ErrorReport> {
    let RecentChangesRequest { limit, filters, facets } = request;
    check_range("limit", limit, MAX_CHANGES)?;
    let request = ChangesRequest { limit, filters, facets };
    let mut reply = workspace.recent_changes(&request).map_err(|error| workspace.report(&error))?;
    let changes = std::mem::take(&mut reply.changes);
    let num_kept = bounds::num_fitting(&changes, bounds::size(&reply));
    let last = num_kept.checked_sub(1).and_then(|last| changes.get(last)).filter(|_| num_kept < changes.len());
    let next = last.map(|last| {
        let (num_cut, revision) = (changes.len() - num_kept, last.revision);
        format!("{num_cut} older changes were left out: ask again with `filters.before_revision` {revision}")
    });
    reply.changes = changes.into_iter().take(num_kept).collect();
    Ok(ChangesPage { next, reply })
}

/// Changes, as many as a reply holds.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ChangesPage {
    /// What was left out because the reply would be too long, and how to get it.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(flatten)]
    reply: ChangesReply,
}

fn check_range(name: &str, value: usize, most: usize) -> Result<(), ErrorReport> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(ErrorReport::new("invalid_request", format!("`{name}` is {value}"), format!("ask for 1 to {most}")))
}
