//! Texts that try to lose bytes: line ends, marks, words that stand twice, edits on edits.

use proptest::prelude::*;

use super::diff::MAX_DIFF_BYTES;
use super::error::Miss;
use super::*;
use crate::error::Advice as _;

fn edit(old: &str, new: &str) -> Edit {
    Edit { old_text: old.to_owned(), new_text: new.to_owned() }
}

fn edits(edits: &[(&str, &str)]) -> Changes {
    Changes { edits: edits.iter().map(|(old, new)| edit(old, new)).collect(), ..Changes::default() }
}

fn changed(text: &str, changes: &Changes) -> Result<String, EditError> {
    let file = TextFile::read(text.as_bytes())?;
    changes.apply(&file, 1_000_000).map(|(text, _)| text)
}

#[test]
fn words_that_stand_once_are_replaced_and_nothing_else() {
    assert_eq!(changed("a\r\nb\nc", &edits(&[("b", "x")])).unwrap(), "a\r\nx\nc");
    assert_eq!(changed("one two", &edits(&[("one", "two"), ("two two", "three")])).unwrap(), "three");
    assert_eq!(changed("out, of here", &edits(&[(", of", "")])).unwrap(), "out here");
}

#[test]
fn words_that_stand_twice_or_never_change_nothing_and_say_where() {
    let error = changed("x = 1\ny\nx = 1\n", &edits(&[("y", "z"), ("x = 1", "x = 2")])).unwrap_err();
    assert_eq!(error, EditError::Miss { number: 2, of: 2, miss: Miss::Several { num_places: 2, lines: vec![1, 3] } });
    let error = changed("aaa", &edits(&[("aa", "b")])).unwrap_err();
    assert!(matches!(error, EditError::Miss { miss: Miss::Several { num_places: 2, .. }, .. }), "overlapping: {error}");
    let text = "fn main() {\n    let total = count(values);\n    println!(\"{total}\");\n}\n";
    let error = changed(text, &edits(&[("    let total = count(value);\n", "")])).unwrap_err();
    assert!(error.to_string().contains("line 2 comes nearest:\n    let total = count(values);"), "{error}");
    let error = changed(text, &edits(&[("zebra crossing", "")])).unwrap_err();
    assert!(error.to_string().ends_with("(0 matches)"), "{error}");
    assert_eq!(changed("a", &edits(&[("", "b")])).unwrap_err().code(), "invalid_request");
    assert_eq!(changed("a", &edits(&[("a", "a")])).unwrap_err(), EditError::Same);
    assert_eq!(changed("a", &Changes::default()).unwrap_err(), EditError::Nothing);
}

#[test]
fn all_places_are_replaced_only_where_that_is_asked_for() {
    let all = Changes { replace_all: true, ..edits(&[("aa", "b")]) };
    assert_eq!(changed("aaa aa", &all).unwrap(), "ba b");
    let none = Changes { replace_all: true, ..edits(&[("c", "b")]) };
    assert_eq!(changed("aaa", &none).unwrap_err().code(), "no_match");
    let grows = Changes { replace_all: true, ..edits(&[("a", &"b".repeat(1_000))]) };
    let file = TextFile::read("a".repeat(5_000).as_bytes()).unwrap();
    assert!(matches!(grows.apply(&file, 4_000_000), Err(EditError::TooLarge { size: 5_000_000, .. })));
}

#[test]
fn line_ends_of_the_file_hold_for_what_comes_in() {
    let text = "# Log\r\n\r\nfirst\r\nlast";
    assert_eq!(changed(text, &edits(&[("first\nlast", "second\nlast\n")])).unwrap(), "# Log\r\n\r\nsecond\r\nlast\r\n");
    let append = Changes { append: Some("more\nand more".to_owned()), ..Changes::default() };
    assert_eq!(changed(text, &append).unwrap(), "# Log\r\n\r\nfirst\r\nlast\r\nmore\r\nand more");
    assert_eq!(changed("a\nb\n", &edits(&[("a\r\nb", "c")])).unwrap(), "c\n");
}

#[test]
fn a_file_that_ends_with_a_line_end_does_so_after_lines_were_added() {
    let with = |text: &str, lines: &str| {
        changed(text, &Changes { append: Some(lines.to_owned()), ..Changes::default() }).unwrap()
    };
    assert_eq!(with("a\n", "b"), "a\nb\n");
    assert_eq!(with("a\r\n", "b\nc"), "a\r\nb\r\nc\r\n");
    assert_eq!(with("a\n", "b\n"), "a\nb\n");
    assert_eq!(with("a", "b"), "a\nb");
    assert_eq!(with("", "b"), "b");
}

#[test]
fn lines_come_below_the_only_heading_with_these_words() {
    let below = |text: &str, heading: &str, lines: &str| {
        let insertion = Insertion { heading: heading.to_owned(), text: lines.to_owned() };
        changed(text, &Changes { insert_after_heading: Some(insertion), ..Changes::default() })
    };
    let text = "# Notes\n\n## To do\n- a\n\n```\n## To do\n```\n## Done #\n";
    assert_eq!(
        below(text, "To do", "- b").unwrap(),
        "# Notes\n\n## To do\n- b\n- a\n\n```\n## To do\n```\n## Done #\n"
    );
    assert!(below(text, "## Done", "x\n").unwrap().ends_with("## Done #\nx\n"));
    assert_eq!(below("# One", "One", "x").unwrap(), "# One\nx");
    assert_eq!(below("# C#\n# C\n", "C#", "x").unwrap(), "# C#\nx\n# C\n");
    assert_eq!(below(text, "Nothing", "x").unwrap_err().code(), "no_match");
    assert_eq!(
        below("# A\n# A\n", "A", "x").unwrap_err(),
        EditError::SeveralHeadings { heading: "A".to_owned(), lines: vec![1, 2] }
    );
    assert_eq!(below("#hash\n", "hash", "x").unwrap_err().code(), "no_match", "a tag is no heading");
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    for bytes in [&b"\xff\xfea"[..], b"\xfe\xff\xd8\x00", b"caf\xe9", b"a\0b", b"\xef\xbb\xbf\xff"] {
        assert_eq!(TextFile::read(bytes), Err(EditError::NotText), "{bytes:?}");
    }
}

#[test]
fn the_difference_names_the_file_and_is_bounded() {
    assert_eq!(unified("a.md", "one\ntwo\n", "one\n2\n"), "--- a/a.md\n+++ b/a.md\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n");
    assert_eq!(unified("a.md", "same", "same"), "");
    let long = |word: &str| {
        let lines = (0..20_000).map(|line| [word, " ", if line % 50 == 0 { word } else { "" }, "\n"].concat());
        lines.collect::<Vec<_>>().concat()
    };
    let diff = unified("a", &long("x"), &long("x").replace("x x", "x y"));
    assert!(diff.len() < MAX_DIFF_BYTES + 200 && diff.contains("left out"), "{}", diff.len());
    assert!(unified("a", "one", "two").contains("No newline"), "{}", unified("a", "one", "two"));
}

#[test]
fn changes_in_different_places_are_merged_and_in_one_place_are_marked() {
    let base = "a\nb\nc\nd\ne\n";
    assert_eq!(merge(base, "A\nb\nc\nd\ne\n", "a\nb\nc\nd\nE\n").unwrap(), Merged::Clean("A\nb\nc\nd\nE\n".to_owned()));
    let Merged::Conflicts(text) = merge(base, "a\nx\nc\nd\ne\n", "a\ny\nc\nd\ne\n").unwrap() else {
        panic!("it is clean")
    };
    assert!(text.contains("<<<<<<<") && text.contains("x\n=======\ny\n>>>>>>>"), "{text}");
    assert_eq!(merge(base, base, base).unwrap(), Merged::Clean(base.to_owned()));
    let long = "a".repeat(MAX_MERGED_BYTES + 1);
    assert!(matches!(merge("", &long, ""), Err(EditError::TooLarge { .. })));
}

proptest! {
    #[test]
    fn a_file_without_changes_is_written_as_it_was(text in "(\\PC|[\r\n\t]){0,60}", form in 0..4) {
        let bytes: Vec<u8> = match form {
            0 => text.bytes().collect(),
            1 => b"\xef\xbb\xbf".iter().copied().chain(text.bytes()).collect(),
            2 => b"\xff\xfe".iter().copied().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect(),
            _ => b"\xfe\xff".iter().copied().chain(text.encode_utf16().flat_map(u16::to_be_bytes)).collect(),
        };
        // A text may begin with what is a mark itself.
        prop_assume!(form > 0 || !text.starts_with('\u{feff}'));
        let file = TextFile::read(&bytes).unwrap();
        prop_assert_eq!(&file.text, &text);
        prop_assert_eq!(file.bytes_of(&file.text), bytes);
    }

    #[test]
    fn an_edit_changes_its_words_and_no_other_byte(
        before in "[a-c\r\n]{0,20}", old in "[a-c\r\n]{1,6}", after in "[a-c\r\n]{0,20}", new in "[x-z]{0,6}"
    ) {
        let text = format!("{before}{old}{after}");
        match changed(&text, &edits(&[(&old, &new)])) {
            Ok(changed) => prop_assert_eq!(changed, format!("{before}{new}{after}")),
            Err(error) => {
                let twice = text.char_indices().filter(|(at, _)| text[*at..].starts_with(&old)).count() > 1;
                prop_assert!(twice, "{error}");
            }
        }
    }

    #[test]
    fn all_edits_are_made_or_none(texts in proptest::collection::vec("[a-d]{1,4}", 1..6), picks in proptest::collection::vec(("[a-d]{1,3}", "[a-d]{0,3}"), 1..5)) {
        let text = texts.join("\n");
        let all: Vec<(&str, &str)> = picks.iter().map(|(old, new)| (old.as_str(), new.as_str())).collect();
        let mut by_hand = Some(text.clone());
        for (old, new) in &all {
            by_hand = by_hand.filter(|text| text.char_indices().filter(|(at, _)| text[*at..].starts_with(old)).count() == 1)
                .map(|text| text.replacen(old, new, 1));
        }
        match (changed(&text, &edits(&all)), by_hand) {
            (Ok(changed), Some(by_hand)) => prop_assert_eq!(changed, by_hand),
            (Err(EditError::Same), Some(by_hand)) => prop_assert_eq!(by_hand, text),
            (Err(_), None) => {}
            (changed, by_hand) => prop_assert!(false, "{changed:?} {by_hand:?}"),
        }
    }
}
