//! How a call runs: it waits for the revision that it names, then for its turn, and then a thread runs it.

use rmcp::model::JsonObject;
use serde_json::Value;

use super::server::McpServer;
use super::tools::{Around, Gave, Outcome, WorkspaceTool};
use crate::budget::Budget;
use crate::engine::{EngineError, NewLock, Workspace, lock_within};
use crate::error::ErrorReport;
use crate::gate::Class;
use crate::workspace::Revision;

/// The tool that takes a lock.
const LOCK_TOOL: &str = "lock_file";

impl McpServer {
    /// Waits until the workspace is as new as a revision.
    pub(super) async fn await_revision(&self, revision: Revision, wait_ms: u64) -> Result<(), ErrorReport> {
        let Self { engine, workspace, desk, .. } = self.clone();
        let report = |error: &EngineError| self.engine.report(error);
        let open =
            move || Ok::<_, EngineError>(engine.workspace(&workspace, &desk.caller)?.await_revision(revision, wait_ms));
        let wait = tokio::task::spawn_blocking(open).await.map_err(|_| failed())?;
        wait.map_err(|error| report(&error))?.await.map_err(|error| report(&error))
    }

    /// Waits for the revision that is asked for, then for a turn, then runs the tool, as long as the client is there.
    pub(super) async fn outcome(&self, tool: &'static WorkspaceTool, mut arguments: JsonObject) -> Outcome {
        let number = |arguments: &JsonObject, name: &str| arguments.get(name).and_then(Value::as_u64);
        let waited_for =
            number(&arguments, "min_revision").zip(number(&arguments, "wait_ms").filter(|wait_ms| *wait_ms > 0));
        let mut class = if tool.tool.name == "ask_workspace" { Class::Batch } else { Class::Interactive };
        if let Some((revision, wait_ms)) = waited_for {
            self.await_revision(Revision(revision), wait_ms).await?;
            arguments.insert("wait_ms".to_owned(), 0.into());
            class = Class::Waited;
        }
        if tool.tool.name == LOCK_TOOL && number(&arguments, "wait_ms").is_some_and(|wait_ms| wait_ms > 0) {
            return self.lock(super::tools::parse(arguments)?).await;
        }
        let wait_searchable_ms = number(&arguments, "wait_searchable_ms").unwrap_or(0);
        let outcome = {
            let origin = self.desk.origin.clone();
            let run = move |workspace: &Workspace<'_>, budget: &Budget| {
                (tool.run)(workspace, arguments, &Around { budget, origin: origin.as_deref() })
            };
            self.run_in_turn(class, run).await
        };
        match outcome {
            Ok(Gave { structured: Value::Object(reply), meta, blocks }) if wait_searchable_ms > 0 => {
                let structured = self.with_searchable(reply, wait_searchable_ms).await?.into();
                Ok(Gave { structured, meta, blocks })
            }
            outcome => outcome,
        }
    }

    /// Runs what blocks when its turn comes, as long as the client is there.
    pub(super) async fn run_in_turn<T: Send + 'static>(
        &self,
        class: Class,
        run: impl FnOnce(&Workspace<'_>, &Budget) -> Result<T, ErrorReport> + Send + 'static,
    ) -> Result<T, ErrorReport> {
        let Self { engine, workspace, desk, .. } = self.clone();
        let holder = engine.limited(&desk.caller).map(|whose| whose.to_string().into());
        let pass = match &desk.gate {
            Some(gate) => Some(gate.enter(class, holder).await.map_err(|_| {
                let message = "the server is overloaded and refuses this request";
                ErrorReport::new("overloaded", message, "ask again in a second")
            })?),
            None => None,
        };
        let budget = desk.budget.clone().unwrap_or_default();
        let hung_up = budget.cancelled_on_drop();
        let span = tracing::Span::current();
        let in_turn = move || {
            let _in_span = span.enter();
            // The call may have waited long.
            let opened = engine.still_holds(&desk.caller).and_then(|caller| engine.workspace(&workspace, &caller));
            let opened = opened.map_err(|error| engine.report(&error));
            let outcome = opened.and_then(|workspace| run(&workspace, &budget));
            drop(pass);
            outcome
        };
        let outcome = tokio::task::spawn_blocking(in_turn).await;
        drop(hung_up);
        outcome.unwrap_or_else(|error| {
            tracing::error!(is_panic = error.is_panic(), "a call failed to run");
            Err(failed())
        })
    }

    /// Waits until searches find a change, and adds to its reply whether they do.
    async fn with_searchable(&self, mut reply: JsonObject, wait_ms: u64) -> Result<JsonObject, ErrorReport> {
        let Some(revision) = reply.get("revision").and_then(Value::as_u64).map(Revision) else { return Ok(reply) };
        // The change is made, whatever becomes of the wait.
        if let Err(error) = self.await_revision(revision, wait_ms).await {
            tracing::debug!(code = %error.code, "a change is not waited for");
        }
        let Self { engine, workspace, desk, .. } = self.clone();
        let ask = move || engine.workspace(&workspace, &desk.caller)?.is_searchable(revision);
        let is_searchable = tokio::task::spawn_blocking(ask).await.map_err(|_| failed())?;
        reply.insert("searchable".to_owned(), is_searchable.map_err(|error| self.engine.report(&error))?.into());
        Ok(reply)
    }

    /// Takes a lock, waiting for it in line.
    async fn lock(&self, new: NewLock) -> Outcome {
        let report = |error: &EngineError| self.engine.report(error);
        let opened = |server: &Self| {
            let Self { engine, workspace, desk, .. } = server.clone();
            move || (engine, workspace, desk.caller)
        };
        let slot = {
            let (engine, workspace, caller) = opened(self)();
            let begin = move || engine.workspace(&workspace, &caller)?.begin_lock_wait();
            tokio::task::spawn_blocking(begin).await.map_err(|_| failed())?.map_err(|error| report(&error))?
        };
        let try_once = |new: NewLock| {
            let (engine, workspace, caller) = opened(self)();
            async move {
                let take = move || {
                    let caller = engine.still_holds(&caller)?;
                    match engine.workspace(&workspace, &caller)?.take_lock(&new) {
                        Err(EngineError::Locked(held)) => Ok(Err(held)),
                        taken => taken.map(Ok),
                    }
                };
                tokio::task::spawn_blocking(take).await.map_err(|_| failed())?.map_err(|error| report(&error))
            }
        };
        let leave = |ticket| {
            let (engine, workspace, caller) = opened(self)();
            async move {
                let leave = move || engine.workspace(&workspace, &caller)?.end_lock_wait(ticket);
                if let Ok(Err(error)) = tokio::task::spawn_blocking(leave).await {
                    tracing::debug!(%error, "a wait for a lock ends by itself");
                }
            }
        };
        let taken = lock_within(new, try_once, leave).await?;
        drop(slot);
        match taken {
            Ok(lock) => Ok(Gave::of(super::tools::to_value(&lock)?)),
            Err(held) => Err(report(&EngineError::Locked(held))),
        }
    }
}

pub(super) fn failed() -> ErrorReport {
    let hint = "this is a fault of the program: its log says more";
    ErrorReport::new("internal", "the tool failed to run", hint)
}
