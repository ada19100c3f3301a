//! Who answers: the language model where one is configured and asked for, else sentences of the files.

use super::extractive::{self, Evidence};
use super::language::{self, Asked, LanguageError, Written};
use super::{Abstention, AnswerKind, AnsweredBy, Answerer, AskReply, AskRequest, Sentence};
use crate::config;
use crate::error::Advice;
use crate::search::{Hit, SearchError};
use crate::workspace::Citation;

/// Who hears what happens on the way to an answer, and says whether anybody still waits for it.
pub type Tell<'a> = &'a mut dyn FnMut(AskEvent<'_>) -> bool;

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
/// [`LanguageError::NotConfigured`], as an [`AnswerError`].
pub fn check_answerer(request: &AskRequest, settings: &config::Answer) -> Result<(), AnswerError> {
    let is_there = request.answerer != Answerer::Model || settings.endpoint().is_some();
    if is_there { Ok(()) } else { Err(LanguageError::NotConfigured.into()) }
}

/// Whether a language model is to answer.
#[must_use]
pub fn is_model_asked(request: &AskRequest, settings: &config::Answer) -> bool {
    request.answerer != Answerer::Extractive && settings.endpoint().is_some()
}

/// Answers from `evidence` in `reply`, which has no answer yet, or abstains. `tell` hears what happens on the way, and says
/// whether anybody still waits.
///
/// The model is not asked where nothing was found, or nothing of an identifier that the question names: then there is
/// no answer. Where the evidence is only weak it is asked, because its sentences are checked one by one.
///
/// # Errors
/// [`AnswerError`]: a model that is asked for and not configured, nobody who waits, and what the embedding model reports.
pub fn respond(
    request: &AskRequest,
    evidence: &Evidence<'_>,
    mut reply: AskReply,
    settings: &config::Answer,
    tell: Tell<'_>,
) -> Result<AskReply, AnswerError> {
    check_answerer(request, settings)?;
    tell_passages(evidence.hits, tell)?;
    let has_ground =
        !evidence.hits.is_empty() && extractive::missing_identifier(&request.question, evidence.hits).is_none();
    if has_ground {
        let asked = Asked {
            question: &request.question,
            instruction: None,
            passages: evidence.hits,
            embedder: evidence.embedder,
            max_sentences: request.max_sentences,
        };
        if let Some(written) = ask_model(request, &asked, &mut reply, settings, tell)? {
            if written.declined {
                let reason = "the passages that were found do not answer it, says the language model".to_owned();
                (reply.abstention, reply.reason) = (Some(Abstention::Declined), Some(reason));
            }
            reply.abstained = written.declined;
            (reply.sentences, reply.citations) = (written.sentences, written.citations);
            return Ok(reply);
        }
    }
    let reply = extractive::answer(request, evidence, reply)?;
    for sentence in &reply.sentences {
        if !tell(AskEvent::Sentence { sentence, citations: &reply.citations }) {
            return Err(LanguageError::Stopped.into());
        }
    }
    Ok(reply)
}

/// Has the language model, where one is to answer, write a summary from passages of the files in scope: the first sentences of
/// `reply`, which has none yet. Its own words are all that comes of it, so a failure leaves the files' sentences as they are.
///
/// # Errors
/// As [`respond`].
pub fn summarize(
    request: &AskRequest,
    evidence: &Evidence<'_>,
    reply: &mut AskReply,
    settings: &config::Answer,
    tell: Tell<'_>,
) -> Result<(), AnswerError> {
    const INSTRUCTION: &str = "The passages are from the files that the question is about, the newest first. Say what is most important \
                               in them all together.";
    tell_passages(evidence.hits, tell)?;
    let asked = Asked {
        question: &request.question,
        instruction: Some(INSTRUCTION),
        passages: evidence.hits,
        embedder: evidence.embedder,
        max_sentences: request.max_sentences,
    };
    if let Some(written) = ask_model(request, &asked, reply, settings, tell)? {
        (reply.sentences, reply.citations) = (written.sentences, written.citations);
    }
    Ok(())
}

/// Tells the passages that an answer is made from.
fn tell_passages(hits: &[Hit], tell: Tell<'_>) -> Result<(), AnswerError> {
    let citations = hits.iter().map(|hit| &hit.citation).collect();
    if tell(AskEvent::Passages(citations)) { Ok(()) } else { Err(LanguageError::Stopped.into()) }
}

/// What the language model wrote, where it is to; `None` where it is not, or failed. Who answered, and why not the model, is put
/// into the reply.
fn ask_model(
    request: &AskRequest,
    asked: &Asked<'_>,
    reply: &mut AskReply,
    settings: &config::Answer,
    tell: Tell<'_>,
) -> Result<Option<Written>, AnswerError> {
    let Some((_, model)) = settings.endpoint().filter(|_| is_model_asked(request, settings)) else { return Ok(None) };
    reply.answered_by.model = Some(model.to_owned());
    match language::answer(asked, settings, tell) {
        Ok(written) => {
            reply.answered_by = AnsweredBy {
                kind: AnswerKind::Model,
                model: Some(model.to_owned()),
                fallback: None,
                num_dropped: written.num_dropped,
                cut: written.cut,
            };
            Ok(Some(written))
        }
        Err(error) => {
            let reason = error.fallback().ok_or(error)?;
            if !tell(AskEvent::Fallback(&reason)) {
                return Err(LanguageError::Stopped.into());
            }
            reply.answered_by.fallback = Some(reason);
            Ok(None)
        }
    }
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
