//! Questions: answered as one JSON document, or event by event to clients that accept `text/event-stream`.

use std::convert::Infallible;

use axum::extract::State;
use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::json;
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::app::Shared;
use super::error::ApiError;
use super::extract::{InWorkspace, JsonBody};
use super::openapi;
use crate::answer::{AskEvent, AskReply, AskRequest, Sentence};
use crate::budget::Budget;
use crate::engine::Engine;
use crate::error::ErrorBody;
use crate::gate::Class;
use crate::workspace::Citation;

/// Answers a question, each sentence cited, or says why it cannot.
///
/// Sentences are verbatim in the files, or where a language model is configured, written by it and checked against the words that
/// they cite. With `Accept: text/event-stream` the reply comes as server-sent events: `passages` (the citations of what the answer is
/// made from), `delta` (words of the model as they come, unchecked), `sentence` (one that was checked, with its citations),
/// `fallback` (the model gave no answer: sentences until here do not count), and last `done` (the whole reply) or `error`.
#[utoipa::path(
    post, path = "/v1/workspaces/{ws}/ask", tag = "search",
    params(openapi::WorkspaceParam),
    request_body(content = AskRequest, example = json!({ "question": "What did the last run say about latency?" })),
    responses(
        (status = 200, description = "An answer.", content((AskReply = "application/json"), (String = "text/event-stream"))),
        openapi::BodyErrors, openapi::Errors,
    ),
)]
pub(super) async fn ask(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    headers: HeaderMap,
    JsonBody(mut request): JsonBody<AskRequest>,
) -> Result<Response, ApiError> {
    let class = match app.wait(&workspace, request.min_revision, request.wait_ms).await? {
        Class::Waited => Class::Waited,
        Class::Interactive | Class::Batch => Class::Batch,
    };
    // It was waited for; whether it is there, the question finds.
    request.wait_ms = 0;
    if !accepts(&headers, "text/event-stream") {
        let ask =
            move |engine: &Engine, budget: &Budget| workspace.open(engine)?.ask_within(&request, budget, &mut |_| true);
        return Ok(app.call_within(class, ask).await?.into_response());
    }
    let pass = app.enter(class).await?;
    let budget = Budget::default();
    let hung_up = budget.cancelled_on_drop();
    // A slow client does not hold up the answer: an answer's events are no more than its bytes, which have a limit.
    let (events, mut waiting) = mpsc::unbounded_channel();
    let engine = app.engine();
    let span = tracing::Span::current();
    let mut by = workspace.by.clone();
    let answering = tokio::task::spawn_blocking(move || {
        let _in_span = span.enter();
        let mut tell = |event: AskEvent<'_>| match told(&event) {
            // A client that has hung up is noticed without another event.
            None => !events.is_closed() && by.still_holds(&engine),
            Some(event) => by.still_holds(&engine) && events.send(event).is_ok(),
        };
        let reply = workspace.open(&engine)?.ask_showing(&request, &budget, &mut tell);
        drop(pass);
        let last = match &reply {
            Ok(reply) => event("done", reply),
            Err(error) => event("error", &ErrorBody { error: engine.report(error) }),
        };
        // A client that is gone does not hear how it ended.
        let _ = events.send(last);
        reply.map(drop)
    });
    // A request that cannot be has its status: nothing was told of it but its error.
    let Some(first) = waiting.recv().await else {
        return Err(match answering.await {
            Ok(Err(error)) => ApiError::of(&app.engine(), &error),
            Ok(Ok(())) => ApiError::internal("an answer without an event"),
            Err(_) => ApiError::internal("the answer panicked"),
        });
    };
    if first.0 == "error"
        && let Ok(Err(error)) = answering.await
    {
        return Err(ApiError::of(&app.engine(), &error));
    }
    let events = tokio_stream::once(first).chain(UnboundedReceiverStream::new(waiting)).map(move |(_, event)| {
        // The answer ends when nobody hears it.
        let _hung_up = &hung_up;
        Ok::<_, Infallible>(event)
    });
    Ok((StatusCode::OK, Sse::new(events).keep_alive(KeepAlive::default())).into_response())
}

/// Whether the client names this media type in `Accept`; nothing else is taken for a preference.
pub(super) fn accepts(headers: &HeaderMap, wanted: &str) -> bool {
    let accepted = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let media_type = range.split(';').next().unwrap_or_default().trim();
        media_type.eq_ignore_ascii_case(wanted)
    })
}

/// An event's name, and the event.
type Named = (&'static str, Event);

#[derive(Serialize)]
struct Checked<'a> {
    sentence: &'a Sentence,
    /// What the sentence cites, in its order.
    citations: Vec<&'a Citation>,
}

/// What a client is told of an event, where it is told of it.
fn told(told: &AskEvent<'_>) -> Option<Named> {
    Some(match told {
        AskEvent::Waiting => return None,
        AskEvent::Passages(passages) => event("passages", &json!({ "citations": passages })),
        AskEvent::Delta(text) => event("delta", &json!({ "text": text, "checked": false })),
        AskEvent::Sentence { sentence, citations } => {
            let cited = sentence.citations.iter().filter_map(|at| citations.get(*at)).collect();
            event("sentence", &Checked { sentence, citations: cited })
        }
        AskEvent::Fallback(reason) => event("fallback", &json!({ "reason": reason })),
    })
}

fn event<T: Serialize>(name: &'static str, data: &T) -> Named {
    let json = serde_json::to_string(data).expect("replies hold nothing that JSON cannot");
    (name, Event::default().event(name).data(json))
}
