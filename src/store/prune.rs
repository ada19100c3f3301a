//! What the log need not keep: changes that were acknowledged long ago.

use rusqlite::{OptionalExtension as _, params};

use super::{Store, StoreError, as_i64, begin};
use crate::workspace::WorkspaceId;

/// While these are removed, others who write wait.
const MAX_REMOVED_AT_ONCE: i64 = 2_000;

impl Store {
    /// Removes some of the oldest acknowledged changes of a workspace, beyond the newest `keep` of its changes, and returns how
    /// many: 0 when none is left to remove.
    ///
    /// The newest acknowledged change always stays, as what was done is told from it; so revisions never go back. Revisions are
    /// not used again, whatever is removed.
    ///
    /// # Errors
    /// Nothing is removed then.
    pub fn prune(&self, workspace: &WorkspaceId, keep: usize) -> Result<usize, StoreError> {
        let mut connection = self.writer()?;
        let oldest_kept: Option<i64> = connection
            .prepare_cached(
                "SELECT revision FROM changes WHERE workspace = ?1 ORDER BY revision DESC LIMIT 1 OFFSET ?2",
            )?
            .query_row(params![workspace.as_str(), as_i64(keep.saturating_sub(1) as u64)], |row| row.get(0))
            .optional()?;
        let Some(oldest_kept) = oldest_kept else { return Ok(0) };
        let transaction = begin(&mut connection)?;
        let num_removed = transaction.execute(
            "DELETE FROM changes WHERE revision IN (
                 SELECT revision FROM changes WHERE workspace = ?1 AND pending = 0 AND revision < min(?2,
                     (SELECT revision FROM changes WHERE workspace = ?1 AND pending = 0 ORDER BY revision DESC LIMIT 1))
                 ORDER BY revision LIMIT ?3)",
            params![workspace.as_str(), oldest_kept, MAX_REMOVED_AT_ONCE],
        )?;
        // A renaming that is told so late finds nothing to carry over.
        transaction.execute(
            "DELETE FROM provenance WHERE workspace = ?1 AND standing = 2 AND revision < ?2",
            params![workspace.as_str(), oldest_kept],
        )?;
        transaction.commit()?;
        Ok(num_removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Fingerprint, Observation, Outcome};
    use crate::workspace::{ChangeKind, Priority, Revision};

    fn log(store: &Store, workspace: &WorkspaceId, names: &[&str]) -> Revision {
        let (kind, fingerprint) = (ChangeKind::Created, Fingerprint::NONE);
        let observe = |name: &&str| Observation::new(name.parse().unwrap(), kind, fingerprint, true);
        store.log(workspace, &names.iter().map(observe).collect::<Vec<_>>(), Priority::Backfill).unwrap()
    }

    fn done(store: &Store, workspace: &WorkspaceId, through: Revision, name: &str) {
        store
            .acknowledge(
                workspace,
                store.workspace(workspace).unwrap().epoch,
                through,
                &[Outcome::Gone(name.parse().unwrap())],
            )
            .unwrap();
    }

    fn revisions(store: &Store, workspace: &WorkspaceId) -> Vec<u64> {
        store.recent_changes(workspace, 99).unwrap().into_iter().map(|change| change.revision.0).collect()
    }

    #[test]
    fn old_changes_go_and_no_revision_is_another_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), true).unwrap();
        let [quiet, busy]: [WorkspaceId; 2] = ["quiet", "busy"].map(|name| name.parse().unwrap());
        for id in [&quiet, &busy] {
            store.ensure_workspace(id, None).unwrap();
        }
        done(&store, &quiet, log(&store, &quiet, &["a"]), "a");
        log(&store, &busy, &["waits"]);
        for _ in 0..8 {
            done(&store, &busy, log(&store, &busy, &["b"]), "b");
        }
        let told = |id: &WorkspaceId| {
            let newest = store.newest_revision().unwrap();
            let [last, settled, acknowledged] =
                [Store::last_revision, Store::settled_revision, Store::acknowledged_revision]
                    .map(|told| told(&store, id).unwrap());
            (newest, last, settled, acknowledged, store.pending(id, Priority::Backfill, 9).unwrap())
        };
        let before = (told(&quiet), told(&busy));
        assert_eq!((store.prune(&busy, 3).unwrap(), store.prune(&busy, 3).unwrap()), (5, 0));
        assert_eq!(store.prune(&quiet, 1).unwrap(), 0);
        assert_eq!(revisions(&store, &busy), [10, 9, 8, 2], "the newest, and what is pending");
        assert_eq!((told(&quiet), told(&busy)), before);
        assert!(store.has_reached(&busy, Revision(5)).unwrap(), "it is not there, but it was done");
        assert_eq!(log(&store, &busy, &["c"]), Revision(11));
    }

    #[test]
    fn the_newest_acknowledged_change_stays_however_much_is_pending() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), true).unwrap();
        let id = WorkspaceId::default();
        store.ensure_workspace(&id, None).unwrap();
        for name in ["a", "b"] {
            done(&store, &id, log(&store, &id, &[name]), name);
        }
        log(&store, &id, &["c", "d", "e"]);
        assert_eq!((store.prune(&id, 1).unwrap(), store.acknowledged_revision(&id).unwrap()), (1, Revision(2)));
        assert_eq!(revisions(&store, &id), [5, 4, 3, 2]);
    }
}
