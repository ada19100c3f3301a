//! One passage among the results.

use maud::{Markup, html};

use super::query::Query;
use super::text::{markdown, marked};
use super::viewer::Viewer;
use super::{link, when};
use crate::search::{self, Hit, Signals};
use crate::workspace::{Provenance, Scope, Span, Verdict, WorkspaceId};

/// Bytes of a passage that are shown, where most of its marked words are.
const SHOWN_BYTES: usize = 420;
/// Of these, those before the first of the words.
const BEFORE_BYTES: usize = 60;
/// Bytes of a quote that a list shows.
const QUOTE_BYTES: usize = 240;
/// Other places of a passage that are named.
const MAX_COPIES: usize = 5;

/// A passage, and the search that found it.
pub(super) struct Shown<'a> {
    pub workspace: &'a WorkspaceId,
    pub query: &'a Query,
    pub hit: &'a Hit,
    pub number: usize,
    pub viewer: &'a Viewer,
    /// Those on the content of the passage's file.
    pub verdicts: &'a [Verdict],
}

/// An item of the list of results.
pub(super) fn item(shown: &Shown<'_>) -> Markup {
    let Shown { workspace, query, hit, number, viewer, verdicts } = *shown;
    let citation = &hit.citation;
    let url = query.opening(&citation.path, citation.span).url(workspace);
    let words = search::words_in(&query.q, &hit.text, hit.language);
    let part = part_around(&hit.text, &words);
    html! {
        li.hit id={ "hit-" (number) } {
            h3 {
                @let title = hit.title.as_deref().unwrap_or_else(|| citation.path.file_name());
                @if viewer.may(Scope::FilesRead) {
                    a.open href={ (url) "#source" } hx-get=(url) hx-select="#source" hx-target="#source" hx-swap="outerHTML" hx-push-url="true"
                        title=(citation.path) dir="auto" { (title) }
                } @else {
                    span title=(citation.path) dir="auto" { (title) }
                }
            }
            p.place {
                span.path { (citation.path) }
                @if let Some(spot) = citation.spot() { span.dot aria-hidden="true" { " · " } span { (spot) } }
                @if !citation.trail.is_empty() { span.dot aria-hidden="true" { " · " } span.trail { (citation.trail.join(" › ")) } }
            }
            @if let Some(header) = &hit.header { p.header title="The table's header" { (header) } }
            div.passage dir="auto" {
                @if part.start > 0 { span.cut { "… " } }
                @if markdown::is_markdown(&citation.path) { (markdown::part(&hit.text, part, &words)) } @else { p { (marked::words(&hit.text, part, &words)) } }
                @if part.end < hit.text.len() { span.cut { " …" } }
            }
            @if let Some(newer) = &hit.superseded_by {
                p.warning { "A newer file has replaced this one: " (viewer.to_file(&link::source(workspace, newer, Span::default()), &html! { (newer) })) }
            }
            p.why {
                span { (writer(viewer.may(Scope::FilesRead).then_some(workspace), &citation.provenance)) (super::verdicts::counts(verdicts, citation.span)) }
                @if let Some(signals) = hit.signals { (why(&signals)) }
            }
            @if !hit.also_at.is_empty() {
                details.copies {
                    summary { "Also in " (when::many(hit.also_at.len() as u64, "other place", "other places")) }
                    ul {
                        @for copy in hit.also_at.iter().take(MAX_COPIES) {
                            li {
                                (viewer.to_file(&link::source(workspace, &copy.citation.path, copy.citation.span), &html! { (copy.citation.path) }))
                                @if let Some(differs) = &copy.differs { span.differs { " differs: " (differs) } }
                            }
                        }
                        @if hit.also_at.len() > MAX_COPIES { li { (hit.also_at.len() - MAX_COPIES) " more" } }
                    }
                }
            }
        }
    }
}

/// The beginning of a long quote.
pub(super) fn shortened(quote: &str) -> String {
    if quote.len() <= QUOTE_BYTES {
        return quote.to_owned();
    }
    format!("{} …", &quote[..quote.floor_char_boundary(QUOTE_BYTES)])
}

/// Who wrote it; each name leads to all that it wrote in `linked`, where that is given.
pub(super) fn writer(linked: Option<&WorkspaceId>, provenance: &Provenance) -> Markup {
    let named = |name: &str, value: &str| {
        let url =
            linked.map(|workspace| format!("{}?{name}={}", link::view(workspace, "activity"), link::value(value)));
        html! { @if let Some(url) = url { a href=(url) { (value) } } @else { (value) } }
    };
    html! {
        @if let Some(agent) = &provenance.agent { span.writer { "by " (named("agent", agent)) } " " }
        @if provenance.proven { span.tag title="It was written with the key of this writer" { "proven" } " " }
        @if let Some(run) = &provenance.run { span.writer { "run " (named("run", run)) } " " }
        @for tag in &provenance.tags { span.tag { (tag) } " " }
    }
}

fn why(signals: &Signals) -> Markup {
    html! {
        span.signals {
            @match (signals.lexical_rank, signals.lexical_score) {
                (Some(rank), Some(score)) => span title={ "BM25 " (format!("{score:.2}")) } { "words #" (rank) },
                _ => span { "not by words" },
            }
            span aria-hidden="true" { " · " }
            @match (signals.dense_rank, signals.dense_score) {
                (Some(rank), Some(score)) => span title={ "cosine " (format!("{score:.3}")) } { "meaning #" (rank) },
                _ => span { "not by meaning" },
            }
        }
    }
}

/// The part of a passage that is shown: whole words, where most words are marked, the first such place.
fn part_around(text: &str, words: &[Span]) -> Span {
    let num_from = |at: usize| {
        let end = words[at].start + SHOWN_BYTES - BEFORE_BYTES;
        words[at..].iter().take_while(|word| word.end <= end).count()
    };
    let best = (0..words.len()).rev().max_by_key(|&at| num_from(at)).map_or(0, |at| words[at].start);
    let wanted = best.saturating_sub(BEFORE_BYTES);
    let start = if wanted == 0 || text.len() <= SHOWN_BYTES { 0 } else { next_word(text, wanted) };
    let end = text.floor_char_boundary(start.saturating_add(SHOWN_BYTES));
    if end >= text.len() {
        return Span::new(start, text.len());
    }
    Span::new(
        start,
        text[start..end].rfind(char::is_whitespace).filter(|&at| at > SHOWN_BYTES / 2).map_or(end, |at| start + at),
    )
}

/// Where the first word behind `at` begins.
fn next_word(text: &str, at: usize) -> usize {
    let at = text.ceil_char_boundary(at);
    let space = text[at..].find(char::is_whitespace).filter(|&num| num < BEFORE_BYTES);
    space.map_or(at, |num| {
        let rest = &text[at + num..];
        at + num + (rest.len() - rest.trim_start().len())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_place_with_most_words_is_shown() {
        let text = format!("gateway {} the gateway was down {}", "x ".repeat(400), "y ".repeat(400));
        let words = search::words_in("gateway down", &text, None);
        let shown = part_around(&text, &words).of(&text).unwrap();
        assert!(shown.contains("the gateway was down") && shown.len() <= SHOWN_BYTES, "{shown}");
    }

    proptest! {
        #[test]
        fn what_is_shown_lies_on_characters_and_holds_a_marked_word(text in "[a-zü南 ]{0,1400}", at in 0_usize..1400) {
            let at = text.floor_char_boundary(at);
            let word = Span::new(at, text.ceil_char_boundary((at + 3).min(text.len())));
            let part = part_around(&text, &[word]);
            prop_assert!(part.of(&text).is_some() && part.start <= word.start && word.start <= part.end, "{part:?} {word:?}");
        }
    }
}
