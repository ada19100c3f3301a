//! What a command asks: a data folder of this machine, or a server. Each verb is here once, and its command prints one reply for both.
//!
//! # A new command
//! 1. Its verb is a method of [`Target`] with two arms: the call of the engine, and a [`Call`] of the route that does the same. Both
//!    return the same type, which the engine's room defines with `Serialize` and `Deserialize`.
//! 2. Its command opens `session.target(…)`, calls the verb and prints the reply. It never asks which of the two it was.
//! 3. `commands::reach` says `Anywhere` of it. A command without a route says `Here`, with the remedy.
//! 4. `tests/integration/remote.rs` runs it against both and compares the outputs.
//!
//! # Invariants
//! - A call that changes nothing says so ([`Call::get`], [`Call::reads`]), and no other does: those are repeated.

mod audit;
mod locks;
mod rights;
mod webhooks;

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

use super::answering::Told;
use super::remote::{Call, Heard, Remote};
use crate::answer::{AskEvent, AskReply, AskRequest, Sentence, Verification};
use crate::budget::Budget;
use crate::engine::{
    self, Caller, ChangeFilters, ChangesReply, ChangesRequest, Engine, FileList, FilesRequest, StatusReport, Surface,
    VerdictsReply, VerdictsRequest, WorkspaceList, WorkspaceSummary,
};
use crate::search::{SearchReply, SearchRequest};
use crate::workspace::{Citation, Decision, WorkspaceId};

/// Who is asked.
pub(super) enum Target<'a> {
    /// A data folder of this machine, as its user.
    Local(Box<Engine>),
    /// A server, with the key that was given.
    Server(&'a Remote),
}

/// The event of a sentence that was checked.
#[derive(Deserialize)]
struct Checked {
    sentence: Sentence,
}

/// A reply that says no more than that it was done.
#[derive(Deserialize)]
struct Done {}

impl Target<'_> {
    /// Finds passages.
    pub(super) fn search(&self, id: &WorkspaceId, request: &SearchRequest) -> anyhow::Result<SearchReply> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.search_within(request, &Budget::default())?),
            Self::Server(server) => {
                let call = Call::post(&["workspaces", id.as_str(), "search"], request);
                Ok(server.call(&call.reads().waits(request.wait_ms))?)
            }
        }
    }

    /// Answers a question; `hear` is told of the answer while it comes, and says whether anybody still reads.
    pub(super) fn ask(
        &self,
        id: &WorkspaceId,
        request: &AskRequest,
        hear: &mut dyn FnMut(Told<'_>) -> bool,
    ) -> anyhow::Result<AskReply> {
        let server = match self {
            Self::Local(engine) => {
                let mut tell = |event: AskEvent<'_>| Told::of(&event).is_none_or(&mut *hear);
                return Ok(local(engine, id)?.ask_within(request, &Budget::default(), &mut tell)?);
            }
            Self::Server(server) => server,
        };
        let call = Call::post(&["workspaces", id.as_str(), "ask"], &in_this_zone(request));
        server.hear(call.reads().takes_long().waits(request.wait_ms), &mut |name, data| {
            let goes_on = match name {
                "sentence" => hear(Told::Sentence(&server.parse::<Checked>(data)?.sentence)),
                "fallback" => hear(Told::Fallback),
                _ => true,
            };
            Ok(if goes_on { Heard::GoOn } else { Heard::Enough })
        })
    }

    /// What is indexed and what is not.
    pub(super) fn status(&self, id: &WorkspaceId) -> anyhow::Result<StatusReport> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.status()?),
            Self::Server(server) => Ok(server.call(&Call::get(&["workspaces", id.as_str(), "status"]))?),
        }
    }

    /// The files with their states.
    pub(super) fn files(&self, id: &WorkspaceId, request: &FilesRequest) -> anyhow::Result<FileList> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.list_files(request)?),
            Self::Server(server) => {
                let call = Call::get(&["workspaces", id.as_str(), "files"])
                    .with("glob", &request.glob)
                    .with("limit", [request.limit])
                    .with("offset", [request.offset]);
                Ok(server.call(&call)?)
            }
        }
    }

    /// The newest changes.
    pub(super) fn changes(&self, id: &WorkspaceId, request: &ChangesRequest) -> anyhow::Result<ChangesReply> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.recent_changes(request)?),
            Self::Server(server) => {
                let ChangesRequest { limit, filters, facets } = request;
                let ChangeFilters { path, agent, run, sandbox, tags, since, until, after_revision, before_revision } =
                    filters;
                let call = Call::get(&["workspaces", id.as_str(), "changes"])
                    .with("limit", [limit])
                    .with("path", path)
                    .with("agent", agent)
                    .with("run", run)
                    .with("sandbox", sandbox)
                    .with("tags", tags)
                    .with("since", since)
                    .with("until", until)
                    .with("after_revision", after_revision)
                    .with("before_revision", before_revision)
                    .with("facets", facets.then_some(true));
                Ok(server.call(&call)?)
            }
        }
    }

    /// Reviewers' verdicts.
    pub(super) fn verdicts(&self, id: &WorkspaceId, request: &VerdictsRequest) -> anyhow::Result<VerdictsReply> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.verdicts(request)?),
            Self::Server(server) => {
                let VerdictsRequest { path, decision, query, before_id, limit } = request;
                let call = Call::get(&["workspaces", id.as_str(), "verdicts"])
                    .with("limit", [limit])
                    .with("path", path)
                    .with("decision", decision.map(Decision::name))
                    .with("query", query)
                    .with("before_id", before_id);
                Ok(server.call(&call)?)
            }
        }
    }

    /// Checks a citation, in the workspace that it names.
    pub(super) fn verify(&self, citation: &Citation) -> anyhow::Result<Verification> {
        let id = &citation.workspace;
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.verify(citation)?),
            Self::Server(server) => {
                let body = serde_json::json!({ "citation": citation });
                Ok(server.call(&Call::post(&["workspaces", id.as_str(), "citations", "verify"], &body).reads())?)
            }
        }
    }

    /// The workspaces, by name.
    pub(super) fn workspaces(&self) -> anyhow::Result<WorkspaceList> {
        match self {
            Self::Local(engine) => Ok(engine.list_workspaces(&user())?),
            Self::Server(server) => Ok(server.call(&Call::get(&["workspaces"]))?),
        }
    }

    /// Makes a workspace; `root` is a folder of the machine that keeps it.
    pub(super) fn create_workspace(&self, id: &WorkspaceId, root: Option<&Path>) -> anyhow::Result<WorkspaceSummary> {
        match self {
            Self::Local(engine) => Ok(engine.create_workspace(id, root)?.into()),
            Self::Server(server) => {
                let mut body = serde_json::json!({ "name": id });
                if let Some(root) = root {
                    body["root"] = root.to_str().context("the name of the folder is not UTF-8")?.into();
                }
                Ok(server.call(&Call::post(&["workspaces"], &body).takes_long())?)
            }
        }
    }

    /// Switches the intelligence of a workspace off or on. Where it is switched on, the files are not indexed yet.
    pub(super) fn set_intelligence(&self, id: &WorkspaceId, is_on: bool) -> anyhow::Result<WorkspaceSummary> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.set_intelligence(is_on)?.into()),
            Self::Server(server) => {
                let body = serde_json::json!({ "intelligence": is_on });
                Ok(server.call(&Call::patch(&["workspaces", id.as_str()], &body).takes_long())?)
            }
        }
    }

    /// Deletes a workspace.
    pub(super) fn delete_workspace(&self, id: &WorkspaceId) -> anyhow::Result<()> {
        match self {
            Self::Local(engine) => Ok(local(engine, id)?.delete()?),
            Self::Server(server) => {
                let Done {} = server.call(&Call::delete(&["workspaces", id.as_str()]).takes_long())?;
                Ok(())
            }
        }
    }
}

/// The handle of a workspace, for the user of this machine.
pub(super) fn local<'a>(engine: &'a Engine, id: &WorkspaceId) -> Result<engine::Workspace<'a>, engine::EngineError> {
    engine.workspace(id, &user())
}

/// The user of this machine, at the command line.
pub(super) const fn user() -> Caller {
    Caller::local(Surface::CommandLine)
}

/// The question with the zone of this machine, where it names none: `yesterday` is the asker's, wherever the server is.
fn in_this_zone(request: &AskRequest) -> AskRequest {
    let here = || jiff::tz::TimeZone::system().iana_name().map(str::to_owned);
    AskRequest { time_zone: request.time_zone.clone().or_else(here), ..request.clone() }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::TcpListener;

    use super::*;
    use crate::answer::PlanChoice;
    use crate::answer::plan::{Moment, plan};
    use crate::cli::remote::RemoteArgs;
    use crate::search::Coverage;
    use crate::workspace::{FileCounts, Revision};

    /// A server that gives one reply of events.
    fn server_of(stream: String) -> Remote {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Some(format!("http://{}", listener.local_addr().unwrap()));
        std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(connection.try_clone().unwrap()).lines();
            while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let header = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
            // A client that has heard enough is gone.
            let _ = connection.write_all(format!("{header}{stream}").as_bytes());
        });
        Remote::of(&RemoteArgs { url, key: None, key_file: None, ca_file: None }).unwrap().unwrap()
    }

    #[test]
    fn an_answer_is_heard_while_it_comes_and_read_at_its_end() {
        let coverage = Coverage { files: FileCounts::default(), embedded_fraction: 1.0, notes: Vec::new() };
        let plan = plan("x", PlanChoice::Auto, &Moment::at(None, Some("UTC")).unwrap());
        let reply = AskReply::abstaining(Revision(7), coverage, plan);
        let done = serde_json::to_string(&reply).unwrap();
        let sentence = |text: &str| {
            let sentence = serde_json::json!({ "sentence": { "text": text, "citations": [0] }, "citations": [] });
            format!("event: sentence\ndata: {sentence}\n\n")
        };
        let stream = format!(
            "event: passages\ndata: {{}}\n\n:\n\n{}event: fallback\ndata: {{}}\n\n{}event: done\ndata: {done}\n\n",
            sentence("One."),
            sentence("Two.")
        );
        let mut heard = Vec::new();
        let mut asked = |most: usize| {
            heard.clear();
            let server = server_of(stream.clone());
            let answer = Target::Server(&server).ask(&WorkspaceId::default(), &AskRequest::new("x"), &mut |told| {
                heard.push(match told {
                    Told::Sentence(sentence) => sentence.text.clone(),
                    Told::Fallback => "fallback".to_owned(),
                });
                heard.len() < most
            });
            (answer, heard.clone())
        };
        let (answer, heard) = asked(9);
        assert_eq!((answer.unwrap(), heard), (reply, ["One.", "fallback", "Two."].map(str::to_owned).to_vec()));
        let (answer, heard) = asked(1);
        let error = answer.unwrap_err();
        assert_eq!(error.downcast_ref::<std::io::Error>().unwrap().kind(), std::io::ErrorKind::BrokenPipe);
        assert_eq!(heard.len(), 1, "nobody reads on");
    }
}
