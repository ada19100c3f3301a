//! Reviewers' verdicts as a collection in BEIR layout, which `evaluate` reads: what was accepted for a query is relevant to it.
//!
//! # Invariants
//! - Documents are the searchable files as they are now, named by their paths. So the same judgements hold for `corpus.jsonl` and for the
//!   workspace's folder itself.
//! - A verdict counts only as long as its words stand in a file, in their place or another one. What does not count is counted.
//! - The same verdicts and files give the same bytes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use serde::Serialize;
use serde_json::json;

use super::{EvalError, trec_id};
use crate::engine::{EngineError, ErrorKind, VerdictsRequest, Workspace};
use crate::workspace::{ContentHash, Decision, FileEntry, RelPath, Span, Verdict};

/// Verdicts that are read at once.
const PAGE: usize = 1_000;

/// What was written, and what was left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// Files in `corpus.jsonl`.
    pub num_documents: usize,
    /// Queries in `queries.jsonl`: all that have a judgement.
    pub num_queries: usize,
    /// Pairs of a query and a file with a word that was accepted.
    pub num_accepted: usize,
    /// Pairs of a query and a file of which every judged word was rejected.
    pub num_rejected: usize,
    /// Verdicts that are no judgement.
    pub left_out: LeftOut,
    /// Searchable files that are not in `corpus.jsonl`: their text is too large for one line, or cannot be read now.
    pub num_files_left_out: usize,
}

/// Verdicts that are no judgement, each counted once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Comments.
    pub comments: usize,
    /// Without a query.
    pub without_query: usize,
    /// A later verdict is on the same words for the same query.
    pub replaced: usize,
    /// The judged words are in no file any more, or their file is not in `corpus.jsonl`.
    pub stale: usize,
}

/// Judgements as they are collected, newest first.
#[derive(Default)]
struct Judgements {
    /// Of each query the number of its oldest verdict, which names it.
    queries: BTreeMap<String, u64>,
    /// Of each query and file, and of each place in it, whether the words were accepted.
    places: BTreeMap<(String, RelPath), Vec<(Span, bool)>>,
    left_out: LeftOut,
}

/// Writes the verdicts of a workspace as `corpus.jsonl`, `queries.jsonl` and `qrels/test.tsv` into a folder that is new or empty.
///
/// # Errors
/// [`EvalError::NotEmpty`] where the folder holds something, and when it cannot be written, or the workspace cannot be read.
pub fn export_verdicts(workspace: &Workspace<'_>, folder: &Path) -> Result<ExportReport, EvalError> {
    fs_err::create_dir_all(folder).map_err(EvalError::Unreadable)?;
    if fs_err::read_dir(folder)?.next().is_some() {
        return Err(EvalError::NotEmpty { folder: folder.to_owned() });
    }
    let files: Vec<FileEntry> = workspace.files(None)?.into_iter().filter(|file| file.num_chunks > 0).collect();
    let contents = files.iter().filter_map(|file| Some((&file.path, file.content_hash?))).collect();
    let mut judgements = Judgements::default();
    let mut request = VerdictsRequest { limit: PAGE, ..VerdictsRequest::default() };
    loop {
        let page = workspace.verdicts(&request)?;
        for verdict in page.verdicts {
            judgements.add(workspace, &contents, verdict)?;
        }
        request.before_id = page.next;
        if page.next.is_none() {
            break;
        }
    }
    let (documents, num_files_left_out) = write_corpus(workspace, &files, folder)?;
    judgements.keep_only(&documents);
    let (num_accepted, num_rejected) = judgements.write(folder)?;
    let Judgements { queries, left_out, .. } = judgements;
    Ok(ExportReport {
        num_documents: documents.len(),
        num_queries: queries.len(),
        num_accepted,
        num_rejected,
        left_out,
        num_files_left_out,
    })
}

impl Judgements {
    /// Adds an older verdict. Words are looked for only where `contents` has another content of their file than the judged one.
    fn add(
        &mut self,
        workspace: &Workspace<'_>,
        contents: &HashMap<&RelPath, ContentHash>,
        verdict: Verdict,
    ) -> Result<(), EvalError> {
        let is_accepted = match verdict.decision {
            Decision::Accept => true,
            Decision::Reject => false,
            Decision::Comment => {
                self.left_out.comments += 1;
                return Ok(());
            }
        };
        let Some(query) = verdict.query else {
            self.left_out.without_query += 1;
            return Ok(());
        };
        let citation = verdict.citation;
        let now = if contents.get(&citation.path) == Some(&citation.content_hash) {
            Some(citation)
        } else {
            match workspace.verify(&citation) {
                Ok(verified) => verified.citation,
                // A file that cannot be read is no document either.
                Err(error) if is_of_one_file(&error) => None,
                Err(error) => return Err(error.into()),
            }
        };
        let Some(now) = now else {
            self.left_out.stale += 1;
            return Ok(());
        };
        let places = self.places.entry((query.clone(), now.path)).or_default();
        if places.iter().any(|(span, _)| *span == now.span) {
            self.left_out.replaced += 1;
        } else {
            places.push((now.span, is_accepted));
        }
        self.queries.insert(query, verdict.id);
        Ok(())
    }

    /// Drops judgements of files that are no documents, and queries that are left without any.
    fn keep_only(&mut self, documents: &BTreeSet<RelPath>) {
        let stale = &mut self.left_out.stale;
        self.places.retain(|(_, path), places| {
            let is_kept = documents.contains(path);
            *stale += if is_kept { 0 } else { places.len() };
            is_kept
        });
        let judged: HashSet<&String> = self.places.keys().map(|(query, _)| query).collect();
        self.queries.retain(|query, _| judged.contains(query));
    }

    /// Writes the queries, oldest first, and their judgements. Returns how many pairs are relevant, and how many are not.
    fn write(&self, folder: &Path) -> Result<(usize, usize), EvalError> {
        let mut by_age: Vec<(&String, u64)> = self.queries.iter().map(|(query, id)| (query, *id)).collect();
        by_age.sort_by_key(|(_, id)| *id);
        let mut queries = create(&folder.join("queries.jsonl"))?;
        fs_err::create_dir_all(folder.join("qrels"))?;
        let mut qrels = create(&folder.join("qrels").join("test.tsv"))?;
        writeln!(qrels, "query-id\tcorpus-id\tscore")?;
        let (mut num_accepted, mut num_rejected) = (0, 0);
        let mut by_query: BTreeMap<&String, Vec<(&RelPath, bool)>> = BTreeMap::new();
        for ((query, path), places) in &self.places {
            let is_accepted = places.iter().any(|(_, is_accepted)| *is_accepted);
            by_query.entry(query).or_default().push((path, is_accepted));
        }
        for (query, id) in by_age {
            writeln!(queries, "{}", json!({ "_id": format!("q{id}"), "text": query }))?;
            for (path, is_accepted) in by_query.remove(query).unwrap_or_default() {
                *(if is_accepted { &mut num_accepted } else { &mut num_rejected }) += 1;
                writeln!(qrels, "q{id}\t{}\t{}", document_id(path), u8::from(is_accepted))?;
            }
        }
        queries.flush()?;
        qrels.flush()?;
        Ok((num_accepted, num_rejected))
    }
}

/// Writes the searchable files by path; returns which were written, and how many were not.
fn write_corpus(
    workspace: &Workspace<'_>,
    files: &[FileEntry],
    folder: &Path,
) -> Result<(BTreeSet<RelPath>, usize), EvalError> {
    let mut corpus = create(&folder.join("corpus.jsonl"))?;
    let (mut written, mut num_left_out) = (BTreeSet::new(), 0);
    for file in files {
        let read = match workspace.read_file(&file.path) {
            Ok(read) => read,
            Err(error) if is_of_one_file(&error) => {
                num_left_out += 1;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        // Most titles are words of the text already.
        let title = read.title.filter(|title| !read.text.contains(title.as_str())).unwrap_or_default();
        let line = json!({ "_id": document_id(&file.path), "title": title, "text": read.text });
        writeln!(corpus, "{line}")?;
        written.insert(file.path.clone());
    }
    corpus.flush()?;
    Ok((written, num_left_out))
}

/// Whether another file may be read all the same.
const fn is_of_one_file(error: &EngineError) -> bool {
    matches!(error, EngineError::Read(_)) || matches!(error.kind(), ErrorKind::Invalid | ErrorKind::NotFound)
}

/// The path, as one field of a line.
fn document_id(path: &RelPath) -> String {
    let path = path.as_str();
    let is_one_field = path.trim() == path && !path.contains(char::is_control);
    if is_one_field { path.to_owned() } else { trec_id(path).into_owned() }
}

fn create(path: &Path) -> io::Result<BufWriter<fs_err::File>> {
    fs_err::File::create(path).map(BufWriter::new)
}
