//! How every error of the program speaks to a person: a stable code and the remedy beside the message.
//!
//! # Not here
//! Each module keeps its own error enum, split by what the caller does next; this is only what they share.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An error that can say what to do next.
pub trait Advice: std::error::Error {
    /// A stable `snake_case` word for programs, sent by REST and MCP as `code`.
    fn code(&self) -> &'static str;

    /// The remedy in one sentence without a full stop, or `None` where there is nothing to do but read the message.
    fn hint(&self) -> Option<String> {
        None
    }

    /// What a program needs to go on, by name; it stands beside `code` in a reply.
    fn details(&self) -> Details {
        Details::new()
    }
}

/// Fields of an error that only some codes have.
pub type Details = serde_json::Map<String, serde_json::Value>;

/// An error as it goes over a wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct ErrorReport {
    /// A stable `snake_case` word for programs.
    pub code: String,
    /// What went wrong, for a person.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Fields that only this code has.
    #[serde(flatten)]
    #[schema(value_type = Object, additional_properties)]
    pub details: Box<Details>,
}

impl ErrorReport {
    /// What `error` and its sources say, with its remedy.
    #[must_use]
    pub fn of(error: &dyn Advice) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // Some errors, fs_err's among them, already show their source.
            if !message.contains(&cause_text) {
                message.push_str(": ");
                message.push_str(&cause_text);
            }
            source = cause.source();
        }
        Self { code: error.code().to_owned(), message, hint: error.hint(), details: error.details().into() }
    }

    /// An error that has no enum of its own.
    #[must_use]
    pub fn new(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), hint: Some(hint.into()), details: Box::default() }
    }
}

/// The body of every reply that is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorReport,
}
