//! Which files chunks are of, and filters that name them.

use std::sync::Arc;

use super::desk::{Desk, NUM_DIMENSIONS, Subject, below, key_of, near_in, places, unit, vector_of, words_in};
use crate::embed::dot;
use crate::index::{ChunkId, Filter};

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
    assert_eq!(found(&Filter { only: only(&["many.txt"]).only, ..below("deep") }), nothing, "all conditions hold");
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

pub(super) fn chunks_tell_their_vectors(mut desk: Desk<impl Subject>) {
    let texts = ["harbour wall", "harbour light"];
    desk.put(1, &[("a.md", &texts), ("b.md", &["harbour crane"])]);
    desk.embed(&texts);
    let snapshot = desk.snapshot();
    let found = snapshot.lexical(&super::desk::query("harbour", &[]), &Filter::default(), 9).unwrap();
    let addresses: Vec<_> = found.iter().map(|found| found.id).collect();
    let target = vector_of(texts[0]);
    let none = snapshot.near(&target, &Filter::default(), 1, None).unwrap();
    assert!(none.chunks.len() == 1 && none.vectors.is_empty(), "nobody asked for them");
    let of_found = snapshot.near(&target, &Filter::default(), 1, Some(&[])).unwrap();
    assert!(of_found.vectors.keys().eq([&of_found.chunks[0].id]), "those of what was found come unnamed");
    let vectors = snapshot.near(&target, &Filter::default(), 1, Some(&addresses)).unwrap().vectors;
    assert_eq!((addresses.len(), vectors.len()), (3, 2));
    for (chunk, address) in snapshot.load(&addresses).unwrap().iter().zip(&addresses) {
        let Some(vector) = vectors.get(address) else {
            assert_eq!(chunk.words, "harbour crane", "what is not embedded has none");
            continue;
        };
        assert!(dot(vector, &vector_of(&chunk.words)) > 0.999, "{}", chunk.words);
        assert!((dot(vector, vector) - 1.0).abs() < 0.01, "it has unit length");
    }
    let with_unknown = snapshot.near(&target, &Filter::default(), 1, Some(&[ChunkId(7)])).unwrap();
    assert_eq!(with_unknown.vectors.len(), 1, "that of what was found");
}

pub(super) fn an_extract_of_a_file_is_its_beginning_and_its_end(mut desk: Desk<impl Subject>) {
    let texts: Vec<String> = (0..40).map(|number| format!("paragraph {number}")).collect();
    let paragraphs: Vec<&str> = texts.iter().map(String::as_str).collect();
    desk.put(1, &[("long.txt", &paragraphs), ("short.txt", &["paragraph"]), ("long.txt2", &["another"])]);
    let snapshot = desk.snapshot();
    let ordinals = |path: &str, limit: usize| -> Vec<usize> {
        let chunks = snapshot.extract_of(&path.parse().unwrap(), limit).unwrap();
        assert!(chunks.iter().all(|chunk| chunk.file.path.as_str() == path));
        chunks.iter().map(|chunk| chunk.place.ordinal as usize).collect()
    };
    let extract = ordinals("long.txt", 8);
    assert_eq!((extract.len(), extract.first(), extract.last()), (8, Some(&0), Some(&39)), "{extract:?}");
    assert!(extract.is_sorted());
    assert_eq!(ordinals("long.txt", 100), (0..40).collect::<Vec<_>>());
    assert_eq!((ordinals("short.txt", 8), ordinals("gone.txt", 8)), (vec![0], vec![]));
}

pub(super) fn chunks_tell_their_files(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a.md", &["harbour wall", "tide"]), ("deep/b.txt", &["harbour light", "harbour"])]);
    desk.put(2, &[("c.md", &["harbour crane"]), ("a.md", &["tide", "harbour gate"])]);
    let snapshot = desk.snapshot();
    let query = super::desk::query("harbour", &[]);
    let found = snapshot.lexical(&query, &Filter::default(), 9).unwrap();
    let addresses: Vec<_> = found.iter().map(|found| found.id).collect();
    let paths: Vec<String> = snapshot.paths(&addresses).unwrap().iter().map(ToString::to_string).collect();
    assert_eq!((addresses.len(), &paths[..]), (4, &["a.md", "c.md", "deep/b.txt"].map(str::to_owned)[..]));
    assert!(snapshot.paths(&[]).unwrap().is_empty());
    let unknown = [ChunkId(7), addresses[0]];
    assert_eq!((snapshot.paths(&unknown).unwrap().len(), snapshot.load(&unknown).unwrap().len()), (1, 1));
    // Another snapshot knows a chunk by the same name, and one of a file that is gone is left out.
    desk.remove(9, &["a.md"]);
    assert_eq!(desk.snapshot().load(&addresses).unwrap().len(), 3);
}
