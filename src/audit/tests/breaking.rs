//! A chain that somebody has cut, edited or put into another order.

use super::*;

/// A journal of ten entries.
fn book() -> Book {
    let book = Book::new();
    for number in 0..10 {
        book.journal
            .record(&search_by(&format!("query {number}"), &[shown("a.md", "one", number, number + 9)]))
            .unwrap();
    }
    assert!(book.verify().is_whole);
    book
}

/// Writes other lines in place of those of the only segment.
fn rewrite(book: &Book, change: impl FnOnce(&mut Vec<String>)) {
    let mut lines = book.lines();
    change(&mut lines);
    let text = lines.iter().fold(String::new(), |text, line| text + line + "\n");
    fs_err::write(&book.segments()[0], text).unwrap();
}

/// The line with the hash that fits it.
fn rehashed(line: &str) -> String {
    let (body, _) = line.rsplit_once(",\"hash\":\"").unwrap();
    let hash = head::EntryHash::of(format!("{body}}}").as_bytes());
    format!("{body},\"hash\":\"{hash}\"}}")
}

#[test]
fn an_edited_entry_is_named_also_where_its_hash_is_made_to_fit() {
    let edited = book();
    rewrite(&edited, |lines| lines[4] = lines[4].replace("query 4", "query 5"));
    let report = edited.verify();
    let [only] = &report.breaks[..] else { panic!("{report:?}") };
    assert_eq!((only.kind, only.seq, only.line), (BreakKind::Edited, Some(5), 5));
    assert_eq!(only.segment, format!("{:020}.jsonl", 1));

    let refitted = book();
    rewrite(&refitted, |lines| lines[4] = rehashed(&lines[4].replace("query 4", "query 5")));
    let report = refitted.verify();
    let [only] = &report.breaks[..] else { panic!("{report:?}") };
    assert_eq!((only.kind, only.seq), (BreakKind::Unlinked, Some(6)), "the next one names the entry that was there");
}

#[test]
fn each_byte_of_an_entry_counts() {
    let book = book();
    let lines = book.lines();
    for at in 0..lines[6].len() {
        let mut bytes = lines[6].clone().into_bytes();
        bytes[at] ^= 1;
        let mut text: Vec<u8> = lines[..6].iter().flat_map(|line| format!("{line}\n").into_bytes()).collect();
        text.extend(bytes);
        text.push(b'\n');
        text.extend(lines[7..].iter().flat_map(|line| format!("{line}\n").into_bytes()));
        fs_err::write(&book.segments()[0], text).unwrap();
        assert!(!book.verify().is_whole, "byte {at} of {}", lines[6]);
    }
}

#[test]
fn a_removed_a_doubled_and_a_moved_entry_are_named() {
    for (change, kind, seq) in [
        ((|lines| drop(lines.remove(3))) as fn(&mut Vec<String>), BreakKind::Misplaced, 5),
        (|lines| lines.insert(3, lines[2].clone()), BreakKind::Misplaced, 3),
        (|lines| lines.swap(3, 4), BreakKind::Misplaced, 5),
        (|lines| drop(lines.remove(0)), BreakKind::CutBeginning, 2),
        (|lines| lines[5] = "{}".to_owned(), BreakKind::Damaged, 0),
    ] {
        let book = book();
        rewrite(&book, change);
        let report = book.verify();
        assert!(!report.is_whole);
        let is_named = report.breaks.iter().any(|one| (one.kind, one.seq.unwrap_or(0)) == (kind, seq));
        assert!(is_named, "{report:?}");
    }
}

#[test]
fn a_cut_end_is_told_by_the_head_beside_and_by_one_from_outside() {
    let book = book();
    let outside = book.journal.head().unwrap();
    assert_eq!(outside.seq, 10);
    assert!(book.journal.verify(std::slice::from_ref(&outside)).unwrap().is_whole);
    rewrite(&book, |lines| lines.truncate(7));
    assert_eq!(book.breaks(), [BreakKind::CutEnd]);

    // Whoever cuts the end can make the file `head` fit, and only what is kept elsewhere tells then.
    fs_err::remove_file(book.folder().join("head")).unwrap();
    let other = book.other();
    other.record(&search_by("after", &[])).unwrap();
    let report = other.verify(&[]).unwrap();
    assert!(report.is_whole && report.num_repairs == 1, "{report:?}");
    let report = other.verify(std::slice::from_ref(&outside)).unwrap();
    assert_eq!(report.breaks[0].kind, BreakKind::CutEnd, "{report:?}");
    for _ in 0..5 {
        other.record(&search_by("more", &[])).unwrap();
    }
    assert_eq!(other.verify(&[outside]).unwrap().breaks[0].kind, BreakKind::OtherHead);
}

#[test]
fn a_journal_that_goes_on_after_its_end_was_cut_tells_of_it_for_ever() {
    let book = book();
    rewrite(&book, |lines| lines.truncate(7));
    let seq = book.other().record(&search_by("after", &[])).unwrap();
    assert_eq!(seq, Some(12), "the numbers of lost entries are not given again");
    let report = book.verify();
    assert_eq!(report.num_repairs, 1);
    assert_eq!(book.breaks(), [BreakKind::Misplaced]);
    assert!(report.breaks[0].explanation.contains("8 to 10 are missing"), "{report:?}");
    let repair = &book.search(&Query { action: Some("audit"), ..all() })[0];
    assert!(repair.message.as_ref().unwrap().contains("8 to 10 are missing"), "{repair:?}");
}

#[test]
fn what_removes_the_whole_journal_beside_a_running_process_is_told() {
    let book = book();
    for segment in book.segments() {
        fs_err::remove_file(segment).unwrap();
    }
    book.journal.record(&search_by("after", &[])).unwrap();
    let report = book.verify();
    assert!(!report.is_whole && report.num_repairs == 1, "{report:?}");
    assert_eq!(report.first_seq, 11);

    fs_err::remove_dir_all(book.folder()).unwrap();
    book.journal.record(&search_by("after", &[])).unwrap();
    assert_eq!(book.journal.head().unwrap().seq, 1, "a new journal, which a head from outside does not fit");
}
