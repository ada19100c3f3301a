//! Workspaces: made, switched, and deleted with everything that was kept of them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::{Ownership, Store, StoreError, WorkspaceRow, begin, parsed};
use crate::workspace::{Priority, WorkspaceId};

const SELECT_WORKSPACE: &str = "SELECT name, root, intelligence, epoch, generation, next_generation, owner_key, keep, demands_condition FROM workspaces";

impl Store {
    /// All workspaces by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn workspaces(&self) -> Result<Vec<WorkspaceRow>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached(&format!("{SELECT_WORKSPACE} ORDER BY name"))?;
        let rows = statement.query_map([], workspace_row)?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// The workspaces that have a pending change of this priority, by name. Its cost grows with their number and not with that of
    /// changes.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn workspaces_with_pending(&self, priority: Priority) -> Result<BTreeSet<WorkspaceId>, StoreError> {
        let connection = self.reader();
        // Each step goes to the next name in the index of pending changes.
        let mut statement = connection.prepare_cached(
            "WITH RECURSIVE named(name) AS (
                 SELECT min(workspace) FROM changes WHERE pending = 1
                 UNION ALL
                 SELECT (SELECT min(workspace) FROM changes WHERE pending = 1 AND workspace > named.name)
                 FROM named WHERE named.name IS NOT NULL)
             SELECT name FROM named WHERE name IS NOT NULL AND EXISTS
                 (SELECT 1 FROM changes WHERE workspace = named.name AND pending = 1 AND priority = ?1)",
        )?;
        let rows = statement.query_map([priority.number()], |row| parsed(row, 0))?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// The workspace of that name.
    ///
    /// # Errors
    /// [`StoreError::UnknownWorkspace`] where there is none.
    pub fn workspace(&self, id: &WorkspaceId) -> Result<WorkspaceRow, StoreError> {
        find(&self.reader(), id)?.ok_or_else(|| StoreError::UnknownWorkspace { id: id.clone() })
    }

    /// Makes a workspace, or gives one that has none its folder.
    ///
    /// # Errors
    /// [`StoreError::OtherRoot`] where the workspace already has another folder, [`StoreError::BeingDeleted`] where what is
    /// left of a former one of that name has to go first.
    pub fn ensure_workspace(&self, id: &WorkspaceId, root: Option<&Path>) -> Result<WorkspaceRow, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        refuse_while_being_deleted(&transaction, id)?;
        transaction.execute(
            "INSERT INTO workspaces (name, root, epoch) VALUES (?1, ?2, random())
             ON CONFLICT (name) DO UPDATE SET root = coalesce(root, excluded.root)",
            params![id.as_str(), root.map(Path::to_string_lossy)],
        )?;
        let row = find(&transaction, id)?.ok_or_else(|| StoreError::UnknownWorkspace { id: id.clone() })?;
        transaction.commit()?;
        match (root, &row.root) {
            (Some(wanted), Some(has)) if wanted != has => {
                Err(StoreError::OtherRoot { id: id.clone(), root: has.clone() })
            }
            _ => Ok(row),
        }
    }

    /// Makes a workspace that does not exist.
    ///
    /// # Errors
    /// [`StoreError::WorkspaceExists`], and [`StoreError::BeingDeleted`] as [`Store::ensure_workspace`].
    pub fn create_workspace(&self, id: &WorkspaceId, root: Option<&Path>) -> Result<WorkspaceRow, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        refuse_while_being_deleted(&transaction, id)?;
        if find(&transaction, id)?.is_some() {
            return Err(StoreError::WorkspaceExists { id: id.clone() });
        }
        transaction.execute(
            "INSERT INTO workspaces (name, root, epoch) VALUES (?1, ?2, random())",
            params![id.as_str(), root.map(Path::to_string_lossy)],
        )?;
        let row = find(&transaction, id)?.ok_or_else(|| StoreError::UnknownWorkspace { id: id.clone() })?;
        transaction.commit()?;
        Ok(row)
    }

    /// Gives a workspace that has no folder this one.
    ///
    /// # Errors
    /// [`StoreError::UnknownWorkspace`] where there is no such workspace: it is not made.
    pub fn give_root(&self, id: &WorkspaceId, root: &Path) -> Result<(), StoreError> {
        let given = self.writer()?.execute(
            "UPDATE workspaces SET root = coalesce(root, ?2) WHERE name = ?1",
            params![id.as_str(), root.to_string_lossy()],
        )?;
        if given == 0 { Err(StoreError::UnknownWorkspace { id: id.clone() }) } else { Ok(()) }
    }

    /// Says whether the files of a workspace are indexed or only listed. When that is new, every file is pending again.
    ///
    /// # Errors
    /// [`StoreError::UnknownWorkspace`] where there is none.
    pub fn set_intelligence(&self, id: &WorkspaceId, intelligence: bool) -> Result<WorkspaceRow, StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        let changed = transaction.execute(
            "UPDATE workspaces SET intelligence = ?2, epoch = random(), next_generation = NULL
             WHERE name = ?1 AND intelligence <> ?2",
            params![id.as_str(), intelligence],
        )?;
        if changed > 0 {
            transaction.execute("DELETE FROM rebuilt WHERE workspace = ?1", [id.as_str()])?;
            super::log::forget(&transaction, id, true)?;
        }
        let row = find(&transaction, id)?.ok_or_else(|| StoreError::UnknownWorkspace { id: id.clone() })?;
        transaction.commit()?;
        Ok(row)
    }

    /// Says whether a write has to say what it expects.
    ///
    /// # Errors
    /// [`StoreError::UnknownWorkspace`] where there is none.
    pub fn set_demands_condition(&self, id: &WorkspaceId, demands: bool) -> Result<WorkspaceRow, StoreError> {
        let connection = self.writer()?;
        connection
            .execute("UPDATE workspaces SET demands_condition = ?2 WHERE name = ?1", params![id.as_str(), demands])?;
        find(&connection, id)?.ok_or_else(|| StoreError::UnknownWorkspace { id: id.clone() })
    }

    /// Deletes a workspace: its files, its part of the log, the events that it took, the verdicts on its words, its webhooks with
    /// what they were still to be told. Until [`Store::forget_deleted`] says that what is left of it on disk is gone, too, no other can be made under its name.
    ///
    /// # Errors
    /// [`StoreError::UnknownWorkspace`] where there is none; nothing is changed then.
    pub fn delete_workspace(&self, id: &WorkspaceId) -> Result<(), StoreError> {
        let mut connection = self.writer()?;
        let transaction = begin(&mut connection)?;
        if transaction.execute("DELETE FROM workspaces WHERE name = ?1", [id.as_str()])? == 0 {
            return Err(StoreError::UnknownWorkspace { id: id.clone() });
        }
        for table in [
            "changes",
            "files",
            "members",
            "events",
            "replies",
            "locks",
            "lock_waits",
            "violations",
            "rebuilt",
            "provenance",
            "labels",
            "verdicts",
            "transfers",
            "webhooks",
            "outbox",
            "deliveries",
            "totals",
        ] {
            transaction.execute(&format!("DELETE FROM {table} WHERE workspace = ?1"), [id.as_str()])?;
        }
        transaction.execute("INSERT OR IGNORE INTO deleted_workspaces VALUES (?1)", [id.as_str()])?;
        transaction.commit()?;
        Ok(())
    }

    /// Notes that something of a workspace may be on disk that does not exist: a write that came too late has made it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn note_remains(&self, id: &WorkspaceId) -> Result<(), StoreError> {
        self.writer()?.execute(
            "INSERT OR IGNORE INTO deleted_workspaces
             SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM workspaces WHERE name = ?1)",
            [id.as_str()],
        )?;
        Ok(())
    }

    /// Workspaces that were deleted and of which something may still be on disk.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn deleted_workspaces(&self) -> Result<Vec<WorkspaceId>, StoreError> {
        let connection = self.reader();
        let mut statement = connection.prepare_cached("SELECT name FROM deleted_workspaces ORDER BY name")?;
        let rows = statement.query_map([], |row| parsed(row, 0))?;
        rows.map(|row| row.map_err(StoreError::from)).collect()
    }

    /// Notes that nothing of a deleted workspace is on disk any more, and empties the store's own journal of it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn forget_deleted(&self, id: &WorkspaceId) -> Result<(), StoreError> {
        let connection = self.writer()?;
        connection.execute("DELETE FROM deleted_workspaces WHERE name = ?1", [id.as_str()])?;
        // Somebody who reads for long keeps the journal; then a later checkpoint overwrites it.
        let is_kept: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if is_kept {
            tracing::debug!("the journal of the store could not be emptied now");
        }
        Ok(())
    }
}

/// A workspace that does not exist keeps nothing, even where work for it was under way when it was deleted.
pub(super) fn must_exist(connection: &Connection, id: &WorkspaceId) -> Result<(), StoreError> {
    let mut known = connection.prepare_cached("SELECT 1 FROM workspaces WHERE name = ?1")?;
    if known.exists([id.as_str()])? { Ok(()) } else { Err(StoreError::UnknownWorkspace { id: id.clone() }) }
}

fn refuse_while_being_deleted(transaction: &Transaction<'_>, id: &WorkspaceId) -> Result<(), StoreError> {
    let mut remains = transaction.prepare_cached("SELECT 1 FROM deleted_workspaces WHERE name = ?1")?;
    if remains.exists([id.as_str()])? { Err(StoreError::BeingDeleted { id: id.clone() }) } else { Ok(()) }
}

pub(super) fn find(connection: &Connection, id: &WorkspaceId) -> Result<Option<WorkspaceRow>, StoreError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT_WORKSPACE} WHERE name = ?1"))?;
    Ok(statement.query_row([id.as_str()], workspace_row).optional()?)
}

fn workspace_row(row: &Row<'_>) -> rusqlite::Result<WorkspaceRow> {
    Ok(WorkspaceRow {
        id: parsed(row, 0)?,
        root: row.get::<_, Option<String>>(1)?.map(PathBuf::from),
        intelligence: row.get(2)?,
        epoch: row.get(3)?,
        generation: row.get(4)?,
        next_generation: row.get(5)?,
        ownership: match row.get(6)? {
            Some(key) => Some(Ownership { key, keep: parsed(row, 7)? }),
            None => None,
        },
        demands_condition: row.get(8)?,
    })
}
