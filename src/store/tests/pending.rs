//! Which workspaces have something to do.

use super::*;

#[test]
fn only_workspaces_with_a_pending_change_of_the_priority_are_named() {
    let mut desk = Desk::new();
    let names = |desk: &Desk, priority| -> Vec<String> {
        desk.store.workspaces_with_pending(priority).unwrap().iter().map(ToString::to_string).collect()
    };
    assert!(names(&desk, Priority::Interactive).is_empty());
    for name in ["a", "b", "c", "z"] {
        desk.store.ensure_workspace(&id(name), None).unwrap();
    }
    for (workspace, priority) in [
        ("b", Priority::Interactive),
        ("c", Priority::Backfill),
        ("w", Priority::Backfill),
        ("w", Priority::Interactive),
    ] {
        desk.workspace = id(workspace);
        desk.log_as(priority, ChangeKind::Created, &["one", "two"]);
    }
    assert_eq!(names(&desk, Priority::Interactive), ["b", "w"]);
    assert_eq!(names(&desk, Priority::Backfill), ["c", "w"]);
    let through = desk.store.last_revision(&id("w")).unwrap();
    for name in ["one", "two"] {
        desk.done(through, name, b"A buoy.");
    }
    assert_eq!(names(&desk, Priority::Interactive), ["b"]);
    assert_eq!(names(&desk, Priority::Backfill), ["c"]);
}
