//! What holds for every chunk: property tests, and a walk over the development data where it is present.

use std::panic::catch_unwind;
use std::path::Path;

use proptest::prelude::*;

use super::{Chunk, MAX_CHUNK_BYTES, TokenCounter, chunk};
use crate::extract::{Document, ExtractError, Hints, extract};
use crate::workspace::Span;

/// One token for every four bytes of a word, the last one counted whole.
pub(crate) struct Bytes4 {
    pub(crate) max: usize,
}

impl TokenCounter for Bytes4 {
    fn num_tokens(&self, text: &str) -> usize {
        text.split_whitespace().map(|word| word.len().div_ceil(4)).sum()
    }

    fn max_tokens(&self) -> usize {
        self.max
    }
}

/// As a `WordPiece` model counts: a very long word is one unknown token, so parts of a word may count more than the word.
struct Unknowing;

impl TokenCounter for Unknowing {
    fn num_tokens(&self, text: &str) -> usize {
        text.split_whitespace().map(|word| if word.len() > 100 { 1 } else { word.len().div_ceil(2) }).sum()
    }

    fn max_tokens(&self) -> usize {
        64
    }
}

/// Panics where the chunks of `document` break an invariant; returns them.
pub(crate) fn check(document: &Document, max: usize) -> Vec<Chunk> {
    check_with(document, &Bytes4 { max })
}

fn check_with(document: &Document, counter: &dyn TokenCounter) -> Vec<Chunk> {
    let text = &document.text;
    let chunks = chunk(document, counter);
    let mut covered = 0;
    let is_blank = |span: Span| span.trimmed(text).is_empty();
    for (ordinal, chunk) in chunks.iter().enumerate() {
        assert_eq!(chunk.ordinal as usize, ordinal);
        let words = chunk.span.of(text).expect("a chunk is in range, on character boundaries");
        assert_eq!(chunk.span.trimmed(text), chunk.span, "a chunk has no white space at its ends");
        assert!(!words.is_empty() && words.len() <= MAX_CHUNK_BYTES, "{} bytes", words.len());
        assert!(chunk.span.start >= covered, "chunks are in order and do not overlap");
        assert!(is_blank(Span::new(covered, chunk.span.start)), "no words between chunks");
        covered = chunk.span.end;
        let num_tokens = counter.num_tokens(&chunk.embedding_text);
        assert!(num_tokens <= counter.max_tokens(), "{num_tokens} tokens: {}", chunk.embedding_text);
        let own = words.replace(['\u{b}', '\u{c}', '\u{85}', '\u{feff}'], " ");
        assert!(chunk.embedding_text.ends_with(&own), "the embedding text ends with the chunk's own words");
        assert_eq!(chunk.page.is_some(), !document.pages.is_empty());
        if let Some(page) = chunk.page {
            let page = document.pages[page as usize - 1];
            assert!(page.start <= chunk.span.start && chunk.span.end <= page.end, "a chunk lies on its page");
        }
        assert_eq!(chunk.lines.is_some(), document.has_file_lines);
    }
    assert!(is_blank(Span::new(covered, text.len())), "no words after the last chunk");
    chunks
}

fn document(text: &str, file_name: &str) -> Document {
    extract(text.as_bytes(), Hints { file_name }).expect("text is read")
}

fn own_words(document: &Document, max: usize) -> Vec<&str> {
    check(document, max).iter().map(|chunk| chunk.span.of(&document.text).expect("in range")).collect()
}

proptest! {
    #[test]
    fn chunks_of_any_text_keep_the_invariants(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "word ", "Longer words stand here. ", "\n", "\n\n", "# Head\n", "## Sub\n", "漢字の文。", "| a | b |\n|---|---|\n",
            "| 1 | 2 |\n", "x,y\n", "- item\n", "{\"k\": [1, 2]}", "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz", "é",
            "\u{c}", "\u{feff}", "👩‍👩‍👧‍👦", "\u{301}", "2026-11-23 12:00:00 x\n", "fn f() {}\n", "\u{85}", "\"",
        ]), 0..120),
        name in prop::sample::select(vec!["a.txt", "a.md", "a.csv", "a.json", "a.html", "a.log", "a.rs", "a.rst"]),
        max in 32_usize..300,
    ) {
        let document = document(&pieces.concat(), name);
        check(&document, max);
        check_with(&document, &Unknowing);
    }

    #[test]
    fn chunks_keep_to_their_page(pages in prop::collection::vec("[a-z ]{0,60}(\n\n[a-z .]{0,300})?", 1..5)) {
        let text = pages.join("\n\u{c}");
        let mut document = document(&text, "a.txt");
        document.has_file_lines = false;
        let mut start = 0;
        for page in &pages {
            document.pages.push(Span::new(start, start + page.len()));
            start += page.len() + 2;
        }
        check(&document, 40);
    }
}

#[test]
fn a_heading_goes_with_what_follows_it_and_the_title_is_said_once() {
    let words = "Some words that say a little about the run and its results. ".repeat(4);
    let text = format!("# Report\n\n{words}\n\n## Latency\n\n{words}\n\n## Cost\n\n{words}\n");
    let document = document(&text, "a.md");
    let chunks = check(&document, 100);
    let first_lines: Vec<&str> = chunks.iter().filter_map(|chunk| chunk.span.of(&text)?.lines().next()).collect();
    assert_eq!(first_lines, ["# Report", "## Latency", "## Cost"]);
    assert!(chunks[0].embedding_text.starts_with("# Report\n"));
    assert!(chunks[1].embedding_text.starts_with("Report\n## Latency\n"));
    assert_eq!(chunks[1].trail.as_ref(), ["Report"]);
}

#[test]
fn a_paragraph_too_large_for_its_heading_is_divided_so_that_the_heading_is_not_alone() {
    let text = format!("# A heading of some words\n\n{}", "Short sentence here. ".repeat(30));
    let document = document(&text, "a.md");
    let words = own_words(&document, 100);
    assert!(words[0].starts_with("# A heading of some words\n\nShort sentence"), "{words:?}");
}

#[test]
fn tiny_sections_are_put_together_and_share_their_parents_trail() {
    let text = "# Top\n\n## A\n\none\n\n## B\n\ntwo\n\n## C\n\nthree\n";
    let document = document(text, "a.md");
    let chunks = check(&document, 254);
    assert_eq!(chunks.len(), 1);
    assert!(chunks[0].trail.is_empty());
}

#[test]
fn rows_carry_their_header_unless_the_chunk_begins_with_it() {
    let rows = "Ada Lovelace,London,some more words about her\n".repeat(40);
    let text = format!("name,city,note\n{rows}");
    let document = document(&text, "people.csv");
    let chunks = check(&document, 100);
    assert!(chunks.len() > 3);
    assert_eq!(chunks[0].header, None);
    assert!(chunks[1..].iter().all(|chunk| chunk.header.as_deref() == Some("name, city, note")));
    assert!(chunks[1].embedding_text.starts_with("name, city, note\nAda"));
}

#[test]
fn chunks_are_filled_well() {
    let text = "A sentence of several words that goes on for a while. ".repeat(4).trim_end().to_owned() + "\n\n";
    let document = document(&text.repeat(200), "a.txt");
    let chunks = check(&document, 254);
    let counter = Bytes4 { max: 254 };
    let mean: usize =
        chunks.iter().map(|chunk| counter.num_tokens(&chunk.embedding_text)).sum::<usize>() / chunks.len();
    assert!((150..=254).contains(&mean), "{mean}");
}

#[test]
fn a_giant_line_and_a_giant_word_take_linear_time() {
    for text in ["lots of words without a break ".repeat(20_000), "x".repeat(500_000), "漢".repeat(200_000)] {
        let document = document(&text, "a.txt");
        let chunks = check(&document, 254);
        assert!(chunks.len() >= text.len() / MAX_CHUNK_BYTES);
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
                crate::extract::tests::check(&document);
                check(&document, 254);
                if let Ok(source) = std::str::from_utf8(&bytes)
                    && document.has_file_lines
                    && document.encoding.is_none()
                {
                    assert_eq!(document.text, source, "the text is the file");
                }
                document.format.name().to_owned()
            }
            Err(ExtractError::Unsupported { type_name }) => format!("unsupported {type_name}"),
            Err(
                ExtractError::Failed { reason }
                | ExtractError::Killed { reason }
                | ExtractError::Unavailable { reason },
            ) => format!("failed: {reason}"),
        });
        let outcome = outcome.unwrap_or_else(|_| panic!("{} breaks an invariant", entry.path().display()));
        *counts.entry(outcome).or_default() += 1;
    }
    for (outcome, count) in counts {
        eprintln!("{count:5} {outcome}");
    }
}
