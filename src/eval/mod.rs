//! How good the ranking is: judged collections in, standard figures out.
//!
//! # Invariants
//! - A figure is a mean over the judged queries, those with at least one relevant document; a query that the run does
//!   not hold counts 0.
//! - The figures equal those of `trec_eval` on the file that [`Run::write`] makes of the same run.
//! - The same collection and run give the same figures to the last bit: sums run in the order of query ids.
//!
//! # Not here
//! Searching itself: the engine does it, as for any other caller. What a judgement means is the collection's business.

mod answers;
mod beir;
mod evaluate;
mod export;
mod latency;
pub mod metrics;
mod pages;
mod questions;
mod run;
mod settings;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use answers::{AnswerQuality, AnswerReport, AnswerRow, Outcome};
pub use beir::{Collection, CollectionDocument, Documents, Grades, Qrels, Query};
pub use evaluate::{EvalOptions, evaluate, evaluate_answers, evaluate_pages};
pub use export::{ExportReport, LeftOut, export_verdicts};
pub use latency::Latencies;
pub use pages::{
    FileNames, PageJudgement, PageOptions, PageQuality, PageReport, documents_of, page_id, page_judgements, page_qrels,
    score_pages,
};
pub use questions::{Question, read_questions};
pub use run::{Run, ScoredDocument, trec_id};
pub use settings::Settings;

use crate::engine::EngineError;
use crate::error::Advice;

/// What an evaluation tells its reader.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Documents in the collection.
    pub num_documents: usize,
    /// Queries that were run.
    pub num_queries: usize,
    /// Queries with at least one relevant document: the figures are means over these.
    pub num_judged: usize,
    /// Mean nDCG at 10, in `0..=1`.
    pub ndcg_at_10: f64,
    /// Mean recall at 100, in `0..=1`.
    pub recall_at_100: f64,
    /// Mean reciprocal rank at 10, in `0..=1`.
    pub mrr_at_10: f64,
    /// Queries answered a second, one after the other.
    pub queries_per_second: f64,
    /// Median time of a query.
    pub p50_ms: f64,
    /// Time that 99 of 100 queries stay within.
    pub p99_ms: f64,
    /// How the ranking was made: `lexical`, `dense` or `hybrid`.
    pub mode: String,
    /// The settings that it was made with.
    pub settings: Settings,
    /// Mean nDCG at 10 of the queries in each language, where the collection says in which they are.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_language: BTreeMap<String, f64>,
}

/// How good a run is by its judgements, every figure in `0..=1`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Quality {
    /// Queries with at least one relevant document: the figures are means over these.
    pub num_judged: usize,
    /// Mean nDCG at 10.
    pub ndcg_at_10: f64,
    /// Mean recall at 100.
    pub recall_at_100: f64,
    /// Mean reciprocal rank at 10.
    pub mrr_at_10: f64,
}

/// Scores `run` against `qrels`.
///
/// Queries without a relevant document are left out, whether the run holds them or not; judged queries that the run
/// does not hold count 0. Without any judged query all figures are 0.
#[must_use]
pub fn score(run: &Run, qrels: &Qrels) -> Quality {
    score_of(run, qrels, |_| true)
}

/// As [`score`], of the queries whose ids `is_meant` picks.
#[must_use]
pub fn score_of(run: &Run, qrels: &Qrels, is_meant: impl Fn(&str) -> bool) -> Quality {
    let mut sum = Quality::default();
    for (query_id, grades) in qrels.judged().filter(|(query_id, _)| is_meant(query_id)) {
        let ranking = || run.ranking(query_id).iter().map(|document| document.id.as_str());
        sum.num_judged += 1;
        sum.ndcg_at_10 += metrics::ndcg_at(10, ranking(), grades);
        sum.recall_at_100 += metrics::recall_at(100, ranking(), grades);
        sum.mrr_at_10 += metrics::reciprocal_rank_at(10, ranking(), grades);
    }
    let num_judged = sum.num_judged.max(1) as f64;
    Quality {
        num_judged: sum.num_judged,
        ndcg_at_10: sum.ndcg_at_10 / num_judged,
        recall_at_100: sum.recall_at_100 / num_judged,
        mrr_at_10: sum.mrr_at_10 / num_judged,
    }
}

/// Why a collection or run cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The folder lacks a file that the layout asks for.
    #[error("`{folder}` has no `{file}`")]
    NotACollection {
        /// The folder that was given.
        folder: PathBuf,
        /// The file that is missing, relative to the folder.
        file: &'static str,
    },
    /// The file of judgements that was named is not there.
    #[error("there is no file `{path}`")]
    NoQrels {
        /// What was named.
        path: PathBuf,
    },
    /// A collection is to be written where something is already.
    #[error("the folder `{folder}` is not empty")]
    NotEmpty {
        /// The folder that was given.
        folder: PathBuf,
    },
    /// Pages are to be scored, and none is known.
    #[error("`{folder}` has no evidence pages")]
    NoPages {
        /// The collection.
        folder: PathBuf,
    },
    /// A collection names a file that is not there, or that several files could be.
    #[error("`{document}` is {} of the files{}", if found.is_empty() { "none" } else { "the name of several" }, among(found))]
    UnknownFile {
        /// The file as the collection names it.
        document: String,
        /// The files that have the name.
        found: Vec<String>,
    },
    /// A question is to be asked of its own file, and the collection does not say which that is.
    #[error("the file of question `{query_id}` is not known")]
    NoDocument {
        /// The question.
        query_id: String,
    },
    /// Questions over files need a folder of files.
    #[error("no folder of files was named")]
    NoFiles,
    /// The collection cannot be indexed, searched or asked.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A file cannot be opened or read. The message names it.
    #[error(transparent)]
    Unreadable(#[from] std::io::Error),
    /// One line of a file is not what it should be.
    #[error("`{path}`, line {line}: {problem}")]
    BadLine {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        problem: String,
        /// What would be right.
        expected: &'static str,
    },
}

fn among(found: &[String]) -> String {
    if found.is_empty() { String::new() } else { format!(": {}", found.join(", ")) }
}

impl EvalError {
    fn bad_line(path: &Path, line: usize, problem: impl Into<String>, expected: &'static str) -> Self {
        Self::BadLine { path: path.to_owned(), line, problem: problem.into(), expected }
    }
}

impl Advice for EvalError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotACollection { .. } => "not_a_collection",
            Self::NoQrels { .. } => "no_qrels",
            Self::NotEmpty { .. } => "folder_not_empty",
            Self::NoPages { .. } => "no_pages",
            Self::UnknownFile { .. } => "unknown_file",
            Self::NoDocument { .. } => "no_document",
            Self::NoFiles => "no_files",
            Self::Engine(error) => error.code(),
            Self::Unreadable(_) => "unreadable_collection",
            Self::BadLine { .. } => "invalid_collection",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Engine(error) => error.hint(),
            Self::NotACollection { .. } => Some(
                "the BEIR layout is a folder with `corpus.jsonl`, `queries.jsonl`, and `qrels.tsv` or `qrels/test.tsv`"
                    .to_owned(),
            ),
            Self::NoQrels { .. } => Some("name a file that exists with `--qrels FILE`, or leave it away".to_owned()),
            Self::NotEmpty { .. } => Some("name a folder that is new or empty".to_owned()),
            Self::NoPages { .. } => Some(
                "give `evidence_pages` (or `page`) beside each question, or judgements `query-id`, `file#pN`, `score` in \
                 `qrels_pages.tsv` or the file that `--qrels` names"
                    .to_owned(),
            ),
            Self::UnknownFile { found, .. } if found.is_empty() => Some(
                "`--files FOLDER` takes the folder that holds the files of the collection; a file is named by its path in it or \
                 by its name, with or without the ending"
                    .to_owned(),
            ),
            Self::UnknownFile { .. } => Some("name the file by its whole path".to_owned()),
            Self::NoDocument { .. } => {
                Some("give `doc` (or `path`) beside the question, or leave `--within-document` away".to_owned())
            }
            Self::NoFiles => Some("name the folder with `--files FOLDER`".to_owned()),
            Self::Unreadable(_) => None,
            Self::BadLine { expected, .. } => Some((*expected).to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_of(rankings: &[(&str, &[&str])]) -> Run {
        let mut run = Run::default();
        for (query_id, ids) in rankings {
            run.insert(*query_id, ids.iter().map(|id| ScoredDocument { id: (*id).to_owned(), score: 1.0 }));
        }
        run
    }

    fn qrels_of(judgements: &[(&str, &str, i32)]) -> Qrels {
        judgements.iter().map(|&(query, document, grade)| (query.to_owned(), document.to_owned(), grade)).collect()
    }

    #[test]
    fn a_judged_query_that_the_run_lacks_counts_zero() {
        let qrels = qrels_of(&[("q1", "a", 1), ("q2", "b", 1)]);
        let quality = score(&run_of(&[("q1", &["a"])]), &qrels);
        let half = Quality { num_judged: 2, ndcg_at_10: 0.5, recall_at_100: 0.5, mrr_at_10: 0.5 };
        assert_eq!(quality, half);
    }

    #[test]
    fn queries_without_a_relevant_document_are_left_out() {
        let qrels = qrels_of(&[("q1", "a", 2), ("q2", "b", 0)]);
        let run = run_of(&[("q1", &["a"]), ("q2", &["b"]), ("q3", &["c"])]);
        let full = Quality { num_judged: 1, ndcg_at_10: 1.0, recall_at_100: 1.0, mrr_at_10: 1.0 };
        assert_eq!(score(&run, &qrels), full);
    }

    #[test]
    fn nothing_judged_gives_zeros_and_not_nan() {
        assert_eq!(score(&run_of(&[("q1", &["a"])]), &Qrels::default()), Quality::default());
    }
}
