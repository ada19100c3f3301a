//! Questions over files with pages: which pages are evidence, and how early a ranking shows one.
//!
//! # Invariants
//! - A page is `path#pN`, `N` counted from 1; a place in a file without pages is the path alone.
//! - Judgements may name a file by its path or its name, with or without the ending: they are matched with the files before
//!   anything is scored, and a name that fits none or several is an error, never a miss.
//!
//! # Judgements
//! From the first of these that is there: the file that was named; `qrels_pages.tsv`; the pages beside the questions;
//! `qrels.tsv` or `qrels/test.tsv`. A line is `query-id`, `file#pN` and `score`, or `query-id`, `file`, `page` and `score`.
//!
//! # Not here
//! Searching (`engine`), and the figures that documents have as well ([`metrics`](super::metrics)).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::beir::Lines;
use super::questions::Question;
use super::{EvalError, Qrels, Run, Settings, metrics};

const PAGE_SHAPE: &str = "a line of the page judgements is a query id, `file#pN` and a whole number, or a query id, a file, a page and a \
                          whole number, separated by tabs; only line 1 may be a header";

/// A page of a file, as a run names it.
#[must_use]
pub fn page_id(path: &str, page: Option<u32>) -> String {
    page.map_or_else(|| path.to_owned(), |page| format!("{path}#p{page}"))
}

/// The file and the page of `file#pN`, or `None` for what names no page.
fn parse_page_id(id: &str) -> Option<(&str, u32)> {
    let (file, page) = id.rsplit_once("#p")?;
    let page = page.bytes().all(|byte| byte.is_ascii_digit()).then(|| page.parse().ok())??;
    (!file.is_empty() && page > 0).then_some((file, page))
}

/// An evidence page as it was judged: the file as the collection names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageJudgement {
    /// The question.
    pub query_id: String,
    /// The file, by its path or name, with or without the ending.
    pub document: String,
    /// The page, from 1.
    pub page: u32,
    /// Above 0 for evidence.
    pub grade: i32,
}

/// The page judgements of the collection in `folder`, from `qrels` if a file is named.
///
/// # Errors
/// When a file cannot be read or a line of it is no judgement, and [`EvalError::NoPages`] where no page is known.
pub fn page_judgements(
    folder: &Path,
    qrels: Option<&Path>,
    questions: &[Question],
) -> Result<Vec<PageJudgement>, EvalError> {
    if let Some(qrels) = qrels {
        if !qrels.is_file() {
            return Err(EvalError::NoQrels { path: qrels.to_owned() });
        }
        return some(folder, read_judgements(qrels)?);
    }
    let own = folder.join("qrels_pages.tsv");
    if own.is_file() {
        return some(folder, read_judgements(&own)?);
    }
    let beside = beside_questions(questions);
    if !beside.is_empty() {
        return Ok(beside);
    }
    let shared = [folder.join("qrels.tsv"), folder.join("qrels").join("test.tsv")];
    match shared.iter().find(|path| path.is_file()) {
        Some(qrels) => some(folder, read_judgements(qrels)?),
        None => Err(EvalError::NoPages { folder: folder.to_owned() }),
    }
}

fn some(folder: &Path, judgements: Vec<PageJudgement>) -> Result<Vec<PageJudgement>, EvalError> {
    let has_evidence = judgements.iter().any(|judgement| judgement.grade > 0);
    if has_evidence { Ok(judgements) } else { Err(EvalError::NoPages { folder: folder.to_owned() }) }
}

fn beside_questions(questions: &[Question]) -> Vec<PageJudgement> {
    let of = |question: &Question| {
        let judgement = |document: &String, page: u32| PageJudgement {
            query_id: question.id.clone(),
            document: document.clone(),
            page,
            grade: 1,
        };
        let document = question.document.as_ref();
        document.map(|document| question.pages.iter().map(|&page| judgement(document, page)).collect::<Vec<_>>())
    };
    questions.iter().filter_map(of).flatten().collect()
}

fn read_judgements(path: &Path) -> Result<Vec<PageJudgement>, EvalError> {
    let mut lines = Lines::open(path.to_owned())?;
    let mut judgements = Vec::new();
    while let Some(line) = lines.next(PAGE_SHAPE)? {
        let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
        let Some(Ok(grade)) = fields.last().map(|grade| grade.parse::<i32>()) else {
            if lines.is_first() {
                continue;
            }
            let score = fields.last().copied().unwrap_or_default();
            return Err(lines.bad(format!("`{score}` is not a whole number"), PAGE_SHAPE));
        };
        let (query_id, document, page) = match fields[..] {
            [query_id, page, _] => match parse_page_id(page) {
                Some((document, page)) => (query_id, document, page),
                None => return Err(lines.bad(format!("`{page}` names no page"), PAGE_SHAPE)),
            },
            [query_id, document, page, _] => match page.parse() {
                Ok(page) if page > 0 => (query_id, document, page),
                _ => return Err(lines.bad(format!("`{page}` is not a page"), PAGE_SHAPE)),
            },
            _ => return Err(lines.bad(format!("{} fields instead of 3 or 4", fields.len()), PAGE_SHAPE)),
        };
        if query_id.is_empty() || document.is_empty() {
            return Err(lines.bad("an empty id", PAGE_SHAPE));
        }
        judgements.push(PageJudgement { query_id: query_id.to_owned(), document: document.to_owned(), page, grade });
    }
    Ok(judgements)
}

/// The files of a folder by every name that a collection may have for them.
#[derive(Debug, Clone, Default)]
pub struct FileNames(BTreeMap<String, BTreeSet<String>>);

impl FileNames {
    /// Of files by their paths below the folder.
    #[must_use]
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names = Self::default();
        for path in paths {
            let name = path.rsplit('/').next().unwrap_or(path);
            for name in [path, without_ending(path), name, without_ending(name)] {
                names.0.entry(name.to_owned()).or_default().insert(path.to_owned());
            }
        }
        names
    }

    /// The path of the file that a collection calls `document`. A whole path wins over names that other files have as well.
    ///
    /// # Errors
    /// [`EvalError::UnknownFile`] where no file or several files have the name.
    pub fn path_of(&self, document: &str) -> Result<&str, EvalError> {
        let unknown = |found: Vec<String>| EvalError::UnknownFile { document: document.to_owned(), found };
        let paths = self.0.get(document).ok_or_else(|| unknown(Vec::new()))?;
        match paths.get(document).or_else(|| paths.first().filter(|_| paths.len() == 1)) {
            Some(path) => Ok(path),
            None => Err(unknown(paths.iter().cloned().collect())),
        }
    }
}

fn without_ending(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && !stem.ends_with('/') && !ending.contains('/') => stem,
        _ => name,
    }
}

/// The judgements with their files found among `names`, as a run of pages is scored by them.
///
/// # Errors
/// As [`FileNames::path_of`].
pub fn page_qrels(judgements: &[PageJudgement], names: &FileNames) -> Result<Qrels, EvalError> {
    let mut qrels = Qrels::default();
    for judgement in judgements {
        let path = names.path_of(&judgement.document)?;
        qrels.insert(&judgement.query_id, &page_id(path, Some(judgement.page)), judgement.grade);
    }
    Ok(qrels)
}

/// The file of the answer to each question, where one is known: what the question says, else what all its judgements name.
///
/// # Errors
/// As [`FileNames::path_of`].
pub fn documents_of(
    questions: &[Question],
    judgements: &[PageJudgement],
    names: &FileNames,
) -> Result<BTreeMap<String, String>, EvalError> {
    let mut documents = BTreeMap::new();
    for question in questions {
        let judged: BTreeSet<&str> = judgements
            .iter()
            .filter(|judgement| judgement.query_id == question.id)
            .map(|judgement| judgement.document.as_str())
            .collect();
        let only = judged.first().filter(|_| judged.len() == 1).copied();
        if let Some(document) = question.document.as_deref().or(only) {
            documents.insert(question.id.clone(), names.path_of(document)?.to_owned());
        }
    }
    Ok(documents)
}

/// How early a run shows evidence pages, every figure in `0..=1`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct PageQuality {
    /// Questions with a known evidence page: the figures are means over these.
    pub num_judged: usize,
    /// The share of questions whose first page is evidence.
    pub hit_at_1: f64,
    /// The share of questions with evidence among the first 5 pages.
    pub hit_at_5: f64,
    /// The share of questions with evidence among the first 10 pages.
    pub hit_at_10: f64,
    /// The share of questions with evidence among the first 20 pages.
    pub hit_at_20: f64,
    /// Mean reciprocal rank at 10.
    pub mrr_at_10: f64,
    /// Mean nDCG at 10.
    pub ndcg_at_10: f64,
}

/// Scores a run of pages. Judged questions that the run does not hold count 0; without any judged question all figures are 0.
#[must_use]
pub fn score_pages(run: &Run, qrels: &Qrels) -> PageQuality {
    let mut sum = PageQuality::default();
    for (query_id, grades) in qrels.judged() {
        let ranking = || run.ranking(query_id).iter().map(|page| page.id.as_str());
        let first = ranking().position(|page| grades.get(page).is_some_and(|&grade| grade > 0));
        let hit_at = |k: usize| f64::from(first.is_some_and(|index| index < k));
        sum.num_judged += 1;
        sum.hit_at_1 += hit_at(1);
        sum.hit_at_5 += hit_at(5);
        sum.hit_at_10 += hit_at(10);
        sum.hit_at_20 += hit_at(20);
        sum.mrr_at_10 += metrics::reciprocal_rank_at(10, ranking(), grades);
        sum.ndcg_at_10 += metrics::ndcg_at(10, ranking(), grades);
    }
    let num = sum.num_judged.max(1) as f64;
    PageQuality {
        num_judged: sum.num_judged,
        hit_at_1: sum.hit_at_1 / num,
        hit_at_5: sum.hit_at_5 / num,
        hit_at_10: sum.hit_at_10 / num,
        hit_at_20: sum.hit_at_20 / num,
        mrr_at_10: sum.mrr_at_10 / num,
        ndcg_at_10: sum.ndcg_at_10 / num,
    }
}

/// What an evaluation by page tells its reader.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PageReport {
    /// The settings that it was made with.
    pub settings: Settings,
    /// Files that were indexed.
    pub num_files: usize,
    /// Questions that were asked.
    pub num_queries: usize,
    /// Whether each question was asked of its own file alone.
    pub within_document: bool,
    /// How early evidence pages come.
    #[serde(flatten)]
    pub quality: PageQuality,
    /// Questions answered a second, one after the other.
    pub queries_per_second: f64,
    /// Median time of a question.
    pub p50_ms: f64,
    /// Time that 99 of 100 questions stay within.
    pub p99_ms: f64,
    /// How the ranking was made: `lexical`, `dense` or `hybrid`.
    pub mode: String,
}

/// How pages are evaluated.
#[derive(Debug, Clone, Default)]
pub struct PageOptions {
    /// The page judgements, if not those of the collection.
    pub qrels: Option<PathBuf>,
    /// Whether each question is asked of its own file alone.
    pub within_document: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::Advice as _;
    use crate::eval::ScoredDocument;

    fn judgements_of(text: &str) -> Result<Vec<PageJudgement>, EvalError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qrels.tsv");
        fs_err::write(&path, text).unwrap();
        page_judgements(folder.path(), Some(&path), &[])
    }

    fn run_of(pages: &[String]) -> Run {
        let mut run = Run::default();
        run.insert("q", pages.iter().map(|id| ScoredDocument { id: id.clone(), score: 1.0 }));
        run
    }

    #[test]
    fn both_shapes_of_judgements_mean_the_same() {
        let three = judgements_of("query-id\tcorpus-id\tscore\nq\tA#p3\t1\n").unwrap();
        let four = judgements_of("query-id\tdoc\tpage_1based\tscore\nq\tA\t3\t1\n").unwrap();
        assert_eq!(three, four);
        assert_eq!((three[0].document.as_str(), three[0].page), ("A", 3));
    }

    #[test]
    fn judgements_without_pages_are_refused_with_a_remedy() {
        for (text, problem) in [
            ("q\ta.pdf\t1\n", "`a.pdf` names no page"),
            ("q\ta.pdf\t0\t1\n", "`0` is not a page"),
            ("q\ta.pdf#p0\t1\n", "`a.pdf#p0` names no page"),
            ("h\th\th\nq\ta.pdf#p1\thigh\n", "line 2: `high` is not a whole number"),
            ("q\ta\tb\tc\t1\n", "5 fields instead of 3 or 4"),
            ("q\ta.pdf#p1\t0\n", "has no evidence pages"),
        ] {
            let error = judgements_of(text).unwrap_err();
            assert!(error.to_string().contains(problem), "{error}");
            assert!(error.hint().is_some());
        }
        let missing = page_judgements(Path::new("."), Some(Path::new("none.tsv")), &[]).unwrap_err();
        assert_eq!(missing.code(), "no_qrels");
    }

    #[test]
    fn a_file_is_found_by_path_or_name_with_or_without_its_ending() {
        let names = FileNames::of(["a/R_2022.10K.pdf", "b/other.pdf", "c/other.md", "other"]);
        for name in ["a/R_2022.10K.pdf", "R_2022.10K", "a/R_2022.10K", "R_2022.10K.pdf"] {
            assert_eq!(names.path_of(name).unwrap(), "a/R_2022.10K.pdf");
        }
        assert_eq!(names.path_of("other").unwrap(), "other", "a whole path wins");
        assert_eq!(names.path_of("other.md").unwrap(), "c/other.md");
        let error = names.path_of("absent.pdf").unwrap_err();
        assert!(error.to_string().contains("`absent.pdf`") && error.hint().is_some());
        let several = FileNames::of(["b/other.pdf", "c/other.md"]);
        assert!(several.path_of("other").unwrap_err().to_string().contains("b/other.pdf, c/other.md"));
    }

    #[test]
    fn names_with_dots_but_no_ending_keep_their_dots() {
        assert_eq!(without_ending("a.b/c"), "a.b/c");
        assert_eq!(without_ending(".env"), ".env");
        assert_eq!(without_ending("x/.env"), "x/.env");
    }

    #[test]
    fn a_hit_counts_from_the_rank_of_the_first_evidence_page() {
        let judgement = |page| PageJudgement { query_id: "q".into(), document: "a".into(), page, grade: 1 };
        let qrels = page_qrels(&[judgement(7), judgement(9)], &FileNames::of(["a.pdf"])).unwrap();
        let pages: Vec<String> = (2..30).map(|page| page_id("a.pdf", Some(page))).collect();
        let quality = score_pages(&run_of(&pages), &qrels);
        assert_eq!((quality.hit_at_1, quality.hit_at_5, quality.hit_at_10, quality.hit_at_20), (0.0, 0.0, 1.0, 1.0));
        assert!((quality.mrr_at_10 - 1.0 / 6.0).abs() < 1e-12);
        assert_eq!(score_pages(&Run::default(), &qrels), PageQuality { num_judged: 1, ..PageQuality::default() });
    }

    proptest! {
        #[test]
        fn a_page_id_is_read_back(path in "[a-z#p/. ]{1,12}", page in 1..5000_u32) {
            let id = page_id(&path, Some(page));
            prop_assert_eq!(parse_page_id(&id), Some((path.as_str(), page)));
        }

        #[test]
        fn hits_grow_with_the_cut_and_the_reciprocal_rank_lies_between(order in prop::collection::vec(1..40_u32, 0..30), evidence in 1..40_u32) {
            let pages: Vec<String> = order.iter().map(|&page| page_id("a.pdf", Some(page))).collect();
            let judgement = PageJudgement { query_id: "q".into(), document: "a.pdf".into(), page: evidence, grade: 1 };
            let qrels = page_qrels(&[judgement], &FileNames::of(["a.pdf"])).unwrap();
            let quality = score_pages(&run_of(&pages), &qrels);
            prop_assert!(quality.hit_at_1 <= quality.hit_at_5 && quality.hit_at_5 <= quality.hit_at_10);
            prop_assert!(quality.hit_at_10 <= quality.hit_at_20);
            prop_assert!(quality.hit_at_1 <= quality.mrr_at_10 && quality.mrr_at_10 <= quality.hit_at_10);
        }
    }
}
