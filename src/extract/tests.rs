//! What holds for every format: property tests, and a walk over the development data where it is present.

use std::panic::catch_unwind;
use std::path::Path;

use proptest::prelude::*;

use super::{Document, ExtractError, Hints, extract};
use crate::chunk;
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

const NAMES: [&str; 16] = [
    "a.txt", "a.md", "a.rst", "a.html", "a.json", "a.jsonl", "a.csv", "a.tsv", "a.log", "a.rs", "a.py", "a.js",
    "a.yaml", "a.xyz", "a.go", "README",
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

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so, and the outcome is worth reading")]
fn every_text_of_the_development_data_keeps_the_invariants() {
    let Some(root) = std::env::var_os("PINCITE_DEV_DATA") else {
        eprintln!("SKIPPED: PINCITE_DEV_DATA is not set, so the development data was not read");
        return;
    };
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for entry in ignore::WalkBuilder::new(Path::new(&root).join("docs")).standard_filters(false).build() {
        let entry = entry.expect("readable");
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let bytes = fs_err::read(entry.path()).expect("readable");
        // The PDF library hangs and aborts on some of these files: they are read in a child process only.
        if bytes[..bytes.len().min(1024)].windows(5).any(|window| window == b"%PDF-") {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let outcome = catch_unwind(|| match extract(&bytes, Hints { file_name: &name }) {
            Ok(document) => {
                check(&document);
                chunk::tests::check(&document, 254);
                if let Ok(source) = std::str::from_utf8(&bytes)
                    && document.has_file_lines
                    && document.encoding.is_none()
                {
                    assert_eq!(document.text, source, "the text is the file");
                }
                document.format.name().to_owned()
            }
            Err(ExtractError::Unsupported { type_name }) => format!("unsupported {type_name}"),
            Err(ExtractError::Failed { reason }) => format!("failed: {reason}"),
        });
        let outcome = outcome.unwrap_or_else(|_| panic!("{} breaks an invariant", entry.path().display()));
        *counts.entry(outcome).or_default() += 1;
    }
    for (outcome, count) in counts {
        eprintln!("{count:5} {outcome}");
    }
}
