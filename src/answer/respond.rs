//! Who answers: the language model where one is configured and asked for, else sentences of the files.

use super::extractive::{self, Evidence};
use super::language::{self, Asked, LanguageError, Written};
use super::{AnswerKind, AnsweredBy, Answerer, AskReply, AskRequest, Sentence};
use crate::config;
use crate::error::Advice;
use crate::search::{Coverage, SearchError};
use crate::workspace::{Citation, Revision};

/// What happens on the way to an answer.
#[derive(Debug)]
pub enum AskEvent<'a> {
    /// The passages that the answer is made from, best first.
    Passages(Vec<&'a Citation>),
    /// Nothing new: is anybody still there?
    Waiting,
    /// Words of the model as they come. Nothing of them is checked.
    Delta(&'a str),
    /// A sentence of the answer.
    Sentence {
        /// The sentence; its citations are positions among all so far.
        sentence: &'a Sentence,
        /// All citations so far.
        citations: &'a [Citation],
    },
    /// The model gave no answer, for this reason: its sentences until here do not count, extractive ones follow.
    Fallback(&'a str),
}

/// Checks whether there is who is to answer, before anything is opened.
///
/// # Errors
/// [`AnswerError::NotConfigured`].
pub fn check_answerer(request: &AskRequest, settings: &config::Answer) -> Result<(), AnswerError> {
    let is_there = request.answerer != Answerer::Model || settings.endpoint().is_some();
    if is_there { Ok(()) } else { Err(LanguageError::NotConfigured.into()) }
}

/// Answers from `evidence`, or abstains. `tell` hears what happens on the way, and says whether anybody still waits.
///
/// The model is not asked where nothing was found, or nothing of an identifier that the question names: then there is
/// no answer. Where the evidence is only weak it is asked, because its sentences are checked one by one.
///
/// # Errors
/// [`AnswerError`]: a model that is asked for and not configured, nobody who waits, and what the embedding model reports.
pub fn respond(
    request: &AskRequest,
    evidence: &Evidence<'_>,
    revision: Revision,
    coverage: Coverage,
    settings: &config::Answer,
    tell: &mut dyn FnMut(AskEvent<'_>) -> bool,
) -> Result<AskReply, AnswerError> {
    check_answerer(request, settings)?;
    if !tell(AskEvent::Passages(evidence.hits.iter().map(|hit| &hit.citation).collect())) {
        return Err(LanguageError::Stopped.into());
    }
    let model = settings.endpoint().filter(|_| request.answerer != Answerer::Extractive).map(|(_, model)| model);
    let has_ground =
        !evidence.hits.is_empty() && extractive::missing_identifier(&request.question, evidence.hits).is_none();
    let mut fallback = None;
    if let Some(model) = model.filter(|_| has_ground) {
        let asked = Asked {
            question: &request.question,
            instruction: None,
            passages: evidence.hits,
            embedder: evidence.embedder,
            max_sentences: request.max_sentences,
        };
        match language::answer(&asked, settings, tell) {
            Ok(written) => return Ok(reply(written, model, revision, coverage)),
            Err(error) => {
                let reason = error.fallback().ok_or(error)?;
                if !tell(AskEvent::Fallback(&reason)) {
                    return Err(LanguageError::Stopped.into());
                }
                fallback = Some((model.to_owned(), reason));
            }
        }
    }
    let mut reply = extractive::answer(request, evidence, revision, coverage)?;
    if let Some((model, reason)) = fallback {
        reply.answered_by.model = Some(model);
        reply.answered_by.fallback = Some(reason);
    }
    for sentence in &reply.sentences {
        if !tell(AskEvent::Sentence { sentence, citations: &reply.citations }) {
            return Err(LanguageError::Stopped.into());
        }
    }
    Ok(reply)
}

fn reply(written: Written, model: &str, revision: Revision, coverage: Coverage) -> AskReply {
    let mut reply = AskReply::abstaining(revision, coverage);
    let Written { sentences, citations, num_dropped, cut, declined } = written;
    if declined {
        let searched = extractive::searched(&reply.coverage);
        reply.reason =
            Some(format!("the passages that were found do not answer it, says the language model; {searched}"));
    }
    reply.abstained = declined;
    (reply.sentences, reply.citations) = (sentences, citations);
    reply.answered_by =
        AnsweredBy { kind: AnswerKind::Model, model: Some(model.to_owned()), fallback: None, num_dropped, cut };
    reply
}

/// Why a question has no reply.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The language model is to answer and there is none, or nobody waits any more.
    #[error(transparent)]
    Language(#[from] LanguageError),
    /// The request cannot be, or the answer cannot be made.
    #[error(transparent)]
    Search(#[from] SearchError),
}

impl Advice for AnswerError {
    fn code(&self) -> &'static str {
        match self {
            Self::Language(error) => error.code(),
            Self::Search(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Language(error) => error.hint(),
            Self::Search(error) => error.hint(),
        }
    }
}
