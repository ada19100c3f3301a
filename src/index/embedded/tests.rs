//! What the embedded index makes of files that are damaged, of another model, or not there yet.

use std::path::{Path, PathBuf};

use super::opening::FORMAT_VERSION;
use super::*;
use crate::index::conformance::desk::{
    Desk, Embedded, LOG, MODEL, NUM_DIMENSIONS, file, key_of, near_in, open, vector_of, words_in,
};
use crate::index::{Filter, Scored};
use crate::workspace::Revision;

const TEXTS: [&str; 3] = ["harbour wall", "tide gauge", "storm drain"];

/// A closed index of three chunks with vectors, over two commits.
fn closed() -> tempfile::TempDir {
    let mut desk = Desk { subject: Embedded::new() };
    desk.put(1, &[("a", &TEXTS[..2])]);
    desk.put(2, &[("b", &TEXTS[2..])]);
    desk.embed(&TEXTS);
    let Embedded { index, folder, .. } = desk.subject;
    drop(index);
    folder
}

fn try_open(folder: &Path, access: Access) -> Result<EmbeddedIndex, IndexError> {
    EmbeddedIndex::open(folder, LOG, MODEL, NUM_DIMENSIONS, access)
}

/// The files of a folder with their bytes, to put them back.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs_err::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.is_file()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs_err::read(&path).unwrap())).collect()
}

fn put_back(folder: &Path, files: &[(PathBuf, Vec<u8>)]) {
    for (path, _) in contents(folder) {
        fs_err::remove_file(path).unwrap();
    }
    for (path, bytes) in files {
        fs_err::write(path, bytes).unwrap();
    }
}

/// Every damage of `bytes` that is tried: some flipped bits, and some lengths.
fn damages(bytes: &[u8], num_flips: usize) -> Vec<Vec<u8>> {
    let step = (bytes.len() / num_flips).max(1);
    let flipped = (0..bytes.len()).step_by(step).map(|at| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0x41;
        bytes
    });
    let lengths = [0, 1, bytes.len() / 2, bytes.len().saturating_sub(1)];
    flipped.chain(lengths.map(|len| bytes[..len].to_vec())).filter(|damaged| damaged != bytes).collect()
}

/// All words are found, and every vector that is left has its true score.
fn assert_answers(index: &EmbeddedIndex, what: &str) {
    let snapshot = index.snapshot().unwrap();
    let open = Filter::default();
    assert_eq!(snapshot.counts().unwrap().num_chunks, 3, "{what}");
    assert_eq!(words_in(&*snapshot, "tide", &open, 9), ["a#1"], "{what}");
    for target in TEXTS {
        let found: Vec<Scored> = snapshot.dense(&vector_of(target), &open, 9).unwrap();
        let chunks = snapshot.load(&found.iter().map(|found| found.id).collect::<Vec<_>>()).unwrap();
        for (chunk, found) in chunks.iter().zip(found) {
            let cosine: f32 = vector_of(&chunk.words).iter().zip(vector_of(target)).map(|(a, b)| a * b).sum();
            assert!((cosine - found.score).abs() < 0.03, "{what}: {} has {}", chunk.words, found.score);
        }
    }
}

#[test]
fn damaged_postings_are_unusable_to_writers_and_readers() {
    let folder = closed();
    let postings = folder.path().join("postings");
    let whole = contents(&postings);
    let mut num_refused = 0;
    for (path, bytes) in
        whole.iter().filter(|(path, _)| !path.extension().is_some_and(|kind| kind == "json" || kind == "lock"))
    {
        for damaged in damages(bytes, 9) {
            for access in [Access::Read, Access::Write] {
                put_back(&postings, &whole);
                fs_err::write(path, &damaged).unwrap();
                let what = format!("{} of {} bytes", path.display(), damaged.len());
                match try_open(folder.path(), access) {
                    Ok(index) => assert_answers(&index, &what),
                    Err(IndexError::Unusable { .. }) => num_refused += 1,
                    Err(other) => panic!("{what}: {other:?}"),
                }
            }
        }
    }
    assert!(num_refused > 40, "only {num_refused} damages were noticed");
}

#[test]
fn a_missing_postings_file_is_unusable() {
    let folder = closed();
    let postings = folder.path().join("postings");
    let whole = contents(&postings);
    for (path, _) in
        whole.iter().filter(|(path, _)| path.extension().is_some_and(|kind| kind == "store" || kind == "term"))
    {
        put_back(&postings, &whole);
        fs_err::remove_file(path).unwrap();
        for access in [Access::Read, Access::Write] {
            assert!(matches!(try_open(folder.path(), access), Err(IndexError::Unusable { .. })), "{}", path.display());
        }
    }
}

#[test]
fn a_meta_file_that_is_garbage_is_unusable() {
    let folder = closed();
    let meta = folder.path().join("postings/meta.json");
    let whole = fs_err::read(&meta).unwrap();
    let garbage: [&[u8]; 5] = [b"", b"{", b"null", b"\xff\xfe\x00", &whole[..whole.len() / 2]];
    for garbage in garbage {
        fs_err::write(&meta, garbage).unwrap();
        for access in [Access::Read, Access::Write] {
            assert!(matches!(try_open(folder.path(), access), Err(IndexError::Unusable { .. })), "{garbage:?}");
        }
    }
    for damaged in damages(&whole, 60) {
        fs_err::write(&meta, damaged).unwrap();
        // A flipped digit may pass for another true number, so all that is asked is an orderly end.
        let _ = try_open(folder.path(), Access::Read);
    }
}

#[test]
fn a_damaged_table_of_vectors_is_unusable_or_asks_for_the_lost_ones_again() {
    let folder = closed();
    let whole = contents(folder.path());
    let (path, bytes) = whole.iter().find(|(path, _)| path.ends_with("vectors.db")).unwrap();
    let mut num_asked_again = 0;
    for damaged in damages(bytes, 300) {
        for access in [Access::Read, Access::Write] {
            put_back(folder.path(), &whole);
            fs_err::write(path, &damaged).unwrap();
            let what = format!("{} bytes", damaged.len());
            let Ok(index) = try_open(folder.path(), access) else { continue };
            assert_answers(&index, &what);
            let snapshot = index.snapshot().unwrap();
            let waiting = snapshot.unembedded(9).unwrap();
            let counts = snapshot.counts().unwrap();
            assert_eq!(waiting.len(), counts.num_chunks - counts.num_embedded);
            let again: Vec<_> = waiting.iter().map(|(key, text)| (*key, vector_of(text))).collect();
            if access == Access::Write && !again.is_empty() && index.add_vectors(&again).is_ok() {
                assert_eq!(index.snapshot().unwrap().counts().unwrap().num_embedded, 3);
                assert_answers(&index, &what);
                num_asked_again += 1;
            }
        }
    }
    assert!(num_asked_again > 0, "no damage hit a row");
}

#[test]
fn a_row_of_the_wrong_shape_is_asked_for_again() {
    let folder = closed();
    let table = rusqlite::Connection::open(folder.path().join("vectors.db")).unwrap();
    for broken in ["keys = x'00'", "codes = 'text'", "scales = 'text'", "checksum = -1", "codes = x'0102'"] {
        table.execute(&format!("UPDATE vectors SET {broken} WHERE id = (SELECT max(id) FROM vectors)"), []).unwrap();
        let index = open(folder.path(), Access::Write);
        let waiting = index.snapshot().unwrap().unembedded(9).unwrap();
        assert_eq!(waiting.len(), 3, "{broken}");
        assert_answers(&index, broken);
        let again: Vec<_> = waiting.iter().map(|(key, text)| (*key, vector_of(text))).collect();
        index.add_vectors(&again).unwrap();
        assert_eq!(index.snapshot().unwrap().counts().unwrap().num_embedded, 3, "{broken}");
    }
}

#[test]
fn an_index_of_another_log_or_a_newer_format_is_unusable() {
    let folder = closed();
    assert_eq!(EmbeddedIndex::committed_from(folder.path()), Some((LOG.to_owned(), Revision(2))));
    let other = EmbeddedIndex::open(folder.path(), "other-log", MODEL, NUM_DIMENSIONS, Access::Read);
    assert!(matches!(other, Err(IndexError::Unusable { .. })));
    set_format_version(folder.path(), FORMAT_VERSION + 1);
    assert!(matches!(try_open(folder.path(), Access::Read), Err(IndexError::Unusable { .. })));
}

/// The payload's format version in `meta.json` becomes another.
fn set_format_version(folder: &Path, number: u32) {
    let meta = folder.join("postings/meta.json");
    let text = fs_err::read_to_string(&meta).unwrap();
    let version = |number: u32| format!("\\\"format_version\\\":{number}");
    let other = text.replace(&version(FORMAT_VERSION), &version(number));
    assert_ne!(other, text);
    fs_err::write(&meta, other).unwrap();
}

#[test]
fn an_index_of_another_model_or_an_older_format_is_outdated_and_serves_as_it_is() {
    let folder = closed();
    assert_eq!(open(folder.path(), Access::Read).outdated(), None);
    // The other model has other dimensions, too.
    for access in [Access::Read, Access::Write] {
        let former = EmbeddedIndex::open(folder.path(), LOG, "other-model", NUM_DIMENSIONS + 1, access).unwrap();
        assert!(former.outdated().is_some_and(|reason| reason.contains(MODEL) && reason.contains("other-model")));
        assert_eq!(former.model_id(), MODEL);
        assert_eq!(near_in(&*former.snapshot().unwrap(), TEXTS[0], &Filter::default(), 1), ["a#0"]);
    }
    set_format_version(folder.path(), FORMAT_VERSION - 1);
    let former = open(folder.path(), Access::Write);
    assert!(former.outdated().is_some_and(|reason| reason.contains("format version")));
    former
        .apply(&Batch { revision: Revision(3), replaced: vec![file("c", 3, &["sea fog"])], ..Batch::default() })
        .unwrap();
    drop(former);
    let former = open(folder.path(), Access::Read);
    assert!(former.outdated().is_some(), "what is brought into it does not make it newer");
    assert_eq!(words_in(&*former.snapshot().unwrap(), "fog", &Filter::default(), 9), ["c#0"]);
}

#[test]
fn a_new_index_takes_over_the_vectors_of_its_chunks_and_no_others() {
    let (old, new) = (closed(), tempfile::tempdir().unwrap());
    let (old, new) = (open(old.path(), Access::Write), open(new.path(), Access::Write));
    let chunks = [TEXTS[0], TEXTS[2], "sea fog"];
    new.apply(&Batch { revision: Revision(1), replaced: vec![file("a", 1, &chunks)], ..Batch::default() }).unwrap();
    assert_eq!((new.adopt_vectors(&old).unwrap(), new.adopt_vectors(&old).unwrap()), (2, 0));
    let snapshot = new.snapshot().unwrap();
    assert_eq!(near_in(&*snapshot, TEXTS[2], &Filter::default(), 9).len(), 2);
    assert_eq!(snapshot.unembedded(9).unwrap().len(), 1);
}

#[test]
fn a_discarded_index_begins_empty_and_its_vectors_are_known_still() {
    let folder = closed();
    EmbeddedIndex::discard(folder.path()).unwrap();
    assert!(matches!(try_open(folder.path(), Access::Read), Err(IndexError::Missing)));
    let index = open(folder.path(), Access::Write);
    assert_eq!(index.snapshot().unwrap().revision(), Revision(0));
    index.apply(&Batch { revision: Revision(3), replaced: vec![file("a", 3, &TEXTS)], ..Batch::default() }).unwrap();
    assert_eq!(index.snapshot().unwrap().counts().unwrap().num_embedded, 3);
}

#[test]
fn a_reader_that_came_before_the_table_of_vectors_sees_what_comes() {
    let folder = closed();
    EmbeddedIndex::discard_vectors(folder.path()).unwrap();
    let reader = open(folder.path(), Access::Read);
    assert_eq!(reader.snapshot().unwrap().counts().unwrap().num_embedded, 0);
    let writer = open(folder.path(), Access::Write);
    writer.add_vectors(&[(key_of(TEXTS[0]), vector_of(TEXTS[0]))]).unwrap();
    assert_eq!(near_in(&*reader.snapshot().unwrap(), TEXTS[0], &Filter::default(), 9), ["a#0"]);
}

#[test]
fn a_reader_sees_every_one_of_many_quick_commits() {
    let mut desk = Desk { subject: Embedded::read_beside() };
    for revision in 1..60 {
        desk.put(revision, &[("a", &["harbour wall"])]);
        assert_eq!(desk.revision(), revision);
    }
}

#[test]
fn an_index_that_rests_is_written_to_again_and_holds_what_it_held() {
    let folder = closed();
    let index = try_open(folder.path(), Access::Write).unwrap();
    index.rest().unwrap();
    for revision in 3..6 {
        index
            .apply(&Batch {
                revision: Revision(revision),
                replaced: vec![file("c", revision, &["sea fog"])],
                ..Batch::default()
            })
            .unwrap();
        assert!(index.writer.lock().open.is_some());
        index.rest().unwrap();
        assert!(index.writer.lock().open.is_none());
        assert_eq!(words_in(&*index.snapshot().unwrap(), "fog", &Filter::default(), 9), ["c#0"]);
    }
}

#[test]
fn a_reader_writes_nothing() {
    let folder = closed();
    let reader = open(folder.path(), Access::Read);
    assert!(matches!(reader.apply(&Batch::default()), Err(IndexError::ReadOnly)));
    assert!(matches!(reader.add_vectors(&[]), Err(IndexError::ReadOnly)));
    let nowhere = tempfile::tempdir().unwrap();
    assert!(matches!(try_open(nowhere.path(), Access::Read), Err(IndexError::Missing)));
    assert!(contents(nowhere.path()).is_empty());
}

#[test]
fn a_vector_that_is_not_a_number_has_a_score_that_is_one() {
    let mut desk = Desk { subject: Embedded::new() };
    desk.put(1, &[("a", &TEXTS)]);
    let strange = |x: f32| [&[x][..], &vector_of("x")[1..]].concat();
    let strange = vec![(key_of(TEXTS[0]), strange(f32::NAN)), (key_of(TEXTS[1]), strange(f32::INFINITY))];
    desk.subject.index.as_ref().unwrap().add_vectors(&strange).unwrap();
    let found = desk.snapshot().dense(&vector_of("x"), &Filter::default(), 9).unwrap();
    assert!(found.len() == 2 && found.iter().all(|found| found.score.is_finite()));
}
