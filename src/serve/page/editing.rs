//! Who is editing now: locks with those who wait, writers of the last minutes, uploads in work, and writes that met others' writes.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;
use jiff::{Timestamp, ToSpan as _};
use maud::{Markup, html};

use super::form::{Empty, Write, then_see};
use super::shell::{self, Frame, View};
use super::viewer::Viewer;
use super::{link, results, status, when};
use crate::engine::{
    ActorKind, AuditActor, AuditResult, ChangeFilters, ChangesRequest, Engine, EngineError, HeldLock, MetConflict,
    UnfinishedUpload, Workspace,
};
use crate::gate::Class;
use crate::serve::app::Shared;
use crate::serve::error::ApiError;
use crate::serve::extract::{InWorkspace, WithLock};
use crate::workspace::{Change, Lock, LockMode, LockViolation, Provenance, RelPath, Scope, Span, WorkspaceId};

/// Who has written in the last so many minutes is editing now.
const MINUTES: i64 = 10;
/// Changes of the last minutes that are looked at.
const MAX_CHANGES: usize = 10_000;
/// Writers, and conflicts, that are shown.
const MAX_SHOWN: usize = 50;

/// What the view shows; of what the caller has no right to, nothing.
#[derive(Default)]
struct Seen {
    locks: Option<Vec<HeldLock>>,
    violations: Vec<LockViolation>,
    changes: Option<Vec<Change>>,
    uploads: Option<Vec<(UnfinishedUpload, u64)>>,
    conflicts: Option<Vec<MetConflict>>,
}

/// Shows who is editing.
pub(in crate::serve) async fn view(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
) -> Result<Response, ApiError> {
    let viewer = Viewer::at(&app, &workspace).await?;
    let (of, by) = (workspace.clone(), viewer.clone());
    let see = move |engine: &Engine, budget: &crate::budget::Budget| {
        let workspace = of.open(engine)?;
        let mut seen = Seen::default();
        if by.may(Scope::Locks) {
            seen.locks = Some(workspace.held_locks()?);
            seen.violations = workspace.lock_violations()?;
        }
        if by.may(Scope::FilesRead) {
            seen.changes = Some(written_lately(&workspace)?);
            seen.uploads = Some(workspace.uploads_in_work()?);
        }
        if by.may(Scope::AuditRead) {
            seen.conflicts = Some(workspace.conflicts(MAX_SHOWN, budget)?);
        }
        Ok(seen)
    };
    let seen = app.call_within(Class::Interactive, see).await?.0;
    let body = shown(&workspace, &seen, &viewer);
    Ok(shell::page(Frame::of("Editing", &workspace, View::Editing, &viewer), &body))
}

fn written_lately(workspace: &Workspace<'_>) -> Result<Vec<Change>, EngineError> {
    let now = Timestamp::now();
    let since = now.checked_sub(MINUTES.minutes()).unwrap_or(now);
    let filters = ChangeFilters { since: Some(since), ..ChangeFilters::default() };
    Ok(workspace.recent_changes(&ChangesRequest { limit: MAX_CHANGES, filters, facets: false })?.changes)
}

fn shown(workspace: &WorkspaceId, seen: &Seen, viewer: &Viewer) -> Markup {
    let Seen { locks, violations, changes, uploads, conflicts } = seen;
    html! {
        h1 { "Editing" }
        (now(workspace, seen))
        @if let Some(locks) = locks { (held(workspace, locks, viewer)) }
        (status::violations(workspace, violations))
        @if let Some(uploads) = uploads { (in_work(workspace, uploads, viewer)) }
        @if changes.is_some() || conflicts.is_some() {
            section aria-labelledby="conflicts" {
                h2 #conflicts { "Conflicts and merges" }
                @match conflicts {
                    None => p.hint { "Who may read the audit (" code { "audit:read" } ") sees them here." },
                    Some(conflicts) => (met(workspace, conflicts, viewer)),
                }
            }
        }
    }
}

/// What somebody does at the moment.
#[derive(Default)]
struct Doing<'a> {
    provenance: Option<&'a Provenance>,
    num_locks: usize,
    num_uploads: usize,
    files: BTreeMap<&'a str, &'a Change>,
}

impl Doing<'_> {
    /// The newest change.
    fn last(&self) -> Option<&Change> {
        self.files.values().copied().max_by_key(|change| change.revision)
    }

    fn in_words(&self) -> String {
        let part = |num: usize, one, more| (num > 0).then(|| when::many(num as u64, one, more));
        let parts = [
            part(self.num_locks, "lock", "locks"),
            part(self.num_uploads, "upload", "uploads"),
            part(self.files.len(), "file changed", "files changed"),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

/// Holders of locks, writers of the last minutes and senders of uploads, each once.
fn now(workspace: &WorkspaceId, Seen { locks, changes, uploads, .. }: &Seen) -> Markup {
    let mut all: BTreeMap<&str, Doing<'_>> = BTreeMap::new();
    for held in locks.iter().flatten() {
        all.entry(&held.lock.holder).or_default().num_locks += 1;
    }
    for (upload, _) in uploads.iter().flatten() {
        all.entry(upload.by.as_deref().unwrap_or_default()).or_default().num_uploads += 1;
    }
    for change in changes.iter().flatten() {
        let doing = all.entry(change.provenance.agent.as_deref().unwrap_or_default()).or_default();
        let newest = doing.files.entry(change.path.as_str()).or_insert(change);
        if newest.revision < change.revision {
            *newest = change;
        }
        if doing.provenance.is_none() && !change.provenance.is_empty() {
            doing.provenance = Some(&change.provenance);
        }
    }
    html! {
        section aria-labelledby="now" {
            h2 #now { "Who is editing now" }
            @if all.is_empty() { p.note { "Nobody has a lock, has an upload in work, or has written in the last " (MINUTES) " minutes." } } @else {
                div.scroll tabindex="0" role="group" aria-label="Who is editing now" { table {
                    thead { tr { th scope="col" { "Who" } th scope="col" { "What, in the last " (MINUTES) " minutes" } th scope="col" { "Last file" } } }
                    // Those who said nothing come last.
                    @let (unnamed, named): (Vec<_>, Vec<_>) = all.iter().partition(|(name, _)| name.is_empty());
                    tbody { @for (name, doing) in named.into_iter().chain(unnamed).take(MAX_SHOWN) {
                        tr {
                            td.words dir="auto" { @match doing.provenance {
                                Some(provenance) => (results::writer(Some(workspace), provenance)),
                                None if name.is_empty() => span.soft { "somebody who did not say" },
                                None => bdi { (name) },
                            } }
                            td { (doing.in_words()) }
                            td.path dir="auto" { @if let Some(last) = doing.last() { (file(workspace, &last.path)) span.title { (when::time(last.at)) " UTC" } } @else { "–" } }
                        }
                    } }
                } }
                @if all.len() > MAX_SHOWN { p.note { (when::number((all.len() - MAX_SHOWN) as u64)) " more are not shown." } }
            }
        }
    }
}

/// A path as a link to its source.
fn file(workspace: &WorkspaceId, path: &RelPath) -> Markup {
    html! { a href=(link::source(workspace, path, Span::default())) { bdi { (path) } } }
}

/// Whether others may hold a lock, as a badge.
fn mode(lock: &Lock) -> Markup {
    html! { @match lock.mode { LockMode::Exclusive => span.badge { "exclusive" }, LockMode::Shared => span.badge.changed { "shared" } } }
}

fn held(workspace: &WorkspaceId, locks: &[HeldLock], viewer: &Viewer) -> Markup {
    let url = |id: &str, act: &str| link::view(workspace, &format!("editing/locks/{id}/{act}"));
    html! {
        section aria-labelledby="locks" {
            h2 #locks { "Locks" }
            @if locks.is_empty() { p.note { "None is held." } } @else {
                div.scroll tabindex="0" role="group" aria-label="Locks" { table {
                    thead { tr { th scope="col" { "Files" } th scope="col" { "Holder" } th scope="col" { "Since and until (UTC)" } th scope="col" { "Waiting" } th scope="col" { span.visually-hidden { "Release" } } } }
                    tbody { @for HeldLock { lock, key, is_own, waiting } in locks {
                        tr {
                            td.path dir="auto" {
                                (covered(workspace, lock, viewer))
                                span.title { (mode(lock)) " fence " (lock.fence) " · " code { (lock.lock_id) } }
                            }
                            td.words dir="auto" {
                                bdi { (lock.holder) }
                                @if *is_own { span.of { " this is you" } }
                                @if let Some(reason) = &lock.reason { div { bdi { (reason) } } }
                                @if let Some(key) = key { span.title { "key " code { (key) } } }
                            }
                            td.when { (when::time(lock.taken_at)) br; "until " (when::time(lock.expires_at)) }
                            td { @if waiting.is_empty() { "nobody" } @else {
                                ol.waiting { @for one in waiting { li { bdi { (one.holder) } span.title { "since " (when::time(one.since)) } } } }
                            } }
                            td { div.tools {
                                @if *is_own {
                                    form method="post" action=(url(&lock.lock_id, "release")) { (viewer.stamp()) button type="submit" aria-label={ "Release the lock " (lock.lock_id) } { "Release" } }
                                }
                                @if viewer.may(Scope::Admin) && !is_own { a.button.danger href=(url(&lock.lock_id, "break")) aria-label={ "Take the lock " (lock.lock_id) " away …" } { "Take away …" } }
                            } }
                        }
                    } }
                } }
            }
        }
    }
}

/// What a lock covers.
fn covered(workspace: &WorkspaceId, lock: &Lock, viewer: &Viewer) -> Markup {
    html! {
        @match (lock.path.as_ref().map(|path| path.parse::<RelPath>()), &lock.glob) {
            (Some(Ok(path)), _) => (viewer.to_file(&link::source(workspace, &path, Span::default()), &html! { bdi { (path) } })),
            (_, Some(glob)) => code { bdi { (glob) } },
            _ => "–",
        }
    }
}

/// The badges of a source whose file is locked.
pub(super) fn badges(workspace: &WorkspaceId, locks: &[Lock]) -> Markup {
    html! {
        @for lock in locks {
            p.warning {
                a.badge.changed href={ (link::view(workspace, "editing")) "#locks" } { "locked" }
                " by " bdi { (lock.holder) } " until " (when::time(lock.expires_at)) " UTC"
                @if lock.mode == LockMode::Shared { ", shared: nobody writes" }
                @if let Some(reason) = &lock.reason { ": " bdi { (reason) } }
            }
        }
    }
}

fn in_work(workspace: &WorkspaceId, uploads: &[(UnfinishedUpload, u64)], viewer: &Viewer) -> Markup {
    html! {
        section aria-labelledby="uploads" {
            h2 #uploads { "Uploads in work" }
            @if uploads.is_empty() { p.note { "None." } } @else {
                div.scroll tabindex="0" role="group" aria-label="Uploads in work" { table {
                    thead { tr { th scope="col" { "File" } th scope="col" { "By" } th scope="col" { "Begun (UTC)" } th.size scope="col" { "Come so far" } th scope="col" { span.visually-hidden { "Abort" } } } }
                    tbody { @for (upload, num_bytes) in uploads {
                        tr {
                            td.path dir="auto" { bdi { (upload.path) } span.title { code { (upload.id) } } }
                            td.words dir="auto" { bdi { (upload.by.as_deref().unwrap_or("–")) } }
                            td.when { (when::time(upload.begun)) }
                            td.size { (when::size(*num_bytes)) }
                            td { @if viewer.may(Scope::Admin) {
                                a.button.danger href=(link::view(workspace, &format!("editing/uploads/{}/abort", upload.id))) aria-label={ "Abort the upload of " (upload.path) " …" } { "Abort …" }
                            } }
                        }
                    } }
                } }
            }
        }
    }
}

/// What became of a write that met others' writes.
const fn outcome(conflict: &MetConflict) -> (&'static str, &'static str) {
    match conflict.entry.result {
        AuditResult::Failure if conflict.entry.met.is_some() => ("refused", "deleted"),
        AuditResult::Failure => ("too late", "deleted"),
        AuditResult::Success | AuditResult::Begun => ("merged", "valid"),
    }
}

fn met(workspace: &WorkspaceId, conflicts: &[MetConflict], viewer: &Viewer) -> Markup {
    html! {
        @if conflicts.is_empty() { p.note { "The audit knows of none." } } @else {
            div.scroll tabindex="0" role="group" aria-label="Conflicts and merges" { table {
                thead { tr { th scope="col" { "When (UTC)" } th scope="col" { "Write" } th scope="col" { "By" } th scope="col" { "What others had written" } } }
                tbody { @for conflict in conflicts {
                    @let entry = &conflict.entry;
                    @let (word, class) = outcome(conflict);
                    tr {
                        td.when { (when::time(entry.at)) span.title { "#" (entry.seq) } }
                        td.path dir="auto" {
                            span.badge.(class) { (word) } " "
                            @for path in &entry.paths { @match path.parse::<RelPath>() {
                                Ok(path) => div { (viewer.to_file(&link::source(workspace, &path, Span::default()), &html! { bdi { (path) } })) },
                                Err(_) => div { bdi { (path) } },
                            } }
                            span.title { (entry.action) @if let Some(revision) = entry.revision { " · revision " (revision) } }
                        }
                        td.words dir="auto" { (who(&entry.by)) span.title { (entry.surface) } }
                        td { @match &conflict.diff {
                            Some(diff) => details { summary { "Difference" } pre dir="auto" tabindex="0" { (diff) } },
                            None if entry.met.is_none() => "the lock of its token was lost",
                            None => span.soft { "not kept any more" },
                        } }
                    }
                } }
            } }
        }
    }
}

fn who(by: &AuditActor) -> Markup {
    let name = match by.kind {
        ActorKind::LocalUser => "this machine's user",
        ActorKind::Unknown | ActorKind::Journal => "–",
        ActorKind::Key => by.agent.as_deref().or(by.name.as_deref()).unwrap_or("–"),
    };
    html! { bdi { (name) } @if let Some(key) = &by.key { span.title { "key " code { (key) } } } }
}

/// Releases a lock of the caller's own.
pub(in crate::serve) async fn release(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithLock(id): WithLock,
    Write(Empty {}): Write<Empty>,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    let release = app.call_at_once(move |engine| of.open(engine)?.release_own_lock(&id));
    then_see(release, &place(&workspace, "locks")).await
}

/// Asks whether a lock is to be taken from its holder.
pub(in crate::serve) async fn confirm_break(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithLock(id): WithLock,
) -> Result<Response, ApiError> {
    let (of, wanted) = (workspace.clone(), id.clone());
    let find = move |engine: &Engine| {
        let held = of.open(engine)?.held_locks()?;
        let lock = held.into_iter().find(|held| held.lock.lock_id == wanted);
        lock.ok_or(EngineError::LockLost { id: wanted })
    };
    let HeldLock { lock, .. } = app.call(find).await?.0;
    let viewer = Viewer::at(&app, &workspace).await?;
    let body = html! {
        h1 { "Take the lock away?" }
        div.notice.error {
            p { (covered(&workspace, &lock, &viewer)) " is locked by " bdi { (lock.holder) } " until " (when::time(lock.expires_at)) " UTC" @if let Some(reason) = &lock.reason { ": " bdi { (reason) } } "." }
            p { "Others can write the files then. The next write of the holder is refused, and the audit tells of it." }
            (choice(&workspace, &viewer, ("locks", &id, "break"), "Take it away"))
        }
    };
    Ok(shell::page(Frame::of("Take a lock away", &workspace, View::Editing, &viewer), &body))
}

/// The buttons below a question about a lock or an upload: to do it, or to leave it.
fn choice(workspace: &WorkspaceId, viewer: &Viewer, (of, id, act): (&str, &str, &str), label: &str) -> Markup {
    html! {
        form method="post" action=(link::view(workspace, &format!("editing/{of}/{id}/{act}"))) {
            (viewer.stamp())
            button.danger type="submit" { (label) } " "
            a.button href=(place(workspace, of)) { "Leave it" }
        }
    }
}

/// Takes a lock from its holder.
pub(in crate::serve) async fn break_lock(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithLock(id): WithLock,
    Write(Empty {}): Write<Empty>,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    let broken = app.call_at_once(move |engine| of.open(engine)?.break_lock(&id));
    then_see(broken, &place(&workspace, "locks")).await
}

/// Asks whether an upload is to be aborted.
pub(in crate::serve) async fn confirm_abort(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithLock(id): WithLock,
) -> Result<Response, ApiError> {
    let (of, wanted) = (workspace.clone(), id.clone());
    let (upload, num_bytes) = app.call(move |engine| of.open(engine)?.upload_in_work(&wanted)).await?.0;
    let viewer = Viewer::at(&app, &workspace).await?;
    let body = html! {
        h1 { "Abort the upload?" }
        div.notice.error {
            p { bdi { (upload.path) } @if let Some(by) = &upload.by { ", by " bdi { (by) } } ", begun " (when::time(upload.begun)) " UTC: " (when::size(num_bytes)) " have come." }
            p { "They go, and its sender has to begin again." }
            (choice(&workspace, &viewer, ("uploads", &id, "abort"), "Abort"))
        }
    };
    Ok(shell::page(Frame::of("Abort an upload", &workspace, View::Editing, &viewer), &body))
}

/// Aborts an upload.
pub(in crate::serve) async fn abort(
    State(app): Shared,
    InWorkspace(workspace): InWorkspace,
    WithLock(id): WithLock,
    Write(Empty {}): Write<Empty>,
) -> Result<Response, ApiError> {
    let of = workspace.clone();
    let aborted = app.call_at_once(move |engine| of.open(engine)?.abort_upload(&id));
    then_see(aborted, &place(&workspace, "uploads")).await
}

/// A part of the view.
fn place(workspace: &WorkspaceId, part: &str) -> String {
    format!("{}#{part}", link::view(workspace, "editing"))
}
