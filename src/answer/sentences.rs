//! A passage's words divided into what an answer may quote: sentences of running text, and lines of everything else.

use unicode_segmentation::UnicodeSegmentation as _;

use crate::workspace::Span;

/// Shorter units say too little to be quoted alone, in characters.
const MIN_CHARS: usize = 12;
/// Longer units are no sentences any more, in bytes.
const MAX_BYTES: usize = 700;

/// What a line is, for what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// Not to be quoted: it names what follows.
    Heading,
    /// Stands for itself: a table row, a record, a line of code.
    Row,
    /// Begins a list item or a setting, which may go on in the next line.
    Item,
    /// Running text.
    Prose,
}

/// The units of `text` in order, as spans into it: trimmed, without list markers, headings left out.
pub(super) fn units(text: &str) -> Vec<Span> {
    let mut units = Vec::new();
    // The running text that is being put together.
    let mut open: Option<Span> = None;
    let mut at = front_matter_len(text);
    let mut lines = text[at..].split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        let span = Span::new(at, at + line.len());
        at = span.end;
        let is_above = |next: &&str| is_rule(next) || is_table_rule(next);
        let is_underlined = lines.peek().is_some_and(is_above) && !is_rule(line) && !is_table_rule(line);
        let kind = if is_underlined { Line::Heading } else { kind_of(line) };
        let goes_on = kind == Line::Prose && !line.trim().is_empty();
        if goes_on && let Some(open) = &mut open {
            open.end = span.end;
            continue;
        }
        if let Some(done) = open.take() {
            push_sentences(text, done, &mut units);
        }
        match kind {
            Line::Row => push(text, span, &mut units),
            Line::Item => open = Some(span),
            Line::Prose if goes_on => open = Some(span),
            Line::Heading | Line::Prose => {}
        }
    }
    if let Some(done) = open {
        push_sentences(text, done, &mut units);
    }
    units
}

/// Bytes of the settings at the start of a Markdown file, between two lines of `---`.
fn front_matter_len(text: &str) -> usize {
    let Some(rest) = text.strip_prefix("---\n").or_else(|| text.strip_prefix("---\r\n")) else { return 0 };
    rest.find("\n---").map_or(0, |end| text.len() - rest.len() + end + "\n---".len())
}

/// Whether a line is drawn under a heading or between parts.
fn is_rule(line: &str) -> bool {
    let line = line.trim();
    let first = line.chars().next();
    line.len() >= 3 && first.is_some_and(|first| "=-~^*+_#\"".contains(first) && line.chars().all(|c| c == first))
}

/// Whether a line divides the header of a Markdown table from its rows.
fn is_table_rule(line: &str) -> bool {
    let line = line.trim();
    line.contains('|') && line.contains("--") && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' ' | '\t'))
}

/// How lines of code begin.
const CODE_STARTS: [&str; 21] = [
    "//", "/*", "```", "--", "def ", "class ", "fn ", "pub ", "let ", "const ", "import ", "from ", "return ", "func ",
    "type ", "impl ", "struct ", "export ", "async ", "raise ", "@",
];

fn kind_of(line: &str) -> Line {
    let line = line.trim();
    if line.starts_with('#') && line.trim_start_matches('#').starts_with(' ') || is_rule(line) {
        return Line::Heading;
    }
    let is_number = |text: &str| (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let numbered = line.split_once(". ").or_else(|| line.split_once(") "));
    let is_numbered = numbered.is_some_and(|(number, _)| is_number(number));
    if is_numbered || ["- ", "* ", "• ", "> "].iter().any(|marker| line.starts_with(marker)) {
        return Line::Item;
    }
    // A comma with a space behind it belongs to prose.
    let num_separators = line.matches([';', '\t', '|', ',']).count() - line.matches(", ").count();
    let is_record = line.starts_with(['|', '{', '}', '[', ']', '"', '<', '+', '=', ')']) || num_separators >= 3;
    let is_code = CODE_STARTS.iter().any(|start| line.starts_with(start)) || line.ends_with(['{', '}', ';', '(', '\\']);
    let year = line.as_bytes().first_chunk::<5>();
    let begins_with_a_time =
        year.is_some_and(|year| year[..4].iter().all(u8::is_ascii_digit) && matches!(year[4], b'-' | b'/'));
    if is_record || is_code || begins_with_a_time {
        return Line::Row;
    }
    // A setting: a key without spaces, then its value.
    let key = line.split_once(": ").or_else(|| line.split_once(" = ")).map(|(key, _)| key);
    if key.is_some_and(|key| !key.is_empty() && !key.contains(char::is_whitespace)) { Line::Item } else { Line::Prose }
}

fn push_sentences(text: &str, span: Span, units: &mut Vec<Span>) {
    // A line break inside running text is a space like any other, and as long.
    let words = text[span.range()].replace(['\n', '\r'], " ");
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

/// Whether a piece ends in what only looks like the end of a sentence: `e.g.`, `Fig.`
pub(super) fn ends_in_abbreviation(sentence: &str) -> bool {
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
    // A character of a script without spaces says as much as two letters.
    let width = |c: char| if c >= '\u{2e80}' { 2 } else { 1 };
    let has_words = words.chars().filter(|c| c.is_alphanumeric()).map(width).sum::<usize>() >= MIN_CHARS.min(6);
    // A question is no answer, least of all the one that was asked.
    let is_question = words.ends_with(['?', '？']) && !words.contains(['{', '"']);
    // What only opens a record or a list, and lines of a table of contents, say nothing.
    let opens = words.ends_with(['{', '[']) && (words.starts_with('"') || words.split_whitespace().count() <= 2);
    let is_link =
        words.starts_with('[') && (words.ends_with(')') && words.contains("](#") || words.contains("]: http"));
    // The header of a group of settings, `[standby]`.
    let is_group = words.starts_with('[') && words.ends_with(']') && !words.contains([',', ' ', '"']);
    let is_question = is_question || opens || is_link || is_group;
    if has_words
        && !is_question
        && words.chars().map(width).sum::<usize>() >= MIN_CHARS.min(8)
        && unit.len() <= MAX_BYTES
    {
        units.push(unit);
    }
}

/// Bytes of a list marker, quote mark or comment mark at the start.
fn marker_len(words: &str) -> usize {
    for marker in ["- [ ] ", "- [x] ", "- ", "* ", "• ", "> ", "/// ", "//! ", "// ", "-- ", "# "] {
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
        let text =
            "- first item here\n  which goes on\n- second item there\n\n2026-10-01,alpha,3,4\n2026-10-02,beta,5,6\n";
        assert_eq!(
            texts(text),
            ["first item here\n  which goes on", "second item there", "2026-10-01,alpha,3,4", "2026-10-02,beta,5,6"]
        );
    }

    #[test]
    fn few_characters_of_a_script_without_spaces_are_a_sentence() {
        assert_eq!(texts("# 連絡先\n\n担当: 佐藤\n\nab: cd\n"), ["担当: 佐藤"]);
    }

    #[test]
    fn headings_and_questions_are_no_answers() {
        let text = "Error codes\n===========\n\n## Why is it slow?\nWhy is it slow? The disk is full.\n";
        assert_eq!(texts(text), ["The disk is full."]);
    }

    #[test]
    fn the_header_of_a_table_is_no_answer_and_its_rows_are() {
        assert_eq!(texts("| Figure | old | new |\n|---|---:|---:|\n| latency | 12 | 9 |\n"), ["| latency | 12 | 9 |"]);
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
