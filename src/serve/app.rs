//! What every handler shares: the engine behind its gate, bodies within their budget, and MCP.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, body};
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Options;
use super::door::{Checked, Place};
use super::error::ApiError;
use super::guard::AllowedHosts;
use super::incoming::{self, Incoming};
use super::metrics::Metrics;
use super::{openapi, rpc, uploads};
use crate::budget::Budget;
use crate::config::{self, Limits};
use crate::engine::{Caller, Engine, EngineError, Surface};
use crate::gate::{Class, Gate, Holder, Pass};
use crate::mcp;
use crate::search;
use crate::workspace::{Revision, WorkspaceId};

/// Bodies are counted in pieces of this many bytes.
const PIECE: usize = 1_024;
/// Workspaces that a note names; it counts the others.
const MAX_NAMED: usize = 5;
/// What one file takes of the budget while it comes.
const PIECES_OF_FILE: u32 = 256;

tokio::task_local! {
    /// The caller of the request at hand, for the gate to share its places out. The door sets it around every handler.
    pub(super) static HOLDER: Holder;
}

pub(super) struct App {
    engine: Arc<Engine>,
    workspace: WorkspaceId,
    hosts: Arc<AllowedHosts>,
    pub(super) max_body_bytes: usize,
    /// Which tools are offered over MCP.
    tools: mcp::ToolSet,
    /// Whether clients come by HTTPS.
    has_tls: bool,
    pub(super) body_timeout: Duration,
    gate: Arc<Gate>,
    /// Room for bodies that have begun to come, in pieces.
    bodies: Arc<Semaphore>,
    num_pieces: usize,
    /// Whether the workspace that `/mcp` is about has been there.
    was_there: AtomicBool,
    pub metrics: Arc<Metrics>,
    /// Of REST, as JSON.
    pub description: String,
}

pub(super) type Shared = State<Arc<App>>;
pub(super) type Reply<T> = Result<Json<T>, ApiError>;

/// A body, and its part of the budget for bodies.
pub(super) struct Whole {
    pub bytes: Bytes,
    _room: Option<OwnedSemaphorePermit>,
}

impl App {
    pub(super) fn new(
        engine: Arc<Engine>,
        workspace: WorkspaceId,
        options: &Options,
        hosts: Arc<AllowedHosts>,
    ) -> Self {
        let Options { max_body_bytes, body_timeout, tools, .. } = *options;
        let limits = &engine.config().limits;
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
        let many = |of_core: u64| usize::try_from(of_core.saturating_mul(cores)).unwrap_or(usize::MAX);
        let num_pieces = usize::try_from(limits.bodies_bytes).unwrap_or(usize::MAX) / PIECE;
        let num_pieces = num_pieces.min(Semaphore::MAX_PERMITS);
        let was_there = engine.workspaces().is_ok_and(|rows| rows.iter().any(|row| row.id == workspace));
        Self {
            workspace,
            hosts,
            max_body_bytes,
            tools,
            has_tls: options.tls.is_some(),
            body_timeout,
            gate: Arc::new(Gate::new(many(limits.requests_per_core), many(limits.queued_per_core))),
            bodies: Arc::new(Semaphore::new(num_pieces)),
            num_pieces,
            was_there: AtomicBool::new(was_there),
            metrics: Arc::new(Metrics::new()),
            description: openapi::json(limits),
            engine,
        }
    }

    fn limits(&self) -> &Limits {
        &self.engine.config().limits
    }

    /// Waits for a place among those that are worked on.
    pub(super) async fn enter(&self, class: Class) -> Result<Pass, ApiError> {
        self.gate.enter(class, HOLDER.try_with(Clone::clone).unwrap_or_default()).await.map_err(|_| {
            let Limits { requests_per_core, queued_per_core, .. } = self.limits();
            let message = format!(
                "the server is overloaded and refuses this request (`limits.requests_per_core` is {requests_per_core}, \
                 `limits.queued_per_core` is {queued_per_core})"
            );
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", message, "ask again in a second")
        })
    }

    /// Calls the engine on a thread that may block, when it is this request's turn.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, EngineError> + Send + 'static,
    ) -> Reply<T> {
        self.call_within(Class::Interactive, |engine, _| work(engine)).await
    }

    /// The same for work that ends when its client hangs up.
    pub(super) async fn call_within<T: Send + 'static>(
        &self,
        class: Class,
        work: impl FnOnce(&Engine, &Budget) -> Result<T, EngineError> + Send + 'static,
    ) -> Reply<T> {
        let pass = self.enter(class).await?;
        let budget = Budget::default();
        let hung_up = budget.cancelled_on_drop();
        // The place is free when the work is done, also where nobody waits for it any more.
        let done = self.call_at_once(move |engine| {
            let done = work(engine, &budget);
            drop(pass);
            done
        });
        let done = done.await;
        drop(hung_up);
        done
    }

    /// Calls the engine out of turn: for what is short, and for what has had its turn.
    pub(super) async fn call_at_once<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> Result<T, EngineError> + Send + 'static,
    ) -> Reply<T> {
        let (engine, span) = (Arc::clone(&self.engine), tracing::Span::current());
        let done = tokio::task::spawn_blocking(move || span.in_scope(|| work(&engine))).await;
        let done = done.map_err(|_| ApiError::internal("the work panicked"))?;
        Ok(Json(done.map_err(|error| ApiError::of(&self.engine, &error))?))
    }

    /// Waits for a revision, where a request asks for one and for a wait. Returns the class of what comes then.
    pub(super) async fn wait(
        &self,
        workspace: &Place,
        revision: Option<Revision>,
        wait_ms: u64,
    ) -> Result<Class, ApiError> {
        search::check_wait(wait_ms).map_err(|error| ApiError::of(&self.engine, &error.into()))?;
        let Some(revision) = revision.filter(|_| wait_ms > 0) else { return Ok(Class::Interactive) };
        let workspace = workspace.clone();
        let open = move |engine: &Engine| Ok(workspace.open(engine)?.await_revision(revision, wait_ms));
        let Json(wait) = self.call_at_once(open).await?;
        wait.await.map_err(|error| ApiError::of(&self.engine, &error))?;
        Ok(Class::Waited)
    }

    /// The names that the server goes by.
    pub(super) fn hosts(&self) -> Arc<AllowedHosts> {
        Arc::clone(&self.hosts)
    }

    /// The engine, for callers that use it in another way.
    pub(super) fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engine)
    }

    /// Whether the workspace that `/mcp` is about can be searched, or has been deleted; and why changes of folders may not be known all the same.
    pub(super) fn check_ready(&self) -> impl FnOnce() -> Result<Vec<String>, EngineError> + Send + 'static {
        let (engine, workspace) = (Arc::clone(&self.engine), self.workspace.clone());
        let was_there = self.was_there.load(Ordering::Relaxed);
        move || {
            let is_there = engine.workspaces()?.iter().any(|row| row.id == workspace);
            // The server serves all others.
            if !is_there && was_there {
                return Ok(Vec::new());
            }
            let served = engine.workspace(&workspace, &Caller::local(Surface::Rest))?;
            served.check_replayed()?;
            served.check_looking()?;
            served.coverage()?;
            let mut notes = served.source_status()?.notes;
            notes.extend(on_unwatched(&engine.unwatched_besides(&workspace)?));
            Ok(notes)
        }
    }

    pub(super) fn note_ready(&self) {
        self.was_there.store(true, Ordering::Relaxed);
    }

    /// Reads a body of any length, at least as fast as the longest that is read at once.
    pub(super) fn incoming(&self, body: Body) -> Result<Incoming, ApiError> {
        let room = Arc::clone(&self.bodies).try_acquire_many_owned(PIECES_OF_FILE).map_err(|_| self.no_room())?;
        Ok(Incoming::new(body, self.body_timeout, self.max_body_bytes, room))
    }

    /// Reads a whole body, within the time, the limit of one, and what all that have begun may take together.
    pub(super) async fn read_body(&self, mut body: Body) -> Result<Whole, ApiError> {
        let most = self.max_body_bytes;
        if body.size_hint().lower() > most as u64 {
            return Err(self.too_large());
        }
        let (mut bytes, mut room): (Vec<u8>, Option<OwnedSemaphorePermit>) = (Vec::new(), None);
        let reading = async {
            while let Some(frame) = body.frame().await {
                // What is no data says nothing here.
                let Ok(data) = frame.map_err(|_| incoming::broken())?.into_data() else { continue };
                if bytes.len() + data.len() > most {
                    return Err(self.too_large());
                }
                let held = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
                let wanted = (bytes.len() + data.len()).div_ceil(PIECE).saturating_sub(held);
                let more = u32::try_from(wanted)
                    .ok()
                    .and_then(|wanted| Arc::clone(&self.bodies).try_acquire_many_owned(wanted).ok());
                let more = more.ok_or_else(|| self.no_room())?;
                match &mut room {
                    Some(room) => room.merge(more),
                    None => room = Some(more),
                }
                bytes.extend_from_slice(&data);
            }
            Ok(())
        };
        tokio::time::timeout(self.body_timeout, reading).await.map_err(|_| incoming::late())??;
        Ok(Whole { bytes: bytes.into(), _room: room })
    }

    pub(super) fn too_large(&self) -> ApiError {
        ApiError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            format!("the request's body has more than {} bytes (`limits.body_bytes`)", self.max_body_bytes),
            "send less at once; put a large file into the workspace's folder instead",
        )
    }

    fn no_room(&self) -> ApiError {
        let most = self.limits().bodies_bytes;
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too_many_bodies",
            format!(
                "the bodies that are being received have {most} bytes together, as many as `limits.bodies_bytes` allows"
            ),
            "send it again in a second",
        )
    }

    pub(super) fn event_rules(&self) -> &config::Events {
        &self.engine.config().events
    }

    /// What is so at this moment, for `/metrics`.
    pub(super) fn measure(&self) {
        let metrics = &self.metrics;
        let (at_work, queued) = self.gate.load();
        metrics.set_load(at_work, queued);
        metrics.set_waits(self.engine.num_waiting());
        let free = self.bodies.available_permits();
        metrics.set_bodies((self.num_pieces.saturating_sub(free)) * PIECE);
        let rows = self.engine.workspaces().unwrap_or_default();
        let pending = rows
            .iter()
            .filter_map(|row| {
                self.engine.workspace(&row.id, &Caller::local(Surface::Rest)).and_then(|one| one.freshness()).ok()
            })
            .map(|(_, pending)| pending);
        metrics.set_pending(rows.len(), pending.sum());
        metrics.set_engine(&self.engine.load());
    }

    pub(super) fn default_workspace(&self) -> WorkspaceId {
        self.workspace.clone()
    }

    /// The server's address as a client wrote it.
    pub(super) fn origin(&self, headers: &HeaderMap) -> String {
        uploads::origin_of(headers, self.has_tls)
    }

    pub(super) async fn mcp(&self, workspace: WorkspaceId, by: &Checked, request: Request) -> Response {
        let guard = mcp::HttpGuard { allowed_hosts: self.hosts.names(), allowed_origins: self.hosts.origins() };
        let (parts, body) = request.into_parts();
        let whole =
            if parts.method == Method::POST { self.read_body(body).await } else { self.read_body(Body::empty()).await };
        let whole = match whole {
            Ok(whole) => whole,
            Err(error) => return error.into_response(),
        };
        if parts.method == Method::POST
            && is_json(&parts.headers)
            && let Err(refused) = rpc::check(&whole.bytes)
        {
            return refused.into_response();
        }
        let budget = Budget::default();
        let hung_up = budget.cancelled_on_drop();
        let by = by.clone();
        let Json(caller) = match self.call_at_once(move |engine| by.caller(engine)).await {
            Ok(caller) => caller,
            Err(error) => return error.into_response(),
        };
        let desk = mcp::Desk {
            gate: Some(Arc::clone(&self.gate)),
            budget: Some(budget),
            caller,
            tools: self.tools,
            origin: Some(self.origin(&parts.headers)),
            keeps_subscriptions: mcp::listens_by_request(&parts.headers),
        };
        let service = mcp::http_service(Arc::clone(&self.engine), workspace, guard, desk, self.max_body_bytes);
        let request = Request::from_parts(parts, Body::from(whole.bytes.clone()));
        let response = service.handle(request).await;
        // A reply that comes bit by bit is waited for until its end.
        response.map(|body| {
            body::Body::new(body.map_frame(move |frame| {
                let _held = &hung_up;
                frame
            }))
        })
    }
}

/// What is told of folders that are away or not watched.
fn on_unwatched(workspaces: &[WorkspaceId]) -> Option<String> {
    let named: Vec<String> = workspaces.iter().take(MAX_NAMED).map(|id| format!("`{id}`")).collect();
    let named = named.join(", ");
    match workspaces.len() {
        0 => None,
        1 => Some(format!("the folder of another workspace is away or not watched: {named}; its status says why")),
        num if num <= MAX_NAMED => {
            Some(format!("{num} other folders are away or not watched: {named}; their status says why"))
        }
        num => Some(format!("{num} other folders are away or not watched, of {named} and more; their status says why")),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    super::extract::check_marked_as_json(headers).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Access, OpenOptions};

    fn app(data: &tempfile::TempDir) -> App {
        let engine = Engine::open(OpenOptions::new(data.path(), Access::Write, "a test")).unwrap();
        let options = Options::within(&engine.config().limits);
        let hosts = Arc::new(AllowedHosts::new(options.address, &[]));
        App::new(Arc::new(engine), WorkspaceId::default(), &options, hosts)
    }

    #[tokio::test]
    async fn work_whose_client_hangs_up_is_told_so() {
        let data = tempfile::tempdir().unwrap();
        let app = app(&data);
        let (begun, has_begun) = tokio::sync::oneshot::channel();
        let (ended, has_ended) = tokio::sync::oneshot::channel();
        let work = app.call_within(Class::Interactive, |_, budget| {
            begun.send(()).unwrap();
            while !budget.is_over() {
                std::thread::yield_now();
            }
            ended.send(budget.is_cancelled()).unwrap();
            Ok(())
        });
        tokio::select! {
            _ = work => panic!("it ends although nobody has hung up"),
            begun = has_begun => begun.unwrap(),
        }
        assert!(has_ended.await.unwrap());
    }

    #[tokio::test]
    async fn beyond_capacity_a_request_is_refused_at_once_and_told_when_to_come_again() {
        let data = tempfile::tempdir().unwrap();
        fs_err::write(data.path().join("config.toml"), "[limits]\nrequests_per_core = 1\nqueued_per_core = 1\n")
            .unwrap();
        let app = app(&data);
        let mut passes = Vec::new();
        let cores = std::thread::available_parallelism().unwrap().get();
        while passes.len() < cores {
            passes.push(app.enter(Class::Interactive).await.unwrap());
        }
        let mut queued: Vec<_> = (0..cores).map(|_| Box::pin(app.enter(Class::Interactive))).collect();
        for waiting in &mut queued {
            assert!(futures_are_pending(waiting.as_mut()));
        }
        let refused = app.call(|_| Ok(0)).await.unwrap_err().into_response();
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers()["retry-after"], "1");
        drop((queued, passes));
        assert!(app.call(|_| Ok(0)).await.is_ok());
    }

    fn futures_are_pending<F: Future>(future: std::pin::Pin<&mut F>) -> bool {
        future.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_pending()
    }
}
