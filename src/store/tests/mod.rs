//! The store keeps what it was told, across reopening, and refuses what it cannot use.

mod in_time;
mod layouts;
mod locks;
mod pending;
mod provenance;
mod sessions;
mod verdicts;
mod webhooks;
mod written;

use std::path::Path;

use jiff::Timestamp;

use super::*;
use crate::workspace::{ContentHash, FileState, Priority, Revision};

const READ_AS: Fingerprint = Fingerprint { size: 2, modified_ns: 7, changed_ns: 7, inode: 1 };

fn id(name: &str) -> WorkspaceId {
    name.parse().unwrap()
}

fn path(path: &str) -> RelPath {
    path.parse().unwrap()
}

fn paths(names: &[&str]) -> Vec<RelPath> {
    names.iter().map(|name| path(name)).collect()
}

/// A store in a folder of its own, with a helper for each thing a test says of it.
struct Desk {
    folder: tempfile::TempDir,
    store: Store,
    workspace: WorkspaceId,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), true).unwrap();
        store.ensure_workspace(&id("w"), None).unwrap();
        Self { folder, store, workspace: id("w") }
    }

    fn reopened(self) -> Self {
        let Self { folder, store, workspace } = self;
        drop(store);
        let store = Store::open(folder.path(), true).unwrap();
        Self { folder, store, workspace }
    }

    fn log(&self, kind: ChangeKind, names: &[&str]) -> Revision {
        self.log_as(Priority::Backfill, kind, names)
    }

    fn log_as(&self, priority: Priority, kind: ChangeKind, names: &[&str]) -> Revision {
        let observe = |name: &&str| Observation::new(path(name), kind, READ_AS, true);
        self.store.log(&self.workspace, &names.iter().map(observe).collect::<Vec<_>>(), priority).unwrap()
    }

    fn pending(&self) -> Vec<(u64, String, ChangeKind)> {
        self.pending_as(Priority::Backfill)
    }

    fn pending_as(&self, priority: Priority) -> Vec<(u64, String, ChangeKind)> {
        let changes = self.store.pending(&self.workspace, priority, 100).unwrap();
        changes.into_iter().map(|change| (change.revision.0, change.path.to_string(), change.kind)).collect()
    }

    fn epoch(&self) -> i64 {
        self.store.workspace(&self.workspace).unwrap().epoch
    }

    /// Acknowledges that `name` was read with these bytes.
    fn done(&self, through: Revision, name: &str, bytes: &[u8]) {
        self.done_in(self.epoch(), through, name, bytes);
    }

    fn done_in(&self, epoch: i64, through: Revision, name: &str, bytes: &[u8]) {
        let entry = written::ready(name, through, bytes);
        self.store
            .acknowledge(&self.workspace, epoch, through, &[Outcome::File(entry, READ_AS.into(), Members::Same)])
            .unwrap();
    }

    fn gone(&self, through: Revision, name: &str) {
        self.store.acknowledge(&self.workspace, self.epoch(), through, &[Outcome::Gone(path(name))]).unwrap();
    }

    fn file(&self, name: &str) -> Option<FileEntry> {
        self.store.file(&self.workspace, &path(name)).unwrap()
    }

    fn state(&self, name: &str) -> Option<FileState> {
        self.file(name).map(|file| file.state)
    }

    fn settled(&self) -> u64 {
        self.store.settled_revision(&self.workspace).unwrap().0
    }

    fn superseded(&self) -> Vec<RelPath> {
        self.store.view(&self.workspace).unwrap().superseded.into_iter().collect()
    }

    fn known(&self, name: &str) -> Option<Fingerprint> {
        let known = self.store.fingerprints(&self.workspace).unwrap();
        known.into_iter().find(|(known, _)| *known == path(name)).unwrap().1.map(|known| known.fingerprint)
    }
}

#[test]
fn revisions_grow_across_workspaces_and_reopening_and_are_never_used_again() {
    let desk = Desk::new();
    assert_eq!(desk.log(ChangeKind::Created, &["a", "b"]), Revision(2));
    desk.store.ensure_workspace(&id("other"), None).unwrap();
    let observation = Observation::new(path("a"), ChangeKind::Created, READ_AS, true);
    assert_eq!(desk.store.log(&id("other"), &[observation], Priority::Backfill).unwrap(), Revision(3));
    desk.done(Revision(2), "a", b"a");
    let desk = desk.reopened();
    assert_eq!(desk.log(ChangeKind::Modified, &["a"]), Revision(4));
    assert_eq!(desk.log(ChangeKind::Modified, &[]), Revision(0), "nothing was logged");
    assert_eq!(desk.log(ChangeKind::Modified, &["a"]), Revision(5));
}

#[test]
fn pending_names_each_path_once_with_its_newest_change_oldest_first() {
    let desk = Desk::new();
    desk.log(ChangeKind::Created, &["a", "b", "c"]);
    desk.log(ChangeKind::Modified, &["a"]);
    desk.log(ChangeKind::Deleted, &["b"]);
    let expected = [
        (3, "c".to_owned(), ChangeKind::Created),
        (4, "a".to_owned(), ChangeKind::Modified),
        (5, "b".to_owned(), ChangeKind::Deleted),
    ];
    assert_eq!(desk.pending(), expected);
    assert_eq!(desk.store.pending(&desk.workspace, Priority::Backfill, 2).unwrap().len(), 2);
    assert_eq!(desk.reopened().pending(), expected);
}

#[test]
fn a_path_is_pending_under_each_priority_it_was_logged_with_and_its_newest_change_counts() {
    let desk = Desk::new();
    desk.log(ChangeKind::Created, &["a", "b"]);
    let urgent = desk.log_as(Priority::Interactive, ChangeKind::Deleted, &["b"]);
    let newest = (urgent.0, "b".to_owned(), ChangeKind::Deleted);
    assert_eq!(desk.pending_as(Priority::Interactive), std::slice::from_ref(&newest));
    assert_eq!(desk.pending(), [(1, "a".to_owned(), ChangeKind::Created), newest]);
    desk.gone(urgent, "b");
    assert_eq!((desk.pending_as(Priority::Interactive).len(), desk.pending().len()), (0, 1));
}

#[test]
fn a_write_is_reached_although_a_backfill_from_before_it_is_pending() {
    let desk = Desk::new();
    let reached = |revision: u64| desk.store.has_reached(&desk.workspace, Revision(revision)).unwrap();
    desk.log(ChangeKind::Created, &["a", "b"]);
    let first = desk.log_as(Priority::Interactive, ChangeKind::Created, &["c"]);
    let second = desk.log_as(Priority::Interactive, ChangeKind::Created, &["d"]);
    assert!(!reached(first.0) && !reached(1));
    desk.done(first, "c", b"c");
    assert!(reached(first.0) && !reached(second.0));
    assert!(!reached(1), "the change itself is pending");
    assert!(!reached(second.0 + 1), "nobody knows what the next change will be");
    assert_eq!(desk.settled(), 0);
    desk.done(second, "d", b"d");
    assert!(reached(second.0));
}

#[test]
fn a_file_that_is_known_is_not_logged_as_created() {
    let desk = Desk::new();
    desk.done(desk.log(ChangeKind::Created, &["a"]), "a", b"a");
    desk.log(ChangeKind::Created, &["a"]);
    assert_eq!(desk.superseded(), paths(&["a"]), "the index holds something of it");
}

#[test]
fn one_workspace_knows_nothing_of_another() {
    let desk = Desk::new();
    desk.store.ensure_workspace(&id("other"), None).unwrap();
    desk.log(ChangeKind::Created, &["a"]);
    let other = id("other");
    assert!(desk.store.pending(&other, Priority::Backfill, 9).unwrap().is_empty());
    assert!(desk.store.files(&other).unwrap().is_empty());
    desk.store
        .acknowledge(&other, desk.store.workspace(&other).unwrap().epoch, Revision(9), &[Outcome::Gone(path("a"))])
        .unwrap();
    desk.store.forget_contents(&other).unwrap();
    assert_eq!((desk.pending().len(), desk.state("a")), (1, Some(FileState::Pending)));
}

#[test]
fn a_change_logged_while_the_file_was_read_keeps_it_pending() {
    let desk = Desk::new();
    let read_at = desk.log(ChangeKind::Created, &["a"]);
    let newer = desk.log(ChangeKind::Modified, &["a"]);
    desk.done(read_at, "a", b"old");
    assert_eq!(desk.pending(), [(newer.0, "a".to_owned(), ChangeKind::Modified)]);
    assert_eq!(desk.state("a"), Some(FileState::Pending));
    desk.done(newer, "a", b"new");
    assert_eq!((desk.pending().len(), desk.state("a")), (0, Some(FileState::Ready)));
    assert_eq!(desk.file("a").unwrap().content_hash, Some(ContentHash::of(b"new")));
}

#[test]
fn a_file_that_came_back_while_its_deletion_was_indexed_is_read_anew() {
    let desk = Desk::new();
    desk.done(desk.log(ChangeKind::Created, &["a"]), "a", b"same");
    let deleted = desk.log(ChangeKind::Deleted, &["a"]);
    let back = desk.log(ChangeKind::Created, &["a"]);
    desk.gone(deleted, "a");
    // With the hash kept, the same bytes would pass for indexed, and the index holds none of them.
    let file = desk.file("a").unwrap();
    assert_eq!((file.state, file.content_hash, file.num_chunks), (FileState::Pending, None, 0));
    assert_eq!(desk.known("a"), None);
    desk.done(back, "a", b"same");
    assert_eq!(desk.state("a"), Some(FileState::Ready));
}

#[test]
fn a_deletion_removes_the_row_once_nothing_is_pending() {
    let desk = Desk::new();
    desk.done(desk.log(ChangeKind::Created, &["a"]), "a", b"a");
    desk.gone(desk.log(ChangeKind::Deleted, &["a"]), "a");
    assert_eq!((desk.state("a"), desk.pending().len()), (None, 0));
}

#[test]
fn settled_is_the_revision_before_the_oldest_pending_change() {
    let desk = Desk::new();
    assert_eq!(desk.settled(), 0);
    desk.log(ChangeKind::Created, &["a", "b", "c"]);
    assert_eq!(desk.settled(), 0);
    desk.done(Revision(3), "b", b"b");
    assert_eq!(desk.settled(), 0, "`a` came before `b` and is still pending");
    desk.done(Revision(3), "a", b"a");
    assert_eq!(desk.settled(), 2);
    desk.done(Revision(3), "c", b"c");
    assert_eq!(desk.settled(), 3);
    assert_eq!(desk.reopened().settled(), 3);
}

#[test]
fn acknowledged_is_the_newest_change_that_is_done() {
    let desk = Desk::new();
    let acknowledged = |desk: &Desk| desk.store.acknowledged_revision(&desk.workspace).unwrap().0;
    desk.log(ChangeKind::Created, &["a", "b"]);
    assert_eq!(acknowledged(&desk), 0);
    desk.done(Revision(2), "b", b"b");
    assert_eq!((acknowledged(&desk), desk.settled()), (2, 0));
}

#[test]
fn superseded_names_what_the_index_may_still_show_and_should_not() {
    let desk = Desk::new();
    desk.log(ChangeKind::Created, &["a", "b", "c"]);
    assert_eq!(desk.superseded(), paths(&[]), "of a new file the index shows nothing");
    for name in ["a", "b", "c"] {
        desk.done(Revision(3), name, name.as_bytes());
    }
    desk.log(ChangeKind::Modified, &["a"]);
    desk.log(ChangeKind::Deleted, &["b"]);
    let back = desk.log(ChangeKind::Created, &["b"]);
    assert_eq!(desk.superseded(), paths(&["a", "b"]), "a file that came back had content before");
    desk.done(back, "b", b"b");
    assert_eq!(desk.superseded(), paths(&["a"]));
}

#[test]
fn a_change_that_was_only_seen_hides_nothing_that_was_read_under_the_same_size_and_time() {
    let desk = Desk::new();
    desk.done(desk.log(ChangeKind::Created, &["a"]), "a", b"a");
    let see = |kind, fingerprint| {
        let seen = Observation::new(path("a"), kind, fingerprint, false);
        desk.store.log(&desk.workspace, &[seen], Priority::Interactive).unwrap()
    };
    see(ChangeKind::Modified, READ_AS);
    assert_eq!(desk.superseded(), paths(&[]));
    let newer = see(ChangeKind::Modified, Fingerprint { modified_ns: 8, ..READ_AS });
    assert_eq!(desk.superseded(), paths(&["a"]));
    desk.done(newer, "a", b"a");
    see(ChangeKind::Deleted, READ_AS);
    assert_eq!(desk.superseded(), paths(&["a"]), "a deletion always hides");
}

#[test]
fn what_the_index_committed_without_acknowledgement_is_not_trusted() {
    let desk = Desk::new();
    for name in ["a", "b"] {
        desk.done(desk.log(ChangeKind::Created, &[name]), name, b"first");
    }
    let committed = desk.log(ChangeKind::Modified, &["a"]);
    desk.log(ChangeKind::Modified, &["b"]);
    desk.store.distrust_unacknowledged(&desk.workspace, committed).unwrap();
    assert_eq!(desk.file("a").unwrap().content_hash, None);
    assert_eq!(desk.file("b").unwrap().content_hash, Some(ContentHash::of(b"first")), "not committed, so still true");
}

#[test]
fn forgotten_contents_are_all_pending_again() {
    let desk = Desk::new();
    for name in ["a", "b"] {
        desk.done(desk.log(ChangeKind::Created, &[name]), name, b"first");
    }
    assert_eq!(desk.known("a"), Some(READ_AS));
    desk.store.forget_contents(&desk.workspace).unwrap();
    let pending: Vec<String> = desk.pending().into_iter().map(|(_, path, _)| path).collect();
    assert_eq!(pending, ["a", "b"]);
    assert_eq!((desk.known("a"), desk.file("b").unwrap().content_hash), (None, None));
    assert_eq!(desk.superseded(), paths(&["a", "b"]));
}

#[test]
fn counts_say_how_many_files_are_in_each_state() {
    let desk = Desk::new();
    desk.log(ChangeKind::Created, &["a", "b"]);
    desk.done(Revision(1), "a", b"a");
    let counts = desk.store.counts(&desk.workspace).unwrap();
    assert_eq!((counts.files, counts.ready, counts.pending, counts.failed), (2, 1, 1, 0));
}

#[test]
fn a_workspace_keeps_its_first_folder_and_refuses_another() {
    let desk = Desk::new();
    let root = Path::new("/data/first");
    assert_eq!(desk.store.ensure_workspace(&desk.workspace, Some(root)).unwrap().root.as_deref(), Some(root));
    assert_eq!(desk.store.ensure_workspace(&desk.workspace, None).unwrap().root.as_deref(), Some(root));
    let refused = desk.store.ensure_workspace(&desk.workspace, Some(Path::new("/data/second")));
    assert!(matches!(refused, Err(StoreError::OtherRoot { root: has, .. }) if has == root));
    assert_eq!(desk.reopened().store.workspace(&id("w")).unwrap().root.as_deref(), Some(root));
}

#[test]
fn an_unknown_workspace_and_an_empty_folder_are_said_to_be() {
    let desk = Desk::new();
    assert!(matches!(desk.store.workspace(&id("nobody")), Err(StoreError::UnknownWorkspace { .. })));
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(Store::open(empty.path(), false), Err(StoreError::Missing { .. })));
    assert!(fs_err::read_dir(empty.path()).unwrap().next().is_none(), "a reader makes nothing");
}

#[test]
fn the_version_changes_with_every_write_of_this_process_and_of_others() {
    let desk = Desk::new();
    let reader = Store::open(desk.folder.path(), false).unwrap();
    let before = (desk.store.version().unwrap(), reader.version().unwrap());
    assert_eq!((desk.store.version().unwrap(), reader.version().unwrap()), before);
    desk.log(ChangeKind::Created, &["a"]);
    let after = (desk.store.version().unwrap(), reader.version().unwrap());
    assert!(after.0 != before.0 && after.1 != before.1);
    assert_eq!(reader.pending(&desk.workspace, Priority::Backfill, 9).unwrap().len(), 1);
}

#[test]
fn many_processes_may_make_the_store_at_once() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        let open = || Store::open(folder.path(), true).map(drop);
        let opened: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        for store in opened {
            store.join().unwrap().unwrap();
        }
    });
}

#[test]
fn a_file_that_is_no_store_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join("pincite.db"), b"no database, but long enough to be read as one".repeat(99))
        .unwrap();
    for writable in [true, false] {
        assert!(matches!(Store::open(folder.path(), writable), Err(StoreError::Damaged { .. })));
    }
}

#[test]
fn a_lost_table_or_an_impossible_row_is_damage() {
    let desk = Desk::new();
    desk.done(desk.log(ChangeKind::Created, &["a"]), "a", b"a");
    let other = Connection::open(desk.folder.path().join("pincite.db")).unwrap();
    for broken in [
        "UPDATE files SET state = 'lost'",
        "UPDATE files SET state = 'ready', content_hash = x'00'",
        "UPDATE files SET content_hash = NULL, path = '../outside'",
        "DROP TABLE files",
    ] {
        other.execute_batch(broken).unwrap();
        assert!(matches!(desk.store.files(&desk.workspace), Err(StoreError::Damaged { .. })), "{broken}");
    }
}

#[test]
fn a_truncated_store_never_panics_and_never_gives_a_part_for_the_whole() {
    let desk = Desk::new();
    let names: Vec<String> = (0..200).map(|number| format!("folder/{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    desk.log(ChangeKind::Created, &names);
    let Desk { folder, store, workspace } = desk;
    drop(store);
    let file = folder.path().join("pincite.db");
    let whole = fs_err::read(&file).unwrap();
    // Below one page SQLite takes the file for a new one.
    for len in (4096..whole.len()).step_by(whole.len() / 13) {
        fs_err::write(&file, &whole[..len]).unwrap();
        let read = Store::open(folder.path(), true).and_then(|store| store.files(&workspace));
        match read {
            Ok(files) => assert_eq!(files.len(), names.len(), "{len} bytes gave a part"),
            Err(error) => assert!(matches!(error, StoreError::Damaged { .. } | StoreError::Io(_)), "{error:?}"),
        }
    }
}

#[test]
fn a_closed_store_is_one_file() {
    let desk = Desk::new();
    desk.log(ChangeKind::Created, &["a"]);
    desk.pending();
    drop(desk.store);
    let names: Vec<_> = fs_err::read_dir(desk.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["pincite.db"], "SQLite's log was written back into the file");
}

#[test]
fn nothing_is_kept_of_a_workspace_that_does_not_exist_and_its_revisions_are_never_used_again() {
    let desk = Desk::new();
    let last = desk.log(ChangeKind::Created, &["a", "b"]);
    desk.store.delete_workspace(&desk.workspace).unwrap();
    let unknown = |result: Result<(), StoreError>| matches!(result, Err(StoreError::UnknownWorkspace { .. }));
    let seen = Observation::new(path("c"), ChangeKind::Created, READ_AS, true);
    assert!(unknown(desk.store.log(&desk.workspace, &[seen], Priority::Backfill).map(drop)));
    assert!(unknown(desk.store.acknowledge(&desk.workspace, 0, last, &[Outcome::Gone(path("a"))])));
    let event = LoggedEvent {
        id: "1".to_owned(),
        path: path("a"),
        occurred_at: None,
        observations: Vec::new(),
        moved_from: None,
    };
    assert!(unknown(desk.store.log_events(&desk.workspace, &[event], None).map(drop)));
    assert!(unknown(desk.store.give_root(&desk.workspace, Path::new("/data"))));
    assert!(unknown(desk.store.set_intelligence(&desk.workspace, false).map(drop)));
    assert!(unknown(desk.store.delete_workspace(&desk.workspace)));
    let desk = desk.reopened();
    assert!(matches!(desk.store.create_workspace(&desk.workspace, None), Err(StoreError::BeingDeleted { .. })));
    desk.store.forget_deleted(&desk.workspace).unwrap();
    desk.store.create_workspace(&desk.workspace, None).unwrap();
    desk.store.note_remains(&desk.workspace).unwrap();
    assert!(desk.store.deleted_workspaces().unwrap().is_empty(), "it exists");
    assert!(desk.pending().is_empty() && desk.store.files(&desk.workspace).unwrap().is_empty());
    assert!(desk.log(ChangeKind::Created, &["a"]) > last);
}

#[test]
fn a_switch_makes_every_file_pending_again_and_begins_an_epoch() {
    let desk = Desk::new();
    desk.done(desk.log(ChangeKind::Created, &["a"]), "a", b"a");
    let in_work = desk.log(ChangeKind::Created, &["b"]);
    let before = desk.store.workspace(&desk.workspace).unwrap();
    assert_eq!(desk.store.set_intelligence(&desk.workspace, true).unwrap(), before, "it was on");
    let off = desk.store.set_intelligence(&desk.workspace, false).unwrap();
    assert!(!off.intelligence && off.epoch != before.epoch);
    // A batch that was in work when it was switched says nothing of how it is now, although it took up what the switch logged.
    let newest = desk.store.last_revision(&desk.workspace).unwrap();
    for through in [in_work, newest] {
        let late = desk.store.acknowledge(&desk.workspace, before.epoch, through, &[Outcome::Gone(path("b"))]);
        assert!(matches!(late, Err(StoreError::OtherEpoch { .. })));
    }
    assert_eq!((desk.state("a"), desk.state("b")), (Some(FileState::Pending), Some(FileState::Pending)));
    assert_eq!(desk.pending().len(), 2);
}

#[test]
fn a_view_claims_no_revision_whose_file_it_hides() {
    let desk = Desk::new();
    desk.done(desk.log(ChangeKind::Created, &["a"]), "a", b"first");
    let changed = desk.log(ChangeKind::Modified, &["a"]);
    let epoch = desk.epoch();
    let view = desk.store.view_while(&desk.workspace, || desk.done_in(epoch, changed, "a", b"second")).unwrap();
    assert_eq!((view.superseded.into_iter().collect::<Vec<_>>(), view.settled), (paths(&["a"]), Revision(1)));
    assert_eq!((desk.superseded(), desk.settled()), (paths(&[]), 2), "the change is done in the next view");
}
