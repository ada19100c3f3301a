//! A reviewer's word on cited words.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::provenance::check;
use super::{Citation, InvalidProvenance};
use crate::error::Advice;

/// Longer comments are refused, in characters: what JSON Schema counts.
pub const MAX_COMMENT_CHARS: usize = 4_000;
/// Longer quotes are not judged.
pub const MAX_JUDGED_BYTES: usize = 65_536;

/// What a reviewer decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// The words are right, and belong to what was asked.
    Accept,
    /// The words are wrong, or do not belong to what was asked.
    Reject,
    /// Neither: the comment says what there is to say.
    Comment,
}

impl Decision {
    /// The decision's name as stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Reject => "reject",
            Self::Comment => "comment",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Accept, Self::Reject, Self::Comment].into_iter().find(|decision| decision.name() == name)
    }
}

/// A reviewer's verdict on cited words. It belongs to the content that was judged: the path, the content hash and the span.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Verdict {
    /// The number of the verdict. Later verdicts have larger numbers, and no number is used again.
    pub id: u64,
    /// When the verdict was stored.
    #[schemars(with = "String")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The judged words. They stood there when the verdict was stored.
    pub citation: Citation,
    /// The decision.
    pub decision: Decision,
    /// The reviewer's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The query or question that found the words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The reviewer, as stated with the verdict. Nothing of it is proven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A verdict to store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewVerdict {
    /// The judged words: the citation of a passage or of an answer's sentence. It must be of this workspace, and its quote, of at most 65,536
    /// bytes, must stand at its span now.
    pub citation: Citation,
    /// The decision.
    pub decision: Decision,
    /// The reviewer's words; the decision `comment` needs them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// The query or question that found the words. With it the verdict is a judgement for `pincite eval`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The reviewer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl NewVerdict {
    /// Refuses a verdict that says nothing or too much: texts are not blank, a comment has at most 4,000 characters, a comment alone has
    /// one, and a reviewer is named like a writer. Whether the citation holds is not looked at.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), InvalidVerdict> {
        for (field, text) in [("comment", &self.comment), ("query", &self.query)] {
            if text.as_ref().is_some_and(|text| text.trim().is_empty()) {
                return Err(InvalidVerdict::Blank { field });
            }
        }
        let num_chars = self.comment.as_ref().map_or(0, |comment| comment.chars().count());
        if num_chars > MAX_COMMENT_CHARS {
            return Err(InvalidVerdict::LongComment { num_chars });
        }
        if self.decision == Decision::Comment && self.comment.is_none() {
            return Err(InvalidVerdict::NoComment);
        }
        let num_bytes = self.citation.quote.len();
        if num_bytes > MAX_JUDGED_BYTES {
            return Err(InvalidVerdict::LongQuote { num_bytes });
        }
        self.by.as_ref().map_or(Ok(()), |by| check("reviewer's name", by).map_err(InvalidVerdict::from))
    }
}

/// Why a verdict is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidVerdict {
    /// A text is there and says nothing.
    #[error("`{field}` is blank")]
    Blank {
        /// Which one.
        field: &'static str,
    },
    /// The decision is `comment`, and no comment comes with it.
    #[error("the decision is `comment`, and there is no comment")]
    NoComment,
    /// The comment is too long.
    #[error("the comment has {num_chars} characters, and {MAX_COMMENT_CHARS} are allowed")]
    LongComment {
        /// Its length.
        num_chars: usize,
    },
    /// The quote is too long.
    #[error("the quote has {num_bytes} bytes, and {MAX_JUDGED_BYTES} are allowed")]
    LongQuote {
        /// Its length.
        num_bytes: usize,
    },
    /// The reviewer cannot be named so.
    #[error(transparent)]
    Reviewer(#[from] InvalidProvenance),
}

impl Advice for InvalidVerdict {
    fn code(&self) -> &'static str {
        "invalid_verdict"
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Blank { .. } => Some("say something in it, or leave it out".to_owned()),
            Self::NoComment => Some("send `comment`, or decide `accept` or `reject`".to_owned()),
            Self::LongComment { .. } => Some("shorten it, or write a file and judge its words".to_owned()),
            Self::LongQuote { .. } => Some("judge a shorter piece of the passage".to_owned()),
            Self::Reviewer(error) => error.hint(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{ContentHash, Provenance, Revision, Span, WorkspaceId};

    fn verdict(decision: Decision) -> NewVerdict {
        let quote = "The pump stopped.".to_owned();
        let citation = Citation {
            workspace: WorkspaceId::default(),
            path: "log.txt".parse().unwrap(),
            content_hash: ContentHash::of(quote.as_bytes()),
            revision: Revision(1),
            page: None,
            slide: None,
            lines: None,
            cell: None,
            trail: Vec::new(),
            span: Span::new(0, quote.len()),
            quote,
            provenance: Provenance::default(),
        };
        NewVerdict { citation, decision, comment: None, query: None, by: None }
    }

    #[test]
    fn a_comment_has_words_and_every_text_has_some() {
        for decision in [Decision::Accept, Decision::Reject, Decision::Comment] {
            assert_eq!(Decision::from_name(decision.name()), Some(decision));
            let said = |comment: &str| NewVerdict { comment: Some(comment.to_owned()), ..verdict(decision) }.check();
            assert_eq!(said("Wrong pump."), Ok(()));
            assert_eq!(said(&"ü".repeat(MAX_COMMENT_CHARS)), Ok(()));
            assert_eq!(said(" \n"), Err(InvalidVerdict::Blank { field: "comment" }));
            assert_eq!(said(&"x".repeat(4_001)), Err(InvalidVerdict::LongComment { num_chars: 4_001 }));
        }
        assert_eq!(verdict(Decision::Accept).check(), Ok(()));
        assert_eq!(verdict(Decision::Comment).check(), Err(InvalidVerdict::NoComment));
        let asked = NewVerdict { query: Some(String::new()), ..verdict(Decision::Accept) };
        assert_eq!(asked.check(), Err(InvalidVerdict::Blank { field: "query" }));
    }

    #[test]
    fn a_reviewer_is_named_as_a_writer_is_and_a_quote_has_an_end() {
        let by = |name: &str| NewVerdict { by: Some(name.to_owned()), ..verdict(Decision::Accept) }.check();
        assert_eq!(by("Ines Halvard"), Ok(()));
        for name in ["", " Ines", "a\nb", &"x".repeat(201)] {
            let refused = by(name).unwrap_err();
            assert!(matches!(refused, InvalidVerdict::Reviewer(_)) && refused.hint().is_some(), "{name:?}: {refused}");
        }
        let mut long = verdict(Decision::Accept);
        long.citation.quote = "x".repeat(MAX_JUDGED_BYTES + 1);
        assert!(matches!(long.check(), Err(InvalidVerdict::LongQuote { .. })));
    }
}
