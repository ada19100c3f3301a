//! A question to a plan, passages and files to an answer whose every sentence is cited, and the check of a citation against the
//! file as it is now.
//!
//! # Invariants
//! - A sentence of an extractive answer is verbatim the quote of the citation beside it; one of a language model was checked against
//!   the quotes of its citations, or says what is wrong with it. Every quote is verbatim in its file.
//! - Without a configured endpoint nothing is contacted; with one that fails, the answer is extractive and says so.
//! - Where the evidence is weak there is no answer, and the reply says what was searched.
//! - The same passages and question give the same extractive answer.
//!
//! # Not here
//! Finding the passages (`search`) and reading files (`engine` hands the document over).

mod candidates;
mod cite;
mod confidence;
mod dates;
pub mod digest;
mod exact;
mod expected;
mod extractive;
mod facts;
mod language;
mod listing;
mod nearest;
mod place;
pub mod plan;
mod respond;
pub mod sections;
mod sentences;
pub mod tables;
mod unspaced;
mod verify;
pub mod versions;
mod wanted;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::cite::cite;
pub use self::confidence::Signals;
pub use self::digest::Digest;
pub use self::extractive::{Evidence, check_request};
pub use self::language::{EndpointError, LanguageError};
pub use self::listing::{
    Listed, Listing, Member, Named, Subject, find_words, first_line, heading_of, headings_in, is_in_scope, is_todo,
    line_with_all, lines_that_say, named, todos_in,
};
pub use self::nearest::Nearest;
pub use self::plan::{Plan, PlanChoice, PlanKind};
pub use self::respond::{AnswerError, AskEvent, Tell, check_answerer, is_model_asked, respond, summarize};
pub use self::verify::{Check, CitationState, Stretch, Verification, locate, verify};
pub use self::wanted::NamedThings;
use crate::search::{Coverage, Filters};
use crate::workspace::{Citation, Facets, RelPath, Revision};

/// The months in English, in small letters.
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskRequest {
    /// What to answer.
    #[schema(min_length = 1, max_length = 32_768)]
    pub question: String,
    /// Which files to answer from.
    #[serde(default)]
    pub filters: Filters,
    /// The most sentences of the answer, or of each file in an answer by files, 1 to 20.
    #[serde(default = "default_max_sentences")]
    #[schema(minimum = 1, maximum = 20)]
    pub max_sentences: usize,
    /// How to answer.
    #[serde(default)]
    pub plan: PlanChoice,
    /// The most files that an answer by files quotes, 1 to 200; all others in scope are listed.
    #[serde(default = "default_max_files")]
    #[schema(minimum = 1, maximum = 200)]
    pub max_files: usize,
    /// When the question is asked (RFC 3339); default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub now: Option<Timestamp>,
    /// The IANA time zone in which the question's days begin (`Europe/Berlin`); default: the server's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Answer from a state at least this new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_revision: Option<Revision>,
    /// How long to wait for `min_revision`, in milliseconds, at most 60000.
    #[serde(default)]
    pub wait_ms: u64,
    /// Time limit in milliseconds, without a language model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 10_000)]
    pub timeout_ms: Option<u64>,
    /// Who answers.
    #[serde(default)]
    pub answerer: Answerer,
    /// Counts who wrote the files that the answer was chosen from.
    #[serde(default)]
    pub facets: bool,
}

/// Who answers a question.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Answerer {
    /// The language model where one is configured; without one, sentences of the files.
    #[default]
    Auto,
    /// Sentences of the files, verbatim.
    Extractive,
    /// The language model; an error where none is configured.
    Model,
}

const fn default_max_sentences() -> usize {
    5
}

/// Files that an answer by files quotes where the request says no number.
pub const DEFAULT_MAX_FILES: usize = 20;

const fn default_max_files() -> usize {
    DEFAULT_MAX_FILES
}

impl AskRequest {
    /// A question to all files.
    #[must_use]
    pub fn new(question: impl Into<String>) -> Self {
        Self {
            question: question.into(),
            filters: Filters::default(),
            max_sentences: default_max_sentences(),
            plan: PlanChoice::default(),
            max_files: default_max_files(),
            now: None,
            time_zone: None,
            min_revision: None,
            wait_ms: 0,
            timeout_ms: None,
            answerer: Answerer::Auto,
            facets: false,
        }
    }
}

/// An answer, or the reason why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct AskReply {
    /// The newest change that the answer takes account of.
    pub revision: Revision,
    /// The files that were searched, by state.
    pub coverage: Coverage,
    /// Whether the time limit ended the work before everything was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// The plan that answered the question, with the reason.
    pub plan: Plan,
    /// Whether there is no answer.
    pub abstained: bool,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abstention: Option<Abstention>,
    /// The reason for the abstention in a sentence, with the number of files searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For an abstention: the number of files in scope that could not be searched, or only in part. The answer may be in them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub num_unread: usize,
    /// For an abstention: the nearest passages, best first, and the words that they lack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nearest: Vec<Nearest>,
    /// For an abstention: words of the question that no found passage holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_words: Vec<String>,
    /// The probability that the sentences answer the question, in `0..=1`, for sentences of the files; `docs/answers.md` says how it
    /// was fitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
    /// What the evidence is, where sentences of the files are to answer.
    #[serde(skip)]
    pub signals: Option<Signals>,
    /// The sentences of the answer, in reading order.
    pub sentences: Vec<Sentence>,
    /// The citations of the sentences, by position from 0.
    pub citations: Vec<Citation>,
    /// The members of a list or count, where the question asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing: Option<Listing>,
    /// Every file in scope, where the answer goes through files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Who wrote the files that the answer was chosen from, when asked for: those of `digest`, and without one those of all candidates, as in
    /// a search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facets: Option<Facets>,
    /// Who answered.
    pub answered_by: AnsweredBy,
}

impl AskReply {
    /// No answer yet.
    pub(crate) const fn abstaining(revision: Revision, coverage: Coverage, plan: Plan) -> Self {
        Self {
            revision,
            coverage,
            partial: false,
            plan,
            abstained: true,
            abstention: None,
            reason: None,
            num_unread: 0,
            nearest: Vec::new(),
            missing_words: Vec::new(),
            confidence: None,
            signals: None,
            sentences: Vec::new(),
            citations: Vec::new(),
            listing: None,
            digest: None,
            facets: None,
            answered_by: AnsweredBy::EXTRACTIVE,
        }
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Abstention {
    /// No passage was found.
    NothingFound,
    /// The question names an identifier, and no passage that was found does.
    UnknownIdentifier,
    /// What was found is not likely to hold the answer.
    TooWeak,
    /// The language model says that the passages hold no answer.
    Declined,
    /// The question is about a time or files, and no file is in scope.
    NothingInScope,
}

/// Who answered, and what came in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct AnsweredBy {
    /// How the sentences came about.
    pub kind: AnswerKind,
    /// The language model that was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Why the answer is extractive although the model was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
    /// Sentences of the model that its passages did not support, and that were left out.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub num_dropped: usize,
    /// Whether the model reached its token limit before its answer was complete.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cut: bool,
}

impl AnsweredBy {
    const EXTRACTIVE: Self =
        Self { kind: AnswerKind::Extractive, model: None, fallback: None, num_dropped: 0, cut: false };
}

/// How sentences of an answer came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AnswerKind {
    /// They are verbatim in the files.
    Extractive,
    /// A language model wrote them, and each was checked against what it cites.
    Model,
}

/// A sentence of an answer: verbatim from the file that it cites, or written by a language model and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Sentence {
    /// The words.
    pub text: String,
    /// Positions in [`AskReply::citations`].
    pub citations: Vec<usize>,
    /// Whether what it cites supports it; left out where it does.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub supported: bool,
    /// Why it is not supported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The place that the sentence stands in, in words: the headings above it, the path of its key, or its definition, with ` › `
    /// between them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// The cells of a table's row beside the names of their columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
    /// The newer file that has replaced the one that the sentence stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<RelPath>,
}

/// A cell of a row, or a value of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Field {
    /// The name of its column or key.
    pub name: String,
    /// Its text.
    pub value: String,
}

impl Sentence {
    /// A sentence that is supported by what it cites.
    pub(crate) const fn supported(text: String, citations: Vec<usize>) -> Self {
        Self { text, citations, supported: true, problem: None, place: None, fields: Vec::new(), superseded_by: None }
    }
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_true(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_false(value: &bool) -> bool {
    !*value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_zero(value: &usize) -> bool {
    *value == 0
}
