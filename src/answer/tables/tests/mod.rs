//! Questions put to small tables of many kinds.

mod documents;
mod records;
mod rows;

use std::sync::Arc;

use super::{Answer, Sheet, look_up, read};
use crate::extract::Format;
use crate::index::{ChunkPlace, ChunkRecord, FileFacts, VectorKey};
use crate::workspace::{ContentHash, Revision, Span};

/// A file of this text, in chunks of a few lines.
fn sheet(path: &str, format: Format, title: Option<&str>, text: &str) -> Sheet {
    read(&chunks(path, format, title, text), true).unwrap()
}

fn chunks(path: &str, format: Format, title: Option<&str>, text: &str) -> Vec<ChunkRecord> {
    let file = Arc::new(FileFacts {
        path: path.parse().unwrap(),
        content_hash: ContentHash::of(text.as_bytes()),
        revision: Revision(1),
        format,
        modified_ms: 0,
        title: title.map(str::to_owned),
        language: None,
    });
    let mut chunks: Vec<ChunkRecord> = Vec::new();
    let mut at = 0;
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for group in lines.chunks(3) {
        let piece = group.concat();
        let span = Span::new(at, at + piece.len()).trimmed(text);
        at += piece.len();
        if span.is_empty() {
            continue;
        }
        let before = chunks.last().map_or(0, |last| last.place.span.end);
        let ordinal = u32::try_from(chunks.len()).unwrap();
        chunks.push(ChunkRecord {
            file: Arc::clone(&file),
            place: ChunkPlace { ordinal, span, ..ChunkPlace::default() },
            words: text[span.range()].to_owned(),
            gap: text[before..span.start].to_owned(),
            key: VectorKey::NONE,
        });
    }
    chunks
}

/// The answer as its quotes, with its summary where it has one.
fn told(question: &str, sheets: &[Sheet]) -> String {
    match look_up(question, sheets) {
        Answer::Nothing => "nothing".to_owned(),
        Answer::Missing { word, .. } => format!("missing {word}"),
        Answer::Found(found) => {
            let quotes = found.lines.iter().map(|line| {
                let text = &sheets[line.sheet].text;
                line.beside.iter().for_each(|span| assert!(span.of(text).is_some()));
                line.quote.of(text).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
            });
            let quotes = quotes.collect::<Vec<_>>().join(" / ");
            match found.summary {
                Some(summary) => format!("{summary}: {quotes}"),
                None => quotes,
            }
        }
    }
}

#[track_caller]
fn check(sheets: &[Sheet], cases: &[(&str, &str)]) {
    let wrong: Vec<String> = cases
        .iter()
        .map(|(question, expected)| (question, expected, told(question, sheets)))
        .filter(|(_, expected, found)| found != *expected)
        .map(|(question, expected, found)| format!("{question}\n   expected {expected}\n   found    {found}"))
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_file_that_was_read_in_part_gives_cells_and_no_greatest_value() {
    let text = "pump,flow\nP-1,3\nP-2,9\nP-3,4\nP-4,1\n";
    let all = chunks("pumps.csv", Format::Csv, None, text);
    let part = [read(&all[..1], false).unwrap()];
    check(&part, &[("What flow does P-1 have?", "P-1,3"), ("Which pump has the highest flow?", "nothing")]);
    let whole = [read(&all, true).unwrap()];
    check(&whole, &[("Which pump has the highest flow?", "the greatest value of `flow` in pumps.csv is 9: P-2,9")]);
    let with_hole = read(&[all[0].clone(), all[1].clone()], true).unwrap();
    assert!(!with_hole.is_cut && with_hole.text == text.trim_end());
    let later = [all[1].clone()];
    assert!(read(&later, true).unwrap().is_cut);
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_and_asked_without_a_crash(text in "(?s)[-a-c0-3 |,;:=#\\[\\]{}\"'\n\té.]{0,200}", question in "(which|what|how many|) ?[a-c0-3 é.-]{0,30}") {
        for format in [
            Format::Csv, Format::Tsv, Format::Markdown, Format::Rst, Format::Html, Format::Json, Format::Jsonl, Format::Yaml, Format::Toml,
            Format::Spreadsheet,
        ] {
            let chunks = chunks("a/b.x", format, None, &text);
            let Some(sheet) = read(&chunks, true) else { continue };
            for table in &sheet.tables {
                for row in &table.rows {
                    proptest::prop_assert!(row.span.of(&sheet.text).is_some());
                    for cell in &row.cells {
                        proptest::prop_assert!(cell.span.of(&sheet.text).is_some());
                    }
                }
            }
            let _ = look_up(&question, &[sheet]);
        }
    }
}
