//! Answers to questions of which is known where the answer stands, or that there is none.
//!
//! # Not here
//! How a question is asked (`evaluate`), and what a question knows (`questions`).

use serde::Serialize;

use super::{EvalError, FileNames, Question, Settings};
use crate::answer::{Abstention, AskReply, Signals};
use crate::workspace::Citation;

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A sentence holds the known answer, or is cited from where that stands.
    Answered,
    /// There is an answer, and it is cited from elsewhere.
    WrongAnswer,
    /// There is none, though one is known.
    WrongAbstention,
    /// Nothing answers it, and it was answered.
    WrongAnswerToNothing,
    /// Nothing answers it, and there is none.
    Abstained,
}

impl Outcome {
    /// Compares a reply with what is known of its question; `None` where that is not enough to tell.
    ///
    /// # Errors
    /// [`EvalError::UnknownFile`] where the collection names a file that is not there.
    pub fn of(question: &Question, reply: &AskReply, names: &FileNames) -> Result<Option<Self>, EvalError> {
        Ok(Some(match (question.is_unanswerable, reply.abstained) {
            (true, true) => Self::Abstained,
            (true, false) => Self::WrongAnswerToNothing,
            (false, _) if question.document.is_none() || question.span.is_none() && question.pages.is_empty() => {
                return Ok(None);
            }
            (false, true) => Self::WrongAbstention,
            (false, false) if is_from_the_known_place(question, reply, names)? => Self::Answered,
            (false, false) => Self::WrongAnswer,
        }))
    }
}

fn is_from_the_known_place(question: &Question, reply: &AskReply, names: &FileNames) -> Result<bool, EvalError> {
    let Some(document) = &question.document else { return Ok(false) };
    let path = names.path_of(document)?;
    let holds = |citation: &Citation| {
        let is_there = match question.span {
            Some(span) => citation.span.start < span.end && span.start < citation.span.end,
            None => citation.page.is_some_and(|page| question.pages.contains(&page)),
        };
        is_there && citation.path.as_str() == path
    };
    let quoted = question.quote.as_deref().map(folded);
    let says = |text: &str| quoted.as_ref().is_some_and(|quote| folded(text).contains(quote.as_str()));
    Ok(reply.citations.iter().any(holds) || reply.sentences.iter().any(|sentence| says(&sentence.text)))
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A question with what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerRow {
    /// The question's id.
    pub id: String,
    /// What became of it.
    pub outcome: Outcome,
    /// Why there is no answer, where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abstention: Option<Abstention>,
    /// What the evidence was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signals: Option<Signals>,
}

/// How often answers and abstentions are wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct AnswerQuality {
    /// Questions whose answer is known.
    pub num_answerable: usize,
    /// Of these, the share that has an answer from where the known one stands.
    pub answered: f64,
    /// The share that has one from elsewhere.
    pub wrong_answers: f64,
    /// The share that has none.
    pub wrong_abstentions: f64,
    /// Questions that nothing answers.
    pub num_unanswerable: usize,
    /// Of these, the share that has an answer all the same.
    pub wrong_answers_to_nothing: f64,
}

impl AnswerQuality {
    /// The rates of what became of questions; 0 where there are none of a kind.
    #[must_use]
    pub fn of(rows: &[AnswerRow]) -> Self {
        let number = |outcome: Outcome| rows.iter().filter(|row| row.outcome == outcome).count();
        let num_unanswerable = number(Outcome::Abstained) + number(Outcome::WrongAnswerToNothing);
        let num_answerable = rows.len() - num_unanswerable;
        let share = |outcome: Outcome, of: usize| number(outcome) as f64 / of.max(1) as f64;
        Self {
            num_answerable,
            answered: share(Outcome::Answered, num_answerable),
            wrong_answers: share(Outcome::WrongAnswer, num_answerable),
            wrong_abstentions: share(Outcome::WrongAbstention, num_answerable),
            num_unanswerable,
            wrong_answers_to_nothing: share(Outcome::WrongAnswerToNothing, num_unanswerable),
        }
    }
}

/// What an evaluation of answers tells its reader.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AnswerReport {
    /// The settings that it was made with.
    pub settings: Settings,
    /// Files that were indexed.
    pub num_files: usize,
    /// Questions that were asked.
    pub num_questions: usize,
    /// Whether each question was asked of its own file alone.
    pub within_document: bool,
    /// How often answers and abstentions are wrong.
    #[serde(flatten)]
    pub quality: AnswerQuality,
    /// Answers a second, one after the other.
    pub answers_per_second: f64,
    /// Median time of an answer.
    pub p50_ms: f64,
    /// Time that 99 of 100 answers stay within.
    pub p99_ms: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(outcome: Outcome) -> AnswerRow {
        AnswerRow { id: "q".to_owned(), outcome, abstention: None, signals: None }
    }

    #[test]
    fn rates_are_of_the_questions_of_their_kind() {
        use Outcome::{Abstained, Answered, WrongAbstention, WrongAnswer, WrongAnswerToNothing};
        let rows =
            [Answered, Answered, WrongAnswer, WrongAbstention, Abstained, WrongAnswerToNothing, Abstained].map(row);
        let quality = AnswerQuality::of(&rows);
        assert_eq!((quality.num_answerable, quality.num_unanswerable), (4, 3));
        assert_eq!((quality.answered, quality.wrong_answers, quality.wrong_abstentions), (0.5, 0.25, 0.25));
        assert!((quality.wrong_answers_to_nothing - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(AnswerQuality::of(&[]), AnswerQuality::default());
    }
}
