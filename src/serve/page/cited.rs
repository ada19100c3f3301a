//! A citation's link: the source at the quote, with what has become of the words.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use serde::Deserialize;
use similar::{ChangeTag, TextDiff};

use super::shell::{self, Frame, View};
use super::viewer::Viewer;
use super::{link, source};
use crate::answer::CitationState;
use crate::engine::{EngineError, Workspace};
use crate::search::{Mode, SearchRequest};
use crate::serve::app::Shared;
use crate::serve::error::ApiError;
use crate::serve::extract::{InWorkspace, Parameters};
use crate::workspace::{Citation, ContentHash, RelPath, Scope, Span};

/// Words of a quote by which what replaced it is looked for.
const MAX_WORDS: usize = 30;
/// Bytes of two texts whose difference is shown.
const MAX_DIFFERENCE_BYTES: usize = 4_000;

/// What the link says beside content and span.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Beside {
    path: String,
    quote: String,
}

/// A file, and a span of its text.
type Place = (RelPath, Span);

/// What has become of a citation.
pub(super) struct Standing {
    pub verdict: CitationState,
    pub explanation: String,
    /// Where the words are now; of changed words the place that comes nearest.
    pub place: Option<Place>,
    /// The words that come nearest to changed ones.
    pub nearest: Option<String>,
}

/// Opens the source at a quote.
pub(in crate::serve) async fn view(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Path((_, hash, span)): Path<(String, String, String)>,
    Parameters(Beside { path, quote }): Parameters<Beside>,
) -> Result<Response, ApiError> {
    let no_link = || {
        ApiError::new(
            StatusCode::BAD_REQUEST,
            "invalid_citation",
            "the link is no citation: it names a content by 64 hexadecimal digits, and a span `START-END`",
            "copy the whole link",
        )
    };
    let hash: ContentHash = hash.parse().map_err(|_| no_link())?;
    let span = link::span(&span).ok_or_else(no_link)?;
    let path: Option<RelPath> = if path.is_empty() { None } else { Some(path.parse().map_err(|_| no_link())?) };
    let (of, words) = (workspace.clone(), quote.clone());
    let look = app.call(move |engine| {
        let workspace = of.open(engine)?;
        let known = workspace.paths_of(hash)?;
        let path = match path {
            Some(path) if !known.is_empty() && !known.contains(&path) && words.is_empty() => known.first().cloned(),
            Some(path) => Some(path),
            None => known.first().cloned(),
        };
        let Some(path) = path else { return Ok(None) };
        let citation = Citation::bare(workspace.id().clone(), path, hash, span, words);
        standing(&workspace, &citation).map(Some)
    });
    let Some(standing) = look.await?.0 else {
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "unknown_content",
            "no file has the content that the link names, and the link does not name a file",
            "the file has changed or is gone: search for its words",
        ));
    };
    let pane = if let Some((path, span)) = &standing.place {
        source::pane_or_why(&app, &workspace, path.clone(), *span, "").await
    } else {
        html! {}
    };
    let body = html! {
        (badge(&standing, &quote))
        div.columns.alone { (pane) }
    };
    let title = format!("Citation: {}", standing.verdict.name());
    Ok(shell::page(Frame::of(&title, &workspace, View::Check, &Viewer::at(&app, &workspace).await?), &body))
}

/// What has become of a citation, whose quote may be only the beginning of what its span has, or missing.
pub(super) fn standing(workspace: &Workspace<'_>, citation: &Citation) -> Result<Standing, EngineError> {
    let Citation { path, span, quote, .. } = citation;
    let is_same = match workspace.entry(path) {
        Ok(entry) => entry.content_hash == Some(citation.content_hash),
        Err(EngineError::Read(_)) => false,
        Err(error) => return Err(error),
    };
    if is_same && quote.is_empty() {
        let explanation = "the file is unchanged".to_owned();
        return Ok(Standing {
            verdict: CitationState::Valid,
            explanation,
            place: Some((path.clone(), *span)),
            nearest: None,
        });
    }
    if quote.is_empty() {
        let (verdict, explanation) = match workspace.entry(path) {
            Ok(_) => (
                CitationState::Changed,
                "the file has another content than the cited one, and the link does not say which words it cites",
            ),
            Err(_) => (CitationState::Deleted, "the file is no longer there"),
        };
        let place = (verdict == CitationState::Changed).then(|| (path.clone(), Span::default()));
        return Ok(Standing { verdict, explanation: explanation.to_owned(), place, nearest: None });
    }
    // A link carries the beginning of a long quote.
    let whole = Span::new(span.start, span.start.saturating_add(quote.len()));
    let verified = workspace.verify(&Citation { span: whole, ..citation.clone() })?;
    let place = verified.citation.map(|now| {
        let is_cut = span.len() > whole.len();
        let end = if is_cut && now.content_hash == citation.content_hash {
            now.span.start.saturating_add(span.len())
        } else {
            now.span.end
        };
        (now.path, Span::new(now.span.start, end))
    });
    let mut standing = Standing { verdict: verified.verdict, explanation: verified.explanation, place, nearest: None };
    if standing.verdict == CitationState::Changed
        && workspace.caller().may(Scope::Search)
        && let Some((place, words)) = nearest_in(workspace, path, quote)?
    {
        (standing.place, standing.nearest) = (Some(place), Some(words));
    }
    Ok(standing)
}

/// The passage of a file that comes nearest to words that are no longer in it.
fn nearest_in(workspace: &Workspace<'_>, path: &RelPath, quote: &str) -> Result<Option<(Place, String)>, EngineError> {
    let letters = |word: &str| word.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let words: Vec<String> =
        quote.split_whitespace().map(letters).filter(|word| !word.is_empty()).take(MAX_WORDS).collect();
    let mut request = SearchRequest { k: 1, mode: Mode::Lexical, ..SearchRequest::new(words.join(" ")) };
    // Signs of globs in a path stand for themselves.
    let literal: String =
        path.as_str().chars().map(|c| if "*?[]{}!\\".contains(c) { format!("\\{c}") } else { c.to_string() }).collect();
    request.filters.path = vec![if literal.contains('/') { literal } else { format!("{{{literal},{literal}}}") }];
    let Some(hit) = workspace.search(&request)?.hits.into_iter().next() else { return Ok(None) };
    Ok(Some(((hit.citation.path, hit.citation.span), hit.text)))
}

/// What has become of the words, in a line; and where they have changed, how.
fn badge(standing: &Standing, quote: &str) -> Markup {
    let name = standing.verdict.name();
    html! {
        section.standing.(name) aria-label="What has become of the citation" {
            h1 { span.badge { (name) } " " (standing.explanation) }
            @if standing.verdict != CitationState::Valid && !quote.is_empty() {
                div.difference {
                    div { h2 { "Cited" } q.block dir="auto" { (quote) } }
                    @if let Some(now) = &standing.nearest { div { h2 { "Nearest now" } (difference(quote, now)) } }
                }
            }
        }
    }
}

/// The beginning of a text, as far as differences are shown: to find them takes time that grows with the square of what differs.
fn beginning(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_DIFFERENCE_BYTES)]
}

/// The words that were taken out and put in, of the beginnings of two texts.
fn difference(before: &str, now: &str) -> Markup {
    let (before, now) = (beginning(before), beginning(now));
    let diff = TextDiff::from_words(before, now);
    html! {
        p.diff dir="auto" {
            @for change in diff.iter_all_changes() {
                @match change.tag() {
                    ChangeTag::Delete => del { (change.value()) },
                    ChangeTag::Insert => ins { (change.value()) },
                    ChangeTag::Equal => (change.value()),
                }
            }
        }
    }
}
