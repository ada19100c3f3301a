//! Reviewers' verdicts: the form beside a quote, those that a content has, and all of a workspace.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};

use super::form::{Empty, Write, then_see};
use super::shell::{self, Frame, View};
use super::viewer::Viewer;
use super::{link, results, when};
use crate::engine::{VerdictsReply, VerdictsRequest};
use crate::serve::app::Shared;
use crate::serve::error::ApiError;
use crate::serve::extract::{InWorkspace, Parameters, WithNumber};
use crate::workspace::{Citation, Decision, NewVerdict, RelPath, Scope, Span, Verdict, WorkspaceId};

/// Verdicts of one page.
const PAGE: usize = 50;

/// Which verdicts are shown.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Shown {
    #[serde(skip_serializing_if = "String::is_empty")]
    decision: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    path: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    before: String,
}

impl Shown {
    fn url(&self, workspace: &WorkspaceId) -> String {
        // Text can always be written.
        let parameters = serde_html_form::to_string(self).unwrap_or_default();
        format!("{}?{parameters}", link::view(workspace, "verdicts"))
    }

    fn decided(&self) -> Option<Decision> {
        match self.decision.as_str() {
            "accept" => Some(Decision::Accept),
            "reject" => Some(Decision::Reject),
            "comment" => Some(Decision::Comment),
            _ => None,
        }
    }
}

/// Shows the verdicts of a workspace, newest first.
pub(in crate::serve) async fn view(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Parameters(shown): Parameters<Shown>,
) -> Result<Response, ApiError> {
    let path = Some(shown.path.trim().to_owned()).filter(|path| !path.is_empty());
    let request = VerdictsRequest {
        path: path.into_iter().collect(),
        decision: shown.decided(),
        query: None,
        before_id: shown.before.parse().ok(),
        limit: PAGE,
    };
    let of = workspace.clone();
    let reply = app.call(move |engine| of.open(engine)?.verdicts(&request)).await?.0;
    let viewer = Viewer::at(&app, &workspace).await?;
    let body = listed(&workspace, &shown, &reply, &viewer);
    Ok(shell::page(Frame::of("Verdicts", &workspace, View::Verdicts, &viewer), &body))
}

fn listed(workspace: &WorkspaceId, shown: &Shown, reply: &VerdictsReply, viewer: &Viewer) -> Markup {
    let export = |format: &str| format!("{}/export?limit=10000&format={format}", link::view(workspace, "verdicts"));
    html! {
        h1 { "Verdicts" }
        form.scope method="get" action=(link::view(workspace, "verdicts")) {
            label { "Path " input name="path" value=(shown.path) placeholder="reports/**"; }
            button type="submit" { "Show" }
        }
        ul.chips aria-label="Decisions" {
            @for (name, words) in [("", "All"), ("accept", "Accepted"), ("reject", "Rejected"), ("comment", "Comments")] {
                @let of = Shown { decision: name.to_owned(), before: String::new(), ..shown.clone() };
                li { a href=(of.url(workspace)) aria-current=[(shown.decision == name).then_some("true")] { (words) } }
            }
        }
        @if reply.verdicts.is_empty() {
            div.notice {
                h2 { "No verdicts" }
                @if viewer.may(Scope::FilesWrite) { p { "Open a result or follow a citation, and accept, reject or comment on the marked words." } }
            }
        } @else {
            div.scroll { table.checked {
                thead { tr { th scope="col" { "Verdict" } th scope="col" { "Words" } th scope="col" { "Found by" } th scope="col" { "Reviewer" } th scope="col" { "When (UTC)" } @if viewer.may(Scope::FilesWrite) { th scope="col" { span.visually-hidden { "Withdraw" } } } } }
                tbody { @for verdict in &reply.verdicts { (row(workspace, verdict, viewer)) } }
            } }
            @if let Some(next) = reply.next {
                p.more { a.button href=(Shown { before: next.to_string(), ..shown.clone() }.url(workspace)) { "Older verdicts" } }
            }
            p { "Export: " a href=(export("json")) { "JSON" } " · " a href=(export("csv")) { "CSV" }
                " · a collection for " code { "pincite eval" } ": " code { "pincite verdicts --export FOLDER" } }
        }
    }
}

fn row(workspace: &WorkspaceId, verdict: &Verdict, viewer: &Viewer) -> Markup {
    let Verdict { id, at, citation, decision, comment, query, by } = verdict;
    html! {
        tr {
            td { (badge(*decision)) }
            td dir="auto" {
                q.block { (results::shortened(&citation.quote)) }
                a href=(link::cited(citation)) { (citation.path) @if let Some(spot) = citation.spot() { ", " (spot) } }
                @if let Some(comment) = comment { p.comment dir="auto" { (comment) } }
            }
            td dir="auto" { (query.as_deref().unwrap_or("–")) }
            td { (by.as_deref().unwrap_or("–")) }
            td.when { (when::time(*at)) }
            @if viewer.may(Scope::FilesWrite) {
                td { form method="post" action={ (link::view(workspace, "verdicts")) "/" (id) "/withdraw" } { (viewer.stamp()) button type="submit" { "Withdraw" } } }
            }
        }
    }
}

/// A decision in a word.
fn badge(decision: Decision) -> Markup {
    let (word, class) = match decision {
        Decision::Accept => ("accepted", "valid"),
        Decision::Reject => ("rejected", "deleted"),
        Decision::Comment => ("comment", "comment"),
    };
    html! { span.badge.(class) { (word) } }
}

/// How often a passage was accepted, rejected and commented on.
pub(super) fn counts(verdicts: &[Verdict], span: Span) -> Markup {
    let on_it = |decision: Decision| {
        let touches =
            |verdict: &&Verdict| verdict.citation.span.start < span.end && span.start < verdict.citation.span.end;
        verdicts.iter().filter(touches).filter(|verdict| verdict.decision == decision).count()
    };
    let all = [Decision::Accept, Decision::Reject, Decision::Comment].map(|decision| (decision, on_it(decision)));
    html! { @for (decision, num) in all { @if num > 0 { (badge(decision)) @if num > 1 { " ×" (num) } " " } } }
}

/// The verdicts of a content, those on the quote first, and the form for another one on it.
pub(super) fn beside(verdicts: &[Verdict], citation: Option<&Citation>, query: &str, viewer: &Viewer) -> Markup {
    html! {
        @if let Some(citation) = citation.filter(|_| viewer.may(Scope::FilesWrite)) {
            details.judge {
                summary.button { "Verdict" }
                form method="post" action=(link::view(&citation.workspace, "verdicts")) {
                    (viewer.stamp())
                    input type="hidden" name="path" value=(citation.path);
                    input type="hidden" name="hash" value=(citation.content_hash);
                    input type="hidden" name="at" value=(link::at(citation.span));
                    input type="hidden" name="query" value=(query);
                    p.hint { "On the marked words" @if !query.is_empty() { ", found by " q { (query) } } "." }
                    label { "Comment" textarea name="comment" rows="2" maxlength="4000" {} }
                    label { "Your name " input name="by" maxlength="200" autocomplete="name"; }
                    div.tools {
                        button type="submit" name="decision" value="accept" { "Accept" }
                        button type="submit" name="decision" value="reject" { "Reject" }
                        button type="submit" name="decision" value="comment" { "Comment only" }
                    }
                }
            }
        }
        @if !verdicts.is_empty() {
            details.verdicts open[citation.is_some_and(|citation| verdicts.iter().any(|one| one.citation.span == citation.span))] {
                summary { (when::many(verdicts.len() as u64, "verdict", "verdicts")) " on this content" }
                ul { @for one in verdicts {
                    li {
                        (badge(one.decision)) " "
                        a href={ (link::source(&one.citation.workspace, &one.citation.path, one.citation.span)) } dir="auto" { (results::shortened(&one.citation.quote)) }
                        @if let Some(comment) = &one.comment { p.comment dir="auto" { (comment) } }
                        p.of { @if let Some(by) = &one.by { (by) ", " } (when::time(one.at)) }
                    }
                } }
            }
        }
    }
}

/// A verdict as the form has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::serve) struct Judged {
    path: String,
    hash: String,
    at: String,
    query: String,
    comment: String,
    by: String,
    decision: String,
}

/// Stores a verdict, and shows the place again.
pub(in crate::serve) async fn judge(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    Write(judged): Write<Judged>,
) -> Result<Response, ApiError> {
    let invalid = |what: &str| {
        let message = format!("the form has no valid `{what}`");
        ApiError::new(StatusCode::BAD_REQUEST, "invalid_body", message, "reload the page and send the form again")
    };
    let path: RelPath = judged.path.parse().map_err(|_| invalid("path"))?;
    let content_hash = judged.hash.parse().map_err(|_| invalid("hash"))?;
    let span = link::span(&judged.at).ok_or_else(|| invalid("at"))?;
    let decision =
        Shown { decision: judged.decision.clone(), ..Shown::default() }.decided().ok_or_else(|| invalid("decision"))?;
    let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let (comment, query, by) = (given(&judged.comment), given(&judged.query), given(&judged.by));
    let (of, words, place) = (workspace.clone(), judged.query.clone(), path.clone());
    let store = move |engine: &crate::engine::Engine| {
        let workspace = of.open(engine)?;
        let source = workspace.source(&place, span)?;
        let quote = source.within(span).and_then(|within| within.of(&source.document.text)).unwrap_or_default();
        // The words of another content are not those that the reviewer saw.
        let quote = if source.content_hash == content_hash { quote.to_owned() } else { String::new() };
        let citation = Citation::bare(workspace.id().clone(), place, content_hash, span, quote);
        workspace.judge(&NewVerdict { citation, decision, comment, query, by })
    };
    app.call(store).await.map(drop)?;
    let back =
        format!("{}?at={}&q={}#mark", link::of_file(&workspace, "source", &path), link::at(span), link::value(&words));
    Ok(Redirect::to(&back).into_response())
}

/// Withdraws a verdict.
pub(in crate::serve) async fn withdraw(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithNumber(id): WithNumber,
    Write(Empty {}): Write<Empty>,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    then_see(app.call(move |engine| of.open(engine)?.withdraw_verdict(id)), &link::view(&workspace, "verdicts")).await
}
