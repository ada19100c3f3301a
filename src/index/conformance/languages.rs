//! Documents in several languages.

use super::desk::{Desk, Subject, file, places, query};
use crate::index::{Batch, Filter, LanguageCounts, VectorKey};
use crate::workspace::{Language, Revision};

/// Files of a language; `NONE` takes their vectors away for good.
pub(super) fn put(desk: &mut Desk<impl Subject>, revision: u64, code: &str, files: &[(&str, &[&str])]) {
    let mut replaced: Vec<_> = files.iter().map(|(path, paragraphs)| file(path, revision, paragraphs)).collect();
    for chunk in replaced.iter_mut().flat_map(|(_, chunks)| chunks) {
        std::sync::Arc::make_mut(&mut chunk.file).language = Language::of_code(code);
        if !matches!(code, "en" | "") {
            chunk.key = VectorKey::NONE;
        }
    }
    desk.apply(&Batch { revision: Revision(revision), replaced, ..Batch::default() });
}

pub(super) fn words_are_stemmed_as_their_language_has_them(mut desk: Desk<impl Subject>) {
    put(&mut desk, 1, "de", &[("de", &["Die Häuser stehen am Hafen", "Kündigungsfristen der Verträge"])]);
    put(&mut desk, 2, "en", &[("en", &["the houses stand at the harbour"])]);
    put(&mut desk, 3, "fr", &[("fr", &["les maisons sont près du port"])]);
    put(&mut desk, 4, "zh", &[("zh", &["数据库索引损坏"])]);
    for (words, expected) in [
        ("Haus", "de#0"),
        ("Vertrag", "de#1"),
        ("Kündigungsfrist", "de#1"),
        ("Kündigung", "de#1"),
        ("Fristen", "de#1"),
        ("house", "en#0"),
        ("maison", "fr#0"),
        ("索引", "zh#0"),
    ] {
        assert_eq!(desk.words(words), [expected], "{words}");
    }
    assert!(desk.words("die stehen der")[0].starts_with("de#"));
}

pub(super) fn a_phrase_is_found_in_each_language(mut desk: Desk<impl Subject>) {
    put(&mut desk, 1, "de", &[("de", &["mit den neuen Häusern am Hafen", "Häuser, aber keine neuen"])]);
    put(&mut desk, 2, "en", &[("en", &["a list of neuen Häusern", "neuen, and then Häusern"])]);
    let snapshot = desk.snapshot();
    let found = snapshot.lexical(&query("", &["neuen häusern"]), &Filter::default(), 9).unwrap();
    let mut best = places(&*snapshot, &found[..2]);
    best.sort();
    assert_eq!(best, ["de#0", "en#0"]);
    assert!(found.len() < 3 || found[1].score > found[2].score + 0.5);
}

pub(super) fn what_has_no_language_and_what_is_english_score_the_same(mut desk: Desk<impl Subject>) {
    let words: [&[&str]; 2] = [&["the harbour walls were running", "to be"], &["harbouring the run"]];
    put(&mut desk, 1, "", &[("1/a", words[0]), ("1/b", words[1])]);
    put(&mut desk, 2, "en", &[("2/a", words[0]), ("2/b", words[1])]);
    put(&mut desk, 3, "pl", &[("3/a", words[0]), ("3/b", words[1])]);
    let snapshot = desk.snapshot();
    for asked in ["running the harbours", "to be", "wall run"] {
        let found = snapshot.lexical(&query(asked, &["harbour walls"]), &Filter::default(), 99).unwrap();
        let mut scores: Vec<(String, u32)> =
            places(&*snapshot, &found).into_iter().zip(found.iter().map(|found| found.score.to_bits())).collect();
        scores.sort();
        let of = |folder: &str| -> Vec<(String, u32)> {
            let in_folder = scores.iter().filter(|(place, _)| place.starts_with(folder));
            in_folder.map(|(place, score)| (place[1..].to_owned(), *score)).collect()
        };
        assert!(of("1").len() >= 2 && of("1") == of("2") && of("2") == of("3"), "{asked}: {scores:?}");
    }
}

pub(super) fn what_the_model_does_not_know_waits_for_no_vector(mut desk: Desk<impl Subject>) {
    put(&mut desk, 1, "de", &[("de", &["Hafenmauer", "Pegelstand"])]);
    put(&mut desk, 2, "en", &[("en", &["harbour wall"])]);
    let snapshot = desk.snapshot();
    let counts = snapshot.counts().unwrap();
    assert_eq!((counts.num_chunks, counts.num_by_words, counts.num_missing()), (3, 2, 1));
    assert_eq!(snapshot.unembedded(9).unwrap().len(), 1);
    let languages = snapshot.languages().unwrap();
    let counts = |num_chunks, num_by_words| LanguageCounts { num_chunks, num_by_words };
    let german = (Language::of_code("de"), counts(2, 2));
    assert_eq!(languages.into_iter().collect::<Vec<_>>(), [german, (Some(Language::ENGLISH), counts(1, 0))]);
    desk.embed(&["harbour wall", "Hafenmauer"]);
    assert_eq!(desk.near("Hafenmauer"), ["en#0"]);
    let snapshot = desk.snapshot();
    assert_eq!(snapshot.counts().unwrap().num_missing(), 0);
    let found = snapshot.by_words(&query("harbour Pegelstand", &[]), &Filter::default(), 9).unwrap();
    assert_eq!(found.chunks, snapshot.lexical(&query("harbour Pegelstand", &[]), &Filter::default(), 9).unwrap());
    for (chunk, place) in found.chunks.iter().zip(places(&*snapshot, &found.chunks)) {
        assert_eq!(found.without_vector.contains(&chunk.id), place != "en#0", "{place}");
    }
    assert_eq!(snapshot.file(&"de".parse().unwrap()).unwrap()[1].file.language, Language::of_code("de"));
}

pub(super) fn a_language_goes_with_its_last_chunk(mut desk: Desk<impl Subject>) {
    put(&mut desk, 1, "en", &[("en", &["many houses", "a harbour"])]);
    put(&mut desk, 1, "de", &[("de", &["viele Häuser"])]);
    desk.remove(2, &["de"]);
    assert_eq!(desk.snapshot().languages().unwrap().len(), 1);
    put(&mut desk, 3, "en", &[("de", &["viele Häuser"])]);
    assert_eq!(desk.words("Haus"), Vec::<String>::new());
    assert_eq!(desk.words("house"), ["en#0"]);
}
