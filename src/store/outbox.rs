//! What webhooks are to be told, written in the transaction of the change itself, until it is made into deliveries.
//!
//! # Invariants
//! - A change that is durable is in the outbox where its workspace has a webhook that is switched on, and one that is not durable is not.
//! - A row holds all that a message says: nothing else has to be kept for it, so the log may be pruned.
//! - A row goes in the transaction that makes its deliveries, so an event is made into deliveries once.

use rusqlite::{CachedStatement, OptionalExtension as _, Row, Transaction, params};

use super::{ChangeKind, Observation, Store, StoreError, as_i64, begin, provenance};
use crate::failpoint;
use crate::workspace::{
    ContentHash, EventData, FileEntry, FileState, LockViolation, Provenance, RelPath, Revision, WebhookEvent,
    WorkspaceId,
};

/// Characters of a reason that are told.
const MAX_REASON_CHARS: usize = 500;

/// An event that is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    /// Its number: events happened in the order of their numbers.
    pub id: u64,
    /// What happened.
    pub event: WebhookEvent,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Where, and what it was.
    pub data: EventData,
}

/// A message for one webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewDelivery {
    /// The webhook.
    pub webhook: u64,
    /// The event that it tells, by its number in the outbox.
    pub told: u64,
    /// The type of the message.
    pub event: &'static str,
    /// The file that it is of.
    pub path: Option<RelPath>,
    /// The change that it is of.
    pub revision: Revision,
    /// When the event happened, in milliseconds since 1970.
    pub at_ms: i64,
    /// The message.
    pub body: String,
}

/// Writes down what is to be told of one workspace, in the transaction of the change.
pub(super) struct Outbox<'a> {
    workspace: &'a WorkspaceId,
    /// `None` where nobody listens.
    open: Option<Open<'a>>,
}

struct Open<'a> {
    insert: CachedStatement<'a>,
    withdraw: CachedStatement<'a>,
    change: CachedStatement<'a>,
    writer: CachedStatement<'a>,
}

impl<'a> Outbox<'a> {
    pub(super) fn of(transaction: &'a Transaction<'a>, workspace: &'a WorkspaceId) -> Result<Self, StoreError> {
        let mut listens =
            transaction.prepare_cached("SELECT 1 FROM webhooks WHERE workspace = ?1 AND enabled = 1 LIMIT 1")?;
        if !listens.exists([workspace.as_str()])? {
            return Ok(Self::silent(workspace));
        }
        let open = Open {
            insert: transaction.prepare_cached(
                "INSERT INTO outbox (workspace, event, revision, at_ms, told) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?,
            withdraw: transaction
                .prepare_cached("DELETE FROM outbox WHERE revision = ?1 AND event <> 'lock.violated'")?,
            // The watch sees what was written through us, and logs it once more: a client knows the change that it was told of.
            change: transaction.prepare_cached(
                "SELECT kind, moved_from, revision FROM changes
                 WHERE (workspace, path) = (SELECT workspace, path FROM changes WHERE revision = ?1)
                     AND revision <= ?1 AND is_echo = 0 ORDER BY revision DESC LIMIT 1",
            )?,
            writer: transaction
                .prepare_cached("SELECT told FROM provenance WHERE workspace = ?1 AND path = ?2 AND standing = 0")?,
        };
        Ok(Self { workspace, open: Some(open) })
    }

    /// An outbox that takes nothing: of what is no change of a file.
    pub(super) const fn silent(workspace: &'a WorkspaceId) -> Self {
        Self { workspace, open: None }
    }

    /// Tells a change that has just entered the log. `replaces` is an earlier change that says the same, and less.
    pub(super) fn tell_change(
        &mut self,
        seen: &Observation,
        revision: Revision,
        (kind, from): (ChangeKind, Option<&str>),
        replaces: Option<i64>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        if let Some(replaced) = replaces {
            open.withdraw.execute([replaced])?;
        }
        let from: Option<RelPath> =
            from.map(|from| from.parse().map_err(|_| rusqlite::Error::InvalidQuery)).transpose()?;
        let kind = if from.is_some() { ChangeKind::Renamed } else { kind };
        let data = EventData {
            workspace: self.workspace.clone(),
            path: Some(seen.path.clone()),
            revision,
            kind: Some(kind),
            content_hash: seen.content_hash,
            from,
            reason: None,
            provenance: seen.provenance.clone(),
            lock: None,
        };
        open.put(WebhookEvent::of_change(kind), now_ms, &data)
    }

    /// Tells that a file is searchable, or why it is not, now that the index has committed it and no newer change of it waits.
    pub(super) fn tell_read(&mut self, file: &FileEntry, now_ms: i64) -> Result<(), StoreError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let event = match file.state {
            FileState::Ready | FileState::Partial | FileState::Empty => WebhookEvent::FileReady,
            FileState::Failed | FileState::Unsupported => WebhookEvent::FileFailed,
            FileState::Pending | FileState::Listed => return Ok(()),
        };
        let change = open.change.query_row([as_i64(file.revision.0)], |row| {
            let is_renamed = row.get::<_, Option<String>>(1)?.is_some();
            let kind = ChangeKind::from_name(&row.get::<_, String>(0)?).ok_or(rusqlite::Error::InvalidQuery)?;
            let kind = if is_renamed { ChangeKind::Renamed } else { kind };
            Ok((kind, Revision(row.get::<_, i64>(2)?.cast_unsigned())))
        });
        let (kind, revision) = change.optional()?.unzip();
        let writer =
            open.writer.query_row(params![self.workspace.as_str(), file.path.as_str()], |row| provenance::told(row, 0));
        let data = EventData {
            workspace: self.workspace.clone(),
            path: Some(file.path.clone()),
            revision: revision.unwrap_or(file.revision),
            kind,
            content_hash: file.content_hash,
            from: None,
            reason: file.reason.as_deref().map(|reason| reason.chars().take(MAX_REASON_CHARS).collect()),
            provenance: writer.optional()?.unwrap_or_default(),
            lock: None,
        };
        open.put(event, now_ms, &data)
    }

    /// Tells that a change has violated a lock.
    pub(super) fn tell_violation(
        &mut self,
        violation: &LockViolation,
        content_hash: Option<ContentHash>,
    ) -> Result<(), StoreError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let data = EventData {
            workspace: self.workspace.clone(),
            path: Some(violation.path.clone()),
            revision: violation.revision,
            kind: Some(violation.kind),
            content_hash,
            from: None,
            reason: None,
            provenance: Provenance::default(),
            lock: Some(violation.lock.clone()),
        };
        open.put(WebhookEvent::LockViolated, violation.at.as_millisecond(), &data)
    }

    /// Tells that the workspace has another owner, in the transaction that makes it so.
    pub(super) fn tell_transferred(&mut self, transaction: &Transaction<'_>, now_ms: i64) -> Result<(), StoreError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let newest: Option<i64> = transaction
            .prepare_cached("SELECT max(revision) FROM changes WHERE workspace = ?1")?
            .query_row([self.workspace.as_str()], |row| row.get(0))?;
        let newest = Revision(newest.unwrap_or(0).cast_unsigned());
        let data = EventData {
            workspace: self.workspace.clone(),
            path: None,
            revision: newest,
            kind: None,
            content_hash: None,
            from: None,
            reason: None,
            provenance: Provenance::default(),
            lock: None,
        };
        open.put(WebhookEvent::WorkspaceTransferred, now_ms, &data)
    }
}

impl Open<'_> {
    fn put(&mut self, event: WebhookEvent, now_ms: i64, data: &EventData) -> Result<(), StoreError> {
        let told = serde_json::to_string(data)
            .map_err(|error| StoreError::Damaged { reason: format!("an event cannot be kept: {error}") })?;
        self.insert.execute(params![data.workspace.as_str(), event.name(), as_i64(data.revision.0), now_ms, told])?;
        Ok(())
    }
}

impl Store {
    /// The oldest events that are to be told, oldest first, at most `limit`. One that says that a file is searchable comes once its revision is
    /// reached: as long as an interactive change before it is pending, a query with `min_revision` would wait.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn outbox(&self, limit: usize) -> Result<Vec<Told>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT id, event, at_ms, told FROM outbox
             WHERE event <> 'file.ready' OR NOT EXISTS (
                 SELECT 1 FROM changes WHERE workspace = outbox.workspace AND pending = 1 AND priority = 1
                     AND changes.revision <= outbox.revision)
             ORDER BY id LIMIT ?1",
        )?;
        let rows = statement.query_map([as_i64(limit as u64)], told_row)?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// Makes events into deliveries, due at `now_ms`, and forgets the events. A webhook that is gone or switched off gets none, one that was made
    /// or switched on after an event is not told it. A webhook with more than `max_waiting` deliveries that wait is switched off for `reason`.
    /// Returns the webhooks that were.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub(crate) fn deliver(
        &self,
        told: &[u64],
        deliveries: &[NewDelivery],
        (max_waiting, reason): (u64, &str),
        now_ms: i64,
    ) -> Result<Vec<u64>, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        let mut switched_off = Vec::new();
        {
            let mut forget = transaction.prepare_cached("DELETE FROM outbox WHERE id = ?1")?;
            let mut known = std::collections::BTreeSet::new();
            for id in told {
                if forget.execute([as_i64(*id)])? > 0 {
                    known.insert(*id);
                }
            }
            let mut insert = transaction.prepare_cached(
                "INSERT INTO deliveries (workspace, webhook, message, event, path, revision, body, at_ms, state, next_ms)
                 SELECT workspace, id, 'msg_' || lower(hex(randomblob(16))), ?2, ?3, ?4, ?5, ?6, 'pending', ?7
                 FROM webhooks WHERE id = ?1 AND enabled = 1 AND told_after < ?8",
            )?;
            // Another process may have told it already: then its row is gone.
            for delivery in deliveries.iter().filter(|delivery| known.contains(&delivery.told)) {
                insert.execute(params![
                    as_i64(delivery.webhook),
                    delivery.event,
                    delivery.path.as_ref().map(RelPath::as_str),
                    as_i64(delivery.revision.0),
                    delivery.body,
                    delivery.at_ms,
                    now_ms,
                    as_i64(delivery.told),
                ])?;
            }
            let mut num_waiting = transaction
                .prepare_cached("SELECT count(*) FROM deliveries WHERE webhook = ?1 AND next_ms IS NOT NULL")?;
            let webhooks: std::collections::BTreeSet<u64> =
                deliveries.iter().map(|delivery| delivery.webhook).collect();
            for webhook in webhooks {
                let num: i64 = num_waiting.query_row([as_i64(webhook)], |row| row.get(0))?;
                if num > as_i64(max_waiting) && super::webhooks::switch_off(&transaction, webhook, reason)? {
                    switched_off.push(webhook);
                }
            }
        }
        failpoint::reach("webhooks: about to have deliveries");
        transaction.commit()?;
        failpoint::reach("webhooks: have deliveries");
        Ok(switched_off)
    }
}

fn told_row(row: &Row<'_>) -> rusqlite::Result<Told> {
    let impossible = || rusqlite::Error::InvalidQuery;
    let name: String = row.get(1)?;
    Ok(Told {
        id: row.get::<_, i64>(0)?.cast_unsigned(),
        event: WebhookEvent::from_name(&name).ok_or_else(impossible)?,
        at_ms: row.get(2)?,
        data: serde_json::from_str(row.get_ref(3)?.as_str().map_err(|_| impossible())?).map_err(|_| impossible())?,
    })
}
