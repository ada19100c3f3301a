//! What a run did, for a person and for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::workspace::{RelPath, Revision};

/// What happens to a file, as it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Did {
    Upload,
    Download,
    DeleteHere,
    DeleteThere,
}

/// A file that both sides changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptBoth {
    /// The file, which is now as it is on the server.
    pub path: RelPath,
    /// Where the text of this folder is now, here and on the server.
    pub kept_as: RelPath,
    /// The change on the server.
    pub revision: Revision,
    /// Who made it, where somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<String>,
}

/// A file that is not in step, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct NotInStep {
    pub path: String,
    pub reason: String,
}

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Outcome {
    /// The revision up to which everything of this folder is durable on the server.
    pub revision: Revision,
    pub uploaded: u64,
    pub downloaded: u64,
    pub deleted_here: u64,
    pub deleted_there: u64,
    /// Files that both sides changed.
    pub conflicts: Vec<KeptBoth>,
    /// Files that should be in step and are not.
    pub left: Vec<NotInStep>,
    /// Files that are not kept in step, because only one side can have them.
    pub passed_over: Vec<NotInStep>,
}

impl Outcome {
    /// What was done since an earlier outcome of the same run.
    pub(super) fn since(mut self, before: &Self) -> Self {
        self.uploaded -= before.uploaded;
        self.downloaded -= before.downloaded;
        self.deleted_here -= before.deleted_here;
        self.deleted_there -= before.deleted_there;
        self.conflicts.drain(..before.conflicts.len());
        self
    }
}

/// Whether a file should be in step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Left,
    PassedOver,
}

/// What listings have found is kept under names that begin so.
const OF_LISTING: &str = "/";

/// Takes down what a run does, from all of its threads.
pub(super) struct Tally {
    inner: Mutex<Inner>,
    /// Told of each thing as it is done.
    tell: Box<dyn Fn(&str) + Send + Sync>,
}

#[derive(Default)]
struct Inner {
    outcome: Outcome,
    left: BTreeMap<String, NotInStep>,
    passed_over: BTreeMap<String, NotInStep>,
}

impl Tally {
    pub(super) fn new(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { inner: Mutex::default(), tell: Box::new(tell) }
    }

    /// Takes down what was done with a file.
    pub(super) fn did(&self, what: Did, path: &RelPath) {
        let mut inner = self.inner.lock();
        let (count, word) = match what {
            Did::Upload => (&mut inner.outcome.uploaded, "uploaded"),
            Did::Download => (&mut inner.outcome.downloaded, "downloaded"),
            Did::DeleteHere => (&mut inner.outcome.deleted_here, "deleted here"),
            Did::DeleteThere => (&mut inner.outcome.deleted_there, "deleted on the server"),
        };
        *count += 1;
        drop(inner);
        (self.tell)(&format!("{word}: {path}"));
    }

    /// Takes down a conflict.
    pub(super) fn kept_both(&self, kept: KeptBoth) {
        (self.tell)(&conflict(&kept));
        self.inner.lock().outcome.conflicts.push(kept);
    }

    /// Takes down that a file is in step, or may be.
    pub(super) fn clear(&self, name: &str) {
        let mut inner = self.inner.lock();
        inner.left.remove(name);
        inner.passed_over.remove(name);
    }

    /// Takes down that a file is being brought in step: until it is, it is left.
    pub(super) fn begin(&self, name: &str, path: &str) {
        let entry = NotInStep { path: path.to_owned(), reason: "it was not reached in time".to_owned() };
        self.inner.lock().left.entry(name.to_owned()).or_insert(entry);
    }

    /// Takes down that a file is left. The same reason is told once.
    pub(super) fn left(&self, name: &str, path: &str, reason: String) {
        let entry = NotInStep { path: path.to_owned(), reason };
        let mut inner = self.inner.lock();
        inner.passed_over.remove(name);
        let before = inner.left.insert(name.to_owned(), entry.clone());
        drop(inner);
        if before.as_ref() != Some(&entry) {
            (self.tell)(&format!("left: {}: {}", entry.path, entry.reason));
        }
    }

    /// Takes down that a file is none of both sides.
    pub(super) fn passed_over(&self, name: &str, path: &str, reason: String) {
        let mut inner = self.inner.lock();
        inner.left.remove(name);
        inner.passed_over.insert(name.to_owned(), NotInStep { path: path.to_owned(), reason });
    }

    /// Takes down what a listing of a whole side has found; the next one finds it again, or not.
    pub(super) fn of_listing(&self, kind: Kind, path: &str, reason: String) {
        // No file has such a name.
        let name = format!("{OF_LISTING}{path}");
        match kind {
            Kind::Left => self.left(&name, path, reason),
            Kind::PassedOver => self.passed_over(&name, path, reason),
        }
    }

    /// Forgets what listings have found.
    pub(super) fn clear_of_listings(&self) {
        let mut inner = self.inner.lock();
        inner.left.retain(|name, _| !name.starts_with(OF_LISTING));
        inner.passed_over.retain(|name, _| !name.starts_with(OF_LISTING));
    }

    /// The files that are left and can be tried again.
    pub(super) fn files_left(&self) -> BTreeMap<String, RelPath> {
        let inner = self.inner.lock();
        let files = inner.left.iter().filter(|(name, _)| !name.starts_with(OF_LISTING));
        files.filter_map(|(name, entry)| Some((name.clone(), entry.path.parse().ok()?))).collect()
    }

    /// What was done so far; `revision` is the newest one of the server.
    pub(super) fn outcome(&self, revision: Revision) -> Outcome {
        let inner = self.inner.lock();
        Outcome {
            revision,
            left: inner.left.values().cloned().collect(),
            passed_over: inner.passed_over.values().cloned().collect(),
            ..inner.outcome.clone()
        }
    }
}

fn conflict(kept: &KeptBoth) -> String {
    let KeptBoth { path, kept_as, revision, changed_by } = kept;
    let by = changed_by.as_ref().map(|agent| format!(" by {agent}")).unwrap_or_default();
    format!(
        "conflict: {path} was changed here and on the server{by} (revision {}): it has the server's text now, yours is in {kept_as}",
        revision.0
    )
}

/// Writes an outcome for a person. What was told while it happened is left out.
pub(super) fn show(out: &mut dyn Write, outcome: &Outcome, was_told: bool) -> io::Result<()> {
    let Outcome { uploaded, downloaded, deleted_here, deleted_there, conflicts, left, passed_over, .. } = outcome;
    if !was_told {
        for kept in conflicts {
            writeln!(out, "{}", conflict(kept))?;
        }
    }
    for NotInStep { path, reason } in passed_over {
        writeln!(out, "passed over: {path}: {reason}")?;
    }
    for NotInStep { path, reason } in left {
        writeln!(out, "left: {path}: {reason}")?;
    }
    writeln!(
        out,
        "uploaded {uploaded}, downloaded {downloaded}, deleted here {deleted_here}, deleted on the server {deleted_there}, \
         conflicts {}, left {}",
        conflicts.len(),
        left.len()
    )
}
