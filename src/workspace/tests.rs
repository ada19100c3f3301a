//! Property tests of the words everything else is said in: no name escapes, no span cuts a character.

use std::path::{Component, Path};

use proptest::prelude::*;

use super::{LineStarts, RelPath, Span, WorkspaceId};

fn hostile_path() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("..".to_owned()),
        Just(".".to_owned()),
        Just(String::new()),
        Just("C:".to_owned()),
        Just("\\".to_owned()),
        Just("a\0b".to_owned()),
        Just("~".to_owned()),
        Just("...".to_owned()),
        "[a-z]{1,3}",
        "\\PC{0,4}",
    ];
    proptest::collection::vec(part, 0..6).prop_map(|parts| parts.join("/"))
}

proptest! {
    #[test]
    fn no_path_leaves_its_root(text in hostile_path()) {
        let root = Path::new("/the/root");
        if let Ok(path) = text.parse::<RelPath>() {
            let full = path.under(root);
            prop_assert!(full.starts_with(root) && full != root);
            prop_assert!(full.components().skip(1).all(|part| matches!(part, Component::Normal(_))), "{full:?}");
            prop_assert_eq!(RelPath::strip(root, &full).unwrap(), path);
        }
    }

    #[test]
    fn json_takes_exactly_the_paths_and_names_that_parsing_takes(text in hostile_path()) {
        let json = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(serde_json::from_str::<RelPath>(&json).ok(), text.parse().ok());
        prop_assert_eq!(serde_json::from_str::<WorkspaceId>(&json).ok(), text.parse().ok());
    }

    #[test]
    fn a_workspace_name_is_one_plain_part_of_a_path(text in "[a-z0-9._/\\\\-]{0,70}") {
        if let Ok(id) = text.parse::<WorkspaceId>() {
            let parts: Vec<Component<'_>> = Path::new(id.as_str()).components().collect();
            prop_assert!(matches!(parts.as_slice(), [Component::Normal(_)]));
            prop_assert!(id.as_str().len() <= 64);
        }
    }

    #[test]
    fn a_span_gives_words_or_nothing_and_trimming_stays_inside(text in "[ \\n\u{feff}é東a]{0,20}", a in 0_usize..40, b in 0_usize..40) {
        let span = Span::new(a, b);
        let trimmed = span.trimmed(&text);
        match span.of(&text) {
            None => prop_assert!(trimmed.is_empty() && trimmed.start == a),
            Some(words) => {
                let is_blank = |c: char| c.is_whitespace() || c == '\u{feff}';
                prop_assert_eq!(trimmed.of(&text).unwrap(), words.trim_matches(is_blank));
                prop_assert!(trimmed.start >= a && trimmed.end <= b.max(a));
            }
        }
    }

    #[test]
    fn the_lines_of_a_span_are_those_its_bytes_stand_on(text in "[a\\n é]{0,30}", a in 0_usize..30, len in 0_usize..20) {
        let span = Span::new(a.min(text.len()), (a + len).min(text.len()));
        let lines = LineStarts::of(&text).lines(span);
        let line_of = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        prop_assert_eq!(lines.start as usize, line_of(span.start));
        prop_assert_eq!(lines.end as usize, line_of(span.end.saturating_sub(1).max(span.start)));
    }
}

#[test]
fn names_that_are_no_names_are_refused() {
    for bad in ["", ".", "..", "../a", "a/..", "/etc/passwd", "a//b", "a/", "./a", "a\\b", "a\0", &"a".repeat(4097)] {
        assert!(bad.parse::<RelPath>().is_err(), "{bad:?}");
    }
    for bad in ["", ".", "..", ".hidden", "-x", "A", "a/b", "a b", "é", &"a".repeat(65)] {
        assert!(bad.parse::<WorkspaceId>().is_err(), "{bad:?}");
    }
}

#[test]
fn a_path_that_is_not_utf8_or_not_below_the_root_is_refused() {
    let root = Path::new("/the/root");
    assert!(RelPath::strip(root, Path::new("/the/rooted/a")).is_err());
    assert!(RelPath::strip(root, Path::new("/the/root/../x")).is_err());
    assert!(RelPath::strip(root, root).is_err());
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        let name = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
        assert!(RelPath::strip(root, &root.join(name)).is_err());
    }
}
