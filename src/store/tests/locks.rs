//! Locks as they are stored: over clocks that jump, restarts of the machine, and those who wait.

use super::*;
use crate::store::{Covered, LockRequest, LockRow, LockTime, Taken};
use crate::workspace::LockMode;

const MOST: u64 = 100;

fn at(since_boot_s: i64, wall_s: i64) -> LockTime {
    LockTime { boot: "first".to_owned(), since_boot_ms: since_boot_s * 1_000, wall_ms: wall_s * 1_000 }
}

impl LockRequest {
    /// An exclusive lock for ten minutes, of who is called as it is.
    pub(crate) fn exclusive(id: &str, covered: Covered) -> Self {
        Self {
            covered,
            mode: LockMode::Exclusive,
            id: id.to_owned(),
            token: [id.as_bytes()[0]; 32],
            key: None,
            holder: id.to_owned(),
            reason: None,
            ttl_s: 600,
            ticket: None,
            waits: false,
        }
    }
}

fn request(id: &str, covered: Covered) -> LockRequest {
    LockRequest { ttl_s: 60, ..LockRequest::exclusive(id, covered) }
}

fn of_path(id: &str, name: &str) -> LockRequest {
    request(id, Covered::Path(path(name)))
}

impl Desk {
    fn take(&self, request: &LockRequest, now: &LockTime) -> Taken {
        self.store.take_lock(&self.workspace, request, now, MOST).unwrap()
    }

    fn taken(&self, request: &LockRequest, now: &LockTime) -> LockRow {
        match self.take(request, now) {
            Taken::Yes(row) => row,
            held @ Taken::No { .. } => panic!("{held:?}"),
        }
    }
}

#[test]
fn a_lease_ends_by_the_time_since_the_start_and_by_no_clock_that_is_set() {
    let desk = Desk::new();
    assert_eq!(desk.taken(&of_path("a", "x"), &at(100, 5_000)).fence, 1);
    // The clock on the wall jumps a day on, and a day back.
    for wall in [5_000 + 86_400, 5_000 - 86_400] {
        assert!(matches!(desk.take(&of_path("b", "x"), &at(159, wall)), Taken::No { place: 1, .. }), "{wall}");
        assert_eq!(desk.store.locks(&desk.workspace, &at(159, wall)).unwrap().len(), 1);
    }
    assert!(desk.store.locks(&desk.workspace, &at(160, 0)).unwrap().is_empty(), "it is over to the second");
    assert_eq!(desk.taken(&of_path("b", "x"), &at(160, 0)).fence, 2);
    let lost = desk.store.extend_lock(&desk.workspace, "a", &[b'a'; 32], None, &at(161, 0)).unwrap();
    assert_eq!(lost, None, "the first holder has lost it");
}

#[test]
fn after_a_restart_of_the_machine_a_lease_goes_on_for_what_was_left() {
    let second = |since_boot_s, wall_s| LockTime { boot: "second".to_owned(), ..at(since_boot_s, wall_s) };
    let desk = Desk::new();
    desk.taken(&of_path("a", "x"), &at(100, 5_000));
    // Twenty of sixty seconds had gone.
    assert!(matches!(desk.take(&of_path("b", "x"), &second(5, 5_020)), Taken::No { .. }));
    assert!(matches!(desk.take(&of_path("b", "x"), &second(44, 5_020)), Taken::No { .. }));
    assert_eq!(desk.taken(&of_path("b", "x"), &second(45, 5_020)).fence, 2);
    // A clock that was set back while the machine was off gives no more than a whole lease.
    let desk = Desk::new();
    desk.taken(&of_path("a", "x"), &at(100, 5_000));
    assert!(matches!(desk.take(&of_path("b", "x"), &second(1, 0)), Taken::No { .. }));
    desk.taken(&of_path("b", "x"), &second(61, 0));
}

#[test]
fn nobody_gets_what_somebody_before_them_waits_for() {
    let desk = Desk::new();
    let waits = |id: &str, name: &str, ticket| LockRequest { waits: true, ticket, ..of_path(id, name) };
    desk.taken(&of_path("a", "x"), &at(0, 0));
    let Taken::No { ticket: Some(first), .. } = desk.take(&waits("b", "x", None), &at(1, 0)) else { panic!() };
    let Taken::No { ticket: Some(second), place: 2, .. } = desk.take(&waits("c", "x", None), &at(1, 0)) else {
        panic!()
    };
    assert!(matches!(desk.take(&waits("b", "x", Some(first)), &at(2, 0)), Taken::No { place: 1, .. }));
    desk.store.release_lock(&desk.workspace, "a", Some(&[b'a'; 32]), &at(2, 0)).unwrap();
    let late = desk.take(&of_path("d", "x"), &at(2, 0));
    assert!(matches!(late, Taken::No { by: None, place: 3, .. }), "{late:?}");
    assert!(matches!(desk.take(&waits("c", "x", Some(second)), &at(2, 0)), Taken::No { by: None, place: 2, .. }));
    desk.taken(&waits("b", "x", Some(first)), &at(2, 0));
    // Who does not ask any more waits no more.
    desk.store.release_lock(&desk.workspace, "b", None, &at(3, 0)).unwrap();
    desk.taken(&of_path("e", "x"), &at(10, 0));
}

#[test]
fn locks_that_overlap_exclude_each_other_unless_both_are_shared() {
    let glob = |id: &str, glob: &str| request(id, Covered::Glob(glob.to_owned()));
    let shared = |request: LockRequest| LockRequest { mode: LockMode::Shared, ..request };
    for (one, other, overlaps) in [
        (of_path("a", "r/x.md"), of_path("b", "r/y.md"), false),
        (of_path("a", "r/x.md"), glob("b", "r/**"), true),
        (of_path("a", "r/x.md"), glob("b", "*.md"), true),
        (of_path("a", "r/x.md"), glob("b", "s/**"), false),
        (glob("a", "r/*.md"), glob("b", "r/*.txt"), true),
        (glob("a", "r/**"), glob("b", "s/**"), false),
        (glob("a", "*.md"), glob("b", "s/**"), true),
    ] {
        let desk = Desk::new();
        desk.taken(&one, &at(0, 0));
        assert_eq!(matches!(desk.take(&other, &at(0, 0)), Taken::No { .. }), overlaps, "{one:?} {other:?}");
        let desk = Desk::new();
        desk.taken(&shared(one.clone()), &at(0, 0));
        desk.taken(&shared(other.clone()), &at(0, 0));
        let desk = Desk::new();
        desk.taken(&shared(one.clone()), &at(0, 0));
        assert_eq!(matches!(desk.take(&other, &at(0, 0)), Taken::No { .. }), overlaps, "{one:?} {other:?}");
    }
}

#[test]
fn fences_rise_over_restarts_and_go_with_the_workspace() {
    let desk = Desk::new();
    for fence in 1..4 {
        let id = format!("{fence}");
        assert_eq!(desk.taken(&of_path(&id, &id), &at(0, 0)).fence, fence);
    }
    let full = desk.store.take_lock(&desk.workspace, &of_path("x", "x"), &at(0, 0), 3);
    assert!(matches!(full, Err(StoreError::TooManyLocks { max: 3 })));
    let desk = desk.reopened();
    assert_eq!(desk.store.locks(&desk.workspace, &at(1, 0)).unwrap().len(), 3);
    assert_eq!(desk.taken(&of_path("4", "4"), &at(1, 0)).fence, 4);
    desk.store.delete_workspace(&desk.workspace).unwrap();
    assert!(desk.store.locks(&desk.workspace, &at(1, 0)).unwrap().is_empty());
}

/// The content of a file on disk, as a scan has seen it under the lock on the files.
fn past_us(name: &str, text: &str, changed_s: i64) -> Observation {
    let fingerprint = Fingerprint {
        size: text.len() as u64,
        modified_ns: changed_s,
        changed_ns: changed_s * 1_000_000_000,
        inode: 1,
    };
    Observation {
        content_hash: Some(ContentHash::of(text.as_bytes())),
        is_past_us: true,
        ..Observation::new(path(name), ChangeKind::Created, fingerprint, false)
    }
}

#[test]
fn a_lock_that_is_over_or_was_taken_after_the_change_is_not_violated() {
    let desk = Desk::new();
    let now = LockTime::now();
    let ago = |s: i64| LockTime {
        boot: now.boot.clone(),
        since_boot_ms: now.since_boot_ms - s * 1_000,
        wall_ms: now.wall_ms - s * 1_000,
    };
    let wall_s = now.wall_ms / 1_000;
    // Leases of a minute, taken two minutes and half a minute ago.
    desk.taken(&of_path("over", "over"), &ago(120));
    desk.taken(&of_path("held", "held"), &ago(30));
    let log = |seen: &[Observation]| desk.store.log(&desk.workspace, seen, Priority::Backfill).unwrap();
    let told = || desk.store.violations(&desk.workspace, Timestamp::UNIX_EPOCH).unwrap();
    log(&[past_us("over", "x", wall_s), past_us("held", "x", wall_s - 60), past_us("free", "x", wall_s)]);
    assert_eq!(told(), [], "one is over, one was written before the lock was taken, and one is not locked");
    log(&[past_us("held", "x", wall_s)]);
    assert_eq!(told(), [], "it holds what it held");
    log(&[Observation { is_past_us: false, ..past_us("held", "through us", wall_s) }]);
    assert_eq!(told(), [], "it was written through us");
    let revision = log(&[past_us("held", "other", wall_s)]);
    let found = told();
    assert_eq!((found.len(), found[0].revision, found[0].lock.lock_id.as_str()), (1, revision, "held"));
    log(&[past_us("held", "other", wall_s)]);
    assert_eq!(told().len(), 1, "the same once more is nothing new");
    let gone = Observation {
        is_past_us: true,
        ..Observation::new(path("held"), ChangeKind::Deleted, Fingerprint::NONE, false)
    };
    log(std::slice::from_ref(&gone));
    log(&[gone]);
    assert_eq!(told().iter().map(|one| one.kind).collect::<Vec<_>>(), [ChangeKind::Deleted, ChangeKind::Modified]);
    assert_eq!(desk.store.violations_to_record(9).unwrap().len(), 2);
}
