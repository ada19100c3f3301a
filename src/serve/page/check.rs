//! Citations that somebody pastes, each checked against its file: ours as JSON, or any text with quotes.

use std::collections::HashSet;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::Value;

use super::cited::{Standing, standing};
use super::form::Form;
use super::link;
use super::shell::{self, Frame, View};
use super::viewer::Viewer;
use crate::answer::CitationState;
use crate::budget::Budget;
use crate::engine::{Engine, EngineError, Workspace};
use crate::gate::Class;
use crate::search::{Mode, SearchRequest};
use crate::serve::app::Shared;
use crate::serve::error::ApiError;
use crate::serve::extract::InWorkspace;
use crate::workspace::{Citation, Scope, WorkspaceId};

/// Citations and quotes that are checked of one text.
const MAX_CHECKED: usize = 200;
/// Shorter quotes are words in quotation marks, not quotes of a file: so many words.
const MIN_WORDS: usize = 3;
/// Passages that are looked at for one quote.
const NUM_PASSAGES: usize = 5;

/// What is to be checked.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Pasted {
    text: String,
}

/// Shows the empty form.
pub(in crate::serve) async fn form(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    app.call(move |engine| check_may(&of.open(engine)?)).await.map(drop)?;
    Ok(page(&workspace, &Viewer::at(&app, &workspace).await?, "", &html! {}))
}

/// Checks each citation of a text.
pub(in crate::serve) async fn checked(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Form(Pasted { text }): Form<Pasted>,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    let check = move |engine: &Engine, budget: &Budget| {
        let workspace = of.open(engine)?;
        check_may(&workspace)?;
        let wanted = read(&text);
        let num_left_out = wanted.len().saturating_sub(MAX_CHECKED);
        let mut rows = Vec::new();
        for one in wanted.into_iter().take(MAX_CHECKED) {
            if budget.is_cancelled() {
                return Err(EngineError::Cancelled);
            }
            rows.push(match one {
                Pinned::Citation(citation) => of_citation(&workspace, &citation)?,
                Pinned::Quote(quote) => of_quote(&workspace, &quote)?,
            });
        }
        Ok((table(workspace.id(), &rows, num_left_out), text))
    };
    let (table, text) = app.call_within(Class::Batch, check).await?.0;
    Ok(page(&workspace, &Viewer::at(&app, &workspace).await?, &text, &table))
}

/// Refuses a caller who may not verify citations, or not search for quotes.
fn check_may(workspace: &Workspace<'_>) -> Result<(), EngineError> {
    Ok(workspace.caller().check_all(&[Scope::FilesRead, Scope::Search])?)
}

fn page(workspace: &WorkspaceId, viewer: &Viewer, text: &str, results: &Markup) -> Response {
    let body = html! {
        section.check aria-labelledby="check-title" {
            h1 #check-title { "Check citations" }
            form method="post" action=(link::view(workspace, "check")) {
                (viewer.stamp())
                label for="text" { "An answer of pincite as JSON, single citations, or any text with \"quotes\" or > quoted lines" }
                textarea #text name="text" rows="8" required spellcheck="false" { (text) }
                button type="submit" { "Check these" }
            }
            (results)
        }
    };
    shell::page(Frame::of("Check citations", workspace, View::Check, viewer), &body)
}

/// What a text names.
#[derive(Debug, Clone, PartialEq)]
enum Pinned {
    Citation(Box<Citation>),
    Quote(String),
}

/// All citations of a JSON text at any depth, else the quotes of a text.
fn read(text: &str) -> Vec<Pinned> {
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        let mut found = Vec::new();
        gather(&value, &mut found);
        return found;
    }
    quotes(text).into_iter().map(Pinned::Quote).collect()
}

fn gather(value: &Value, found: &mut Vec<Pinned>) {
    match value {
        Value::Object(fields) if fields.contains_key("quote") && fields.contains_key("content_hash") => {
            if let Ok(citation) = serde_json::from_value::<Citation>(value.clone()) {
                found.push(Pinned::Citation(Box::new(citation)));
            }
        }
        Value::Object(fields) => fields.values().for_each(|value| gather(value, found)),
        Value::Array(values) => values.iter().for_each(|value| gather(value, found)),
        _ => {}
    }
}

/// Words in quotation marks, and lines behind `>`, in order.
fn quotes(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut known: HashSet<String> = HashSet::new();
    let mut add = |quote: &str| {
        let quote = quote.trim();
        if quote.split_whitespace().nth(MIN_WORDS - 1).is_some() && known.insert(quote.to_owned()) {
            found.push(quote.to_owned());
        }
    };
    let mut plain = String::new();
    let mut block = String::new();
    for line in text.lines().chain([""]) {
        if let Some(quoted) = line.trim_start().strip_prefix('>') {
            block.push_str(quoted.trim());
            block.push('\n');
        } else {
            add(&std::mem::take(&mut block));
            plain.push_str(line);
            plain.push('\n');
        }
    }
    let mut rest = plain.as_str();
    // Signs that do not come any more: each would be looked for to the end of the text again.
    let mut missing: Vec<char> = Vec::new();
    while let Some((at, open)) = rest.char_indices().find(|(_, c)| matches!(c, '"' | '“' | '„' | '«')) {
        let close = match open {
            '"' => '"',
            '“' => '”',
            '„' => '“',
            _ => '»',
        };
        let inside = &rest[at + open.len_utf8()..];
        let end = if missing.contains(&close) { None } else { inside.find(close) };
        let Some(end) = end else {
            if !missing.contains(&close) {
                missing.push(close);
            }
            rest = inside;
            continue;
        };
        add(&inside[..end]);
        rest = &inside[end + close.len_utf8()..];
    }
    found
}

/// A row of the table.
struct Row {
    quote: String,
    named: Option<String>,
    standing: Standing,
    /// Whether the quote has no file of its own: it was looked for in all.
    is_anywhere: bool,
}

fn of_citation(workspace: &Workspace<'_>, citation: &Citation) -> Result<Row, EngineError> {
    let standing = match standing(workspace, citation) {
        Err(error @ (EngineError::OtherWorkspace { .. } | EngineError::NoText { .. })) => {
            Standing { verdict: CitationState::Changed, explanation: error.to_string(), place: None, nearest: None }
        }
        standing => standing?,
    };
    let named = Some(citation.path.to_string());
    Ok(Row { quote: citation.quote.clone(), named, standing, is_anywhere: false })
}

/// Looks for a quote in all files.
fn of_quote(workspace: &Workspace<'_>, quote: &str) -> Result<Row, EngineError> {
    let words = quote.replace('"', " ");
    let request = SearchRequest { k: NUM_PASSAGES, mode: Mode::Lexical, ..SearchRequest::new(words) };
    let hits = workspace.search(&request)?.hits;
    let found = hits.iter().find_map(|hit| {
        let at = hit.text.find(quote)?;
        let start = hit.citation.span.start + at;
        Some((hit.citation.path.clone(), crate::workspace::Span::new(start, start + quote.len())))
    });
    let (verdict, explanation) = match &found {
        Some((path, _)) => (CitationState::Valid, format!("stands in {path}, word for word")),
        None => (CitationState::Deleted, "no file that was searched has these words together".to_owned()),
    };
    let place = found.or_else(|| hits.first().map(|hit| (hit.citation.path.clone(), hit.citation.span)));
    let standing = Standing { verdict, explanation, place, nearest: None };
    Ok(Row { quote: quote.to_owned(), named: None, standing, is_anywhere: true })
}

fn table(workspace: &WorkspaceId, rows: &[Row], num_left_out: usize) -> Markup {
    let num_valid = rows.iter().filter(|row| row.standing.verdict == CitationState::Valid).count();
    let name = |row: &Row| match (row.is_anywhere, row.standing.verdict) {
        (true, CitationState::Valid) => "found",
        (true, _) => "not found",
        (false, verdict) => verdict.name(),
    };
    html! {
        @if rows.is_empty() {
            div.notice { p { "The text has no citation and no quote of three words or more." } }
        } @else {
            p role="status" { (num_valid) " of " (rows.len()) " stand as they are quoted." }
            div.scroll { table.checked {
                thead { tr { th scope="col" { "State" } th scope="col" { "Quote" } th scope="col" { "Where" } } }
                tbody { @for row in rows {
                    tr {
                        td { span.badge.(row.standing.verdict.name()) { (name(row)) } }
                        td dir="auto" { (row.quote) }
                        td {
                            p { (row.standing.explanation) }
                            @match &row.standing.place {
                                Some((path, span)) => a href=(link::source(workspace, path, *span)) {
                                    @if row.standing.verdict == CitationState::Deleted { "nearest: " } (path)
                                },
                                None => span { (row.named.as_deref().unwrap_or("–")) },
                            }
                        }
                    }
                } }
            } }
            @if num_left_out > 0 { p.warning { (num_left_out) " more were not checked; at most " (MAX_CHECKED) " are at once" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_of_a_text_are_found_however_they_are_written() {
        let text = "He wrote \"the gateway was down\" and “it came back at three” — \"yes\".\n> A line that is\n> quoted whole\n\n„drei Worte sind genug“ \"open";
        assert_eq!(
            quotes(text),
            ["A line that is\nquoted whole", "the gateway was down", "it came back at three", "drei Worte sind genug"]
        );
    }

    #[test]
    fn quotes_that_never_end_and_many_quotes_are_read_in_one_pass() {
        // To read them again for each of them would take hours.
        let open = "\u{201c}three words here ".repeat(250_000);
        assert!(quotes(&open).is_empty());
        let many = (0..150_000).map(|number| format!("\"quote number {number}\"")).collect::<Vec<_>>().join(" ");
        assert_eq!(quotes(&many).len(), 150_000);
        assert!(read(&"[".repeat(2_000_000)).is_empty());
    }

    #[test]
    fn citations_are_found_at_any_depth() {
        let citation = serde_json::json!({
            "workspace": "w", "path": "a.md", "content_hash": "0".repeat(64), "revision": 1, "span": { "start": 0, "end": 3 }, "quote": "abc",
        });
        let reply =
            serde_json::json!({ "citations": [citation], "hits": [{ "citation": citation }], "quote": "no citation" });
        assert_eq!(read(&reply.to_string()).len(), 2);
        assert!(read("[]").is_empty());
    }
}
