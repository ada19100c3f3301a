//! `pincite sync`: a folder and a workspace of a server are kept in step, for sandboxes that mount nothing.
//!
//! Each path has three hashes: of what both sides agreed on last (`state.rs`), of what is here (`here.rs`), and of what is there (`server.rs`).
//! `decide.rs` makes a step of them, a pure function; `round.rs` puts steps in order, and `steps.rs` does them. `watch.rs` begins rounds when
//! something changes.
//!
//! # Invariants
//! - No content is replaced or deleted on a side but what both agreed on, or what the other side has as well. A text that both changed is
//!   first copied beside.
//! - A step that was done and not noted, because the process was killed in between, is recognised by equal hashes.
//! - What a server names leads to no place outside the folder, and to none that a workspace's rules pass over.
//!
//! # Not here
//! How the server is asked, and when it is asked again: `cli/remote/`.

mod args;
mod asking;
mod decide;
mod error;
mod here;
mod outcome;
mod receiving;
mod round;
mod server;
mod state;
mod steps;
mod stop;
mod watch;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

pub(super) use self::args::SyncArgs;
use self::asking::{Answer, Opened, open_or_ask};
pub(super) use self::error::SyncError;
use self::here::Here;
use self::outcome::{Outcome, Tally};
use self::round::{Desk, Direction, Scope};
use self::server::Server;
use self::state::State;
use self::steps::agent_in_name;
use self::stop::Stop;
use super::commands::{Done, Session};
use super::plain;
use super::remote::Backoff;
use crate::workspace::{RelPath, Revision};

/// For how long a run that ends by itself asks a server that is away.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the run is looked at that works.
const LOOKS_EVERY: Duration = Duration::from_millis(50);
/// How long after its deadline a request that is under way may still end.
const GRACE: Duration = Duration::from_millis(500);
/// How often paths are looked at again that somebody else changes meanwhile.
const MAX_ROUNDS: usize = 8;

/// `pincite sync`.
pub(super) fn run(session: &Session, args: &SyncArgs) -> anyhow::Result<Done> {
    let remote = session.server()?.clone();
    let provenance = args.provenance();
    provenance.check()?;
    let stop = Stop::default();
    let patience = (!args.mode.watch).then_some(PATIENCE);
    let here = Here::open(&args.dir)?;
    // A hook that flushes need not end the run that keeps the folder in step.
    let state = match if args.mode.flush { open_or_ask(here.root())? } else { Opened::State(State::open(here.root())?) }
    {
        Opened::State(state) => state,
        Opened::Answer(Answer { outcome, failure }) => {
            let end = End { is_told: false, is_flush: true, is_ended: failure.is_none() };
            print(session, &outcome, &end, remote.shown())?;
            failure.map_or(Ok(()), |failure| Err(anyhow::anyhow!(failure)))?;
            return Ok(Done::when(outcome.left.is_empty()));
        }
    };
    let is_told = args.mode.watch && !session.json;
    let desk = Arc::new(Desk {
        state,
        here,
        server: Server::new(remote, session.workspace.clone(), provenance, stop.clone(), patience),
        tally: Tally::new(move |line| {
            if is_told {
                // Where nobody reads, the work goes on.
                let _ = writeln!(std::io::stdout(), "{}", plain::plain(line));
            }
        }),
        stop,
        agent: agent_in_name(args.agent.as_deref()),
        delete_all: args.delete_all,
    });
    let (events, told) = mpsc::channel();
    let ring = events.clone();
    // A run that ends by itself ends what it has begun, and begins no more.
    let deadline = if args.mode.watch { Duration::from_secs(args.deadline_s) } else { Duration::ZERO };
    desk.stop.upon_signals(deadline, move || drop(ring.send(watch::Event::Stop)))?;
    let (worker, (done, ended)) = (Arc::clone(&desk), mpsc::channel());
    let direction = if args.mode.flush { Direction::ToServer } else { Direction::Both };
    let is_watch = args.mode.watch;
    std::thread::Builder::new().name("sync".to_owned()).spawn(move || {
        let result = if is_watch { watch::run(&worker, events, &told) } else { worker.settle(direction, &|_| {}) };
        // Whoever waited has ended.
        let _ = done.send(result);
    })?;
    let result = loop {
        match ended.recv_timeout(LOOKS_EVERY) {
            Ok(result) => break Some(result),
            // It panicked, which was told.
            Err(RecvTimeoutError::Disconnected) => anyhow::bail!("the work was ended by a fault of the program"),
            Err(RecvTimeoutError::Timeout) if desk.stop.is_over_since(GRACE) => break None,
            Err(RecvTimeoutError::Timeout) => {}
        }
    };
    let is_ended = result.is_some() && (args.mode.watch || !desk.stop.is_asked());
    if !is_ended {
        desk.note_unsent()?;
    }
    finish(
        session,
        &desk,
        &End { is_told, is_flush: args.mode.flush || args.mode.watch, is_ended },
        result.and_then(Result::err),
    )
}

/// How a run ended.
struct End {
    /// Whether each thing was told as it was done.
    is_told: bool,
    is_flush: bool,
    /// Whether everything was looked at.
    is_ended: bool,
}

/// Asks how far the server is, and prints what was done.
fn finish(session: &Session, desk: &Desk, end: &End, failure: Option<SyncError>) -> anyhow::Result<Done> {
    let mut revision = desk.durable();
    let mut failure = failure;
    if failure.is_none() && !desk.stop.is_over() {
        match desk.server.newest() {
            Ok(newest) => revision = revision.max(newest),
            Err(error) => failure = Some(error.into()),
        }
    }
    let outcome = desk.tally.outcome(revision);
    let end = End { is_ended: end.is_ended && failure.is_none(), ..*end };
    print(session, &outcome, &end, desk.server.shown())?;
    match failure {
        Some(failure) => Err(failure.into()),
        None => Ok(Done::when(end.is_ended && outcome.left.is_empty())),
    }
}

fn print(session: &Session, outcome: &Outcome, end: &End, server: &str) -> anyhow::Result<()> {
    session.print(outcome, |out| {
        outcome::show(out, outcome, end.is_told)?;
        let revision = outcome.revision.0;
        match (end.is_ended && outcome.left.is_empty(), end.is_flush) {
            (false, _) => Ok(()),
            (true, true) => writeln!(out, "durable up to revision {revision}"),
            (true, false) => {
                let workspace = &session.workspace;
                writeln!(out, "in step with the workspace {workspace} of {server} at revision {revision}")
            }
        }
    })
}

impl Desk {
    /// The newest change of all that both sides agreed on.
    fn durable(&self) -> Revision {
        self.state.bases().into_values().map(|base| base.revision).max().unwrap_or_default()
    }

    /// Does rounds until both sides are in step, or what is left cannot be brought there now.
    ///
    /// # Errors
    /// [`SyncError`] where no file can be kept in step any more.
    fn settle(&self, direction: Direction, entering: &dyn Fn(&str)) -> Result<(), SyncError> {
        let again = self.round(&Scope::All, direction, entering)?;
        self.settle_these(again, direction, entering)
    }

    /// Does rounds over some paths, as [`Self::settle`] does over all.
    fn settle_these(
        &self,
        mut again: BTreeMap<String, RelPath>,
        direction: Direction,
        entering: &dyn Fn(&str),
    ) -> Result<(), SyncError> {
        let mut backoff = Backoff::new();
        for _ in 0..MAX_ROUNDS {
            if again.is_empty() || self.stop.is_over() {
                break;
            }
            again = self.round(&Scope::These(&again), direction, entering)?;
            if !again.is_empty() {
                self.stop.pause(backoff.pause());
            }
        }
        for (name, path) in again {
            self.tally.left(&name, path.as_str(), "it changes again and again".to_owned());
        }
        Ok(())
    }
}
