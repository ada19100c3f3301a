//! Rich Text that is made here, and that of the development data.

use std::path::Path;

use proptest::prelude::*;

use crate::extract::{Document, Format, Hints, extract, tests::check};

fn document(rtf: &[u8]) -> Document {
    let document = extract(rtf, Hints { file_name: "letter.rtf" }).expect("read");
    check(&document);
    assert_eq!((document.format, document.has_file_lines), (Format::Rtf, false));
    document
}

fn described(rtf: &str) -> Vec<String> {
    let document = document(rtf.as_bytes());
    let describe = |block: &crate::extract::Block| {
        let header = block.header.as_deref().map(|header| format!(" [{header}]")).unwrap_or_default();
        let words = block.span.of(&document.text).expect("in range");
        format!("{:?} {}{header}: {words}", block.kind, block.trail.join(" > "))
    };
    document.blocks.iter().map(describe).collect()
}

#[test]
fn paragraphs_stand_under_their_headings() {
    let rtf = r"{\rtf1\ansi{\fonttbl{\f0 Arial;}}{\colortbl;\red0;}{\stylesheet{\s1 heading 1;}{\s2\outlinelevel1 Teil;}}
{\info{\title A {\b bold} title}{\author Nobody}}
\pard\s1 Report\par\pard Fast\line and {\b\*\cs7 small}.\par\s2 Details\par\pard{\*\generator X;}End {\v hidden}here.}";
    assert_eq!(
        described(rtf),
        [
            "Heading : Report",
            "Prose Report: Fast\nand small.",
            "Heading Report: Details",
            "Prose Report > Details: End here."
        ]
    );
    assert_eq!(document(rtf.as_bytes()).title.as_deref(), Some("A bold title"));
}

#[test]
fn rows_carry_their_header_and_cells_are_one_line() {
    let rtf = r"{\rtf1 Before\par\trowd\pard\intbl run\cell ms\cell\row\intbl a\par x\cell 12\cell\row\pard After\par}";
    assert_eq!(described(rtf), ["Prose : Before", "Row : run | ms", "Row  [run, ms]: a x | 12", "Prose : After"]);
}

#[test]
fn characters_are_read_in_every_way_they_are_written() {
    for (rtf, words) in [
        (r"{\rtf1\ansicpg1250 \'9a\'e8 x}", "šč x"),
        (r"{\rtf1\ansicpg932 \'83A\'93\'fa}", "ア日"),
        (r"{\rtf1{\fonttbl{\f0\fcharset204 A;}}\f0 \'e4\'e0{\plain  \'e4}}", "да ä"),
        (r"{\rtf1 \u228?\u-3913 ?x}", "ä\u{f0b7}x"),
        (r"{\rtf1\uc2 \u228\'61b\uc0\u98 c}", "äbc"),
        (r"{\rtf1 \u-10179?\u-8704?}", "😀"),
        (r"{\rtf1 a\~b\_c\-d\{e\}\\ \emdash  \ldblquote q\rdblquote}", "a\u{a0}b-cd{e}\\ — “q”"),
    ] {
        assert_eq!(document(rtf.as_bytes()).text, words, "{rtf}");
    }
}

#[test]
fn notes_follow_their_paragraph_and_noise_is_left_out() {
    let rtf = r#"{\rtf1 Words{\footnote {\chftn} The note.} go on{\*\annotation A comment.} {\field{\*\fldinst HYPERLINK "x"}
{\fldrslt link}}{\pict\wmetafile8 010203}{\*\unknown no}{\b\*\unknown }\bin3 }}{.\par{\pntext\f3\'b7\tab}One{\listtext 1.\tab}
{\shp{\*\shpinst{\sp{\sn a}{\sv b}}{\shptxt In a box.\par}}{\shprslt Twice}}}"#;
    assert_eq!(
        described(rtf),
        [
            "Prose : Words go on link.",
            "Prose : The note.",
            "Prose : A comment.",
            "Prose : - One1.",
            "Prose : In a box."
        ]
    );
}

#[test]
fn broken_files_are_read_up_to_where_they_break() {
    let cut = document(br"{\rtf1 Some {\b words");
    assert_eq!((cut.text.as_str(), cut.partial.is_some()), ("Some words", true));
    let deep = [r"{\rtf1 ".as_bytes(), "{".repeat(300_000).as_bytes(), b"deep"].concat();
    assert_eq!(document(&deep).text, "deep");
    let notes = [r"{\rtf1 ".as_bytes(), r"{\footnote x".repeat(50_000).as_bytes()].concat();
    assert!(document(&notes).text.contains('x'));
    assert_eq!(document(br"{\rtf1}}}} after \bin99999999999 \'zz \u99999999 \uc-5 {").text, "after zz");
}

proptest! {
    #[test]
    fn any_rich_text_keeps_the_invariants(pieces in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "\\par ", "\\cell ", "\\row ", "\\intbl ", "\\pard ", "\\u228 ", "\\u-10179 ", "\\uc3 ", "\\'e4", "\\'", "\\",
        "{\\footnote ", "{\\*\\annotation ", "{\\stylesheet{\\s1 heading 1;}}", "\\s1 ", "\\outlinelevel2 ", "{\\fonttbl{\\f1\\fcharset128 x;}}",
        "\\f1 ", "{\\listtext ", "{\\info{\\title ", "\\v ", "\\plain ", "\\bin4 ", "{\\shp{\\*\\shpinst{\\shptxt ", "word ", "é", "\n", "\\line ", "\\tab ", "\u{feff}",
    ]), 0..60)) {
        document(format!("{{\\rtf1 {}", pieces.concat()).as_bytes());
    }

    #[test]
    fn any_bytes_after_the_header_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        document(&[b"{\\rtf1 ".as_slice(), &bytes].concat());
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so, and the outcome is worth reading")]
fn rich_text_of_the_development_data_has_no_control_words_left() {
    let Some(root) = std::env::var_os("PINCITE_DEV_DATA") else {
        eprintln!("SKIPPED: PINCITE_DEV_DATA is not set, so the development data was not read");
        return;
    };
    for entry in ignore::WalkBuilder::new(Path::new(&root).join("docs")).standard_filters(false).build() {
        let entry = entry.expect("readable");
        if entry.path().extension().is_none_or(|extension| extension != "rtf") {
            continue;
        }
        let document = document(&fs_err::read(entry.path()).expect("readable"));
        for remnant in ["\\par", "\\cell", "\\rtf", "{\\", "Times New Roman;"] {
            assert!(!document.text.contains(remnant), "{}: {remnant}", entry.path().display());
        }
    }
}
