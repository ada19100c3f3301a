//! Violations of locks, told to the audit journal: each once, wherever a process ends.
//!
//! The store has a violation with its change. It is marked as recorded after the journal has it, so a process that ended in between has left one
//! that the journal may have: the first look of a process searches the journal for those.

use parking_lot::Mutex;

use crate::audit::{Activity, Actor, AuditEntry, AuditError, Entry, Journal, Query};
use crate::budget::Budget;
use crate::failpoint;
use crate::store::{Store, StoreError, Violation};
use crate::workspace::{LockMode, LockViolation};

/// The action of an entry that tells of a violation.
const VIOLATED: &str = "lock.violated";
/// The surface of a change that was made on disk.
const DISK: &str = "disk";
/// Violations that are recorded between two looks at the store.
const MAX_AT_ONCE: usize = 200;

/// Brings violations into the journal.
pub(crate) struct ViolationRecorder {
    /// Whether an earlier process may have recorded a violation without marking it. Held while violations are recorded.
    may_be_recorded: Mutex<bool>,
}

/// Why violations are not recorded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Audit(#[from] AuditError),
}

impl ViolationRecorder {
    pub(crate) const fn new() -> Self {
        Self { may_be_recorded: Mutex::new(true) }
    }

    /// Records what the journal does not have yet. To be called by the process that indexes alone.
    ///
    /// # Errors
    /// What is not recorded is recorded by the next call.
    pub(crate) fn record(&self, store: &Store, journal: &Journal) -> Result<(), RecordError> {
        let mut may_be_recorded = self.may_be_recorded.lock();
        loop {
            let violations = store.violations_to_record(MAX_AT_ONCE)?;
            for violation in &violations {
                if !*may_be_recorded || !is_recorded(journal, violation)? {
                    // Until the mark is durable.
                    *may_be_recorded = true;
                    record(journal, violation)?;
                }
                failpoint::reach("violations: recorded, not marked");
                store.note_recorded(violation)?;
                *may_be_recorded = false;
            }
            if violations.len() < MAX_AT_ONCE {
                *may_be_recorded = false;
                return Ok(());
            }
        }
    }
}

pub(super) fn record(journal: &Journal, Violation { workspace, told, .. }: &Violation) -> Result<(), AuditError> {
    let paths = std::slice::from_ref(&told.path);
    let entry = Entry {
        workspace: Some(workspace),
        paths,
        revision: Some(told.revision),
        message: Some(message(told).into()),
        ..Entry::new(Activity::Update, VIOLATED, Actor::Unknown, DISK)
    };
    journal.record(&entry).map(drop)
}

fn is_recorded(journal: &Journal, Violation { workspace, told, .. }: &Violation) -> Result<bool, AuditError> {
    if !journal.is_on() {
        return Ok(false);
    }
    let is_of_path = |path: &str| path == told.path.as_str();
    let mut query = Query {
        workspace: Some(workspace),
        in_workspace: None,
        on_path: Some(&is_of_path),
        agent: None,
        key: None,
        action: Some(VIOLATED),
        result: None,
        is_conflict: false,
        since_ms: None,
        until_ms: None,
        cited: None,
        before: None,
        limit: MAX_AT_ONCE,
        sees: None,
    };
    let message = message(told);
    let is_of_violation =
        |entry: &AuditEntry| entry.revision == Some(told.revision.0) && entry.message.as_deref() == Some(&message);
    loop {
        let found = journal.search(&query, &Budget::default())?;
        if found.entries.iter().any(is_of_violation) {
            return Ok(true);
        }
        query.before = found.next;
        if query.before.is_none() {
            return Ok(false);
        }
    }
}

/// What a person is told: the journal has no places of its own for a lock.
fn message(LockViolation { kind, lock, .. }: &LockViolation) -> String {
    let mode = match lock.mode {
        LockMode::Exclusive => "exclusive",
        LockMode::Shared => "shared",
    };
    let reason = lock.reason.as_ref().map(|reason| format!(", taken for \"{reason}\"")).unwrap_or_default();
    let (id, fence, holder) = (&lock.lock_id, lock.fence, &lock.holder);
    format!("{} on disk under the {mode} lock {id} (fence {fence}) of {holder}{reason}", kind.name())
}
