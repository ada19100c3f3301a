//! Conditions on the words of chunks, and the words that chunks hold.

use super::desk::{Desk, Subject, at_path, below, near_in, places, query, words_in};
use crate::index::analyzer::Phrase;
use crate::index::{Filter, Holding, Scored, Snapshot, WordConditions, WordPattern};

fn phrase(text: &str) -> Holding {
    Holding::Phrase(Phrase::as_written(text).unwrap())
}

pub(super) fn holding(required: &[Holding], excluded: &[Holding]) -> Filter {
    let words = WordConditions { required: required.to_vec(), excluded: excluded.to_vec() };
    Filter { words, ..Filter::default() }
}

fn newest_in(snapshot: &dyn Snapshot, filter: &Filter, num_files: usize, num_of_each: usize) -> Vec<String> {
    let addresses = snapshot.newest(filter, num_files, num_of_each).unwrap();
    let chunks = snapshot.load(&addresses).unwrap();
    assert!(chunks.iter().map(crate::index::ChunkRecord::id).eq(addresses.iter().copied()));
    places(snapshot, &addresses.into_iter().map(|id| Scored { id, score: 0.0 }).collect::<Vec<_>>())
}

fn spelled(snapshot: &dyn Snapshot, pattern: WordPattern<'_>, filter: &Filter) -> Vec<(String, u8, usize)> {
    let found = snapshot.vocabulary(&pattern, filter, 9).unwrap();
    found.into_iter().map(|found| (found.word, found.distance, found.num_chunks)).collect()
}

pub(super) fn conditions_on_words_apply_inside_both_legs(mut desk: Desk<impl Subject>) {
    let texts = [
        "harbour cranes lift",
        "the harbour of old",
        "an antique crane, and the old harbour",
        "max_tokens of a harbour",
    ];
    desk.put(1, &[("a.md", &texts[..2]), ("drafts/b.md", &texts[2..])]);
    desk.embed(&texts);
    let snapshot = desk.snapshot();
    let both = |filter: &Filter| {
        let mut words = words_in(&*snapshot, "harbour", filter, 9);
        let mut near = near_in(&*snapshot, "harbour", filter, 9);
        words.sort();
        near.sort();
        assert_eq!(words, near);
        words.join(" ")
    };
    let word = |text: &str| Holding::Word(text.to_owned());
    for (required, excluded, expected) in [
        (vec![], vec![word("crane")], "a.md#1 drafts/b.md#1"),
        (vec![], vec![word("Cranes")], "a.md#1 drafts/b.md#1"),
        (vec![word("crane")], vec![], "a.md#0 drafts/b.md#0"),
        // Of its path.
        (vec![], vec![word("draft")], "a.md#0 a.md#1"),
        (vec![phrase("old harbour")], vec![], "drafts/b.md#0"),
        (vec![phrase("harbour of old")], vec![], "a.md#1"),
        (vec![phrase("cranes")], vec![], "a.md#0"),
        (vec![phrase("crane")], vec![], "drafts/b.md#0"),
        (vec![], vec![phrase("the harbour")], "a.md#0 drafts/b.md#0 drafts/b.md#1"),
        (vec![Holding::Prefix("antiq".into())], vec![], "drafts/b.md#0"),
        (vec![Holding::Prefix("max_t".into())], vec![], "drafts/b.md#1"),
        (vec![Holding::Prefix("cranes".into())], vec![], "a.md#0"),
        (vec![], vec![Holding::Prefix("cra".into())], "a.md#1 drafts/b.md#1"),
        (vec![word("crane"), word("antique")], vec![], "drafts/b.md#0"),
        (vec![word("crane")], vec![word("crane")], ""),
        (vec![], vec![word("the")], "a.md#0 drafts/b.md#1"),
    ] {
        assert_eq!(both(&holding(&required, &excluded)), expected, "{required:?} {excluded:?}");
    }
    let in_folder = below("drafts").and(holding(&[word("crane")], &[]));
    assert_eq!(both(&in_folder), "drafts/b.md#0");
}

pub(super) fn the_newest_files_are_listed_first(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("b", &["old crane", "old gauge"]), ("a", &["old tide"])]);
    desk.put(2, &[("c", &["new crane", "new gauge", "new tide"])]);
    let snapshot = desk.snapshot();
    let open = Filter::default();
    assert_eq!(newest_in(&*snapshot, &open, 9, 9), ["c#0", "c#1", "c#2", "a#0", "b#0", "b#1"]);
    assert_eq!(newest_in(&*snapshot, &open, 2, 1), ["c#0", "a#0"]);
    let crane = holding(&[Holding::Word("crane".into())], &[]);
    assert_eq!(newest_in(&*snapshot, &crane, 9, 9), ["c#0", "b#0"]);
    assert!(newest_in(&*snapshot, &holding(&[Holding::Word("ship".into())], &[]), 9, 9).is_empty());
    desk.remove(3, &["c"]);
    assert_eq!(newest_in(&*desk.snapshot(), &open, 1, 9), ["a#0"]);
}

pub(super) fn words_are_found_by_their_beginning_and_by_few_edits(mut desk: Desk<impl Subject>) {
    desk.put(
        1,
        &[
            ("a.md", &["the gateway and the gateways", "a gateway of databases", "gatways of a database"]),
            ("b.md", &["hateway"]),
        ],
    );
    let snapshot = desk.snapshot();
    let (open, other) = (Filter::default(), at_path("b.md"));
    let near = |word, max_distance| WordPattern::Near { word, max_distance };
    let first = |pattern, filter: &Filter| spelled(&*snapshot, pattern, filter).into_iter().next();
    assert_eq!(first(near("gatewai", 1), &open), Some(("gateway".to_owned(), 1, 2)));
    assert_eq!(first(near("gatewya", 1), &open), Some(("gateway".to_owned(), 1, 2)));
    // Nothing is named that does not pass.
    assert_eq!(first(near("gatewai", 2), &other), Some(("hateway".to_owned(), 2, 1)));
    // Not the stem `databas`, which nobody wrote.
    assert_eq!(first(near("databsae", 2), &open), Some(("database".to_owned(), 1, 1)));
    assert_eq!(first(near("crane", 1), &open), None);
    let has = |word, filter: &Filter| snapshot.has_word(word, filter).unwrap();
    assert!(has("gateways", &open) && has("Gateway", &open) && has("the", &open) && !has("crane", &open));
    assert!(!has("gateway", &other) && has("b", &other), "a path is searched too");
    let begins: Vec<String> =
        spelled(&*snapshot, WordPattern::BeginsWith("data"), &open).into_iter().map(|(word, ..)| word).collect();
    assert_eq!(begins, ["database", "databases"]);
    desk.remove(2, &["b.md"]);
    assert_eq!(spelled(&*desk.snapshot(), near("hatewai", 1), &open), []);
}

pub(super) fn phrases_are_found_in_titles_headings_and_paths(mut desk: Desk<impl Subject>) {
    desk.put(
        1,
        &[
            ("quarterly report/a.md", &["nothing of it", "the quarterly report"]),
            ("b.md", &["a report of the quarterly"]),
        ],
    );
    let snapshot = desk.snapshot();
    let filter = holding(&[phrase("quarterly report")], &[]);
    assert_eq!(newest_in(&*snapshot, &filter, 9, 9), ["quarterly report/a.md#0", "quarterly report/a.md#1"]);
    // Of stop words alone, a phrase is looked for in the words only.
    assert_eq!(newest_in(&*snapshot, &holding(&[phrase("of the")], &[]), 9, 9), ["b.md#0"]);
    let found = snapshot.lexical(&query("report", &[]), &filter, 9).unwrap();
    assert_eq!(found.len(), 2);
}
