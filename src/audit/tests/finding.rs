//! Who has seen what: conditions, pages, overlaps, and what a narrowed caller may know.

use proptest::prelude::*;

use super::*;

#[test]
fn pages_put_together_are_the_whole_list_however_long_they_are() {
    let book = Book::with(|settings| settings.segment_bytes = 30_000);
    for number in 0..300 {
        book.journal.record(&search_by(&number.to_string(), &[shown("a.md", "one", number, number + 1)])).unwrap();
    }
    assert!(book.segments().len() > 3);
    let whole: Vec<u64> = book.search(&all()).iter().map(|entry| entry.seq).collect();
    assert_eq!(whole.len(), 300);
    for limit in [1, 7, 100, 299, 300, 301] {
        let (mut paged, mut before) = (Vec::new(), None);
        loop {
            let found = book.journal.search(&Query { before, limit, ..all() }, &Budget::default()).unwrap();
            assert!(found.entries.len() <= limit);
            paged.extend(found.entries.iter().map(|entry| entry.seq));
            match found.next {
                Some(next) => before = Some(next),
                None => break,
            }
        }
        assert_eq!(paged, whole, "{limit} at a time");
    }
}

#[test]
fn a_search_whose_time_is_over_goes_on_where_it_ended() {
    let book = Book::new();
    for number in 0..400 {
        book.journal.record(&search_by(&number.to_string(), &[])).unwrap();
    }
    let (mut before, mut seen, mut num_pages) = (None, Vec::new(), 0);
    loop {
        let budget = Budget::default().lasting(std::time::Duration::ZERO);
        let found = book.journal.search(&Query { before, ..all() }, &budget).unwrap();
        seen.extend(found.entries.iter().map(|entry| entry.seq));
        num_pages += 1;
        assert_eq!(found.is_partial, found.next.is_some());
        let Some(next) = found.next else { break };
        before = Some(next);
    }
    assert_eq!(seen, (1..=400).rev().collect::<Vec<u64>>());
    assert!(num_pages > 5);
}

#[test]
fn a_hundred_thousand_entries_are_searched_in_bounded_time_and_pages() {
    let book = Book::with(|settings| settings.segment_bytes = 8_000_000);
    book.journal.record(&search_by("needle", &[shown("needle.md", "it", 5, 10)])).unwrap();
    // As the journal writes them, and faster.
    let line = book.lines().remove(0);
    let (mut previous, mut text) = (line::Links::read(line.as_bytes()).unwrap().hash, String::new());
    for seq in 2..=100_000_u64 {
        let other = line.replacen("{\"seq\":1,", &format!("{{\"seq\":{seq},"), 1).replace("needle", "straw");
        let other = other.replace(&"0".repeat(64), &previous.to_string());
        let (body, _) = other.rsplit_once(",\"hash\":\"").unwrap();
        previous = head::EntryHash::of(format!("{body}}}").as_bytes());
        text += body;
        text += ",\"hash\":\"";
        text += &previous.to_string();
        text += "\"}\n";
    }
    let mut segment = fs_err::OpenOptions::new().append(true).open(&book.segments()[0]).unwrap();
    std::io::Write::write_all(&mut segment, text.as_bytes()).unwrap();
    fs_err::write(book.folder().join("head"), format!("{:020} {previous} {:020}\n", 100_000, 1)).unwrap();
    assert!(book.verify().is_whole);

    let cited: Cited = "needle.md#9-20".parse().unwrap();
    let started = std::time::Instant::now();
    let found = book.search(&Query { cited: Some(&cited), limit: 10, ..all() });
    assert_eq!(found.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [1]);
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    // The beginning of a large segment is found without reading what stands behind.
    let budget = Budget::default().lasting(std::time::Duration::ZERO);
    let old = book.journal.search(&Query { before: Some(30), limit: 20, ..all() }, &budget).unwrap();
    assert_eq!((old.entries.len(), old.entries[0].seq, old.is_partial), (20, 29, false));
    let page = book.journal.search(&all(), &Budget::default()).unwrap();
    assert!(page.entries.len() < 20_000 && page.next.is_some(), "a page is bounded in bytes: {}", page.entries.len());
}

#[test]
fn conditions_narrow_and_a_verb_stands_for_all_its_kinds() {
    let book = Book::new();
    let (one, two): (WorkspaceId, WorkspaceId) = ("one".parse().unwrap(), "two".parse().unwrap());
    let paths = [path("reports/a.md")];
    let key = |id| Actor::Key { id, name: "name", agent: Some("coder") };
    for (operation, workspace, actor, outcome) in [
        ("file.read", Some(&one), Actor::LocalUser, Outcome::Success),
        ("file.write", Some(&one), key("kkkkkkkk"), Outcome::Begun),
        ("file.write", Some(&one), key("kkkkkkkk"), Outcome::Success),
        ("files", Some(&two), key("llllllll"), Outcome::Success),
        ("door", None, Actor::Unknown, Outcome::Failure { code: "unauthorized" }),
    ] {
        let entry = Entry { workspace, paths: &paths, outcome, ..Entry::new(Activity::Read, operation, actor, "rest") };
        book.journal.record(&entry).unwrap();
    }
    let seqs = |query: Query<'_>| book.search(&query).iter().map(|entry| entry.seq).collect::<Vec<_>>();
    assert_eq!(seqs(Query { workspace: Some(&one), ..all() }), [3, 2, 1]);
    assert_eq!(seqs(Query { action: Some("file"), ..all() }), [3, 2, 1], "`files` is another verb");
    assert_eq!(seqs(Query { key: Some("kkkkkkkk"), result: Some(AuditResult::Success), ..all() }), [3]);
    assert_eq!(seqs(Query { agent: Some("coder"), ..all() }), [4, 3, 2]);
    assert_eq!(seqs(Query { result: Some(AuditResult::Failure), ..all() }), [5]);
    assert_eq!(seqs(Query { result: Some(AuditResult::Begun), ..all() }), [2]);
    assert_eq!(seqs(Query { on_path: Some(&|path| path.contains(".txt")), ..all() }), Vec::<u64>::new());
    assert_eq!(seqs(Query { since_ms: Some(i64::MAX), ..all() }), Vec::<u64>::new());
    assert_eq!(seqs(Query { until_ms: Some(0), ..all() }), Vec::<u64>::new());
    assert_eq!(seqs(Query { since_ms: Some(0), until_ms: Some(i64::MAX), ..all() }).len(), 5);
}

#[test]
fn a_narrowed_caller_learns_nothing_of_files_it_does_not_see() {
    let book = Book::new();
    let paths = [path("secret/plan.md"), path("open/a.md")];
    book.journal
        .record(&search_by("canary words", &[shown("open/a.md", "a", 0, 5), shown("secret/plan.md", "b", 0, 5)]))
        .unwrap();
    book.journal.record(&search_by("canary words", &[shown("secret/plan.md", "b", 0, 5)])).unwrap();
    let read = |paths| Entry { paths, ..Entry::new(Activity::Read, "file.read", Actor::LocalUser, "rest") };
    book.journal.record(&read(&paths[..1])).unwrap();
    book.journal.record(&read(&paths)).unwrap();
    book.journal.record(&Entry::new(Activity::Read, "status.read", Actor::LocalUser, "rest")).unwrap();
    let sees = |path: &str| path.starts_with("open/");
    let told = book.search(&Query { sees: Some(&sees), ..all() });
    assert_eq!(told.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [5, 4, 1]);
    let json = serde_json::to_string(&told).unwrap();
    assert!(!json.contains("secret") && !json.contains("canary"), "{json}");
    let cited: Cited = "secret/plan.md".parse().unwrap();
    assert!(book.search(&Query { sees: Some(&sees), cited: Some(&cited), ..all() }).is_empty());
    let content = Cited { contents: vec![ContentHash::of(b"b")], ..cited };
    assert!(book.search(&Query { sees: Some(&sees), cited: Some(&content), ..all() }).is_empty());
}

#[test]
fn a_copy_counts_by_its_content_and_a_whole_file_holds_every_paragraph() {
    let book = Book::new();
    book.journal.record(&search_by("q", &[shown("copy.md", "same", 10, 20)])).unwrap();
    book.journal.record(&search_by("q", &[shown("other.md", "else", 10, 20)])).unwrap();
    let whole = Shown { path: path("a.md"), content_hash: None, span: None };
    book.journal
        .record(&Entry { shown: &[whole], ..Entry::new(Activity::Read, "file.read", Actor::LocalUser, "page") })
        .unwrap();
    let cited = Cited { contents: vec![ContentHash::of(b"same")], .."a.md#15-16".parse().unwrap() };
    let seqs = |cited: &Cited| {
        book.search(&Query { cited: Some(cited), ..all() }).iter().map(|one| one.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(&cited), [3, 1]);
    assert_eq!(seqs(&"a.md".parse().unwrap()), [3]);
    assert_eq!(seqs(&"copy.md#20-30".parse().unwrap()), Vec::<u64>::new(), "a span ends before its end");
    assert_eq!(seqs(&"copy.md#19-30".parse().unwrap()), [1]);
}

#[test]
fn a_place_is_read_from_behind_as_names_may_hold_its_signs() {
    let read = |text: &str| text.parse::<Cited>().map(|cited| (cited.path.to_string(), cited.span));
    assert_eq!(read("a#b.md#3-9").unwrap(), ("a#b.md".to_owned(), Some(Span::new(3, 9))));
    for whole in ["a.md#", "a.md#9", "a.md#9-3", "a.md#3-3", "a.md#-3", "a.md#+1-3", "c#"] {
        assert_eq!(read(whole).unwrap(), (whole.to_owned(), None), "it is a name");
    }
    assert!(read("../a.md#3-9").is_err() && read("").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Against the definition: some byte of the place is a byte of something that was shown.
    #[test]
    fn who_has_seen_a_byte_is_told_exactly(
        showings in prop::collection::vec(prop::collection::vec((0..3_usize, 0..40_usize, 1..20_usize), 0..5), 1..12),
        file in 0..3_usize, start in 0..60_usize, len in 1..20_usize,
    ) {
        let book = Book::new();
        let name = |file: usize| format!("f{file}.md");
        for showing in &showings {
            let places: Vec<Shown> =
                showing.iter().map(|&(file, start, len)| shown(&name(file), "x", start, start + len)).collect();
            book.journal.record(&search_by("q", &places)).unwrap();
        }
        let mut wanted: Vec<u64> = (1_u64..).zip(&showings).filter(|(_, showing)| {
            (start..start + len).any(|byte| {
                showing.iter().any(|&(other, from, len)| other == file && (from..from + len).contains(&byte))
            })
        }).map(|(seq, _)| seq).collect();
        wanted.reverse();
        let cited: Cited = format!("{}#{start}-{}", name(file), start + len).parse().unwrap();
        let told: Vec<u64> = book.search(&Query { cited: Some(&cited), ..all() }).iter().map(|entry| entry.seq).collect();
        prop_assert_eq!(told, wanted);
    }
}
