//! Webhooks as they are stored: made, changed, switched off, and removed with their deliveries.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::workspaces::must_exist;
use super::{Store, StoreError, as_i64, begin, parsed};
use crate::workspace::{NewWebhook, Webhook, WebhookEvent, WebhookUpdate, WorkspaceId};

const SELECT_WEBHOOK: &str =
    "SELECT id, url, events, path_globs, agents, secret, old_until_ms, enabled, disabled_reason, paused,
         failing_since_ms, at_ms, (SELECT count(*) FROM deliveries WHERE webhook = webhooks.id AND next_ms IS NOT NULL), made_by
     FROM webhooks";

/// The key of a secret: it is in no log.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretKey(pub Vec<u8>);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// A webhook as a sender has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receiver {
    /// Its number.
    pub id: u64,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// Where messages are sent.
    pub url: String,
    /// What it is told of; none means all events.
    pub events: BTreeSet<WebhookEvent>,
    /// Globs on the paths of files; none means all.
    pub path_globs: Vec<String>,
    /// Whose files; none means everybody's.
    pub agents: Vec<String>,
    /// The keys that messages are signed with now, the newest first.
    pub secrets: Vec<SecretKey>,
    /// The key of the API that made it, where one did.
    pub made_by: Option<String>,
    /// Whether its last try failed.
    pub is_failing: bool,
    /// Whether messages are sent now.
    pub sends: bool,
    /// It is told of events after this one.
    pub told_after: u64,
}

impl Store {
    /// Stores a webhook that is told of what happens from now on.
    ///
    /// # Errors
    /// [`StoreError::UnknownWorkspace`] where there is none, [`StoreError::TooManyWebhooks`] where it has `max` webhooks.
    pub(crate) fn add_webhook(
        &self,
        workspace: &WorkspaceId,
        new: &NewWebhook,
        secret: &SecretKey,
        made_by: Option<&str>,
        max: u64,
    ) -> Result<Webhook, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        must_exist(&transaction, workspace)?;
        let count = "SELECT count(*) FROM webhooks WHERE workspace = ?1";
        let num_webhooks: i64 = transaction.query_row(count, [workspace.as_str()], |row| row.get(0))?;
        if num_webhooks >= as_i64(max) {
            return Err(StoreError::TooManyWebhooks { max });
        }
        transaction.execute(
            "INSERT INTO webhooks (workspace, url, events, path_globs, agents, secret, made_by, at_ms, told_after)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                workspace.as_str(),
                new.url,
                json_of(&new.events),
                json_of(&new.path_globs),
                json_of(&new.agents),
                secret.0,
                made_by,
                Timestamp::now().as_millisecond(),
                newest_told(&transaction)?,
            ],
        )?;
        let webhook = find(&transaction, workspace, transaction.last_insert_rowid())?;
        transaction.commit()?;
        Ok(webhook)
    }

    /// The webhooks of a workspace by number.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn webhooks(&self, workspace: &WorkspaceId) -> Result<Vec<Webhook>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(&format!("{SELECT_WEBHOOK} WHERE workspace = ?1 ORDER BY id"))?;
        let rows = statement.query_map([workspace.as_str()], webhook_row)?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// One webhook.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`] where the workspace has none of that number.
    pub fn webhook(&self, workspace: &WorkspaceId, id: u64) -> Result<Webhook, StoreError> {
        find(&self.reader(), workspace, number(id)?)
    }

    /// Changes a webhook. One that is switched on is told of what happens from then on, and its deliveries that waited are due. Who sets its URL,
    /// or has it go on after a hand-over, is its maker from then on.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`] where the workspace has none of that number; nothing is changed then.
    pub(crate) fn update_webhook(
        &self,
        workspace: &WorkspaceId,
        id: u64,
        update: &WebhookUpdate,
        (by, reason_off): (Option<&str>, &str),
    ) -> Result<Webhook, StoreError> {
        let WebhookUpdate { url, events, path_globs, agents, enabled } = update;
        let id = number(id)?;
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        let before = find(&transaction, workspace, id)?;
        transaction.execute(
            "UPDATE webhooks SET url = coalesce(?2, url), events = coalesce(?3, events), path_globs = coalesce(?4, path_globs),
                 agents = coalesce(?5, agents), made_by = iif(?2 IS NULL, made_by, ?6) WHERE id = ?1",
            params![
                id,
                url,
                events.as_ref().map(json_of),
                path_globs.as_ref().map(json_of),
                agents.as_ref().map(json_of),
                by,
            ],
        )?;
        if *enabled == Some(true) && before.paused {
            transaction.execute("UPDATE webhooks SET paused = 0, made_by = ?2 WHERE id = ?1", params![id, by])?;
        }
        match enabled {
            Some(true) if !before.enabled => {
                transaction.execute(
                    "UPDATE webhooks SET enabled = 1, disabled_reason = NULL, failing_since_ms = NULL, told_after = ?2
                     WHERE id = ?1",
                    params![id, newest_told(&transaction)?],
                )?;
            }
            Some(false) if before.enabled => {
                switch_off(&transaction, id.cast_unsigned(), reason_off)?;
            }
            _ => {}
        }
        let webhook = find(&transaction, workspace, id)?;
        transaction.commit()?;
        Ok(webhook)
    }

    /// Gives a webhook another secret. Messages are signed with the one before it, too, until `old_until`.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`] where the workspace has none of that number.
    pub(crate) fn rotate_webhook(
        &self,
        workspace: &WorkspaceId,
        id: u64,
        secret: &SecretKey,
        old_until: Timestamp,
    ) -> Result<Webhook, StoreError> {
        let id = number(id)?;
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        find(&transaction, workspace, id)?;
        transaction.execute(
            "UPDATE webhooks SET old_secret = secret, old_until_ms = ?3, secret = ?2 WHERE id = ?1",
            params![id, secret.0, old_until.as_millisecond()],
        )?;
        let webhook = find(&transaction, workspace, id)?;
        transaction.commit()?;
        Ok(webhook)
    }

    /// Removes a webhook with its deliveries.
    ///
    /// # Errors
    /// [`StoreError::UnknownWebhook`] where the workspace has none of that number.
    pub fn remove_webhook(&self, workspace: &WorkspaceId, id: u64) -> Result<(), StoreError> {
        let id = number(id)?;
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        find(&transaction, workspace, id)?;
        transaction.execute("DELETE FROM webhooks WHERE id = ?1", [id])?;
        transaction.execute("DELETE FROM deliveries WHERE webhook = ?1", [id])?;
        transaction.commit()?;
        Ok(())
    }

    /// Switches a webhook off, and returns whether it was on.
    ///
    /// # Errors
    /// Nothing is changed then.
    pub(crate) fn switch_webhook_off(&self, id: u64, reason: &str) -> Result<bool, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        let was_on = switch_off(&transaction, id, reason)?;
        transaction.commit()?;
        Ok(was_on)
    }

    /// The webhooks of a workspace that are switched on, those that wait among them, as at `now_ms`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn receivers(&self, workspace: &WorkspaceId, now_ms: i64) -> Result<Vec<Receiver>, StoreError> {
        let connection = self.reader();
        let mut statement = connection
            .prepare_cached(&format!("{SELECT_RECEIVER} WHERE workspace = ?1 AND enabled = 1 ORDER BY id"))?;
        let rows = statement.query_map([workspace.as_str()], |row| receiver_row(row, now_ms))?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// One webhook as a sender has it, where it is switched on.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn receiver(&self, id: u64, now_ms: i64) -> Result<Option<Receiver>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(&format!("{SELECT_RECEIVER} WHERE id = ?1 AND enabled = 1"))?;
        Ok(statement.query_row([number(id)?], |row| receiver_row(row, now_ms)).optional()?)
    }
}

const SELECT_RECEIVER: &str =
    "SELECT id, workspace, url, events, path_globs, agents, secret, old_secret, old_until_ms, made_by,
         failing_since_ms IS NOT NULL, paused, told_after FROM webhooks";

fn receiver_row(row: &Row<'_>, now_ms: i64) -> rusqlite::Result<Receiver> {
    let mut secrets = vec![SecretKey(row.get(6)?)];
    if let (Some(old), Some(until_ms)) = (row.get::<_, Option<Vec<u8>>>(7)?, row.get::<_, Option<i64>>(8)?)
        && now_ms < until_ms
    {
        secrets.push(SecretKey(old));
    }
    Ok(Receiver {
        id: row.get::<_, i64>(0)?.cast_unsigned(),
        workspace: parsed(row, 1)?,
        url: row.get(2)?,
        events: list(row, 3)?,
        path_globs: list(row, 4)?,
        agents: list(row, 5)?,
        secrets,
        made_by: row.get(9)?,
        is_failing: row.get(10)?,
        sends: !row.get::<_, bool>(11)?,
        told_after: row.get::<_, i64>(12)?.cast_unsigned(),
    })
}

/// Switches a webhook off, and returns whether it was on. Its deliveries wait.
pub(super) fn switch_off(transaction: &Transaction<'_>, id: u64, reason: &str) -> Result<bool, StoreError> {
    let changed = transaction.execute(
        "UPDATE webhooks SET enabled = 0, disabled_reason = ?2 WHERE id = ?1 AND enabled = 1",
        params![as_i64(id), reason],
    )?;
    Ok(changed > 0)
}

/// The newest event that was ever told, in any workspace.
fn newest_told(transaction: &Transaction<'_>) -> rusqlite::Result<i64> {
    let newest: Option<i64> = transaction
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'", [], |row| row.get(0))
        .optional()?;
    Ok(newest.unwrap_or(0))
}

pub(super) fn number(id: u64) -> Result<i64, StoreError> {
    i64::try_from(id).map_err(|_| StoreError::UnknownWebhook { id })
}

pub(super) fn find(connection: &Connection, workspace: &WorkspaceId, id: i64) -> Result<Webhook, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT_WEBHOOK} WHERE workspace = ?1 AND id = ?2"))?;
    let found = statement.query_row(params![workspace.as_str(), id], webhook_row).optional()?;
    found.ok_or(StoreError::UnknownWebhook { id: id.cast_unsigned() })
}

fn webhook_row(row: &Row<'_>) -> rusqlite::Result<Webhook> {
    let secret: Vec<u8> = row.get(5)?;
    let time = |ms: Option<i64>| ms.map(super::verdicts::millisecond).transpose();
    Ok(Webhook {
        id: row.get::<_, i64>(0)?.cast_unsigned(),
        url: row.get(1)?,
        events: list(row, 2)?,
        path_globs: list(row, 3)?,
        agents: list(row, 4)?,
        secret: None,
        secret_ends_with: last_four(&secret),
        old_secret_until: time(row.get(6)?)?.filter(|until| *until > Timestamp::now()),
        enabled: row.get(7)?,
        disabled_reason: row.get(8)?,
        paused: row.get(9)?,
        failing_since: time(row.get(10)?)?,
        created: super::verdicts::millisecond(row.get(11)?)?,
        pending: row.get::<_, i64>(12)?.cast_unsigned(),
        made_by: row.get(13)?,
    })
}

/// The last four characters of a secret as it is written.
fn last_four(key: &[u8]) -> String {
    use base64::Engine as _;

    let written = base64::engine::general_purpose::STANDARD.encode(key);
    written[written.len().saturating_sub(4)..].to_owned()
}

fn json_of<T: serde::Serialize>(list: &T) -> String {
    serde_json::to_string(list).expect("names and globs are all text")
}

fn list<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str().map_err(|_| rusqlite::Error::InvalidQuery)?;
    serde_json::from_str(text).map_err(|_| rusqlite::Error::InvalidQuery)
}
