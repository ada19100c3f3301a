//! Folders in BEIR layout: documents, queries, and how relevant which document is to which query.
//!
//! # Layout
//! - `corpus.jsonl`: `{"_id", "title", "text"}` a line. Absent where the documents are files of their own.
//! - `queries.jsonl`: `{"_id", "text"}` a line.
//! - `qrels.tsv`, else `qrels/test.tsv`: `query-id`, `corpus-id` and `score` separated by tabs, with or without a header.
//!   A score of 1 or more is a grade of relevance, 0 or less means judged and not relevant.
//!
//! Questions over files may say where their answer stands, or that there is none: `questions` tells the fields.
//!
//! Further fields, blank lines, a byte order mark and `\r\n` are accepted.
//!
//! # Invariants
//! - The corpus is read a line at a time and never held as a whole.
//! - An id is not empty; query ids are unique, and a pair of query and document has one grade.
//!
//! # Not here
//! That judged ids exist in the corpus: public collections judge documents that they do not contain.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::EvalError;

const DOCUMENT_SHAPE: &str = "a line of the corpus is one JSON object with `_id`, `text` and, if there is one, `title`";
const QUERY_SHAPE: &str = "a line of the queries is one JSON object with `_id` and `text`";
const JUDGEMENT_SHAPE: &str = "a line of the qrels is a query id, a document id and a whole number, separated by tabs; only line 1 may be a header";

/// The grades of the judged documents of one query, by document id; below 1 means not relevant.
pub type Grades = BTreeMap<String, i32>;

/// A document of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CollectionDocument {
    /// Its id, as the judgements name it.
    #[serde(rename = "_id", deserialize_with = "id")]
    pub id: String,
    /// Its title; empty where the collection has none.
    #[serde(default, deserialize_with = "text_or_null")]
    pub title: String,
    /// Its text without the title.
    pub text: String,
}

/// A query of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Query {
    /// Its id, as the judgements name it.
    #[serde(rename = "_id", deserialize_with = "id")]
    pub id: String,
    /// What is asked.
    pub text: String,
    /// The language that it is asked in, where the collection says so.
    #[serde(default, rename = "lang")]
    pub language: Option<String>,
}

/// A folder in BEIR layout.
#[derive(Debug, Clone)]
pub struct Collection {
    folder: PathBuf,
    qrels: PathBuf,
}

impl Collection {
    /// Opens `folder`, which must hold queries and judgements; a corpus is only asked for by [`Self::documents`].
    ///
    /// # Errors
    /// [`EvalError::NotACollection`] naming the file that is missing.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, EvalError> {
        let folder = folder.into();
        if !folder.join("queries.jsonl").is_file() {
            return Err(EvalError::NotACollection { folder, file: "queries.jsonl" });
        }
        let candidates = [folder.join("qrels.tsv"), folder.join("qrels").join("test.tsv")];
        match candidates.into_iter().find(|path| path.is_file()) {
            Some(qrels) => Ok(Self { folder, qrels }),
            None => Err(EvalError::NotACollection { folder, file: "qrels.tsv" }),
        }
    }

    /// Whether the documents come with the collection, in `corpus.jsonl`.
    #[must_use]
    pub fn has_corpus(&self) -> bool {
        self.folder.join("corpus.jsonl").is_file()
    }

    /// Streams the documents in the order of the file.
    ///
    /// # Errors
    /// When there is no corpus or it cannot be opened; each item can fail by itself, and nothing follows a failure.
    pub fn documents(&self) -> Result<Documents, EvalError> {
        if !self.has_corpus() {
            return Err(EvalError::NotACollection { folder: self.folder.clone(), file: "corpus.jsonl" });
        }
        Ok(Documents(Lines::open(self.folder.join("corpus.jsonl"))?))
    }

    /// The queries in the order of the file.
    ///
    /// # Errors
    /// When the file cannot be read, a line is not a query, or an id comes twice.
    pub fn queries(&self) -> Result<Vec<Query>, EvalError> {
        let mut lines = Lines::open(self.folder.join("queries.jsonl"))?;
        let mut queries: Vec<Query> = Vec::new();
        let mut seen = HashSet::new();
        while let Some(line) = lines.next(QUERY_SHAPE)? {
            let query: Query = lines.json(&line, QUERY_SHAPE)?;
            if !seen.insert(query.id.clone()) {
                return Err(lines.bad(format!("query `{}` comes twice", query.id), "give every query an id of its own"));
            }
            queries.push(query);
        }
        Ok(queries)
    }

    /// The judgements.
    ///
    /// # Errors
    /// When the file cannot be read, a line is not a judgement, or a pair has two different grades.
    pub fn qrels(&self) -> Result<Qrels, EvalError> {
        let mut lines = Lines::open(self.qrels.clone())?;
        let mut qrels = Qrels::default();
        while let Some(line) = lines.next(JUDGEMENT_SHAPE)? {
            let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
            let [query_id, document_id, score] = fields[..] else {
                let problem = format!("{} fields separated by tabs instead of 3", fields.len());
                return Err(lines.bad(problem, JUDGEMENT_SHAPE));
            };
            let Ok(grade) = score.parse::<i32>() else {
                if lines.number == 1 && is_header(score) {
                    continue;
                }
                return Err(lines.bad(format!("`{score}` is not a whole number"), JUDGEMENT_SHAPE));
            };
            if query_id.is_empty() || document_id.is_empty() {
                return Err(lines.bad("an empty id", JUDGEMENT_SHAPE));
            }
            if qrels.insert(query_id, document_id, grade).is_some_and(|earlier| earlier != grade) {
                let problem = format!("a second grade for query `{query_id}` and document `{document_id}`");
                return Err(lines.bad(problem, "keep one judgement for each pair of query and document"));
            }
        }
        Ok(qrels)
    }
}

/// The documents of a collection, one at a time.
#[derive(Debug)]
pub struct Documents(Lines);

impl Iterator for Documents {
    type Item = Result<CollectionDocument, EvalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.has_failed {
            return None;
        }
        let line = self.0.next(DOCUMENT_SHAPE).transpose()?;
        let document = line.and_then(|line| self.0.json(&line, DOCUMENT_SHAPE));
        self.0.has_failed = document.is_err();
        Some(document)
    }
}

/// Which documents were judged for which query, and how relevant they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Qrels(BTreeMap<String, Grades>);

impl Qrels {
    /// Records a grade, and returns the one it replaces.
    pub fn insert(&mut self, query_id: &str, document_id: &str, grade: i32) -> Option<i32> {
        self.0.entry(query_id.to_owned()).or_default().insert(document_id.to_owned(), grade)
    }

    /// The grades of `query_id`, or `None` where nothing was judged for it.
    #[must_use]
    pub fn grades(&self, query_id: &str) -> Option<&Grades> {
        self.0.get(query_id)
    }

    /// The queries with at least one relevant document and their grades, by query id ascending.
    pub fn judged(&self) -> impl Iterator<Item = (&str, &Grades)> {
        let has_relevant = |grades: &Grades| grades.values().any(|&grade| grade > 0);
        self.0.iter().filter(move |(_, grades)| has_relevant(grades)).map(|(id, grades)| (id.as_str(), grades))
    }

    /// How many judgements there are, of whatever grade.
    #[must_use]
    pub fn num_judgements(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }
}

impl FromIterator<(String, String, i32)> for Qrels {
    /// Of two grades for one pair the later stays.
    fn from_iter<I: IntoIterator<Item = (String, String, i32)>>(judgements: I) -> Self {
        let mut qrels = Self::default();
        for (query_id, document_id, grade) in judgements {
            qrels.insert(&query_id, &document_id, grade);
        }
        qrels
    }
}

/// The lines of a file that are not blank, with their numbers.
#[derive(Debug)]
pub(super) struct Lines {
    path: PathBuf,
    reader: BufReader<fs_err::File>,
    /// The line last returned, counted from 1.
    number: usize,
    has_failed: bool,
}

impl Lines {
    pub fn open(path: PathBuf) -> Result<Self, EvalError> {
        let reader = BufReader::new(fs_err::File::open(&path)?);
        Ok(Self { path, reader, number: 0, has_failed: false })
    }

    /// Whether the line last returned is the first of the file.
    pub const fn is_first(&self) -> bool {
        self.number == 1
    }

    pub fn next(&mut self, expected: &'static str) -> Result<Option<String>, EvalError> {
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            if self.reader.read_until(b'\n', &mut bytes)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            let Ok(line) = std::str::from_utf8(&bytes) else { return Err(self.bad("not UTF-8", expected)) };
            let line = if self.number == 1 { line.trim_start_matches('\u{feff}') } else { line };
            if !line.trim().is_empty() {
                return Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned()));
            }
        }
    }

    pub fn json<T: DeserializeOwned>(&self, line: &str, expected: &'static str) -> Result<T, EvalError> {
        serde_json::from_str(line).map_err(|error| self.bad(without_place(&error), expected))
    }

    pub fn bad(&self, problem: impl Into<String>, expected: &'static str) -> EvalError {
        EvalError::bad_line(Path::new(&self.path), self.number, problem, expected)
    }
}

fn is_header(score: &str) -> bool {
    ["score", "relevance", "rel", "grade", "label"].contains(&score.to_ascii_lowercase().as_str())
}

/// The parser's message with the column only: to the parser every line is line 1.
fn without_place(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or(&message);
    format!("{what} (column {})", error.column())
}

/// An id is text, or a whole number as some collections have it.
pub(super) fn id<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "`_id` is neither text nor a whole number")]
    enum Id {
        Text(String),
        Number(i64),
    }
    match Id::deserialize(deserializer)? {
        Id::Text(id) if id.trim().is_empty() => Err(serde::de::Error::custom("`_id` is empty")),
        Id::Text(id) => Ok(id),
        Id::Number(id) => Ok(id.to_string()),
    }
}

fn text_or_null<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Option::<String>::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Advice as _;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn with(files: &[(&str, &str)]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            for (name, text) in files {
                let path = folder.path().join(name);
                fs_err::create_dir_all(path.parent().unwrap()).unwrap();
                fs_err::write(path, text).unwrap();
            }
            Self(folder)
        }

        fn open(&self) -> Result<Collection, EvalError> {
            Collection::open(self.0.path())
        }
    }

    /// The message of reading everything in a folder with these files, without the folder's name, and the hint.
    fn complaint(files: &[(&str, &str)]) -> (String, String) {
        let mut all = vec![("queries.jsonl", ""), ("qrels.tsv", ""), ("corpus.jsonl", "")];
        all.extend_from_slice(files);
        let folder = Folder::with(&all);
        let read = || {
            let collection = folder.open()?;
            collection.documents()?.collect::<Result<Vec<_>, _>>()?;
            collection.queries()?;
            collection.qrels().map(|_| ())
        };
        let error = read().unwrap_err();
        let message = error.to_string();
        (message.split('/').next_back().unwrap().to_owned(), error.hint().unwrap())
    }

    #[test]
    fn a_whole_collection_is_read_past_blank_lines_extra_fields_and_line_endings() {
        let folder = Folder::with(&[
            (
                "corpus.jsonl",
                "\u{feff}{\"_id\":\"d1\",\"title\":\"T\",\"text\":\"one\",\"metadata\":{}}\r\n\r\n{\"_id\":7,\"title\":null,\"text\":\"\"}",
            ),
            ("queries.jsonl", "{\"_id\":\"q1\",\"text\":\"what?\",\"kind\":\"lookup\"}\n\n"),
            ("qrels/test.tsv", "query-id\tcorpus-id\tscore\r\nq1\td1\t2\r\nq1\t7\t0\r\n"),
        ]);
        let collection = folder.open().unwrap();
        let documents: Vec<_> = collection.documents().unwrap().map(Result::unwrap).collect();
        let ids: Vec<_> = documents.iter().map(|document| (document.id.as_str(), document.title.as_str())).collect();
        assert_eq!(ids, [("d1", "T"), ("7", "")]);
        assert_eq!(
            collection.queries().unwrap(),
            [Query { id: "q1".to_owned(), text: "what?".to_owned(), language: None }]
        );
        let qrels = collection.qrels().unwrap();
        assert_eq!(qrels.grades("q1").unwrap(), &Grades::from([("d1".to_owned(), 2), ("7".to_owned(), 0)]));
        assert_eq!((qrels.judged().count(), qrels.num_judgements()), (1, 2));
    }

    #[test]
    fn judgements_without_a_header_lose_no_line() {
        let folder = Folder::with(&[("queries.jsonl", ""), ("qrels.tsv", "q1\ta file.md\t1\nq1\ta file.md\t1\n")]);
        let qrels = folder.open().unwrap().qrels().unwrap();
        assert_eq!(qrels.grades("q1").unwrap(), &Grades::from([("a file.md".to_owned(), 1)]));
    }

    #[test]
    fn a_missing_file_is_named_with_the_layout_as_hint() {
        for (files, missing) in [(vec![], "queries.jsonl"), (vec![("queries.jsonl", "")], "qrels.tsv")] {
            let error = Folder::with(&files).open().unwrap_err();
            assert!(error.to_string().ends_with(&format!("has no `{missing}`")), "{error}");
            assert_eq!(error.code(), "not_a_collection");
            assert!(error.hint().unwrap().contains("corpus.jsonl"));
        }
        let without_corpus = Folder::with(&[("queries.jsonl", ""), ("qrels.tsv", "")]).open().unwrap();
        assert!(!without_corpus.has_corpus());
        assert!(without_corpus.documents().unwrap_err().to_string().ends_with("has no `corpus.jsonl`"));
    }

    #[test]
    fn a_bad_line_is_named_with_its_file_number_and_remedy() {
        for (file, text, message, hint) in [
            (
                "corpus.jsonl",
                "{\"_id\":\"a\",\"text\":\"\"}\n\n{\"_id\":\"b\"}\n",
                "line 3: missing field `text`",
                DOCUMENT_SHAPE,
            ),
            ("corpus.jsonl", "[1]\n", "line 1: invalid", DOCUMENT_SHAPE),
            ("queries.jsonl", "{\"_id\":\"\",\"text\":\"x\"}\n", "line 1: `_id` is empty", QUERY_SHAPE),
            ("queries.jsonl", "{\"_id\":[],\"text\":\"x\"}\n", "line 1: `_id` is neither text", QUERY_SHAPE),
            (
                "queries.jsonl",
                "{\"_id\":\"q\",\"text\":\"x\"}\n{\"_id\":\"q\",\"text\":\"y\"}\n",
                "line 2: query `q` comes twice",
                "give every query an id of its own",
            ),
            ("qrels.tsv", "q1 0 d1 1\n", "line 1: 1 fields separated by tabs instead of 3", JUDGEMENT_SHAPE),
            ("qrels.tsv", "q1\td1\thigh\n", "line 1: `high` is not a whole number", JUDGEMENT_SHAPE),
            ("qrels.tsv", "q1\td1\t1\nq\td\tscore\n", "line 2: `score` is not a whole number", JUDGEMENT_SHAPE),
            ("qrels.tsv", "\td1\t1\n", "line 1: an empty id", JUDGEMENT_SHAPE),
            (
                "qrels.tsv",
                "q\td\t1\nq\td\t2\n",
                "line 2: a second grade for query `q` and document `d`",
                "keep one judgement for each pair of query and document",
            ),
        ] {
            let (found, remedy) = complaint(&[(file, text)]);
            assert!(found.starts_with(&format!("{file}`, {message}")), "{found}");
            assert_eq!(remedy, hint);
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_are_an_error_and_end_the_stream() {
        let folder = Folder::with(&[("queries.jsonl", ""), ("qrels.tsv", "")]);
        fs_err::write(folder.0.path().join("corpus.jsonl"), b"{\"_id\":\"a\xff\"}\n{}\n").unwrap();
        let mut documents = folder.open().unwrap().documents().unwrap();
        assert!(documents.next().unwrap().unwrap_err().to_string().ends_with("line 1: not UTF-8"));
        assert!(documents.next().is_none());
    }
}
