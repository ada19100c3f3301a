//! A flush of a folder that another process keeps in step: it is asked by a file of the state's folder, and answers by another one.
//!
//! # Invariants
//! - Both files appear whole, by a rename. Who opens the state removes those that are left of a process that was ended.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::SyncError;
use super::outcome::Outcome;
use super::round::{Desk, Direction, Scope};
use super::state::{self, State};

const ASKED: &str = "ask-";
const ANSWERED: &str = "answer-";
/// How often is looked for an answer.
const LOOKS_EVERY: Duration = Duration::from_millis(30);

/// What became of a flush that was asked for.
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    pub outcome: Outcome,
    /// Why no more could be done.
    pub failure: Option<String>,
}

/// A folder's state, or what the process that has it has done.
pub(super) enum Opened {
    State(State),
    Answer(Answer),
}

/// Opens the state of a folder, or has the process that has it flush the folder.
///
/// # Errors
/// [`SyncError::State`].
pub(super) fn open_or_ask(root: &Path) -> Result<Opened, SyncError> {
    let folder = state::folder_of(root);
    let token = format!("{}-{}", std::process::id(), super::here::now_ns());
    let (asked, answered) = (folder.join(format!("{ASKED}{token}")), folder.join(format!("{ANSWERED}{token}")));
    let refused = |error: io::Error| SyncError::State { folder: folder.clone(), reason: error.to_string() };
    loop {
        match State::open(root) {
            Err(SyncError::Busy { .. }) => {}
            opened => {
                let _ = fs_err::remove_file(&asked);
                return opened.map(Opened::State);
            }
        }
        if let Ok(text) = fs_err::read(&answered) {
            let _ = fs_err::remove_file(&answered);
            let answer = serde_json::from_slice(&text).map_err(|error| refused(error.into()))?;
            return Ok(Opened::Answer(answer));
        }
        if !asked.exists() {
            write_whole(&asked, b"").map_err(refused)?;
        }
        std::thread::sleep(LOOKS_EVERY);
    }
}

fn write_whole(path: &Path, text: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("part");
    fs_err::write(&beside, text)?;
    fs_err::rename(beside, path)
}

/// Files of those that have asked, and of answers that nobody has taken.
fn files(folder: &Path, beginning: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs_err::read_dir(folder) else { return Vec::new() };
    let is_one =
        |name: &str| name.starts_with(beginning) && Path::new(name).extension().is_none_or(|end| end != "part");
    entries.flatten().filter(|entry| entry.file_name().to_str().is_some_and(is_one)).map(|entry| entry.path()).collect()
}

/// Removes what is left of a process that was ended.
pub(super) fn sweep(folder: &Path) {
    for path in files(folder, ANSWERED) {
        // It says nothing to anybody any more.
        let _ = fs_err::remove_file(path);
    }
}

impl Desk {
    /// Flushes the folder for those who have asked for it.
    ///
    /// # Errors
    /// [`SyncError`] where no file can be kept in step any more.
    pub(super) fn answer(&self) -> Result<(), SyncError> {
        let asked = files(self.state.folder(), ASKED);
        if asked.is_empty() {
            return Ok(());
        }
        let before = self.tally.outcome(self.durable());
        let flushed = self
            .round(&Scope::Here(None), Direction::ToServer, &|_| {})
            .and_then(|again| self.settle_these(again, Direction::ToServer, &|_| {}));
        let outcome = self.tally.outcome(self.durable()).since(&before);
        let failure = flushed.as_ref().err().map(ToString::to_string);
        let text = serde_json::to_vec(&Answer { outcome, failure }).unwrap_or_default();
        for path in asked {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let answer = path.with_file_name(name.replacen(ASKED, ANSWERED, 1));
            if let Err(error) = write_whole(&answer, &text).and_then(|()| fs_err::remove_file(&path)) {
                tracing::warn!(%error, "a flush could not be answered");
            }
        }
        match flushed {
            Err(SyncError::Emptied { .. }) => Ok(()),
            flushed => flushed,
        }
    }
}
