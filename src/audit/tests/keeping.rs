//! How much is kept, and what a disk that is full or closed does.

use super::*;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

#[test]
fn pruning_keeps_the_newest_and_an_anchor_that_proves_them() {
    let book = Book::with(|settings| {
        settings.segment_bytes = 20_000;
        settings.audit.keep_mb = 1;
        settings.audit.query_text = QueryText::Text;
    });
    let long = "word ".repeat(1_000);
    for number in 0..600 {
        book.journal.record(&search_by(&format!("{number} {long}"), &[])).unwrap();
    }
    let report = book.verify();
    assert!(report.is_whole && report.first_seq > 1, "{report:?}");
    let num_bytes: u64 = book.segments().iter().map(|path| fs_err::metadata(path).unwrap().len()).sum();
    assert!((900_000..1_100_000).contains(&num_bytes), "{num_bytes}");
    let pruned = &book.search(&Query { action: Some("audit.prune"), ..all() })[0];
    assert!(pruned.message.as_ref().unwrap().contains(&(report.first_seq - 1).to_string()), "{pruned:?}");

    // A segment that nothing has pruned is missed.
    fs_err::remove_file(&book.segments()[0]).unwrap();
    assert_eq!(book.breaks(), [BreakKind::CutBeginning]);
}

#[test]
fn a_segment_holds_one_day_and_goes_when_it_is_too_old() {
    let book = Book::with(|settings| settings.audit.keep_days = 30);
    book.journal.record(&search_by("now", &[])).unwrap();
    age(&book, 29);
    book.other().record(&search_by("another day", &[])).unwrap();
    assert_eq!(book.segments().len(), 2, "another day is another segment");
    assert!(book.verify().is_whole);

    let book = Book::with(|settings| settings.audit.keep_days = 30);
    book.journal.record(&search_by("now", &[])).unwrap();
    age(&book, 31);
    book.other().record(&search_by("much later", &[])).unwrap();
    let report = book.verify();
    assert!(report.is_whole && report.first_seq == 2, "{report:?}");
}

/// As if the only entry was recorded some days ago.
fn age(book: &Book, days: i64) {
    let line = book.lines().remove(0);
    let time = line::Links::read(line.as_bytes()).unwrap().time;
    let older = line.replace(&format!("\"time\":{time}"), &format!("\"time\":{}", time - days * DAY_MS));
    let (body, _) = older.rsplit_once(",\"hash\":\"").unwrap();
    let hash = head::EntryHash::of(format!("{body}}}").as_bytes());
    fs_err::write(&book.segments()[0], format!("{body},\"hash\":\"{hash}\"}}\n")).unwrap();
    fs_err::write(book.folder().join("head"), format!("{:020} {hash} {:020}\n", 1, 1)).unwrap();
}

#[test]
#[cfg(unix)]
fn the_journal_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let book = Book::new();
    book.journal.record(&search_by("words", &[])).unwrap();
    let mode = |path: PathBuf| fs_err::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(book.folder()), 0o700);
    for file in ["head", "lock", "00000000000000000001.jsonl"] {
        assert_eq!(mode(book.folder().join(file)), 0o600, "{file}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_refuses_or_drops_as_configured_and_the_chain_stays_whole() {
    let Some(small) = SmallDisk::mount() else { return };
    fill(small.0.path());
}

#[cfg(target_os = "linux")]
struct SmallDisk(tempfile::TempDir);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=200k", "tmpfs"]).arg(folder.path());
        if mount.output().is_ok_and(|output| output.status.success()) {
            return Some(Self(folder));
        }
        let skipped = "SKIPPED: the test of a full disk, because this process may not mount one (run it as root)\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), skipped.as_bytes());
        None
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path()).status();
    }
}

#[cfg(target_os = "linux")]
fn fill(folder: &std::path::Path) {
    let journal = |on_full| {
        let audit = Audit { on_full, query_text: QueryText::Text, ..Audit::default() };
        Journal::new(folder, Settings::of(&audit, false))
    };
    let ballast = folder.join("ballast");
    fs_err::write(&ballast, vec![7; 40_000]).unwrap();
    let refusing = journal(OnFull::Refuse);
    let long = "word ".repeat(500);
    let mut num_recorded = 0;
    let refused = loop {
        match refusing.record(&search_by(&long, &[])) {
            Ok(_) => num_recorded += 1,
            Err(error) => break error,
        }
        assert!(num_recorded < 1_000, "the disk never fills");
    };
    assert!(matches!(refused, AuditError::Full(_)), "{refused:?}");
    assert!(matches!(refusing.record(&search_by(&long, &[])), Err(AuditError::Full(_))));
    let report = refusing.verify(&[]).unwrap();
    assert!(report.is_whole && report.num_entries == num_recorded, "no half line stays: {report:?}");
    assert_eq!(refusing.search(&all(), &Budget::default()).unwrap().entries.len() as u64, num_recorded);

    let dropping = journal(OnFull::Drop);
    for _ in 0..3 {
        assert_eq!(dropping.record(&search_by(&long, &[])).unwrap(), None);
    }
    fs_err::remove_file(ballast).unwrap();
    assert!(dropping.record(&search_by(&long, &[])).unwrap().is_some());
    let report = dropping.verify(&[]).unwrap();
    assert!(report.is_whole && report.num_unrecorded == 3, "entries tell what is missing: {report:?}");
}

#[test]
#[cfg(unix)]
fn a_folder_that_may_not_be_written_stops_no_reader_and_refuses_all_others() {
    use std::os::unix::fs::PermissionsExt as _;
    let reading = Book::with(|settings| settings.may_only_read = true);
    let closed = std::fs::Permissions::from_mode(0o500);
    fs_err::set_permissions(reading.data.path(), closed.clone()).unwrap();
    if fs_err::write(reading.data.path().join("probe"), "").is_ok() {
        // The superuser may write anywhere: a file in the place of the folder stops it, too.
        return;
    }
    assert_eq!(reading.journal.record(&search_by("words", &[])).unwrap(), None);
    let writing = Book::new();
    fs_err::set_permissions(writing.data.path(), closed).unwrap();
    let refused = writing.journal.record(&search_by("words", &[])).unwrap_err();
    assert!(matches!(refused, AuditError::Denied(_)), "{refused}");
}
