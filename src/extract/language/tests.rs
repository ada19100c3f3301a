//! What language is found, in few words and in many.

use super::*;
use crate::extract::{Block, Format};
use crate::workspace::Span;

/// A document of blocks of these kinds.
fn document(blocks: &[(BlockKind, &str)]) -> Document {
    let mut document = Document::of(Format::Markdown, String::new());
    for (kind, text) in blocks {
        let start = document.text.len();
        document.text.push_str(text);
        let span = Span::new(start, document.text.len());
        document.blocks.push(Block { span, kind: *kind, trail: [].into(), header: None, cell: None });
        document.text.push_str("\n\n");
    }
    document
}

fn found(text: &str) -> Option<String> {
    language_of(&document(&[(BlockKind::Prose, text)])).map(String::from)
}

const GERMAN: &str = "Die Kündigungsfrist beträgt drei Monate zum Ende eines Quartals. Sie muss schriftlich erklärt werden, \
    und der Vermieter bestätigt ihren Eingang innerhalb von zwei Wochen.";
const ENGLISH: &str = "Notice has to be given three months before the end of a quarter. It must be given in writing, and the \
    landlord confirms that it was received within two weeks.";

#[test]
fn running_text_has_a_language() {
    assert_eq!(found(GERMAN).as_deref(), Some("de"));
    assert_eq!(found(ENGLISH).as_deref(), Some("en"));
    assert_eq!(found("数据库的索引已经损坏，需要重新建立。").as_deref(), Some("zh"));
    assert_eq!(found("データベースの索引が壊れているので、作り直す必要があります。").as_deref(), Some("ja"));
}

#[test]
fn too_little_text_has_none() {
    for text in ["", "Hallo", "12 345 678", "x = 3; y == 4", "数据"] {
        assert_eq!(found(text), None, "{text}");
    }
}

#[test]
fn code_tables_and_logs_say_nothing() {
    for kind in [BlockKind::Code, BlockKind::Row, BlockKind::LogLine] {
        assert_eq!(language_of(&document(&[(kind, GERMAN)])), None);
        assert_eq!(language_of(&document(&[(kind, GERMAN), (BlockKind::Prose, ENGLISH)])), Some(Language::ENGLISH));
    }
}

#[test]
fn a_long_document_is_looked_at_all_over() {
    let mut blocks = vec![(BlockKind::Prose, ENGLISH)];
    blocks.extend(std::iter::repeat_n((BlockKind::Prose, GERMAN), 400));
    let long = document(&blocks);
    assert_eq!(language_of(&long).map(String::from).as_deref(), Some("de"));
    assert!(sample(&long).len() < 2 * MAX_SAMPLE_BYTES);
    let one = GERMAN.repeat(1_000);
    assert_eq!(found(&one).as_deref(), Some("de"));
    assert!(sample(&document(&[(BlockKind::Prose, &one)])).len() > MAX_SAMPLE_BYTES / 2);
}

proptest::proptest! {
    #[test]
    fn any_text_has_a_language_or_none(texts in proptest::collection::vec("\\PC{0,300}", 0..40)) {
        let blocks: Vec<_> = texts.iter().map(|text| (BlockKind::Prose, text.as_str())).collect();
        let _ = language_of(&document(&blocks));
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn real_text_is_known_for_what_it_is() {
    let Some(folder) = std::env::var_os("PINCITE_DEV_DATA") else {
        eprintln!("SKIPPED: PINCITE_DEV_DATA is not set, so the development data was not read");
        return;
    };
    let path = std::path::Path::new(&folder).join("ir/xquad-multi/corpus.jsonl");
    let corpus = fs_err::read_to_string(path).unwrap();
    let (mut num, mut unknown) = (0, Vec::new());
    for line in corpus.lines() {
        let passage: serde_json::Value = serde_json::from_str(line).unwrap();
        let (id, text) = (passage["_id"].as_str().unwrap(), passage["text"].as_str().unwrap());
        match found(text) {
            Some(language) => assert_eq!(language, id[..2], "{id}"),
            None => unknown.push(id.to_owned()),
        }
        num += 1;
    }
    // Of two short sentences in Cyrillic it is not sure which language they are. The other has a number in each stretch of signs
    // without a space, and such stretches say nothing.
    assert_eq!((num, unknown), (480, ["ru:06-04", "zh:18-02"].map(str::to_owned).to_vec()));
}
