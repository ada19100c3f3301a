//! Changes that size and modification time do not show.
#![cfg(unix)]

use super::*;
use crate::store::{Covered, LockRequest, LockTime, Taken};
use crate::workspace::{ContentHash, Provenance};

/// A file that was read long ago: its fingerprint is believed.
fn settled(path: &str, text: &str) -> Place {
    let place = Place::new();
    place.write(path, text);
    place.run();
    settle(&place);
    place
}

/// As if so much time had passed since all files were read that no write of now could have been missed.
fn settle(place: &Place) {
    let table = rusqlite::Connection::open(place.data.path().join("pincite.db")).unwrap();
    table.execute("UPDATE files SET racy_until_ns = NULL", []).unwrap();
}

fn modified(place: &Place, path: &str) -> SystemTime {
    fs_err::metadata(place.files.path().join(path)).unwrap().modified().unwrap()
}

fn set_modified(file: &Path, to: SystemTime) {
    fs_err::OpenOptions::new().write(true).open(file).unwrap().file().set_modified(to).unwrap();
}

/// Writes as many bytes in place and sets the time back, as `touch -r` does.
fn write_in_place(place: &Place, path: &str, text: &str) {
    let before = modified(place, path);
    fs_err::write(place.files.path().join(path), text).unwrap();
    set_modified(&place.files.path().join(path), before);
}

/// Puts a file of as many bytes and the same time over it, as `cp -p`, `tar -x` and `rsync -t` do.
fn rename_over(place: &Place, path: &str, text: &str) {
    let before = modified(place, path);
    let beside = place.files.path().join(".beside");
    fs_err::write(&beside, text).unwrap();
    set_modified(&beside, before);
    fs_err::rename(beside, place.files.path().join(path)).unwrap();
}

fn look_at(place: &Place, path: &str) -> ScanReport {
    look_at_all(place, &[path.parse().unwrap()].into())
}

fn look_at_all(place: &Place, places: &BTreeSet<RelPath>) -> ScanReport {
    scan_places(&place.store, &place.workspace, &*place.there(), places, (&none_writes, &Silent)).unwrap()
}

#[test]
fn a_change_that_keeps_size_and_time_is_seen_by_scan_and_watch() {
    for change in [write_in_place, rename_over] {
        for look in [|place: &Place| place.scan(), |place: &Place| look_at(place, "a.txt")] {
            let place = settled("a.txt", "alpha");
            change(&place, "a.txt", "gamma");
            assert_eq!(look(&place).num_modified, 1);
            assert_eq!(
                place.store.view(&place.workspace).unwrap().superseded.len(),
                1,
                "the old text is hidden at once"
            );
            place.run();
            assert_eq!((place.with_words("alpha"), place.with_words("gamma")), (set(&[]), set(&["a.txt"])));
        }
    }
}

#[test]
fn a_mode_a_link_or_a_copy_of_the_same_bytes_is_no_change_and_is_read_once() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = settled("a.txt", "alpha");
    let file = place.files.path().join("a.txt");
    let changes: [&dyn Fn(); 3] = [
        &|| fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap(),
        &|| fs_err::hard_link(&file, place.files.path().join(".hidden")).unwrap(),
        &|| rename_over(&place, "a.txt", "alpha"),
    ];
    for change in changes {
        change();
        assert_eq!((place.scan().num_modified, place.store.view(&place.workspace).unwrap().superseded.len()), (0, 0));
        settle(&place);
        // The new fingerprint is noted: with another hash in the table, a comparison of the bytes would find a change.
        let table = rusqlite::Connection::open(place.data.path().join("pincite.db")).unwrap();
        table.execute("UPDATE files SET content_hash = zeroblob(32)", []).unwrap();
        assert_eq!(place.scan().num_modified, 0, "nothing is read");
        let hash = ContentHash::of(b"alpha").0;
        table.execute("UPDATE files SET content_hash = ?1", [hash.as_slice()]).unwrap();
    }
}

#[test]
fn a_store_without_change_times_has_each_file_compared_by_its_bytes_once() {
    let place = settled("a.txt", "alpha");
    place.write("b.txt", "beta");
    place.run();
    settle(&place);
    write_in_place(&place, "a.txt", "gamma");
    let table = rusqlite::Connection::open(place.data.path().join("pincite.db")).unwrap();
    table.execute("UPDATE files SET known_changed_ns = NULL, known_inode = NULL", []).unwrap();
    let run = place.run();
    assert_eq!((run.scan.num_modified, run.line.num_indexed), (1, 1));
    assert_eq!(place.with_words("gamma beta"), set(&["a.txt", "b.txt"]));
    let unknown = "SELECT count(*) FROM files WHERE known_changed_ns IS NULL OR known_inode IS NULL";
    assert_eq!(table.query_row(unknown, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

#[test]
fn hard_links_follow_each_other() {
    let place = settled("a.txt", "alpha");
    fs_err::hard_link(place.files.path().join("a.txt"), place.files.path().join("b.txt")).unwrap();
    place.run();
    place.write("a.txt", "gamma ray");
    // The system tells of the name alone that was written to.
    assert_eq!(look_at(&place, "a.txt").num_modified, 2);
    let files = place.there();
    index_pending(&place.line(&*files, &place.index)).unwrap();
    assert_eq!((place.with_words("alpha"), place.with_words("gamma")), (set(&[]), set(&["a.txt", "b.txt"])));
}

/// A file whose first content is told, as seen on disk or as written through us, and whose second came before the first was read.
fn overtaken(is_written: bool, between: &dyn Fn(&Place)) -> Place {
    let place = settled("a.md", "zeta");
    place.write("a.md", "alpha");
    if is_written {
        let fingerprint = seen(&*place.there(), &"a.md".parse().unwrap()).unwrap().unwrap();
        let written = Observation {
            content_hash: Some(ContentHash::of(b"alpha")),
            ..Observation::new("a.md".parse().unwrap(), ChangeKind::Modified, fingerprint, true)
        };
        place.store.log(&place.workspace, &[written], Priority::Interactive).unwrap();
    } else {
        place.scan();
    }
    between(&place);
    place.write("a.md", "gamma");
    let files = place.there();
    index_pending(&place.line(&*files, &place.index)).unwrap();
    assert_eq!((place.with_words("alpha"), place.with_words("gamma")), (set(&[]), set(&["a.md"])));
    place
}

#[test]
fn a_content_that_is_read_before_anybody_saw_it_is_told_by_the_next_look_once() {
    for is_written in [false, true] {
        let place = overtaken(is_written, &|_| {});
        let num_before = told(&place).len();
        assert_eq!(look_at(&place, "a.md").num_modified, 1, "{is_written}");
        assert_eq!(told(&place).len(), num_before + 1, "who read the first content hears of the second");
        let files = place.there();
        index_pending(&place.line(&*files, &place.index)).unwrap();
        settle(&place);
        assert_eq!(place.run().scan.num_modified, 0, "{is_written}");
        assert_eq!((told(&place).len(), place.with_words("gamma")), (num_before + 1, set(&["a.md"])));
    }
}

/// Locks `a.md`.
fn lock(place: &Place) {
    let request = LockRequest::exclusive("lock", Covered::Path("a.md".parse().unwrap()));
    let taken = place.store.take_lock(&place.workspace, &request, &LockTime::now(), 9).unwrap();
    assert!(matches!(taken, Taken::Yes(_)));
}

#[test]
fn a_file_that_is_gone_before_it_is_read_is_told_as_deleted_also_to_who_has_locked_it() {
    let place = Place::new();
    place.write("a.md", "alpha");
    place.scan();
    lock(&place);
    fs_err::remove_file(place.files.path().join("a.md")).unwrap();
    let files = place.there();
    index_pending(&place.line(&*files, &place.index)).unwrap();
    let deleted = ("a.md".to_owned(), ChangeKind::Deleted, None);
    assert_eq!(told(&place), [deleted, ("a.md".to_owned(), ChangeKind::Created, None)]);
    assert_eq!((place.state("a.md"), place.scan().num_deleted, told(&place).len()), (None, 0, 2));
    let violations = place.store.violations(&place.workspace, jiff::Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(violations.iter().map(|violation| violation.kind).collect::<Vec<_>>(), [ChangeKind::Deleted]);
}

#[test]
fn a_change_past_us_that_is_read_before_anybody_saw_it_violates_its_lock() {
    for is_written in [false, true] {
        let place = overtaken(is_written, &lock);
        look_at(&place, "a.md");
        let violations = place.store.violations(&place.workspace, jiff::Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(violations.len(), 1, "{is_written}");
        assert_eq!((violations[0].path.as_str(), violations[0].kind), ("a.md", ChangeKind::Modified));
        place.run();
        settle(&place);
        place.run();
        assert_eq!(place.store.violations(&place.workspace, jiff::Timestamp::UNIX_EPOCH).unwrap().len(), 1);
    }
}

fn told(place: &Place) -> Vec<(String, ChangeKind, Option<String>)> {
    let changes = place.store.recent_changes(&place.workspace, 9).unwrap();
    changes.into_iter().map(|change| (change.path.to_string(), change.kind, change.from.map(String::from))).collect()
}

#[test]
fn a_plain_rename_is_one_change_and_keeps_the_writer() {
    let looks: [&dyn Fn(&Place) -> ScanReport; 3] =
        [&|place| place.scan(), &|place| look_at(place, "new.md"), &|place| {
            let places = ["old.md", "new.md"].map(|path| path.parse().unwrap());
            look_at_all(place, &BTreeSet::from(places))
        }];
    for look in looks {
        let place = Place::new();
        place.write("old.md", "alpha");
        let files = place.there();
        let fingerprint = seen(&*files, &"old.md".parse().unwrap()).unwrap().unwrap();
        let provenance = Provenance { agent: Some("coder".to_owned()), ..Provenance::default() };
        let written = Observation {
            provenance: provenance.clone(),
            content_hash: Some(ContentHash::of(b"alpha")),
            ..Observation::new("old.md".parse().unwrap(), ChangeKind::Created, fingerprint, true)
        };
        place.store.log(&place.workspace, &[written], Priority::Interactive).unwrap();
        place.run();
        fs_err::rename(place.files.path().join("old.md"), place.files.path().join("new.md")).unwrap();
        let report = look(&place);
        assert_eq!((report.num_created, report.num_deleted), (1, 1));
        index_pending(&place.line(&*files, &place.index)).unwrap();
        let renamed = ("new.md".to_owned(), ChangeKind::Renamed, Some("old.md".to_owned()));
        assert_eq!(told(&place), [renamed, ("old.md".to_owned(), ChangeKind::Created, None)]);
        assert_eq!(place.entry("new.md").unwrap().provenance, provenance);
        assert_eq!((place.state("old.md"), place.with_words("alpha")), (None, set(&["new.md"])));
    }
}

#[test]
fn a_file_of_other_content_in_place_of_a_deleted_one_is_no_renaming() {
    let place = settled("old.md", "alpha");
    // The file system may give the inode of the old file to the new one at once.
    let before = modified(&place, "old.md");
    fs_err::rename(place.files.path().join("old.md"), place.files.path().join("new.md")).unwrap();
    fs_err::write(place.files.path().join("new.md"), "gamma").unwrap();
    set_modified(&place.files.path().join("new.md"), before);
    place.run();
    let kinds: Vec<ChangeKind> = told(&place).into_iter().map(|(_, kind, _)| kind).collect();
    assert_eq!(kinds, [ChangeKind::Deleted, ChangeKind::Created, ChangeKind::Created]);
    assert_eq!((place.with_words("alpha"), place.with_words("gamma")), (set(&[]), set(&["new.md"])));
}

#[test]
fn names_that_cannot_be_indexed_are_kept_with_the_reason() {
    use std::os::unix::ffi::OsStrExt as _;
    let place = Place::new();
    place.write("good.md", "alpha");
    place.write(r"sub/a\b.md", "alpha");
    fs_err::write(place.files.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9.md")), "alpha").unwrap();
    place.run();
    let state = place.store.source_state(&place.workspace).unwrap();
    assert!(state.scanned.is_some());
    let mut passed_over = state.passed_over;
    passed_over.sort();
    assert_eq!(
        passed_over,
        [
            "`caf\u{fffd}.md` is not indexed: its name is not UTF-8",
            r"`sub/a\b.md` is not indexed: its name holds a `\`"
        ]
    );
}
