//! Questions over files, answered: how often an answer or an abstention is wrong.

use std::collections::BTreeMap;
use std::time::Instant;

use super::pages::only;
use super::{EvalOptions, files_of, open};
use crate::answer::{Answerer, AskRequest, PlanChoice};
use crate::engine::{Caller, Surface};
use crate::eval::{
    AnswerQuality, AnswerReport, AnswerRow, EvalError, FileNames, Latencies, Outcome, Settings, documents_of,
    read_questions,
};
use crate::ingest::Progress;

/// Indexes the files of a collection, asks its questions and compares the answers with what is known; returns the figures, and
/// what became of each question.
///
/// Answers are sentences of the files, whatever is configured, and from the nearest passages. Within documents, a question whose file is not
/// known is left out.
///
/// # Errors
/// When no files are named or a file that the collection names is not among them; and as [`evaluate`](super::evaluate).
pub fn evaluate_answers(
    options: &EvalOptions,
    within_document: bool,
    progress: &dyn Progress,
) -> Result<(AnswerReport, Vec<AnswerRow>), EvalError> {
    let files = files_of(options)?;
    let questions = read_questions(&options.collection)?;
    let (engine, workspace) = open(options, files, files, progress)?;
    let entries = engine.workspace(&workspace, &Caller::local(Surface::CommandLine))?.files(None)?;
    let names = FileNames::of(entries.iter().map(|file| file.path.as_str()));
    let documents = if within_document { documents_of(&questions, &[], &names)? } else { BTreeMap::new() };
    let mut rows = Vec::new();
    let mut latencies = Latencies::default();
    for question in &questions {
        let mut request = AskRequest::new(question.text.clone());
        (request.answerer, request.plan) = (Answerer::Extractive, PlanChoice::Retrieval);
        if within_document {
            let Some(path) = documents.get(&question.id) else { continue };
            request.filters.path = vec![only(path)];
        }
        let start = Instant::now();
        let reply = engine.workspace(&workspace, &Caller::local(Surface::CommandLine))?.ask(&request)?;
        latencies.record(start.elapsed());
        if let Some(outcome) = Outcome::of(question, &reply, &names)? {
            let (abstention, signals) = (reply.abstention, reply.signals);
            rows.push(AnswerRow { id: question.id.clone(), outcome, abstention, signals });
        }
    }
    let report = AnswerReport {
        settings: Settings::of(&engine)?,
        num_files: entries.len(),
        num_questions: rows.len(),
        within_document,
        quality: AnswerQuality::of(&rows),
        answers_per_second: latencies.queries_per_second(),
        p50_ms: latencies.percentile_ms(50),
        p99_ms: latencies.percentile_ms(99),
    };
    Ok((report, rows))
}
