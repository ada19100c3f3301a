//! Keys as they are stored: never a secret, only its hash. A key that is revoked or over keeps its row.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Store, StoreError, begin};
use crate::workspace::{Scopes, WorkspaceId};

const COLUMNS: &str = "id, hash, name, scopes, workspaces, globs, agent, made_by, created_ms, expires_ms, revoked_ms";

/// A key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Names the key; eight letters and digits.
    pub id: String,
    /// The SHA-256 of the secret.
    pub hash: [u8; 32],
    /// What people call the key.
    pub name: String,
    /// What it may do.
    pub scopes: Scopes,
    /// The workspaces that it may reach; all where there is no list.
    pub workspaces: Option<Vec<WorkspaceId>>,
    /// Which files it may see and write: a path must match one glob of each list.
    pub globs: Vec<Vec<String>>,
    /// The writer of everything that is written with the key.
    pub agent: Option<String>,
    /// The key that it was made with; none for a key that this machine's user made.
    pub made_by: Option<String>,
    /// When it was made.
    pub created: Timestamp,
    /// When it ceases to hold.
    pub expires: Timestamp,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

/// What of a key is changed; nothing else of it ever is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyChanges {
    /// Another name.
    pub name: Option<String>,
    /// Fewer rights.
    pub scopes: Option<Scopes>,
    /// Fewer workspaces.
    pub workspaces: Option<Vec<WorkspaceId>>,
    /// One more list of globs, which a path must match as well.
    pub globs: Option<Vec<String>>,
    /// An earlier end.
    pub expires: Option<Timestamp>,
}

impl Store {
    /// Whether a key was ever made, also one that holds no more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn has_keys(&self) -> Result<bool, StoreError> {
        let any = "SELECT EXISTS (SELECT 1 FROM keys)";
        Ok(self.reader().prepare_cached(any)?.query_row([], |row| row.get(0))?)
    }

    /// The key of that id, also one that holds no more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn key(&self, id: &str) -> Result<Option<KeyRow>, StoreError> {
        find(&self.reader(), id)
    }

    /// All keys, the newest first; of one millisecond by id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn keys(&self) -> Result<Vec<KeyRow>, StoreError> {
        let connection = self.reader();
        let mut statement =
            connection.prepare_cached(&format!("SELECT {COLUMNS} FROM keys ORDER BY created_ms DESC, id"))?;
        let rows = statement.query_map([], key_row)?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// Stores a key durably.
    ///
    /// # Errors
    /// [`StoreError::TooManyKeys`] where `max` keys are neither revoked nor over.
    pub fn add_key(&self, key: &KeyRow, max: u64) -> Result<(), StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        add(&transaction, key, max)?;
        transaction.commit()?;
        Ok(())
    }

    /// Stores the key that takes the place of another one, whose life ends at `until` where it would not end before.
    ///
    /// # Errors
    /// As [`Store::add_key`]; [`StoreError::UnknownKey`].
    pub fn replace_key(&self, former: &str, key: &KeyRow, until: Timestamp, max: u64) -> Result<(), StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        add(&transaction, key, max)?;
        let shortened = transaction.execute(
            "UPDATE keys SET expires_ms = min(expires_ms, ?2) WHERE id = ?1 AND revoked_ms IS NULL",
            params![former, until.as_millisecond()],
        )?;
        if shortened == 0 {
            return Err(StoreError::UnknownKey { id: former.to_owned() });
        }
        // The new key stands for the former one, also where it is revoked.
        let both = params![former, key.id];
        transaction.execute("UPDATE keys SET made_by = ?2 WHERE made_by = ?1 OR id = ?1", both)?;
        transaction.execute("UPDATE workspaces SET owner_key = ?2 WHERE owner_key = ?1", both)?;
        transaction.execute("UPDATE webhooks SET made_by = ?2 WHERE made_by = ?1", both)?;
        transaction.execute("UPDATE transfers SET made_by = ?2 WHERE made_by = ?1", both)?;
        // What the former key has written today counts for the new one.
        transaction.execute(
            "INSERT OR REPLACE INTO written (key, day, bytes) SELECT ?2, day, bytes FROM written WHERE key = ?1",
            both,
        )?;
        transaction.commit()?;
        Ok(())
    }

    /// Renews an administrator's key that comes from outside, or stores it where it is new. It is never un-revoked.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn renew_key(&self, key: &KeyRow) -> Result<(), StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        if find(&transaction, &key.id)?.is_some() {
            transaction.execute(
                "UPDATE keys SET expires_ms = ?2 WHERE id = ?1",
                params![key.id, key.expires.as_millisecond()],
            )?;
        } else {
            add(&transaction, key, u64::MAX)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Changes a key, and returns it as it is then.
    ///
    /// # Errors
    /// [`StoreError::UnknownKey`] where there is none that is not revoked.
    pub fn change_key(&self, id: &str, changes: &KeyChanges) -> Result<KeyRow, StoreError> {
        let unknown = || StoreError::UnknownKey { id: id.to_owned() };
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        let mut key = find(&transaction, id)?.filter(|key| key.revoked.is_none()).ok_or_else(unknown)?;
        let KeyChanges { name, scopes, workspaces, globs, expires } = changes.clone();
        key.name = name.unwrap_or(key.name);
        key.scopes = scopes.unwrap_or(key.scopes);
        key.workspaces = workspaces.or(key.workspaces);
        key.globs.extend(globs);
        key.expires = expires.map_or(key.expires, |expires| expires.min(key.expires));
        transaction.execute(
            "UPDATE keys SET name = ?2, scopes = ?3, workspaces = ?4, globs = ?5, expires_ms = ?6 WHERE id = ?1",
            params![
                id,
                key.name,
                json_of(&key.scopes),
                key.workspaces.as_ref().map(json_of),
                json_of(&key.globs),
                key.expires.as_millisecond()
            ],
        )?;
        transaction.commit()?;
        Ok(key)
    }

    /// Revokes a key and all keys that were made with it, and with those. Returns the ids of those that were not revoked before.
    ///
    /// # Errors
    /// [`StoreError::UnknownKey`] where there is none of that id.
    pub fn revoke_key(&self, id: &str, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        if find(&transaction, id)?.is_none() {
            return Err(StoreError::UnknownKey { id: id.to_owned() });
        }
        let revoked = {
            let mut statement = transaction.prepare_cached(
                "WITH RECURSIVE made (id) AS (
                     SELECT ?1 UNION SELECT keys.id FROM keys JOIN made ON keys.made_by = made.id)
                 UPDATE keys SET revoked_ms = ?2 WHERE revoked_ms IS NULL AND id IN made RETURNING id",
            )?;
            let rows = statement.query_map(params![id, now.as_millisecond()], |row| row.get(0))?;
            let mut revoked = rows.collect::<rusqlite::Result<Vec<String>>>()?;
            // The key itself first.
            revoked.sort_by_key(|one| (one != id, one.clone()));
            revoked
        };
        transaction.commit()?;
        Ok(revoked)
    }
}

pub(super) fn add(connection: &Connection, key: &KeyRow, max: u64) -> Result<(), StoreError> {
    let in_force = "SELECT count(*) FROM keys WHERE revoked_ms IS NULL AND expires_ms > ?1";
    let num_keys: i64 = connection.query_row(in_force, [key.created.as_millisecond()], |row| row.get(0))?;
    if num_keys.cast_unsigned() >= max {
        return Err(StoreError::TooManyKeys { max });
    }
    connection.execute(
        &format!("INSERT INTO keys ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"),
        params![
            key.id,
            key.hash,
            key.name,
            json_of(&key.scopes),
            key.workspaces.as_ref().map(json_of),
            json_of(&key.globs),
            key.agent,
            key.made_by,
            key.created.as_millisecond(),
            key.expires.as_millisecond(),
            key.revoked.map(Timestamp::as_millisecond)
        ],
    )?;
    Ok(())
}

fn find(connection: &Connection, id: &str) -> Result<Option<KeyRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM keys WHERE id = ?1"))?;
    Ok(statement.query_row([id], key_row).optional()?)
}

fn json_of<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("names and globs are text")
}

fn key_row(row: &Row<'_>) -> rusqlite::Result<KeyRow> {
    fn json<T: serde::de::DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
        serde_json::from_str(text).map_err(|_| rusqlite::Error::InvalidQuery)
    }
    let time = |ms: i64| Timestamp::from_millisecond(ms).map_err(|_| rusqlite::Error::InvalidQuery);
    Ok(KeyRow {
        id: row.get(0)?,
        hash: row.get(1)?,
        name: row.get(2)?,
        scopes: json(&row.get::<_, String>(3)?)?,
        workspaces: row.get::<_, Option<String>>(4)?.map(|text| json(&text)).transpose()?,
        globs: json(&row.get::<_, String>(5)?)?,
        agent: row.get(6)?,
        made_by: row.get(7)?,
        created: time(row.get(8)?)?,
        expires: time(row.get(9)?)?,
        revoked: row.get::<_, Option<i64>>(10)?.map(time).transpose()?,
    })
}
