//! Stores that another version of the program wrote.

use super::*;
use crate::workspace::Provenance;

#[test]
fn another_layout_is_refused_and_left_alone() {
    let desk = Desk::new();
    let file = desk.folder.path().join("pincite.db");
    Connection::open(&file).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    for writable in [true, false] {
        let refused = Store::open(desk.folder.path(), writable);
        assert!(matches!(refused, Err(StoreError::Version { found: 99, expected: schema::VERSION })));
    }
}

#[test]
fn a_store_of_the_first_layout_gets_the_present_one_and_keeps_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let old = Connection::open(folder.path().join("pincite.db")).unwrap();
    old.execute_batch(schema::LAYOUT_1).unwrap();
    old.execute_batch(
        "INSERT INTO workspaces VALUES ('w', NULL);
         INSERT INTO changes (workspace, path, kind, at_ms, pending) VALUES ('w', 'a', 'created', 1, 1);
         PRAGMA user_version = 1;",
    )
    .unwrap();
    assert!(matches!(Store::open(folder.path(), false), Err(StoreError::Version { found: 1, .. })));
    let store = Store::open(folder.path(), true).unwrap();
    assert_eq!(store.pending(&id("w"), Priority::Backfill, 9).unwrap().len(), 1);
    assert!(Store::open(folder.path(), false).is_ok());
}

#[test]
fn a_store_from_before_provenance_keeps_its_files_and_takes_what_is_told_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let old = Connection::open(folder.path().join("pincite.db")).unwrap();
    for layout in &schema::LAYOUTS[..8] {
        old.execute_batch(layout).unwrap();
    }
    old.execute_batch(
        "INSERT INTO workspaces (name, root) VALUES ('w', NULL);
         INSERT INTO changes (workspace, path, kind, at_ms, pending) VALUES ('w', 'a', 'created', 1, 0);
         INSERT INTO files (workspace, path, state, size, modified_ns, known_size, known_modified_ns, revision, num_chunks)
             VALUES ('w', 'a', 'ready', 2, 7, 2, 7, 1, 1);",
    )
    .unwrap();
    assert_eq!(schema::version_of(&old).unwrap(), 8);
    let store = Store::open(folder.path(), true).unwrap();
    let file = store.file(&id("w"), &path("a")).unwrap().unwrap();
    assert_eq!((file.state, file.provenance), (FileState::Ready, Provenance::default()));
    assert_eq!(store.recent_changes(&id("w"), 9).unwrap()[0].provenance, Provenance::default());
    let provenance = Provenance { agent: Some("coder".to_owned()), ..Provenance::default() };
    let told = Observation {
        provenance: provenance.clone(),
        ..Observation::new(path("a"), ChangeKind::Modified, READ_AS, true)
    };
    store.log(&id("w"), &[told], Priority::Interactive).unwrap();
    assert_eq!(store.file(&id("w"), &path("a")).unwrap().unwrap().provenance, provenance);
    store.check().unwrap();
}
