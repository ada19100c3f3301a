//! Offers to hand a workspace over, and who owns one that was handed over.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::outbox::Outbox;
use super::workspaces::must_exist;
use super::{KeyRow, Store, StoreError, begin, keys, parsed};
use crate::workspace::{Keep, WorkspaceId};

const COLUMNS: &str = "id, workspace, keep, made_by, created_ms, expires_ms";
/// The condition of an offer that can still be claimed at `?1`. One ends with the key that made it.
const IS_OPEN: &str = "ended_ms IS NULL AND expires_ms > ?1 AND (transfers.made_by IS NULL OR EXISTS (
    SELECT 1 FROM keys WHERE keys.id = transfers.made_by AND keys.revoked_ms IS NULL))";

/// An offer to hand a workspace over, without its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferRow {
    /// The number of the offer. No number is used again.
    pub id: u64,
    /// The workspace.
    pub workspace: WorkspaceId,
    /// What the present keys may do after the claim.
    pub keep: Keep,
    /// The key that offers it; none for this machine's user.
    pub made_by: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it can be claimed no more.
    pub expires: Timestamp,
}

/// Who owns a workspace that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// The key of the owner. Keys that were made with it are the owner's, too.
    pub key: String,
    /// What all other keys may do.
    pub keep: Keep,
}

impl Store {
    /// Stores an offer, of which `hash` is the SHA-256 of its token.
    ///
    /// # Errors
    /// [`StoreError::UnknownWorkspace`], [`StoreError::TooManyTransfers`] where `max` offers of the workspace are open.
    pub fn add_transfer(&self, new: &TransferRow, hash: &[u8; 32], max: u64) -> Result<TransferRow, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        must_exist(&transaction, &new.workspace)?;
        let count = format!("SELECT count(*) FROM transfers WHERE {IS_OPEN} AND workspace = ?2");
        let of = params![new.created.as_millisecond(), new.workspace.as_str()];
        let num_open: i64 = transaction.query_row(&count, of, |row| row.get(0))?;
        if num_open.cast_unsigned() >= max {
            return Err(StoreError::TooManyTransfers { max });
        }
        transaction.execute(
            "INSERT INTO transfers (workspace, hash, keep, made_by, created_ms, expires_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                new.workspace.as_str(),
                hash,
                new.keep.name(),
                new.made_by,
                new.created.as_millisecond(),
                new.expires.as_millisecond()
            ],
        )?;
        let id = transaction.last_insert_rowid().cast_unsigned();
        transaction.commit()?;
        Ok(TransferRow { id, ..new.clone() })
    }

    /// The offers of a workspace that can be claimed at `now`, the newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn transfers(&self, workspace: &WorkspaceId, now: Timestamp) -> Result<Vec<TransferRow>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM transfers WHERE {IS_OPEN} AND workspace = ?2 ORDER BY id DESC"
        ))?;
        let rows = statement.query_map(params![now.as_millisecond(), workspace.as_str()], transfer_row)?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// Ends an offer before it is claimed.
    ///
    /// # Errors
    /// [`StoreError::UnknownTransfer`] where the workspace has none of that number that is open.
    pub fn withdraw_transfer(&self, workspace: &WorkspaceId, id: u64, now: Timestamp) -> Result<(), StoreError> {
        let number = i64::try_from(id).unwrap_or(-1);
        let ended = self.writer()?.execute(
            &format!("UPDATE transfers SET ended_ms = ?1 WHERE {IS_OPEN} AND workspace = ?2 AND id = ?3"),
            params![now.as_millisecond(), workspace.as_str(), number],
        )?;
        if ended == 0 { Err(StoreError::UnknownTransfer) } else { Ok(()) }
    }

    /// The open offer that a token belongs to.
    ///
    /// # Errors
    /// [`StoreError::UnknownTransfer`] where there is none that can be claimed at `now`.
    pub fn transfer_of(&self, hash: &[u8; 32], now: Timestamp) -> Result<TransferRow, StoreError> {
        find(&self.reader(), hash, now)
    }

    /// Hands a workspace over: in one transaction the offer is used up, with all others of the workspace, `key` becomes its owner, and
    /// its webhooks pause.
    ///
    /// # Errors
    /// [`StoreError::UnknownTransfer`] where the offer cannot be claimed any more, [`StoreError::TooManyKeys`].
    pub fn claim_transfer(&self, hash: &[u8; 32], key: &KeyRow, max_keys: u64) -> Result<TransferRow, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        let now = key.created;
        let claimed = find(&transaction, hash, now)?;
        must_exist(&transaction, &claimed.workspace)?;
        keys::add(&transaction, key, max_keys)?;
        let workspace = claimed.workspace.as_str();
        transaction.execute(
            "UPDATE transfers SET ended_ms = ?2 WHERE workspace = ?1 AND ended_ms IS NULL",
            params![workspace, now.as_millisecond()],
        )?;
        transaction.execute(
            "UPDATE workspaces SET owner_key = ?2, keep = ?3 WHERE name = ?1",
            params![workspace, key.id, claimed.keep.name()],
        )?;
        transaction.execute("UPDATE webhooks SET paused = 1 WHERE workspace = ?1", [workspace])?;
        Outbox::of(&transaction, &claimed.workspace)?.tell_transferred(&transaction, now.as_millisecond())?;
        transaction.commit()?;
        Ok(claimed)
    }

    /// Whether one of two keys is the other, or was made with it, or with a key that was.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn descends_from(&self, key: &str, ancestor: &str) -> Result<bool, StoreError> {
        if key == ancestor {
            return Ok(true);
        }
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "WITH RECURSIVE makers (id) AS (
                 SELECT made_by FROM keys WHERE id = ?1
                 UNION SELECT keys.made_by FROM keys JOIN makers ON keys.id = makers.id)
             SELECT EXISTS (SELECT 1 FROM makers WHERE id = ?2)",
        )?;
        Ok(statement.query_row([key, ancestor], |row| row.get(0))?)
    }

    /// The keys that own workspaces, and all keys that were made with them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn keys_of_owners(&self) -> Result<Vec<String>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(
            "WITH RECURSIVE owners (id) AS (
                 SELECT owner_key FROM workspaces WHERE owner_key IS NOT NULL
                 UNION SELECT keys.id FROM keys JOIN owners ON keys.made_by = owners.id)
             SELECT id FROM owners",
        )?;
        let rows = statement.query_map([], |row| row.get(0))?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }
}

fn find(connection: &Connection, hash: &[u8; 32], now: Timestamp) -> Result<TransferRow, StoreError> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM transfers WHERE {IS_OPEN} AND hash = ?2"))?;
    let found = statement.query_row(params![now.as_millisecond(), hash], transfer_row).optional()?;
    found.ok_or(StoreError::UnknownTransfer)
}

fn transfer_row(row: &Row<'_>) -> rusqlite::Result<TransferRow> {
    let time = |ms: i64| Timestamp::from_millisecond(ms).map_err(|_| rusqlite::Error::InvalidQuery);
    Ok(TransferRow {
        id: row.get::<_, i64>(0)?.cast_unsigned(),
        workspace: parsed(row, 1)?,
        keep: parsed(row, 2)?,
        made_by: row.get(3)?,
        created: time(row.get(4)?)?,
        expires: time(row.get(5)?)?,
    })
}
