//! Lines about made-up files.

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::index::{ChunkPlace, FileFacts, VectorKey};
use crate::workspace::{ContentHash, LineRange, Revision, Span};

/// The chunks of a file that is cut behind every `lines_a_chunk` lines.
pub(in crate::answer::digest) fn chunks(
    path: &str,
    format: Format,
    text: &str,
    lines_a_chunk: usize,
) -> Vec<ChunkRecord> {
    let file = Arc::new(FileFacts {
        path: path.parse().unwrap(),
        content_hash: ContentHash([1; 32]),
        revision: Revision(1),
        format,
        modified_ms: 0,
        title: None,
        language: None,
    });
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (mut at, mut line, mut chunks, mut gap) = (0, 1, Vec::new(), String::new());
    for part in lines.chunks(lines_a_chunk) {
        let (whole, num_lines) = (part.concat(), u32::try_from(part.len()).unwrap());
        let words = whole.trim();
        let start = at + (whole.len() - whole.trim_start().len());
        gap.push_str(&whole[..start - at]);
        if !words.is_empty() {
            let place = ChunkPlace {
                ordinal: u32::try_from(chunks.len()).unwrap(),
                span: Span::new(start, start + words.len()),
                lines: Some(LineRange { start: line, end: line + num_lines - 1 }),
                ..ChunkPlace::default()
            };
            let gap = std::mem::take(&mut gap);
            chunks.push(ChunkRecord {
                file: Arc::clone(&file),
                place,
                words: words.to_owned(),
                gap,
                key: VectorKey::NONE,
            });
        }
        gap.push_str(&whole[whole.trim_end().len()..]);
        (at, line) = (at + whole.len(), line + num_lines);
    }
    chunks
}

/// The line about a file, and the words at the places that it names.
fn told(format: Format, text: &str) -> (String, Vec<String>) {
    let chunks = chunks("run/file", format, text, 4);
    let line = line(&chunks, None).expect("there is something to tell");
    let words = line.places.iter().map(|(_, at)| chunks[at.chunk].words[at.span.range()].to_owned());
    (line.text.clone(), words.collect())
}

#[test]
fn figures_are_named_with_what_they_were_in_the_run_before() {
    let old = r#"{"run": "r1", "p99_ms": 12.6, "p50_ms": 3, "seed": 1, "list": [1, 2, 3]}"#;
    let new = r#"{"run": "r2", "p99_ms": 11.8, "p50_ms": 3, "seed": 1, "list": [1, 2, 3]}"#;
    let (old, new) = (chunks("a/results.json", Format::Json, old, 1), chunks("b/results.json", Format::Json, new, 1));
    let path = "a/results.json".parse().unwrap();
    let line = line(&new, Some(Before { path: &path, chunks: &old })).unwrap();
    assert!(line.text.starts_with("3 figures; p99_ms 11.8, changed from 12.6; p50_ms 3"), "{}", line.text);
    assert!(line.text.contains("list: 3 values") && line.text.contains("before: `a/results.json`"), "{}", line.text);
    let quotes: Vec<(Of, &str)> = line
        .places
        .iter()
        .map(|(of, at)| {
            let chunks = if *of == Of::File { &new } else { &old };
            (*of, &chunks[at.chunk].words[at.span.range()])
        })
        .collect();
    assert_eq!(quotes[..2], [(Of::File, r#""p99_ms": 11.8"#), (Of::Former, r#""p99_ms": 12.6"#)]);
}

#[test]
fn lists_of_records_are_told_by_their_length_and_fields() {
    let (text, _) = told(
        Format::Json,
        "{\"ok\": true, \"ports\": [{\"port\": \"A\", \"mae\": 1.5},\n {\"port\": \"B\", \"mae\": 2}]}",
    );
    assert_eq!(text, "ok true; ports: 2 records of port, mae");
}

#[test]
fn a_text_inside_data_can_be_quoted() {
    let chunks = chunks("r.json", Format::Json, r#"{"n": 1, "summary": "The tree model is the better one."}"#, 1);
    let line = line(&chunks, None).unwrap();
    let quoted: Vec<&str> = line.sentences.iter().map(|at| &chunks[at.chunk].words[at.span.range()]).collect();
    assert_eq!(quoted, ["The tree model is the better one."]);
}

#[test]
fn logs_are_told_by_their_errors_and_warnings() {
    let log = "2026-11-18T10:00:00Z INFO start errors=0\n2026-11-18T10:00:01Z WARN slow reader\n\n\
               2026-11-18T10:00:02Z ERROR disk is full\n2026-11-18T10:00:03Z INFO an error was handled\n";
    let (text, places) = told(Format::Log, log);
    assert_eq!(
        text,
        "5 lines from 2026-11-18T10:00:00Z until 2026-11-18T10:00:03Z; 1 error, 1 warning; the error: ERROR disk is full; it ends: INFO an \
         error was handled"
    );
    assert_eq!(places[0], "2026-11-18T10:00:02Z ERROR disk is full");
}

#[test]
fn levels_are_words_of_their_own_at_the_beginning_of_a_line() {
    for (line, expected) in [
        ("[ERROR] no space", log::Level::Error),
        ("level=error msg=x", log::Level::Error),
        ("12:00:01,123 [main] WARN  x.y - retry", log::Level::Warning),
        ("error[E0382]: use of moved value", log::Level::Error),
        ("thread 'main' panicked at src/a.rs:3", log::Level::Error),
        ("INFO retry after error: none", log::Level::Other),
        ("0 errors, 0 warnings", log::Level::Other),
        ("test store::tests::it_works ... ok", log::Level::Other),
    ] {
        assert_eq!(log::level(line), expected, "{line}");
    }
}

#[test]
fn tables_are_told_by_rows_columns_and_the_last_row() {
    let (text, places) = told(Format::Csv, "date,item,eur\n2026-11-01,\"mast, steel\",7900\n2026-11-02,lamp,31\n");
    assert_eq!(
        text,
        "2 rows of date, item, eur; from 2026-11-01 until 2026-11-02; last: date 2026-11-02, item lamp, eur 31"
    );
    assert_eq!(places, ["date,item,eur", "2026-11-01,\"mast, steel\",7900", "2026-11-02,lamp,31"]);
    assert_eq!(told(Format::Tsv, "1\t2\n3\t4\n").0, "2 rows of 2 columns");
}

#[test]
fn records_one_a_line_are_told_by_what_they_have_in_common() {
    let record = |second: usize, event: &str| {
        format!("{{\"ts\": \"10:00:0{second}\", \"event\": \"{event}\", \"us\": {second}}}\n")
    };
    let text: String = ["batch", "batch", "resumed", "batch", "failed", "batch"]
        .iter()
        .zip(0..)
        .map(|(event, at)| record(at, event))
        .collect();
    let (text, places) = told(Format::Jsonl, &text);
    assert!(text.starts_with("6 records of ts, event, us; from 10:00:00 until 10:00:05; 1 of them errors"), "{text}");
    assert!(places[0].contains("failed"), "{places:?}");
}

#[test]
fn code_is_told_by_what_it_defines_and_by_its_first_comment() {
    let code = "//! Keys are rotated once a day.\n\npub struct Keys {\n    a: u8,\n}\n\nimpl Keys {\n    pub fn next(&self) {}\n}\n\n\
                pub(crate) async fn rotate() {}\n";
    let chunks = chunks("rotate.rs", Format::Code, code, 4);
    let line = line(&chunks, None).unwrap();
    assert_eq!(line.text, "11 lines, defines Keys, rotate");
    let quoted: Vec<&str> = line.sentences.iter().map(|at| &chunks[at.chunk].words[at.span.range()]).collect();
    assert_eq!(quoted, ["Keys are rotated once a day."]);
    for (code, names) in [
        ("def a(x):\n    def b(): pass\nclass C(B): pass", "a, C"),
        ("func (k *Keys) Next() {}\ntype Keys struct {}", "Next, Keys"),
        ("export const query = 1\nexport default function run() {}", "query, run"),
        ("CREATE TABLE IF NOT EXISTS stations (id int);", "stations"),
        ("rotate() {\n}\n", "rotate"),
    ] {
        let (text, _) = told(Format::Code, code);
        assert!(text.ends_with(&format!("defines {names}")), "{text}");
    }
}

#[test]
fn settings_are_told_by_their_keys() {
    let (text, _) = told(Format::Yaml, "model: tree\ndata:\n  rows: 18211\n  # why\n  split: 0.8 # of all\n- x\n");
    assert!(text.starts_with("3 settings"), "{text}");
    assert!(text.contains("data.rows 18211"), "{text}");
}

proptest! {
    #[test]
    fn any_text_of_any_format_has_a_line_whose_places_lie_in_its_chunks(
        text in "(?s)[\\[\\]{}\":,a-f0-9.\\-\n \t=#é]{0,300}",
        any in "(?s).{0,200}",
        lines_a_chunk in 1_usize..5,
    ) {
        let formats = [
            Format::Json, Format::Jsonl, Format::Csv, Format::Tsv, Format::Log, Format::Yaml, Format::Toml, Format::Code, Format::Spreadsheet,
        ];
        for text in [text, any] {
            for format in formats {
                let chunks = chunks("run/file", format, &text, lines_a_chunk);
                let path = "run/old".parse().unwrap();
                let line = line(&chunks, Some(Before { path: &path, chunks: &chunks }));
                for (_, at) in line.iter().flat_map(|line| &line.places) {
                    prop_assert!(at.span.of(&chunks[at.chunk].words).is_some_and(|words| !words.trim().is_empty()));
                }
                for at in line.iter().flat_map(|line| &line.sentences) {
                    prop_assert!(at.span.of(&chunks[at.chunk].words).is_some());
                }
            }
        }
    }
}
