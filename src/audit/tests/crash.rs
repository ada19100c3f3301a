//! A process that ends at any step of a write, and several that write at once.

use std::io::Write as _;
use std::process::Command;

use super::*;
use crate::failpoint::armed::{ABORT_AT, TRACE};

const FOLDER: &str = "PINCITE_AUDIT_FOLDER";
const NUM_ENTRIES: usize = 12;

fn small(settings: &mut Settings) {
    settings.segment_bytes = 1_500;
    settings.audit.keep_mb = 1;
}

/// The child: records entries, and tells the number of each as an answer would.
#[test]
#[ignore = "started by the tests below"]
fn a_life() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let mut settings = Settings::of(&Audit { query_text: QueryText::Text, ..Audit::default() }, false);
    small(&mut settings);
    let journal = Journal::new(folder.as_ref(), settings);
    let name = std::process::id().to_string();
    let mut told = fs_err::File::create(std::path::Path::new(&folder).join(format!("told-{name}"))).unwrap();
    for number in 0..NUM_ENTRIES {
        let query = format!("{name} {number}");
        let seq = journal.record(&search_by(&query, &[])).unwrap().unwrap();
        writeln!(told, "{seq} {query}").unwrap();
    }
}

fn child(folder: &std::path::Path) -> Command {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["audit::tests::crash::a_life", "--exact", "--ignored", "--nocapture"]).env(FOLDER, folder);
    child.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    child
}

/// Everything that a child has told is in the journal, under its number.
fn check_told(book: &Book) {
    let entries = book.search(&all());
    for entry in fs_err::read_dir(book.data.path()).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_str().unwrap().starts_with("told-") {
            continue;
        }
        for line in fs_err::read_to_string(path).unwrap().lines() {
            let (seq, query) = line.split_once(' ').unwrap();
            let entry = entries.iter().find(|entry| entry.seq.to_string() == seq).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(entry.query, Some(Asked::Text(query.to_owned())));
        }
    }
}

#[test]
fn a_process_that_ends_at_any_step_leaves_a_whole_chain_with_all_it_told() {
    let traced = Book::with(small);
    let trace = traced.data.path().join("trace");
    assert!(child(traced.data.path()).env(TRACE, &trace).status().unwrap().success());
    let num_steps = fs_err::read_to_string(&trace).unwrap().lines().count();
    assert!(num_steps > 3 * NUM_ENTRIES, "{num_steps}");
    assert!(traced.segments().len() > 2, "the journal was rotated");
    for step in 1..=num_steps {
        let book = Book::with(small);
        let trace = book.data.path().join("trace");
        let status = child(book.data.path()).env(TRACE, &trace).env(ABORT_AT, step.to_string()).status().unwrap();
        assert!(!status.success(), "step {step}");
        // Another process goes on.
        book.journal.record(&search_by("after", &[])).unwrap();
        let report = book.verify();
        assert!(report.is_whole && report.num_repairs == 0, "step {step}: {report:?}");
        check_told(&book);
    }
}

#[test]
fn a_torn_line_is_cut_off_and_an_entry_tells_of_it() {
    let book = Book::new();
    book.journal.record(&search_by("first", &[])).unwrap();
    for torn in ["{", "{\"seq\":2,\"prev_hash\":\"00", &book.lines()[0]] {
        let mut segment = fs_err::OpenOptions::new().append(true).open(&book.segments()[0]).unwrap();
        segment.write_all(torn.as_bytes()).unwrap();
        assert_eq!(book.breaks(), [BreakKind::Damaged], "before the repair it is named");
        let entries = book.search(&all());
        assert!(entries.iter().all(|entry| entry.action != "torn"), "a torn line is no entry");
        book.journal.record(&search_by("next", &[])).unwrap();
        assert_eq!(book.breaks(), []);
        let [_, repair, ..] = &book.search(&all())[..] else { panic!("entries") };
        assert_eq!(repair.action, "audit.repair");
        assert!(repair.message.as_ref().unwrap().contains(&format!("{} bytes", torn.len())), "{repair:?}");
    }
    assert_eq!(book.verify().num_repairs, 3);
}

#[test]
fn several_processes_and_threads_write_one_chain() {
    let book = Book::with(small);
    let mut children: Vec<_> = (0..4).map(|_| child(book.data.path()).spawn().unwrap()).collect();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let journal = &book.journal;
            scope.spawn(move || {
                for number in 0..50 {
                    journal.record(&search_by(&format!("thread {thread} {number}"), &[])).unwrap();
                }
            });
        }
    });
    for child in &mut children {
        assert!(child.wait().unwrap().success());
    }
    let report = book.verify();
    assert!(report.is_whole && report.num_repairs == 0, "{report:?}");
    let of_searches = book.search(&Query { action: Some("search"), ..all() });
    assert_eq!(of_searches.len(), 4 * NUM_ENTRIES + 200);
    check_told(&book);
}

#[test]
fn a_process_that_holds_the_journal_for_too_long_is_not_waited_for_for_ever() {
    let book = Book::new();
    book.journal.record(&search_by("first", &[])).unwrap();
    let lock = fs_err::File::open(book.folder().join("lock")).unwrap();
    lock.file().lock().unwrap();
    let refused = book.journal.record(&search_by("second", &[])).unwrap_err();
    assert!(matches!(refused, AuditError::Busy { .. }), "{refused}");
    drop(lock);
    book.journal.record(&search_by("third", &[])).unwrap();
    assert!(book.verify().is_whole);
}
