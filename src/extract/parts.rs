//! Texts that are too large to be held whole, read part by part.
//!
//! # Invariants
//! - The texts of all parts, one after the other, are the text of the file: no byte is left out, and none is read twice.
//! - A part ends where a block ends, wherever there is such a place in its second half: rows and records stay whole.
//! - Every part has as much of the file as it was given, but for what belongs to the next part's first block.
//!
//! # Not here
//! Headings and definitions: what a text of this size has of them is read as paragraphs. A log has its records, a table its rows
//! under their header, and JSON Lines their values.

use serde::{Deserialize, Serialize};

use super::data::delimited::Dialect;
use super::detect::{self, Kind};
use super::text::decode::{self, Encoding};
use super::{Block, BlockKind, Document, ExtractError, Format, Hints, data::delimited, data::json, text, text::log};

/// What a part's first byte has to know of the parts before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Continuation {
    format: Format,
    /// Of source code and configuration.
    language: Option<String>,
    encoding: Encoding,
    /// How rows are divided, and their header.
    dialect: Option<Dialect>,
}

/// What the next bytes of a text have become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The document of these bytes alone: its spans and lines are counted from the part's first byte.
    pub document: Document,
    /// How many of the bytes are in it; the others belong to the next part.
    pub num_used: usize,
    /// What the next part is to be read with.
    pub next: Continuation,
}

/// Reads the next part of a text: `bytes` are what comes after the part that gave `before`, and with `is_last` all that does.
///
/// `None` for what is not read in parts: anything but a text, and texts whose words are not those of the file (HTML, notebooks,
/// mailboxes).
///
/// # Errors
/// [`ExtractError::Failed`] where what comes after a text is none.
pub fn read_part(
    bytes: &[u8],
    is_last: bool,
    hints: Hints<'_>,
    before: Option<&Continuation>,
) -> Result<Option<Part>, ExtractError> {
    let Some(mut here) = before.cloned().or_else(|| begin(bytes, is_last, hints)) else { return Ok(None) };
    let wide = here.encoding.newline();
    let mut end =
        if is_last { bytes.len() } else { last_line_end(bytes, wide).unwrap_or_else(|| forced_end(bytes, wide)) };
    let ends_with_line = last_line_end(&bytes[..end], wide) == Some(end);
    here.encoding = here.encoding.after(&bytes[..end]).ok_or_else(|| ExtractError::Failed {
        reason: "from here on the file holds binary data and no text".to_owned(),
    })?;
    let mut words = here.encoding.decode(&bytes[..end]);
    if before.is_none() && matches!(here.format, Format::Csv | Format::Tsv) {
        here.dialect = Some(Dialect::sniff(&words, here.format));
    }
    if !is_last && ends_with_line {
        let at = cut(&words, &here);
        let num_left = words[at..].matches('\n').count();
        end = without_last_lines(&bytes[..end], wide, num_left);
        words.truncate(at);
    }
    if before.is_none() && wide.len() > 1 {
        // The byte order mark has done its work.
        words = words.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(words);
    }
    let mut document =
        Document { encoding: here.encoding.name(), has_file_lines: true, ..Document::of(here.format, words) };
    document.blocks = blocks(&document.text, &mut here, before.is_none());
    if here.format == Format::Code {
        document.language.clone_from(&here.language);
    }
    Ok(Some(Part { document, num_used: end, next: here }))
}

/// What a text is by its beginning.
fn begin(bytes: &[u8], is_last: bool, hints: Hints<'_>) -> Option<Continuation> {
    // A character that is cut in two would make another encoding of it.
    let whole_units = &bytes[..bytes.len() - bytes.len() % 4];
    let head = match last_line_end(bytes, b"\n").filter(|end| *end > bytes.len() / 2) {
        _ if is_last => bytes,
        _ if decode::is_wide(whole_units) => whole_units,
        Some(end) => &bytes[..end],
        None => &bytes[..forced_end(bytes, b"\n")],
    };
    match detect::detect(head, hints) {
        Ok(Kind::Text { format: Format::Html | Format::Notebook, .. }) | Err(_) => None,
        Ok(Kind::Text { decoded, format, language }) => {
            let encoding = Encoding::of(&decoded, head);
            Some(Continuation { format, language: language.map(str::to_owned), encoding, dialect: None })
        }
        Ok(_) => None,
    }
}

fn blocks(text: &str, here: &mut Continuation, is_first: bool) -> Vec<Block> {
    match (here.format, &mut here.dialect) {
        (Format::Csv | Format::Tsv, Some(dialect)) => delimited::read_with(text, dialect, is_first),
        (Format::Log, _) => log::read(text),
        (Format::Jsonl, _) => json::read_lines(text),
        (Format::Text, _) if here.language.is_none() => text::read(text, BlockKind::Prose),
        (Format::Markdown | Format::Rst | Format::Asciidoc | Format::Latex | Format::Subtitles, _) => {
            text::read(text, BlockKind::Prose)
        }
        _ => text::read(text, BlockKind::Code),
    }
}

/// Where a text of whole lines is best cut: always at the beginning of a line, and never at the very beginning.
fn cut(text: &str, here: &Continuation) -> usize {
    let at = match (here.format, &here.dialect) {
        (Format::Csv | Format::Tsv, Some(dialect)) => dialect.last_record(text),
        (Format::Log, _) => log::last_record(text),
        (Format::Jsonl, _) => None,
        _ => text.rfind("\n\n").map(|blank| blank + 2).or_else(|| text.rfind("\n\r\n").map(|blank| blank + 3)),
    };
    // A record may be divided from the one before by a bare `\r`, or begin with the `\n` after it.
    let at = at
        .map(|at| if text[at..].starts_with('\n') { at + 1 } else { text[..at].rfind('\n').map_or(0, |end| end + 1) });
    at.filter(|&at| at > text.len() / 2).unwrap_or(text.len())
}

/// The end of the last whole line.
fn last_line_end(bytes: &[u8], newline: &[u8]) -> Option<usize> {
    let width = newline.len();
    let units = bytes.chunks_exact(width).rposition(|unit| unit == newline)?;
    Some((units + 1) * width)
}

/// Where bytes without any line end can be cut: behind a space, or else between two characters.
fn forced_end(bytes: &[u8], newline: &[u8]) -> usize {
    let width = newline.len();
    let whole = bytes.len() - bytes.len() % width;
    let space: Vec<u8> = newline.iter().map(|&byte| if byte == b'\n' { b' ' } else { 0 }).collect();
    if let Some(end) = last_line_end(&bytes[..whole], &space).filter(|end| *end > whole / 2) {
        return end;
    }
    if width == 2 {
        // No character of UTF-16 has more than two units, the first of them D800 to DBFF.
        let high = usize::from(newline[0] == b'\n');
        let begins_pair = whole >= 4 && matches!(bytes[whole - 2 + high], 0xd8..=0xdb);
        return if begins_pair { whole - 2 } else { whole };
    }
    let num_cut = (1..4.min(whole)).find(|&back| bytes[whole - back] >= 0xc0);
    let is_cut = |back: usize| match std::str::from_utf8(&bytes[whole - back..]) {
        Ok(_) => false,
        Err(error) => error.error_len().is_none(),
    };
    if width == 1 { whole - num_cut.filter(|&back| is_cut(back)).unwrap_or(0) } else { whole }
}

/// What is left of whole lines without so many of the last.
fn without_last_lines(bytes: &[u8], newline: &[u8], num_lines: usize) -> usize {
    let mut end = bytes.len();
    for _ in 0..num_lines {
        let before = end.saturating_sub(newline.len());
        end = last_line_end(&bytes[..before], newline).unwrap_or(0);
    }
    end
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::extract::extract;
    use crate::workspace::Span;

    /// A file read in parts of so many bytes: the text, and each block's span in it with its header.
    fn in_parts(bytes: &[u8], file_name: &str, part_bytes: usize) -> (String, Vec<(Span, Option<String>)>) {
        let (mut text, mut blocks, mut at, mut before) = (String::new(), Vec::new(), 0, None);
        while at < bytes.len() {
            let end = bytes.len().min(at + part_bytes);
            let part = read_part(&bytes[at..end], end == bytes.len(), Hints { file_name }, before.as_ref());
            let Part { document, num_used, next } = part.unwrap().expect("a text");
            assert!(num_used > 0 && num_used <= part_bytes);
            blocks.extend(document.blocks.iter().map(|block| {
                let Span { start, end } = block.span;
                (Span::new(start + text.len(), end + text.len()), block.header.as_deref().map(str::to_owned))
            }));
            text.push_str(&document.text);
            (at, before) = (at + num_used, Some(next));
        }
        (text, blocks)
    }

    fn whole(bytes: &[u8], file_name: &str) -> (String, Vec<(Span, Option<String>)>) {
        let document = extract(bytes, Hints { file_name }).unwrap();
        let block = |block: &Block| (block.span, block.header.as_deref().map(str::to_owned));
        (document.text.clone(), document.blocks.iter().map(block).collect())
    }

    const LINES: &[&str] =
        &["", "tide", "a line of words\r", "Grüße, 漢字 🌊", "2026-11-23T12:00:00Z ERROR boom", "  at f", "{\"a\": 1}"];

    fn encoded(text: &str, encoding: usize) -> Vec<u8> {
        match encoding {
            0 => text.as_bytes().to_vec(),
            1 => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect(),
            2 => format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect(),
            3 => format!("\u{feff}{text}").chars().flat_map(|c| u32::from(c).to_le_bytes()).collect(),
            _ => [text.as_bytes(), b"\xe9t\xe9\n"].concat(),
        }
    }

    proptest! {
        #[test]
        fn the_parts_make_up_the_text(
            lines in prop::collection::vec(prop::sample::select(LINES), 1..40),
            part_bytes in 64_usize..400,
            encoding in 0_usize..4,
            name in prop::sample::select(&["a.txt", "a.log", "a.csv", "a.jsonl", "a.md", "a.rs", "a.json"][..]),
        ) {
            let bytes = encoded(&lines.join("\n"), encoding);
            prop_assert_eq!(in_parts(&bytes, name, part_bytes).0, whole(&bytes, name).0);
        }

        #[test]
        fn a_text_without_line_ends_is_cut_between_characters(
            words in prop::collection::vec(prop::sample::select(&["tide", "漢字", "🌊🌊", "é"][..]), 50..120),
            gap in prop::sample::select(&["", " "][..]),
            part_bytes in 64_usize..100,
            encoding in 0_usize..4,
        ) {
            let bytes = encoded(&words.join(gap), encoding);
            prop_assert_eq!(in_parts(&bytes, "a.txt", part_bytes).0, whole(&bytes, "a.txt").0);
        }

        #[test]
        fn rows_and_records_stay_whole(
            rows in prop::collection::vec(("[a-z]{1,9}", "[a-z0-9 ]{0,9}", any::<bool>()), 4..60),
            part_bytes in 128_usize..400,
        ) {
            let mut table = "name,note\r\n".to_owned();
            let mut log = String::new();
            for (name, note, is_long) in rows {
                let note = if is_long { format!("\"{note},\r\n\"\"{name}\"\"\"") } else { note };
                table += &[&name, ",", &note, "\r\n"].concat();
                log += &["2026-11-23T12:00:00Z ", &name, "\n  at ", &name, "\n"].concat();
            }
            prop_assert_eq!(in_parts(table.as_bytes(), "a.csv", part_bytes), whole(table.as_bytes(), "a.csv"));
            prop_assert_eq!(in_parts(log.as_bytes(), "a.log", part_bytes), whole(log.as_bytes(), "a.log"));
        }
    }

    #[test]
    fn the_first_bytes_that_are_not_ascii_decide_the_encoding() {
        let german = "Der Bär läuft schnell über die große Brücke, wo die Möwen schön schreien.\n".repeat(20);
        let (late, _, _) = encoding_rs::WINDOWS_1252.encode(&german);
        let bytes = ["plain words\n".repeat(200).as_bytes(), &late].concat();
        let (text, _) = in_parts(&bytes, "a.txt", 1_000);
        assert!(text.ends_with(&german), "{}", &text[text.len() - 100..]);
        let utf_8 = ["Bär\n".repeat(400).as_bytes(), b"\xff\n"].concat();
        assert!(in_parts(&utf_8, "a.txt", 1_000).0.ends_with("Bär\n\u{fffd}\n"));
    }

    #[test]
    fn binary_data_after_a_text_is_said() {
        let bytes = ["plain words\n".repeat(100).as_bytes(), &[0, 1, 2, 3, 200, 255].repeat(300)].concat();
        let hints = Hints { file_name: "a.txt" };
        let first = read_part(&bytes[..1_000], false, hints, None).unwrap().unwrap();
        let rest = read_part(&bytes[first.num_used + 212..], true, hints, Some(&first.next));
        assert!(matches!(&rest, Err(ExtractError::Failed { reason }) if reason.contains("binary data")), "{rest:?}");
    }

    #[test]
    fn what_is_no_plain_text_is_not_read_in_parts() {
        for (bytes, file_name) in [
            (&b"%PDF-1.7\n..."[..], "a.pdf"),
            (b"PK\x03\x04.....................", "a.docx"),
            (b"<!doctype html><p>words\n", "a.html"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a.png"),
        ] {
            assert_eq!(read_part(bytes, false, Hints { file_name }, None), Ok(None), "{file_name}");
        }
    }
}
