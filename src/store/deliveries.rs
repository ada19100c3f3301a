//! Deliveries: which are due, what became of each try, and which are still kept.
//!
//! # Invariants
//! - A delivery waits until a try of it has succeeded or the last one has failed, whatever ends in between; its message and `webhook-id` stay.
//! - Only deliveries that do not wait are removed, and those of a webhook that has been switched off for long.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row, params};

use super::webhooks::{find, number, switch_off};
use super::{Store, StoreError, as_i64, begin, parsed};
use crate::failpoint;
use crate::workspace::{Delivery, DeliveryState, RelPath, Revision, WorkspaceId};

const SELECT_DELIVERY: &str =
    "SELECT id, message, event, path, revision, at_ms, state, tries, next_ms, last_ms, status,
         latency_ms, reply, error FROM deliveries";

/// A message that is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Due {
    /// Its number.
    pub id: u64,
    /// The header `webhook-id`.
    pub message_id: String,
    /// The body.
    pub body: String,
    /// How often it was tried.
    pub tries: u32,
    /// The file that it is of.
    pub path: Option<RelPath>,
}

/// When a webhook has something to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting {
    /// The webhook.
    pub webhook: u64,
    /// When its first delivery is due, in milliseconds since 1970.
    pub next_ms: i64,
}

/// What follows a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// It succeeded.
    Done,
    /// It failed, and is tried again at this time, in milliseconds since 1970.
    Again(i64),
    /// It failed, and was the last.
    GivenUp,
    /// It was not sent: its maker does not see the file any more.
    Withdrawn,
    /// The receiver wants nothing any more: the webhook is switched off, for this reason.
    SwitchedOff(&'static str),
}

/// A try of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tried {
    /// The delivery.
    pub delivery: u64,
    /// Its webhook.
    pub webhook: u64,
    /// When the try began, in milliseconds since 1970.
    pub at_ms: i64,
    /// How long it took.
    pub latency_ms: u64,
    /// The status of the reply.
    pub status: Option<u16>,
    /// The beginning of the reply.
    pub reply: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// What follows.
    pub next: Next,
}

/// How much waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WaitingDeliveries {
    /// Deliveries of all workspaces that wait for their first or next try.
    pub number: u64,
    /// When the event of the oldest happened, in milliseconds since 1970.
    pub oldest_ms: Option<i64>,
}

/// Which deliveries are asked for: all conditions hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryScope {
    /// In this state.
    pub state: Option<DeliveryState>,
    /// With a smaller number than this.
    pub before_id: Option<u64>,
}

impl Store {
    /// The webhooks with deliveries that wait, those that are switched off or paused left out, each with when its first delivery is due. Its
    /// cost grows with their number and not with that of deliveries.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn waiting_webhooks(&self) -> Result<Vec<Waiting>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "WITH RECURSIVE named(webhook) AS (
                 SELECT min(webhook) FROM deliveries WHERE next_ms IS NOT NULL
                 UNION ALL
                 SELECT (SELECT min(webhook) FROM deliveries WHERE next_ms IS NOT NULL AND webhook > named.webhook)
                 FROM named WHERE named.webhook IS NOT NULL)
             SELECT named.webhook,
                 (SELECT min(next_ms) FROM deliveries WHERE webhook = named.webhook AND next_ms IS NOT NULL)
             FROM named JOIN webhooks ON webhooks.id = named.webhook WHERE enabled = 1 AND paused = 0",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Waiting { webhook: row.get::<_, i64>(0)?.cast_unsigned(), next_ms: row.get(1)? })
        })?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// The deliveries of a webhook that are due, the longest due first, at most `limit` besides those that are `under_way`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn due(
        &self,
        webhook: u64,
        now_ms: i64,
        under_way: &BTreeSet<u64>,
        limit: usize,
    ) -> Result<Vec<Due>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT id, message, body, tries, path FROM deliveries WHERE webhook = ?1 AND next_ms <= ?2
             ORDER BY next_ms, id LIMIT ?3",
        )?;
        let most = as_i64((limit + under_way.len()) as u64);
        let rows = statement.query_map(params![as_i64(webhook), now_ms, most], |row| {
            Ok(Due {
                id: row.get::<_, i64>(0)?.cast_unsigned(),
                message_id: row.get(1)?,
                body: row.get(2)?,
                tries: row.get(3)?,
                path: path_of(row, 4)?,
            })
        })?;
        let mut due = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        due.retain(|due| !under_way.contains(&due.id));
        due.truncate(limit);
        Ok(due)
    }

    /// Notes what became of tries, durably. A webhook of which no try has succeeded for `off_after_ms` is switched off for `reason`. Returns the
    /// webhooks that were switched off.
    ///
    /// # Errors
    /// Nothing is changed then: the deliveries are tried once more.
    pub(crate) fn note_tries(
        &self,
        tries: &[Tried],
        (off_after_ms, reason): (i64, &str),
    ) -> Result<Vec<u64>, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        let mut switched_off = Vec::new();
        {
            let mut note = transaction.prepare_cached(
                "UPDATE deliveries SET state = ?2, tries = tries + 1, next_ms = ?3, last_ms = ?4, latency_ms = ?5, status = ?6,
                     reply = ?7, error = ?8
                 WHERE id = ?1 AND next_ms IS NOT NULL",
            )?;
            let mut succeeded = transaction.prepare_cached(
                "UPDATE webhooks SET failing_since_ms = NULL WHERE id = ?1 AND failing_since_ms IS NOT NULL",
            )?;
            let mut failed = transaction.prepare_cached(
                "UPDATE webhooks SET failing_since_ms = coalesce(failing_since_ms, ?2) WHERE id = ?1
                 RETURNING failing_since_ms",
            )?;
            for tried in tries {
                let webhook = as_i64(tried.webhook);
                let (state, next_ms) = match tried.next {
                    Next::Done => (DeliveryState::Delivered, None),
                    Next::Again(at_ms) => (DeliveryState::Pending, Some(at_ms)),
                    Next::GivenUp | Next::Withdrawn | Next::SwitchedOff(_) => (DeliveryState::Failed, None),
                };
                note.execute(params![
                    as_i64(tried.delivery),
                    state.name(),
                    next_ms,
                    tried.at_ms,
                    as_i64(tried.latency_ms),
                    tried.status,
                    tried.reply,
                    tried.error,
                ])?;
                if tried.next == Next::Done {
                    succeeded.execute([webhook])?;
                }
                if matches!(tried.next, Next::Done | Next::Withdrawn) {
                    continue;
                }
                let since: Option<i64> =
                    failed.query_row(params![webhook, tried.at_ms], |row| row.get(0)).optional()?;
                let reason = match tried.next {
                    Next::SwitchedOff(reason) => Some(reason),
                    _ => since.filter(|since| tried.at_ms - since >= off_after_ms).map(|_| reason),
                };
                if let Some(reason) = reason
                    && switch_off(&transaction, tried.webhook, reason)?
                {
                    switched_off.push(tried.webhook);
                }
            }
        }
        failpoint::reach("webhooks: about to note tries");
        transaction.commit()?;
        failpoint::reach("webhooks: tries are noted");
        Ok(switched_off)
    }

    /// Has a test message delivered to a webhook, due at once.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`] where the workspace has none of that number, [`StoreError::WebhookOff`] where it is switched off.
    pub(crate) fn add_test_delivery(
        &self,
        workspace: &WorkspaceId,
        webhook: u64,
        body: &str,
        at: Timestamp,
    ) -> Result<Delivery, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        if !find(&transaction, workspace, number(webhook)?)?.enabled {
            return Err(StoreError::WebhookOff { id: webhook });
        }
        transaction.execute(
            "INSERT INTO deliveries (workspace, webhook, message, event, body, at_ms, state, next_ms)
             VALUES (?1, ?2, 'msg_' || lower(hex(randomblob(16))), ?3, ?4, ?5, 'pending', ?5)",
            params![workspace.as_str(), as_i64(webhook), crate::workspace::TEST_EVENT, body, at.as_millisecond()],
        )?;
        let id = transaction.last_insert_rowid();
        let delivery = transaction.query_row(&format!("{SELECT_DELIVERY} WHERE id = ?1"), [id], delivery_row)?;
        transaction.commit()?;
        Ok(delivery)
    }

    /// Has a message delivered again, or at once, with the tries of a new one. Its `webhook-id` stays.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`] or [`StoreError::UnknownDelivery`] where there is none of that number, [`StoreError::WebhookOff`] where
    /// the webhook is switched off.
    pub(crate) fn replay(
        &self,
        workspace: &WorkspaceId,
        webhook: u64,
        delivery: u64,
        now: Timestamp,
    ) -> Result<Delivery, StoreError> {
        let unknown = || StoreError::UnknownDelivery { id: delivery };
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        if !find(&transaction, workspace, number(webhook)?)?.enabled {
            return Err(StoreError::WebhookOff { id: webhook });
        }
        let id = i64::try_from(delivery).map_err(|_| unknown())?;
        let changed = transaction.execute(
            "UPDATE deliveries SET state = 'pending', tries = 0, next_ms = ?3 WHERE id = ?1 AND webhook = ?2",
            params![id, as_i64(webhook), now.as_millisecond()],
        )?;
        if changed == 0 {
            return Err(unknown());
        }
        let delivery = transaction.query_row(&format!("{SELECT_DELIVERY} WHERE id = ?1"), [id], delivery_row)?;
        transaction.commit()?;
        Ok(delivery)
    }

    /// Shows the deliveries of a webhook that are in `scope`, newest first, as long as `see` says to go on.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn see_deliveries(
        &self,
        webhook: u64,
        scope: &DeliveryScope,
        see: &mut dyn FnMut(Delivery) -> bool,
    ) -> Result<(), StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(&format!(
            "{SELECT_DELIVERY} WHERE webhook = ?1 AND id < ?2 AND (?3 IS NULL OR state = ?3) ORDER BY id DESC"
        ))?;
        let before = scope.before_id.map_or(i64::MAX, as_i64);
        let mut rows = statement.query(params![as_i64(webhook), before, scope.state.map(DeliveryState::name)])?;
        while let Some(row) = rows.next()? {
            if !see(delivery_row(row)?) {
                break;
            }
        }
        Ok(())
    }

    /// Removes deliveries that do not wait, of each webhook those beyond its newest `keep`, and all from before `before_ms`; with these also those
    /// that wait for a webhook that is switched off.
    ///
    /// # Errors
    /// Nothing is removed then.
    pub(crate) fn prune_deliveries(&self, keep: usize, before_ms: i64) -> Result<usize, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        let mut num_removed = 0;
        {
            let mut webhooks = transaction.prepare_cached("SELECT id, enabled FROM webhooks")?;
            let webhooks = webhooks.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?)))?;
            let webhooks = webhooks.collect::<rusqlite::Result<Vec<_>>>()?;
            let mut oldest_kept = transaction.prepare_cached(
                "SELECT id FROM deliveries WHERE webhook = ?1 AND next_ms IS NULL ORDER BY id DESC LIMIT 1 OFFSET ?2",
            )?;
            let mut remove = transaction.prepare_cached(
                "DELETE FROM deliveries WHERE webhook = ?1 AND (
                     next_ms IS NULL AND (id < ?2 OR at_ms < ?3) OR ?4 = 0 AND at_ms < ?3)",
            )?;
            for (webhook, enabled) in webhooks {
                let offset = as_i64(keep.saturating_sub(1) as u64);
                let kept: Option<i64> = oldest_kept.query_row(params![webhook, offset], |row| row.get(0)).optional()?;
                num_removed += remove.execute(params![webhook, kept.unwrap_or(0), before_ms, enabled])?;
            }
        }
        transaction.commit()?;
        Ok(num_removed)
    }

    /// How many deliveries wait, of webhooks that are switched on.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn waiting_deliveries(&self) -> Result<WaitingDeliveries, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "SELECT count(*), min(deliveries.at_ms) FROM deliveries JOIN webhooks ON webhooks.id = deliveries.webhook
             WHERE next_ms IS NOT NULL AND enabled = 1",
        )?;
        Ok(statement.query_row([], |row| {
            Ok(WaitingDeliveries { number: row.get::<_, i64>(0)?.cast_unsigned(), oldest_ms: row.get(1)? })
        })?)
    }
}

fn path_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<RelPath>> {
    if row.get::<_, Option<String>>(column)?.is_some() { parsed(row, column).map(Some) } else { Ok(None) }
}

fn delivery_row(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let time = |ms: Option<i64>| ms.map(super::verdicts::millisecond).transpose();
    let state: String = row.get(6)?;
    Ok(Delivery {
        id: row.get::<_, i64>(0)?.cast_unsigned(),
        message_id: row.get(1)?,
        event: row.get(2)?,
        path: path_of(row, 3)?,
        revision: row.get::<_, Option<i64>>(4)?.map(|revision| Revision(revision.cast_unsigned())),
        at: super::verdicts::millisecond(row.get(5)?)?,
        state: DeliveryState::from_name(&state).ok_or(rusqlite::Error::InvalidQuery)?,
        tries: row.get(7)?,
        next_try: time(row.get(8)?)?,
        last_try: time(row.get(9)?)?,
        status: row.get(10)?,
        latency_ms: row.get::<_, Option<i64>>(11)?.map(i64::cast_unsigned),
        reply: row.get(12)?,
        error: row.get(13)?,
    })
}
