//! A file as it is indexed, with a quote marked in it: beside the results, or as a view of its own.

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;

use super::shell::{self, Frame, View};
use super::text::marked::Marks;
use super::text::{self, Window};
use super::viewer::Viewer;
use super::{audit, editing, link, picture, results, when};
use crate::engine::{Engine, EngineError, Source};
use crate::search;
use crate::serve::app::App;
use crate::serve::app::Shared;
use crate::serve::door::Place;
use crate::serve::error::ApiError;
use crate::serve::extract::{AtPath, InWorkspace, Parameters};
use crate::workspace::{Citation, FileEntry, Lock, RelPath, Scope, Span, Verdict, WorkspaceId};

/// Bytes of a place that are marked.
const MAX_MARK_BYTES: usize = 32 * 1024;
/// Pictures that a browser shows, by the ends of their names.
const PICTURES: [&str; 5] = [".png", ".jpg", ".jpeg", ".gif", ".webp"];

/// Which part of the file, and what is marked in it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct At {
    /// The span that is marked.
    #[serde(rename = "at")]
    span: String,
    /// Words that are marked.
    q: String,
    /// The byte that the part begins at.
    from: String,
}

/// Shows a file.
pub(in crate::serve) async fn view(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    AtPath(path): AtPath,
    Parameters(At { span, q, from }): Parameters<At>,
) -> Result<Response, ApiError> {
    let title = path.file_name().to_owned();
    let body = pane(&app, &workspace, path, link::span(&span).unwrap_or_default(), &q, from.parse().ok()).await?;
    let body = html! { h1.visually-hidden { "Source: " (title) } div.columns.alone { (body) } };
    Ok(shell::page(Frame::of(&title, &workspace, View::Files, &Viewer::at(&app, &workspace).await?), &body))
}

/// The pane where nothing is open.
pub(super) fn closed() -> Markup {
    html! { section #source.empty aria-label="Source" { p { "Open a result to see it where it stands." } } }
}

/// What a pane shows.
struct Seen {
    entry: FileEntry,
    source: Result<Source, EngineError>,
    citation: Option<Citation>,
    verdicts: Vec<Verdict>,
    locks: Vec<Lock>,
    page: Option<picture::Shown>,
    /// Whether all of the span is marked that the link names.
    is_whole: bool,
    viewer: Viewer,
}

/// The pane of a file, with a span marked and the words of a query. Of a file without text it says why.
pub(super) async fn pane(
    app: &App,
    workspace: &Place,
    path: RelPath,
    span: Span,
    words: &str,
    from: Option<usize>,
) -> Result<Markup, ApiError> {
    let (of, file, words) = (workspace.clone(), path, words.to_owned());
    // A link may name any span; what is marked is read and shown as a whole.
    let marked = Span::new(span.start, span.end.min(span.start.saturating_add(MAX_MARK_BYTES)));
    let wanted = from.map_or(marked, |from| Span::new(from, from));
    let see = move |engine: &Engine| {
        let (id, by) = (of.clone(), of.by.clone());
        let workspace = of.open(engine)?;
        let entry = workspace.entry(&file)?;
        let source = match workspace.source(&file, wanted) {
            Err(error @ (EngineError::NoText { .. } | EngineError::LargeText { .. })) => Err(error),
            source => Ok(source?),
        };
        let is_whole = marked == span;
        let citation =
            source.as_ref().ok().filter(|_| is_whole).and_then(|source| workspace.cite(&entry, source, span));
        let verdicts = match &source {
            Ok(source) => workspace.verdicts_at(&entry.path, source.content_hash)?,
            Err(_) => Vec::new(),
        };
        let page = source.as_ref().ok().and_then(|source| picture::of(&workspace, source, span, from));
        let viewer = Viewer::with(workspace.caller().clone(), &by);
        let locks = workspace.locks_of(&entry.path)?;
        let seen = Seen { entry, source, citation, verdicts, locks, page, is_whole, viewer };
        // A long text takes a while, in which no other request may wait.
        Ok(shown(&id, &seen, marked, &words, from))
    };
    Ok(app.call(see).await?.0)
}

/// The same beside something else: a file that cannot be seen is said in the pane.
pub(super) async fn pane_or_why(app: &App, workspace: &Place, path: RelPath, span: Span, words: &str) -> Markup {
    match pane(app, workspace, path.clone(), span, words, None).await {
        Ok(pane) => pane,
        Err(error) => {
            let (_, report) = error.into_parts();
            html! {
                section #source aria-label="Source" {
                    h2 { (path) }
                    div.notice.error { p { (report.message) } @if let Some(hint) = report.hint { p.hint { (hint) } } }
                }
            }
        }
    }
}

fn shown(workspace: &WorkspaceId, seen: &Seen, span: Span, words: &str, from: Option<usize>) -> Markup {
    let Seen { entry, source, citation, verdicts, locks, page, is_whole, viewer } = seen;
    html! {
        section #source aria-label="Source" tabindex="-1" {
            header.file {
                h2 dir="auto" { (entry.path.file_name()) }
                p.place { span.path { (entry.path) } }
                (facts(workspace, entry, source.as_ref().ok()))
                (editing::badges(workspace, locks))
                @if !is_whole { p.warning { "The link names a very long place: only its beginning is marked." } }
                div.tools {
                    button type="button" data-mark="-1" hidden aria-label="Previous mark" title="Previous mark ([)" { "↑" }
                    button type="button" data-mark="1" hidden aria-label="Next mark" title="Next mark (])" { "↓" }
                    @if let Some(citation) = citation { (copies(citation)) }
                    a.button href=(link::of_file(workspace, "download", &entry.path)) download { "Download" }
                    (super::verdicts::beside(verdicts, citation.as_ref(), words, viewer))
                    @if viewer.may(Scope::AuditRead) { a.button href=(audit::who_has_seen(workspace, &entry.path, span)) { "Seen by" } }
                    a.button href={ (link::view(workspace, "activity")) "?path=" (link::value(entry.path.as_str())) } { "History" }
                }
            }
            @match source {
                Err(error) => (without_text(workspace, entry, error)),
                Ok(source) => (picture::beside(workspace, source, page.as_ref(), span, &body(workspace, source, span, words, from))),
            }
        }
    }
}

/// What is known of the file.
fn facts(workspace: &WorkspaceId, entry: &FileEntry, source: Option<&Source>) -> Markup {
    let is_newer = source.is_some_and(|source| entry.content_hash.is_some_and(|hash| hash != source.content_hash));
    html! {
        p.facts {
            @if let Some(format) = &entry.format { span { (format) } " · " }
            span { (when::size(entry.size)) } " · "
            span { "changed " (when::time(entry.modified)) } " · "
            span title="The change that brought this content" { "revision " (entry.revision.0) }
            @if let Some(hash) = entry.content_hash { " · " span title={ "SHA-256 " (hash) } { code { (hash.to_string()[..8]) } } }
            @if !entry.provenance.is_empty() { " · " (results::writer(Some(workspace), &entry.provenance)) }
        }
        @if let Some(reason) = &entry.reason { p.warning { (entry.state.name()) ": " (reason) } }
        @if is_newer { p.warning { "The file has changed since it was indexed: this is its text now, and a search finds it in a moment." } }
    }
}

/// The citation as text, to be copied by the script or by hand.
fn copies(citation: &Citation) -> Markup {
    let spot = citation.spot().map(|spot| format!(", {spot}")).unwrap_or_default();
    let url = link::cited(citation);
    let quote = citation.quote.lines().collect::<Vec<_>>().join("\n> ");
    let markdown = format!("> {quote}\n>\n> — [{}{spot}]({url})", citation.path.as_str().replace(['[', ']'], ""));
    // A citation can always be written.
    let json = serde_json::to_string_pretty(citation).unwrap_or_default();
    html! {
        a.button href=(url) { "Link" }
        details.copy {
            summary.button { "Cite" }
            div {
                @for (name, words) in [("Markdown", markdown), ("JSON", json)] {
                    label { (name) textarea readonly rows="4" { (words) } }
                    button type="button" hidden data-copy { "Copy " (name) }
                }
            }
        }
    }
}

fn without_text(workspace: &WorkspaceId, entry: &FileEntry, error: &EngineError) -> Markup {
    let name = entry.path.file_name().to_lowercase();
    html! {
        @if PICTURES.iter().any(|end| name.ends_with(end)) {
            img.picture src=(link::of_file(workspace, "image", &entry.path)) alt={ "The picture " (entry.path.file_name()) };
        } @else {
            div.notice { p { (error.to_string()) } p.hint { "The download has the file as it is." } }
        }
    }
}

fn body(workspace: &WorkspaceId, source: &Source, span: Span, words: &str, from: Option<usize>) -> Markup {
    let document = &source.document;
    let quote = source.within(span).filter(|quote| !quote.is_empty());
    let window = match from {
        Some(from) => Window::from(document, from.saturating_sub(source.start).min(document.text.len())),
        None => Window::around(document, quote),
    };
    let found = search::words_in(words, &document.text[window.start..window.end], None);
    let marks = Marks::new(quote, found.into_iter().map(|word| word.after(window.start)).collect());
    let part = |from: usize| {
        let at = if span.is_empty() { String::new() } else { format!("&at={}", link::at(span)) };
        format!("{}?from={from}{at}", link::of_file(workspace, "source", &source.path))
    };
    let is_elsewhere = quote.is_some_and(|quote| !window.holds(quote.start));
    html! {
        @if let Some(partial) = &document.partial { p.warning { (partial) } }
        @if !span.is_empty() && quote.is_none() { p.warning { "The text has no such place now; nothing is marked." } }
        @if is_elsewhere { p.note { a href=(link::source(workspace, &source.path, span)) { "Back to the mark" } } }
        @if document.text.trim().is_empty() { p.note { "The file holds no text." } }
        @if source.start + window.start > 0 {
            p.more { a.button href=(part((source.start + window.start).saturating_sub(Window::SHOWN_BYTES))) { "Earlier" } }
        }
        (text::document(source, window, &marks))
        @if window.end < document.text.len() || source.goes_on {
            p.more { a.button href=(part(source.start + window.end)) { "Later" } }
        }
    }
}
