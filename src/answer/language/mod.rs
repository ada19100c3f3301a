//! Answers that a language model writes from passages, behind an endpoint that speaks `OpenAI`'s protocol.
//!
//! # Invariants
//! - Each sentence that is told or returned was checked against the passages that it cites; its citations are the file's own
//!   bytes.
//! - Passages are given to the model as untrusted content, between tags that no passage can write.
//! - Whatever the endpoint does, the answer comes or fails within the configured time, and soon after nobody waits any more.
//! - Questions, passages, answers and keys enter no log.
//!
//! # Not here
//! How the passages were found, and what is answered when this fails (`respond`).

mod check;
mod client;
mod draft;
mod marker;
mod prompt;
mod protocol;
#[cfg(test)]
mod tests;
mod verbatim;

use self::check::{Checked, Checker};
pub use self::client::EndpointError;
use self::client::{Look, Reply, short};
use self::draft::{Draft, Drafts};
use self::prompt::{NO_ANSWER, fitting, prompt};
use self::protocol::{Malformed, Reader, StreamPart};
use super::{AskEvent, Sentence};
use crate::config::{Answer, Unsupported};
use crate::embed::{EmbedError, Embedder};
use crate::error::Advice;
use crate::search::Hit;
use crate::workspace::Citation;

/// A longer answer is cut, in bytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// A model that has said so many sentences again will say nothing else: small ones end in such loops.
const MAX_REPEATED: usize = 3;

/// What a language model is asked.
pub struct Asked<'a> {
    /// The question, in the words of who asks.
    pub question: &'a str,
    /// What the program itself wants done with the passages, beside answering.
    pub instruction: Option<&'a str>,
    /// What the answer is written from, best first. Those that do not fit are left out.
    pub passages: &'a [Hit],
    /// Compares sentences with what they cite by meaning; without one, by words alone.
    pub embedder: Option<&'a dyn Embedder>,
    /// The most sentences that are taken.
    pub max_sentences: usize,
}

/// An answer that a language model wrote, as it was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// The sentences. Unsupported ones are among them where they are to be marked.
    pub sentences: Vec<Sentence>,
    /// What they cite, by position from 0; each place once.
    pub citations: Vec<Citation>,
    /// Unsupported sentences that were left out.
    pub num_dropped: usize,
    /// Whether the model wanted to write more than it may.
    pub cut: bool,
    /// Whether the model says that the passages hold no answer. There are no sentences then.
    pub declined: bool,
}

/// Why there is no answer of the model.
#[derive(Debug, thiserror::Error)]
pub enum LanguageError {
    /// There is no endpoint.
    #[error("no language model is configured")]
    NotConfigured,
    /// The endpoint gave none.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Nothing that the model wrote is supported.
    #[error("nothing that the language model wrote is supported by the passages ({num_dropped} sentences)")]
    Unsupported {
        /// Sentences that were not.
        num_dropped: usize,
    },
    /// Nobody waits for the answer any more.
    #[error("the caller no longer waits for the answer")]
    Stopped,
    /// The embedding model failed.
    #[error(transparent)]
    Embed(#[from] EmbedError),
}

impl LanguageError {
    /// Why the question is answered without the model; `None` where it is not answered at all.
    #[must_use]
    pub fn fallback(&self) -> Option<String> {
        match self {
            Self::Endpoint(_) | Self::Unsupported { .. } => Some(self.to_string()),
            Self::NotConfigured | Self::Stopped | Self::Embed(_) => None,
        }
    }
}

impl Advice for LanguageError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotConfigured => "no_language_model",
            Self::Endpoint(_) => "endpoint_failed",
            Self::Unsupported { .. } => "unsupported_answer",
            Self::Stopped => "stopped",
            Self::Embed(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::NotConfigured => Some(
                "name an endpoint in `config.toml` (`[answer]` with `base_url` and `model`), or ask for another answerer"
                    .to_owned(),
            ),
            Self::Endpoint(_) => Some("check `[answer]` in `config.toml`, and whether the endpoint runs".to_owned()),
            Self::Unsupported { .. } => Some("ask in other words, or for an extractive answer".to_owned()),
            Self::Stopped => None,
            Self::Embed(error) => error.hint(),
        }
    }
}

/// Has the configured model answer from passages, and checks each sentence as soon as it is complete.
///
/// `tell` hears the model's words as they come and each sentence that is taken, and is asked about ten times a second
/// whether anybody still waits.
///
/// # Errors
/// [`LanguageError`].
pub fn answer(
    asked: &Asked<'_>,
    settings: &Answer,
    tell: &mut dyn FnMut(AskEvent<'_>) -> bool,
) -> Result<Written, LanguageError> {
    let result = write(asked, settings, tell);
    match &result {
        Err(LanguageError::Endpoint(error)) => {
            tracing::warn!(reason = error.code(), "the language model's endpoint gave no answer");
        }
        Err(LanguageError::Unsupported { num_dropped }) => {
            tracing::info!(num_dropped, "nothing that the language model wrote was supported");
        }
        _ => {}
    }
    result
}

fn write(
    asked: &Asked<'_>,
    settings: &Answer,
    tell: &mut dyn FnMut(AskEvent<'_>) -> bool,
) -> Result<Written, LanguageError> {
    let (base_url, model) = settings.endpoint().ok_or(LanguageError::NotConfigured)?;
    let given = fitting(asked.passages, settings.max_passages, settings.max_passage_bytes);
    let prompt = prompt(asked.question, asked.instruction, &given, asked.max_sentences);
    let checker = Checker::new(asked.question, &given, asked.embedder);
    let mut drafts = Drafts::new(|number, quote: &str| checker.is_quote(number, quote));
    let mut draft_sink = Taken::new(&checker, settings, asked.max_sentences);
    let reply = Reply::to(base_url, settings, protocol::request(model, settings, &prompt))?;
    let malformed = |malformed: Malformed| match malformed {
        Malformed::Garbage => EndpointError::Malformed,
        Malformed::Error(message) => {
            let key = settings.api_key.as_ref().map(crate::config::ApiKey::reveal);
            let message = key.map_or(message.clone(), |key| message.replace(key, "…"));
            EndpointError::Failed((!message.is_empty()).then(|| short(&message)))
        }
    };
    let mut reader = Reader::default();
    let (mut num_bytes, mut finished, mut is_over) = (0, false, false);
    while !is_over {
        let told = match reply.look()? {
            Look::Nothing if tell(AskEvent::Waiting) => continue,
            Look::Nothing => return Err(LanguageError::Stopped),
            Look::Bytes(bytes) => reader.push(&bytes).map_err(malformed)?,
            Look::End => {
                is_over = true;
                std::mem::take(&mut reader).finish().map_err(malformed)?
            }
        };
        for told in told {
            match told {
                StreamPart::Text(text) => {
                    if !tell(AskEvent::Delta(&text)) {
                        return Err(LanguageError::Stopped);
                    }
                    num_bytes += text.len();
                    draft_sink.take(drafts.push(&text), tell)?;
                    draft_sink.written.cut |= num_bytes > MAX_ANSWER_BYTES;
                }
                StreamPart::Finished { at_limit } => {
                    draft_sink.written.cut |= at_limit;
                    finished = true;
                }
                StreamPart::Done => finished = true,
            }
        }
        // What a server sends behind the end is not waited for, nor what the model would write beyond what is wanted.
        is_over |= finished || draft_sink.is_full() || num_bytes > MAX_ANSWER_BYTES;
    }
    let is_whole = finished || draft_sink.is_full() || num_bytes > MAX_ANSWER_BYTES;
    drop(reply);
    if !is_whole {
        return Err(EndpointError::CutOff.into());
    }
    draft_sink.take(drafts.finish(), tell)?;
    draft_sink.finish()
}

/// The sentences that were taken so far.
struct Taken<'a> {
    checker: &'a Checker<'a>,
    settings: &'a Answer,
    max_sentences: usize,
    written: Written,
    /// All sentences that the model wrote, taken or not.
    said: Vec<Draft>,
    num_repeated: usize,
}

impl<'a> Taken<'a> {
    fn new(checker: &'a Checker<'a>, settings: &'a Answer, max_sentences: usize) -> Self {
        Self { checker, settings, max_sentences, written: Written::default(), said: Vec::new(), num_repeated: 0 }
    }

    /// Whether nothing more is wanted of the model.
    fn is_full(&self) -> bool {
        self.written.sentences.len() >= self.max_sentences || self.num_repeated >= MAX_REPEATED
    }

    fn take(&mut self, drafts: Vec<Draft>, tell: &mut dyn FnMut(AskEvent<'_>) -> bool) -> Result<(), LanguageError> {
        for draft in drafts {
            if self.is_full() {
                return Ok(());
            }
            if self.said.contains(&draft) {
                self.num_repeated += 1;
                continue;
            }
            self.said.push(draft.clone());
            if draft.cites.is_empty() && draft.text.trim_start_matches(['*', '"', '`']).starts_with(NO_ANSWER) {
                self.written.declined = true;
                continue;
            }
            let Checked { text, citations, problem } = self.checker.check(draft)?;
            if problem.is_some() && self.settings.unsupported == Unsupported::Drop {
                self.written.num_dropped += 1;
                continue;
            }
            let citations = citations.into_iter().map(|citation| self.place(citation)).collect();
            let supported = problem.is_none();
            let sentence = Sentence { supported, problem, ..Sentence::supported(text, citations) };
            if !tell(AskEvent::Sentence { sentence: &sentence, citations: &self.written.citations }) {
                return Err(LanguageError::Stopped);
            }
            self.written.sentences.push(sentence);
        }
        Ok(())
    }

    /// Where a citation stands among all; a new one comes last.
    fn place(&mut self, citation: Citation) -> usize {
        let citations = &mut self.written.citations;
        citations.iter().position(|known| *known == citation).unwrap_or_else(|| {
            citations.push(citation);
            citations.len() - 1
        })
    }

    fn finish(self) -> Result<Written, LanguageError> {
        let mut written = self.written;
        if written.sentences.iter().any(|sentence| sentence.supported) {
            written.declined = false;
            return Ok(written);
        }
        if written.declined {
            return Ok(Written { declined: true, ..Written::default() });
        }
        Err(LanguageError::Unsupported { num_dropped: written.num_dropped + written.sentences.len() })
    }
}
