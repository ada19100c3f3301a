//! Operators are read, and whatever is none stays a plain word.

use proptest::prelude::*;

use super::*;
use crate::index::WordConditions;

fn read(query: &str) -> ReadQuery {
    Reader::new(query, Operators::All, PatternLimits::default()).read()
}

fn words(query: &str) -> String {
    read(query).words.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn phrase(text: &str) -> Holding {
    Holding::Phrase(Phrase::as_written(text).unwrap())
}

#[test]
fn what_is_no_operator_stays_a_plain_word_and_has_no_note() {
    for query in [
        "k8s:foo",
        "std::vec",
        "path::join",
        "type::Foo",
        "https://example.org/a?b=c",
        r"C:\x\y.txt",
        "--flag value",
        "ls -la",
        "rm -rf",
        "state-of-the-art",
        "a - b",
        "10 -- 20",
        "type: warning",
        "path:",
        "SELECT * FROM t",
        "x*y*",
        "foo@bar.org",
        "TODO: fix",
        "e.g. GB/s",
        "\"open quote",
        "it's",
        "(a) [b] {c}",
        "-",
        "\"\"",
        "grammar::fa",
        "5*3",
        "-x",
        "C++",
        "#42",
        "1.21.0",
    ] {
        let read = read(query);
        assert_eq!(
            (words(query), read.read.len()),
            (query.split_whitespace().collect::<Vec<_>>().join(" ").replace("\"\"", ""), 0),
            "{query}"
        );
        assert_eq!(read.filters, Filters::default(), "{query}");
    }
    for query in
        ["k8s:foo", "std::vec", "path::join", r"C:\x", "--flag", "state-of-the-art", "ls -la", "SELECT * FROM t"]
    {
        assert!(read(query).notes.is_empty(), "{query}: {:?}", read(query).notes);
    }
}

#[test]
fn words_phrases_and_beginnings_are_left_out_or_required() {
    let query = read("crane -draft -1970 -\"old quay\" antiq* \"cold start\" -obsol* -e-mail");
    assert_eq!(query.words.split_whitespace().collect::<Vec<_>>(), ["crane", "\"cold", "start\""]);
    assert_eq!(query.prefixes, ["antiq"]);
    let WordConditions { required, excluded } = query.filters.words;
    assert_eq!(required, [Holding::Prefix("antiq".into()), phrase("cold start")]);
    let expected = [
        Holding::Word("draft".into()),
        Holding::Word("1970".into()),
        phrase("old quay"),
        Holding::Prefix("obsol".into()),
        phrase("e-mail"),
    ];
    assert_eq!(excluded, expected);
    assert_eq!(query.read.len(), 7);
}

#[test]
fn fields_become_filters_also_with_quotes_and_in_capitals() {
    let query = read(
        "latency path:reports/2026 TYPE:Markdown, agent:\"coder 03\" run:r-1 tag:nightly before:2026-11 after:2026-10-01",
    );
    let filters = query.filters;
    assert_eq!(query.words, "latency");
    assert_eq!(filters.path, ["reports/2026", "reports/2026/**"]);
    assert_eq!((filters.formats, filters.agent), (vec!["markdown".to_owned()], vec!["coder 03".to_owned()]));
    assert_eq!((filters.run, filters.tags), (vec!["r-1".to_owned()], vec!["nightly".to_owned()]));
    assert_eq!(filters.modified_before, Some("2026-11-01T00:00:00Z".parse().unwrap()));
    assert_eq!(filters.modified_after, Some("2026-10-01T00:00:00Z".parse().unwrap()));
    let query = read("-path:archive/ -type:csv before:2026 before:2025");
    assert_eq!(
        (query.filters.other_paths, query.filters.other_formats),
        (vec!["**/archive/**".to_owned()], vec!["csv".to_owned()])
    );
    assert_eq!(query.filters.modified_before, Some("2025-01-01T00:00:00Z".parse().unwrap()));
}

#[test]
fn a_path_is_a_glob_a_folder_or_a_file() {
    let admits =
        |query: &str, path: &str| read(query).filters.compile(PatternLimits::default()).unwrap().admits_path(path);
    for (query, path, passes) in [
        ("path:*.md", "a/b.md", true),
        ("path:reports", "reports/a.md", true),
        ("path:reports", "x/reports/a/b.md", true),
        ("path:reports", "reports.md", false),
        ("path:./reports/", "reports/a.md", true),
        ("path:a.md", "x/a.md", true),
        ("path:x/a.md", "y/x/a.md", false),
        ("path:\"my files\"", "my files/a.md", true),
        ("path:reports/**", "reports/a/b.md", true),
        ("path:Ko\u{308}ln", "Köln/a.md", true),
        ("path:Köln", "Ko\u{308}ln/a.md", true),
        ("path:ﾃﾞｰﾀ.md", "データ.md", true),
        ("-path:reports", "reports/a.md", false),
        ("path:*.md path:*.txt", "a.txt", true),
    ] {
        assert_eq!(admits(query, path), passes, "{query} {path}");
    }
}

#[test]
fn what_is_not_understood_is_searched_as_words_and_said() {
    for (query, note) in [
        ("type:foo bar", "there is no type `foo`"),
        ("before:yesterdayish bar", "is not a date"),
        ("path:[ bar", "is not a path or glob"),
        ("-agent:x bar", "not an operator"),
        ("-after:2026 bar", "not an operator"),
        ("bar -5", "searched as a number"),
        ("bar OR foo", "not an operator"),
        ("bar *.md", "`path:*.md` asks for files"),
        ("bar fo*o", "only `word*`"),
    ] {
        let read = read(query);
        assert!(read.notes.len() == 1 && read.notes[0].contains(note), "{query}: {:?}", read.notes);
        assert_eq!(words(query), query, "{query}");
    }
    assert!(read("bar \"++\"").notes[0].contains("no word"));
}

#[test]
fn a_search_has_both_its_own_filters_and_those_of_its_query() {
    let mut request = SearchRequest::new("crane type:markdown path:a/** before:2026");
    request.filters.formats = vec!["markdown".into(), "text".into()];
    request.filters.path = vec!["*.md".into()];
    let read = read_search(&request, PatternLimits::default());
    let filter = read.request.filters.compile(PatternLimits::default()).unwrap().filter;
    assert_eq!(read.request.query, "crane");
    assert!(filter.admits("a/x.md", Format::Markdown, 0) && !filter.admits("b/x.md", Format::Markdown, 0));
    assert!(!filter.admits("a/x.md", Format::Text, 0) && !filter.admits("a/x.txt", Format::Markdown, 0));
    assert!(!filter.admits("a/x.md", Format::Markdown, i64::MAX));
    assert!(read.notes[0].starts_with("the query was read as: words `crane`; "), "{:?}", read.notes);
    assert!(read_search(&SearchRequest::new("plain words"), PatternLimits::default()).notes.is_empty());
}

#[test]
fn a_question_has_fields_and_no_other_operators() {
    let filters = Filters::default();
    let (question, narrowed, notes) =
        read_question("How do I run java -jar \"x\" in path:docs/ type:markdown?", &filters, PatternLimits::default());
    assert_eq!(question.split_whitespace().collect::<Vec<_>>().join(" "), "How do I run java -jar \"x\" in");
    assert_eq!(narrowed.each().count(), 2);
    assert_eq!(notes.len(), 1);
    for plain in ["What does type: error mean?", "why -1?", "path:a"] {
        assert_eq!(
            read_question(plain, &filters, PatternLimits::default()),
            (plain.to_owned(), filters.clone(), Vec::new())
        );
    }
}

proptest! {
    #[test]
    fn any_query_is_read_and_only_operators_leave_its_words(query in "\\PC{0,60}") {
        let read = read(&query);
        prop_assert!(read.filters.compile(PatternLimits::default()).is_ok());
        if read.read.is_empty() && read.notes.is_empty() {
            let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assert_eq!(squeezed(&read.words), squeezed(&query));
        }
    }

    #[test]
    fn operators_anywhere_leave_the_other_words_in_order(
        words in proptest::collection::vec("[a-z]{1,8}", 0..5),
        operators in proptest::collection::vec(proptest::sample::select(vec!["-draft", "path:a/**", "type:pdf", "before:2026", "-\"a b\"", "tag:x"]), 0..4),
    ) {
        let mut query = words.clone();
        for (at, operator) in operators.iter().enumerate() {
            query.insert((at * 2).min(query.len()), (*operator).to_owned());
        }
        let read = read(&query.join(" "));
        prop_assert_eq!(read.words.split_whitespace().collect::<Vec<_>>(), words.iter().map(String::as_str).collect::<Vec<_>>());
        prop_assert_eq!(read.read.len(), operators.len());
    }
}
