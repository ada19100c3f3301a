//! Sessions: found by their hash, ended in time, and as many of one key as may be.

use jiff::SignedDuration;

use super::*;

const IDLE: SignedDuration = SignedDuration::from_hours(12);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap()
}

fn session(number: u8, key: &str, begun: i64) -> SessionRow {
    let begun = at(begun);
    SessionRow { hash: [number; 32], key: key.to_owned(), begun, seen: begun, ends: begun + IDLE * 2 }
}

#[test]
fn a_session_is_found_until_it_is_ended_and_outlives_the_process() {
    let desk = Desk::new();
    let one = session(1, "a", 1_000);
    desk.store.add_session(&one, None, IDLE, 9).unwrap();
    desk.store.see_session(&one.hash, at(5_000)).unwrap();
    desk.store.see_session(&one.hash, at(4_000)).unwrap();
    let desk = desk.reopened();
    assert_eq!(desk.store.session(&one.hash).unwrap(), Some(SessionRow { seen: at(5_000), ..one.clone() }));
    assert_eq!(desk.store.session(&[2; 32]).unwrap(), None);
    desk.store.end_session(&one.hash).unwrap();
    desk.store.end_session(&one.hash).unwrap();
    assert_eq!(desk.store.session(&one.hash).unwrap(), None);
}

#[test]
fn a_session_that_begins_ends_its_former_one_and_those_of_its_key_seen_longest_ago() {
    let desk = Desk::new();
    for number in 1..=3 {
        desk.store.add_session(&session(number, "a", i64::from(number)), None, IDLE, 3).unwrap();
    }
    desk.store.add_session(&session(9, "b", 1), None, IDLE, 3).unwrap();
    desk.store.see_session(&[1; 32], at(10)).unwrap();
    let are_there =
        || (1..=9).filter(|number| desk.store.session(&[*number; 32]).unwrap().is_some()).collect::<Vec<u8>>();
    desk.store.add_session(&session(4, "a", 11), None, IDLE, 3).unwrap();
    assert_eq!(are_there(), [1, 3, 4, 9]);
    desk.store.add_session(&session(5, "a", 12), Some(&[4; 32]), IDLE, 3).unwrap();
    assert_eq!(are_there(), [1, 3, 5, 9]);
}

#[test]
fn sessions_that_are_over_are_removed_when_another_one_begins() {
    let desk = Desk::new();
    let hour = 3_600_000;
    desk.store.add_session(&session(1, "a", 0), None, IDLE, 9).unwrap();
    desk.store.add_session(&session(2, "a", 0), None, IDLE, 9).unwrap();
    desk.store.see_session(&[2; 32], at(11 * hour)).unwrap();
    desk.store.add_session(&session(3, "b", 12 * hour), None, IDLE, 9).unwrap();
    assert!(desk.store.session(&[1; 32]).unwrap().is_none(), "not seen for so long");
    assert!(desk.store.session(&[2; 32]).unwrap().is_some());
    desk.store.see_session(&[2; 32], at(23 * hour)).unwrap();
    desk.store.add_session(&session(4, "b", 24 * hour), None, IDLE, 9).unwrap();
    assert!(desk.store.session(&[2; 32]).unwrap().is_none(), "its time is over");
}
