//! Which chunks hold which words of a query.

use super::desk::{Desk, Subject, below, query};
use crate::index::{ChunkId, ChunkRecord, Filter, HeldWords};

/// Each word with the places that hold it, and the places that are named.
fn held(desk: &Desk<impl Subject>, words: &str, filter: &Filter) -> (Vec<(String, Vec<String>)>, Vec<String>) {
    let snapshot = desk.snapshot();
    let HeldWords { words, named, .. } = snapshot.by_words(&query(words, &[]), filter, 0).unwrap().held;
    let places = |holders: &[ChunkId]| {
        let chunks = snapshot.load(holders).unwrap();
        assert!(chunks.iter().map(ChunkRecord::id).eq(holders.iter().copied()));
        let mut places: Vec<String> =
            chunks.iter().map(|chunk| format!("{}#{}", chunk.file.path, chunk.place.ordinal)).collect();
        places.sort();
        places
    };
    let words = words.iter().map(|word| (word.text.clone(), places(word.chunks.as_deref().unwrap()))).collect();
    (words, places(&named))
}

fn words(desk: &Desk<impl Subject>, words: &str) -> Vec<(String, Vec<String>)> {
    held(desk, words, &Filter::default()).0
}

fn one(word: &str, places: &[&str]) -> Vec<(String, Vec<String>)> {
    vec![(word.to_owned(), places.iter().map(|&place| place.to_owned()).collect())]
}

pub(super) fn a_word_is_held_as_written_before_its_stem(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a", &["the gateways failed", "a gateway fails"]), ("b/failing.md", &["nothing of it"])]);
    desk.put(2, &[("gone", &["gateways"])]);
    desk.remove(3, &["gone"]);
    assert_eq!(words(&desk, "gateways"), one("gateways", &["a#0"]));
    assert_eq!(words(&desk, "gateway"), one("gateway", &["a#1"]));
    assert_eq!(words(&desk, "what of the Gateways?"), one("gateways", &["a#0", "a#1"]), "a question");
    assert_eq!(words(&desk, "failing"), one("failing", &["a#0", "a#1"]), "no chunk has it as written");
    assert_eq!(words(&desk, "b"), one("b", &["b/failing.md#0"]), "only a path");
    assert!(words(&desk, "unknown the what").is_empty());
}

pub(super) fn an_identifier_is_held_whole_before_its_parts(mut desk: Desk<impl Subject>) {
    desk.put(
        1,
        &[("code", &["fn refresh_token_rotation() {}", "maxTokens of Node.js"]), ("prose", &["token rotation"])],
    );
    assert_eq!(words(&desk, "refresh_token_rotation"), one("refresh_token_rotation", &["code#0"]));
    assert_eq!(words(&desk, "max_tokens"), one("max_tokens", &["code#1"]));
    assert_eq!(words(&desk, "nodejs"), one("nodejs", &["code#1"]));
    let parts = [one("token", &["code#0", "prose#0"]), one("rotation", &["code#0", "prose#0"])].concat();
    assert_eq!(words(&desk, "token_rotation"), parts);
}

pub(super) fn a_file_is_named_by_its_words(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("plans/Quarterly_Budget-2026.md", &["first", "second"]), ("budget.md", &["quarterly budget 2026"])]);
    let named = |words: &str| held(&desk, words, &Filter::default()).1;
    let both = ["plans/Quarterly_Budget-2026.md#0", "plans/Quarterly_Budget-2026.md#1"];
    for words in ["quarterly budget 2026", "Quarterly_Budget-2026.md", "2026 quarterly budget"] {
        assert_eq!(named(words), both, "{words}");
    }
    assert_eq!(named("budget"), ["budget.md#0"]);
    assert!(named("quarterly").is_empty() && named("plans").is_empty() && named("").is_empty());
}

pub(super) fn what_passes_no_filter_holds_nothing(mut desk: Desk<impl Subject>) {
    desk.put(1, &[("a/gauge.md", &["tide gauges"]), ("b/c.txt", &["a gauge"])]);
    let passing = held(&desk, "gauge", &below("a"));
    assert_eq!(passing, (one("gauge", &["a/gauge.md#0"]), vec!["a/gauge.md#0".to_owned()]), "by its stem");
    assert_eq!(held(&desk, "gauge", &below("b")), (one("gauge", &["b/c.txt#0"]), Vec::new()));
    assert_eq!(held(&desk, "gauge", &below("nowhere")), (Vec::new(), Vec::new()));
}

pub(super) fn each_spelling_finds_the_others(mut desk: Desk<impl Subject>) {
    desk.put(
        1,
        &[("n", &["1,250,000 of 12\u{202f}345 and 4'200"]), ("u", &["Ko\u{308}ln, ﾃﾞｰﾀﾍﾞｰｽ"]), ("x", &["POL-358"])],
    );
    for (words, expected) in [
        ("1250000", "n#0"),
        ("1.250.000", "n#0"),
        ("12345", "n#0"),
        ("4200", "n#0"),
        ("Köln", "u#0"),
        ("koln", "u#0"),
        ("データベース", "u#0"),
        ("pol358", "x#0"),
    ] {
        assert_eq!(desk.words(words), [expected], "{words}");
    }
}
