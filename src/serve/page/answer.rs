//! An answer beside the results: its sentences with numbered citations, as they come or all at once.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::query::Query;
use super::shell::{self, Frame, View};
use super::text::markdown;
use super::viewer::Viewer;
use super::{link, search, when};
use crate::answer::{AnswerKind, AskEvent, AskReply, AskRequest, Sentence};
use crate::budget::Budget;
use crate::engine::{Engine, EngineError, is_on_unread};
use crate::gate::Class;
use crate::serve::app::Shared;
use crate::serve::error::ApiError;
use crate::serve::extract::{InWorkspace, Parameters};
use crate::workspace::{Citation, Scope, Span, WorkspaceId};

/// Files of a digest that are listed in a group.
const MAX_FILES: usize = 12;

/// Where the answer of a search comes: the script fills it, and without it a link leads to the answer.
pub(super) fn place(workspace: &WorkspaceId, query: &Query) -> Markup {
    let url = |whole: &str| format!("/w/{workspace}/answer?q={}{whole}{}", link::value(&query.q), narrowed(query));
    html! {
        section.answer #answer aria-label="Answer" data-answer=(url("")) aria-busy="true" {
            h2 { "Answer" }
            // The script puts the answer into its place.
            div.sentences aria-live="polite" { p.waiting { a href=(url("&whole=1")) { "Show the answer" } } }
        }
    }
}

fn narrowed(query: &Query) -> String {
    let lists = super::query::Narrowed::ALL
        .into_iter()
        .flat_map(|of| query.values(of).iter().map(move |value| format!("&{}={}", of.name(), link::value(value))));
    let times = [("after", &query.after), ("before", &query.before)].into_iter().filter(|(_, value)| !value.is_empty());
    lists.chain(times.map(|(name, value)| format!("&{name}={}", link::value(value)))).collect()
}

/// Answers, as a stream of parts of the page or as a page.
pub(in crate::serve) async fn stream(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Parameters(query): Parameters<Query>,
) -> Result<Response, ApiError> {
    let query = query.tidied();
    let request = AskRequest { filters: query.filters(), ..AskRequest::new(query.words()) };
    let of = workspace.clone();
    let viewer = Viewer::at(&app, &workspace).await?;
    if !query.whole.is_empty() {
        let ask = move |engine: &Engine, budget: &Budget| of.open(engine)?.ask_within(&request, budget, &mut |_| true);
        let reply = app.call_within(Class::Batch, ask).await?.0;
        let body = html! {
            (search::search_box(&workspace, &query, &viewer))
            (search::coverage_line(&workspace, &reply.coverage, reply.partial, &viewer))
            section.answer #answer aria-label="Answer" { h2 { "Answer" } (finished(&workspace, &reply, &viewer)) }
        };
        let frame = Frame::of(&query.q, &workspace, View::Search, &viewer);
        return Ok(shell::page(frame, &body));
    }
    let pass = app.enter(Class::Batch).await?;
    let budget = Budget::default();
    let hung_up = budget.cancelled_on_drop();
    // As for REST: an answer's events are no more than its bytes, which have a limit.
    let (events, waiting) = mpsc::unbounded_channel();
    let engine = app.engine();
    let span = tracing::Span::current();
    let mut by = of.by.clone();
    tokio::task::spawn_blocking(move || {
        let _in_span = span.enter();
        let mut tell = |event: AskEvent<'_>| match event {
            _ if !by.still_holds(&engine) => false,
            AskEvent::Passages(_) | AskEvent::Waiting => !events.is_closed(),
            AskEvent::Delta(words) => {
                events.send(Event::default().event("delta").data(words.replace('\r', " "))).is_ok()
            }
            AskEvent::Fallback(_) => events.send(Event::default().event("fallback").data("")).is_ok(),
            AskEvent::Sentence { sentence, citations } => {
                events.send(part("sentence", &said(&of, sentence, citations, &viewer))).is_ok()
            }
        };
        let reply = of.open(&engine).and_then(|one| one.ask_showing(&request, &budget, &mut tell));
        drop(pass);
        let last = match &reply {
            Ok(reply) => finished(&of, reply, &viewer),
            Err(error) => unanswered(&engine, error),
        };
        // A client that is gone does not hear how it ended.
        let _ = events.send(part("done", &last));
    });
    let events = UnboundedReceiverStream::new(waiting).map(move |event| {
        let _hung_up = &hung_up;
        Ok::<_, Infallible>(event)
    });
    Ok((StatusCode::OK, Sse::new(events).keep_alive(KeepAlive::default())).into_response())
}

/// HTML as an event. An event's lines may not hold carriage returns.
fn part(name: &str, markup: &Markup) -> Event {
    Event::default().event(name).data(markup.0.replace('\r', "&#13;"))
}

fn unanswered(engine: &Engine, error: &EngineError) -> Markup {
    let report = engine.report(error);
    html! {
        div.notice.error {
            p { (report.message) }
            @if let Some(hint) = report.hint { p.hint { (hint) } }
        }
    }
}

/// A sentence with the numbers of what it cites.
fn said(workspace: &WorkspaceId, sentence: &Sentence, citations: &[Citation], viewer: &Viewer) -> Markup {
    html! {
        p.sentence dir="auto" {
            @if let Some(place) = &sentence.place { span.trail { (place) } " " }
            @if sentence.fields.is_empty() {
                @let is_markdown = sentence.citations.first().and_then(|&at| citations.get(at)).is_some_and(|citation| markdown::is_markdown(&citation.path));
                @if is_markdown { (markdown::sentence(&sentence.text)) } @else { (sentence.text) }
            } @else {
                span.fields { @for field in &sentence.fields { span.field { span.of { (field.name) ":" } " " (field.value) } " " } }
            }
            @for &at in &sentence.citations {
                @if let Some(citation) = citations.get(at) { " " (number(at, citation, viewer)) }
            }
            @if !sentence.supported {
                span.warning { " not supported" @if let Some(problem) = &sentence.problem { ": " (problem) } }
            }
            @if let Some(newer) = &sentence.superseded_by {
                span.warning { " replaced by " (viewer.to_file(&link::source(workspace, newer, Span::default()), &html! { (newer) })) }
            }
        }
    }
}

fn number(at: usize, citation: &Citation, viewer: &Viewer) -> Markup {
    let spot = citation.spot().map(|spot| format!(", {spot}")).unwrap_or_default();
    html! {
        @if viewer.may(Scope::FilesRead) {
            a.cite href=(link::cited(citation)) title={ (citation.path) (spot) } aria-label={ "Citation " (at + 1) ": " (citation.path) (spot) } { "[" (at + 1) "]" }
        } @else {
            span.soft { "[" (citation.path) (spot) "]" }
        }
    }
}

/// A whole answer.
fn finished(workspace: &WorkspaceId, reply: &AskReply, viewer: &Viewer) -> Markup {
    let num_of_summary = reply.digest.as_ref().map_or(usize::MAX, |digest| digest.num_of_summary);
    html! {
        @if reply.abstained {
            p.abstained { strong { "No answer." } " " (reply.reason.as_deref().unwrap_or("The files do not say it.")) }
            @if !reply.missing_words.is_empty() { p { "No passage holds: " @for word in &reply.missing_words { span.tag { (word) } " " } } }
            @if !reply.nearest.is_empty() {
                h3 { "Nearest" }
                ul { @for near in &reply.nearest {
                    li {
                        @if let Some(place) = &near.place { span.trail { (place) } " " }
                        q dir="auto" { (near.citation.quote) } " "
                        (viewer.to_file(&link::cited(&near.citation), &html! { (near.citation.path) }))
                        @if !near.lacks.is_empty() { span.lacks { " lacks " (near.lacks.join(", ")) } }
                    }
                } }
            }
            @if reply.num_unread > 0 {
                p.warning { (viewer.to_file(&format!("{}?state=unread", link::view(workspace, "files")), &html! { (when::many(reply.num_unread as u64, "file", "files")) })) " could not be searched, and may hold it." }
            }
        }
        @if let Some(listing) = &reply.listing {
            p.summary { (listing.summary) }
            ul.members { @for member in &listing.members {
                li {
                    @match &member.path {
                        Some(path) => (viewer.to_file(&link::source(workspace, path, Span::default()), &html! { (member.label) })),
                        None => span dir="auto" { (member.label) },
                    }
                    @if let Some(note) = &member.note { span.of { " " (note) } }
                    @for &at in &member.citations { @if let Some(citation) = reply.citations.get(at) { " " (number(at, citation, viewer)) } }
                }
            } }
            @if listing.num_not_listed > 0 { p { (when::number(listing.num_not_listed as u64)) " more are counted and not listed." } }
        }
        @for sentence in reply.sentences.iter().take(num_of_summary) { (said(workspace, sentence, &reply.citations, viewer)) }
        @if let Some(digest) = &reply.digest { (digested(workspace, digest, reply, viewer)) }
        p.plan {
            span title=(reply.plan.why) { "plan: " (reply.plan.kind.name()) ", because " (reply.plan.why) }
            @if let Some(confidence) = reply.confidence { " · confidence " (format!("{confidence:.2}")) }
            @if reply.answered_by.kind == AnswerKind::Model {
                " · written by " (reply.answered_by.model.as_deref().unwrap_or("a language model")) " and checked"
            }
            @if let Some(fallback) = &reply.answered_by.fallback { " · " (fallback) }
            " · revision " (reply.revision.0)
        }
        @if reply.abstained {
            @for note in reply.coverage.notes.iter().filter(|note| is_on_unread(note)) { p.note { (note) } }
        }
    }
}

fn digested(workspace: &WorkspaceId, digest: &crate::answer::Digest, reply: &AskReply, viewer: &Viewer) -> Markup {
    html! {
        p.summary { (digest.heading) }
        @for group in &digest.groups {
            section.group {
                h3 { (if group.name.is_empty() { "Elsewhere" } else { &group.name }) span.count { (when::many(group.num_files as u64, "file", "files")) } }
                ul { @for file in group.files.iter().take(MAX_FILES) {
                    li {
                        (viewer.to_file(&link::source(workspace, &file.path, Span::default()), &html! { (file.path) }))
                        span.of { " " (file.change.name()) " " (when::time(file.at)) }
                        @if let Some(note) = &file.note { span.warning { " " (note) } }
                        @if let Some(about) = &file.about { p dir="auto" { (about.text) } }
                        @for &at in &file.sentences { @if let Some(sentence) = reply.sentences.get(at) { (said(workspace, sentence, &reply.citations, viewer)) } }
                    }
                } }
                @let left = group.num_not_listed + group.files.len().saturating_sub(MAX_FILES);
                @if left > 0 { p.of { (when::many(left as u64, "file more", "files more")) } }
            }
        }
        @if let Some(rest) = &digest.not_listed {
            p { (when::many(rest.num_groups as u64, "group", "groups")) " with " (when::many(rest.num_files as u64, "file", "files")) " more" }
        }
    }
}
