//! Which files chunks are of, and filters that name them.

use std::sync::Arc;

use super::desk::{Desk, NUM_DIMENSIONS, Subject, glob, key_of, near_in, places, unit, words_in};
use crate::index::Filter;

/// Lets these files pass, and what is inside them.
pub(super) fn only(paths: &[&str]) -> Filter {
    let paths = paths.iter().map(|path| path.parse().unwrap()).collect();
    Filter { only: Some(Arc::new(paths)), ..Filter::default() }
}

pub(super) fn a_filter_to_given_files_applies_inside_both_legs(mut desk: Desk<impl Subject>) {
    // The only file that passes is the worst match of five hundred, in both legs.
    let texts: Vec<String> = (0..500).map(|number| format!("harbour harbour wall {number}")).collect();
    let target = unit(&[1.0; NUM_DIMENSIONS]);
    let mut vectors: Vec<_> = texts.iter().map(|text| (key_of(text), target.clone())).collect();
    let paragraphs: Vec<&str> = texts.iter().map(String::as_str).collect();
    let worst = "a long way from any other harbour in this collection of words";
    desk.put(1, &[("many.txt", &paragraphs), ("deep/one.md", &[worst]), ("deep/two.md", &["tide"])]);
    vectors.push((key_of(worst), unit(&[-1.0; NUM_DIMENSIONS])));
    desk.subject.writer().add_vectors(&vectors).unwrap();
    let snapshot = desk.snapshot();
    let found = |filter: &Filter| {
        let near = snapshot.dense(&target, filter, 3).unwrap();
        (words_in(&*snapshot, "harbour", filter, 3), places(&*snapshot, &near))
    };
    let one = vec!["deep/one.md#0".to_owned()];
    assert_eq!(found(&only(&["deep/one.md", "deep/two.md", "gone.md"])), (one.clone(), one));
    let nothing = (Vec::new(), Vec::new());
    assert_eq!(found(&only(&[])), nothing, "of no file is not of every file");
    assert_eq!(found(&Filter { only: only(&["many.txt"]).only, ..glob("deep/*") }), nothing, "all conditions hold");
    let hidden = ["deep/one.md".parse().unwrap()].into();
    assert_eq!(found(&Filter { hidden, ..only(&["deep/one.md"]) }), nothing, "what is hidden is hidden");
}

pub(super) fn what_is_inside_a_given_file_passes(mut desk: Desk<impl Subject>) {
    let texts = ["harbour wall", "harbour light", "harbour crane", "harbour gate"];
    let [wall, light, crane, gate] = texts;
    desk.put(1, &[("a.zip/b", &[wall]), ("a.zip/c/d", &[light]), ("a.zip2", &[crane]), ("a.zi", &[gate])]);
    desk.embed(&texts);
    let snapshot = desk.snapshot();
    let filter = only(&["a.zip"]);
    for mut found in [words_in(&*snapshot, "harbour", &filter, 9), near_in(&*snapshot, wall, &filter, 9)] {
        found.sort();
        assert_eq!(found, ["a.zip/b#0", "a.zip/c/d#0"]);
    }
}

pub(super) fn chunks_tell_their_files(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a.md", &["harbour wall", "tide"]), ("deep/b.txt", &["harbour light", "harbour"])]);
    desk.put(2, &[("c.md", &["harbour crane"]), ("a.md", &["tide", "harbour gate"])]);
    let snapshot = desk.snapshot();
    let query = super::desk::query("harbour", &[]);
    let found = snapshot.lexical(&query, &Filter::default(), 9).unwrap();
    let addresses: Vec<u64> = found.iter().map(|found| found.address).collect();
    let paths: Vec<String> = snapshot.paths(&addresses).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!((addresses.len(), &paths[..]), (4, &["a.md", "c.md", "deep/b.txt"].map(str::to_owned)[..]));
    assert!(snapshot.paths(&[]).unwrap().is_empty());
    assert!(snapshot.paths(&[u64::MAX]).is_err(), "an address of another snapshot");
}
