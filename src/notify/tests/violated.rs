//! Violations of locks in the journal: each once, also where a process ended between the journal's entry and the store's mark.

use super::super::violations::{ViolationRecorder, record};
use crate::audit::{Journal, Settings};
use crate::config::Audit;
use crate::store::{Covered, Fingerprint, LockRequest, LockTime, Observation, Store};
use crate::workspace::{ChangeKind, ContentHash, Priority, WorkspaceId};

fn violate(store: &Store, text: &str) {
    let fingerprint = Fingerprint { size: text.len() as u64, modified_ns: 1, changed_ns: 0, inode: 1 };
    let seen = Observation {
        content_hash: Some(ContentHash::of(text.as_bytes())),
        is_past_us: true,
        ..Observation::new("a.md".parse().unwrap(), ChangeKind::Modified, fingerprint, false)
    };
    store.log(&WorkspaceId::default(), &[seen], Priority::Backfill).unwrap();
}

#[test]
fn a_violation_is_in_the_journal_once_wherever_a_process_ended() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), true).unwrap();
    let id = WorkspaceId::default();
    store.ensure_workspace(&id, None).unwrap();
    let covered = Covered::Path("a.md".parse().unwrap());
    let request = LockRequest { reason: Some("rewriting".to_owned()), ..LockRequest::exclusive("coder", covered) };
    store.take_lock(&id, &request, &LockTime::now(), 9).unwrap();
    let journal = Journal::new(folder.path(), Settings::of(&Audit::default(), false));
    let num_entries = || journal.head().unwrap().seq;
    violate(&store, "one");
    violate(&store, "two");
    // A process that has ended before its mark was durable.
    record(&journal, &store.violations_to_record(9).unwrap()[0]).unwrap();
    assert_eq!(num_entries(), 1);
    let recorder = ViolationRecorder::new();
    recorder.record(&store, &journal).unwrap();
    assert_eq!((num_entries(), store.violations_to_record(9).unwrap()), (2, Vec::new()));
    violate(&store, "three");
    recorder.record(&store, &journal).unwrap();
    ViolationRecorder::new().record(&store, &journal).unwrap();
    assert_eq!(num_entries(), 3);
}
