//! What is counted of writes: by key and day, and by workspace.

use rusqlite::params;

use super::*;
use crate::store::{Besides, Totals, Written};
use crate::workspace::Provenance;

/// A file of one chunk, as it was read.
pub(super) fn ready(name: &str, revision: Revision, bytes: &[u8]) -> FileEntry {
    FileEntry {
        path: path(name),
        state: FileState::Ready,
        reason: None,
        format: Some("text".to_owned()),
        title: None,
        language: None,
        size: READ_AS.size,
        modified: Timestamp::UNIX_EPOCH,
        content_hash: Some(ContentHash::of(bytes)),
        revision,
        container: None,
        provenance: Provenance::default(),
        num_chunks: 1,
    }
}

fn seen(name: &str, kind: ChangeKind, size: u64) -> Observation {
    let fingerprint = if kind == ChangeKind::Deleted { Fingerprint::NONE } else { Fingerprint { size, ..READ_AS } };
    Observation { provenance: Provenance::default(), ..Observation::new(path(name), kind, fingerprint, true) }
}

fn counted(desk: &Desk) -> (u64, u64) {
    let Totals { files, bytes } = desk.store.totals(&desk.workspace).unwrap();
    (files, bytes)
}

#[test]
fn bytes_of_a_key_are_counted_with_the_change_and_begin_anew_each_day() {
    let desk = Desk::new();
    let write = |day, bytes| {
        let written = Written { key: "k".to_owned(), day, bytes };
        let change = [seen("a", ChangeKind::Created, bytes)];
        desk.store
            .log_besides(
                &desk.workspace,
                &change,
                Priority::Interactive,
                Besides { written: Some(&written), reply: None },
            )
            .unwrap();
    };
    write(7, 3);
    write(7, 4);
    assert_eq!(
        (desk.store.written_on_day("k", 7).unwrap().bytes, desk.store.written_on_day("other", 7).unwrap().bytes),
        (7, 0)
    );
    assert_eq!(desk.store.written_on_day("k", 8).unwrap().bytes, 0);
    write(8, 5);
    write(7, 1);
    assert_eq!(desk.store.written_on_day("k", 7).unwrap().bytes, 6, "a clock that goes back does not give a day anew");
    let written = Written { key: "k".to_owned(), day: 8, bytes: 100 };
    let change = [seen("a", ChangeKind::Created, 1)];
    assert!(
        desk.store
            .log_besides(
                &id("nowhere"),
                &change,
                Priority::Interactive,
                Besides { written: Some(&written), reply: None }
            )
            .is_err()
    );
    let desk = desk.reopened();
    assert_eq!(desk.store.written_on_day("k", 8).unwrap().bytes, 6, "what is not logged is not counted");
}

#[test]
fn totals_follow_every_change_before_and_after_it_is_done() {
    let desk = Desk::new();
    assert_eq!(counted(&desk), (0, 0));
    let log = |name: &str, kind, size| {
        desk.store.log(&desk.workspace, &[seen(name, kind, size)], Priority::Interactive).unwrap()
    };
    log("a", ChangeKind::Created, 10);
    log("b", ChangeKind::Created, 5);
    assert_eq!(counted(&desk), (2, 15));
    log("a", ChangeKind::Modified, 30);
    assert_eq!(counted(&desk), (2, 35), "as it was seen last");
    assert_eq!(desk.store.counted_size(&desk.workspace, &path("a")).unwrap(), Some(30));
    log("a", ChangeKind::Deleted, 0);
    assert_eq!((counted(&desk), desk.store.counted_size(&desk.workspace, &path("a")).unwrap()), ((1, 5), None));
    log("a", ChangeKind::Created, 7);
    assert_eq!(counted(&desk), (2, 12), "and back");
    let desk = desk.reopened();
    assert_eq!(counted(&desk), (2, 12));
    desk.store.delete_workspace(&desk.workspace).unwrap();
    assert_eq!(counted(&desk), (0, 0));
}

#[test]
fn a_store_from_before_totals_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let old = Connection::open(folder.path().join("pincite.db")).unwrap();
    for layout in &schema::LAYOUTS[..15] {
        old.execute_batch(layout).unwrap();
    }
    old.execute("INSERT INTO workspaces (name, root) VALUES ('w', NULL)", params![]).unwrap();
    for (name, size) in [("a", 2), ("b", 40)] {
        old.execute(
            "INSERT INTO files (workspace, path, state, size, modified_ns, known_size, known_modified_ns, revision, num_chunks)
             VALUES ('w', ?1, 'ready', ?2, 7, 2, 7, 1, 1)",
            params![name, size],
        )
        .unwrap();
    }
    drop(old);
    let store = Store::open(folder.path(), true).unwrap();
    assert_eq!(store.totals(&id("w")).unwrap(), Totals { files: 2, bytes: 42 });
}

#[test]
fn chunks_are_counted_once_for_the_key_that_brought_the_content() {
    let desk = Desk::new();
    let chunks = || desk.store.written_on_day("k", 7).unwrap().chunks;
    let written = Written { key: "k".to_owned(), day: 7, bytes: 3 };
    let change = [seen("a", ChangeKind::Created, 3)];
    let log = |written| {
        desk.store
            .log_besides(&desk.workspace, &change, Priority::Interactive, Besides { written, reply: None })
            .unwrap()
    };
    let done = |revision, num_chunks, inside: &[u32]| {
        let of = |name: &str, num_chunks| FileEntry { num_chunks, ..ready(name, revision, b"words") };
        let members = inside.iter().map(|num| of("a/inside", *num)).collect();
        let outcome = Outcome::File(of("a", num_chunks), READ_AS.into(), Members::Are(members));
        let newest = desk.store.newest_revision().unwrap();
        desk.store.acknowledge(&desk.workspace, desk.epoch(), newest, &[outcome]).unwrap();
    };
    let first = log(Some(&written));
    assert_eq!(chunks(), 0, "nobody knows yet how many it will be");
    done(first, 5, &[2]);
    assert_eq!(chunks(), 7);
    // Seen again by a scan, without another content; then changed by somebody without a key.
    log(None);
    done(first, 5, &[2]);
    let by_nobody = log(None);
    done(by_nobody, 9, &[]);
    assert_eq!(chunks(), 7);
    log(Some(&Written { day: 8, ..written.clone() }));
    assert_eq!(desk.store.written_on_day("k", 8).unwrap().chunks, 0, "a new day");
}
