//! What every backend must do: one suite, written against [`Index`], run for each of them.
//!
//! The embedded index runs it three times: as it is, closed and opened between all steps, and read by a second instance
//! beside the one that writes.

pub(crate) mod desk;
mod files;
mod held;
mod languages;
mod random;
mod words;

use files::{
    a_filter_to_given_files_applies_inside_both_legs, an_extract_of_a_file_is_its_beginning_and_its_end,
    chunks_tell_their_files, chunks_tell_their_vectors, what_is_inside_a_given_file_passes,
};
use held::{
    a_file_is_named_by_its_words, a_word_is_held_as_written_before_its_stem,
    an_identifier_is_held_whole_before_its_parts, each_spelling_finds_the_others, what_passes_no_filter_holds_nothing,
};
use languages::{
    a_language_goes_with_its_last_chunk, a_phrase_is_found_in_each_language,
    what_has_no_language_and_what_is_english_score_the_same, what_the_model_does_not_know_waits_for_no_vector,
    words_are_stemmed_as_their_language_has_them,
};

use words::{
    conditions_on_words_apply_inside_both_legs, phrases_are_found_in_titles_headings_and_paths,
    the_newest_files_are_listed_first, words_are_found_by_their_beginning_and_by_few_edits,
};

use desk::{
    Desk, Embedded, NUM_DIMENSIONS, Subject, at_path, below, file, key_of, matching, near_in, of_path, query, unit,
    vector_of, with_extension, words_in,
};

use super::ram::RamIndex;
use super::{Batch, Filter, IndexError, PathTest};
use crate::extract::Format;
use crate::workspace::Revision;

// A check takes its desk away: nobody looks at it afterwards.
macro_rules! backend {
    ($backend:ident, $make:expr; $($check:ident),*) => {
        mod $backend {
            use super::*;
            $(#[test] fn $check() { super::$check(Desk { subject: $make }); })*
        }
    };
}

macro_rules! suite {
    ($($check:ident),* $(,)?) => {
        backend!(ram_index, RamIndex::new(NUM_DIMENSIONS); $($check),*);
        backend!(embedded_index, Embedded::new(); $($check),*);
        backend!(embedded_index_reopened_between_steps, Embedded::reopening(); $($check),*);
        backend!(embedded_index_read_beside_its_writer, Embedded::read_beside(); $($check),*);
    };
}

suite![
    an_empty_index_finds_nothing,
    a_batch_is_visible_as_a_whole,
    applying_twice_equals_applying_once,
    a_replaced_file_leaves_nothing_of_the_old_in_either_leg,
    a_file_grows_by_what_is_appended_and_goes_as_a_whole,
    a_removed_file_is_gone_from_both_legs,
    a_file_replaced_by_no_chunks_is_gone,
    a_path_removed_and_replaced_in_one_batch_has_the_new_chunks,
    revisions_never_go_back,
    a_filter_applies_inside_both_legs,
    a_selective_filter_still_finds_the_last_match,
    a_hidden_path_is_in_neither_leg,
    what_is_inside_a_hidden_file_is_hidden_and_can_be_listed,
    a_filter_to_given_files_applies_inside_both_legs,
    what_is_inside_a_given_file_passes,
    chunks_tell_their_files,
    chunks_tell_their_vectors,
    an_extract_of_a_file_is_its_beginning_and_its_end,
    a_chunk_without_a_vector_is_found_by_its_words,
    a_vector_that_came_first_becomes_live_with_its_chunk,
    a_vector_in_two_chunks_finds_both,
    a_known_vector_is_left_alone,
    equal_scores_order_by_id_and_the_limit_cuts_between_them,
    no_limit_is_too_small_or_too_large,
    wrong_dimensions_are_refused,
    a_held_snapshot_does_not_change,
    unembedded_names_each_key_once_newest_first,
    a_file_gives_its_chunks_in_order_and_as_they_came,
    words_of_scripts_without_spaces_are_found,
    an_identifier_is_found_exactly,
    a_query_of_stop_words_alone_finds_them,
    a_query_without_words_finds_nothing,
    a_phrase_counts_extra_where_its_words_stand_side_by_side,
    titles_headings_and_paths_are_searched,
    words_are_stemmed_as_their_language_has_them,
    a_phrase_is_found_in_each_language,
    what_has_no_language_and_what_is_english_score_the_same,
    what_the_model_does_not_know_waits_for_no_vector,
    a_language_goes_with_its_last_chunk,
    conditions_on_words_apply_inside_both_legs,
    the_newest_files_are_listed_first,
    words_are_found_by_their_beginning_and_by_few_edits,
    phrases_are_found_in_titles_headings_and_paths,
    a_word_is_held_as_written_before_its_stem,
    an_identifier_is_held_whole_before_its_parts,
    a_file_is_named_by_its_words,
    what_passes_no_filter_holds_nothing,
    each_spelling_finds_the_others,
];

#[expect(clippy::needless_pass_by_value, reason = "as every check of the suite")]
fn an_empty_index_finds_nothing(desk: Desk<impl Subject>) {
    assert_eq!((desk.counts(), desk.revision()), ((0, 0), 0));
    assert!(desk.words("anything").is_empty() && desk.near("anything").is_empty());
    let snapshot = desk.snapshot();
    assert!(snapshot.unembedded(9).unwrap().is_empty());
    assert!(snapshot.file(&"a".parse().unwrap()).unwrap().is_empty());
    assert!(snapshot.load(&[]).unwrap().is_empty());
    assert!(words_in(&*snapshot, "anything", &with_extension("md"), 9).is_empty());
}

fn a_batch_is_visible_as_a_whole(mut desk: Desk<impl Subject>) {
    desk.put(3, &[("a", &["harbour wall", "tide gauge"]), ("b/c.md", &["harbour light"])]);
    assert_eq!((desk.counts(), desk.revision()), ((3, 0), 3));
    assert_eq!(desk.words_sorted("harbour"), ["a#0", "b/c.md#0"]);
    desk.put(4, &[("a", &["storm drain"]), ("d", &["harbour crane"])]);
    assert_eq!(desk.words_sorted("harbour tide storm"), ["a#0", "b/c.md#0", "d#0"]);
}

fn applying_twice_equals_applying_once(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("gone", &["harbour"])]);
    let batch = Batch {
        revision: Revision(5),
        replaced: vec![file("a", 5, &["harbour wall", "tide"]), file("b", 4, &["tide"])],
        appended: vec![file("c", 5, &["tide table"])],
        removed: vec!["gone".parse().unwrap()],
    };
    for _ in 0..2 {
        desk.apply(&batch);
        assert_eq!((desk.counts(), desk.revision()), ((4, 0), 5));
        assert_eq!(desk.words("harbour"), ["a#0"]);
        assert_eq!(desk.words_sorted("tide"), ["a#1", "b#0", "c#0"]);
    }
}

fn a_replaced_file_leaves_nothing_of_the_old_in_either_leg(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a", &["harbour wall", "tide gauge", "storm drain"]), ("b", &["tide table"])]);
    desk.embed(&["harbour wall", "tide gauge", "storm drain", "tide table"]);
    desk.put(2, &[("a", &["storm drain"])]);
    desk.embed(&["storm drain"]);
    assert!(desk.words("harbour gauge").is_empty());
    assert_eq!(desk.words("tide"), ["b#0"]);
    let mut near = desk.near("harbour wall");
    near.sort();
    assert_eq!(near, ["a#0", "b#0"]);
    assert_eq!(desk.counts(), (2, 2));
    assert_eq!(desk.snapshot().file(&"a".parse().unwrap()).unwrap().len(), 1);
}

fn a_file_grows_by_what_is_appended_and_goes_as_a_whole(mut desk: Desk<impl Subject>) {
    let (path, chunks) = file("a", 1, &["harbour wall", "tide gauge", "storm drain"]);
    for number in 0..3 {
        // Each batch brings what is there already, too.
        let more = vec![(path.clone(), chunks[..=number].to_vec())];
        desk.apply(&Batch { appended: more, ..Batch::default() });
        assert_eq!((desk.counts(), desk.revision()), ((number + 1, 0), 0));
    }
    assert_eq!(desk.snapshot().file(&path).unwrap(), chunks);
    assert_eq!((desk.words("harbour"), desk.words("drain")), (vec!["a#0".to_owned()], vec!["a#2".to_owned()]));
    desk.apply(&Batch { appended: vec![(path.clone(), Vec::new())], ..Batch::default() });
    assert_eq!(desk.counts(), (3, 0));
    desk.put(2, &[("a", &["storm drain"])]);
    assert_eq!((desk.counts(), desk.words("harbour").len()), ((1, 0), 0));
    desk.remove(3, &["a"]);
    assert_eq!(desk.counts(), (0, 0));
}

fn a_removed_file_is_gone_from_both_legs(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a", &["harbour wall"]), ("ab", &["harbour light"])]);
    desk.embed(&["harbour wall", "harbour light"]);
    desk.remove(2, &["a", "never-was"]);
    assert_eq!((desk.words("harbour"), desk.near("harbour wall")), (vec!["ab#0".to_owned()], vec!["ab#0".to_owned()]));
    assert_eq!((desk.counts(), desk.revision()), ((1, 1), 2));
    assert!(desk.snapshot().file(&"a".parse().unwrap()).unwrap().is_empty());
}

fn a_file_replaced_by_no_chunks_is_gone(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a", &["harbour wall"])]);
    desk.put(2, &[("a", &[])]);
    assert_eq!((desk.counts(), desk.words("harbour").len()), ((0, 0), 0));
}

fn a_path_removed_and_replaced_in_one_batch_has_the_new_chunks(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a", &["harbour wall"])]);
    let removed = vec!["a".parse().unwrap()];
    desk.apply(&Batch {
        revision: Revision(2),
        replaced: vec![file("a", 2, &["tide gauge"])],
        removed,
        ..Batch::default()
    });
    assert_eq!((desk.words("harbour tide"), desk.counts()), (vec!["a#0".to_owned()], (1, 0)));
}

fn revisions_never_go_back(mut desk: Desk<impl Subject>) {
    desk.put(7, &[("a", &["harbour"])]);
    desk.put(3, &[("b", &["tide"])]);
    assert_eq!((desk.revision(), desk.counts().0), (7, 2));
    desk.apply(&Batch { revision: Revision(9), ..Batch::default() });
    assert_eq!((desk.revision(), desk.counts().0), (9, 2));
}

fn a_filter_applies_inside_both_legs(mut desk: Desk<impl Subject>) {
    let texts = ["harbour one", "harbour two", "harbour three", "harbour four"];
    let names = ["runs/1/a.md", "runs/2/b.md", "notes/c.txt", "d.md"];
    for ((revision, name), text) in (1..).zip(names).zip(&texts) {
        desk.put(revision, &[(name, &[text])]);
    }
    desk.embed(&texts);
    let formats = Filter { formats: Some([Format::Text].into()), ..Filter::default() };
    let modified = |from, until| Filter { modified_from_ms: from, modified_until_ms: until, ..Filter::default() };
    let cases: [(Filter, &[&str]); 12] = [
        (below("runs"), &["runs/1/a.md#0", "runs/2/b.md#0"]),
        (with_extension("md"), &["d.md#0", "runs/1/a.md#0", "runs/2/b.md#0"]),
        (of_path(PathTest::UnderName("2".to_owned())), &["runs/2/b.md#0"]),
        (of_path(PathTest::Named("b.md".to_owned())), &["runs/2/b.md#0"]),
        (
            Filter { other_paths: vec![PathTest::Below("runs".to_owned())], ..Filter::default() },
            &["d.md#0", "notes/c.txt#0"],
        ),
        (matching(&["d.md", "runs/2", "gone.md"]), &["d.md#0"]),
        (matching(&["d.md", "notes/c.txt"]).and(matching(&["notes/c.txt"])), &["notes/c.txt#0"]),
        (below("nowhere"), &[]),
        (formats, &["notes/c.txt#0"]),
        (modified(Some(2_000), Some(4_000)), &["notes/c.txt#0", "runs/2/b.md#0"]),
        (modified(Some(4_000), None), &["d.md#0"]),
        (Filter { formats: Some([Format::Markdown].into()), ..modified(None, Some(2_000)) }, &["runs/1/a.md#0"]),
    ];
    let snapshot = desk.snapshot();
    for (filter, expected) in cases {
        for mut found in [words_in(&*snapshot, "harbour", &filter, 10), near_in(&*snapshot, "harbour one", &filter, 10)]
        {
            found.sort();
            assert_eq!(found, expected, "{filter:?}");
        }
    }
}

fn a_selective_filter_still_finds_the_last_match(mut desk: Desk<impl Subject>) {
    // The only file that passes is the worst match of five hundred, in both legs.
    let texts: Vec<String> = (0..500).map(|number| format!("harbour harbour wall {number}")).collect();
    let target = unit(&[1.0; NUM_DIMENSIONS]);
    let mut vectors: Vec<_> = texts.iter().map(|text| (key_of(text), target.clone())).collect();
    let paragraphs: Vec<&str> = texts.iter().map(String::as_str).collect();
    let worst = "a long way from any other harbour in this collection of words";
    desk.put(1, &[("many.txt", &paragraphs), ("deep/one.md", &[worst])]);
    vectors.push((key_of(worst), unit(&[-1.0; NUM_DIMENSIONS])));
    desk.subject.writer().add_vectors(&vectors).unwrap();
    let snapshot = desk.snapshot();
    assert_eq!(words_in(&*snapshot, "harbour", &below("deep"), 3), ["deep/one.md#0"]);
    let near = snapshot.dense(&target, &below("deep"), 3).unwrap();
    assert_eq!(desk::places(&*snapshot, &near), ["deep/one.md#0"]);
    assert!((near[0].score + 1.0).abs() < 0.02, "{}", near[0].score);
}

fn a_hidden_path_is_in_neither_leg(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a", &["harbour wall"]), ("b", &["harbour light"])]);
    desk.embed(&["harbour wall", "harbour light"]);
    let filter = Filter { hidden: ["a".parse().unwrap()].into(), ..Filter::default() };
    let snapshot = desk.snapshot();
    assert_eq!(words_in(&*snapshot, "harbour", &filter, 9), ["b#0"]);
    assert_eq!(near_in(&*snapshot, "harbour wall", &filter, 9), ["b#0"]);
}

fn what_is_inside_a_hidden_file_is_hidden_and_can_be_listed(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a.zip/b", &["harbour wall"]), ("a.zip/c/d", &["harbour"]), ("a.zip2", &["harbour light"])]);
    desk.put(2, &[("a.zip/e", &["harbour gate"]), ("a.zip-f", &["tide"])]);
    let filter = Filter { hidden: ["a.zip".parse().unwrap()].into(), ..Filter::default() };
    let snapshot = desk.snapshot();
    assert_eq!(words_in(&*snapshot, "harbour", &filter, 9), ["a.zip2#0"]);
    let below = |path: &str| snapshot.below(&path.parse().unwrap()).unwrap();
    let paths = |paths: &[&str]| paths.iter().map(|path| path.parse().unwrap()).collect();
    assert_eq!(below("a.zip"), paths(&["a.zip/b", "a.zip/c/d", "a.zip/e"]));
    assert_eq!((below("a.zip2"), below("a")), (paths(&[]), paths(&[])));
}

fn a_chunk_without_a_vector_is_found_by_its_words(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a", &["harbour wall", "tide gauge"])]);
    desk.embed(&["tide gauge"]);
    assert_eq!((desk.words("harbour"), desk.near("harbour wall")), (vec!["a#0".to_owned()], vec!["a#1".to_owned()]));
    assert_eq!(desk.counts(), (2, 1));
    desk.embed(&["harbour wall"]);
    assert_eq!((desk.near("harbour wall"), desk.counts()), (vec!["a#0".to_owned(), "a#1".to_owned()], (2, 2)));
    assert_eq!(desk.revision(), 1, "vectors are no change");
}

fn a_vector_that_came_first_becomes_live_with_its_chunk(mut desk: Desk<impl Subject>) {
    desk.embed(&["harbour wall"]);
    assert!(desk.near("harbour wall").is_empty());
    desk.put(1, &[("a", &["harbour wall"])]);
    assert_eq!((desk.near("harbour wall"), desk.counts()), (vec!["a#0".to_owned()], (1, 1)));
    desk.remove(2, &["a"]);
    desk.put(3, &[("b", &["harbour wall"])]);
    assert_eq!((desk.near("harbour wall"), desk.counts()), (vec!["b#0".to_owned()], (1, 1)));
}

fn a_vector_in_two_chunks_finds_both(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a", &["harbour wall", "tide", "harbour wall"]), ("b", &["harbour wall"])]);
    desk.embed(&["harbour wall"]);
    let mut near = desk.near("harbour wall");
    near.sort();
    assert_eq!((near.join(" "), desk.counts()), ("a#0 a#2 b#0".to_owned(), (4, 3)));
}

fn a_known_vector_is_left_alone(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a", &["harbour wall"])]);
    desk.embed(&["harbour wall"]);
    let other = vec![(key_of("harbour wall"), vector_of("another")), (key_of("harbour wall"), vector_of("third"))];
    desk.subject.writer().add_vectors(&other).unwrap();
    let score = desk.snapshot().dense(&vector_of("harbour wall"), &Filter::default(), 1).unwrap()[0].score;
    assert!((score - 1.0).abs() < 0.02, "{score}");
}

fn equal_scores_order_by_id_and_the_limit_cuts_between_them(mut desk: Desk<impl Subject>) {
    for part in 0..3 {
        let names: Vec<String> = (0..70).map(|number| format!("{part}x{number}")).collect();
        let files: Vec<(&str, &[&str])> = names.iter().map(|name| (name.as_str(), &["harbour wall"][..])).collect();
        desk.put(part + 1, &files);
    }
    desk.embed(&["harbour wall"]);
    let snapshot = desk.snapshot();
    let open = Filter::default();
    let target = vector_of("harbour wall");
    let all = snapshot.lexical(&query("harbour", &[]), &open, 1_000).unwrap();
    assert_eq!(all.len(), 210);
    assert!(all.windows(2).all(|pair| pair[0].id < pair[1].id && pair[0].score.to_bits() == pair[1].score.to_bits()));
    let near = snapshot.dense(&target, &open, 1_000).unwrap();
    assert!(near.len() == 210 && near.windows(2).all(|pair| pair[0].id < pair[1].id));
    for limit in [1, 2, 69, 70, 71, 209, 210] {
        let cut = snapshot.lexical(&query("harbour", &[]), &open, limit).unwrap();
        assert_eq!(cut, all[..limit], "{limit} of the words");
        assert_eq!(snapshot.dense(&target, &open, limit).unwrap(), near[..limit], "{limit} of the vectors");
    }
}

fn no_limit_is_too_small_or_too_large(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a", &["harbour wall", "harbour light"])]);
    desk.embed(&["harbour wall", "harbour light"]);
    let snapshot = desk.snapshot();
    for (limit, expected) in [(0, 0), (1, 1), (usize::MAX, 2)] {
        for filter in [Filter::default(), at_path("a")] {
            assert_eq!(words_in(&*snapshot, "harbour", &filter, limit).len(), expected);
            assert_eq!(near_in(&*snapshot, "harbour", &filter, limit).len(), expected);
        }
    }
    assert!(snapshot.unembedded(usize::MAX).unwrap().is_empty());
}

fn wrong_dimensions_are_refused(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a", &["harbour wall"])]);
    let short = vec![0.5; NUM_DIMENSIONS - 1];
    let vectors = vec![(key_of("harbour wall"), vector_of("harbour wall")), (key_of("x"), short.clone())];
    let refused = desk.subject.writer().add_vectors(&vectors);
    assert!(matches!(refused, Err(IndexError::Dimensions { expected: NUM_DIMENSIONS, found: 7 })));
    assert_eq!(desk.counts(), (1, 0), "none is kept");
    let refused = desk.snapshot().dense(&short, &Filter::default(), 3);
    assert!(matches!(refused, Err(IndexError::Dimensions { expected: NUM_DIMENSIONS, found: 7 })));
}

fn a_held_snapshot_does_not_change(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a", &["harbour wall"]), ("b", &["harbour light"])]);
    desk.embed(&["harbour wall"]);
    let held = desk.snapshot();
    desk.embed(&["harbour light"]);
    for revision in 2..12 {
        desk.put(revision, &[("a", &["tide gauge"]), ("c", &["harbour crane"])]);
    }
    desk.remove(12, &["b"]);
    let open = Filter::default();
    let mut found = words_in(&*held, "harbour tide crane", &open, 9);
    found.sort();
    assert_eq!(found, ["a#0", "b#0"]);
    assert_eq!(near_in(&*held, "harbour wall", &open, 9), ["a#0"]);
    let counts = held.counts().unwrap();
    assert_eq!((held.revision().0, counts.num_chunks, counts.num_embedded), (1, 2, 1));
    assert_eq!(desk.words_sorted("harbour tide"), ["a#0", "c#0"]);
}

fn unembedded_names_each_key_once_newest_first(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a", &["oldest", "shared"])]);
    desk.put(2, &[("b", &["middle"])]);
    desk.put(3, &[("c", &["newest", "shared"])]);
    desk.embed(&["middle"]);
    let texts = |limit| -> Vec<String> {
        let waiting = desk.snapshot().unembedded(limit).unwrap();
        assert!(waiting.iter().all(|(key, text)| *key == key_of(text)));
        waiting.into_iter().map(|(_, text)| text).collect()
    };
    assert_eq!(texts(9), ["newest", "shared", "oldest"]);
    assert_eq!(texts(2), ["newest", "shared"]);
    assert!(texts(0).is_empty());
}

fn a_file_gives_its_chunks_in_order_and_as_they_came(mut desk: Desk<impl Subject>) {
    let paragraphs: Vec<String> = (0..40).map(|number| format!("paragraph {number} über 東京")).collect();
    let paragraphs: Vec<&str> = paragraphs.iter().map(String::as_str).collect();
    let (path, mut chunks) = file("deep/folder/a b.md", 1, &paragraphs);
    chunks[3].place.trail = vec!["Heading".to_owned(), "Sub \"quoted\"".to_owned()];
    chunks[3].place.context = "Title\n".to_owned();
    chunks[3].place.page = Some(4);
    let batch = Batch { revision: Revision(1), replaced: vec![(path.clone(), chunks.clone())], ..Batch::default() };
    desk.put(1, &[("deep/folder/a b", &["another"]), ("deep/folder/a b.mdx", &["third"])]);
    desk.apply(&batch);
    assert_eq!(desk.snapshot().file(&path).unwrap(), chunks);
}

fn words_of_scripts_without_spaces_are_found(mut desk: Desk<impl Subject>) {
    desk.put(
        1,
        &[
            ("ja", &["東京都の水位を測定する。", "カタカナの報告書"]),
            ("zh", &["数据库索引损坏"]),
            ("ko", &["항구의 수위를 측정한다"]),
            ("en", &["water level"]),
        ],
    );
    for (words, expected) in
        [("水位", "ja#0"), ("報告書", "ja#1"), ("索引", "zh#0"), ("수위", "ko#0"), ("level", "en#0"), ("都", "ja#0")]
    {
        assert_eq!(desk.words(words), [expected], "{words}");
    }
}

fn an_identifier_is_found_exactly(mut desk: Desk<impl Subject>) {
    desk.put(
        1,
        &[
            ("whole", &["the limit is max_chunk_tokens here, says v1.2.3 of it"]),
            ("parts", &["the limit is max chunk tokens here, says v1 2 3 of it"]),
            ("camel", &["retrieveBatch returns"]),
        ],
    );
    assert_eq!(desk.words("max_chunk_tokens")[0], "whole#0");
    assert_eq!(desk.words("v1.2.3")[0], "whole#0");
    assert_eq!(desk.words("retrieveBatch"), ["camel#0"]);
    assert_eq!(desk.words("batch"), ["camel#0"]);
}

fn a_query_of_stop_words_alone_finds_them(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a", &["to be or not to be"]), ("b", &["harbour wall"])]);
    assert_eq!(desk.words("to be"), ["a#0"]);
    assert_eq!(desk.words("the harbour"), ["b#0"], "beside other words a stop word finds nothing");
}

fn a_query_without_words_finds_nothing(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a", &["harbour wall !?"])]);
    for words in ["", "   ", "!?", "\u{0}", "\"\"", "unknownword"] {
        assert!(desk.words(words).is_empty(), "{words:?}");
    }
    // Query syntax of other programs is words here.
    for words in ["harbour AND (", "wall:", "+harbour -wall", "harbour~2^", "[a TO harbour]", "harb* harbour"] {
        assert_eq!(desk.words(words), ["a#0"], "{words:?}");
    }
}

fn a_phrase_counts_extra_where_its_words_stand_side_by_side(mut desk: Desk<impl Subject>) {
    desk.put(
        1,
        &[("apart", &["start the cold engine, cold start is not"]), ("side", &["the engine makes a cold start"])],
    );
    desk.put(2, &[("backwards", &["a start in the cold"]), ("ja", &["東京都の水位"])]);
    let snapshot = desk.snapshot();
    let scores = |phrases: &[&str]| snapshot.lexical(&query("", phrases), &Filter::default(), 9).unwrap();
    let found = scores(&["cold start"]);
    let places = desk::places(&*snapshot, &found);
    assert_eq!((places.len(), places[2].as_str()), (3, "backwards#0"));
    assert!(found[1].score > found[2].score + 0.5);
    assert_eq!(desk::places(&*snapshot, &scores(&["東京都"])), ["ja#0"]);
    assert!(scores(&[""]).is_empty());
}

fn titles_headings_and_paths_are_searched(mut desk: Desk<impl Subject>) {
    let (path, mut chunks) = file("reports/acceptance.md", 1, &["first words", "second words"]);
    chunks[1].place.trail = vec!["Calibration".to_owned()];
    for chunk in &mut chunks {
        std::sync::Arc::make_mut(&mut chunk.file).title = Some("Ravensholm".to_owned());
    }
    desk.apply(&Batch { revision: Revision(1), replaced: vec![(path, chunks)], ..Batch::default() });
    assert_eq!(desk.words("calibration"), ["reports/acceptance.md#1"]);
    assert_eq!((desk.words("ravensholm").len(), desk.words("acceptance").len()), (2, 2));
}
