//! Runs: what a search returned for each query, and their TREC files.
//!
//! # Invariants
//! - A ranking holds a document once, best first.
//! - Reading what [`Run::write`] wrote gives the same rankings, and so does any tool that sorts by the written score.
//!
//! # File format
//! One line a document: `query-id Q0 document-id rank score tag`, separated by one space, ranks from 1. `trec_eval` ignores the
//! rank: it sorts by score as a 32-bit float, and equal scores by document id descending. So the written scores fall strictly even in
//! 32 bits: a score that would not is written as the next float below its predecessor.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Write};
use std::path::Path;

use super::EvalError;

const LINE_SHAPE: &str = "a line of a run is `query-id Q0 document-id rank score tag`, separated by white space";

/// One document of a ranking.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredDocument {
    /// The document's id in the collection.
    pub id: String,
    /// Higher is better; only comparable within one ranking.
    pub score: f64,
}

/// The rankings of a set of queries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run(BTreeMap<String, Vec<ScoredDocument>>);

impl Run {
    /// Sets the ranking of `query_id`, best first, replacing an earlier one. Of a document that comes twice the first, better place
    /// is kept. The order given is the ranking: scores are not looked at.
    pub fn insert(&mut self, query_id: impl Into<String>, ranking: impl IntoIterator<Item = ScoredDocument>) {
        let mut seen = HashSet::new();
        let ranking = ranking.into_iter().filter(|document| seen.insert(document.id.clone())).collect();
        self.0.insert(query_id.into(), ranking);
    }

    /// The ranking of `query_id`, best first; empty where there is none.
    #[must_use]
    pub fn ranking(&self, query_id: &str) -> &[ScoredDocument] {
        self.0.get(query_id).map_or(&[], Vec::as_slice)
    }

    /// All rankings, by query id ascending.
    pub fn rankings(&self) -> impl Iterator<Item = (&str, &[ScoredDocument])> {
        self.0.iter().map(|(query_id, ranking)| (query_id.as_str(), ranking.as_slice()))
    }

    /// How many queries have a ranking.
    #[must_use]
    pub fn num_queries(&self) -> usize {
        self.0.len()
    }

    /// Writes the run in TREC format, queries by id ascending. Ids go through [`trec_id`]; `tag` names the system, its white space becomes
    /// `_`, and an empty one is written as `run`. A query without documents has no line.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn write(&self, out: &mut impl Write, tag: &str) -> io::Result<()> {
        let tag = tag.split_whitespace().collect::<Vec<_>>().join("_");
        let tag = if tag.is_empty() { "run" } else { &tag };
        for (query_id, ranking) in &self.0 {
            let mut above = f32::INFINITY;
            for (index, document) in ranking.iter().enumerate() {
                let score = below(above, document.score);
                let (query_id, id) = (trec_id(query_id), trec_id(&document.id));
                writeln!(out, "{query_id} Q0 {id} {} {} {tag}", index + 1, plain(score))?;
                above = score;
            }
        }
        Ok(())
    }

    /// Reads a run in TREC format, whoever wrote it. As in `trec_eval` the score decides, equal scores order by
    /// document id descending, and the rank column is not looked at.
    ///
    /// # Errors
    /// When the file cannot be read, a line does not have six fields and a finite score, or a document comes twice for one query.
    pub fn read(path: &Path) -> Result<Self, EvalError> {
        let mut rankings: BTreeMap<String, BTreeMap<String, f64>> = BTreeMap::new();
        for (index, line) in BufReader::new(fs_err::File::open(path)?).lines().enumerate() {
            let line = line?;
            let bad = |problem: String| EvalError::bad_line(path, index + 1, problem, LINE_SHAPE);
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (query_id, id, score) = match fields[..] {
                [] => continue,
                [query_id, _, id, _, score, _] => (plain_id(query_id), plain_id(id), score),
                _ => return Err(bad(format!("{} fields instead of 6", fields.len()))),
            };
            let score = score.parse::<f64>().ok().filter(|score| score.is_finite());
            let score = score.ok_or_else(|| bad(format!("`{}` is not a score", fields[4])))?;
            if rankings.entry(query_id).or_default().insert(id, score).is_some() {
                return Err(bad(format!("document `{}` comes twice for query `{}`", fields[2], fields[0])));
            }
        }
        let mut run = Self::default();
        for (query_id, scores) in rankings {
            let mut ranking: Vec<_> = scores.into_iter().map(|(id, score)| ScoredDocument { id, score }).collect();
            ranking.sort_by(|a, b| single(b.score).total_cmp(&single(a.score)).then_with(|| b.id.cmp(&a.id)));
            run.insert(query_id, ranking);
        }
        Ok(run)
    }
}

/// `id` as one field of a TREC file: white space, control characters and `%` become `%` and two hexadecimal digits for each
/// byte of UTF-8, as in a URL. Most ids come back as they are. [`Run::read`] undoes it.
#[must_use]
pub fn trec_id(id: &str) -> Cow<'_, str> {
    let must_hide = |c: char| c == '%' || c.is_whitespace() || c.is_control();
    if !id.contains(must_hide) {
        return Cow::Borrowed(id);
    }
    let mut hidden = String::with_capacity(id.len() + 8);
    for c in id.chars() {
        if must_hide(c) {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                // Writing to a string cannot fail.
                let _ = write!(hidden, "%{byte:02X}");
            }
        } else {
            hidden.push(c);
        }
    }
    Cow::Owned(hidden)
}

/// Undoes [`trec_id`]. A `%` that two hexadecimal digits do not follow stays, and so does an id that would not be UTF-8.
fn plain_id(field: &str) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let hidden = digits.filter(|two| first == b'%' && two.bytes().all(|byte| byte.is_ascii_hexdigit()));
        if let Some(byte) = hidden.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            bytes.push(byte);
            rest = &after[2..];
        } else {
            bytes.push(first);
            rest = after;
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| field.to_owned())
}

/// `score` in 32 bits if that is finite and below `above`, else the next float below `above`.
fn below(above: f32, score: f64) -> f32 {
    let score = single(score);
    if score.is_finite() && score < above { score } else { above.next_down() }
}

/// The 32-bit float nearest to `score`, which is what `trec_eval` keeps of it.
#[expect(clippy::cast_possible_truncation, reason = "losing the digits that trec_eval loses is the purpose")]
fn single(score: f64) -> f32 {
    score as f32
}

/// The shortest decimal number that reads back as `score`, in scientific notation where it would have many zeros.
fn plain(score: f32) -> String {
    if score == 0.0 || (1e-4..1e9).contains(&score.abs()) { score.to_string() } else { format!("{score:e}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranking(documents: &[(&str, f64)]) -> Vec<ScoredDocument> {
        documents.iter().map(|&(id, score)| ScoredDocument { id: id.to_owned(), score }).collect()
    }

    fn written(run: &Run) -> String {
        let mut out = Vec::new();
        run.write(&mut out, "pincite").unwrap();
        String::from_utf8(out).unwrap()
    }

    fn read(text: &str) -> Result<Run, EvalError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.txt");
        fs_err::write(&path, text).unwrap();
        Run::read(&path)
    }

    fn order(run: &Run, query_id: &str) -> Vec<String> {
        run.ranking(query_id).iter().map(|document| document.id.clone()).collect()
    }

    #[test]
    fn a_line_has_the_six_fields_of_trec() {
        let mut run = Run::default();
        run.insert("q1", ranking(&[("a", 0.75), ("b", 0.5)]));
        assert_eq!(written(&run), "q1 Q0 a 1 0.75 pincite\nq1 Q0 b 2 0.5 pincite\n");
    }

    #[test]
    fn equal_and_rising_scores_are_written_falling() {
        let mut run = Run::default();
        // Equal in 64 bits, equal only in 32 bits, rising, not a number, and around zero.
        let scores = [1.0, 1.0, 1.0 - 1e-12, 2.0, f64::NAN, 0.0, 0.0, -0.0, f64::NEG_INFINITY];
        let ids: Vec<String> = (0..scores.len()).map(|index| format!("d{index}")).collect();
        run.insert("q", ids.iter().zip(scores).map(|(id, score)| ScoredDocument { id: id.clone(), score }));
        let text = written(&run);
        let column: Vec<f32> = text.lines().map(|line| line.split(' ').nth(4).unwrap().parse().unwrap()).collect();
        assert!(column.is_sorted_by(|a, b| a > b), "{column:?}");
        assert_eq!(order(&read(&text).unwrap(), "q"), ids);
    }

    #[test]
    fn a_foreign_run_is_ordered_by_score_and_ties_by_id_descending() {
        let run = read("q Q0 a 1 0.5 x\nq Q0 c 2 0.5 x\n\nq\tQ0\tb\t3\t9e-1\tx\r\n").unwrap();
        assert_eq!(order(&run, "q"), ["b", "c", "a"]);
    }

    #[test]
    fn a_document_that_comes_twice_keeps_its_better_place() {
        let mut run = Run::default();
        run.insert("q", ranking(&[("a", 3.0), ("b", 2.0), ("a", 1.0)]));
        assert_eq!(order(&run, "q"), ["a", "b"]);
    }

    #[test]
    fn ids_with_white_space_stay_one_field() {
        assert_eq!(trec_id("a b%\t.md"), "a%20b%25%09.md");
        assert!(matches!(trec_id("運河.md"), Cow::Borrowed("運河.md")));
        assert_eq!(plain_id("100%-zz%4"), "100%-zz%4");
        assert_eq!(plain_id("%ff"), "%ff");
    }

    #[test]
    fn bad_lines_name_file_line_and_problem() {
        for (text, problem) in [
            ("q Q0 a 1 0.5\n", "line 1: 5 fields instead of 6"),
            ("q Q0 a 1 0.5 x\nq Q0 b 2 high x\n", "line 2: `high` is not a score"),
            ("q Q0 a 1 0.5 x\nq Q0 a 2 0.4 x\n", "line 2: document `a` comes twice for query `q`"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains("run.txt`, ") && message.ends_with(problem), "{message}");
        }
    }

    proptest! {
        #[test]
        fn reading_a_written_run_gives_the_same_rankings(
            queries in prop::collection::btree_map("[^\0]{1,6}", prop::collection::btree_map("\\PC{1,8}", any::<f64>(), 1..20), 0..4),
        ) {
            let mut run = Run::default();
            for (query_id, scores) in queries {
                run.insert(query_id, scores.into_iter().map(|(id, score)| ScoredDocument { id, score }));
            }
            let back = read(&written(&run)).unwrap();
            prop_assert_eq!(back.num_queries(), run.num_queries());
            for (query_id, _) in run.rankings() {
                prop_assert_eq!(order(&back, query_id), order(&run, query_id));
            }
        }
    }
}
