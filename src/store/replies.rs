//! Replies to requests with an idempotency key, for those that come again.
//!
//! # Invariants
//! - A reply is kept in the transaction that logs its change, so a request that was done is known to be, after a crash as well.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{Store, StoreError, Written, as_i64};
use crate::workspace::{Revision, WorkspaceId};

/// How long a reply is kept, in milliseconds: a day.
const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;

/// A reply to a request with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReply {
    /// Who asked: keys of one caller are none of another.
    pub caller: String,
    /// The key of the request.
    pub key: String,
    /// The SHA-256 of what was asked.
    pub asked: [u8; 32],
    /// What was answered, without the revision.
    pub reply: String,
}

/// What is stored together with changes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Besides<'a> {
    /// What a key has written.
    pub written: Option<&'a Written>,
    /// The reply that is kept.
    pub reply: Option<&'a KeptReply>,
}

impl Besides<'_> {
    /// Stores it beside the changes of a transaction, of which `revision` is the last.
    pub(super) fn store(
        self,
        connection: &Connection,
        workspace: &WorkspaceId,
        revision: Revision,
    ) -> Result<(), StoreError> {
        if let Some(written) = self.written {
            written.count(connection)?;
        }
        if let Some(KeptReply { caller, key, asked, reply }) = self.reply {
            let now = Timestamp::now().as_millisecond();
            connection.execute("DELETE FROM replies WHERE at_ms < ?1", [now - KEPT_MS])?;
            let mut keep =
                connection.prepare_cached("INSERT OR REPLACE INTO replies VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
            keep.execute(params![workspace.as_str(), caller, key, asked, reply, as_i64(revision.0), now])?;
        }
        Ok(())
    }
}

impl Store {
    /// The reply that was given to a request with this idempotency key within the last day, and the revision of its change.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn kept_reply(
        &self,
        workspace: &WorkspaceId,
        caller: &str,
        key: &str,
    ) -> Result<Option<(KeptReply, Revision)>, StoreError> {
        let connection = self.reader();
        let since = Timestamp::now().as_millisecond() - KEPT_MS;
        let mut statement = connection.prepare_cached(
            "SELECT asked, reply, revision FROM replies WHERE workspace = ?1 AND caller = ?2 AND key = ?3 AND at_ms >= ?4",
        )?;
        let found = statement.query_row(params![workspace.as_str(), caller, key, since], |row| {
            let (asked, reply) = (row.get(0)?, row.get(1)?);
            let kept = KeptReply { caller: caller.to_owned(), key: key.to_owned(), asked, reply };
            Ok((kept, Revision(row.get::<_, i64>(2)?.cast_unsigned())))
        });
        Ok(found.optional()?)
    }
}
