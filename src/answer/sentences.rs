//! A passage's words divided into what an answer may quote: sentences of running text, and lines of everything else.

use unicode_segmentation::UnicodeSegmentation as _;

use crate::workspace::Span;

/// Shorter units say too little to be quoted alone, in characters.
const MIN_CHARS: usize = 12;
/// Longer units are no sentences any more, in bytes.
const MAX_BYTES: usize = 700;

/// The units of `text` in order, as spans into it: trimmed, without list markers, headings left out.
pub(super) fn units(text: &str) -> Vec<Span> {
    let mut units = Vec::new();
    for paragraph in paragraphs(text) {
        let words = &text[paragraph.range()];
        if words.lines().any(is_structured) {
            let mut start = paragraph.start;
            for line in words.split_inclusive('\n') {
                push_sentences(text, Span::new(start, start + line.len()), &mut units);
                start += line.len();
            }
        } else {
            push_sentences(text, paragraph, &mut units);
        }
    }
    units
}

/// Stretches between blank lines.
fn paragraphs(text: &str) -> Vec<Span> {
    let mut paragraphs = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        if line.trim().is_empty() {
            paragraphs.push(Span::new(start, at));
            start = at + line.len();
        }
        at += line.len();
    }
    paragraphs.push(Span::new(start, at));
    paragraphs.retain(|paragraph| !paragraph.trimmed(text).is_empty());
    paragraphs
}

/// Whether a line stands for itself: a list item, a heading, a row, a record, code.
fn is_structured(line: &str) -> bool {
    let line = line.trim_start();
    let numbered = line.split_once(['.', ')']).is_some_and(|(number, rest)| {
        !number.is_empty() && number.len() <= 3 && number.bytes().all(|b| b.is_ascii_digit()) && rest.starts_with(' ')
    });
    let separators = line.matches([',', ';', '\t', '|']).count();
    numbered
        || line.starts_with(['#', '|', '>', '{', '}', '[', ']', '"', '<', '+', '='])
        || ["- ", "* ", "• ", "-- ", "// ", "```"].iter().any(|marker| line.starts_with(marker))
        || line.ends_with(['{', '}', ';', ',']) && line.contains(['=', '(', ':'])
        || line.starts_with(|c: char| c.is_ascii_digit()) && (separators >= 2 || line.contains(':'))
        || separators >= 4 && !line.contains(". ")
}

fn push_sentences(text: &str, span: Span, units: &mut Vec<Span>) {
    let words = &text[span.range()];
    if words.trim_start().starts_with('#') {
        return;
    }
    let mut pending: Option<Span> = None;
    for (at, sentence) in words.split_sentence_bound_indices() {
        let mut unit = Span::new(span.start + at, span.start + at + sentence.len());
        // `Fig. 3` and `e.g. this` are no sentence ends: a piece that is too short belongs to what follows.
        if let Some(before) = pending.take() {
            unit.start = before.start;
        }
        if ends_in_abbreviation(&text[unit.range()]) {
            pending = Some(unit);
            continue;
        }
        push(text, unit, units);
    }
    if let Some(rest) = pending {
        push(text, rest, units);
    }
}

fn ends_in_abbreviation(sentence: &str) -> bool {
    let sentence = sentence.trim_end();
    let last_word = sentence.rsplit(char::is_whitespace).next().unwrap_or_default();
    let known = ["e.g.", "i.e.", "cf.", "vs.", "etc.", "Fig.", "No.", "Dr.", "Mr.", "Mrs.", "approx.", "ca."];
    known.iter().any(|known| last_word.ends_with(known)) && sentence.len() < MAX_BYTES
}

fn push(text: &str, unit: Span, units: &mut Vec<Span>) {
    let mut unit = unit.trimmed(text);
    let marker = marker_len(&text[unit.range()]);
    unit.start += marker;
    unit = unit.trimmed(text);
    let words = &text[unit.range()];
    let has_words = words.chars().filter(|c| c.is_alphanumeric()).count() >= MIN_CHARS.min(6);
    if has_words && words.chars().count() >= MIN_CHARS.min(8) && unit.len() <= MAX_BYTES {
        units.push(unit);
    }
}

/// Bytes of a list marker, quote mark or comment mark at the start.
fn marker_len(words: &str) -> usize {
    for marker in ["- [ ] ", "- [x] ", "- ", "* ", "• ", "> ", "/// ", "//! ", "// ", "-- "] {
        if words.starts_with(marker) {
            return marker.len();
        }
    }
    match words.split_once(". ") {
        Some((number, _)) if !number.is_empty() && number.len() <= 3 && number.bytes().all(|b| b.is_ascii_digit()) => {
            number.len() + 2
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        units(text).into_iter().map(|unit| &text[unit.range()]).collect()
    }

    #[test]
    fn wrapped_prose_is_divided_at_sentences_and_not_at_lines() {
        let text = "The cache was cold\nat first. It warmed up, e.g. after ten minutes.\n\n# Next\nThen it held.";
        assert_eq!(
            texts(text),
            ["The cache was cold\nat first.", "It warmed up, e.g. after ten minutes.", "Then it held."]
        );
    }

    #[test]
    fn items_and_rows_stand_alone_without_their_markers() {
        let text = "- first item here\n- second item there\n\n2026-10-01,alpha,3,4\n2026-10-02,beta,5,6\n";
        assert_eq!(
            texts(text),
            ["first item here", "second item there", "2026-10-01,alpha,3,4", "2026-10-02,beta,5,6"]
        );
    }

    proptest::proptest! {
        #[test]
        fn units_lie_in_the_text_in_order_and_do_not_overlap(text in "(?s).{0,400}") {
            let units = units(&text);
            proptest::prop_assert!(units.iter().all(|unit| unit.of(&text).is_some_and(|words| !words.is_empty())));
            proptest::prop_assert!(units.windows(2).all(|pair| pair[0].end <= pair[1].start));
        }
    }
}
