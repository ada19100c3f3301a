//! The fixtures are what `fixtures/README.md` says: every answer is verbatim at its place, every judged path exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pincite::eval::Collection;
use pincite::extract::{Hints, extract};
use pincite::workspace::{RelPath, Span};

/// A question of `fixtures/questions` with the fields that BEIR does not have.
#[derive(Debug, serde::Deserialize)]
pub struct Question {
    /// Its id in the qrels.
    #[serde(rename = "_id")]
    pub id: String,
    /// What is asked.
    pub text: String,
    /// What the question tries, as the README lists it.
    pub kind: String,
    /// The words that answer it; `None` where nothing does.
    pub answer: Option<String>,
    /// The file of the answer.
    pub path: Option<RelPath>,
    /// Where the answer is in a text file.
    pub span: Option<Span>,
    /// Where the answer is in the PDF, counted from 1.
    pub page: Option<usize>,
}

/// A file below `fixtures/`.
pub fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(path)
}

/// All questions, in the order of the file.
pub fn questions() -> Vec<Question> {
    let text = fs_err::read_to_string(fixture("questions/queries.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Every file of the workspace with the time of its last change, by path.
pub fn times() -> BTreeMap<RelPath, SystemTime> {
    let text = fs_err::read_to_string(fixture("MTIMES.tsv")).unwrap();
    let row = |line: &str| {
        let (path, seconds) = line.split_once('\t').unwrap();
        (path.parse().unwrap(), SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.parse().unwrap()))
    };
    text.lines().skip(1).map(row).collect()
}

/// A copy of the workspace that a test may change, with the times of `MTIMES.tsv`.
pub fn workspace_copy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, time) in times() {
        let copy = path.under(folder.path());
        fs_err::create_dir_all(copy.parent().unwrap()).unwrap();
        fs_err::copy(path.under(&fixture("workspace")), &copy).unwrap();
        fs_err::OpenOptions::new().append(true).open(&copy).unwrap().file().set_modified(time).unwrap();
    }
    folder
}

/// The text of a workspace file, decoded where it is not UTF-8.
fn text_of(path: &RelPath) -> String {
    let bytes = fs_err::read(path.under(&fixture("workspace"))).unwrap();
    // ISO-8859-1 is the first 256 code points.
    String::from_utf8(bytes).unwrap_or_else(|error| error.as_bytes().iter().map(|&byte| char::from(byte)).collect())
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn files_below(folder: &Path, root: &Path, found: &mut BTreeSet<RelPath>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, root, found);
        } else {
            found.insert(RelPath::strip(root, &path).unwrap());
        }
    }
}

#[test]
fn every_answer_is_verbatim_at_its_span() {
    let mut num_checked = 0;
    for question in questions() {
        let (Some(answer), Some(path), Some(span)) = (&question.answer, &question.path, question.span) else {
            continue;
        };
        assert_eq!(span.of(&text_of(path)), Some(answer.as_str()), "{}: {}", question.id, question.text);
        num_checked += 1;
    }
    assert!(num_checked >= 60, "{num_checked} answers have a span");
}

#[test]
fn every_answer_from_the_pdf_is_on_its_page() {
    let bytes = fs_err::read(fixture("workspace/reports/ravensholm-acceptance.pdf")).unwrap();
    let document = extract(&bytes, Hints { file_name: "ravensholm-acceptance.pdf" }).unwrap();
    let pages: Vec<&str> = document.pages.iter().map(|page| page.of(&document.text).unwrap()).collect();
    assert_eq!(pages.len(), 4);
    let mut asked = BTreeSet::new();
    for question in questions() {
        let (Some(answer), Some(page)) = (&question.answer, question.page) else { continue };
        let found: Vec<usize> = (1..=4).filter(|&number| folded(pages[number - 1]).contains(answer)).collect();
        assert_eq!(found, [page], "{}: {}", question.id, question.text);
        asked.insert(page);
    }
    assert!(asked.len() >= 3, "questions ask about pages {asked:?} only");
}

#[test]
fn the_broken_pdf_cannot_be_read() {
    let bytes = fs_err::read(fixture("workspace/reports/pilot-week-2-scan.pdf")).unwrap();
    assert!(extract(&bytes, Hints { file_name: "pilot-week-2-scan.pdf" }).is_err());
}

#[test]
fn a_question_has_a_place_exactly_when_it_has_an_answer() {
    let mut num_unanswerable = 0;
    for question in questions() {
        let has_answer = question.kind != "unanswerable";
        let has_place = question.path.is_some() && (question.span.is_some() != question.page.is_some());
        assert_eq!((question.answer.is_some(), has_place), (has_answer, has_answer), "{}", question.id);
        num_unanswerable += usize::from(!has_answer);
    }
    assert!(num_unanswerable >= 12, "{num_unanswerable} questions are unanswerable");
}

#[test]
fn judgements_name_files_that_exist_and_grade_the_answer_two() {
    let collection = Collection::open(fixture("questions")).unwrap();
    let qrels = collection.qrels().unwrap();
    let files = times();
    for (query_id, grades) in qrels.judged() {
        for (path, grade) in grades {
            assert!(files.contains_key(&path.parse::<RelPath>().unwrap()), "{query_id} names `{path}`");
            assert!((1..=2).contains(grade), "{query_id} grades `{path}` {grade}");
        }
    }
    let questions = questions();
    assert_eq!(collection.queries().unwrap().len(), questions.len());
    for question in questions {
        let grade = question.path.as_ref().map(|path| qrels.grades(&question.id).unwrap()[path.as_str()]);
        assert_eq!(grade, question.answer.is_some().then_some(2), "{}", question.id);
        assert_eq!(
            qrels.grades(&question.id).is_some(),
            grade.is_some(),
            "{} is judged without an answer",
            question.id
        );
    }
}

#[test]
fn the_list_of_times_names_every_file_and_nothing_else() {
    let root = fixture("workspace");
    let mut found = BTreeSet::new();
    files_below(&root, &root, &mut found);
    assert_eq!(found, times().into_keys().collect());
}

#[test]
fn a_copy_of_the_workspace_has_the_times_of_the_list() {
    let copy = workspace_copy();
    for (path, time) in times() {
        assert_eq!(fs_err::metadata(path.under(copy.path())).unwrap().modified().unwrap(), time, "{path}");
    }
}

#[test]
fn the_special_files_are_what_the_readme_says() {
    let read = |path: &str| fs_err::read(fixture("workspace").join(path)).unwrap();
    assert_eq!(read("archive/2026-10/bench-03-report.md"), read("runs/2026-10-14-bench-03/report.md"));
    assert!(read("notes/empty.txt").is_empty());
    assert!(!read("notes/blank.md").is_empty() && read("notes/blank.md").iter().all(u8::is_ascii_whitespace));
    assert!(String::from_utf8(read("inbox/levelling-letter.txt")).is_err());
    assert!(read("assets/wave-icon.png").starts_with(b"\x89PNG"));
}
