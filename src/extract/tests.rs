//! What holds for every format.

use proptest::prelude::*;

use super::{Document, ExtractError, Hints, extract};
use crate::workspace::Span;

/// Panics where `document` breaks an invariant of [`Document`].
pub(crate) fn check(document: &Document) {
    let text = &document.text;
    let mut covered = 0;
    let is_blank = |span: Span| span.trimmed(text).is_empty();
    for block in &document.blocks {
        let words = block.span.of(text).expect("a block is in range, on character boundaries");
        assert!(!words.trim().is_empty(), "a block has words");
        assert!(block.span.start >= covered, "blocks are in order and do not overlap");
        let gap = Span::new(covered, block.span.start);
        assert!(is_blank(gap), "words outside of any block: {:?}", gap.of(text));
        covered = block.span.end;
    }
    let gap = Span::new(covered, text.len());
    assert!(is_blank(gap), "words after the last block: {:?}", gap.of(text));
    for (page, next) in document.pages.iter().zip(document.pages.iter().skip(1)) {
        assert!(page.end <= next.start && page.of(text).is_some(), "pages are in order");
    }
    for block in document.blocks.iter().filter(|_| !document.pages.is_empty()) {
        let holds = |page: &&Span| page.start <= block.span.start && block.span.end <= page.end;
        assert_eq!(document.pages.iter().filter(holds).count(), 1, "a block lies on one page");
    }
}

fn extract_text(text: &str, file_name: &str) -> Document {
    let document = extract(text.as_bytes(), Hints { file_name }).expect("text is read");
    if !matches!(document.format, super::Format::Html) {
        assert_eq!(document.text, text, "the text is the file");
    }
    document
}

const NAMES: [&str; 23] = [
    "a.txt", "a.md", "a.rst", "a.html", "a.json", "a.jsonl", "a.csv", "a.tsv", "a.log", "a.rs", "a.py", "a.js",
    "a.yaml", "a.xyz", "a.go", "README", "a.toml", "a.xml", "a.srt", "a.vtt", "a.adoc", "a.tex", "a.svg",
];

/// Pieces that the readers give a meaning to, in any order.
fn markup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "# ",
        "## ",
        "- ",
        "1. ",
        "> ",
        "```\n",
        "    ",
        "| a | b |\n",
        "|---|---|\n",
        "---\n",
        "===\n",
        "\n",
        "\n\n",
        "\r\n",
        "\u{feff}",
        "\u{c}",
        "\t",
        "word ",
        "Latency was 12 ms. ",
        "漢字。",
        "é",
        "\"",
        "\"a\": ",
        "{",
        "}",
        "[",
        "]",
        ",",
        ";",
        "1.5",
        "<p>",
        "</p>",
        "<table>",
        "<tr>",
        "<td>",
        "<th>",
        "</table>",
        "<h1>",
        "</h1>",
        "<pre>",
        "</pre>",
        "<li>",
        "<br>",
        "&amp;",
        "<!--",
        "-->",
        "<script>",
        "fn f() {\n",
        "impl A {\n",
        "class B:\n",
        "def g():\n",
        "/// doc\n",
        "// c\n",
        "()",
        "2026-11-23 12:00:00 ",
        "ERROR ",
        "[ref]: x\n",
        "*",
        "`",
        "\\",
        "::\n",
        "~~~~\n",
        "title: x\n",
        "\u{200b}",
        "👩‍👩‍👧",
        "\u{85}",
        "key: ",
        "  nested:\n",
        "a: |\n",
        "---\n",
        "[table]\n",
        "[[list]]\n",
        "k = \"\"\"\n",
        "<a id=\"x\">",
        "</a>",
        "<![CDATA[",
        "]]>",
        "<!DOCTYPE a [",
        "&x;",
        "00:00:01,000 --> 00:00:02,000\n",
        "WEBVTT\n",
        "== Part\n",
        "|===\n",
        "----\n",
        "////\n",
        "\\section{A}",
        "\\begin{tabular}\n",
        "\\end{tabular}",
        "\\begin{verbatim}",
        "\\begin{abstract}",
        " & ",
        "\\\\\n",
        "% c\n",
    ]);
    prop::collection::vec(piece, 0..80).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_text_under_any_name_keeps_the_invariants(text in "(\\PC|[\\n\\r\\t\u{c}\u{feff}]){0,300}", name in 0..NAMES.len()) {
        let document = extract(text.as_bytes(), Hints { file_name: NAMES[name] });
        match document {
            Ok(document) => check(&document),
            Err(error) => prop_assert!(matches!(error, ExtractError::Unsupported { .. }), "{error}"),
        }
    }

    #[test]
    fn any_markup_under_any_name_keeps_the_invariants(text in markup(), name in 0..NAMES.len()) {
        check(&extract_text(&text, NAMES[name]));
    }

    #[test]
    fn any_bytes_under_any_name_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), name in 0..NAMES.len()) {
        if let Ok(document) = extract(&bytes, Hints { file_name: NAMES[name] }) {
            check(&document);
        }
    }
}

#[test]
fn an_empty_file_is_a_document_without_text() {
    for name in NAMES {
        let document = extract(b"", Hints { file_name: name }).expect("read");
        assert!(document.text.is_empty() && document.blocks.is_empty(), "{name}");
    }
}
