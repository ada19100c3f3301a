//! Events that others have pushed: each is taken once, under its id.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};

use super::log::insert;
use super::{Observation, Store, StoreError, Written, as_i64, begin, provenance};
use crate::failpoint;
use crate::workspace::{Priority, RelPath, Revision, WorkspaceId};

/// How long the id of an event is remembered.
const REMEMBERED_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// An event, and what was found when it was looked at.
#[derive(Debug, Clone)]
pub struct LoggedEvent {
    /// Its id.
    pub id: String,
    /// The file it is about.
    pub path: RelPath,
    /// When it happened, as its sender says.
    pub occurred_at: Option<Timestamp>,
    /// The changes to log; none where the file table says the same.
    pub observations: Vec<Observation>,
    /// Where the file was before, if it holds what it held there: what is known of its writer goes with it.
    pub moved_from: Option<RelPath>,
}

impl Store {
    /// The revision that an event was answered with, if it was taken before.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn event_revision(&self, workspace: &WorkspaceId, id: &str) -> Result<Option<Revision>, StoreError> {
        let connection = self.reader();
        let mut statement =
            connection.prepare_cached("SELECT revision FROM events WHERE workspace = ?1 AND id = ?2")?;
        let revision: Option<i64> = statement.query_row([workspace.as_str(), id], |row| row.get(0)).optional()?;
        Ok(revision.map(|revision| Revision(revision.cast_unsigned())))
    }

    /// When the newest event about a file happened, by what the senders said; one that says no time happened when it was taken.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn newest_event_at(&self, workspace: &WorkspaceId, path: &RelPath) -> Result<Option<Timestamp>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT max(coalesce(occurred_ms, at_ms)) FROM events WHERE workspace = ?1 AND path = ?2",
        )?;
        let newest: Option<i64> = statement.query_row([workspace.as_str(), path.as_str()], |row| row.get(0))?;
        Ok(newest.and_then(|newest| Timestamp::from_millisecond(newest).ok()))
    }

    /// Writes the changes of events to the log and remembers the events, durably and in order, and returns the revision that
    /// each is answered with. One without a change is answered with the newest revision there is. What a key has written for them is
    /// counted in the same transaction.
    ///
    /// # Errors
    /// Nothing of them is in the log then.
    pub fn log_events(
        &self,
        workspace: &WorkspaceId,
        events: &[LoggedEvent],
        written: Option<&Written>,
    ) -> Result<Vec<Revision>, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        let now = Timestamp::now().as_millisecond();
        let mut revisions = Vec::with_capacity(events.len());
        {
            let mut newest = transaction.prepare_cached("SELECT max(revision) FROM changes WHERE workspace = ?1")?;
            let mut remember = transaction.prepare_cached(
                "INSERT OR REPLACE INTO events (workspace, id, path, occurred_ms, revision, at_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            transaction.execute("DELETE FROM events WHERE at_ms < ?1", [now - REMEMBERED_MS])?;
            for LoggedEvent { id, path, occurred_at, observations, moved_from } in events {
                insert(&transaction, workspace, observations, Priority::Interactive, written)?;
                let moved = observations.iter().find(|seen| seen.path == *path);
                if let (Some(from), Some(seen)) = (moved_from, moved) {
                    provenance::carry(&transaction, workspace, from, seen)?;
                }
                let revision: Option<i64> = newest.query_row([workspace.as_str()], |row| row.get(0))?;
                let revision = Revision(revision.unwrap_or(0).cast_unsigned());
                let occurred_ms = occurred_at.map(Timestamp::as_millisecond);
                let row = params![workspace.as_str(), id, path.as_str(), occurred_ms, as_i64(revision.0), now];
                remember.execute(row)?;
                revisions.push(revision);
            }
        }
        written.map_or(Ok(()), |written| written.count(&transaction))?;
        failpoint::reach("events: written");
        transaction.commit()?;
        failpoint::reach("events: durable");
        Ok(revisions)
    }
}
