//! What every fuzz target does: read the bytes under one of the family's names, and hold the document to its invariants.

use pincite::extract::{Document, Hints, extract};
use pincite::workspace::Span;

/// Reads `data` under the name that its first byte chooses.
///
/// # Panics
/// When a reader panics, or the document is not one.
pub fn read(data: &[u8], names: &[&str]) {
    if let Some((choice, bytes)) = data.split_first() {
        read_as(bytes, names[usize::from(*choice) % names.len()]);
    }
}

/// Reads `bytes` under a name.
///
/// # Panics
/// When a reader panics, or the document is not one.
pub fn read_as(bytes: &[u8], file_name: &str) {
    let Ok(document) = extract(bytes, Hints { file_name }) else { return };
    check(&document);
    for member in document.members.iter().filter_map(|member| member.outcome.as_ref().ok()) {
        check(member);
    }
}

/// Spans in the text and on character boundaries; blocks with words, in order, over all of the text but white space, and
/// each on one page.
fn check(document: &Document) {
    let text = &document.text;
    let is_blank = |start: usize, end: usize| Span::new(start, end).trimmed(text).is_empty();
    let mut covered = 0;
    for block in &document.blocks {
        let words = block.span.of(text).expect("a block lies in the text, on character boundaries");
        assert!(!words.trim().is_empty(), "a block has words");
        assert!(block.span.start >= covered, "blocks are in order and do not overlap");
        assert!(is_blank(covered, block.span.start), "no words are outside of any block");
        covered = block.span.end;
    }
    assert!(is_blank(covered, text.len()), "no words are after the last block");
    let mut page_end = 0;
    for page in &document.pages {
        assert!(page.start >= page_end && page.of(text).is_some(), "pages are in order and lie in the text");
        page_end = page.end;
    }
    if !document.pages.is_empty() {
        for block in &document.blocks {
            let page = document.pages.partition_point(|page| page.end < block.span.end);
            let holds = document.pages.get(page).is_some_and(|page| page.start <= block.span.start);
            assert!(holds, "a block lies on one page");
        }
    }
}
