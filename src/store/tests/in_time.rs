//! Long reads end when nobody waits for them any more.

use std::cell::Cell;

use super::*;

#[test]
fn the_log_and_the_file_table_are_read_as_long_as_somebody_waits() {
    let desk = Desk::new();
    let names: Vec<String> = (0..1_000).map(|number| format!("{number:04}.md")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let through = desk.log(ChangeKind::Created, &names);
    for name in &names {
        desk.done(through, name, b"x");
    }
    let looks = Cell::new(0);
    let twice = || {
        looks.set(looks.get() + 1);
        looks.get() <= 2
    };
    assert_eq!(desk.store.changes(&desk.workspace, &twice).unwrap().len(), 2 * ROWS_BETWEEN_LOOKS);
    looks.set(0);
    assert_eq!(desk.store.files_while(&desk.workspace, &twice).unwrap().len(), 2 * ROWS_BETWEEN_LOOKS);
    assert!(desk.store.changes(&desk.workspace, &|| false).unwrap().is_empty());
    assert!(desk.store.files_while(&desk.workspace, &|| false).unwrap().is_empty());
    assert_eq!(desk.store.changes(&desk.workspace, &|| true).unwrap().len(), 1_000);
    assert_eq!(desk.store.files(&desk.workspace).unwrap().len(), 1_000);
}
