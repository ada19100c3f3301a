//! Questions over files: where the answer stands, or that there is none.
//!
//! # Layout
//! `queries.jsonl` as in the BEIR layout; of the further fields of a line these are read, all optional:
//! - `doc` or `path`: the file of the answer, by its path or name, with or without the ending.
//! - `page` or `evidence_pages`: pages of that file, counted from 1.
//! - `answer`: what is to be said. With a `span` (bytes of the file, `{"start", "end"}`) or a `page` it is verbatim in the file.
//! - `unanswerable: true`, or `kind: "unanswerable"`: nothing in the files answers.
//!
//! # Invariants
//! - Ids are unique; pages are counted from 1; a question that nothing answers has no evidence.
//!
//! # Not here
//! Whether the files exist, and how what was found is compared with what is known (`pages`, `answers`).

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::EvalError;
use super::beir::{Lines, id};
use crate::workspace::Span;

const QUESTION_SHAPE: &str = "a line of the questions is one JSON object with `_id` and `text`, and where they are known `doc` (or `path`), \
                              `evidence_pages` (or `page`), `answer`, `span` and `unanswerable`";

/// A question, and what is known of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its id.
    pub id: String,
    /// What is asked.
    pub text: String,
    /// The file of the answer, as the collection names it.
    pub document: Option<String>,
    /// The pages that hold the evidence, ascending, from 1.
    pub pages: Vec<u32>,
    /// The words of the file that answer, where the collection has them verbatim.
    pub quote: Option<String>,
    /// Where they stand, in bytes of the file.
    pub span: Option<Span>,
    /// Whether nothing in the files answers it.
    pub is_unanswerable: bool,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "_id", deserialize_with = "id")]
    id: String,
    text: String,
    #[serde(default, alias = "path")]
    doc: Option<String>,
    #[serde(default)]
    page: Option<u32>,
    #[serde(default)]
    evidence_pages: Option<Vec<u32>>,
    #[serde(default)]
    answer: Option<String>,
    #[serde(default)]
    span: Option<Span>,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    unanswerable: Option<bool>,
}

impl Question {
    fn of(line: Line) -> Self {
        let is_unanswerable = line.unanswerable.unwrap_or(line.kind.as_deref() == Some("unanswerable"));
        let is_quote = line.span.is_some() || line.page.is_some();
        let pages = line.page.into_iter().chain(line.evidence_pages.into_iter().flatten());
        // Of a question that nothing answers they only say where one would look.
        let mut pages: Vec<u32> = pages.filter(|_| !is_unanswerable).collect();
        pages.sort_unstable();
        pages.dedup();
        Self {
            id: line.id,
            text: line.text,
            document: line.doc,
            pages,
            quote: line.answer.filter(|answer| is_quote && !answer.trim().is_empty()),
            span: line.span,
            is_unanswerable,
        }
    }
}

/// The questions of `folder`, in the order of its `queries.jsonl`.
///
/// # Errors
/// When the file is missing or cannot be read, a line is not a question, an id comes twice, or a question contradicts itself.
pub fn read_questions(folder: &Path) -> Result<Vec<Question>, EvalError> {
    let path = folder.join("queries.jsonl");
    if !path.is_file() {
        return Err(EvalError::NotACollection { folder: PathBuf::from(folder), file: "queries.jsonl" });
    }
    let mut lines = Lines::open(path)?;
    let (mut questions, mut seen) = (Vec::new(), HashSet::new());
    while let Some(line) = lines.next(QUESTION_SHAPE)? {
        let question = Question::of(lines.json(&line, QUESTION_SHAPE)?);
        if !seen.insert(question.id.clone()) {
            let problem = format!("question `{}` comes twice", question.id);
            return Err(lines.bad(problem, "give every question an id of its own"));
        }
        if question.pages.first() == Some(&0) {
            return Err(lines.bad("page 0", "pages are counted from 1"));
        }
        questions.push(question);
    }
    Ok(questions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Advice as _;

    fn read(text: &str) -> Result<Vec<Question>, EvalError> {
        let folder = tempfile::tempdir().unwrap();
        fs_err::write(folder.path().join("queries.jsonl"), text).unwrap();
        read_questions(folder.path())
    }

    #[test]
    fn a_question_is_unanswerable_by_field_or_by_kind_and_by_nothing_else() {
        let text = r#"{"_id": 1, "text": "a", "unanswerable": true, "answer": "Not answerable", "evidence_pages": [3]}
{"_id": "2", "text": "b", "kind": "unanswerable", "answer": null}
{"_id": "3", "text": "c", "answer": null}
{"_id": "4", "text": "d", "kind": "unanswerable", "unanswerable": false}"#;
        assert!(read(text).unwrap()[0].pages.is_empty(), "what nothing answers has no evidence");
        let unanswerable: Vec<bool> = read(text).unwrap().iter().map(|question| question.is_unanswerable).collect();
        assert_eq!(unanswerable, [true, true, false, false]);
    }

    #[test]
    fn an_answer_is_verbatim_only_beside_its_place() {
        let text = r#"{"_id": "1", "text": "a", "doc": "R.pdf", "evidence_pages": [5, 3, 5], "answer": "18 %"}
{"_id": "2", "text": "b", "path": "r.pdf", "page": 2, "answer": "forty"}
{"_id": "3", "text": "c", "path": "a.md", "span": {"start": 3, "end": 8}, "answer": "words"}"#;
        let questions = read(text).unwrap();
        assert_eq!((questions[0].pages.as_slice(), questions[0].quote.as_deref()), (&[3, 5][..], None));
        assert_eq!((questions[1].pages.as_slice(), questions[1].quote.as_deref()), (&[2][..], Some("forty")));
        assert_eq!((questions[2].span, questions[2].document.as_deref()), (Some(Span::new(3, 8)), Some("a.md")));
    }

    #[test]
    fn contradictions_are_named_with_their_line_and_a_remedy() {
        for (text, problem) in [
            (r#"{"_id": "1", "text": "a", "page": 0}"#, "line 1: page 0"),
            (
                "{\"_id\": \"1\", \"text\": \"a\"}\n{\"_id\": \"1\", \"text\": \"b\"}",
                "line 2: question `1` comes twice",
            ),
            (r#"{"_id": "1"}"#, "line 1: missing field `text`"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.to_string().contains(problem), "{error}");
            assert!(error.hint().is_some());
        }
    }
}
