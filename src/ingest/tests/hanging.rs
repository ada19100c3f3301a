//! Files at which calls of the file system hang.

use super::*;
use crate::error::Advice as _;
use crate::files::gates::until;

fn failed(place: &Place) -> Vec<String> {
    let files = place.store.files(&place.workspace).unwrap();
    let failed = files.into_iter().filter(|file| file.state == FileState::Failed);
    failed.map(|file| format!("{}: {}", file.path, file.reason.unwrap_or_default())).collect()
}

const REASON: &str = "the file system does not answer: it is read when the call at it has returned";

#[test]
fn a_file_that_hangs_between_a_look_and_its_read_is_named_and_the_others_are_brought_in() {
    let place = Place::new();
    for name in ["a.txt", "b.txt", "c.txt"] {
        place.write(name, format!("{} in {name}", "alpha"));
    }
    // The look for its size returns, and the read does not.
    place.errands.close("b.txt", 1);
    place.run();
    assert_eq!(place.with_words("alpha"), set(&["a.txt", "c.txt"]));
    assert_eq!(failed(&place), [format!("b.txt: {REASON}")]);
    assert_eq!(place.errands.hanging(&place.workspace).len(), 1);
    // As long as it hangs, nobody else is sent there, and nothing else is held up.
    place.write("d.txt", "alpha");
    place.write("b.txt", "alpha again");
    place.run();
    assert_eq!(place.with_words("alpha"), set(&["a.txt", "c.txt", "d.txt"]));
    assert_eq!(place.errands.hanging(&place.workspace).len(), 1);
    place.errands.open("b.txt");
    until(|| place.errands.hanging(&place.workspace).is_empty());
    assert_eq!(place.errands.take_returned(), [(place.workspace.clone(), "b.txt".parse().unwrap())]);
    place.run();
    assert_eq!(place.with_words("again"), set(&["b.txt"]));
    assert_eq!((failed(&place), place.errands.take_returned()), (Vec::new(), Vec::new()));
}

#[test]
fn of_files_whose_look_hangs_the_others_are_looked_at() {
    let place = Place::new();
    for name in ["a.txt", "b.txt", "c.txt", "d.txt"] {
        place.write(name, "alpha");
    }
    place.errands.close("a.txt", 0);
    place.errands.close("c.txt", 0);
    place.run();
    assert_eq!(place.with_words("alpha"), set(&["b.txt", "d.txt"]));
    assert_eq!(failed(&place), ["a.txt", "c.txt"].map(|name| format!("{name}: {REASON}")));
    let listed = place.store.counts(&place.workspace).unwrap();
    assert_eq!(listed.pending, 0);
    for name in ["a.txt", "c.txt"] {
        place.errands.open(name);
    }
    until(|| place.errands.all_hanging().is_empty());
}

#[test]
fn a_large_file_that_hangs_in_the_middle_is_taken_out() {
    let place = Place::new();
    for name in ["large.txt", "small.txt"] {
        let times = if name == "large.txt" { 1_000 } else { 1 };
        place.write(name, "alpha beta\n\n".repeat(times));
    }
    // The look, the opening, 24 blocks of 500 bytes for the hash and their end, a look, the rewinding, and some blocks.
    place.errands.close("large.txt", 34);
    place.run();
    assert_eq!(place.with_words("alpha"), set(&["small.txt"]));
    assert_eq!(failed(&place), [format!("large.txt: {REASON}")]);
    place.errands.open("large.txt");
    until(|| place.errands.all_hanging().is_empty());
    place.run();
    assert_eq!(place.with_words("alpha"), set(&["large.txt", "small.txt"]));
}

#[test]
fn where_too_many_hang_nothing_of_the_folder_is_read_and_nothing_is_taken_for_failed() {
    let place = Place::new();
    let names: Vec<String> = (0..9).map(|number| format!("{number}.txt")).collect();
    for name in &names {
        place.write(name, "alpha");
        place.errands.close(name, 1);
    }
    place.scan();
    let files = place.there();
    for _ in 0..3 {
        let error = index_pending(&place.line(&*files, &place.index)).unwrap_err();
        assert!(matches!(&error, IngestError::Folder(error) if error.is_of_place()), "{error}");
        // A batch that is at work beside others may go one beyond in each thread.
        assert!(place.errands.hanging(&place.workspace).len() >= 4);
    }
    assert_eq!((failed(&place), place.store.counts(&place.workspace).unwrap().pending), (Vec::new(), 9));
    assert!(place.errands.refuses(&place.workspace).is_some());
    // Another workspace is read all the same.
    let other: WorkspaceId = "other".parse().unwrap();
    assert!(place.errands.canonical_folder(&other, &place.root()).is_ok() && place.errands.refuses(&other).is_none());
    for name in &names {
        place.errands.open(name);
    }
    until(|| place.errands.all_hanging().is_empty());
    place.run();
    assert_eq!(place.with_words("alpha").len(), 9);
}

#[test]
fn a_folder_that_hangs_is_not_read_until_it_answers() {
    let place = Place::new();
    place.write("a.txt", "alpha");
    let (files, root, path) = (place.there(), place.root(), "a.txt".parse().unwrap());
    let check = || place.errands.canonical_folder(&place.workspace, &root);
    place.errands.close("", 0);
    assert_eq!(check().unwrap_err().code(), "source_stuck");
    let refused = read_file(&*files, &path, 100).unwrap_err();
    assert!(refused.is_of_place(), "{refused}");
    place.errands.open("");
    until(|| place.errands.all_hanging().is_empty());
    assert!(check().is_ok() && read_file(&*files, &path, 100).is_ok());
}
