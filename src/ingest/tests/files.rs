//! Files that cannot be read, hold nothing, or are not what they were.

use super::*;

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_inside_is_never_read() {
    use std::os::unix::fs::symlink;
    let place = Place::new();
    let outside = tempfile::tempdir().unwrap();
    fs_err::write(outside.path().join("secret.txt"), "alpha").unwrap();
    let at = |name: &str| place.files.path().join(name);
    place.write("good.txt", "alpha");
    symlink(outside.path().join("secret.txt"), at("link.txt")).unwrap();
    symlink(outside.path(), at("folder")).unwrap();
    symlink(at("nowhere"), at("dangling.txt")).unwrap();
    symlink(at("loop.txt"), at("loop.txt")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket.txt")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(at("pipe.txt")).status().unwrap();
    assert!(pipe.success());
    fs_err::create_dir(at("directory.txt")).unwrap();

    let run = place.run();
    assert_eq!((run.scan.num_files, place.with_words("alpha")), (1, set(&["good.txt"])));
    let files = place.there();
    let read = |path: &str| read_file(&*files, &path.parse().unwrap(), MAX_FILE_BYTES).unwrap_err().code();
    assert_eq!((read("link.txt"), read("folder/secret.txt")), ("outside_workspace", "outside_workspace"));
    assert_eq!(
        (read("socket.txt"), read("pipe.txt"), read("directory.txt")),
        ("not_a_file", "not_a_file", "not_a_file")
    );
    assert_eq!((read("dangling.txt"), read("loop.txt")), ("outside_workspace", "outside_workspace"));
    assert_eq!((read(&"long".repeat(100)), read("good.txt/below")), ("file_gone", "file_gone"));
    for escape in ["../secret.txt", "a/../../secret.txt", "/etc/passwd"] {
        assert!(escape.parse::<RelPath>().is_err(), "{escape}");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_becomes_a_link_out_of_the_workspace_is_gone() {
    let place = Place::new();
    let outside = tempfile::tempdir().unwrap();
    fs_err::write(outside.path().join("secret.txt"), "beta").unwrap();
    place.write("a.txt", "alpha");
    place.run();
    let path = place.files.path().join("a.txt");
    fs_err::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.txt"), &path).unwrap();
    assert_eq!(place.run().line.num_removed, 1);
    assert_eq!((place.state("a.txt"), place.with_words("alpha beta")), (None, set(&[])));
}

#[cfg(unix)]
#[test]
fn a_name_that_is_not_utf8_is_reported_and_hides_no_deletion() {
    use std::os::unix::ffi::OsStrExt as _;
    let place = Place::new();
    place.write("a.txt", "alpha");
    place.write("b.txt", "alpha");
    fs_err::write(place.files.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9.txt")), "gamma").unwrap();
    let run = place.run();
    assert_eq!((run.scan.num_files, run.scan.problems.len()), (2, 1), "{:?}", run.scan.problems);
    fs_err::remove_file(place.files.path().join("a.txt")).unwrap();
    assert_eq!(place.run().scan.num_deleted, 1);
    assert_eq!(place.with_words("alpha"), set(&["b.txt"]));
}

#[test]
fn a_file_without_text_is_empty_and_never_ready() {
    let place = Place::new();
    place.write("zero.txt", "");
    place.write("blank.md", " \n\t\r\n  ");
    place.write("full.txt", "alpha");
    place.run();
    for path in ["zero.txt", "blank.md"] {
        assert_eq!(place.state(path), Some(FileState::Empty), "{path}");
        assert!(place.entry(path).unwrap().reason.is_some());
    }
    assert_eq!(place.run().line, LineReport::default(), "nothing is read again");
    place.write("full.txt", "");
    place.run();
    assert_eq!((place.state("full.txt"), place.with_words("alpha")), (Some(FileState::Empty), set(&[])));
}

#[test]
fn a_bad_file_hurts_only_itself() {
    let place = Place::new();
    place.write("broken.pdf", b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nstream of nonsense\n");
    place.write("nul.bin", b"\0\0\0\x01\x02alpha\0\0".repeat(50));
    place.write("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    place.write("large.txt", "word ".repeat(usize::try_from(MAX_FILE_BYTES).unwrap()));
    place.write("good.txt", "alpha");
    place.run();
    for path in ["broken.pdf", "nul.bin", "picture.png", "large.txt"] {
        let entry = place.entry(path).unwrap();
        assert!(matches!(entry.state, FileState::Failed | FileState::Unsupported), "{path}: {entry:?}");
        assert!(entry.reason.is_some_and(|reason| !reason.is_empty()) && entry.num_chunks == 0, "{path}");
    }
    assert_eq!(place.with_words("alpha"), set(&["good.txt"]));
    assert!(place.store.pending(&place.workspace, Priority::Backfill, 9).unwrap().is_empty());
    place.write("large.txt", "alpha at last");
    place.run();
    assert_eq!(place.with_words("alpha"), set(&["good.txt", "large.txt"]));
}

#[test]
fn a_file_that_becomes_a_folder_and_back_leaves_nothing_of_what_it_was() {
    let place = Place::new();
    place.write("a.txt", "alpha");
    place.run();
    fs_err::remove_file(place.files.path().join("a.txt")).unwrap();
    place.write("a.txt/b.txt", "beta");
    place.run();
    assert_eq!((place.with_words("alpha"), place.with_words("beta")), (set(&[]), set(&["a.txt/b.txt"])));
    fs_err::remove_dir_all(place.files.path().join("a.txt")).unwrap();
    place.write("a.txt", "gamma");
    place.run();
    assert_eq!((place.with_words("beta"), place.with_words("gamma")), (set(&[]), set(&["a.txt"])));
}

#[test]
fn hidden_and_ignored_files_are_passed_over_and_go_when_they_become_so() {
    let place = Place::new();
    place.write(".gitignore", "*.tmp\n/build/\n");
    place.write("sub/.pinciteignore", "private*\n!private-not.txt\n");
    for path in
        ["a.txt", "b.tmp", "build/c.txt", ".hidden.txt", ".folder/d.txt", "sub/private.txt", "sub/private-not.txt"]
    {
        place.write(path, "alpha");
    }
    place.run();
    assert_eq!(place.with_words("alpha"), set(&["a.txt", "sub/private-not.txt"]));
    place.write(".gitignore", "a.txt\n");
    place.run();
    assert_eq!(place.with_words("alpha"), set(&["b.tmp", "build/c.txt", "sub/private-not.txt"]));
}

#[test]
fn a_file_that_is_back_as_it_was_before_its_deletion_is_indexed_stays_found() {
    let place = Place::new();
    place.write("a.txt", "alpha");
    place.run();
    let (here, away) = (place.files.path().join("a.txt"), place.data.path().join("away"));
    fs_err::rename(&here, &away).unwrap();
    assert_eq!(place.scan().num_deleted, 1);
    fs_err::rename(&away, &here).unwrap();
    place.run();
    assert_eq!((place.with_words("alpha"), place.state("a.txt")), (set(&["a.txt"]), Some(FileState::Ready)));
}

#[test]
fn an_empty_folder_and_a_missing_one_are_told_apart() {
    let place = Place::new();
    let run = place.run();
    assert_eq!((run.scan, run.line), (ScanReport::default(), LineReport::default()));
    place.write("a.txt", "alpha");
    place.run();
    let scan_at = |name: &str| {
        let files = at(&place.root().join(name), RuleLimits::default());
        scan(&place.store, &place.workspace, &*files, &none_writes, &Silent).unwrap_err()
    };
    let (missing, file) = (scan_at("no"), scan_at("a.txt"));
    assert_eq!((missing.code(), file.code()), ("no_such_folder", "no_such_folder"));
    assert_eq!(place.with_words("alpha"), set(&["a.txt"]), "a failed scan deletes nothing");
}

/// A file that was written in the tick of the clock in which it was read.
fn racy_place() -> (Place, SystemTime) {
    let place = Place::new();
    place.write("a.txt", "alpha");
    let now = SystemTime::now();
    rewrite(&place, "alpha", now);
    place.run();
    (place, now)
}

fn rewrite(place: &Place, text: &str, modified: SystemTime) {
    fs_err::write(place.files.path().join("a.txt"), text).unwrap();
    let file = fs_err::OpenOptions::new().write(true).open(place.files.path().join("a.txt")).unwrap();
    file.file().set_modified(modified).unwrap();
}

/// As if so much time had passed since the file was read.
fn let_the_tick_pass(place: &Place) {
    let log = rusqlite::Connection::open(place.data.path().join("pincite.db")).unwrap();
    assert_eq!(log.execute("UPDATE files SET racy_until_ns = 1 WHERE racy_until_ns IS NOT NULL", []).unwrap(), 1);
}

#[test]
fn a_file_that_is_rewritten_in_the_same_tick_with_as_many_bytes_is_found_as_it_is() {
    let (place, tick) = racy_place();
    assert_eq!(place.run().scan.num_modified, 0, "looked at, and as it was");
    rewrite(&place, "gamma", tick);
    let seen = BTreeSet::from(["a.txt".parse().unwrap()]);
    let report = scan_places(&place.store, &place.workspace, &*place.there(), &seen, (&none_writes, &Silent)).unwrap();
    assert_eq!(report.num_modified, 1);
    assert_eq!(place.store.view(&place.workspace).unwrap().superseded.len(), 1, "what it was is not shown any more");
    place.run();
    assert_eq!((place.with_words("alpha"), place.with_words("gamma")), (set(&[]), set(&["a.txt"])));
    rewrite(&place, "delta", tick);
    place.run();
    assert_eq!((place.with_words("gamma"), place.with_words("delta")), (set(&[]), set(&["a.txt"])));
}

#[test]
fn a_file_is_looked_at_once_more_after_its_tick_and_then_its_time_is_believed() {
    let (place, tick) = racy_place();
    let_the_tick_pass(&place);
    rewrite(&place, "gamma", tick);
    assert_eq!(place.run().scan.num_modified, 1, "the rewrite came before the tick was over");
    let_the_tick_pass(&place);
    assert_eq!(place.scan().num_modified, 0);
    // With another hash in the table, a comparison of the bytes would find a change.
    let log = rusqlite::Connection::open(place.data.path().join("pincite.db")).unwrap();
    assert_eq!(log.execute("UPDATE files SET content_hash = zeroblob(32)", []).unwrap(), 1);
    assert_eq!(place.scan().num_modified, 0, "nothing is read");
}

#[test]
fn what_a_crash_has_left_of_a_write_goes_at_the_next_whole_scan() {
    let place = Place::new();
    place.write("a.txt", "alpha");
    place.write("sub/.pincite-0123456789ab.part", "half of what was to be wri");
    place.write(".pincite-notes", "somebody's");
    let at = |name: &str| place.files.path().join(name);
    assert_eq!(place.scan().num_files, 1);
    assert!(!at("sub/.pincite-0123456789ab.part").exists() && at(".pincite-notes").exists());
}

/// Writes a file and logs it, as a write through us does, when the listing of a scan is at its end.
struct WritesMeanwhile<'a>(&'a Place);

impl Progress for WritesMeanwhile<'_> {
    fn begin(&self, _: Stage, _: Option<u64>) {}

    fn advance(&self, _: u64) {}

    fn reading(&self, _: &RelPath, _: u64, _: u64) {}

    fn end(&self) {
        let Self(place) = self;
        place.write("a.txt", "alpha beta");
        let (path, fingerprint) =
            ("a.txt".parse().unwrap(), Fingerprint { size: 10, modified_ns: 1, ..Fingerprint::NONE });
        let written = Observation::new(path, ChangeKind::Created, fingerprint, true);
        place.store.log(&place.workspace, &[written], Priority::Interactive).unwrap();
    }
}

#[test]
fn a_file_that_is_written_while_a_scan_lists_is_not_taken_for_deleted() {
    let place = Place::new();
    let scan_beside_a_write =
        || scan(&place.store, &place.workspace, &*place.there(), &none_writes, &WritesMeanwhile(&place)).unwrap();
    assert_eq!(scan_beside_a_write().num_deleted, 0, "it was not there when the folder was listed");
    place.run();
    fs_err::remove_file(place.files.path().join("a.txt")).unwrap();
    assert_eq!(scan_beside_a_write().num_deleted, 0, "it was known before, and away when the folder was listed");
    place.run();
    assert_eq!(place.with_words("alpha"), set(&["a.txt"]));
}
