//! `search` and `fetch` in the shape that OpenAI's connectors require: results are `{id, title, url}`, a document is
//! `{id, title, text, url, metadata}`.
//!
//! # Invariants
//! - An id is `PATH` for a whole file, or `PATH#START-END` for the bytes `START..END` of its text. Every id that a search
//!   gives ends in `#START-END`, so a `#` in a path is never taken for the mark.
//! - A url names the same place as its id and stays the same as long as the file does.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rmcp::model::JsonObject;
use rmcp::schemars;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bounds;
use super::files::{DEFAULT_JSON_BYTES, DEFAULT_TEXT_BYTES, path_of};
use super::passages::UNTRUSTED;
use crate::budget::Budget;
use crate::engine::{EngineError, ErrorKind, FileText, Workspace, cut, pages_of};
use crate::error::ErrorReport;
use crate::extract::PageUnit;
use crate::search::{Hit, SearchRequest};
use crate::workspace::{Citation, LineRange, RelPath, Span, WorkspaceId};

/// What to look for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectorQuery {
    /// Words or a question, with operators as in `search_workspace`.
    query: String,
}

/// What was found, best first.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ConnectorResults {
    /// Passages, best first.
    results: Vec<ConnectorResult>,
}

/// A passage by reference.
#[derive(Debug, Serialize, JsonSchema)]
struct ConnectorResult {
    /// What `fetch` takes.
    id: String,
    /// The document's title and the headings above the passage.
    title: String,
    /// The place, to cite it by.
    url: String,
}

/// Searches; the second value goes into the result's `_meta`.
pub(super) fn search(
    workspace: &Workspace<'_>,
    request: &ConnectorQuery,
    budget: &Budget,
) -> Result<(ConnectorResults, JsonObject), EngineError> {
    let reply = workspace.search_within(&SearchRequest::new(request.query.clone()), budget)?;
    let mut results: Vec<ConnectorResult> = reply.hits.iter().map(|hit| result_of(workspace.id(), hit)).collect();
    let num_meta = bounds::size(&reply.coverage) + bounds::size(&reply.notes);
    results.truncate(bounds::num_fitting(&results, num_meta));
    let mut meta = JsonObject::new();
    meta.insert("pincite/revision".into(), reply.revision.0.into());
    if let Ok(coverage) = serde_json::to_value(&reply.coverage) {
        meta.insert("pincite/coverage".into(), coverage);
    }
    if !reply.notes.is_empty() {
        meta.insert("pincite/notes".into(), reply.notes.into());
    }
    Ok((ConnectorResults { results }, meta))
}

fn result_of(workspace: &WorkspaceId, hit: &Hit) -> ConnectorResult {
    let citation = &hit.citation;
    let mut title = hit.title.clone().unwrap_or_else(|| citation.path.to_string());
    for heading in citation.trail.iter().filter(|heading| Some(*heading) != hit.title.as_ref()) {
        title.push_str(" > ");
        title.push_str(heading);
    }
    ConnectorResult {
        id: format!("{}#{}-{}", citation.path, citation.span.start, citation.span.end),
        title,
        url: url(workspace, &citation.path, Some(&Place::of(citation))),
    }
}

/// What to fetch.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectorId {
    /// An id that `search` gave, or a path for the whole file.
    id: String,
}

/// A document or a passage of one.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ConnectorDocument {
    /// The id that was asked for.
    id: String,
    /// The document's title, else its path.
    title: String,
    /// The words, verbatim and untrusted.
    text: String,
    /// The place, to cite it by.
    url: String,
    /// `notice`, `workspace`, `path`, `format`, `content_hash`, `modified`, `start`, `end`, where they exist
    /// `total_bytes`, `lines`, `pages`, `slides`, `cell` and `partial` (why words of the file are missing), and `next_id` where the text was cut.
    metadata: BTreeMap<&'static str, String>,
}

pub(super) fn fetch(workspace: &Workspace<'_>, request: &ConnectorId) -> Result<ConnectorDocument, ErrorReport> {
    let (file, span) = open(workspace, &request.id)?;
    let wanted = span.unwrap_or(Span::new(0, file.end()));
    if wanted.is_empty() && span.is_some() || file.words(wanted).is_none() {
        return Err(ErrorReport::new(
            "stale_id",
            format!("`{}` names no place in the text of `{}` as it is now", request.id, file.path),
            "the file may have changed: search again, or fetch the path alone",
        ));
    }
    let mut range = cut(&file.text, wanted.start - file.start, wanted.len().min(DEFAULT_TEXT_BYTES));
    range.end = range.end.min(bounds::end_of_json(&file.text, range.start, DEFAULT_JSON_BYTES));
    let given = Span::new(range.start, range.end).after(file.start);
    let given = Span::new(given.start, given.end.min(wanted.end));
    let lines = file.lines(given);
    let pages = pages_of(&file, given);
    let cell = file.cells.name(given);
    let is_slide = file.page_unit == PageUnit::Slide;
    let place = span.map(|_| {
        let page = pages.and_then(|[first, _]| u32::try_from(first).ok());
        Place { span: given, lines, page, is_slide, cell: cell.clone() }
    });
    let mut metadata = BTreeMap::from([
        ("notice", UNTRUSTED.to_owned()),
        ("workspace", workspace.id().to_string()),
        ("path", file.path.to_string()),
        ("format", file.format.clone()),
        ("content_hash", file.content_hash.to_string()),
        ("modified", file.modified.to_string()),
        ("start", given.start.to_string()),
        ("end", given.end.to_string()),
    ]);
    if !file.goes_on {
        metadata.insert("total_bytes", file.end().to_string());
    }
    if let Some(LineRange { start, end }) = lines {
        metadata.insert("lines", format!("{start}-{end}"));
    }
    if let Some([first, last]) = pages {
        metadata.insert(if is_slide { "slides" } else { "pages" }, format!("{first}-{last}"));
    }
    if let Some(cell) = cell {
        metadata.insert("cell", cell);
    }
    if let Some(partial) = &file.partial {
        metadata.insert("partial", partial.clone());
    }
    if given.end < wanted.end {
        metadata.insert("next_id", format!("{}#{}-{}", file.path, given.end, wanted.end));
    }
    Ok(ConnectorDocument {
        id: request.id.clone(),
        title: file.title.clone().unwrap_or_else(|| file.path.to_string()),
        text: file.words(given).unwrap_or_default().to_owned(),
        url: url(workspace.id(), &file.path, place.as_ref()),
        metadata,
    })
}

/// The file of an id, with the span that the id names.
fn open(workspace: &Workspace<'_>, id: &str) -> Result<(FileText, Option<Span>), ErrorReport> {
    let whole = |id: &str| -> Result<Result<FileText, EngineError>, ErrorReport> {
        Ok(workspace.read_file(&path_of(workspace, id)?))
    };
    let found = match parse_id(id) {
        None => whole(id)?.map(|file| (file, None)),
        Some((path, span)) => match workspace.read_around(&path_of(workspace, path)?, span) {
            // A file may be named like the id of a passage.
            Err(error) if error.kind() == ErrorKind::NotFound => whole(id)?.map(|file| (file, None)).map_err(|_| error),
            other => other.map(|file| (file, Some(span))),
        },
    };
    found.map_err(|error| workspace.report(&error))
}

/// Divides `PATH#START-END`; `None` where the id is a path alone.
fn parse_id(id: &str) -> Option<(&str, Span)> {
    let (path, place) = id.rsplit_once('#')?;
    let (start, end) = place.split_once('-')?;
    let number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?;
    Some((path, Span::new(number(start)?, number(end)?)))
}

/// A place as a url names it.
struct Place {
    span: Span,
    lines: Option<LineRange>,
    page: Option<u32>,
    is_slide: bool,
    cell: Option<String>,
}

impl Place {
    fn of(citation: &Citation) -> Self {
        let Citation { span, lines, page, slide, cell, .. } = citation;
        let (page, is_slide) = (page.or(*slide), slide.is_some());
        Self { span: *span, lines: *lines, page, is_slide, cell: cell.clone() }
    }
}

/// `pincite://WORKSPACE/PATH`, with `#L10-L20`, `#page=3`, `#slide=3`, `#cell=Sheet1%21A2:C4` or `#bytes=100-200` for a place in it.
fn url(workspace: &WorkspaceId, path: &RelPath, place: Option<&Place>) -> String {
    let mut url = format!("pincite://{workspace}/");
    escape(&mut url, path.as_str());
    let Some(place) = place else { return url };
    // Writing to a string cannot fail.
    let _ = match place {
        Place { lines: Some(LineRange { start, end }), .. } => write!(url, "#L{start}-L{end}"),
        Place { page: Some(slide), is_slide: true, .. } => write!(url, "#slide={slide}"),
        Place { page: Some(page), .. } => write!(url, "#page={page}"),
        Place { cell: Some(cell), .. } => {
            url.push_str("#cell=");
            escape(&mut url, cell);
            Ok(())
        }
        Place { span: Span { start, end }, .. } => write!(url, "#bytes={start}-{end}"),
    };
    url
}

fn escape(url: &mut String, words: &str) {
    for byte in words.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~' | b':') {
            url.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_mark_of_an_id_divides_path_and_span() {
        assert_eq!(parse_id("notes/a.md#10-25"), Some(("notes/a.md", Span::new(10, 25))));
        assert_eq!(parse_id("c#1-2#10-25"), Some(("c#1-2", Span::new(10, 25))));
        for path in ["notes/a.md", "issue #7", "a#-", "a#1-+2", "a#1", "a#99999999999999999999999-1"] {
            assert_eq!(parse_id(path), None, "{path}");
        }
    }

    #[test]
    fn a_url_escapes_what_a_url_cannot_hold() {
        let workspace = WorkspaceId::default();
        let path: RelPath = "notes/日報 #1?.md".parse().unwrap();
        let place = || Place { span: Span::new(1, 2), lines: None, page: None, is_slide: false, cell: None };
        let lines = Place { lines: Some(LineRange { start: 3, end: 9 }), ..place() };
        let with = |path: &str, place: Place| url(&workspace, &path.parse().unwrap(), Some(&place));
        assert_eq!(
            url(&workspace, &path, Some(&lines)),
            "pincite://default/notes/%E6%97%A5%E5%A0%B1%20%231%3F.md#L3-L9"
        );
        assert_eq!(with("a.pdf", Place { page: Some(4), ..place() }), "pincite://default/a.pdf#page=4");
        let slide = Place { page: Some(4), is_slide: true, ..place() };
        assert_eq!(with("a.pptx", slide), "pincite://default/a.pptx#slide=4");
        let cell = Place { cell: Some("'Run 3'!A2:B4".to_owned()), ..place() };
        assert_eq!(with("a.xlsx", cell), "pincite://default/a.xlsx#cell=%27Run%203%27%21A2:B4");
        assert_eq!(with("a.htm", place()), "pincite://default/a.htm#bytes=1-2");
    }
}
