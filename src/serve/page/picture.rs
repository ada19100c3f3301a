//! Pages of PDFs as pictures beside their text, with boxes over the quote.
//!
//! The view of a file has the boxes, which need no picture, and names the picture, which is drawn when a browser asks for it. Both are of
//! one content: the picture's URL names the hash that the boxes are of.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::link;
use crate::budget::Budget;
use crate::engine::{Engine, PagePicture, Source, Workspace};
use crate::extract::Format;
use crate::extract::drawn::{MAX_WIDTH, PageQuestion};
use crate::gate::Class;
use crate::serve::app::Shared;
use crate::serve::error::ApiError;
use crate::serve::extract::{AtPath, InWorkspace, Parameters, WithNumber};
use crate::workspace::{ContentHash, Span, WorkspaceId};

/// Pixels that a picture beside a text is wide: twice the width of a column, for screens of fine pixels.
const WIDTH: u16 = 1200;

/// Which picture of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Wanted {
    /// Its width in pixels.
    width: Option<u16>,
    /// The content that it is to be of.
    of: Option<ContentHash>,
}

/// Sends a page of a PDF as a picture.
pub(in crate::serve) async fn page(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(number): WithNumber,
    AtPath(path): AtPath,
    Parameters(Wanted { width, of }): Parameters<Wanted>,
) -> Result<Response, ApiError> {
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    let question = PageQuestion { number, width: Some(width.unwrap_or(WIDTH).min(MAX_WIDTH)), mark: None };
    // In the turns of answers: a page that takes long to draw keeps nobody from searching.
    let draw = move |engine: &Engine, _: &Budget| workspace.open(engine)?.page_picture(&path, &question);
    let drawn = app.call_within(Class::Batch, draw).await?.0;
    if of.is_some_and(|hash| hash != drawn.content_hash) {
        return Err(ApiError::new(
            StatusCode::CONFLICT,
            "other_content",
            "the file has another content than the picture that is asked for",
            "reload the page that shows it",
        ));
    }
    let png = drawn.page.picture.map(|picture| picture.png).unwrap_or_default();
    let mut response = png.into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/png"));
    Ok(response)
}

/// The page of a PDF that a view shows.
pub(super) struct Shown {
    number: u32,
    /// The page with its boxes; or why it cannot be drawn, for a person.
    drawn: Result<PagePicture, String>,
}

/// The page that a view of a file begins with, or that its mark is on; `None` where the file is no PDF.
pub(super) fn of(workspace: &Workspace<'_>, source: &Source, span: Span, from: Option<usize>) -> Option<Shown> {
    if source.document.format != Format::Pdf {
        return None;
    }
    let number = source.page_at(from.unwrap_or(span.start))?;
    let question = PageQuestion { number, width: None, mark: source.on_page(number, span) };
    let drawn = match workspace.page_picture(&source.path, &question) {
        Ok(drawn) if drawn.content_hash != source.content_hash => Err("the file changes".to_owned()),
        drawn => drawn.map_err(|error| error.to_string()),
    };
    Some(Shown { number, drawn })
}

/// The text of a file with the page beside it; the text alone where there is none.
pub(super) fn beside(
    workspace: &WorkspaceId,
    source: &Source,
    page: Option<&Shown>,
    span: Span,
    text: &Markup,
) -> Markup {
    let Some(Shown { number, drawn }) = page else { return html! { (text) } };
    html! {
        @match drawn {
            Err(reason) => {
                p.warning { "Page " (number) " is not drawn, its text is here alone: " (reason) }
                (text)
            }
            Ok(drawn) => div.paged { div.beside { (figure(workspace, source, *number, drawn, span)) div.words { (text) } } },
        }
    }
}

fn figure(workspace: &WorkspaceId, source: &Source, number: u32, drawn: &PagePicture, span: Span) -> Markup {
    let page = &drawn.page;
    let url = link::picture(workspace, number, &source.path, WIDTH, drawn.content_hash);
    let (width, height) = page.size;
    let named = format!("Page {number} of {} of {}", page.num_pages, source.path.file_name());
    let to = |number: u32| {
        let at = if span.is_empty() { String::new() } else { format!("&at={}", link::at(span)) };
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        let from = source.document.pages.get(index)?.start;
        Some(format!("{}?from={from}{at}", link::of_file(workspace, "source", &source.path)))
    };
    html! {
        figure.sheet {
            div.paper {
                img data-page src=(url) width=(WIDTH) height=((f32::from(WIDTH) * height / width).round()) alt=(named);
                @if !page.boxes.is_empty() {
                    // As the picture is fitted into its place.
                    svg viewBox={ "0 0 " (width) " " (height) } preserveAspectRatio="xMidYMin meet" aria-hidden="true" {
                        @for [left, top, wide, high] in &page.boxes {
                            rect x=(left * width) y=(top * height) width=(wide * width) height=(high * height) {}
                        }
                    }
                }
            }
            p.warning data-undrawn hidden { "The page could not be drawn; its text is here alone." }
            figcaption {
                @if let Some(url) = to(number - 1) { a href=(url) rel="prev" { "Previous page" } }
                span { "Page " (number) " of " (page.num_pages) }
                @if let Some(url) = to(number + 1) { a href=(url) rel="next" { "Next page" } }
            }
        }
    }
}
