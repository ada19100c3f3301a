//! Sessions of browsers as they are stored: never a secret, only its hash.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension as _, params};

use super::{Store, StoreError, as_i64, begin};

/// A session, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// The SHA-256 of the secret.
    pub hash: [u8; 32],
    /// The id of the key that it began with.
    pub key: String,
    /// When it began.
    pub begun: Timestamp,
    /// When it was last known to be in use.
    pub seen: Timestamp,
    /// When it ends at the latest.
    pub ends: Timestamp,
}

impl Store {
    /// The session of that hash, also one that is over.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn session(&self, hash: &[u8; 32]) -> Result<Option<SessionRow>, StoreError> {
        let connection = self.reader();
        let mut statement =
            connection.prepare_cached("SELECT hash, key, begun_ms, seen_ms, ends_ms FROM sessions WHERE hash = ?1")?;
        let time = |ms: i64| Timestamp::from_millisecond(ms).map_err(|_| rusqlite::Error::InvalidQuery);
        let row = statement.query_row([hash], |row| {
            Ok(SessionRow {
                hash: row.get(0)?,
                key: row.get(1)?,
                begun: time(row.get(2)?)?,
                seen: time(row.get(3)?)?,
                ends: time(row.get(4)?)?,
            })
        });
        Ok(row.optional()?)
    }

    /// Stores a session that begins, in the place of `former`; removes those that are over, and of its key those seen longest ago, as far as
    /// there are more than `max`.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn add_session(
        &self,
        session: &SessionRow,
        former: Option<&[u8; 32]>,
        idle: SignedDuration,
        max: u64,
    ) -> Result<(), StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        let SessionRow { hash, key, begun, seen, ends } = session;
        transaction.execute(
            "DELETE FROM sessions WHERE hash = ?1 OR ends_ms <= ?2 OR seen_ms <= ?3
                OR key IN (SELECT id FROM keys WHERE revoked_ms IS NOT NULL)",
            params![former, begun.as_millisecond(), (*begun - idle).as_millisecond()],
        )?;
        transaction.execute(
            "DELETE FROM sessions WHERE key = ?1
                AND hash NOT IN (SELECT hash FROM sessions WHERE key = ?1 ORDER BY seen_ms DESC, hash LIMIT ?2)",
            params![key, as_i64(max.saturating_sub(1))],
        )?;
        transaction.execute(
            "INSERT INTO sessions (hash, key, begun_ms, seen_ms, ends_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![hash, key, begun.as_millisecond(), seen.as_millisecond(), ends.as_millisecond()],
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// Notes that a session was in use at a time.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn see_session(&self, hash: &[u8; 32], at: Timestamp) -> Result<(), StoreError> {
        let seen = "UPDATE sessions SET seen_ms = max(seen_ms, ?2) WHERE hash = ?1";
        self.writer()?.execute(seen, params![hash, at.as_millisecond()])?;
        Ok(())
    }

    /// Ends a session, where there is one of that hash.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn end_session(&self, hash: &[u8; 32]) -> Result<(), StoreError> {
        self.writer()?.execute("DELETE FROM sessions WHERE hash = ?1", [hash])?;
        Ok(())
    }
}
