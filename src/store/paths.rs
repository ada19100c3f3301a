//! The paths of a workspace's files alone, for conditions on names.

use rusqlite::params;

use super::{Store, StoreError, as_i64};
use crate::workspace::{Revision, WorkspaceId};

impl Store {
    /// Shows the path of each file of a workspace, those inside others among them, in no order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn each_path(&self, workspace: &WorkspaceId, see: &mut dyn FnMut(&str)) -> Result<(), StoreError> {
        let connection = self.reader();
        // The index by state holds the paths and little else.
        let mut statement = connection.prepare_cached(
            "SELECT path FROM files INDEXED BY files_by_state WHERE workspace = ?1
             UNION ALL SELECT path FROM members INDEXED BY members_by_state WHERE workspace = ?1",
        )?;
        let mut rows = statement.query([workspace.as_str()])?;
        while let Some(row) = rows.next()? {
            see(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?);
        }
        Ok(())
    }

    /// Shows the paths that changes newer than `settled` are of, and those of the files inside them, some several times. Who knew all
    /// paths when `settled` was the newest revision up to which nothing was pending knows all of them again then.
    ///
    /// Returns `false`, and shows nothing, where the log does not reach back so far.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn each_path_since(
        &self,
        workspace: &WorkspaceId,
        settled: Revision,
        see: &mut dyn FnMut(&str),
    ) -> Result<bool, StoreError> {
        let connection = self.reader();
        let transaction = connection.unchecked_transaction()?;
        let oldest: Option<i64> = transaction
            .prepare_cached("SELECT min(revision) FROM changes WHERE workspace = ?1")?
            .query_row([workspace.as_str()], |row| row.get(0))?;
        // Acknowledged changes go from the log in their order, so one that is left has all newer ones beside it.
        if oldest.is_none_or(|oldest| oldest > as_i64(settled.0)) {
            return Ok(false);
        }
        let mut statement = transaction.prepare_cached(
            "SELECT path FROM changes WHERE workspace = ?1 AND revision > ?2
             UNION ALL SELECT members.path FROM changes JOIN members
                 ON members.workspace = changes.workspace AND members.container = changes.path
                 WHERE changes.workspace = ?1 AND changes.revision > ?2",
        )?;
        let mut rows = statement.query(params![workspace.as_str(), as_i64(settled.0)])?;
        while let Some(row) = rows.next()? {
            see(row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::{Fingerprint, Observation, Outcome};
    use crate::workspace::{ChangeKind, Priority};

    fn log(store: &Store, id: &WorkspaceId, name: &str) -> Revision {
        let observed = Observation::new(name.parse().unwrap(), ChangeKind::Created, Fingerprint::NONE, true);
        store.log(id, &[observed], Priority::Backfill).unwrap()
    }

    #[test]
    fn paths_since_a_revision_are_told_as_far_as_the_log_reaches_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), true).unwrap();
        let id = WorkspaceId::default();
        store.ensure_workspace(&id, None).unwrap();
        let since = |settled: u64| {
            let mut paths = BTreeSet::new();
            let reaches = store.each_path_since(&id, Revision(settled), &mut |path| {
                paths.insert(path.to_owned());
            });
            reaches.unwrap().then_some(paths.into_iter().collect::<Vec<_>>().join(" "))
        };
        assert_eq!(since(0), None);
        let done = |name: &str| {
            let through = log(&store, &id, name);
            let epoch = store.workspace(&id).unwrap().epoch;
            store.acknowledge(&id, epoch, through, &[Outcome::Gone(name.parse().unwrap())]).unwrap();
        };
        done("a");
        done("b");
        log(&store, &id, "c");
        assert_eq!((since(0), since(1), since(2)), (None, Some("b c".to_owned()), Some("c".to_owned())));
        done("d");
        store.prune(&id, 1).unwrap();
        assert_eq!((since(1), since(2)), (None, None), "of 1 and 2 nothing is left, and 3 waits");
    }
}
